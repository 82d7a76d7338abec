//! Checks that the gateway proxies have both the sidecars and the cluster in their bootstrap, or neither.

use super::{Check, Finding, Look, codes};
use crate::command::{CommandLine, gloo_rs};
use crate::model::{Unknown, kinds};
use crate::plan::sidecars::parts::{ISTIO_PROXY, SDS};
use crate::plan::sidecars::state::{Extent, SidecarPart, SidecarState, state};
use crate::plan::sidecars::{GatewayProxy, Pods, makers};

pub(super) const CHECK: Check = Check {
    title: "gateway sidecars",
    word: "sidecars",
    codes: &[
        &codes::CLUSTER_WITHOUT_SIDECARS,
        &codes::SIDECARS_WITHOUT_CLUSTER,
        &codes::ONE_SIDECAR,
        &codes::INCOMPLETE_SIDECARS,
        &codes::PODS_OLDER_THAN_BOOTSTRAP,
    ],
    kinds: &[&kinds::DEPLOYMENT, &kinds::DAEMON_SET, &kinds::CONFIG_MAP, &kinds::POD],
    beyond: &[],
    run,
};

fn run(look: &Look<'_>) -> Vec<Finding> {
    let gateways = look.gateways().iter();
    let found = gateways.filter_map(|proxy| Some((proxy, check_proxy(proxy, &known(look, proxy)?)?)));
    found
        .map(|(proxy, finding)| {
            let is_old = finding.code == &codes::PODS_OLDER_THAN_BOOTSTRAP;
            finding.hint(if is_old { restart(proxy) } else { look.fix(proxy).command() })
        })
        .collect()
}

/// The state of the sidecars. `None` if the bootstrap is unknown or cannot be read.
pub(super) fn known(look: &Look<'_>, proxy: &GatewayProxy) -> Option<SidecarState> {
    if proxy.bootstrap.is_none() && look.world.snapshot.unknown_in(&kinds::CONFIG_MAP, look.gloo()).is_some() {
        return None;
    }
    match state(proxy) {
        Ok(state) => {
            if let Some(unknown) = &state.doubt {
                look.gap(unknown);
            }
            Some(state)
        }
        Err(refusal) => {
            let name = &proxy.workload.reference.name;
            look.gap(&Unknown::because(format!("the bootstrap of {name} cannot be read: {}", refusal.why)));
            None
        }
    }
}

/// Whether a proxy has no part of Istio. If xDS itself uses the cluster, the cluster does not count as a part.
pub(super) fn is_without(proxy: &GatewayProxy, state: &SidecarState) -> bool {
    let no_istio_proxy = state.lacks(&SidecarPart::Container(ISTIO_PROXY));
    match makers(proxy).gloo_mtls {
        true => no_istio_proxy,
        false => state.extent() == Extent::Clean,
    }
}

fn check_proxy(proxy: &GatewayProxy, state: &SidecarState) -> Option<Finding> {
    if is_without(proxy, state) || state.missing.is_empty() {
        return None;
    }
    let (sds, istio) = (!state.lacks(&SidecarPart::Container(SDS)), !state.lacks(&SidecarPart::Container(ISTIO_PROXY)));
    let finding = |code, message: String| Finding::new(code, &proxy.workload.reference, message);
    Some(match (sds, istio, !state.lacks(&SidecarPart::Cluster)) {
        (false, false, true) => finding(
            &codes::CLUSTER_WITHOUT_SIDECARS,
            "the bootstrap has gateway_proxy_sds, but the pods have neither sds nor istio-proxy".into(),
        ),
        // Volumes alone have no effect.
        (false, false, false) => return None,
        (true, true, false) => finding(
            &codes::SIDECARS_WITHOUT_CLUSTER,
            "the pods have both sidecars, but the bootstrap lacks gateway_proxy_sds".into(),
        ),
        (true, true, true) if state.needs_only_restart() => finding(
            &codes::PODS_OLDER_THAN_BOOTSTRAP,
            "pods run without gateway_proxy_sds: they started before it was in the bootstrap".into(),
        )
        .details(old_pods(proxy)),
        (true, true, true) => finding(&codes::INCOMPLETE_SIDECARS, "parts of the sidecars are missing".into())
            .details(state.missing.iter().map(ToString::to_string)),
        (has_sds, _, _) => {
            let (there, missing) = if has_sds { (SDS, ISTIO_PROXY) } else { (ISTIO_PROXY, SDS) };
            finding(&codes::ONE_SIDECAR, format!("the pods have {there} but no {missing}"))
        }
    })
}

fn old_pods(proxy: &GatewayProxy) -> Vec<String> {
    let Pods::Seen(pods) = &proxy.pods else { return Vec::new() };
    let lacking = pods.iter().filter(|pod| pod.has_cluster == Some(Ok(false)));
    lacking.map(|pod| pod.object.reference.to_string()).collect()
}

fn restart(proxy: &GatewayProxy) -> CommandLine {
    let reference = &proxy.workload.reference;
    gloo_rs("proxy restart").value(reference.to_string()).of_installation(&reference.namespace)
}
