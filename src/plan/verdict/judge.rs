//! Computes the verdict from the evidence.

use std::fmt::Write as _;

use super::answer::Echo;
use super::cause::{self, CauseCandidate, CauseCheck};
use super::commands;
use super::counters::{ENOUGH, Receivers, Went};
use super::denied::{Denial, denial};
use super::evidence::{self, Case, Evidence};
use super::receivers;
use super::tls::{self, TlsVerdict};
use super::{Fact, Label, RequestVerdict, VerdictKind};
use crate::command::{CommandLine, Hint, flag, gloo_rs, kubectl};
use crate::error::Exit;
use crate::plan::authorization::PolicyInForce;
use crate::plan::path::Cause;

/// Computes the verdict. `None` if there is no response.
pub(crate) fn judge(evidence: &Evidence) -> Option<RequestVerdict> {
    let case = Case::from_evidence(evidence)?;
    if let Receivers::None { pods } = evidence.receivers {
        return Some(receivers::elsewhere(&case, pods));
    }
    let verdict = match (changes(evidence), origin(&case)) {
        (Some(statuses), _) => wavering(&case, &statuses),
        (None, Origin::Backend) => answered(&case, tls::seen(&case)),
        (None, Origin::Unknown) if case.answer.status == evidence.expect => answered(&case, by_whomever()),
        (None, Origin::Gateway | Origin::Unknown) => refused(&case),
    };
    Some(RequestVerdict { facts: receivers::with_fact(verdict.facts, &case), ..verdict })
}

/// Returns whether another sample may show more: other requests were counted too, or the response may be due to a
/// single connection.
pub(crate) fn wants_another_sample(evidence: &Evidence) -> bool {
    let Some(case) = Case::from_evidence(evidence) else { return true };
    if matches!(evidence.receivers, Receivers::None { .. }) {
        return false;
    }
    let proven = judge(evidence).is_some_and(|verdict| {
        !matches!(verdict.kind, VerdictKind::Caused(Cause::StrictPeer))
            && matches!(verdict.kind, VerdictKind::Mtls | VerdictKind::Caused(_))
    });
    let closed = case.answer.reset().is_some();
    let unclear = matches!(origin(&case), Origin::Unknown) && evidence.change.is_ok();
    !proven && (unclear || case.is_noisy() || closed || case.strayed_to().is_some())
}

enum Origin {
    Backend,
    Gateway,
    Unknown,
}

/// Returns who sent the response.
fn origin(case: &Case<'_>) -> Origin {
    let answer = case.answer;
    if answer.is_from_upstream() || answer.echo() != Echo::None {
        return Origin::Backend;
    }
    if answer.reset().is_some() || answer.has_no_healthy_upstream() {
        return Origin::Gateway;
    }
    match &case.went {
        Some(Went::Nowhere) => Origin::Gateway,
        // Envoy may be configured not to add its headers.
        Some(Went::To(cluster)) if !matches!(answer.status, 503 | 504) && was_asked(case, cluster) => Origin::Backend,
        _ => Origin::Unknown,
    }
}

/// Returns whether a cluster completed our requests so often that other requests are not the reason.
fn was_asked(case: &Case<'_>, cluster: &str) -> bool {
    let change = case.evidence.change.as_ref();
    change.is_ok_and(|change| change.sent >= ENOUGH && change.is_ours_alone(cluster))
}

/// Returns the TLS verdict if it is unknown who responded: the counters prove nothing, because the gateway itself may
/// have responded.
fn by_whomever() -> TlsVerdict {
    let missing = vec!["who answered: there is no x-envoy-upstream-service-time".to_owned()];
    TlsVerdict::Unproven { seen: Vec::new(), missing }
}

/// Returns the statuses of the responses, if they differ.
fn changes(evidence: &Evidence) -> Option<Vec<u16>> {
    let statuses: Vec<u16> = evidence.answers.iter().map(|answer| answer.status).collect();
    statuses.windows(2).any(|pair| pair[0] != pair[1]).then_some(statuses)
}

fn fact(label: Label, text: impl Into<String>) -> Fact {
    Fact { label, text: text.into() }
}

fn verdict(kind: VerdictKind, title: impl Into<String>, facts: Vec<Fact>, exit: Exit) -> RequestVerdict {
    RequestVerdict { kind, title: title.into(), facts, fix: None, next: None, exit, is_elsewhere: false }
}

/// Returns the status, and the pod that responded if Envoy shows it.
fn status(case: &Case<'_>) -> Fact {
    let mut text = case.answer.status.to_string();
    if let Ok((before, after)) = &case.evidence.hosts
        && let [address] = after.asked_since(before)[..]
    {
        let ip = address.rsplit_once(':').map_or(address, |(ip, _)| ip.trim_matches(['[', ']']));
        let pod = case.pods().and_then(|pods| pods.iter().find(|pod| pod.ips.iter().any(|known| known == ip)));
        let by = pod.map_or_else(|| (*address).to_owned(), |pod| format!("pod {}", pod.name));
        write!(text, " from {by}").expect("writing to a String does not fail");
    }
    fact(Label::Status, text)
}

fn decided(case: &Case<'_>) -> Vec<Fact> {
    let mut parts = Vec::new();
    match &case.evidence.upstream {
        Ok(upstream) if upstream.sent.unknown().is_none() => parts.push(upstream.sent.by.clone()),
        Ok(_) | Err(_) => {}
    }
    match &case.evidence.demand {
        Ok(evidence::Demand::Strict { by, .. }) => parts.push(format!("peer STRICT ({by})")),
        Ok(evidence::Demand::Mixed { by, .. }) => parts.push(format!("peer STRICT for some pods ({by})")),
        Ok(evidence::Demand::Lax { by }) => parts.push(format!("peer {by}")),
        Ok(evidence::Demand::Disabled { by, .. }) => parts.push(format!("peer DISABLE ({by})")),
        Ok(evidence::Demand::PartlyDisabled { by, .. }) => parts.push(format!("peer DISABLE for some pods ({by})")),
        Err(_) => {}
    }
    if parts.is_empty() { Vec::new() } else { vec![fact(Label::Decided, parts.join("; "))] }
}

/// Returns what could not be read, each item once.
fn unknowns(case: &Case<'_>) -> Vec<Fact> {
    let evidence = case.evidence;
    let mut said: Vec<String> = Vec::new();
    let mut say = |what: &str, why: Option<&crate::plan::Unread>| {
        if let Some(why) = why {
            said.push(format!("{what} ({why})"));
        }
    };
    say("Envoy's counters", evidence.change.as_ref().err());
    say("what the gateway sends", evidence.upstream.as_ref().err());
    if let Some(why) = evidence.upstream.as_ref().ok().and_then(|upstream| upstream.sent.unknown()) {
        say("what the gateway sends", Some(why));
    }
    say("peer mode", evidence.demand.as_ref().err());
    say("pods behind it", evidence.pods.as_ref().err());
    said.into_iter().map(|text| fact(Label::Unknown, text)).collect()
}

/// Returns the verdict if the backend responded.
fn answered(case: &Case<'_>, tls: TlsVerdict) -> RequestVerdict {
    let expected = case.answer.status == case.evidence.expect;
    if let Some(other) = case.strayed_to() {
        return strayed(case, other);
    }
    let mut facts = vec![status(case)];
    if let Some(location) = case.answer.redirect() {
        facts.push(fact(Label::Location, format!("{location} (not followed)")));
    }
    let title = match (&tls, expected) {
        (TlsVerdict::Mutual(_), true) => "mTLS proven".to_owned(),
        (TlsVerdict::Plain(_), true) => "answered in plaintext".to_owned(),
        (TlsVerdict::Unproven { .. }, true) => "answered, mTLS not proven".to_owned(),
        (TlsVerdict::Mutual(_), false) => format!("{} from the backend, mTLS proven", case.answer.status),
        (TlsVerdict::Plain(_), false) => format!("{} from the backend, in plaintext", case.answer.status),
        (TlsVerdict::Unproven { .. }, false) => format!("{} from the backend, mTLS not proven", case.answer.status),
    };
    let kind = match (&tls, expected) {
        (_, false) => VerdictKind::Backend,
        (TlsVerdict::Mutual(_), true) => VerdictKind::Mtls,
        (TlsVerdict::Plain(_), true) => VerdictKind::Plaintext,
        (TlsVerdict::Unproven { .. }, true) => VerdictKind::Answered,
    };
    let exit = if kind == VerdictKind::Mtls { Exit::Done } else { Exit::Unconfirmed };
    let denial = denial(case, &tls);
    let mut verdict = verdict(kind, title, facts, exit);
    match tls {
        TlsVerdict::Mutual(proof) => {
            verdict.is_elsewhere = !expected;
            verdict.facts.extend(proof.client.map(|client| fact(Label::Client, client)));
            verdict.facts.extend(proof.server.map(|server| fact(Label::Server, server)));
            verdict.facts.push(fact(Label::Evidence, proof.evidence.join("; ")));
            verdict.facts.extend(decided(case));
        }
        TlsVerdict::Plain(why) => {
            verdict.facts.extend(why.into_iter().map(|text| fact(Label::Fact, text)));
            verdict.fix = fix_plaintext(case);
        }
        TlsVerdict::Unproven { seen, missing } => {
            verdict.facts.extend(seen.into_iter().map(|text| fact(Label::Evidence, text)));
            verdict.facts.extend(decided(case));
            verdict.facts.extend(missing.into_iter().map(|text| fact(Label::Missing, text)));
            if case.answer.echo() == Echo::None {
                verdict.next = Some(
                    flag("--path").text(" of an endpoint that returns the request's headers, like httpbin's /headers"),
                );
            }
        }
    }
    if !expected {
        verdict.facts.extend(body(case));
        verdict.next =
            Some(format!("the status is the backend's own; --expect {} accepts it", case.answer.status).into());
    }
    if let Some(denial) = denial {
        denied(&mut verdict, denial);
    }
    verdict
}

/// Adds the policies behind the 403 of a sidecar.
fn denied(verdict: &mut RequestVerdict, denial: Denial) {
    verdict.is_elsewhere = true;
    "403 from the backend's sidecar, an AuthorizationPolicy denies the request".clone_into(&mut verdict.title);
    let mut show = |policies: &[&PolicyInForce]| {
        let first = policies.first().map(|by| &by.policy);
        verdict.next = Some(match first {
            Some(policy) => kubectl("get authorizationpolicy")
                .value(&policy.name)
                .with("-n", &policy.namespace)
                .fixed("-o yaml")
                .into(),
            None => kubectl("get authorizationpolicies -A").into(),
        });
    };
    match denial {
        Denial::Proven { by, does } => {
            show(&[&by]);
            verdict.kind = VerdictKind::Caused(Cause::Denied);
            verdict.facts.push(fact(Label::Fact, format!("policy {by} {does} the gateway")));
        }
        Denial::Open(policies) => {
            show(&policies.iter().map(|(by, _)| by).collect::<Vec<_>>());
            let lines =
                policies.iter().map(|(by, on)| fact(Label::For, format!("policy {by} decides by {}", on.join(", "))));
            verdict.facts.extend(lines);
        }
        Denial::Unknown(why) => {
            show(&[]);
            verdict.facts.push(fact(Label::Unknown, format!("the policy that denies it ({why})")));
        }
    }
}

fn strayed(case: &Case<'_>, other: &str) -> RequestVerdict {
    let expected = case.evidence.expected_cluster.as_deref().unwrap_or_default();
    let mut verdict = verdict(
        VerdictKind::NotProven,
        format!("{}, not answered by it", case.answer.status),
        vec![
            status(case),
            fact(Label::Against, format!("cluster {expected} completed no request in that time")),
            fact(Label::For, format!("cluster {other} did, each time")),
        ],
        Exit::Unconfirmed,
    );
    verdict.is_elsewhere = true;
    verdict.next =
        Some(gloo_rs("istio describe").after("--host and --path of a route that leads there; ").text(" says which"));
    verdict
}

fn fix_plaintext(case: &Case<'_>) -> Option<Hint> {
    let upstream = case.upstream()?;
    let pods = case.pods()?;
    if pods.is_empty() {
        return None;
    }
    if !pods.iter().all(|pod| pod.is_meshed) {
        return case.backend().enrolls();
    }
    // Without the gateway's certificate, or while the peer does not accept TLS, enabling TLS would break working
    // requests.
    match &case.evidence.demand {
        Ok(evidence::Demand::Disabled { fix, .. } | evidence::Demand::PartlyDisabled { fix, .. }) => {
            fix.clone().map(Hint::from)
        }
        _ => Some(case.gateway_fix().unwrap_or_else(|| upstream.encrypts().into())),
    }
}

/// Returns the verdict if the gateway itself responded, or may have.
fn refused(case: &Case<'_>) -> RequestVerdict {
    // A success without a backend proves nothing about the backend.
    let expected = case.answer.status == case.evidence.expect && !(200..300).contains(&case.answer.status);
    let exit = if expected { Exit::Done } else { Exit::Unconfirmed };
    if let Some(location) = case.answer.redirect() {
        let facts = vec![status(case), fact(Label::Location, format!("{location} (not followed)"))];
        let mut verdict =
            verdict(VerdictKind::Gateway, format!("{}, the gateway redirects", case.answer.status), facts, exit);
        verdict.next = Some(flag("--port").text(" https, or ").flag("--url").text(" with what it redirects to"));
        return verdict;
    }
    let candidates = cause::candidates(case);
    if let Some(proven) = candidates.iter().find(|candidate| candidate.is_proven()) {
        return caused(case, proven, exit);
    }
    let mut facts = body(case);
    for candidate in &candidates {
        facts.extend(weighed(candidate));
    }
    if candidates.is_empty() {
        facts.extend(unknowns(case));
    }
    let short =
        case.answer.reset().or_else(|| case.answer.has_no_healthy_upstream().then(|| "no healthy upstream".to_owned()));
    let title = match (short, &case.went) {
        (Some(reason), _) => format!("{}, {reason}, cause not proven", case.answer.status),
        (None, Some(Went::Nowhere)) => format!("{} from the gateway itself, cause not proven", case.answer.status),
        (None, _) => format!("{}, cause not proven", case.answer.status),
    };
    let kind = if expected { VerdictKind::Gateway } else { VerdictKind::NotProven };
    let mut verdict = verdict(kind, title, facts, exit);
    verdict.next = Some(further(case).into());
    verdict
}

/// Returns the command that shows more. If only some pods are affected, no log shows it for each pod, but `describe`
/// does.
fn further(case: &Case<'_>) -> CommandLine {
    let upstream = case.upstream().filter(|_| cause::meets_both(case) || cause::refuses_tls(case));
    upstream.and_then(|upstream| upstream.name.as_deref()).map_or_else(commands::logs, commands::describe)
}

fn caused(case: &Case<'_>, candidate: &CauseCandidate, exit: Exit) -> RequestVerdict {
    let mut facts = body(case);
    facts.extend(candidate.facts().into_iter().map(|text| fact(Label::Fact, text)));
    let title = format!("{}, {}", case.answer.status, candidate.cause.row().title);
    let mut verdict = verdict(VerdictKind::Caused(candidate.cause), title, facts, exit);
    verdict.fix.clone_from(&candidate.fix);
    verdict
}

/// Returns the facts for and against a cause.
fn weighed(candidate: &CauseCandidate) -> Vec<Fact> {
    let line = |label: Label, of: fn(&CauseCheck) -> Option<&String>| {
        let texts: Vec<_> = candidate.checks.iter().filter_map(of).map(String::as_str).collect();
        (!texts.is_empty()).then(|| fact(label, format!("{}: {}", candidate.cause.row().words, texts.join("; "))))
    };
    [
        line(Label::Against, |check| if let CauseCheck::Against(text) = check { Some(text) } else { None }),
        line(Label::For, |check| if let CauseCheck::For(text) = check { Some(text) } else { None }),
        line(Label::Unknown, |check| if let CauseCheck::Unknown(text) = check { Some(text) } else { None }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn wavering(case: &Case<'_>, statuses: &[u16]) -> RequestVerdict {
    let all: Vec<_> = statuses.iter().map(ToString::to_string).collect();
    let mut facts = vec![fact(Label::Status, all.join(", "))];
    facts.extend(body(case));
    for candidate in cause::candidates(case) {
        facts.extend(weighed(&candidate));
    }
    let mut verdict = verdict(
        VerdictKind::NotProven,
        format!("{} requests got different answers", statuses.len()),
        facts,
        Exit::Unconfirmed,
    );
    verdict.next = Some(further(case).into());
    verdict
}

/// Returns the beginning of the body, enough to recognize it.
fn body(case: &Case<'_>) -> Vec<Fact> {
    const MOST: usize = 400;
    const LINES: usize = 4;
    let text = case.answer.text();
    if text.trim().is_empty() {
        return Vec::new();
    }
    let text: Vec<_> = text.trim().lines().collect();
    let first = text[..text.len().min(LINES)].join("\n");
    let mut shown: String = first.chars().take(MOST).collect();
    if case.answer.is_cut || text.len() > LINES || first.chars().nth(MOST).is_some() {
        shown.push_str("...");
    }
    vec![fact(Label::Body, shown)]
}
