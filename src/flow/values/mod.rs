//! `upgrade-values`: merges Istio's values into those of a release or a file, or removes them.

mod apply;
mod attach;
mod back;
mod files;
mod finish;
mod homes;
mod next;
mod order;
mod planned;
mod prove;
mod refused;
mod roll_back;
mod settle;
mod sources;
mod subject;

pub(super) use apply::{Upgraded, ready};
pub(super) use back::auto_mtls_back;
pub(super) use planned::PlannedValues;

use crate::flow::session;
use serde_json::{Value, json};

use self::finish::finish;
use self::subject::{ValuesSubject, of_files, of_release};
use super::execute::Stopped;
use super::guard;
use super::interrupt::Interrupts;
use super::notes::Notes;
use super::report::Report;
use crate::error::{Exit, Failure};
use crate::helm::Record;
use crate::kube::Session;
use crate::load::release::{self, Earlier, FoundRelease};
use crate::load::survey::SurveyReader;
use crate::load::{around_release, gateways, harm, istio};
use crate::options::{GLOO_SYSTEM, Global, Preview, Proxies, UpgradeValues, ValuesAct, ValuesDestination, ValuesInput};
use crate::plan::advice::{Advice, Code};
use crate::plan::istiod::{Istiod, revision_in_use};
use crate::plan::sidecars::{Flags, current_address};
use crate::plan::values::proof::Proof;
use crate::plan::values::{self, ValuesPlan, findings};

/// Prints, writes or applies the values.
///
/// # Errors
/// The values could not be read, merged or written.
pub(super) fn run(task: &UpgradeValues, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    match &task.source {
        ValuesInput::Files { paths, home } => {
            let subject = of_files((paths, home.as_deref()), task, report)?;
            let flags = flags(task);
            if subject.is_denied() {
                let plan = plan_of_file(&subject.values, &subject.chart, task).unwrap_or_default();
                return PlannedValues::new(subject, (plan, Proof::default())).map(drop);
            }
            let needs = task.act == ValuesAct::Merge
                && values::needs_istiod(&subject.values, &subject.chart, &task.wish, &flags)?;
            if let (true, None, Some(files)) = (needs, &task.istio.revision, &subject.file) {
                sources::check_address(files)?;
            }
            if needs {
                return session::block_on(&report.interrupts(), live(subject, task, global, report));
            }
            let plan = plan(&subject, task, &flags, &[], None)?;
            let proven = async { Ok(prove::prove(&subject, plan, task, global.timeout).await) };
            let proven = session::block_on(&report.interrupts(), proven)?;
            finish(&PlannedValues::new(subject, proven)?, None, task, global, report).map(drop)
        }
        ValuesInput::Release { .. } => session::block_on(&report.interrupts(), of_a_release(task, global, report)),
    }
}

/// Prints, writes or applies the values of a release.
async fn of_a_release(task: &UpgradeValues, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let session = session::open(global, report).await?;
    report.context(&session::place(&session));
    let writes = Preview { dry_run: None, diff: false, check: task.check };
    upgrade(&session, task, writes, global, report).await
}

/// Plans the values of a release, and prints, writes or applies them. With `--apply` and a preview, nothing is applied.
///
/// # Errors
/// The values could not be read, merged or written, requests would get 503s, or the upgrade failed.
pub(super) async fn upgrade(
    session: &Session,
    task: &UpgradeValues,
    preview: Preview,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let interrupts = report.interrupts();
    let planned = interrupts.until_signal(plan_release(session, task, global, report));
    let planned = Box::pin(planned).await?;
    let upgrade = finish(&planned, Some(session), task, global, report)?;
    if upgrade.is_some() {
        let survey = SurveyReader::new(session, global);
        let effects = planned.effects(task);
        let objection = Box::pin(guard::objection(session, &survey, (&effects, None), task.caution, report)).await?;
        if let Some(why) = objection {
            return Err(why.into_failure());
        }
    }
    match upgrade {
        Some(upgrade) if task.check => interrupts.until_signal(ready(session, &upgrade, task)).await.map(drop),
        Some(_) if preview.is_on() => Ok(()),
        Some(_) => {
            let ended = Box::pin(carry_out(session, &planned, task, global, &interrupts, report)).await;
            let upgraded = ended.map_err(|stopped| {
                report.ends(stopped.stands.exit());
                Failure::from(stopped)
            })?;
            if let Some(upgraded) = upgraded {
                report.field("upgradedTo", json!(upgraded.to));
            }
            Ok(())
        }
        None => Ok(()),
    }
}

/// Plans the values of a release.
///
/// # Errors
/// The values could not be read or merged.
pub(super) async fn plan_release(
    session: &Session,
    task: &UpgradeValues,
    global: &Global,
    notes: &mut dyn Notes,
) -> Result<PlannedValues, Failure> {
    let (name, revision) = match &task.source {
        ValuesInput::Release { name, revision } => (name.as_deref(), *revision),
        ValuesInput::Files { .. } => (None, None),
    };
    let found = release::find(session, release_namespace(global), name, revision).await?;
    let subject = of_release(found, task, notes)?;
    with_session(session, subject, task, global, notes).await
}

/// Upgrades the release with Helm to the planned values. `None` if it has them already.
///
/// # Errors
/// Why it failed, and what remains.
pub(super) async fn carry_out(
    session: &Session,
    planned: &PlannedValues,
    task: &UpgradeValues,
    global: &Global,
    stop: &Interrupts,
    report: &mut Report<'_>,
) -> Result<Option<Upgraded>, Stopped> {
    let ValuesDestination::Helm(on_failure) = &task.destination else { return Ok(None) };
    let Some(upgrade) = planned.upgrade(task) else { return Ok(None) };
    let turned_on = planned.plan.turns_on_auto_mtls(&planned.after, &planned.subject.chart);
    let to = Box::pin(apply::run(session, &upgrade, *on_failure, task, global, stop, report)).await?;
    Ok(Some(Upgraded { record: upgrade.record, to, changes: upgrade.changes, turned_on }))
}

async fn live(
    subject: ValuesSubject,
    task: &UpgradeValues,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let session = session::open(global, report).await?;
    report.context(&session::place(&session));
    let planned = with_session(&session, subject, task, global, report).await?;
    finish(&planned, Some(&session), task, global, report).map(drop)
}

async fn with_session(
    session: &Session,
    mut subject: ValuesSubject,
    task: &UpgradeValues,
    global: &Global,
    notes: &mut dyn Notes,
) -> Result<PlannedValues, Failure> {
    let mut flags = flags(task);
    let merges = task.act == ValuesAct::Merge;
    let needs = merges && values::needs_istiod(&subject.values, &subject.chart, &task.wish, &flags)?;
    let istiods = match merges && (needs || flags.proxy_image.is_none()) {
        true => match istio::istiods(session, task.istio.namespace.as_deref()).await {
            // Without permission to list istiod, the flags or existing values may be enough.
            Err(failure) if !needs && failure.exit == Exit::SaidNo => {
                notes.advice(Advice::note(Code::Unknown, format!("istiod could not be read: {}", failure.message)));
                Vec::new()
            }
            found => found?,
        },
        false => Vec::new(),
    };
    let namespace = release_namespace(global);
    if needs && flags.revision.is_none() && flags.in_use.is_none() && istiods.len() > 1 {
        flags.in_use = in_use(session, namespace, &istiods).await;
    }
    let earlier = match (&subject.release, task.act) {
        (Some(found), ValuesAct::Remove) => {
            let earlier = release::earlier(session, namespace, found, |it| !subject.chart.has_istio(it)).await;
            notes.advices(unknown_history(found, &earlier));
            earlier.record
        }
        (Some(found), ValuesAct::AutoMtlsBack { to }) => {
            Some(release::find(session, namespace, Some(&found.record.name), Some(to)).await?.record)
        }
        _ => None,
    };
    let plan = plan(&subject, task, &flags, &istiods, earlier.as_ref())?;
    let (plan, proof) = prove::prove(&subject, plan, task, session.timeout()).await;
    if plan.turns_on(&subject.chart.auto_mtls(&subject.values)) {
        notes.advices(harm::advice(session).await);
    }
    if let Some(found) = &subject.release {
        let after = subject.after(&plan)?;
        let advice = around_release::findings(session, &found.record, &subject.chart, (&subject.values, &after)).await;
        subject.conflict = advice.iter().find(|advice| findings::is_conflict(advice)).cloned();
        notes.advices(advice);
    }
    PlannedValues::new(subject, (plan, proof))
}

/// The revision or tag that all gateways of the release use. `None` also if they may not be read: then a flag is needed.
async fn in_use(session: &Session, namespace: &str, istiods: &[Istiod]) -> Option<String> {
    let proxies = gateways::find(session, namespace, &Proxies::All).await.ok()?;
    let addresses: Vec<_> = proxies.iter().filter_map(current_address).collect();
    revision_in_use(istiods, addresses.iter().map(String::as_str))
}

/// The advice if the values from before Istio are unknown.
fn unknown_history(found: &FoundRelease, earlier: &Earlier) -> Option<Advice> {
    let lost = "values from before Istio are not restored";
    if found.history.is_empty() {
        return Some(Advice::note(Code::Unknown, format!("the release's history cannot be listed: {lost}")));
    }
    let noun = match earlier.unread[..] {
        [] => return None,
        [_] => "revision",
        _ => "revisions",
    };
    let unread = earlier.unread.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let then = match &earlier.record {
        Some(record) => format!("values from before Istio are restored from revision {}", record.revision),
        None => lost.to_owned(),
    };
    Some(Advice::note(Code::Unknown, format!("{noun} {unread} cannot be read: {then}")))
}

/// The namespace of the release: `-n`, or else that of Gloo.
fn release_namespace(global: &Global) -> &str {
    global.namespace.as_deref().or(global.gloo_namespace.as_deref()).unwrap_or(GLOO_SYSTEM)
}

fn flags(task: &UpgradeValues) -> Flags {
    let wish = task.istio.clone();
    Flags {
        revision: wish.revision,
        in_use: wish.in_use,
        discovery_address: wish.discovery_address,
        mesh_id: wish.mesh_id,
        cluster_id: wish.cluster_id,
        proxy_image: wish.proxy_image,
        ..Flags::default()
    }
}

/// The plan for values of a file, from what is typed alone.
///
/// # Errors
/// The values could not be merged.
fn plan_of_file(values: &Value, chart: &values::Chart, task: &UpgradeValues) -> Result<ValuesPlan, Failure> {
    match task.act {
        ValuesAct::Merge => values::merge(values, chart, &task.wish, &flags(task), &[]),
        ValuesAct::Remove => values::remove(values, chart, &task.wish, None),
        ValuesAct::AutoMtlsBack { .. } => Ok(ValuesPlan::default()),
    }
}

fn plan(
    subject: &ValuesSubject,
    task: &UpgradeValues,
    flags: &Flags,
    istiods: &[Istiod],
    earlier: Option<&Record>,
) -> Result<ValuesPlan, Failure> {
    let ValuesSubject { values, chart, .. } = subject;
    match task.act {
        ValuesAct::Merge => values::merge(values, chart, &task.wish, flags, istiods),
        ValuesAct::Remove => values::remove(values, chart, &task.wish, earlier.map(|record| &record.values)),
        ValuesAct::AutoMtlsBack { .. } => {
            Ok(values::auto_mtls_back(values, chart, earlier.map_or(&Value::Null, |record| &record.values)))
        }
    }
}
