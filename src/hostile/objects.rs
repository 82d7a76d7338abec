//! Objects of the API and objects in manifests.
#![allow(unused_must_use, reason = "a reader is called to see that it does not panic")]

use crate::plan::labels;
use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{each, spoiled};
use crate::edit::json as json_edit;
use crate::edit::manifest;
use crate::model::{Object, kinds};
use crate::plan::authorization::{AuthorizationPolicies, AuthorizationPolicy};
use crate::plan::mtls::UpstreamContext;
use crate::plan::path::behind::{PodPolicies, ServicePort};
use crate::plan::path::endpoints::PodEndpoints;
use crate::plan::path::tunnel;
use crate::plan::peer::Policies;
use crate::plan::{
    acceptance, auto_mtls, backend, dangling, effect, enrolment, gateway, mark, owner, peer, pod, proxy_pods,
    revisions, rollout, server, settings, ssl_config,
};
use crate::render::diff;
use crate::render::diff::Secrets;

/// A cluster without any problem.
const IN_ORDER: &str = include_str!("../../tests/fixtures/check/in-order.yaml");
/// The kinds whose objects are read in most detail.
const KINDS: [&str; 7] = ["Upstream", "Settings", "Pod", "Deployment", "Service", "ConfigMap", "PeerAuthentication"];

fn objects() -> Vec<Value> {
    let all = manifest::values(IN_ORDER);
    let of_kind = |kind: &&str| all.iter().find(|object| object["kind"] == **kind).cloned();
    KINDS.iter().filter_map(of_kind).collect()
}

/// Calls every reader of a single object, whatever its kind: a reader may get any object.
fn read(object: &Value) {
    let of = |kind| Object::new(kind, object.clone());
    let one = std::slice::from_ref(object);
    let (upstream, workload) = (of(&kinds::UPSTREAM), of(&kinds::DEPLOYMENT));
    acceptance::read(object);
    acceptance::reported_by(object, "gloo-system");
    settings::switches(object);
    auto_mtls::harm(object);
    effect::said(object, "gloo-system");
    owner::find(object);
    dangling::watched(object);
    ssl_config::tls_of(object);
    ssl_config::additions(&object["spec"]["sslConfig"]);
    ssl_config::completions(&object["spec"]);
    backend::destination(object, "gloo-system");
    UpstreamContext::of_manifest(&upstream, "gloo-system");
    labels::workload_selector(object);
    backend::external(object);
    labels::PodSelector::from_service(object, &BTreeMap::new()).map(|it| it.selects(&object["metadata"]["labels"]));
    pod::pod_port(object, object);
    let authorization: Vec<_> = AuthorizationPolicy::read(object).map(Arc::new).into_iter().collect();
    if let Ok(port) = ServicePort::find("shop/cart", object, Some(80), &BTreeMap::new()) {
        port.behind(
            [object],
            &PodEndpoints::from_slices([object], "http"),
            &PodPolicies {
                is_ambient: false,
                peer: Ok(Policies { all: one, root_namespace: "istio-system" }),
                authorization: Ok(AuthorizationPolicies { all: &authorization, root_namespace: "istio-system" }),
            },
        );
    }
    pod::barred(object);
    pod::obeys_policies(object);
    pod::capture(object, true);
    pod::accepts_hbone(object);
    tunnel::ztunnel_ready(std::slice::from_ref(&upstream)).ok();
    enrolment::captured::prove(one, enrolment::Capturing::Begins).ok();
    enrolment::pods::holder(object);
    gateway::without_pods(one);
    gateway::judge(one, one);
    mark::made_by_us(object);
    mark::injected_by_us(object);
    mark::is_new(object, &["spec", "sslConfig"]);
    peer::root_namespace([object]);
    pod::not_ready(object);
    pod::why_not(object);
    proxy_pods::bootstrap_of(&object["spec"]);
    revisions::opts_out(&object["metadata"]);
    revisions::bond(object);
    revisions::masked(object);
    revisions::injected_by(object);
    rollout::read(object);
    rollout::complaints(object);
    rollout::refusals(object);
    rollout::shortfall(object);
    rollout::events_of("x", one);
    server::of_deployments(one, "gloo-system");
    diff::live("x", object, &json!({"metadata": {"name": "x"}}), Secrets::Masked);
    for object in [&upstream, &workload] {
        object.resource_version();
        object.label("app");
        let edits = crate::plan::inverse::inverse(&object.value, &[], &object.value, &object.value);
        let _ = edits.map(|edits| json_edit::apply(&object.value, &edits));
    }
}

#[test]
fn no_type_of_any_node_of_an_object_is_a_panic() {
    let objects = objects();
    assert_eq!(objects.len(), KINDS.len());
    for object in objects {
        each(&object, &mut read);
    }
}

#[test]
fn an_item_of_a_list_in_a_file_that_is_not_an_object_is_unread() {
    let list = json!({"apiVersion": "gloo.solo.io/v1", "kind": "UpstreamList", "items": ["x"]}).to_string();
    let found = manifest::objects(&list, &[&kinds::UPSTREAM]);
    let why: Vec<_> = found.unread.iter().map(|unread| unread.why.as_str()).collect();
    assert_eq!((found.found.len(), why), (0, vec!["item 0 of the list is not an object"]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_nodes_of_an_object_are_a_panic(object in prop::sample::select(objects()).prop_flat_map(|it| spoiled(&it))) {
        read(&object);
        let text = crate::yaml::write(&object);
        manifest::objects(&text, &[&kinds::UPSTREAM, &kinds::POD, &kinds::SERVICE]);
        manifest::members(&text, &kinds::UPSTREAM);
    }
}
