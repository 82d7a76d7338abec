//! Shows which changes the chart reads, by its templates or by what the user's own Helm renders. A change without an
//! effect is left out.

use std::time::Duration;

use serde_json::Value;

use super::subject::ValuesSubject;
use crate::edit::mask::SecretTexts;
use crate::error::Failure;
use crate::helm::{ChartInput, File, Helm, RecordProblem, Rendering, chart_files, packed};
use crate::kube::Environment;
use crate::load::release::FoundRelease;
use crate::model::FieldPath;
use crate::options::{ProofWish, UpgradeValues, ValuesAct};
use crate::plan::advice::{Advice, Code};
use crate::plan::values::known::ChartKeys;
use crate::plan::values::probes::probes;
use crate::plan::values::proof::{Proof, ProofState};
use crate::plan::values::rendered::RenderedSettings;
use crate::plan::values::{ValuesPlan, merged};
use crate::yaml;

/// The namespace and name of a release that does not exist.
const USUAL: &str = "gloo";

/// The chart, as far as it is at hand.
enum ChartSource {
    AtHand,
    /// The files of a release's chart.
    Recorded(Vec<File>),
}

/// Returns the plan without the changes that have no effect, and what is proven about the others.
pub(super) async fn prove(
    subject: &ValuesSubject,
    plan: ValuesPlan,
    task: &UpgradeValues,
    limit: Duration,
) -> (ValuesPlan, Proof) {
    if plan.is_empty() {
        return (plan, Proof::default());
    }
    let source = match source(subject, task) {
        Ok(source) => source,
        Err(why) => return (plan, Proof::not_proven(why)),
    };
    let name = name_of_chart(subject);
    let unread = unread_by_templates(subject, &source, &plan, task);
    let plan = plan.without(&unread);
    if task.proof == ProofWish::Templates || plan.is_empty() {
        return (plan, Proof { state: ProofState::Named { chart: name }, unread });
    }
    match rendered(subject, &source, &plan, task, limit).await {
        Ok(Rendered { before, after, unread: more }) => {
            let more = if task.act == ValuesAct::Merge { more } else { Vec::new() };
            let unread = [unread, more.clone()].concat();
            (plan.without(&more), Proof { state: ProofState::Rendered { chart: name, before, after }, unread })
        }
        Err(why) => {
            let why = SecretTexts::of_value(&subject.values).masked(&why);
            (plan, Proof { unread, ..Proof::not_proven(format!("rendered by Helm: {why}")) })
        }
    }
}

/// The advice about changes that were left out.
pub(super) fn advice(proof: &Proof, subject: &ValuesSubject) -> impl Iterator<Item = Advice> {
    let name = name_of_chart(subject);
    proof.unread.iter().map(move |path| {
        Advice::warning(Code::NoEffect, format!("{path}: not set, chart {name} does not read it"))
            .hint("another version of the chart may, or the chart is another one")
    })
}

fn name_of_chart(subject: &ValuesSubject) -> String {
    match (&subject.at_hand, &subject.release) {
        (Some(chart), _) => format!("{}-{}", chart.name, chart.version),
        (None, Some(FoundRelease { record, .. })) => format!("{}-{}", record.chart, record.chart_version),
        (None, None) => subject.chart.edition.chart().to_owned(),
    }
}

fn source(subject: &ValuesSubject, task: &UpgradeValues) -> Result<ChartSource, String> {
    const GIVE: &str = "--chart FILE.tgz|DIR gives it";
    if let Some(chart) = &subject.at_hand {
        return match chart.lacks.is_empty() {
            true => Ok(ChartSource::AtHand),
            false => Err(format!("the chart lacks {} in its directory charts", chart.lacks.join(", "))),
        };
    }
    let Some(FoundRelease { record, stored, .. }) = &subject.release else {
        return Err(format!("the chart is not at hand; {GIVE}"));
    };
    if !record.dependencies.is_empty() {
        let inner: Vec<_> = record.dependencies.iter().map(|it| it.name.as_str()).collect();
        let inner = inner.join(", ");
        return Err(format!("a release's record of {} lacks the charts in it ({inner}); {GIVE}", record.chart));
    }
    if task.to_version.as_ref().is_some_and(|version| *version != record.chart_version) {
        return Err(format!("the release has another version of the chart; {GIVE}"));
    }
    let files = chart_files(stored, record.storage).map_err(|RecordProblem(why)| why)?;
    let has_templates = files.iter().any(|file| file.path.starts_with("templates/"));
    match has_templates {
        true => Ok(ChartSource::Recorded(files)),
        false => Err(format!("the release's record has no templates; {GIVE}")),
    }
}

/// The changed keys that no template names. What is removed needs no reader.
fn unread_by_templates(
    subject: &ValuesSubject,
    source: &ChartSource,
    plan: &ValuesPlan,
    task: &UpgradeValues,
) -> Vec<FieldPath> {
    if task.act != ValuesAct::Merge {
        return Vec::new();
    }
    let recorded;
    let known = match (source, &subject.at_hand) {
        (ChartSource::Recorded(files), _) => {
            let files = files.iter().map(|file| (file.path.as_str(), file.text.as_str()));
            recorded = ChartKeys::new(Value::Null, None, files);
            &recorded
        }
        (ChartSource::AtHand, Some(chart)) => &chart.known,
        (ChartSource::AtHand, None) => return Vec::new(),
    };
    plan.changes.iter().map(|change| &change.path).filter(|path| !known.is_read(path)).cloned().collect()
}

/// What Helm makes of the values before and after.
struct Rendered {
    before: RenderedSettings,
    after: RenderedSettings,
    /// The changed keys that have no effect on it.
    unread: Vec<FieldPath>,
}

/// Renders the chart with the values before and after, and with those of the probes.
async fn rendered(
    subject: &ValuesSubject,
    source: &ChartSource,
    plan: &ValuesPlan,
    task: &UpgradeValues,
    limit: Duration,
) -> Result<Rendered, String> {
    let of_failure = |failure: Failure| failure.message;
    let helm = Helm::find(Environment::of_process().os("PATH"), limit).await.map_err(of_failure)?;
    let planned = subject.after(plan).map_err(of_failure)?;
    let render = async |values: &Value| -> Result<String, String> {
        let (release, namespace) = match &subject.release {
            Some(FoundRelease { record, .. }) => (&*record.name, &*record.namespace),
            None => (USUAL, USUAL),
        };
        let text = yaml::write(values);
        let bytes;
        let chart = match (source, &task.chart) {
            (ChartSource::Recorded(files), _) => {
                bytes = with_values(files, values)?;
                ChartInput::Packed(&bytes)
            }
            (ChartSource::AtHand, Some(path)) => ChartInput::Path(path),
            (ChartSource::AtHand, None) => return Err("the chart is not at hand".to_owned()),
        };
        helm.template(Rendering { release, namespace, chart, values: &text }, limit).await
    };
    let before = RenderedSettings::read(&render(&subject.values).await?)?;
    let after = RenderedSettings::read(&render(&planned).await?)?;
    // Without objects, a missing text would show nothing.
    if after == RenderedSettings::default() {
        return Err("it renders neither Settings nor a gateway".to_owned());
    }
    let mut unread = Vec::new();
    for probe in probes(&planned, &plan.changes) {
        unread.extend(probe.unread(&after, &render(&probe.values).await?)?);
    }
    Ok(Rendered { before, after, unread })
}

/// The package of the chart with these values over its own. A chart without others in it sees no difference.
fn with_values(files: &[File], values: &Value) -> Result<Vec<u8>, String> {
    let all = |file: &File| match file.path.as_str() {
        "values.yaml" => {
            let own = yaml::parse(&file.text).map_err(|problem| problem.message)?;
            let values = Some(values).filter(|values| !values.is_null());
            Ok(File { text: merged(own, values).to_string(), ..file.clone() })
        }
        _ => Ok(file.clone()),
    };
    let files: Vec<_> = files.iter().map(all).collect::<Result<_, String>>()?;
    packed(&files).map_err(|RecordProblem(why)| why)
}
