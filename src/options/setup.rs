//! `istio setup`, `istio teardown`.

use std::path::PathBuf;

use super::{Named, Preview, SettingsSwitches};
use crate::plan::policy::Caution;
use crate::render::diff::Secrets;
use crate::text::ProxyName;

/// The guide as one plan.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// In the order they were typed, each once.
    pub namespaces: Vec<String>,
    pub upstreams: Vec<Named>,
    /// None: Helm, if a release owns the proxy and Helm is there.
    pub via: Option<Bringer>,
    /// A revision or a tag.
    pub revision: Option<String>,
    /// A packed chart or its directory, for Helm.
    pub chart: Option<PathBuf>,
    pub auto_mtls: SettingsSwitches,
    pub strictness: Strictness,
    pub proof: SetupProof,
    /// None: the usual one.
    pub proxy: Option<ProxyName>,
    pub request: RequestWish,
    /// Whether requests that get 503s for good keep it from being done.
    pub caution: Caution,
    pub preview: Preview,
    pub secrets: Secrets,
}

/// Whether requests are sent to the Upstreams, before and after pods take mutual TLS alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetupProof {
    Sent,
    /// `--no-verify`
    Skipped,
}

/// What to ask an Upstream for, where it was said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RequestWish {
    pub host: Option<String>,
    pub path: Option<String>,
}

/// How the sidecars come beside the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bringer {
    Helm,
    Inject,
}

/// What the namespaces demand in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    AsItIs,
    /// `--strict`
    Strict,
}

/// The way back.
#[derive(Debug, Clone)]
pub(crate) struct Teardown {
    pub marks: Marks,
    /// A packed chart or its directory, for Helm.
    pub chart: Option<PathBuf>,
    /// Whether requests that get 503s for good keep it from being done.
    pub caution: Caution,
    pub preview: Preview,
    pub secrets: Secrets,
}

/// What is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marks {
    /// What is marked as written by gloo-rs.
    Heeded,
    /// `--all`: the rest as well.
    Ignored,
}
