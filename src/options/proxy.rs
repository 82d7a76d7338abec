//! The options for the address of the gateway.

use super::Patience;
use crate::plan::address::AddressWish;
use crate::text::GatewayName;

/// The options of `proxy url` and `proxy address`.
#[derive(Debug, Clone)]
pub(crate) struct ProxyTask {
    pub form: AddressForm,
    pub target: ProxyTarget,
    pub wish: AddressWish,
    pub patience: Patience,
}

/// One of the two commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressForm {
    Url,
    Address,
}

/// The selected proxy. The names were checked, so that they are safe in a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProxyTarget {
    /// A Service: `--name`.
    Service(String),
    /// The Service that Gloo creates for a Gateway: `--gateway`.
    Gateway(GatewayName),
}
