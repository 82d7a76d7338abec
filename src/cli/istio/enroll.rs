//! `gloo-rs istio enroll`.

use crate::cli::{help, preview};
use crate::error::Failure;
use crate::options::{Command, Enrol, Enrolment, Global};
use crate::plan::enrolment::guard::GlooNamespace;
use crate::plan::policy::Caution;

/// Bring namespaces into the mesh
///
/// Sets the label that binds a namespace to an istiod, restarts the workloads whose pods do not run with that revision's
/// sidecar, waits for each, and verifies pod by pod. Without --revision a namespace keeps the one it has.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::ENROLL)]
pub(crate) struct EnrollArgs {
    #[command(flatten)]
    namespaces: super::enrolment::NamespacesArgs,
    /// The istiod, by revision or tag [default: what the namespace has already, or the only one]
    #[arg(long, value_name = "REVISION|TAG")]
    revision: Option<String>,
    /// Look for istiod in this namespace alone
    #[arg(long, value_name = "NS")]
    istio_namespace: Option<String>,
    /// Enroll Gloo's own namespace as well
    #[arg(long)]
    include_gloo_namespace: bool,
    /// Proceed although requests that are answered now would get 503s
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    preview: preview::PreviewArgs,
}

impl EnrollArgs {
    pub(crate) fn options(self, global: &Global) -> Result<Command, Failure> {
        for (flag, name) in [("--istio-namespace", &self.istio_namespace), ("--revision", &self.revision)] {
            if let Some(name) = name {
                super::names::check_namespace(flag, name)?;
            }
        }
        let (namespaces, restarts) = self.namespaces.options()?;
        Ok(Command::Enrolment(Enrolment {
            act: Enrol::In {
                revision: self.revision,
                istio_namespace: self.istio_namespace,
                gloo: match self.include_gloo_namespace {
                    true => GlooNamespace::Included,
                    false => GlooNamespace::Refused,
                },
            },
            caution: if self.force { Caution::Forced } else { Caution::Careful },
            namespaces,
            restarts,
            preview: self.preview.preview(),
            secrets: self.preview.secrets(),
            files: self.preview.files(global.format)?,
        }))
    }
}
