//! What a pod shows about itself: its state, its membership in the mesh, its ports.

use serde_json::Value;

use super::revisions::opts_out;
use crate::command::{CommandLine, Hint, gloo_rs};

/// The label that Istio sets on a pod whose sidecar accepts mutual TLS (Gloo's own auto-mTLS reads it too).
pub(crate) const TLS_MODE: &str = "security.istio.io/tlsMode";

/// The annotation that Istio sets on a pod whose traffic is redirected to the node's ztunnel.
pub(crate) const REDIRECTION: &str = "ambient.istio.io/redirection";

/// The label of ambient mode, on a namespace or a pod.
pub(crate) const DATAPLANE_MODE: &str = "istio.io/dataplane-mode";

/// The annotation that Istio's injector sets on a pod with a sidecar. istio-cni leaves such a pod to its sidecar.
pub(crate) const SIDECAR_STATUS: &str = "sidecar.istio.io/status";

/// The label that the injector sets on a pod whose sidecar accepts HBONE. Only with it does a ztunnel send HBONE there.
const TUNNEL: &str = "networking.istio.io/tunnel";

/// Whether a ztunnel carries the traffic of a pod, by what the pod and its namespace show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capture {
    /// Its annotation says so.
    Proven,
    /// A label requests it, but no annotation shows that it happened.
    Labelled,
    No,
}

/// Returns `pod x: CrashLoopBackOff (container gateway-proxy)`.
pub(crate) fn why_not(pod: &Value) -> String {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    format!("pod {name}: {}", not_ready(pod).unwrap_or_else(|| "ready, but on no node".into()))
}

/// Returns why a pod does not answer. `None` if it does.
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

/// Returns the pod's port behind a Service's port: by number, or by its name in the pod's containers. `None` if no
/// container has the name, or if the containers were not read.
pub(crate) fn pod_port(of_service: &Value, pod: &Value) -> Option<u64> {
    let target = &of_service["targetPort"];
    let Some(name) = target.as_str() else { return target.as_u64().or(of_service["port"].as_u64()) };
    let lists = ["containers", "initContainers"].iter().filter_map(|list| pod["spec"][list].as_array());
    let mut ports = lists.flatten().filter_map(|container| container["ports"].as_array()).flatten();
    ports.find(|port| port["name"] == name)?["containerPort"].as_u64()
}

/// The message for a pod that has opted out.
pub(crate) const OPTED_OUT: &str = "opted out by sidecar.istio.io/inject=false";
/// The message for a pod that uses its node's network.
const HOST_NETWORK: &str = "uses the host's network: Istio injects nothing there";

/// Returns why Istio adds no sidecar to a pod, or to those of a template, whatever their namespace's labels are. If
/// only the metadata of a pod was read, only the opt-out is known.
pub(crate) fn barred(pod: &Value) -> Option<&'static str> {
    match opts_out(&pod["metadata"]) {
        true => Some(OPTED_OUT),
        false => (pod["spec"]["hostNetwork"] == true).then_some(HOST_NETWORK),
    }
}

/// Returns the command after which the gateways send plaintext to an Upstream, unless auto-mTLS is on.
pub(crate) fn plaintext(upstream: &str) -> CommandLine {
    gloo_rs("istio disable-mtls").with("-u", upstream)
}

/// Returns the fix for a pod that is [`barred`] and to which Istio's TLS is sent. `command` works without a sidecar.
pub(crate) fn unbarred(why: &str, command: CommandLine) -> Hint {
    command.after(if why == OPTED_OUT { format!("{why}: remove that, or ") } else { format!("{why}; ") })
}

/// Returns `pod shop/cart-1`, or `pods of deployment shop/cart` for the template of a workload in a file, whose name has
/// its kind. `place` is the namespace with a slash, or empty.
pub(crate) fn shown(place: &str, name: &str) -> String {
    match name.split_once('/') {
        Some((kind, workload)) => format!("pods of {kind} {place}{workload}"),
        None => format!("pod {place}{name}"),
    }
}

/// Returns whether the mesh's policies are enforced at the pod, by its sidecar or, in an ambient mesh, by the node's
/// ztunnel.
pub(crate) fn obeys_policies(pod: &Value) -> bool {
    is_meshed(pod) || is_ambient(pod)
}

/// Returns whether the pod is behind the node's ztunnel. It accepts HBONE, not the mutual TLS of a sidecar.
pub(crate) fn is_ambient(pod: &Value) -> bool {
    pod["metadata"]["annotations"][REDIRECTION] == "enabled"
}

/// Returns whether a ztunnel carries the pod's traffic, by the rules of istio-cni. A sidecar takes precedence, and the
/// host's network is never captured. If only the metadata of a pod was read, its network is not known.
pub(crate) fn capture(pod: &Value, namespace_is_ambient: bool) -> Capture {
    let metadata = &pod["metadata"];
    if has_sidecar(pod) || pod["spec"]["hostNetwork"] == true {
        return Capture::No;
    }
    match metadata["labels"][DATAPLANE_MODE].as_str() {
        _ if is_ambient(pod) => Capture::Proven,
        Some("ambient") => Capture::Labelled,
        Some("none") => Capture::No,
        _ if namespace_is_ambient => Capture::Labelled,
        _ => Capture::No,
    }
}

/// Returns whether the pod has a sidecar of Istio's injector. The sidecars of a gateway are not from there.
pub(crate) fn has_sidecar(pod: &Value) -> bool {
    is_meshed(pod) || pod["metadata"]["annotations"][SIDECAR_STATUS].is_string()
}

/// Returns whether the labels of a namespace, or of a pod, request the ambient mesh.
pub(crate) fn requests_ambient(value: &Value) -> bool {
    value["metadata"]["labels"][DATAPLANE_MODE] == "ambient"
}

/// Returns whether the pod's sidecar accepts HBONE.
pub(crate) fn accepts_hbone(pod: &Value) -> bool {
    let protocols = pod["metadata"]["labels"][TUNNEL].as_str().unwrap_or_default();
    is_meshed(pod) && protocols.split(',').any(|protocol| protocol == "http")
}

/// Returns whether a pod gets requests: it has not ended and is not being deleted. If its status was not read, only the
/// deletion is known.
pub(crate) fn is_running(pod: &Value) -> bool {
    pod["metadata"]["deletionTimestamp"].is_null()
        && !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// Returns whether a pod accepts Istio's mutual TLS. The label is checked, because a sidecar may be an init container.
pub(crate) fn is_meshed(pod: &Value) -> bool {
    pod["metadata"]["labels"][TLS_MODE] == "istio"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_is_captured_by_its_annotation_and_never_beside_a_sidecar() {
        let pod =
            |labels: Value, annotations: Value| json!({"metadata": {"labels": labels, "annotations": annotations}});
        let none = || json!({});
        let redirected = || json!({REDIRECTION: "enabled"});
        let asks = || json!({DATAPLANE_MODE: "ambient"});
        let opts_out = || json!({DATAPLANE_MODE: "none"});
        let meshed = || json!({TLS_MODE: "istio", DATAPLANE_MODE: "ambient"});
        let on_host = json!({"metadata": {"labels": asks()}, "spec": {"hostNetwork": true}});
        for (pod, alone, in_ambient) in [
            (pod(none(), none()), Capture::No, Capture::Labelled),
            (pod(none(), redirected()), Capture::Proven, Capture::Proven),
            (pod(asks(), none()), Capture::Labelled, Capture::Labelled),
            (pod(asks(), redirected()), Capture::Proven, Capture::Proven),
            (pod(opts_out(), none()), Capture::No, Capture::No),
            (pod(json!({DATAPLANE_MODE: "other"}), none()), Capture::No, Capture::Labelled),
            (pod(meshed(), redirected()), Capture::No, Capture::No),
            (pod(asks(), json!({SIDECAR_STATUS: "{}", REDIRECTION: "enabled"})), Capture::No, Capture::No),
            (on_host, Capture::No, Capture::No),
        ] {
            assert_eq!((capture(&pod, false), capture(&pod, true)), (alone, in_ambient), "{pod}");
        }
    }

    #[test]
    fn only_the_label_of_the_injector_shows_that_a_sidecar_accepts_hbone() {
        let sidecar = |tunnel: Value| json!({"metadata": {"labels": {TLS_MODE: "istio", TUNNEL: tunnel}}});
        let all = [sidecar(json!("http")), sidecar(json!("h2,http")), sidecar(json!("h2")), sidecar(Value::Null)];
        assert_eq!(all.each_ref().map(accepts_hbone), [true, true, false, false]);
        assert!(!accepts_hbone(&json!({"metadata": {"labels": {TUNNEL: "http"}}})));
    }

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
        assert_eq!(unbarred(OPTED_OUT, plaintext("x")), way);
    }
}
