//! The guard of the commands that write. It finds requests that work now and would get 503s after a change.

mod upstreams;

use crate::command::{CommandLine, Hint, flag, gloo_rs};
use crate::edit::{Edit, json as edited};
use crate::error::{Failure, Reason};
use crate::flow::notes::Notes;
use crate::kube::Session;
use crate::load::survey::SurveyReader;
use crate::load::traffic::{self, Traffic};
use crate::model::Object;
use crate::plan::Unread;
use crate::plan::advice::{self, Advice, Code};
use crate::plan::outcome::Objection;
use crate::plan::path::effect::{Effect, PlannedWorld, Touched};
use crate::plan::path::harm::{Harm, harm};
use crate::plan::path::identity::{SwitchedPolicy, switched};
use crate::plan::path::routed::RouteWay;
use crate::plan::path::{self, Behind, ClosedGateway, Facts, ProxyState, Sends, fixes};
use crate::plan::peer::Policies;
use crate::plan::policy::Caution;
use crate::plan::routes::RouteTarget;
use crate::render::text::count;

pub(super) use upstreams::OfUpstreams;

/// A route path and why it gets 503s after the change.
pub(super) struct Harmed {
    pub facts: Facts,
    pub shown: String,
    pub cause: path::Cause,
    pub why: String,
}

impl Harmed {
    /// The Upstream on this route path, if there is one.
    pub(super) fn upstream(&self) -> Option<(&str, &str)> {
        match &self.facts.target {
            RouteTarget::Upstream { namespace, name } => Some((namespace, name)),
            _ => None,
        }
    }
}

/// Formats as `upstream gloo-system/cart -> service shop/cart: no sslConfig, and auto-mTLS is off`
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

/// How the change affects the route paths that it touches.
#[derive(Default)]
pub(super) struct Harms {
    pub broken: Vec<Harmed>,
    /// The same for Upstreams that no route refers to.
    pub unrouted: Vec<Harmed>,
    pub unknown: Vec<Unread>,
    /// The gateways that clients outside of the mesh reach now, and not afterwards.
    pub closed: Vec<ClosedGateway>,
    /// The authorization policies that start or stop to match a gateway.
    switched: Vec<SwitchedPolicy>,
    /// Why other installations of Gloo were not examined.
    pub unread_others: Option<Unread>,
}

impl Harms {
    /// Reads what the effects touch and compares the state before and after. If `policies` is given,
    /// those are used instead of the ones that are read here.
    ///
    /// # Errors
    /// The API server does not answer, or rejects the credentials.
    pub(super) async fn read(
        session: &Session,
        survey: &SurveyReader<'_>,
        effects: &[Effect],
        policies: Option<&Policies<'_>>,
    ) -> Result<Self, Failure> {
        let mut traffic = Box::pin(traffic::read(session, survey, &Touched::by(effects))).await?;
        if let Some(policies) = policies {
            traffic.world.know_policies(policies);
        }
        let mut harms = Self::of_effects(&mut traffic, effects);
        harms.unknown.retain(|why| !traffic.unread.contains(why));
        harms.unknown.splice(0..0, traffic.unread);
        harms.unread_others = traffic.unread_others;
        Ok(harms)
    }

    fn of_effects(traffic: &mut Traffic, effects: &[Effect]) -> Self {
        let facts = |world: &PlannedWorld, ways: &[RouteWay]| {
            let surveys = world.surveys();
            ways.iter().map(|way| way.facts(&surveys)).collect::<Vec<_>>()
        };
        let Traffic { world, routed, unrouted, .. } = traffic;
        let was = (facts(world, routed), facts(world, unrouted));
        let was_closed = world.surveys().closed();
        for effect in effects {
            world.take(effect);
        }
        // If the change affects no pods and not what is sent, unknown pods are no harm.
        let are_pods_changed = |world: &PlannedWorld, way: &RouteWay| {
            let namespace = way.pods_namespace(&world.snapshot);
            effects.iter().any(|effect| effect.is_about_pods(namespace))
        };
        let is_changed = |world: &PlannedWorld, way: &RouteWay, before: &Facts, after: &Facts| {
            are_pods_changed(world, way) || !after.is_sent_as(before)
        };
        let mut harms = Self { closed: world.surveys().closed_since(&was_closed), ..Self::default() };
        for ((way, before), after) in routed.iter().zip(&was.0).zip(facts(world, routed)) {
            if is_changed(world, way, before, &after) {
                harms.add_routed(way, before, after);
            }
        }
        for ((way, before), after) in unrouted.iter().zip(&was.1).zip(facts(world, unrouted)) {
            if is_changed(world, way, before, &after) {
                harms.add_unrouted(way, before, after);
            }
        }
        harms
    }

    /// How these edits of an Upstream affect the route paths through it to what is behind it.
    pub(super) fn of_upstream(traffic: &Traffic, upstream: &Object, edits: &[Edit], behind: &Behind) -> Self {
        let mut harms =
            Self { unknown: traffic.unread.clone(), unread_others: traffic.unread_others.clone(), ..Self::default() };
        let Ok(value) = edited::apply(&upstream.value, edits) else { return harms };
        let after = Object { reference: upstream.reference.clone(), value };
        let target = RouteTarget::from(upstream);
        let surveys = traffic.world.surveys();
        let leads_there = |way: &&RouteWay| way.target == target;
        let facts = |way: &RouteWay, upstream: &Object| Facts {
            behind: behind.clone(),
            ..way.facts_through(&surveys, upstream)
        };
        for way in traffic.routed.iter().filter(leads_there) {
            harms.add_routed(way, &facts(way, upstream), facts(way, &after));
        }
        for way in traffic.unrouted.iter().filter(leads_there) {
            harms.add_unrouted(way, &facts(way, upstream), facts(way, &after));
        }
        harms
    }

    fn add_routed(&mut self, way: &RouteWay, before: &Facts, after: Facts) {
        self.add_switched(switched(before, &after));
        match harm(before, &after) {
            Harm::Broken { cause, why } => self.broken.push(Harmed::new(way, after, cause, why)),
            Harm::Unknown(why) if !self.unknown.contains(&why) => self.unknown.push(why),
            Harm::None | Harm::Unknown(_) => {}
        }
    }

    fn add_unrouted(&mut self, way: &RouteWay, before: &Facts, after: Facts) {
        self.add_switched(switched(before, &after));
        if let Harm::Broken { cause, why } = harm(before, &after) {
            self.unrouted.push(Harmed::new(way, after, cause, why));
        }
    }

    fn add_switched(&mut self, switched: Vec<SwitchedPolicy>) {
        let new: Vec<_> = switched.into_iter().filter(|policy| !self.switched.contains(policy)).collect();
        self.switched.extend(new);
    }

    fn extend(&mut self, other: Self) {
        self.add_switched(other.switched);
        self.broken.extend(other.broken);
        self.unrouted.extend(other.unrouted);
        let new: Vec<_> = other.unknown.into_iter().filter(|why| !self.unknown.contains(why)).collect();
        self.unknown.extend(new);
        self.unread_others = other.unread_others.or(self.unread_others.take());
    }

    /// The warning about gateways that refuse clients outside of the mesh afterwards.
    pub(super) fn on_closed(&self) -> Option<Advice> {
        let closed = self.closed.iter().map(ToString::to_string);
        let what = "clients outside of the mesh will be refused (--force)";
        (!self.closed.is_empty()).then(|| Advice::warning(Code::StrictPeer, what).details(advice::some_of(closed)))
    }

    /// Why the change is refused because of known harm. Unknown harm is no reason here.
    fn refused(&self, caution: Caution) -> Option<Objection> {
        match caution {
            Caution::Careful => would_break(&self.broken, None).or_else(|| would_close(&self.closed)),
            Caution::Forced => None,
        }
    }

    /// The warning, with the text `what`, for a change that is made although it breaks requests.
    pub(super) fn forced(&self, what: &str) -> Option<Advice> {
        (!self.broken.is_empty()).then(|| Advice::warning(Code::StrictPeer, what).details(ways(&self.broken)))
    }

    /// The note about authorization policies that decide differently because the gateway presents something else.
    pub(super) fn on_switched(&self) -> Option<Advice> {
        let what = match self.switched.as_slice() {
            [] => return None,
            [only] => return Some(Advice::note(Code::AuthorizationMatch, only.to_string())),
            several => format!("{} authorization policies start or stop to match a gateway", several.len()),
        };
        let lines = advice::some_of(self.switched.iter().map(ToString::to_string));
        Some(Advice::note(Code::AuthorizationMatch, what).details(lines))
    }

    /// The warning about Upstreams that no route refers to.
    pub(super) fn on_unrouted(&self) -> Option<Advice> {
        let upstreams = count(self.unrouted.len(), "Upstream");
        let what = format!("{upstreams} that no route names would get 503s as well");
        (!self.unrouted.is_empty()).then(|| Advice::warning(Code::UnroutedUpstream, what).details(ways(&self.unrouted)))
    }
}

/// The note about gateways that were not examined.
pub(super) fn on_unread_others(why: Option<&Unread>) -> Option<Advice> {
    Some(Advice::unknown(
        "whether requests through the gateways of another Gloo installation get 503s is unknown",
        why?,
    ))
}

/// Some of the route paths, one per line.
pub(super) fn ways(ways: &[Harmed]) -> Vec<String> {
    advice::some_of(ways.iter().map(ToString::to_string))
}

impl Harmed {
    fn new(way: &RouteWay, facts: Facts, cause: path::Cause, why: String) -> Self {
        Self { facts, shown: way.shown.clone(), cause, why }
    }
}

/// Why a change is refused: requests that work now would or may get 503s. With `--force` the harm is only reported, as
/// is harm to Upstreams without a route. `joins` is the command itself if it adds pods to the mesh.
///
/// # Errors
/// The API server does not answer, or rejects the credentials.
pub(super) async fn objection(
    session: &Session,
    survey: &SurveyReader<'_>,
    (effects, joins): (&[Effect], Option<CommandLine>),
    caution: Caution,
    notes: &mut dyn Notes,
) -> Result<Option<Objection>, Failure> {
    if effects.is_empty() {
        return Ok(None);
    }
    let harms = Box::pin(Harms::read(session, survey, effects, None)).await?;
    if caution == Caution::Careful {
        let refused = would_break(&harms.broken, joins).or_else(|| would_close(&harms.closed));
        let refused = refused.or_else(|| may_break(&harms.unknown));
        if refused.is_some() {
            return Ok(refused);
        }
    }
    say(&harms, notes);
    Ok(None)
}

/// Why the change is refused because of known harm. Unknown harm is only reported.
pub(super) fn unless_forced(harms: &Harms, caution: Caution, notes: &mut dyn Notes) -> Option<Objection> {
    let refused = harms.refused(caution);
    if refused.is_none() {
        say(harms, notes);
    }
    refused
}

/// Reports the harm that was not a reason to refuse.
fn say(harms: &Harms, notes: &mut dyn Notes) {
    notes.advices(harms.forced("requests that work now will get 503s (--force)"));
    notes.advices(harms.on_unrouted());
    notes.advices(harms.on_switched());
    notes.advices(harms.on_closed());
    notes.advices(on_unread_others(harms.unread_others.as_ref()));
    for why in &harms.unknown {
        notes.advice(Advice::unknown("whether requests get 503s is unknown", why));
    }
}

/// The refusal because of known harm, with the safe order of commands as a hint.
fn would_break(broken: &[Harmed], joins: Option<CommandLine>) -> Option<Objection> {
    let first = broken.first()?;
    let what = match broken.len() {
        1 => "a route that works now".to_owned(),
        number => format!("{number} routes that work now"),
    };
    let mut why = Objection::new(Reason::WouldBreak, format!("{what} would get 503s; nothing changed"));
    why.details = ways(broken);
    Some(why.hint(safe_order(first, joins).or_else("; ", flag("--force").text(" proceeds"))))
}

/// The refusal because a gateway would refuse its clients: they are not in the mesh.
pub(super) fn would_close(closed: &[ClosedGateway]) -> Option<Objection> {
    let first = closed.first()?;
    let message = "clients outside of the mesh would be refused; nothing changed";
    let mut why = Objection::new(Reason::WouldBreak, message);
    why.details = advice::some_of(closed.iter().map(ToString::to_string));
    let permissive = gloo_rs("istio peer-auth permissive").with("-n", first.namespace());
    Some(why.hint(Hint::from("first: ").command(permissive).or_else("; ", flag("--force").text(" proceeds"))))
}

fn may_break(unknown: &[Unread]) -> Option<Objection> {
    let why = unread("requests", unknown)?;
    Some(why.hint(flag("--force").text(" proceeds")))
}

/// The refusal because something could not be read: whether `who` would get 503s is unknown.
pub(super) fn unread(who: &str, unknown: &[Unread]) -> Option<Objection> {
    let first = unknown.first()?;
    let message = format!("whether {who} would get 503s is unknown: {first}; nothing changed");
    let mut why = Objection::new(Reason::Unknown, message);
    why.details.extend(unknown.iter().skip(1).map(|why| format!("and {why}")));
    let rules = unknown.iter().filter_map(|why| why.rule.as_ref());
    why.details.extend(rules.map(|rule| rule.sentence()));
    Some(why)
}

/// The commands that lead to the same state without 503s in between.
fn safe_order(first: &Harmed, joins: Option<CommandLine>) -> Hint {
    let Behind::Pods { pods, .. } = &first.facts.behind else { return Hint::from("check what answers there") };
    let namespace = pods.first().map_or("", |pod| pod.namespace.as_str());
    if first.cause == path::Cause::StrictAmbient {
        let permissive = || gloo_rs("istio peer-auth permissive").with("-n", namespace).into();
        // A command that takes the gateway out would be undone by one that puts it in.
        let capture = joins.and_then(|_| fixes::capture_gateway(&first.facts));
        return Hint::from("first: ").and(capture.unwrap_or_else(permissive));
    }
    let commands = if let Sends::Plaintext { .. } = &first.facts.sends {
        after_permissive(namespace, first, joins)
    } else {
        let backend = fixes::backend(&first.facts);
        if !backend.without.is_empty() {
            let enroll = backend.enrolls().unwrap_or_else(|| "take out the pods that get no sidecar".into());
            return Hint::from("first: ").and(enroll);
        }
        let lacks = |proxy: &&ProxyState| proxy.lacks.as_ref().is_ok_and(|lacks| !lacks.is_empty());
        let lacking = first.facts.proxies.iter().flatten().find(lacks);
        vec![lacking.map_or_else(|| gloo_rs("istio inject"), path::inject)]
    };
    let mut hint = Hint::from("first: ");
    for (index, command) in commands.into_iter().enumerate() {
        hint = if index == 0 { hint.command(command) } else { hint.text(", then ").command(command) };
    }
    hint
}

/// Commands for pods that accept only mutual TLS: they first accept plaintext as well. Once the gateway sends mutual
/// TLS, they may be strict again.
fn after_permissive(namespace: &str, first: &Harmed, joins: Option<CommandLine>) -> Vec<CommandLine> {
    let permissive = gloo_rs("istio peer-auth permissive").with("-n", namespace);
    let Some(joins) = joins else { return vec![permissive] };
    let mut commands = vec![permissive, joins];
    if let Some((home, name)) = first.upstream() {
        commands.push(gloo_rs("istio enable-mtls").with("-n", home).with("-u", name));
        commands.push(gloo_rs("istio peer-auth strict").with("-n", namespace));
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::path::fixture::{meshed, plain, pods};
    use crate::plan::path::{Announced, Cause, Negotiated, Pod};
    use crate::plan::peer::Mode;

    fn harmed(name: &str, sends: Sends, behind: Vec<Pod>) -> Harmed {
        let target = RouteTarget::Upstream { namespace: "gloo-system".to_owned(), name: name.to_owned() };
        let facts = Facts { sends, ..Facts::bare(target, pods(behind), Ok(Vec::new())) };
        Harmed {
            facts,
            shown: format!("upstream gloo-system/{name}"),
            cause: Cause::StrictPeer,
            why: "plaintext".to_owned(),
        }
    }

    fn plaintext(name: &str) -> Harmed {
        harmed(name, Sends::Plaintext { why: "auto-mTLS is off".to_owned() }, vec![meshed(Mode::Strict)])
    }

    fn hint(harmed: Harmed, joins: Option<CommandLine>) -> String {
        let why = would_break(&[harmed], joins).unwrap();
        assert_eq!(why.reason, Reason::WouldBreak);
        why.hint.unwrap().to_string()
    }

    #[test]
    fn the_order_of_commands_follows_from_what_is_sent_and_what_the_pods_take() {
        let permissive = "first: gloo-rs istio peer-auth permissive -n shop; --force proceeds";
        assert_eq!(hint(plaintext("cart"), None), permissive);
        let order = "first: gloo-rs istio peer-auth permissive -n shop, then gloo-rs istio enroll shop, \
            then gloo-rs istio enable-mtls -n gloo-system -u cart, then gloo-rs istio peer-auth strict -n shop; \
            --force proceeds";
        assert_eq!(hint(plaintext("cart"), Some(gloo_rs("istio enroll").value("shop"))), order);
        let istio =
            || Sends::Istio { any_peer: true, announced: Announced::AsTheMeshs, negotiated: Negotiated::AsSent };
        let tls = |behind| hint(harmed("cart", istio(), behind), None);
        assert!(tls(vec![plain("shop/a")]).starts_with("first: gloo-rs istio enroll shop"));
        assert!(tls(vec![meshed(Mode::Strict)]).starts_with("first: gloo-rs istio inject"));
    }

    #[test]
    fn what_is_harmed_comes_before_what_is_unknown_and_nothing_is_no_objection() {
        assert!(would_break(&[], None).is_none() && may_break(&[]).is_none());
        let why = may_break(&["not allowed to list pods".into(), "not allowed to list routes".into()]).unwrap();
        assert_eq!((why.reason, why.details.len()), (Reason::Unknown, 1));
    }
}
