//! Reads whether the ztunnel of an ambient mesh is ready.

use super::unread::why;
use crate::kube::{ApiCause, ApiError, Query, Scope, Session};
use crate::model::{Object, Snapshot, Unknown, kinds};
use crate::plan::pod::{is_ambient, requests_ambient};

/// The label of ztunnel's `DaemonSet` and pods.
const ZTUNNEL: &str = "app=ztunnel";

/// The label selector of the namespaces in the ambient mesh.
pub(crate) const NAMESPACES: &str = "istio.io/dataplane-mode=ambient";

/// Adds the `DaemonSet`s of ztunnel if a namespace or a pod shows the ambient mesh, so that a cluster without it costs no
/// request.
pub(crate) async fn ask(session: &Session, snapshot: &mut Snapshot) {
    let shows_it = |object: &Object| is_ambient(&object.value) || requests_ambient(&object.value);
    let mut objects = snapshot.all(&kinds::POD).iter().chain(snapshot.all(&kinds::NAMESPACE));
    if objects.any(shows_it) {
        ask_anyway(session, snapshot).await;
    }
}

/// Adds the `DaemonSet`s of ztunnel, or why they are unknown, unless they are there already.
pub(crate) async fn ask_anyway(session: &Session, snapshot: &mut Snapshot) {
    if snapshot.ztunnels().is_none() {
        snapshot.put_ztunnels(ztunnels(session).await.map_err(|error| unknown(&error)));
    }
}

/// The `DaemonSet`s of ztunnel.
///
/// # Errors
/// They cannot be listed.
pub(crate) async fn ztunnels(session: &Session) -> Result<Vec<Object>, ApiError> {
    let found = session.list_all(&kinds::DAEMON_SET, Scope::All, Query::labelled(ZTUNNEL)).await?;
    Ok(found.into_iter().map(|value| Object::new(&kinds::DAEMON_SET, value)).collect())
}

/// Why the `DaemonSet`s are unknown.
fn unknown(error: &ApiError) -> Unknown {
    let rule = match &error.cause {
        ApiCause::Forbidden { rule, .. } => rule.clone(),
        _ => None,
    };
    Unknown { why: why(error), rule }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::pod::DATAPLANE_MODE;

    #[test]
    fn the_selector_names_the_label_of_the_model() {
        assert_eq!(NAMESPACES, format!("{DATAPLANE_MODE}=ambient"));
    }
}
