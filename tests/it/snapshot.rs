//! Snapshots of an API server that misbehaves, and of files.

use gloo_rs::exports::error::{Exit, Failure};
use gloo_rs::exports::kube::Session;
use gloo_rs::exports::load::snapshot::{Detail, Namespaces, Want, of_cluster, of_files, over};
use gloo_rs::exports::model::kinds::{NAMESPACE, POD, SETTINGS, UPSTREAM};
use gloo_rs::exports::model::{Found, Snapshot};
use serde_json::{Value, json};

use crate::support::Sandbox;
use crate::support::stub::Stub;

const UPSTREAMS: &str = "/apis/gloo.solo.io/v1/upstreams";

fn list(items: &[Value], next: &str) -> Value {
    json!({"kind": "List", "metadata": {"continue": next}, "items": items})
}

fn upstream(namespace: &str, name: &str) -> Value {
    json!({"metadata": {"namespace": namespace, "name": name, "managedFields": [{"manager": "gloo"}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "a"}}, "spec": {}})
}

fn forbidden(stub: &Stub, path: &str) {
    let message = "upstreams.gloo.solo.io is forbidden: User \"limited\" cannot list resource \"upstreams\" in API group \"gloo.solo.io\" at the cluster scope";
    stub.on("GET", path).status(403, "Forbidden", message);
}

async fn read(stub: &Stub, wants: &[Want], namespaces: &Namespaces) -> Result<Snapshot, Failure> {
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(stub.kubeconfig());
    let session = Session::open(&sandbox.target(), None).await.unwrap();
    of_cluster(&session, wants, namespaces).await
}

#[tokio::test]
async fn requests_do_not_grow_with_namespaces_and_pages_follow_each_other() {
    let stub = Stub::new();
    let of =
        |range: std::ops::Range<usize>| -> Vec<_> { range.map(|n| upstream(&format!("ns-{n:04}"), "a")).collect() };
    stub.on("GET", &format!("{UPSTREAMS}?limit=500")).json(200, &list(&of(0..500), "more"));
    stub.on("GET", &format!("{UPSTREAMS}?limit=500&continue=more")).json(200, &list(&of(500..1000), ""));
    let snapshot = read(&stub, &[Want::all(&UPSTREAM)], &Namespaces::default()).await.unwrap();
    assert_eq!(snapshot.all(&UPSTREAM).len(), 1000);
    let found = snapshot.find(&UPSTREAM, "ns-0999", "a").object().unwrap();
    assert_eq!(found.value["metadata"]["managedFields"], Value::Null, "half of the memory says nothing here");
    assert_eq!(found.value["metadata"]["annotations"], json!({"mine": "a"}));
    assert_eq!(snapshot.find(&UPSTREAM, "ns-1000", "a"), Found::NotThere);
    assert_eq!(stub.finish().len(), 2);
}

#[tokio::test]
async fn a_right_that_is_missing_is_unknown_and_the_namespaces_at_hand_are_read() {
    let stub = Stub::new();
    forbidden(&stub, UPSTREAMS);
    stub.on("GET", "/apis/gloo.solo.io/v1/namespaces/edge/upstreams").json(200, &list(&[upstream("edge", "a")], ""));
    let namespaces = Namespaces { only: Vec::new(), otherwise: vec!["edge".into()] };
    let snapshot = read(&stub, &[Want::all(&UPSTREAM)], &namespaces).await.unwrap();
    assert_eq!(snapshot.find(&UPSTREAM, "edge", "b"), Found::NotThere);
    let Found::Unknown(unknown) = snapshot.find(&UPSTREAM, "shop", "b") else { panic!("{snapshot:?}") };
    assert_eq!(unknown.why, "not allowed to list upstreams");
    let rule = "{apiGroups: [gloo.solo.io], resources: [upstreams], verbs: [list]}";
    assert_eq!(unknown.rule.as_ref().map(ToString::to_string).as_deref(), Some(rule));
}

#[tokio::test]
async fn the_namespaces_that_were_named_are_the_only_ones_asked() {
    let stub = Stub::new();
    stub.on("GET", "/apis/gloo.solo.io/v1/namespaces/shop/upstreams").json(200, &list(&[], ""));
    stub.on("GET", "/api/v1/namespaces").json(200, &list(&[json!({"metadata": {"name": "shop"}})], ""));
    stub.on("GET", "/apis/gloo.solo.io/v1/namespaces/edge/settings").json(200, &list(&[], ""));
    let wants = [
        Want::all(&UPSTREAM),
        Want::of_the_cluster(&NAMESPACE).detail(Detail::Metadata),
        Want::all(&SETTINGS).in_namespace("edge"),
    ];
    let namespaces = Namespaces { only: vec!["shop".into()], otherwise: Vec::new() };
    let snapshot = read(&stub, &wants, &namespaces).await.unwrap();
    assert!(matches!(snapshot.find(&UPSTREAM, "edge", "a"), Found::Unknown(_)));
    assert_eq!(snapshot.find(&SETTINGS, "edge", "default"), Found::NotThere);
    assert!(snapshot.find(&NAMESPACE, "", "shop").object().is_some());
}

#[tokio::test]
async fn a_kind_without_a_definition_is_absent_and_one_that_fails_is_unknown() {
    let stub = Stub::new();
    stub.on("GET", UPSTREAMS).body(404, "text/plain", "404 page not found\n");
    stub.on("GET", "/api/v1/pods").status(500, "InternalError", "etcd").always();
    let wants = [Want::all(&UPSTREAM), Want::all(&POD).running().detail(Detail::Metadata)];
    let snapshot = read(&stub, &wants, &Namespaces::default()).await.unwrap();
    assert!(snapshot.is_absent(&UPSTREAM) && snapshot.unknown(&UPSTREAM).is_none());
    assert_eq!(snapshot.unknown(&POD).unwrap().rule, None);
}

#[tokio::test]
async fn a_server_that_does_not_know_who_asks_ends_the_run() {
    let stub = Stub::new();
    stub.on("GET", UPSTREAMS).status(401, "Unauthorized", "Unauthorized").always();
    let failure = read(&stub, &[Want::all(&UPSTREAM)], &Namespaces::default()).await.unwrap_err();
    assert_eq!(failure.exit, Exit::SaidNo);
}

#[tokio::test]
async fn files_lie_over_the_cluster_and_one_without_a_namespace_has_the_one_that_is_usual() {
    let stub = Stub::new();
    stub.on("GET", UPSTREAMS).json(200, &list(&[upstream("edge", "a"), upstream("edge", "b")], ""));
    let cluster = read(&stub, &[Want::all(&UPSTREAM)], &Namespaces::default()).await.unwrap();
    let sandbox = Sandbox::new();
    let text = "# mine\n---\nkind: Service\n---\napiVersion: v1\nkind: List\nitems:\n\
        - {apiVersion: gloo.solo.io/v1, kind: Upstream, metadata: {name: a}, spec: {new: true}}\n\
        ---\napiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {name: {{ .x }}}\n";
    let path = sandbox.write("a.yaml", text);
    let files = of_files(&[path], &[&UPSTREAM], |_| "edge".to_owned(), &mut std::io::empty()).unwrap();
    assert_eq!((files.objects.len(), files.unread.len(), files.passed_over), (1, 1, 1), "{files:?}");
    let snapshot = over(cluster, files.objects);
    let changed = snapshot.find(&UPSTREAM, "edge", "a").object().unwrap();
    assert_eq!(changed.value["spec"]["new"], true);
    assert_eq!(snapshot.spot(&changed.reference).unwrap().line, 4);
    assert_eq!(snapshot.all(&UPSTREAM).len(), 2);
}
