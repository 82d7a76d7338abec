//! `gloo-rs istio revisions`.

use crate::cli::help;
use crate::error::Failure;
use crate::options::Command;

/// List istiod's revisions, their tags and addresses, and what uses them
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::REVISIONS)]
pub(crate) struct RevisionsArgs {
    /// Look for istiod only in this namespace
    #[arg(long, value_name = "NS")]
    istio_namespace: Option<String>,
}

impl RevisionsArgs {
    pub(crate) fn options(self) -> Result<Command, Failure> {
        if let Some(namespace) = &self.istio_namespace {
            super::names::check_namespace("--istio-namespace", namespace)?;
        }
        Ok(Command::Revisions { istio_namespace: self.istio_namespace })
    }
}
