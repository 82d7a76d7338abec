//! The source of each value, shown before anything is written.

use crate::plan::sidecars::Provenance;

/// One line for each value: `istio-proxy   docker.io/istio/proxyv2:1.28.3 (istiod)`.
pub(crate) fn lines(values: &[Provenance]) -> Vec<String> {
    let width = values.iter().map(|value| value.what.len()).max().unwrap_or_default();
    values.iter().map(|value| format!("{:width$}  {} ({})", value.what, value.value, value.source.shown())).collect()
}
