//! `istio inject`, `istio uninject`: a proxy's bootstrap and workload as one transaction.

mod files;
mod injection;
mod removal;

pub use files::run as run_on_files;
pub use removal::against;

use injection::injection;
use removal::removal;

use super::interrupt::Interrupts;
use super::report::Report;
use super::transact::{Said, Transaction, short};
use super::{consent, place};
use crate::apply::claims;
use crate::apply::transaction::{self, Step};
use crate::command::{Hint, gloo_rs};
use crate::edit::json;
use crate::error::{Exit, Failure, Reason};
use crate::kube::Session;
use crate::load::gateways;
use crate::model::Object;
use crate::options::{DryRun, Global, Injection, Proxies, Rollouts, Sidecars, Switches, Upstreams};
use crate::plan::advice::{Advice, Code};
use crate::plan::mtls::Caution;
use crate::plan::outcome::{Objection, Outcome, Row};
use crate::plan::rollout;
use crate::plan::sidecars::{Proxy, TransactionPlan};
use crate::plan::ssl_config::SDS_CLUSTER;
use crate::render::diff;
use crate::verify::sidecars as proof;

/// What is done to one proxy.
struct Planned {
    proxy: Proxy,
    plan: TransactionPlan,
}

/// What the whole run does, in the order of writing.
struct Plan {
    /// Before the proxies: what must not refer to them any more.
    first: Vec<Said>,
    proxies: Vec<Planned>,
    /// After the proxies: what refers to them.
    last: Vec<Said>,
}

/// Injects or takes out.
///
/// # Errors
/// Why it was not done, and whether what had been done was taken back.
pub async fn run(task: &Sidecars, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let session = super::open(global, report).await?;
    report.form_for_cluster(task.preview);
    report.context(&place(&session));
    let proxies = gateways::find(&session, global.object_namespace(), &task.proxies).await?;
    let planned = match &task.act {
        Injection::Inject { .. } => injection(&session, task, global, proxies, report).await?,
        Injection::Uninject { upstreams, caution } => {
            removal(&session, (*upstreams, *caution), global, proxies, report).await?
        }
    };
    let Some(plan) = planned else {
        report.ui.status("nothing was changed");
        return Ok(());
    };
    for planned in &plan.proxies {
        for advice in &planned.plan.advice {
            report.advice(advice.clone());
        }
    }
    if task.preview.is_on() {
        return preview(&session, task, &plan, report).await;
    }
    consent::ask(task.act.words(), &risks(task), &place(&session), global, report).await?;
    let unasked = transaction::rehearse(&session, &plan.steps()).await?;
    for object in unasked {
        report.advice(
            Advice::note(Code::Unknown, format!("{object}: a webhook does not support dry run")).about(&object),
        );
    }
    let stop = report.interrupts();
    stop.begin_writes()?;
    write(&session, task, global, &plan, &stop, report).await?;
    report.line(task.act.success());
    Ok(())
}

fn risks(task: &Sidecars) -> Vec<String> {
    let mut risks = Vec::new();
    risks.extend((task.proxies == Proxies::All).then_some("all gateway proxies"));
    match &task.act {
        Injection::Inject { auto_mtls: Switches::On, .. } => risks.push("auto-mTLS for every Upstream"),
        Injection::Uninject { upstreams, caution } => {
            risks.extend((*upstreams == Upstreams::Included).then_some("mTLS of the Upstreams that need the sidecars"));
            risks.extend((*caution == Caution::Forced).then_some("a cluster that is still pointed at (--force)"));
        }
        Injection::Inject { .. } => {}
    }
    risks.into_iter().map(str::to_owned).collect()
}

impl Injection {
    fn words(&self) -> &'static str {
        match self {
            Self::Inject { .. } => "inject changes",
            Self::Uninject { .. } => "uninject takes away",
        }
    }

    /// The line that glooctl ends with, and scripts look for.
    pub fn success(&self) -> &'static str {
        match self {
            Self::Inject { .. } => "Istio injection was successful!",
            Self::Uninject { .. } => "Istio was successfully uninjected",
        }
    }
}

fn refusal(proxy: &Proxy, why: Objection) -> Row {
    Row::left(proxy.workload.reference.clone(), Outcome::Refused, why)
}

/// One refused proxy keeps all as they are.
fn refuse(refused: Vec<Row>, report: &mut Report<'_>) -> bool {
    let any = !refused.is_empty();
    for row in refused {
        report.row(row);
    }
    any
}

impl Planned {
    fn said(&self) -> Vec<Said> {
        self.plan
            .steps
            .iter()
            .map(|step| {
                let before = match &self.proxy.bootstrap {
                    Some(map) if map.reference == step.object => map,
                    _ => &self.proxy.workload,
                };
                let step_of = Step { before: before.clone(), edits: step.edits.clone() };
                Said { step: step_of, message: step.message.clone() }
            })
            .collect()
    }
}

impl Plan {
    fn said(&self) -> impl Iterator<Item = Said> + '_ {
        let proxies = self.proxies.iter().flat_map(Planned::said);
        self.first.iter().cloned().chain(proxies).chain(self.last.iter().cloned())
    }

    /// What is sent.
    fn steps(&self) -> Vec<Step> {
        self.said().map(|said| said.step).filter(|step| !step.edits.is_empty()).collect()
    }
}

async fn preview(session: &Session, task: &Sidecars, plan: &Plan, report: &mut Report<'_>) -> Result<(), Failure> {
    if task.preview.dry_run == Some(DryRun::Server) {
        transaction::rehearse(session, &plan.steps()).await?;
    }
    for Said { step, message } in plan.said() {
        let reference = step.before.reference.clone();
        if step.edits.is_empty() {
            report.row(Row::answer(reference, Outcome::Unchanged, message));
            continue;
        }
        let after = json::apply(&step.before.value, &step.edits)
            .map_err(|path| unplannable(&step.before, &path.to_string()))?;
        let mut row = Row::answer(reference.clone(), Outcome::Changed, message);
        row.diff =
            task.preview.diff.then(|| diff::live(&reference.to_string(), &step.before.value, &after, task.secrets));
        report.row(row);
    }
    if task.preview.check && report.count(Outcome::Changed) > 0 {
        report.ends(Exit::WouldChange);
    }
    Ok(())
}

fn unplannable(object: &Object, path: &str) -> Failure {
    Failure::new(Exit::Failed, Reason::Unsafe, format!("{}: {path} is not what it should be", object.reference))
}

/// Makes the plan: each proxy waits for its own rollout before the next begins.
async fn write(
    session: &Session,
    task: &Sidecars,
    global: &Global,
    plan: &Plan,
    stop: &Interrupts,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let mut transaction = Transaction::new(session, stop, task.act.way_back());
    let made = transaction
        .whole(report, async |transaction, report| make(transaction, task, global, plan, report).await)
        .await;
    if made.is_ok() && matches!(task.act, Injection::Uninject { .. }) {
        let_go(session, plan, &transaction, report).await;
    }
    // What was taken back is said already; what stands is said also where it is not confirmed.
    transaction.finish(report);
    made
}

/// Leaves the bootstraps to their charts.
async fn let_go(session: &Session, plan: &Plan, transaction: &Transaction<'_>, report: &mut Report<'_>) {
    for bootstrap in plan.proxies.iter().filter_map(|planned| planned.proxy.bootstrap.as_ref()) {
        let reference = &bootstrap.reference;
        let now = transaction.written(reference).unwrap_or(bootstrap);
        if let Err(error) = claims::let_go(session, now.clone()).await {
            let message = format!("{reference}: still noted as written by gloo-rs, and Helm 4 conflicts with that");
            let advice = Advice::warning(Code::HelmConflict, message).details([error.into_failure(session).message]);
            report.advice(advice.hint("run this again").about(reference));
        }
    }
}

async fn make(
    transaction: &mut Transaction<'_>,
    task: &Sidecars,
    global: &Global,
    plan: &Plan,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let is_injection = matches!(task.act, Injection::Inject { .. });
    transaction.make(&plan.first, report).await?;
    for planned in &plan.proxies {
        transaction.make(&planned.said(), report).await?;
        let workload = &planned.proxy.workload.reference;
        // What was injected by a run that did not wait may still be on its way.
        let is_under_way = is_injection && !rollout::is_done(&planned.proxy.workload.value);
        if !transaction.has_written(workload) && !is_under_way {
            continue;
        }
        match task.rollouts {
            Rollouts::Wait => {
                transaction.wait(workload, global.wait_timeout, report).await?;
                if is_injection {
                    let said = proof::prove(transaction.session, &planned.proxy.workload, SDS_CLUSTER).await?;
                    report.ui.status(&said.line);
                    said.advice.into_iter().for_each(|advice| report.advice(advice));
                }
            }
            Rollouts::NoWait => {
                let message = format!("the rollout of {} was not waited for", short(workload));
                report.advice(Advice::note(Code::Unknown, message).about(workload));
            }
        }
    }
    transaction.make(&plan.last, report).await
}

impl Injection {
    /// What to type where a rollback did not succeed.
    fn way_back(&self) -> Hint {
        let other = match self {
            Self::Inject { .. } => "istio uninject",
            Self::Uninject { .. } => "istio inject",
        };
        gloo_rs(other).then("  (works from this state)")
    }
}
