//! The kinds of names that a shell completes.

/// A kind of named object in the cluster, or a context in the kubeconfig.
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
    /// The revisions of istiod and their tags.
    Revisions,
    /// The releases of Helm.
    Releases,
    /// The workloads of a namespace that can be restarted: `deployment/cart`.
    Workloads,
    /// The hosts of `VirtualServices` and `HTTPRoutes`.
    Hosts,
}
