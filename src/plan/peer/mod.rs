//! What the pods accept: the `PeerAuthentication` that applies to a workload's port.

pub(crate) mod change;
pub(crate) mod exceptions;
pub(crate) mod ignored;
pub(crate) mod mode;
pub(crate) mod report;
mod scope;

use serde_json::Value;

pub use mode::{Effective, Mode};
pub(crate) use mode::{PORT_UNKNOWN, Policies, PolicyRef, PolicySource, is_set, mode, port_modes, selector};

/// The traffic that is checked against the mode of the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    Plaintext,
    MutualTls,
}

impl Sent {
    /// Returns the mode of a peer that does not accept it.
    pub(crate) fn refused_by(self) -> Mode {
        match self {
            Self::Plaintext => Mode::Strict,
            Self::MutualTls => Mode::Disable,
        }
    }
}

/// Returns the mesh's root namespace from the mesh configuration in these `ConfigMap`s. If they differ, it returns
/// Istio's usual one if it is among them.
pub(crate) fn root_namespace<'v>(config_maps: impl IntoIterator<Item = &'v Value>) -> Option<String> {
    let names = config_maps.into_iter().filter_map(|map| {
        let mesh = crate::yaml::parse(map["data"]["mesh"].as_str()?).ok()?;
        Some(mesh["rootNamespace"].as_str()?.to_owned())
    });
    names.min_by_key(|name| name != "istio-system")
}
