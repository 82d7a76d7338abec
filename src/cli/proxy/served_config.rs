//! `gloo-rs proxy served-config`.

use clap::ValueEnum;

use super::pods::PodsArgs;
use crate::cli::{help, istio::names};
use crate::command::flag;
use crate::error::Failure;
use crate::gloo::{ServedFilter, ServedSection};
use crate::options::{Against, Command, ServedTask};
use crate::plan::proxy_pods::PodAmount;
use crate::render::diff::Secrets;

/// Print the configuration that Gloo serves to a gateway proxy
///
/// Uses the xDS role in the proxy's own bootstrap. With --diff: shows where Envoy has less, more or
/// something different, and what it rejected and why.
///
/// --port shows listeners and their routes. --domain shows the virtual hosts that may serve a host.
/// --upstream shows its cluster, its endpoints and the virtual hosts that lead to it.
#[derive(Debug, clap::Args)]
#[command(after_help = help::proxy::SERVED_CONFIG)]
pub(crate) struct ServedArgs {
    /// The types of resources to print [default: all]
    #[arg(value_name = "TYPE")]
    types: Vec<Type>,
    #[command(flatten)]
    pods: PodsArgs,
    /// Print what is served to this xDS role; such as gloo-system~gateway-proxy
    #[arg(long, value_name = "ROLE", conflicts_with_all = ["name", "gateway"])]
    role: Option<String>,
    /// Print only listeners on this port, and their routes
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Print only virtual hosts that may serve this host
    #[arg(long, value_name = "HOST")]
    domain: Option<String>,
    /// Print only what belongs to this Upstream: NAME or NAMESPACE/NAME
    #[arg(long, value_name = "NAME")]
    upstream: Option<String>,
    /// Compare it with what Envoy has
    #[arg(long, conflicts_with_all = ["port", "domain", "upstream", "show_secrets"])]
    diff: bool,
    /// With --diff: exit with code 3 if they differ
    #[arg(long, requires = "diff")]
    check: bool,
    /// Show possible secrets instead of ***
    #[arg(long)]
    show_secrets: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Type {
    Listeners,
    Routes,
    Clusters,
    Endpoints,
}

impl ServedArgs {
    pub(crate) fn options(self, usual_namespace: &str) -> Result<Command, Failure> {
        let pods = self.pods.options()?;
        if pods.amount == PodAmount::All && !self.diff {
            return Err(Failure::usage("what is served is the same for every pod of a proxy")
                .hint(flag("--all-pods").text(" with --diff compares each pod with it")));
        }
        if self.role.is_some() && self.diff {
            return Err(Failure::usage("--diff needs a proxy, and --role does not name one")
                .hint(flag("--name").text(" or --gateway")));
        }
        let upstream = self.upstream.as_deref().map(|text| names::named("--upstream", text)).transpose()?;
        let upstream =
            upstream.map(|named| (named.namespace.unwrap_or_else(|| usual_namespace.to_owned()), named.name));
        let sections = self.types.iter().map(|kind| match kind {
            Type::Listeners => ServedSection::Listeners,
            Type::Routes => ServedSection::Routes,
            Type::Clusters => ServedSection::Clusters,
            Type::Endpoints => ServedSection::Endpoints,
        });
        let filter = ServedFilter { sections: sections.collect(), port: self.port, domain: self.domain, upstream };
        let against = match (self.diff, self.check) {
            (false, _) => Against::Nothing,
            (true, false) => Against::Envoy,
            (true, true) => Against::EnvoyChecked,
        };
        let secrets = if self.show_secrets { Secrets::Shown } else { Secrets::Masked };
        Ok(Command::Served(ServedTask { pods, role: self.role, filter, against, secrets }))
    }
}
