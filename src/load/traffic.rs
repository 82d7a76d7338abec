//! Reads the paths of requests through the gateways that a change affects: routes, Upstreams, pods, policies.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::snapshot::Namespaces;
use super::survey::SurveyReader;
use super::unread;
use super::{ambient, paths};
use crate::error::Failure;
use crate::kube::{ApiCause, Query, Scope, Session};
use crate::model::{Kind, ListAnswer, ListPart, Object, ObjectRef, kinds};
use crate::plan::Unread;
use crate::plan::backend::{self, Backend};
use crate::plan::path::effect::{PlannedWorld, Touched};
use crate::plan::path::routed::{ROUTES, RouteWay, Routed, ServingGateways};
use crate::plan::path::survey::Surveys;
use crate::plan::routes::RouteTarget;

/// The route paths that a change affects, and the state that determines them.
#[derive(Debug)]
pub(crate) struct Traffic {
    pub world: PlannedWorld,
    /// Paths that start at routes.
    pub routed: Vec<RouteWay>,
    /// Paths through Upstreams that no route refers to.
    pub unrouted: Vec<RouteWay>,
    /// Why routes or Upstreams could not be listed.
    pub unread: Vec<Unread>,
    /// Why the gateways of other installations of Gloo are unknown.
    pub unread_others: Option<Unread>,
}

/// Reads the traffic that the change affects.
///
/// # Errors
/// The API server does not answer, or rejects the credentials.
pub(crate) async fn read(session: &Session, survey: &SurveyReader<'_>, touched: &Touched) -> Result<Traffic, Failure> {
    let (routed, mut unread) = routes(session).await;
    let are_routes_unread = !unread.is_empty();
    let gloo_namespace = survey.gloo_namespace().await;
    let mut upstreams = Vec::new();
    let read = each(session, &kinds::UPSTREAM, |upstream| {
        if touches(touched, &upstream, gloo_namespace) {
            upstreams.push(upstream);
        }
    });
    unread.splice(0..0, read.await.err());
    let is_touched =
        |target: &RouteTarget| matches!(target, RouteTarget::Service { namespace, .. } if touched.has(namespace, None));
    let to_services: Vec<_> = routed.to_services().iter().filter(|(_, target, _)| is_touched(target)).collect();
    let of_services = to_services.iter().filter_map(|(_, target, _)| match target {
        RouteTarget::Service { namespace, .. } => Some(namespace.clone()),
        _ => None,
    });
    let homes: BTreeSet<_> = upstreams.iter().filter_map(home).chain(of_services).collect();
    let mut snapshot = paths::around_namespaces(session, gloo_namespace, &Namespaces::default(), &homes).await?;
    let (others, unread_others) = paths::other_gateways(session, gloo_namespace, &mut snapshot).await?;
    if touched.ztunnel {
        ambient::ask_anyway(session, &mut snapshot).await;
    }
    let names: Vec<_> = upstreams.iter().map(|upstream| upstream.reference.clone()).collect();
    snapshot.put(&kinds::UPSTREAM, ListPart::Selected, ListAnswer::Read(upstreams));
    let mut world = PlannedWorld::new(snapshot, gloo_namespace, &kinds::PEER_AUTHENTICATION);
    world.others = others;
    let surveys = world.surveys();
    let (mut ways, unrouted) = to(&surveys, &names, &routed, are_routes_unread);
    for (shown, target, gateways) in to_services {
        ways.extend(of_installations(&surveys, shown, target, gateways));
    }
    drop(surveys);
    Ok(Traffic { world, routed: ways, unrouted, unread, unread_others })
}

/// Reads only the routes to these Upstreams and the gateways that serve them, not what is behind the Upstreams.
///
/// # Errors
/// As for [`read`].
pub(crate) async fn to_upstreams(
    session: &Session,
    survey: &SurveyReader<'_>,
    names: &[ObjectRef],
) -> Result<Traffic, Failure> {
    let (routed, unread) = routes(session).await;
    let gloo_namespace = survey.gloo_namespace().await;
    let mut snapshot = paths::gateways(session, gloo_namespace).await?;
    let (others, unread_others) = paths::other_gateways(session, gloo_namespace, &mut snapshot).await?;
    let mut world = PlannedWorld::new(snapshot, gloo_namespace, &kinds::PEER_AUTHENTICATION);
    world.others = others;
    let (ways, unrouted) = to(&world.surveys(), names, &routed, !unread.is_empty());
    Ok(Traffic { world, routed: ways, unrouted, unread, unread_others })
}

/// The paths to these Upstreams: those that start at routes, and the others.
fn to(
    surveys: &Surveys<'_>,
    upstreams: &[ObjectRef],
    routed: &Routed,
    are_routes_unread: bool,
) -> (Vec<RouteWay>, Vec<RouteWay>) {
    let (mut ways, mut unrouted) = (Vec::new(), Vec::new());
    for reference in upstreams {
        let ObjectRef { namespace, name, .. } = reference;
        let shown = format!("upstream {namespace}/{name}");
        let target = RouteTarget::Upstream { namespace: namespace.clone(), name: name.clone() };
        // If routes could not be read, any route may refer to the Upstream.
        match routed.gateways(reference).cloned().or_else(|| are_routes_unread.then(ServingGateways::all)) {
            Some(gateways) => ways.extend(of_installations(surveys, &shown, &target, &gateways)),
            None => unrouted.extend(of_installations(surveys, &shown, &target, &ServingGateways::all())),
        }
    }
    (ways, unrouted)
}

/// The targets of all routes, and why some are unknown.
pub(crate) async fn routes(session: &Session) -> (Routed, Vec<Unread>) {
    let mut gateways = Vec::new();
    let unread = each(session, &kinds::GATEWAY, |gateway| gateways.push(gateway)).await.err();
    let of_kind = async |kind| {
        let mut routed = Routed::by(gateways.clone());
        let unread = each(session, kind, |object| routed.add(&object)).await.err();
        (routed, unread)
    };
    let mut all = Routed::of_gateways(&gateways);
    let mut gaps = Vec::new();
    for (routed, unread) in join_all(ROUTES[1..].iter().map(|kind| of_kind(kind))).await {
        all.extend(routed);
        gaps.extend(unread);
    }
    gaps.extend(unread);
    (all, gaps)
}

/// The path, once for each installation of Gloo whose gateways serve it. If no gateway is known to serve it, for the
/// run's own installation, if that reads the target.
fn of_installations(
    surveys: &Surveys<'_>,
    shown: &str,
    target: &RouteTarget,
    gateways: &ServingGateways,
) -> Vec<RouteWay> {
    let way = |shown: String, gateways: &ServingGateways, installation: &str| RouteWay {
        shown,
        target: target.clone(),
        gateways: gateways.clone(),
        installation: installation.to_owned(),
    };
    let own = &surveys.own;
    let installation = own.installation();
    let mut ways: Vec<_> = surveys
        .others
        .iter()
        .filter(|survey| gateways.serve_any(survey) && survey.sees(target))
        .map(|survey| {
            let namespace = &survey.installation().namespace;
            way(format!("{shown} (Gloo in {namespace})"), gateways, namespace)
        })
        .collect();
    if own.sees(target) && gateways.serve_any(own) {
        ways.insert(0, way(shown.to_owned(), gateways, &installation.namespace));
    } else if own.sees(target) && ways.is_empty() {
        let any = gateways.of_any_proxy(own);
        ways.extend(any.map(|any| way(shown.to_owned(), &any, &installation.namespace)));
    }
    ways
}

/// Whether a change affects requests through this Upstream. Gloo's own Services are not applications of the mesh.
fn touches(touched: &Touched, upstream: &Object, gloo_namespace: &str) -> bool {
    match backend::destination(&upstream.value, gloo_namespace) {
        Backend::Service { service, .. } => touched.has(&service.namespace, Some(&upstream.reference)),
        Backend::System(_) | Backend::Decided(_) => touched.upstreams.contains(&upstream.reference),
    }
}

fn home(upstream: &Object) -> Option<String> {
    upstream.value["spec"]["kube"]["serviceNamespace"].as_str().map(str::to_owned)
}

/// Passes every object of the kind to `take`, page by page. Without the CRD there are none.
///
/// # Errors
/// Why they could not be listed.
pub(crate) async fn each(session: &Session, kind: &'static Kind, mut take: impl FnMut(Object)) -> Result<(), Unread> {
    let mut pages = session.pages(kind, Scope::All, Query::default());
    loop {
        match pages.next().await {
            Ok(Some(page)) => page.items.into_iter().for_each(|value| take(Object::new(kind, value))),
            Ok(None) => return Ok(()),
            Err(error) if error.cause == ApiCause::NoCrd => return Ok(()),
            Err(error) => return Err(unread::unread(session, error)),
        }
    }
}
