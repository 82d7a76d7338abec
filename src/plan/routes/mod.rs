//! Follows a request: from host, path and port through Gateways, virtual hosts and routes to the destination.
//!
//! It follows Gloo's own translator, `projects/gateway/pkg/translator`, for `VirtualServices`, and the Gateway API's
//! precedence for `HTTPRoutes`. Only host and path (and the query, if given) of the request are known. A route that
//! depends on anything else is a candidate, shown with its condition.

pub(crate) mod delegation;
pub(crate) mod domain;
pub(crate) mod gateway_api;
pub(crate) mod listeners;
pub(crate) mod matcher;
pub(crate) mod order;
pub(crate) mod pattern;
pub(crate) mod resolve;
pub(crate) mod select;
pub(crate) mod sni;
pub(crate) mod target;

pub(crate) use matcher::Fit;
pub(crate) use resolve::{Candidate, Heard, Resolution, Standing, resolve};
pub use target::RouteTarget;
pub(crate) use target::{RouteAction, RouteShare};

use serde_json::Value;

use self::matcher::Matcher;
use crate::model::{Object, ObjectRef};

/// A request, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The Host header, with the port if the client sends one.
    pub host: String,
    /// The path, without its query.
    pub path: String,
    /// The query after the `?`, if given.
    pub query: Option<String>,
    /// The port that it is sent to. `None` means any port.
    pub port: Option<u16>,
}

/// The objects that define the routing. Each list has the objects of every namespace, as they were read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Routing<'v> {
    pub gateways: &'v [Object],
    pub virtual_services: &'v [Object],
    pub route_tables: &'v [Object],
    pub upstream_groups: &'v [Object],
    pub kube_gateways: &'v [Object],
    pub http_routes: &'v [Object],
    /// The Services of the proxies, which map their ports to the ports of the Gateways.
    pub services: &'v [Object],
    /// Their labels decide from which namespaces a listener of the Gateway API accepts routes.
    pub namespaces: &'v [Object],
    /// Gloo's Settings.
    pub settings: Option<&'v Object>,
    /// The namespace of Gloo.
    pub gloo_namespace: &'v str,
}

/// A route with a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// The path to it, outermost first: `virtualservice gloo-system/shop route 2`.
    pub trail: Vec<String>,
    /// Any of them must match. Never empty.
    pub matchers: Vec<Matcher>,
    pub action: RouteAction,
}

/// A route that Gloo does not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// The object that has the route.
    pub holder: ObjectRef,
    pub trail: Vec<String>,
    pub matchers: Vec<Matcher>,
    pub why: WhyLeftOut,
}

/// Why Gloo does not serve a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WhyLeftOut {
    /// The route itself is wrong: it does not fit its parent, or has no action.
    Refused(String),
    /// It delegates to no table, or in a cycle.
    LeadsNowhere(String),
}

impl std::fmt::Display for WhyLeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Refused(why) | Self::LeadsNowhere(why)) = self;
        f.write_str(why)
    }
}

/// Returns a string member of an object. Empty if it is not a string.
fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// Returns a list member of an object. Empty if it is not a list.
fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// Returns `namespace/name`.
fn full_name(object: &Object) -> String {
    format!("{}/{}", object.reference.namespace, object.reference.name)
}

fn is_named(object: &Object, namespace: &str, name: &str) -> bool {
    object.reference.namespace == namespace && object.reference.name == name
}

#[cfg(test)]
mod tests;
