//! Every check, in the order of the output. Those of glooctl come first.

use super::{
    Check, auto_mtls, certificates, control_plane, deployments, discovery, exposure, fields, gateway_api, helm,
    injection, mtls, peers, pods, proxies, references, settings, sidecars, stale, statuses,
};

/// All checks.
pub const CHECKS: &[Check] = &[
    deployments::CHECK,
    pods::CHECK,
    settings::CHECK,
    statuses::UPSTREAMS,
    statuses::UPSTREAM_GROUPS,
    statuses::AUTH_CONFIGS,
    statuses::RATE_LIMIT_CONFIGS,
    statuses::VIRTUAL_HOST_OPTIONS,
    statuses::ROUTE_OPTIONS,
    references::SECRETS,
    statuses::VIRTUAL_SERVICES,
    statuses::ROUTE_TABLES,
    references::ROUTES,
    statuses::GATEWAYS,
    proxies::CHECK,
    control_plane::ENVOYS,
    control_plane::XDS,
    gateway_api::CLASSES,
    gateway_api::GATEWAYS,
    gateway_api::ROUTES,
    fields::CHECK,
    mtls::CHECK,
    auto_mtls::CHECK,
    sidecars::CHECK,
    discovery::CHECK,
    exposure::CHECK,
    certificates::CHECK,
    helm::CHECK,
    injection::CHECK,
    stale::CHECK,
    peers::CHECK,
];

/// Whether a word of `--exclude` names a check. As in glooctl, `proxies` also excludes the Envoy statistics.
#[must_use]
pub(crate) fn is_named(check: &Check, word: &str) -> bool {
    check.word == word || (word == proxies::CHECK.word && check.word == control_plane::ENVOYS.word)
}
