//! The state of a pair of a gateway and a pod.

use super::Cause;
use crate::plan::Unread;
use crate::rights::Rule;

/// The result of the requests of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PairState {
    /// With the certificate that the gateway presents.
    Mtls,
    /// Mutual TLS by a ztunnel, which carries what the gateway sends.
    Tunnelled,
    Tls,
    Plaintext,
    /// They get 503s.
    Broken {
        cause: Cause,
        why: String,
    },
    Unknown {
        /// The cause, if it is more than something that could not be read.
        cause: Option<Cause>,
        why: String,
        /// The rule that would make it known.
        rule: Option<Box<Rule>>,
    },
}

impl PairState {
    pub(super) fn broken(cause: Cause, why: impl Into<String>) -> Self {
        Self::Broken { cause, why: why.into() }
    }

    pub(super) fn unread(what: &str, why: &Unread) -> Self {
        Self::Unknown { cause: None, why: format!("{what}{why}"), rule: why.rule.clone() }
    }

    /// Returns its place among all states, the worst first.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Broken { .. } => 0,
            Self::Unknown { .. } => 1,
            Self::Plaintext => 2,
            Self::Tls => 3,
            Self::Mtls => 4,
            Self::Tunnelled => 5,
        }
    }
}
