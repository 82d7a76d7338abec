//! Finds everything in the cluster that would still refer to the gateway's SDS cluster after it is removed.

use crate::error::Failure;
use crate::kube::{ApiCause, ApiError, Query, Scope, Session};
use crate::load::unread::why;
use crate::model::names::SETTINGS;
use crate::model::{Kind, Object, kinds};
use crate::plan::dangling::{self, Dangling};

/// The objects that refer to the cluster.
#[derive(Default)]
pub(crate) struct Pointing {
    /// The Upstreams, as they were read.
    pub upstreams: Vec<Object>,
    /// `VirtualService`s, Gateways and Settings. Their references are not removed automatically.
    pub others: Vec<Dangling>,
    /// The lists that were not permitted, as text.
    pub hidden: Vec<String>,
}

/// Searches the namespaces that Gloo watches, page by page.
///
/// # Errors
/// A request failed. Lists that are not permitted are part of the result.
pub(crate) async fn find(session: &Session, gloo_namespace: &str) -> Result<Pointing, Failure> {
    let mut found = Pointing::default();
    let mut watched = None;
    match session.get(&kinds::SETTINGS, gloo_namespace, SETTINGS).await {
        Ok(value) => {
            watched = dangling::watched(&value);
            found.others.extend(dangling::of_settings(&Object::new(&kinds::SETTINGS, value)));
        }
        Err(error) if error.cause == ApiCause::NotFound => {}
        Err(error) => hidden(session, error, &mut found.hidden)?,
    }
    let scopes: Vec<Scope<'_>> = match &watched {
        None => vec![Scope::All],
        Some(namespaces) => namespaces.iter().map(|namespace| Scope::Namespace(namespace)).collect(),
    };
    for kind in [&kinds::UPSTREAM, &kinds::VIRTUAL_SERVICE, &kinds::GATEWAY] {
        for scope in &scopes {
            if let Err(error) = look(session, kind, *scope, &mut found).await {
                hidden(session, error, &mut found.hidden)?;
            }
        }
    }
    Ok(found)
}

/// Handles a failed list: without permission the result is incomplete, a missing CRD means no objects, and any other
/// failure ends the run.
fn hidden(session: &Session, error: ApiError, hidden: &mut Vec<String>) -> Result<(), Failure> {
    match error.cause {
        ApiCause::NoCrd => Ok(()),
        ApiCause::Forbidden { .. } => {
            hidden.push(why(&error));
            Ok(())
        }
        _ => Err(error.into_failure(session)),
    }
}

async fn look(session: &Session, kind: &'static Kind, scope: Scope<'_>, found: &mut Pointing) -> Result<(), ApiError> {
    let mut pages = session.pages(kind, scope, Query::default());
    while let Some(page) = pages.next().await? {
        for value in page.items {
            let object = Object::new(kind, value);
            let Some(points) = dangling::find(&object) else { continue };
            if *kind == kinds::UPSTREAM {
                found.upstreams.push(object);
            } else {
                found.others.push(points);
            }
        }
    }
    Ok(())
}
