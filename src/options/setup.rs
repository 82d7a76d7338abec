//! The options of `istio setup` and `istio teardown`.

use std::path::PathBuf;

use super::{Named, Observation, PodsOf, Preview, SettingsSwitches};
use crate::plan::policy::Caution;
use crate::render::diff::Secrets;

/// The options of `istio setup`: the steps of the guide as one plan.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// In the order they were typed, without duplicates.
    pub namespaces: Vec<String>,
    pub upstreams: Vec<Named>,
    pub mesh: MeshMode,
    /// How the sidecars are added; `None` for Helm, if a release owns the proxy and Helm is installed.
    pub via: Option<Bringer>,
    /// The revision or tag of istiod.
    pub revision: Option<String>,
    /// A packaged chart or its directory, for Helm.
    pub chart: Option<PathBuf>,
    pub auto_mtls: SettingsSwitches,
    pub strictness: Strictness,
    pub proof: SetupProof,
    /// The proxy, or that of a Gateway; `None` for the usual one.
    pub proxy: Option<PodsOf>,
    pub request: RequestWish,
    /// What to do if requests would get 503s permanently.
    pub caution: Caution,
    pub preview: Preview,
    pub secrets: Secrets,
    /// Watches the requests after each step: `--observe`.
    pub observation: Option<Observation>,
}

impl Setup {
    /// The Upstreams as `--upstream` accepts them.
    pub(crate) fn upstream_names(&self) -> String {
        self.upstreams.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

/// How the gateway and the pods come into the mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MeshMode {
    Sidecars,
    /// By ztunnel, without sidecars and without TLS settings of Gloo: `--mesh ambient`.
    Ambient,
}

/// Whether test requests are sent to the Upstreams, before and after the pods accept only mutual TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetupProof {
    Sent,
    /// They are not sent: `--no-verify`.
    Skipped,
}

/// The test request for an Upstream, if it was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RequestWish {
    pub host: Option<String>,
    pub path: Option<String>,
}

/// How the sidecars are added to the gateway's pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bringer {
    Helm,
    Inject,
}

/// The mode of the namespaces at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    AsItIs,
    /// Strict mutual TLS: `--strict`.
    Strict,
}

/// The options of `istio teardown`, which undoes `istio setup`.
#[derive(Debug, Clone)]
pub(crate) struct Teardown {
    pub marks: Marks,
    /// A packaged chart or its directory, for Helm.
    pub chart: Option<PathBuf>,
    /// What to do if requests would get 503s permanently.
    pub caution: Caution,
    pub preview: Preview,
    pub secrets: Secrets,
}

/// What is rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marks {
    /// Only what is marked as written by gloo-rs.
    Heeded,
    /// Everything, also without such a mark: `--all`.
    Ignored,
}
