//! `istio auto-mtls` on Settings: changes the two switches together, or prints their state.

use serde_json::json;

use super::execute::Planned;
use super::notes::Notes;
use super::report::Report;
use super::session::{block_on, open, place};
use super::{files, guard, live};
use crate::command::flag;
use crate::edit::manifest::{self, members};
use crate::error::{Exit, Failure, Reason};
use crate::kube::Session;
use crate::load::files::{LoadedFile, find, sources_of};
use crate::load::survey::SurveyReader;
use crate::load::{gateways, harm};
use crate::model::{Object, kinds};
use crate::options::{Absent, FilesTask, Global, Named, ObjectsTask, Patience, Selection, SwitchesTask};
use crate::plan::PerObject;
use crate::plan::auto_mtls::{AutoMtlsWish, GatewaysReadiness, Off, OnSettings};
use crate::plan::change::Change;
use crate::plan::mtls::UpstreamContext;
use crate::plan::outcome::{Decision, Outcome, Row};
use crate::plan::path::effect::{Effect, Turn};
use crate::plan::policy::{Caution, Picked};
use crate::plan::settings::switches;

/// The name of the Settings object that Gloo reads.
const NAME: &str = "default";

/// Changes the switches, or prints their state.
///
/// # Errors
/// Settings could not be read or changed.
pub(super) fn run(task: &SwitchesTask, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    match (task.wish, &task.files) {
        (Some(wish), Some(_)) => {
            let plan = OnSettings { wish, off: task.off, caution: task.caution, gateways: GatewaysReadiness::Unseen };
            files::edit(&plan, &objects(task, None), global, report)
        }
        (Some(wish), None) => block_on(&report.interrupts(), change(wish, task, global, report)),
        (None, Some(files)) => status_of_files(files, report),
        (None, None) => block_on(&report.interrupts(), status(global, report)),
    }
}

fn objects(task: &SwitchesTask, namespace: Option<&str>) -> ObjectsTask {
    let settings = Named { namespace: namespace.map(str::to_owned), name: NAME.to_owned() };
    ObjectsTask {
        patience: Patience::Now,
        observation: task.observation,
        selection: Selection::Named(vec![settings]),
        absent: Absent::Fails,
        concurrency: 1,
        preview: task.preview,
        files: task.files.clone(),
        secrets: task.secrets,
    }
}

/// The change by setup and teardown: turns the switches on, or off as they were before. A gateway without sidecars is
/// in the way only if requests through it would get 503s: the plan as a whole was judged by the same rule.
///
/// # Errors
/// The failure of a request.
pub(super) async fn plan(
    session: &Session,
    wish: AutoMtlsWish,
    caution: Caution,
    global: &Global,
    notes: &mut dyn Notes,
) -> Result<Planned<Change>, Failure> {
    let survey = SurveyReader::new(session, global);
    let namespace = survey.gloo_namespace().await;
    let plan = OnSettings { wish, off: Off::AsBefore, caution, gateways: GatewaysReadiness::Unseen };
    let settings = read(session, namespace).await?;
    if (wish, caution) == (AutoMtlsWish::Enable, Caution::Careful)
        && let Some(refused) = guarded(session, &survey, &plan, namespace, notes).await?
    {
        return Ok(Err(vec![refused]));
    }
    let decision = plan.decide(&settings, Picked::Named, &UpstreamContext::unseen());
    if wish == AutoMtlsWish::Enable {
        notes.advices(harm::with_peers(session, &survey).await);
    }
    Ok(decision.about(settings).map_err(|row| vec![*row]))
}

async fn gateways(session: &Session, namespace: &str, wish: AutoMtlsWish, caution: Caution) -> GatewaysReadiness {
    match (wish, caution) {
        (AutoMtlsWish::Enable, Caution::Careful) => gateways::readiness(session, namespace).await,
        _ => GatewaysReadiness::Unseen,
    }
}

/// Changes the switches of a cluster.
///
/// # Errors
/// Settings could not be read or changed.
async fn change(
    wish: AutoMtlsWish,
    task: &SwitchesTask,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let session = open(global, report).await?;
    let survey = SurveyReader::new(&session, global);
    let namespace = survey.gloo_namespace().await;
    let gateways = gateways(&session, namespace, wish, task.caution).await;
    let plan = OnSettings { wish, off: task.off, caution: task.caution, gateways };
    if let Some(refused) =
        report.interrupts().until_signal(guarded(&session, &survey, &plan, namespace, report)).await?
    {
        report.form_for_cluster(task.preview);
        report.context(&place(&session));
        report.usual_namespace(global.object_namespace());
        report.row(refused);
        return Ok(());
    }
    live::edit(&session, &plan, &objects(task, Some(namespace)), global, report).await?;
    if wish == AutoMtlsWish::Enable && report.exit() == Exit::Done {
        report.advices(harm::with_peers(&session, &survey).await);
    }
    Ok(())
}

/// The refusal, if the switches would change and requests would get 503s.
async fn guarded(
    session: &Session,
    survey: &SurveyReader<'_>,
    plan: &OnSettings,
    namespace: &str,
    notes: &mut dyn Notes,
) -> Result<Option<Row>, Failure> {
    // A failure to read Settings is reported when they are changed.
    let Ok(value) = session.get(&kinds::SETTINGS, namespace, NAME).await else { return Ok(None) };
    let settings = Object::new(&kinds::SETTINGS, value);
    if !matches!(plan.decide(&settings, Picked::Named, &UpstreamContext::unseen()), Decision::Change { .. }) {
        return Ok(None);
    }
    let turn = if plan.wish == AutoMtlsWish::Enable { Turn::On } else { Turn::Off };
    let why = guard::objection(session, survey, (&[Effect::AutoMtls(turn)], None), plan.caution, notes).await?;
    Ok(why.map(|why| Row::left(settings.reference, Outcome::Refused, why)))
}

async fn status(global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let session = open(global, report).await?;
    let survey = SurveyReader::new(&session, global);
    let settings = read(&session, survey.gloo_namespace().await).await?;
    say(&settings, report);
    if switches(&settings.value).auto_mtls {
        report.advices(harm::with_peers(&session, &survey).await);
    }
    Ok(())
}

async fn read(session: &Session, namespace: &str) -> Result<Object, Failure> {
    let settings = session.get(&kinds::SETTINGS, namespace, NAME).await;
    let hint = flag("--gloo-namespace").text(" says where Gloo is installed");
    settings.map(|value| Object::new(&kinds::SETTINGS, value)).map_err(|error| {
        let failure = error.into_failure(session);
        // If they are not here, they may be in another namespace.
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
    report.line(format!("auto-mTLS is {}", word(used)));
    report.line(format!("  {}{place}", settings.reference));
    report.line(format!("  enableIntegration  {}", word(on.integration)));
    report.line(format!("  enableAutoMtls     {}", word(on.auto_mtls)));
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

fn status_of_files(files: &FilesTask, report: &mut Report<'_>) -> Result<(), Failure> {
    let mut inputs = find(&sources_of(&files.paths)?)?;
    let mut stdin = report.interrupts().stdin();
    let mut found = false;
    while let Some(loaded) = inputs.next(&mut stdin) {
        let text = match loaded? {
            LoadedFile::Text(text) => text,
            LoadedFile::Encrypted { name, by } => {
                return Err(Failure::new(Exit::Failed, Reason::Unsafe, format!("{name}: {by}")).hint(by.advice()));
            }
            LoadedFile::PassedOver { .. } | LoadedFile::Refused { .. } => continue,
        };
        for member in members(&text.text, &kinds::SETTINGS).found {
            if let manifest::ManifestObject::Member { object, .. } = member
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
