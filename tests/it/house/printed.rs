//! A command to paste is built of words in `src/command/`: text that holds one is neither quoted nor aimed at the
//! cluster that was typed.

use regex::Regex;

use super::{files_below, read};

/// Texts that name a program and are no command to paste with a value in it, each with the reason.
const ALLOWED: [(&str, &str, &str); 15] = [
    ("src/apply/caught.rs", "a fault in gloo-rs itself", "names the program"),
    ("src/apply/transaction.rs", "a fault in gloo-rs itself", "names the program"),
    ("src/cli/leftovers.rs", "that gloo-rs does not have", "names the program"),
    ("src/flow/values/order.rs", "helm acts as the pod alone", "says what Helm does"),
    ("src/flow/values/order.rs", "with which helm impersonates", "says what Helm does"),
    ("src/flow/values/order.rs", "helm cannot act with a UID", "says what Helm does"),
    ("src/flow/values/order.rs", "helm would keep {kept}", "says what Helm does"),
    ("src/flow/values/subject.rs", "helm get values prints", "says where a line of a file is from"),
    ("src/flow/values/apply.rs", "helm upgrade failed", "says what failed"),
    ("src/flow/setup/backward.rs", "gloo-rs changed it", "says who changed it"),
    ("src/helm/run.rs", "helm is not on PATH", "says what is missing"),
    ("src/kube/credential.rs", "as in kubectl since", "compares with kubectl"),
    (
        "src/render/findings.rs",
        "gloo-rs check --explain {first}",
        "asks no cluster; the value is a code of this program",
    ),
    ("src/render/findings.rs", "What `gloo-rs check` finds", "a page of the docs"),
    ("src/render/junit.rs", "gloo-rs check", "the name of a test suite"),
];

/// Where no cluster was typed yet, or ever: the command line itself, and the fixed remedies of the docs. There a text
/// may name a command as long as nothing is put into it.
const FIXED: [&str; 2] = ["src/cli/", "src/check/codes.rs"];

/// The string literals of a source up to its tests, with the lines they begin at.
fn literals(source: &str) -> Vec<(usize, String)> {
    let code: Vec<char> = source.split("#[cfg(test)]").next().unwrap_or_default().chars().collect();
    let at = |index: usize| code.get(index).copied();
    let line = |index: usize| code[..index].iter().filter(|c| **c == '\n').count() + 1;
    let mut found = Vec::new();
    let mut index = 0;
    while let Some(now) = at(index) {
        match (now, at(index + 1)) {
            ('/', Some('/')) => index += code[index..].iter().take_while(|c| **c != '\n').count(),
            ('\'', Some('\\')) => index += 3 + code[index + 3..].iter().take_while(|c| **c != '\'').count(),
            ('\'', _) if at(index + 2) == Some('\'') => index += 2,
            ('r', Some('#')) if !index.checked_sub(1).and_then(at).is_some_and(char::is_alphanumeric) => {
                let hashes = code[index + 1..].iter().take_while(|c| **c == '#').count();
                if at(index + 1 + hashes) == Some('"') {
                    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
                    let rest = &code[index + 2 + hashes..];
                    let length = rest.windows(end.len()).position(|it| it == end).unwrap_or(rest.len());
                    found.push((line(index), rest[..length].iter().collect()));
                    index += 2 + hashes + length + hashes;
                }
            }
            ('"', _) => {
                let (begin, mut text) = (line(index), String::new());
                index += 1;
                while let Some(now) = at(index).filter(|c| *c != '"') {
                    if now == '\\' {
                        index += 1;
                        // A line that goes on below begins there after its blanks.
                        if at(index) == Some('\n') {
                            index += code[index..].iter().take_while(|c| c.is_whitespace()).count();
                            continue;
                        }
                    }
                    text.extend(at(index));
                    index += 1;
                }
                found.push((begin, text));
            }
            _ => {}
        }
        index += 1;
    }
    found
}

/// The literals that hold a command of one of the programs.
fn commands(file: &str, source: &str) -> Vec<(usize, String)> {
    let program = Regex::new(r"(?:^|[^\w/.-])(?:gloo-rs|kubectl|helm|istioctl) [a-z{-]").unwrap();
    let is_fixed = FIXED.iter().any(|place| file.starts_with(place));
    let is_command = |text: &str| program.is_match(text) && (!is_fixed || text.contains('{'));
    literals(source).into_iter().filter(|(_, text)| is_command(text)).collect()
}

fn is_code(file: &str) -> bool {
    !file.contains("/tests") && !file.starts_with("src/command/")
}

#[test]
fn every_command_to_paste_is_built_of_words() {
    let mut broken = Vec::new();
    let mut used = [false; ALLOWED.len()];
    for file in files_below("src", ".rs").into_iter().filter(|file| is_code(file)) {
        for (line, text) in commands(&file, &read(&file)) {
            let allowed = ALLOWED.iter().position(|(place, part, _)| *place == file && text.contains(part));
            match allowed {
                Some(index) => used[index] = true,
                None => broken.push(format!("{file}:{line}: {text}")),
            }
        }
    }
    assert!(broken.is_empty(), "use crate::command, which quotes and aims it:\n{}", broken.join("\n"));
    let unused: Vec<_> = ALLOWED.iter().zip(used).filter(|(_, used)| !used).map(|(allowed, _)| allowed).collect();
    assert!(unused.is_empty(), "no longer there: {unused:#?}");
}

#[test]
fn a_command_in_a_text_is_found() {
    for line in [
        r#"hint(format!("gloo-rs istio enroll {namespace}"))"#,
        r#"hint("change it in Git: gloo-rs upgrade-values")"#,
        r#"let line = format!("kubectl label namespace {name} istio-injection-");"#,
        r#"format!("{} rollback", "helm rollback {name}")"#,
        "let raw = r#\"kubectl patch \"x\"\"#;",
        "format!(\n    \"first this, \\\n     then helm upgrade {name}\"\n)",
    ] {
        assert_eq!(commands("src/plan/x.rs", line).len(), 1, "{line}");
    }
    for line in [
        r#"gloo_rs("istio enroll").value(namespace)"#,
        r#"// hint("gloo-rs istio inject")"#,
        r#""its sslConfig was not written by gloo-rs""#,
        r#""--force goes on""#,
        r#"match c { '"' => "kubectl", _ => "helm" }"#,
        "\"fine\"\n#[cfg(test)]\nmod tests { const X: &str = \"kubectl get pods\"; }",
    ] {
        assert!(commands("src/plan/x.rs", line).is_empty(), "{line}");
    }
}

#[test]
fn a_fixed_text_may_name_a_command_and_no_value() {
    let fixed = r#"("help", "kubectl get upstreams -A")"#;
    assert!(commands("src/cli/leftovers.rs", fixed).is_empty());
    let with_value = r#"format!("kubectl get {name}")"#;
    assert_eq!(commands("src/cli/x.rs", with_value).len(), 1);
}
