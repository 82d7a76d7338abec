//! `istio enroll`, `istio unenroll`: sets the label of a namespace
//! and restarts its workloads until their pods match it.
//!
//! Planning, writing and rolling back are calls on values ([`plan`], [`step::make`], [`run::MadeInNamespace::undo`]),
//! so that a plan of several commands can use them as one of its steps.

mod files;
mod roll;
mod run;
mod settle;
mod step;

pub(super) use files::run as run_on_files;

use super::execute::{Begun, Planned, Proposal, Stands, Stopped, begin, now, short};
use super::guard;
use super::interrupt::{UNTOUCHED, interrupted};
use super::notes::Notes;
use super::report::Report;
use super::session::place;
use crate::apply::transaction::Done;
use crate::command::{CommandLine, gloo_rs};
use crate::error::{Exit, Failure, Reason};
use crate::kube::{ApiCause, Session};
use crate::load::enrolment as load;
use crate::load::istio::FoundIstiods;
use crate::load::survey::SurveyReader;
use crate::load::{absence, ambient, istio};
use crate::model::{Object, ObjectRef, kinds};
use crate::options::{Enrol, Enrolment, Global, Restarts};
use crate::plan::advice::{Advice, Code};
use crate::plan::change::Change;
use crate::plan::enrolment::guard::{Installed, against as not_for_the_mesh, against_ambient as not_for_ambient};
use crate::plan::enrolment::target::{self, KnownIstiods};
use crate::plan::enrolment::workload::Fate;
use crate::plan::enrolment::{self, Capturing, Goal, NamespacePlan, NamespaceState, advice};
use crate::plan::outcome::{Objection, Outcome, Row};
use crate::plan::path::effect::{Effect, Turn};
use crate::plan::path::tunnel::ztunnel_ready;
use crate::render::line::Line;
use run::{Pace, Run};

/// Enrolls or unenrolls the namespaces.
///
/// # Errors
/// The run failed before its first write. The result of each namespace is in the report.
pub(super) async fn run(task: &Enrolment, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let session = super::session::open(global, report).await?;
    report.form_for_cluster(task.preview);
    report.context(&place(&session));
    report.usual_namespace(task.namespaces.first().map(String::as_str).unwrap_or_default());
    let survey = SurveyReader::new(&session, global);
    let planned = plan(&session, &survey, task, report).await;
    let plans = match planned.map_err(|why| why.detail(UNTOUCHED))? {
        Ok(plans) => plans,
        Err(refused) => {
            report.rows(refused);
            report.ui.status(UNTOUCHED);
            return Ok(());
        }
    };
    for (object, why) in plans.iter().flat_map(|plan| left(task, plan)) {
        report.ui.status(format!("not restarted: {}: {}", short(&object), why.message));
        if let Some(hint) = &why.hint {
            report.ui.status(Line::from("  hint: ").hint(&hint.clone().on(&global.target())));
        }
        report.record(Row::left(object, Outcome::Skipped, why));
    }
    if let Some(refused) = report.interrupts().until_signal(guarded(&session, &survey, task, &plans, report)).await? {
        report.row(refused);
        report.ui.status(UNTOUCHED);
        return Ok(());
    }
    let now = now();
    let changes: Vec<_> = plans.iter().flat_map(|plan| changes(task, plan, &now)).collect();
    let (asks, risks) = risks(task, &plans, survey.gloo_namespace().await);
    let proposal = Proposal { changes: &changes, asks, risks, preview: task.preview, secrets: task.secrets };
    if begin(&session, proposal, global, report).await? == Begun::Writes {
        let stop = report.interrupts();
        let run = Run { session: &session, stop: &stop, pace: pace(task, global), now: &now };
        each(&run, &plans, report).await;
    }
    Ok(())
}

/// Returns a refusal of all namespaces if requests would get 503s.
async fn guarded(
    session: &Session,
    survey: &SurveyReader<'_>,
    task: &Enrolment,
    plans: &[NamespacePlan],
    notes: &mut dyn Notes,
) -> Result<Option<Row>, Failure> {
    let effects = effects(task, plans);
    let Some(first) = plans.iter().find(|plan| plan.changes()) else { return Ok(None) };
    let joins = match &task.act {
        Enrol::Out => None,
        Enrol::Ambient { .. } => {
            Some(task.namespaces.iter().fold(gloo_rs("istio enroll --ambient"), CommandLine::value))
        }
        Enrol::In { revision, .. } => {
            let enroll = task.namespaces.iter().fold(gloo_rs("istio enroll"), CommandLine::value);
            Some(revision.iter().fold(enroll, |enroll, revision| enroll.with("--revision", revision)))
        }
    };
    let why = guard::objection(session, survey, (&effects, joins), task.caution, notes).await?;
    Ok(why.map(|why| Row::left(first.namespace.reference.clone(), Outcome::Refused, why)))
}

/// The effects of the plans on requests.
pub(super) fn effects(task: &Enrolment, plans: &[NamespacePlan]) -> Vec<Effect> {
    plans.iter().filter(|plan| plan.changes()).flat_map(|plan| effects_of(task, plan)).collect()
}

fn effects_of(task: &Enrolment, plan: &NamespacePlan) -> Vec<Effect> {
    let name = || plan.namespace.reference.name.clone();
    let sidecars = match &plan.goal {
        // A label alone does not change the sidecars of running pods.
        _ if task.restarts == Restarts::None => None,
        Goal::Bound(_) => Some(Turn::On),
        // Of pods in the ambient mesh, only those with a sidecar are restarted.
        Goal::Ambient | Goal::Free if plan.capturing().is_some() => plan.restarts().next().map(|_| Turn::Off),
        Goal::Ambient | Goal::Free => Some(Turn::Off),
    };
    let ambient = plan.capturing().map(|capturing| match capturing {
        Capturing::Begins => Turn::On,
        Capturing::Ends => Turn::Off,
    });
    let sidecars = sidecars.map(|turn| Effect::Mesh(name(), turn));
    sidecars.into_iter().chain(ambient.map(|turn| Effect::Ambient(name(), turn))).collect()
}

fn pace(task: &Enrolment, global: &Global) -> Option<Pace> {
    match &task.restarts {
        Restarts::None => None,
        Restarts::Rolling { parallel, .. } => Some(Pace { parallel: *parallel, patience: global.wait_timeout }),
    }
}

/// Applies the plans of a step. Each namespace is changed completely or not at all.
///
/// # Errors
/// Why a plan failed, and which changes remain.
pub(super) async fn carry_out(
    session: &Session,
    task: &Enrolment,
    plans: &[NamespacePlan],
    global: &Global,
    report: &mut Report<'_>,
) -> Result<Vec<Done>, Stopped> {
    let (stop, now) = (report.interrupts(), now());
    let run = Run { session, stop: &stop, pace: pace(task, global), now: &now };
    let mut done = Vec::new();
    for plan in plans {
        let made = step::make(&run, plan, report).await?;
        done.extend(made.written());
        let unconfirmed = made.finish(report);
        if let Some(why) = unconfirmed.into_iter().next() {
            return Err(Stopped::new(why, Stands::Unconfirmed));
        }
        if stop.is_set() {
            return Err(Stopped::new(interrupted(), Stands::Unconfirmed));
        }
    }
    Ok(done)
}

/// Changes the namespaces one after the other. A failure in one does not affect the others.
async fn each(run: &Run<'_>, plans: &[NamespacePlan], report: &mut Report<'_>) {
    for plan in plans {
        if run.stop.is_set() {
            let why = Objection::new(Reason::Interrupted, "not started");
            report.row(Row::left(plan.namespace.reference.clone(), Outcome::Skipped, why));
            continue;
        }
        match step::make(run, plan, report).await {
            Ok(made) => made.finish(report).into_iter().for_each(|failure| report.failure(failure)),
            Err(stopped) => report.failure(stopped.into()),
        }
    }
    if run.stop.is_set() && !matches!(report.exit(), Exit::Interrupted | Exit::HalfDone) {
        report.failure(interrupted());
    }
}

/// Plans each namespace. If one is refused, none is changed.
///
/// # Errors
/// A required object could not be read, or the istiod to use is unknown.
pub(super) async fn plan(
    session: &Session,
    survey: &SurveyReader<'_>,
    task: &Enrolment,
    notes: &mut dyn Notes,
) -> Result<Planned<Vec<NamespacePlan>>, Failure> {
    let found = match &task.act {
        Enrol::In { istio_namespace, .. } | Enrol::Ambient { istio_namespace } => {
            Some(istio::all(session, istio_namespace.as_deref()).await?)
        }
        Enrol::Out => None,
    };
    let ztunnel = match &task.act {
        Enrol::Ambient { .. } => {
            let ztunnels = ambient::ztunnels(session).await.map_err(|error| error.into_failure(session))?;
            ztunnel_ready(&ztunnels)
        }
        Enrol::In { .. } | Enrol::Out => Ok(()),
    };
    let mesh = found.map(|found| FoundMesh { istiods: found, ztunnel });
    let mut plans = Vec::new();
    let mut refused = Vec::new();
    for name in &task.namespaces {
        match one(session, survey, task, mesh.as_ref(), name, notes).await? {
            Ok(plan) => plans.push(plan),
            Err(row) => refused.push(*row),
        }
    }
    if !refused.is_empty() {
        return Ok(Err(refused));
    }
    for plan in &plans {
        advise(session, survey, task, plan, notes).await;
    }
    Ok(Ok(plans))
}

/// The parts of the mesh that were found.
struct FoundMesh {
    istiods: FoundIstiods,
    /// Why ztunnel is not ready, if it is needed.
    ztunnel: Result<(), String>,
}

async fn one(
    session: &Session,
    survey: &SurveyReader<'_>,
    task: &Enrolment,
    mesh: Option<&FoundMesh>,
    name: &str,
    notes: &mut dyn Notes,
) -> Result<Result<NamespacePlan, Box<Row>>, Failure> {
    let reference = ObjectRef::new(&kinds::NAMESPACE, "", name);
    let namespace = match session.get(&kinds::NAMESPACE, "", name).await {
        Ok(value) => Object::new(&kinds::NAMESPACE, value),
        Err(error) if error.cause == ApiCause::NotFound => {
            let mut why = Objection::new(Reason::NotFound, "there is no such namespace");
            why.details.extend(absence::around(session, &reference).await.detail());
            why.details.push(session.looked());
            let exit = if task.namespaces.len() == 1 { Exit::SaidNo } else { Exit::Failed };
            return Ok(Err(Box::new(Row { exit, ..Row::left(reference, Outcome::NotFound, why) })));
        }
        Err(error) => return Err(error.into_failure(session)),
    };
    let refuse = |object: ObjectRef, why: Objection| {
        let outcome = if why.reason == Reason::NotFound { Outcome::NotFound } else { Outcome::Refused };
        Ok(Err(Box::new(Row::left(object, outcome, why))))
    };
    let istiods = mesh.iter().flat_map(|mesh| &mesh.istiods.istiods);
    let places: Vec<_> = istiods.map(|istiod| istiod.namespace.clone()).collect();
    let goal = match (&task.act, mesh) {
        (Enrol::Ambient { .. }, Some(FoundMesh { ztunnel, .. })) => {
            if let Some(why) = not_for_ambient(&namespace, &places) {
                return refuse(reference, why);
            }
            if let Err(why) = ztunnel {
                let why = Objection::new(Reason::NoZtunnel, format!("nothing would capture its pods: {why}"));
                return refuse(reference, why);
            }
            Goal::Ambient
        }
        (Enrol::In { revision, in_use, gloo, .. }, Some(FoundMesh { istiods: found, .. })) => {
            let FoundIstiods { istiods, tags } = found;
            let installed = Installed { gloo: survey.gloo_namespace().await, istiods: &places };
            if let Some(why) = not_for_the_mesh(&namespace, installed, *gloo) {
                return refuse(reference, why);
            }
            let known = KnownIstiods { istiods, tags };
            let (target, advice) = target::choose(known, revision.as_deref(), in_use.as_deref(), &namespace)?;
            notes.advices(advice);
            Goal::Bound(target)
        }
        _ => Goal::Free,
    };
    let seen = match (load::seen(session, name).await, &task.restarts) {
        (Ok((seen, advice)), _) => {
            notes.advices(advice);
            seen
        }
        (Err(failure), Restarts::None) => {
            let note = Advice::note(Code::Unknown, format!("what runs in {name} is unknown"));
            notes.advice(note.details([failure.message]).about(&reference));
            NamespaceState::default()
        }
        (Err(failure), Restarts::Rolling { .. }) => return Err(failure),
    };
    let only = match &task.restarts {
        Restarts::Rolling { only, .. } => only.as_slice(),
        Restarts::None => &[],
    };
    match enrolment::plan(namespace, seen, goal, only) {
        Ok(plan) => Ok(Ok(plan)),
        Err(refusal) => refuse(refusal.0, refusal.1),
    }
}

/// Reports advice before anything is written.
async fn advise(
    session: &Session,
    survey: &SurveyReader<'_>,
    task: &Enrolment,
    plan: &NamespacePlan,
    notes: &mut dyn Notes,
) {
    notes.advices(advice::on_owners(plan));
    notes.advices(advice::on_uncaptured(plan));
    match survey.policies().await {
        Ok(policies) => notes.advices(advice::on_policies(plan, &policies)),
        Err(why) => notes.advice(Advice::unknown("whether STRICT applies there is unknown", why)),
    }
    if plan.goal == Goal::Free && plan.changes() {
        match load::upstreams_with_tls(session, &plan.namespace.reference.name).await {
            Ok(upstreams) => notes.advices(advice::on_upstreams(plan, &upstreams)),
            Err(error) => notes.advices(load::unknown("the Upstreams with mTLS", &error)),
        }
    }
    match task.restarts {
        Restarts::None => notes.advices(advice::on_stale(plan)),
        Restarts::Rolling { .. } => {
            for (workload, gap) in plan.gaps() {
                let warning = format!("{} is interrupted by its restart: {gap}", short(workload));
                notes.advice(Advice::warning(Code::Interruption, warning).about(workload));
            }
        }
    }
}

/// The workloads that are not restarted, with the reason.
pub(super) fn left(task: &Enrolment, plan: &NamespacePlan) -> Vec<(ObjectRef, Objection)> {
    if task.restarts == Restarts::None {
        return Vec::new();
    }
    let of_workloads = plan.workloads.iter().filter_map(|(workload, fate)| match fate {
        Fate::Left(why) => Some((workload.reference.clone(), why.clone())),
        _ => None,
    });
    of_workloads.chain(plan.left.iter().cloned()).collect()
}

/// The risks to confirm: leaving the mesh, expected downtime, and what a flag permits.
fn risks(task: &Enrolment, plans: &[NamespacePlan], gloo: &str) -> (&'static str, Vec<String>) {
    let names = |plans: Vec<&NamespacePlan>| {
        plans.into_iter().map(|plan| plan.namespace.reference.name.clone()).collect::<Vec<_>>().join(", ")
    };
    let changing = plans.iter().filter(|plan| plan.changes());
    if task.act == Enrol::Out {
        let leaving = names(changing.collect());
        let risks = if leaving.is_empty() { Vec::new() } else { vec![format!("{leaving} out of the mesh")] };
        return ("unenroll takes", risks);
    }
    let mut risks = Vec::new();
    if task.restarts != Restarts::None {
        let gaps: Vec<_> = plans.iter().flat_map(NamespacePlan::gaps).map(|(workload, _)| short(workload)).collect();
        risks.extend(match &gaps[..] {
            [] => None,
            [one] => Some(one.clone()),
            several => Some(format!("{} workloads", several.len())),
        });
    }
    let is_gloos =
        matches!(task.act, Enrol::In { .. }) && changing.into_iter().any(|plan| plan.namespace.reference.name == gloo);
    risks.extend(is_gloos.then(|| format!("the hook Jobs of Gloo in {gloo} (--include-gloo-namespace)")));
    ("enroll interrupts", risks)
}

/// Every change to a namespace, including what already has the wanted state.
pub(super) fn changes(task: &Enrolment, plan: &NamespacePlan, now: &str) -> Vec<Change> {
    let mut changes = vec![plan.label.clone()];
    let restarts = task.restarts != Restarts::None;
    changes.extend(plan.workloads.iter().filter_map(|(workload, fate)| match fate {
        Fate::Restart { .. } if !restarts => None,
        _ => roll::change(workload, fate, &plan.goal, now),
    }));
    changes
}
