//! The action of a route.

use serde_json::Value;

use super::{is_named, list, text};
use crate::model::{Object, ObjectRef};

/// The destination of a request. If the namespace is missing, Gloo fills in that of the route's object only for an
/// Upstream (`routeVisitor.visit`, `projects/gateway/pkg/translator/converter.go`, and `verifyUpstreamGroups`,
/// `projects/gloo/pkg/translator/upstream_groups.go`). Any other destination is looked up without a namespace and is
/// not found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RouteTarget {
    Upstream {
        namespace: String,
        name: String,
    },
    /// A Service without an Upstream: `kube:` in a `VirtualService`, `kind: Service` in an `HTTPRoute`.
    Service {
        namespace: String,
        name: String,
        port: Option<u64>,
    },
    /// Any other destination: `consul service x`.
    Other(String),
}

impl From<&Object> for RouteTarget {
    /// Creates the target for an Upstream.
    fn from(upstream: &Object) -> Self {
        let ObjectRef { namespace, name, .. } = &upstream.reference;
        Self::Upstream { namespace: namespace.clone(), name: name.clone() }
    }
}

impl std::fmt::Display for RouteTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Upstream { namespace, name } => write!(f, "upstream {namespace}/{name}"),
            Self::Service { namespace, name, port: Some(port) } => write!(f, "service {namespace}/{name}:{port}"),
            Self::Service { namespace, name, port: None } => write!(f, "service {namespace}/{name}"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// A target and its share of the requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RouteShare {
    pub target: RouteTarget,
    /// The weight, relative to the sum of all weights. `None` for a single target.
    pub weight: Option<u64>,
}

/// The action of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RouteAction {
    To {
        shares: Vec<RouteShare>,
        /// The `UpstreamGroup` that contains the targets.
        group: Option<String>,
    },
    Redirect(String),
    DirectResponse(u64),
    /// Unknown from objects: a cluster named by a header, a dynamic forward proxy.
    Elsewhere(String),
    /// It leads nowhere. The reason.
    Nowhere(String),
}

impl RouteAction {
    /// Reads a route of a `VirtualService` or `RouteTable` in `home`. `None` if it has no action that Gloo accepts.
    pub(crate) fn of_gloo(route: &Value, home: &str, groups: &[Object]) -> Option<Self> {
        if let action @ Value::Object(_) = &route["routeAction"] {
            return Some(of_route_action(action, home, groups));
        }
        if let redirect @ Value::Object(_) = &route["redirectAction"] {
            let part = |key: &str| redirect[key].as_str().unwrap_or_default();
            let scheme = if redirect["httpsRedirect"] == true { "https" } else { "same scheme" };
            let place = [part("hostRedirect"), part("pathRedirect"), part("prefixRewrite")].concat();
            return Some(Self::Redirect(format!("{scheme} {place}").trim_end().to_owned()));
        }
        if let response @ Value::Object(_) = &route["directResponseAction"] {
            return Some(Self::DirectResponse(response["status"].as_u64().unwrap_or_default()));
        }
        route["graphqlApiRef"].is_object().then(|| Self::Elsewhere("a GraphQL API".into()))
    }

    /// Returns all targets.
    pub(crate) fn shares(&self) -> &[RouteShare] {
        match self {
            Self::To { shares, .. } => shares,
            _ => &[],
        }
    }
}

fn of_route_action(action: &Value, home: &str, groups: &[Object]) -> RouteAction {
    if action["single"].is_object() {
        return one(of_destination(&action["single"], home));
    }
    if action["multi"].is_object() {
        return several(list(&action["multi"], "destinations"), home, None);
    }
    if let group @ Value::Object(_) = &action["upstreamGroup"] {
        let (of, called) = (text(group, "namespace"), text(group, "name"));
        let full = format!("{of}/{called}");
        return match groups.iter().find(|group| is_named(group, of, called)) {
            Some(group) => several(list(&group.value["spec"], "destinations"), of, Some(full)),
            None => RouteAction::Nowhere(format!("upstream group {full} is not there")),
        };
    }
    let what = match action["clusterHeader"].as_str() {
        Some(header) => format!("the cluster that header {header} names"),
        None if action["dynamicForwardProxy"].is_object() => "the request's own host (dynamic forward proxy)".into(),
        None => "a destination of an unknown kind".into(),
    };
    RouteAction::Elsewhere(what)
}

fn one(target: RouteTarget) -> RouteAction {
    RouteAction::To { shares: vec![RouteShare { target, weight: None }], group: None }
}

fn several(destinations: &[Value], home: &str, group: Option<String>) -> RouteAction {
    let share = |weighted: &Value| RouteShare {
        target: of_destination(&weighted["destination"], home),
        weight: Some(weighted["weight"].as_u64().unwrap_or_default()),
    };
    match destinations.is_empty() {
        true => RouteAction::Nowhere("no destination is named".into()),
        false => RouteAction::To { shares: destinations.iter().map(share).collect(), group },
    }
}

fn of_destination(destination: &Value, home: &str) -> RouteTarget {
    if let upstream @ Value::Object(_) = &destination["upstream"] {
        let namespace = Some(text(upstream, "namespace")).filter(|namespace| !namespace.is_empty()).unwrap_or(home);
        return RouteTarget::Upstream { namespace: namespace.to_owned(), name: text(upstream, "name").to_owned() };
    }
    if let kube @ Value::Object(_) = &destination["kube"] {
        let reference = &kube["ref"];
        return RouteTarget::Service {
            namespace: text(reference, "namespace").to_owned(),
            name: text(reference, "name").to_owned(),
            port: kube["port"].as_u64(),
        };
    }
    if let consul @ Value::Object(_) = &destination["consul"] {
        return RouteTarget::Other(format!("consul service {}", text(consul, "serviceName")));
    }
    RouteTarget::Other("an unknown destination".into())
}
