//! The revision of istiod that setup takes if none is named and there are several.

use crate::kube::Session;
use crate::load::istio;
use crate::model::kinds;
use crate::plan::istiod;
use crate::plan::revisions::{behind, bond};

/// The revision or tag that is there already: the one with the address that the proxy uses, or else the one that the namespaces are
/// bound to. `None` if they have none or different ones, or if there is nothing to choose from.
pub(super) async fn revision_in_use(session: &Session, address: Option<&str>, namespaces: &[String]) -> Option<String> {
    // What may not be read is reported by the step that needs it.
    let istiods = istio::istiods(session, None).await.ok().filter(|all| all.len() > 1)?;
    if let Some(address) = address {
        return istiod::revision_in_use(&istiods, [address]);
    }
    let mut bound = Vec::new();
    for namespace in namespaces {
        let namespace = session.get(&kinds::NAMESPACE, "", namespace).await.ok()?;
        bound.extend(bond(&namespace).map(|(_, names)| names.to_owned()));
    }
    bound.dedup();
    let [only] = &bound[..] else { return None };
    behind(&istiods, only).map(|_| only.clone())
}
