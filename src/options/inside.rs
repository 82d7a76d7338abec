//! What the commands that look into Envoy are told.

use super::ProxyPods;
use crate::envoy::admin::StatsWish;

/// `proxy stats`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsTask {
    pub pods: ProxyPods,
    pub wish: StatsWish,
}
