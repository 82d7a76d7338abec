//! `gloo-rs upgrade-values`.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::help;
use crate::error::Failure;
use crate::options::{
    Command, Global, HelmFailure, ProofWish, UpgradeValues, ValuesAct, ValuesDestination, ValuesInput,
};
use crate::plan::policy::Caution;
use crate::plan::values::{Edition, Switch, ValuesWish};
use crate::render::diff::Secrets;

/// Merge Istio's settings into the release's Helm values
///
/// Reads the user-supplied values of the Helm release that installed Gloo, merges Istio's settings in
/// and prints all values for helm upgrade -f. Values that you set explicitly are kept. Nothing else changes.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag as it was typed; options() gives it a meaning")]
#[command(after_help = help::UPGRADE_VALUES)]
pub(super) struct UpgradeValuesArgs {
    /// Use this release [default: the one of Gloo's chart in the namespace]
    #[arg(long, value_name = "NAME", conflicts_with = "values")]
    release: Option<String>,
    /// Use this revision of the release [default: the deployed one]
    #[arg(long, value_name = "N", conflicts_with = "values")]
    release_revision: Option<u64>,
    /// Use this edition of the chart [default: auto, by the chart or by keys that only one edition has]
    #[arg(long, value_name = "EDITION", default_value = "auto", hide_default_value = true)]
    edition: EditionArg,
    /// Use the values below this key: the name or alias of Gloo's chart in a chart of your own [default: by its Chart.yaml]
    #[arg(long, value_name = "NAME")]
    chart_alias: Option<String>,
    #[arg(long, value_name = "FILE|-", help = VALUES_HELP)]
    values: Vec<PathBuf>,
    /// With --values: edit this manifest; the values of KIND/NAME [default: the one of Gloo's chart]
    #[arg(long, value_name = "HOME", requires = "values")]
    home: Option<String>,
    /// With --values: edit files in place
    #[arg(long, requires = "values", conflicts_with = "output_file")]
    write: bool,
    /// Write to a new file, not to stdout; only you can read it
    #[arg(short = 'O', long, value_name = "FILE")]
    output_file: Option<PathBuf>,
    /// Change this gateway proxy: its key, the name of its Deployment, or kubeGateway for all proxies of the Gateway
    /// API; can be repeated [default: all]
    #[arg(long = "proxy", value_name = "NAME", value_delimiter = ',')]
    proxies: Vec<String>,
    #[command(flatten)]
    istiod: super::istio::istiod::IstiodArgs,
    /// Turn auto-mTLS on; even if the values turn it off
    #[arg(long, overrides_with = "no_auto_mtls")]
    auto_mtls: bool,
    /// Turn auto-mTLS off
    #[arg(long, overrides_with = "auto_mtls")]
    no_auto_mtls: bool,
    /// Turn the deprecated istioSDS on
    #[arg(long, overrides_with = "no_sds")]
    sds: bool,
    /// Turn the deprecated istioSDS off
    #[arg(long, overrides_with = "sds")]
    no_sds: bool,
    /// Remove Istio's settings
    #[arg(long, conflicts_with_all = ["auto_mtls", "no_auto_mtls", "sds", "no_sds", "revision",
        "istio_discovery_address", "istio_meta_mesh_id", "istio_meta_cluster_id", "istio_proxy_image"])]
    remove: bool,
    /// Upgrade to this version of the chart [default: the installed one]
    #[arg(long, value_name = "VERSION")]
    to_version: Option<String>,
    /// Use this chart; packed or as a directory: values that it does not use are reported, and helm gets it
    /// [default: the published one]
    #[arg(long, value_name = "FILE.tgz|DIR", verbatim_doc_comment)]
    chart: Option<PathBuf>,
    /// Render the chart before and after; with your own helm, and show the gateways' settings; on with --apply
    #[arg(long)]
    prove: bool,
    /// Upgrade the release; with your own helm, then wait for the gateways and verify the sidecars
    #[arg(long, conflicts_with_all = ["values", "write", "output_file", "diff", "check"])]
    apply: bool,
    /// With --apply: proceed despite 503s; even if requests would or may get them
    #[arg(long, requires = "apply")]
    force: bool,
    /// With --apply: roll back if it fails; Helm does it
    #[arg(long, requires = "apply")]
    rollback_on_failure: bool,
    /// Print the change as a unified diff
    #[arg(long, conflicts_with_all = ["write", "output_file"])]
    diff: bool,
    /// Exit 3 if something would change; print nothing
    #[arg(long, conflicts_with_all = ["write", "output_file"])]
    check: bool,
    /// Show secrets in a diff; not ***
    #[arg(long)]
    show_secrets: bool,
}

/// Not a doc comment, where the names would need backticks.
const VALUES_HELP: &str =
    "Read values from files: values, or a manifest of Argo CD, Flux, k3s, Kustomize; can be repeated; - is stdin";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum EditionArg {
    Auto,
    #[value(alias = "oss")]
    OpenSource,
    Enterprise,
}

impl UpgradeValuesArgs {
    pub(super) fn options(self, global: &Global) -> Result<Command, Failure> {
        self.validate(global)?;
        let switch = |on: bool, off: bool| match (on, off) {
            (true, _) => Switch::On,
            (_, true) => Switch::Off,
            _ => Switch::NotTyped,
        };
        let wish = ValuesWish {
            auto_mtls: switch(self.auto_mtls, self.no_auto_mtls),
            sds: switch(self.sds, self.no_sds),
            proxies: self.proxies,
        };
        let destination = match (self.write, self.output_file) {
            _ if self.apply => ValuesDestination::Helm(match self.rollback_on_failure {
                true => HelmFailure::RollsBack,
                false => HelmFailure::Stays,
            }),
            (true, _) => ValuesDestination::InPlace,
            (_, Some(file)) => ValuesDestination::NewFile(file),
            _ => ValuesDestination::Stdout,
        };
        Ok(Command::UpgradeValues(UpgradeValues {
            act: if self.remove { ValuesAct::Remove } else { ValuesAct::Merge },
            wish,
            istio: self.istiod.options()?,
            source: match self.values.is_empty() {
                false => ValuesInput::Files { paths: self.values, home: self.home },
                true => ValuesInput::Release { name: self.release, revision: self.release_revision },
            },
            destination,
            caution: if self.force { Caution::Forced } else { Caution::Careful },
            edition: match self.edition {
                EditionArg::Auto => None,
                EditionArg::OpenSource => Some(Edition::OpenSource),
                EditionArg::Enterprise => Some(Edition::Enterprise),
            },
            chart_alias: self.chart_alias,
            to_version: self.to_version,
            chart: self.chart,
            proof: if self.prove || self.apply { ProofWish::Rendered } else { ProofWish::Templates },
            diff: self.diff,
            check: self.check,
            secrets: if self.show_secrets { Secrets::Shown } else { Secrets::Masked },
        }))
    }

    fn validate(&self, global: &Global) -> Result<(), Failure> {
        if let Some(release) = &self.release {
            super::istio::names::check_namespace("--release", release)?;
        }
        if self.release_revision == Some(0) {
            return Err(Failure::usage("--release-revision 0: revisions start at 1"));
        }
        for proxy in &self.proxies {
            super::istio::names::check_word("--proxy", proxy)?;
        }
        if let Some(alias) = &self.chart_alias {
            super::istio::names::check_word("--chart-alias", alias)?;
        }
        if let Some(version) = &self.to_version {
            super::istio::names::check_word("--to-version", version)?;
        }
        if self.apply && global.as_uid.is_some() {
            return Err(
                Failure::usage("--as-uid: helm cannot act with a UID").hint("without --apply the values are printed")
            );
        }
        if let Some(home) = &self.home
            && !matches!(home.split('/').collect::<Vec<_>>()[..], [kind, name] | [kind, _, name] if !kind.is_empty() && !name.is_empty())
        {
            let message = format!("--home {home:?}: not KIND/NAME or KIND/NAMESPACE/NAME");
            return Err(Failure::usage(message).hint("for example application/gloo or helmrelease/gloo-system/gloo"));
        }
        let is_stdin = self.values.iter().any(|file| file == Path::new("-"));
        if self.write && is_stdin {
            return Err(
                Failure::usage("--write cannot write to stdin").hint("without --write the result is printed on stdout")
            );
        }
        Ok(())
    }
}
