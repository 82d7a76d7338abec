//! What a pod says of itself: its state, its place in the mesh, its ports.

use serde_json::Value;

use super::revisions::opts_out;
use crate::command::{Hint, gloo_rs};

/// The label Istio puts on a pod whose sidecar takes mutual TLS (Gloo's own auto-mTLS reads it too).
pub(crate) const TLS_MODE: &str = "security.istio.io/tlsMode";

/// The annotation Istio puts on a pod whose traffic its node's ztunnel takes.
const REDIRECTION: &str = "ambient.istio.io/redirection";

/// `pod x: CrashLoopBackOff (container gateway-proxy)`.
pub(crate) fn why_not(pod: &Value) -> String {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    format!("pod {name}: {}", not_ready(pod).unwrap_or_else(|| "ready, but on no node".into()))
}

/// Why a pod does not answer; `None` if it does.
pub(crate) fn not_ready(pod: &Value) -> Option<String> {
    if !pod["metadata"]["deletionTimestamp"].is_null() {
        return Some("being deleted".into());
    }
    let status = &pod["status"];
    let condition = |kind: &str| status["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind);
    if condition("Ready").is_some_and(|ready| ready["status"] == "True") {
        return None;
    }
    if let Some(false) = condition("PodScheduled").map(|scheduled| scheduled["status"] == "True") {
        let message = condition("PodScheduled").and_then(|scheduled| scheduled["message"].as_str());
        return Some(format!("not scheduled{}", message.map(|text| format!(": {text}")).unwrap_or_default()));
    }
    let containers = ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .flat_map(|key| status[key].as_array().into_iter().flatten());
    let stuck = containers.filter(|container| container["ready"] != true).find_map(|container| {
        let state = &container["state"];
        let reason = state["waiting"]["reason"].as_str().or_else(|| state["terminated"]["reason"].as_str())?;
        Some(format!("{reason} (container {})", container["name"].as_str().unwrap_or_default()))
    });
    Some(stuck.unwrap_or_else(|| format!("{}, not ready", status["phase"].as_str().unwrap_or("Pending"))))
}

/// The pod's port behind one of a Service's: by its number, or by its name in the pod's containers. `None` where
/// they have no such name, or were not read.
pub(crate) fn pod_port(of_service: &Value, pod: &Value) -> Option<u64> {
    let target = &of_service["targetPort"];
    let Some(name) = target.as_str() else { return target.as_u64().or(of_service["port"].as_u64()) };
    let lists = ["containers", "initContainers"].iter().filter_map(|list| pod["spec"][list].as_array());
    let mut ports = lists.flatten().filter_map(|container| container["ports"].as_array()).flatten();
    ports.find(|port| port["name"] == name)?["containerPort"].as_u64()
}

/// What a pod says that has opted out.
pub(crate) const OPTED_OUT: &str = "opted out by sidecar.istio.io/inject=false";
/// What is so of a pod that shares its node's network.
const HOST_NETWORK: &str = "uses the host's network: Istio injects nothing there";

/// Why Istio puts no sidecar into a pod, or into those of a template, whatever their namespace says. Of a pod whose
/// metadata alone was read, only what stands there is known.
pub(crate) fn barred(pod: &Value) -> Option<&'static str> {
    match opts_out(&pod["metadata"]) {
        true => Some(OPTED_OUT),
        false => (pod["spec"]["hostNetwork"] == true).then_some(HOST_NETWORK),
    }
}

/// What makes a pod that is [`barred`] work again, where Istio's TLS is sent to it.
pub(crate) fn unbarred(why: &str, upstream: &str) -> Hint {
    let plain = gloo_rs("istio disable-mtls").with("-u", upstream);
    plain.after(if why == OPTED_OUT { format!("{why}: remove that, or ") } else { format!("{why}; ") })
}

/// Whether somebody at the pod holds its peers to the mesh's policies: its sidecar, or in an ambient mesh the node's
/// ztunnel.
pub(crate) fn obeys_policies(pod: &Value) -> bool {
    is_meshed(pod) || is_ambient(pod)
}

/// Whether the node's ztunnel stands before the pod. It speaks HBONE, not the mutual TLS of a sidecar.
pub(crate) fn is_ambient(pod: &Value) -> bool {
    pod["metadata"]["annotations"][REDIRECTION] == "enabled"
}

/// Whether a pod takes requests: it has not ended and is not being deleted. Where its status was not read, only the
/// latter is known.
pub(crate) fn is_running(pod: &Value) -> bool {
    pod["metadata"]["deletionTimestamp"].is_null()
        && !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// Whether a pod takes Istio's mutual TLS; a sidecar may be an init container, so the label decides.
pub(crate) fn is_meshed(pod: &Value) -> bool {
    pod["metadata"]["labels"][TLS_MODE] == "istio"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_its_namespace_cannot_bring_into_the_mesh_says_why() {
        let of = |pod: Value| barred(&pod);
        for place in ["labels", "annotations"] {
            assert_eq!(of(json!({"metadata": {place: {"sidecar.istio.io/inject": "false"}}})), Some(OPTED_OUT));
            assert_eq!(of(json!({"metadata": {place: {"sidecar.istio.io/inject": "true"}}})), None);
        }
        assert_eq!(of(json!({"spec": {"hostNetwork": true}})), Some(HOST_NETWORK));
        assert_eq!(of(json!({"metadata": {}})), None);
        let way = "opted out by sidecar.istio.io/inject=false: remove that, or gloo-rs istio disable-mtls -u x";
        assert_eq!(unbarred(OPTED_OUT, "x"), way);
    }
}
