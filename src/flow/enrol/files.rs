//! `istio enroll`, `istio unenroll` on manifests.

use serde_json::Value;

use crate::edit::manifest;
use crate::error::Failure;
use crate::flow::files;
use crate::flow::report::Report;
use crate::load::{self, files::SourceText};
use crate::model::kinds;
use crate::options::{
    Absent, Enrol, Enrolment, FilesTask, GLOO_SYSTEM, Global, Named, ObjectsTask, Patience, Selection,
};
use crate::plan::enrolment::manifest::OnNamespace;
use crate::plan::istiod::{self, ControlPlaneObjects};

/// The default namespace of istiod.
const ISTIO_SYSTEM: &str = "istio-system";

/// Labels the namespaces in the manifests.
///
/// # Errors
/// The run could not be planned, or the files could not be written.
pub(crate) fn run(task: &Enrolment, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let Some(FilesTask { paths, .. }) = &task.files else { return Ok(()) };
    let mut inputs = load::files::find(&load::files::sources_of(paths)?)?;
    let plan = match &task.act {
        Enrol::Out => OnNamespace::Release,
        Enrol::Ambient { istio_namespace } => {
            OnNamespace::Ambient { istio_namespace: istio_namespace.as_deref().unwrap_or(ISTIO_SYSTEM).to_owned() }
        }
        Enrol::In { revision, istio_namespace, gloo, .. } => {
            let mut istiods = Vec::new();
            if revision.is_none() {
                let mut add = |text: &SourceText| istiods.extend(deployments_of_istiod(text));
                inputs = inputs.read_ahead(&mut report.interrupts().stdin(), &mut add)?;
            }
            OnNamespace::Bind {
                names: revision.clone(),
                gloo_namespace: global.gloo_namespace.as_deref().unwrap_or(GLOO_SYSTEM).to_owned(),
                istio_namespace: istio_namespace.as_deref().unwrap_or(ISTIO_SYSTEM).to_owned(),
                istiods: istiod::all(&ControlPlaneObjects { deployments: &istiods, ..ControlPlaneObjects::default() }),
                gloo: *gloo,
            }
        }
    };
    let named = |name: &String| Named { namespace: None, name: name.clone() };
    let objects = ObjectsTask {
        observation: None,
        patience: Patience::Now,
        selection: Selection::Named(task.namespaces.iter().map(named).collect()),
        absent: Absent::Fails,
        concurrency: 1,
        preview: task.preview,
        files: task.files.clone(),
        secrets: task.secrets,
    };
    // `-n` is the namespace of an object, and a Namespace has none.
    files::edit_in(&plan, &objects, &Global { namespace: None, ..global.clone() }, inputs, report)
}

/// The Deployments of istiod in a manifest.
fn deployments_of_istiod(text: &SourceText) -> impl Iterator<Item = Value> {
    let found = manifest::objects(&text.text, &[&kinds::DEPLOYMENT]).found.into_iter().map(|(object, _)| object.value);
    found.filter(|deployment| deployment["metadata"]["labels"]["app"] == "istiod")
}
