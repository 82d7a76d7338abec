//! What may be behind an answer that the gateway gave itself: each cause a list of checks.
//!
//! A cause is proven where every check that it needs was seen, two at least, and none speaks against it.

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

/// What a check came to, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CauseCheck {
    For(String),
    Against(String),
    Unknown(String),
    /// Says nothing either way.
    Mute,
}

/// A cause and what was seen for and against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CauseCandidate {
    pub cause: Cause,
    pub checks: Vec<CauseCheck>,
    /// The command that fixes it, if one does.
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

    /// It may be so, and nothing that is looked at would prove it.
    #[must_use]
    fn never_proven(mut self) -> Self {
        self.provable = false;
        self
    }

    /// What was seen for it.
    pub(crate) fn facts(&self) -> Vec<&str> {
        let facts =
            self.checks.iter().filter_map(|check| if let CauseCheck::For(text) = check { Some(text) } else { None });
        facts.map(String::as_str).collect()
    }

    /// Whether every check was seen.
    pub(crate) fn is_proven(&self) -> bool {
        let fails = |check: &CauseCheck| matches!(check, CauseCheck::Against(_) | CauseCheck::Unknown(_));
        self.provable && self.facts().len() >= 2 && !self.checks.iter().any(fails)
    }

    /// Whether anything at all is to be said of it.
    pub(crate) fn is_worth_a_word(&self) -> bool {
        self.checks.iter().any(|check| *check != CauseCheck::Mute)
    }
}

/// All causes that can be behind this answer of the gateway.
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
