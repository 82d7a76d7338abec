//! Checks what Gloo and its proxies report about each other. Like glooctl's checks, it reads from pods by port forward.

use super::look::EnvoySaid;
use super::{Check, FORWARD, Finding, Look, codes};
use crate::command::{gloo_rs, kubectl};
use crate::model::{ObjectRef, kinds};

pub(crate) const ENVOYS: Check = Check {
    title: "Envoy statistics",
    word: "envoy-stats",
    codes: &[&codes::ENVOY_DISCONNECTED, &codes::ENVOY_REFUSES],
    kinds: &[&kinds::POD],
    beyond: FORWARD,
    run: envoys,
};

pub(crate) const XDS: Check = Check {
    title: "xds metrics",
    word: "xds-metrics",
    codes: &[&codes::XDS_OUT_OF_SYNC, &codes::RATE_LIMIT_DISCONNECTED],
    kinds: &[&kinds::POD, &kinds::DEPLOYMENT],
    beyond: FORWARD,
    run: metrics,
};

fn envoys(look: &Look<'_>) -> Vec<Finding> {
    // Marks the pods that were queried as read.
    look.in_namespace(&kinds::POD, look.gloo());
    let Some(envoys) = look.beyond(&look.world.envoys) else { return Vec::new() };
    let found = envoys.iter().flat_map(of_envoy);
    found
        .map(|finding| {
            let gateway = look.workload_of(&finding.object);
            finding.decided_by(gateway)
        })
        .collect()
}

fn of_envoy(said: &EnvoySaid) -> Vec<Finding> {
    let EnvoySaid { namespace, pod, connected, grown, refused } = said;
    let reference = ObjectRef::new(&kinds::POD, namespace.as_str(), pod.as_str());
    let mut found = Vec::new();
    if *connected != Some(true) {
        let message = match connected {
            None => "its Envoy has no connection to a control plane",
            Some(_) => "its Envoy is not connected to Gloo and gets no new configuration",
        };
        let hint = kubectl("logs").value(pod).with("-n", namespace);
        found.push(Finding::new(&codes::ENVOY_DISCONNECTED, &reference, message).hint(hint));
    }
    if !grown.is_empty() || !refused.is_empty() {
        let grown = grown.iter().map(|counter| format!("{counter} increases"));
        found.push(
            Finding::new(&codes::ENVOY_REFUSES, &reference, "its Envoy rejects configuration from Gloo")
                .details(refused.iter().cloned().chain(grown))
                .hint(gloo_rs("proxy logs --name").value(format!("pod/{pod}")).of_installation(namespace)),
        );
    }
    found
}

fn metrics(look: &Look<'_>) -> Vec<Finding> {
    look.in_namespace(&kinds::POD, look.gloo());
    let Some(metrics) = look.beyond(&look.world.metrics) else { return Vec::new() };
    let deployments = look.in_namespace(&kinds::DEPLOYMENT, look.gloo());
    let deployment = |name: &str| ObjectRef::new(&kinds::DEPLOYMENT, look.gloo(), name);
    let mut found = Vec::new();
    if !metrics.out_of_sync.is_empty() {
        let message = "gateway proxies have not applied all configuration from Gloo";
        found.push(
            Finding::new(&codes::XDS_OUT_OF_SYNC, &deployment("gloo"), message)
                .details(metrics.out_of_sync.iter().map(|labels| format!("out of sync: {labels}")))
                .hint(gloo_rs("proxy served-config").of_installation(look.gloo())),
        );
    }
    let has_rate_limit = deployments.iter().any(|it| it.reference.name == "rate-limit");
    if has_rate_limit && metrics.rate_limit_connected == Some(false) {
        let message = "the rate limit server is not connected to Gloo and gets no new configuration";
        found.push(
            Finding::new(&codes::RATE_LIMIT_DISCONNECTED, &deployment("rate-limit"), message)
                .hint(kubectl("logs deployment/rate-limit -n").value(look.gloo())),
        );
    }
    if !metrics.counts_xds && found.is_empty() {
        // The same text as in glooctl.
        look.skip("No xds metrics to check");
    }
    found
}
