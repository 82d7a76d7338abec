//! Checks whether the injector does what a namespace's label requests, before and after workloads are restarted.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::error::Failure;
use crate::kube::{ApiCause, ApiError, DryRun, Query, Scope, Session};
use crate::model::{Object, kinds};
use crate::plan::advice::{Advice, Code};
use crate::plan::enrolment::pods::holder;
use crate::plan::enrolment::proof;
use crate::plan::labels::workload_selector;
use crate::plan::revisions::injected_by;

/// Time limit. The API server's webhooks see a new label after a moment, and istiod may be starting.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(100);
/// How long to wait for that moment if a test pod is not allowed.
const A_MOMENT: Duration = Duration::from_secs(1);

/// The result of a test pod that was only created as a dry run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tried {
    AsWanted,
    /// What is wrong with the pod, or why none can be created.
    Otherwise(String),
    /// It could not be tested.
    Unknown(Advice),
}

/// Creates a pod in the namespace as a server-side dry run, for
/// which the API server calls the injector as for any other.
pub(crate) async fn try_pod(
    session: &Session,
    namespace: &str,
    wanted: Option<&str>,
    stopped: &dyn Fn() -> bool,
) -> Tried {
    let begun = Instant::now();
    let pod = bare_pod(namespace);
    loop {
        let wrong = match session.create(&pod, DryRun::Server).await {
            Ok(made) => match (injected_by(&made), wanted) {
                (has, wanted) if has.as_deref() == wanted => return Tried::AsWanted,
                (None, _) => "a new pod would get no sidecar".to_owned(),
                (Some(has), _) => format!("a new pod would get a sidecar of {has}"),
            },
            Err(error) => {
                let Some(why) = no_pod_at_all(&error) else {
                    sleep(A_MOMENT).await;
                    return Tried::Unknown(untried(namespace, error, session));
                };
                why
            }
        };
        if stopped() || begun.elapsed() >= PATIENCE {
            return Tried::Otherwise(wrong);
        }
        sleep(PAUSE).await;
    }
}

/// A pod that even a namespace with the strictest policy admits. It names its `ServiceAccount`: the injector adds a volume
/// with a token of it, and without the plugin `ServiceAccount` the API server does not fill in the name.
fn bare_pod(namespace: &str) -> Object {
    let security = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    let value = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "gloo-rs-tried", "namespace": namespace},
        "spec": {
            "serviceAccountName": "default",
            "containers": [{"name": "app", "image": "app", "securityContext": security}],
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        },
    });
    Object::new(&kinds::POD, value)
}

/// Why no pod at all can be created. A webhook that does not answer
/// blocks every pod; other denials may concern only this one.
fn no_pod_at_all(error: &ApiError) -> Option<String> {
    let (ApiCause::Server { message, .. } | ApiCause::Invalid(message)) = &error.cause else { return None };
    message
        .contains("failed calling webhook")
        .then(|| message.trim_start_matches("Internal error occurred: ").to_owned())
}

fn untried(namespace: &str, error: ApiError, session: &Session) -> Advice {
    let Failure { message, hints, .. } = error.into_failure(session);
    let note = Advice::note(Code::Unknown, format!("what new pods of {namespace} get is unknown until they exist"));
    hints.into_iter().next().map_or(note.clone(), |hint| note.hint(hint)).details([message])
}

/// The result of checking the pods of a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proven {
    /// Number of pods, which are all as wanted.
    AsWanted(usize),
    Otherwise(Vec<String>),
    /// They could not be checked.
    Unknown(Failure),
}

/// Checks every pod of a workload whose rollout is complete with this number of pods.
pub(crate) async fn prove(session: &Session, workload: &Object, expected: u64, wanted: Option<&str>) -> Proven {
    let query = Query::labelled(workload_selector(&workload.value));
    let pods = session.list_all(&kinds::POD, Scope::Namespace(&workload.reference.namespace), query).await;
    match pods {
        Ok(pods) => match proof::prove(pods.iter().filter(|pod| holder(pod).is(&workload.reference)), wanted) {
            Ok(proven) if (proven as u64) < expected => {
                Proven::Otherwise(vec![format!("only {proven} of {expected} pods exist")])
            }
            Ok(proven) => Proven::AsWanted(proven),
            Err(wrong) => Proven::Otherwise(wrong),
        },
        Err(error) => Proven::Unknown(error.into_failure(session)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_pod_names_its_service_account_and_keeps_to_the_strictest_policy() {
        let pod = bare_pod("shop").value;
        assert_eq!(pod["spec"]["serviceAccountName"], "default");
        assert_eq!(pod["spec"]["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["metadata"]["namespace"], "shop");
    }
}
