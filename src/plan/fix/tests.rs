use serde_json::{Value, json};

use super::*;
use crate::command::{Hint, gloo_rs};
use crate::model::{Object, kinds};
use crate::plan::istiod::{self, ControlPlaneObjects, Istiod};
use crate::plan::pod::OPTED_OUT;
use crate::plan::sidecars::{GatewayProxy, Pods};

const CHART_ISTIO: &str = include_str!("../../../tests/fixtures/sidecars/chart-istio.yaml");

fn istiods(revisions: &[&str]) -> Vec<Istiod> {
    let deployments: Vec<_> = revisions
        .iter()
        .map(|revision| {
            json!({"metadata": {"name": format!("istiod-{revision}"), "namespace": "istio-system",
                "labels": {"app": "istiod", "istio.io/rev": revision}}})
        })
        .collect();
    istiod::all(&ControlPlaneObjects { deployments: &deployments, ..ControlPlaneObjects::default() })
}

fn proxy(namespace: &str, change: impl FnOnce(&mut Value)) -> GatewayProxy {
    let mut value = crate::yaml::parse(CHART_ISTIO).unwrap();
    value["metadata"]["namespace"] = namespace.into();
    change(&mut value);
    GatewayProxy { workload: Object::new(&kinds::DEPLOYMENT, value), bootstrap: None, pods: Pods::Unseen }
}

fn bare(value: &mut Value) {
    value["spec"]["template"]["spec"] = json!({"containers": [{"name": "gateway-proxy", "image": "e"}]});
}

/// The sidecars as `istio inject` writes them.
fn injected(value: &mut Value) {
    let containers = value["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap();
    for env in containers.iter_mut().flat_map(|container| container["env"].as_array_mut().into_iter().flatten()) {
        if env["name"] == "PROXY_CONFIG" {
            env["value"] = r#"{"discoveryAddress":"istiod-1-28.istio-system.svc:15012"}"#.into();
        }
    }
}

fn of_gateway_api(value: &mut Value) {
    bare(value);
    value["metadata"]["name"] = "gloo-proxy-http".into();
    value["metadata"]["labels"] = json!({"gateway.networking.k8s.io/gateway-name": "http"});
}

#[test]
fn the_owner_the_namespace_and_the_istiods_decide_the_command() {
    type Change = fn(&mut Value);
    let table: [(&str, Change, &[&str], &str); 11] = [
        ("gloo-system", bare, &[], "istio inject --name gateway-proxy"),
        ("gloo-system", bare, &["1-28"], "istio inject --name gateway-proxy"),
        ("gloo-system", bare, &["1-27", "1-28"], "istio inject --name gateway-proxy --revision REVISION"),
        ("edge", bare, &["1-28"], "istio inject -n edge --name gateway-proxy"),
        // It keeps its istiod.
        ("edge", injected, &["1-27", "1-28"], "istio inject -n edge --name gateway-proxy"),
        // Its sidecars come from the values.
        ("gloo-system", |_| (), &["1-28"], "upgrade-values --proxy gateway-proxy"),
        ("edge", |_| (), &["1-27", "1-28"], "upgrade-values -n edge --proxy gateway-proxy --revision 1-28"),
        ("edge", |_| (), &["1-26", "1-27"], "upgrade-values -n edge --proxy gateway-proxy --revision REVISION"),
        ("edge", gloo_mtls, &["1-28"], "upgrade-values -n edge --proxy gateway-proxy"),
        ("edge", of_gateway_api, &["1-28"], "istio inject -n edge --gateway http"),
        ("edge", of_gateway_api, &["1-27", "1-28"], "istio inject -n edge --gateway http --revision REVISION"),
    ];
    for (namespace, change, revisions, command) in table {
        let fix = GatewayFix::read(&proxy(namespace, change), namespace, &istiods(revisions));
        assert_eq!(fix.command().to_string(), format!("gloo-rs {command}"));
    }
    let of_shop = GatewayFix::read(&proxy("shop", of_gateway_api), "edge", &[]);
    assert_eq!(of_shop.command().to_string(), "gloo-rs istio inject -n shop --gateway http");
    // The Gateways of an installation get their sidecars together.
    let second = GatewayFix::read(&proxy("elsewhere", of_gateway_api), "edge", &[]);
    assert_eq!(gateways([&of_shop, &second]).unwrap(), "gloo-rs istio inject -n shop --gateway http");
    let moved = GatewayFix::read(&proxy("edge", injected), "edge", &[]).on("1-29");
    assert_eq!(moved.command().to_string(), "gloo-rs istio inject -n edge --name gateway-proxy --revision 1-29");
    assert_eq!(
        moved.in_values().command().to_string(),
        "gloo-rs upgrade-values -n edge --proxy gateway-proxy --revision 1-29"
    );
}

fn gloo_mtls(value: &mut Value) {
    bare(value);
    value["spec"]["template"]["spec"]["volumes"] = json!([{"name": "gloo-mtls-certs", "secret": {}}]);
}

#[test]
fn a_gateway_that_lacks_only_a_restart_is_restarted() {
    let fix = GatewayFix::named("edge/gateway-proxy");
    let loaded = crate::plan::sidecars::state::SidecarPart::LoadedCluster.to_string();
    assert_eq!(fix.lacking(&[loaded]).to_string(), "gloo-rs proxy restart gateway-proxy -n edge");
    assert_eq!(fix.lacking(&[]).to_string(), "gloo-rs istio inject -n edge --name gateway-proxy");
}

#[test]
fn several_gateways_of_a_namespace_are_one_command() {
    let injected = |name: &str| GatewayFix::named(&format!("edge/{name}"));
    let of_values = injected("c").in_values();
    let hint = gateways(&[injected("a"), injected("b"), of_values, injected("a")]).unwrap();
    assert_eq!(hint, "gloo-rs istio inject -n edge --name a --name b, then gloo-rs upgrade-values -n edge --proxy c");
    assert_eq!(gateways(&[]), None);
}

#[test]
fn a_pod_tells_its_gateway() {
    let pod = |labels: Value| json!({"metadata": {"namespace": "edge", "name": "p", "labels": labels}, "spec": {}});
    let of = |pod: &Value| GatewayFix::of_pod(pod).command().to_string();
    assert_eq!(of(&pod(json!({"gateway-proxy-id": "internal"}))), "gloo-rs istio inject -n edge --name internal");
    assert_eq!(of(&pod(json!({}))), "gloo-rs istio inject -n edge");
}

#[test]
fn pods_are_enrolled_where_that_gives_them_a_sidecar() {
    let backend = |without: &[NoSidecar]| BackendFix {
        namespace: Some("shop".into()),
        without: without.to_vec(),
        upstream: Some("u".into()),
        ..BackendFix::default()
    };
    let (enrollable, barred) = (NoSidecar::Enrollable, NoSidecar::Barred(OPTED_OUT));
    let enrolls = |without: &[NoSidecar]| backend(without).enrolls().map(|hint| hint.to_string());
    assert_eq!(enrolls(&[barred, enrollable]).as_deref(), Some("gloo-rs istio enroll shop"));
    assert_eq!(enrolls(&[enrollable, NoSidecar::Ambient]), None, "an ambient namespace is refused");
    assert_eq!(enrolls(&[NoSidecar::Barred("it cannot")]), None);
    let of_several = BackendFix { revision: Some(REVISION.into()), ..backend(&[enrollable]) };
    assert_eq!(of_several.enrolls().unwrap(), "gloo-rs istio enroll shop --revision REVISION");

    let plain = "gloo-rs istio disable-mtls -u u";
    assert_eq!(backend(&[NoSidecar::Ambient]).of_refused_tls().unwrap(), plain);
    let opens = gloo_rs("istio peer-auth permissive").with("-n", "shop");
    let strict = |without: &[NoSidecar]| BackendFix { opens: Some(opens.clone()), ..backend(without) };
    assert_eq!(strict(&[NoSidecar::Ambient]).of_refused_tls().unwrap(), opens.to_string());
    let enables = || Hint::from(gloo_rs("istio enable-mtls -u").value("u"));
    assert_eq!(strict(&[]).of_refused_plaintext(enables()), enables());
    assert_eq!(strict(&[barred]).of_refused_plaintext(enables()), opens.to_string());
    let first = "gloo-rs istio enroll shop, then gloo-rs istio enable-mtls -u u";
    assert_eq!(strict(&[enrollable]).of_refused_plaintext(enables()), first);
}
