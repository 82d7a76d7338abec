//! `gloo-rs istio enroll`.

use crate::cli::{help, preview};
use crate::error::Failure;
use crate::options::{Command, Enrol, Enrolment, Global};
use crate::plan::enrolment::guard::GlooNamespace;
use crate::plan::policy::Caution;

/// Add namespaces to the mesh
///
/// Sets the label that binds a namespace to an istiod, restarts the workloads with pods that do not have that
/// revision's sidecar, waits for each, and verifies every pod. Without --revision a namespace keeps its revision.
///
/// With --ambient it sets the label of the ambient mesh, and waits until an annotation shows on every pod that ztunnel
/// captures it.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::ENROLL)]
pub(crate) struct EnrollArgs {
    #[command(flatten)]
    namespaces: super::enrolment::NamespacesArgs,
    /// Use this istiod, by revision or tag [default: the one that the namespace uses, or the only one]
    #[arg(long, value_name = "REVISION|TAG")]
    revision: Option<String>,
    /// Put the pods into the ambient mesh: a ztunnel carries their traffic, without sidecars and without a restart
    #[arg(long, conflicts_with_all = ["revision", "include_gloo_namespace"])]
    ambient: bool,
    /// Use an istiod of this namespace
    #[arg(long, value_name = "NS")]
    istio_namespace: Option<String>,
    /// Enroll Gloo's own namespace as well
    #[arg(long)]
    include_gloo_namespace: bool,
    /// Proceed even if requests would get 503s; those that work now
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
            act: match self.ambient {
                true => Enrol::Ambient { istio_namespace: self.istio_namespace },
                false => Enrol::In {
                    revision: self.revision,
                    in_use: None,
                    istio_namespace: self.istio_namespace,
                    gloo: match self.include_gloo_namespace {
                        true => GlooNamespace::Included,
                        false => GlooNamespace::Refused,
                    },
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
