//! `gloo-rs istio auto-mtls`.

mod disable;
mod enable;
mod migrate;
mod status;

use clap::Subcommand;

use super::selection::SelectionArgs;
use crate::cli::observe::ObserveArgs;
use crate::cli::preview::PreviewArgs;
use crate::error::Failure;
use crate::options::{Command, Global, SwitchesTask};
use crate::plan::auto_mtls::{AutoMtlsWish, Off, OptOut};

#[derive(Debug, Subcommand)]
pub(crate) enum AutoMtlsCommand {
    Enable(enable::AutoMtlsEnableArgs),
    Disable(disable::AutoMtlsDisableArgs),
    Migrate(migrate::AutoMtlsMigrateArgs),
    Status(status::AutoMtlsStatusArgs),
}

impl AutoMtlsCommand {
    pub(crate) fn options(self, global: &Global) -> Result<Command, Failure> {
        match self {
            Self::Enable(args) => args.choice.options(AutoMtlsWish::Enable, global),
            Self::Disable(args) => args.choice.options(AutoMtlsWish::Disable, global),
            Self::Migrate(args) => args.options(),
            Self::Status(args) => Ok(args.options()),
        }
    }
}

/// Settings, or single Upstreams.
#[derive(Debug, clap::Args)]
pub(crate) struct ChoiceArgs {
    #[command(flatten)]
    upstreams: SelectionArgs,
    #[command(flatten)]
    preview: PreviewArgs,
    #[command(flatten)]
    observe: ObserveArgs,
}

impl ChoiceArgs {
    fn options(self, wish: AutoMtlsWish, global: &Global) -> Result<Command, Failure> {
        let caution = self.upstreams.caution();
        if !self.upstreams.is_empty() {
            let mut objects = self.upstreams.objects("auto-mtls", self.preview, global)?;
            objects.observation = self.observe.single(objects.files.as_ref())?;
            return Ok(Command::OptOut(OptOut { wish, caution }, objects));
        }
        let (preview, secrets) = (self.preview.preview(), self.preview.secrets());
        let files = self.preview.files(global.format)?;
        Ok(Command::Switches(SwitchesTask {
            wish: Some(wish),
            off: Off::Said,
            caution,
            preview,
            secrets,
            observation: self.observe.single(files.as_ref())?,
            files,
        }))
    }
}
