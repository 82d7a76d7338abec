//! One target as lines: the verdict first, then each fact with the object that it comes from.

use crate::plan::path::{
    Behind, Captured, Described, Facts, Membership, Pod, ProxyState, Sends, ShownCertificate, missing,
};
use crate::plan::routes::RouteTarget;
use crate::render::line::Line;

/// The most pods that are named. The others are only counted.
const NAMED: usize = 3;

/// The lines for a target.
pub(crate) fn lines(described: &Described) -> Vec<Line> {
    let Described { facts, judged } = described;
    let first = Line::from(facts.target.to_string()).text(": ").toned(judged.verdict, &judged.verdict);
    let why = Line::from("  ").text(&judged.why);
    let fix = judged.fix.iter().map(|fix| Line::from("  hint: ").hint(fix));
    let nothing_more = matches!(facts.behind, Behind::NoUpstream) || matches!(facts.target, RouteTarget::Other(_));
    let facts = if nothing_more { Vec::new() } else { facts_of(facts) };
    [first, why].into_iter().chain(fix).chain(facts.into_iter().map(Line::from)).collect()
}

fn facts_of(facts: &Facts) -> Vec<String> {
    let mut lines = Vec::new();
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
    let meshed = pods.iter().filter(|pod| pod.is_in_mesh()).count();
    let revisions = revisions(pods);
    let on = if revisions.is_empty() { String::new() } else { format!(", revision {}", revisions.join(", ")) };
    let mut lines = vec![fact("pods", &format!("{meshed} of {} in the mesh{on}", pods.len()))];
    lines.push(below(&format!("of service {service}")));
    lines.extend(some("without sidecar", pods, |pod| pod.membership == Membership::Outside && meshed > 0));
    lines.extend(some("in the ambient mesh", pods, |pod| pod.membership == Membership::Ambient));
    let labelled = "labelled for the ambient mesh, not known to be in it";
    lines.extend(some(labelled, pods, |pod| pod.membership == Membership::Labelled));
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
        Ok(proxies) => alike(proxies).iter().flat_map(|proxies| of_gateways(proxies)).collect(),
    }
}

/// The gateways in groups with the same state and the same kind of certificate.
fn alike(proxies: &[ProxyState]) -> Vec<Vec<&ProxyState>> {
    let mut groups: Vec<Vec<&ProxyState>> = Vec::new();
    for proxy in proxies {
        match groups.iter_mut().find(|group| is_alike(group[0], proxy)) {
            Some(group) => group.push(proxy),
            None => groups.push(vec![proxy]),
        }
    }
    groups
}

fn is_alike(one: &ProxyState, other: &ProxyState) -> bool {
    let shown = |certificates: &[ShownCertificate]| {
        earliest(certificates).map(|first| (first.id.clone(), first.is_of_the_mesh, first.left > 0))
    };
    (&one.lacks, &one.captured, &one.closed) == (&other.lacks, &other.captured, &other.closed)
        && match (&one.certificates, &other.certificates) {
            (Some(Ok(one)), Some(Ok(other))) => shown(one) == shown(other),
            (one, other) => one == other,
        }
}

fn of_gateways(proxies: &[&ProxyState]) -> Vec<String> {
    let mut lines = vec![fact("gateway", &gateway(proxies))];
    lines.extend(proxies.first().and_then(|first| in_ambient(&first.captured)));
    lines.extend(proxies.first().and_then(|first| closed(first)));
    match proxies.first().and_then(|first| first.certificates.as_ref()) {
        None => {}
        Some(Err(why)) => {
            lines.push(fact("cert", &format!("unknown: {why}")));
            lines.extend(why.rule.as_ref().map(|rule| below(&rule.sentence())));
        }
        Some(Ok(_)) => {
            let all = proxies.iter().filter_map(|proxy| proxy.certificates.as_ref()?.as_ref().ok()).flatten();
            lines.extend(of_certificates(&all.cloned().collect::<Vec<_>>()));
        }
    }
    lines
}

fn in_ambient(captured: &Captured) -> Option<String> {
    match captured {
        Captured::Yes => Some(below("in the ambient mesh: ztunnel carries its requests")),
        Captured::Unproven(why) => Some(below(&format!("in the ambient mesh: unknown: {why}"))),
        Captured::No | Captured::Unread(_) => None,
    }
}

/// Whether clients outside of the mesh reach a gateway whose requests a ztunnel carries.
fn closed(proxy: &ProxyState) -> Option<String> {
    match (&proxy.captured, &proxy.closed) {
        (Captured::Yes, Ok(Some(by))) => {
            Some(below(&format!("ztunnel refuses its clients outside of the mesh (STRICT, {by})")))
        }
        (Captured::Yes, Err(why)) => Some(below(&format!("its clients outside of the mesh: unknown: {why}"))),
        _ => None,
    }
}

fn earliest(certificates: &[ShownCertificate]) -> Option<&ShownCertificate> {
    certificates.iter().min_by_key(|it| it.left)
}

/// The certificate that expires first. Problems of other certificates are part of the verdict.
fn of_certificates(certificates: &[ShownCertificate]) -> Vec<String> {
    let Some(first) = earliest(certificates) else {
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

/// `gloo-system/a, gloo-system/b and 3 more: sidecars and bootstrap are complete`
fn gateway(proxies: &[&ProxyState]) -> String {
    let names: Vec<_> = proxies.iter().take(NAMED).map(|proxy| proxy.name.as_str()).collect();
    let more = if proxies.len() > NAMED { format!(" and {} more", proxies.len() - NAMED) } else { String::new() };
    let names = names.join(", ") + &more;
    match proxies.first().map(|first| &first.lacks) {
        None => names,
        Some(Err(why)) => format!("{names}: unknown: {why}"),
        Some(Ok(lacks)) if lacks.is_empty() => format!("{names}: sidecars and bootstrap are complete"),
        Some(Ok(lacks)) if proxies.len() == 1 => format!("{names}: lacks {}", missing(lacks)),
        Some(Ok(lacks)) => format!("{names}: each lacks {}", missing(lacks)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(name: &str, lacks: &[&str]) -> ProxyState {
        let lacks = Ok(lacks.iter().map(|it| (*it).to_owned()).collect());
        ProxyState { lacks, ..ProxyState::named(&format!("gloo-system/{name}")) }
    }

    fn shown(proxies: &[ProxyState]) -> Vec<String> {
        alike(proxies).iter().flat_map(|proxies| of_gateways(proxies)).collect()
    }

    #[test]
    fn gateways_that_are_alike_are_printed_once_and_another_one_has_its_own_lines() {
        let lacks = ["container sds"];
        let proxies = [proxy("a", &[]), proxy("bare", &lacks), proxy("b", &[]), proxy("c", &[]), proxy("d", &[])];
        assert_eq!(
            shown(&proxies),
            [
                "  gateway  gloo-system/a, gloo-system/b, gloo-system/c and 1 more: sidecars and bootstrap are complete",
                "  gateway  gloo-system/bare: lacks container sds",
            ]
        );
        assert_eq!(
            shown(&[proxy("a", &lacks), proxy("b", &lacks)]),
            ["  gateway  gloo-system/a, gloo-system/b: each lacks container sds"]
        );
    }

    #[test]
    fn a_captured_gateway_shows_whether_it_refuses_clients_outside_of_the_mesh() {
        let with = |name: &str, closed| ProxyState { captured: Captured::Yes, closed, ..proxy(name, &[]) };
        let by = || Ok(Some("gloo-system/p, namespace".to_owned()));
        let all = [with("a", by()), with("b", Ok(None)), with("c", by()), with("d", Err("not read".into()))];
        let lines = shown(&all);
        let of = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
        assert_eq!(of("refuses its clients outside of the mesh (STRICT, gloo-system/p, namespace)"), 1, "{lines:?}");
        assert_eq!((of("gloo-system/a, gloo-system/c:"), of("unknown: not read")), (1, 1), "{lines:?}");
        assert_eq!(shown(&[ProxyState { captured: Captured::No, ..with("e", by()) }]).len(), 1);
    }

    #[test]
    fn of_gateways_that_are_alike_the_certificate_that_ends_first_is_shown() {
        let with = |name: &str, id: &str, left: i64| {
            let certificate = ShownCertificate {
                namespace: "gloo-system".into(),
                pod: format!("{name}-pod"),
                id: id.into(),
                ends: format!("in {left}"),
                left,
                is_of_the_mesh: Some(true),
            };
            ProxyState { certificates: Some(Ok(vec![certificate])), ..proxy(name, &[]) }
        };
        let lines = shown(&[with("a", "one", 900), with("b", "one", 300), with("c", "one", 0), with("d", "two", 900)]);
        let of = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
        assert_eq!(
            (of("  gateway "), of("in 300"), of("in 900"), of("expired since in 0")),
            (3, 1, 1, 1),
            "{lines:#?}"
        );
        assert!(lines.contains(&below("by pod gloo-system/b-pod")), "{lines:#?}");
    }
}
