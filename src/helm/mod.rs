//! Helm: its records of a release in the cluster, and the user's own program.

mod chart;
mod lines;
mod record;
mod release_id;
mod run;
mod target;

pub(crate) use chart::{File, unpacked};
pub(crate) use record::{Record, RecordProblem, RefusedRecord, Storage, read};
#[cfg(any(fuzzing, test))]
pub(crate) use release_id::ReleaseName;
pub(crate) use release_id::{ReleaseId, ReleaseNamespace, name_and_revision, object_name};
pub(crate) use run::{Helm, Order};
pub(crate) use target::{AsUser, HelmTarget, Kubeconfig, flag};
