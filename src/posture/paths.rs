//! The paths of a posture: from each gateway to each target that it leads to.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::check::Look;
use crate::command::{Hint, TypedTarget};
use crate::model::kinds;
use crate::plan::destinations::{self, DestinationTarget};
use crate::plan::path::routed::ROUTES;
use crate::plan::path::{Described, Facts, Survey, Verdict};
use crate::plan::routes::RouteTarget;

/// One path: from a gateway to an Upstream, or to a Service that a route names itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PathRecord {
    /// `Upstream`, `Service`, or another kind of target.
    pub kind: &'static str,
    pub namespace: String,
    pub name: String,
    pub port: Option<u64>,
    /// The namespace of the pods behind it. Its own if the pods are outside of the cluster.
    pub backend: String,
    /// `gloo-system/gateway-proxy`. `None` if no gateway is known.
    pub gateway: Option<String>,
    pub verdict: Verdict,
    /// The cause if it does not work, or may not: `strictPeer`.
    pub cause: Option<&'static str>,
    /// The policy, gateway or namespace that decides: `policy shop/default`.
    pub decided_by: String,
    pub why: String,
}

impl PathRecord {
    /// The target in one text: `upstream gloo-system/cart`.
    pub(crate) fn subject(&self) -> String {
        let port = self.port.map_or_else(String::new, |port| format!(":{port}"));
        match self.kind {
            OTHER => self.name.clone(),
            kind => format!("{} {}/{}{port}", kind.to_lowercase(), self.namespace, self.name),
        }
    }
}

/// The kind of a target that is neither an Upstream nor a Service.
const OTHER: &str = "Other";

/// Passes the facts of every Upstream, and of every Service that a route names without one, reduced to the gateways that
/// lead there.
pub(super) fn each_target(survey: &Survey<'_>, look: &Look<'_>, mut take: impl FnMut(Facts)) {
    let routed = look.routed().filter(|_| survey.gateways_differ());
    let narrowed = |facts| routed.iter().fold(facts, |facts, routed| routed.narrow(survey, facts));
    for upstream in look.world.snapshot.all(&kinds::UPSTREAM) {
        take(narrowed(survey.of_upstream(upstream)));
    }
    for (namespace, name, port) in services(look) {
        take(narrowed(survey.of_service(&namespace, &name, port)));
    }
}

fn services(look: &Look<'_>) -> BTreeSet<(String, String, Option<u64>)> {
    let holders = ROUTES.iter().flat_map(|kind| look.world.snapshot.all(kind));
    let written = holders.flat_map(destinations::read).filter_map(|destination| match destination.target {
        DestinationTarget::Kube { service, port } => Some((service.namespace, service.name, port)),
        _ => None,
    });
    written.collect()
}

/// Returns the paths to a target, one for each gateway that leads there, each with its fix. A gateway that is scaled to
/// 0 has no path, unless all are.
pub(crate) fn records(described: &Described, target: &TypedTarget) -> Vec<(PathRecord, Option<Hint>)> {
    let Ok(proxies) = &described.facts.proxies else { return vec![record(described, None)] };
    let active: Vec<_> = proxies.iter().filter(|proxy| !proxy.is_idle).collect();
    match (active.as_slice(), proxies.as_slice()) {
        (_, [only]) => vec![record(described, Some(&only.name))],
        ([], others) => {
            others.iter().map(|proxy| record(described, Some(&proxy.name))).chain(none(described)).collect()
        }
        (active, _) => {
            let through = |proxies| Facts { proxies: Ok(proxies), ..described.facts.clone() };
            let alone = active.iter().map(|proxy| (proxy, through(vec![(**proxy).clone()])));
            alone.map(|(proxy, facts)| record(&Described::from(facts).on(target), Some(&proxy.name))).collect()
        }
    }
}

/// The path of a target that no gateway leads to.
fn none(described: &Described) -> Option<(PathRecord, Option<Hint>)> {
    described.facts.proxies.as_ref().is_ok_and(Vec::is_empty).then(|| record(described, None))
}

fn record(described: &Described, gateway: Option<&str>) -> (PathRecord, Option<Hint>) {
    let (kind, namespace, name, port) = match &described.facts.target {
        RouteTarget::Upstream { namespace, name } => ("Upstream", namespace.as_str(), name.as_str(), None),
        RouteTarget::Service { namespace, name, port } => ("Service", namespace.as_str(), name.as_str(), *port),
        RouteTarget::Other(what) => (OTHER, "", what.as_str(), None),
    };
    let judged = &described.judged;
    let record = PathRecord {
        kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        port,
        backend: described.backend_namespace().to_owned(),
        gateway: gateway.map(str::to_owned),
        verdict: judged.verdict,
        cause: judged.cause.map(|cause| cause.row().name),
        decided_by: described.decider().to_string(),
        why: judged.why.clone(),
    };
    (record, judged.fix.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::path::fixture::{meshed, pods};
    use crate::plan::path::{Announced, Negotiated, ProxyState, Sends};
    use crate::plan::peer::Mode;

    fn proxy(name: &str, lacks: &[&str]) -> ProxyState {
        let lacks = Ok(lacks.iter().map(|part| (*part).to_owned()).collect());
        ProxyState { lacks, ..ProxyState::named(&format!("gloo-system/{name}")) }
    }

    /// `mtls gloo-system/a` of each path to an Upstream with Istio's TLS, whose pod accepts nothing else.
    fn through(proxies: Result<Vec<ProxyState>, crate::plan::Unread>) -> Vec<String> {
        let target = RouteTarget::Upstream { namespace: "gloo-system".into(), name: "cart".into() };
        let sends = Sends::Istio { any_peer: true, announced: Announced::AsTheMeshs, negotiated: Negotiated::AsSent };
        let facts = Facts::bare(target, pods(vec![meshed(Mode::Strict)]), proxies).sending(sends);
        let records = records(&Described::from(facts), &TypedTarget::default());
        let shown = |path: &PathRecord| format!("{} {}", path.verdict, path.gateway.as_deref().unwrap_or("-"));
        records.iter().map(|(path, _)| shown(path)).collect()
    }

    #[test]
    fn each_gateway_has_its_own_path_and_what_one_lacks_breaks_only_its_own() {
        let (whole, bare) = (|| proxy("a", &[]), || proxy("b", &["container sds"]));
        let idle = ProxyState { is_idle: true, ..proxy("c", &[]) };
        assert_eq!(through(Ok(vec![whole()])), ["mtls gloo-system/a"]);
        assert_eq!(through(Ok(vec![whole(), bare()])), ["mtls gloo-system/a", "broken gloo-system/b"]);
        assert_eq!(through(Ok(vec![whole(), idle.clone()])), ["mtls gloo-system/a"], "one with no pod");
        assert_eq!(through(Ok(vec![idle.clone(), idle])), ["broken gloo-system/c", "broken gloo-system/c"]);
        assert_eq!(through(Ok(Vec::new())), ["unknown -"], "no gateway is known");
        assert_eq!(through(Err("not allowed to list deployments".into())), ["unknown -"]);
    }
}
