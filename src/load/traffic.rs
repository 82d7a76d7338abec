//! How requests go through the gateway where a change touches them: routes, Upstreams, pods, policies.

use std::collections::BTreeSet;

use super::paths;
use super::snapshot::Namespaces;
use super::survey::{self, Survey};
use crate::error::Failure;
use crate::kube::{Cause, Query, Scope, Session};
use crate::model::{Answer, Kind, Object, ObjectRef, Part, kinds};
use crate::plan::Unread;
use crate::plan::backend::{self, Destination};
use crate::plan::path::effect::{Touched, World};
use crate::plan::path::routed::{Gateways, Routed, Way};
use crate::plan::routes::Target;

/// Kinds whose objects name destinations.
const ROUTES: [&Kind; 5] =
    [&kinds::VIRTUAL_SERVICE, &kinds::ROUTE_TABLE, &kinds::UPSTREAM_GROUP, &kinds::GATEWAY, &kinds::HTTP_ROUTE];

/// The ways of requests that a change touches, and what decides about them.
#[derive(Debug)]
pub struct Traffic {
    pub world: World,
    /// Ways that routes lead to.
    pub routed: Vec<Way>,
    /// Ways through Upstreams that no route names.
    pub unrouted: Vec<Way>,
    /// Routes and Upstreams that could not be looked for.
    pub unread: Vec<Unread>,
}

/// Reads it.
///
/// # Errors
/// The API server does not answer, or does not know who asks.
pub async fn read(session: &Session, survey: &Survey<'_>, touched: &Touched) -> Result<Traffic, Failure> {
    let mut unread = Vec::new();
    let mut routed = Routed::default();
    for kind in ROUTES {
        unread.extend(each(session, kind, |object| routed.add(&object)).await.err());
    }
    let are_routes_unread = !unread.is_empty();
    let gloo_namespace = survey.gloo_namespace().await;
    let mut upstreams = Vec::new();
    let read = each(session, &kinds::UPSTREAM, |upstream| {
        if touches(touched, &upstream, gloo_namespace) {
            upstreams.push(upstream);
        }
    });
    unread.splice(0..0, read.await.err());
    let mut ways = std::mem::take(&mut routed.services);
    ways.retain(|way| matches!(&way.target, Target::Service { namespace, .. } if touched.has(namespace, None)));
    let mut unrouted = Vec::new();
    let mut through_upstreams = Vec::new();
    for upstream in &upstreams {
        // Where routes could not be read, any may lead there.
        match routed.gateways(&upstream.reference).cloned().or_else(|| are_routes_unread.then(Gateways::all)) {
            Some(gateways) => through_upstreams.push(through(upstream, gateways)),
            None => unrouted.push(through(upstream, Gateways::all())),
        }
    }
    ways.splice(0..0, through_upstreams);
    let of_services = ways.iter().filter_map(|way| match &way.target {
        Target::Service { namespace, .. } => Some(namespace.clone()),
        _ => None,
    });
    let homes: BTreeSet<_> = upstreams.iter().filter_map(home).chain(of_services).collect();
    let mut snapshot = paths::around_namespaces(session, gloo_namespace, &Namespaces::default(), &homes).await?;
    snapshot.put(&kinds::UPSTREAM, Part::Selected, Answer::Read(upstreams));
    let world = World::new(snapshot, gloo_namespace, &kinds::PEER_AUTHENTICATION);
    Ok(Traffic { world, routed: ways, unrouted, unread })
}

/// Whether a change touches requests through this Upstream. Gloo's own Services are no applications of the mesh.
fn touches(touched: &Touched, upstream: &Object, gloo_namespace: &str) -> bool {
    match backend::destination(&upstream.value, gloo_namespace) {
        Destination::Service { service, .. } => touched.has(&service.namespace, Some(&upstream.reference)),
        Destination::System(_) | Destination::Decided(_) => touched.upstreams.contains(&upstream.reference),
    }
}

fn home(upstream: &Object) -> Option<String> {
    upstream.value["spec"]["kube"]["serviceNamespace"].as_str().map(str::to_owned)
}

fn through(upstream: &Object, gateways: Gateways) -> Way {
    let ObjectRef { namespace, name, .. } = &upstream.reference;
    Way { shown: format!("upstream {namespace}/{name}"), target: upstream.into(), gateways }
}

/// Every object of the kind, a page at a time; a kind that the cluster does not have has none.
///
/// # Errors
/// Why they could not be listed.
pub async fn each(session: &Session, kind: &'static Kind, mut take: impl FnMut(Object)) -> Result<(), Unread> {
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
