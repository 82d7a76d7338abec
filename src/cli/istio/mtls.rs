//! The flags of `enable-mtls` and `disable-mtls`.

use super::selection::SelectionArgs;
use crate::cli::observe::BatchArgs;
use crate::cli::preview::PreviewArgs;
use crate::error::Failure;
use crate::options::{Command, Global, ObjectsTask, Patience, Selection};
use crate::plan::mtls::{MtlsWish, Policy};
use crate::plan::policy::OtherTls;

#[derive(Debug, clap::Args)]
pub(super) struct MtlsArgs {
    #[command(flatten)]
    upstreams: SelectionArgs,
    /// Also change TLS settings not managed by Istio; replace or remove them
    #[arg(long)]
    overwrite: bool,
    /// Wait until Gloo serves the change; to its proxies, at most --wait-timeout
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    batches: BatchArgs,
    #[command(flatten)]
    preview: PreviewArgs,
    /// Accepted for glooctl's sake: it has no effect there either
    #[arg(long, hide = true)]
    name: Option<String>,
}

impl MtlsArgs {
    pub(super) fn options(self, wish: MtlsWish, global: &Global) -> Result<Command, Failure> {
        let policy = Policy {
            wish,
            other_tls: if self.overwrite { OtherTls::Replace } else { OtherTls::Keep },
            caution: self.upstreams.caution(),
        };
        let mut objects = self.upstreams.objects(&format!("{}-mtls", wish.verb()), self.preview, global)?;
        let named = match &objects.selection {
            Selection::Named(names) => Some(names.len()),
            Selection::Sweep { .. } => None,
        };
        objects.observation = self.batches.options(named, objects.files.as_ref())?;
        if self.wait {
            objects.patience = patience(&objects)?;
        }
        Ok(Command::Mtls(policy, objects))
    }
}

/// What `--wait` means, where there is something to wait for.
fn patience(objects: &ObjectsTask) -> Result<Patience, Failure> {
    if objects.files.is_some() {
        return Err(Failure::usage("--wait needs the cluster, and -f does not use it").hint("leave one out"));
    }
    if objects.preview.is_on() {
        return Err(Failure::usage("--wait cannot be combined with --dry-run, --diff or --check").hint("leave one out"));
    }
    Ok(Patience::Wait)
}
