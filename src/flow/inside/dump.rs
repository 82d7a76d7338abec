//! `proxy dump`: prints Envoy's dump unchanged, or a table of its content, from a pod or a file.

use serde_json::Value;

use super::ProxyPodsSession;
use crate::command::gloo_rs;
use crate::envoy::dump::{DumpReader, DumpSection};
use crate::envoy::view::{self, ColumnWidth, FoundRows, View};
use crate::error::{Exit, Failure, Reason};
use crate::flow::report::Report;
use crate::flow::session::block_on;
use crate::load::dump_file::{self, PART, too_much};
use crate::options::{DumpSource, DumpTask, DumpView, Format, Global, ProxyPods};
use crate::plan::advice::{Advice, Code};
use crate::plan::proxy_pods::{PodAmount, ProxyPod};
use crate::render;
use crate::text::nearest;

/// Without the endpoints.
const DUMP: &str = "/config_dump";
/// Size limit in bytes. The dump of a large gateway has several hundred megabytes.
const MOST: usize = 1 << 30;
/// The rejected updates that are warnings of their own.
const MOST_REJECTED: usize = 50;
/// Memory limit in bytes for the values of a document.
const MOST_PARSED: usize = 24 << 20;
/// A dump contains endpoints only if they are requested.
const WHOLE_DUMP: &str = "/config_dump?include_eds";

/// Prints the dump, or a view of it.
///
/// # Errors
/// Why the dump could not be read, or not completely.
pub(crate) fn run(task: &DumpTask, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    match (&task.source, &task.view) {
        (DumpSource::Pods(pods), None) => block_on(&report.interrupts(), whole(pods, global, report)),
        (DumpSource::Pods(pods), Some(view)) => block_on(&report.interrupts(), of_pods(pods, view, global, report)),
        (DumpSource::File(path), Some(view)) => {
            report.field(view.section.name(), empty(view.section));
            let mut rows = View::new(view.section, view.filter.clone());
            let seen = dump_file::look(path, &mut report.interrupts().stdin(), &mut rows)?;
            let mut lacking = Vec::new();
            for dump_file::DumpState { pod, sections, skipped } in seen {
                report.advice_if(passed_over(&skipped));
                if !sections.contains(&view.section) {
                    lacking.push(
                        pod.as_ref().map_or_else(|| "the dump".to_owned(), |pod| format!("the dump of pod {pod}")),
                    );
                }
            }
            let lacks = absent(view.section, &lacking);
            let found = rows.finish();
            if found.rows.is_empty()
                && let Some(failure) = lacks
            {
                return Err(failure);
            }
            say(&found, view, global, report)?;
            lacks.map_or(Ok(()), Err)
        }
        (DumpSource::File(_), None) => Err(Failure::usage("a saved dump needs a view").hint(VIEWS)),
    }
}

/// A note about the lines before the JSON.
fn passed_over(skipped: &[String]) -> Option<Advice> {
    let first = skipped.first()?;
    let lines = render::text::count(skipped.len(), "line");
    Some(Advice::note(Code::PassedOver, format!("{lines} before the JSON skipped: {first}")))
}

/// The failure for dumps without a section: it is unknown what Envoy has there.
fn absent(section: DumpSection, lacking: &[String]) -> Option<Failure> {
    let first = lacking.first()?;
    let others = if lacking.len() > 1 { format!(" and {} more", lacking.len() - 1) } else { String::new() };
    let why = match section {
        DumpSection::Endpoints => "it was taken without ?include_eds",
        // Envoy adds this section with the first listener for HTTP.
        DumpSection::Routes => "it is only a part of a dump, or Envoy has no HTTP listener",
        _ => "it is only a part of a dump",
    };
    let message = format!("{first}{others} has no {} section: {why}", section.name());
    let ask = gloo_rs("proxy dump").value(section.name()).then(" asks Envoy itself");
    let failure = Failure::new(Exit::Failed, Reason::File, message).hint(ask);
    Some(match section {
        DumpSection::Endpoints => failure.hint(gloo_rs("proxy snapshot").then(" writes a file with it")),
        _ => failure,
    })
}

const VIEWS: &str = "clusters, listeners, routes, endpoints, secrets or bootstrap";

async fn whole(pods: &ProxyPods, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    if pods.amount == PodAmount::All && global.format != Format::Text {
        return Err(Failure::usage("--all-pods: the dumps of several pods are not one document")
            .hint(gloo_rs("proxy snapshot --all-pods").then(" keeps each pod's apart")));
    }
    let inside = super::open(pods, global, report).await?;
    for pod in &inside.pods {
        inside.print(pod, WHOLE_DUMP, report).await?;
    }
    Ok(())
}

async fn of_pods(pods: &ProxyPods, wanted: &DumpView, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    report.field(wanted.section.name(), empty(wanted.section));
    let inside = super::open(pods, global, report).await?;
    let mut view = View::new(wanted.section, wanted.filter.clone());
    for pod in &inside.pods {
        look(&inside, pod, &mut view).await?;
    }
    say(&view.finish(), wanted, global, report)
}

/// Reads a pod's dump as a stream and keeps only the rows.
async fn look(inside: &ProxyPodsSession, pod: &ProxyPod, view: &mut View) -> Result<(), Failure> {
    let path = if view.section() == DumpSection::Endpoints { WHOLE_DUMP } else { DUMP };
    let mut answer = inside.get(pod, path).await?;
    view.begin(vec![("namespace", pod.namespace.clone()), ("pod", pod.name.clone())]);
    let mut reader = DumpReader::of(&view.sections());
    let mut left = MOST;
    let bad = |why: &dyn std::fmt::Display| {
        let line = format!("pod {}/{}: not a config dump of Envoy: {why}", pod.namespace, pod.name);
        Failure::new(Exit::Failed, Reason::InPod, line)
    };
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => {
                left = left.checked_sub(chunk.len()).ok_or_else(|| bad(&"it is too long"))?;
                reader.push(&chunk, &mut |entry| view.take(&entry)).map_err(|why| bad(&why))?;
                let of = || format!("pod {}/{}", pod.namespace, pod.name);
                view.fits_in_memory().map_err(|why| too_much(&of(), &why, Reason::InPod))?;
            }
            Ok(None) => break,
            Err(failure) => return Err(inside.explain(failure).await),
        }
    }
    let sections = reader.finish().map_err(|why| bad(&why))?;
    // A complete dump may lack other sections only if Envoy has nothing there.
    if view.section() == DumpSection::Endpoints && !sections.contains(&DumpSection::Endpoints) {
        return Err(bad(&"it has no endpoints section: this Envoy does not support ?include_eds"));
    }
    view.end();
    view.fits_in_memory().map_err(|why| too_much(&format!("pod {}/{}", pod.namespace, pod.name), &why, Reason::InPod))
}

fn empty(section: DumpSection) -> Value {
    match section {
        DumpSection::Bootstrap => Value::Object(serde_json::Map::new()),
        _ => Value::Array(Vec::new()),
    }
}

fn say(found: &FoundRows, wanted: &DumpView, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let section = wanted.section;
    if report.is_document() {
        let of = if section == DumpSection::Bootstrap { &found.bootstraps } else { &found.rows };
        let mut values = of.values(MOST_PARSED).ok_or_else(|| too_large(wanted))?;
        let is_one = section == DumpSection::Bootstrap && values.len() == 1;
        report.field(section.name(), if is_one { values.remove(0) } else { Value::Array(values) });
    }
    if found.rows.is_empty() {
        return nothing(wanted, &found.names, report);
    }
    let width = if global.format == Format::Wide { ColumnWidth::Wide } else { ColumnWidth::Usual };
    render::dump::lines(&view::columns(section), found.rows.iter(), width, &mut |line| report.line(line));
    let mut rejected = found.rows.iter().filter_map(|row| {
        let said = |key: &str| row.get(key).and_then(Value::as_str);
        Some(format!("{}: Envoy rejected its last update: {}", said(view::name_key(section))?, said("rejected")?))
    });
    for line in rejected.by_ref().take(MOST_REJECTED) {
        report.advice(Advice::warning(Code::Rejected, line));
    }
    let others = rejected.count();
    if others > 0 {
        let line = format!("Envoy rejected the last update of {others} more: their STATE shows it");
        report.advice(Advice::warning(Code::Rejected, line));
    }
    Ok(())
}

/// The failure for rows that do not fit in memory as values of a document.
fn too_large(wanted: &DumpView) -> Failure {
    let line = format!("the {} take too much memory as one document", wanted.section.name());
    Failure::new(Exit::Failed, Reason::InPod, line).hint("-o table prints them as a table").hint(PART)
}

fn nothing(wanted: &DumpView, names: &[String], report: &mut Report<'_>) -> Result<(), Failure> {
    let DumpView { section, filter } = wanted;
    let what = section.name();
    let absent = |line: String| Failure::new(Exit::SaidNo, Reason::NotFound, line);
    if let Some(name) = filter.name.as_ref().filter(|name| !names.contains(name)) {
        let near = nearest(name, names.iter().map(String::as_str));
        let failure = absent(format!("{name}: not found in Envoy's {what}"));
        return Err(match near.is_empty() {
            true => failure,
            false => failure.detail(format!("near: {}", near.join(", "))),
        });
    }
    if *filter != view::ViewFilter::default() {
        return Err(absent(format!("no {what} that match; there are {} in total", names.len())));
    }
    report.advice(Advice::note(Code::Nothing, format!("Envoy has no {what}")));
    Ok(())
}
