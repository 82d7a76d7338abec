//! Helm: what it keeps in the cluster about a release, and the user's own program.

mod chart;
mod lines;
mod record;
mod release_id;
mod run;
mod target;

pub use chart::{File, unpacked};
pub use record::{Problem, Record, Storage, Unread, read};
pub use release_id::{ReleaseId, ReleaseName, ReleaseNamespace, name_and_revision, object_name};
pub use run::{Helm, Order, Running};
pub use target::{AsUser, Kubeconfig, Target, flag};
