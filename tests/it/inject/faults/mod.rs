//! Each request of the transaction goes wrong in each way: what is left is the old state, or is said.

mod conflicts;
mod signals;
mod steps;

use anyhow::Result;
use serde_json::{Value, json};

use super::{CHART_ISTIO, INJECTED, assert_said, document};
use crate::stage::documents;
use crate::support::stub::Stub;
use crate::support::world::patched;
use crate::support::{Output, Sandbox};

const WORKLOAD: &str = "/apis/apps/v1/namespaces/gloo-system/deployments/gateway-proxy";
const MAP: &str = "/api/v1/namespaces/gloo-system/configmaps/gateway-proxy-envoy-config";
const WRITE: &str = "?fieldManager=gloo-rs";
const REHEARSE: &str = "?fieldManager=gloo-rs&dryRun=All";
const INJECT: &str = "istio inject --timeout 2s --name deployment/gateway-proxy --no-wait -o json \
    --istio-discovery-address istiod.elsewhere.svc:15012 --sds-image r/sds:1 --istio-proxy-image r/proxyv2:1";
const UNINJECT: &str = "istio uninject --timeout 2s --name deployment/gateway-proxy --no-wait -o json";
const BACK: &str = "everything is rolled back";
const UNTOUCHED: &str = "nothing was changed";

/// Both objects before and after, as an API server would have stored them.
struct Objects {
    map: [Value; 2],
    workload: [Value; 2],
}

/// A request of the transaction and its object.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    RehearseMap,
    RehearseWorkload,
    Map,
    Workload,
}

impl Objects {
    /// What an injection makes of the chart's objects, told by the patches that it sends.
    fn of_an_injection() -> Self {
        let text = include_str!("../../../fixtures/bootstrap/chart.yaml");
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"envoy.yaml": text},
            "metadata": {"namespace": "gloo-system", "name": "gateway-proxy-envoy-config", "resourceVersion": "10"},
        });
        let mut workload = documents(include_str!("../../../fixtures/sidecars/chart.yaml")).unwrap().remove(0);
        workload["metadata"]["resourceVersion"] = json!("20");
        workload["status"] = rolled_out();
        let stub = Stub::new();
        reads(&stub, &map, &workload);
        for (path, object) in [(MAP, &map), (WORKLOAD, &workload)] {
            stub.on("PATCH", &format!("{path}{REHEARSE}")).json(200, object);
            stub.on("PATCH", &format!("{path}{WRITE}")).json(200, object);
        }
        let output = run(&stub, INJECT);
        assert_eq!(output.code, Some(0), "{output:#?}");
        let after = |path: &str, before: &Value| {
            let sent = stub.requests().into_iter().find(|it| it.path == format!("{path}{WRITE}")).unwrap();
            let mut after = patched(before, &sent.json());
            after["metadata"]["resourceVersion"] = json!("99");
            after
        };
        Self { map: [map.clone(), after(MAP, &map)], workload: [workload.clone(), after(WORKLOAD, &workload)] }
    }

    /// The other way round.
    fn of_a_removal() -> Self {
        let Self { map: [clean, injected], workload: [without, with] } = Self::of_an_injection();
        Self { map: [injected, clean], workload: [with, without] }
    }
}

fn rolled_out() -> Value {
    json!({"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1})
}

fn list(items: &[Value]) -> Value {
    json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": items})
}

/// What is read before anything is written.
fn reads(stub: &Stub, map: &Value, workload: &Value) {
    stub.on("GET", WORKLOAD).json(200, workload);
    stub.on("GET", MAP).json(200, map);
    stub.on("GET", "/api/v1/namespaces/gloo-system/pods").json(200, &list(&[]));
    around(stub);
}

/// What may be read besides: no istiod, no gloo, nothing that needs the sidecars.
fn around(stub: &Stub) {
    for path in [
        "/apis/apps/v1/deployments",
        "/apis/apps/v1/namespaces/gloo-system/deployments",
        "/apis/gloo.solo.io/v1/upstreams",
        "/apis/gateway.solo.io/v1/virtualservices",
        "/apis/gateway.solo.io/v1/gateways",
    ] {
        stub.on("GET", path).json(200, &list(&[])).always();
    }
    let settings = json!({"metadata": {"name": "default", "namespace": "gloo-system"}, "spec": {}});
    stub.on("GET", "/apis/gloo.solo.io/v1/namespaces/gloo-system/settings/default").json(200, &settings).always();
}

fn run(stub: &Stub, line: &str) -> Output {
    let sandbox = Sandbox::new().port(stub.port());
    sandbox.kubeconfig(stub.kubeconfig());
    sandbox.run(&line.split_whitespace().collect::<Vec<_>>())
}

/// What went wrong, as the stub plays it.
type Fault = fn(&Stub, &str);

fn forbidden(stub: &Stub, path: &str) {
    let message =
        r#"x is forbidden: User "me" cannot patch resource "x" in API group "" in the namespace "gloo-system""#;
    stub.on("PATCH", path).status(403, "Forbidden", message);
}

fn denied(stub: &Stub, path: &str) {
    let message = r#"admission webhook "gate.example" denied the request: not on a Friday"#;
    stub.on("PATCH", path).status(422, "Invalid", message);
}

fn broken(stub: &Stub, path: &str) {
    stub.on("PATCH", path).status(500, "InternalError", "etcdserver: request timed out");
}

fn cut(stub: &Stub, path: &str) {
    stub.on("PATCH", path).cut();
}

fn conflict(stub: &Stub, path: &str) {
    stub.on("PATCH", path).status(409, "Conflict", "the object has been modified");
}

/// A run in which one request goes wrong; `now` are the answers to what is read afterwards.
fn faulty(
    objects: &Objects,
    line: &str,
    at: At,
    fault: Fault,
    now: impl FnOnce(&Stub),
) -> Result<(Value, Output, Stub)> {
    let stub = Stub::new();
    let Objects { map, workload } = objects;
    reads(&stub, &map[0], &workload[0]);
    let path = match at {
        At::RehearseMap | At::Map => MAP,
        At::RehearseWorkload | At::Workload => WORKLOAD,
    };
    let query = if matches!(at, At::RehearseMap | At::RehearseWorkload) { REHEARSE } else { WRITE };
    for (step, path, query, answer) in [
        (At::RehearseMap, MAP, REHEARSE, &map[1]),
        (At::RehearseWorkload, WORKLOAD, REHEARSE, &workload[1]),
        (At::Map, MAP, WRITE, &map[1]),
        (At::Workload, WORKLOAD, WRITE, &workload[1]),
    ] {
        if step == at {
            break;
        }
        stub.on("PATCH", &format!("{path}{query}")).json(200, answer);
    }
    fault(&stub, &format!("{path}{query}"));
    now(&stub);
    let (document, output) = document(run(&stub, line))?;
    Ok((document, output, stub))
}

/// The document's rows, as `kind outcome`.
fn rows(document: &Value) -> Vec<String> {
    let rows = document["results"].as_array().unwrap().iter();
    rows.map(|row| format!("{} {}", row["kind"].as_str().unwrap(), row["outcome"].as_str().unwrap())).collect()
}

/// What the last patch of an object makes of it.
fn left(stub: &Stub, path: &str, before: &Value) -> Value {
    let last = stub.requests().into_iter().rfind(|it| it.method == "PATCH" && it.path == format!("{path}{WRITE}"));
    patched(before, &last.expect("a patch").json())
}

#[test]
fn a_proxy_that_is_injected_already_takes_no_write() -> Result<()> {
    let Objects { map: [_, map], workload: [_, workload] } = Objects::of_an_injection();
    let stub = Stub::new();
    reads(&stub, &map, &workload);
    let (document, output) = document(run(&stub, INJECT))?;
    assert_eq!(
        (output.code, rows(&document)),
        (Some(0), vec!["ConfigMap unchanged".into(), "Deployment unchanged".into()])
    );
    let mut carried = documents(CHART_ISTIO)?.remove(0);
    carried["status"] = rolled_out();
    let stub = Stub::new();
    reads(&stub, &map, &carried);
    let output =
        run(&stub, "istio inject --name gateway-proxy --istio-discovery-address a.b.svc:15012 --sds-image r/s:1");
    assert_said(&output, 1, &["has its sidecars from Helm values that set up Istio", "upgrade-values"]);
    let stub = Stub::new();
    reads(&stub, &map, &carried);
    let output = run(&stub, "istio inject --name gateway-proxy");
    assert_eq!((output.code, super::last_line(&output.stdout)), (Some(0), INJECTED), "{output:#?}");
    Ok(())
}
