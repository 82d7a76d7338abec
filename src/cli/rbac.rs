//! `gloo-rs rbac`.

use std::ffi::OsString;

use super::istio::names::named;
use super::{Early, Invocation, help};
use crate::error::Failure;
use crate::options::{Command, Global, Named, RbacTask};
use crate::render::role::ServiceAccount;

/// Print the roles that a command needs
///
/// Prints the least rights with which the command line runs, as manifests for kubectl apply. It asks no
/// cluster. Flags before COMMAND are those of rbac; all words after it are those of the command.
#[derive(Debug, clap::Args)]
#[command(after_help = help::RBAC)]
pub(super) struct RbacArgs {
    /// Bind the roles to this service account
    #[arg(long, value_name = "NS/NAME")]
    service_account: Option<String>,
    /// Name the roles and their bindings; by default gloo-rs- and the words of the command
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The command and its arguments; as it is typed after gloo-rs
    #[arg(required = true, num_args = 1.., trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    line: Vec<OsString>,
}

fn account(text: &str) -> Result<ServiceAccount, Failure> {
    match named("--service-account", text)? {
        Named { namespace: Some(namespace), name } => Ok(ServiceAccount { namespace, name }),
        Named { namespace: None, .. } => Err(Failure::usage(format!("--service-account {text}: write NAMESPACE/NAME"))),
    }
}

fn role_name(text: &str) -> Result<String, Failure> {
    match named("--name", text)? {
        Named { namespace: None, name } => Ok(name),
        Named { .. } => Err(Failure::usage(format!("--name {text}: a name without a namespace"))),
    }
}

/// Reads the command line of the other command.
fn invocation(line: &[OsString]) -> Result<Invocation, Failure> {
    let line = std::iter::once(OsString::from("gloo-rs")).chain(line.iter().cloned());
    super::parse(line).map_err(|early| match early {
        Early::Usage { failure, .. } | Early::Refused { failure, .. } => failure,
        Early::Text(_) => Failure::usage("COMMAND asks for a text: --help and --version ask no cluster"),
    })
}

impl RbacArgs {
    /// The namespaces before COMMAND are those of the command, unless it has its own.
    pub(super) fn options(self, global: &Global) -> Result<Command, Failure> {
        let mut read = invocation(&self.line)?;
        let mut line = self.line;
        for (flag, before, own) in [
            ("--namespace", &global.namespace, &read.global.namespace),
            ("--gloo-namespace", &global.gloo_namespace, &read.global.gloo_namespace),
        ] {
            if let (Some(before), None) = (before, own) {
                line.splice(0..0, [flag.into(), before.into()]);
            }
        }
        if line.first().is_some_and(|word| word.to_string_lossy().starts_with("--")) {
            read = invocation(&line)?;
        }
        let Invocation { words, global, command, .. } = read;
        let name = self.name.as_deref().map(role_name).transpose()?;
        let account = self.service_account.as_deref().map(account).transpose()?;
        Ok(Command::Rbac(Box::new(RbacTask { words, command, global, name, account })))
    }
}
