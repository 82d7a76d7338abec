//! Who else makes a gateway proxy what it is, and what is refused therefore.

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

/// What a proxy shows of its makers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Makers {
    /// The Gateway for which a controller makes it.
    pub gateway_api: Option<String>,
    /// `glooMtls`: the cluster carries xDS itself.
    pub gloo_mtls: bool,
    /// The chart rendered the sidecars: its values carry Istio.
    pub chart_sidecars: bool,
}

/// Reads the marks.
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

/// The chart's sidecars are told by what only it writes: `LOG_LEVEL`, which glooctl leaves out, and a
/// `PROXY_CONFIG` that is not JSON, which this program writes. Where the API server notes who owns the
/// container, that decides.
fn is_rendered_by_chart(proxy: &GatewayProxy) -> bool {
    let (Some(sds), Some(istio)) = (proxy.container(SDS), proxy.container(ISTIO_PROXY)) else { return false };
    if owns(&proxy.workload.value, MANAGER, SDS) {
        return false;
    }
    let is_json = |text: &str| serde_json::from_str::<Value>(text).is_ok();
    env(sds, "LOG_LEVEL").is_some() && env(istio, "PROXY_CONFIG").is_some_and(|config| !is_json(config))
}

/// Whether this field manager owns the container.
fn owns(workload: &Value, manager: &str, container: &str) -> bool {
    let key = format!("k:{{\"name\":\"{container}\"}}");
    let managers = workload["metadata"]["managedFields"].as_array();
    managers.into_iter().flatten().any(|entry| {
        let template = &entry["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"];
        entry["manager"] == manager && !template[&key].is_null()
    })
}

/// Why nothing is changed on a proxy that a controller makes.
pub(super) fn against_gateway_api(makers: &Makers) -> Option<Objection> {
    let gateway = makers.gateway_api.as_ref()?;
    Some(
        Objection::new(
            Reason::Managed,
            format!("is made for Gateway {gateway} by Gloo's controller, which would undo the change; nothing changed"),
        )
        .hint(gloo_rs("upgrade-values").after("set global.istioIntegration.enabled in Gloo's Helm values: ")),
    )
}

/// Why nothing is changed on a proxy whose xDS goes through the cluster.
pub(super) fn against_gloo_mtls(makers: &Makers) -> Option<Objection> {
    makers.gloo_mtls.then(|| {
        Objection::new(Reason::Managed, "has glooMtls, whose xDS goes through gateway_proxy_sds; nothing changed")
            .hint(gloo_rs("upgrade-values").after("change Istio in the Helm values next to glooMtls: "))
    })
}

/// Why the sidecars that the chart renders are not changed beside it.
pub(super) fn against_chart(makers: &Makers, hint: impl Into<Hint>) -> Option<Objection> {
    makers.chart_sidecars.then(|| {
        Objection::new(Reason::Managed, "has its sidecars from Helm values that set up Istio; nothing changed")
            .hint(hint)
    })
}

/// Why a container cannot be added: names are unique in a pod.
pub(super) fn against_init_containers(proxy: &GatewayProxy) -> Option<Objection> {
    let init = &proxy.pod_spec()["initContainers"];
    let name = [SDS, ISTIO_PROXY].into_iter().find(|name| item(init, name).is_some())?;
    Some(
        Objection::new(Reason::Managed, format!("has an init container {name} not added by gloo-rs; nothing changed"))
            .hint("remove it where it was added, then run this again"),
    )
}
