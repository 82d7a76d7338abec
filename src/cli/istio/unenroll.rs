//! `gloo-rs istio unenroll`.

use crate::cli::{help, preview};
use crate::error::Failure;
use crate::options::{Command, Enrol, Enrolment, Global};
use crate::plan::policy::Caution;

/// Remove namespaces from the mesh
///
/// Removes the label that binds a namespace to an istiod, restarts the workloads with pods that have a sidecar, waits
/// for each, and verifies that no pod has a sidecar any more. It also takes a namespace out of the ambient mesh.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::UNENROLL)]
pub(crate) struct UnenrollArgs {
    #[command(flatten)]
    namespaces: super::enrolment::NamespacesArgs,
    /// Proceed even if requests would get 503s; those that work now
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    preview: preview::PreviewArgs,
}

impl UnenrollArgs {
    pub(crate) fn options(self, global: &Global) -> Result<Command, Failure> {
        let (namespaces, restarts) = self.namespaces.options()?;
        Ok(Command::Enrolment(Enrolment {
            act: Enrol::Out,
            caution: if self.force { Caution::Forced } else { Caution::Careful },
            namespaces,
            restarts,
            preview: self.preview.preview(),
            secrets: self.preview.secrets(),
            files: self.preview.files(global.format)?,
        }))
    }
}
