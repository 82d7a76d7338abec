//! What routes lead to: Upstreams by name, and Services without an Upstream in between.

use std::collections::HashSet;

use super::forecast::Way;
use crate::model::{Object, ObjectRef};
use crate::plan::destinations;
use crate::plan::routes::Target;

/// What routes name.
#[derive(Debug, Default)]
pub struct Routed {
    upstreams: HashSet<(String, String)>,
    /// Services that routes name themselves.
    pub services: Vec<Way>,
}

impl Routed {
    /// Adds what an object with routes names.
    pub fn add(&mut self, object: &Object) {
        for destination in destinations::of(object) {
            let own = &object.reference.namespace;
            match destination.target {
                destinations::Target::Upstream { namespace, name } => {
                    let namespace = if namespace.is_empty() { own.clone() } else { namespace };
                    self.upstreams.insert((namespace, name));
                }
                destinations::Target::Kube { service, port } => {
                    let kind = object.reference.kind.singular;
                    let shown = format!("{kind} {own}/{}, {}", object.reference.name, destination.path);
                    let target = Target::Service { namespace: service.namespace, name: service.name, port };
                    self.services.push(Way { shown, target });
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::kinds::{UPSTREAM, VIRTUAL_SERVICE};

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
        let shown = "virtualservice shop/v, spec.virtualHost.routes[0].routeAction.single".to_owned();
        let target = Target::Service { namespace: "shop".into(), name: "cart".into(), port: Some(80) };
        assert_eq!(routed.services, [Way { shown, target }]);
        assert!(routed.names(&ObjectRef::new(&UPSTREAM, "shop", "u")));
        assert!(!routed.names(&ObjectRef::new(&UPSTREAM, "shop", "cart")));
    }
}
