//! What routes lead to: Upstreams by name, and Services without an Upstream in between.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::survey::GATEWAY_PREFIX;
use super::{Facts, ProxyState, Survey};
use crate::model::{Object, ObjectRef, kinds};
use crate::plan::destinations;
use crate::plan::routes::Target;

/// What a route leads to, and the gateways that serve the route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// `upstream gloo-system/default-httpbin-8000`
    pub shown: String,
    pub target: Target,
    pub gateways: Gateways,
}

impl Way {
    /// The facts of its target, with the gateways that lead there alone.
    pub fn facts(&self, survey: &Survey<'_>) -> Facts {
        let mut facts = survey.of_target(&self.target);
        if let Ok(proxies) = &mut facts.proxies {
            proxies.retain(|proxy| self.gateways.serve(proxy));
        }
        facts
    }
}

/// The gateways that serve a route, by the kinds of objects that name it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gateways {
    /// Gloo's own proxies: a `VirtualService`, `RouteTable`, `UpstreamGroup` or `Gateway` of Gloo's names it.
    classic: bool,
    /// Those of the Gateway API, `namespace/name`.
    of_gateway_api: BTreeSet<String>,
    /// Any of the Gateway API's: an `HTTPRoute` names it that another one delegates to.
    any_of_gateway_api: bool,
}

impl Gateways {
    /// Every gateway there is.
    pub fn all() -> Self {
        Self { classic: true, of_gateway_api: BTreeSet::new(), any_of_gateway_api: true }
    }

    fn of(object: &Object) -> Self {
        if *object.reference.kind != kinds::HTTP_ROUTE {
            return Self { classic: true, ..Self::default() };
        }
        let parents = object.value["spec"]["parentRefs"].as_array().map(Vec::as_slice).unwrap_or_default();
        let gateway = |parent: &Value| {
            let is_gateway = parent["kind"].is_null() || parent["kind"] == kinds::KUBE_GATEWAY.kind;
            let namespace = parent["namespace"].as_str().unwrap_or(&object.reference.namespace);
            Some(format!("{namespace}/{GATEWAY_PREFIX}{}", parent["name"].as_str().filter(|_| is_gateway)?))
        };
        let of_gateway_api: BTreeSet<_> = parents.iter().filter_map(gateway).collect();
        Self { classic: false, any_of_gateway_api: of_gateway_api.is_empty(), of_gateway_api }
    }

    fn add(&mut self, other: Self) {
        self.classic |= other.classic;
        self.any_of_gateway_api |= other.any_of_gateway_api;
        self.of_gateway_api.extend(other.of_gateway_api);
    }

    fn serve(&self, proxy: &ProxyState) -> bool {
        match proxy.of_gateway_api {
            true => self.any_of_gateway_api || self.of_gateway_api.contains(&proxy.name),
            false => self.classic,
        }
    }
}

/// What routes name.
#[derive(Debug, Default)]
pub struct Routed {
    upstreams: HashMap<(String, String), Gateways>,
    /// Services that routes name themselves.
    pub services: Vec<Way>,
}

impl Routed {
    /// Adds what an object with routes names.
    pub fn add(&mut self, object: &Object) {
        let gateways = Gateways::of(object);
        for destination in destinations::of(object) {
            let own = &object.reference.namespace;
            match destination.target {
                destinations::Target::Upstream { namespace, name } => {
                    let namespace = if namespace.is_empty() { own.clone() } else { namespace };
                    self.upstreams.entry((namespace, name)).or_default().add(gateways.clone());
                }
                destinations::Target::Kube { service, port } => {
                    let kind = object.reference.kind.singular;
                    let shown = format!("{kind} {own}/{}, {}", object.reference.name, destination.path);
                    let target = Target::Service { namespace: service.namespace, name: service.name, port };
                    self.services.push(Way { shown, target, gateways: gateways.clone() });
                }
                _ => {}
            }
        }
    }

    /// The gateways that serve routes to this Upstream; none where no route names it.
    pub fn gateways(&self, upstream: &ObjectRef) -> Option<&Gateways> {
        self.upstreams.get(&(upstream.namespace.clone(), upstream.name.clone()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::kinds::{HTTP_ROUTE, UPSTREAM, VIRTUAL_SERVICE};

    #[test]
    fn upstreams_and_services_are_found_by_the_routes_that_name_them() {
        let route = Object::new(
            &VIRTUAL_SERVICE,
            json!({"metadata": {"namespace": "shop", "name": "v"}, "spec": {"virtualHost": {"routes": [
                {"routeAction": {"single": {"kube": {"ref": {"namespace": "shop", "name": "cart"}, "port": 80}}}},
                {"routeAction": {"single": {"upstream": {"name": "u"}}}},
            ]}}}),
        );
        let mut routed = Routed::default();
        routed.add(&route);
        let classic = Gateways { classic: true, ..Gateways::default() };
        let shown = "virtualservice shop/v, spec.virtualHost.routes[0].routeAction.single".to_owned();
        let target = Target::Service { namespace: "shop".into(), name: "cart".into(), port: Some(80) };
        assert_eq!(routed.services, [Way { shown, target, gateways: classic.clone() }]);
        assert_eq!(routed.gateways(&ObjectRef::new(&UPSTREAM, "shop", "u")), Some(&classic));
        assert_eq!(routed.gateways(&ObjectRef::new(&UPSTREAM, "shop", "cart")), None);
    }

    #[test]
    fn a_gateway_counts_only_for_the_routes_that_it_serves() {
        let proxy = |name: &str, of_gateway_api: bool| ProxyState { of_gateway_api, ..ProxyState::named(name) };
        let [own, http, other] = [
            proxy("gloo-system/gateway-proxy", false),
            proxy("edge/gloo-proxy-http", true),
            proxy("x/gloo-proxy-y", true),
        ];
        let route = |parents: Value| {
            Object::new(&HTTP_ROUTE, json!({"metadata": {"namespace": "edge"}, "spec": {"parentRefs": parents}}))
        };
        let served = |gateways: &Gateways| [&own, &http, &other].map(|proxy| gateways.serve(proxy));
        assert_eq!(served(&Gateways::of(&route(json!([{"name": "http"}])))), [false, true, false]);
        assert_eq!(served(&Gateways::of(&route(json!([{"name": "y", "namespace": "x"}])))), [false, false, true]);
        let delegated = route(json!([{"kind": "HTTPRoute", "name": "parent"}]));
        assert_eq!(served(&Gateways::of(&delegated)), [false, true, true]);
        assert_eq!(served(&Gateways { classic: true, ..Gateways::default() }), [true, false, false]);
        assert_eq!(served(&Gateways::all()), [true, true, true]);
    }
}
