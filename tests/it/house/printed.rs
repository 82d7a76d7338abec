//! A command to paste is built of words in `src/command/`: text that holds one is neither quoted nor aimed at the
//! cluster that was typed.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use regex::Regex;
use syn::LitStr;

use super::{files_below, read};

/// Texts that name a program and are no command to paste with a value in it, each with the reason.
const ALLOWED: [(&str, &str, &str); 13] = [
    ("src/apply/caught.rs", "an internal error in gloo-rs", "names the program"),
    ("src/cli/leftovers.rs", "that gloo-rs does not have", "names the program"),
    ("src/flow/values/order.rs", "helm acts only as the pod", "says what Helm does"),
    ("src/flow/values/order.rs", "with which helm impersonates", "says what Helm does"),
    ("src/flow/values/order.rs", "helm cannot act with a UID", "says what Helm does"),
    ("src/flow/values/order.rs", "helm would keep {kept}", "says what Helm does"),
    ("src/flow/values/subject.rs", "helm get values prints", "says where a line of a file is from"),
    ("src/flow/values/apply.rs", "helm upgrade failed", "says what failed"),
    ("src/flow/setup/backward.rs", "gloo-rs changed it", "says who changed it"),
    ("src/helm/run.rs", "helm is not on PATH", "says what is missing"),
    ("src/kube/credential.rs", "as in kubectl since", "compares with kubectl"),
    ("src/render/findings.rs", "What `gloo-rs check` finds", "a page of the docs"),
    ("src/render/junit.rs", "gloo-rs check", "the name of a test suite"),
];

/// Where no cluster was typed yet, or ever: the command line itself, and the fixed remedies of the docs. There a text
/// may name a command as long as nothing is put into it.
const FIXED: [&str; 2] = ["src/cli/", "src/check/codes.rs"];

/// The string literals of a source without its tests and comments, with the lines they begin at.
fn literals(source: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    collect(source.parse().expect("the source is Rust"), &mut found);
    found
}

fn collect(tokens: TokenStream, found: &mut Vec<(usize, String)>) {
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => match group.stream().to_string() {
                attribute if attribute.starts_with("doc =") => {}
                // What is for tests alone ends with its body, or without one.
                attribute if attribute == "cfg (test)" => {
                    tokens.find(|token| match token {
                        TokenTree::Group(body) => body.delimiter() == Delimiter::Brace,
                        TokenTree::Punct(sign) => sign.as_char() == ';',
                        _ => false,
                    });
                }
                _ => collect(group.stream(), found),
            },
            TokenTree::Literal(literal) => {
                if let Ok(text) = syn::parse2::<LitStr>(TokenTree::Literal(literal).into()) {
                    found.push((text.span().start().line, text.value()));
                }
            }
            _ => {}
        }
    }
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

/// Commands about a Gloo installation that name none where they are built, each with the reason.
const WITHOUT_INSTALLATION: [(&str, &str, &str); 9] = [
    ("src/flow/setup/", "", "the plan adds what was typed where it shows a step"),
    ("src/plan/verdict/", "proxy ", "verify adds the gateway that was typed"),
    ("src/flow/revisions.rs", "istio inject --istio-discovery-address", "an example for any gateway"),
    ("src/flow/inside/dump.rs", "proxy ", "the dump is a file of an unknown cluster"),
    ("src/load/dump_file.rs", "proxy snapshot", "the file is of an unknown cluster"),
    ("src/flow/guard/mod.rs", "istio inject", "no gateway is known"),
    ("src/flow/peer_auth/caution.rs", "istio auto-mtls enable", "no destination is known"),
    ("src/plan/path/fixes.rs", "istio auto-mtls enable", "no gateway is known"),
    ("src/plan/sidecars/inject.rs", "upgrade-values", "a Gateway may be in another namespace than Gloo"),
];

/// The commands about a Gloo installation in a source that do not say which.
fn without_installation(file: &str, source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let built = Regex::new(
        r#"gloo_rs\(\s*"((?:istio inject|istio uninject|istio auto-mtls|upgrade-values|proxy )[^"]*)"\s*\)"#,
    )
    .unwrap();
    // The rest of the statement. Files name their installation themselves, and `-u` is a name with its namespace.
    let names = Regex::new(r#"\.of_installation\(|\.with\("(?:-n|-u|--values)"|^[^;]*\bscoped\("#).unwrap();
    let end_of_statement = Regex::new(r";|\n\s*\}").unwrap();
    let lines = |index: usize| source[..index].lines().count();
    built
        .captures_iter(source)
        .filter(|found| {
            let (start, end) = (found.get(0).unwrap().start(), found.get(0).unwrap().end());
            let rest = end_of_statement.split(&source[end..]).next().unwrap_or_default();
            let before = &source[source[..start].rfind(['\n', ';']).unwrap_or_default()..start];
            !found[1].contains(" --values") && !names.is_match(rest) && !before.contains("scoped(")
        })
        .map(|found| format!("{file}:{}: {}", lines(found.get(0).unwrap().start()), &found[1]))
        .collect()
}

#[test]
fn a_command_about_an_installation_says_which() {
    let mut broken = Vec::new();
    let mut used = [false; WITHOUT_INSTALLATION.len()];
    for file in files_below("src", ".rs").into_iter().filter(|file| is_code(file) && !file.starts_with("src/cli/")) {
        for found in without_installation(&file, &read(&file)) {
            let allowed = WITHOUT_INSTALLATION
                .iter()
                .position(|(place, part, _)| file.starts_with(place) && found.contains(part));
            match allowed {
                Some(index) => used[index] = true,
                None => broken.push(found),
            }
        }
    }
    assert!(broken.is_empty(), "use of_installation(), or it is another Gloo's:\n{}", broken.join("\n"));
    let unused: Vec<_> = WITHOUT_INSTALLATION.iter().zip(used).filter(|(_, used)| !used).map(|(it, _)| it).collect();
    assert!(unused.is_empty(), "no longer there: {unused:#?}");
}

#[test]
fn a_command_without_its_installation_is_found() {
    let found = |source: &str| without_installation("x.rs", source).len();
    assert_eq!(found(r#"hint(gloo_rs("istio inject"));"#), 1);
    assert_eq!(found(r#"let a = gloo_rs("upgrade-values").after("x"); b.of_installation("n");"#), 1);
    for fine in [
        r#"gloo_rs("istio inject").of_installation(namespace)"#,
        r#"gloo_rs("istio auto-mtls disable").with("-u", name)"#,
        r#"again::scoped(gloo_rs("istio inject"), typed)"#,
        r#"gloo_rs("upgrade-values --values FILE")"#,
        r#"gloo_rs("istio enroll").value(namespace)"#,
    ] {
        assert_eq!(found(fine), 0, "{fine}");
    }
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
        r#""--force proceeds""#,
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
