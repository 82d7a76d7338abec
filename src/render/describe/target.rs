//! One target as lines: the verdict first, then each fact with the object that it comes from.

use crate::plan::path::{Behind, Described, Facts, Membership, Pod, ProxyState, Sends, ShownCertificate, missing};
use crate::plan::routes::RouteTarget;

/// The most pods that are named. The others are only counted.
const NAMED: usize = 3;

/// The lines for a target.
pub(crate) fn lines(described: &Described) -> Vec<String> {
    let Described { facts, judged } = described;
    let mut lines = vec![format!("{}: {}", facts.target, judged.verdict), format!("  {}", judged.why)];
    lines.extend(judged.fix.iter().map(|fix| format!("  hint: {fix}")));
    let nothing_more = matches!(facts.behind, Behind::NoUpstream) || matches!(facts.target, RouteTarget::Other(_));
    if nothing_more {
        return lines;
    }
    lines.push(fact("TLS", &tls(&facts.sends)));
    lines.extend(Some(&facts.sends_by).filter(|by| !by.is_empty()).map(|by| below(&format!("by {by}"))));
    lines.extend(pods(&facts.behind));
    lines.extend(peers(facts));
    lines.extend(gateways(facts));
    lines.extend(facts.acceptance.as_ref().map(|acceptance| fact("status", &acceptance.to_string())));
    lines.extend(facts.owner.as_ref().map(|owner| fact("owner", &owner.to_string())));
    lines
}

/// The line of a fact: `  pods     2 of 3 in the mesh`.
fn fact(what: &str, says: &str) -> String {
    format!("  {what:<8} {says}")
}

fn below(line: &str) -> String {
    format!("           {line}")
}

fn tls(sends: &Sends) -> String {
    match sends {
        Sends::Istio { any_peer: true, .. } => {
            "Istio's, to every pod; any workload of the mesh is accepted as the peer".into()
        }
        Sends::Istio { any_peer: false, .. } => "Istio's, to every pod; the peer's name is verified".into(),
        Sends::Tls { how, .. } => format!("not Istio's: {how}"),
        Sends::PerPod => "auto-mTLS: Istio's to pods with a sidecar, none to others".into(),
        Sends::Plaintext { why } => format!("none: {why}"),
        Sends::Unknown(why) => format!("unknown: {why}"),
    }
}

fn pods(behind: &Behind) -> Vec<String> {
    let says = match behind {
        Behind::NoUpstream => return Vec::new(),
        Behind::Pods { service, pods, .. } => return of_service(service, pods),
        Behind::NoService { service } => format!("none: service {service} does not exist"),
        Behind::NoPort(no_port) => format!("none: {no_port}"),
        Behind::ByHand { service } => format!("unknown: service {service} has no selector"),
        Behind::Outside { kind } => format!("none: {kind}, not a Service of this cluster"),
        Behind::Unknown(why) => format!("unknown: {why}"),
    };
    vec![fact("pods", &says)]
}

fn of_service(service: &str, pods: &[Pod]) -> Vec<String> {
    let meshed = pods.iter().filter(|pod| pod.membership != Membership::Outside).count();
    let revisions = revisions(pods);
    let on = if revisions.is_empty() { String::new() } else { format!(", revision {}", revisions.join(", ")) };
    let mut lines = vec![fact("pods", &format!("{meshed} of {} in the mesh{on}", pods.len()))];
    lines.push(below(&format!("of service {service}")));
    lines.extend(some("without sidecar", pods, |pod| pod.membership == Membership::Outside && meshed > 0));
    lines.extend(some("in the ambient mesh", pods, |pod| pod.membership == Membership::Ambient));
    lines.extend(some("not ready", pods, |pod| pod.ready == Ok(false)));
    lines
}

/// The revisions that injected the sidecars, without duplicates.
pub(super) fn revisions(pods: &[Pod]) -> Vec<String> {
    let mut revisions: Vec<_> = pods.iter().filter_map(|pod| pod.revision.clone()).collect();
    revisions.sort_unstable();
    revisions.dedup();
    revisions
}

fn some(what: &str, pods: &[Pod], is_one: impl Fn(&Pod) -> bool) -> Option<String> {
    let found: Vec<_> = pods.iter().filter(|pod| is_one(pod)).map(ToString::to_string).collect();
    let more = if found.len() > NAMED { format!(" and {} more", found.len() - NAMED) } else { String::new() };
    let names = found.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    (!found.is_empty()).then(|| below(&format!("{what}: {names}{more}")))
}

/// The modes that apply to some of the pods, each with the policies it comes from, the widest scope first.
pub(super) fn modes(facts: &Facts) -> Vec<(String, Vec<String>)> {
    let mut modes: Vec<(String, Vec<String>)> = Vec::new();
    let in_mesh = facts.pods().into_iter().flatten().filter(|pod| pod.membership != Membership::Outside);
    for pod in in_mesh {
        let mode = match &pod.demands {
            Ok(effective) => {
                let said = |mode: Option<crate::plan::peer::Mode>| mode.map_or("UNSET", crate::plan::peer::Mode::name);
                let chain = effective.chain.iter().map(|source| format!("{source}: {}", said(source.mode)));
                (effective.mode.name().to_owned(), chain.collect())
            }
            Err(why) => (format!("unknown: {why}"), Vec::new()),
        };
        if !modes.contains(&mode) {
            modes.push(mode);
        }
    }
    modes
}

fn peers(facts: &Facts) -> Vec<String> {
    let mut lines = Vec::new();
    for (mode, chain) in modes(facts) {
        let by_default = if chain.is_empty() && !mode.starts_with("unknown") { ", Istio's default" } else { "" };
        lines.push(fact("peer", &format!("{mode}{by_default}")));
        lines.extend(chain.iter().map(|source| below(&format!("by peerauthentication {source}"))));
    }
    lines
}

fn gateways(facts: &Facts) -> Vec<String> {
    match &facts.proxies {
        Err(why) => vec![fact("gateway", &format!("unknown: {why}"))],
        Ok(proxies) if proxies.is_empty() => vec![fact("gateway", "none found")],
        Ok(proxies) => proxies.iter().flat_map(one_gateway).collect(),
    }
}

fn one_gateway(proxy: &ProxyState) -> Vec<String> {
    let mut lines = vec![fact("gateway", &gateway(proxy))];
    lines.extend(proxy.certificates.iter().flat_map(|certificates| match certificates {
        Ok(certificates) => of_certificates(certificates),
        Err(why) => {
            let rule = why.rule.as_ref().map(|rule| below(&rule.sentence()));
            std::iter::once(fact("cert", &format!("unknown: {why}"))).chain(rule).collect()
        }
    }));
    lines
}

/// The certificate that expires first. Problems of other certificates are part of the verdict.
fn of_certificates(certificates: &[ShownCertificate]) -> Vec<String> {
    let Some(first) = certificates.iter().min_by_key(|it| it.left) else {
        return vec![fact("cert", "none in use: Envoy gets one for the first cluster that needs it")];
    };
    let root = match first.is_of_the_mesh {
        Some(true) => "root of the mesh",
        Some(false) => "another root than the mesh",
        None => "unknown whether its root is the mesh's",
    };
    let until = if first.left > 0 { "until" } else { "expired since" };
    vec![
        fact("cert", &first.id),
        below(&format!("{until} {}, {root}", first.ends)),
        below(&format!("by pod {}/{}", first.namespace, first.pod)),
    ]
}

fn gateway(proxy: &ProxyState) -> String {
    match &proxy.lacks {
        Err(why) => format!("{}: unknown: {why}", proxy.name),
        Ok(lacks) if lacks.is_empty() => format!("{}: sidecars and bootstrap are complete", proxy.name),
        Ok(lacks) => format!("{}: lacks {}", proxy.name, missing(lacks)),
    }
}
