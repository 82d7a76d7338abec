//! The options of every command.

use crate::command::{Called, TypedTarget};
use std::path::PathBuf;
use std::time::Duration;

/// The options of every command.
#[derive(Debug, Clone)]
pub(crate) struct Global {
    pub kubeconfig: Option<PathBuf>,
    pub context: Option<String>,
    /// The contexts of a run over several clusters; `None` for a run on one.
    pub contexts: Option<WantedContexts>,
    /// The namespace of `-n`, if it was typed.
    pub namespace: Option<String>,
    pub gloo_namespace: Option<String>,
    pub as_user: Option<String>,
    pub as_groups: Vec<String>,
    pub as_uid: Option<String>,
    pub format: Format,
    /// The timeout of one API request with its retries.
    pub timeout: Duration,
    /// The timeout of each wait: for an address, for a rollout.
    pub wait_timeout: Duration,
    pub colour: When,
    pub loudness: Loudness,
    pub consent: Consent,
    /// The name of the program in printed commands.
    pub called: Called,
}

/// The default of Gloo's namespace.
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
            called: self.called,
        }
    }

    /// The namespaces in which Gloo may be: the flag, or that of `-n` and the usual one.
    pub(crate) fn gloo_homes(&self) -> Vec<&str> {
        match (self.gloo_namespace.as_deref(), self.namespace.as_deref()) {
            (Some(named), _) => vec![named],
            (None, Some(typed)) if typed != GLOO_SYSTEM => vec![typed, GLOO_SYSTEM],
            (None, _) => vec![GLOO_SYSTEM],
        }
    }

    /// The namespace of the named object: the meaning of `-n` in glooctl.
    pub(crate) fn object_namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or(GLOO_SYSTEM)
    }
}

/// The contexts that a run reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WantedContexts {
    /// Names and patterns, in which `*` is any text: `--contexts`.
    Named(Vec<String>),
    /// All that the kubeconfig has: `--all-contexts`.
    All,
}

/// Whether a risky command was confirmed in advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// Ask, if there is a terminal.
    Ask,
    /// Confirmed with `--yes`.
    Given,
}

/// The value of `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum When {
    #[default]
    Auto,
    Always,
    Never,
}

/// The amount of output on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Loudness {
    /// Only errors and warnings: `-q`.
    Quiet,
    #[default]
    Usual,
    /// Also skipped objects and every request: `-v`.
    Verbose,
    /// Also the duration of every request: `-vv`.
    Timed,
}

/// The output format: `-o`.
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
    /// SARIF, for code scanning.
    Sarif,
    /// `JUnit` XML, for CI servers.
    Junit,
    /// One HTML page, for a browser and for paper.
    Html,
    /// Markdown, for tickets and pull requests.
    Markdown,
}

impl Format {
    /// All formats.
    pub(crate) const ALL: [Self; 11] = [
        Self::Text,
        Self::Json,
        Self::Yaml,
        Self::Name,
        Self::Table,
        Self::Wide,
        Self::Csv,
        Self::Sarif,
        Self::Junit,
        Self::Html,
        Self::Markdown,
    ];
}
