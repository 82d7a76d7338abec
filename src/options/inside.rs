//! What the commands that look into Envoy are told.

use std::path::PathBuf;
use std::time::Duration;

use super::ProxyPods;
use crate::envoy::admin::StatsWish;
use crate::envoy::dump::DumpSection;
use crate::envoy::{levels, view};
use crate::gloo::ServedFilter;
use crate::render::diff::Secrets;

/// `proxy stats`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatsTask {
    pub pods: ProxyPods,
    pub wish: StatsWish,
}

/// `proxy logs`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogsTask {
    pub pods: ProxyPods,
    /// None: Envoy's.
    pub container: Option<String>,
    pub extent: LogExtent,
    pub since: Option<Duration>,
    pub tail: Option<u64>,
    /// The levels of Envoy's loggers meanwhile.
    pub level: Option<levels::LevelWish>,
}

/// How much of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogExtent {
    /// What is there.
    SoFar,
    /// And what comes: `--follow`, or for the time of `--for`.
    Followed { limit: Option<Duration> },
}

/// `proxy served-config`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServedTask {
    pub pods: ProxyPods,
    /// None: the one in the proxy's own bootstrap.
    pub role: Option<String>,
    pub filter: ServedFilter,
    pub against: Against,
    pub secrets: Secrets,
}

/// What it is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Against {
    Nothing,
    /// `--diff`
    Envoy,
    /// `--diff --check`: a difference is an exit code too.
    EnvoyChecked,
}

/// `proxy dump`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DumpTask {
    pub source: DumpSource,
    /// None: Envoy's own bytes.
    pub view: Option<DumpView>,
}

/// Where a dump is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DumpSource {
    Pods(ProxyPods),
    /// A dump, a snapshot, or `-`.
    File(PathBuf),
}

/// A table of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DumpView {
    pub section: DumpSection,
    pub filter: view::ViewFilter,
}

/// `proxy snapshot`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SnapshotTask {
    pub pods: ProxyPods,
    pub endpoints: Endpoints,
    /// None: a name of its own, in the working directory.
    pub file: Option<PathBuf>,
}

/// Whether endpoints are in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoints {
    Included,
    LeftOut,
}

/// `proxy certs`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CertsTask {
    pub pods: ProxyPods,
    /// Days that every certificate is to be valid for.
    pub fail_under: Option<i64>,
}
