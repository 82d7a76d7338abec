//! One step: a command that is there already, with what setup typed for it.

use super::covered::{self, Sparing};
use crate::command::Hint;
use crate::error::{Exit, Failure};
use crate::flow::report::{Ended, Report};
use crate::flow::{enrol, live, open, peer_auth, sidecars, switches, values, verify};
use crate::model::{ObjectRef, kinds};
use crate::options::{
    DryRun, Enrol, Enrolment, Global, Injection, Objects, PeerAuth, Preview, Sidecars, SwitchesTask, UpgradeValues,
    ValuesAct, VerifyTask,
};
use crate::plan::PerObject;
use crate::plan::advice::Code;
use crate::plan::auto_mtls;
use crate::plan::mtls::{Caution, Policy, Wish};
use crate::plan::outcome::{Outcome, Row};
use crate::plan::path::effect::{Effect, Turn};
use crate::plan::values as plan_of_values;
use crate::render::text::count;
use crate::ui::Ui;

/// The command of a step.
#[derive(Debug, Clone)]
pub enum Act {
    Values(UpgradeValues),
    Sidecars(Sidecars),
    Enrolment(Enrolment),
    Upstreams {
        policy: Policy,
        objects: Objects,
        /// What encrypts for those that have nothing of their own by then: `auto-mTLS (step 1)`. They stay as they are.
        spared_by: Option<String>,
    },
    Switches(auto_mtls::Wish, SwitchesTask),
    PeerAuth(PeerAuth),
    Verify {
        request: Box<VerifyTask>,
        /// The steps that this may prove wrong, by their places in the plan.
        proves: Vec<usize>,
    },
}

/// A step as it was put together.
#[derive(Debug, Clone)]
pub struct Step {
    /// `enroll`
    pub word: &'static str,
    /// `namespace default`
    pub what: String,
    pub act: Act,
    /// What an operator types to take it back.
    pub undone_by: Hint,
}

/// A step and what it would do.
pub struct Planned {
    pub step: Step,
    pub changes: Vec<Row>,
    /// `4 values`: what is no object's change, and what is left out.
    pub more: Vec<String>,
    /// Which of its objects stay as they are although they are not so already, and why.
    pub spared: Option<Spared>,
    pub diffs: Vec<String>,
    pub effects: Vec<Effect>,
    /// A release that would be changed: no object of the cluster's, and Helm's to write.
    pub release: Option<Row>,
}

/// Upstreams that need nothing of their own.
pub struct Spared {
    /// `auto-mTLS (step 1)`
    pub by: String,
    pub upstreams: Vec<ObjectRef>,
}

impl Planned {
    /// Whether there is nothing to do.
    pub fn is_already(&self) -> bool {
        self.changes.is_empty() && self.release.is_none()
    }

    /// Whether it only looks.
    pub fn only_looks(&self) -> bool {
        matches!(self.step.act, Act::Verify { .. })
    }

    /// Whether the commands of its way have `-n` for Gloo's own namespace.
    pub fn is_in_gloo(&self) -> bool {
        matches!(self.step.act, Act::Values(_) | Act::Sidecars(_) | Act::Upstreams { .. } | Act::Switches(..))
    }

    /// The workloads that start anew.
    pub fn restarts(&self) -> impl Iterator<Item = &ObjectRef> {
        let workloads = [&kinds::DEPLOYMENT, &kinds::STATEFUL_SET, &kinds::DAEMON_SET];
        self.changes.iter().map(|row| &row.object).filter(move |object| workloads.contains(&object.kind))
    }
}

impl Act {
    /// Does it, as its own command would.
    ///
    /// # Errors
    /// Those of the command.
    pub async fn run(&self, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
        match self {
            Self::Values(task) => Box::pin(values::of_a_release(None, None, task, global, report)).await,
            Self::Sidecars(task) => Box::pin(sidecars::run(task, global, report)).await,
            Self::Enrolment(task) => Box::pin(enrol::run(task, global, report)).await,
            Self::Upstreams { policy, objects, spared_by } => {
                let session = open(global, report).await?;
                let sparing = spared_by.as_deref().map(|by| Sparing { policy: *policy, by });
                let plan: &dyn PerObject = sparing.as_ref().map_or(policy, |sparing| sparing);
                Box::pin(live::edit(&session, plan, objects, global, report)).await
            }
            Self::Switches(wish, task) => Box::pin(switches::change(*wish, task, global, report)).await,
            Self::PeerAuth(task) => Box::pin(peer_auth::change(task, global, report)).await,
            Self::Verify { request, .. } => Box::pin(super::proof::prove(request, global, report)).await,
        }
    }

    /// Asks it what it would do. What an earlier step makes room for is not asked about: it is when its turn comes.
    async fn rehearse(&self, preview: Preview, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
        // Before the first write the API server says of all of them whether it would take them: a right that only the
        // last step lacks is met here.
        let usual = if preview.is_on() { DryRun::Client } else { DryRun::Server };
        let preview = Preview { dry_run: preview.dry_run.or(Some(usual)), check: false, ..preview };
        let mut act = self.clone();
        match &mut act {
            Self::Values(task) => (task.check, task.diff) = (true, preview.diff),
            Self::Sidecars(task) => {
                task.preview = preview;
                if let Injection::Uninject { caution, .. } = &mut task.act {
                    *caution = Caution::Forced;
                }
            }
            Self::Enrolment(task) => task.preview = preview,
            Self::Upstreams { objects, .. } => objects.preview = preview,
            Self::Switches(_, task) => (task.preview, task.caution) = (preview, Caution::Forced),
            Self::PeerAuth(task) => (task.preview, task.request.caution) = (preview, Caution::Forced),
            Self::Verify { request, .. } => {
                return Box::pin(verify::ready(request, global, report)).await.map_err(super::proof::unsent);
            }
        }
        act.run(global, report).await
    }

    /// Which Upstreams it leaves as they are, for something else encrypts by then.
    fn spares(&self, ended: &Ended) -> Option<Spared> {
        let Self::Upstreams { spared_by: Some(by), .. } = self else { return None };
        let message = covered::message(by);
        let upstreams: Vec<_> =
            ended.rows.iter().filter(|row| row.message == message).map(|row| row.object.clone()).collect();
        (!upstreams.is_empty()).then(|| Spared { by: by.clone(), upstreams })
    }

    /// Whether no earlier step changes what its advice rests on.
    fn stands_alone(&self) -> bool {
        matches!(self, Self::Values(_) | Self::Enrolment(_) | Self::Switches(auto_mtls::Wish::Enable, _))
            || matches!(self, Self::Sidecars(task) if matches!(task.act, Injection::Inject { .. }))
    }

    /// What it does to requests.
    fn effects(&self, ended: &Ended) -> Vec<Effect> {
        let turn = |is_on: bool| if is_on { Turn::On } else { Turn::Off };
        match self {
            Self::Values(task) => {
                let switch = plan_of_values::auto_mtls();
                let is_on =
                    ended.fields.get("values").and_then(|values| switch.get(values)).is_some_and(|it| it == true);
                vec![
                    Effect::Certificates(Vec::new(), turn(task.act == ValuesAct::Merge)),
                    Effect::AutoMtls(turn(is_on)),
                ]
            }
            Self::Sidecars(task) => {
                let workloads = [&kinds::DEPLOYMENT, &kinds::DAEMON_SET];
                let gateways = ended.changed().map(|row| &row.object).filter(|it| workloads.contains(&it.kind));
                let turn = turn(matches!(task.act, Injection::Inject { .. }));
                vec![Effect::Certificates(gateways.cloned().collect(), turn)]
            }
            Self::Enrolment(task) => {
                let turn = turn(matches!(task.act, Enrol::In { .. }));
                task.namespaces.iter().map(|namespace| Effect::Mesh(namespace.clone(), turn)).collect()
            }
            Self::Upstreams { policy, .. } => {
                let turn = turn(policy.wish == Wish::Enable);
                ended.changed().map(|row| Effect::Tls(row.object.clone(), turn)).collect()
            }
            Self::Switches(wish, _) => vec![Effect::AutoMtls(turn(*wish == auto_mtls::Wish::Enable))],
            Self::PeerAuth(task) => vec![Effect::Policy(task.request.clone())],
            Self::Verify { .. } => Vec::new(),
        }
    }
}

impl Step {
    /// Lets the step's own command say what it would do.
    ///
    /// # Errors
    /// Why it would not be done.
    pub async fn plan(self, preview: Preview, global: &Global, report: &mut Report<'_>) -> Result<Planned, Failure> {
        let mut ui = Ui::silent();
        let mut tried = report.unheard_step(&mut ui);
        let outcome = self.act.rehearse(preview, global, &mut tried).await;
        let ended = tried.end();
        outcome?;
        if let Some(why) = ended.why().filter(|why| why.exit != Exit::WouldChange) {
            return Err(ended.others().fold(why, Failure::detail));
        }
        if self.act.stands_alone() {
            // Between which steps which end would refuse the other, the plan says itself.
            let is_of_plan = |code: Code| matches!(code, Code::StrictPeer | Code::NoSidecar);
            report.advices(ended.advice.iter().filter(|advice| !is_of_plan(advice.code)).cloned().collect());
        }
        let changes: Vec<_> = ended.changed().cloned().collect();
        let values = changed_values(&ended);
        let release = (!values.is_empty()).then(|| release(&ended)).flatten();
        let is_change = release.is_some() || !changes.is_empty();
        let effects = if is_change { self.act.effects(&ended) } else { Vec::new() };
        let spared = self.act.spares(&ended);
        let more = values.into_iter().chain(left_alone(&ended)).collect();
        let diffs = ended.rows.iter().filter_map(|row| row.diff.clone()).chain(ended.diffs).collect();
        Ok(Planned { step: self, changes, more, spared, diffs, effects, release })
    }
}

/// The release that a command is about, as far as it was changed.
fn release(ended: &Ended) -> Option<Row> {
    let release = ended.fields.get("release")?;
    let text = |key: &str| release[key].as_str();
    let object = ObjectRef::new(&kinds::RELEASE, text("namespace")?, text("name")?);
    let values = count(ended.fields.get("changes")?.as_array()?.len(), "value");
    let message = match ended.fields.get("upgradedTo") {
        Some(to) => format!("{values} changed (revision {} -> {to})", release["revision"]),
        None => format!("{values} changed"),
    };
    Some(Row::answer(object, Outcome::Changed, message))
}

/// The release that a command upgraded.
pub fn upgraded(ended: &Ended) -> Option<Row> {
    ended.fields.get("upgradedTo").and_then(|_| release(ended))
}

/// What happens to a release: one line for the whole, and one for each value.
fn changed_values(ended: &Ended) -> Vec<String> {
    let (Some(release), Some(changes)) = (ended.fields.get("release"), ended.fields.get("changes")) else {
        return Vec::new();
    };
    let changes = changes.as_array().map(Vec::as_slice).unwrap_or_default();
    if changes.is_empty() {
        return Vec::new();
    }
    let text = |key: &str| release[key].as_str().unwrap_or_default();
    let values = count(changes.len(), "value");
    let revision = &release["revision"];
    let head =
        format!("release {}/{}, revision {revision}: {values}, restarts its gateways", text("namespace"), text("name"));
    std::iter::once(head).chain(changes.iter().map(super::shown::value_line)).collect()
}

/// What the command leaves as it is although it is there.
fn left_alone(ended: &Ended) -> impl Iterator<Item = String> + '_ {
    let skipped = ended.rows.iter().filter(|row| row.outcome == Outcome::Skipped);
    skipped.map(|row| format!("not restarted: {}: {}", crate::flow::transact::short(&row.object), row.message))
}
