//! The destinations of routes: Upstreams by name, and Services without an Upstream in between.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};

use super::holders::{self, Holder};
pub(crate) use super::serving::ServingGateways;
use super::serving::{Classic, Listens};
use super::survey::Surveys;
use super::{Facts, ProxyState, Survey, pair};
use crate::model::{Kind, Object, ObjectRef, Snapshot, kinds};
use crate::plan::routes::{RouteTarget, listeners};

/// Kinds whose objects contain destinations. Gloo's Gateways also show which proxies serve the other objects.
pub(crate) const ROUTES: [&Kind; 5] =
    [&kinds::GATEWAY, &kinds::VIRTUAL_SERVICE, &kinds::ROUTE_TABLE, &kinds::UPSTREAM_GROUP, &kinds::HTTP_ROUTE];

/// The destination of a route, and the gateways that serve the route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RouteWay {
    /// `upstream gloo-system/default-httpbin-8000`
    pub shown: String,
    pub target: RouteTarget,
    pub gateways: ServingGateways,
    /// The namespace of the Gloo installation to which the gateways belong.
    pub installation: String,
}

impl RouteWay {
    /// Returns the facts of its target, with only the gateways that lead there.
    pub(crate) fn facts(&self, surveys: &Surveys<'_>) -> Facts {
        let survey = surveys.for_installation(&self.installation);
        self.gateways.narrow(survey, survey.of_target(&self.target))
    }

    /// Returns the namespace of the pods that it leads to. `None` if that is not known.
    pub(crate) fn pods_namespace<'s>(&'s self, snapshot: &'s Snapshot) -> Option<&'s str> {
        match &self.target {
            RouteTarget::Service { namespace, .. } => Some(namespace),
            RouteTarget::Upstream { namespace, name } => {
                let upstream = snapshot.find(&kinds::UPSTREAM, namespace, name).object()?;
                upstream.value["spec"]["kube"]["serviceNamespace"].as_str()
            }
            RouteTarget::Other(_) => None,
        }
    }

    /// Returns the facts with this Upstream as the target.
    pub(crate) fn facts_through(&self, surveys: &Surveys<'_>, upstream: &Object) -> Facts {
        let survey = surveys.for_installation(&self.installation);
        self.gateways.narrow(survey, survey.of_upstream(upstream))
    }
}

/// The destinations of all routes.
#[derive(Debug, Default)]
pub(crate) struct Routed {
    /// Gateways of Gloo's own API.
    listeners: Vec<Object>,
    holders: Vec<Holder>,
    /// What follows from the objects. It is found when it is first asked for.
    found: OnceCell<Destinations>,
}

/// Each destination, with the gateways that serve routes to it.
#[derive(Debug, Default)]
struct Destinations {
    upstreams: HashMap<(String, String), ServingGateways>,
    services: HashMap<RouteTarget, ServingGateways>,
    /// Routes to Services that they name themselves.
    to_services: Vec<(String, RouteTarget, ServingGateways)>,
}

impl Destinations {
    fn of(holders: &[Holder]) -> Self {
        let mut found = Self::default();
        for (holder, gateways) in holders.iter().zip(holders::serving(holders)) {
            for upstream in &holder.upstreams {
                found.upstreams.entry(upstream.clone()).or_default().add(gateways.clone());
            }
            for (shown, target) in &holder.services {
                found.services.entry(target.clone()).or_default().add(gateways.clone());
                found.to_services.push((shown.clone(), target.clone(), gateways.clone()));
            }
        }
        found
    }
}

impl Routed {
    /// Creates an empty collection with these Gateways of Gloo's own API.
    pub(crate) fn by(listeners: Vec<Object>) -> Self {
        Self { listeners, ..Self::default() }
    }

    /// Collects the destinations in these Gateways of Gloo themselves.
    pub(crate) fn of_gateways(gateways: &[Object]) -> Self {
        let mut routed = Self::by(gateways.to_vec());
        for gateway in gateways {
            routed.add(gateway);
        }
        routed
    }

    /// Adds the destinations in an object with routes.
    pub(crate) fn add(&mut self, object: &Object) {
        self.holders.push(Holder::read(object, self.serving_gateways(object)));
        self.found.take();
    }

    fn found(&self) -> &Destinations {
        self.found.get_or_init(|| Destinations::of(&self.holders))
    }

    /// Returns the gateways that serve the routes of an object. They are known by name only for a `VirtualService` and
    /// a `Gateway`. Objects that others lead to may be served by any proxy, until it is known which routes lead there.
    pub(crate) fn serving_gateways(&self, object: &Object) -> ServingGateways {
        if *object.reference.kind == kinds::HTTP_ROUTE {
            return ServingGateways::of_http_route(object);
        }
        let home = &object.reference.namespace;
        let serves = |gateway: &&Object| match object.reference.kind {
            kind if *kind == kinds::GATEWAY => gateway.reference == object.reference,
            kind if *kind == kinds::VIRTUAL_SERVICE => listeners::may_serve(gateway, object),
            _ => true,
        };
        let mut classic: BTreeSet<_> = self
            .listeners
            .iter()
            .filter(serves)
            .flat_map(|gateway| {
                let gateway_namespace = &gateway.reference.namespace;
                listeners::proxies(gateway).into_iter().map(|proxy| Classic {
                    home: home.clone(),
                    proxy: Some(Listens { gateway_namespace: gateway_namespace.clone(), proxy }),
                })
            })
            .collect();
        // The object may be served although no Gateway seems to serve it.
        if classic.is_empty() {
            classic.insert(Classic { home: home.clone(), proxy: None });
        }
        ServingGateways { classic, ..ServingGateways::default() }
    }

    /// Adds the destinations of another collection with the same Gateways.
    pub(crate) fn extend(&mut self, other: Self) {
        self.holders.extend(other.holders);
        self.found.take();
    }

    /// Returns the routes to Services without an Upstream in between: its text, its target, and the gateways that serve
    /// it.
    pub(crate) fn to_services(&self) -> &[(String, RouteTarget, ServingGateways)] {
        &self.found().to_services
    }

    /// Returns the gateways that serve routes to this Upstream. `None` if no route leads to it.
    pub(crate) fn gateways(&self, upstream: &ObjectRef) -> Option<&ServingGateways> {
        self.found().upstreams.get(&(upstream.namespace.clone(), upstream.name.clone()))
    }

    fn to(&self, target: &RouteTarget) -> Option<&ServingGateways> {
        match target {
            RouteTarget::Upstream { namespace, name } => self.found().upstreams.get(&(namespace.clone(), name.clone())),
            RouteTarget::Service { .. } => self.found().services.get(target),
            RouteTarget::Other(_) => None,
        }
    }

    /// Returns whether a gateway that is not scaled to 0 serves a route to the target, or may.
    pub(crate) fn is_routed(&self, survey: &Survey<'_>, target: &RouteTarget) -> bool {
        let serves = |gateways: &ServingGateways| {
            let mut active = survey.proxies().iter().filter(|proxy| !proxy.is_idle);
            !survey.knows_proxies() || active.any(|proxy| gateways.serve(survey.installation(), proxy))
        };
        self.to(target).is_some_and(serves)
    }

    /// Returns whether a gateway serves any route.
    pub(crate) fn has_routes(&self, survey: &Survey<'_>, proxy: &ProxyState) -> bool {
        let Destinations { upstreams, services, .. } = self.found();
        upstreams.values().chain(services.values()).any(|gateways| gateways.serve(survey.installation(), proxy))
    }

    /// Keeps only the gateways that lead to the target. If none of them does, keeps those that could serve it with
    /// everything that it needs, if there are any.
    pub(crate) fn narrow(&self, survey: &Survey<'_>, facts: Facts) -> Facts {
        if let Some(gateways) = self.to(&facts.target) {
            let narrowed = gateways.narrow(survey, facts.clone());
            if !narrowed.proxies.as_ref().is_ok_and(Vec::is_empty) {
                return narrowed;
            }
        }
        without_route(facts)
    }
}

fn without_route(mut facts: Facts) -> Facts {
    let is_whole = |proxy: &ProxyState| {
        let has_all = proxy.lacks.as_ref().is_ok_and(Vec::is_empty);
        has_all && !proxy.is_idle && pair::refused_certificate(proxy).is_none()
    };
    if let Ok(proxies) = &mut facts.proxies
        && proxies.iter().any(is_whole)
    {
        proxies.retain(is_whole);
    }
    facts
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::installation::Installation;
    use super::*;
    use crate::model::kinds::{GATEWAY, HTTP_ROUTE, ROUTE_TABLE, SETTINGS, UPSTREAM, UPSTREAM_GROUP, VIRTUAL_SERVICE};
    use crate::model::{ListAnswer, ListPart, Snapshot, Unknown};

    fn proxy(name: &str, of_gateway_api: bool) -> ProxyState {
        ProxyState { of_gateway_api, ..ProxyState::named(name) }
    }

    /// Gloo in this namespace, which watches these namespaces. An empty list means all.
    fn gloo(namespace: &str, watched: &[&str]) -> Installation {
        let mut snapshot = Snapshot::new(Unknown::because("it was not requested"));
        let settings = json!({
            "metadata": {"namespace": namespace, "name": "default"}, "spec": {"watchNamespaces": watched},
        });
        snapshot.put(&SETTINGS, ListPart::All, ListAnswer::Read(vec![Object::new(&SETTINGS, settings)]));
        Installation::read(&snapshot, namespace)
    }

    fn gateway(namespace: &str, name: &str, spec: Value) -> Object {
        let mut value = json!({"metadata": {"namespace": namespace, "name": name}});
        value["spec"] = spec;
        Object::new(&GATEWAY, value)
    }

    fn virtual_service(labels: &Value) -> Object {
        Object::new(
            &VIRTUAL_SERVICE,
            json!({"metadata": {"namespace": "shop", "name": "v", "labels": labels}, "spec": {"virtualHost": {"routes": [
                {"routeAction": {"single": {"kube": {"ref": {"namespace": "shop", "name": "cart"}, "port": 80}}}},
                {"routeAction": {"single": {"upstream": {"name": "u"}}}},
            ]}}}),
        )
    }

    #[test]
    fn upstreams_and_services_are_found_by_the_routes_that_name_them() {
        let mut routed = Routed::default();
        routed.add(&virtual_service(&json!({})));
        let [(shown, target, gateways)] = routed.to_services() else { panic!("{routed:?}") };
        assert_eq!(shown, "virtualservice shop/v, spec.virtualHost.routes[0].routeAction.single");
        assert_eq!(*target, RouteTarget::Service { namespace: "shop".into(), name: "cart".into(), port: Some(80) });
        assert_eq!(routed.gateways(&ObjectRef::new(&UPSTREAM, "shop", "u")), Some(gateways));
        assert_eq!(routed.gateways(&ObjectRef::new(&UPSTREAM, "shop", "cart")), None);
        assert!(gateways.serve(&gloo("gloo-system", &[]), &proxy("gloo-system/any", false)), "Gateways tell nothing");
        assert!(!gateways.serve(&gloo("gloo-system", &[]), &proxy("shop/gloo-proxy-http", true)));
    }

    #[test]
    fn a_gateway_of_the_gateway_api_counts_only_for_the_routes_that_it_serves() {
        let own = gloo("gloo-system", &[]);
        let proxies = [
            proxy("gloo-system/gateway-proxy", false),
            proxy("edge/gloo-proxy-http", true),
            proxy("x/gloo-proxy-y", true),
        ];
        let served = |gateways: &ServingGateways| proxies.each_ref().map(|proxy| gateways.serve(&own, proxy));
        let by = |parents: Value| {
            let route = json!({"metadata": {"namespace": "edge"}, "spec": {"parentRefs": parents}});
            ServingGateways::of_http_route(&Object::new(&HTTP_ROUTE, route))
        };
        assert_eq!(served(&by(json!([{"name": "http"}]))), [false, true, false]);
        assert_eq!(served(&by(json!([{"name": "y", "namespace": "x"}]))), [false, false, true]);
        let delegated = by(json!([{"kind": "HTTPRoute", "name": "parent"}]));
        assert_eq!(served(&delegated), [false, true, true]);
        assert_eq!(served(&ServingGateways::all()), [true, true, true]);
    }

    #[test]
    fn a_proxy_of_gloos_counts_where_a_gateway_that_names_it_selects_the_route() {
        let own = gloo("gloo-system", &[]);
        let proxies =
            ["gateway-proxy", "edge-proxy", "idle-proxy"].map(|name| proxy(&format!("gloo-system/{name}"), false));
        let served = |object: &Object| {
            let gateways = vec![
                gateway("gloo-system", "http", json!({"httpGateway": {"virtualServiceSelector": {"team": "a"}}})),
                gateway("gloo-system", "https", json!({"ssl": true, "httpGateway": {}, "proxyNames": ["idle-proxy"]})),
                gateway(
                    "gloo-system",
                    "edge",
                    json!({"proxyNames": ["edge-proxy"], "hybridGateway": {"matchedGateways": [
                        {"httpGateway": {"virtualServiceSelector": {"team": "b"}}},
                    ]}}),
                ),
            ];
            let gateways = Routed::by(gateways).serving_gateways(object);
            proxies.each_ref().map(|proxy| gateways.serve(&own, proxy))
        };
        assert_eq!(served(&virtual_service(&json!({"team": "a"}))), [true, false, false]);
        assert_eq!(served(&virtual_service(&json!({"team": "b"}))), [false, true, false]);
        assert_eq!(served(&virtual_service(&json!({}))), [true, true, true], "no Gateway tells");
    }

    #[test]
    fn a_gloo_serves_the_routes_of_namespaces_that_it_watches_by_its_own_gateways() {
        let gateways = Routed::by(vec![gateway("gloo-system", "http", json!({"httpGateway": {}}))]);
        let gateways = gateways.serving_gateways(&virtual_service(&json!({})));
        let serves = |namespace: &str, watched: &[&str]| {
            gateways.serve(&gloo(namespace, watched), &proxy(&format!("{namespace}/gateway-proxy"), false))
        };
        assert!(serves("gloo-system", &[]) && serves("gloo-system", &["gloo-system", "shop"]));
        assert!(!serves("gloo-system", &["gloo-system", "other"]));
        assert!(!serves("gloo2", &[]), "its Gateways are those of its own namespace");
    }

    /// The gateways of the proxies `gateway-proxy` and `edge-proxy`, and a `VirtualService` of each.
    fn delegating(actions: [Value; 2], table_labels: &Value) -> Routed {
        let mut routed = Routed::by(vec![
            gateway("gloo-system", "http", json!({"httpGateway": {"virtualServiceSelector": {"team": "a"}}})),
            gateway(
                "gloo-system",
                "edge",
                json!({"proxyNames": ["edge-proxy"], "httpGateway": {"virtualServiceSelector": {"team": "b"}}}),
            ),
        ]);
        for (team, route) in ["a", "b"].into_iter().zip(actions) {
            let metadata = json!({"namespace": "shop", "name": team, "labels": {"team": team}});
            let value = json!({"metadata": metadata, "spec": {"virtualHost": {"routes": [route]}}});
            routed.add(&Object::new(&VIRTUAL_SERVICE, value));
        }
        let action = json!({"single": {"upstream": {"name": "u", "namespace": "shop"}}});
        let metadata = json!({"namespace": "shop", "name": "t", "labels": table_labels});
        let table = json!({"metadata": metadata, "spec": {"routes": [{"routeAction": action}]}});
        routed.add(&Object::new(&ROUTE_TABLE, table));
        let group = json!({"metadata": {"namespace": "shop", "name": "g"}, "spec": {"destinations": [
            {"destination": {"upstream": {"name": "of-group"}}},
        ]}});
        routed.add(&Object::new(&UPSTREAM_GROUP, group));
        routed
    }

    #[test]
    fn a_delegated_route_is_served_by_the_proxies_that_lead_to_it() {
        let own = gloo("gloo-system", &[]);
        let proxies =
            ["gateway-proxy", "edge-proxy", "idle-proxy"].map(|name| proxy(&format!("gloo-system/{name}"), false));
        let answers = || json!({"directResponseAction": {"status": 200}});
        let by_name = || json!({"delegateAction": {"ref": {"name": "t", "namespace": "shop"}}});
        let by_label = || json!({"delegateAction": {"selector": {"labels": {"part": "x"}}}});
        for (routes, of_table) in [
            ([by_name(), answers()], [true, false, false]),
            ([answers(), by_label()], [false, true, false]),
            ([by_name(), by_label()], [true, true, false]),
            // Nothing is known to lead there.
            ([answers(), answers()], [true, true, false]),
        ] {
            let routed = delegating(routes.clone(), &json!({"part": "x"}));
            let gateways = routed.gateways(&ObjectRef::new(&UPSTREAM, "shop", "u")).unwrap();
            assert_eq!(proxies.each_ref().map(|proxy| gateways.serve(&own, proxy)), of_table, "{routes:?}");
        }
        let to_group = json!({"routeAction": {"upstreamGroup": {"name": "g", "namespace": "shop"}}});
        let routed = delegating([answers(), to_group], &json!({}));
        let gateways = routed.gateways(&ObjectRef::new(&UPSTREAM, "shop", "of-group")).unwrap();
        assert_eq!(proxies.each_ref().map(|proxy| gateways.serve(&own, proxy)), [false, true, false]);
    }

    #[test]
    fn without_a_route_the_gateway_that_has_everything_decides() {
        let named = |name: &str, lacks: &[&str]| ProxyState {
            lacks: Ok(lacks.iter().map(ToString::to_string).collect()),
            ..ProxyState::named(name)
        };
        let target = || RouteTarget::Upstream { namespace: "shop".into(), name: "u".into() };
        let kept = |proxies: Vec<ProxyState>| {
            let facts = without_route(Facts::bare(target(), super::super::Behind::NoUpstream, Ok(proxies)));
            facts.proxies.unwrap().into_iter().map(|proxy| proxy.name).collect::<Vec<_>>()
        };
        assert_eq!(kept(vec![named("x/bare", &["container sds"]), named("x/whole", &[])]), ["x/whole"]);
        assert_eq!(kept(vec![named("x/bare", &["container sds"])]), ["x/bare"]);
    }
}
