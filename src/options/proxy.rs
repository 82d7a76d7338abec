//! Where the gateway is.

use super::Patience;
use crate::plan::address::AddressWish;

/// `proxy url`, `proxy address`.
#[derive(Debug, Clone)]
pub(crate) struct ProxyTask {
    pub form: AddressForm,
    pub target: ProxyTarget,
    pub wish: AddressWish,
    pub patience: Patience,
}

/// Which of the two commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressForm {
    Url,
    Address,
}

/// Which proxy: names that were checked, so that they are safe in a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProxyTarget {
    /// `--name`
    Service(String),
    /// `--gateway`: a Gateway of the Kubernetes Gateway API, and the Service that Gloo makes for it.
    Gateway { gateway: String, service: String },
}
