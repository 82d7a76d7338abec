//! The environment of the process as a value. No code below this type reads the environment itself.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

/// The directory of a pod's credentials.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The environment variables, and whether a person is at the terminal.
#[derive(Debug, Clone)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    terminal: bool,
    service_account: PathBuf,
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
            terminal: std::io::stdin().is_terminal() && std::io::stderr().is_terminal(),
            service_account: PathBuf::from(SERVICE_ACCOUNT),
        }
    }

    /// An environment with these variables and without a terminal.
    pub fn from_variables<K: Into<OsString>, V: Into<OsString>>(variables: impl IntoIterator<Item = (K, V)>) -> Self {
        Self {
            variables: variables.into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
            terminal: false,
            service_account: PathBuf::from(SERVICE_ACCOUNT),
        }
    }

    /// The same environment, with the pod's credentials in this directory.
    #[must_use]
    pub fn with_service_account(mut self, directory: impl Into<PathBuf>) -> Self {
        self.service_account = directory.into();
        self
    }

    /// The same environment without a terminal: nothing may ask the user.
    #[must_use]
    pub fn without_terminal(mut self) -> Self {
        self.terminal = false;
        self
    }

    /// The variable, if it is set and not empty.
    #[must_use]
    pub fn os(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The variable, if it is set, not empty and valid UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.os(name).and_then(OsStr::to_str)
    }

    /// All variables, for a child process.
    pub(super) fn variables(&self) -> &BTreeMap<OsString, OsString> {
        &self.variables
    }

    /// Whether an exec plugin may ask the person at the terminal.
    pub(super) fn terminal(&self) -> bool {
        self.terminal
    }

    /// The directory of a pod's credentials.
    pub(super) fn service_account(&self) -> &Path {
        &self.service_account
    }
}
