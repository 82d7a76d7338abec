//! `istio inject`, `istio uninject`: change a proxy's bootstrap and workload as one transaction.

mod files;
mod gateway;
mod injection;
mod removal;

pub(super) use files::run as run_on_files;
pub(super) use removal::against;

use gateway::GatewayPlan;
use injection::injection;
use removal::removal;

use super::again;
use super::execute::{Begun, Planned, Proposal, Stopped, Transaction, begin};
use super::interrupt::UNTOUCHED;
use super::notes::Notes;
use super::report::Report;
use super::session::place;
use crate::apply::claims;
use crate::apply::transaction::Done;
use crate::command::{Hint, gloo_rs};
use crate::error::{Exit, Failure, Reason};
use crate::kube::Session;
use crate::load::gateways;
use crate::model::ObjectRef;
use crate::options::{Global, Injection, Proxies, Rollouts, SettingsSwitches, Sidecars, UpstreamsTask};
use crate::plan::advice::{Advice, Code};
use crate::plan::change::{Change, Settle};
use crate::plan::outcome::{Objection, Outcome, Row};
use crate::plan::policy::Caution;
use crate::plan::rollout;
use crate::plan::sidecars::{GatewayProxy, TransactionPlan};

/// The plan of a whole run.
#[derive(Debug, Default)]
pub(super) struct SidecarsPlan {
    /// In the order of the writes: objects that must no longer refer
    /// to the proxies, the proxies, objects that refer to them.
    pub changes: Vec<Change>,
    /// What the user must agree to, in addition to what the flags say.
    pub risks: Vec<String>,
    /// The workloads whose sidecars change.
    pub gateways: Vec<ObjectRef>,
    proxies: Vec<GatewayProxy>,
}

/// Injects or uninjects.
///
/// # Errors
/// Why it failed, and whether the changes were rolled back.
pub(super) async fn run(task: &Sidecars, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let session = super::session::open(global, report).await?;
    report.form_for_cluster(task.preview);
    report.context(&place(&session));
    let planned = match &task.proxies {
        Proxies::Gateway(gateway) => match Box::pin(gateway::plan(&session, gateway, task, global, report)).await? {
            GatewayPlan::Release { namespace, name } => {
                return gateway::by_release(&session, (namespace, &name), task, global, report).await;
            }
            GatewayPlan::Objects(planned) => planned,
        },
        _ => plan(&session, task, global, report).await?,
    };
    let plan = match planned {
        Ok(plan) => plan,
        Err(refused) => {
            report.rows(refused);
            report.ui.status(UNTOUCHED);
            return Ok(());
        }
    };
    let proposal = Proposal {
        changes: &plan.changes,
        asks: task.act.words(),
        risks: plan.risks.iter().cloned().chain(risks(task)).collect(),
        preview: task.preview,
        secrets: task.secrets,
    };
    if begin(&session, proposal, global, report).await? == Begun::Writes {
        carry_out(&session, task, &plan, global, report).await?;
        report.line(task.act.success());
    }
    Ok(())
}

/// Plans every proxy before any is written.
///
/// # Errors
/// There is no proxy or no istiod, something would still refer to the sidecars' cluster, or could not be read.
pub(super) async fn plan(
    session: &Session,
    task: &Sidecars,
    global: &Global,
    notes: &mut dyn Notes,
) -> Result<Planned<SidecarsPlan>, Failure> {
    if let Proxies::Gateway(gateway) = &task.proxies {
        return match Box::pin(gateway::plan(session, gateway, task, global, notes)).await? {
            GatewayPlan::Objects(planned) => Ok(planned),
            GatewayPlan::Release { namespace, name } => {
                let line = format!("Helm release {namespace}/{name} has the sidecars of Gateway {}", gateway.as_str());
                Err(Failure::new(Exit::Failed, Reason::Managed, line))
            }
        };
    }
    let proxies = gateways::find(session, global.object_namespace(), &task.proxies).await?;
    match &task.act {
        Injection::Inject { .. } => injection(session, task, global, proxies, notes).await,
        Injection::Uninject { upstreams, caution } => {
            removal(session, task, (*upstreams, *caution), global, proxies, notes).await
        }
    }
}

/// Writes the plan. Each proxy waits for its own rollout before the next starts.
///
/// # Errors
/// Why it failed, and what remains.
pub(super) async fn carry_out(
    session: &Session,
    task: &Sidecars,
    plan: &SidecarsPlan,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<Vec<Done>, Stopped> {
    let stop = report.interrupts();
    let transaction = Transaction::new(session, &stop, way_back(task, global), global.wait_timeout);
    let done = transaction.run(&plan.changes, report).await?;
    if matches!(task.act, Injection::Uninject { .. }) {
        let_go(session, plan, &done, report).await;
    }
    Ok(done)
}

/// Releases the field ownership of the bootstraps, so that their charts own them.
async fn let_go(session: &Session, plan: &SidecarsPlan, done: &[Done], report: &mut Report<'_>) {
    let written = |object: &ObjectRef| done.iter().map(|done| &done.after).find(|after| after.reference == *object);
    for bootstrap in plan.proxies.iter().filter_map(|proxy| proxy.bootstrap.as_ref()) {
        let reference = &bootstrap.reference;
        let now = written(reference).unwrap_or(bootstrap);
        if let Err(error) = claims::let_go(session, now.clone()).await {
            let message = format!("{reference}: still recorded as written by gloo-rs, and Helm 4 conflicts with that");
            let advice = Advice::warning(Code::HelmConflict, message).details([error.into_failure(session).message]);
            report.advice(advice.hint("run this again").about(reference));
        }
    }
}

/// The changes to each proxy in turn. Reports their advice.
fn of_proxies(planned: Vec<(GatewayProxy, TransactionPlan)>, task: &Sidecars, notes: &mut dyn Notes) -> SidecarsPlan {
    let mut plan = SidecarsPlan::default();
    for (proxy, of_proxy) in planned {
        notes.advices(of_proxy.advice.iter().cloned());
        let changes = settled(&proxy, of_proxy, task);
        let is_changed = |change: &Change| change.before.reference == proxy.workload.reference && !change.is_already();
        plan.gateways.extend(changes.iter().any(is_changed).then(|| proxy.workload.reference.clone()));
        plan.changes.extend(changes);
        plan.proxies.push(proxy);
    }
    plan
}

/// The changes to a proxy, with what to wait for.
fn settled(proxy: &GatewayProxy, plan: TransactionPlan, task: &Sidecars) -> Vec<Change> {
    let settle = match (task.rollouts, &task.act) {
        (Rollouts::NoWait, _) => Settle::NotWaited,
        (Rollouts::Wait, Injection::Inject { .. }) => Settle::Injected,
        (Rollouts::Wait, Injection::Uninject { .. }) => Settle::Rollout,
    };
    // The rollout of an earlier run that did not wait may still be in progress.
    let is_under_way = !rollout::is_done(&proxy.workload.value);
    let mut changes = plan.changes;
    for change in changes.iter_mut().filter(|change| change.before.reference == proxy.workload.reference) {
        if !change.is_already() || is_under_way {
            change.settle = settle.clone();
        }
    }
    changes
}

fn risks(task: &Sidecars) -> Vec<String> {
    let mut risks = Vec::new();
    risks.extend((task.proxies == Proxies::All).then_some("all gateway proxies"));
    match &task.act {
        Injection::Inject { auto_mtls: SettingsSwitches::On, .. } => risks.push("auto-mTLS for every Upstream"),
        Injection::Uninject { upstreams, caution } => {
            risks.extend(
                (*upstreams == UpstreamsTask::Included).then_some("mTLS of the Upstreams that need the sidecars"),
            );
            risks.extend((*caution == Caution::Forced).then_some("a cluster that is still in use (--force)"));
        }
        Injection::Inject { .. } => {}
    }
    risks.into_iter().map(str::to_owned).collect()
}

impl Injection {
    fn words(&self) -> &'static str {
        match self {
            Self::Inject { .. } => "inject changes",
            Self::Uninject { .. } => "uninject removes",
        }
    }

    /// The last line of glooctl's output, which scripts look for.
    pub(crate) fn success(&self) -> &'static str {
        match self {
            Self::Inject { .. } => "Istio injection was successful!",
            Self::Uninject { .. } => "Istio was successfully uninjected",
        }
    }
}

fn refusal(proxy: &GatewayProxy, why: Objection) -> Row {
    Row::left(proxy.workload.reference.clone(), Outcome::Refused, why)
}

/// The command to run if a rollback failed.
fn way_back(task: &Sidecars, global: &Global) -> Hint {
    let other = gloo_rs(match &task.act {
        Injection::Inject { .. } => "istio uninject",
        Injection::Uninject { .. } => "istio inject",
    });
    let other = match &task.proxies {
        Proxies::Gateway(gateway) => other.with("--gateway", gateway.as_str()),
        Proxies::Named(names) => names.iter().fold(other, |other, name| other.with("--name", &name.name)),
        Proxies::All => other.fixed("--all"),
        Proxies::Usual => other,
    };
    again::scoped(other, global).then("  (works from this state)")
}
