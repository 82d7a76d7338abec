//! Counts the pods to which no policy applies, because they have neither a sidecar nor a ztunnel.

use crate::kube::{Query, Scope, Session};
use crate::load::unread;
use crate::model::kinds;
use crate::model::names::RUNNING;
use crate::plan::Unread;
use crate::plan::peer::change;

/// The number of pods to which no policy applies, and the names of some, such as `shop/cart-1`.
#[derive(Debug, Default)]
pub(crate) struct OutOfReach {
    pub total: usize,
    pub count: usize,
    pub some: Vec<String>,
}

/// The pods of a scope to which no policy applies, counted page by page.
///
/// # Errors
/// Why they could not be listed.
pub(crate) async fn out_of_reach(session: &Session, scope: &change::PolicyScope) -> Result<OutOfReach, Unread> {
    const SOME: usize = 10;
    let (place, labels) = match scope {
        change::PolicyScope::Mesh => (Scope::All, String::new()),
        change::PolicyScope::Namespace(namespace) => (Scope::Namespace(namespace), String::new()),
        change::PolicyScope::Workload { namespace, labels } => (Scope::Namespace(namespace), change::shown(labels)),
    };
    let query = Query { fields: RUNNING.into(), metadata_only: true, labels, ..Query::default() };
    let mut pages = session.pages(&kinds::POD, place, query);
    let mut counted = OutOfReach::default();
    loop {
        match pages.next().await {
            Ok(Some(page)) => {
                for pod in &page.items {
                    counted.total += 1;
                    if !crate::plan::pod::obeys_policies(pod) {
                        counted.count += 1;
                        let text = |key: &str| pod["metadata"][key].as_str().unwrap_or_default();
                        if counted.some.len() < SOME {
                            counted.some.push(format!("{}/{}", text("namespace"), text("name")));
                        }
                    }
                }
            }
            Ok(None) => return Ok(counted),
            Err(error) => return Err(unread::unread(session, error)),
        }
    }
}
