//! `gloo-rs proxy restart`.

use crate::cli::{help, preview};
use crate::error::Failure;
use crate::options::{Command, Proxies, Restart, Rollouts};
use crate::text::{GatewayName, proxy_name};

/// Replace the pods of a gateway proxy, and verify the new ones
///
/// Needed after a change of Envoy's bootstrap, which Envoy reads only when it starts. The rollout is rolling, as for
/// kubectl rollout restart. If the new pods do not become ready, the restart is rolled back.
#[derive(Debug, clap::Args)]
#[command(after_help = help::proxy::RESTART)]
pub(crate) struct RestartArgs {
    /// Restart this gateway proxy: NAME, deployment/NAME or daemonset/NAME
    /// [default: gateway-proxy, or the only one]
    #[arg(value_name = "NAME", verbatim_doc_comment)]
    names: Vec<String>,
    /// Restart the proxy of this Gateway; of the Kubernetes Gateway API, without -n in all namespaces
    #[arg(long, value_name = "NAME", conflicts_with = "names")]
    gateway: Option<String>,
    /// Restart all gateway proxies of the namespace
    #[arg(long, conflicts_with_all = ["names", "gateway"])]
    all: bool,
    /// Do not wait for the rollout
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    preview: preview::LivePreviewArgs,
}

impl RestartArgs {
    pub(crate) fn options(self) -> Result<Command, Failure> {
        let named = self.names.iter().map(|name| proxy_name::parse(name)).collect::<Result<Vec<_>, _>>()?;
        let proxies = match (self.gateway, self.all, named.is_empty()) {
            (Some(gateway), ..) => Proxies::Gateway(GatewayName::parse(&gateway)?),
            (None, true, _) => Proxies::All,
            (None, false, true) => Proxies::Usual,
            (None, false, false) => Proxies::Named(named),
        };
        Ok(Command::Restart(Restart {
            proxies,
            rollouts: if self.no_wait { Rollouts::NoWait } else { Rollouts::Wait },
            preview: self.preview.preview(),
            secrets: self.preview.secrets(),
        }))
    }
}
