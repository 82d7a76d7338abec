//! Whether a ztunnel captures the pods of a namespace: istio-cni sets an annotation on each, without a restart.

use serde_json::Value;

use super::Capturing;
use super::pods::is_living;
use crate::plan::pod::{Capture, DATAPLANE_MODE, capture, has_sidecar, requests_ambient};

/// Returns how many pods are as required.
///
/// # Errors
/// The pods that are not, one per line.
pub(crate) fn prove(pods: &[Value], wanted: Capturing) -> Result<usize, Vec<String>> {
    let mut proven = 0;
    let mut wrong = Vec::new();
    // A pod without a network yet is captured when it gets one.
    for pod in pods.iter().filter(|pod| is_living(pod) && pod["status"]["phase"] == "Running") {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        match (wanted, capture(pod, wanted == Capturing::Begins)) {
            (Capturing::Begins, Capture::Proven) | (Capturing::Ends, Capture::No) => proven += 1,
            (Capturing::Begins, Capture::Labelled) => {
                wrong.push(format!("pod {name}: no annotation shows that ztunnel captures it"));
            }
            (Capturing::Ends, Capture::Proven) if !requests_ambient(pod) => {
                wrong.push(format!("pod {name}: its annotation shows that ztunnel still captures it"));
            }
            _ => {}
        }
    }
    if wrong.is_empty() { Ok(proven) } else { Err(wrong) }
}

/// Returns the pods without a sidecar that stay out of the ambient mesh, each with the reason.
pub(super) fn exceptions(pods: &[Value]) -> Vec<String> {
    let stays = |pod: &&Value| is_living(pod) && !has_sidecar(pod) && capture(pod, true) == Capture::No;
    let shown = |pod: &Value| {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        match pod["spec"]["hostNetwork"] == true {
            true => format!("pod {name} uses the host's network"),
            false => format!("pod {name} opts out by {DATAPLANE_MODE}=none"),
        }
    };
    pods.iter().filter(stays).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, labels: &Value, annotations: &Value, on_host: bool) -> Value {
        json!({
            "metadata": {"name": name, "labels": labels, "annotations": annotations},
            "spec": {"hostNetwork": on_host}, "status": {"phase": "Running"},
        })
    }

    #[test]
    fn annotations_prove_what_became_of_each_pod_that_can_be_captured() {
        use Capturing::{Begins, Ends};
        let none = json!({});
        let annotation = json!({"ambient.istio.io/redirection": "enabled"});
        let (in_it, out) = (pod("in", &none, &annotation, false), pod("out", &none, &none, false));
        let opted_out = pod("opted-out", &json!({"istio.io/dataplane-mode": "none"}), &none, false);
        let itself = pod("itself", &json!({"istio.io/dataplane-mode": "ambient"}), &annotation, false);
        let on_host = pod("on-host", &none, &none, true);
        let mut pending = out.clone();
        pending["status"]["phase"] = json!("Pending");
        let shown = |pods: &[&Value], wanted| {
            let pods: Vec<_> = pods.iter().map(|pod| (*pod).clone()).collect();
            prove(&pods, wanted).map_err(|wrong| wrong.len())
        };
        assert_eq!(shown(&[&in_it, &opted_out, &on_host, &pending], Begins), Ok(1));
        assert_eq!(shown(&[&in_it, &out, &out], Begins), Err(2));
        assert_eq!(shown(&[&out, &itself, &on_host], Ends), Ok(2));
        assert_eq!(shown(&[&out, &in_it], Ends), Err(1));
        assert_eq!(shown(&[], Begins), Ok(0));
        assert_eq!(
            exceptions(&[in_it, out, opted_out, on_host]),
            ["pod opted-out opts out by istio.io/dataplane-mode=none", "pod on-host uses the host's network"]
        );
    }
}
