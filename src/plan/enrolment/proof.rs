//! Whether pods are as their namespace requires: with a ready sidecar of the one revision, or without a sidecar.

use serde_json::Value;

use super::pods::is_living;
use crate::plan::revisions::injected_by;
use crate::plan::sidecars::parts::ISTIO_PROXY;

/// Returns how many pods are as required.
///
/// # Errors
/// The problems, one per pod.
pub(crate) fn prove<'p>(pods: impl IntoIterator<Item = &'p Value>, wanted: Option<&str>) -> Result<usize, Vec<String>> {
    let mut proven = 0;
    let mut wrong = Vec::new();
    for pod in pods.into_iter().filter(|pod| is_living(pod)) {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        match against(pod, wanted) {
            None => proven += 1,
            Some(why) => wrong.push(format!("pod {name}: {why}")),
        }
    }
    if wrong.is_empty() { Ok(proven) } else { Err(wrong) }
}

fn against(pod: &Value, wanted: Option<&str>) -> Option<String> {
    let has = injected_by(pod);
    match (has.as_deref(), wanted) {
        (None, None) => return None,
        (Some(has), None) => return Some(format!("still has a sidecar, of {has}")),
        (None, Some(_)) => return Some("has no sidecar".to_owned()),
        (Some(has), Some(wanted)) if has != wanted => return Some(format!("has a sidecar of {has}, not of {wanted}")),
        (Some(_), Some(_)) => {}
    }
    let lists = ["containers", "initContainers"];
    let is_there = lists.iter().any(|list| named(&pod["spec"][list]).is_some());
    let is_ready = ["containerStatuses", "initContainerStatuses"]
        .iter()
        .any(|list| named(&pod["status"][list]).is_some_and(|status| status["ready"] == true));
    match (is_there, is_ready) {
        (false, _) => Some(format!("has no container {ISTIO_PROXY}")),
        (true, false) => Some(format!("container {ISTIO_PROXY} is not ready")),
        (true, true) => None,
    }
}

fn named(list: &Value) -> Option<&Value> {
    list.as_array()?.iter().find(|item| item["name"] == ISTIO_PROXY)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(revision: Option<&str>, list: &str, ready: bool) -> Value {
        let mut pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "app"}]}});
        if let Some(revision) = revision {
            pod["metadata"]["annotations"]["sidecar.istio.io/status"] =
                json!(json!({"revision": revision}).to_string());
        }
        pod["spec"][list] = json!([{"name": ISTIO_PROXY}]);
        let statuses = list.replace("ontainers", "ontainerStatuses");
        pod["status"][statuses] = json!([{"name": ISTIO_PROXY, "ready": ready}]);
        pod
    }

    #[test]
    fn each_pod_is_held_against_what_its_namespace_says() {
        let plain = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "app"}]}});
        let mut hollow = pod(Some("1-28"), "containers", true);
        hollow["spec"]["containers"] = json!([{"name": "app"}]);
        let wrong = |why: &str| Err(vec![format!("pod p: {why}")]);
        let table = [
            (pod(Some("1-28"), "containers", true), Some("1-28"), Ok(1)),
            (pod(Some("1-28"), "initContainers", true), Some("1-28"), Ok(1)),
            (pod(Some("1-28"), "initContainers", false), Some("1-28"), wrong("container istio-proxy is not ready")),
            (pod(Some("1-27"), "containers", true), Some("1-28"), wrong("has a sidecar of 1-27, not of 1-28")),
            (hollow, Some("1-28"), wrong("has no container istio-proxy")),
            (plain.clone(), Some("1-28"), wrong("has no sidecar")),
            (plain, None, Ok(1)),
            (pod(Some("1-28"), "containers", true), None, wrong("still has a sidecar, of 1-28")),
        ];
        for (pod, wanted, judged) in table {
            assert_eq!(prove([&pod], wanted), judged, "{pod}");
        }
    }

    #[test]
    fn pods_that_go_or_have_ended_prove_nothing() {
        let mut going = json!({"metadata": {"name": "p"}});
        going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let ended = json!({"metadata": {"name": "q"}, "status": {"phase": "Succeeded"}});
        assert_eq!(prove([&going, &ended], Some("1-28")), Ok(0));
    }
}
