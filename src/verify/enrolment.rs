//! Whether the injector does what a namespace's label asks for, before anything starts anew and after.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::error::Failure;
use crate::kube::{ApiError, Cause, DryRun, Query, Scope, Session};
use crate::model::{Object, kinds};
use crate::plan::advice::{Advice, Code};
use crate::plan::enrolment::pods::holder;
use crate::plan::enrolment::proof;
use crate::plan::labels::workload_selector;
use crate::plan::revisions::injected_by;

/// The API server's webhooks hear of a label a moment after it was written, and istiod may be starting.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(100);
/// How long that moment is taken to be where nobody may try.
const A_MOMENT: Duration = Duration::from_secs(1);

/// What became of a pod that was tried and not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tried {
    AsWanted,
    /// What is wrong with it, or why there can be none.
    Otherwise(String),
    /// It could not be tried.
    Unknown(Advice),
}

/// Lets the API server create a pod in the namespace as a dry run: it asks the injector as it will for every other.
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

/// A pod that the strictest of namespaces admits.
fn bare_pod(namespace: &str) -> Object {
    let security = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    let value = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "gloo-rs-tried", "namespace": namespace},
        "spec": {
            "containers": [{"name": "app", "image": "app", "securityContext": security}],
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        },
    });
    Object::new(&kinds::POD, value)
}

/// A webhook that does not answer is in the way of every pod; what is denied may be this one's own fault.
fn no_pod_at_all(error: &ApiError) -> Option<String> {
    let (Cause::Server { message, .. } | Cause::Invalid(message)) = &error.cause else { return None };
    message
        .contains("failed calling webhook")
        .then(|| message.trim_start_matches("Internal error occurred: ").to_owned())
}

fn untried(namespace: &str, error: ApiError, session: &Session) -> Advice {
    let Failure { message, hints, .. } = error.into_failure(session);
    let note = Advice::note(Code::Unknown, format!("what new pods of {namespace} get is unknown until they exist"));
    hints.into_iter().next().map_or(note.clone(), |hint| note.hint(hint)).details([message])
}

/// What the pods of a workload prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proven {
    /// So many are as wanted, and none is not.
    AsWanted(usize),
    Otherwise(Vec<String>),
    /// They could not be looked at.
    Unknown(Failure),
}

/// Looks at every pod of a workload whose rollout is complete.
pub(crate) async fn prove(session: &Session, workload: &Object, wanted: Option<&str>) -> Proven {
    let query = Query::labelled(workload_selector(&workload.value));
    let pods = session.list_all(&kinds::POD, Scope::Namespace(&workload.reference.namespace), query).await;
    match pods {
        Ok(pods) => match proof::prove(pods.iter().filter(|pod| holder(pod).is(&workload.reference)), wanted) {
            Ok(proven) => Proven::AsWanted(proven),
            Err(wrong) => Proven::Otherwise(wrong),
        },
        Err(error) => Proven::Unknown(error.into_failure(session)),
    }
}
