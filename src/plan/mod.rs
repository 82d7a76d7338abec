//! What is to be done, decided from values alone: no I/O, no clock, no environment.

pub(crate) mod acceptance;
pub(crate) mod address;
pub(crate) mod advice;
pub(crate) mod auto_mtls;
pub(crate) mod backend;
pub(crate) mod change;
pub(crate) mod dangling;
pub(crate) mod destinations;
pub(crate) mod effect;
pub(crate) mod enrolment;
pub(crate) mod gateway;
pub(crate) mod inverse;
pub(crate) mod istiod;
pub(crate) mod labels;
pub(crate) mod log;
pub(crate) mod mark;
pub(crate) mod mtls;
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

use crate::error::Failure;
use crate::model::{Kind, Object};
use advice::Advice;
use mtls::UpstreamContext;
use outcome::Decision;
use policy::{Caution, Picked};

/// A command that edits objects one by one: the flow maps it over names, API pages or files.
pub(crate) trait PerObject {
    /// The kind of the objects.
    fn kind(&self) -> &'static Kind;

    /// How the command is called, and what an object is that it changed.
    fn words(&self) -> Words;

    /// What nobody should be surprised by: asked about before anything is written.
    fn risks(&self) -> Vec<&'static str>;

    /// What `decide` and `advise` read beside the object.
    fn wants(&self) -> Wants;

    /// What is done to this object.
    fn decide(&self, object: &Object, found: Picked, around: &UpstreamContext) -> Decision;

    /// The change in words, for a text that cannot be edited safely.
    fn by_hand(&self) -> Vec<String>;

    /// What the guard does with a named Upstream whose requests would get 503s; none: it does not look.
    fn guarded(&self) -> Option<Caution> {
        None
    }

    /// How Envoy is to be served what the object stands for, if that can be waited for.
    fn expects(&self, _before: &Object) -> Option<effect::Wanted> {
        None
    }

    /// What is worth saying about this object, changed or not.
    fn advise(&self, object: &Object, around: &UpstreamContext) -> Vec<Advice>;
}

/// Why something that decides or would be said is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// In a few words: `not allowed to list pods in default`.
    pub why: String,
    /// The rule of a Role that would allow it, where that is what is missing.
    pub rule: Option<String>,
    /// Where it is no matter of rights or of what is installed: asking again may help.
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

/// The words of a command, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Words {
    /// `istio enable-mtls`
    pub command: &'static str,
    /// `enabled`
    pub done: &'static str,
    /// The flags without which the same command would mean something else: `--overwrite`.
    pub flags: &'static [&'static str],
}

/// When the gateway matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GatewayNeed {
    Never,
    Always,
    /// Unless auto-mTLS is off: nothing asks for its certificates then.
    WithAutoMtls,
}

/// What is read beside an object, each only if it is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wants {
    /// Whether the pods behind it take what is to be sent.
    pub peer: Option<peer::Sent>,
    /// The gateway's sidecars and bootstrap.
    pub gateway: GatewayNeed,
}
