//! `istio enroll`, `istio unenroll`: a namespace's label, and its workloads started anew until their pods are as it says.
//!
//! Planning, making and taking back are calls on values ([`planned`], [`step::make`], [`step::Made::undo`]), so that a
//! longer way can go them as one of its steps.

mod files;
mod roll;
mod settle;
mod step;

pub use files::run as run_on_files;

use super::interrupt::interrupted;
use super::report::Report;
use super::transact::{now, short};
use super::{consent, place};
use crate::apply::transaction::{self, Step};
use crate::error::{Exit, Failure, Reason};
use crate::kube::{Cause, Session};
use crate::load::enrolment as load;
use crate::load::istio::Found;
use crate::load::survey::Survey;
use crate::load::{absence, istio};
use crate::model::{Object, ObjectRef, kinds};
use crate::options::{DryRun, Enrol, Enrolment, Global, Restarts};
use crate::plan::advice::{Advice, Code};
use crate::plan::enrolment::guard::{self, Installed};
use crate::plan::enrolment::target::{self, Known};
use crate::plan::enrolment::workload::Fate;
use crate::plan::enrolment::{self, Goal, Plan, Seen, advice};
use crate::plan::outcome::{Decision, Objection, Outcome, Row};
use crate::plan::rollout::restart;
use crate::render::diff;
use step::{Pace, Run};

/// Enrolls or unenrolls.
///
/// # Errors
/// What keeps the run from its first write; what becomes of each namespace is in the report.
pub async fn run(task: &Enrolment, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let session = super::open(global, report).await?;
    report.form_for_cluster(task.preview);
    let cluster = place(&session);
    report.context(&cluster);
    report.usual_namespace(task.namespaces.first().map(String::as_str).unwrap_or_default());
    let survey = Survey::new(&session, global);
    let Some(plans) = planned(&session, &survey, task, report).await? else {
        report.ui.status("nothing was changed");
        return Ok(());
    };
    let now = now();
    if task.preview.is_on() {
        return preview(&session, task, &plans, &now, report).await;
    }
    let (act, risks) = risks(task, &plans, survey.gloo_namespace().await);
    consent::ask(act, &risks, &cluster, global, report).await?;
    let steps: Vec<_> = plans.iter().flat_map(|plan| steps(task, plan, &now)).map(|(step, _)| step).collect();
    for object in transaction::rehearse(&session, &steps).await? {
        let note = Advice::note(Code::Unknown, format!("{object}: a webhook does not support dry run"));
        report.advice(note.about(&object));
    }
    let stop = report.interrupts();
    stop.begin_writes()?;
    let pace = match &task.restarts {
        Restarts::None => None,
        Restarts::Rolling { parallel, .. } => Some(Pace { parallel: *parallel, patience: global.wait_timeout }),
    };
    let run = Run { session: &session, stop: &stop, pace, now: &now };
    each(&run, &plans, report).await;
    Ok(())
}

/// One namespace after the other; each stands or falls by itself.
async fn each(run: &Run<'_>, plans: &[Plan], report: &mut Report<'_>) {
    for plan in plans {
        if run.stop.is_set() {
            let why = Objection::new(Reason::Interrupted, "not begun");
            report.row(Row::left(plan.namespace.reference.clone(), Outcome::Skipped, why));
            continue;
        }
        match step::make(run, plan, report).await {
            Ok(made) => made.finish(report),
            Err(failure) => report.failure(failure),
        }
    }
    if run.stop.is_set() && !matches!(report.exit(), Exit::Interrupted | Exit::HalfDone) {
        report.failure(interrupted());
    }
}

/// The plan of each namespace; `None` where one is refused, for then none is touched.
///
/// # Errors
/// What decides could not be read, or nothing tells which istiod.
pub async fn planned(
    session: &Session,
    survey: &Survey<'_>,
    task: &Enrolment,
    report: &mut Report<'_>,
) -> Result<Option<Vec<Plan>>, Failure> {
    let found = match &task.act {
        Enrol::In { istio_namespace, .. } => Some(istio::all(session, istio_namespace.as_deref()).await?),
        Enrol::Out => None,
    };
    let mut plans = Vec::new();
    let mut refused = Vec::new();
    for name in &task.namespaces {
        match one(session, survey, task, found.as_ref(), name, report).await? {
            Ok(plan) => plans.push(plan),
            Err(row) => refused.push(*row),
        }
    }
    if !refused.is_empty() {
        for row in refused {
            report.row(row);
        }
        return Ok(None);
    }
    for plan in &plans {
        advise(session, survey, task, plan, report).await;
    }
    Ok(Some(plans))
}

type Planned = Result<Plan, Box<Row>>;

async fn one(
    session: &Session,
    survey: &Survey<'_>,
    task: &Enrolment,
    found: Option<&Found>,
    name: &str,
    report: &mut Report<'_>,
) -> Result<Planned, Failure> {
    let reference = ObjectRef::new(&kinds::NAMESPACE, "", name);
    let namespace = match session.get(&kinds::NAMESPACE, "", name).await {
        Ok(value) => Object::new(&kinds::NAMESPACE, value),
        Err(error) if error.cause == Cause::NotFound => {
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
    let goal = match (&task.act, found) {
        (Enrol::In { revision, caution, .. }, Some(Found { istiods, tags })) => {
            let places: Vec<_> = istiods.iter().map(|istiod| istiod.namespace.clone()).collect();
            let installed = Installed { gloo: survey.gloo_namespace().await, istiods: &places };
            if let Some(why) = guard::against(&namespace, installed, *caution) {
                return refuse(reference, why);
            }
            let (target, advice) = target::choose(Known { istiods, tags }, revision.as_deref(), &namespace)?;
            report.advices(advice);
            Goal::Bound(target)
        }
        _ => Goal::Free,
    };
    let seen = match (load::seen(session, name).await, &task.restarts) {
        (Ok((seen, advice)), _) => {
            report.advices(advice);
            seen
        }
        (Err(failure), Restarts::None) => {
            let note = Advice::note(Code::Unknown, format!("what runs in {name} is unknown"));
            report.advice(note.details([failure.message]).about(&reference));
            Seen::default()
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

/// What is worth saying before anything is written, and what is left as it is.
async fn advise(session: &Session, survey: &Survey<'_>, task: &Enrolment, plan: &Plan, report: &mut Report<'_>) {
    report.advices(advice::on_owners(plan));
    match survey.policies().await {
        Ok(policies) => report.advice_if(advice::on_policies(plan, &policies)),
        Err(why) => report.advice(Advice::unknown("whether STRICT holds there is unknown", why)),
    }
    if plan.goal == Goal::Free && plan.changes() {
        match load::upstreams_with_tls(session, &plan.namespace.reference.name).await {
            Ok(upstreams) => report.advice_if(advice::on_upstreams(plan, &upstreams)),
            Err(error) => report.advice_if(load::unknown("the Upstreams with mTLS", &error)),
        }
    }
    match task.restarts {
        Restarts::None => report.advice_if(advice::on_stale(plan)),
        Restarts::Rolling { .. } => {
            for (workload, gap) in plan.gaps() {
                let warning = format!("{} is interrupted by its restart: {gap}", short(workload));
                report.advice(Advice::warning(Code::Interruption, warning).about(workload));
            }
            let of_workloads = plan.workloads.iter().filter_map(|(workload, fate)| match fate {
                Fate::Left(why) => Some((&workload.reference, why)),
                _ => None,
            });
            for (object, why) in of_workloads.chain(plan.left.iter().map(|(object, why)| (object, why))) {
                report.ui.status(&format!("not restarted: {}: {}", short(object), why.message));
                if let Some(hint) = &why.hint {
                    report.ui.status(&format!("  hint: {hint}"));
                }
                report.record(Row::left(object.clone(), Outcome::Skipped, why.clone()));
            }
        }
    }
}

/// What is asked about: leaving the mesh, what is interrupted, and what a flag insists on.
fn risks(task: &Enrolment, plans: &[Plan], gloo: &str) -> (&'static str, Vec<String>) {
    let names = |plans: Vec<&Plan>| {
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
        let gaps: Vec<_> = plans.iter().flat_map(Plan::gaps).map(|(workload, _)| short(workload)).collect();
        risks.extend(match &gaps[..] {
            [] => None,
            [one] => Some(one.clone()),
            several => Some(format!("{} workloads", several.len())),
        });
    }
    let is_gloos = changing.into_iter().any(|plan| plan.namespace.reference.name == gloo);
    risks.extend(is_gloos.then(|| format!("the hook Jobs of Gloo in {gloo} (--force)")));
    ("enroll interrupts", risks)
}

/// Every step of a namespace, and how it is said.
fn steps(task: &Enrolment, plan: &Plan, now: &str) -> Vec<(Step, String)> {
    let mut steps = Vec::new();
    if let Decision::Change { edits, message } = &plan.label {
        steps.push((Step { before: plan.namespace.clone(), edits: edits.clone() }, message.clone()));
    }
    if task.restarts != Restarts::None {
        steps.extend(plan.workloads.iter().filter_map(|(workload, fate)| {
            let message = roll::restarted(fate, &plan.goal)?;
            Some((Step { before: workload.clone(), edits: vec![restart(now)] }, message))
        }));
    }
    steps
}

async fn preview(
    session: &Session,
    task: &Enrolment,
    plans: &[Plan],
    now: &str,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    for plan in plans {
        let steps = steps(task, plan, now);
        if task.preview.dry_run == Some(DryRun::Server) {
            let steps: Vec<_> = steps.iter().map(|(step, _)| step.clone()).collect();
            transaction::rehearse(session, &steps).await?;
        }
        step::say_unchanged(plan, report);
        for (step, message) in steps {
            let object = &step.before.reference;
            let after = step.planned().map_err(|path| {
                Failure::new(Exit::Failed, Reason::Unsafe, format!("{object}: {path} is not what it should be"))
            })?;
            let mut row = Row::answer(object.clone(), Outcome::Changed, message);
            row.diff =
                task.preview.diff.then(|| diff::live(&object.to_string(), &step.before.value, &after, task.secrets));
            report.row(row);
        }
    }
    if task.preview.check && report.count(Outcome::Changed) > 0 {
        report.ends(Exit::WouldChange);
    }
    Ok(())
}
