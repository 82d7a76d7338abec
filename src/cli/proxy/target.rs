//! Which proxy, which port, which of its addresses: the flags of `proxy url` and `proxy address`.

use clap::ValueEnum;

use crate::error::Failure;
use crate::options::{AddressForm, Command, Patience, ProxyTarget, ProxyTask};
use crate::plan::address::{AddressReach, AddressWish, Amount, Prefer};
use crate::text::{GatewayName, proxy_name};

#[derive(Debug, clap::Args)]
pub(crate) struct TargetArgs {
    /// Use this proxy: NAME, svc/NAME, deployment/NAME or daemonset/NAME
    #[arg(long, value_name = "NAME", default_value = "gateway-proxy")]
    name: String,
    /// Use the proxy of this Gateway; of the Kubernetes Gateway API, without -n in all namespaces
    #[arg(long, value_name = "NAME", conflicts_with = "name")]
    gateway: Option<String>,
    /// Use this port of the Service, by name or number [default: http, or the only one]
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// Print a node's address and the node port; for any type of Service
    #[arg(short, long)]
    local_cluster: bool,
    /// Accepted for glooctl's sake: the node is found by its pods
    #[arg(short = 'p', long, value_name = "NAME", hide = true)]
    local_cluster_name: Option<String>,
    /// Print this kind of address first [default: as the cluster lists them]
    #[arg(long, value_name = "WHICH")]
    prefer: Option<Which>,
    /// Print every address, one per line
    #[arg(long)]
    all: bool,
    /// Wait until there is an address; at most --wait-timeout
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    Ip,
    Hostname,
}

impl TargetArgs {
    pub(crate) fn options(self, form: AddressForm) -> Result<Command, Failure> {
        let target = match self.gateway {
            Some(gateway) => ProxyTarget::Gateway(GatewayName::parse(&gateway)?),
            None => ProxyTarget::Service(proxy_name::parse(&self.name)?.service_name()?.to_owned()),
        };
        if self.port.as_deref() == Some("") {
            return Err(Failure::usage("--port is empty").hint("leave the flag out to take http, or the only port"));
        }
        Ok(Command::Proxy(ProxyTask {
            form,
            target,
            wish: AddressWish {
                port: self.port,
                reach: if self.local_cluster { AddressReach::NodePort } else { AddressReach::ServiceType },
                prefer: match self.prefer {
                    None => Prefer::AsListed,
                    Some(Which::Ip) => Prefer::Ip,
                    Some(Which::Hostname) => Prefer::Hostname,
                },
                amount: if self.all { Amount::All } else { Amount::One },
            },
            patience: if self.wait { Patience::Wait } else { Patience::Now },
        }))
    }
}
