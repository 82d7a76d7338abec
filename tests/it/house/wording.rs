//! Tests hold codes, outcomes and structure. What a command says is held by its snapshot, so that a text is improved in
//! one place.

use std::collections::BTreeMap;

use regex::Regex;

use super::{files_below, read};

/// What begins a command line, which is structure: a person copies it.
const PROGRAMS: [&str; 5] = ["gloo-rs", "go", "helm", "istioctl", "kubectl"];

/// Files that still hold prose, and how often. A number only falls: a file that improves lowers it, or leaves.
const ALLOWED: [(&str, usize); 97] = [
    ("src/apply/files/tests.rs", 5),
    ("src/cli/help/exits.rs", 1),
    ("src/edit/manifest/tests.rs", 2),
    ("src/edit/values/tests.rs", 2),
    ("src/edit/values/tests/homes.rs", 1),
    ("src/envoy/state.rs", 1),
    ("src/flow/guard/mod.rs", 1),
    ("src/flow/setup/tests.rs", 1),
    ("src/helm/release_id.rs", 1),
    ("src/kube/forward_failure.rs", 2),
    ("src/kube/oidc.rs", 1),
    ("src/load/files/encoding.rs", 2),
    ("src/load/files/tests.rs", 1),
    ("src/plan/address/tests/nodes.rs", 1),
    ("src/plan/enrolment/target.rs", 1),
    ("src/plan/enrolment/tests.rs", 1),
    ("src/plan/gateway_parameters.rs", 1),
    ("src/plan/path/tests.rs", 5),
    ("src/plan/path/tests/denied.rs", 2),
    ("src/plan/revisions/tests.rs", 1),
    ("src/plan/routes/tests.rs", 5),
    ("src/plan/sidecars/tests.rs", 1),
    ("src/plan/values/findings.rs", 1),
    ("src/plan/values/tests.rs", 1),
    ("src/plan/verdict/tests.rs", 18),
    ("src/render/describe/row.rs", 1),
    ("src/render/findings.rs", 2),
    ("tests/it/auto_mtls.rs", 4),
    ("tests/it/check/formats.rs", 8),
    ("tests/it/check/live.rs", 3),
    ("tests/it/check/requests.rs", 1),
    ("tests/it/command_line.rs", 1),
    ("tests/it/describe/certificates.rs", 1),
    ("tests/it/describe/report.rs", 2),
    ("tests/it/describe/rights.rs", 1),
    ("tests/it/describe/way.rs", 2),
    ("tests/it/enroll/failures.rs", 1),
    ("tests/it/enroll/wanted.rs", 1),
    ("tests/it/fleet/baseline.rs", 5),
    ("tests/it/fleet/faults.rs", 2),
    ("tests/it/fleet/formats.rs", 1),
    ("tests/it/fleet/usage.rs", 2),
    ("tests/it/helm_told/mod.rs", 1),
    ("tests/it/hostile_items.rs", 2),
    ("tests/it/house/terminal.rs", 1),
    ("tests/it/in_pod.rs", 1),
    ("tests/it/inject/partial.rs", 1),
    ("tests/it/inject/proof.rs", 1),
    ("tests/it/inject/rollouts.rs", 1),
    ("tests/it/inject/several.rs", 1),
    ("tests/it/inside/hostile.rs", 1),
    ("tests/it/kube_plugin.rs", 1),
    ("tests/it/kube_proxy.rs", 1),
    ("tests/it/kube_tls.rs", 2),
    ("tests/it/kubeconfig.rs", 5),
    ("tests/it/mtls/acceptance.rs", 11),
    ("tests/it/mtls/advice.rs", 2),
    ("tests/it/mtls/faults.rs", 7),
    ("tests/it/mtls/live.rs", 1),
    ("tests/it/mtls/races.rs", 1),
    ("tests/it/mtls/rights.rs", 6),
    ("tests/it/mtls/sweep.rs", 3),
    ("tests/it/mtls/terminal.rs", 3),
    ("tests/it/pair_self.rs", 1),
    ("tests/it/peer_auth/faults.rs", 3),
    ("tests/it/peer_auth/rights.rs", 3),
    ("tests/it/progressive/ends.rs", 1),
    ("tests/it/progressive/migrate.rs", 1),
    ("tests/it/proxy_address.rs", 7),
    ("tests/it/proxy_plane.rs", 1),
    ("tests/it/rbac/line.rs", 1),
    ("tests/it/release/action.rs", 2),
    ("tests/it/release/install.rs", 1),
    ("tests/it/release/root.rs", 2),
    ("tests/it/report.rs", 2),
    ("tests/it/setup/guard.rs", 1),
    ("tests/it/setup/helm.rs", 1),
    ("tests/it/setup/killed.rs", 1),
    ("tests/it/setup/observed.rs", 1),
    ("tests/it/setup/refused.rs", 2),
    ("tests/it/setup/verified.rs", 1),
    ("tests/it/stage_injector.rs", 1),
    ("tests/it/stage_self.rs", 7),
    ("tests/it/transaction.rs", 1),
    ("tests/it/upgrade_values/apply.rs", 8),
    ("tests/it/upgrade_values/helm_4.rs", 3),
    ("tests/it/upgrade_values/proof.rs", 4),
    ("tests/it/upgrade_values/records.rs", 1),
    ("tests/it/upgrade_values/releases.rs", 6),
    ("tests/it/upgrade_values/remove.rs", 5),
    ("tests/it/upgrade_values/rights.rs", 2),
    ("tests/it/values_sources.rs", 1),
    ("tests/it/verify/causes.rs", 1),
    ("tests/it/verify/mod.rs", 1),
    ("tests/it/verify/ways.rs", 11),
    ("tests/it/version.rs", 1),
    ("tests/it/written_files.rs", 1),
];

/// The literals of `contains`, `starts_with` and `ends_with` that are prose.
///
/// Prose is three words in a row, each of lower-case letters only, one space apart. Codes, flags, paths, fields and
/// names of objects have a digit, a capital, a hyphen, a slash or a dot, or stand alone or in pairs (`not found`), so a
/// list of exceptions is not needed; what a server said, word for word, is counted below like the rest.
fn prose(text: &str) -> Vec<String> {
    let call = Regex::new(r#"\b(?:contains|starts_with|ends_with)\(\s*&?"((?:[^"\\]|\\.)*)""#).unwrap();
    let literals = call.captures_iter(text).map(|found| found[1].replace("\\n", "\n"));
    literals.filter(|literal| literal.lines().any(is_prose)).collect()
}

fn is_prose(line: &str) -> bool {
    let is_plain = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let words: Vec<_> =
        line.split(' ').map(|word| word.trim_matches(['(', ')', ',', ';', ':', '.', '?', '"'])).collect();
    let is_command = words.iter().find(|word| !word.is_empty()).is_some_and(|word| PROGRAMS.contains(word));
    !is_command && words.windows(3).any(|three| three.iter().all(is_plain))
}

/// The part of a source that is a test: all of a file of tests, and what follows the attribute in another.
fn tests_of<'a>(path: &str, text: &'a str) -> &'a str {
    match text.split_once("#[cfg(test)]") {
        _ if path.starts_with("tests/") || path.contains("/tests") => text,
        Some((_, tests)) => tests,
        None => "",
    }
}

#[test]
fn tests_hold_no_more_prose_than_is_listed() {
    let mut found = BTreeMap::new();
    for path in ["src", "tests/it"].into_iter().flat_map(|folder| files_below(folder, ".rs")) {
        let text = read(&path);
        let prose = prose(tests_of(&path, &text));
        if !prose.is_empty() {
            found.insert(path, prose);
        }
    }
    let allowed = BTreeMap::from(ALLOWED);
    let count = |path: &str| found.get(path).map_or(0, Vec::len);
    let more: Vec<_> =
        found.iter().filter(|(path, prose)| prose.len() > allowed.get(path.as_str()).copied().unwrap_or(0)).collect();
    assert!(more.is_empty(), "assert a code, an outcome or an object; the snapshot holds the words: {more:#?}");
    let fewer: Vec<_> = allowed.iter().filter(|(path, number)| count(path) < **number).collect();
    assert!(fewer.is_empty(), "lower these numbers in {}: {fewer:#?}", file!());
}

#[test]
fn prose_is_told_from_structure() {
    let asserted = |literal: &str| prose(&format!("said.{}(\"{literal}\")", "contains"));
    for literal in [
        "is not on PATH: install it now",
        "hint: did you mean upstreams?\\n",
        "(the release before Istio)",
        "error: no gateway listens at port 81\\n",
    ] {
        assert_eq!(asserted(literal).len(), 1, "{literal}");
    }
    for literal in [
        "helm upgrade edge gloo",
        "\\n  kubectl delete pod gateway-proxy-",
        "--gloo-namespace",
        "secret/sh.helm.release.v1.gloo.v2",
        "not found",
        "GRS501 */* (r)",
    ] {
        assert!(asserted(literal).is_empty(), "{literal}");
    }
    assert_eq!(prose(&format!("said.{}(\n    \"one two three\"\n)", "starts_with")).len(), 1);
}

#[test]
fn what_is_no_test_may_read_words() {
    let source = "code\n#[cfg(test)]\nmod tests {}";
    assert_eq!(tests_of("src/a.rs", source), "\nmod tests {}");
    assert_eq!(tests_of("src/a.rs", "code"), "");
    assert_eq!(tests_of("src/a/tests.rs", "code"), "code");
    assert_eq!(tests_of("tests/it/a.rs", source), source);
}
