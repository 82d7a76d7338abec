//! `report` and baselines, on manifests.

use serde_json::{Value, json};

use crate::check::document;
use crate::house::result::fits;
use crate::support::{Output, Sandbox};

const IN_ORDER: &str = include_str!("../fixtures/check/in-order.yaml");

/// What a browser, a terminal, a reader of Markdown and a person would obey.
const HOSTILE: &str = "x<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&lt;|`</code>](https://x) @all\u{1b}[31m\u{202e}\u{7f}\n# y";

fn in_order() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("all.yaml", IN_ORDER);
    sandbox
}

/// The TLS of the one Upstream whose pods accept only mutual TLS.
const TLS: &str = "  sslConfig:
    alpnProtocols: [istio]
    sds:
      certificatesSecretName: istio_server_cert
      clusterName: gateway_proxy_sds
      targetUri: 127.0.0.1:8234
      validationContextName: istio_validation_context
";

/// The manifests without that TLS: requests get 503s.
fn broken() -> String {
    assert!(IN_ORDER.contains(TLS));
    IN_ORDER.replacen(TLS, "", 1)
}

fn run(sandbox: &Sandbox, line: &str) -> Output {
    sandbox.run(&line.split(' ').collect::<Vec<_>>())
}

/// The subjects of the differences of a kind.
fn subjects(document: &Value, kind: &str) -> Vec<String> {
    let all = document["baseline"][kind].as_array().unwrap_or_else(|| panic!("{document:#}"));
    all.iter().map(|it| it["subject"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_report_of_manifests_has_the_paths_that_describe_would_have_and_says_what_it_is_not() {
    let sandbox = in_order();
    let output = run(&sandbox, "report -f all.yaml -o json");
    assert_eq!(output.code, Some(0), "{output:?}");
    let document = document(&output);
    fits(&document);
    assert_eq!(document["kind"], "Report");
    let posture = &document["posture"][0];
    assert_eq!(posture["counts"], json!({"mtls": 1, "tls": 1, "mixed": 0, "plaintext": 2, "broken": 0, "unknown": 0}));
    let paths = posture["paths"].as_array().unwrap();
    let cart = paths.iter().find(|path| path["name"] == "shop-cart-8080").unwrap();
    assert_eq!((&cart["verdict"], &cart["gateway"]), (&json!("mtls"), &json!("gloo-system/gateway-proxy")));
    assert_eq!(posture["policies"][0]["effect"], "STRICT");
    assert_eq!(posture["certificates"][0]["certificates"], Value::Null, "no file has them");
    assert!(!posture["unknown"].as_array().unwrap().is_empty(), "a part is not the whole");
    let causes: u64 = posture["causes"].as_array().unwrap().iter().map(|cause| cause["count"].as_u64().unwrap()).sum();
    assert_eq!(causes, 4, "{posture:#}");
}

#[test]
fn every_format_says_the_same_and_yaml_is_the_json() {
    let sandbox = in_order();
    sandbox.write("all.yaml", broken());
    for format in ["text", "html", "markdown"] {
        let output = run(&sandbox, &format!("report -f all.yaml -o {format}"));
        assert_eq!(output.code, Some(0), "{output:?}");
        for word in
            ["strictPeer", "GRS101", "istio-system/mesh", "1-28", "gloo-system/gateway-proxy", "istio enroll legacy"]
        {
            assert!(output.stdout.contains(word), "{format} lacks {word}: {}", output.stdout);
        }
    }
    assert!(run(&sandbox, "report -f all.yaml -o yaml").stdout.contains("kind: Report"));
}

#[test]
fn a_hostile_name_is_inert_in_every_format() {
    let sandbox = Sandbox::new();
    let upstream = json!({"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "metadata": {"namespace": HOSTILE, "name": HOSTILE},
        "spec": {"static": {}}, "status": {"statuses": {"gloo-system": {"state": "Rejected", "reason": HOSTILE}}}});
    let policy = json!({"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": {"namespace": HOSTILE, "name": HOSTILE}, "spec": {"mtls": {"mode": "strict"}}});
    sandbox.write("evil.yaml", format!("---\n{upstream}\n---\n{policy}\n").replace('\u{7f}', "\\u007f"));
    let obeyed = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    for format in ["text", "html", "markdown", "json", "yaml"] {
        let output = run(&sandbox, &format!("report -f evil.yaml -o {format}"));
        assert!(output.stdout.contains("alert(1)"), "the name is there: {format} {output:?}");
        assert!(!output.stdout.contains(obeyed), "{format}: {output:?}");
        assert!(!output.stdout.lines().any(|line| line.starts_with("# y")), "{format}: {output:?}");
        if format == "html" {
            for markup in ["<script", "<img", "</code>](", "http://", "src=", "javascript:"] {
                let text = output.stdout.replace("src=x", "");
                assert!(!text.contains(markup), "{markup}: {}", output.stdout);
            }
            assert!(output.stdout.contains("Content-Security-Policy\" content=\"default-src 'none';"), "{output:?}");
        }
    }
}

#[test]
fn a_baseline_is_stable_and_shows_what_got_worse_and_better() {
    let sandbox = in_order();
    for (command, has_paths) in [("report", true), ("check", false)] {
        let write = run(&sandbox, &format!("{command} -f all.yaml --write-baseline {command}.baseline"));
        assert_eq!(write.code, Some(0), "{write:?}");
        let read = || std::fs::read_to_string(sandbox.dir().join(format!("{command}.baseline"))).unwrap();
        let first = read();
        assert_eq!(first.contains("\"path\":"), has_paths, "{first}");
        let again = run(
            &sandbox,
            &format!("{command} -f all.yaml --baseline {command}.baseline --write-baseline {command}.baseline"),
        );
        assert_eq!(again.code, Some(0), "{again:?}");
        assert!(again.stdout.ends_with("baseline: no difference\n"), "{again:?}");
        assert_eq!(read(), first, "the same cluster is the same file");

        sandbox.write("broken.yaml", broken());
        let worse = run(&sandbox, &format!("{command} -f broken.yaml --baseline {command}.baseline -o json"));
        assert_eq!(worse.code, Some(3), "{worse:?}");
        let result = document(&worse);
        fits(&result);
        let found = subjects(&result, "worse");
        assert!(found.contains(&"GRS101 Upstream gloo-system/shop-cart-8080".to_owned()), "{result:#}");
        assert_eq!(found.contains(&"upstream gloo-system/shop-cart-8080".to_owned()), has_paths, "{result:#}");

        // Compares first, then writes: the next run has nothing new.
        let both = run(
            &sandbox,
            &format!("{command} -f broken.yaml --baseline {command}.baseline --write-baseline {command}.baseline"),
        );
        assert_eq!(both.code, Some(3), "{both:?}");
        let known = run(&sandbox, &format!("{command} -f broken.yaml --baseline {command}.baseline"));
        assert_eq!(known.code, Some(0), "an error that is in the baseline: {known:?}");
        let better = run(&sandbox, &format!("{command} -f all.yaml --baseline {command}.baseline -o json"));
        assert_eq!(better.code, Some(0), "{better:?}");
        assert!(!subjects(&document(&better), "better").is_empty(), "{better:?}");
    }
}

#[test]
fn a_report_is_a_baseline_for_check_and_not_the_other_way_round() {
    let sandbox = in_order();
    assert_eq!(run(&sandbox, "report -f all.yaml --write-baseline report.baseline").code, Some(0));
    assert_eq!(run(&sandbox, "check -f all.yaml --baseline report.baseline").code, Some(0));
    assert_eq!(run(&sandbox, "check -f all.yaml --write-baseline check.baseline").code, Some(0));
    let output = run(&sandbox, "report -f all.yaml --baseline check.baseline");
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("it has no paths"), "{output:?}");
    let output = run(&sandbox, "check -f all.yaml -n edge --baseline report.baseline");
    assert_eq!(output.code, Some(1), "another Gloo: {output:?}");
}

#[test]
fn a_check_that_did_not_run_makes_its_findings_not_comparable_and_not_better() {
    let sandbox = Sandbox::new();
    sandbox.write("all.yaml", broken());
    assert_eq!(
        run(&sandbox, "check -f all.yaml --write-baseline a.baseline").code,
        Some(3),
        "a finding, without --baseline"
    );
    let words = "check -f all.yaml -x mtls,upstreams --baseline a.baseline -o json";
    let output = run(&sandbox, words);
    assert_eq!(output.code, Some(0), "{output:?}");
    let found = document(&output);
    assert!(subjects(&found, "better").is_empty() && !subjects(&found, "notComparable").is_empty(), "{found:#}");
    assert_eq!(run(&sandbox, &format!("{words} --fail-on unknown")).code, Some(3));
}

#[test]
fn a_broken_or_foreign_file_is_an_error_and_stays_as_it_is() {
    let sandbox = in_order();
    for (text, why) in [
        ("kind: Upstream\n", "it is not a baseline"),
        ("", "it is empty"),
        ("{\"kind\":\"Baseline\"}\n", "its version"),
    ] {
        let file = sandbox.write("a.baseline", text);
        for line in [
            "report -f all.yaml --baseline a.baseline",
            "check -f all.yaml --baseline a.baseline --write-baseline a.baseline",
        ] {
            let output = run(&sandbox, line);
            assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""), "{line}: {output:?}");
            assert!(output.stderr.contains(why), "{why}: {output:?}");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
    }
    let file = sandbox.write("upstream.yaml", "kind: Upstream\n");
    let output = run(&sandbox, "report -f all.yaml --write-baseline upstream.yaml");
    assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""), "{output:?}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "kind: Upstream\n");
    assert_eq!(run(&sandbox, "report -f all.yaml --baseline no").code, Some(1));
    for line in
        ["report --fail-on warning", "check --baseline -", "istio describe upstreams --baseline x --fail-on broken"]
    {
        assert_eq!(run(&sandbox, line).code, Some(2), "{line}");
    }
    let document = document(&run(&sandbox, "report -f no.yaml -o json"));
    fits(&document);
    assert_eq!(document["posture"], json!([]));
}

/// Many namespaces, each a cause of its own.
#[test]
fn markdown_fits_a_comment_and_the_page_a_browser_however_many_paths_there_are() {
    const LARGEST_COMMENT: usize = 65_536;
    let sandbox = Sandbox::new();
    let upstream = |number: usize| {
        format!(
            "---\napiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {{name: u{number}, namespace: n{}}}\nspec: {{static: {{hosts: [{{addr: a.example, port: 80}}]}}}}\n",
            number % 150
        )
    };
    sandbox.write("many.yaml", (0..3000).map(upstream).collect::<String>());
    let markdown = run(&sandbox, "report -f many.yaml -o markdown");
    assert!(markdown.stdout.len() < LARGEST_COMMENT, "{}", markdown.stdout.len());
    assert!(markdown.stdout.contains("and 140 more causes"), "{}", markdown.stdout);
    let page = run(&sandbox, "report -f many.yaml -o html").stdout;
    assert!(page.contains("and 50 more causes") && page.len() < 2 << 20, "{}", page.len());
    let text = run(&sandbox, "report -f many.yaml").stdout;
    assert!(text.lines().count() < 80, "{text}");
    let result = document(&run(&sandbox, "report -f many.yaml -o json"));
    assert_eq!(result["posture"][0]["paths"].as_array().map(Vec::len), Some(3000));
}
