//! One run in every format: the same findings, whatever is in them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::world::IN_ORDER;
use super::{document, found};
use crate::support::{Output, Sandbox};

/// What a terminal, a browser, a spreadsheet and a reader of lines would obey.
const HOSTILE: &str =
    "x\u{1b}[31m\"><b>&amp;]]>\nNo problems detected.\r\u{202e}=cmd|'/C x'!A0[link](https://x)\u{9b}1m";

/// A file in which five things are wrong, one of them suppressed.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let rejected = |name: &str, reason: &str| {
        json!({"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "metadata": {"namespace": "shop", "name": name},
            "spec": {"static": {}}, "status": {"statuses": {"gloo-system": {"state": "Rejected", "reason": reason, "reportedBy": reason}}}})
    };
    let warned = json!({"apiVersion": "gateway.solo.io/v1", "kind": "VirtualService", "metadata": {"namespace": HOSTILE, "name": HOSTILE},
        "status": {"statuses": {"gloo-system": {"state": "Warning", "reason": HOSTILE, "subresourceStatuses": {HOSTILE: {"reason": HOSTILE}}}}}});
    let two_labels = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": HOSTILE, "labels": {"istio-injection": HOSTILE, "istio.io/rev": HOSTILE}}});
    let objects =
        [rejected("a", "no host"), rejected(HOSTILE, HOSTILE), warned, two_labels, rejected("legacy-1", "old")];
    let text: Vec<_> = objects.iter().map(|object| format!("---\n{object}\n")).collect();
    // YAML takes no control character but as an escape.
    let text = text.concat().replace('\u{9b}', "\\u009b");
    sandbox.write("dir a/objects.yaml", text);
    sandbox.write(
        "suppress.yaml",
        "suppress:\n- {code: GRS501, object: {kind: Upstream, name: legacy-*}, reason: 'leaves soon <b>'}\n",
    );
    sandbox
}

fn run(sandbox: &Sandbox, format: &str) -> Output {
    sandbox.run(&["check", "-f", "dir a", "--suppress", "suppress.yaml", "-o", format])
}

fn is_inert(text: &str) -> bool {
    !text.chars().any(|c| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}'))
}

/// What a script makes of a text.
fn python(script: &str, text: &str) -> Value {
    let mut python = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 reads the XML");
    python.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "no XML: {text}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Reads XML with a parser that is none of ours: cases with a finding, failures, skipped, and names.
fn read_xml(xml: &str) -> Value {
    const SCRIPT: &str = "import sys,json,xml.etree.ElementTree as E\n\
        r=E.fromstring(sys.stdin.buffer.read())\n\
        c=list(r.iter('testcase'))\n\
        f=lambda n:sum(1 for x in c if x.find(n) is not None)\n\
        print(json.dumps({'root':r.tag,'attributes':r.attrib,'suites':[s.attrib for s in r],'tags':sorted({x.tag for x in r.iter()}),\
        'names':[x.get('name') for x in c],'failure':f('failure'),'skipped':f('skipped'),'error':f('error'),'out':f('system-out')}))";
    python(SCRIPT, xml)
}

#[test]
fn every_format_has_the_same_findings_and_the_same_exit_code() {
    let sandbox = sandbox();
    let text = run(&sandbox, "text");
    assert_eq!(text.code, Some(3), "{text:?}");
    let lines: Vec<_> = text.stdout.lines().collect();
    let count = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!((count("error GRS501 "), count("warning GRS502 "), count("warning GRS401 ")), (2, 1, 1), "{text:?}");
    let sum = "2 errors, 2 warnings: 3 causes in 4 objects (1 suppressed); gloo-rs check --explain GRS501 ";
    assert!(lines.last().is_some_and(|last| last.starts_with(sum)), "{text:?}");
    assert_eq!(count("No problems"), 0, "a name does not make a line: {text:?}");

    let json = run(&sandbox, "json");
    let document = document(&json);
    assert_eq!((found(&document).len(), json.code), (4, text.code));
    assert_eq!(document["errors"].as_array().unwrap().len(), 2);
    assert_eq!(document["suppressed"][0]["reason"], "leaves soon <b>");
    assert!(
        document["findings"]
            .as_array()
            .unwrap()
            .iter()
            .all(|it| it["file"] == "dir a/objects.yaml" && it["line"].is_u64())
    );
    let yaml = run(&sandbox, "yaml");
    let from_yaml: Value = serde_yaml::from_str(&yaml.stdout).unwrap();
    assert_eq!((&from_yaml["findings"], yaml.code), (&document["findings"], text.code));

    let sarif = run(&sandbox, "sarif");
    let log: Value = serde_json::from_str(&sarif.stdout).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    let (open, suppressed): (Vec<_>, Vec<_>) = results.iter().partition(|it| it["suppressions"].is_null());
    assert_eq!((open.len(), suppressed.len(), sarif.code), (4, 1, text.code));

    let junit = run(&sandbox, "junit");
    let read = read_xml(&junit.stdout);
    let names =
        read["names"].as_array().unwrap().iter().filter(|name| name.as_str().unwrap().starts_with("GRS")).count();
    assert_eq!((names, &read["failure"], &read["out"], junit.code), (5, &json!(2), &json!(2), text.code), "{read:#}");
    assert_eq!((&read["skipped"], &read["attributes"]["skipped"]), (&json!(1), &json!("1")), "{read:#}");
    assert_eq!(read["attributes"]["failures"], "2");
}

#[test]
fn hostile_text_is_inert_in_every_format() {
    let sandbox = sandbox();
    for format in ["text", "json", "yaml", "sarif", "junit"] {
        let output = run(&sandbox, format);
        assert!(is_inert(&output.stdout) && is_inert(&output.stderr), "{format}: {output:?}");
    }
    let read = read_xml(&run(&sandbox, "junit").stdout);
    assert_eq!(read["tags"], json!(["failure", "skipped", "system-out", "testcase", "testsuite", "testsuites"]));
    let log: Value = serde_json::from_str(&run(&sandbox, "sarif").stdout).unwrap();
    for result in log["runs"][0]["results"].as_array().unwrap() {
        let text = result["message"]["text"].as_str().unwrap();
        assert!(!text.contains("[link](") || text.contains("\\[link\\]("), "{text}");
    }
}

/// OASIS's own, of SARIF 2.1.0.
const SARIF: &str = include_str!("../../fixtures/check/sarif-schema-2.1.0.json");

#[test]
fn a_sarif_log_has_what_its_schema_wants() {
    // A bracket too many, which a regular expression of the draft may not have.
    let schema: Value = serde_json::from_str(&SARIF.replace("{2}]?$", "{2}?$")).unwrap();
    let sandbox = sandbox();
    sandbox.write("in-order.yaml", IN_ORDER);
    for args in [&["-f", "dir a", "--suppress", "suppress.yaml"][..], &["-f", "in-order.yaml"], &["-f", "not-there"]] {
        let output = sandbox.run(&[&["check", "-o", "sarif"], args].concat());
        let log: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(crate::house::schema::faults(&schema, &log), [""; 0], "{args:?}");
    }
    let mut wrong: Value = serde_json::from_str(&run(&sandbox, "sarif").stdout).unwrap();
    wrong["runs"][0]["results"][0]["level"] = json!("fatal");
    wrong["runs"][0]["tool"]["driver"]["name"] = Value::Null;
    assert_eq!(crate::house::schema::faults(&schema, &wrong).len(), 2, "the check can fail");
}

#[test]
fn a_sarif_log_says_where_and_what_as_code_scanning_reads_it() {
    let output = run(&sandbox(), "sarif");
    let log: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(run["tool"]["driver"]["name"].is_string());
    for rule in rules {
        for key in ["shortDescription", "fullDescription", "help"] {
            assert!(rule[key]["text"].as_str().is_some_and(|text| !text.is_empty()), "{rule}");
        }
        assert!(matches!(rule["defaultConfiguration"]["level"].as_str(), Some("error" | "warning" | "note")), "{rule}");
    }
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert_eq!(rules[index]["defaultConfiguration"]["level"], result["level"]);
        assert!(result["message"]["text"].as_str().is_some_and(|text| !text.is_empty()));
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "dir%20a/objects.yaml");
        assert!(place["region"]["startLine"].as_u64().unwrap() >= 1);
        assert!(result["partialFingerprints"].as_object().unwrap().values().all(Value::is_string));
        for suppression in result["suppressions"].as_array().into_iter().flatten() {
            assert_eq!(suppression["kind"], "external");
        }
    }
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    assert_eq!(run["invocations"][0]["exitCode"], 3);
}

/// Some names.
type Names = &'static [&'static str];

/// Of each element what it has to have, what it may have beside, and what may be in it: what Jenkins, GitLab and GitHub's
/// readers of Surefire's `xunit` agree on.
const JUNIT: [(&str, Names, Names, Names); 7] = [
    ("testsuites", &["tests", "failures"], &["name", "errors", "skipped"], &["testsuite"]),
    ("testsuite", &["name", "tests", "failures", "errors"], &["skipped"], &["testcase"]),
    ("testcase", &["name", "classname"], &["file", "line"], &["failure", "error", "skipped", "system-out"]),
    ("failure", &["message", "type"], &[], &[]),
    ("error", &["message", "type"], &[], &[]),
    ("skipped", &["message"], &[], &[]),
    ("system-out", &[], &[], &[]),
];

#[test]
fn a_junit_document_has_what_its_readers_want_and_its_counts_are_true() {
    const SCRIPT: &str = "import sys,json,xml.etree.ElementTree as E\n\
        t=lambda e:{'tag':e.tag,'has':e.attrib,'in':[t(c) for c in e]}\n\
        print(json.dumps(t(E.fromstring(sys.stdin.buffer.read()))))";
    fn walk(element: &Value) -> [usize; 4] {
        let tag = element["tag"].as_str().unwrap();
        let (_, needs, may, inside) = JUNIT.iter().find(|(name, ..)| *name == tag).unwrap_or_else(|| panic!("{tag}"));
        let has = element["has"].as_object().unwrap();
        assert!(needs.iter().all(|key| has.contains_key(*key)), "{tag}: {has:?}");
        assert!(has.keys().all(|key| needs.contains(&key.as_str()) || may.contains(&key.as_str())), "{tag}: {has:?}");
        let mut counts = [0; 4];
        for child in element["in"].as_array().unwrap() {
            assert!(inside.contains(&child["tag"].as_str().unwrap()), "{tag}: {child}");
            let own = walk(child);
            counts.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
        }
        let own = ["testcase", "failure", "error", "skipped"].map(|name| usize::from(name == tag));
        let all: Vec<_> = counts.iter().zip(own).map(|(sum, own)| sum + own).collect();
        for (key, counted) in ["tests", "failures", "errors", "skipped"].iter().zip(&all) {
            if let Some(said) = has.get(*key).filter(|_| tag.starts_with("testsuite")) {
                assert_eq!(said.as_str().unwrap(), counted.to_string(), "{tag} {key}");
            }
        }
        all.try_into().unwrap()
    }
    let sandbox = sandbox();
    for args in
        [&["-f", "dir a", "--suppress", "suppress.yaml"][..], &["-f", "dir a", "--fail-on", "warning"], &["-f", "no"]]
    {
        let output = sandbox.run(&[&["check", "-o", "junit"], args].concat());
        let [tests, ..] = walk(&python(SCRIPT, &output.stdout));
        assert!(tests > 0, "{output:?}");
    }
}

#[test]
fn a_run_that_fails_prints_its_document_too() {
    let sandbox = Sandbox::new();
    let run = |format: &str| sandbox.run(&["check", "-f", "nothing.yaml", "-o", format]);
    let sarif = run("sarif");
    let log: Value = serde_json::from_str(&sarif.stdout).unwrap();
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!(
        (sarif.code, &invocation["executionSuccessful"], &invocation["exitCode"]),
        (Some(1), &json!(false), &json!(1))
    );
    assert_eq!(read_xml(&run("junit").stdout)["error"], 1);
    assert_eq!(document(&run("json"))["findings"], json!([]));
    assert_eq!(run("text").stdout, "");
}

#[test]
fn what_is_in_order_is_quiet_and_does_not_claim_more_than_the_files_have() {
    let sandbox = Sandbox::new();
    sandbox.write("all.yaml", IN_ORDER);
    let output = sandbox.run(&["check", "-f", "all.yaml", "--fail-on", "warning"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.ends_with("no problem in what the files show\n"), "{output:?}");
    assert!(output.stdout.contains("Checking Upstreams... no problem in the files\n"), "{output:?}");
    assert!(!output.stdout.contains("certificates"), "no file has the certificate of a gateway: {output:?}");
    let result = document(&sandbox.run(&["check", "-f", "all.yaml", "-o", "json"]));
    let schema: Value = serde_json::from_str(include_str!("../../../docs/result.schema.json")).unwrap();
    assert_eq!(crate::house::schema::faults_when_closed(&schema, &result), [""; 0]);
}

#[test]
fn findings_and_their_explanation_fit_the_schema() {
    let schema: Value = serde_json::from_str(include_str!("../../../docs/result.schema.json")).unwrap();
    let sandbox = sandbox();
    for output in [run(&sandbox, "json"), sandbox.run(&["check", "--explain", "grs101", "-o", "json"])] {
        assert_eq!(crate::house::schema::faults_when_closed(&schema, &document(&output)), [""; 0]);
    }
}

#[test]
fn a_word_that_is_no_check_and_a_code_that_is_none_are_named_with_what_is_near() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["check", "-x", "upstream"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""));
    assert!(output.stderr.contains("hint: did you mean upstreams?\n"), "{output:?}");
    let output = sandbox.run(&["check", "--explain", "GRS199"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("did you mean GRS1"), "{output:?}");
}

#[test]
fn a_suppression_that_is_over_or_of_no_use_is_told() {
    let sandbox = sandbox();
    sandbox.write(
        "suppress.yaml",
        "suppress:\n- {code: GRS501, reason: r, expires: '2020-01-01'}\n- {code: GRS101, reason: later}\n",
    );
    let output = run(&sandbox, "json");
    assert_eq!(found(&document(&output)).len(), 5, "what is over leaves nothing out");
    assert!(
        output.stderr.contains("warning: --suppress: GRS501 * */* (r) has expired, so it suppresses nothing\n"),
        "{output:?}"
    );
    assert!(output.stderr.contains("warning: --suppress: GRS101 * */* (later) suppresses nothing\n"), "{output:?}");
    sandbox.write("suppress.yaml", "suppress:\n- {code: GRS501}\n");
    let output = run(&sandbox, "text");
    assert_eq!(output.code, Some(1));
    assert!(
        output.stderr.starts_with("error: --suppress suppress.yaml: suppress[0]: it has no reason\n"),
        "{output:?}"
    );
}

#[test]
fn a_manifest_that_cannot_be_read_fails_and_a_template_is_passed_over() {
    let sandbox = Sandbox::new();
    sandbox.write("broken.yaml", "kind: Upstream\nspec: [\n");
    let output = sandbox.run(&["check", "-f", "broken.yaml"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("warning: broken.yaml:"), "{output:?}");
    sandbox.write("broken.yaml", "apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {name: {{ .x }}}\n---\napiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {name: a}\n");
    let output = sandbox.run(&["check", "-f", "broken.yaml"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stderr.contains("it is a template"), "{output:?}");
}

#[test]
fn a_policy_that_no_api_server_stores_is_found_in_its_file() {
    let sandbox = Sandbox::new();
    let policy = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: p, namespace: shop}\n\
        spec: {mtls: {mode: strict}}\n";
    sandbox.write("policy.yaml", policy);
    let output = sandbox.run(&["check", "-f", "policy.yaml"]);
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(output.stdout.contains("error GRS409 "), "{output:?}");
}
