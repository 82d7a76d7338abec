//! Which clusters a command works on.

use std::path::Path;

use super::{BaselineTask, CheckCommand, CheckSource, CheckTask, Command, VersionTask};

/// The clusters that a command works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClusterUse {
    /// It needs no cluster.
    Nothing,
    /// It writes, or what it prints is about one cluster.
    One,
    /// It reads, and can be asked about several clusters in one run.
    Many,
    /// It would read several clusters, but its manifests come from stdin, which can be read once.
    OneForStdin,
}

impl Command {
    /// The clusters that this command works on.
    pub(crate) fn cluster_use(&self) -> ClusterUse {
        match self {
            Self::Completion(_)
            | Self::Options
            | Self::Version(VersionTask::Client)
            | Self::Check(CheckCommand::Explain(_) | CheckCommand::Codes) => ClusterUse::Nothing,
            Self::Check(CheckCommand::Run(task)) => of_check(task),
            Self::Report(task) => of_check(task),
            Self::Describe(_)
            | Self::Revisions { .. }
            | Self::Proxy(_)
            | Self::Certs(_)
            | Self::Version(VersionTask::ClientAndServer) => ClusterUse::Many,
            _ => ClusterUse::One,
        }
    }

    /// The baseline that the command compares with or writes.
    pub(crate) fn baseline(&self) -> Option<&BaselineTask> {
        match self {
            Self::Check(CheckCommand::Run(task)) => Some(&task.baseline),
            Self::Report(task) => Some(&task.baseline),
            Self::Describe(task) => Some(&task.baseline),
            _ => None,
        }
    }
}

fn of_check(task: &CheckTask) -> ClusterUse {
    match &task.source {
        CheckSource::Files(_) => ClusterUse::Nothing,
        CheckSource::Overlay(paths) if paths.iter().any(|path| path == Path::new("-")) => ClusterUse::OneForStdin,
        CheckSource::Overlay(_) | CheckSource::Cluster => ClusterUse::Many,
    }
}
