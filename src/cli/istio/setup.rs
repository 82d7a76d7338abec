//! `gloo-rs istio setup`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::verify::check_host_and_path;
use crate::cli::help;
use crate::cli::preview::LivePreviewArgs;
use crate::error::Failure;
use crate::options::{Bringer, Command, RequestWish, SettingsSwitches, Setup, SetupProof, Strictness};
use crate::plan::policy::Caution;
use crate::text::proxy_name;

/// Go from a plain gateway to mutual TLS, step by step
///
/// Puts the sidecars beside the gateway, enrolls namespaces, makes Upstreams speak mutual TLS and, if asked, lets the
/// pods take nothing else: a numbered plan, asked about once. A step that fails is rolled back and ends the run; the
/// same command goes on from there.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag as it was typed; options() gives it a meaning")]
#[command(after_help = help::istio::SETUP)]
pub(crate) struct SetupArgs {
    /// A namespace to bring into the mesh; can be repeated
    #[arg(long = "namespace-to-enroll", value_name = "NS", value_delimiter = ',')]
    namespaces: Vec<String>,
    /// An Upstream that is to speak mutual TLS: NAME or NAMESPACE/NAME; can be repeated
    #[arg(short, long = "upstream", value_name = "UPSTREAM", value_delimiter = ',')]
    upstreams: Vec<String>,
    /// How the sidecars come [default: helm, if a release owns the gateway and helm is on PATH]
    #[arg(long, value_name = "WAY")]
    via: Option<ViaArg>,
    /// The istiod, by revision or tag [default: what is there already, or the only one]
    #[arg(long, value_name = "REVISION|TAG")]
    revision: Option<String>,
    /// Gloo's chart, packed or as a directory, for --via helm [default: of its repository]
    #[arg(long, value_name = "PATH")]
    chart: Option<PathBuf>,
    /// Turn auto-mTLS on in Settings; Upstreams need no setting of their own then
    #[arg(long)]
    auto_mtls: bool,
    /// Let the pods of the enrolled namespaces take mutual TLS alone
    #[arg(long, requires = "namespaces")]
    strict: bool,
    /// The gateway proxy that gets the sidecars without Helm, and that the requests go through
    /// [default: gateway-proxy, or the only one]
    #[arg(long, value_name = "NAME", verbatim_doc_comment)]
    name: Option<String>,
    /// The host to ask for, where it is one Upstream [default: that of a route to it]
    #[arg(long, value_name = "HOST", requires = "upstreams")]
    host: Option<String>,
    /// The path to ask for, where it is one Upstream [default: that of the route, or /get]
    #[arg(long, value_name = "PATH", requires = "upstreams")]
    path: Option<String>,
    /// Send no requests to the Upstreams to see that they go over mutual TLS
    #[arg(long, conflicts_with_all = ["host", "path"])]
    no_verify: bool,
    /// Proceed although requests that are answered now would get 503s in the end
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    preview: LivePreviewArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ViaArg {
    Helm,
    Inject,
}

impl SetupArgs {
    pub(crate) fn options(self) -> Result<Command, Failure> {
        let mut namespaces = Vec::new();
        for namespace in self.namespaces {
            super::names::check_namespace("--namespace-to-enroll", &namespace)?;
            if !namespaces.contains(&namespace) {
                namespaces.push(namespace);
            }
        }
        if let Some(revision) = &self.revision {
            super::names::check_namespace("--revision", revision)?;
        }
        let mut upstreams = Vec::new();
        for upstream in &self.upstreams {
            let named = super::names::named("--upstream", upstream)?;
            if !upstreams.contains(&named) {
                upstreams.push(named);
            }
        }
        check_host_and_path(self.host.as_deref(), self.path.as_deref())?;
        if upstreams.len() > 1 && (self.host.is_some() || self.path.is_some()) {
            return Err(Failure::usage("--host and --path are those of a request to one Upstream")
                .hint("the same command for each of the Upstreams, or --no-verify and then gloo-rs istio verify"));
        }
        Ok(Command::Setup(Setup {
            proxy: self.name.as_deref().map(proxy_name::parse).transpose()?,
            request: RequestWish { host: self.host, path: self.path },
            namespaces,
            upstreams,
            via: self.via.map(|via| match via {
                ViaArg::Helm => Bringer::Helm,
                ViaArg::Inject => Bringer::Inject,
            }),
            revision: self.revision,
            chart: self.chart,
            auto_mtls: if self.auto_mtls { SettingsSwitches::On } else { SettingsSwitches::Alone },
            strictness: if self.strict { Strictness::Strict } else { Strictness::AsItIs },
            proof: if self.no_verify { SetupProof::Skipped } else { SetupProof::Sent },
            caution: if self.force { Caution::Forced } else { Caution::Careful },
            preview: self.preview.preview(),
            secrets: self.preview.secrets(),
        }))
    }
}
