//! Targets and resolved requests for `-o json` and `-o yaml`. Unknown values are null, with the reason next to them.

use serde_json::{Value, json};

use super::target::{modes, revisions};
use crate::plan::path::{Behind, Captured, Described, Membership, ProxyState, Sends, ShownCertificate};
use crate::plan::routes::{Candidate, Fit, Heard, Request, Resolution, RouteAction, RouteTarget, Standing};

/// A target as a value of the document.
pub(crate) fn of_target(described: &Described) -> Value {
    let Described { facts, judged } = described;
    let unknown = facts.unread().into_iter().map(|why| json!({"why": why.why, "rule": why.rule}));
    let peers = modes(facts).into_iter().filter(|(mode, _)| !mode.starts_with("unknown"));
    let gateways = facts.proxies.as_ref().ok().map(|proxies| proxies.iter().map(gateway).collect::<Vec<_>>());
    json!({
        "target": target(&facts.target),
        "verdict": judged.verdict.name(),
        "why": judged.why,
        "hint": judged.fix,
        "tls": {"sends": sends(&facts.sends), "source": facts.sends_by},
        "pods": pods(&facts.behind),
        "peer": peers.map(|(mode, sources)| json!({"mode": mode, "sources": sources})).collect::<Vec<_>>(),
        "gateways": gateways,
        "status": facts.acceptance.as_ref().map(ToString::to_string),
        "owner": facts.owner.as_ref().map(ToString::to_string),
        "unknown": unknown.collect::<Vec<_>>(),
    })
}

fn gateway(proxy: &ProxyState) -> Value {
    let certificates = proxy.certificates.as_ref().and_then(|certificates| certificates.as_ref().ok());
    let unknown = proxy.unread_certificates().map(|why| json!({"why": why.why, "rule": why.rule}));
    json!({
        "name": proxy.name,
        "lacks": proxy.lacks.as_ref().ok(),
        "ambient": match proxy.captured {
            Captured::Yes => Some(true),
            Captured::No => Some(false),
            Captured::Unproven(_) | Captured::Unread(_) => None,
        },
        "closed": proxy.closed.as_ref().ok().map(Option::is_some),
        "certificates": certificates.map(|all| all.iter().map(certificate).collect::<Vec<_>>()),
        "certificatesUnknown": unknown,
    })
}

fn certificate(certificate: &ShownCertificate) -> Value {
    json!({
        "pod": certificate.pod,
        "id": certificate.id,
        "validTo": certificate.ends,
        "meshRoot": certificate.is_of_the_mesh,
    })
}

fn target(target: &RouteTarget) -> Value {
    match target {
        RouteTarget::Upstream { namespace, name } => {
            json!({"kind": "Upstream", "namespace": namespace, "name": name, "port": null})
        }
        RouteTarget::Service { namespace, name, port } => {
            json!({"kind": "Service", "namespace": namespace, "name": name, "port": port})
        }
        RouteTarget::Other(what) => json!({"kind": null, "namespace": null, "name": what, "port": null}),
    }
}

fn sends(sends: &Sends) -> Option<&'static str> {
    match sends {
        Sends::Istio { .. } => Some("istio"),
        Sends::Tls { .. } => Some("own"),
        Sends::PerPod => Some("auto"),
        Sends::Plaintext { .. } => Some("none"),
        Sends::Unknown(_) => None,
    }
}

fn pods(behind: &Behind) -> Value {
    let Behind::Pods { service, pods, .. } = behind else { return Value::Null };
    let named = |membership: Membership| {
        let of_it = pods.iter().filter(|pod| pod.membership == membership);
        of_it.map(ToString::to_string).collect::<Vec<_>>()
    };
    json!({
        "service": service,
        "total": pods.len(),
        "meshed": pods.iter().filter(|pod| pod.is_in_mesh()).count(),
        "revisions": revisions(pods),
        "withoutSidecar": named(Membership::Outside),
        "ambient": named(Membership::Ambient),
        "ambientUnproven": named(Membership::Labelled),
        "notReady": pods.iter().filter(|pod| pod.ready == Ok(false)).map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// The path of a request as a value of the document.
pub(crate) fn of_answer(request: &Request, answer: &Resolution) -> Value {
    json!({
        "host": request.host,
        "path": request.path,
        "query": request.query,
        "port": request.port,
        "listeners": answer.heard.iter().map(heard).collect::<Vec<_>>(),
        "withoutHost": answer.deaf.iter().chain(&answer.refused).collect::<Vec<_>>(),
        "near": answer.near,
        "unknown": answer.notes,
    })
}

fn heard(heard: &Heard) -> Value {
    let proxies = heard.proxies.iter().map(|proxy| format!("{}/{}", proxy.namespace, proxy.name));
    json!({
        "listener": heard.listener,
        "proxies": proxies.collect::<Vec<_>>(),
        "host": heard.host,
        "why": heard.why,
        "others": heard.others,
        "trouble": heard.trouble,
        "routes": heard.candidates.iter().map(candidate).collect::<Vec<_>>(),
        "leftOut": heard.left_out.iter().map(|it| json!({"source": it.trail, "why": it.why.to_string()})).collect::<Vec<_>>(),
    })
}

fn candidate(candidate: &Candidate) -> Value {
    let (conditions, unknown) = match &candidate.fit {
        Fit::If(conditions) => (conditions.clone(), None),
        Fit::Unknown(why) => (Vec::new(), Some(why)),
        Fit::Yes | Fit::No => (Vec::new(), None),
    };
    json!({
        "source": candidate.trail,
        "matcher": candidate.matcher,
        "conditions": conditions,
        "unknown": unknown,
        "standing": match candidate.standing {
            Standing::Wins => "wins",
            Standing::Before => "before",
            Standing::Behind => "behind",
        },
        "action": action(&candidate.action),
        "targets": candidate.action.shares().iter().map(|share| {
            let mut value = target(&share.target);
            value.as_object_mut().map(|fields| fields.insert("weight".to_owned(), json!(share.weight)));
            value
        }).collect::<Vec<_>>(),
    })
}

fn action(action: &RouteAction) -> Value {
    let (kind, says) = match action {
        RouteAction::To { group, .. } => ("route", group.clone()),
        RouteAction::Redirect(place) => ("redirect", Some(place.clone())),
        RouteAction::DirectResponse(status) => ("directResponse", Some(status.to_string())),
        RouteAction::Elsewhere(what) => ("unknown", Some(what.clone())),
        RouteAction::Nowhere(why) => ("nowhere", Some(why.clone())),
    };
    json!({"kind": kind, "detail": says})
}
