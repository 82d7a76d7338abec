//! The switches of Gloo's Settings that Istio's mutual TLS depends on.

use serde_json::Value;

/// The path of the switches.
pub(super) const OPTIONS: [&str; 3] = ["spec", "gloo", "istioOptions"];
/// The names of the switches.
pub(super) const SWITCHES: [&str; 2] = ["enableIntegration", "enableAutoMtls"];

/// The switches. A missing switch is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Switches {
    pub integration: bool,
    pub auto_mtls: bool,
}

pub(crate) fn switches(settings: &Value) -> Switches {
    let options = &settings["spec"]["gloo"]["istioOptions"];
    let [integration, auto_mtls] = SWITCHES.map(|switch| options[switch] == true);
    Switches { integration, auto_mtls }
}
