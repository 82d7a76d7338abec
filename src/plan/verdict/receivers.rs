//! Which pods of the gateway received the requests, and the verdict if none did.

use super::counters::Receivers;
use super::evidence::Case;
use super::{Fact, Label, RequestVerdict, VerdictKind};
use crate::command::{flag, gloo_rs};
use crate::error::Exit;

fn fact(label: Label, text: impl Into<String>) -> Fact {
    Fact { label, text: text.into() }
}

/// Returns the verdict if none of this many pods of the gateway received a request.
pub(super) fn elsewhere(case: &Case<'_>, pods: usize) -> RequestVerdict {
    let url = &case.evidence.url;
    let sent = case.evidence.answers.len();
    let pods = if pods == 1 { "the pod".to_owned() } else { format!("the {pods} pods") };
    let mut facts = vec![
        fact(Label::Status, case.answer.status.to_string()),
        fact(Label::Fact, format!("{url} answered {sent} of {sent} requests")),
        fact(Label::Fact, format!("{pods} of the gateway received no request in that time (downstream_rq_total)")),
    ];
    facts.extend(case.answer.header("server").map(|server| fact(Label::Fact, format!("server: {server}"))));
    let next = flag("--via").text(" forward sends it to a pod of the gateway; ");
    RequestVerdict {
        kind: VerdictKind::Elsewhere,
        title: format!("{}, not answered by the gateway", case.answer.status),
        facts,
        fix: None,
        next: Some(next.or_else("", gloo_rs("proxy address"))),
        exit: Exit::Unconfirmed,
        is_elsewhere: true,
    }
}

/// Adds the pods that received the requests after the status, if there are several pods.
pub(super) fn with_fact(mut facts: Vec<Fact>, case: &Case<'_>) -> Vec<Fact> {
    if let Receivers::Some { pods, of } = &case.evidence.receivers {
        let noun = if pods.len() == 1 { "pod" } else { "pods" };
        let place = facts.iter().position(|fact| fact.label != Label::Status).unwrap_or(facts.len());
        facts.insert(place, fact(Label::Gateway, format!("{noun} {} of {of}", pods.join(", "))));
    }
    facts
}
