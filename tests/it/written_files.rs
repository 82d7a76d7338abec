//! Files that gloo-rs writes: a real API server takes them with strict validation, as `kubectl apply --validate=strict`
//! asks for it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::stage::{self, documents};

/// The commands whose cases have manifests as their output.
const COMMANDS: [&str; 8] =
    ["enable-mtls", "disable-mtls", "enroll", "unenroll", "inject", "uninject", "peer-auth", "auto-mtls"];

/// All files below a directory; none where there is no directory.
fn below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
}

/// The objects in a file, those of a List one by one. A file that is not YAML as it is has none: a template.
fn objects(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let all = documents(text.trim_start_matches('\u{feff}')).unwrap_or_default();
    let items = |object: Value| match object["items"].as_array() {
        Some(items) => items.clone(),
        None => vec![object],
    };
    all.into_iter().flat_map(items).filter(|object| object["metadata"]["name"].is_string()).collect()
}

/// The objects that a case's command changed or made, in files or on stdout.
fn written(case: &Path) -> Vec<Value> {
    let before: Vec<_> = below(&case.join("in")).iter().flat_map(|file| objects(file)).collect();
    let files = below(&case.join("out")).into_iter().chain([case.join("stdout")]);
    files.flat_map(|file| objects(&file)).filter(|object| !before.contains(object)).collect()
}

#[test]
fn every_object_that_is_written_to_a_file_passes_strict_validation() {
    let plane = stage::shared();
    let namespace = plane.namespace("written").unwrap();
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    for command in COMMANDS {
        let mut accepted = 0;
        for case in fs::read_dir(cases.join(command)).unwrap().map(|entry| entry.unwrap().path()) {
            for mut object in written(&case) {
                if object["kind"] != "Namespace" {
                    object["metadata"]["namespace"] = json!(namespace);
                }
                let answer = plane.api().validate_strictly(&object);
                assert!(answer.is_ok(), "{}: {}: {answer:#?}", case.display(), object["kind"]);
                accepted += 1;
            }
        }
        assert!(accepted > 0, "no case of {command} writes an object");
    }
}

/// The validation refuses what it has to refuse, in each of the kinds.
#[test]
fn a_field_that_the_crd_does_not_have_is_refused_by_strict_validation() {
    let plane = stage::shared();
    let namespace = plane.namespace("unknown-field").unwrap();
    for (version, kind, spec) in [
        ("gloo.solo.io/v1", "Upstream", json!({"ssl_config": {}})),
        ("gloo.solo.io/v1", "UpstreamGroup", json!({"destinations": [{"weigth": 1}]})),
        ("gateway.solo.io/v1", "VirtualService", json!({"virtualHost": {"routes": [{"route_action": {}}]}})),
        ("gateway.solo.io/v1", "RouteTable", json!({"routes": [{"routeAction": {"upstream_group": {}}}]})),
        ("gateway.solo.io/v1", "Gateway", json!({"bind_port": 80})),
    ] {
        let object = |spec: Value| {
            let metadata = json!({"name": "x", "namespace": namespace});
            json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})
        };
        assert!(plane.api().validate_strictly(&object(json!({}))).is_ok(), "{kind}");
        let refused = plane.api().validate_strictly(&object(spec)).unwrap_err();
        assert!(format!("{refused:#}").contains("not declared in schema"), "{kind}: {refused:#}");
    }
}
