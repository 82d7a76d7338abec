//! Plans: decides what to change, from values only. No I/O, no clock, no environment.

pub(crate) mod acceptance;
pub(crate) mod address;
pub(crate) mod advice;
pub(crate) mod authorization;
pub(crate) mod auto_mtls;
pub(crate) mod backend;
pub(crate) mod change;
pub(crate) mod dangling;
pub(crate) mod destinations;
pub(crate) mod effect;
pub(crate) mod enrolment;
pub(crate) mod fields;
pub(crate) mod fix;
pub(crate) mod gateway;
pub(crate) mod gateway_parameters;
pub(crate) mod inverse;
pub(crate) mod istiod;
pub(crate) mod labels;
pub(crate) mod log;
pub(crate) mod mark;
pub(crate) mod migrate;
pub(crate) mod mtls;
pub(crate) mod observe;
pub(crate) mod outcome;
pub(crate) mod owner;
pub(crate) mod path;
pub(crate) mod peer;
pub(crate) mod pod;
pub(crate) mod policy;
pub(crate) mod proxy_pods;
pub(crate) mod revisions;
pub(crate) mod rollout;
pub(crate) mod routes;
pub(crate) mod server;
pub(crate) mod settings;
pub(crate) mod sidecars;
pub(crate) mod ssl_config;
#[cfg(test)]
mod tests;
pub(crate) mod values;
pub(crate) mod verdict;
pub(crate) mod waiting;

use crate::edit::Edit;
use crate::error::{Failure, Reason};
use crate::model::{Kind, Object};
use crate::rights::Rule;
use advice::Advice;
use mtls::UpstreamContext;
use outcome::Decision;
use policy::{Caution, Picked};

/// A command that edits objects one by one. The flow applies it to named objects, API pages or files.
pub(crate) trait PerObject {
    /// The kind of the objects.
    fn kind(&self) -> &'static Kind;

    /// Returns the command's name, and the word for a changed object.
    fn words(&self) -> Words;

    /// Returns the risks that the operator confirms before anything is written.
    fn risks(&self) -> Vec<&'static str>;

    /// Returns what `decide` and `advise` read in addition to the object.
    fn wants(&self) -> Wants;

    /// Decides how this object is changed.
    fn decide(&self, object: &Object, found: Picked, around: &UpstreamContext) -> Decision;

    /// Describes the change in words, for a text that cannot be edited safely.
    fn by_hand(&self) -> Vec<String>;

    /// Returns how the guard handles a named Upstream whose requests would get 503s. `None` turns the guard off.
    fn guarded(&self) -> Option<Caution> {
        None
    }

    /// Returns whether each decision follows from the path model. Then the context of a named object is read too, and a
    /// bulk run lists what it skips.
    fn judges_paths(&self) -> bool {
        false
    }

    /// Returns the reason for these edits, if the command has several.
    fn reason(&self, _edits: &[Edit]) -> Option<Reason> {
        None
    }

    /// Returns the command that makes the same change in manifests.
    fn in_files(&self, _after: &Object) -> Words {
        self.words()
    }

    /// Returns the TLS that Envoy must be served for this object. `None` if this cannot be waited for.
    fn expects(&self, _before: &Object) -> Option<effect::Wanted> {
        None
    }

    /// Returns advice about this object, whether it is changed or not.
    fn advise(&self, object: &Object, around: &UpstreamContext) -> Vec<Advice>;
}

/// Why a value that the decision or the output needs is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// A short reason: `not allowed to list pods in default`.
    pub why: String,
    /// The rule that grants the missing permission, if that is the reason.
    pub rule: Option<Box<Rule>>,
    /// The failure, if the reason is neither a missing permission nor something not installed. A retry may help.
    pub failure: Option<Box<Failure>>,
}

impl<T: Into<String>> From<T> for Unread {
    fn from(why: T) -> Self {
        Self { why: why.into(), rule: None, failure: None }
    }
}

impl std::fmt::Display for Unread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

/// The words of a command for its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Words {
    /// `istio enable-mtls`
    pub command: &'static str,
    /// `enabled`
    pub done: &'static str,
    /// The flags without which the same command would have another meaning: `--overwrite`.
    pub flags: &'static [&'static str],
}

/// When the gateway is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GatewayNeed {
    Never,
    Always,
    /// Unless auto-mTLS is off, because then nothing uses the gateway's certificates.
    WithAutoMtls,
}

/// What a command reads in addition to the object. Each item is read only on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wants {
    /// The traffic that the pods behind the object are checked for.
    pub peer: Option<peer::Sent>,
    /// The gateway's sidecars and bootstrap.
    pub gateway: GatewayNeed,
}
