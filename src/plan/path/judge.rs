//! The verdict on a path: compares what is sent with what each pod accepts and what the gateway can present.

use super::pair::{self, PairState};
use super::{Behind, Cause, Facts, Membership, Pod, ProxyState, Sends, Shows, Verdict, fixes};
use crate::command::{Hint, gloo_rs, kubectl};
use crate::plan::Unread;
use crate::plan::acceptance::Acceptance;
use crate::plan::authorization::Admission;

/// The verdict, its reason, and the command that fixes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedPath {
    pub verdict: Verdict,
    /// The cause if something does not work, or may not. `None` if it works, or if something could not be read.
    pub cause: Option<Cause>,
    pub why: String,
    /// How to fix the problem or make the verdict known. `None` if there is nothing to do.
    pub fix: Option<Hint>,
}

/// Computes the verdict.
pub fn judge(facts: &Facts) -> JudgedPath {
    if let Some(Acceptance::Rejected { reason }) = &facts.acceptance {
        return breaks(Cause::Rejected, format!("Gloo rejects it: {reason}"), None);
    }
    if let Some(idle) = idle(facts) {
        return idle;
    }
    if let Some((cause, why)) = pair::nothing_behind(facts) {
        return breaks(cause, why, fixes::of_cause(facts, cause));
    }
    match &facts.behind {
        Behind::Outside { kind } => outside(facts, kind),
        Behind::ByHand { service } => {
            open(format!("service {service} selects no pods: who answers there is unknown"), None)
        }
        Behind::Unknown(why) => unknown("what is behind it", why),
        _ => of_pods(facts),
    }
}

/// Returns the verdict if no gateway has pods, so that nothing accepts the request.
fn idle(facts: &Facts) -> Option<JudgedPath> {
    let (first, others) = facts.proxies.as_ref().ok()?.split_first()?;
    let is_idle = first.is_idle && others.iter().all(|proxy| proxy.is_idle);
    is_idle.then(|| {
        let (namespace, name) = first.name.split_once('/').unwrap_or_default();
        let why = format!("no pod takes the request: gateway {} is scaled to 0", first.name);
        let scale = kubectl("scale deployment").value(name).with("-n", namespace).fixed("--replicas 1");
        breaks(Cause::NoGateway, why, Some(scale.into()))
    })
}

fn breaks(cause: Cause, why: String, fix: Option<Hint>) -> JudgedPath {
    JudgedPath { verdict: cause.row().verdict, cause: Some(cause), why, fix }
}

fn open(why: String, fix: Option<Hint>) -> JudgedPath {
    JudgedPath { verdict: Verdict::Unknown, cause: None, why, fix }
}

fn unknown(what: &str, why: &Unread) -> JudgedPath {
    let fix = why.rule.as_deref().cloned().map(Hint::allowing);
    open(format!("{what} is unknown: {why}"), fix)
}

/// Returns the verdict for a host outside of this cluster. What the host accepts is unknown, but what is sent still
/// decides.
fn outside(facts: &Facts, kind: &str) -> JudgedPath {
    let host = pair::outside_host(kind);
    let (verdict, why) = match &facts.sends {
        Sends::Unknown(why) if why.rule.is_some() => return unknown("what is sent", why),
        Sends::Unknown(why) => {
            let fix = fixes::upstream(&facts.target);
            let fix = fix.map(|name| gloo_rs("istio auto-mtls disable").with("-u", name).into());
            return open(why.why.clone(), fix);
        }
        Sends::Istio { .. } => {
            (Verdict::Unknown, format!("Istio's TLS to {host}: whether it is in the mesh is unknown"))
        }
        Sends::Tls { how, .. } => (Verdict::Tls, format!("TLS {how}")),
        Sends::Plaintext { why } => (Verdict::Plaintext, format!("plaintext to {host}: {why}")),
        Sends::PerPod => (Verdict::Plaintext, format!("plaintext: auto-mTLS finds no pod of the mesh in {host}")),
    };
    JudgedPath { verdict, cause: None, why, fix: None }
}

fn of_pods(facts: &Facts) -> JudgedPath {
    if let Sends::Unknown(why) = &facts.sends {
        return unknown("whether auto-mTLS is on", why);
    }
    let (pods, states): (Vec<_>, Vec<_>) = pair::ends(facts).into_iter().unzip();
    if let Some(judged) = broken(facts, &pods, &states) {
        return judged;
    }
    let needs_certificate = states.contains(&PairState::Mtls) || matches!(facts.sends, Sends::Istio { .. });
    if needs_certificate && let Some(judged) = against_proxies(facts) {
        return judged;
    }
    if let Some(judged) = without_sds(facts) {
        return judged;
    }
    if let Some(judged) = denied(facts) {
        return judged;
    }
    let not_known = states.iter().find_map(|state| match state {
        PairState::Unknown { cause, why, rule } => Some((cause, why, rule)),
        _ => None,
    });
    if let Some((cause, why, rule)) = not_known {
        let fix = match (cause, rule) {
            (_, Some(rule)) => Some(Hint::allowing(rule.as_ref().clone())),
            (Some(cause), None) => fixes::of_cause(facts, *cause),
            (None, None) => fixes::of_files(facts),
        };
        return match cause {
            Some(cause) => breaks(*cause, why.clone(), fix),
            None => open(why.clone(), fix),
        };
    }
    works(facts, &pods, &states)
}

fn broken(facts: &Facts, pods: &[&Pod], states: &[PairState]) -> Option<JudgedPath> {
    let broken = pods.iter().zip(states).filter_map(|(pod, state)| match state {
        PairState::Broken { cause, why } => Some((*pod, *cause, why)),
        _ => None,
    });
    let broken: Vec<_> = broken.collect();
    let (first, cause, why) = broken.first().copied()?;
    let sent = facts.sends.words(cause);
    let who = match (broken.len(), states.len()) {
        (1, _) if first.is_of_template() => format!("{} answer", first.shown()),
        (number, _) if broken.iter().any(|(pod, ..)| pod.is_of_template()) => {
            format!("pods of {number} workloads answer")
        }
        (1, 1) => "the one pod answers".to_owned(),
        (1, all) => format!("1 of {} answers", pair::count(all)),
        (number, all) => format!("{number} of {} answer", pair::count(all)),
    };
    Some(breaks(cause, format!("{who} {sent} with 503: {why}"), fixes::of_cause(facts, cause)))
}

/// Returns the verdict if not every proxy can present the certificate.
fn against_proxies(facts: &Facts) -> Option<JudgedPath> {
    let proxies = match &facts.proxies {
        Err(why) => return Some(unknown("whether the gateway has Istio's sidecars", why)),
        Ok(proxies) if proxies.is_empty() => {
            let why = "no gateway proxy was found that could present Istio's certificate".to_owned();
            return Some(open(why, None));
        }
        Ok(proxies) => proxies,
    };
    let active: Vec<_> = proxies.iter().filter(|proxy| !proxy.is_idle).collect();
    let of_proxy = |proxy: &&'_ ProxyState| match pair::from_gateway(&facts.sends, proxy, PairState::Mtls) {
        PairState::Broken { cause, why } => Some((cause, why)),
        _ => None,
    };
    let broken: Vec<_> = active.iter().filter_map(|proxy| Some((*proxy, of_proxy(proxy)?))).collect();
    let lacking = broken.iter().filter(|(_, (cause, _))| *cause == Cause::NoSecret).count();
    if let Some((proxy, (cause, why))) = broken.iter().min_by_key(|(_, (cause, _))| *cause != Cause::NoSecret) {
        let named = format!("gateway {}", proxy.name);
        let others = if lacking > 1 { format!(" and {} more", lacking - 1) } else { String::new() };
        let why = why.replacen(&named, &format!("{named}{others}"), 1);
        let fix = match cause {
            Cause::NoSecret => Some(fixes::inject(proxy).into()),
            _ => pair::refused_certificate(proxy).map(fixes::renewed),
        };
        return Some(breaks(*cause, why, fix));
    }
    let unread = active.iter().find_map(|proxy| proxy.lacks.as_ref().err())?;
    Some(unknown("whether the gateway has Istio's sidecars", unread))
}

/// Returns the pairs if a policy may deny one of them. In a mesh without such policies, ten thousand targets need none.
fn policed(facts: &Facts) -> Vec<pair::Pair<'_>> {
    if pair::have_authorization(facts) { pair::pairs(facts) } else { Vec::new() }
}

/// Returns the verdict if policies of the pods deny every request of a gateway.
fn denied(facts: &Facts) -> Option<JudgedPath> {
    let pairs = policed(facts);
    let is_denied = |pair: &&pair::Pair<'_>| matches!(pair.state, PairState::Broken { cause: Cause::Denied, .. });
    let (first, number) = (pairs.iter().find(is_denied)?, pairs.iter().filter(is_denied).count());
    let PairState::Broken { cause, why } = &first.state else { return None };
    let some =
        if number < pairs.len() { format!("some requests get a 403: {}: ", first.pod.shown()) } else { String::new() };
    Some(breaks(*cause, format!("{some}{why}"), None))
}

/// Returns the verdict for TLS whose certificate comes from an SDS cluster that a proxy does not have. Envoy rejects
/// it.
fn without_sds(facts: &Facts) -> Option<JudgedPath> {
    if !matches!(facts.sends, Sends::Tls { shows: Shows::CertificateOfSds, .. }) {
        return None;
    }
    facts.proxies.iter().flatten().filter(|proxy| !proxy.is_idle).find_map(|proxy| {
        match pair::from_gateway(&facts.sends, proxy, PairState::Tls) {
            PairState::Broken { cause, why } => Some(breaks(cause, why, Some(fixes::inject(proxy).into()))),
            _ => None,
        }
    })
}

/// Returns the verdict if every pod answers.
fn works(facts: &Facts, pods: &[&Pod], states: &[PairState]) -> JudgedPath {
    let all = states.len();
    let tunnelled = states.iter().filter(|state| **state == PairState::Tunnelled).count();
    let mtls = tunnelled + states.iter().filter(|state| **state == PairState::Mtls).count();
    let enroll = || fixes::capture_gateway(facts).or_else(|| fixes::backend(facts).enrolls());
    let (verdict, why, fix) = match &facts.sends {
        _ if tunnelled == all => (Verdict::Mtls, format!("Istio's mutual TLS to {} by ztunnel", every(all)), None),
        Sends::Tls { .. } | Sends::Plaintext { .. } if tunnelled > 0 => {
            (Verdict::Mixed, format!("mutual TLS by ztunnel to {tunnelled} of {}", pair::count(all)), enroll())
        }
        Sends::Tls { how, .. } => (Verdict::Tls, format!("TLS {how}, not Istio's"), None),
        Sends::Plaintext { why } => {
            let is_meshed = pods.iter().all(|pod| pod.membership == Membership::Sidecar);
            let fix = if is_meshed { Some(fixes::enable_mtls(facts)) } else { enroll() };
            (Verdict::Plaintext, format!("plaintext to {}: {why}", every(all)), fix)
        }
        Sends::PerPod if mtls == 0 => {
            (Verdict::Plaintext, format!("plaintext: no sidecar in {}", every(all)), enroll())
        }
        Sends::PerPod if mtls < all => {
            let why = format!("mutual TLS to {mtls} of {}, plaintext to those without a sidecar", pair::count(all));
            (Verdict::Mixed, why, enroll())
        }
        Sends::PerPod => {
            let by = if tunnelled > 0 { "auto-mTLS and ztunnel" } else { "auto-mTLS" };
            (Verdict::Mtls, format!("Istio's mutual TLS to {} by {by}", every(all)), None)
        }
        Sends::Istio { .. } | Sends::Unknown(_) => {
            (Verdict::Mtls, format!("Istio's mutual TLS to {} by sslConfig", every(all)), None)
        }
    };
    let why = match condition(facts) {
        Some(condition) => format!("{why}; {condition}"),
        None => why,
    };
    JudgedPath { verdict, cause: None, why, fix }
}

/// Returns the first policy that denies some requests of a gateway, and what it decides by.
fn condition(facts: &Facts) -> Option<String> {
    policed(facts).iter().find_map(|pair| match pair::admission(pair.proxy?, pair.pod, &pair.state)? {
        Admission::Depends { by, on } => Some(format!("policy {by} decides by {}", on.join(", "))),
        _ => None,
    })
}

fn every(number: usize) -> String {
    if number == 1 { "the one pod".to_owned() } else { format!("all {number} pods") }
}
