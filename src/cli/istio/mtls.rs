//! The flags of `enable-mtls` and `disable-mtls`.

use super::selection::SelectionArgs;
use crate::cli::preview::PreviewArgs;
use crate::error::Failure;
use crate::options::{Command, Global};
use crate::plan::mtls::{Foreign, Policy, Wish};

#[derive(Debug, clap::Args)]
pub struct MtlsArgs {
    #[command(flatten)]
    upstreams: SelectionArgs,
    /// Replace or remove TLS settings that are not Istio's too
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    preview: PreviewArgs,
    /// Accepted for glooctl's sake: it has no effect there either
    #[arg(long, hide = true)]
    name: Option<String>,
}

impl MtlsArgs {
    pub fn options(self, wish: Wish, global: &Global) -> Result<Command, Failure> {
        let policy = Policy {
            wish,
            foreign: if self.overwrite { Foreign::Replace } else { Foreign::Keep },
            caution: self.upstreams.caution(),
        };
        let objects = self.upstreams.objects(&format!("{}-mtls", wish.verb()), self.preview, global)?;
        Ok(Command::Mtls(policy, objects))
    }
}
