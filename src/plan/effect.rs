//! Whether Gloo applied a change: what its status reports, and what it serves to Envoy.
//!
//! There is no observedGeneration, and Gloo does not write an equal status again. An old `Accepted` proves nothing
//! about the new content, and neither does an old `Rejected`. The proof is the cluster that Envoy is served.

use serde_json::Value;

use super::Unread;
use super::acceptance::{self, Acceptance};
use super::outcome::Row;
use crate::command::Hint;
use crate::error::{Exit, Failure, Reason};
use crate::gloo::Socket;
use crate::model::ObjectRef;

/// The status that Gloo reports for an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// No status yet, or pending.
    Nothing,
    Accepted,
    /// `Rejected` or `Warning`, with the reason.
    Complained {
        state: &'static str,
        reason: String,
    },
}

/// Reads the status that Gloo in this namespace reports.
#[must_use]
pub(crate) fn said(object: &Value, gloo_namespace: &str) -> Said {
    match acceptance::reported_by(object, gloo_namespace) {
        Acceptance::Accepted => Said::Accepted,
        Acceptance::Rejected { reason } => Said::Complained { state: "Rejected", reason },
        Acceptance::Warned { reason } => Said::Complained { state: "Warning", reason },
        Acceptance::Pending | Acceptance::Silent => Said::Nothing,
    }
}

/// The TLS that the served cluster must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Istio,
    /// Not Istio's TLS, because it was removed.
    NotIstio,
    /// No TLS, because TLS settings not managed by Istio were removed.
    Plain,
    /// Not Istio's TLS for every endpoint: auto-mTLS selects it for each pod.
    AutoMtls,
}

impl Wanted {
    fn is(self, socket: Socket) -> bool {
        match self {
            Self::Istio => socket == Socket::Istio,
            Self::NotIstio | Self::AutoMtls => socket != Socket::Istio,
            Self::Plain => socket == Socket::Plain,
        }
    }
}

/// A change that is verified in what Gloo serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AwaitedChange {
    pub object: ObjectRef,
    pub wanted: Wanted,
    /// The status before the change.
    pub before: Said,
}

/// The cluster of an Upstream as Gloo serves it to one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Served {
    pub role: String,
    pub socket: Socket,
}

/// The result of the verification of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EffectVerdict {
    /// Every role that has the cluster gets it as requested.
    Served { roles: Vec<String> },
    /// The status reports a problem.
    Complained { state: &'static str, reason: String },
    /// No problem was reported, but reading what Gloo serves is not permitted.
    Unseen { why: Unread },
    /// The timeout expired, or no Gloo was found.
    Unconfirmed { why: Vec<String>, hint: Option<Hint> },
    /// Ctrl-C.
    Interrupted,
}

/// Returns the verdict if it is certain now. `None` means: nothing is certain yet.
#[must_use]
pub(crate) fn verdict(change: &AwaitedChange, now: &Said, served: &[Served]) -> Option<EffectVerdict> {
    if let (Said::Complained { state, reason }, true) = (now, *now != change.before) {
        return Some(EffectVerdict::Complained { state, reason: reason.clone() });
    }
    let is_served = !served.is_empty() && served.iter().all(|served| change.wanted.is(served.socket));
    is_served.then(|| EffectVerdict::Served { roles: served.iter().map(|served| served.role.clone()).collect() })
}

/// The result of the last read of what Gloo serves.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LastLook<'l> {
    /// Why the read failed.
    pub unseen: Option<&'l Failure>,
    /// The error that Gloo itself reported.
    pub error: Option<&'l str>,
}

/// Returns the verdict when the timeout expires.
#[must_use]
pub(crate) fn last_verdict(change: &AwaitedChange, now: &Said, served: &[Served], look: LastLook<'_>) -> EffectVerdict {
    // A problem that was reported before and is still reported may be an old one, but nothing proves that.
    if let Said::Complained { state, reason } = now {
        return EffectVerdict::Complained { state, reason: reason.clone() };
    }
    if let Some(failure) = look.unseen {
        let why = std::iter::once(format!("what Gloo serves is unknown: {}", failure.message));
        let hint = Hint::any(failure.hints.iter().cloned());
        return EffectVerdict::Unconfirmed { why: why.chain(failure.details.iter().cloned()).collect(), hint };
    }
    let why = if served.is_empty() {
        "Gloo serves its cluster to no proxy".to_owned()
    } else {
        let behind = served.iter().filter(|served| !change.wanted.is(served.socket));
        let roles: Vec<_> = behind.map(|served| served.role.as_str()).collect();
        let how = if change.wanted == Wanted::Istio { "without Istio's TLS" } else { "with TLS as before" };
        format!("still served {how} to {}", roles.join(", "))
    };
    let hint = "--wait-timeout waits longer; the gloo pod's log says what it does";
    let error = look.error.map(|error| format!("Gloo says: {error}"));
    EffectVerdict::Unconfirmed { why: std::iter::once(why).chain(error).collect(), hint: Some(hint.into()) }
}

/// Returns the object's row of the result, extended by the verdict about the change.
#[must_use]
pub(crate) fn row(row: Row, verdict: &EffectVerdict) -> Row {
    let unconfirmed = |reason: Reason, why: Vec<String>, hint: Option<Hint>| Row {
        message: format!("{}, not verified", row.message),
        reason: Some(reason),
        details: why,
        hint,
        exit: Exit::Unconfirmed,
        ..row.clone()
    };
    match verdict {
        EffectVerdict::Served { roles } => {
            let whom = match roles.as_slice() {
                [role] => role.clone(),
                roles => format!("{} proxies", roles.len()),
            };
            Row { message: format!("{}, served to {whom}", row.message), ..row }
        }
        EffectVerdict::Complained { state, reason } => {
            let hint = "the change remains in place; the opposite command undoes it";
            unconfirmed(Reason::Rejected, vec![format!("Gloo says {state}: {reason}")], Some(hint.into()))
        }
        EffectVerdict::Unseen { .. } => {
            Row { message: format!("{}, accepted, not verified", row.message), reason: Some(Reason::Unknown), ..row }
        }
        EffectVerdict::Unconfirmed { why, hint } => unconfirmed(Reason::NotServed, why.clone(), hint.clone()),
        EffectVerdict::Interrupted => unconfirmed(Reason::Interrupted, Vec::new(), None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::kinds::UPSTREAM;
    use crate::plan::outcome::Outcome;

    fn change(wanted: Wanted, before: Said) -> AwaitedChange {
        AwaitedChange { object: ObjectRef::new(&UPSTREAM, "ns", "x"), wanted, before }
    }

    fn complaint(reason: &str) -> Said {
        Said::Complained { state: "Rejected", reason: reason.to_owned() }
    }

    fn served(sockets: &[Socket]) -> Vec<Served> {
        let roles = ["a~b", "c~d"].into_iter().map(str::to_owned);
        roles.zip(sockets).map(|(role, socket)| Served { role, socket: *socket }).collect()
    }

    #[test]
    fn the_status_of_the_gloo_that_is_asked_counts_and_no_other() {
        let object = json!({"status": {"statuses": {
            "other": {"state": "Rejected", "reason": "theirs"},
            "gloo-system": {"state": "Warning", "reason": " ours\n", "reportedBy": "gloo"},
            "numbers": {"state": 2, "reason": "r"},
        }}});
        assert_eq!(said(&object, "gloo-system"), Said::Complained { state: "Warning", reason: "ours".into() });
        assert_eq!(said(&object, "numbers"), complaint("r"));
        assert_eq!(said(&object, "nowhere"), Said::Nothing);
        assert_eq!(said(&json!({"status": "odd"}), "gloo-system"), Said::Nothing);
        let accepted = json!({"status": {"statuses": {"gloo-system": {"state": "Accepted"}}}});
        assert_eq!(said(&accepted, "gloo-system"), Said::Accepted);
    }

    #[test]
    fn every_role_that_has_the_cluster_must_agree() {
        let enabled = change(Wanted::Istio, Said::Nothing);
        let verdict = |sockets: &[Socket]| verdict(&enabled, &Said::Accepted, &served(sockets));
        assert_eq!(verdict(&[]), None, "an old Accepted proves nothing");
        assert_eq!(verdict(&[Socket::Istio, Socket::Plain]), None);
        assert_eq!(
            verdict(&[Socket::Istio, Socket::Istio]),
            Some(EffectVerdict::Served { roles: vec!["a~b".into(), "c~d".into()] })
        );
    }

    #[test]
    fn what_was_taken_away_is_gone_only_when_it_is_served_without_it() {
        let now =
            |wanted, socket| verdict(&change(wanted, Said::Nothing), &Said::Nothing, &served(&[socket])).is_some();
        assert!(now(Wanted::NotIstio, Socket::Plain) && now(Wanted::NotIstio, Socket::Other));
        assert!(!now(Wanted::NotIstio, Socket::Istio));
        assert!(now(Wanted::Plain, Socket::Plain) && !now(Wanted::Plain, Socket::Other));
    }

    #[test]
    fn a_complaint_decides_unless_it_is_the_one_from_before() {
        let both = served(&[Socket::Istio]);
        let fresh = change(Wanted::Istio, Said::Accepted);
        assert!(matches!(verdict(&fresh, &complaint("no"), &both), Some(EffectVerdict::Complained { .. })));
        let old = change(Wanted::Istio, complaint("no"));
        assert_eq!(verdict(&old, &complaint("no"), &[]), None);
        assert!(matches!(verdict(&old, &complaint("no"), &both), Some(EffectVerdict::Served { .. })));
        assert!(matches!(verdict(&old, &complaint("other"), &both), Some(EffectVerdict::Complained { .. })));
        assert!(matches!(
            last_verdict(&old, &complaint("no"), &[], LastLook::default()),
            EffectVerdict::Complained { .. }
        ));
    }

    #[test]
    fn when_the_time_is_over_it_is_said_what_was_missing() {
        let enabled = change(Wanted::Istio, Said::Nothing);
        let why = |served: &[Served], look| match last_verdict(&enabled, &Said::Accepted, served, look) {
            EffectVerdict::Unconfirmed { why, .. } => why.join("; "),
            other => panic!("{other:?}"),
        };
        let error = LastLook { error: Some("no"), unseen: None };
        assert_eq!(why(&[], error), "Gloo serves its cluster to no proxy; Gloo says: no");
        let behind = served(&[Socket::Istio, Socket::Plain]);
        assert_eq!(why(&behind, LastLook::default()), "still served without Istio's TLS to c~d");
        let failure = Failure::new(Exit::NoAnswer, Reason::Timeout, "pod/gloo: no answer");
        assert_eq!(
            why(&behind, LastLook { unseen: Some(&failure), error: None }),
            "what Gloo serves is unknown: pod/gloo: no answer"
        );
    }

    #[test]
    fn the_outcome_stays_and_the_code_says_what_was_not_confirmed() {
        let changed = || Row::answer(ObjectRef::new(&UPSTREAM, "ns", "x"), Outcome::Changed, "mTLS enabled");
        let served = row(changed(), &EffectVerdict::Served { roles: vec!["a~b".into()] });
        assert_eq!((served.message.as_str(), served.exit), ("mTLS enabled, served to a~b", Exit::Done));
        let rejected = row(changed(), &EffectVerdict::Complained { state: "Rejected", reason: "no".into() });
        assert_eq!((rejected.outcome, rejected.exit), (Outcome::Changed, Exit::Unconfirmed));
        assert_eq!(rejected.message, "mTLS enabled, not verified");
        assert_eq!(rejected.details, ["Gloo says Rejected: no"]);
        let unseen = row(changed(), &EffectVerdict::Unseen { why: "x".into() });
        assert_eq!((unseen.message.as_str(), unseen.exit), ("mTLS enabled, accepted, not verified", Exit::Done));
    }
}
