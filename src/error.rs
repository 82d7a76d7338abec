//! Failures: what a person reads, what a script reads, and the one table of exit codes.

use std::fmt;
use std::sync::Arc;

use crate::command::Hint;

/// Declares the exit codes: the variant, its number, what it means. The first is the default.
macro_rules! exits {
    (
        $(#[doc = $done_doc:literal])* $done:ident = $done_code:literal,
        $($(#[doc = $doc:literal])* $variant:ident = $code:literal,)*
    ) => {
        /// How a run ends. The numbers are the product's promise: `docs/exit-codes.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[repr(u8)]
        pub enum Exit {
            $(#[doc = $done_doc])* #[default] $done = $done_code,
            $($(#[doc = $doc])* $variant = $code,)*
        }

        impl Exit {
            /// What it means, for the help and the docs.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    Self::$done => concat!($($done_doc),*).trim_ascii(),
                    $(Self::$variant => concat!($($doc),*).trim_ascii(),)*
                }
            }
        }
    };
}

exits! {
    /// Done, or there was nothing to do.
    Done = 0,
    /// Refused or failed; what failed changed nothing.
    Failed = 1,
    /// Wrong usage, or a risky change without `--yes`.
    Usage = 2,
    /// `--check` found a change to make, or a threshold was reached.
    WouldChange = 3,
    /// Not found, not allowed, or a selection that matches nothing.
    SaidNo = 4,
    /// Failed and rolled back.
    RolledBack = 5,
    /// Failed, not fully rolled back; the message says what is in which state.
    HalfDone = 6,
    /// Applied or sent, not verified.
    Unconfirmed = 7,
    /// Not there yet: the address is not assigned.
    Pending = 8,
    /// No answer: unreachable, TLS, exec plugin or deadline.
    NoAnswer = 9,
    /// Ended by a signal (INT, TERM, HUP); writes are rolled back or listed.
    Interrupted = 130,
}

impl Exit {
    /// Every code there is; where several hold, the first of these names the run.
    pub const PRECEDENCE: [Self; 11] = [
        Self::Usage,
        Self::HalfDone,
        Self::Interrupted,
        Self::RolledBack,
        Self::NoAnswer,
        Self::Failed,
        Self::SaidNo,
        Self::Unconfirmed,
        Self::WouldChange,
        Self::Pending,
        Self::Done,
    ];

    /// The number the process ends with.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Which of two outcomes names the run.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::PRECEDENCE.into_iter().find(|exit| *exit == self || *exit == other).unwrap_or(Self::Failed)
    }
}

/// Declares the closed list of reasons: the variant, its name in the JSON, what it means.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// Why an object ended as it did, or the run failed: a closed list, listed in `docs/output.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $($(#[doc = $doc])* $variant,)* }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name in the JSON.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it means, for the docs.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),*).trim_ascii(),)* }
            }
        }
    };
}

reasons! {
    /// The state asked for was there before.
    Already = "already",
    /// The field holds settings that are not Istio's; `--overwrite` replaces them.
    ForeignTls = "foreignTls",
    /// The Upstream is not a Kubernetes Service: no pod of the mesh answers there.
    NotKubernetes = "notKubernetes",
    /// The Service belongs to Gloo, Istio or Kubernetes itself.
    SystemService = "systemService",
    /// Not every pod behind it has a sidecar: TLS would be answered with 503.
    NoSidecar = "noSidecar",
    /// No pod is behind it, so nothing shows that TLS would be answered.
    NoPods = "noPods",
    /// The peer demands mutual TLS: without it requests would be answered with 503.
    StrictPeer = "strictPeer",
    /// The peer takes no mutual TLS: with it requests would be answered with 503.
    DisabledPeer = "disabledPeer",
    /// Requests that are answered now would be answered with 503 afterwards.
    WouldBreak = "wouldBreak",
    /// What decides could not be read.
    Unknown = "unknown",
    /// The object has no spec.
    NoSpec = "noSpec",
    /// No object of that name, or none that the selection matches.
    NotFound = "notFound",
    /// The API server's CRD for it is not installed.
    NoCrd = "noCrd",
    /// The rights are missing.
    Forbidden = "forbidden",
    /// The credentials are missing or not valid.
    Unauthorized = "unauthorized",
    /// Others changed it every time between the read and the write.
    Conflict = "conflict",
    /// The API server found the change not valid, or a webhook denied it.
    Invalid = "invalid",
    /// The API server asked to come back later, for longer than the deadline.
    Throttled = "throttled",
    /// The API server failed.
    ServerError = "serverError",
    /// No connection to the API server.
    Unreachable = "unreachable",
    /// TLS to the API server did not come about.
    Tls = "tls",
    /// The deadline passed.
    Timeout = "timeout",
    /// The kubeconfig cannot be used.
    Kubeconfig = "kubeconfig",
    /// The kubeconfig's exec plugin failed or hangs.
    ExecPlugin = "execPlugin",
    /// The file cannot be read or written.
    File = "file",
    /// The file is not one this program can edit safely.
    Unsafe = "unsafe",
    /// Another object of the same run was refused, so nothing was written.
    HeldBack = "heldBack",
    /// The command line is not one.
    Usage = "usage",
    /// It failed, and what had been written could not all be taken back.
    HalfDone = "halfDone",
    /// The rollout did not become ready.
    Rollout = "rollout",
    /// A request was not proven to be answered over mutual TLS.
    Unproven = "unproven",
    /// A request was answered otherwise than expected, and what carries it is not why.
    UnexpectedAnswer = "unexpectedAnswer",
    /// Nobody said yes.
    NotConfirmed = "notConfirmed",
    /// A signal (INT, TERM, HUP) ended the run.
    Interrupted = "interrupted",
    /// It is not there yet.
    Pending = "pending",
    /// The Service has no address that can be printed.
    NoAddress = "noAddress",
    /// The Service has no such port, or several and none is named.
    NoPort = "noPort",
    /// Several objects fit what was named.
    Ambiguous = "ambiguous",
    /// The answer is not one that Kubernetes gives.
    BadAnswer = "badAnswer",
    /// A value that nothing tells has to be named by a flag.
    NeedsFlag = "needsFlag",
    /// Several istiod revisions, and nothing has chosen one.
    SeveralRevisions = "severalRevisions",
    /// No istiod of that revision, or none at all.
    NoIstiod = "noIstiod",
    /// A gateway that sends plaintext there would get 503s.
    GatewayPlaintext = "gatewayPlaintext",
    /// An older policy of the same level is read in its place.
    Shadowed = "shadowed",
    /// The namespace is the mesh's root namespace, whose policies are the whole mesh's.
    RootNamespace = "rootNamespace",
    /// It was not made by gloo-rs; `--overwrite` takes it away all the same.
    NotOurs = "notOurs",
    /// Somebody else makes the object: a controller, or the chart by its values.
    Managed = "managed",
    /// The namespace is Gloo's, istiod's or Kubernetes' own.
    SystemNamespace = "systemNamespace",
    /// Istio's injector passes its pods by, or gives them a sidecar all the same.
    NotInjected = "notInjected",
    /// A restart would not replace its pods, or nobody may make one.
    NotRestarted = "notRestarted",
    /// Something would be left pointing at what is taken away.
    StillUsed = "stillUsed",
    /// The gateway lacks what the change rests on.
    GatewayNotReady = "gatewayNotReady",
    /// The values have something else where the chart reads a map or a single value.
    BadValues = "badValues",
    /// No Helm release, or not the one that was named.
    NoRelease = "noRelease",
    /// The release's record cannot be read.
    BadRecord = "badRecord",
    /// The release's record is of another release, namespace or revision than the object that holds it.
    RecordMismatch = "recordMismatch",
    /// Gloo's status rejects what was changed, or warns of it.
    Rejected = "rejected",
    /// What Gloo serves does not show the change.
    NotServed = "notServed",
    /// Helm is not there, or it failed.
    Helm = "helm",
    /// The pod is not running, or no pod that was asked for is.
    NotRunning = "notRunning",
    /// Nothing in the pod listens on the port.
    NotListening = "notListening",
    /// The answer broke off before its end.
    Cut = "cut",
    /// The server in the pod refused, or does not answer as one of its kind.
    InPod = "inPod",
    /// A fault in gloo-rs itself.
    Bug = "bug",
}

/// The errors that led to a failure, as the libraries that met them say it.
#[derive(Debug, Clone, Default)]
pub struct Causes(Option<Arc<anyhow::Error>>);

impl Causes {
    /// This error and those below it, by what they say.
    pub(crate) fn of(error: &dyn std::error::Error) -> Self {
        let mut texts: Vec<_> =
            std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect();
        let last = texts.pop().map(anyhow::Error::msg);
        Self(last.map(|last| Arc::new(texts.into_iter().rev().fold(last, anyhow::Error::context))))
    }

    /// What each says, the nearest first.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        let mut texts: Vec<_> = self.0.iter().flat_map(|error| error.chain()).map(ToString::to_string).collect();
        // An error that only wraps another often says the same.
        texts.dedup();
        texts
    }
}

/// What the system says of an error, as a part of a sentence and without its number: `permission denied`.
pub(crate) fn plain(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Errors have no equality; what they say has.
impl PartialEq for Causes {
    fn eq(&self, other: &Self) -> bool {
        self.texts() == other.texts()
    }
}

impl Eq for Causes {}

/// A failure as both readers need it: the first line, then details, then what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub exit: Exit,
    pub reason: Reason,
    /// One line: what failed, on which object, why.
    pub message: String,
    /// Lines printed indented below it.
    pub details: Vec<String>,
    /// What to do next.
    pub hints: Vec<Hint>,
    /// For whoever has to know more: shown with `-v`, and in the document.
    pub causes: Causes,
}

impl Failure {
    /// A failure of one line.
    pub fn new(exit: Exit, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            exit,
            reason,
            message: message.into(),
            details: Vec::new(),
            hints: Vec::new(),
            causes: Causes::default(),
        }
    }

    /// The command line is not one.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, Reason::Usage, message)
    }

    /// With one more line below it.
    #[must_use]
    pub fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// With the error that led to it.
    #[must_use]
    pub(crate) fn caused_by(mut self, error: &dyn std::error::Error) -> Self {
        self.causes = Causes::of(error);
        self
    }

    /// With one more thing to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Hint>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_in_the_table_names_the_run() {
        assert_eq!(Exit::Done.or(Exit::Done), Exit::Done);
        assert_eq!(Exit::Failed.or(Exit::SaidNo), Exit::Failed);
        assert_eq!(Exit::SaidNo.or(Exit::NoAnswer), Exit::NoAnswer);
        assert_eq!(Exit::Interrupted.or(Exit::HalfDone), Exit::HalfDone);
        assert_eq!(Exit::Interrupted.or(Exit::RolledBack), Exit::Interrupted);
        assert_eq!(Exit::Pending.or(Exit::WouldChange), Exit::WouldChange);
    }

    #[test]
    fn a_failure_keeps_each_error_below_it_and_says_none_twice() {
        let error =
            anyhow::Error::msg("Connection refused (os error 111)").context("tcp connect").context("tcp connect");
        let failure = Failure::new(Exit::NoAnswer, Reason::Unreachable, "no").caused_by(error.as_ref());
        assert_eq!(failure.causes.texts(), ["tcp connect", "Connection refused (os error 111)"]);
        assert_eq!(plain(error.root_cause()), "connection refused");
        assert_eq!(Failure::usage("no").causes.texts(), [""; 0]);
    }

    #[test]
    fn names_of_reasons_are_unique() {
        let mut names: Vec<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Reason::ALL.len());
    }
}
