//! The options of `upgrade-values`.

use std::path::PathBuf;

use super::IstioWish;
use crate::plan::policy::Caution;
use crate::plan::values::{self, ChartWish, Edition};
use crate::render::diff::Secrets;

/// The options of `upgrade-values`.
#[derive(Debug, Clone)]
pub(crate) struct UpgradeValues {
    pub act: ValuesAct,
    pub wish: values::ValuesWish,
    pub istio: IstioWish,
    pub source: ValuesInput,
    pub destination: ValuesDestination,
    /// What `--apply` does if requests would get 503s.
    pub caution: Caution,
    /// The edition; `None` to take it from the chart, or from the keys in the values.
    pub edition: Option<Edition>,
    /// The key of the values of Gloo's chart in a chart around it: `--chart-alias`.
    pub chart_alias: Option<String>,
    /// The version of the chart: `--to-version`.
    pub to_version: Option<String>,
    /// A packaged chart or its directory: `--chart`.
    pub chart: Option<PathBuf>,
    pub proof: ProofWish,
    pub diff: bool,
    pub check: bool,
    pub secrets: Secrets,
}

impl UpgradeValues {
    /// The task of `upgrade-values --remove --apply --rollback-on-failure`, which another plan has checked. With a name, it
    /// is that of this release.
    pub(crate) fn of_release(name: Option<String>, chart: Option<PathBuf>, secrets: Secrets) -> Self {
        Self {
            act: ValuesAct::Remove,
            wish: values::ValuesWish::default(),
            istio: IstioWish::default(),
            source: ValuesInput::Release { name, revision: None },
            destination: ValuesDestination::Helm(HelmFailure::RollsBack),
            caution: Caution::Forced,
            edition: None,
            chart_alias: None,
            to_version: None,
            chart,
            proof: ProofWish::Rendered,
            diff: false,
            check: false,
            secrets,
        }
    }

    /// What the command line says about the chart.
    pub(crate) fn chart_wish(&self) -> ChartWish<'_> {
        ChartWish { edition: self.edition, alias: self.chart_alias.as_deref() }
    }
}

/// Whether Istio's settings are added or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValuesAct {
    Merge,
    /// Removes them: `--remove`.
    Remove,
    /// Restores auto-mTLS as it was in this revision. There is no flag for it: setup rolls back a change that a test
    /// request proved wrong.
    AutoMtlsBack {
        to: u64,
    },
}

/// How the effect of the changes is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProofWish {
    /// By the templates of the chart, if it is there.
    Templates,
    /// By what Helm renders: `--prove`, and with `--apply`.
    Rendered,
}

/// The source of the values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ValuesInput {
    /// The release's record; without a name, that of Gloo's chart.
    Release { name: Option<String>, revision: Option<u64> },
    /// Files with values or manifests that have some, or `-` for stdin: `--values`. `home` names the manifest that
    /// has them, as `KIND/NAME` or `KIND/NAMESPACE/NAME`: `--home`.
    Files { paths: Vec<PathBuf>, home: Option<String> },
}

/// The destination of the values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ValuesDestination {
    Stdout,
    /// The file that was read: `--write`.
    InPlace,
    /// Another file: `--output-file`.
    NewFile(PathBuf),
    /// Helm: `--apply`.
    Helm(HelmFailure),
}

/// What happens to the release if an upgrade fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HelmFailure {
    /// The release stays in the state failed.
    Stays,
    /// The release is rolled back: `--rollback-on-failure`.
    RollsBack,
}
