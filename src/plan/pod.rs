//! A pod's state in a few words.

use serde_json::Value;

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
