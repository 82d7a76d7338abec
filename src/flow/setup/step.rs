//! One step: a command with the options from setup, its plan, and its execution.

use super::made::{Follows, MadeByStep};
use super::objects;
use super::observing::{Concerned, Observing};
use super::proof;
use super::spared::{Spared, spare};
use crate::command::Hint;
use crate::error::Failure;
use crate::flow::execute::{self, Stopped, Transaction, now, short};
use crate::flow::notes::Notes;
use crate::flow::report::Report;
use crate::flow::watch::Origin;
use crate::flow::{enrol, peer_auth, sidecars, switches, values, verify};
use crate::kube::Session;
use crate::load::survey::SurveyReader;
use crate::model::{ObjectRef, kinds};
use crate::options::{
    DryRunMode, Enrolment, Global, Injection, Named, Observation, PeerAuth, Preview, Sidecars, UpgradeValues,
    VerifyTask,
};
use crate::plan::advice::{Advice, Code};
use crate::plan::auto_mtls;
use crate::plan::change::Change;
use crate::plan::enrolment::NamespacePlan;
use crate::plan::mtls::{MtlsWish, Policy};
use crate::plan::observe::mark;
use crate::plan::outcome::{Outcome, Row};
use crate::plan::path::effect::{Effect, Turn};
use crate::plan::policy::Caution;
use crate::render::text::count;
use crate::render::values as shown;

/// The command of a step.
#[derive(Debug, Clone)]
pub(super) enum StepAct {
    Values(UpgradeValues),
    Sidecars(Sidecars),
    Enrolment(Enrolment),
    Upstreams(Policy, Vec<Named>),
    Switches(auto_mtls::AutoMtlsWish),
    PeerAuth(PeerAuth),
    Verify {
        request: Box<VerifyTask>,
        /// The steps that the result may prove wrong, by their index in the plan.
        proves: Vec<usize>,
    },
    Observe {
        observation: Observation,
        /// The requests that are watched after the step before it.
        concerned: Concerned,
        /// The request that is sent if too few are seen.
        request: Box<VerifyTask>,
    },
}

const NOT_OBSERVED: &str = "changed by an earlier run and not observed";

/// A step before it is planned.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// The name of the command, such as `enroll`.
    pub word: &'static str,
    /// What the command changes, such as `namespace default`.
    pub what: String,
    pub act: StepAct,
    /// The command that undoes it.
    pub undone_by: Hint,
    /// The namespace of its objects, if it is not that of the command line.
    pub namespace: Option<String>,
}

/// The plan of a step's command.
pub(super) enum Work {
    Values(Box<values::PlannedValues>),
    Sidecars(sidecars::SidecarsPlan),
    Enrolment {
        plans: Vec<NamespacePlan>,
        changes: Vec<Change>,
    },
    Objects(Vec<Change>),
    /// A request. It changes nothing.
    Request,
    Observation(Observing),
}

/// A step with its plan.
pub(super) struct PlannedStep {
    pub step: Step,
    pub work: Work,
    /// The objects that are left unchanged although they do not have the wanted state, and why.
    pub spared: Option<Spared>,
    pub effects: Vec<Effect>,
}

/// When a step is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlanTime {
    /// With the whole plan. Guards that an earlier step may satisfy are skipped.
    Before,
    /// Immediately before it runs. With `--force`, its own guard is skipped as well.
    Now(Caution),
}

impl Work {
    /// The objects that it writes.
    pub(super) fn changes(&self) -> impl Iterator<Item = &Change> {
        self.all().iter().filter(|change| !change.is_already())
    }

    /// All objects, including those that have the wanted state already.
    fn all(&self) -> &[Change] {
        match self {
            Self::Sidecars(plan) => &plan.changes,
            Self::Enrolment { changes, .. } | Self::Objects(changes) => changes,
            Self::Values(_) | Self::Request | Self::Observation(_) => &[],
        }
    }

    /// Whether it is an observation that is to be made.
    pub(super) fn is_due(&self) -> bool {
        matches!(self, Self::Observation(Observing::Due))
    }

    /// Whether it is an observation that is made later.
    pub(super) fn is_postponed(&self) -> bool {
        matches!(self, Self::Observation(Observing::Postponed { .. }))
    }

    /// The release that it changes. A release is not an object of the cluster; Helm writes it.
    pub(super) fn release(&self) -> Option<&values::PlannedValues> {
        match self {
            Self::Values(planned) if !planned.plan.is_empty() => Some(planned),
            _ => None,
        }
    }
}

/// Splits the work into the work without the Upstreams that `by` covers, and these Upstreams.
fn spared(work: Work, by: Option<String>) -> (Work, Option<Spared>) {
    match (work, by) {
        (Work::Objects(changes), Some(by)) => {
            let (changes, spared) = spare(changes, by);
            (Work::Objects(changes), spared)
        }
        (work, _) => (work, None),
    }
}

impl PlannedStep {
    /// Whether there is nothing to do.
    pub(super) fn is_already(&self) -> bool {
        self.work.changes().next().is_none() && self.work.release().is_none()
    }

    /// Whether there is nothing to do and nothing to observe.
    pub(super) fn is_settled(&self) -> bool {
        self.is_already() && self.unobserved().next().is_none()
    }

    /// Whether it changes nothing by design.
    pub(super) fn only_looks(&self) -> bool {
        matches!(self.work, Work::Request | Work::Observation(_))
    }

    /// Whether it looks at requests, now or after a later step.
    pub(super) fn looks(&self) -> bool {
        self.only_looks() && !matches!(self.work, Work::Observation(Observing::NotNeeded))
    }

    /// The objects that have the wanted state, but that an earlier run changed without observing them.
    pub(super) fn unobserved(&self) -> impl Iterator<Item = &ObjectRef> {
        let left = self.work.all().iter().filter(|change| change.is_already() && mark::is_marked(&change.before.value));
        left.map(|change| &change.before.reference)
    }

    /// Which run changed what is observed after the step.
    pub(super) fn origin(&self) -> Origin {
        let is_left = self.is_already() && self.unobserved().next().is_some();
        if is_left { Origin::EarlierRun } else { Origin::ThisRun }
    }

    /// Whether it turns auto-mTLS on.
    pub(super) fn turns_on_auto_mtls(&self) -> bool {
        self.effects.contains(&Effect::AutoMtls(Turn::On))
    }

    /// Whether `-n` in its commands is the namespace of Gloo.
    pub(super) fn is_in_gloo(&self) -> bool {
        !matches!(
            self.step.act,
            StepAct::Enrolment(_) | StepAct::PeerAuth(_) | StepAct::Verify { .. } | StepAct::Observe { .. }
        )
    }

    /// The workloads that are restarted.
    pub(super) fn restarts(&self) -> impl Iterator<Item = &ObjectRef> {
        let workloads = [&kinds::DEPLOYMENT, &kinds::STATEFUL_SET, &kinds::DAEMON_SET];
        let objects = self.work.changes().map(|change| &change.before.reference);
        objects.filter(move |object| workloads.contains(&object.kind))
    }

    /// The rows of what would be changed.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row> {
        let release = self.work.release().and_then(release_row);
        release.into_iter().chain(self.work.changes().map(execute::row_of))
    }

    /// Further lines of the plan: changed values, such as `4 values`, and workloads that are not restarted.
    pub(super) fn more(&self) -> Vec<String> {
        match (&self.work, &self.step.act) {
            (Work::Values(planned), StepAct::Values(task)) => value_lines(planned, task),
            (Work::Sidecars(plan), _) => plan.risks.iter().map(|risk| format!("changes {risk}")).collect(),
            (Work::Enrolment { plans, .. }, StepAct::Enrolment(task)) => {
                let left = plans.iter().flat_map(|plan| enrol::left(task, plan));
                left.map(|(object, why)| format!("not restarted: {}: {}", short(&object), why.message)).collect()
            }
            (Work::Observation(Observing::Postponed { until }), _) => {
                vec![format!("left out: requests are expected to fail until step {until}")]
            }
            (Work::Observation(Observing::NotNeeded), _) => vec!["nothing to observe".to_owned()],
            _ => self.unobserved().map(|object| format!("{} {NOT_OBSERVED}", short(object))).collect(),
        }
    }

    /// The changes as diffs.
    ///
    /// # Errors
    /// An edit leads through a value of an unexpected type.
    pub(super) fn diffs(&self) -> Result<Vec<String>, Failure> {
        match (&self.work, &self.step.act) {
            (Work::Values(planned), StepAct::Values(task)) => {
                Ok(self.work.release().map(|_| planned.diff(task.secrets)).into_iter().collect())
            }
            _ => self.work.changes().map(|change| execute::diff_of(change, self.step.act.secrets())).collect(),
        }
    }
}

fn release_row(planned: &values::PlannedValues) -> Option<Row> {
    let record = &planned.subject.release.as_ref()?.record;
    let values = count(planned.plan.changes.len(), "value");
    let object = ObjectRef::new(&kinds::RELEASE, &*record.namespace, &*record.name);
    Some(Row::answer(object, Outcome::Changed, format!("{values} changed")))
}

/// The changes to a release: one line for the whole, and one for each value.
fn value_lines(planned: &values::PlannedValues, task: &UpgradeValues) -> Vec<String> {
    let changes = &planned.plan.changes;
    let Some(found) = planned.subject.release.as_ref().filter(|_| !changes.is_empty()) else { return Vec::new() };
    let record = &found.record;
    let place = format!("release {}/{}, revision {}", record.namespace, record.name, record.revision);
    let head = format!("{place}: {}, restarts its gateways", count(changes.len(), "value"));
    std::iter::once(head).chain(changes.iter().map(|change| shown::line(change, task.secrets))).collect()
}

impl StepAct {
    fn secrets(&self) -> crate::render::diff::Secrets {
        match self {
            Self::Values(task) => task.secrets,
            Self::Sidecars(task) => task.secrets,
            Self::Enrolment(task) => task.secrets,
            Self::PeerAuth(task) => task.secrets,
            Self::Upstreams(..) | Self::Switches(_) | Self::Verify { .. } | Self::Observe { .. } => {
                crate::render::diff::Secrets::Masked
            }
        }
    }

    /// Plans the command.
    ///
    /// # Errors
    /// Why it would fail.
    pub(super) async fn plan(
        &self,
        session: &Session,
        global: &Global,
        when: PlanTime,
        notes: &mut dyn Notes,
    ) -> Result<execute::Planned<Work>, Failure> {
        let caution = if let PlanTime::Now(caution) = when { caution } else { Caution::Forced };
        Ok(match self {
            Self::Values(task) => {
                let planned = Box::pin(values::plan_release(session, task, global, notes)).await?;
                if let (PlanTime::Before, Some(upgrade)) = (when, planned.upgrade(task)) {
                    notes.advices(values::ready(session, &upgrade, task).await?.advice);
                }
                planned.say(task, notes);
                Ok(Work::Values(Box::new(planned)))
            }
            Self::Sidecars(task) => {
                let mut task = task.clone();
                if let Injection::Uninject { caution: of_task, .. } = &mut task.act {
                    *of_task = caution;
                }
                Box::pin(sidecars::plan(session, &task, global, notes)).await?.map(Work::Sidecars)
            }
            Self::Enrolment(task) => {
                let survey = SurveyReader::new(session, global);
                let plans = Box::pin(enrol::plan(session, &survey, task, notes)).await?;
                plans.map(|plans| {
                    let now = now();
                    let changes = plans.iter().flat_map(|plan| enrol::changes(task, plan, &now)).collect();
                    Work::Enrolment { plans, changes }
                })
            }
            Self::Upstreams(policy, names) => objects::plan(session, policy, names, global).await.map(Work::Objects),
            Self::Switches(wish) => {
                let change = Box::pin(switches::plan(session, *wish, caution, global, notes)).await?;
                change.map(|change| Work::Objects(vec![change]))
            }
            Self::PeerAuth(task) => {
                let mut task = task.clone();
                task.request.caution = caution;
                let change = Box::pin(peer_auth::plan(session, &task, global, notes)).await?;
                change.map(|change| Work::Objects(vec![change]))
            }
            Self::Verify { request, .. } => {
                if when == PlanTime::Before {
                    Box::pin(verify::ready(session, request, global, notes)).await.map_err(proof::unsent)?;
                }
                Ok(Work::Request)
            }
            Self::Observe { .. } => Ok(Work::Observation(Observing::Due)),
        })
    }

    /// Whether its advice is independent of the earlier steps.
    fn stands_alone(&self) -> bool {
        matches!(self, Self::Values(_) | Self::Enrolment(_) | Self::Switches(auto_mtls::AutoMtlsWish::Enable))
            || matches!(self, Self::Sidecars(task) if matches!(task.act, Injection::Inject { .. }))
    }

    /// The effects of the work on requests.
    fn effects(&self, work: &Work) -> Vec<Effect> {
        let turn = |is_on: bool| if is_on { Turn::On } else { Turn::Off };
        match (self, work) {
            (Self::Values(task), Work::Values(planned)) => planned.effects(task),
            (Self::Sidecars(task), Work::Sidecars(plan)) => {
                let turn = turn(matches!(task.act, Injection::Inject { .. }));
                vec![Effect::Certificates(plan.gateways.clone(), turn)]
            }
            (Self::Enrolment(task), Work::Enrolment { plans, .. }) => enrol::effects(task, plans),
            (Self::Upstreams(policy, _), _) => {
                let turn = turn(policy.wish == MtlsWish::Enable);
                work.changes().map(|change| Effect::Tls(change.before.reference.clone(), turn)).collect()
            }
            (Self::Switches(wish), _) => vec![Effect::AutoMtls(turn(*wish == auto_mtls::AutoMtlsWish::Enable))],
            (Self::PeerAuth(task), _) => vec![Effect::Policy(task.request.clone())],
            _ => Vec::new(),
        }
    }

    /// The namespace that is omitted with the names of the objects that it writes.
    fn usual_namespace<'a>(&'a self, work: &'a Work, global: &'a Global) -> &'a str {
        match (self, work) {
            (Self::Upstreams(..) | Self::Switches(_), _) => global.object_namespace(),
            (Self::PeerAuth(_), Work::Objects(changes)) => {
                changes.first().map_or("", |change| &change.before.reference.namespace)
            }
            (Self::Enrolment(task), _) => task.namespaces.first().map_or("", String::as_str),
            _ => "",
        }
    }
}

impl Step {
    /// The options with the namespace of the step's objects.
    pub(super) fn within(&self, global: &Global) -> Global {
        Global { namespace: self.namespace.clone().or_else(|| global.namespace.clone()), ..global.clone() }
    }

    /// Plans the step. `by` is what covers Upstreams without TLS settings at that point.
    ///
    /// # Errors
    /// Why it would fail.
    pub(super) async fn plan(
        self,
        session: &Session,
        (preview, by): (Preview, Option<String>),
        global: &Global,
        report: &mut Report<'_>,
    ) -> Result<PlannedStep, Failure> {
        let global = &self.within(global);
        let mut advice: Vec<Advice> = Vec::new();
        let work = self.act.plan(session, global, PlanTime::Before, &mut advice).await?.map_err(objects::refused)?;
        // All changes are sent as a dry run before the first write, so that a permission that only the last step lacks
        // is found now.
        let usual = if preview.is_on() { DryRunMode::Client } else { DryRunMode::Server };
        let (work, spared) = spared(work, by);
        if preview.dry_run.unwrap_or(usual) == DryRunMode::Server {
            execute::rehearse(session, work.all(), &mut advice).await?;
        }
        if self.act.stands_alone() {
            // The forecast of the whole plan already covers 503s between steps.
            let is_of_plan = |code: Code| matches!(code, Code::StrictPeer | Code::NoSidecar);
            report.advices(advice.into_iter().filter(|advice| !is_of_plan(advice.code)).collect());
        }
        let planned = PlannedStep { step: self, work, spared, effects: Vec::new() };
        let effects = if planned.is_already() { Vec::new() } else { planned.step.act.effects(&planned.work) };
        Ok(PlannedStep { effects, ..planned })
    }
}

impl PlannedStep {
    /// Plans the step again with the current state, and runs it.
    ///
    /// # Errors
    /// Why it failed, and what of it remains.
    pub(super) async fn carry_out(
        &self,
        session: &Session,
        (caution, follows): (Caution, Follows),
        global: &Global,
        report: &mut Report<'_>,
    ) -> Result<MadeByStep, Stopped> {
        let Self { step, .. } = self;
        let (act, global) = (&step.act, &step.within(global));
        let stop = report.interrupts();
        let planned = Box::pin(stop.until_signal(act.plan(session, global, PlanTime::Now(caution), report))).await?;
        let work = match planned {
            Ok(work) => work,
            Err(rows) => {
                let why = objects::refused(rows.clone());
                report.rows(rows);
                // The reasons were already printed below each object.
                return Err(Failure { details: Vec::new(), hints: Vec::new(), ..why }.into());
            }
        };
        let (work, _) = spared(work, self.spared.as_ref().map(|spared| spared.by.clone()));
        report.usual_namespace(act.usual_namespace(&work, global));
        match (act, work) {
            (StepAct::Values(task), Work::Values(planned)) => {
                let upgraded = Box::pin(values::carry_out(session, &planned, task, global, &stop, report)).await?;
                let Some(upgraded) = upgraded else { return Ok(MadeByStep::Nothing) };
                report.record(upgraded.row());
                Ok(match upgraded.turned_on {
                    true => MadeByStep::AutoMtls(Box::new(upgraded), Box::new(task.clone())),
                    false => MadeByStep::Release(Box::new(upgraded)),
                })
            }
            (StepAct::Sidecars(task), Work::Sidecars(plan)) => {
                let done = Box::pin(sidecars::carry_out(session, task, &plan, global, report)).await?;
                report.line(task.act.success());
                Ok(MadeByStep::Objects(done))
            }
            (StepAct::Enrolment(task), Work::Enrolment { plans, .. }) => {
                Box::pin(enrol::carry_out(session, task, &plans, global, report)).await.map(MadeByStep::Objects)
            }
            (StepAct::Verify { request, .. }, _) => {
                Box::pin(proof::prove(session, request, global, report)).await?;
                Ok(MadeByStep::Nothing)
            }
            (_, work) => {
                let changes = if let Work::Objects(changes) = work { changes } else { Vec::new() };
                let (left, changes) = follows.marked(changes);
                let way_back = self.step.undone_by.clone();
                let transaction = Transaction::new(session, &stop, way_back, global.wait_timeout);
                let done = Box::pin(transaction.run(&changes, report)).await?;
                Ok(MadeByStep::Objects(left.into_iter().chain(done).collect()))
            }
        }
    }
}
