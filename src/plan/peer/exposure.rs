//! What a gateway would get no answer from, once its peer takes mutual TLS alone.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::mode::{Effective, PORT_UNKNOWN, Policies};
use crate::model::{Object, ObjectRef};
use crate::plan::Unread;
use crate::plan::backend::{self, Destination, PodSelector, ServiceRef};
use crate::plan::destinations::{self, Target};
use crate::plan::gateway::AutoMtls;
use crate::plan::ssl_config::{Tls, tls_of};

/// A way by which a gateway may send plaintext to a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// `upstream gloo-system/a`, `virtualservice shop/b, spec.routes[0].routeAction.single`
    pub shown: String,
    /// Without the mesh's certificates because: `no sslConfig, auto-mTLS is off`.
    pub why: Plain,
    /// The Upstream; `None`: a route names the Service itself.
    pub upstream: Option<ObjectRef>,
    pub service: ServiceRef,
    pub port: Option<u64>,
    selector: BTreeMap<String, String>,
}

/// Why there is no mutual TLS of the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plain {
    /// It is certain.
    Sure(&'static str),
    /// Whether auto-mTLS covers it could not be read.
    Unknown(Unread),
}

/// What routes name.
#[derive(Debug, Default)]
pub struct Routed {
    upstreams: HashSet<(String, String)>,
    /// Routes that name a Service without an Upstream.
    pub services: Vec<Way>,
}

impl Routed {
    /// Takes up what an object with routes names.
    pub fn add(&mut self, object: &Object, auto_mtls: &Result<AutoMtls, Unread>) {
        for it in destinations::of(object) {
            let own = object.reference.namespace.clone();
            match it.target {
                Target::Upstream { namespace, name } => {
                    self.upstreams.insert((if namespace.is_empty() { own } else { namespace }, name));
                }
                Target::Kube { service, port } => {
                    // Nothing can be set on it: only auto-mTLS can cover it.
                    let Some(why) = auto_alone(auto_mtls, "only auto-mTLS could cover it, and it is off") else {
                        continue;
                    };
                    let kind = object.reference.kind.singular;
                    let shown = format!("{kind} {own}/{}, {}", object.reference.name, it.path);
                    let selector = BTreeMap::new();
                    self.services.push(Way { shown, why, upstream: None, service, port, selector });
                }
                _ => {}
            }
        }
    }

    /// Whether a route names this Upstream.
    pub fn names(&self, upstream: &ObjectRef) -> bool {
        self.upstreams.contains(&(upstream.namespace.clone(), upstream.name.clone()))
    }
}

fn auto_alone(auto_mtls: &Result<AutoMtls, Unread>, off: &'static str) -> Option<Plain> {
    match auto_mtls {
        Ok(AutoMtls::On) => None,
        Ok(AutoMtls::Off) => Some(Plain::Sure(off)),
        Ok(AutoMtls::Unknown) => Some(Plain::Unknown("whether auto-mTLS is on is unknown".into())),
        Err(why) => Some(Plain::Unknown(why.clone())),
    }
}

/// The way through an Upstream; `None` where it brings the mesh's certificates, or leads to no app's Service.
pub fn through(upstream: &Object, gloo_namespace: &str, auto_mtls: &Result<AutoMtls, Unread>) -> Option<Way> {
    let Destination::Service { service, port, selector } = backend::destination(&upstream.value, gloo_namespace) else {
        return None;
    };
    let why = match tls_of(&upstream.value) {
        Tls::Istio(_) => return None,
        Tls::Foreign(_) => Plain::Sure("its sslConfig is not Istio's"),
        Tls::Absent if upstream.value["spec"]["disableIstioAutoMtls"] == true => {
            Plain::Sure("no sslConfig, and it opts out of auto-mTLS")
        }
        Tls::Absent => auto_alone(auto_mtls, "no sslConfig, auto-mTLS is off")?,
    };
    let ObjectRef { namespace, name, .. } = &upstream.reference;
    let shown = format!("upstream {namespace}/{name}");
    Some(Way { shown, why, upstream: Some(upstream.reference.clone()), service, port, selector })
}

/// Services and the metadata of pods of one namespace.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Behind {
    pub services: Vec<Value>,
    pub pods: Vec<Value>,
}

/// What the change does to a way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Nobody who answers there begins to demand mutual TLS.
    Same,
    /// Pods that answer now would not any more.
    Broken,
    /// It cannot be known.
    Unknown(Unread),
}

/// What becomes of a way between two states of the policies.
pub fn fate(way: &Way, behind: &Result<Behind, Unread>, before: &Policies, after: &Policies) -> Fate {
    let Behind { services, pods } = match behind {
        Ok(behind) => behind,
        Err(why) => return Fate::Unknown(why.clone()),
    };
    let ServiceRef { namespace, name } = &way.service;
    let Some(service) = services.iter().find(|service| service["metadata"]["name"] == **name) else {
        return Fate::Same;
    };
    if service["spec"]["type"] == "ExternalName" {
        return Fate::Same;
    }
    let Some(selector) = PodSelector::of(service, &way.selector) else {
        return Fate::Unknown(format!("service {namespace}/{name} has no selector, so its pods are not known").into());
    };
    let port = backend::target_port(service, way.port);
    let is_behind = |pod: &&Value| selector.selects(&pod["metadata"]["labels"]) && backend::obeys_policies(pod);
    let mut fate = Fate::Same;
    for pod in pods.iter().filter(is_behind) {
        match begins(before, after, namespace, &pod["metadata"]["labels"], port) {
            Some(false) => {}
            None => fate = Fate::Unknown(PORT_UNKNOWN.into()),
            Some(true) => {
                return match &way.why {
                    Plain::Sure(_) => Fate::Broken,
                    Plain::Unknown(why) => Fate::Unknown(why.clone()),
                };
            }
        }
    }
    fate
}

/// Whether these pods begin to demand mutual TLS; `None` where that depends on which of their ports it is.
fn begins(before: &Policies, after: &Policies, namespace: &str, pod_labels: &Value, port: Option<u64>) -> Option<bool> {
    let on_port = |policies: &Policies| policies.on_port(namespace, pod_labels, port);
    let is_strict = |effective: &Effective| effective.is_strict();
    match (on_port(before), on_port(after)) {
        (Some(was), Some(is)) => Some(!was.is_strict() && is.is_strict()),
        (was, None) if was.as_ref().is_some_and(is_strict) => Some(false),
        (None, is) if is.as_ref().is_some_and(|is| !is.is_strict()) => Some(false),
        _ => {
            let modes = |policies: &Policies| {
                let ports = policies.ports(namespace, pod_labels);
                let of_ports: Vec<_> = ports.into_iter().map(|(port, of_port)| (port, of_port.mode)).collect();
                (policies.of_workload(namespace, pod_labels, None).mode, of_ports)
            };
            (modes(before) == modes(after)).then_some(false)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::kinds::{UPSTREAM, VIRTUAL_SERVICE};

    const OFF: Result<AutoMtls, Unread> = Ok(AutoMtls::Off);

    fn upstream(spec: &Value) -> Object {
        let mut value = json!({"metadata": {"namespace": "gloo-system", "name": "a"}, "spec": spec});
        value["spec"]["kube"] = json!({"serviceNamespace": "shop", "serviceName": "cart", "servicePort": 80});
        Object::new(&UPSTREAM, value)
    }

    fn policy(mode: &str) -> Value {
        json!({"metadata": {"namespace": "shop", "name": "p"}, "spec": {"mtls": {"mode": mode}}})
    }

    fn behind(pod_labels: &Value) -> Behind {
        let service =
            json!({"metadata": {"name": "cart"}, "spec": {"selector": {"app": "cart"}, "ports": [{"port": 80}]}});
        Behind { services: vec![service], pods: vec![json!({"metadata": {"labels": pod_labels}})] }
    }

    fn meshed() -> Behind {
        behind(&json!({"app": "cart", "security.istio.io/tlsMode": "istio"}))
    }

    fn fate_of(way: &Way, behind: &Result<Behind, Unread>, before: &[Value], after: &[Value]) -> Fate {
        let of = |all| Policies { all, root_namespace: "istio-system" };
        fate(way, behind, &of(before), &of(after))
    }

    #[test]
    fn an_upstream_is_a_way_for_plaintext_unless_it_brings_the_meshs_certificates() {
        let istio = json!({"sslConfig": crate::plan::ssl_config::istio_ssl_config()});
        let sure = |spec: &Value, auto: Result<AutoMtls, Unread>| match through(&upstream(spec), "gloo-system", &auto) {
            None => "covered".to_owned(),
            Some(Way { why: Plain::Sure(why), .. }) => why.to_owned(),
            Some(Way { why: Plain::Unknown(why), .. }) => why.why,
        };
        let table = [
            (json!({}), OFF, "no sslConfig, auto-mTLS is off"),
            (json!({}), Ok(AutoMtls::On), "covered"),
            (json!({}), Err("may not get settings".into()), "may not get settings"),
            (istio.clone(), OFF, "covered"),
            (istio, Err("may not get settings".into()), "covered"),
            (json!({"disableIstioAutoMtls": true}), Ok(AutoMtls::On), "no sslConfig, and it opts out of auto-mTLS"),
            (json!({"sslConfig": {"secretRef": {}}}), Ok(AutoMtls::On), "its sslConfig is not Istio's"),
        ];
        for (spec, auto, wanted) in table {
            assert_eq!(sure(&spec, auto), wanted, "{spec}");
        }
        let gloo =
            Object::new(&UPSTREAM, json!({"spec": {"kube": {"serviceNamespace": "edge", "serviceName": "gloo"}}}));
        assert_eq!(through(&gloo, "edge", &OFF), None, "Gloo's own Services are no apps of the mesh");
    }

    #[test]
    fn a_route_that_names_a_service_is_covered_by_auto_mtls_alone() {
        let route = Object::new(
            &VIRTUAL_SERVICE,
            json!({"metadata": {"namespace": "shop", "name": "v"}, "spec": {"virtualHost": {"routes": [
                {"routeAction": {"single": {"kube": {"ref": {"namespace": "shop", "name": "cart"}, "port": 80}}}},
                {"routeAction": {"single": {"upstream": {"name": "u"}}}},
            ]}}}),
        );
        let mut routed = Routed::default();
        routed.add(&route, &OFF);
        assert_eq!(routed.services.len(), 1);
        let shown = "virtualservice shop/v, spec.virtualHost.routes[0].routeAction.single";
        assert_eq!(routed.services[0].shown, shown);
        assert!(routed.names(&ObjectRef::new(&UPSTREAM, "shop", "u")));
        assert!(!routed.names(&ObjectRef::new(&UPSTREAM, "shop", "cart")));
        let mut covered = Routed::default();
        covered.add(&route, &Ok(AutoMtls::On));
        assert!(covered.services.is_empty());
    }

    #[test]
    fn a_way_breaks_where_a_pod_with_a_sidecar_begins_to_demand_mutual_tls() {
        let way = through(&upstream(&json!({})), "gloo-system", &OFF).unwrap();
        let (strict, open) = ([policy("STRICT")], [policy("PERMISSIVE")]);
        assert_eq!(fate_of(&way, &Ok(meshed()), &open, &strict), Fate::Broken);
        assert_eq!(fate_of(&way, &Ok(meshed()), &[], &strict), Fate::Broken);
        assert_eq!(fate_of(&way, &Ok(meshed()), &strict, &open), Fate::Same);
        assert_eq!(fate_of(&way, &Ok(meshed()), &strict, &strict), Fate::Same, "it is broken already");
        assert_eq!(
            fate_of(&way, &Ok(behind(&json!({"app": "cart"}))), &[], &strict),
            Fate::Same,
            "no sidecar, no demand"
        );
        assert_eq!(fate_of(&way, &Ok(Behind::default()), &[], &strict), Fate::Same, "no such service");
    }

    #[test]
    fn a_port_that_has_a_name_alone_is_unknown_where_single_ports_begin_to_differ() {
        let way = through(&upstream(&json!({})), "gloo-system", &OFF).unwrap();
        let mut named = meshed();
        named.services[0]["spec"]["ports"][0]["targetPort"] = json!("http");
        let of_port = |whole: &str, port: &str| {
            [
                json!({"metadata": {"namespace": "shop", "name": "w"}, "spec": {"selector": {"matchLabels": {"app": "cart"}},
                "mtls": {"mode": whole}, "portLevelMtls": {"8080": {"mode": port}}}}),
            ]
        };
        let (strict, open) = ([policy("STRICT")], [policy("PERMISSIVE")]);
        let unknown = Fate::Unknown(PORT_UNKNOWN.into());
        let table = [
            (open.clone(), of_port("PERMISSIVE", "STRICT"), unknown.clone()),
            (open.clone(), of_port("STRICT", "PERMISSIVE"), unknown.clone()),
            (of_port("PERMISSIVE", "STRICT"), of_port("STRICT", "PERMISSIVE"), unknown.clone()),
            (of_port("PERMISSIVE", "STRICT"), strict.clone(), unknown),
            (open.clone(), of_port("STRICT", "STRICT"), Fate::Broken),
            (strict, of_port("PERMISSIVE", "STRICT"), Fate::Same),
            (of_port("PERMISSIVE", "STRICT"), open, Fate::Same),
            (of_port("PERMISSIVE", "STRICT"), of_port("PERMISSIVE", "STRICT"), Fate::Same),
        ];
        for (before, after, wanted) in table {
            assert_eq!(fate_of(&way, &Ok(named.clone()), &before, &after), wanted, "{before:?} {after:?}");
        }
    }

    #[test]
    fn what_could_not_be_read_is_unknown_and_never_fine() {
        let strict = [policy("STRICT")];
        let sure = through(&upstream(&json!({})), "gloo-system", &OFF).unwrap();
        assert_eq!(
            fate_of(&sure, &Err("may not list pods".into()), &[], &strict),
            Fate::Unknown("may not list pods".into())
        );
        let unsure = through(&upstream(&json!({})), "gloo-system", &Err("no Settings".into())).unwrap();
        assert_eq!(fate_of(&unsure, &Ok(meshed()), &[], &strict), Fate::Unknown("no Settings".into()));
        let mut headless = meshed();
        headless.services[0]["spec"]["selector"] = Value::Null;
        assert!(matches!(fate_of(&sure, &Ok(headless), &[], &strict), Fate::Unknown(_)));
    }
}
