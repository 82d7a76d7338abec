//! The verdict: what is sent, held against what each pod takes and what the gateway can present.

use super::fate::{self, Fate};
use super::{
    Announced, Behind, Cause, Certificate, Declared, Facts, Membership, Pod, ProxyState, Sends, Shows, Verdict,
};
use crate::plan::Unread;
use crate::plan::acceptance::Acceptance;
use crate::plan::backend;
use crate::plan::peer::Mode;
use crate::plan::routes::Target;
use crate::plan::sidecars::state::Part;

/// The verdict, the sentence that says why, and what to type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    pub verdict: Verdict,
    /// What it is that does not work, or may not; none where it does, and where something could not be read.
    pub cause: Option<Cause>,
    pub why: String,
    /// What mends it, or makes it known; none where nothing has to be.
    pub mend: Option<String>,
}

/// Judges.
pub fn judge(facts: &Facts) -> Judged {
    if let Some(Acceptance::Rejected { reason }) = &facts.acceptance {
        return breaks(Cause::Rejected, format!("Gloo rejects it: {reason}"), None);
    }
    if let Some(idle) = idle(facts) {
        return idle;
    }
    match &facts.behind {
        Behind::NoUpstream => breaks(Cause::NoUpstream, format!("{} is not there", facts.target), None),
        Behind::NoService { service } => breaks(Cause::NoService, format!("service {service} is not there"), None),
        Behind::NoPort { service, port } => {
            breaks(Cause::NoService, format!("service {service} has no port {port}"), None)
        }
        Behind::Pods { service, pods, .. } if pods.is_empty() => {
            let (namespace, _) = service.split_once('/').unwrap_or_default();
            let none = format!("no pod runs behind service {service}: 503, no healthy upstream");
            breaks(Cause::Nobody, none, Some(format!("kubectl get deployments,pods -n {namespace}")))
        }
        Behind::Pods { service, pods, .. } if pods.iter().all(|pod| pod.ready == Some(false)) => {
            let (namespace, _) = service.split_once('/').unwrap_or_default();
            let none = format!("none of {} behind service {service} is ready: 503", count(pods.len()));
            breaks(Cause::Nobody, none, Some(format!("kubectl get pods -n {namespace}")))
        }
        Behind::Pods { pods, port, .. } => of_pods(facts, pods, *port),
        Behind::Outside { kind } => outside(facts, kind),
        Behind::ByHand { service } => {
            open(format!("service {service} selects no pods: who answers there cannot be told"), None)
        }
        Behind::Unknown(why) => unknown("what is behind it", why),
    }
}

/// Where no gateway runs nobody takes the request.
fn idle(facts: &Facts) -> Option<Judged> {
    let (first, others) = facts.proxies.as_ref().ok()?.split_first()?;
    let is_idle = first.is_idle && others.iter().all(|proxy| proxy.is_idle);
    is_idle.then(|| {
        let (namespace, name) = first.name.split_once('/').unwrap_or_default();
        let why = format!("nobody takes the request: gateway {} is scaled to 0", first.name);
        breaks(Cause::Idle, why, Some(format!("kubectl scale deployment {name} -n {namespace} --replicas 1")))
    })
}

fn breaks(cause: Cause, why: String, mend: Option<String>) -> Judged {
    Judged { verdict: Verdict::Broken, cause: Some(cause), why, mend }
}

fn open(why: String, mend: Option<String>) -> Judged {
    Judged { verdict: Verdict::Unknown, cause: None, why, mend }
}

fn unknown(what: &str, why: &Unread) -> Judged {
    let mend = why.rule.as_ref().map(|rule| format!("a rule of a Role that allows it: {rule}"));
    open(format!("{what} is not known: {why}"), mend)
}

/// What is not in this cluster: nobody can see what it takes, but what is sent decides all the same.
fn outside(facts: &Facts, kind: &str) -> Judged {
    let (verdict, why) = match &facts.sends {
        Sends::Unknown(why) if why.rule.is_some() => return unknown("what is sent", why),
        Sends::Unknown(why) => {
            let mend = upstream(&facts.target).map(|name| format!("gloo-rs istio auto-mtls disable -u {name}"));
            return open(why.why.clone(), mend);
        }
        Sends::Istio { .. } => {
            (Verdict::Unknown, format!("Istio's TLS to a {kind} host: whether it is in the mesh cannot be told"))
        }
        Sends::Tls { how, .. } => (Verdict::Tls, format!("TLS {how}")),
        Sends::Plaintext { why } => (Verdict::Plaintext, format!("plaintext to a {kind} host: {why}")),
        Sends::PerPod => {
            (Verdict::Plaintext, format!("plaintext: auto-mTLS finds no pod of the mesh in a {kind} host"))
        }
    };
    Judged { verdict, cause: None, why, mend: None }
}

fn of_pods(facts: &Facts, pods: &[Pod], port: Declared) -> Judged {
    if let Sends::Unknown(why) = &facts.sends {
        return unknown("whether auto-mTLS is on", why);
    }
    // A pod that is not ready gets no request, whatever it would do with it.
    let pods: Vec<_> = pods.iter().filter(|pod| pod.ready != Some(false)).collect();
    let fates: Vec<_> = pods.iter().map(|pod| fate::of(&facts.sends, pod, port)).collect();
    if let Some(judged) = broken(facts, &fates) {
        return judged;
    }
    let needs_certificate = fates.contains(&Fate::Mtls) || matches!(facts.sends, Sends::Istio { .. });
    if needs_certificate && let Some(judged) = against_proxies(facts) {
        return judged;
    }
    if let Some(judged) = without_sds(facts) {
        return judged;
    }
    let not_known = fates.iter().find_map(|fate| match fate {
        Fate::Unknown { cause, why, rule } => Some((cause, why, rule)),
        _ => None,
    });
    if let Some((cause, why, rule)) = not_known {
        let mend = match (cause, rule) {
            (_, Some(rule)) => Some(format!("a rule of a Role that allows it: {rule}")),
            (Some(cause), None) => command(facts, *cause),
            (None, None) => None,
        };
        return Judged { cause: *cause, ..open(why.clone(), mend) };
    }
    works(facts, &pods, &fates)
}

fn broken(facts: &Facts, fates: &[Fate]) -> Option<Judged> {
    let (cause, why) = fates.iter().find_map(|fate| match fate {
        Fate::Broken { cause, why } => Some((*cause, why)),
        _ => None,
    })?;
    let number = fates.iter().filter(|fate| matches!(fate, Fate::Broken { .. })).count();
    let sent = match &facts.sends {
        Sends::Plaintext { .. } => "plaintext",
        Sends::Tls { .. } => "TLS",
        Sends::PerPod if cause == Cause::Ambient => "plaintext",
        _ => "Istio's TLS",
    };
    let who = match (number, fates.len()) {
        (1, 1) => "the one pod".to_owned(),
        (number, all) => format!("{number} of {}", count(all)),
    };
    let does = if number == 1 { "answers" } else { "answer" };
    Some(breaks(cause, format!("{who} {does} {sent} with 503: {why}"), command(facts, cause)))
}

/// What mends it, to be typed; nothing where it is more than one command.
fn command(facts: &Facts, cause: Cause) -> Option<String> {
    match cause {
        Cause::NoSidecar => match (barred(facts), upstream(&facts.target)) {
            (Some(why), Some(name)) => Some(backend::unbarred(why, &name)),
            (Some(_), None) => None,
            (None, _) => enroll(facts),
        },
        Cause::Strict => Some(enable_mtls(facts)),
        Cause::Disabled => opened(facts),
        Cause::NotAnnounced => match (&facts.sends, &facts.target) {
            // What somebody wrote there is not replaced.
            (Sends::Istio { announced: Announced::AsAnother, .. }, Target::Upstream { namespace, name }) => {
                Some(format!("kubectl edit upstreams.gloo.solo.io {name} -n {namespace}"))
            }
            _ => Some(enabling(facts)),
        },
        Cause::OwnTls | Cause::OwnCertificate => {
            upstream(&facts.target).map(|_| format!("{} --overwrite", enable_mtls(facts)))
        }
        _ => None,
    }
}

fn enroll(facts: &Facts) -> Option<String> {
    let enroll = format!("gloo-rs istio enroll {}", pods_namespace(facts)?);
    match barred(facts) {
        None => Some(enroll),
        Some(why) if why == backend::OPTED_OUT => Some(format!("{why}: take that away, then {enroll}")),
        Some(_) => None,
    }
}

/// Why none of the pods without a sidecar gets one, whatever their namespace says.
fn barred(facts: &Facts) -> Option<&'static str> {
    let mut without = pods(facts).iter().filter(|pod| pod.membership == Membership::Outside);
    let first = without.next()?.barred?;
    without.all(|pod| pod.barred.is_some()).then_some(first)
}

/// What lets its pods take mutual TLS, where a policy keeps it from one.
fn opened(facts: &Facts) -> Option<String> {
    let namespace = pods_namespace(facts)?;
    let mut policies = pods(facts).iter().filter(|pod| pod.membership == Membership::Sidecar);
    let policy = policies.find_map(|pod| pod.demands.as_ref().ok()?.setting(Mode::Disable))?;
    Some(policy.opened_by(namespace))
}

/// Istio's TLS, once its pods take it and every proxy can present the certificate: before that it would break what
/// works.
fn enable_mtls(facts: &Facts) -> String {
    match opened(facts) {
        Some(opened) => format!("{opened}, then {}", presenting(facts)),
        None => presenting(facts),
    }
}

fn presenting(facts: &Facts) -> String {
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

fn pods(facts: &Facts) -> &[Pod] {
    match &facts.behind {
        Behind::Pods { pods, .. } => pods,
        _ => &[],
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
            return Some(open(why, None));
        }
        Ok(proxies) => proxies,
    };
    let lacking: Vec<_> = proxies.iter().filter(|it| it.lacks.as_ref().is_ok_and(|lacks| !lacks.is_empty())).collect();
    if let Some(first) = lacking.first() {
        return Some(breaks(Cause::Gateway, lacks(first, lacking.len()), Some(inject(first))));
    }
    if let Some(refused) = proxies.iter().find_map(refused) {
        return Some(refused);
    }
    let unread = proxies.iter().find_map(|proxy| proxy.lacks.as_ref().err())?;
    Some(unknown("whether the gateway has Istio's sidecars", unread))
}

/// TLS whose certificate comes from a cluster that a proxy does not have: Envoy refuses it.
fn without_sds(facts: &Facts) -> Option<Judged> {
    let Sends::Tls { shows: Shows::CertificateOfSds, how, .. } = &facts.sends else { return None };
    let cluster = Part::Cluster.to_string();
    let mut proxies = facts.proxies.iter().flatten();
    let without = proxies.find(|proxy| proxy.lacks.as_ref().is_ok_and(|lacks| lacks.contains(&cluster)))?;
    let why = format!("TLS {how} comes from {cluster}, which gateway {} lacks", without.name);
    Some(breaks(Cause::Gateway, why, Some(inject(without))))
}

/// A certificate that no sidecar takes.
fn refused(proxy: &ProxyState) -> Option<Judged> {
    let certificates = proxy.certificates.as_ref()?.as_ref().ok()?;
    let sentence =
        |certificate: &Certificate, what: &str| format!("gateway {}: {what} of pod {}", proxy.name, certificate.pod);
    let over = certificates.iter().find(|it| it.left <= 0).map(|it| {
        let why = format!("{} ended at {}", sentence(it, "the certificate"), it.ends);
        (why, format!("kubectl logs {} -c istio-proxy -n {}", it.pod, it.namespace))
    });
    let of_another = certificates.iter().find(|it| it.is_of_the_mesh == Some(false)).map(|it| {
        let why = format!("{} is not the mesh's", sentence(it, "the root"));
        (why, format!("kubectl delete pod {} -n {}", it.pod, it.namespace))
    });
    let (why, mend) = over.or(of_another)?;
    Some(breaks(Cause::Certificate, why, Some(mend)))
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
    let (verdict, why, mend) = match &facts.sends {
        Sends::Tls { how, .. } => (Verdict::Tls, format!("TLS {how}, not Istio's"), None),
        Sends::Plaintext { why } => {
            let is_meshed = pods.iter().all(|pod| pod.membership == Membership::Sidecar);
            let mend = if is_meshed { Some(enable_mtls(facts)) } else { enroll(facts) };
            (Verdict::Plaintext, format!("plaintext to {}: {why}", every(all)), mend)
        }
        Sends::PerPod if mtls == 0 => {
            (Verdict::Plaintext, format!("plaintext: no sidecar in {}", every(all)), enroll(facts))
        }
        Sends::PerPod if mtls < all => {
            let why = format!("mutual TLS to {mtls} of {}, plaintext to those without a sidecar", count(all));
            (Verdict::Mixed, why, enroll(facts))
        }
        Sends::PerPod => (Verdict::Mtls, format!("Istio's mutual TLS to {} by auto-mTLS", every(all)), None),
        Sends::Istio { .. } | Sends::Unknown(_) => {
            (Verdict::Mtls, format!("Istio's mutual TLS to {} by sslConfig", every(all)), None)
        }
    };
    Judged { verdict, cause: None, why, mend }
}

fn every(number: usize) -> String {
    if number == 1 { "the one pod".to_owned() } else { format!("all {number} pods") }
}

fn count(number: usize) -> String {
    if number == 1 { "1 pod".to_owned() } else { format!("{number} pods") }
}
