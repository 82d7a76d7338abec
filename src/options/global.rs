//! What every command is told.

use crate::command::TypedTarget;
use std::path::PathBuf;
use std::time::Duration;

/// What every command is told.
#[derive(Debug, Clone)]
pub(crate) struct Global {
    pub kubeconfig: Option<PathBuf>,
    pub context: Option<String>,
    /// `-n`, if it was typed.
    pub namespace: Option<String>,
    pub gloo_namespace: Option<String>,
    pub as_user: Option<String>,
    pub as_groups: Vec<String>,
    pub as_uid: Option<String>,
    pub format: Format,
    /// One API request with its retries.
    pub timeout: Duration,
    /// Each wait: an address, a rollout.
    pub wait_timeout: Duration,
    pub colour: When,
    pub loudness: Loudness,
    pub consent: Consent,
}

/// Where Gloo is installed unless something says otherwise.
pub(crate) const GLOO_SYSTEM: &str = "gloo-system";

impl Global {
    /// The flags that select the same cluster and user in a printed command.
    #[must_use]
    pub(crate) fn target(&self) -> TypedTarget {
        TypedTarget {
            kubeconfig: self.kubeconfig.as_ref().map(|path| path.display().to_string()),
            context: self.context.clone(),
            user: self.as_user.clone(),
            groups: self.as_groups.clone(),
            uid: self.as_uid.clone(),
        }
    }

    /// The namespace of the named object: glooctl's meaning of `-n`.
    pub(crate) fn object_namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or(GLOO_SYSTEM)
    }
}

/// Whether a risky command was agreed to beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// Ask on a terminal.
    Ask,
    /// `--yes`
    Given,
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum When {
    #[default]
    Auto,
    Always,
    Never,
}

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Loudness {
    /// `-q`: errors and warnings alone.
    Quiet,
    #[default]
    Usual,
    /// `-v`: what was skipped, and every request.
    Verbose,
    /// `-vv`: and how long each took.
    Timed,
}

/// `-o`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
    Yaml,
    Name,
    Table,
    Wide,
    /// Comma-separated values, for a spreadsheet.
    Csv,
    /// For code scanning.
    Sarif,
    /// For CI servers.
    Junit,
}

impl Format {
    /// Every format there is.
    pub(crate) const ALL: [Self; 9] =
        [Self::Text, Self::Json, Self::Yaml, Self::Name, Self::Table, Self::Wide, Self::Csv, Self::Sarif, Self::Junit];
}
