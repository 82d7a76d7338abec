//! Reads the content of a namespace that is enrolled or unenrolled.

use serde_json::Value;

use super::unread::why;
use crate::command::{Hint, flag};
use crate::error::{Exit, Failure};
use crate::kube::{ApiCause, ApiError, Query, Scope, Session};
use crate::model::names::RUNNING;
use crate::model::{Kind, Object, ObjectRef, kinds};
use crate::plan::advice::{Advice, Code};
use crate::plan::enrolment::NamespaceState;
use crate::plan::enrolment::advice::demands_tls;

/// Everything that runs there, and advice about what could not be read, if it is not essential.
///
/// # Errors
/// The workloads or their pods cannot be listed, so it is unknown which to restart.
pub(crate) async fn seen(session: &Session, namespace: &str) -> Result<(NamespaceState, Vec<Advice>), Failure> {
    let scope = Scope::Namespace(namespace);
    let list = |kind: &'static Kind| session.list_all(kind, scope, Query::default());
    let running = Query { fields: RUNNING.to_owned(), ..Query::default() };
    let (deployments, stateful_sets, daemon_sets, pods, cron_jobs, budgets) = tokio::join!(
        list(&kinds::DEPLOYMENT),
        list(&kinds::STATEFUL_SET),
        list(&kinds::DAEMON_SET),
        session.list_all(&kinds::POD, scope, running),
        list(&kinds::CRON_JOB),
        list(&kinds::DISRUPTION_BUDGET),
    );
    let mut workloads = Vec::new();
    for (kind, listed) in
        [(&kinds::DEPLOYMENT, deployments), (&kinds::STATEFUL_SET, stateful_sets), (&kinds::DAEMON_SET, daemon_sets)]
    {
        let listed = listed.map_err(|error| undecided(error, session))?;
        workloads.extend(listed.into_iter().map(|value| Object::new(kind, value)));
    }
    let pods = pods.map_err(|error| undecided(error, session))?;
    let mut advice = Vec::new();
    let mut or_unknown = |what: &str, listed: Result<Vec<Value>, ApiError>| match listed {
        Ok(items) => items,
        Err(error) => {
            advice.extend(unknown(&format!("{what} of {namespace}"), &error));
            Vec::new()
        }
    };
    let cron_jobs = or_unknown("the CronJobs", cron_jobs);
    let budgets = or_unknown("the PodDisruptionBudgets", budgets);
    let cron_jobs = cron_jobs.into_iter().map(|value| Object::new(&kinds::CRON_JOB, value)).collect();
    Ok((NamespaceState { workloads, pods, cron_jobs, budgets }, advice))
}

fn undecided(error: ApiError, session: &Session) -> Failure {
    let failure = error.into_failure(session);
    match failure.exit {
        Exit::SaidNo => failure.hint(flag("--no-restart").text(" only sets the label and reads no pods")),
        _ => failure,
    }
}

/// The note about a list that could not be read.
pub(crate) fn unknown(what: &str, error: &ApiError) -> Option<Advice> {
    let note = Advice::note(Code::Unknown, format!("{what} are unknown: {}", why(error)));
    match &error.cause {
        ApiCause::NoCrd => None,
        ApiCause::Forbidden { rule: Some(rule), .. } => Some(note.hint(Hint::allowing(rule.as_ref().clone()))),
        _ => Some(note),
    }
}

/// The Upstreams that send Istio's mutual TLS to a namespace, read page by page.
///
/// # Errors
/// They cannot be listed.
pub(crate) async fn upstreams_with_tls(session: &Session, namespace: &str) -> Result<Vec<ObjectRef>, ApiError> {
    let mut found = Vec::new();
    let mut pages = session.pages(&kinds::UPSTREAM, Scope::All, Query::default());
    while let Some(page) = pages.next().await? {
        let there = page.items.into_iter().filter(|upstream| demands_tls(upstream) == Some(namespace));
        found.extend(there.map(|value| Object::new(&kinds::UPSTREAM, value).reference));
    }
    Ok(found)
}
