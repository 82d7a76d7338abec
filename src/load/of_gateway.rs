//! What Gloo's controller creates for a Gateway of the Kubernetes Gateway API, found by the Gateway's name.

use crate::command::flag;
use crate::error::{Exit, Failure, Reason};
use crate::kube::{ApiCause, Query, Scope, Session};
use crate::model::names::KUBE_GATEWAY_LABEL;
use crate::model::{Kind, Object};
use crate::text::{GatewayName, nearest};

/// The Service or Deployment of a Gateway. The Gateway may be in any namespace, so the search is by the object's name.
///
/// # Errors
/// No namespace has it, several have it, or the request failed.
pub(crate) async fn find(session: &Session, kind: &'static Kind, gateway: &GatewayName) -> Result<Object, Failure> {
    let query = Query { fields: format!("metadata.name={}", gateway.proxy()), ..Query::default() };
    let mut found = session.list_all(kind, Scope::All, query).await.map_err(|error| {
        let forbidden = matches!(error.cause, ApiCause::Forbidden { .. });
        let failure = error.into_failure(session);
        if forbidden { failure.hint("-n NAMESPACE searches only one namespace") } else { failure }
    })?;
    let object = format!("{}/{}", kind.singular, gateway.proxy());
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(Object::new(kind, only)),
        (Some(last), false) => {
            let all = found.iter().chain([&last]);
            let namespaces: Vec<&str> = all.filter_map(|item| item["metadata"]["namespace"].as_str()).collect();
            let line = format!("Gateway {}: {} namespaces have a {object}", gateway.as_str(), namespaces.len());
            let failure = Failure::new(Exit::Failed, Reason::Ambiguous, line);
            Err(failure.detail(format!("in {}", namespaces.join(", "))).hint("-n NAMESPACE chooses one"))
        }
        (None, _) => Err(not_found(session, kind, gateway, &object).await),
    }
}

async fn not_found(session: &Session, kind: &'static Kind, gateway: &GatewayName, object: &str) -> Failure {
    let query = Query { metadata_only: true, limit: 500, ..Query::labelled(KUBE_GATEWAY_LABEL) };
    let page = session.list_page(kind, Scope::All, &query).await;
    let there = page.map(|page| page.items).unwrap_or_default();
    let near = there.iter().filter_map(|item| item["metadata"]["labels"][KUBE_GATEWAY_LABEL].as_str());
    let near = nearest(gateway.as_str(), near);
    let line = format!("{object} of Gateway {}: not found in any namespace", gateway.as_str());
    let mut failure = Failure::new(Exit::SaidNo, Reason::NotFound, line);
    failure.details.extend((!near.is_empty()).then(|| format!("near: {}", near.join(", "))));
    failure
        .detail(session.looked())
        .hint(flag("--gateway").text(" is a Gateway of the Kubernetes Gateway API; --name is any gateway proxy"))
}
