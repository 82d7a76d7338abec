//! `istio enroll`, `istio unenroll` on manifests.

use crate::error::Failure;
use crate::flow::files;
use crate::flow::report::Report;
use crate::options::{Absent, Enrol, Enrolment, GLOO_SYSTEM, Global, Named, ObjectsTask, Patience, Selection};
use crate::plan::enrolment::manifest::OnNamespace;

/// The default namespace of istiod.
const ISTIO_SYSTEM: &str = "istio-system";

/// Labels the namespaces in the manifests.
///
/// # Errors
/// The run could not be planned, or the files could not be written.
pub(crate) fn run(task: &Enrolment, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let plan = match &task.act {
        Enrol::Out => OnNamespace::Release,
        Enrol::In { revision, istio_namespace, gloo, .. } => OnNamespace::Bind {
            names: revision.clone(),
            gloo_namespace: global.gloo_namespace.as_deref().unwrap_or(GLOO_SYSTEM).to_owned(),
            istiods: vec![istio_namespace.as_deref().unwrap_or(ISTIO_SYSTEM).to_owned()],
            gloo: *gloo,
        },
    };
    let named = |name: &String| Named { namespace: None, name: name.clone() };
    let objects = ObjectsTask {
        patience: Patience::Now,
        selection: Selection::Named(task.namespaces.iter().map(named).collect()),
        absent: Absent::Fails,
        concurrency: 1,
        preview: task.preview,
        files: task.files.clone(),
        secrets: task.secrets,
    };
    // `-n` is the namespace of an object, and a Namespace has none.
    files::edit(&plan, &objects, &Global { namespace: None, ..global.clone() }, report)
}
