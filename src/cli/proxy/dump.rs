//! `gloo-rs proxy dump`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::pods::PodsArgs;
use crate::cli::help;
use crate::cli::istio::names;
use crate::envoy::dump::DumpSection;
use crate::envoy::view::{self, ViewFilter};
use crate::error::Failure;
use crate::options::{Command, DumpSource, DumpTask, DumpView, GLOO_SYSTEM, Global};

/// Print Envoy's config dump, or a table of what is in it
///
/// Without a view the dump, with its endpoints, is printed byte for byte as Envoy returns it, at any size. Envoy redacts keys.
/// Views mask secrets.
#[derive(Debug, clap::Args)]
#[command(after_help = help::proxy::DUMP)]
pub(crate) struct DumpArgs {
    /// The part of the dump to show [default: all of it, as Envoy returns it]
    view: Option<Which>,
    /// The only resource to show; -o json and -o yaml print all of it
    #[arg(value_name = "NAME", requires = "view")]
    resource: Option<String>,
    #[command(flatten)]
    pods: PodsArgs,
    /// Show only what uses this port: listeners, routes or endpoints
    #[arg(long, value_name = "PORT", requires = "view")]
    port: Option<u16>,
    /// Show only routes and listeners that serve this host
    #[arg(long, value_name = "HOST", requires = "view")]
    domain: Option<String>,
    /// Show only what leads to this Upstream: NAME or NAMESPACE/NAME
    #[arg(short, long, value_name = "NAME", requires = "view")]
    upstream: Option<String>,
    /// Read a file instead of a pod: a saved dump, a snapshot, or - for stdin
    #[arg(short = 'f', long = "filename", value_name = "FILE", requires = "view", conflicts_with_all = ["name", "gateway", "all_pods"])]
    file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    #[value(aliases = ["cluster", "c"])]
    Clusters,
    #[value(aliases = ["listener", "l"])]
    Listeners,
    #[value(aliases = ["route", "r"])]
    Routes,
    #[value(aliases = ["endpoint", "e"])]
    Endpoints,
    #[value(aliases = ["secret", "s"])]
    Secrets,
    #[value(alias = "b")]
    Bootstrap,
}

impl Which {
    fn section(self) -> DumpSection {
        match self {
            Self::Clusters => DumpSection::Clusters,
            Self::Listeners => DumpSection::Listeners,
            Self::Routes => DumpSection::Routes,
            Self::Endpoints => DumpSection::Endpoints,
            Self::Secrets => DumpSection::Secrets,
            Self::Bootstrap => DumpSection::Bootstrap,
        }
    }

    /// Whether a filter narrows the view.
    fn takes(self, flag: &str) -> bool {
        match flag {
            "NAME" => self != Self::Bootstrap,
            "--port" => matches!(self, Self::Listeners | Self::Routes | Self::Endpoints),
            "--domain" => matches!(self, Self::Listeners | Self::Routes),
            _ => !matches!(self, Self::Secrets | Self::Bootstrap),
        }
    }
}

impl DumpArgs {
    /// Whether a part of the dump is asked for, which is a table.
    pub(crate) fn has_view(&self) -> bool {
        self.view.is_some()
    }

    pub(crate) fn options(self, global: &Global) -> Result<Command, Failure> {
        let source = match &self.file {
            Some(path) => DumpSource::File(path.clone()),
            None => DumpSource::Pods(self.pods.options()?),
        };
        let view = self.view.map(|which| self.narrowed(which, global)).transpose()?;
        Ok(Command::Dump(DumpTask { source, view }))
    }

    fn narrowed(&self, which: Which, global: &Global) -> Result<DumpView, Failure> {
        let typed = [
            ("NAME", self.resource.is_some()),
            ("--port", self.port.is_some()),
            ("--domain", self.domain.is_some()),
            ("--upstream", self.upstream.is_some()),
        ];
        if let Some((flag, _)) = typed.iter().find(|(flag, typed)| *typed && !which.takes(flag)) {
            let which = which.section().name();
            return Err(Failure::usage(format!("{flag} does not filter {which}")));
        }
        let cluster = match &self.upstream {
            None => None,
            Some(text) => {
                let named = names::named("--upstream", text)?;
                let namespace = named.namespace.as_deref().or(global.namespace.as_deref()).unwrap_or(GLOO_SYSTEM);
                Some(view::cluster_of(namespace, &named.name))
            }
        };
        let filter = ViewFilter { name: self.resource.clone(), port: self.port, domain: self.domain.clone(), cluster };
        Ok(DumpView { section: which.section(), filter })
    }
}
