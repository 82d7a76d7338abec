//! `upgrade-values`.

use std::path::PathBuf;

use super::IstioWish;
use crate::plan::policy::Caution;
use crate::plan::values::{self, Edition};
use crate::render::diff::Secrets;

/// `upgrade-values`.
#[derive(Debug, Clone)]
pub(crate) struct UpgradeValues {
    pub act: ValuesAct,
    pub wish: values::ValuesWish,
    pub istio: IstioWish,
    pub source: ValuesSource,
    pub destination: ValuesDestination,
    /// What `--apply` does where requests would get 503s.
    pub caution: Caution,
    /// None: told by the chart's name or the values' shape.
    pub edition: Option<Edition>,
    /// `--to-version`
    pub to_version: Option<String>,
    /// `--chart`: a packed chart or its directory.
    pub chart: Option<PathBuf>,
    pub diff: bool,
    pub check: bool,
    pub secrets: Secrets,
}

/// Whether Istio's settings come or go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValuesAct {
    Merge,
    /// `--remove`
    Remove,
    /// Auto-mTLS as it was in this revision. No flag says so: setup takes back what a request proved wrong.
    AutoMtlsBack {
        to: u64,
    },
}

/// Where the values are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ValuesSource {
    /// The release's record; none named: the one of Gloo's chart.
    Release { name: Option<String>, revision: Option<u64> },
    /// `--values FILE|-`
    File(PathBuf),
}

/// Where the values go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ValuesDestination {
    Stdout,
    /// `--write`
    InPlace,
    /// `--output-file`
    NewFile(PathBuf),
    /// `--apply`: to Helm.
    Helm(HelmFailure),
}

/// What Helm does where an upgrade fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HelmFailure {
    /// The release stays failed.
    Stays,
    /// `--rollback-on-failure`
    RollsBack,
}
