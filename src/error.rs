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
    /// Refused or failed; the failed part changed nothing.
    Failed = 1,
    /// Wrong usage, or a risky change without `--yes`.
    Usage = 2,
    /// `--check` found a change to make, or a threshold was reached.
    WouldChange = 3,
    /// Not found, not allowed, or nothing matches the selection.
    SaidNo = 4,
    /// Failed and rolled back.
    RolledBack = 5,
    /// Failed and not fully rolled back; the message says what is in which state.
    HalfDone = 6,
    /// Applied or sent, not verified.
    Unconfirmed = 7,
    /// Not ready yet: no address is assigned.
    Pending = 8,
    /// No answer: unreachable, TLS error, exec plugin error or timeout.
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
    pub fn prevailing(self, other: Self) -> Self {
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
    /// It is already in the requested state.
    Already = "already",
    /// The object has TLS settings not managed by Istio; `--overwrite` replaces them.
    ForeignTls = "foreignTls",
    /// The Upstream is not a Kubernetes Service, so no pod in the mesh answers it.
    NotKubernetes = "notKubernetes",
    /// The Service belongs to Gloo, Istio or Kubernetes itself.
    SystemService = "systemService",
    /// Not every pod behind it has a sidecar: requests with Istio's TLS would get 503s.
    NoSidecar = "noSidecar",
    /// No pod is behind it, so it is unknown whether TLS would work.
    NoPods = "noPods",
    /// The pods accept only mutual TLS: without it requests would get 503s.
    StrictPeer = "strictPeer",
    /// The pods do not accept mutual TLS: with it requests would get 503s.
    DisabledPeer = "disabledPeer",
    /// Requests that work now would get 503s afterwards.
    WouldBreak = "wouldBreak",
    /// Auto-mTLS sends the same as the Upstream's `sslConfig`.
    SamePath = "samePath",
    /// Auto-mTLS does not send the same as the Upstream's `sslConfig`.
    PathDiffers = "pathDiffers",
    /// Auto-mTLS is off in Gloo's Settings, so without its `sslConfig` the Upstream would get plaintext.
    AutoMtlsOff = "autoMtlsOff",
    /// With auto-mTLS, requests to the Upstream fail or may get plaintext; it opted out.
    AutoMtlsHarms = "autoMtlsHarms",
    /// The Upstream opts out of auto-mTLS, so without its `sslConfig` it would get plaintext.
    OptedOut = "optedOut",
    /// After the change, more requests failed than before. It was rolled back.
    ErrorsRose = "errorsRose",
    /// Another object of its batch became worse, so the batch was rolled back.
    BatchFailed = "batchFailed",
    /// Too few requests passed to judge the change.
    TooFewRequests = "tooFewRequests",
    /// Something that the decision needs could not be read.
    Unknown = "unknown",
    /// The object has no spec.
    NoSpec = "noSpec",
    /// The object has fields that its CRD does not have, such as names in snake case.
    UnknownField = "unknownField",
    /// No object has that name, or nothing matches the selection.
    NotFound = "notFound",
    /// Its CRD is not installed in the cluster.
    NoCrd = "noCrd",
    /// A permission is missing.
    Forbidden = "forbidden",
    /// The credentials are missing or not valid.
    Unauthorized = "unauthorized",
    /// Other clients changed the object each time between the read and the write.
    Conflict = "conflict",
    /// The API server rejected the change as not valid, or a webhook denied it.
    Invalid = "invalid",
    /// The API server asked to retry later than the deadline allows.
    Throttled = "throttled",
    /// The API server returned an error.
    ServerError = "serverError",
    /// No connection to the API server.
    Unreachable = "unreachable",
    /// The TLS connection to the API server failed.
    Tls = "tls",
    /// The deadline passed.
    Timeout = "timeout",
    /// The kubeconfig cannot be used.
    Kubeconfig = "kubeconfig",
    /// The kubeconfig's exec plugin failed or hangs.
    ExecPlugin = "execPlugin",
    /// The file cannot be read or written.
    File = "file",
    /// The file cannot be edited safely.
    Unsafe = "unsafe",
    /// Another object of the same run was refused, so nothing was written.
    HeldBack = "heldBack",
    /// The command line is not valid.
    Usage = "usage",
    /// It failed, and not all changes could be rolled back.
    HalfDone = "halfDone",
    /// The rollout did not become ready.
    Rollout = "rollout",
    /// It was not verified that a request used mutual TLS.
    Unproven = "unproven",
    /// A request got an unexpected answer, and its connection is not the cause.
    UnexpectedAnswer = "unexpectedAnswer",
    /// The change was not confirmed with yes.
    NotConfirmed = "notConfirmed",
    /// A signal (INT, TERM, HUP) ended the run.
    Interrupted = "interrupted",
    /// It is not ready yet.
    Pending = "pending",
    /// The Service has no address that can be printed.
    NoAddress = "noAddress",
    /// The Service has no such port, or it has several and none is named.
    NoPort = "noPort",
    /// Several objects match the name.
    Ambiguous = "ambiguous",
    /// The answer is not a valid answer of Kubernetes.
    BadAnswer = "badAnswer",
    /// A value could not be determined; set it with a flag.
    NeedsFlag = "needsFlag",
    /// There are several istiod revisions, and none is selected.
    SeveralRevisions = "severalRevisions",
    /// There is no istiod of that revision, or no istiod at all.
    NoIstiod = "noIstiod",
    /// There is no ztunnel, or it is not ready on every node.
    NoZtunnel = "noZtunnel",
    /// A gateway sends plaintext there and would get 503s.
    GatewayPlaintext = "gatewayPlaintext",
    /// Istio uses an older policy of the same level instead.
    Shadowed = "shadowed",
    /// The namespace is the mesh's root namespace; its policies apply to the whole mesh.
    RootNamespace = "rootNamespace",
    /// It was not made by gloo-rs; `--overwrite` removes it anyway.
    NotOurs = "notOurs",
    /// Something else manages the object: a controller, or the chart through its values.
    Managed = "managed",
    /// The namespace belongs to Gloo, istiod or Kubernetes.
    SystemNamespace = "systemNamespace",
    /// Istio's injector skips its pods, or still gives them a sidecar.
    NotInjected = "notInjected",
    /// A restart would not replace its pods, or is not allowed.
    NotRestarted = "notRestarted",
    /// Something still refers to what would be removed.
    StillUsed = "stillUsed",
    /// The gateway lacks something that the change needs.
    GatewayNotReady = "gatewayNotReady",
    /// The values have something else where the chart expects a map or a single value.
    BadValues = "badValues",
    /// There is no Helm release, or not the named one.
    NoRelease = "noRelease",
    /// The release's record cannot be read.
    BadRecord = "badRecord",
    /// The release's record names another release, namespace or revision than the object that stores it.
    RecordMismatch = "recordMismatch",
    /// Gloo's status rejects the change, or warns about it.
    Rejected = "rejected",
    /// Gloo does not serve the change.
    NotServed = "notServed",
    /// Helm is not installed, or it failed.
    Helm = "helm",
    /// The pod is not running, or none of the selected pods is.
    NotRunning = "notRunning",
    /// Nothing in the pod listens on the port.
    NotListening = "notListening",
    /// The answer was cut off before its end.
    Cut = "cut",
    /// The server in the pod refused, or its answer is not the expected kind.
    InPod = "inPod",
    /// A bug in gloo-rs itself.
    Bug = "bug",
}

/// The errors that led to a failure, as the libraries that met them say it.
#[derive(Debug, Clone, Default)]
pub struct Causes(Option<Arc<anyhow::Error>>);

impl Causes {
    /// This error and those below it, by what they say.
    pub(crate) fn from_error(error: &dyn std::error::Error) -> Self {
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
        self.causes = Causes::from_error(error);
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
        assert_eq!(Exit::Done.prevailing(Exit::Done), Exit::Done);
        assert_eq!(Exit::Failed.prevailing(Exit::SaidNo), Exit::Failed);
        assert_eq!(Exit::SaidNo.prevailing(Exit::NoAnswer), Exit::NoAnswer);
        assert_eq!(Exit::Interrupted.prevailing(Exit::HalfDone), Exit::HalfDone);
        assert_eq!(Exit::Interrupted.prevailing(Exit::RolledBack), Exit::Interrupted);
        assert_eq!(Exit::Pending.prevailing(Exit::WouldChange), Exit::WouldChange);
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
