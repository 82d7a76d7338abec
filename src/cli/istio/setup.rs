//! `gloo-rs istio setup`.

use std::path::PathBuf;

use clap::{ArgGroup, ValueEnum};

use super::verify::check_host_and_path;
use crate::cli::help;
use crate::cli::observe::ObserveArgs;
use crate::cli::preview::LivePreviewArgs;
use crate::command::{flag, gloo_rs};
use crate::error::Failure;
use crate::options::{
    Bringer, Command, MeshMode, PodsOf, RequestWish, SettingsSwitches, Setup, SetupProof, Strictness,
};
use crate::plan::policy::Caution;
use crate::text::{GatewayName, proxy_name};

/// Set up mutual TLS for a plain gateway, step by step
///
/// Adds the sidecars to the gateway, enrolls namespaces, turns on mutual TLS for Upstreams and, with --strict, makes the
/// pods accept nothing else. The steps are one numbered plan that you confirm once. A step that fails is rolled back and
/// ends the run. Run the same command again to continue.
///
/// With --mesh ambient, ztunnel carries what the gateway sends, and no Upstream is changed. The requests are then sent
/// once the pods accept only mutual TLS, because before that no answer shows what ztunnel sends.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag as it was typed; options() gives it a meaning")]
#[command(after_help = help::istio::SETUP, group = ArgGroup::new("asked").args(["upstreams", "gateway"]).multiple(true))]
pub(crate) struct SetupArgs {
    /// Add this namespace to the mesh; can be repeated
    #[arg(long = "namespace-to-enroll", value_name = "NS", value_delimiter = ',')]
    namespaces: Vec<String>,
    /// Turn on mutual TLS for this Upstream: NAME or NAMESPACE/NAME; can be repeated
    #[arg(short, long = "upstream", value_name = "UPSTREAM", value_delimiter = ',')]
    upstreams: Vec<String>,
    /// Use this kind of mesh: with sidecars, or with a ztunnel on each node
    #[arg(long, value_name = "MODE", default_value = "sidecar")]
    mesh: MeshArg,
    /// Add the sidecars this way [default: helm, if a release owns the gateway and helm is on PATH]
    #[arg(long, value_name = "WAY", conflicts_with = "gateway")]
    via: Option<ViaArg>,
    /// Use this istiod, by revision or tag [default: the one in use, or the only one]
    #[arg(long, value_name = "REVISION|TAG")]
    revision: Option<String>,
    /// Use this chart for --via helm: Gloo's, packed or as a directory [default: the published one]
    #[arg(long, value_name = "PATH")]
    chart: Option<PathBuf>,
    /// Turn auto-mTLS on in Settings; Upstreams then need no setting of their own
    #[arg(long)]
    auto_mtls: bool,
    /// Require mutual TLS; the pods of the enrolled namespaces accept nothing else
    #[arg(long, requires = "namespaces")]
    strict: bool,
    /// Use this gateway proxy; for the sidecars, without Helm, and for the requests
    /// [default: gateway-proxy, or the only one]
    #[arg(long, value_name = "NAME", verbatim_doc_comment)]
    name: Option<String>,
    /// Use the proxy of this Gateway; of the Kubernetes Gateway API, -n is then its namespace
    #[arg(long, value_name = "NAME", conflicts_with = "name")]
    gateway: Option<String>,
    /// Send the request to this host; needs a single Upstream, or --gateway [default: the host of a route to it]
    #[arg(long, value_name = "HOST", requires = "asked")]
    host: Option<String>,
    /// Send the request to this path; needs a single Upstream, or --gateway [default: the path of the route, or /get]
    #[arg(long, value_name = "PATH", requires = "asked")]
    path: Option<String>,
    /// Skip the requests that verify mutual TLS
    #[arg(long, conflicts_with_all = ["host", "path"])]
    no_verify: bool,
    /// Proceed even if requests would get 503s; in the end, those that work now
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    observe: ObserveArgs,
    #[command(flatten)]
    preview: LivePreviewArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MeshArg {
    Sidecar,
    Ambient,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ViaArg {
    Helm,
    Inject,
}

impl SetupArgs {
    pub(crate) fn options(self) -> Result<Command, Failure> {
        let of_sidecars = [
            ("--via", self.via.is_some()),
            ("--revision", self.revision.is_some()),
            ("--chart", self.chart.is_some()),
            ("--auto-mtls", self.auto_mtls),
        ];
        if let Some((flag, _)) = of_sidecars.iter().find(|(_, is_typed)| *is_typed && self.mesh == MeshArg::Ambient) {
            return Err(Failure::usage(format!("{flag} is about sidecars, and --mesh ambient has none")));
        }
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
        let is_asked = !upstreams.is_empty() || self.gateway.is_some();
        if self.mesh == MeshArg::Ambient && !self.strict && is_asked && !self.no_verify {
            return Err(Failure::usage(
                "--mesh ambient sends a request only after the pods accept nothing but mutual TLS",
            )
            .hint(flag("--strict").text(" makes them so, ").flag("--no-verify").text(" sends none")));
        }
        if self.gateway.is_some() && upstreams.is_empty() && self.host.is_none() && !self.no_verify {
            return Err(Failure::usage("--gateway without --upstream needs the host of a request")
                .hint(flag("--host").text(" HOST is that of a route, ").flag("--no-verify").text(" sends none")));
        }
        if upstreams.len() > 1 && (self.host.is_some() || self.path.is_some()) {
            return Err(Failure::usage("--host and --path need a single Upstream").hint(
                gloo_rs("istio verify").after("run the command for each Upstream, or use --no-verify and then "),
            ));
        }
        Ok(Command::Setup(Setup {
            proxy: match (&self.gateway, &self.name) {
                (Some(gateway), _) => Some(PodsOf::Gateway(GatewayName::parse(gateway)?)),
                (None, Some(name)) => Some(PodsOf::Named(proxy_name::parse(name)?)),
                (None, None) => None,
            },
            request: RequestWish { host: self.host, path: self.path },
            namespaces,
            upstreams,
            mesh: match self.mesh {
                MeshArg::Sidecar => MeshMode::Sidecars,
                MeshArg::Ambient => MeshMode::Ambient,
            },
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
            observation: self.observe.single(None)?,
            preview: self.preview.preview(),
            secrets: self.preview.secrets(),
        }))
    }
}
