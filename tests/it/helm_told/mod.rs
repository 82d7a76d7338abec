//! What Helm is told by `upgrade-values --apply`: a stub API server, and a Helm that notes its arguments.

mod records;
mod signals;
mod target;
mod version;

use serde_json::{Value, json};

use crate::stage;
use crate::support::stub::Stub;
use crate::support::{Output, Sandbox};

const SECRETS: &str = "/api/v1/namespaces/gloo-system/secrets";
const APPLY: [&str; 7] = [
    "upgrade-values",
    "--istio-discovery-address",
    "a.b.svc:15012",
    "--istio-proxy-image",
    "docker.io/istio/proxyv2:1.28.3",
    "--apply",
    "--yes",
];

/// A Helm that tells its version, and notes what it is asked instead of doing it.
const NOTING: &str = r#"case "$1" in
version) echo v3.17.3;;
*) printf '%s\n' "$@" >"$HOME/asked"; pwd >"$HOME/directory"; env >"$HOME/variables"; cat >"$HOME/values"
echo 'Error: refused by the test' >&2; exit 1;;
esac"#;

/// The release `gloo` in gloo-system, revision 3, as its Secret has it.
fn release() -> Value {
    stage::release("gloo", "gloo-system", 3, "1.18.2").unwrap()
}

fn listed(secret: &Value) -> Value {
    let meta = json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": secret["metadata"],
    });
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {}, "items": [meta]})
}

/// An API server with this Secret, which is asked for by this name, and nothing else.
fn server(asked_for: &str, secret: &Value) -> Stub {
    with_release(Stub::new(), asked_for, secret)
}

fn with_release(stub: Stub, asked_for: &str, secret: &Value) -> Stub {
    stub.on("GET", SECRETS).json(200, &listed(secret)).always();
    stub.on("GET", &format!("{SECRETS}/{asked_for}")).json(200, secret).always();
    stub.on_anything().status(404, "NotFound", "not found").always();
    stub
}

fn gloo() -> Stub {
    server("sh.helm.release.v1.gloo.v3", &release())
}

fn with_helm(script: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let helm = sandbox.script("bin/helm", script);
    let directory = helm.parent().unwrap().display().to_string();
    sandbox.env("PATH", format!("{directory}:/usr/bin:/bin"))
}

fn noted(sandbox: &Sandbox, name: &str) -> String {
    std::fs::read_to_string(sandbox.dir().join(name)).unwrap_or_default()
}

fn words(sandbox: &Sandbox) -> Vec<String> {
    noted(sandbox, "asked").lines().map(str::to_owned).collect()
}

/// Helm was started and failed, as it always does here.
#[track_caller]
fn reaches_helm(output: &Output) {
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("Error: refused by the test"), "{}", output.stderr);
}

/// Helm was not started.
#[track_caller]
fn refused(sandbox: &Sandbox, output: &Output, code: i32, why: &str) {
    assert_eq!(output.code, Some(code), "{}", output.stderr);
    assert!(output.stderr.contains(why), "{why}: {}", output.stderr);
    assert_eq!(noted(sandbox, "asked"), "", "{}", output.stderr);
}
