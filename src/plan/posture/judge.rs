//! The verdict: what is sent, held against what each pod takes and what the gateway can present.

use super::{Behind, Facts, Membership, Pod, ProxyState, Sends, Verdict};
use crate::plan::Unread;
use crate::plan::acceptance::Acceptance;
use crate::plan::peer::{Effective, Mode};
use crate::plan::routes::Target;

/// The verdict, the sentence that says why, and what to type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    pub verdict: Verdict,
    pub why: String,
    /// What mends it, or makes it known; none where nothing has to be.
    pub mend: Option<String>,
}

/// What becomes of requests to one pod.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    Mtls,
    Tls,
    Plaintext,
    Broken { why: String, mend: Mend },
    Unknown { why: String, rule: Option<String> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Mend {
    Enroll,
    EnableMtls,
    /// The policy that takes no mutual TLS.
    Policy(String),
}

/// Judges.
pub fn judge(facts: &Facts) -> Judged {
    let broken = |why: String, mend: Option<String>| Judged { verdict: Verdict::Broken, why, mend };
    if let Some(Acceptance::Rejected { reason }) = &facts.acceptance {
        return broken(format!("Gloo rejects it: {reason}"), None);
    }
    match &facts.behind {
        Behind::NoUpstream => broken(format!("{} is not there", facts.target), None),
        Behind::NoService { service } => broken(format!("service {service} is not there"), None),
        Behind::NoPort { service, port } => broken(format!("service {service} has no port {port}"), None),
        Behind::Pods { service, pods } if pods.is_empty() => {
            let (namespace, _) = service.split_once('/').unwrap_or_default();
            broken(
                format!("no pod runs behind service {service}: 503, no healthy upstream"),
                Some(format!("kubectl get deployments,pods -n {namespace}")),
            )
        }
        Behind::Pods { service, pods } if pods.iter().all(|pod| pod.ready == Some(false)) => {
            let (namespace, _) = service.split_once('/').unwrap_or_default();
            let none = format!("none of {} behind service {service} is ready: 503", count(pods.len()));
            broken(none, Some(format!("kubectl get pods -n {namespace}")))
        }
        Behind::Pods { pods, .. } => of_pods(facts, pods),
        Behind::Outside { kind } => outside(facts, kind),
        Behind::ByHand { service } => {
            let why = format!("service {service} selects no pods: who answers there cannot be told");
            Judged { verdict: Verdict::Unknown, why, mend: None }
        }
        Behind::Unknown(why) => unknown("what is behind it", why),
    }
}

fn unknown(what: &str, why: &Unread) -> Judged {
    let mend = why.rule.as_ref().map(|rule| format!("a rule of a Role that allows it: {rule}"));
    Judged { verdict: Verdict::Unknown, why: format!("{what} is not known: {why}"), mend }
}

/// What is not in this cluster: nobody can see what it takes, but what is sent decides all the same.
fn outside(facts: &Facts, kind: &str) -> Judged {
    let (verdict, why) = match &facts.sends {
        Sends::Unknown(why) if why.rule.is_some() => return unknown("what is sent", why),
        Sends::Unknown(why) => {
            let mend = upstream(&facts.target).map(|name| format!("gloo-rs istio auto-mtls disable -u {name}"));
            return Judged { verdict: Verdict::Unknown, why: why.why.clone(), mend };
        }
        Sends::Istio { .. } => {
            (Verdict::Unknown, format!("Istio's TLS to a {kind} host: whether it is in the mesh cannot be told"))
        }
        Sends::Tls { how } => (Verdict::Tls, format!("TLS {how}")),
        Sends::Plaintext { why } => (Verdict::Plaintext, format!("plaintext to a {kind} host: {why}")),
        Sends::PerPod => {
            (Verdict::Plaintext, format!("plaintext: auto-mTLS finds no pod of the mesh in a {kind} host"))
        }
    };
    Judged { verdict, why, mend: None }
}

fn of_pods(facts: &Facts, pods: &[Pod]) -> Judged {
    if let Sends::Unknown(why) = &facts.sends {
        return unknown("whether auto-mTLS is on", why);
    }
    // A pod that is not ready gets no request, whatever it would do with it.
    let pods: Vec<_> = pods.iter().filter(|pod| pod.ready != Some(false)).collect();
    let fates: Vec<_> = pods.iter().map(|pod| fate(&facts.sends, pod)).collect();
    if let Some(judged) = broken(facts, &fates) {
        return judged;
    }
    let needs_certificate = fates.contains(&Fate::Mtls);
    if needs_certificate && let Some(judged) = against_proxies(facts) {
        return judged;
    }
    let not_known = fates.iter().find_map(|fate| match fate {
        Fate::Unknown { why, rule } => Some((why, rule)),
        _ => None,
    });
    if let Some((why, rule)) = not_known {
        let mend = rule.as_ref().map(|rule| format!("a rule of a Role that allows it: {rule}"));
        return Judged { verdict: Verdict::Unknown, why: why.clone(), mend };
    }
    works(facts, &pods, &fates)
}

fn fate(sends: &Sends, pod: &Pod) -> Fate {
    match (sends, pod.membership) {
        (Sends::Istio { .. } | Sends::PerPod, Membership::Sidecar) => match &pod.demands {
            Ok(Effective { mode: Mode::Disable, .. }) => {
                let policy = policy(pod);
                let why = format!("it takes no mutual TLS ({policy} says DISABLE)");
                Fate::Broken { why, mend: Mend::Policy(policy) }
            }
            Ok(_) => Fate::Mtls,
            Err(why) => peer_unknown(why),
        },
        (Sends::Istio { .. }, Membership::Ambient) => {
            Fate::Broken { why: "it is in the ambient mesh and has no sidecar to take TLS".into(), mend: Mend::Enroll }
        }
        (Sends::Istio { .. }, Membership::Outside) => {
            Fate::Broken { why: "it has no sidecar to take Istio's TLS".into(), mend: Mend::Enroll }
        }
        (Sends::Tls { .. }, Membership::Outside) => Fate::Tls,
        (Sends::Tls { how }, _) => match &pod.demands {
            Ok(effective) if effective.is_strict() => Fate::Unknown {
                why: format!("STRICT ({}) demands a certificate of the mesh; TLS {how} may not be one", policy(pod)),
                rule: None,
            },
            Ok(_) => Fate::Tls,
            Err(why) => peer_unknown(why),
        },
        (Sends::Plaintext { .. } | Sends::PerPod, Membership::Outside) => Fate::Plaintext,
        (Sends::Plaintext { .. } | Sends::PerPod, _) => match &pod.demands {
            Ok(effective) if effective.is_strict() => Fate::Broken {
                why: format!("it takes mutual TLS alone (STRICT, {})", policy(pod)),
                mend: Mend::EnableMtls,
            },
            Ok(_) => Fate::Plaintext,
            Err(why) => peer_unknown(why),
        },
        (Sends::Unknown(why), _) => Fate::Unknown { why: why.why.clone(), rule: why.rule.clone() },
    }
}

fn peer_unknown(why: &Unread) -> Fate {
    Fate::Unknown { why: format!("the PeerAuthentication that holds is not known: {why}"), rule: why.rule.clone() }
}

/// `istio-system/default, mesh`
fn policy(pod: &Pod) -> String {
    let effective = pod.demands.as_ref().ok();
    effective.and_then(Effective::set_by).map_or_else(|| "Istio's default".to_owned(), ToString::to_string)
}

fn broken(facts: &Facts, fates: &[Fate]) -> Option<Judged> {
    let (why, mend) = fates.iter().find_map(|fate| match fate {
        Fate::Broken { why, mend } => Some((why, mend)),
        _ => None,
    })?;
    let number = fates.iter().filter(|fate| matches!(fate, Fate::Broken { .. })).count();
    let sent = match &facts.sends {
        Sends::Plaintext { .. } => "plaintext",
        Sends::Tls { .. } => "TLS",
        _ => "Istio's TLS",
    };
    let who = match (number, fates.len()) {
        (1, 1) => "the one pod".to_owned(),
        (number, all) => format!("{number} of {}", count(all)),
    };
    let does = if number == 1 { "answers" } else { "answer" };
    let why = format!("{who} {does} {sent} with 503: {why}");
    Some(Judged { verdict: Verdict::Broken, why, mend: command(facts, mend) })
}

/// What mends it, to be typed; nothing where it is more than one command.
fn command(facts: &Facts, mend: &Mend) -> Option<String> {
    match mend {
        Mend::Enroll => Some(format!("gloo-rs istio enroll {}", pods_namespace(facts)?)),
        Mend::EnableMtls => Some(enable_mtls(facts)),
        Mend::Policy(policy) => {
            let (full, _) = policy.split_once(',')?;
            let (namespace, name) = full.split_once('/')?;
            Some(format!("kubectl edit peerauthentication {name} -n {namespace}"))
        }
    }
}

/// Istio's TLS, once every proxy can present the certificate: before that it would break what works.
fn enable_mtls(facts: &Facts) -> String {
    let lacking = facts.proxies.iter().flatten().find(|proxy| proxy.lacks.as_ref().is_ok_and(|it| !it.is_empty()));
    if let Some(proxy) = lacking {
        return format!("{}, then {}", inject(proxy), enabling(facts));
    }
    enabling(facts)
}

fn enabling(facts: &Facts) -> String {
    match upstream(&facts.target) {
        Some(name) => format!("gloo-rs istio enable-mtls -u {name}"),
        None => "gloo-rs istio auto-mtls enable".to_owned(),
    }
}

/// `name`, or `namespace/name` outside of gloo-system, as `-u` takes it.
fn upstream(target: &Target) -> Option<String> {
    match target {
        Target::Upstream { namespace, name } if namespace == "gloo-system" => Some(name.clone()),
        Target::Upstream { namespace, name } => Some(format!("{namespace}/{name}")),
        _ => None,
    }
}

fn pods_namespace(facts: &Facts) -> Option<&str> {
    match &facts.behind {
        Behind::Pods { service, .. } => service.split_once('/').map(|(namespace, _)| namespace),
        _ => None,
    }
}

/// Why no proxy, or not every one, can present the certificate.
fn against_proxies(facts: &Facts) -> Option<Judged> {
    let proxies = match &facts.proxies {
        Err(why) => return Some(unknown("whether the gateway has Istio's sidecars", why)),
        Ok(proxies) if proxies.is_empty() => {
            let why = "no gateway proxy was found that could present Istio's certificate".to_owned();
            return Some(Judged { verdict: Verdict::Unknown, why, mend: None });
        }
        Ok(proxies) => proxies,
    };
    let lacking: Vec<_> = proxies.iter().filter(|it| it.lacks.as_ref().is_ok_and(|lacks| !lacks.is_empty())).collect();
    if let Some(first) = lacking.first() {
        return Some(Judged { verdict: Verdict::Broken, why: lacks(first, lacking.len()), mend: Some(inject(first)) });
    }
    let unread = proxies.iter().find_map(|proxy| proxy.lacks.as_ref().err())?;
    Some(unknown("whether the gateway has Istio's sidecars", unread))
}

fn lacks(proxy: &ProxyState, number: usize) -> String {
    let others = if number > 1 { format!(" and {} more", number - 1) } else { String::new() };
    let what = proxy.lacks.as_deref().map(missing).unwrap_or_default();
    format!("gateway {}{others} cannot present Istio's certificate: it lacks {what}", proxy.name)
}

/// The first of what is missing, and how much more there is.
pub fn missing(parts: &[String]) -> String {
    const NAMED: usize = 3;
    let more = if parts.len() > NAMED { format!(" and {} more parts", parts.len() - NAMED) } else { String::new() };
    format!("{}{more}", parts.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", "))
}

fn inject(proxy: &ProxyState) -> String {
    if proxy.of_gateway_api {
        return "gloo-rs upgrade-values".to_owned();
    }
    let (namespace, name) = proxy.name.split_once('/').unwrap_or(("", &proxy.name));
    let place = if namespace == "gloo-system" { String::new() } else { format!(" -n {namespace}") };
    format!("gloo-rs istio inject --name {name}{place}")
}

/// Every pod answers: by what.
fn works(facts: &Facts, pods: &[&Pod], fates: &[Fate]) -> Judged {
    let all = fates.len();
    let mtls = fates.iter().filter(|fate| **fate == Fate::Mtls).count();
    let enroll = || command(facts, &Mend::Enroll);
    let (verdict, why, mend) = match &facts.sends {
        Sends::Tls { how } => (Verdict::Tls, format!("TLS {how}, not Istio's"), None),
        Sends::Plaintext { why } => {
            let is_meshed = pods.iter().all(|pod| pod.membership == Membership::Sidecar);
            let mend = if is_meshed { Some(enable_mtls(facts)) } else { enroll() };
            (Verdict::Plaintext, format!("plaintext to {}: {why}", every(all)), mend)
        }
        Sends::PerPod if mtls == 0 => {
            (Verdict::Plaintext, format!("plaintext: no sidecar in {}", every(all)), enroll())
        }
        Sends::PerPod if mtls < all => {
            let why = format!("mutual TLS to {mtls} of {}, plaintext to those without a sidecar", count(all));
            (Verdict::Mixed, why, enroll())
        }
        Sends::PerPod => (Verdict::Mtls, format!("Istio's mutual TLS to {} by auto-mTLS", every(all)), None),
        Sends::Istio { .. } | Sends::Unknown(_) => {
            (Verdict::Mtls, format!("Istio's mutual TLS to {} by sslConfig", every(all)), None)
        }
    };
    Judged { verdict, why, mend }
}

fn every(number: usize) -> String {
    if number == 1 { "the one pod".to_owned() } else { format!("all {number} pods") }
}

fn count(number: usize) -> String {
    if number == 1 { "1 pod".to_owned() } else { format!("{number} pods") }
}
