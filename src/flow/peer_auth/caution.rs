//! What stands against a change after which pods demand mutual TLS, and what is worth saying about it.

use serde_json::Value;

use crate::edit::Edit;
use crate::error::Reason;
use crate::flow::report::Report;
use crate::kube::Session;
use crate::load::plaintext::{self, Found, OutOfReach};
use crate::load::policies::Mesh;
use crate::load::survey::Survey;
use crate::model::Object;
use crate::options::{Global, PeerAuth};
use crate::plan::advice::{self, Advice, Code};
use crate::plan::mtls::Caution;
use crate::plan::outcome::Objection;
use crate::plan::peer::change::{Scope, Wish, after};
use crate::plan::peer::exposure::{Fate, Plain, Way, fate};
use crate::plan::peer::{Mode, Policies};
use crate::plan::{Unread, peer};
use crate::render::text::count;

/// Why the change is not made; what should be known beside it is said.
pub async fn objection(
    session: &Session,
    task: &PeerAuth,
    global: &Global,
    mesh: &Mesh,
    (before, edits): (&Object, &[Edit]),
    report: &mut Report<'_>,
) -> Option<Objection> {
    let policies = mesh.policies();
    let changed = after(&policies, before, edits);
    let then = Policies { all: &changed, ..policies };
    let request = &task.request;
    if request.wish == Wish::Set(Mode::Permissive) || (mesh.partial.is_none() && !demand(&changed)) {
        return None;
    }
    // `-n` is where the policy is, which says nothing about where Gloo is.
    let gloo = Global { namespace: None, ..global.clone() };
    let survey = Survey::new(session, &gloo);
    let found = plaintext::find(session, &survey, &request.scope).await;
    let verdict = judge(&found, &policies, &then);
    let unknown = unknown(task, mesh, &found, &verdict);
    if request.caution == Caution::Careful {
        if !verdict.broken.is_empty() {
            return Some(would_break(&request.scope, &verdict.broken));
        }
        if let Some(first) = unknown.first() {
            let message = format!("whether a gateway would get 503s is unknown: {first}; nothing changed");
            let mut why = Objection::new(Reason::Unknown, message);
            why.details.extend(unknown.iter().skip(1).map(|why| format!("and {why}")));
            why.details.extend(
                unknown
                    .iter()
                    .filter_map(|why| why.rule.as_ref())
                    .map(|rule| format!("a rule of a ClusterRole that allows it: {rule}")),
            );
            return Some(why.hint("--force goes on all the same"));
        }
    }
    let ways = |ways: &[&Way]| advice::some_of(ways.iter().map(|way| shown(way)));
    if !verdict.broken.is_empty() {
        let what = "a gateway gets 503s from now on (--force)";
        report.advice(Advice::warning(Code::StrictPeer, what).details(ways(&verdict.broken)));
    }
    if !verdict.unrouted.is_empty() {
        let upstreams = count(verdict.unrouted.len(), "Upstream");
        let what = format!("{upstreams} that no route names would be 503 as well");
        report.advice(Advice::warning(Code::UnroutedUpstream, what).details(ways(&verdict.unrouted)));
    }
    for why in &unknown {
        report.advice(Advice::unknown("which gateways send plaintext there is unknown", why));
    }
    let gateway = survey.gateway().await;
    report.advice_if(advice::on_gateway(&gateway, survey.gloo_namespace().await));
    if request.wish == Wish::Set(Mode::Strict) {
        say_reach(session, &request.scope, report).await;
    }
    None
}

/// Whether any of these policies makes anybody demand mutual TLS.
fn demand(policies: &[Value]) -> bool {
    policies.iter().any(|policy| {
        let of_ports = peer::port_modes(policy).into_values().flatten();
        peer::mode(&policy["spec"]["mtls"]).into_iter().chain(of_ports).any(|mode| mode == Mode::Strict)
    })
}

/// The ways by what becomes of them.
struct Verdict<'f> {
    broken: Vec<&'f Way>,
    unrouted: Vec<&'f Way>,
    unknown: Vec<Unread>,
}

fn judge<'f>(found: &'f Found, before: &Policies, after: &Policies) -> Verdict<'f> {
    let fate_of = |way: &Way| match found.behind.get(&way.service.namespace) {
        Some(behind) => fate(way, behind, before, after),
        None => Fate::Same,
    };
    let mut verdict = Verdict { broken: Vec::new(), unrouted: Vec::new(), unknown: Vec::new() };
    for way in &found.routed {
        match fate_of(way) {
            Fate::Same => {}
            Fate::Broken => verdict.broken.push(way),
            Fate::Unknown(why) if verdict.unknown.contains(&why) => {}
            Fate::Unknown(why) => verdict.unknown.push(why),
        }
    }
    verdict.unrouted = found.unrouted.iter().filter(|way| fate_of(way) == Fate::Broken).collect();
    verdict
}

fn unknown(task: &PeerAuth, mesh: &Mesh, found: &Found, verdict: &Verdict) -> Vec<Unread> {
    let mut unknown = found.unread.clone();
    unknown.extend(verdict.unknown.iter().filter(|why| !found.unread.contains(why)).cloned());
    // To go strict says what holds, whatever a wider policy says; to take a policy away does not.
    unknown.extend(mesh.partial.clone().filter(|_| task.request.wish == Wish::Remove));
    unknown
}

fn shown(way: &Way) -> String {
    let why = match &way.why {
        Plain::Sure(why) => (*why).to_owned(),
        Plain::Unknown(why) => why.to_string(),
    };
    format!("{} -> service {}/{}: {why}", way.shown, way.service.namespace, way.service.name)
}

fn would_break(scope: &Scope, broken: &[&Way]) -> Objection {
    let mut why = Objection::new(
        Reason::GatewayPlaintext,
        format!("a gateway sends plaintext to {scope} and would get 503s; nothing changed"),
    );
    why.details = advice::some_of(broken.iter().map(|way| shown(way)));
    let mut by_namespace: Vec<(&str, Vec<&str>)> = Vec::new();
    for upstream in broken.iter().filter_map(|way| way.upstream.as_ref()) {
        match by_namespace.iter_mut().find(|(namespace, _)| *namespace == upstream.namespace) {
            Some((_, names)) => names.push(&upstream.name),
            None => by_namespace.push((&upstream.namespace, vec![&upstream.name])),
        }
    }
    let enable = by_namespace
        .first()
        .map(|(namespace, names)| format!("gloo-rs istio enable-mtls -n {namespace} -u {}, or ", names.join(",")));
    why.hint(format!("{}gloo-rs istio auto-mtls enable; --force goes on", enable.unwrap_or_default()))
}

/// Whom the policy does not reach, and who may have been left out of what was looked at.
async fn say_reach(session: &Session, scope: &Scope, report: &mut Report<'_>) {
    match plaintext::out_of_reach(session, scope).await {
        Ok(OutOfReach { count: 0, .. }) => {}
        Ok(OutOfReach { total, count, some }) => {
            let have = if count == 1 { "has" } else { "have" };
            let what = format!("{count} of {total} pods in {scope} {have} no sidecar: no policy reaches them");
            let more = count - some.len();
            let details = some.into_iter().map(|pod| format!("pod {pod}"));
            let more = (more > 0).then(|| format!("and {more} more"));
            // All of a mesh's namespaces have pods that are none of it.
            let advice = match scope {
                Scope::Mesh => Advice::note(Code::OutOfReach, what),
                _ => Advice::warning(Code::OutOfReach, what).details(details.chain(more)),
            };
            report.advice(advice);
        }
        Err(why) => report.advice(Advice::unknown("which pods have no sidecar is unknown", &why)),
    }
    report.advice(Advice::note(
        Code::PlainClients,
        "clients without a sidecar are turned away; who calls these pods was not looked at, but for gateways",
    ));
}
