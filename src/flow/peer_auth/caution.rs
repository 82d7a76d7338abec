//! Reasons against a change after which pods accept only mutual TLS, and advice about it.

use crate::command::{flag, gloo_rs};
use crate::error::Reason;
use crate::flow::guard::{self, Harmed, Harms};
use crate::flow::notes::Notes;
use crate::kube::Session;
use crate::load::policies::Mesh;
use crate::load::reach::{self, OutOfReach};
use crate::load::survey::SurveyReader;
use crate::options::{Global, PeerAuth};
use crate::plan::advice::{Advice, Code};
use crate::plan::change::Change;
use crate::plan::mtls;
use crate::plan::outcome::Objection;
use crate::plan::path::effect::Effect;
use crate::plan::path::{Cause, fixes};
use crate::plan::peer::Mode;
use crate::plan::peer::change::{PolicyScope, PolicyWish, after};
use crate::plan::policy::Caution;
use crate::plan::{Unread, peer};

/// Why the change is refused. Other findings are reported as advice.
pub(super) async fn objection(
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
    if request.wish == PolicyWish::Set(Mode::Permissive) || (mesh.partial.is_none() && !may_refuse) {
        return None;
    }
    // `-n` is the namespace of the policy and does not say where Gloo is installed.
    let gloo = Global { namespace: None, ..global.clone() };
    let survey = SurveyReader::new(session, &gloo);
    let effects = [Effect::Policy(request.clone())];
    let harms = match Harms::read(session, &survey, &effects, Some(&policies)).await {
        Ok(harms) => harms,
        Err(failure) => return Some(Objection::new(failure.reason, failure.message)),
    };
    let unknown = unknown(task, mesh, &harms);
    if request.caution == Caution::Careful {
        if !harms.broken.is_empty() {
            return Some(would_break(&request.scope, &harms.broken));
        }
        if let Some(closed) = guard::would_close(&harms.closed) {
            return Some(closed);
        }
        if let Some(why) = guard::unread("a gateway", &unknown) {
            return Some(why.hint(flag("--force").text(" proceeds anyway")));
        }
    }
    notes.advices(harms.forced("a gateway will get 503s (--force)"));
    notes.advices(harms.on_unrouted());
    notes.advices(harms.on_switched());
    notes.advices(harms.on_closed());
    notes.advices(guard::on_unread_others(harms.unread_others.as_ref()));
    for why in &unknown {
        notes.advice(Advice::unknown("which gateways send plaintext there is unknown", why));
    }
    let gateway = survey.gateway().await;
    notes.advices(mtls::advice::on_gateway(gateway, survey.gloo_namespace().await));
    if request.wish == PolicyWish::Set(Mode::Strict) {
        say_reach(session, &request.scope, notes).await;
    }
    None
}

fn unknown(task: &PeerAuth, mesh: &Mesh, harms: &Harms) -> Vec<Unread> {
    // A STRICT policy determines the mode whatever a wider policy says. Without the policy, the wider one applies.
    let partial = mesh.partial.clone().filter(|_| task.request.wish == PolicyWish::Remove);
    harms.unknown.iter().cloned().chain(partial).collect()
}

fn would_break(scope: &PolicyScope, broken: &[Harmed]) -> Objection {
    let sends = broken.first().map_or("plaintext", |harmed| harmed.facts.sends.words(harmed.cause));
    let mut why = Objection::new(
        Reason::GatewayPlaintext,
        format!("a gateway sends {sends} to {scope} and would get 503s; nothing changed"),
    );
    why.details = guard::ways(broken);
    let captures = broken.iter().find(|harmed| harmed.cause == Cause::StrictAmbient);
    if let Some(capture) = captures.and_then(|harmed| fixes::capture_gateway(&harmed.facts)) {
        return why.hint(capture.or_else("; ", flag("--force").text(" proceeds")));
    }
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
    let usual = || gloo_rs("istio auto-mtls enable");
    let auto_mtls = broken.first().map_or_else(usual, |harmed| fixes::auto_mtls(&harmed.facts));
    why.hint(enable.unwrap_or_default().command(auto_mtls).or_else("; ", flag("--force").text(" proceeds")))
}

/// Reports the pods to which the policy does not apply, and the clients that were not checked.
async fn say_reach(session: &Session, scope: &PolicyScope, notes: &mut dyn Notes) {
    match reach::out_of_reach(session, scope).await {
        Ok(OutOfReach { count: 0, .. }) => {}
        Ok(OutOfReach { total, count, some }) => {
            let have = if count == 1 { "has" } else { "have" };
            let what = format!("{count} of {total} pods in {scope} {have} no sidecar: no policy applies to them");
            let more = count - some.len();
            let details = some.into_iter().map(|pod| format!("pod {pod}"));
            let more = (more > 0).then(|| format!("and {more} more"));
            // Almost every cluster has pods outside the mesh, so for the mesh-wide scope this is only a note.
            let advice = match scope {
                PolicyScope::Mesh => Advice::note(Code::OutOfReach, what),
                _ => Advice::warning(Code::OutOfReach, what).details(details.chain(more)),
            };
            notes.advice(advice);
        }
        Err(why) => notes.advice(Advice::unknown("which pods have no sidecar is unknown", &why)),
    }
    notes.advice(Advice::note(
        Code::PlainClients,
        "clients without a sidecar will be rejected; only gateways were checked, not other clients of these pods",
    ));
}
