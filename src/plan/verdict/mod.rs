//! What became of a request through the gateway: a verdict, with the facts that it rests on.
//!
//! Values in, a verdict out. A cause is named only where at least two facts that are printed prove it;
//! `connection termination` alone proves nothing, and what could not be read is unknown, never absent.

pub(crate) mod answer;
pub(crate) mod cause;
pub(crate) mod certs;
pub(crate) mod client_cert;
mod commands;
pub(crate) mod counters;
pub(crate) mod demand;
pub(crate) mod evidence;
pub(crate) mod hosts;
mod judge;
pub(crate) mod pods;
pub(crate) mod route;
pub(crate) mod tls;

#[cfg(test)]
pub(crate) mod tests;

use crate::command::{Hint, TypedTarget};
use crate::error::Exit;
use crate::plan::path::Cause;

pub(crate) use judge::{judge, wants_another_sample};

/// What it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VerdictKind {
    /// Answered over mutual TLS, proven.
    Mtls,
    /// Answered, and nothing proves that it was mutual TLS.
    Answered,
    /// Answered over plaintext, proven.
    Plaintext,
    /// The backend answered with another status than expected.
    Backend,
    /// The gateway answered itself, with a redirect or as its configuration says.
    Gateway,
    /// The gateway answered itself, and why is proven.
    Caused(Cause),
    /// It answered with another status than expected, and why is not proven.
    NotProven,
}

impl VerdictKind {
    /// Its name in the JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mtls => "mtls",
            Self::Answered => "answered",
            Self::Plaintext => "plaintext",
            Self::Backend => "backend",
            Self::Gateway => "gateway",
            Self::Caused(cause) => cause.row().name,
            Self::NotProven => "notProven",
        }
    }
}

/// What a fact is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    Status,
    Client,
    Server,
    Evidence,
    Decided,
    Location,
    Body,
    /// One of those that prove the cause.
    Fact,
    /// What speaks for a cause that is not proven.
    For,
    Against,
    Unknown,
    /// What keeps the proof from being one.
    Missing,
}

impl Label {
    /// The word before the fact, and its name in the JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Client => "client",
            Self::Server => "server",
            Self::Evidence => "evidence",
            Self::Decided => "decided",
            Self::Location => "location",
            Self::Body => "body",
            Self::Fact => "fact",
            Self::For => "for",
            Self::Against => "against",
            Self::Unknown => "unknown",
            Self::Missing => "missing",
        }
    }
}

/// A fact that is printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    pub label: Label,
    pub text: String,
}

/// The verdict on a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestVerdict {
    pub kind: VerdictKind,
    /// `mTLS proven`
    pub title: String,
    pub facts: Vec<Fact>,
    /// The command that fixes it.
    pub fix: Option<Hint>,
    /// What to look at next, where nothing is known to fix it.
    pub next: Option<Hint>,
    pub exit: Exit,
    /// Whether what carries the request to the backend is known not to be why it is not as it should be.
    pub is_elsewhere: bool,
}

impl RequestVerdict {
    /// What is said on the cluster that was typed.
    #[must_use]
    pub(crate) fn on(mut self, target: &TypedTarget) -> Self {
        self.fix = self.fix.map(|hint| hint.on(target));
        self.next = self.next.map(|hint| hint.on(target));
        self
    }

    /// Whether the TLS between gateway and backend, or its lack, may be why it is not as it should be.
    pub(crate) fn blames_tls(&self) -> bool {
        let is_elsewhere =
            self.is_elsewhere || matches!(self.kind, VerdictKind::Gateway | VerdictKind::Caused(Cause::NoRoute));
        self.exit != Exit::Done && !is_elsewhere
    }
}
