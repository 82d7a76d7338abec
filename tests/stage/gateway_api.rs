//! Stands in for the part of Gloo's controller that makes the proxy of a Gateway, with its rules of merging
//! (gloo, `deployer.deepMergeIstioContainer`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Plane, StageApi, documents};

const PARAMETERS: &str = "gateway.gloo.solo.io/v1alpha1/GatewayParameters";
const DEPLOYMENT: &str = "apps/v1/Deployment";
const PROXY: &str = "gloo-proxy-http";
/// A Deployment with sidecars as the chart renders it.
const CHART_ISTIO: &str = include_str!("../fixtures/sidecars/chart-istio.yaml");

/// The parameters of Gloo's class, without Istio.
pub fn parameters_of_class() -> Value {
    json!({
        "apiVersion": "gateway.gloo.solo.io/v1alpha1", "kind": "GatewayParameters",
        "metadata": {"name": "gloo-gateway"}, "spec": {"kube": {"floatingUserId": false}},
    })
}

/// Gloo's class for this installation, and its Gateway `http`.
pub fn class_and_gateway(namespace: &str) -> [Value; 2] {
    let parameters = json!({
        "group": "gateway.gloo.solo.io", "kind": "GatewayParameters", "name": "gloo-gateway", "namespace": namespace,
    });
    [
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "gloo-gateway"},
            "spec": {"controllerName": "solo.io/gloo-gateway", "parametersRef": parameters},
        }),
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "http", "namespace": namespace},
            "spec": {
                "gatewayClassName": "gloo-gateway",
                "listeners": [{"name": "http", "port": 8080, "protocol": "HTTP"}],
            },
        }),
    ]
}

/// Makes the Deployment of the Gateway `http` as Gloo's controller does: from the parameters of the class, with those of
/// the Gateway over them, and with sidecars if Settings have the integration on.
pub struct GatewayController {
    stops: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl GatewayController {
    pub fn start(plane: &Plane, gloo: &str) -> Result<Self> {
        let (namespace, stops) = (gloo.to_owned(), Arc::new(AtomicBool::new(false)));
        let api = StageApi::connect(&plane.kubeconfig())?;
        let stop = stops.clone();
        let follow = move || {
            let mut last = None;
            while !stop.load(Ordering::Relaxed) {
                if let Ok(wanted) = wanted(&api, &namespace)
                    && last.as_ref() != Some(&wanted)
                    && wanted.iter().all(|object| api.apply(&object.to_string()).is_ok())
                {
                    last = Some(wanted);
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        };
        let controller = Self { stops, thread: Some(std::thread::spawn(follow)) };
        plane.api().wait(DEPLOYMENT, gloo, PROXY, |it| it["status"]["readyReplicas"] == 1)?;
        Ok(controller)
    }
}

impl Drop for GatewayController {
    fn drop(&mut self) {
        self.stops.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

/// The bootstrap and the Deployment that the controller would make now, as Gloo 1.22 makes them.
fn wanted(api: &StageApi, gloo: &str) -> Result<[Value; 2]> {
    let get = |kind: &str, name: &str| api.get(kind, gloo, name)?.context("it is there");
    let istio = |of: &Value| of["spec"]["kube"]["istio"]["istioProxyContainer"].clone();
    let of_class = istio(&get(PARAMETERS, "gloo-gateway")?);
    let own = api.get(PARAMETERS, gloo, "own")?.map(|own| istio(&own)).unwrap_or_default();
    let first =
        |one: &Value, other: &Value, usual: &str| one.as_str().or_else(|| other.as_str()).unwrap_or(usual).to_owned();
    // The address of the class wins, and the image of the Gateway.
    let address =
        first(&of_class["istioDiscoveryAddress"], &own["istioDiscoveryAddress"], "istiod.istio-system.svc:15012");
    let tag = first(&own["image"]["tag"], &of_class["image"]["tag"], "1.22.0");
    let is_on =
        get("gloo.solo.io/v1/Settings", "default")?["spec"]["gloo"]["istioOptions"]["enableIntegration"] == true;
    let labels = json!({"gloo": "kube-gateway", "gateway.networking.k8s.io/gateway-name": "http"});

    let mut deployment = documents(CHART_ISTIO)?.into_iter().next().context("a Deployment")?;
    deployment["metadata"] = json!({"name": PROXY, "namespace": gloo, "labels": labels});
    deployment["spec"]["selector"] = json!({ "matchLabels": labels });
    deployment["spec"]["template"]["metadata"] = json!({ "labels": labels });
    let pod = &mut deployment["spec"]["template"]["spec"];
    pod["serviceAccountName"] = PROXY.into();
    pod["containers"][0]["name"] = "gloo-gateway".into();
    pod["volumes"][0]["configMap"]["name"] = PROXY.into();
    if is_on {
        let proxy = &mut pod["containers"][2];
        proxy["image"] = format!("docker.io/istio/proxyv2:{tag}").into();
        for variable in proxy["env"].as_array_mut().into_iter().flatten() {
            match variable["name"].as_str() {
                Some("CA_ADDR") => variable["value"] = address.as_str().into(),
                Some("PROXY_CONFIG") => variable["value"] = format!("{{\"discoveryAddress\": {address} }}\n").into(),
                _ => {}
            }
        }
    } else {
        for list in ["containers", "volumes"] {
            pod[list].as_array_mut().context("a list")?.truncate(1);
        }
    }
    let cluster = json!({
        "name": "gateway_proxy_sds", "connect_timeout": "0.25s", "http2_protocol_options": {},
        "load_assignment": {"cluster_name": "gateway_proxy_sds", "endpoints": [{"lb_endpoints": [{"endpoint": {
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 8234}}}}]}]},
    });
    let clusters = if is_on { vec![cluster] } else { Vec::new() };
    let envoy = json!({
        "node": {"cluster": format!("{PROXY}.{gloo}"), "metadata": {"role": format!("gloo-kube-gateway-api~{gloo}~{gloo}-http")}},
        "static_resources": {"clusters": clusters},
    });
    let bootstrap = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": PROXY, "namespace": gloo, "labels": labels},
        "data": {"envoy.yaml": envoy.to_string()},
    });
    Ok([bootstrap, deployment])
}
