//! What stands against a change after which pods demand mutual TLS, and what is worth saying about it.

use crate::command::{flag, gloo_rs};
use crate::error::Reason;
use crate::flow::notes::Notes;
use crate::kube::Session;
use crate::load::policies::Mesh;
use crate::load::reach::{self, OutOfReach};
use crate::load::survey::Survey;
use crate::load::traffic::{self, Traffic};
use crate::options::{Global, PeerAuth};
use crate::plan::advice::{self, Advice, Code};
use crate::plan::change::Change;
use crate::plan::mtls::Caution;
use crate::plan::outcome::Objection;
use crate::plan::path::effect::{Touched, World};
use crate::plan::path::harm::{Harm, harm};
use crate::plan::path::routed::Way;
use crate::plan::path::{self, Behind, Facts, Sends};
use crate::plan::peer::Mode;
use crate::plan::peer::change::{Scope, Wish, after};
use crate::plan::routes::Target;
use crate::plan::{Unread, peer};
use crate::render::text::count;

/// Why the change is not made; what should be known beside it is said.
pub async fn objection(
    session: &Session,
    task: &PeerAuth,
    global: &Global,
    mesh: &Mesh,
    Change { before, edits, .. }: &Change,
    notes: &mut dyn Notes,
) -> Option<Objection> {
    let policies = mesh.policies();
    let request = &task.request;
    let changed = after(&policies, before, edits);
    let may_refuse = [Mode::Strict, Mode::Disable].into_iter().any(|mode| peer::is_set(&changed, mode));
    if request.wish == Wish::Set(Mode::Permissive) || (mesh.partial.is_none() && !may_refuse) {
        return None;
    }
    // `-n` is where the policy is, which says nothing about where Gloo is.
    let gloo = Global { namespace: None, ..global.clone() };
    let survey = Survey::new(session, &gloo);
    let touched = Touched::by_policy(&request.scope);
    let mut traffic = match traffic::read(session, &survey, &touched).await {
        Ok(traffic) => traffic,
        Err(failure) => return Some(Objection::new(failure.reason, failure.message)),
    };
    traffic.world.know_policies(&policies);
    let harms = Harms::of(&mut traffic, |world| world.change_policy(before, edits, &policies));
    let unknown = unknown(task, mesh, &traffic.unread, &harms);
    if request.caution == Caution::Careful {
        if !harms.broken.is_empty() {
            return Some(would_break(&request.scope, &harms.broken));
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
            return Some(why.hint(flag("--force").text(" goes on all the same")));
        }
    }
    let ways = |ways: &[Harmed]| advice::some_of(ways.iter().map(ToString::to_string));
    if !harms.broken.is_empty() {
        let what = "a gateway gets 503s from now on (--force)";
        notes.advice(Advice::warning(Code::StrictPeer, what).details(ways(&harms.broken)));
    }
    if !harms.unrouted.is_empty() {
        let upstreams = count(harms.unrouted.len(), "Upstream");
        let what = format!("{upstreams} that no route names would be 503 as well");
        notes.advice(Advice::warning(Code::UnroutedUpstream, what).details(ways(&harms.unrouted)));
    }
    for why in &unknown {
        notes.advice(Advice::unknown("which gateways send plaintext there is unknown", why));
    }
    let gateway = survey.gateway().await;
    notes.advices(advice::on_gateway(&gateway, survey.gloo_namespace().await));
    if request.wish == Wish::Set(Mode::Strict) {
        say_reach(session, &request.scope, notes).await;
    }
    None
}

/// A way and why it is answered with 503 after the change.
struct Harmed {
    facts: Facts,
    shown: String,
    cause: path::Cause,
    why: String,
}

impl Harmed {
    fn upstream(&self) -> Option<(&str, &str)> {
        match &self.facts.target {
            Target::Upstream { namespace, name } => Some((namespace, name)),
            _ => None,
        }
    }
}

/// `upstream gloo-system/cart -> service shop/cart: no sslConfig, and auto-mTLS is off`
impl std::fmt::Display for Harmed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let service = match &self.facts.behind {
            Behind::Pods { service, .. } => service.as_str(),
            _ => "unknown",
        };
        let why = if let Sends::Plaintext { why } = &self.facts.sends { why } else { &self.why };
        write!(f, "{} -> service {service}: {why}", self.shown)
    }
}

/// What the change does to the ways that it touches.
struct Harms {
    broken: Vec<Harmed>,
    unrouted: Vec<Harmed>,
    unknown: Vec<Unread>,
}

impl Harms {
    fn of(traffic: &mut Traffic, change: impl FnOnce(&mut World)) -> Self {
        let facts = |world: &World, ways: &[Way]| {
            let survey = world.survey();
            ways.iter().map(|way| way.facts(&survey)).collect::<Vec<_>>()
        };
        let Traffic { world, routed, unrouted, .. } = traffic;
        let was = (facts(world, routed), facts(world, unrouted));
        change(world);
        let mut harms = Self { broken: Vec::new(), unrouted: Vec::new(), unknown: Vec::new() };
        for ((way, before), after) in routed.iter().zip(&was.0).zip(facts(world, routed)) {
            match harm(before, &after) {
                Harm::Broken { cause, why } => harms.broken.push(Harmed::new(way, after, cause, why)),
                Harm::Unknown(why) if !harms.unknown.contains(&why) => harms.unknown.push(why),
                Harm::None | Harm::Unknown(_) => {}
            }
        }
        for ((way, before), after) in unrouted.iter().zip(&was.1).zip(facts(world, unrouted)) {
            if let Harm::Broken { cause, why } = harm(before, &after) {
                harms.unrouted.push(Harmed::new(way, after, cause, why));
            }
        }
        harms
    }
}

impl Harmed {
    fn new(way: &Way, facts: Facts, cause: path::Cause, why: String) -> Self {
        Self { facts, shown: way.shown.clone(), cause, why }
    }
}

fn unknown(task: &PeerAuth, mesh: &Mesh, unread: &[Unread], harms: &Harms) -> Vec<Unread> {
    let mut unknown = unread.to_vec();
    unknown.extend(harms.unknown.iter().filter(|why| !unread.contains(why)).cloned());
    // To go strict says what holds, whatever a wider policy says; to take a policy away does not.
    unknown.extend(mesh.partial.clone().filter(|_| task.request.wish == Wish::Remove));
    unknown
}

fn would_break(scope: &Scope, broken: &[Harmed]) -> Objection {
    let sends = broken.first().map_or("plaintext", |harmed| harmed.facts.sends.words(harmed.cause));
    let mut why = Objection::new(
        Reason::GatewayPlaintext,
        format!("a gateway sends {sends} to {scope} and would get 503s; nothing changed"),
    );
    why.details = advice::some_of(broken.iter().map(ToString::to_string));
    let mut by_namespace: Vec<(&str, Vec<&str>)> = Vec::new();
    for (home, name) in broken.iter().filter_map(Harmed::upstream) {
        match by_namespace.iter_mut().find(|(namespace, _)| *namespace == home) {
            Some((_, names)) => names.push(name),
            None => by_namespace.push((home, vec![name])),
        }
    }
    let enable = by_namespace.first().map(|(namespace, names)| {
        gloo_rs("istio enable-mtls").with("-n", *namespace).with("-u", names.join(",")).then(", or ")
    });
    why.hint(
        enable
            .unwrap_or_default()
            .command(gloo_rs("istio auto-mtls enable"))
            .or("; ", flag("--force").text(" goes on")),
    )
}

/// Whom the policy does not reach, and who may have been left out of what was looked at.
async fn say_reach(session: &Session, scope: &Scope, notes: &mut dyn Notes) {
    match reach::out_of_reach(session, scope).await {
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
            notes.advice(advice);
        }
        Err(why) => notes.advice(Advice::unknown("which pods have no sidecar is unknown", &why)),
    }
    notes.advice(Advice::note(
        Code::PlainClients,
        "clients without a sidecar are turned away; who calls these pods was not looked at, but for gateways",
    ));
}
