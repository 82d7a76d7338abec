//! `istio auto-mtls` on Settings: the two switches as one change, or how they stand.

use serde_json::json;

use super::report::Report;
use super::{block_on, files, live, open};
use crate::edit::manifest::{Found, members};
use crate::error::{Exit, Failure, Reason};
use crate::kube::Session;
use crate::load::files::{Loaded, find, sources_of};
use crate::load::survey::Survey;
use crate::load::{gateways, harm};
use crate::model::{Object, kinds};
use crate::options::{Absent, Files, Global, Named, Objects, Patience, Selection, SwitchesTask};
use crate::plan::auto_mtls::{Gateways, OnSettings, Wish, switches};
use crate::plan::mtls::Caution;

/// The one Settings object that Gloo reads.
const NAME: &str = "default";

/// Changes the switches, or says how they stand.
///
/// # Errors
/// What keeps the run from Settings.
pub fn run(task: &SwitchesTask, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    match (task.wish, &task.files) {
        (Some(wish), Some(_)) => {
            let plan = OnSettings { wish, off: task.off, caution: task.caution, gateways: Gateways::Unseen };
            files::edit(&plan, &objects(task, None), global, report)
        }
        (Some(wish), None) => block_on(&report.interrupts(), change(wish, task, global, report)),
        (None, Some(files)) => status_of_files(files, report),
        (None, None) => block_on(&report.interrupts(), status(global, report)),
    }
}

fn objects(task: &SwitchesTask, namespace: Option<&str>) -> Objects {
    let settings = Named { namespace: namespace.map(str::to_owned), name: NAME.to_owned() };
    Objects {
        patience: Patience::Now,
        selection: Selection::Named(vec![settings]),
        absent: Absent::Fails,
        concurrency: 1,
        preview: task.preview,
        files: task.files.clone(),
        secrets: task.secrets,
    }
}

/// Changes the switches of a cluster.
///
/// # Errors
/// What keeps the run from Settings.
pub async fn change(wish: Wish, task: &SwitchesTask, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let session = open(global, report).await?;
    let survey = Survey::new(&session, global);
    let namespace = survey.gloo_namespace().await;
    let gateways = match (wish, task.caution) {
        (Wish::Enable, Caution::Careful) => gateways::readiness(&session, namespace).await,
        _ => Gateways::Unseen,
    };
    let plan = OnSettings { wish, off: task.off, caution: task.caution, gateways };
    live::edit(&session, &plan, &objects(task, Some(namespace)), global, report).await?;
    if wish == Wish::Enable && report.exit() == Exit::Done {
        report.advices(harm::with_peers(&session, &survey).await);
    }
    Ok(())
}

async fn status(global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let session = open(global, report).await?;
    let survey = Survey::new(&session, global);
    let settings = read(&session, survey.gloo_namespace().await).await?;
    say(&settings, report);
    if switches(&settings.value).auto_mtls {
        report.advices(harm::with_peers(&session, &survey).await);
    }
    Ok(())
}

async fn read(session: &Session, namespace: &str) -> Result<Object, Failure> {
    let settings = session.get(&kinds::SETTINGS, namespace, NAME).await;
    let hint = "--gloo-namespace says where Gloo is installed";
    settings.map(|value| Object::new(&kinds::SETTINGS, value)).map_err(|error| {
        let failure = error.into_failure(session);
        // Elsewhere only what is not here may be.
        if failure.exit == Exit::SaidNo { failure.hint(hint) } else { failure }
    })
}

fn say(settings: &Object, report: &mut Report<'_>) {
    let on = switches(&settings.value);
    let word = |on: bool| if on { "on" } else { "off" };
    let used = on.integration && on.auto_mtls;
    let place = match settings.reference.namespace.as_str() {
        "" => String::new(),
        namespace => format!(" in {namespace}"),
    };
    report.line(&format!("auto-mTLS is {}", word(used)));
    report.line(&format!("  {}{place}", settings.reference));
    report.line(&format!("  enableIntegration  {}", word(on.integration)));
    report.line(&format!("  enableAutoMtls     {}", word(on.auto_mtls)));
    report.field(
        "autoMtls",
        json!({
            "enabled": used,
            "enableIntegration": on.integration,
            "enableAutoMtls": on.auto_mtls,
            "settings": {"namespace": settings.reference.namespace, "name": settings.reference.name},
        }),
    );
}

fn status_of_files(files: &Files, report: &mut Report<'_>) -> Result<(), Failure> {
    let mut inputs = find(&sources_of(&files.paths)?)?;
    let mut stdin = report.interrupts().stdin();
    let mut found = false;
    while let Some(loaded) = inputs.next(&mut stdin) {
        let Loaded::Text(text) = loaded? else { continue };
        for member in members(&text.text, &kinds::SETTINGS).found {
            if let Found::Member { object, .. } = member
                && object.reference.name == NAME
            {
                say(&object, report);
                found = true;
            }
        }
    }
    match found {
        true => Ok(()),
        false => Err(Failure::new(Exit::SaidNo, Reason::NotFound, "no Settings named default in the manifests")),
    }
}
