//! Which paths a Rust source names: its `use` trees, and every `a::b` in its code.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ItemMod, ItemUse, Path, UseTree};

/// The full paths that a source names; `module` is where it stands, as `crate::plan::mtls`.
pub fn named(source: &str, module: &str) -> BTreeSet<String> {
    let file = syn::parse_file(source).unwrap_or_else(|error| panic!("{module}: {error}"));
    let mut names = Names { module: module.to_owned(), ..Names::default() };
    names.visit_file(&file);
    for (module, path) in names.paths {
        let (first, rest) = path.split_once("::").expect("a path has two segments");
        let path = names.imports.get(first).map_or_else(|| path.clone(), |import| format!("{import}::{rest}"));
        names.found.insert(resolved(&path, &module));
    }
    names.found
}

#[derive(Default)]
struct Names {
    /// The module that is being read.
    module: String,
    /// What each short name of the file stands for.
    imports: BTreeMap<String, String>,
    /// Each `a::b` of the code, with the module around it.
    paths: Vec<(String, String)>,
    found: BTreeSet<String>,
}

impl Names {
    fn read_use(&mut self, tree: &UseTree, above: &str) {
        let below = |name: &dyn ToString| match (above, name.to_string()) {
            ("", name) => name,
            (_, name) if name == "self" => above.to_owned(),
            (_, name) => format!("{above}::{name}"),
        };
        let (path, name) = match tree {
            UseTree::Path(path) => return self.read_use(&path.tree, &below(&path.ident)),
            UseTree::Group(group) => return group.items.iter().for_each(|tree| self.read_use(tree, above)),
            UseTree::Glob(_) => (below(&'*'), None),
            UseTree::Name(name) => (below(&name.ident), None),
            UseTree::Rename(name) => (below(&name.ident), Some(name.rename.to_string())),
        };
        let path = resolved(&path, &self.module);
        if let Some((_, last)) = path.rsplit_once("::").filter(|(_, last)| *last != "*") {
            self.imports.insert(name.unwrap_or_else(|| last.to_owned()), path.clone());
        }
        self.found.insert(path);
    }

    fn add(&mut self, segments: &[String]) {
        if segments.len() > 1 {
            self.paths.push((self.module.clone(), segments.join("::")));
        }
    }

    /// What stands inside a macro or an attribute is not parsed: there, names with `::` between them are a path.
    fn scan(&mut self, tokens: TokenStream) {
        let mut segments = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.add(&std::mem::take(&mut segments));
                    }
                    segments.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(sign) if sign.as_char() == ':' => colons += 1,
                other => {
                    self.add(&std::mem::take(&mut segments));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.scan(group.stream());
                    }
                }
            }
        }
        self.add(&segments);
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.read_use(&item.tree, "");
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let inner = format!("{}::{}", self.module, item.ident);
        self.imports.insert(item.ident.to_string(), inner.clone());
        let outer = std::mem::replace(&mut self.module, inner);
        visit::visit_item_mod(self, item);
        self.module = outer;
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(&segments);
        visit::visit_path(self, path);
    }

    fn visit_token_stream(&mut self, tokens: &'ast TokenStream) {
        self.scan(tokens.clone());
    }
}

/// Whether a name is, or is below, or is a glob around, what may not be named.
pub fn breaks(name: &str, banned: &str) -> bool {
    let below = |inner: &str, outer: &str| inner == outer || inner.starts_with(&format!("{outer}::"));
    below(name, banned) || name.strip_suffix("::*").is_some_and(|glob| below(banned, glob))
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
