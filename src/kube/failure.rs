//! The failures of a request, and their messages.

use std::fmt;
use std::time::Duration;

use crate::error::{Causes, Exit, Failure, Reason};
use crate::model::Kind;
use crate::rights::Rule;

/// The verb of a request, as in RBAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Get,
    List,
    Patch,
    Create,
    Delete,
}

impl Verb {
    /// Whether the verb changes something.
    fn writes(self) -> bool {
        matches!(self, Self::Patch | Self::Create | Self::Delete)
    }

    /// The noun for the request in messages.
    fn noun(self) -> &'static str {
        match self {
            Self::Patch => "patch",
            Self::Create => "creation",
            Self::Delete => "deletion",
            Self::Get | Self::List => "question",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Patch => "patch",
            Self::Create => "create",
            Self::Delete => "delete",
        })
    }
}

/// A request that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    pub verb: Verb,
    /// `None` if the request was about the server itself, not about an object.
    pub kind: Option<&'static Kind>,
    /// Empty for all namespaces, or for a kind without a namespace.
    pub namespace: String,
    /// Empty for a list.
    pub name: String,
    pub cause: ApiCause,
    pub causes: Causes,
}

/// The cause of a failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiCause {
    /// There is no object of that name.
    NotFound,
    /// The namespace for the new object does not exist.
    NoNamespace,
    /// The API server does not know the kind.
    NoCrd,
    /// A permission is missing.
    Forbidden { message: String, rule: Option<Box<Rule>> },
    /// The credentials were not accepted.
    Unauthorized,
    /// The object changed since it was read. For a creation: an object of that name exists already.
    Conflict,
    /// Not valid, or denied by an admission webhook or policy.
    Invalid(String),
    /// The server asks to try again later.
    Throttled { after: Option<Duration> },
    /// The server failed.
    Server { status: u16, message: String },
    /// The list's continue token is too old. `next` continues at the same place in a newer version of the list.
    Gone { next: Option<String> },
    /// There was no connection, or it was cut. `sent`: the server may have acted on the request.
    Unreachable { why: String, sent: bool },
    /// The TLS handshake failed: nothing was sent.
    Tls(TlsFault),
    /// The deadline passed. `sent`: the server may have acted on the request.
    Timeout { after: Duration, sent: bool },
    /// The exec plugin or the identity provider gave no credentials.
    Credentials(Box<Failure>),
    /// The answer is not one that Kubernetes gives.
    BadAnswer(String),
    /// The answer is larger than the limit for reading or parsing. `most` is the limit in bytes.
    TooLarge { most: usize },
}

/// The reason of a TLS failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsFault {
    UnknownAuthority,
    WrongName,
    Expired,
    NotYetValid,
    /// The server does not use TLS.
    NotTls,
    /// The server requires TLS, but the kubeconfig says http.
    WantsTls,
    /// The server ended the handshake.
    Alert(String),
    Other(String),
}

impl ApiError {
    /// Whether a write may have been made although its answer is missing. If so, read the object again.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        self.verb.writes()
            && matches!(self.cause, ApiCause::Unreachable { sent: true, .. } | ApiCause::Timeout { sent: true, .. })
    }

    /// Whether only the dry run was refused, because a webhook has side effects.
    #[must_use]
    pub fn dry_run_unsupported(&self) -> bool {
        matches!(&self.cause, ApiCause::Invalid(message) if message.contains("does not support dry run"))
    }

    /// The reason in the JSON output.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match &self.cause {
            ApiCause::NotFound | ApiCause::NoNamespace => Reason::NotFound,
            ApiCause::NoCrd => Reason::NoCrd,
            ApiCause::Forbidden { .. } => Reason::Forbidden,
            ApiCause::Unauthorized => Reason::Unauthorized,
            ApiCause::Conflict => Reason::Conflict,
            ApiCause::Invalid(_) => Reason::Invalid,
            ApiCause::Throttled { .. } => Reason::Throttled,
            ApiCause::Server { .. } | ApiCause::Gone { .. } => Reason::ServerError,
            ApiCause::Unreachable { .. } => Reason::Unreachable,
            ApiCause::Tls(_) => Reason::Tls,
            ApiCause::Timeout { .. } => Reason::Timeout,
            ApiCause::Credentials(failure) => failure.reason,
            ApiCause::BadAnswer(_) | ApiCause::TooLarge { .. } => Reason::BadAnswer,
        }
    }

    /// The exit code of a run that ends with this error.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match &self.cause {
            ApiCause::NotFound
            | ApiCause::NoNamespace
            | ApiCause::NoCrd
            | ApiCause::Forbidden { .. }
            | ApiCause::Unauthorized => Exit::SaidNo,
            ApiCause::Conflict
            | ApiCause::Invalid(_)
            | ApiCause::Throttled { .. }
            | ApiCause::Server { .. }
            | ApiCause::Gone { .. }
            | ApiCause::BadAnswer(_)
            | ApiCause::TooLarge { .. } => Exit::Failed,
            ApiCause::Unreachable { .. } | ApiCause::Tls(_) | ApiCause::Timeout { .. } => Exit::NoAnswer,
            ApiCause::Credentials(failure) => failure.exit,
        }
    }

    /// The subject of the request in messages: `upstream.gloo.solo.io/x`, `upstreams.gloo.solo.io`, `API server`.
    fn subject(&self) -> String {
        match self.kind {
            None => "API server".to_owned(),
            Some(kind) if self.name.is_empty() && kind.group.is_empty() => kind.plural.to_owned(),
            Some(kind) if self.name.is_empty() => format!("{}.{}", kind.plural, kind.group),
            Some(kind) => format!("{kind}/{}", self.name),
        }
    }

    /// The message in one line, without the name of the context.
    pub(super) fn line(&self, server: &str) -> String {
        let subject = self.subject();
        let line = match &self.cause {
            ApiCause::NotFound if self.namespace.is_empty() => format!("{subject}: not found"),
            ApiCause::NotFound => format!("{subject}: not found in {}", self.namespace),
            ApiCause::NoNamespace => format!("{subject}: there is no namespace {}", self.namespace),
            ApiCause::NoCrd => format!("{subject}: the API server has no such kind: its CRD is not installed"),
            ApiCause::Forbidden { rule, message } => match rule {
                Some(rule) => format!("{subject}: not allowed to {}", rule.what()),
                None => format!("{subject}: {message}"),
            },
            ApiCause::Unauthorized => format!("{subject}: the credentials were not accepted (401)"),
            ApiCause::Conflict if self.verb == Verb::Create => format!("{subject}: others created it in the meantime"),
            ApiCause::Conflict => format!("{subject}: changed by others since it was read"),
            ApiCause::Invalid(message) => format!("{subject}: {message}"),
            ApiCause::Throttled { after: Some(after) } => {
                format!("{subject}: the API server is busy and asks to retry in {}", seconds(*after))
            }
            ApiCause::Throttled { after: None } => format!("{subject}: the API server is busy (429)"),
            ApiCause::Server { status, message } if message.is_empty() => {
                format!("{subject}: the API server failed ({status})")
            }
            ApiCause::Server { status, message } => format!("{subject}: the API server failed ({status}): {message}"),
            ApiCause::Gone { .. } => format!("{subject}: the list changed faster than it could be read (410)"),
            ApiCause::Unreachable { why, sent: true } if self.verb.writes() => {
                format!("{subject}: the {} was sent, its outcome is unknown: {why}", self.verb.noun())
            }
            ApiCause::Unreachable { why, .. } => format!("no connection to {server}: {why}"),
            ApiCause::Tls(fault) => format!("no TLS with {server}: {}", fault.why()),
            ApiCause::Timeout { after, sent: true } if self.verb.writes() => {
                let (noun, after) = (self.verb.noun(), seconds(*after));
                format!("{subject}: the {noun} was sent, its outcome is unknown: no answer within {after}")
            }
            ApiCause::Timeout { after, .. } => format!("{subject}: no answer from {server} within {}", seconds(*after)),
            ApiCause::Credentials(failure) => failure.message.clone(),
            ApiCause::BadAnswer(what) => format!("{server} does not answer as a Kubernetes API server: {what}"),
            ApiCause::TooLarge { most } => format!("{subject}: the answer takes more than {} MiB", most >> 20),
        };
        one_line(&line)
    }

    pub(super) fn hint(&self) -> Option<String> {
        if self.outcome_unknown() {
            return Some("run the same command again: it continues from the current state".to_owned());
        }
        Some(match &self.cause {
            ApiCause::NoCrd => "is that the right cluster? --kube-context chooses another".to_owned(),
            ApiCause::Unauthorized => "log in to the cluster again; the context's user may have expired".to_owned(),
            ApiCause::Conflict | ApiCause::Gone { .. } => "run the same command again".to_owned(),
            ApiCause::Throttled { .. } => "try later, or wait longer with --timeout".to_owned(),
            ApiCause::Unreachable { .. } => {
                "check that the cluster is up, the address is right, and the VPN or proxy is connected".to_owned()
            }
            ApiCause::Tls(fault) => fault.hint()?.to_owned(),
            ApiCause::Timeout { .. } => "--timeout waits longer".to_owned(),
            ApiCause::BadAnswer(_) => {
                "check that the address is the API server, not a login page or proxy in front of it".to_owned()
            }
            _ => return None,
        })
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line("the API server"))
    }
}

impl std::error::Error for ApiError {}

impl TlsFault {
    /// The reason in a few words: `its certificate has expired`.
    pub fn why(&self) -> String {
        match self {
            Self::UnknownAuthority => "its certificate is signed by an unknown authority".to_owned(),
            Self::WrongName => "its certificate is for another name".to_owned(),
            Self::Expired => "its certificate has expired".to_owned(),
            Self::NotYetValid => "its certificate is not valid yet".to_owned(),
            Self::NotTls => "it does not speak TLS".to_owned(),
            Self::WantsTls => "it wants TLS and the kubeconfig says http".to_owned(),
            Self::Alert(alert) => format!("it ended the handshake: {alert}"),
            Self::Other(why) => why.clone(),
        }
    }

    fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::UnknownAuthority => {
                "certificate-authority of the cluster in the kubeconfig does not match this server"
            }
            Self::WrongName => "set tls-server-name of the cluster in the kubeconfig to a name in the certificate",
            Self::Expired | Self::NotYetValid => "renew the server's certificate, or correct this machine's clock",
            Self::NotTls => "check the server's port; with http:// in the kubeconfig the connection is not encrypted",
            Self::WantsTls => "write https:// in the kubeconfig",
            Self::Alert(_) => "the client certificate in the kubeconfig may be missing, expired or another cluster's",
            Self::Other(_) => return None,
        })
    }
}

fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs_f32())
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
