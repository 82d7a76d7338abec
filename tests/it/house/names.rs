//! Which paths a Rust source names: its `use` trees, and every `a::b` in its code.

use std::collections::{BTreeMap, BTreeSet};

/// The full paths that a source names; `module` is where it stands, as `crate::plan::mtls`.
pub fn named(source: &str, module: &str) -> BTreeSet<String> {
    let tokens = tokens(source);
    let mut file = File { module: module.to_owned(), imports: BTreeMap::new(), found: BTreeSet::new() };
    // The inline modules that are open, each with the module around it and the braces before it.
    let mut open: Vec<(String, usize)> = Vec::new();
    let mut braces = 0;
    let mut code: Vec<(String, Vec<&str>)> = vec![(module.to_owned(), Vec::new())];
    let mut at = 0;
    while at < tokens.len() {
        let next = tokens.get(at + 1).map_or("", String::as_str);
        match tokens[at].as_str() {
            "use" if next != "<" => {
                at = file.read_use(&tokens, at + 1, "");
                continue;
            }
            "mod" => {
                let inner = format!("{}::{next}", file.module);
                file.imports.insert(next.to_owned(), inner.clone());
                if tokens.get(at + 2).is_some_and(|token| token == "{") {
                    open.push((std::mem::replace(&mut file.module, inner.clone()), braces));
                    code.push((inner, Vec::new()));
                }
            }
            "{" => braces += 1,
            "}" => {
                braces -= 1;
                if let Some((outer, _)) = open.pop_if(|(_, before)| *before == braces) {
                    file.module.clone_from(&outer);
                    code.push((outer, Vec::new()));
                }
            }
            _ => {}
        }
        code.last_mut().expect("there is always one").1.push(&tokens[at]);
        at += 1;
    }
    for (module, code) in code {
        for path in paths(&code) {
            let (first, rest) = path.split_once("::").expect("a path has two segments");
            let path = file.imports.get(first).map_or_else(|| path.clone(), |import| format!("{import}::{rest}"));
            file.found.insert(resolved(&path, &module));
        }
    }
    file.found
}

struct File {
    /// The module that is being read.
    module: String,
    /// What each short name of the file stands for.
    imports: BTreeMap<String, String>,
    found: BTreeSet<String>,
}

impl File {
    /// Reads one `use` tree from `at` and gives where it ends.
    fn read_use(&mut self, tokens: &[String], mut at: usize, prefix: &str) -> usize {
        let mut path = prefix.to_owned();
        let mut name = None;
        while let Some(token) = tokens.get(at) {
            match token.as_str() {
                "{" => {
                    at += 1;
                    while tokens[at] != "}" {
                        at = self.read_use(tokens, at, &path);
                        at += usize::from(tokens[at] == ",");
                    }
                    return at + 1;
                }
                "," | ";" | "}" => break,
                "::" => {}
                "as" => {
                    name = tokens.get(at + 1).cloned();
                    at += 1;
                }
                "self" if !prefix.is_empty() => {}
                segment if path.is_empty() => segment.clone_into(&mut path),
                segment => path = format!("{path}::{segment}"),
            }
            at += 1;
        }
        let path = resolved(&path, &self.module);
        let name = name.unwrap_or_else(|| path.rsplit("::").next().unwrap_or_default().to_owned());
        if path.contains("::") && name != "*" {
            self.imports.insert(name, path.clone());
        }
        self.found.insert(path);
        at
    }
}

/// Whether a name is, or is below, or is a glob around, what may not be named.
pub fn breaks(name: &str, banned: &str) -> bool {
    let below = |inner: &str, outer: &str| inner == outer || inner.starts_with(&format!("{outer}::"));
    below(name, banned) || name.strip_suffix("::*").is_some_and(|glob| below(banned, glob))
}

/// Every `a::b::c` in the code.
fn paths(tokens: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begin = at;
        while is_name(tokens[at]) && tokens.get(at + 1) == Some(&"::") && tokens.get(at + 2).is_some_and(|t| is_name(t))
        {
            at += 2;
        }
        if at > begin {
            found.push(tokens[begin..=at].concat());
        }
        at += 1;
    }
    found
}

/// The path from the crate's root; `core` and `alloc` are `std`.
fn resolved(path: &str, module: &str) -> String {
    let mut module = module;
    let mut segments = path.split("::").peekable();
    let mut inside = segments.next_if_eq(&"self").is_some();
    while segments.next_if_eq(&"super").is_some() {
        module = module.rsplit_once("::").map_or("crate", |(outer, _)| outer);
        inside = true;
    }
    if segments.next_if(|first| matches!(*first, "core" | "alloc")).is_some() {
        return ["std"].into_iter().chain(segments).collect::<Vec<_>>().join("::");
    }
    let front = inside.then_some(module);
    front.into_iter().chain(segments).collect::<Vec<_>>().join("::")
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::` and single signs; comments, literals and lifetimes are left out.
fn tokens(source: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let skipped = skipped(rest);
        let length = if skipped > 0 {
            skipped
        } else if is_name(rest) {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(rest[..end].to_owned());
            end
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// How many bytes at the beginning are a comment, a literal or a lifetime.
fn skipped(rest: &str) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return rest.find("*/").map_or(rest.len(), |end| end + 2);
    }
    let prefix = rest.find(|c: char| !matches!(c, 'r' | 'b' | 'c')).unwrap_or(0);
    let hashes = rest[prefix..].bytes().take_while(|b| *b == b'#').count();
    let literal = &rest[prefix + hashes..];
    if literal.starts_with('"') && rest[..prefix].contains('r') {
        let end = format!("\"{}", "#".repeat(hashes));
        return prefix + hashes + 1 + literal[1..].find(&end).map_or(literal.len() - 1, |at| at + end.len());
    }
    match literal.chars().next() {
        Some('"') if hashes == 0 => prefix + quoted(literal, '"'),
        Some('\'') if hashes == 0 && prefix < 2 => {
            let lifetime = literal[1..].starts_with(|c: char| c.is_alphabetic() || c == '_')
                && literal.chars().nth(2) != Some('\'');
            prefix
                + if lifetime {
                    1 + literal[1..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(0)
                } else {
                    quoted(literal, '\'')
                }
        }
        _ => 0,
    }
}

/// The length of a literal between two such quotes.
fn quoted(literal: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in literal.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    literal.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &str) -> Vec<String> {
        named(source, "crate::plan::mtls").into_iter().collect()
    }

    #[test]
    fn a_use_tree_names_each_of_its_leaves() {
        assert_eq!(
            names("use std::{fs, io::{self, Write as _}, time::Instant};"),
            ["std::fs", "std::io", "std::io::Write", "std::time::Instant"]
        );
        assert_eq!(
            names("pub use super::advice::*; use self::a; use super::super::b;"),
            ["crate::b", "crate::plan::advice::*", "crate::plan::mtls::a"]
        );
    }

    #[test]
    fn an_inline_module_stands_below_its_file() {
        assert_eq!(
            names("mod tests { use super::*; fn f() {} } fn g() { super::h() }"),
            ["crate::plan::h", "crate::plan::mtls::*"]
        );
    }

    #[test]
    fn a_short_name_stands_for_what_was_imported() {
        assert_eq!(names("use std::time; fn f() { time::Instant::now() }"), ["std::time", "std::time::Instant::now"]);
        assert_eq!(names("use crate::kube; fn f(_: kube::Session) {}"), ["crate::kube", "crate::kube::Session"]);
        assert_eq!(names("mod fs; fn f() { fs::x() }"), ["crate::plan::mtls::fs::x"]);
        assert_eq!(names("use a::b as c; fn f() { c::d() }"), ["a::b", "a::b::d"]);
    }

    #[test]
    fn a_path_without_use_counts_too() {
        assert_eq!(names("#[derive(clap::Args)] struct S(::tokio::net::X);"), ["clap::Args", "tokio::net::X"]);
        assert_eq!(names("fn f() { core::mem::swap() }"), ["std::mem::swap"]);
    }

    #[test]
    fn comments_and_literals_name_nothing() {
        let source = r##"// std::fs
            /* std::fs */ fn f<'a>(_: &'a str) { ("std::fs", r#"std::fs " "#, b"std::fs", '"', '\'', b'"', "\"std::fs") }
            /// [`std::fs`]
            fn g() {}"##;
        assert_eq!(names(source), [""; 0]);
    }

    #[test]
    fn what_lies_below_or_a_glob_around_it_breaks_a_ban() {
        for name in ["std::fs", "std::fs::File", "std::*"] {
            assert!(breaks(name, "std::fs"), "{name}");
        }
        for name in ["std::fsx", "std", "std::io::*", "crate::fs"] {
            assert!(!breaks(name, "std::fs"), "{name}");
        }
    }
}
