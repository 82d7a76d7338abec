//! Several contexts of a real API server, and one that is dead.

use serde_json::{Value, json};

use super::{DEAD, document, entries};
use crate::stage::{self, Plane};
use crate::support::Sandbox;

/// The administrator's kubeconfig with contexts `one` and `two` of the plane, each in a namespace of its own, and `dead`.
pub fn sandbox(plane: &Plane) -> Sandbox {
    let sandbox = Sandbox::new();
    let text = std::fs::read_to_string(plane.kubeconfig()).unwrap();
    let mut config: Value = gloo_rs::exports::yaml::parse(&text).unwrap();
    let context = config["contexts"][0]["context"].clone();
    let with = |name: &str, key: &str, value: &str| {
        let mut context = context.clone();
        context[key] = value.into();
        json!({"name": name, "context": context})
    };
    config["contexts"] = json!([
        with("one", "namespace", "default"),
        with("dead", "cluster", "dead"),
        with("two", "namespace", "gloo-system")
    ]);
    config["clusters"].as_array_mut().unwrap().push(json!({"name": "dead", "cluster": {"server": DEAD}}));
    config["current-context"] = "one".into();
    sandbox.kubeconfig(config.to_string());
    sandbox
}

#[test]
fn each_reading_command_answers_for_each_context_beside_one_that_is_dead() {
    let plane = stage::shared();
    let gloo = plane.install_gloo("fleet").unwrap();
    let sandbox = sandbox(plane);
    let run = |words: &[&str]| sandbox.run(&[words, &["-n", &gloo, "--contexts", "*"]].concat());
    for words in [
        &["version"][..],
        &["check", "-r", &gloo],
        &["istio", "revisions"],
        &["istio", "describe", "upstream", "default-httpbin-8000"],
        &["istio", "describe", "upstreams"],
        &["istio", "describe", "--host", "shop.example"],
        &["proxy", "url"],
        &["proxy", "address"],
        &["proxy", "certs"],
    ] {
        let output = run(&[words, &["-o", "json"]].concat());
        assert_eq!(output.code, Some(9), "{words:?} {output:#?}");
        let document = document(&output);
        let entries = entries(&document);
        assert_eq!(entries[1], ("dead", "unknown", 9), "{words:?} {output:#?}");
        assert_eq!([entries[0].0, entries[2].0], ["one", "two"]);
        assert_eq!((entries[0].1, entries[0].2), (entries[2].1, entries[2].2), "{words:?} {output:#?}");
    }
    let output = run(&["proxy", "url"]);
    assert_eq!(output.stdout, "one  http://34.162.22.180:80\ntwo  http://34.162.22.180:80\n");
    let output = run(&["istio", "describe", "upstreams"]);
    let contexts: Vec<_> = output.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(contexts.len() >= 6 && contexts[0] == "CONTEXT", "{output:#?}");
    let mut rows = contexts[1..].to_vec();
    rows.dedup();
    assert_eq!(rows, ["one", "dead", "two"]);
}
