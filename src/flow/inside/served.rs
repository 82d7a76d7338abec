//! `proxy served-config`: what Gloo serves to a proxy's role, optionally compared with what Envoy has.

use serde_json::Value;

use super::ProxyPodsSession;
use crate::command::flag;
use crate::envoy::state::{self, LoadedState};
use crate::error::{Exit, Failure, Reason};
use crate::flow::report::Report;
use crate::gloo::{Collected, Offers, ServedSection, SnapshotQuery, compare};
use crate::kube::Session;
use crate::load::proxy_pods;
use crate::load::served::{self, ControlPlane};
use crate::load::streamed::{Broken, parsed};
use crate::load::survey::SurveyReader;
use crate::options::{Against, Format, Global, ServedTask};
use crate::plan::advice::{Advice, Code};
use crate::plan::proxy_pods::ProxyPod;
use crate::render::served::{self as render, ServedComparison};
use crate::text::nearest;

/// Size limit in bytes. The dump of a large gateway has several hundred megabytes.
const MOST: usize = 1 << 30;

/// Prints the served configuration or the comparison.
///
/// # Errors
/// Why it could not be read, or that nothing is served to the role.
pub(crate) async fn print(task: &ServedTask, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    if task.against != Against::Nothing {
        report.field("comparison", Value::Array(Vec::new()));
        let inside = super::open(&task.pods, global, report).await?;
        return compare_pods(task, global, &inside, report).await;
    }
    report.field("served", Value::Null);
    let session = crate::flow::open(global, report).await?;
    let role = role(task, global, &session).await?;
    let survey = SurveyReader::new(&session, global);
    let plane = control_plane(&session, survey.gloo_namespace().await, &role, report).await?;
    let project = match global.format {
        Format::Json | Format::Yaml => render::as_value(task.secrets),
        _ => render::as_row,
    };
    let kept = Collected::new(role.clone(), task.filter.clone(), project);
    let (read, kept) = plane.read(kept).await.map_err(|unseen| unseen.failure)?;
    check(&read, &role, kept.failed.as_deref(), report)?;
    let all = kept.end();
    for line in render::lines(&all) {
        report.line(&line);
    }
    report.field("served", render::value(&role, all));
    Ok(())
}

async fn compare_pods(
    task: &ServedTask,
    global: &Global,
    inside: &ProxyPodsSession,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let role = role(task, global, &inside.session).await?;
    let survey = SurveyReader::new(&inside.session, global);
    let plane = control_plane(&inside.session, survey.gloo_namespace().await, &role, report).await?;
    let mut comparisons = Vec::new();
    for pod in &inside.pods {
        // The served configuration is read again for each pod, because it may have changed.
        let (read, offers) = plane.read(Offers::new(role.clone())).await.map_err(|unseen| unseen.failure)?;
        check(&read, &role, offers.failed.as_deref(), report)?;
        let state = state_of(inside, pod).await?;
        if !state.has_endpoints {
            let what = format!("pod {}/{}: its config dump has no endpoints section", pod.namespace, pod.name);
            report.advice(Advice::note(Code::Unknown, format!("{what}: the loaded endpoints are unknown")));
        }
        let comparison = comparison(task, offers, &state, pod);
        if inside.pods.len() > 1 {
            report.line(format!("# pod {}/{}", pod.namespace, pod.name));
        }
        for line in render::comparison_lines(&comparison) {
            report.line(&line);
        }
        if task.against == Against::EnvoyChecked && comparison.types.iter().any(crate::gloo::ServedDifference::is_one) {
            report.ends(Exit::WouldChange);
        }
        comparisons.push(render::comparison_value(&comparison));
    }
    report.field("comparison", Value::Array(comparisons));
    Ok(())
}

fn comparison(task: &ServedTask, mut offers: Offers, state: &LoadedState, pod: &ProxyPod) -> ServedComparison {
    let is_known = |section: &ServedSection| *section != ServedSection::Endpoints || state.has_endpoints;
    let shown = ServedSection::ALL.into_iter().filter(|section| task.filter.shows(*section)).filter(is_known);
    let types = shown.map(|section| {
        let loaded = match section {
            ServedSection::Listeners => &state.listeners,
            ServedSection::Routes => &state.routes,
            ServedSection::Clusters => &state.clusters,
            ServedSection::Endpoints => &state.endpoints,
        };
        compare(section, &offers.take(section), loaded)
    });
    ServedComparison { types: types.collect(), namespace: pod.namespace.clone(), pod: pod.name.clone() }
}

/// The role from the command line, or from the proxy's bootstrap.
async fn role(task: &ServedTask, global: &Global, session: &Session) -> Result<String, Failure> {
    match &task.role {
        Some(role) => Ok(role.clone()),
        None => proxy_pods::role(session, global, &task.pods.proxy).await,
    }
}

async fn control_plane<'s>(
    session: &'s Session,
    namespace: &'s str,
    role: &str,
    report: &mut Report<'_>,
) -> Result<ControlPlane<'s>, Failure> {
    let plane = served::find(session, namespace).await.map_err(|unseen| unseen.failure)?;
    report.ui.status(format!("role {role}, as pod {namespace}/{} serves it", plane.pod()));
    Ok(plane)
}

/// Fails if nothing is served to the role.
fn check(read: &SnapshotQuery, role: &str, failed: Option<&str>, report: &mut Report<'_>) -> Result<(), Failure> {
    let error = read.error.as_ref().map(|error| format!("Gloo says: {error}"));
    if !read.roles.iter().any(|known| known == role) {
        let message = format!("Gloo serves nothing to the role {role}");
        let mut failure = Failure::new(Exit::SaidNo, Reason::NotFound, message);
        let near = nearest(role, read.roles.iter().map(String::as_str));
        failure.details.extend((!near.is_empty()).then(|| format!("near: {}", near.join(", "))));
        let there = if read.roles.is_empty() { "none".to_owned() } else { read.roles.join(", ") };
        failure.details.push(format!("roles there: {there}"));
        failure.details.extend(error);
        return Err(
            failure.hint(flag("--role").text(" chooses another; --gloo-namespace asks another Gloo installation"))
        );
    }
    if let Some(why) = failed {
        let message = format!("Gloo has no snapshot for the role {role}: {why}");
        let failure = Failure::new(Exit::Failed, Reason::NotServed, message);
        return Err(error.into_iter().fold(failure, Failure::detail));
    }
    report.advice_if(error.map(|error| Advice::warning(Code::Unknown, error)));
    Ok(())
}

async fn state_of(inside: &ProxyPodsSession, pod: &ProxyPod) -> Result<LoadedState, Failure> {
    let answer = inside.get(pod, state::PATH).await?;
    let read = |bytes: &mut dyn std::io::Read| state::read(&mut serde_json::Deserializer::from_reader(bytes));
    match parsed(answer, MOST, read).await {
        Ok(state) => Ok(state),
        Err(Broken::Stream(failure)) => Err(inside.explain(failure).await),
        Err(Broken::TooLong) => Err(bad(pod, &format!("is larger than {} MiB", MOST >> 20))),
        Err(Broken::Json(error)) if error.is_eof() => Err(bad(pod, "is cut off")),
        Err(Broken::Json(error)) => Err(bad(pod, &format!("is not in Envoy's format: {error}"))),
    }
}

fn bad(pod: &ProxyPod, what: &str) -> Failure {
    Failure::new(Exit::Failed, Reason::InPod, format!("pod {}/{}: its config dump {what}", pod.namespace, pod.name))
}
