//! The proof of an injection: both sidecars ready in each pod, and the cluster in Envoy's own list.

use serde_json::Value;

use crate::error::{Exit, Failure, Reason};
use crate::kube::{Query, Scope, Session};
use crate::model::{Object, kinds};
use crate::plan::Unread;
use crate::plan::advice::Advice;
use crate::plan::labels::workload_selector;
use crate::plan::proxy_pods::ADMIN_PORT;
use crate::plan::sidecars::parts::{ISTIO_PROXY, SDS};

/// What was proven, and what could not be looked at.
pub(crate) struct SidecarsProof {
    pub line: String,
    pub advice: Option<Advice>,
}

/// Looks at the pods of a workload whose rollout is complete.
///
/// The sds container is ready only once the certificate files are there, so its readiness is istiod's answer.
///
/// # Errors
/// A pod without ready sidecars, or an Envoy without the cluster: applied, and not confirmed.
pub(crate) async fn prove(session: &Session, workload: &Object, cluster: &str) -> Result<SidecarsProof, Failure> {
    let namespace = &workload.reference.namespace;
    let query = Query::labelled(workload_selector(&workload.value));
    let pods = session.list_all(&kinds::POD, Scope::Namespace(namespace), query).await;
    let pods = pods.map_err(|error| unconfirmed(error.into_failure(session).message))?;
    let living: Vec<_> = pods.iter().filter(|pod| is_living(pod)).collect();
    for pod in &living {
        let pod_name = pod["metadata"]["name"].as_str().unwrap_or_default();
        for name in [SDS, ISTIO_PROXY] {
            let ready = ["containerStatuses", "initContainerStatuses"]
                .iter()
                .filter_map(|list| pod["status"][list].as_array())
                .flatten()
                .any(|status| status["name"] == name && status["ready"] == true);
            if !ready {
                return Err(unconfirmed(format!("container {name} of pod {pod_name} is not ready")));
            }
        }
    }
    let Some(pod) = living.first().and_then(|pod| pod["metadata"]["name"].as_str()) else {
        return Ok(SidecarsProof { line: "verified: nothing, the workload has no pods".to_owned(), advice: None });
    };
    let sidecars = "verified: sds and istio-proxy ready";
    match session.get_in_pod(namespace, pod, ADMIN_PORT, "/clusters").await {
        Ok(body) if String::from_utf8_lossy(&body).lines().any(|line| line.starts_with(&format!("{cluster}::"))) => {
            Ok(SidecarsProof { line: format!("{sidecars}, {cluster} in Envoy's clusters"), advice: None })
        }
        Ok(_) => Err(unconfirmed(format!("Envoy in pod {pod} has no cluster {cluster}"))),
        Err(failure) => {
            let why = Unread { why: failure.why(), rule: failure.rule(), failure: None };
            let advice = Advice::unknown(&format!("Envoy's clusters in pod {pod} are unknown"), &why);
            Ok(SidecarsProof { line: sidecars.to_owned(), advice: Some(advice) })
        }
    }
}

/// Neither on its way out nor over, as an evicted pod is that nobody has cleared away.
fn is_living(pod: &Value) -> bool {
    let is_over = pod["status"]["phase"] == "Failed" || pod["status"]["phase"] == "Succeeded";
    pod["metadata"]["deletionTimestamp"].is_null() && !is_over
}

fn unconfirmed(message: String) -> Failure {
    Failure::new(Exit::Unconfirmed, Reason::Rollout, message).detail("applied, not verified")
}
