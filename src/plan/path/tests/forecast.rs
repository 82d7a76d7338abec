//! Between which steps of a plan a path is broken (503).

use super::*;
use crate::model::ObjectRef;
use crate::model::kinds::{PEER_AUTHENTICATION, UPSTREAM};
use crate::plan::path::effect::{Effect, PlannedWorld, Turn};
use crate::plan::path::forecast::{Forecast, Outage, forecast};
use crate::plan::path::routed::{RouteWay, ServingGateways};
use crate::plan::peer::Mode;
use crate::plan::peer::change::{PolicyRequest, PolicyScope, PolicyWish};
use crate::plan::policy::{Caution, OtherTls};
use crate::plan::revisions::INJECT_LABEL;

const MESH: &str = "istio-system/default, mesh";

/// A cluster with one pod, inside or outside of a mesh in this mode, a gateway with or without certificates, and an
/// Upstream with this TLS.
fn cluster(mode: &str, gateway: Turn, pod: Value, ssl_config: &Value) -> Cluster {
    let mesh = json!({"metadata": {"namespace": "istio-system", "name": "default"}, "spec": {"mtls": {"mode": mode}}});
    Cluster::new().with(|it| {
        it.policies = Some(vec![mesh]);
        it.pods = vec![pod];
        it.upstream["spec"]["sslConfig"] = ssl_config.clone();
        if gateway == Turn::Off {
            it.bootstrap = BOOTSTRAP.to_owned();
        }
    })
}

fn forecast_of(cluster: &Cluster, steps: &[Vec<Effect>]) -> Forecast {
    let target = RouteTarget::Upstream { namespace: "gloo-system".into(), name: "u".into() };
    through(cluster, target, steps)
}

fn through(cluster: &Cluster, target: RouteTarget, steps: &[Vec<Effect>]) -> Forecast {
    let mut snapshot = cluster.snapshot();
    let upstream = Object::new(&UPSTREAM, cluster.upstream.clone());
    snapshot.put(&UPSTREAM, ListPart::All, ListAnswer::Read(vec![upstream]));
    let world = PlannedWorld::new(snapshot, "gloo-system", &PEER_AUTHENTICATION);
    let installation = "gloo-system".to_owned();
    forecast(world, &[RouteWay { shown: "cart".into(), target, gateways: ServingGateways::all(), installation }], steps)
}

/// Returns where each outage begins and ends, for plans without doubts.
fn spans(cluster: &Cluster, steps: &[Vec<Effect>]) -> Vec<(Option<usize>, Option<usize>)> {
    let forecast = forecast_of(cluster, steps);
    assert_eq!(forecast.doubts, []);
    forecast.outages.iter().map(|outage| (outage.begins, outage.ends)).collect()
}

fn outage(begins: usize, ends: Option<usize>, why: &str) -> Outage {
    Outage { shown: "cart".into(), begins: Some(begins), ends, why: why.to_owned() }
}

fn mesh(turn: Turn) -> Vec<Effect> {
    vec![Effect::Mesh("shop".into(), turn)]
}

fn tls(turn: Turn) -> Vec<Effect> {
    vec![Effect::Tls(ObjectRef::new(&UPSTREAM, "gloo-system", "u"), turn)]
}

fn policy(wish: PolicyWish) -> Vec<Effect> {
    let scope = PolicyScope::Namespace("shop".into());
    vec![Effect::Policy(PolicyRequest { scope, wish, foreign: OtherTls::Keep, caution: Caution::Forced })]
}

fn certificates(turn: Turn) -> Vec<Effect> {
    vec![Effect::Certificates(Vec::new(), turn)]
}

fn auto_mtls(turn: Turn) -> Vec<Effect> {
    vec![Effect::AutoMtls(turn)]
}

/// The steps of the guide, with STRICT at the end.
fn setup() -> [Vec<Effect>; 4] {
    [certificates(Turn::On), mesh(Turn::On), tls(Turn::On), policy(PolicyWish::Set(Mode::Strict))]
}

/// The same steps in reverse.
fn teardown() -> [Vec<Effect>; 4] {
    [policy(PolicyWish::Remove), tls(Turn::Off), mesh(Turn::Off), certificates(Turn::Off)]
}

#[test]
fn a_permissive_mesh_has_no_outage_on_the_way_to_strict() {
    assert_eq!(spans(&cluster("PERMISSIVE", Turn::Off, plain("a"), &Value::Null), &setup()), []);
}

#[test]
fn enrolling_under_a_strict_mesh_begins_an_outage_that_the_upstream_ends() {
    let found = forecast_of(&cluster("STRICT", Turn::Off, plain("a"), &Value::Null), &setup());
    let why = format!("plaintext: it accepts only mutual TLS (STRICT, {MESH})");
    assert_eq!(found.outages, [outage(2, Some(3), &why)]);
}

#[test]
fn an_outage_that_was_there_before_lasts_until_a_step_ends_it() {
    let broken = cluster("STRICT", Turn::Off, meshed("a"), &Value::Null);
    assert_eq!(spans(&broken, &setup()), [(None, Some(3))]);
    assert_eq!(spans(&broken, &[certificates(Turn::On), mesh(Turn::On)]), [], "this plan did not cause it");
    let only = [certificates(Turn::On), mesh(Turn::On)];
    assert_eq!(spans(&cluster("STRICT", Turn::Off, plain("a"), &Value::Null), &only), [(Some(2), None)]);
}

#[test]
fn auto_mtls_follows_each_pod_and_leaves_no_gap() {
    let steps = [certificates(Turn::On), auto_mtls(Turn::On), mesh(Turn::On)];
    let strict = || cluster("STRICT", Turn::Off, plain("a"), &Value::Null);
    assert_eq!(spans(&strict(), &steps), []);
    let opted_out = strict().with(|it| it.upstream["spec"]["disableIstioAutoMtls"] = json!(true));
    assert_eq!(spans(&opted_out, &steps), [(Some(3), None)]);
}

#[test]
fn the_way_back_has_no_outage_in_a_permissive_mesh_and_one_until_the_pods_leave_a_strict_one() {
    let on = istio_ssl_config();
    let mesh_of = |mode| cluster(mode, Turn::On, meshed("a"), &on);
    assert_eq!(spans(&mesh_of("PERMISSIVE"), &teardown()), []);
    assert_eq!(spans(&mesh_of("STRICT"), &teardown()), [(Some(2), Some(3))]);
    assert_eq!(spans(&mesh_of("STRICT"), &teardown()[..2]), [(Some(2), None)]);
}

#[test]
fn istios_tls_before_the_sidecars_come_or_after_the_certificates_went_is_an_outage() {
    let on = istio_ssl_config();
    let early = [certificates(Turn::On), tls(Turn::On), mesh(Turn::On)];
    assert_eq!(spans(&cluster("PERMISSIVE", Turn::Off, plain("a"), &Value::Null), &early), [(Some(2), Some(3))]);
    let late = [mesh(Turn::Off), tls(Turn::Off)];
    assert_eq!(spans(&cluster("PERMISSIVE", Turn::On, meshed("a"), &on), &late), [(Some(1), Some(2))]);
    let found = forecast_of(&cluster("PERMISSIVE", Turn::On, meshed("a"), &on), &[certificates(Turn::Off)]);
    let why =
        "Istio's TLS: gateway gloo-system/gateway-proxy cannot present Istio's certificate: it lacks Istio's sidecars";
    assert_eq!(found.outages, [outage(1, None, why)]);
}

#[test]
fn istios_tls_to_a_peer_that_is_disable_is_an_outage_until_another_mode_holds() {
    let disabled = |config: &Value| cluster("DISABLE", Turn::On, meshed("a"), config);
    let found = forecast_of(&disabled(&Value::Null), &[tls(Turn::On)]);
    let why = format!("Istio's TLS: it does not accept mutual TLS ({MESH} says DISABLE)");
    assert_eq!(found.outages, [outage(1, None, &why)]);
    assert_eq!(spans(&disabled(&Value::Null), &setup()), [(Some(3), Some(4))], "STRICT ends it");
    let auto = [auto_mtls(Turn::On), policy(PolicyWish::Set(Mode::Permissive))];
    assert_eq!(spans(&disabled(&Value::Null), &auto), [(Some(1), Some(2))]);
    assert_eq!(spans(&disabled(&istio_ssl_config()), &[tls(Turn::Off)]), [(None, Some(1))]);
}

#[test]
fn pods_that_opted_out_of_the_mesh_keep_taking_plaintext() {
    let mut opted_out = plain("a");
    opted_out["metadata"]["annotations"] = json!({INJECT_LABEL: "false"});
    let strict = cluster("STRICT", Turn::Off, opted_out, &Value::Null);
    assert_eq!(spans(&strict, &setup()), [(Some(3), None)]);
    assert_eq!(spans(&strict, &[mesh(Turn::On)]), []);
}

#[test]
fn auto_mtls_alone_covers_a_route_to_a_service() {
    let steps = [policy(PolicyWish::Set(Mode::Strict))];
    let target = || RouteTarget::Service { namespace: "shop".into(), name: "cart".into(), port: Some(80) };
    let off = cluster("PERMISSIVE", Turn::On, meshed("a"), &Value::Null);
    let begins = |forecast: Forecast| forecast.outages.iter().map(|outage| outage.begins).collect::<Vec<_>>();
    assert_eq!(begins(through(&off, target(), &steps)), [Some(1)]);
    let on = off.with(|it| it.settings = Some(settings(true, true)));
    assert_eq!(begins(through(&on, target(), &steps)), []);
}

/// Whether a certificate that is not Istio's has the mesh's root is unknown from what was read. `setup --strict` would
/// be refused at its last step, so its plan must report this.
#[test]
fn a_certificate_that_is_not_istios_is_a_doubt_once_its_peer_is_strict() {
    let found = forecast_of(&cluster("PERMISSIVE", Turn::On, meshed("a"), &secret_tls()), &setup()[3..]);
    assert_eq!(found.outages, []);
    let doubts: Vec<_> = found.doubts.iter().map(|doubt| doubt.step).collect();
    assert_eq!(doubts, [1]);
}

#[test]
fn what_a_host_outside_of_the_cluster_accepts_is_a_doubt_once_something_else_is_sent() {
    let outside = cluster("PERMISSIVE", Turn::On, meshed("a"), &istio_ssl_config()).with(|it| {
        it.upstream["spec"]["kube"] = Value::Null;
        it.upstream["spec"]["static"] = json!({"hosts": [{"addr": "db.example", "port": 5432}]});
    });
    let doubts = |steps: &[Vec<Effect>]| forecast_of(&outside, steps).doubts.len();
    assert_eq!((doubts(&[tls(Turn::Off)]), doubts(&[mesh(Turn::Off)])), (1, 0));
}

#[test]
fn a_gateway_without_a_label_is_known_by_the_step_that_injects_it() {
    let unlabelled = cluster("PERMISSIVE", Turn::Off, meshed("a"), &Value::Null)
        .with(|it| it.proxy["metadata"]["labels"] = json!({}));
    let gateway = ObjectRef::new(&kinds::DEPLOYMENT, "gloo-system", "gateway-proxy");
    let inject = vec![Effect::Certificates(vec![gateway], Turn::On)];
    assert_eq!(spans(&unlabelled, &[inject, tls(Turn::On)]), []);
    assert_eq!(forecast_of(&unlabelled, &[tls(Turn::On)]).doubts.len(), 1);
}
