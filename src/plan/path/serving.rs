//! The gateways that serve a route.

use std::collections::BTreeSet;

use serde_json::Value;

use super::installation::Installation;
use super::survey::GATEWAY_PREFIX;
use super::{Facts, ProxyState, Survey};
use crate::model::{Object, kinds};

/// The gateways that serve a route, by the kinds of the objects that contain it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServingGateways {
    /// Gloo's own proxies, if a `VirtualService`, `RouteTable`, `UpstreamGroup` or `Gateway` of Gloo contains the
    /// route.
    pub(super) classic: BTreeSet<Classic>,
    /// Any of Gloo's own proxies.
    pub(super) any_classic: bool,
    /// Gateways of the Gateway API, `namespace/name`.
    pub(super) of_gateway_api: BTreeSet<String>,
    /// Any gateway of the Gateway API, because another `HTTPRoute` delegates to the one that contains the route.
    pub(super) any_of_gateway_api: bool,
}

/// An object with routes of Gloo's own API, and a proxy that serves it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Classic {
    /// The namespace of the object.
    pub home: String,
    /// `None` means any proxy, because the Gateways do not show which one.
    pub proxy: Option<Listens>,
}

/// A proxy, and the namespace of the Gateway that names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Listens {
    pub gateway_namespace: String,
    pub proxy: String,
}

impl ServingGateways {
    /// Returns all gateways.
    pub(crate) fn all() -> Self {
        Self { any_classic: true, any_of_gateway_api: true, ..Self::default() }
    }

    pub(super) fn of_http_route(route: &Object) -> Self {
        let parents = route.value["spec"]["parentRefs"].as_array().map(Vec::as_slice).unwrap_or_default();
        let gateway = |parent: &Value| {
            let is_gateway = parent["kind"].is_null() || parent["kind"] == kinds::KUBE_GATEWAY.kind;
            let namespace = parent["namespace"].as_str().unwrap_or(&route.reference.namespace);
            Some(format!("{namespace}/{GATEWAY_PREFIX}{}", parent["name"].as_str().filter(|_| is_gateway)?))
        };
        let of_gateway_api: BTreeSet<_> = parents.iter().filter_map(gateway).collect();
        Self { any_of_gateway_api: of_gateway_api.is_empty(), of_gateway_api, ..Self::default() }
    }

    /// Returns the gateways for an installation in which any proxy may serve the routes that it reads. `None` if it
    /// reads none of them. An `HTTPRoute` that none of its proxies serves belongs to another controller.
    pub(crate) fn of_any_proxy(&self, survey: &Survey<'_>) -> Option<Self> {
        let is_read = |classic: &Classic| survey.installation().watches(&classic.home);
        let any_classic = self.any_classic || self.classic.iter().any(is_read);
        (any_classic || !survey.knows_proxies()).then(|| Self { any_classic, ..self.clone() })
    }

    pub(super) fn add(&mut self, other: Self) {
        self.any_classic |= other.any_classic;
        self.any_of_gateway_api |= other.any_of_gateway_api;
        self.classic.extend(other.classic);
        self.of_gateway_api.extend(other.of_gateway_api);
    }

    /// Returns the same gateways for objects of this namespace.
    pub(super) fn of_objects_in(&self, home: &str) -> Self {
        let classic =
            self.classic.iter().map(|classic| Classic { home: home.to_owned(), proxy: classic.proxy.clone() });
        Self { classic: classic.collect(), ..self.clone() }
    }

    /// Returns whether a proxy of this installation serves the route.
    pub(crate) fn serve(&self, installation: &Installation, proxy: &ProxyState) -> bool {
        if proxy.of_gateway_api {
            return self.any_of_gateway_api || self.of_gateway_api.contains(&proxy.name);
        }
        let is_it = |listens: &Listens| {
            let name = proxy.name.rsplit_once('/').map_or(proxy.name.as_str(), |(_, name)| name);
            installation.reads_gateways_of(&listens.gateway_namespace) && listens.proxy == name
        };
        let serves =
            |classic: &Classic| installation.watches(&classic.home) && classic.proxy.as_ref().is_none_or(is_it);
        self.any_classic || self.classic.iter().any(serves)
    }

    /// Returns whether any proxy of an installation serves the route.
    pub(crate) fn serve_any(&self, survey: &Survey<'_>) -> bool {
        survey.proxies().iter().any(|proxy| self.serve(survey.installation(), proxy))
    }

    /// Keeps only the gateways that serve the route.
    pub(super) fn narrow(&self, survey: &Survey<'_>, mut facts: Facts) -> Facts {
        if let Ok(proxies) = &mut facts.proxies {
            proxies.retain(|proxy| self.serve(survey.installation(), proxy));
        }
        facts
    }
}
