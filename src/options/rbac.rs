//! The options of `rbac`.

use super::{Command, Global};
use crate::render::role::ServiceAccount;

/// The command line whose rights are printed, and the `ServiceAccount` that gets them.
#[derive(Debug, Clone)]
pub(crate) struct RbacTask {
    /// The words of the other command: `istio enable-mtls`.
    pub words: Vec<String>,
    pub command: Command,
    pub global: Global,
    /// The name of the roles; `None` for one made of the words.
    pub name: Option<String>,
    pub account: Option<ServiceAccount>,
}
