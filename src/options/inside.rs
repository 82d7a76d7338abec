//! The options of the commands that read from Envoy.

use std::path::PathBuf;
use std::time::Duration;

use super::ProxyPods;
use crate::envoy::admin::StatsWish;
use crate::envoy::dump::DumpSection;
use crate::envoy::{levels, view};
use crate::gloo::ServedFilter;
use crate::render::diff::Secrets;

/// The options of `proxy stats`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatsTask {
    pub pods: ProxyPods,
    pub wish: StatsWish,
}

/// The options of `proxy logs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogsTask {
    pub pods: ProxyPods,
    /// The container; `None` for Envoy's.
    pub container: Option<String>,
    pub extent: LogExtent,
    pub since: Option<Duration>,
    pub tail: Option<u64>,
    /// The levels of Envoy's loggers during the run.
    pub level: Option<levels::LevelWish>,
}

/// The part of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogExtent {
    /// The existing lines.
    SoFar,
    /// The existing and the new lines: `--follow`, or `--for` with a time limit.
    Followed { limit: Option<Duration> },
}

/// The options of `proxy served-config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServedTask {
    pub pods: ProxyPods,
    /// The role; `None` for the one in the proxy's own bootstrap.
    pub role: Option<String>,
    pub filter: ServedFilter,
    pub against: Against,
    pub secrets: Secrets,
}

/// What the served configuration is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Against {
    Nothing,
    /// With Envoy's loaded configuration: `--diff`.
    Envoy,
    /// `--diff --check`: a difference also sets the exit code.
    EnvoyChecked,
}

/// The options of `proxy dump`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DumpTask {
    pub source: DumpSource,
    /// The table to show; `None` for Envoy's own bytes.
    pub view: Option<DumpView>,
}

/// The source of a config dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DumpSource {
    Pods(ProxyPods),
    /// A file with a dump or a snapshot, or `-`.
    File(PathBuf),
}

/// A table of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DumpView {
    pub section: DumpSection,
    pub filter: view::ViewFilter,
}

/// The options of `proxy snapshot`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SnapshotTask {
    pub pods: ProxyPods,
    pub endpoints: Endpoints,
    /// The file; `None` for a generated name in the working directory.
    pub file: Option<PathBuf>,
}

/// Whether the configuration includes endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoints {
    Included,
    LeftOut,
}

/// The options of `proxy certs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CertsTask {
    pub pods: ProxyPods,
    /// The time that every certificate must still be valid.
    pub fail_under: Option<Duration>,
}
