//! Where a request goes: host, path and port through Gateways, virtual hosts and routes to what answers.
//!
//! Gloo's own translator is followed, `projects/gateway/pkg/translator` for `VirtualServices` and the Gateway API's
//! precedence for `HTTPRoutes`. What a request carries beside host and path is not known here: a route that
//! depends on it is a candidate, with its condition said.

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
pub(crate) use target::{Action, Share};

use serde_json::Value;

use self::matcher::Matcher;
use crate::model::Object;

/// A request, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The Host header, with its port if the client sends one.
    pub host: String,
    /// The path, without its query.
    pub path: String,
    /// What stands behind the `?`, if it was said.
    pub query: Option<String>,
    /// The port it comes to; none: any.
    pub port: Option<u16>,
}

/// What routing is made of; each list as it was read, of every namespace.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Routing<'v> {
    pub gateways: &'v [Object],
    pub virtual_services: &'v [Object],
    pub route_tables: &'v [Object],
    pub upstream_groups: &'v [Object],
    pub kube_gateways: &'v [Object],
    pub http_routes: &'v [Object],
    /// Those of the proxies: which port of theirs leads to which port of a Gateway.
    pub services: &'v [Object],
    /// Their labels decide where a listener of the Gateway API takes routes from.
    pub namespaces: &'v [Object],
    /// Gloo's Settings.
    pub settings: Option<&'v Object>,
    /// Where Gloo is installed.
    pub gloo_namespace: &'v str,
}

/// A route that leads somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// Where it stands, outermost first: `virtualservice gloo-system/shop route 2`.
    pub trail: Vec<String>,
    /// Any of them; never empty.
    pub matchers: Vec<Matcher>,
    pub action: Action,
}

/// A route that Gloo does not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub trail: Vec<String>,
    pub matchers: Vec<Matcher>,
    pub why: String,
}

/// A string of an object; empty if it is none.
fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// A list of an object; empty if it is none.
fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// `namespace/name`
fn full_name(object: &Object) -> String {
    format!("{}/{}", object.reference.namespace, object.reference.name)
}

fn is_named(object: &Object, namespace: &str, name: &str) -> bool {
    object.reference.namespace == namespace && object.reference.name == name
}

#[cfg(test)]
mod tests;
