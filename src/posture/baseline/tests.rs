use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn path(name: &str) -> PathKey {
    PathKey { path: format!("upstream gloo-system/{name}"), gateway: Some("gloo-system/gateway-proxy".to_owned()) }
}

fn fact(verdict: Verdict) -> PathFact {
    PathFact { verdict, cause: None, decided_by: "namespace shop".to_owned() }
}

fn of_paths(facts: &[(&str, Verdict)]) -> Recorded {
    let paths = facts.iter().map(|(name, verdict)| (path(name), fact(*verdict))).collect();
    Recorded { paths: Some(paths), ..Recorded::default() }
}

fn of_findings(facts: &[(&str, Severity)]) -> Recorded {
    let finding = |(code, severity): &(&str, Severity)| {
        let key = FindingKey { code: (*code).to_owned(), object: "Upstream shop/cart".to_owned() };
        (key, FindingFact { severity: *severity, cause: "Namespace shop".to_owned() })
    };
    Recorded { findings: Some(facts.iter().map(finding).collect()), ..Recorded::default() }
}

/// The kinds of the differences, one for each fact that differs.
fn kinds(before: &Recorded, now: &Recorded) -> Vec<DifferenceKind> {
    let comparison = Comparison::of(before, now, Severity::Error);
    let of = |kind| comparison.of_kind(kind).iter().map(move |_| kind);
    DifferenceKind::ALL.into_iter().flat_map(of).collect()
}

#[test]
fn a_verdict_is_worse_the_less_it_protects_and_unknown_is_neither() {
    use DifferenceKind::{Better, NotComparable, Worse};
    let order = [Verdict::Mtls, Verdict::Tls, Verdict::Mixed, Verdict::Plaintext, Verdict::Broken];
    for (place, before) in order.into_iter().enumerate() {
        for (other, now) in order.into_iter().enumerate() {
            let wanted = match place.cmp(&other) {
                std::cmp::Ordering::Less => vec![Worse],
                std::cmp::Ordering::Equal => vec![],
                std::cmp::Ordering::Greater => vec![Better],
            };
            assert_eq!(kinds(&of_paths(&[("a", before)]), &of_paths(&[("a", now)])), wanted, "{before} {now}");
        }
        let unknown = of_paths(&[("a", Verdict::Unknown)]);
        assert_eq!(kinds(&of_paths(&[("a", before)]), &unknown), [NotComparable], "{before}");
        let known = if before == Verdict::Broken { Worse } else { NotComparable };
        assert_eq!(kinds(&unknown, &of_paths(&[("a", before)])), [known], "{before}");
    }
}

#[test]
fn a_path_that_is_gone_is_removed_and_a_new_one_is_worse_only_if_it_is_broken() {
    use DifferenceKind::{New, NotComparable, Removed, Worse};
    let none = of_paths(&[]);
    for (verdict, wanted) in [(Verdict::Mtls, New), (Verdict::Plaintext, New), (Verdict::Broken, Worse)] {
        assert_eq!(kinds(&none, &of_paths(&[("a", verdict)])), [wanted], "{verdict}");
        assert_eq!(kinds(&of_paths(&[("a", verdict)]), &none), [Removed], "{verdict}");
    }
    let mut unread = none.clone();
    unread.not_read(PATHS);
    assert_eq!(kinds(&of_paths(&[("a", Verdict::Mtls)]), &unread), [NotComparable]);
}

#[test]
fn the_same_verdict_for_another_reason_is_changed() {
    let before = of_paths(&[("a", Verdict::Broken)]);
    let mut now = before.clone();
    let other = PathFact { cause: Some("strictPeer".to_owned()), ..fact(Verdict::Broken) };
    now.paths.get_or_insert_default().insert(path("a"), other);
    assert_eq!(kinds(&before, &now), [DifferenceKind::Changed]);
}

#[test]
fn a_finding_is_worse_if_it_is_new_or_more_severe_at_the_threshold() {
    use DifferenceKind::{Better, New, NotComparable, Worse};
    let none = of_findings(&[]);
    let error = of_findings(&[("GRS101", Severity::Error)]);
    let warning = of_findings(&[("GRS101", Severity::Warning)]);
    assert_eq!(kinds(&none, &error), [Worse]);
    assert_eq!(kinds(&none, &warning), [New]);
    assert_eq!(kinds(&warning, &error), [Worse]);
    assert_eq!(kinds(&error, &warning), [Better]);
    assert_eq!(kinds(&error, &none), [Better]);
    let by_warning = Comparison::of(&none, &warning, Severity::Warning);
    assert_eq!(by_warning.of_kind(Worse).len(), 1);
    let mut unread = none.clone();
    let check = crate::check::CHECKS.iter().find(|check| check.codes.iter().any(|code| code.id == "GRS101")).unwrap();
    unread.not_read(check.word);
    assert_eq!(kinds(&error, &unread), [NotComparable], "the check could not read everything");
}

#[test]
fn what_one_side_does_not_look_at_is_not_compared() {
    let both = Recorded { findings: of_findings(&[("GRS101", Severity::Error)]).findings, ..of_paths(&[]) };
    assert_eq!(kinds(&both, &of_paths(&[])), []);
    assert_eq!(kinds(&of_paths(&[]), &both), []);
}

#[test]
fn a_foreign_or_broken_file_says_what_is_wrong_and_where() {
    let head = r#"{"apiVersion":"gloo-rs/v1","kind":"Baseline","paths":"all namespaces","findings":null}"#;
    let path = r#"{"path":"upstream a/b","gateway":null,"verdict":"mtls","cause":null,"decidedBy":"namespace a"}"#;
    let of = |context: &str, line: &str| line.replacen('{', &format!("{{\"context\":\"{context}\","), 1);
    assert!(Baselines::parse(&format!("{head}\n{path}\n\n")).is_ok());
    for (text, why) in [
        (String::new(), "it is empty"),
        ("apiVersion: v1\n".to_owned(), "it is not a baseline"),
        (r#"{"kind":"Result"}"#.to_owned(), "it is not a baseline"),
        (head.replace("v1", "v2"), "its version is not gloo-rs/v1"),
        (head.replace("\"paths\"", "\"ways\""), "line 1: "),
        (format!("{head}\n<<<<<<< ours\n"), "line 2: it is not JSON"),
        (format!("{head}\n{{\"path\":\"x\"}}\n"), "line 2: it is not a line of a baseline"),
        (format!("{head}\n{}\n", path.replace("mtls", "secure")), "line 2: \"secure\" is not a verdict"),
        (format!("{head}\n{path}\n{path}\n"), "line 3: \"upstream a/b\" stands there twice"),
        (format!("{}\n{path}\n", head.replace("\"all namespaces\"", "null")), "line 2: the head says"),
        (format!("{head}\n{}\n", "[".repeat(100_000)), "line 2: it is not JSON"),
        (format!("{head}\n{}\n", of("a", path)), "line 2: some lines name a context"),
        (format!("{}\n{path}\n", of("a", head)), "line 2: some lines name a context"),
        (format!("{}\n{}\n", of("a", head), of("b", path)), "line 2: it is the first of its context"),
        (["a", "b", "a"].map(|name| of(name, head) + "\n").concat(), "line 3: context \"a\" stands there twice"),
        (head.replacen('{', "{\"context\":1,", 1), "it is not a baseline"),
    ] {
        let said = Baselines::parse(&text).unwrap_err();
        assert!(said.starts_with(why), "{why}: {said}");
    }
}

fn names() -> impl Strategy<Value = String> {
    "[a-z\"\\\\\u{0}\u{1b}\u{202e}\n<>&']{1,8}"
}

fn recorded() -> impl Strategy<Value = Recorded> {
    let verdict = prop::sample::select(Verdict::ALL.to_vec());
    let path = (names(), prop::option::of(names()), verdict, prop::option::of(names()), names()).prop_map(
        |(path, gateway, verdict, cause, decided_by)| {
            (PathKey { path, gateway }, PathFact { verdict, cause, decided_by })
        },
    );
    let severity = prop::sample::select(vec![Severity::Error, Severity::Warning]);
    let finding = (names(), names(), severity, names())
        .prop_map(|(code, object, severity, cause)| (FindingKey { code, object }, FindingFact { severity, cause }));
    let paths = prop::option::of(prop::collection::vec(path, 0..6).prop_map(BTreeMap::from_iter));
    let findings = prop::option::of(prop::collection::vec(finding, 0..6).prop_map(BTreeMap::from_iter));
    let not_read = prop::collection::btree_set(names(), 0..3);
    (paths, findings, not_read).prop_map(|(paths, findings, not_read)| Recorded { paths, findings, not_read })
}

fn baseline() -> impl Strategy<Value = Baseline> {
    recorded().prop_map(|recorded| {
        let scope = |has: bool| has.then(|| "all namespaces".to_owned());
        let (paths, findings) = (scope(recorded.paths.is_some()), scope(recorded.findings.is_some()));
        Baseline { paths, findings, recorded }
    })
}

fn baselines() -> impl Strategy<Value = Baselines> {
    let contexts = prop::collection::btree_map(names(), baseline(), 1..4);
    prop_oneof![baseline().prop_map(Baselines::One), contexts.prop_map(Baselines::OfContexts)]
}

proptest! {
    #[test]
    fn what_is_written_is_read_whether_of_one_cluster_or_of_several(baselines in baselines()) {
        let text: String = baselines.lines().map(|line| line + "\n").collect();
        prop_assert!(Baselines::is_one(&text));
        prop_assert_eq!(&Baselines::parse(&text), &Ok(baselines));
    }

    #[test]
    fn a_run_is_as_its_own_baseline(recorded in recorded()) {
        prop_assert!(Comparison::of(&recorded, &recorded, Severity::Warning).is_empty());
    }
}
