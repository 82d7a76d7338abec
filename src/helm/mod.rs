//! Helm: its records of a release in the cluster, and the user's own program.

mod chart;
mod lines;
mod record;
mod recorded_chart;
mod release_id;
mod run;
mod target;
mod template;

pub(crate) use chart::{File, packed, unpacked};
pub(crate) use record::{ChartDependency, Record, RecordProblem, RefusedRecord, Storage, read};
pub(crate) use recorded_chart::chart_files;
#[cfg(any(fuzzing, test))]
pub(crate) use release_id::ReleaseName;
pub(crate) use release_id::{ReleaseId, ReleaseNamespace, name_and_revision, object_name};
pub(crate) use run::{Helm, Order};
pub(crate) use target::{AsUser, HelmTarget, Kubeconfig, flag};
pub(crate) use template::{ChartInput, Rendering};
