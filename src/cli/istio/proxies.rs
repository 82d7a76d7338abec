//! Which gateway proxies: the flags of `inject` and `uninject`.

use std::path::PathBuf;

use crate::error::Failure;
use crate::options::Proxies;
use crate::text::{GatewayName, proxy_name};

#[derive(Debug, clap::Args)]
pub(super) struct ProxiesArgs {
    /// Change this gateway proxy: NAME, deployment/NAME or daemonset/NAME; can be repeated
    /// [default: gateway-proxy, or the only one]
    #[arg(long = "name", value_name = "NAME", value_delimiter = ',', verbatim_doc_comment)]
    names: Vec<String>,
    /// Change the proxy of this Gateway; one of the Kubernetes Gateway API, without -n in any namespace
    #[arg(long, value_name = "NAME", conflicts_with_all = ["names", "filenames"])]
    gateway: Option<String>,
    /// Use this chart, a package or a directory; for a Gateway whose settings a Helm release has
    #[arg(long, value_name = "PATH", requires = "gateway")]
    chart: Option<PathBuf>,
    /// Change all proxies of the namespace
    #[arg(long, conflicts_with_all = ["names", "gateway"])]
    all: bool,
    /// Do not wait for the rollout
    #[arg(long)]
    no_wait: bool,
}

impl ProxiesArgs {
    pub(super) fn waits(&self) -> bool {
        !self.no_wait
    }

    pub(super) fn chart(&self) -> Option<PathBuf> {
        self.chart.clone()
    }

    pub(super) fn proxies(&self) -> Result<Proxies, Failure> {
        if let Some(gateway) = &self.gateway {
            return Ok(Proxies::Gateway(GatewayName::parse(gateway)?));
        }
        if self.all {
            return Ok(Proxies::All);
        }
        if self.names.is_empty() {
            return Ok(Proxies::Usual);
        }
        let mut named = Vec::new();
        for text in &self.names {
            let name = proxy_name::parse(text)?;
            if !named.contains(&name) {
                named.push(name);
            }
        }
        Ok(Proxies::Named(named))
    }
}
