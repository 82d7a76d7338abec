//! Verifies an injection: both sidecars are ready in each pod, and Envoy's own list contains the cluster.

use serde_json::Value;

use crate::error::{Exit, Failure, Reason};
use crate::kube::{Query, Scope, Session};
use crate::load::loaded;
use crate::model::{Object, kinds};
use crate::plan::Unread;
use crate::plan::advice::Advice;
use crate::plan::labels::workload_selector;
use crate::plan::proxy_pods::ADMIN_PORT;
use crate::plan::rollout;
use crate::plan::sidecars::parts::{ISTIO_PROXY, SDS};

/// What was verified, and what could not be checked.
pub(crate) struct SidecarsProof {
    pub line: String,
    pub advice: Option<Advice>,
}

/// Checks the pods of a workload whose rollout is complete.
///
/// The sds container is only ready once the certificate files
/// exist, so its readiness shows that istiod has issued them.
///
/// # Errors
/// A pod has no ready sidecars, or an Envoy lacks the cluster: applied, not verified.
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
        let wanted = rollout::wanted(&workload.value);
        if wanted > 0 {
            return Err(unconfirmed(format!("{}: 0 of {wanted} pods exist", workload.reference)));
        }
        return Ok(SidecarsProof { line: "verified: nothing, the workload has no pods".to_owned(), advice: None });
    };
    let sidecars = "verified: sds and istio-proxy ready";
    match session.get_in_pod(namespace, pod, ADMIN_PORT, "/clusters").await {
        Ok(body) if loaded::lists(&body, cluster) => {
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

/// Whether a pod is neither being deleted nor finished. An evicted pod remains until it is cleaned up.
fn is_living(pod: &Value) -> bool {
    let is_over = pod["status"]["phase"] == "Failed" || pod["status"]["phase"] == "Succeeded";
    pod["metadata"]["deletionTimestamp"].is_null() && !is_over
}

fn unconfirmed(message: String) -> Failure {
    Failure::new(Exit::Unconfirmed, Reason::Rollout, message).detail("applied, not verified")
}
