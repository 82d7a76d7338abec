//! A baseline of several contexts: which clusters it has, and what one that was not read cannot do to it.

use serde_json::{Value, json};

use super::{DEAD, document, empty, entries, plane, sandbox};
use crate::house::result::fits;
use crate::stage;
use crate::support::stub::Stub;
use crate::support::{Output, Sandbox};

fn run(sandbox: &Sandbox, line: &str) -> Output {
    sandbox.run(&line.split(' ').collect::<Vec<_>>())
}

fn read(sandbox: &Sandbox, file: &str) -> String {
    std::fs::read_to_string(sandbox.dir().join(file)).unwrap()
}

/// The contexts and subjects of the differences of a kind.
fn differences<'d>(document: &'d Value, kind: &str) -> Vec<(&'d str, &'d str)> {
    let all = document["baseline"][kind].as_array().unwrap_or_else(|| panic!("{document:#}"));
    all.iter().map(|it| (it["context"].as_str().unwrap(), it["subject"].as_str().unwrap())).collect()
}

const WHOLE: &str = "the whole cluster";

#[test]
fn every_line_names_its_context_and_the_order_is_that_of_the_names() {
    let (b, a) = (empty(), empty());
    let sandbox = sandbox(&[("b", &b.url()), ("a", &a.url())]);
    for command in ["report", "check"] {
        let file = format!("{command}.baseline");
        let written = run(&sandbox, &format!("{command} --all-contexts --write-baseline {file}"));
        assert!(written.stderr.contains("baseline written to"), "{written:?}");
        let text = read(&sandbox, &file);
        let contexts: Vec<_> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["context"].as_str().unwrap().to_owned())
            .collect();
        assert!(contexts.is_sorted() && contexts.contains(&"a".to_owned()) && contexts.contains(&"b".to_owned()));
        let again =
            run(&sandbox, &format!("{command} --all-contexts --baseline {file} --write-baseline {file} -o json"));
        assert_eq!(again.code, Some(0), "{again:?}");
        assert_eq!(read(&sandbox, &file), text, "the same clusters are the same file");
        let document = document(&again);
        for kind in ["worse", "notComparable", "new", "changed", "removed", "better"] {
            assert_eq!(differences(&document, kind), [], "{kind}");
        }
        if command == "report" {
            fits(&document);
        }
    }
}

#[test]
fn a_cluster_that_was_not_read_is_not_comparable_and_no_file_is_written_without_it() {
    let (a, b) = (empty(), empty());
    let (alive, dead) = ([("a", a.url()), ("b", b.url())], [("a", a.url()), ("b", DEAD.to_owned())]);
    let with = |contexts: &[(&str, String)]| {
        let contexts: Vec<_> = contexts.iter().map(|(name, url)| (*name, url.as_str())).collect();
        sandbox(&contexts)
    };
    let before = with(&alive);
    for command in ["report", "check"] {
        run(&before, &format!("{command} --all-contexts --write-baseline f"));
        let text = read(&before, "f");
        let sandbox = with(&dead);
        sandbox.write("f", &text);
        let line = format!("{command} --all-contexts --baseline f --write-baseline f -o json");
        let output = run(&sandbox, &line);
        assert_eq!(output.code, Some(9), "{output:?}");
        assert!(output.stderr.contains("f: not written") && output.stderr.contains("not read: b"), "{output:?}");
        assert_eq!(read(&sandbox, "f"), text, "nothing is dropped");
        let document = document(&output);
        assert_eq!(differences(&document, "notComparable"), [("b", WHOLE)]);
        for kind in ["worse", "new", "changed", "removed", "better"] {
            assert_eq!(differences(&document, kind), [], "{kind}");
        }
        let text = run(&sandbox, &format!("{command} --all-contexts --baseline f"));
        let said = format!("not comparable: context b: {WHOLE}");
        assert!(text.stdout.contains(&said), "{text:?}");
        assert_eq!(run(&sandbox, &format!("{command} --contexts a --baseline f --write-baseline g")).code, Some(0));
        assert!(!read(&sandbox, "g").contains("\"b\""));
    }
}

#[test]
fn a_context_is_new_or_removed_or_was_not_selected() {
    let (a, b) = (empty(), empty());
    let before = sandbox(&[("a", &a.url()), ("gone", &b.url()), ("b", &b.url())]);
    run(&before, "report --all-contexts --write-baseline f");
    let sandbox = sandbox(&[("a", &a.url()), ("b", &b.url()), ("new", &a.url())]);
    sandbox.write("f", read(&before, "f"));
    let document = document(&run(&sandbox, "report --contexts a,new --baseline f -o json"));
    assert_eq!(differences(&document, "removed"), [("gone", WHOLE)]);
    assert_eq!(differences(&document, "notComparable"), [("b", WHOLE)]);
    assert!(differences(&document, "new").contains(&("new", WHOLE)), "{document:#}");
    let written = run(&sandbox, "report --contexts a,new --write-baseline f");
    assert!(written.stderr.contains("no longer in it: b, gone"), "{written:?}");
}

#[test]
fn a_file_of_one_cluster_and_a_file_of_several_are_not_taken_for_each_other() {
    let (stub, trap) = (empty(), Stub::new());
    let before = sandbox(&[("a", &stub.url())]);
    run(&before, "report --write-baseline one");
    run(&before, "report --contexts a --write-baseline several");
    let sandbox = sandbox(&[("a", &trap.url())]);
    for (file, line, flag) in [
        ("one", "report --contexts a --baseline one", "without --contexts"),
        ("one", "check --all-contexts --baseline one --write-baseline one", "without --contexts"),
        ("several", "report --baseline several", "--contexts"),
        ("several", "istio describe upstreams -A --baseline several", "--contexts"),
    ] {
        let text = read(&before, file);
        sandbox.write(file, &text);
        let output = run(&sandbox, line);
        assert!(output.code == Some(1) && output.stderr.contains(flag), "{line}: {output:?}");
        assert_eq!(read(&sandbox, file), text);
    }
    assert_eq!(trap.connections(), 0, "a file is judged before a cluster is asked");
}

#[test]
fn what_got_worse_in_one_cluster_ends_with_3_unless_another_did_not_answer() {
    let plane = stage::shared();
    let gloo = plane.install_gloo("fleet-baseline").unwrap();
    let sandbox = plane::sandbox(plane);
    let run = |line: &str| run(&sandbox, &format!("{line} -n {gloo}"));
    let first = run("istio describe upstreams --contexts one,two --write-baseline f");
    assert!(first.stderr.contains("baseline written to f: 2 contexts"), "{first:?}");
    let enabled = run("istio enable-mtls -u default-httpbin-8000 --force --yes");
    assert_eq!(enabled.code, Some(0), "no sidecar answers it: {enabled:?}");
    let output = run("istio describe upstreams --contexts one,two --baseline f -o json");
    let document = document(&output);
    assert_eq!((output.code, entries(&document)), (Some(3), vec![("one", "answered", 3), ("two", "answered", 3)]));
    for entry in document["results"].as_array().unwrap() {
        let subject = json!(format!("upstream {gloo}/default-httpbin-8000"));
        assert_eq!(entry["baseline"]["worse"][0]["subject"], subject, "{document:#}");
    }
    let dead = run("istio describe upstreams --contexts * --baseline f");
    assert_eq!(dead.code, Some(9), "{dead:?}");
    assert!(dead.stdout.contains(&format!("context dead: {WHOLE}: not read")), "{dead:?}");
}
