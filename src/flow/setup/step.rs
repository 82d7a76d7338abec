//! One step: a command that is there already, with what setup typed for it.

use crate::error::{Exit, Failure};
use crate::flow::report::{Ended, Report};
use crate::flow::{enrol, live, open, peer_auth, sidecars, switches, values, verify};
use crate::model::{ObjectRef, kinds};
use crate::options::{
    DryRun, Enrolment, Global, Injection, Named, Objects, PeerAuth, Preview, Selection, Sidecars, SwitchesTask,
    UpgradeValues, VerifyTask,
};
use crate::plan::auto_mtls;
use crate::plan::mtls::{Caution, Policy, Wish};
use crate::plan::outcome::Row;
use crate::plan::peer::Mode;
use crate::plan::peer::change;
use crate::ui::Ui;

/// The command of a step.
#[derive(Debug, Clone)]
pub enum Act {
    Values(UpgradeValues),
    Sidecars(Sidecars),
    Enrolment(Enrolment),
    Upstreams(Policy, Objects),
    Switches(auto_mtls::Wish, SwitchesTask),
    PeerAuth(PeerAuth),
    Verify {
        request: Box<VerifyTask>,
        /// What was done that this is the proof of.
        proves: Vec<Act>,
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
    pub undone_by: String,
}

/// A step and what it would do.
pub struct Planned {
    pub step: Step,
    pub changes: Vec<Row>,
    /// `4 values`: what is no object's change.
    pub more: Option<String>,
    /// What takes back what of it stands where it fails half way; its own transaction does the rest.
    pub undo: Option<Act>,
}

impl Planned {
    /// Whether there is nothing to do.
    pub fn is_already(&self) -> bool {
        self.changes.is_empty() && self.more.is_none()
    }

    /// Whether it only looks.
    pub fn only_looks(&self) -> bool {
        matches!(self.step.act, Act::Verify { .. })
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
            Self::Upstreams(policy, task) => {
                let session = open(global, report).await?;
                Box::pin(live::edit(&session, policy, task, global, report)).await
            }
            Self::Switches(wish, task) => Box::pin(switches::change(*wish, task, global, report)).await,
            Self::PeerAuth(task) => Box::pin(peer_auth::change(task, global, report)).await,
            Self::Verify { request, .. } => Box::pin(verify::run(request, global, report)).await,
        }
    }

    /// The same as a preview. What an earlier step makes room for is not asked about: it is when its turn comes.
    fn rehearsed(&self) -> Self {
        let dry = Preview { dry_run: Some(DryRun::Client), ..Preview::default() };
        let mut act = self.clone();
        match &mut act {
            Self::Values(task) => task.check = true,
            Self::Sidecars(task) => {
                task.preview = dry;
                if let Injection::Uninject { caution, .. } = &mut task.act {
                    *caution = Caution::Forced;
                }
            }
            Self::Enrolment(task) => task.preview = dry,
            Self::Upstreams(_, task) => task.preview = dry,
            Self::Switches(_, task) => (task.preview, task.caution) = (dry, Caution::Forced),
            Self::PeerAuth(task) => (task.preview, task.request.caution) = (dry, Caution::Forced),
            Self::Verify { .. } => {}
        }
        act
    }

    /// Whether it is the policy of the same scope.
    pub fn is_same(&self, other: &Self) -> bool {
        matches!((self, other), (Self::PeerAuth(one), Self::PeerAuth(other)) if one.request == other.request)
    }

    /// Whether no earlier step changes what its advice rests on.
    fn stands_alone(&self) -> bool {
        matches!(self, Self::Values(_) | Self::Enrolment(_))
            || matches!(self, Self::Sidecars(task) if matches!(task.act, Injection::Inject { .. }))
    }

    fn undo(&self, changes: &[Row]) -> Option<Self> {
        match self {
            _ if changes.is_empty() => None,
            Self::Upstreams(Policy { wish: Wish::Enable, foreign, caution }, task) => {
                let policy = Policy { wish: Wish::Disable, foreign: *foreign, caution: *caution };
                let names = changes
                    .iter()
                    .map(|row| Named { namespace: Some(row.object.namespace.clone()), name: row.object.name.clone() });
                let selection = Selection::Named(names.collect());
                Some(Self::Upstreams(policy, Objects { selection, ..task.clone() }))
            }
            Self::PeerAuth(task) if task.request.wish == change::Wish::Set(Mode::Strict) => {
                let is_made = changes.iter().any(|row| row.message.contains("created, "));
                let wish = if is_made { change::Wish::Remove } else { change::Wish::Set(Mode::Permissive) };
                let request = change::Request { wish, caution: Caution::Forced, ..task.request.clone() };
                Some(Self::PeerAuth(PeerAuth { request, ..task.clone() }))
            }
            _ => None,
        }
    }
}

impl Step {
    /// Lets the step's own command say what it would do.
    ///
    /// # Errors
    /// Why it would not be done.
    pub async fn plan(self, global: &Global, report: &mut Report<'_>) -> Result<Planned, Failure> {
        if matches!(self.act, Act::Verify { .. }) {
            return Ok(Planned { changes: Vec::new(), more: None, undo: None, step: self });
        }
        let mut ui = Ui::silent();
        let words = [];
        let mut unheard = Report::new(&mut ui, &words, global.format);
        let mut tried = unheard.step();
        let outcome = self.act.rehearsed().run(global, &mut tried).await;
        let ended = tried.end();
        outcome?;
        if let Some(why) = ended.why().filter(|why| why.exit != Exit::WouldChange) {
            return Err(why);
        }
        if self.act.stands_alone() {
            report.advices(ended.advice.clone());
        }
        let changes: Vec<_> = ended.changed().cloned().collect();
        let undo = self.act.undo(&changes);
        Ok(Planned { more: values_of(&ended), changes, undo, step: self })
    }
}

/// `release gloo-system/gloo revision 7: 4 values`
fn values_of(ended: &Ended) -> Option<String> {
    let number = ended.fields.get("changes")?.as_array()?.len();
    let release = ended.fields.get("release")?;
    let text = |key: &str| release[key].as_str().unwrap_or_default();
    let values = crate::render::text::count(number, "value");
    (number > 0).then(|| {
        format!(
            "release {}/{}, revision {}: {values}, restarts its gateways",
            text("namespace"),
            text("name"),
            release["revision"]
        )
    })
}
