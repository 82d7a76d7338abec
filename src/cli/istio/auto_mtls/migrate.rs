//! `gloo-rs istio auto-mtls migrate`.

use crate::cli::help;
use crate::cli::istio::selection::SelectionArgs;
use crate::cli::observe::BatchArgs;
use crate::cli::preview::LivePreviewArgs;
use crate::error::Failure;
use crate::options::{Command, ObjectsTask, Selection};

/// Remove sslConfigs that auto-mTLS makes unnecessary
///
/// Removes the sslConfig that enable-mtls writes from each Upstream to which auto-mTLS sends the same. An Upstream
/// without one that auto-mTLS would harm opts out. All others stay as they are, with the reason.
///
/// Needs auto-mTLS in Settings for the first part. While it is off, only the opt-outs are made; turn it on with
/// auto-mtls enable, then run the same command again.
///
/// One Upstream follows the other, each proven by a request as istio verify sends it. With --batch and --observe, the
/// counters of the gateways prove them. What is not proven is rolled back.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::AUTO_MTLS_MIGRATE)]
pub(crate) struct AutoMtlsMigrateArgs {
    #[command(flatten)]
    upstreams: SelectionArgs,
    #[command(flatten)]
    batches: BatchArgs,
    #[command(flatten)]
    preview: LivePreviewArgs,
}

impl AutoMtlsMigrateArgs {
    pub(crate) fn options(self) -> Result<Command, Failure> {
        let shown = (self.preview.preview(), self.preview.secrets());
        let objects = self.upstreams.of_cluster("auto-mtls migrate", shown)?;
        let named = match &objects.selection {
            Selection::Named(names) => Some(names.len()),
            Selection::Sweep { .. } => None,
        };
        let observation = Some(self.batches.or_by_request(named)?);
        Ok(Command::Migrate(self.upstreams.caution(), ObjectsTask { observation, ..objects }))
    }
}
