//! The destinations of routes: every destination in an object with routes, and its path in the object.
//!
//! This module only reads the object. It does not match requests, follow delegations or look up destinations. Gloo's
//! routes are in `VirtualService` (`spec.virtualHost.routes`) and `RouteTable` (`spec.routes`), weighted sets in
//! `UpstreamGroup`, and connections without HTTP in a `Gateway`'s `tcpHosts`. Of the Kubernetes Gateway API,
//! `HTTPRoute` is read.

use serde_json::Value;

use super::backend::ServiceRef;
use crate::model::{FieldPath, Object, ObjectRef, Segment, kinds};

/// One destination.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RouteDestination {
    /// The object that contains the destination.
    pub from: ObjectRef,
    /// The path of the destination: `spec.virtualHost.routes[0].routeAction.single`.
    pub path: FieldPath,
    /// The path of its route: `spec.virtualHost.routes[0]`, a `tcpHosts` item, or an `HTTPRoute`'s rule. `None` in an
    /// `UpstreamGroup`, which has no routes.
    pub route: Option<FieldPath>,
    pub target: DestinationTarget,
    /// The weight among several destinations, as it is written in the object.
    pub weight: Option<u64>,
    pub part: RequestPart,
}

/// The requests that a destination gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestPart {
    /// The requests that the route matches.
    Request,
    /// A copy of these requests, whose responses are ignored.
    Mirror,
}

/// The kind and name of a destination.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum DestinationTarget {
    /// An Upstream. The namespace is empty if the object does not set it.
    Upstream { namespace: String, name: String },
    /// A Service without an Upstream in between, so it has no settings.
    Kube { service: ServiceRef, port: Option<u64> },
    /// A Consul service.
    Consul { service: String },
    /// An `UpstreamGroup`. The namespace is empty if the object does not set it.
    UpstreamGroup { namespace: String, name: String },
    /// The cluster that this request header names.
    ClusterHeader { header: String },
    /// The cluster with the name of the connection's SNI.
    ForwardSni,
    /// Gloo itself answers with a redirect.
    Redirect,
    /// Gloo itself answers.
    DirectResponse,
    /// A `RouteTable`. The namespace is empty if the object does not set it.
    RouteTable { namespace: String, name: String },
    /// The `RouteTable`s that this selector selects: `delegateAction.selector` as it is written.
    Selected { selector: Value },
    /// An unknown destination, with the key that contains it.
    Other { key: String },
}

/// Returns every destination in the object, in the order of its text. Empty for a kind without routes.
pub(crate) fn read(object: &Object) -> Vec<RouteDestination> {
    let mut reader = Reader { object, found: Vec::new() };
    let kind = object.reference.kind;
    if *kind == kinds::VIRTUAL_SERVICE {
        reader.routes(&FieldPath::keys(&["spec", "virtualHost", "routes"]));
    } else if *kind == kinds::ROUTE_TABLE {
        reader.routes(&FieldPath::keys(&["spec", "routes"]));
    } else if *kind == kinds::UPSTREAM_GROUP {
        reader.weighted(&FieldPath::keys(&["spec", "destinations"]), None);
    } else if *kind == kinds::GATEWAY {
        reader.tcp_hosts(&FieldPath::keys(&["spec", "tcpGateway", "tcpHosts"]));
        for matched in reader.items(&FieldPath::keys(&["spec", "hybridGateway", "matchedGateways"])) {
            reader.tcp_hosts(&matched.join(&FieldPath::keys(&["tcpGateway", "tcpHosts"])));
        }
    } else if *kind == kinds::HTTP_ROUTE {
        reader.rules(&FieldPath::keys(&["spec", "rules"]));
    }
    reader.found
}

struct Reader<'o> {
    object: &'o Object,
    found: Vec<RouteDestination>,
}

impl Reader<'_> {
    /// Reads `spec.virtualHost.routes` or `spec.routes`. A route has exactly one action.
    fn routes(&mut self, list: &FieldPath) {
        for route in self.items(list) {
            for (key, action) in self.members(&route) {
                match key.as_str() {
                    "routeAction" => self.route_action(&action, &route),
                    "redirectAction" => self.push(action, Some(&route), DestinationTarget::Redirect),
                    "directResponseAction" => self.push(action, Some(&route), DestinationTarget::DirectResponse),
                    "delegateAction" => {
                        let target = delegate(self.at(&action));
                        self.push(action, Some(&route), target);
                    }
                    "graphqlApiRef" => self.push(action, Some(&route), DestinationTarget::Other { key }),
                    _ => {}
                }
            }
            self.mirror(&route);
        }
    }

    /// Reads one of `single`, `multi`, `upstreamGroup`, `clusterHeader`, `dynamicForwardProxy`.
    fn route_action(&mut self, action: &FieldPath, route: &FieldPath) {
        for (key, path) in self.members(action) {
            match key.as_str() {
                "single" => {
                    let target = destination(self.at(&path));
                    self.push(path, Some(route), target);
                }
                "multi" => self.weighted(&path.then(Segment::Key("destinations".into())), Some(route)),
                "upstreamGroup" => {
                    let (namespace, name) = reference(self.at(&path));
                    self.push(path, Some(route), DestinationTarget::UpstreamGroup { namespace, name });
                }
                "clusterHeader" => {
                    let header = self.at(&path).as_str().unwrap_or_default().to_owned();
                    self.push(path, Some(route), DestinationTarget::ClusterHeader { header });
                }
                "forwardSniClusterName" => self.push(path, Some(route), DestinationTarget::ForwardSni),
                _ => self.push(path, Some(route), DestinationTarget::Other { key }),
            }
        }
    }

    /// Reads `options.shadowing.upstream`, which gets a copy of the requests.
    fn mirror(&mut self, route: &FieldPath) {
        let path = route.join(&FieldPath::keys(&["options", "shadowing", "upstream"]));
        if path.get(&self.object.value).is_some() {
            let (namespace, name) = reference(self.at(&path));
            self.push(path, Some(route), DestinationTarget::Upstream { namespace, name });
            self.last_is_a_mirror();
        }
    }

    /// Reads items of the form `{destination, weight}`.
    fn weighted(&mut self, list: &FieldPath, route: Option<&FieldPath>) {
        for item in self.items(list) {
            let weight = self.at(&item)["weight"].as_u64();
            let path = item.then(Segment::Key("destination".into()));
            let target = destination(self.at(&path));
            self.push(path, route, target);
            self.last_weighs(weight);
        }
    }

    fn tcp_hosts(&mut self, list: &FieldPath) {
        for host in self.items(list) {
            self.route_action(&host.then(Segment::Key("destination".into())), &host);
        }
    }

    /// Reads the rules of an `HTTPRoute`: `backendRefs` to Services and Upstreams, and `RequestMirror` filters.
    fn rules(&mut self, list: &FieldPath) {
        for rule in self.items(list) {
            for path in self.items(&rule.then(Segment::Key("backendRefs".into()))) {
                let weight = self.at(&path)["weight"].as_u64();
                let target = backend_ref(self.at(&path), &self.object.reference.namespace);
                self.push(path, Some(&rule), target);
                self.last_weighs(weight);
            }
            for filter in self.items(&rule.then(Segment::Key("filters".into()))) {
                let path = filter.join(&FieldPath::keys(&["requestMirror", "backendRef"]));
                if path.get(&self.object.value).is_some() {
                    let target = backend_ref(self.at(&path), &self.object.reference.namespace);
                    self.push(path, Some(&rule), target);
                    self.last_is_a_mirror();
                } else if self.at(&filter)["requestRedirect"].is_object() {
                    self.push(filter, Some(&rule), DestinationTarget::Redirect);
                }
            }
        }
    }

    fn at(&self, path: &FieldPath) -> &Value {
        path.get(&self.object.value).unwrap_or(&Value::Null)
    }

    fn items(&self, list: &FieldPath) -> Vec<FieldPath> {
        let length = self.at(list).as_array().map_or(0, Vec::len);
        (0..length).map(|index| list.then(Segment::Index(index))).collect()
    }

    fn members(&self, path: &FieldPath) -> Vec<(String, FieldPath)> {
        let members = self.at(path).as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        members.map(|(key, _)| (key.clone(), path.then(Segment::Key(key.clone())))).collect()
    }

    fn push(&mut self, path: FieldPath, route: Option<&FieldPath>, target: DestinationTarget) {
        let from = self.object.reference.clone();
        let part = RequestPart::Request;
        self.found.push(RouteDestination { from, path, route: route.cloned(), target, weight: None, part });
    }

    fn last_weighs(&mut self, weight: Option<u64>) {
        self.found.last_mut().expect("a destination was pushed").weight = weight;
    }

    fn last_is_a_mirror(&mut self) {
        self.found.last_mut().expect("a destination was pushed").part = RequestPart::Mirror;
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn reference(value: &Value) -> (String, String) {
    (text(value, "namespace"), text(value, "name"))
}

/// Reads one of `upstream`, `kube`, `consul`.
fn destination(value: &Value) -> DestinationTarget {
    if value["upstream"].is_object() {
        let (namespace, name) = reference(&value["upstream"]);
        return DestinationTarget::Upstream { namespace, name };
    }
    if value["kube"].is_object() {
        let (namespace, name) = reference(&value["kube"]["ref"]);
        return DestinationTarget::Kube {
            service: ServiceRef { namespace, name },
            port: value["kube"]["port"].as_u64(),
        };
    }
    if value["consul"].is_object() {
        return DestinationTarget::Consul { service: text(&value["consul"], "serviceName") };
    }
    let key = value.as_object().and_then(|map| map.keys().next()).cloned().unwrap_or_default();
    DestinationTarget::Other { key }
}

/// Reads `ref`, `selector`, or the older form with `name` and `namespace` directly below the action.
fn delegate(action: &Value) -> DestinationTarget {
    if action["selector"].is_object() {
        return DestinationTarget::Selected { selector: action["selector"].clone() };
    }
    let (namespace, name) = reference(if action["ref"].is_object() { &action["ref"] } else { action });
    DestinationTarget::RouteTable { namespace, name }
}

/// Reads a backend reference. The default kind is Service, the default namespace is that of the route.
fn backend_ref(value: &Value, own_namespace: &str) -> DestinationTarget {
    let name = text(value, "name");
    let namespace = value["namespace"].as_str().unwrap_or(own_namespace).to_owned();
    match (value["group"].as_str().unwrap_or_default(), value["kind"].as_str().unwrap_or("Service")) {
        ("" | "core", "Service") => {
            DestinationTarget::Kube { service: ServiceRef { namespace, name }, port: value["port"].as_u64() }
        }
        ("gloo.solo.io", "Upstream") => DestinationTarget::Upstream { namespace, name },
        (_, kind) => DestinationTarget::Other { key: kind.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    /// Expects each destination as `path -> target`, without the `spec.` that all paths begin with.
    #[track_caller]
    fn leads(kind: &'static Kind, spec: &str, wanted: &[&str]) {
        let text = format!("metadata: {{name: it, namespace: shop}}\nspec:\n{spec}");
        let object = Object::new(kind, crate::yaml::parse(&text).unwrap());
        let shown: Vec<_> = read(&object)
            .iter()
            .map(|it| {
                assert_eq!(it.from, object.reference);
                let weight = it.weight.map(|weight| format!(" {weight}")).unwrap_or_default();
                let mirror = if it.part == RequestPart::Mirror { " mirror" } else { "" };
                let path = it.path.to_string();
                format!("{} -> {:?}{weight}{mirror}", path.trim_start_matches("spec."), it.target)
            })
            .map(|line| line.replace('"', ""))
            .collect();
        assert_eq!(shown, wanted);
    }

    #[test]
    fn a_virtual_service_leads_to_upstreams_services_groups_and_other_route_tables() {
        leads(
            &kinds::VIRTUAL_SERVICE,
            "  virtualHost:
    domains: ['*']
    routes:
    - matchers: [{prefix: /a}]
      routeAction: {single: {upstream: {name: u, namespace: gloo-system}}}
    - routeAction:
        multi:
          destinations:
          - {weight: 9, destination: {kube: {ref: {name: s, namespace: shop}, port: 80}}}
          - {weight: 1, destination: {consul: {serviceName: c}}}
    - routeAction: {upstreamGroup: {name: g, namespace: shop}}
    - routeAction: {clusterHeader: x-cluster}
    - delegateAction: {ref: {name: r, namespace: shop}}
    - delegateAction: {name: old, namespace: shop}
    - delegateAction: {selector: {labels: {team: a}}}
",
            &[
                "virtualHost.routes[0].routeAction.single -> Upstream { namespace: gloo-system, name: u }",
                "virtualHost.routes[1].routeAction.multi.destinations[0].destination -> Kube { service: ServiceRef { namespace: shop, name: s }, port: Some(80) } 9",
                "virtualHost.routes[1].routeAction.multi.destinations[1].destination -> Consul { service: c } 1",
                "virtualHost.routes[2].routeAction.upstreamGroup -> UpstreamGroup { namespace: shop, name: g }",
                "virtualHost.routes[3].routeAction.clusterHeader -> ClusterHeader { header: x-cluster }",
                "virtualHost.routes[4].delegateAction -> RouteTable { namespace: shop, name: r }",
                "virtualHost.routes[5].delegateAction -> RouteTable { namespace: shop, name: old }",
                "virtualHost.routes[6].delegateAction -> Selected { selector: Object {labels: Object {team: String(a)}} }",
            ],
        );
    }

    #[test]
    fn a_route_table_may_answer_itself_and_mirror() {
        leads(
            &kinds::ROUTE_TABLE,
            "  routes:
  - redirectAction: {hostRedirect: other.example}
  - directResponseAction: {status: 404}
  - routeAction: {single: {upstream: {name: u}}}
    options: {shadowing: {upstream: {name: m, namespace: gloo-system}, percentage: 50}}
  - graphqlApiRef: {name: q}
  - routeAction: {dynamicForwardProxy: {}}
",
            &[
                "routes[0].redirectAction -> Redirect",
                "routes[1].directResponseAction -> DirectResponse",
                "routes[2].routeAction.single -> Upstream { namespace: , name: u }",
                "routes[2].options.shadowing.upstream -> Upstream { namespace: gloo-system, name: m } mirror",
                "routes[3].graphqlApiRef -> Other { key: graphqlApiRef }",
                "routes[4].routeAction.dynamicForwardProxy -> Other { key: dynamicForwardProxy }",
            ],
        );
    }

    #[test]
    fn an_upstream_group_has_weights_and_no_routes() {
        leads(
            &kinds::UPSTREAM_GROUP,
            "  destinations:
  - {destination: {upstream: {name: a, namespace: ns}}, weight: 3}
  - {destination: {kube: {ref: {name: s, namespace: ns}}}}
",
            &[
                "destinations[0].destination -> Upstream { namespace: ns, name: a } 3",
                "destinations[1].destination -> Kube { service: ServiceRef { namespace: ns, name: s }, port: None }",
            ],
        );
    }

    #[test]
    fn a_gateway_without_http_has_destinations_of_its_own() {
        leads(
            &kinds::GATEWAY,
            "  bindPort: 8000
  tcpGateway:
    tcpHosts:
    - {name: a, destination: {single: {upstream: {name: u, namespace: ns}}}}
    - {name: b, destination: {forwardSniClusterName: {}}}
",
            &[
                "tcpGateway.tcpHosts[0].destination.single -> Upstream { namespace: ns, name: u }",
                "tcpGateway.tcpHosts[1].destination.forwardSniClusterName -> ForwardSni",
            ],
        );
        leads(&kinds::GATEWAY, "  httpGateway: {}\n", &[]);
    }

    #[test]
    fn an_http_route_names_services_of_its_own_namespace_and_upstreams() {
        leads(
            &kinds::HTTP_ROUTE,
            "  rules:
  - backendRefs:
    - {name: s, port: 8000, weight: 90}
    - {name: u, namespace: gloo-system, kind: Upstream, group: gloo.solo.io}
    filters:
    - {type: RequestMirror, requestMirror: {backendRef: {name: m, port: 80}}}
  - filters:
    - {type: RequestRedirect, requestRedirect: {scheme: https}}
",
            &[
                "rules[0].backendRefs[0] -> Kube { service: ServiceRef { namespace: shop, name: s }, port: Some(8000) } 90",
                "rules[0].backendRefs[1] -> Upstream { namespace: gloo-system, name: u }",
                "rules[0].filters[0].requestMirror.backendRef -> Kube { service: ServiceRef { namespace: shop, name: m }, port: Some(80) } mirror",
                "rules[1].filters[0] -> Redirect",
            ],
        );
    }

    #[test]
    fn what_is_not_as_it_should_be_leads_nowhere_and_breaks_nothing() {
        for spec in ["  routes: 3\n", "  routes: [3, null]\n", "  routes: [{routeAction: null}]\n", "  x: y\n"] {
            leads(&kinds::ROUTE_TABLE, spec, &[]);
        }
        leads(
            &kinds::ROUTE_TABLE,
            "  routes: [{routeAction: {single: {}}}]\n",
            &["routes[0].routeAction.single -> Other { key:  }"],
        );
        leads(&kinds::UPSTREAM, "  routes: [{redirectAction: {}}]\n", &[]);
    }
}
