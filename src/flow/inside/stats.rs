//! `proxy stats`: prints Envoy's statistics unchanged, or as a field of the document.

use serde_json::{Value, json};

use super::ProxyPodsSession;
use crate::bounded::{self, NoValue};
use crate::command::flag;
use crate::envoy::admin::{StatsFormat, StatsWish, stats};
use crate::error::{Exit, Failure, Reason};
use crate::flow::report::Report;
use crate::options::{Format, Global, StatsTask};
use crate::plan::proxy_pods::ProxyPod;

/// Size limit of the statistics in a document, in bytes. Without `-o` they are printed as they come.
const MOST: usize = 16 << 20;
/// What their values may take in memory, in bytes: those of about 90,000 counters.
const MOST_PARSED: usize = 32 << 20;

/// Prints the statistics of each pod.
///
/// # Errors
/// Why they could not be read.
pub(crate) async fn print(task: &StatsTask, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let document = global.format != Format::Text;
    if document {
        report.field("stats", Value::Array(Vec::new()));
    }
    let inside = super::open(&task.pods, global, report).await?;
    if document {
        let mut pods = Vec::new();
        for pod in &inside.pods {
            pods.push(json!({"namespace": pod.namespace, "pod": pod.name, "stats": values(&inside, pod, task).await?}));
        }
        report.field("stats", Value::Array(pods));
        return Ok(());
    }
    for pod in &inside.pods {
        if inside.pods.len() > 1 && task.wish.format != StatsFormat::Json {
            report.line(format!("# pod {}/{}", pod.namespace, pod.name));
        }
        inside.print(pod, &stats(&task.wish), report).await.map_err(|failure| of_filter(task, failure))?;
    }
    Ok(())
}

async fn values(inside: &ProxyPodsSession, pod: &ProxyPod, task: &StatsTask) -> Result<Value, Failure> {
    let wish = StatsWish { format: StatsFormat::Json, ..task.wish.clone() };
    let page = inside.page(pod, &stats(&wish), MOST).await.map_err(|failure| of_filter(task, failure))?;
    let failure = |what: &str| Failure::new(Exit::Failed, Reason::InPod, format!("pod {}: {what}", pod.name));
    let mut page = match bounded::value(&page, MOST_PARSED) {
        Err(NoValue::TooLarge) => {
            let failure = failure("its statistics are too many for a document");
            return Err(failure.hint(flag("--filter").text(" and ").flag("--used").text(" select some")).hint(
                flag("--format json").text(", without ").flag("-o").text(", prints all of them as Envoy answers"),
            ));
        }
        page => page.unwrap_or_default(),
    };
    match page.get_mut("stats").map(Value::take) {
        Some(all @ Value::Array(_)) => Ok(all),
        _ => Err(failure("its statistics are not in Envoy's format")),
    }
}

/// Envoy answers 400 to a filter that is not a valid regular expression. This is reported as a usage error.
fn of_filter(task: &StatsTask, failure: Failure) -> Failure {
    match (&task.wish.filter, failure.message.split_once(" answers 400: ")) {
        (Some(filter), Some((_, why))) => Failure::usage(format!("--filter {filter:?}: {why}")),
        _ => failure,
    }
}
