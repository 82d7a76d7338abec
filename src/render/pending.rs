//! The failure for an address that is still pending (exit code 8).

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::age::{age, since};
use crate::command::{Hint, flag};
use crate::error::{Exit, Failure, Reason};
use crate::plan::address::{Pending, PendingCause, Unassigned, named};

/// The most lines of one kind: the newest events, the first pods.
const MOST_LINES: usize = 5;

/// The limit of a message. Some controllers put the whole answer of a cloud provider into an event.
const LONGEST_MESSAGE: usize = 300;

/// The events of the Service, or why they are unknown.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Events<'a> {
    Read(&'a [Value]),
    /// The reason in a few words: `may not list events`.
    Unknown(&'a str),
}

/// Whether the command can wait for the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressWait {
    /// It has no flag for that, nor for another kind of address.
    Never,
    NotYet,
    /// It waited this long.
    Waited(Duration),
}

/// The failure: what is pending, since when, and what the cluster reports about it.
#[must_use]
pub(crate) fn failure(pending: &Pending, events: &Events, now: Timestamp, wait: AddressWait) -> Failure {
    let mut failure = told(pending, events, now);
    if let AddressWait::Waited(time) = wait {
        failure.details.push(format!("waited for {}", age(time.as_secs())));
    }
    match hint(&pending.cause, wait) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The flags of the command that go on from here.
fn hint(cause: &PendingCause, wait: AddressWait) -> Option<Hint> {
    let wait = match wait {
        AddressWait::Never => return None,
        AddressWait::NotYet => flag("--wait").text(" waits"),
        AddressWait::Waited(_) => flag("--wait-timeout").text(" waits longer"),
    };
    let has_node_port = matches!(cause, PendingCause::NoIngress(unassigned) if unassigned.node_port);
    let node_port = || flag("--local-cluster").text(" uses a node port");
    Some(if has_node_port { wait.or_else("; ", node_port()) } else { wait })
}

/// The status line before the wait: what is waited for, and for how long at most.
#[must_use]
pub(crate) fn waiting(pending: &Pending, limit: Duration) -> String {
    format!("waiting for {}, at most {}", awaited(pending), age(limit.as_secs()))
}

/// What is waited for: `an external address of service gloo-system/gateway-proxy`.
#[must_use]
pub(crate) fn awaited(pending: &Pending) -> String {
    let what = match &pending.cause {
        PendingCause::NoIngress(_) => "an external address",
        PendingCause::NoReadyPod(_) => "a ready pod",
    };
    format!("{what} of {}", named(&pending.service))
}

fn told(pending: &Pending, events: &Events, now: Timestamp) -> Failure {
    let told =
        |message: &str| Failure::new(Exit::Pending, Reason::Pending, format!("{} {message}", named(&pending.service)));
    match &pending.cause {
        PendingCause::NoIngress(unassigned) => {
            let failure = told("has no external address yet").detail(since_when(unassigned, now));
            warnings(pending, events, now).into_iter().fold(failure, Failure::detail)
        }
        PendingCause::NoReadyPod(pods) if pods.is_empty() => {
            told("has no pods yet, so no node serves it").detail("no pod matches its selector")
        }
        PendingCause::NoReadyPod(pods) => {
            let failure = told(&format!("has no ready pod yet (0 of {}), so no node serves it", pods.len()));
            let lines = pods.iter().take(MOST_LINES).map(|line| one_line(line));
            lines.chain(more(pods.len(), "pods")).fold(failure, Failure::detail)
        }
    }
}

/// The state of the load balancer: `LoadBalancer (class metallb), pending for 6m12s, requested 10.0.0.9`.
fn since_when(unassigned: &Unassigned, now: Timestamp) -> String {
    let class = unassigned.class.as_ref().map(|class| format!(" (class {class})")).unwrap_or_default();
    let time = unassigned.created.map(|created| format!(" for {}", since(created, now))).unwrap_or_default();
    let asked = unassigned.asked_ip.as_ref().map(|ip| format!(", requested {ip}")).unwrap_or_default();
    one_line(&format!("LoadBalancer{class}, pending{time}{asked}"))
}

/// The warning events of the Service, newest first: `event 40s ago (x4): SyncLoadBalancerFailed: quota exceeded`.
fn warnings(pending: &Pending, events: &Events, now: Timestamp) -> Vec<String> {
    let events = match events {
        Events::Unknown(why) => return vec![format!("events: unknown ({why})")],
        Events::Read(events) => *events,
    };
    let mut ours: Vec<(Option<Timestamp>, &Value)> = events
        .iter()
        .filter(|event| event["type"] == "Warning" && is_about(event, pending))
        .map(|event| (last_seen(event), event))
        .collect();
    if ours.is_empty() {
        return vec!["no warning events about it".into()];
    }
    ours.sort_by_key(|(at, event)| (std::cmp::Reverse(*at), event["reason"].as_str(), event["message"].as_str()));
    let shown = ours.iter().take(MOST_LINES).map(|(at, event)| line(*at, event, now));
    shown.chain(more(ours.len(), "events")).collect()
}

fn is_about(event: &Value, pending: &Pending) -> bool {
    let about = &event["involvedObject"];
    about["kind"] == "Service"
        && about["name"] == *pending.service.name
        && about["namespace"].as_str().is_none_or(|namespace| namespace == pending.service.namespace)
}

/// The last time of an event. Old and new event recorders store it in different fields.
fn last_seen(event: &Value) -> Option<Timestamp> {
    [
        &event["series"]["lastObservedTime"],
        &event["lastTimestamp"],
        &event["eventTime"],
        &event["firstTimestamp"],
        &event["metadata"]["creationTimestamp"],
    ]
    .into_iter()
    .find_map(|at| at.as_str()?.parse().ok())
}

fn line(at: Option<Timestamp>, event: &Value, now: Timestamp) -> String {
    let ago = at.map(|at| format!(" {} ago", since(at, now))).unwrap_or_default();
    let count = event["series"]["count"].as_u64().or_else(|| event["count"].as_u64()).unwrap_or(1);
    let times = if count > 1 { format!(" (x{count})") } else { String::new() };
    let text = |key: &str| event[key].as_str().unwrap_or_default();
    let words: Vec<&str> = [text("reason"), text("message")].into_iter().filter(|word| !word.is_empty()).collect();
    one_line(&format!("event{ago}{times}: {}", words.join(": ")))
}

fn more(total: usize, what: &str) -> Option<String> {
    (total > MOST_LINES).then(|| format!("and {} more {what}", total - MOST_LINES))
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST_MESSAGE) {
        Some((cut, _)) => format!("{}...", &line[..cut]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{ObjectRef, kinds};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn pending(cause: PendingCause) -> Pending {
        Pending { service: ObjectRef::new(&kinds::SERVICE, "gloo-system", "gateway-proxy"), cause }
    }

    fn unassigned() -> Pending {
        pending(PendingCause::NoIngress(Unassigned {
            created: Some(at("2026-01-01T00:00:00Z")),
            class: None,
            asked_ip: None,
            node_port: true,
        }))
    }

    fn event(reason: &str, last: &str, count: u64) -> Value {
        json!({
            "type": "Warning", "reason": reason, "message": "quota exceeded", "count": count, "lastTimestamp": last,
            "involvedObject": {"kind": "Service", "namespace": "gloo-system", "name": "gateway-proxy"},
        })
    }

    const NOW: &str = "2026-01-01T00:06:12Z";

    #[test]
    fn a_pending_balancer_tells_its_age_its_newest_warning_and_two_ways_on() {
        let events = [event("SyncLoadBalancerFailed", "2026-01-01T00:05:32Z", 4)];
        let failure = failure(&unassigned(), &Events::Read(&events), at(NOW), AddressWait::NotYet);
        assert_eq!((failure.exit, failure.reason), (Exit::Pending, Reason::Pending));
        assert_eq!(failure.message, "service gloo-system/gateway-proxy has no external address yet");
        assert_eq!(
            failure.details,
            ["LoadBalancer, pending for 6m12s", "event 40s ago (x4): SyncLoadBalancerFailed: quota exceeded"]
        );
        assert_eq!(failure.hints, ["--wait waits; --local-cluster uses a node port"]);
    }

    #[test]
    fn who_has_waited_is_told_how_long_and_how_to_wait_longer() {
        let limit = Duration::from_mins(5);
        let waited = failure(&unassigned(), &Events::Read(&[]), at(NOW), AddressWait::Waited(limit));
        assert_eq!(waited.details.last().unwrap(), "waited for 5m00s");
        assert_eq!(waited.hints, ["--wait-timeout waits longer; --local-cluster uses a node port"]);
        assert_eq!(
            waiting(&unassigned(), limit),
            "waiting for an external address of service gloo-system/gateway-proxy, at most 5m00s"
        );
    }

    #[test]
    fn a_command_that_cannot_wait_prints_no_flag_that_it_does_not_have() {
        for pending in [unassigned(), pending(PendingCause::NoReadyPod(Vec::new()))] {
            assert_eq!(failure(&pending, &Events::Read(&[]), at(NOW), AddressWait::Never).hints, [""; 0]);
        }
    }

    #[test]
    fn only_warnings_about_this_service_are_told_the_newest_first() {
        let mut normal = event("EnsuringLoadBalancer", "2026-01-01T00:06:10Z", 1);
        normal["type"] = "Normal".into();
        let mut other = event("Other", "2026-01-01T00:06:10Z", 1);
        other["involvedObject"]["name"] = "gateway-proxy-2".into();
        let mut elsewhere = event("Elsewhere", "2026-01-01T00:06:10Z", 1);
        elsewhere["involvedObject"]["namespace"] = "default".into();
        let mut pod = event("Pod", "2026-01-01T00:06:10Z", 1);
        pod["involvedObject"]["kind"] = "Pod".into();
        let series = json!({
            "type": "Warning", "reason": "New", "message": "two\nlines", "eventTime": "2026-01-01T00:00:00.123456Z",
            "series": {"count": 2, "lastObservedTime": "2026-01-01T00:06:00.000000Z"},
            "involvedObject": {"kind": "Service", "namespace": "gloo-system", "name": "gateway-proxy"},
        });
        let events = [event("Old", "2026-01-01T00:01:12Z", 1), normal, other, elsewhere, pod, series];
        let failure = failure(&unassigned(), &Events::Read(&events), at(NOW), AddressWait::NotYet);
        assert_eq!(
            failure.details[1..],
            ["event 12s ago (x2): New: two lines", "event 5m00s ago: Old: quota exceeded"]
        );
    }

    #[test]
    fn many_events_and_long_ones_are_cut() {
        let mut events: Vec<Value> = (0..7).map(|n| event(&format!("E{n}"), "2026-01-01T00:05:32Z", 1)).collect();
        events[0]["message"] = "\u{fc}".repeat(1000).into();
        let failure = failure(&unassigned(), &Events::Read(&events), at(NOW), AddressWait::NotYet);
        assert_eq!(failure.details.len(), 7);
        assert_eq!(failure.details[1].chars().count(), LONGEST_MESSAGE + 3);
        assert_eq!(failure.details[6], "and 2 more events");
    }

    #[test]
    fn no_events_and_unreadable_events_are_told_apart() {
        let none = failure(&unassigned(), &Events::Read(&[]), at(NOW), AddressWait::NotYet);
        assert_eq!(none.details[1], "no warning events about it");
        let unknown = failure(&unassigned(), &Events::Unknown("may not list events"), at(NOW), AddressWait::NotYet);
        assert_eq!(unknown.details[1], "events: unknown (may not list events)");
    }

    #[test]
    fn class_and_address_asked_for_are_told_and_no_node_port_is_not_offered() {
        let pending = pending(PendingCause::NoIngress(Unassigned {
            created: None,
            class: Some("metallb".into()),
            asked_ip: Some("10.0.0.9".into()),
            node_port: false,
        }));
        let failure = failure(&pending, &Events::Read(&[]), at(NOW), AddressWait::NotYet);
        assert_eq!(failure.details[0], "LoadBalancer (class metallb), pending, requested 10.0.0.9");
        assert_eq!(failure.hints, ["--wait waits"]);
    }

    #[test]
    fn pods_that_are_not_ready_are_named() {
        let pods = (0..6).map(|n| format!("pod p{n}: being deleted")).collect();
        let failure =
            failure(&pending(PendingCause::NoReadyPod(pods)), &Events::Read(&[]), at(NOW), AddressWait::NotYet);
        assert_eq!(failure.exit, Exit::Pending);
        assert_eq!(
            failure.message,
            "service gloo-system/gateway-proxy has no ready pod yet (0 of 6), so no node serves it"
        );
        assert_eq!(failure.details[0], "pod p0: being deleted");
        assert_eq!(failure.details[5], "and 1 more pods");
        assert_eq!(failure.hints, ["--wait waits"]);
    }

    #[test]
    fn no_pods_at_all_is_pending_too() {
        let failure =
            failure(&pending(PendingCause::NoReadyPod(Vec::new())), &Events::Read(&[]), at(NOW), AddressWait::NotYet);
        assert_eq!(failure.message, "service gloo-system/gateway-proxy has no pods yet, so no node serves it");
    }
}
