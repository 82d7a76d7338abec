//! Other tools that manage a gateway proxy, and what is refused because of them.

use serde::de::IgnoredAny;
use serde_json::Value;

use super::GatewayProxy;
use super::parts::{ISTIO_PROXY, SDS};
use super::state::{env, item};
use crate::command::{Hint, gloo_rs};
use crate::error::Reason;
use crate::model::names::KUBE_GATEWAY_LABEL;
use crate::plan::outcome::Objection;

/// The field manager of this program.
pub(super) const MANAGER: &str = "gloo-rs";

/// What a proxy shows about the tools that manage it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Makers {
    /// The Gateway for which a controller creates the proxy.
    pub gateway_api: Option<String>,
    /// `glooMtls`: the cluster also carries xDS.
    pub gloo_mtls: bool,
    /// The chart rendered the sidecars, because its values enable Istio.
    pub chart_sidecars: bool,
}

/// Reads the marks of these tools.
pub(crate) fn makers(proxy: &GatewayProxy) -> Makers {
    Makers {
        gateway_api: proxy.workload.label(KUBE_GATEWAY_LABEL).map(str::to_owned),
        gloo_mtls: has_gloo_mtls(proxy),
        chart_sidecars: is_rendered_by_chart(proxy),
    }
}

fn has_gloo_mtls(proxy: &GatewayProxy) -> bool {
    let enabled = proxy.container(SDS).is_some_and(|sds| env(sds, "GLOO_MTLS_SDS_ENABLED") == Some("true"));
    enabled || item(&proxy.pod_spec()["volumes"], "gloo-mtls-certs").is_some()
}

/// Returns whether the chart rendered the sidecars. If this program is recorded as the field manager of the container,
/// it did not. Otherwise two values that only the chart writes decide: `LOG_LEVEL` (glooctl omits it) and a
/// `PROXY_CONFIG` that is not JSON (this program writes JSON).
fn is_rendered_by_chart(proxy: &GatewayProxy) -> bool {
    let (Some(sds), Some(istio)) = (proxy.container(SDS), proxy.container(ISTIO_PROXY)) else { return false };
    if owns(&proxy.workload.value, MANAGER, SDS) {
        return false;
    }
    let is_json = |text: &str| serde_json::from_str::<IgnoredAny>(text).is_ok();
    env(sds, "LOG_LEVEL").is_some() && env(istio, "PROXY_CONFIG").is_some_and(|config| !is_json(config))
}

/// Returns whether this field manager owns the container.
fn owns(workload: &Value, manager: &str, container: &str) -> bool {
    let key = format!("k:{{\"name\":\"{container}\"}}");
    let managers = workload["metadata"]["managedFields"].as_array();
    managers.into_iter().flatten().any(|entry| {
        let template = &entry["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"];
        entry["manager"] == manager && !template[&key].is_null()
    })
}

/// Returns why nothing is changed on a proxy that a controller manages.
pub(super) fn against_gateway_api(proxy: &GatewayProxy, makers: &Makers, act: &'static str) -> Option<Objection> {
    let gateway = makers.gateway_api.as_ref()?;
    let command = gloo_rs(act).with("--gateway", gateway).with("-n", &proxy.workload.reference.namespace);
    Some(
        Objection::new(
            Reason::Managed,
            format!("is made for Gateway {gateway} by Gloo's controller, which would undo the change; nothing changed"),
        )
        .hint(command.then(" changes what it is made from")),
    )
}

/// Returns why nothing is changed on a proxy whose xDS goes through the cluster.
pub(super) fn against_gloo_mtls(makers: &Makers, namespace: &str) -> Option<Objection> {
    makers.gloo_mtls.then(|| {
        Objection::new(Reason::Managed, "has glooMtls, whose xDS goes through gateway_proxy_sds; nothing changed").hint(
            gloo_rs("upgrade-values")
                .of_installation(namespace)
                .after("change Istio in the Helm values next to glooMtls: "),
        )
    })
}

/// Returns why sidecars that the chart renders are not changed.
pub(super) fn against_chart(makers: &Makers, hint: impl Into<Hint>) -> Option<Objection> {
    makers.chart_sidecars.then(|| {
        Objection::new(Reason::Managed, "has its sidecars from Helm values that set up Istio; nothing changed")
            .hint(hint)
    })
}

/// Returns why a container cannot be added: names are unique in a pod.
pub(super) fn against_init_containers(proxy: &GatewayProxy) -> Option<Objection> {
    let init = &proxy.pod_spec()["initContainers"];
    let name = [SDS, ISTIO_PROXY].into_iter().find(|name| item(init, name).is_some())?;
    Some(
        Objection::new(Reason::Managed, format!("has an init container {name} not added by gloo-rs; nothing changed"))
            .hint("remove it where it was added, then run this again"),
    )
}
