//! The switches of Gloo's Settings that Istio's mutual TLS depends on.

use serde_json::Value;

/// Where they stand.
pub(super) const OPTIONS: [&str; 3] = ["spec", "gloo", "istioOptions"];
/// Their names.
pub(super) const SWITCHES: [&str; 2] = ["enableIntegration", "enableAutoMtls"];

/// The switches as they stand; absent is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Switches {
    pub integration: bool,
    pub auto_mtls: bool,
}

/// Reads the switches.
pub(crate) fn switches(settings: &Value) -> Switches {
    let options = &settings["spec"]["gloo"]["istioOptions"];
    let [integration, auto_mtls] = SWITCHES.map(|switch| options[switch] == true);
    Switches { integration, auto_mtls }
}
