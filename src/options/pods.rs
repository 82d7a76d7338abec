//! The proxy and its pods, for every command that reads from Envoy.

use crate::plan::proxy_pods::{PodAmount, Which};
use crate::text::{GatewayName, ProxyName};

/// The selected pods of one proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProxyPods {
    pub proxy: PodsOf,
    pub amount: PodAmount,
    pub which: Which,
}

/// The selected proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PodsOf {
    /// A workload or a pod: `--name`. Without a kind, the first kind in which that name exists.
    Named(ProxyName),
    /// The Deployment that Gloo creates for a Gateway: `--gateway`.
    Gateway(GatewayName),
}
