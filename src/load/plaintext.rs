//! How gateways send plaintext into namespaces, and who is behind: for what a stricter policy would break.

use std::collections::BTreeMap;

use super::survey::{self, Survey};
use crate::kube::{Cause, Query, Scope, Session};
use crate::model::{Kind, Object, kinds};
use crate::plan::Unread;
use crate::plan::peer::change;
use crate::plan::peer::exposure::{Behind, Routed, Way, through};

/// Kinds whose objects name destinations.
pub(super) const ROUTES: [&Kind; 5] =
    [&kinds::VIRTUAL_SERVICE, &kinds::ROUTE_TABLE, &kinds::UPSTREAM_GROUP, &kinds::GATEWAY, &kinds::HTTP_ROUTE];
/// Pods that have ended answer no request.
const RUNNING: &str = "status.phase!=Succeeded,status.phase!=Failed";

/// What was found, and what could not be looked for.
#[derive(Debug, Default)]
pub struct Found {
    /// Ways that routes lead to.
    pub routed: Vec<Way>,
    /// Ways through Upstreams that no route names.
    pub unrouted: Vec<Way>,
    pub unread: Vec<Unread>,
    /// By namespace, for every way.
    pub behind: BTreeMap<String, Result<Behind, Unread>>,
}

/// Every way of a gateway's plaintext into the scope.
pub async fn find(session: &Session, survey: &Survey<'_>, scope: &change::Scope) -> Found {
    let mut found = Found::default();
    let auto_mtls = survey.auto_mtls().await;
    let gloo_namespace = survey.gloo_namespace().await;
    let mut through_upstreams = Vec::new();
    let upstreams = each(session, &kinds::UPSTREAM, |upstream| {
        through_upstreams.extend(through(&upstream, gloo_namespace, auto_mtls));
    });
    if let Err(why) = upstreams.await {
        found.unread.push(why);
    }
    let mut routed = Routed::default();
    let mut routes_unread = false;
    for kind in ROUTES {
        if let Err(why) = each(session, kind, |object| routed.add(&object, auto_mtls)).await {
            routes_unread = true;
            found.unread.push(why);
        }
    }
    through_upstreams.retain(|way| scope.reaches(&way.service.namespace));
    found.routed = std::mem::take(&mut routed.services);
    found.routed.retain(|way| scope.reaches(&way.service.namespace));
    for way in through_upstreams {
        let is_routed = routes_unread || way.upstream.as_ref().is_some_and(|upstream| routed.names(upstream));
        if is_routed { &mut found.routed } else { &mut found.unrouted }.push(way);
    }
    for way in found.routed.iter().chain(&found.unrouted) {
        let namespace = &way.service.namespace;
        if !found.behind.contains_key(namespace) {
            found.behind.insert(namespace.clone(), behind(session, namespace).await);
        }
    }
    found
}

/// Every object of the kind, a page at a time; a kind that the cluster does not have has none.
pub(super) async fn each(session: &Session, kind: &'static Kind, mut take: impl FnMut(Object)) -> Result<(), Unread> {
    let mut pages = session.pages(kind, Scope::All, Query::default());
    loop {
        match pages.next().await {
            Ok(Some(page)) => page.items.into_iter().for_each(|value| take(Object::new(kind, value))),
            Ok(None) => return Ok(()),
            Err(error) if error.cause == Cause::NoCrd => return Ok(()),
            Err(error) => return Err(survey::unread(session, error)),
        }
    }
}

pub(super) async fn behind(session: &Session, namespace: &str) -> Result<Behind, Unread> {
    let scope = Scope::Namespace(namespace);
    let pods = Query { fields: RUNNING.into(), metadata_only: true, ..Query::default() };
    let unread = |error| survey::unread(session, error);
    Ok(Behind {
        services: session.list_all(&kinds::SERVICE, scope, Query::default()).await.map_err(unread)?,
        pods: session.list_all(&kinds::POD, scope, pods).await.map_err(unread)?,
    })
}

/// How many pods no policy reaches, and the names of some: `shop/cart-1`.
#[derive(Debug, Default)]
pub struct OutOfReach {
    pub total: usize,
    pub count: usize,
    pub some: Vec<String>,
}

/// The pods of a scope that nobody holds to a policy, counted a page at a time.
///
/// # Errors
/// Why they could not be listed.
pub async fn out_of_reach(session: &Session, scope: &change::Scope) -> Result<OutOfReach, Unread> {
    const SOME: usize = 10;
    let (place, labels) = match scope {
        change::Scope::Mesh => (Scope::All, String::new()),
        change::Scope::Namespace(namespace) => (Scope::Namespace(namespace), String::new()),
        change::Scope::Workload { namespace, labels } => (Scope::Namespace(namespace), change::shown(labels)),
    };
    let query = Query { fields: RUNNING.into(), metadata_only: true, labels, ..Query::default() };
    let mut pages = session.pages(&kinds::POD, place, query);
    let mut counted = OutOfReach::default();
    loop {
        match pages.next().await {
            Ok(Some(page)) => {
                for pod in &page.items {
                    counted.total += 1;
                    if !crate::plan::backend::obeys_policies(pod) {
                        counted.count += 1;
                        let text = |key: &str| pod["metadata"][key].as_str().unwrap_or_default();
                        if counted.some.len() < SOME {
                            counted.some.push(format!("{}/{}", text("namespace"), text("name")));
                        }
                    }
                }
            }
            Ok(None) => return Ok(counted),
            Err(error) => return Err(survey::unread(session, error)),
        }
    }
}
