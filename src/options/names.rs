//! What a shell completes the names of.

/// Things with names that a cluster, or for contexts the kubeconfig, has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    Contexts,
    Namespaces,
    Upstreams,
    /// Workloads of gateway proxies.
    Proxies,
    /// Services of gateway proxies.
    Services,
    /// Gateways of the Kubernetes Gateway API.
    Gateways,
    /// istiod's revisions and their tags.
    Revisions,
    /// Helm's.
    Releases,
}
