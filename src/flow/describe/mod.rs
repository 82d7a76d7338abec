//! `istio describe`: reads, evaluates and prints. It writes nothing.

pub(super) mod all;
mod request;

use crate::flow::baseline::BaselineRun;
use crate::flow::session;
use std::rc::Rc;

use serde_json::Value;

use super::report::Report;
use crate::error::{Exit, Failure, Reason};
use crate::kube::{ApiCause, Session};
use crate::load::snapshot::Namespaces;
use crate::load::survey::SurveyReader;
use crate::load::{absence, mesh_certificates, paths, traffic};
use crate::model::{Object, ObjectRef, Snapshot, kinds};
use crate::options::{Describe, DescribeSubject, Global, Named};
use crate::plan::Unread;
use crate::plan::advice::Advice;
use crate::plan::backend::ServiceRef;
use crate::plan::path::routed::Routed;
use crate::plan::path::survey;
use crate::plan::path::{Described, Verdict};
use crate::plan::routes::RouteTarget;
use crate::render::answer::ClusterAnswer;
use crate::render::describe as render;

/// The session of a run and the namespace of Gloo.
struct Cluster<'g> {
    session: Rc<Session>,
    gloo: String,
    /// Why the namespace of Gloo is only a guess.
    guessed: Option<Unread>,
    global: &'g Global,
}

/// Describes the subject of the command.
///
/// # Errors
/// The named object does not exist, or the API server does not answer.
pub(super) async fn run(task: &Describe, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let baseline = BaselineRun::begin(&task.baseline)?;
    let session = session::open(global, report).await?;
    report.ui.status(format!("{}, {}", session::place(&session), now()));
    report.field("targets", Value::Array(Vec::new()));
    if matches!(task.subject, DescribeSubject::All { .. }) {
        report.ui.begin_progress("targets");
    }
    let mut answer = ClusterAnswer::new(report.ui.columns());
    let ended = read(session, (task, &baseline), global, &mut answer, &mut || report.ui.advance()).await;
    report.ui.end_progress();
    report.tell(answer);
    ended
}

/// Describes the subject in one cluster. `advance` is called after each target.
///
/// # Errors
/// The named object does not exist, or the API server does not answer.
pub(super) async fn read(
    session: Rc<Session>,
    (task, baseline): (&Describe, &BaselineRun),
    global: &Global,
    answer: &mut ClusterAnswer,
    advance: &mut dyn FnMut(),
) -> Result<(), Failure> {
    let (gloo, guessed) = home(&session, global).await;
    let cluster = Cluster { session, gloo, guessed, global };
    match &task.subject {
        DescribeSubject::Upstream(named) => one(&cluster, named, &task.fail_on, answer).await,
        DescribeSubject::Request(request) => request::describe(&cluster, request, &task.fail_on, answer).await,
        DescribeSubject::All { labels, scope, only } => {
            let wanted = all::WantedTargets { labels: labels.as_ref(), scope, only, baseline };
            all::describe(&cluster, &wanted, &task.fail_on, answer, advance).await
        }
    }
}

/// The namespace of Gloo. It is a guess if no flag names it and Settings may not be read.
async fn home(session: &Session, global: &Global) -> (String, Option<Unread>) {
    let survey = SurveyReader::new(session, global);
    let gloo = survey.gloo_namespace().await.to_owned();
    let unread = survey.switches().await.as_ref().err().filter(|why| why.rule.is_some());
    let guessed = unread
        .filter(|_| global.gloo_namespace.is_none())
        .map(|why| Unread { why: format!("where Gloo is installed is unknown: {why}"), ..why.clone() });
    (gloo, guessed)
}

fn now() -> String {
    let now = jiff::Timestamp::now();
    now.round(jiff::Unit::Second).unwrap_or(now).to_string()
}

impl Cluster<'_> {
    /// The namespaces to read if reading all namespaces is not allowed.
    fn namespaces(&self) -> Namespaces {
        let mut otherwise = vec![self.gloo.clone(), self.global.object_namespace().to_owned()];
        otherwise.dedup();
        Namespaces { only: Vec::new(), otherwise }
    }

    /// The facts, with the certificates that the gateways answer.
    async fn survey<'s>(&self, snapshot: &'s Snapshot) -> survey::Survey<'s> {
        let survey = survey::Survey::new(snapshot, &self.gloo);
        if let Some(why) = &self.guessed {
            return survey.without_proxies(why);
        }
        let certificates = mesh_certificates::of_proxies(&self.session, &survey).await;
        survey.showing(certificates)
    }

    /// Which gateways serve which routes, if the gateways differ. `None` if they do not differ or this is unknown.
    async fn routed(&self, survey: &survey::Survey<'_>, answer: &mut ClusterAnswer) -> Option<Routed> {
        if !survey.gateways_differ() {
            return None;
        }
        let (routed, gaps) = traffic::routes(&self.session).await;
        match gaps.first() {
            None => Some(routed),
            Some(why) => {
                answer.advice(Advice::unknown("which gateways serve which routes is unknown", why));
                None
            }
        }
    }

    /// Reads the context of these Services.
    async fn around(&self, services: &[ServiceRef]) -> Result<Snapshot, Failure> {
        paths::around(&self.session, &self.gloo, &self.namespaces(), services).await
    }
}

/// The Service that an Upstream refers to, or `None` if the Upstream is of another type.
fn service(upstream: &Object) -> Option<ServiceRef> {
    let kube = &upstream.value["spec"]["kube"];
    let text = |key: &str| kube[key].as_str().unwrap_or_default().to_owned();
    kube.is_object().then(|| ServiceRef { namespace: text("serviceNamespace"), name: text("serviceName") })
}

async fn one(
    cluster: &Cluster<'_>,
    named: &Named,
    fail_on: &[Verdict],
    answer: &mut ClusterAnswer,
) -> Result<(), Failure> {
    let namespace = named.namespace.as_deref().unwrap_or(cluster.global.object_namespace());
    let reference = ObjectRef::new(&kinds::UPSTREAM, namespace, named.name.as_str());
    let upstream = match cluster.session.get(&kinds::UPSTREAM, namespace, &named.name).await {
        Ok(value) => Object::new(&kinds::UPSTREAM, value),
        Err(error) if error.cause == ApiCause::NotFound => return Err(not_there(cluster, &reference).await),
        Err(error) => return Err(error.into_failure(&cluster.session)),
    };
    let services: Vec<_> = service(&upstream).into_iter().collect();
    let snapshot = cluster.around(&services).await?;
    let survey = cluster.survey(&snapshot).await;
    let routed = cluster.routed(&survey, answer).await;
    let facts = survey.of_upstream(&upstream);
    let facts = routed.iter().fold(facts, |facts, routed| routed.narrow(&survey, facts));
    say(&[Described::from(facts).on(&cluster.global.target())], fail_on, answer);
    Ok(())
}

async fn not_there(cluster: &Cluster<'_>, reference: &ObjectRef) -> Failure {
    let absence = absence::around(&cluster.session, reference).await;
    let message = format!("{reference}: not found in {}", reference.namespace);
    let mut failure = Failure::new(Exit::SaidNo, Reason::NotFound, message);
    failure.details.extend(absence.detail());
    failure.hints.extend(absence.hint());
    failure.detail(cluster.session.looked())
}

/// Prints the targets and compares them with the threshold.
fn say(described: &[Described], fail_on: &[Verdict], answer: &mut ClusterAnswer) {
    answer.field("targets", described.iter().map(render::of_target).collect());
    for (number, described) in described.iter().enumerate() {
        if number > 0 {
            answer.paragraph("");
        }
        for line in render::target(described) {
            answer.paragraph(line);
        }
    }
    if described.iter().any(|described| fail_on.contains(&described.judged.verdict)) {
        answer.ends(Exit::WouldChange);
    }
}

/// The Upstreams among these targets.
fn upstreams(targets: &[RouteTarget]) -> impl Iterator<Item = (&str, &str)> {
    targets.iter().filter_map(|target| match target {
        RouteTarget::Upstream { namespace, name } => Some((namespace.as_str(), name.as_str())),
        _ => None,
    })
}
