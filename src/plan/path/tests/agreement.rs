//! All judgements of a path agree on the same state: the verdict, its pairs, `verify`, the forecast of `setup`, and
//! what `peer-auth` and bulk runs compare.

use super::*;
use crate::error::Reason;
use crate::model::ObjectRef;
use crate::model::kinds::{PEER_AUTHENTICATION, UPSTREAM};
use crate::plan::advice::Code;
use crate::plan::mtls::{self, FarEnd, UpstreamContext};
use crate::plan::path::effect::{Effect, PlannedWorld, Turn};
use crate::plan::path::forecast::forecast;
use crate::plan::path::harm::{Harm, harm};
use crate::plan::path::pair::{first_broken, pairs};
use crate::plan::path::routed::{RouteWay, ServingGateways};
use crate::plan::path::{guard, of_upstream};
use crate::plan::peer::Mode;
use crate::plan::peer::change::{PolicyRequest, PolicyScope, PolicyWish};
use crate::plan::policy::{Caution, OtherTls};
use crate::plan::verdict::demand::of_pods;
use crate::plan::verdict::evidence::{Evidence, SentTls};
use crate::plan::verdict::tests::{Shown, guide_503};
use crate::plan::verdict::{self, pods};

fn target() -> RouteTarget {
    RouteTarget::Upstream { namespace: "gloo-system".into(), name: "u".into() }
}

fn world(cluster: &Cluster) -> PlannedWorld {
    let mut snapshot = cluster.snapshot();
    let upstream = Object::new(&UPSTREAM, cluster.upstream.clone());
    snapshot.put(&UPSTREAM, ListPart::All, ListAnswer::Read(vec![upstream]));
    PlannedWorld::new(snapshot, "gloo-system", &PEER_AUTHENTICATION)
}

fn is_broken(judged: &JudgedPath) -> bool {
    judged.verdict == Verdict::Broken
}

/// Every combination of what is sent, pods, policies, Settings and the gateway.
fn clusters() -> Vec<(String, Cluster)> {
    let configs = [
        ("none", Value::Null),
        ("Istio's", istio_ssl_config()),
        ("a secret", secret_tls()),
        ("no certificate", json!({"sni": "cart.example"})),
    ];
    let pods = [
        ("out", vec![plain("a"), plain("b")]),
        ("some", vec![meshed("a"), plain("b")]),
        ("in", vec![meshed("a"), meshed("b")]),
    ];
    let mut all = Vec::new();
    for (config_name, config) in &configs {
        for (pods_name, pods) in &pods {
            for mode in ["PERMISSIVE", "STRICT", "DISABLE", ""] {
                // Settings matter if there is no sslConfig, or if Istio's sslConfig is removed.
                let autos: &[&str] = match *config_name {
                    "none" | "Istio's" => &["off", "on", "forbidden", "opted out"],
                    _ => &["off"],
                };
                for auto in autos.iter().copied() {
                    for gateway in ["ready", "bare"] {
                        let cluster = Cluster::new().with(|it| {
                            it.upstream["spec"]["sslConfig"] = config.clone();
                            it.upstream["spec"]["disableIstioAutoMtls"] = json!(auto == "opted out");
                            it.pods.clone_from(pods);
                            it.policies = (!mode.is_empty()).then(|| vec![policy(mode)]);
                            it.settings = (auto != "forbidden").then(|| settings(auto != "off", auto != "off"));
                            if gateway == "bare" {
                                it.bootstrap = BOOTSTRAP.to_owned();
                            }
                        });
                        all.push((format!("{config_name}; {pods_name}; {mode}; auto {auto}; {gateway}"), cluster));
                    }
                }
            }
        }
    }
    all
}

/// The effects of plans on a path.
fn effects() -> Vec<Effect> {
    let upstream = || ObjectRef::new(&UPSTREAM, "gloo-system", "u");
    let scope = PolicyScope::Namespace("shop".into());
    let wish = PolicyWish::Set(Mode::Strict);
    vec![
        Effect::Tls(upstream(), Turn::On),
        Effect::Tls(upstream(), Turn::Off),
        Effect::Mesh("shop".into(), Turn::On),
        Effect::Mesh("shop".into(), Turn::Off),
        Effect::AutoMtls(Turn::On),
        Effect::AutoMtls(Turn::Off),
        Effect::Certificates(Vec::new(), Turn::On),
        Effect::Certificates(Vec::new(), Turn::Off),
        Effect::Policy(PolicyRequest { scope, wish, foreign: OtherTls::Keep, caution: Caution::Forced }),
    ]
}

#[test]
fn verdict_pairs_and_verify_agree_on_every_state() {
    for (name, cluster) in clusters() {
        let snapshot = cluster.snapshot();
        let upstream = Object::new(&UPSTREAM, cluster.upstream.clone());
        let survey = Survey::new(&snapshot, "gloo-system");
        let facts = survey.of_upstream(&upstream);
        let judged = judge(&facts);
        let broken = first_broken(&pairs(&facts)).map(|(cause, _)| cause);
        assert_eq!(is_broken(&judged), broken.is_some(), "{name}: {judged:?}");
        assert_eq!(judged.cause.filter(|_| is_broken(&judged)), broken, "{name}: {judged:?}");
        let settings = cluster.settings.clone().map(|value| Switched::read(&Object::new(&kinds::SETTINGS, value)));
        let settings = settings.ok_or_else(|| match of_upstream(&upstream, survey.settings()).0 {
            Sends::Unknown(why) => why,
            _ => "not read".into(),
        });
        assert!(SentTls::to_upstream(&upstream, &settings).sends.is_same_as(&facts.sends), "{name}: {facts:?}");
    }
}

#[test]
fn a_forecast_and_a_comparison_agree_with_the_verdicts_before_and_after_every_change() {
    for (name, cluster) in clusters() {
        let before = world(&cluster).surveys().own.of_target(&target());
        for effect in effects() {
            let mut changed = world(&cluster);
            changed.take(&effect);
            let after = changed.surveys().own.of_target(&target());
            let (was, is) = (judge(&before), judge(&after));
            let said = || format!("{name}; {effect:?}: {was:?} -> {is:?}");

            let way = RouteWay {
                shown: "cart".into(),
                target: target(),
                gateways: ServingGateways::all(),
                installation: "gloo-system".into(),
            };
            let found = forecast(world(&cluster), &[way], &[vec![effect.clone()]]);
            let spans: Vec<_> = found.outages.iter().map(|outage| (outage.begins, outage.ends)).collect();
            let wanted = match (is_broken(&was), is_broken(&is)) {
                (false, true) => vec![(Some(1), None)],
                (true, false) => vec![(None, Some(1))],
                _ => Vec::new(),
            };
            assert_eq!(spans, wanted, "{}", said());

            match harm(&before, &after) {
                Harm::Broken { cause, .. } => {
                    assert!(is_broken(&is), "{}", said());
                    assert!(is_broken(&was) || is.cause == Some(cause), "{}", said());
                }
                Harm::Unknown(_) => assert!(is.verdict == Verdict::Unknown || is_broken(&is), "{}", said()),
                Harm::None => assert!(is_broken(&was) || !is_broken(&is), "{}", said()),
            }
        }
    }
}

/// A bulk run reads no gateway, so its result for a ready gateway counts. Advice about a named Upstream agrees with it.
#[test]
fn a_sweep_and_advice_have_the_cause_of_the_verdict_afterwards() {
    for (name, cluster) in clusters() {
        if name.ends_with("bare") {
            continue;
        }
        let mut changed = world(&cluster);
        changed.take(&Effect::Tls(ObjectRef::new(&UPSTREAM, "gloo-system", "u"), Turn::On));
        let after = changed.surveys().own.of_target(&target());
        let judged = judge(&after);
        let objection = guard::against_tls(&after);
        let said = || format!("{name}: {judged:?} {objection:?}");
        assert_eq!(objection.is_none(), judged.verdict == Verdict::Mtls, "{}", said());
        let reason = judged.cause.map_or(Reason::Unknown, |cause| cause.row().reason);
        assert!(objection.as_ref().is_none_or(|objection| objection.reason == reason), "{}", said());

        let upstream = Object::new(&UPSTREAM, cluster.upstream.clone());
        let facts = world(&cluster).surveys().own.of_target(&target());
        let around = UpstreamContext { far_end: FarEnd::Path(Box::new(facts)), settings: Err("not read".into()) };
        let advised = mtls::advice::on_upstream(mtls::MtlsWish::Enable, &upstream, &around);
        let code = (judged.verdict != Verdict::Mtls).then(|| judged.cause.map_or(Code::Unknown, Code::for_cause));
        let codes: Vec<_> = advised.iter().map(|advice| advice.code).collect();
        assert!(code.map_or(codes.is_empty(), |code| codes.contains(&code)), "{}: {codes:?}", said());
    }
}

/// The evidence from which `verify` proves a cause: the gateway answers 503, and its counters show that cause.
fn evidence(cluster: &Cluster, facts: &Facts, shown: Shown) -> Evidence {
    let settings = cluster.settings.clone().map(|value| Switched::read(&Object::new(&kinds::SETTINGS, value)));
    let upstream = Object::new(&UPSTREAM, cluster.upstream.clone());
    let sent = SentTls::to_upstream(&upstream, &settings.ok_or_else(|| "not allowed to read Settings".into()));
    let now = "2026-11-23T00:00:00Z".parse().unwrap();
    let pods = cluster.pods.iter().filter_map(|pod| pods::BackendPod::read(pod, now)).map(|pod| pods::BackendPod {
        is_ready: true,
        sidecar_ready: pod.is_meshed.then_some(true),
        ..pod
    });
    Evidence { demand: of_pods(facts.pods().unwrap_or_default()), pods: Ok(pods.collect()), ..guide_503(sent, shown) }
}

#[test]
fn what_verify_proves_is_the_cause_of_the_verdict() {
    let mut proven = 0;
    for (name, cluster) in clusters() {
        let facts = world(&cluster).surveys().own.of_target(&target());
        let judged = judge(&facts);
        for shown in [Shown::Closed, Shown::NoTls] {
            let evidence = evidence(&cluster, &facts, shown);
            let verdict = verdict::judge(&evidence).unwrap();
            let peers = [Cause::StrictPeer, Cause::DisabledPeer, Cause::NoSidecar];
            let cause = if let verdict::VerdictKind::Caused(cause) = verdict.kind { Some(cause) } else { None };
            let cause = cause.filter(|cause| peers.contains(cause));
            assert!(cause.is_none() || judged.cause == cause, "{name}; {shown:?}: {judged:?} {verdict:?}");
            // A cause that applies only to some pods may not be what the request met.
            let fits = match judged.cause {
                Some(Cause::StrictPeer) => shown == Shown::Closed,
                Some(Cause::DisabledPeer | Cause::NoSidecar) => shown == Shown::NoTls,
                _ => false,
            };
            assert!(!fits || name.contains("; some; ") || cause == judged.cause, "{name}: {judged:?} {verdict:?}");
            proven += usize::from(cause.is_some());
        }
    }
    assert!(proven > 0);
}
