//! `inject --gateway` and `uninject --gateway` where no release has the parameters, with a follower in the place of Gloo's
//! controller.

use anyhow::Result;
use serde_json::{Value, json};

use super::{Bench, INJECTED, UNINJECTED, assert_said, containers, last_line, names};
use crate::stage::{GatewayController, parameters_of_class};
use crate::support::Output;

const PARAMETERS: &str = "gateway.gloo.solo.io/v1alpha1/GatewayParameters";
const SETTINGS: &str = "gloo.solo.io/v1/Settings";
const DEPLOYMENT: &str = "apps/v1/Deployment";
const ADDRESS: &str = "istiod-1-28.istio-system.svc:15012";
const PROXY: &str = "gloo-proxy-http";

fn controller(bench: &Bench) -> Result<GatewayController> {
    GatewayController::start(bench.plane, &bench.gloo)
}

/// A Gateway `http` of a class of this test's own, and its parameters.
fn gateway(prefix: &str) -> Result<Bench> {
    let bench = Bench::new(prefix)?;
    bench.apply(parameters_of_class())?;
    class(&bench, &json!({}))?;
    of_class(&bench, "http", &json!({}))?;
    Ok(bench)
}

/// Changes the class, whose name is that of the namespace.
fn class(bench: &Bench, spec: &Value) -> Result<()> {
    let mut class = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": bench.gloo},
        "spec": {"controllerName": "solo.io/gloo-gateway", "parametersRef": {
            "group": "gateway.gloo.solo.io", "kind": "GatewayParameters", "name": "gloo-gateway", "namespace": bench.gloo,
        }},
    });
    for (key, value) in spec.as_object().into_iter().flatten() {
        class["spec"][key] = value.clone();
    }
    bench.plane.api().apply(&class.to_string())
}

fn of_class(bench: &Bench, name: &str, annotations: &Value) -> Result<()> {
    bench.apply(json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"gatewayClassName": bench.gloo, "listeners": [{"name": "http", "port": 8080, "protocol": "HTTP"}]},
    }))
}

/// What the two objects say of Istio.
fn settings(bench: &Bench) -> Result<[Value; 2]> {
    let parameters = bench.get(PARAMETERS, "gloo-gateway")?["spec"]["kube"]["istio"].clone();
    Ok([parameters, bench.get(SETTINGS, "default")?["spec"]["gloo"]["istioOptions"].clone()])
}

fn containers_of(bench: &Bench) -> Result<Vec<String>> {
    let deployment = bench.get(DEPLOYMENT, PROXY)?;
    Ok(names(containers(&deployment)).into_iter().map(str::to_owned).collect())
}

fn run(bench: &Bench, line: &str) -> Output {
    bench.run(&format!("{line} --gateway http"))
}

#[test]
fn the_parameters_of_its_class_give_a_gateway_its_sidecars_and_take_them_away() -> Result<()> {
    let bench = gateway("kube-inject")?;
    let _controller = controller(&bench)?;
    let before = settings(&bench)?;
    let planned = run(&bench, "inject --revision 1-28 --check");
    assert_eq!((planned.code, &settings(&bench)?), (Some(3), &before), "{planned:#?}");

    let injected = run(&bench, "inject --revision 1-28");
    assert_said(&injected, 0, &["waiting for Gloo's controller"]);
    assert_eq!(last_line(&injected.stdout), INJECTED);
    let [parameters, options] = settings(&bench)?;
    let container = &parameters["istioProxyContainer"];
    assert_eq!((&container["istioDiscoveryAddress"], &container["image"]["tag"]), (&json!(ADDRESS), &json!("1.28.3")));
    assert_eq!(options["enableIntegration"], true);
    assert_eq!(containers_of(&bench)?, ["gloo-gateway", "sds", "istio-proxy"]);
    let again = run(&bench, "inject");
    assert_eq!((again.code, again.stdout.matches("unchanged").count()), (Some(0), 2), "{again:#?}");

    // Without -n, the Gateway is found in its namespace.
    let anywhere = bench.sandbox().run(&["istio", "inject", "--gateway", "http-of-no-namespace", "--dry-run"]);
    assert_eq!(anywhere.code, Some(4), "{anywhere:#?}");

    let removed = run(&bench, "uninject --force --yes");
    assert_eq!((removed.code, last_line(&removed.stdout)), (Some(0), UNINJECTED), "{removed:#?}");
    assert_eq!(containers_of(&bench)?, ["gloo-gateway"]);
    let [parameters, options] = settings(&bench)?;
    assert_eq!((&parameters, &options["enableIntegration"]), (&Value::Null, &Value::Null), "{options}");
    Ok(())
}

#[test]
fn parameters_of_the_gateway_itself_keep_their_image_and_lose_their_address() -> Result<()> {
    let bench = gateway("kube-own")?;
    bench.apply(json!({
        "apiVersion": "gateway.gloo.solo.io/v1alpha1", "kind": "GatewayParameters", "metadata": {"name": "own"},
        "spec": {"kube": {"istio": {"istioProxyContainer": {
            "istioDiscoveryAddress": "istiod.elsewhere.svc:15012", "image": {"tag": "1.27.0"}}}}},
    }))?;
    of_class(&bench, "http", &json!({"gateway.gloo.solo.io/gateway-parameters-name": "own"}))?;
    let _controller = controller(&bench)?;
    let injected = run(&bench, "inject --revision 1-28 --istio-proxy-image docker.io/istio/proxyv2:1.28.3");
    assert_said(&injected, 0, &["istioDiscoveryAddress of gatewayparameters/own has no effect", "sets its own image"]);
    let deployment = bench.get(DEPLOYMENT, PROXY)?;
    let proxy = &containers(&deployment)[2];
    assert_eq!(proxy["image"], "docker.io/istio/proxyv2:1.27.0");
    let variables = proxy["env"].as_array().into_iter().flatten();
    let address: Vec<_> = variables.filter(|it| it["name"] == "CA_ADDR").map(|it| &it["value"]).collect();
    assert_eq!(address, [ADDRESS]);
    Ok(())
}

#[test]
fn other_gateways_of_the_class_are_named_before_they_get_sidecars_too() -> Result<()> {
    let bench = gateway("kube-others")?;
    of_class(&bench, "second", &json!({}))?;
    let _controller = controller(&bench)?;
    let before = settings(&bench)?;
    let asked = run(&bench, "inject --revision 1-28");
    assert_said(&asked, 2, &["other Gateways too", "/second", "--yes"]);
    assert_eq!(settings(&bench)?, before);
    let agreed = run(&bench, "inject --revision 1-28 --yes");
    assert_eq!((agreed.code, last_line(&agreed.stdout)), (Some(0), INJECTED), "{agreed:#?}");
    Ok(())
}

#[test]
fn a_controller_that_makes_nothing_of_it_leads_to_a_rollback() -> Result<()> {
    let bench = gateway("kube-late")?;
    drop(controller(&bench)?);
    let before = settings(&bench)?;
    let late = run(&bench, "inject --revision 1-28 --wait-timeout 1s");
    assert_said(&late, 5, &["Gloo's controller did not change it", "it has no istio-proxy"]);
    let is_empty = |value: &Value| value.as_object().is_none_or(serde_json::Map::is_empty);
    let after = settings(&bench)?;
    assert!(after == before || after.iter().all(is_empty), "{after:#?}");
    let unwaited = run(&bench, "inject --revision 1-28 --no-wait");
    assert_said(&unwaited, 0, &["is not verified"]);
    assert_eq!(settings(&bench)?[1]["enableIntegration"], true);
    Ok(())
}

#[test]
fn what_gives_no_sidecars_to_a_gateway_is_named_and_changes_nothing() -> Result<()> {
    let bench = gateway("kube-refused")?;
    let before = settings(&bench)?;
    let refused = |said: &[&str]| -> Result<()> {
        let output = run(&bench, "inject --revision 1-28");
        assert!(
            matches!(output.code, Some(1 | 4)) && said.iter().all(|said| output.stderr.contains(said)),
            "{output:#?}"
        );
        assert_eq!(settings(&bench)?, before, "{output:#?}");
        Ok(())
    };
    refused(&["has made no deployment/gloo-proxy-http"])?;
    let unknown = bench.run("inject --gateway htp");
    assert!(unknown.stderr.contains("near: http"), "{unknown:#?}");

    class(&bench, &json!({"parametersRef": null}))?;
    refused(&["names no GatewayParameters"])?;
    let reference = |name: &str| {
        json!({"parametersRef": {
            "group": "gateway.gloo.solo.io", "kind": "GatewayParameters", "name": name, "namespace": bench.gloo}})
    };
    class(&bench, &reference("missing"))?;
    refused(&["gatewayparameters/missing: not found"])?;
    class(&bench, &reference("gloo-gateway"))?;
    of_class(&bench, "http", &json!({"gateway.gloo.solo.io/gateway-parameters-name": "mine"}))?;
    refused(&["gatewayparameters/mine: not found", "gateway/http"])?;
    for (name, spec, said) in [
        ("mine", json!({"selfManaged": {}}), "selfManaged"),
        ("mine", json!({"kube": {"istio": {"customSidecars": [{"name": "x", "image": "y"}]}}}), "customSidecars"),
    ] {
        bench.plane.api().delete(PARAMETERS, &bench.gloo, name).ok();
        bench.apply(json!({
            "apiVersion": "gateway.gloo.solo.io/v1alpha1", "kind": "GatewayParameters", "metadata": {"name": name},
            "spec": spec,
        }))?;
        refused(&[said])?;
    }
    let of_istio = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
        "metadata": {"name": format!("{}-waypoint", bench.gloo)}, "spec": {"controllerName": "istio.io/mesh-controller"},
    });
    bench.plane.api().apply(&of_istio.to_string())?;
    bench.apply(json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "http"},
        "spec": {"gatewayClassName": format!("{}-waypoint", bench.gloo),
            "listeners": [{"name": "mesh", "port": 15008, "protocol": "HBONE"}]},
    }))?;
    refused(&["whose proxies Istio makes"])?;
    Ok(())
}
