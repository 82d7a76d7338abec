//! The result for a request: which listeners accept it, which virtual host matches there, and which of its routes is
//! first.

use super::delegation::flatten;
use super::matcher::Fit;
use super::target::RouteAction;
use super::{LeftOut, Request, Route, Routing, gateway_api, listeners};
use crate::model::Object;
use crate::plan::acceptance;
use crate::text::nearest;

/// The result for a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Resolution {
    /// Listeners that have a virtual host for it.
    pub heard: Vec<Heard>,
    /// Listeners that accept the port and have no virtual host for it.
    pub deaf: Vec<String>,
    /// Listeners that accept the port and have no TLS configuration for the host, used as the server name.
    pub refused: Vec<String>,
    /// Similar served hosts, if no listener accepts the request.
    pub near: Vec<String>,
    /// Notes about what is unknown.
    pub notes: Vec<String>,
}

/// One listener that accepts the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    /// `gateway gloo-system/gateway-proxy port 8080`
    pub listener: String,
    /// The proxies that serve the listener.
    pub proxies: Vec<RouteProxy>,
    /// `shop.example in virtualservice gloo-system/shop`
    pub host: String,
    /// Why this host matches: `exact`.
    pub why: String,
    /// Hosts with a lower rank that would match too.
    pub others: Vec<String>,
    /// Why this result may differ from what is served.
    pub trouble: Option<String>,
    /// The routes whose path matches, in the order in which they are tried.
    pub candidates: Vec<Candidate>,
    /// Matching routes that Gloo does not serve.
    pub left_out: Vec<LeftOut>,
}

/// A proxy, by the name of its workload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RouteProxy {
    pub namespace: String,
    pub name: String,
}

impl std::fmt::Display for RouteProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A route whose path matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub trail: Vec<String>,
    /// `prefix /api`
    pub matcher: String,
    pub fit: Fit,
    pub action: RouteAction,
    pub standing: Standing,
}

/// Whether a request reaches a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The first route that matches whatever else the request contains.
    Wins,
    /// It is tried earlier, and matches if its condition is met.
    Before,
    /// It is never reached, because an earlier route matches the request.
    Behind,
}

impl Heard {
    /// Returns the routes that a request may reach.
    pub(crate) fn reachable(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter().filter(|candidate| candidate.standing != Standing::Behind)
    }
}

/// Follows a request through the routes.
pub(crate) fn resolve(request: &Request, routing: &Routing<'_>) -> Resolution {
    let mut answer = Resolution::default();
    by_gloo(request, routing, &mut answer);
    by_gateway_api(request, routing, &mut answer);
    if answer.heard.is_empty() {
        let served = listeners::served(routing);
        answer.near = nearest(&request.host, served.iter().map(String::as_str));
    }
    answer
}

fn by_gloo(request: &Request, routing: &Routing<'_>, answer: &mut Resolution) {
    let (all, notes) = listeners::all(routing);
    answer.notes.extend(notes);
    let takes =
        |listener: &listeners::Listener<'_>| request.port.is_none_or(|port| listener.takes(port, routing.services));
    let mut open = Vec::new();
    for listener in all.into_iter().filter(takes) {
        match listener.chain(request, routing) {
            Ok(Some(chain)) => open.push((listener, chain)),
            Ok(None) => answer.refused.push(listeners::words(&listener)),
            Err(why) => answer.notes.push(format!("{}: {why}", listeners::words(&listener))),
        }
    }
    for (listener, chain) in &open {
        if open.iter().any(|(other, better)| other.is_beside(listener) && better.rank > chain.rank) {
            continue;
        }
        match listener.host(chain, request) {
            Some(hosted) => answer.heard.push(heard(listener, hosted, request, routing)),
            None => answer.deaf.push(listeners::words(listener)),
        }
    }
}

fn heard(
    listener: &listeners::Listener<'_>,
    hosted: listeners::Hosted<'_>,
    request: &Request,
    routing: &Routing<'_>,
) -> Heard {
    let flat = flatten(hosted.virtual_service, routing);
    let proxy = |name| RouteProxy { namespace: routing.gloo_namespace.to_owned(), name };
    Heard {
        listener: listeners::words(listener),
        proxies: listener.proxies().into_iter().map(proxy).collect(),
        host: format!("{} in virtualservice {}", hosted.domain, super::full_name(hosted.virtual_service)),
        why: hosted.rank.words().to_owned(),
        others: hosted.others,
        trouble: hosted
            .trouble
            .or_else(|| rejected("virtualservice", hosted.virtual_service))
            .or_else(|| rejected("gateway", listener.gateway)),
        candidates: candidates(request, flat.routes),
        left_out: fitting(request, flat.left_out),
    }
}

/// Returns `virtualservice gloo-system/shop is rejected by Gloo: …`.
fn rejected(kind: &str, object: &Object) -> Option<String> {
    let trouble = acceptance::read(&object.value).trouble()?;
    Some(format!("{kind} {} is {trouble}", super::full_name(object)))
}

fn by_gateway_api(request: &Request, routing: &Routing<'_>, answer: &mut Resolution) {
    answer.notes.extend(gateway_api::apart(request, routing));
    let takes = |port: &gateway_api::ListenerPort<'_>| {
        request.port.is_none_or(|wanted| port.number() == Some(u64::from(wanted)))
    };
    for port in gateway_api::ports(routing).into_iter().filter(takes) {
        let Some(hosted) = port.host(request, routing) else {
            answer.deaf.push(port.words());
            continue;
        };
        let names = if hosted.hostname.is_empty() { "no accepted route".to_owned() } else { hosted.hostname };
        answer.heard.push(Heard {
            listener: hosted.listener,
            proxies: vec![RouteProxy { namespace: port.gateway.reference.namespace.clone(), name: port.proxy() }],
            host: format!("{names} by HTTPRoutes"),
            why: "the most specific hostname".to_owned(),
            others: hosted.others,
            trouble: hosted.trouble,
            candidates: candidates(request, hosted.routes),
            left_out: fitting(request, hosted.left_out),
        });
    }
}

/// Returns one candidate per matcher of each route, in their order.
fn candidates(request: &Request, routes: Vec<Route>) -> Vec<Candidate> {
    let mut is_taken = false;
    let mut all = Vec::new();
    for route in routes {
        for matcher in &route.matchers {
            let fit = matcher.fit(request);
            let standing = match (&fit, is_taken) {
                (Fit::No, _) => continue,
                (_, true) => Standing::Behind,
                (Fit::Yes, false) => Standing::Wins,
                (Fit::If(_) | Fit::Unknown(_), false) => Standing::Before,
            };
            is_taken |= standing == Standing::Wins;
            all.push(Candidate {
                trail: route.trail.clone(),
                matcher: matcher.to_string(),
                fit,
                action: route.action.clone(),
                standing,
            });
        }
    }
    all
}

fn fitting(request: &Request, left_out: Vec<LeftOut>) -> Vec<LeftOut> {
    let fits = |it: &LeftOut| it.matchers.iter().any(|matcher| matcher.fit(request) != Fit::No);
    left_out.into_iter().filter(fits).collect()
}
