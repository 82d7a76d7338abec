//! `proxy logs`: prints or follows the log of Envoy's container, with raised log levels meanwhile.

mod levels;
mod reader;

use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::ProxyPodsSession;
use crate::command::flag;
use crate::error::{Exit, Failure, Reason};
use crate::flow::interrupt::Signals;
use crate::flow::report::Report;
use crate::kube::{LogQuery, Since};
use crate::load::log::{Event, LogReading};
use crate::options::{Format, Global, LogExtent, LogsTask};
use crate::plan::proxy_pods::ProxyPod;
use crate::ui::{Lead, Ui};
use levels::Raised;

/// Size limit in bytes. A document is completely in memory before it is printed.
const MOST_DOCUMENT: usize = 64 << 20;

/// How the reading ended.
enum Ended {
    /// The log ended or failed.
    Read(Result<(), Failure>),
    /// The time of `--for` is over, or stdout has no reader any more.
    Enough,
    Interrupted,
}

/// Prints the logs of the pods.
///
/// # Errors
/// Why the logs could not be read, or which levels were not reset.
pub(crate) async fn print(task: &LogsTask, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    if global.format != Format::Text {
        report.field("logs", Value::Array(Vec::new()));
    }
    let inside = super::open(&task.pods, global, report).await?;
    let interrupts = report.interrupts();
    interrupts.begin_writes()?;
    let mut signals = interrupts.signals();
    let mut raised = Raised::default();
    let started = match &task.level {
        None => Ok(()),
        Some(wish) => {
            report.ui.status(crate::flow::session::place(&inside.session));
            tokio::select! {
                biased;
                () = signals.next() => Err(None),
                done = raised.raise(&inside, wish, report) => done.map_err(Some),
            }
        }
    };
    let ended = match started {
        Ok(()) => read(task, global, &inside, &mut signals, report).await,
        Err(None) => Ended::Interrupted,
        Err(Some(failure)) => Ended::Read(Err(failure)),
    };
    // Raised levels are reset however the reading ended.
    let back = raised.put_back(&inside, &mut signals, report).await;
    match ended {
        Ended::Read(Err(failure)) => report.failure(failure),
        Ended::Interrupted => report.ends(Exit::Interrupted),
        Ended::Read(Ok(())) | Ended::Enough => {}
    }
    back
}

/// Reads until the log ends, the time is over, stdout has no reader, or a signal arrives.
async fn read(
    task: &LogsTask,
    global: &Global,
    inside: &ProxyPodsSession,
    signals: &mut Signals,
    report: &mut Report<'_>,
) -> Ended {
    let limit = match task.extent {
        LogExtent::Followed { limit: Some(limit) } => limit,
        LogExtent::SoFar | LogExtent::Followed { limit: None } => Duration::MAX,
    };
    let gone = reader::gone(Ui::stdout());
    tokio::select! {
        biased;
        () = signals.next() => Ended::Interrupted,
        () = gone => Ended::Enough,
        () = tokio::time::sleep(limit) => Ended::Enough,
        read = each(task, global, inside, report) => Ended::Read(read),
    }
}

async fn each(
    task: &LogsTask,
    global: &Global,
    inside: &ProxyPodsSession,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let readings: Vec<_> = inside.pods.iter().map(|pod| reading(task, global, inside, pod)).collect();
    if global.format != Format::Text {
        return document(inside, readings, report).await;
    }
    let leads: Vec<_> = inside.pods.iter().map(|pod| format!("[pod/{}/{}] ", pod.name, container(task, pod))).collect();
    let lead = |number: usize| (leads.len() > 1).then(|| Lead { text: &leads[number], colour: number });
    let events = readings.into_iter().enumerate().map(|(number, reading)| {
        stream::unfold(reading, async |mut reading| reading.next().await.map(|event| (event, reading)))
            .map(move |event| (number, event))
            .boxed_local()
    });
    // Existing lines are printed pod by pod, so that the order
    // is always the same. New lines are printed as they arrive.
    let mut events = match task.extent {
        LogExtent::SoFar => stream::iter(events).flatten().boxed_local(),
        LogExtent::Followed { .. } => stream::select_all(events).boxed_local(),
    };
    let mut failed = None;
    while let Some((number, event)) = events.next().await {
        match event {
            Event::Lines(lines) => report.log(lead(number), &lines),
            Event::Note(note) => report.ui.status(&note),
            Event::End(why) => why.into_iter().for_each(|why| report.ui.status(&why)),
            // The logs of the other pods go on.
            Event::Failed(failure) => {
                if let Some(earlier) = failed.replace(failure) {
                    report.failure(earlier);
                }
            }
        }
        if report.ui.reader_is_gone() {
            break;
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Collects all lines in a field of the document.
async fn document(
    inside: &ProxyPodsSession,
    readings: Vec<LogReading<'_>>,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let (mut logs, mut size) = (Vec::new(), 0);
    for (pod, mut reading) in inside.pods.iter().zip(readings) {
        let mut all = Vec::new();
        while let Some(event) = reading.next().await {
            match event {
                Event::Lines(lines) => {
                    size += lines.iter().map(Vec::len).sum::<usize>();
                    all.extend(lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()));
                }
                Event::Failed(failure) => return Err(failure),
                Event::Note(_) | Event::End(_) => {}
            }
            if size > MOST_DOCUMENT {
                let message = format!("the logs are larger than {} MiB, too large for a document", MOST_DOCUMENT >> 20);
                return Err(Failure::new(Exit::Failed, Reason::InPod, message)
                    .hint(flag("--tail").text(" or --since reads less; without -o they are printed as they arrive")));
            }
        }
        logs.push(json!({"namespace": pod.namespace, "pod": pod.name, "lines": all}));
    }
    report.field("logs", Value::Array(logs));
    Ok(())
}

fn container<'t>(task: &'t LogsTask, pod: &'t ProxyPod) -> &'t str {
    task.container.as_deref().unwrap_or(&pod.container)
}

fn reading<'i>(task: &LogsTask, global: &Global, inside: &'i ProxyPodsSession, pod: &ProxyPod) -> LogReading<'i> {
    let query = LogQuery {
        container: container(task, pod).to_owned(),
        follow: task.extent != LogExtent::SoFar,
        since: task.since.map(Since::Ago),
        tail: task.tail,
        timestamps: false,
    };
    LogReading::new(&inside.session, (&pod.namespace, &pod.name), query, global.wait_timeout)
}
