//! `upgrade-values`: the values of a release, or of a file, with Istio's merged in or taken out.

use std::path::Path;

use serde_json::{Value, json};

use super::report::Report;
use super::values_apply::{self, Upgrade};
use super::values_next as next;
use crate::apply::files::{self as out, Print, Staging};
use crate::edit::json as edit_json;
use crate::edit::manifest::Unsafe;
use crate::edit::{mask, values as text};
use crate::error::{Exit, Failure, Reason};
use crate::helm::Record;
use crate::kube::Session;
use crate::load::files::{self, Loaded, Text};
use crate::load::release::{self, Found};
use crate::load::{around_release, chart, harm, istio};
use crate::options::{Format, GLOO_SYSTEM, Global, UpgradeValues, ValuesAct, ValuesDestination, ValuesSource};
use crate::plan::advice::{Advice, Code};
use crate::plan::sidecars::Flags;
use crate::plan::values::{self, Chart, Edition, Plan, Version, findings};
use crate::render::diff::{self, Secrets};
use crate::render::text::STDIN;
use crate::render::values as shown;
use crate::yaml;

/// What is worked on.
struct Subject {
    /// The file's text; the record's values as `helm get values` prints them.
    text: String,
    values: Value,
    chart: Chart,
    /// `--chart`
    at_hand: Option<chart::AtHand>,
    file: Option<(Text, text::Found)>,
    release: Option<Found>,
}

/// Prints, writes or hands over the values.
///
/// # Errors
/// What keeps the values from being read, merged or written.
pub fn run(task: &UpgradeValues, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    match &task.source {
        ValuesSource::File(path) => {
            let subject = of_file(path, task, report)?;
            let flags = flags(task);
            let needs = task.act == ValuesAct::Merge
                && values::needs_istiod(&subject.values, &subject.chart, &task.wish, &flags)?;
            if needs {
                return super::block_on(super::interrupt::or(live(subject, task, global, report)));
            }
            let plan = plan(&subject, task, &[], None)?;
            finish(&subject, &plan, None, task, global, report).map(drop)
        }
        ValuesSource::Release { name, revision } => super::block_on(async {
            let session = super::open(global, report).await?;
            report.ui.status(&super::place(&session));
            let namespace = release_namespace(global);
            let upgrade = super::interrupt::or(async {
                let found = release::find(&session, namespace, name.as_deref(), *revision).await?;
                let subject = of_release(found, task, report)?;
                with_session(&session, subject, task, global, report).await
            });
            match (Box::pin(upgrade).await?, &task.destination) {
                (Some(upgrade), ValuesDestination::Helm(on_failure)) => {
                    values_apply::run(&session, upgrade, *on_failure, task, global, report).await
                }
                _ => Ok(()),
            }
        }),
    }
}

async fn live(subject: Subject, task: &UpgradeValues, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let session = super::open(global, report).await?;
    report.ui.status(&super::place(&session));
    with_session(&session, subject, task, global, report).await.map(drop)
}

async fn with_session(
    session: &Session,
    subject: Subject,
    task: &UpgradeValues,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<Option<Upgrade>, Failure> {
    let flags = flags(task);
    let merges = task.act == ValuesAct::Merge;
    let needs = merges && values::needs_istiod(&subject.values, &subject.chart, &task.wish, &flags)?;
    let istiods = match merges && (needs || flags.proxy_image.is_none()) {
        true => match istio::istiods(session, task.istio.namespace.as_deref()).await {
            // Without the right to look for istiod, what was typed or is there may be enough.
            Err(failure) if !needs && failure.exit == Exit::SaidNo => {
                report.advice(Advice::note(Code::Unknown, format!("istiod was not looked at: {}", failure.message)));
                Vec::new()
            }
            found => found?,
        },
        false => Vec::new(),
    };
    let earlier = match (&subject.release, task.act) {
        (Some(found), ValuesAct::Remove) => {
            if found.history.is_empty() {
                let message = "the release's history may not be listed: what was there before Istio does not come back";
                report.advice(Advice::note(Code::Unknown, message));
            }
            let before_istio = |values: &Value| !values::has_istio(values);
            release::earlier(session, release_namespace(global), found, before_istio).await
        }
        _ => None,
    };
    let plan = plan(&subject, task, &istiods, earlier.as_ref())?;
    if plan.turns_on(&values::auto_mtls())
        && let Some(advice) = harm::advice(session).await
    {
        report.advice(advice);
    }
    if let Some(found) = &subject.release {
        for advice in around_release::findings(session, &found.record.namespace, &subject.values).await {
            report.advice(advice);
        }
    }
    finish(&subject, &plan, Some(session), task, global, report)
}

/// Where the release is: `-n`, else where Gloo is said to be.
fn release_namespace(global: &Global) -> &str {
    global.namespace.as_deref().or(global.gloo_namespace.as_deref()).unwrap_or(GLOO_SYSTEM)
}

fn flags(task: &UpgradeValues) -> Flags {
    let wish = task.istio.clone();
    Flags {
        revision: wish.revision,
        discovery_address: wish.discovery_address,
        mesh_id: wish.mesh_id,
        cluster_id: wish.cluster_id,
        proxy_image: wish.proxy_image,
        ..Flags::default()
    }
}

fn of_file(path: &Path, task: &UpgradeValues, report: &mut Report<'_>) -> Result<Subject, Failure> {
    let mut inputs = files::find(&files::sources_of(&[path.to_owned()])?)?;
    if !inputs.is_single() {
        return Err(Failure::usage(format!("--values {}: one file, or - for stdin", path.display())));
    }
    let read = match inputs.next(&mut std::io::stdin().lock()) {
        Some(Ok(Loaded::Text(read))) => read,
        Some(Ok(Loaded::Refused { name, why, .. } | Loaded::PassedOver { name, why })) => {
            return Err(Failure::new(Exit::Failed, Reason::File, format!("{name}: {why}")));
        }
        Some(Err(failure)) => return Err(failure),
        None => return Err(Failure::usage("--values: no file")),
    };
    let name = if read.name == STDIN { "stdin".to_owned() } else { read.name.clone() };
    let mut found = text::find(&read.text).map_err(|cannot| refusal(&name, cannot))?;
    let found = match (found.pop(), found.pop()) {
        (Some(one), None) => one,
        (None, _) => {
            let message = format!("{name}: a manifest that renders no chart");
            return Err(Failure::new(Exit::SaidNo, Reason::NotFound, message)
                .detail("looked for an Application or a HelmRelease with Gloo's chart"));
        }
        _ => {
            let message = format!("{name}: several charts, and none is named gloo or gloo-ee");
            return Err(Failure::new(Exit::Failed, Reason::Ambiguous, message).hint("take the others out of the file"));
        }
    };
    if found.has_header() {
        report.advice(Advice::note(
            Code::Header,
            format!("{name}: the line that helm get values prints first is left out"),
        ));
    }
    let at_hand = at_hand(task)?;
    let name_of_chart = at_hand.as_ref().map(|chart| chart.name.as_str()).or(found.chart.as_deref());
    let of_name = name_of_chart.and_then(Edition::of_chart);
    let edition = task.edition.or(of_name).unwrap_or_else(|| Edition::of_shape(&found.values));
    let version = at_hand.as_ref().map(|chart| chart.version.as_str());
    let version = version.or(task.to_version.as_deref()).or(found.version.as_deref());
    let defaults = at_hand.as_ref().map_or(Value::Null, |chart| chart.defaults.clone());
    let chart = Chart { edition, version: version.and_then(Version::parse), defaults };
    if let Some(object) = &found.object {
        report.ui.status(&format!("values of {object} in {name}"));
    }
    Ok(Subject {
        text: read.text.clone(),
        values: found.values.clone(),
        chart,
        at_hand,
        file: Some((read, found)),
        release: None,
    })
}

fn of_release(found: Found, task: &UpgradeValues, report: &mut Report<'_>) -> Result<Subject, Failure> {
    let record = &found.record;
    report.ui.status(&release_line(record));
    for advice in &found.advice {
        report.advice(advice.clone());
    }
    let Some(edition) = task.edition.or_else(|| Edition::of_chart(&record.chart)) else {
        let message = format!("release {}: its chart is {}, not Gloo's", record.name, record.chart);
        return Err(Failure::new(Exit::Failed, Reason::NoRelease, message)
            .hint("--edition oss or --edition enterprise says which keys a chart of another name has"));
    };
    let at_hand = at_hand(task)?;
    let version = at_hand.as_ref().map(|chart| chart.version.as_str()).or(task.to_version.as_deref());
    let defaults = at_hand.as_ref().map_or(&record.defaults, |chart| &chart.defaults).clone();
    let version = Version::parse(version.unwrap_or(&record.chart_version));
    let chart = Chart { edition, version, defaults };
    let values = values::sorted(&record.values);
    let text = match &values {
        Value::Null => String::new(),
        values => yaml::write(values),
    };
    Ok(Subject { text, values, chart, at_hand, file: None, release: Some(found) })
}

fn at_hand(task: &UpgradeValues) -> Result<Option<chart::AtHand>, Failure> {
    task.chart.as_deref().map(chart::read).transpose()
}

fn release_line(record: &Record) -> String {
    let Record { name, namespace, revision, status, chart, chart_version, .. } = record;
    format!("release {namespace}/{name}, revision {revision}, {status}, chart {chart}-{chart_version}")
}

fn plan(
    subject: &Subject,
    task: &UpgradeValues,
    istiods: &[crate::plan::istiod::Istiod],
    earlier: Option<&Record>,
) -> Result<Plan, Failure> {
    let Subject { values, chart, .. } = subject;
    match task.act {
        ValuesAct::Merge => values::merge(values, chart, &task.wish, &flags(task), istiods),
        ValuesAct::Remove => {
            let file = subject.file.as_ref();
            let were_empty = file.map(|(read, found)| text::were_empty(&read.text, found)).unwrap_or_default();
            let before = values::Before { values: earlier.map(|record| &record.values), were_empty: &were_empty };
            values::remove(values, chart, &task.wish, before)
        }
    }
}

fn refusal(name: &str, cannot: Unsafe) -> Failure {
    let Unsafe { line, why, manual } = cannot;
    let mut failure = Failure::new(Exit::Failed, Reason::Unsafe, format!("{name}:{line}: {why}; nothing changed"));
    if !manual.is_empty() {
        failure.details = super::files::by_hand(manual);
    }
    failure
}

/// Says what becomes of the values and puts them where they are wanted.
fn finish(
    subject: &Subject,
    plan: &Plan,
    session: Option<&Session>,
    task: &UpgradeValues,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<Option<Upgrade>, Failure> {
    let after = edit_json::apply(&subject.values, &plan.edits)
        .map_err(|path| Failure::new(Exit::Failed, Reason::BadValues, format!("{path} cannot be set")))?;
    let new = match &subject.file {
        Some((read, found)) => {
            text::edit(&read.text, found, &plan.edits).map_err(|cannot| refusal(&read.name, cannot))?
        }
        None => match values::sorted(&after) {
            Value::Null => "{}\n".to_owned(),
            after => yaml::write(&after),
        },
    };
    say(subject, plan, &after, report);
    document(subject, plan, &after, report);
    let running = subject.release.as_ref().map(|found| found.record.chart_version.as_str());
    if let Some(advice) = next::crds(running, subject.chart.edition, subject.at_hand.as_ref(), task) {
        report.advice(advice);
    }
    let changed = !plan.is_empty();
    if task.diff {
        let name =
            subject.file.as_ref().map_or("values", |(read, _)| if read.name == STDIN { "stdin" } else { &read.name });
        let masked = |text: &str| match task.secrets {
            Secrets::Shown => text.to_owned(),
            Secrets::Masked => mask::masked_manifest(text),
        };
        if global.format == Format::Text {
            report.ui.diff(&diff::unified(name, name, &masked(&subject.text), &masked(&new)));
        }
    }
    if task.check && changed {
        report.ends(Exit::WouldChange);
    }
    if task.diff || task.check {
        return Ok(None);
    }
    match &task.destination {
        ValuesDestination::Stdout => {
            if global.format == Format::Text {
                report.whole(new.as_bytes());
            }
        }
        ValuesDestination::InPlace => write(subject, &new)?,
        ValuesDestination::NewFile(file) => out::create_private(file, new.as_bytes())?,
        ValuesDestination::Helm(_) => return Ok(upgrade(subject, plan, new, task)),
    }
    let Subject { release, chart, .. } = subject;
    if let Some(found) = release {
        next::say(&found.record, chart.edition, session, task, global, report);
    }
    Ok(None)
}

/// What Helm is given; nothing where the release is so already.
fn upgrade(subject: &Subject, plan: &Plan, values: String, task: &UpgradeValues) -> Option<Upgrade> {
    let Found { record, history, .. } = subject.release.as_ref()?;
    if plan.is_empty() && task.to_version.is_none() {
        return None;
    }
    let newest = history.first().map_or((record.revision, record.status.clone()), |entry| {
        (entry.revision, entry.status.clone().unwrap_or_default())
    });
    Some(Upgrade {
        record: record.clone(),
        edition: subject.chart.edition,
        values,
        changes: plan.changes.len(),
        newest,
    })
}

fn write(subject: &Subject, new: &str) -> Result<(), Failure> {
    let Some((read, _)) = &subject.file else { return Ok(()) };
    let Some(file) = &read.file else { return Err(Failure::usage("--write cannot write to stdin")) };
    if *new == read.text {
        return Ok(());
    }
    let mut staging = Staging::default();
    staging.stage(file, new.as_bytes(), Print::of(read.text.as_bytes()))?;
    staging.commit().map(drop).map_err(|halted| *halted.failure)
}

fn say(subject: &Subject, plan: &Plan, after: &Value, report: &mut Report<'_>) {
    if let Some(istiod) = &plan.istiod {
        report.ui.status(istiod);
    }
    let touched = plan.changes.iter().filter(|change| matches!(change.old, values::Old::Set(_))).count();
    let others = values::leaves(&subject.values).saturating_sub(touched);
    for line in shown::changes(&plan.changes, others) {
        report.ui.status(&line);
    }
    for advice in plan.advice.iter().cloned().chain(findings::of_values(&subject.values, after, &subject.chart)) {
        report.advice(advice);
    }
    if let Some(chart) = &subject.at_hand {
        let name = format!("{}-{}", chart.name, chart.version);
        for advice in chart.known.advise(&subject.values, subject.chart.edition, &name) {
            report.advice(advice);
        }
    }
    let secrets = mask::secret_paths(after);
    if !secrets.is_empty() {
        report.advice(Advice::note(Code::Secret, shown::secrets(&secrets)));
    }
}

fn document(subject: &Subject, plan: &Plan, after: &Value, report: &mut Report<'_>) {
    let release = subject.release.as_ref().map(|found| {
        let record = &found.record;
        json!({
            "name": record.name, "namespace": record.namespace, "revision": record.revision,
            "status": record.status, "chart": record.chart, "chartVersion": record.chart_version,
        })
    });
    report.field("release", release.unwrap_or(Value::Null));
    report.field("changes", shown::value(&plan.changes));
    report.field("values", after.clone());
}
