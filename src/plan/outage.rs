//! Between which steps of a plan requests through the gateway are 503.
//!
//! A request is answered where both ends agree: mutual TLS needs a sidecar at the pod that is not told to DISABLE it, and
//! certificates at the gateway; plaintext needs a peer that is not STRICT. A plan that changes one end after the other may have them disagree for a
//! while; here its steps are gone through on what was read, and each way is looked at after each of them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::backend::{TLS_MODE, barred, is_meshed, obeys_policies};
use super::gateway::AutoMtls;
use super::peer::change::{Request, Scope, Verdict, after, decide};
use super::peer::{Mode, Policies};
use super::ssl_config::{Tls, istio_ssl_config, tls_of};
use crate::model::{Kind, Object, ObjectRef};

/// Whether something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    On,
    Off,
}

/// What a step does to requests.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The gateway has the mesh's certificates from here on, or has none any more.
    Certificates(Turn),
    AutoMtls(Turn),
    /// The namespace's pods come into the mesh, or leave it.
    Mesh(String, Turn),
    /// The Upstream speaks mutual TLS whatever its pods take.
    Tls(ObjectRef, Turn),
    Policy(Request),
}

/// A way of requests: through an Upstream, or from a route to a Service itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    /// `upstream gloo-system/default-httpbin-8000`
    pub shown: String,
    pub upstream: Option<Object>,
    /// Where its pods are.
    pub namespace: String,
    /// The pods' port, if it is known by its number.
    pub port: Option<u64>,
    /// Their metadata.
    pub pods: Vec<Value>,
}

/// What decides whether a request is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    pub certificates: Turn,
    pub auto_mtls: AutoMtls,
    pub policies: Vec<Value>,
    pub root_namespace: String,
    /// `PeerAuthentication` as the API server has it.
    pub policy_kind: &'static Kind,
    pub ways: Vec<Way>,
}

/// Steps between which a way is 503.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    pub shown: String,
    /// The step after which it begins, from 1; none: it is so before the first.
    pub begins: Option<usize>,
    /// The step that ends it; none: no step does.
    pub ends: Option<usize>,
    /// `STRICT by istio-system/default, mesh`
    pub why: String,
}

/// What a plan touches, to be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Touched {
    pub namespaces: BTreeSet<String>,
    pub upstreams: Vec<ObjectRef>,
    /// Every namespace.
    pub mesh: bool,
}

impl Touched {
    /// All that these effects are about.
    pub fn by<'e>(effects: impl IntoIterator<Item = &'e Effect>) -> Self {
        let mut touched = Self::default();
        for effect in effects {
            match effect {
                Effect::Certificates(_) | Effect::AutoMtls(_) => {}
                Effect::Mesh(namespace, _) => drop(touched.namespaces.insert(namespace.clone())),
                Effect::Tls(upstream, _) => touched.upstreams.push(upstream.clone()),
                Effect::Policy(request) => match &request.scope {
                    Scope::Mesh => touched.mesh = true,
                    Scope::Namespace(namespace) | Scope::Workload { namespace, .. } => {
                        touched.namespaces.insert(namespace.clone());
                    }
                },
            }
        }
        touched
    }

    /// Whether the way is of interest.
    pub fn has(&self, namespace: &str, upstream: Option<&ObjectRef>) -> bool {
        self.mesh
            || self.namespaces.contains(namespace)
            || upstream.is_some_and(|upstream| self.upstreams.contains(upstream))
    }
}

/// Goes through the steps, each with its effects. What is 503 before and after all of them is not this plan's doing.
pub fn outages(mut world: World, steps: &[Vec<Effect>]) -> Vec<Outage> {
    let mut states = vec![world.unanswered()];
    for effects in steps {
        for effect in effects {
            world.take(effect);
        }
        states.push(world.unanswered());
    }
    let mut found = Vec::new();
    for (index, way) in world.ways.iter().enumerate() {
        let mut open: Option<Outage> = None;
        for (step, state) in states.iter().enumerate() {
            match (&state[index], &mut open) {
                (Some(why), None) => {
                    let begins = (step > 0).then_some(step);
                    open = Some(Outage { shown: way.shown.clone(), begins, ends: None, why: why.clone() });
                }
                (None, Some(outage)) => {
                    outage.ends = Some(step);
                    found.extend(open.take());
                }
                _ => {}
            }
        }
        found.extend(open.filter(|outage| outage.begins.is_some()));
    }
    found
}

impl World {
    /// Why each way is not answered, where it is not.
    fn unanswered(&self) -> Vec<Option<String>> {
        self.ways.iter().map(|way| way.pods.iter().find_map(|pod| self.against(way, pod))).collect()
    }

    fn against(&self, way: &Way, pod: &Value) -> Option<String> {
        let covers = |upstream: &Object| self.auto_mtls.covers(upstream);
        let of_mesh = is_meshed(pod);
        let speaks_tls = match way.upstream.as_ref().map(|upstream| tls_of(&upstream.value)) {
            // Whether somebody else's TLS is taken there is not known here.
            Some(Tls::Foreign(_)) => return None,
            Some(Tls::Istio(_)) => true,
            // Auto-mTLS asks each pod.
            _ => of_mesh && way.upstream.as_ref().map_or(self.auto_mtls == AutoMtls::On, covers),
        };
        match (speaks_tls, of_mesh) {
            (true, false) => Some("mutual TLS to pods without sidecars".to_owned()),
            (true, true) if self.certificates == Turn::Off => Some("the gateway has no certificates".to_owned()),
            (true, true) => self.set(way, pod, Mode::Disable).map(|by| format!("mutual TLS, and DISABLE by {by}")),
            (false, _) if obeys_policies(pod) => {
                self.set(way, pod, Mode::Strict).map(|by| format!("plaintext, and STRICT by {by}"))
            }
            _ => None,
        }
    }

    /// Who sets this mode for the pod, if it is the one that holds.
    fn set(&self, way: &Way, pod: &Value, mode: Mode) -> Option<String> {
        let effective = self.peers().of_workload(&way.namespace, &pod["metadata"]["labels"], way.port);
        effective.setting(mode).map(ToString::to_string)
    }

    fn peers(&self) -> Policies<'_> {
        Policies { all: &self.policies, root_namespace: &self.root_namespace }
    }

    fn take(&mut self, effect: &Effect) {
        match effect {
            Effect::Certificates(turn) => self.certificates = *turn,
            Effect::AutoMtls(Turn::On) => self.auto_mtls = AutoMtls::On,
            Effect::AutoMtls(Turn::Off) => self.auto_mtls = AutoMtls::Off,
            Effect::Mesh(namespace, turn) => {
                let ways = self.ways.iter_mut().filter(|way| way.namespace == *namespace);
                for pod in ways.flat_map(|way| &mut way.pods).filter(|pod| barred(pod).is_none()) {
                    pod["metadata"]["labels"][TLS_MODE] = match turn {
                        Turn::On => json!("istio"),
                        Turn::Off => Value::Null,
                    };
                }
            }
            Effect::Tls(reference, turn) => {
                let upstreams = self.ways.iter_mut().filter_map(|way| way.upstream.as_mut());
                for upstream in upstreams.filter(|upstream| upstream.reference == *reference) {
                    let tls = match turn {
                        Turn::On => istio_ssl_config(),
                        Turn::Off => Value::Null,
                    };
                    if let Some(spec) = upstream.value.get_mut("spec").and_then(Value::as_object_mut) {
                        spec.insert("sslConfig".to_owned(), tls);
                    }
                }
            }
            Effect::Policy(request) => {
                if let Verdict::Change { before, edits, .. } = decide(request, &self.peers(), self.policy_kind) {
                    self.policies = after(&self.peers(), &before, &edits);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kinds::{PEER_AUTHENTICATION, UPSTREAM};
    use crate::plan::mtls::{Caution, Foreign};
    use crate::plan::peer::change::Wish;
    use crate::plan::revisions::INJECT_LABEL;

    fn way(meshed: bool, config: &Value) -> Way {
        let mut labels = json!({"app": "cart"});
        if meshed {
            labels[TLS_MODE] = json!("istio");
        }
        let upstream = json!({"metadata": {"namespace": "gloo-system", "name": "cart"}, "spec": {"sslConfig": config}});
        Way {
            shown: "cart".into(),
            upstream: Some(Object::new(&UPSTREAM, upstream)),
            namespace: "shop".into(),
            port: Some(8080),
            pods: vec![json!({"metadata": {"labels": labels}})],
        }
    }

    /// Whose mesh is STRICT, or takes both.
    fn world(mode: &str, certificates: Turn, way: Way) -> World {
        let mesh =
            json!({"metadata": {"namespace": "istio-system", "name": "default"}, "spec": {"mtls": {"mode": mode}}});
        World {
            certificates,
            auto_mtls: AutoMtls::Off,
            policies: vec![mesh],
            root_namespace: "istio-system".into(),
            policy_kind: &PEER_AUTHENTICATION,
            ways: vec![way],
        }
    }

    fn mesh(turn: Turn) -> Vec<Effect> {
        vec![Effect::Mesh("shop".into(), turn)]
    }

    fn tls(turn: Turn) -> Vec<Effect> {
        vec![Effect::Tls(ObjectRef::new(&UPSTREAM, "gloo-system", "cart"), turn)]
    }

    fn policy(wish: Wish) -> Vec<Effect> {
        let scope = Scope::Namespace("shop".into());
        vec![Effect::Policy(Request { scope, wish, foreign: Foreign::Keep, caution: Caution::Forced })]
    }

    fn certificates(turn: Turn) -> Vec<Effect> {
        vec![Effect::Certificates(turn)]
    }

    /// Where each outage begins and ends.
    fn spans(world: World, steps: &[Vec<Effect>]) -> Vec<(Option<usize>, Option<usize>)> {
        outages(world, steps).iter().map(|outage| (outage.begins, outage.ends)).collect()
    }

    /// The guide's way, and strict in the end.
    fn setup() -> [Vec<Effect>; 4] {
        [certificates(Turn::On), mesh(Turn::On), tls(Turn::On), policy(Wish::Set(Mode::Strict))]
    }

    /// And back.
    fn teardown() -> [Vec<Effect>; 4] {
        [policy(Wish::Remove), tls(Turn::Off), mesh(Turn::Off), certificates(Turn::Off)]
    }

    #[test]
    fn a_permissive_mesh_is_never_503_on_the_way_to_strict() {
        assert_eq!(spans(world("PERMISSIVE", Turn::Off, way(false, &Value::Null)), &setup()), []);
    }

    #[test]
    fn under_a_strict_mesh_enrolling_begins_an_outage_that_the_upstream_ends() {
        let found = outages(world("STRICT", Turn::Off, way(false, &Value::Null)), &setup());
        let why = "plaintext, and STRICT by istio-system/default, mesh";
        assert_eq!(found, [Outage { shown: "cart".into(), begins: Some(2), ends: Some(3), why: why.into() }]);
    }

    #[test]
    fn what_is_503_already_is_so_until_the_upstream_speaks_mutual_tls() {
        assert_eq!(spans(world("STRICT", Turn::Off, way(true, &Value::Null)), &setup()), [(None, Some(3))]);
    }

    #[test]
    fn an_outage_that_no_step_ends_is_said_to_stay() {
        let only = [certificates(Turn::On), mesh(Turn::On)];
        assert_eq!(spans(world("STRICT", Turn::Off, way(false, &Value::Null)), &only), [(Some(2), None)]);
        assert_eq!(spans(world("STRICT", Turn::Off, way(true, &Value::Null)), &only), [], "none of this plan's doing");
    }

    #[test]
    fn auto_mtls_asks_each_pod_and_leaves_no_gap() {
        let steps = [certificates(Turn::On), vec![Effect::AutoMtls(Turn::On)], mesh(Turn::On)];
        assert_eq!(spans(world("STRICT", Turn::Off, way(false, &Value::Null)), &steps), []);
        let mut opted_out = way(false, &Value::Null);
        opted_out.upstream.as_mut().unwrap().value["spec"]["disableIstioAutoMtls"] = json!(true);
        assert_eq!(spans(world("STRICT", Turn::Off, opted_out), &steps), [(Some(3), None)]);
    }

    #[test]
    fn on_the_way_back_a_permissive_mesh_is_503_nowhere_and_a_strict_one_until_its_pods_leave() {
        let tls_on = istio_ssl_config();
        let of = |mode| world(mode, Turn::On, way(true, &tls_on));
        assert_eq!(spans(of("PERMISSIVE"), &teardown()), []);
        assert_eq!(spans(of("STRICT"), &teardown()), [(Some(2), Some(3))]);
        assert_eq!(spans(of("STRICT"), &teardown()[..2]), [(Some(2), None)]);
    }

    #[test]
    fn mutual_tls_before_its_pods_have_sidecars_or_after_its_certificates_went_is_503() {
        let on = istio_ssl_config();
        let early = [certificates(Turn::On), tls(Turn::On), mesh(Turn::On)];
        assert_eq!(spans(world("PERMISSIVE", Turn::Off, way(false, &Value::Null)), &early), [(Some(2), Some(3))]);
        let late = [mesh(Turn::Off), tls(Turn::Off)];
        assert_eq!(spans(world("PERMISSIVE", Turn::On, way(true, &on)), &late), [(Some(1), Some(2))]);
        let found = outages(world("PERMISSIVE", Turn::On, way(true, &on)), &[certificates(Turn::Off)]);
        assert_eq!(found[0].why, "the gateway has no certificates");
    }

    #[test]
    fn mutual_tls_to_a_peer_that_is_told_to_disable_it_is_503_until_another_mode_holds() {
        let of = |config: &Value| world("DISABLE", Turn::On, way(true, config));
        let found = outages(of(&Value::Null), &[tls(Turn::On)]);
        let why = "mutual TLS, and DISABLE by istio-system/default, mesh";
        assert_eq!(found, [Outage { shown: "cart".into(), begins: Some(1), ends: None, why: why.into() }]);
        assert_eq!(spans(of(&Value::Null), &setup()), [(Some(3), Some(4))], "STRICT ends it");
        let auto = [vec![Effect::AutoMtls(Turn::On)], policy(Wish::Set(Mode::Permissive))];
        assert_eq!(spans(of(&Value::Null), &auto), [(Some(1), Some(2))]);
        assert_eq!(spans(of(&istio_ssl_config()), &[tls(Turn::Off)]), [(None, Some(1))]);
    }

    #[test]
    fn pods_that_stay_out_of_the_mesh_keep_taking_plaintext() {
        let mut plain = way(false, &Value::Null);
        plain.pods[0]["metadata"]["annotations"] = json!({INJECT_LABEL: "false"});
        assert_eq!(spans(world("STRICT", Turn::On, plain.clone()), &setup()), [(Some(3), None)]);
        assert_eq!(spans(world("STRICT", Turn::On, plain), &[mesh(Turn::On)]), []);
    }

    #[test]
    fn a_route_to_a_service_itself_is_covered_by_auto_mtls_alone() {
        let mut direct = way(true, &Value::Null);
        direct.upstream = None;
        let strict = [policy(Wish::Set(Mode::Strict))];
        assert_eq!(spans(world("PERMISSIVE", Turn::On, direct.clone()), &strict), [(Some(1), None)]);
        let covered = World { auto_mtls: AutoMtls::On, ..world("PERMISSIVE", Turn::On, direct) };
        assert_eq!(spans(covered, &strict), []);
    }

    #[test]
    fn what_is_touched_is_what_is_read() {
        let all: Vec<_> = setup().concat();
        let touched = Touched::by(&all);
        assert!(touched.has("shop", None) && !touched.has("other", None));
        let upstream = ObjectRef::new(&UPSTREAM, "gloo-system", "cart");
        assert!(touched.has("other", Some(&upstream)));
        let request =
            Request { scope: Scope::Mesh, wish: Wish::Remove, foreign: Foreign::Keep, caution: Caution::Careful };
        assert!(Touched::by(&[Effect::Policy(request)]).has("other", None));
    }
}
