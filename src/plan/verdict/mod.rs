//! The result of a request through the gateway: a verdict, and the facts that it is based on.
//!
//! It is computed from values only. A cause is named only if at least two printed facts prove it. `connection
//! termination` alone proves nothing, and what could not be read is unknown, never absent.

pub(crate) mod answer;
pub(crate) mod cause;
pub(crate) mod certs;
pub(crate) mod client_cert;
mod commands;
pub(crate) mod counters;
pub(crate) mod demand;
pub(crate) mod denied;
pub(crate) mod evidence;
pub(crate) mod hosts;
mod judge;
pub(crate) mod pods;
mod receivers;
pub(crate) mod route;
pub(crate) mod tls;
pub(crate) mod tunnel;

#[cfg(test)]
pub(crate) mod tests;

use crate::command::{CommandLine, Hint, TypedTarget};
use crate::error::Exit;
use crate::plan::path::Cause;

pub(crate) use judge::{judge, wants_another_sample};

/// The result of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VerdictKind {
    /// The backend responded, and mutual TLS is proven.
    Mtls,
    /// The backend responded, and mutual TLS is not proven.
    Answered,
    /// The backend responded, and plaintext is proven.
    Plaintext,
    /// The backend responded with another status than expected.
    Backend,
    /// The gateway itself responded, with a redirect or as configured.
    Gateway,
    /// Something else than the gateway responded.
    Elsewhere,
    /// The gateway itself responded, and the cause is proven.
    Caused(Cause),
    /// The status is not the expected one, and the cause is not proven.
    NotProven,
}

impl VerdictKind {
    /// Returns the name in the JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mtls => "mtls",
            Self::Answered => "answered",
            Self::Plaintext => "plaintext",
            Self::Backend => "backend",
            Self::Gateway => "gateway",
            Self::Elsewhere => "elsewhere",
            Self::Caused(cause) => cause.row().name,
            Self::NotProven => "notProven",
        }
    }
}

/// What a fact is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    Status,
    /// The pod of the gateway that received the request.
    Gateway,
    Client,
    Server,
    Evidence,
    Decided,
    Location,
    Body,
    /// A fact that proves the cause.
    Fact,
    /// A fact that supports a cause which is not proven.
    For,
    Against,
    Unknown,
    /// What is missing for a proof.
    Missing,
}

impl Label {
    /// Returns the word before the fact, which is also its name in the JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Gateway => "gateway",
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
    /// The command that fixes the problem.
    pub fix: Option<Hint>,
    /// The command that shows more, if no fix is known.
    pub next: Option<Hint>,
    pub exit: Exit,
    /// Whether the connection from the gateway to the backend is known not to be the cause.
    pub is_elsewhere: bool,
}

impl RequestVerdict {
    /// Sets the cluster of the command line in the commands.
    #[must_use]
    pub(crate) fn on(mut self, target: &TypedTarget) -> Self {
        self.fix = self.fix.map(|hint| hint.on(target));
        self.next = self.next.map(|hint| hint.on(target));
        self
    }

    /// Changes each command.
    #[must_use]
    pub(crate) fn each(mut self, change: impl Fn(CommandLine) -> CommandLine) -> Self {
        self.fix = self.fix.map(|hint| hint.each(&change));
        self.next = self.next.map(|hint| hint.each(&change));
        self
    }

    /// Returns whether the TLS between gateway and backend, or the lack of it, may be the cause.
    pub(crate) fn blames_tls(&self) -> bool {
        let is_elsewhere = self.is_elsewhere
            || matches!(self.kind, VerdictKind::Gateway | VerdictKind::Elsewhere | VerdictKind::Caused(Cause::NoRoute));
        self.exit != Exit::Done && !is_elsewhere
    }
}
