//! The pods behind the Upstream, with what can explain a response.

use jiff::Timestamp;
use serde_json::Value;

use crate::plan::labels::labels;
use crate::plan::pod::{barred, is_ambient, is_meshed};
use crate::plan::sidecars::parts::ISTIO_PROXY;

/// The maximum age in seconds of a restart that may explain the response.
const RECENT_SECONDS: i64 = 3600;
/// The annotations that exclude ports from the sidecar, so that its policies do not apply to them (Istio, resource
/// annotations).
const AROUND: [&str; 2] =
    ["traffic.sidecar.istio.io/excludeInboundPorts", "traffic.sidecar.istio.io/includeInboundPorts"];

/// A pod behind the Upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BackendPod {
    pub name: String,
    pub ips: Vec<String>,
    /// Whether it accepts Istio's mutual TLS.
    pub is_meshed: bool,
    /// Whether its sidecar is ready. `None` if it has no container with that name.
    pub sidecar_ready: Option<bool>,
    pub is_ready: bool,
    /// Containers that restarted less than an hour ago: `restarted 4m ago, OOMKilled`.
    pub restarts: Vec<String>,
    /// The annotation that excludes ports from the sidecar.
    pub around_sidecar: Option<String>,
    /// Why it gets no sidecar, whatever its namespace's labels are.
    pub barred: Option<&'static str>,
    /// Whether it is in the ambient mesh.
    pub is_ambient: bool,
}

impl BackendPod {
    /// Reads a pod. `None` for one that is being deleted, because it gets no new requests.
    pub(crate) fn read(pod: &Value, now: Timestamp) -> Option<Self> {
        let metadata = &pod["metadata"];
        if !metadata["deletionTimestamp"].is_null() {
            return None;
        }
        let statuses = || {
            let lists = ["containerStatuses", "initContainerStatuses"].into_iter();
            lists.filter_map(|list| pod["status"][list].as_array()).flatten()
        };
        let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        let mut ips: Vec<String> =
            pod["status"]["podIPs"].as_array().into_iter().flatten().filter_map(|ip| text(&ip["ip"])).collect();
        ips.extend(text(&pod["status"]["podIP"]).filter(|ip| !ips.contains(ip)));
        let annotations = labels(&metadata["annotations"]);
        let around = AROUND.into_iter().find_map(|key| {
            let value = annotations.get(key).filter(|value| !value.is_empty() && *value != "*")?;
            Some(format!("{key}: {value}"))
        });
        Some(Self {
            name: text(&metadata["name"]).unwrap_or_default(),
            ips,
            is_meshed: is_meshed(pod),
            sidecar_ready: statuses()
                .find(|status| status["name"] == ISTIO_PROXY)
                .map(|status| status["ready"] == true),
            is_ready: conditions.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "True"),
            restarts: statuses().filter_map(|status| restart(status, now)).collect(),
            around_sidecar: around,
            barred: barred(pod),
            is_ambient: is_ambient(pod),
        })
    }

    /// Returns whether its sidecar is ready and covers every port.
    pub(crate) fn is_guarded(&self) -> bool {
        self.is_meshed && self.sidecar_ready == Some(true) && self.around_sidecar.is_none()
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// Returns a text for a container that ended recently and was restarted, or waits for the restart.
fn restart(status: &Value, now: Timestamp) -> Option<String> {
    let name = status["name"].as_str().unwrap_or_default();
    let ended = &status["lastState"]["terminated"];
    let at: Timestamp = ended["finishedAt"].as_str()?.parse().ok()?;
    let seconds = now.as_second().saturating_sub(at.as_second());
    if status["restartCount"].as_u64().unwrap_or_default() == 0 || seconds > RECENT_SECONDS {
        return None;
    }
    let ago = match seconds.max(0) {
        seconds @ 0..60 => format!("{seconds}s ago"),
        seconds => format!("{}m ago", seconds / 60),
    };
    let why = ended["reason"].as_str().unwrap_or("unknown reason");
    Some(format!("{name} restarted {ago}, {why}"))
}

/// Returns the restarts of all pods, each after its pod's name.
pub(crate) fn restarts(pods: &[BackendPod]) -> Vec<String> {
    pods.iter().flat_map(|pod| pod.restarts.iter().map(|said| format!("pod {} {said}", pod.name))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod() -> Value {
        json!({
            "metadata": {"name": "cart-1", "labels": {"security.istio.io/tlsMode": "istio"}},
            "status": {
                "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "cart", "ready": true, "restartCount": 2, "lastState": {
                    "terminated": {"reason": "OOMKilled", "finishedAt": "2026-01-01T00:00:00Z"}}}],
                "initContainerStatuses": [{"name": "istio-proxy", "ready": true, "restartCount": 0}],
            },
        })
    }

    fn at(pod: &Value, now: &str) -> Option<BackendPod> {
        BackendPod::read(pod, now.parse().unwrap())
    }

    #[test]
    fn a_native_sidecar_guards_a_pod_and_a_late_restart_is_told() {
        let read = at(&pod(), "2026-01-01T00:04:10Z").unwrap();
        assert!(read.is_guarded() && read.is_ready);
        assert_eq!(read.ips, ["10.0.0.1", "fd00::1"]);
        assert_eq!(restarts(&[read]), ["pod cart-1 cart restarted 4m ago, OOMKilled"]);
        assert!(at(&pod(), "2026-01-01T02:00:00Z").unwrap().restarts.is_empty());
    }

    #[test]
    fn what_goes_around_the_sidecar_is_not_guarded() {
        let mut around = pod();
        around["metadata"]["annotations"] = json!({"traffic.sidecar.istio.io/excludeInboundPorts": "8080"});
        assert!(!at(&around, "2026-01-01T02:00:00Z").unwrap().is_guarded());
        around["metadata"]["annotations"] = json!({"traffic.sidecar.istio.io/includeInboundPorts": "*"});
        assert!(at(&around, "2026-01-01T02:00:00Z").unwrap().is_guarded());
    }

    #[test]
    fn a_pod_that_goes_takes_no_request_and_one_without_status_is_not_ready() {
        let mut leaving = pod();
        leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(at(&leaving, "2026-01-01T00:00:00Z"), None);
        let bare = at(&json!({"metadata": {"name": "x"}}), "2026-01-01T00:00:00Z").unwrap();
        assert!(!bare.is_ready && !bare.is_meshed && bare.sidecar_ready.is_none());
    }
}
