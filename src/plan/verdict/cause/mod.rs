//! Possible causes of a response that the gateway itself sent. Each cause has a list of checks.
//!
//! A cause is proven if all its necessary checks are confirmed, at least two, and none contradicts it.

mod certificate;
mod peer;
mod routing;

use super::evidence::Case;
use crate::command::Hint;
use crate::plan::path::Cause;
use certificate::{backend_not_trusted, certificate_invalid, gateway_not_trusted, no_secret};
use peer::{disabled_peer, no_sidecar, strict_peer};
pub(super) use peer::{meets_both, refuses_tls};
use routing::{backend_closes, no_cluster, no_connection, no_endpoint, no_route};

/// The result of a check, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CauseCheck {
    For(String),
    Against(String),
    Unknown(String),
    /// No statement either way.
    Mute,
}

/// A cause, and the results of its checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CauseCandidate {
    pub cause: Cause,
    pub checks: Vec<CauseCheck>,
    /// The command that fixes it, if there is one.
    pub fix: Option<Hint>,
    provable: bool,
}

impl CauseCandidate {
    fn new(cause: Cause, checks: Vec<CauseCheck>) -> Self {
        Self { cause, checks, fix: None, provable: true }
    }

    #[must_use]
    fn fix(mut self, hint: Option<impl Into<Hint>>) -> Self {
        self.fix = hint.map(Into::into);
        self
    }

    /// Marks the cause as possible but not provable by any check.
    #[must_use]
    fn never_proven(mut self) -> Self {
        self.provable = false;
        self
    }

    /// Returns the facts that support it.
    pub(crate) fn facts(&self) -> Vec<&str> {
        let facts =
            self.checks.iter().filter_map(|check| if let CauseCheck::For(text) = check { Some(text) } else { None });
        facts.map(String::as_str).collect()
    }

    /// Returns whether the cause is proven.
    pub(crate) fn is_proven(&self) -> bool {
        let fails = |check: &CauseCheck| matches!(check, CauseCheck::Against(_) | CauseCheck::Unknown(_));
        self.provable && self.facts().len() >= 2 && !self.checks.iter().any(fails)
    }

    /// Returns whether there is anything to report about it.
    pub(crate) fn is_worth_a_word(&self) -> bool {
        self.checks.iter().any(|check| *check != CauseCheck::Mute)
    }
}

/// Returns all possible causes of this response of the gateway.
pub(crate) fn candidates(case: &Case<'_>) -> Vec<CauseCandidate> {
    let all = match case.answer.status {
        404 => vec![no_route(case)],
        503 => match no_cluster(case) {
            Some(candidate) => vec![candidate],
            None => vec![
                no_endpoint(case),
                no_secret(case),
                strict_peer(case),
                disabled_peer(case),
                no_sidecar(case),
                certificate_invalid(case),
                backend_not_trusted(case),
                gateway_not_trusted(case),
                no_connection(case),
                backend_closes(case),
            ],
        },
        _ => Vec::new(),
    };
    all.into_iter().filter(CauseCandidate::is_worth_a_word).collect()
}
