//! Objects made, changed and deleted as one, and taken back, on a real API server; a stub where it misbehaves.

use std::sync::Arc;

use gloo_rs::exports::apply::transaction::{Done, Undone, make, rehearse, roll_back};
use gloo_rs::exports::kube::{ApiCause, Session, Trace};
use gloo_rs::exports::model::Object;
use gloo_rs::exports::model::kinds::PEER_AUTHENTICATION;
use gloo_rs::exports::plan::change::Change;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::stage::{self, Plane};
use crate::support::Sandbox;
use crate::support::stub::Stub;

const KIND: &str = "security.istio.io/v1/PeerAuthentication";

/// A namespace of a test's own, and the session that writes there.
struct Shop {
    plane: &'static Plane,
    namespace: String,
    runtime: Runtime,
    session: Session,
}

impl Shop {
    fn new(prefix: &str) -> Self {
        let plane = stage::shared();
        let namespace = plane.namespace(prefix).unwrap();
        let sandbox = Sandbox::new().env("KUBECONFIG", plane.kubeconfig().to_str().unwrap());
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let session = runtime.block_on(Session::open(&sandbox.target(), None)).unwrap();
        Self { plane, namespace, runtime, session }
    }

    fn policy(&self, name: &str) -> Object {
        policy(&self.namespace, name)
    }

    fn there(&self, name: &str) -> Option<Value> {
        self.plane.api().get(KIND, &self.namespace, name).unwrap()
    }

    /// Somebody else's policy of this name, as it was read.
    fn given(&self, name: &str) -> Object {
        self.plane.api().apply(&self.policy(name).value.to_string()).unwrap();
        Object::new(&PEER_AUTHENTICATION, self.there(name).unwrap())
    }

    fn set(&self, name: &str, mode: &str) {
        let patch = json!({"spec": {"mtls": {"mode": mode}}});
        self.plane.api().merge(KIND, &self.namespace, name, &patch).unwrap();
    }

    fn make(&self, change: Change) -> Done {
        self.runtime.block_on(make(&self.session, change)).unwrap()
    }

    fn take_back(&self, done: &Done) -> Undone {
        let undone = self.runtime.block_on(roll_back(&self.session, std::slice::from_ref(done)));
        undone.into_iter().next().unwrap().1
    }
}

fn policy(namespace: &str, name: &str) -> Object {
    Object::new(
        &PEER_AUTHENTICATION,
        json!({
            "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
            "metadata": {"namespace": namespace, "name": name, "labels": {"team": "a"}},
            "spec": {"mtls": {"mode": "STRICT"}},
        }),
    )
}

#[test]
fn what_was_made_is_deleted_again() {
    let shop = Shop::new("made");
    let done = shop.make(Change::create(shop.policy("default"), "created"));
    assert_eq!(shop.there("default").unwrap()["spec"], json!({"mtls": {"mode": "STRICT"}}));
    assert_eq!(shop.take_back(&done), Undone::Back);
    assert_eq!(shop.there("default"), None);
    assert_eq!(shop.take_back(&done), Undone::Back, "what is back already needs nothing");
}

#[test]
fn what_was_deleted_is_made_again_as_it_was() {
    let shop = Shop::new("unmade");
    let before = shop.given("default");
    let done = shop.make(Change::delete(before.clone(), "deleted"));
    assert_eq!(shop.there("default"), None);
    assert_eq!(shop.take_back(&done), Undone::Back);
    let after = shop.there("default").unwrap();
    for path in ["/spec", "/metadata/labels", "/metadata/name"] {
        assert_eq!(after.pointer(path), before.value.pointer(path));
    }
    assert_eq!(shop.take_back(&done), Undone::Back);
}

#[test]
fn what_somebody_else_made_in_our_place_is_left() {
    let shop = Shop::new("theirs");
    let done = shop.make(Change::create(shop.policy("default"), "created"));
    shop.plane.api().delete(KIND, &shop.namespace, "default").unwrap();
    let theirs = shop.given("default");
    assert_eq!(shop.take_back(&done), Undone::Back, "ours is gone");
    assert_eq!(shop.there("default"), Some(theirs.value));
}

#[test]
fn what_somebody_else_wrote_into_ours_is_left() {
    let shop = Shop::new("changed");
    let done = shop.make(Change::create(shop.policy("default"), "created"));
    shop.set("default", "DISABLE");
    assert_eq!(shop.take_back(&done), Undone::Stands("others changed it in the meantime".to_owned()));
    assert_eq!(shop.there("default").unwrap()["spec"]["mtls"]["mode"], "DISABLE");
}

#[test]
fn what_somebody_else_added_to_ours_is_left() {
    let shop = Shop::new("added");
    let done = shop.make(Change::create(shop.policy("default"), "created"));
    let port =
        json!({"spec": {"selector": {"matchLabels": {"app": "a"}}, "portLevelMtls": {"80": {"mode": "DISABLE"}}}});
    shop.plane.api().merge(KIND, &shop.namespace, "default", &port).unwrap();
    assert_eq!(shop.take_back(&done), Undone::Stands("others changed it in the meantime".to_owned()));
    assert_eq!(shop.there("default").unwrap()["spec"]["portLevelMtls"]["80"]["mode"], "DISABLE");
}

#[test]
fn what_somebody_else_put_where_ours_was_deleted_is_left() {
    let shop = Shop::new("replaced");
    let done = shop.make(Change::delete(shop.given("default"), "deleted"));
    shop.given("default");
    shop.set("default", "DISABLE");
    assert_eq!(shop.take_back(&done), Undone::Stands("others created it again in the meantime".to_owned()));
}

#[test]
fn what_somebody_else_touched_without_changing_it_is_deleted_all_the_same() {
    let shop = Shop::new("touched");
    let read = shop.given("default");
    shop.set("default", "DISABLE");
    shop.set("default", "STRICT");
    assert_ne!(shop.there("default").unwrap()["metadata"]["resourceVersion"], json!(read.resource_version()));
    shop.make(Change::delete(read, "deleted"));
    assert_eq!(shop.there("default"), None);
}

#[test]
fn what_somebody_else_changed_is_not_deleted() {
    let shop = Shop::new("raced");
    let read = shop.given("default");
    shop.set("default", "DISABLE");
    let unmade = shop.runtime.block_on(make(&shop.session, Change::delete(read, "deleted"))).unwrap_err();
    assert_eq!(unmade.error.cause, ApiCause::Conflict);
    assert!(unmade.perhaps.is_none());
    assert!(shop.there("default").is_some());
}

#[test]
fn what_is_there_already_is_not_made() {
    let shop = Shop::new("there");
    shop.given("default");
    let unmade =
        shop.runtime.block_on(make(&shop.session, Change::create(shop.policy("default"), "created"))).unwrap_err();
    assert_eq!(unmade.error.cause, ApiCause::Conflict);
    assert!(unmade.perhaps.is_none());
}

#[test]
fn a_rehearsal_makes_and_deletes_nothing() {
    let shop = Shop::new("rehearsed");
    let read = shop.given("old");
    let changes = [Change::create(shop.policy("new"), "created"), Change::delete(read.clone(), "deleted")];
    assert_eq!(shop.runtime.block_on(rehearse(&shop.session, &changes)).unwrap(), []);
    assert_eq!(shop.there("new"), None);
    assert_eq!(shop.there("old"), Some(read.value));
    let failure = shop
        .runtime
        .block_on(rehearse(&shop.session, &[Change::create(policy("no-such-namespace", "default"), "created")]))
        .unwrap_err();
    assert_eq!(
        failure.message,
        "peerauthentication.security.istio.io/default: there is no namespace no-such-namespace"
    );
}

const POLICIES: &str = "/apis/security.istio.io/v1/namespaces/shop/peerauthentications";
const POLICY: &str = "/apis/security.istio.io/v1/namespaces/shop/peerauthentications/default";

async fn on(stub: &Stub) -> Session {
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(stub.kubeconfig());
    Session::open(&sandbox.target(), None).await.unwrap()
}

fn stored(uid: &str) -> Value {
    let mut value = policy("shop", "default").value;
    value["metadata"]["uid"] = json!(uid);
    value["metadata"]["resourceVersion"] = json!("7");
    value
}

#[tokio::test]
async fn a_creation_whose_answer_is_lost_is_looked_for() {
    let stub = Stub::new();
    stub.on("POST", POLICIES).cut();
    stub.on("GET", POLICY).json(200, &stored("u")).always();
    stub.on("DELETE", POLICY).json(200, &json!({"kind": "Status", "status": "Success"}));
    let session = on(&stub).await;
    let done = make(&session, Change::create(policy("shop", "default"), "created")).await.unwrap();
    assert_eq!(roll_back(&session, &[done]).await[0].1, Undone::Back);
    let requests = stub.finish();
    assert_eq!(requests.iter().filter(|request| request.method == "POST").count(), 1, "never sent blindly again");
    assert_eq!(requests.last().unwrap().json()["preconditions"], json!({"uid": "u", "resourceVersion": "7"}));
}

#[tokio::test]
async fn a_creation_that_was_lost_on_the_way_is_not_made() {
    let stub = Stub::new();
    stub.on("POST", POLICIES).cut();
    stub.on("GET", POLICY).not_found("peerauthentications", "security.istio.io", "default");
    let unmade = make(&on(&stub).await, Change::create(policy("shop", "default"), "created")).await.unwrap_err();
    assert!(unmade.error.outcome_unknown() && unmade.perhaps.is_none());
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_is_looked_for() {
    let stub = Stub::new();
    stub.on("DELETE", POLICY).cut().status(500, "InternalError", "etcdserver: request timed out");
    stub.on("GET", POLICY).not_found("peerauthentications", "security.istio.io", "default").json(200, &stored("u"));
    let session = on(&stub).await;
    let change = Change::delete(Object::new(&PEER_AUTHENTICATION, stored("u")), "deleted");
    make(&session, change.clone()).await.unwrap();
    let unmade = make(&session, change).await.unwrap_err();
    assert!(unmade.perhaps.is_none(), "it is there still");
}

/// A panic is put into each request by what traces them.
#[test]
fn a_write_that_ends_in_a_panic_is_known_by_what_is_there_and_rolled_back() {
    const HERE: &str = "/apis/security.istio.io/v1/namespaces/shop/peerauthentications";
    let one = format!("{HERE}/default");
    let mut stored = policy("shop", "default").value;
    stored["metadata"]["uid"] = json!("u");
    stored["metadata"]["resourceVersion"] = json!("1");
    for (method, back) in [("POST", Undone::Back), ("DELETE", Undone::Stands(String::new()))] {
        let stub = Stub::new();
        stub.on("POST", HERE).json(201, &stored);
        stub.on("GET", &one).json(200, &stored).always();
        stub.on("DELETE", &one).json(200, &json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}));
        let sandbox = Sandbox::new();
        sandbox.kubeconfig(stub.kubeconfig());
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let trace: Trace = Arc::new(move |exchange| assert_ne!(exchange.method, method, "a fault of the test"));
        let session = runtime.block_on(Session::open(&sandbox.target(), Some(trace))).unwrap();
        let made = runtime.block_on(make(&session, Change::create(policy("shop", "default"), "created")));
        assert_eq!(made.is_err(), method == "POST", "no more is written after a panic");
        let done = made.unwrap_or_else(|unmade| unmade.perhaps.unwrap());
        let undone = runtime.block_on(roll_back(&session, &[done])).remove(0).1;
        match (&undone, &back) {
            (Undone::Stands(why), Undone::Stands(_)) => assert!(why.contains("an internal error in gloo-rs"), "{why}"),
            _ => assert_eq!(undone, back),
        }
        assert_eq!(stub.finish().iter().filter(|it| it.method == "DELETE").count(), 1);
    }
}
