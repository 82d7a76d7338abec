//! Records that are not of the release whose object holds them.

use serde_json::{Value, json};

use super::{APPLY, NOTING, SECRETS, listed, reaches_helm, refused, release, server, with_helm, words};
use crate::stage;
use crate::support::stub::Stub;

#[test]
fn a_record_of_another_release_than_its_secret_holds_is_refused() {
    let name = "sh.helm.release.v1.gloo.v3";
    for (record, inside) in [
        (stage::release("gloo", "victim-ns", 3, "1.18.2"), "release victim-ns/gloo, revision 3"),
        (stage::release("other", "gloo-system", 3, "1.18.2"), "release gloo-system/other, revision 3"),
        (stage::release("gloo", "gloo-system", 4, "1.18.2"), "release gloo-system/gloo, revision 4"),
        (stage::release("-h", "gloo-system", 3, "1.18.2"), "release gloo-system/-h, revision 3"),
    ] {
        let mut secret = release();
        secret["data"] = record.unwrap()["data"].clone();
        let stub = server(name, &secret);
        let sandbox = with_helm(NOTING);
        sandbox.kubeconfig(stub.kubeconfig());
        let both = format!(
            "secret/{name} in gloo-system: it should hold release gloo-system/gloo, revision 3, but the record in it is of {inside}"
        );
        refused(&sandbox, &sandbox.run(&APPLY), 1, &both);
        for more in [&["--release", "gloo"][..], &["--release", "gloo", "--release-revision", "3"]] {
            refused(&sandbox, &sandbox.run(&[&APPLY[..], more].concat()), 1, &both);
        }
        let printed = sandbox.run(&[&APPLY[..5], &["-o", "json"]].concat());
        let document: Value = serde_json::from_str(&printed.stdout).unwrap();
        assert_eq!(document["error"]["reason"], "recordMismatch", "{document:#}");
    }
}

#[test]
fn a_secret_that_is_not_the_one_asked_for_or_has_other_labels_is_refused() {
    let name = "sh.helm.release.v1.gloo.v3";
    for (path, value, why) in [
        (
            "/metadata/name",
            "sh.helm.release.v1.gloo.v4",
            "does not answer as a Kubernetes API server: an object named \"sh.helm.release.v1.gloo.v4\"",
        ),
        ("/metadata/namespace", "victim-ns", "the API server answered with an object whose namespace is \"victim-ns\""),
        ("/metadata/labels/name", "other", "its label name is \"other\""),
        ("/metadata/labels/version", "2", "its label version is \"2\""),
        ("/metadata/labels/owner", "me", "its label owner is \"me\""),
    ] {
        let stub = Stub::new();
        let mut secret = release();
        stub.on("GET", SECRETS).json(200, &listed(&secret));
        *secret.pointer_mut(path).unwrap() = json!(value);
        stub.on("GET", &format!("{SECRETS}/{name}")).json(200, &secret);
        let sandbox = with_helm(NOTING);
        sandbox.kubeconfig(stub.kubeconfig());
        refused(&sandbox, &sandbox.run(&APPLY), 1, why);
    }
}

#[test]
fn a_release_named_like_a_flag_never_becomes_one() {
    let name = "sh.helm.release.v1.-h.v3";
    let stub = server(name, &stage::release("-h", "gloo-system", 3, "1.18.2").unwrap());
    let sandbox = with_helm(NOTING);
    sandbox.kubeconfig(stub.kubeconfig());
    refused(&sandbox, &sandbox.run(&APPLY), 1, "\"-h\" is not a name that a release can have");
    refused(&sandbox, &sandbox.run(&[&APPLY[..], &["--release=-h"]].concat()), 2, "--release \"-h\"");
}

#[test]
fn a_version_in_a_record_that_is_a_range_or_a_flag_is_refused() {
    for version in [">0.0.0-0", "--repo=https://elsewhere", "-h", ""] {
        let secret = stage::release("gloo", "gloo-system", 3, version).unwrap();
        let stub = server("sh.helm.release.v1.gloo.v3", &secret);
        let sandbox = with_helm(NOTING);
        sandbox.kubeconfig(stub.kubeconfig());
        refused(
            &sandbox,
            &sandbox.run(&APPLY),
            1,
            &format!("the version of its chart, {version:?}, is not one version"),
        );
        reaches_helm(&sandbox.run(&[&APPLY[..], &["--to-version", "1.18.2"]].concat()));
        assert!(words(&sandbox).contains(&"--version=1.18.2".to_owned()), "{:?}", words(&sandbox));
    }
}

/// The kernel holds the limit: a program that wants more is aborted, and has no exit code.
#[test]
fn a_record_takes_no_more_memory_than_it_may_whatever_is_in_it() {
    let dense = |bytes: usize, piece: &str| format!("{{\"a\": [{piece}0]}}", piece = piece.repeat(bytes / piece.len()));
    for (field, text) in [
        ("config", dense(15 << 20, "{},")),
        ("config", dense(15 << 20, "[[[[]]]],")),
        ("config", dense(300 << 20, " ")),
        ("values", dense(15 << 20, "{\"\":0},")),
        ("dependencies", format!("[{}{{}}]", "{\"name\":\"\"},".repeat(1 << 20))),
        ("values", format!("{{\"a\": \"{}\"}}", "x".repeat(15 << 20))),
    ] {
        let mut secret = release();
        let mut record = stage::opened(secret["data"]["release"].as_str().unwrap()).unwrap();
        let of = match field {
            "config" => &mut record,
            "values" => &mut record["chart"],
            _ => &mut record["chart"]["metadata"],
        };
        of[field] = json!("DENSE");
        secret["data"]["release"] = json!(stage::stored(&record.to_string().replace("\"DENSE\"", &text)).unwrap());
        let stub = server("sh.helm.release.v1.gloo.v3", &secret);
        let sandbox = with_helm(NOTING).within(64);
        sandbox.kubeconfig(stub.kubeconfig());
        let output = sandbox.run(&[&APPLY[..], &["--release", "gloo"]].concat());
        assert!(output.code == Some(1) && output.stderr.contains("record"), "{field}: {output:#?}");
    }
}
