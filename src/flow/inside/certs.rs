//! `proxy certs`: the certificates that Envoy uses, with their secrets, names and expiry dates.

use std::rc::Rc;

use jiff::Timestamp;
use serde_json::Value;

use super::ProxyPodsSession;
use crate::bounded;
use crate::command::{flag, gloo_rs, kubectl};
use crate::envoy::certs::{self, COLUMNS, Roots, Secret};
use crate::envoy::view::{ColumnWidth, KeptRows, ViewRow};
use crate::error::{Exit, Failure, Reason};
use crate::flow::report::Report;
use crate::kube::{ApiCause, Session};
use crate::load::unread;
use crate::model::kinds;
use crate::options::{CertsTask, Format, Global};
use crate::plan::advice::{Advice, Code};
use crate::plan::proxy_pods::ProxyPod;
use crate::render;
use crate::render::answer::{AnswerPart, ClusterAnswer};

/// Size limit in bytes. A gateway that terminates TLS for thousands of hosts has a few megabytes of certificates.
const MOST: usize = 8 << 20;
/// Memory limit in bytes for the parsed values.
const MOST_PARSED: usize = 24 << 20;
/// The ConfigMap that istiod creates in every namespace.
const ROOT: &str = "istio-ca-root-cert";
const ISTIO_SYSTEM: &str = "istio-system";

/// Prints the table of certificates.
///
/// # Errors
/// Why the certificates could not be read.
pub(crate) async fn print(task: &CertsTask, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    report.field("certificates", Value::Array(Vec::new()));
    let inside = super::open(&task.pods, global, report).await?;
    let mut answer = ClusterAnswer::default();
    let rows = rows(&inside, global, &mut answer).await;
    report.tell(answer);
    let rows = rows?;
    if !rows.is_empty() {
        render::dump::lines(&COLUMNS, rows.iter(), width(global), &mut |line| report.line(line));
    }
    let mut answer = ClusterAnswer::default();
    judge(&rows, task, &mut answer);
    report.tell(answer);
    Ok(())
}

/// Reads the certificates in one of several clusters.
///
/// # Errors
/// Why the certificates could not be read.
pub(crate) async fn read(
    session: Rc<Session>,
    task: &CertsTask,
    global: &Global,
    answer: &mut ClusterAnswer,
) -> Result<(), Failure> {
    let inside = super::find(session, &task.pods, global, answer).await?;
    let rows = rows(&inside, global, answer).await?;
    answer.parts.push(AnswerPart::Table(render::dump::table(&COLUMNS, rows.iter(), width(global))));
    judge(&rows, task, answer);
    Ok(())
}

fn width(global: &Global) -> ColumnWidth {
    if global.format == Format::Wide { ColumnWidth::Wide } else { ColumnWidth::Usual }
}

/// The certificates of all pods.
async fn rows(inside: &ProxyPodsSession, global: &Global, answer: &mut ClusterAnswer) -> Result<KeptRows, Failure> {
    let roots = roots(inside, &inside.pods[0].namespace, answer).await;
    let mut rows = KeptRows::default();
    for pod in &inside.pods {
        let of_pod = of_pod(inside, pod, &roots, answer).await?;
        if !of_pod.into_iter().all(|row| rows.push(&row, MOST)) {
            return Err(too_large(pod));
        }
    }
    if matches!(global.format, Format::Json | Format::Yaml) {
        let values = rows.values(MOST_PARSED).ok_or_else(|| too_large(&inside.pods[0]))?;
        answer.field("certificates", Value::Array(values));
    }
    Ok(rows)
}

/// Compares the certificates with the threshold.
fn judge(rows: &KeptRows, task: &CertsTask, answer: &mut ClusterAnswer) {
    let Some(least) = task.fail_under else { return };
    let least = i64::try_from(least.as_secs()).unwrap_or(i64::MAX);
    let is_short = |row: &ViewRow| row["secondsLeft"].as_i64().is_some_and(|left| left < least);
    let short: Vec<_> = rows.iter().filter(is_short).map(|row| until(&row)).collect();
    if !short.is_empty() {
        let (all, least) = (rows.iter().count(), render::age::left(least));
        let line = format!("{} of {all} certificates are valid for less than {least}", short.len());
        answer.advice(Advice::warning(Code::Expiring, line).details(short));
        answer.ends(Exit::WouldChange);
    }
}

/// The failure for certificates that do not fit in memory.
fn too_large(pod: &ProxyPod) -> Failure {
    let line =
        format!("pod {}/{}: the certificates of the selected pods take too much memory", pod.namespace, pod.name);
    Failure::new(Exit::Failed, Reason::InPod, line).hint(flag("--name").text(" pod/NAME reads only one pod"))
}

fn until(row: &ViewRow) -> String {
    let text = |key: &str| crate::envoy::view::cell(row.get(key));
    format!("{} {} until {} ({})", text("secret"), text("kind"), text("validTo"), text("validFor"))
}

async fn of_pod(
    inside: &ProxyPodsSession,
    pod: &ProxyPod,
    roots: &Roots,
    answer: &mut ClusterAnswer,
) -> Result<Vec<ViewRow>, Failure> {
    let page = json(&inside.page(pod, certs::PAGE, MOST).await?);
    let secrets = secrets(inside, pod, certs::SECRETS).await.unwrap_or_else(|failure| {
        let line = format!("which secrets they belong to is unknown: {}", failure.message);
        answer.advice(Advice::note(Code::Unknown, line));
        Vec::new()
    });
    let Some(rows) = certs::rows(&page, &secrets, roots, Timestamp::now()) else {
        let line = format!("pod {}/{}: {} is not in Envoy's format", pod.namespace, pod.name, certs::PAGE);
        return Err(Failure::new(Exit::Failed, Reason::InPod, line));
    };
    let waiting = secrets_waited_for(inside, pod).await;
    if !waiting.is_empty() {
        let line = format!("pod {}: Envoy waits for the secret {}", pod.name, waiting.join(", "));
        let inject =
            gloo_rs("istio inject").of_installation(&pod.namespace).after("its sds container gets it from istiod: ");
        let hint = inject.text(", ").command(kubectl("logs -c sds").value(&pod.name).with("-n", &pod.namespace));
        answer.advice(Advice::warning(Code::Warming, line).hint(hint));
    } else if rows.is_empty() {
        let line =
            format!("pod {}: no certificate, because nothing in Envoy's configuration uses a secret yet", pod.name);
        let hint = gloo_rs("istio enable-mtls --upstream NAME").then(" makes an Upstream use Istio's");
        answer.advice(Advice::note(Code::Nothing, line).hint(hint));
    }
    let place = [("namespace", &pod.namespace), ("pod", &pod.name)];
    let place = place.map(|(key, text)| (key.to_owned(), Value::from(text.clone())));
    let with_place = |row: ViewRow| {
        let left = row["secondsLeft"].as_i64().map(render::age::left);
        place.clone().into_iter().chain(row).chain([("validFor".to_owned(), Value::from(left))]).collect()
    };
    Ok(rows.into_iter().map(with_place).collect())
}

async fn secrets_waited_for(inside: &ProxyPodsSession, pod: &ProxyPod) -> Vec<String> {
    let secrets = secrets(inside, pod, certs::WARMING).await.unwrap_or_default();
    secrets.into_iter().map(|secret| secret.name).collect()
}

/// Reads the secrets from a page. Envoy answers 404 if it has none.
async fn secrets(inside: &ProxyPodsSession, pod: &ProxyPod, path: &str) -> Result<Vec<Secret>, Failure> {
    let page = inside.page_if_any(pod, path, MOST).await?;
    Ok(page.map(|page| certs::secrets(&json(&page))).unwrap_or_default())
}

fn json(page: &[u8]) -> Value {
    bounded::value(page, MOST_PARSED).unwrap_or_default()
}

/// The root certificates of the mesh, from the gateway's namespace or from istiod's.
async fn roots(inside: &ProxyPodsSession, namespace: &str, answer: &mut ClusterAnswer) -> Roots {
    let mut why = String::new();
    for namespace in [namespace, ISTIO_SYSTEM] {
        match inside.session.get(&kinds::CONFIG_MAP, namespace, ROOT).await {
            Ok(map) => return Some(certs::roots(&map)).filter(|roots| !roots.is_empty()),
            Err(error) if error.cause == ApiCause::NotFound && namespace != ISTIO_SYSTEM => {}
            Err(error) => why = unread::why(&error),
        }
    }
    answer.advice(Advice::note(Code::Unknown, format!("the mesh's root is unknown: {why}")));
    None
}
