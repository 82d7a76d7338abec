//! `--host`: where a request goes, and how its targets are connected to.

use super::{Cluster, say, service, upstreams};
use crate::command::Hint;
use crate::error::{Exit, Failure, Reason};
use crate::load::snapshot::{self, Detail, Want};
use crate::model::{Kind, ListAnswer as Listed, ListPart, Snapshot, Unknown, kinds};
use crate::plan::advice::Advice;
use crate::plan::backend::ServiceRef;
use crate::plan::path::{Described, Verdict};
use crate::plan::routes::{Heard, Request, Resolution, RouteAction, RouteTarget, Routing, resolve};
use crate::render::answer::ClusterAnswer;
use crate::render::describe as render;

/// The kinds that routing is configured with.
const ROUTING: [&Kind; 6] = [
    &kinds::GATEWAY,
    &kinds::VIRTUAL_SERVICE,
    &kinds::ROUTE_TABLE,
    &kinds::UPSTREAM_GROUP,
    &kinds::KUBE_GATEWAY,
    &kinds::HTTP_ROUTE,
];

/// Describes a request.
///
/// # Errors
/// No listener accepts the request, or the API server does not answer.
pub(super) async fn describe(
    cluster: &Cluster<'_>,
    request: &Request,
    fail_on: &[Verdict],
    found: &mut ClusterAnswer,
) -> Result<(), Failure> {
    let snapshot = routing(cluster, request).await?;
    let settings = snapshot.find(&kinds::SETTINGS, &cluster.gloo, "default").object();
    let answer = resolve(
        request,
        &Routing {
            gateways: snapshot.all(&kinds::GATEWAY),
            virtual_services: snapshot.all(&kinds::VIRTUAL_SERVICE),
            route_tables: snapshot.all(&kinds::ROUTE_TABLE),
            upstream_groups: snapshot.all(&kinds::UPSTREAM_GROUP),
            kube_gateways: snapshot.all(&kinds::KUBE_GATEWAY),
            http_routes: snapshot.all(&kinds::HTTP_ROUTE),
            services: snapshot.all(&kinds::SERVICE),
            namespaces: snapshot.all(&kinds::NAMESPACE),
            settings,
            gloo_namespace: &cluster.gloo,
        },
    );
    found.field("request", render::of_answer(request, &answer));
    let gaps = gaps(&snapshot);
    if answer.heard.is_empty() {
        return Err(nobody(request, &answer, &gaps));
    }
    say_gaps(&gaps, &answer, found);
    for line in render::request(request, &answer) {
        found.paragraph(&line);
    }
    let described = targets(cluster, &answer).await?;
    if !described.is_empty() {
        found.paragraph("");
    }
    say(&described, fail_on, found);
    let is_open =
        !gaps.is_empty() || !answer.notes.is_empty() || answer.heard.iter().any(|heard| heard.trouble.is_some());
    if is_open && fail_on.contains(&Verdict::Unknown) {
        found.ends(Exit::WouldChange);
    }
    dead_end(request, &answer).map_or(Ok(()), Err)
}

async fn routing(cluster: &Cluster<'_>, request: &Request) -> Result<Snapshot, Failure> {
    let mut wants: Vec<_> = ROUTING.into_iter().map(Want::all).collect();
    wants.push(Want::all(&kinds::SETTINGS).in_namespace(&cluster.gloo));
    wants.push(Want::of_the_cluster(&kinds::NAMESPACE).detail(Detail::Metadata));
    if request.port.is_some() {
        wants.push(Want::all(&kinds::SERVICE).in_namespace(&cluster.gloo));
    }
    snapshot::of_cluster(&cluster.session, &wants, &cluster.namespaces()).await
}

/// The lists that could not be read. A route in them may take precedence, and Settings say which namespaces count.
fn gaps(snapshot: &Snapshot) -> Vec<&Unknown> {
    ROUTING.into_iter().chain([&kinds::SETTINGS]).filter_map(|kind| snapshot.unknown(kind)).collect()
}

fn say_gaps(gaps: &[&Unknown], answer: &Resolution, found: &mut ClusterAnswer) {
    for gap in gaps {
        found.advice(Advice::unknown(
            "other routes may take precedence, but which routes exist is unknown",
            &(*gap).into(),
        ));
    }
    for note in &answer.notes {
        found.advice(Advice::unknown("this answer is incomplete", &note.as_str().into()));
    }
}

fn nobody(request: &Request, answer: &Resolution, gaps: &[&Unknown]) -> Failure {
    let Request { host, port, .. } = request;
    let at = port.map_or_else(String::new, |port| format!(" at port {port}"));
    let is_refused = answer.deaf.is_empty() && !answer.refused.is_empty();
    let mut failure = match (answer.deaf.is_empty(), gaps.is_empty() && answer.notes.is_empty()) {
        (_, false) => {
            Failure::new(Exit::SaidNo, Reason::Unknown, format!("which virtual host takes {host}{at} is unknown"))
        }
        (true, true) if is_refused => {
            Failure::new(Exit::SaidNo, Reason::NotFound, format!("no gateway has TLS for {host}{at}"))
        }
        (true, true) if port.is_some() => {
            Failure::new(Exit::SaidNo, Reason::NotFound, format!("no gateway listens{at}"))
        }
        (true, true) => Failure::new(Exit::SaidNo, Reason::NotFound, "no Gloo gateway takes requests here"),
        (false, true) => Failure::new(Exit::SaidNo, Reason::NotFound, format!("no virtual host takes {host}{at}: 404")),
    };
    failure.details.extend(answer.deaf.iter().map(|listener| format!("checked {listener}")));
    let refused = answer.refused.iter();
    failure.details.extend(refused.map(|listener| format!("checked {listener}: no sniDomains match the host")));
    if !answer.near.is_empty() {
        failure.details.push(format!("near: {}", answer.near.join(", ")));
    }
    failure.details.extend(answer.notes.iter().cloned());
    for gap in gaps {
        failure.details.push(gap.why.clone());
        failure.hints.extend(gap.rule.as_deref().cloned().map(Hint::allowing));
    }
    failure
}

/// The failure if every listener that accepts the request answers 404 or routes it to no target.
fn dead_end(request: &Request, answer: &Resolution) -> Option<Failure> {
    let mut routes = answer.heard.iter().flat_map(Heard::reachable).peekable();
    let message = if routes.peek().is_none() {
        format!("no route takes {}{}: 404", request.host, request.path)
    } else if routes.all(|route| matches!(route.action, RouteAction::Nowhere(_))) {
        format!("the route of {}{} leads nowhere", request.host, request.path)
    } else {
        return None;
    };
    Some(Failure::new(Exit::SaidNo, Reason::NotFound, message))
}

/// The targets that the request may reach, each once, through the proxies that accept it.
async fn targets(cluster: &Cluster<'_>, answer: &Resolution) -> Result<Vec<Described>, Failure> {
    let mut all: Vec<RouteTarget> = Vec::new();
    let reachable = answer.heard.iter().flat_map(Heard::reachable);
    for target in reachable.flat_map(|candidate| candidate.action.shares()).map(|share| &share.target) {
        if !all.contains(target) {
            all.push(target.clone());
        }
    }
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let mut read = Vec::new();
    for (namespace, name) in upstreams(&all) {
        // Reads each one by name, so that permission to list Upstreams is not needed.
        let upstream = snapshot::one(&cluster.session, &kinds::UPSTREAM, namespace, name).await?;
        read.push((namespace.to_owned(), upstream));
    }
    let of_upstreams = read.iter().filter_map(|(_, listed)| match listed {
        Listed::Read(upstreams) => upstreams.first().and_then(service),
        _ => None,
    });
    let of_routes = all.iter().filter_map(|target| match target {
        RouteTarget::Service { namespace, name, .. } => {
            Some(ServiceRef { namespace: namespace.clone(), name: name.clone() })
        }
        _ => None,
    });
    let mut services: Vec<_> = of_upstreams.chain(of_routes).collect();
    services.dedup();
    let mut snapshot = cluster.around(&services).await?;
    for (namespace, listed) in read {
        snapshot.put(&kinds::UPSTREAM, ListPart::Namespace(namespace), listed);
    }
    let survey = cluster.survey(&snapshot).await;
    let names: Vec<_> = answer.heard.iter().flat_map(|heard| &heard.proxies).map(ToString::to_string).collect();
    let typed = cluster.global.target();
    let facts = all.iter().map(|target| {
        let mut facts = survey.of_target(target);
        if let Ok(proxies) = &mut facts.proxies {
            proxies.retain(|proxy| names.contains(&proxy.name));
        }
        Described::from(facts).on(&typed)
    });
    Ok(facts.collect())
}
