//! Which proxy, and which of its pods: what every command that looks into Envoy is told.

use crate::plan::proxy_pods::{PodAmount, Which};
use crate::text::ProxyName;

/// Pods of one proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProxyPods {
    pub proxy: PodsOf,
    pub amount: PodAmount,
    pub which: Which,
}

/// Which proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PodsOf {
    /// `--name`: a workload or a pod; without a kind, whichever of that name there is first.
    Named(ProxyName),
    /// `--gateway`: a Gateway of the Kubernetes Gateway API, and the Deployment that Gloo makes for it.
    Gateway { gateway: String, deployment: String },
}
