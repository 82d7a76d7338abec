//! The Kubernetes Gateway API: listeners of Gloo's Gateways and the `HTTPRoutes` attached to them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::domain::{self, Rank};
use super::matcher::Matcher;
use super::target::{RouteAction, RouteShare, RouteTarget};
use super::{LeftOut, Request, Route, Routing, WhyLeftOut, full_name, is_named, list, order, select, text};
use crate::model::Object;

/// The `GatewayClass` that Gloo's chart creates.
pub(crate) const CLASS: &str = "gloo-gateway";
const CONTROLLER: &str = "solo.io/gloo-gateway";
const GROUP: &str = "gateway.networking.k8s.io";

/// The listeners of a Gateway with the same port and protocol. Gloo merges them into one listener. Without TLS it has
/// the virtual hosts of all. With TLS the server name selects one (`MergedListeners`,
/// `projects/gateway2/translator/listener/gateway_listener_translator.go`).
#[derive(Debug, Clone)]
pub(crate) struct ListenerPort<'v> {
    pub gateway: &'v Object,
    /// Never empty.
    listeners: Vec<Listener<'v>>,
}

/// A listener of a Gateway.
#[derive(Debug, Clone, Copy)]
struct Listener<'v> {
    gateway: &'v Object,
    spec: &'v Value,
}

/// A route attached to a listener, with the most specific of its hostnames that matches the request.
struct Attached<'v> {
    rank: Rank,
    hostname: String,
    route: &'v Object,
    listener: Listener<'v>,
}

/// The attached routes that match a host.
#[derive(Debug, Clone, Default)]
pub(crate) struct AttachedHost {
    /// `Gateway API gateway shop/edge, listener http port 8080`
    pub listener: String,
    pub hostname: String,
    /// Less specific hostnames that would match too.
    pub others: Vec<String>,
    pub routes: Vec<Route>,
    pub left_out: Vec<LeftOut>,
    /// A backend to which the controller sends no requests although the route names it: `RefNotPermitted`.
    pub trouble: Option<String>,
}

/// Returns every HTTP port of Gloo's Gateways. They are recognized by the class of Gloo's chart, or by the controller
/// in a route's status.
pub(crate) fn ports<'v>(routing: &Routing<'v>) -> Vec<ListenerPort<'v>> {
    let is_ours = |gateway: &&Object| {
        text(&gateway.value["spec"], "gatewayClassName") == CLASS
            || routing.http_routes.iter().any(|route| {
                let parents = list(&route.value["status"], "parents");
                parents
                    .iter()
                    .any(|parent| parent["controllerName"] == CONTROLLER && names(&parent["parentRef"], route, gateway))
            })
    };
    let is_http = |listener: &&Value| matches!(text(listener, "protocol"), "HTTP" | "HTTPS");
    let mut ports: Vec<ListenerPort<'v>> = Vec::new();
    for gateway in routing.kube_gateways.iter().filter(is_ours) {
        for spec in list(&gateway.value["spec"], "listeners").iter().filter(is_http) {
            let listener = Listener { gateway, spec };
            match ports.iter_mut().find(|port| port.listeners[0].is_beside(&listener)) {
                Some(port) => port.listeners.push(listener),
                None => ports.push(ListenerPort { gateway, listeners: vec![listener] }),
            }
        }
    }
    ports
}

/// Returns the routes for this host that are attached to listener sets, which are separate objects. Listener sets are
/// not read, so it is unknown whether such a route matches the request.
pub(crate) fn apart(request: &Request, routing: &Routing<'_>) -> Vec<String> {
    let host = domain::without_port(&request.host);
    let takes = |route: &&Object| hostnames(route, None).iter().any(|it| domain::rank(it, host).is_some());
    let of_route = |route: &Object| {
        let sets = list(&route.value["spec"], "parentRefs").iter();
        let sets = sets.filter(|parent| matches!(text(parent, "kind"), "ListenerSet" | "XListenerSet"));
        let words = |set: &Value| {
            let namespace = set["namespace"].as_str().unwrap_or(&route.reference.namespace);
            let name = format!("{namespace}/{}", text(set, "name"));
            format!("httproute {} is attached to listener set {name}, which is not read here", full_name(route))
        };
        sets.map(words).collect::<Vec<_>>()
    };
    routing.http_routes.iter().filter(takes).flat_map(of_route).collect()
}

impl<'v> ListenerPort<'v> {
    /// Returns the text `Gateway API gateway shop/edge, listener http port 8080`.
    pub(crate) fn words(&self) -> String {
        self.naming(&self.listeners.iter().collect::<Vec<_>>())
    }

    fn naming(&self, listeners: &[&Listener<'_>]) -> String {
        let mut names: Vec<_> = listeners.iter().map(|listener| text(listener.spec, "name")).collect();
        names.dedup();
        let listeners = if names.len() == 1 { "listener" } else { "listeners" };
        let port = self.number().map_or_else(String::new, |port| format!(" port {port}"));
        let tls = if self.is_tls() { " (TLS)" } else { "" };
        format!("Gateway API gateway {}, {listeners} {}{port}{tls}", full_name(self.gateway), names.join(", "))
    }

    /// Returns the port number, which is the same in the Service.
    pub(crate) fn number(&self) -> Option<u64> {
        self.listeners[0].spec["port"].as_u64()
    }

    fn is_tls(&self) -> bool {
        text(self.listeners[0].spec, "protocol") == "HTTPS"
    }

    /// Returns the name of the Deployment and the Service that Gloo creates for the Gateway.
    pub(crate) fn proxy(&self) -> String {
        format!("gloo-proxy-{}", self.gateway.reference.name)
    }

    /// Returns the routes whose most specific hostname matches the request's host. The port in the Host header is
    /// ignored. `None` if no route matches.
    pub(crate) fn host(&self, request: &Request, routing: &Routing<'v>) -> Option<AttachedHost> {
        let host = domain::without_port(&request.host);
        let mut attached: Vec<Attached<'v>> = Vec::new();
        let mut left_out = Vec::new();
        for listener in self.open(host) {
            for route in routing.http_routes {
                match listener.attached(route, host, routing) {
                    None => {}
                    Some(Ok(it)) => attached.push(it),
                    Some(Err(why)) if left_out.contains(&why) => {}
                    Some(Err(why)) => left_out.push(why),
                }
            }
        }
        let Some(best) = attached.iter().map(|it| it.rank).max() else {
            return (!left_out.is_empty()).then(|| AttachedHost {
                listener: self.words(),
                left_out,
                ..AttachedHost::default()
            });
        };
        let (taken, others): (Vec<_>, Vec<_>) = attached.into_iter().partition(|it| it.rank == best);
        // A route that is attached to several listeners counts once.
        let routes: BTreeMap<_, _> = taken.iter().map(|it| (full_name(it.route), it.route)).collect();
        let others = others.iter().map(|it| (&it.hostname, full_name(it.route)));
        let others = others.filter(|(_, route)| !routes.contains_key(route));
        Some(AttachedHost {
            listener: self.naming(&taken.iter().map(|it| &it.listener).collect::<Vec<_>>()),
            hostname: taken[0].hostname.clone(),
            others: others.map(|(hostname, route)| format!("{hostname} in httproute {route}")).collect(),
            routes: merged(routes.into_values()),
            left_out,
            trouble: taken.iter().find_map(|it| it.listener.unresolved(it.route)),
        })
    }

    /// Returns the listeners whose routes are searched for a host.
    fn open(&self, host: &str) -> Vec<Listener<'v>> {
        if !self.is_tls() {
            return self.listeners.clone();
        }
        let rank = |listener: &Listener<'_>| domain::rank(listener.hostname().unwrap_or("*"), host);
        let best = self.listeners.iter().filter_map(rank).max();
        self.listeners.iter().copied().filter(|listener| best.is_some() && rank(listener) == best).collect()
    }
}

impl<'v> Listener<'v> {
    fn hostname(&self) -> Option<&'v str> {
        self.spec["hostname"].as_str().filter(|hostname| !hostname.is_empty())
    }

    fn is_beside(&self, other: &Self) -> bool {
        let is_same = |key: &str| self.spec[key] == other.spec[key];
        self.gateway.reference == other.gateway.reference && is_same("port") && is_same("protocol")
    }

    /// Returns a route that names this listener and matches the host, or why it is left out.
    fn attached(&self, route: &'v Object, host: &str, routing: &Routing<'_>) -> Option<Result<Attached<'v>, LeftOut>> {
        let parent = list(&route.value["spec"], "parentRefs").iter().find(|it| self.is_named_by(it, route))?;
        let ranked = hostnames(route, self.hostname()).into_iter();
        let (rank, hostname) = ranked.filter_map(|it| Some((domain::rank(&it, host)?, it))).max()?;
        let why = match self.allows(route, routing) {
            Err(why) => Some(why),
            Ok(()) => denied(route, parent, self.gateway, "Accepted").map(|why| format!("not accepted: {why}")),
        };
        Some(match why {
            None => Ok(Attached { rank, hostname, route, listener: *self }),
            Some(why) => Err(LeftOut {
                holder: route.reference.clone(),
                trail: vec![format!("httproute {}", full_name(route))],
                matchers: rules(route).into_iter().map(|(matcher, ..)| matcher).collect(),
                why: WhyLeftOut::Refused(why),
            }),
        })
    }

    fn is_named_by(&self, parent: &Value, route: &Object) -> bool {
        let is_or_absent =
            |key: &str| parent[key].is_null() || parent[key] == self.spec[if key == "port" { "port" } else { "name" }];
        names(parent, route, self.gateway) && is_or_absent("sectionName") && is_or_absent("port")
    }

    fn unresolved(&self, route: &Object) -> Option<String> {
        let parent = list(&route.value["spec"], "parentRefs").iter().find(|it| self.is_named_by(it, route))?;
        let why = denied(route, parent, self.gateway, "ResolvedRefs")?;
        Some(format!("httproute {} has a backend that gets no requests: {why}", full_name(route)))
    }

    /// Checks whether the listener allows routes from the namespace of this one.
    fn allows(&self, route: &Object, routing: &Routing<'_>) -> Result<(), String> {
        let namespaces = &self.spec["allowedRoutes"]["namespaces"];
        let namespace = &route.reference.namespace;
        let is_allowed = match namespaces["from"].as_str() {
            Some("All") => true,
            Some("Selector") => {
                let Some(labelled) = routing.namespaces.iter().find(|it| it.reference.name == *namespace) else {
                    return Err(format!("whether the listener takes routes from {namespace} is unknown"));
                };
                let selector = &namespaces["selector"];
                select::has_labels(labelled, &selector["matchLabels"])
                    && select::meets(labelled, list(selector, "matchExpressions"))?
            }
            _ => *namespace == self.gateway.reference.namespace,
        };
        is_allowed.then_some(()).ok_or_else(|| format!("the listener takes no routes from {namespace}"))
    }
}

/// Returns whether a parent reference is to this Gateway.
fn names(parent: &Value, route: &Object, gateway: &Object) -> bool {
    let or = |key: &str, otherwise: &'static str| parent[key].as_str().unwrap_or(otherwise).to_owned();
    let namespace = parent["namespace"].as_str().unwrap_or(&route.reference.namespace);
    or("group", GROUP) == GROUP
        && or("kind", "Gateway") == "Gateway"
        && is_named(gateway, namespace, text(parent, "name"))
}

/// Returns the message of a condition with which the controller rejected the route at this Gateway.
fn denied(route: &Object, parent: &Value, gateway: &Object, condition: &str) -> Option<String> {
    let statuses = list(&route.value["status"], "parents").iter();
    let of_this = |status: &&Value| {
        names(&status["parentRef"], route, gateway)
            && (status["parentRef"]["sectionName"].is_null()
                || status["parentRef"]["sectionName"] == parent["sectionName"])
    };
    statuses.filter(of_this).flat_map(|status| list(status, "conditions")).find_map(|one| {
        let is_no = one["type"] == condition && one["status"] == "False";
        is_no.then(|| format!("{} {}", text(one, "reason"), text(one, "message")).trim_end().to_owned())
    })
}

/// Returns the hostnames of a route at a listener: those that match both.
fn hostnames(route: &Object, own: Option<&str>) -> Vec<String> {
    let named: Vec<_> = list(&route.value["spec"], "hostnames").iter().filter_map(Value::as_str).collect();
    let Some(own) = own else {
        return if named.is_empty() { vec!["*".to_owned()] } else { named.into_iter().map(str::to_owned).collect() };
    };
    if named.is_empty() {
        return vec![own.to_owned()];
    }
    let common = |name: &str| {
        if name.eq_ignore_ascii_case(own) || domain::rank(own, name).is_some() {
            Some(name.to_owned())
        } else {
            domain::rank(name, own).map(|_| own.to_owned())
        }
    };
    named.into_iter().filter_map(common).collect()
}

/// Returns a route's rules, one entry per matcher, with the position of the rule.
fn rules(route: &Object) -> Vec<(Matcher, usize, &Value)> {
    let mut all = Vec::new();
    for (index, rule) in list(&route.value["spec"], "rules").iter().enumerate() {
        let matches = list(rule, "matches");
        if matches.is_empty() {
            all.push((Matcher::of_http_route(&Value::Null), index, rule));
        }
        all.extend(matches.iter().map(|matches| (Matcher::of_http_route(matches), index, rule)));
    }
    all
}

/// Returns the routes of one hostname in matching order: the most specific first, then the oldest `HTTPRoute`, then by
/// name.
fn merged<'v>(routes: impl Iterator<Item = &'v Object>) -> Vec<Route> {
    let mut all: Vec<_> = routes.flat_map(|route| rules(route).into_iter().map(move |it| (route, it))).collect();
    all.sort_by(|(a, (x, i, _)), (b, (y, j, _))| {
        let age = |route: &Object| text(&route.value["metadata"], "creationTimestamp").to_owned();
        order::specificity(x)
            .cmp(&order::specificity(y))
            .then_with(|| age(a).cmp(&age(b)))
            .then_with(|| full_name(a).cmp(&full_name(b)))
            .then_with(|| i.cmp(j))
    });
    all.into_iter()
        .map(|(route, (matcher, index, rule))| Route {
            trail: vec![format!("httproute {} rule {}", full_name(route), index + 1)],
            matchers: vec![matcher],
            action: action(rule, &route.reference.namespace),
        })
        .collect()
}

fn action(rule: &Value, home: &str) -> RouteAction {
    let redirect = list(rule, "filters").iter().find(|filter| filter["type"] == "RequestRedirect");
    if let Some(filter) = redirect {
        let part = |key: &str| text(&filter["requestRedirect"], key).to_owned();
        return RouteAction::Redirect(format!("{} {}", part("scheme"), part("hostname")).trim().to_owned());
    }
    let backends = list(rule, "backendRefs");
    if backends.is_empty() {
        return RouteAction::Nowhere("the rule names no backend".into());
    }
    let is_one = backends.len() == 1;
    let share = |backend: &Value| RouteShare {
        target: target(backend, home),
        weight: (!is_one).then(|| backend["weight"].as_u64().unwrap_or(1)),
    };
    RouteAction::To { shares: backends.iter().map(share).collect(), group: None }
}

fn target(backend: &Value, home: &str) -> RouteTarget {
    let namespace = backend["namespace"].as_str().unwrap_or(home).to_owned();
    let name = text(backend, "name").to_owned();
    match (text(backend, "group"), backend["kind"].as_str().unwrap_or("Service")) {
        ("", "Service") => RouteTarget::Service { namespace, name, port: backend["port"].as_u64() },
        ("gloo.solo.io", "Upstream") => RouteTarget::Upstream { namespace, name },
        (_, kind) => RouteTarget::Other(format!("{} {namespace}/{name}", kind.to_lowercase())),
    }
}
