//! Which proxy and which of its pods: the flags of every command that looks into Envoy.

use crate::error::Failure;
use crate::options::{PodsOf, ProxyPods};
use crate::plan::proxy_pods::{PodAmount, Which};
use crate::text::{GatewayName, proxy_name};

#[derive(Debug, clap::Args)]
pub(crate) struct PodsArgs {
    /// Use this proxy: NAME, deployment/NAME, daemonset/NAME or pod/NAME
    #[arg(long, value_name = "NAME", default_value = "gateway-proxy")]
    name: String,
    /// Use the proxy of this Gateway; of the Kubernetes Gateway API, without -n in all namespaces
    #[arg(long, value_name = "NAME", conflicts_with = "name")]
    gateway: Option<String>,
    /// Use every pod, instead of one ready pod
    #[arg(long)]
    all_pods: bool,
}

impl PodsArgs {
    pub(crate) fn options(&self) -> Result<ProxyPods, Failure> {
        let proxy = match &self.gateway {
            Some(gateway) => PodsOf::Gateway(GatewayName::parse(gateway)?),
            None => PodsOf::Named(proxy_name::parse(&self.name)?),
        };
        let amount = if self.all_pods { PodAmount::All } else { PodAmount::One };
        Ok(ProxyPods { proxy, amount, which: Which::Running })
    }
}
