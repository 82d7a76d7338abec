//! Everything in the cluster that would point at the gateway's SDS cluster once it is gone.

use crate::error::Failure;
use crate::kube::{ApiError, Cause, Query, Scope, Session};
use crate::load::unread::why;
use crate::model::names::SETTINGS;
use crate::model::{Kind, Object, kinds};
use crate::plan::dangling::{self, Dangling};

/// What points at the cluster.
#[derive(Default)]
pub(crate) struct Pointing {
    /// Upstreams, as they were read.
    pub upstreams: Vec<Object>,
    /// `VirtualService`s, Gateways, Settings: nothing takes these off by itself.
    pub others: Vec<Dangling>,
    /// Lists that were not allowed, in words.
    pub hidden: Vec<String>,
}

/// Looks through the namespaces that Gloo watches, a page at a time.
///
/// # Errors
/// The requests' own failures; what may not be listed is in what is given back.
pub(crate) async fn find(session: &Session, gloo_namespace: &str) -> Result<Pointing, Failure> {
    let mut found = Pointing::default();
    let mut watched = None;
    match session.get(&kinds::SETTINGS, gloo_namespace, SETTINGS).await {
        Ok(value) => {
            watched = dangling::watched(&value);
            found.others.extend(dangling::of_settings(&Object::new(&kinds::SETTINGS, value)));
        }
        Err(error) if error.cause == Cause::NotFound => {}
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

/// A missing right is something unknown, a missing CRD is nothing at all, the rest ends the run.
fn hidden(session: &Session, error: ApiError, hidden: &mut Vec<String>) -> Result<(), Failure> {
    match error.cause {
        Cause::NoCrd => Ok(()),
        Cause::Forbidden { .. } => {
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
