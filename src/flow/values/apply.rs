//! `upgrade-values --apply`: the user's own Helm upgrades the release, and the rollout is waited for and proven.

use std::ffi::OsString;

use serde_json::json;

use crate::edit::mask;
use crate::error::{Exit, Failure, Reason};
use crate::flow::consent;
use crate::flow::interrupt::{self, Stop};
use crate::flow::report::Report;
use crate::flow::transact::short;
use crate::helm::{Helm, Record};
use crate::kube::{Environment, Session};
use crate::load::{gateways, release};
use crate::options::{Global, HelmFailure, Proxies, UpgradeValues, ValuesAct};
use crate::plan::advice::Advice;
use crate::plan::mark;
use crate::plan::owner::Owner;
use crate::plan::ssl_config::SDS_CLUSTER;
use crate::plan::values::Edition;
use crate::render::text::seconds;
use crate::verify::rollout::{self, Ended};
use crate::verify::sidecars as proof;

/// What is handed to Helm.
pub struct Upgrade {
    pub record: Record,
    pub edition: Edition,
    /// All values, as YAML.
    pub values: String,
    /// How many keys change.
    pub changes: usize,
    /// The texts that must not be shown where Helm says them.
    pub secrets: Vec<String>,
    /// What an upgrade by Helm 4 fails on.
    pub conflict: Option<Advice>,
    /// The newest revision there is, and its state.
    pub newest: (u64, String),
}

/// Asks, runs Helm, waits and proves.
///
/// # Errors
/// Why nothing was changed, or what state the release is in.
pub async fn run(
    session: &Session,
    upgrade: Upgrade,
    on_failure: HelmFailure,
    task: &UpgradeValues,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let helm = ready(session, &upgrade).await?;
    let Record { name, namespace, .. } = &upgrade.record;
    let act = format!("upgrade-values --apply changes {} of", upgrade.changes);
    let what = format!("release {namespace}/{name} and restarts its gateways");
    consent::ask(&act, &[what], &crate::flow::place(session), global, report).await?;
    let args = arguments(session, &upgrade, on_failure, &helm, task, global);
    let stop = Stop::default();
    interrupt::told(&stop, async {
        helm_upgrades(session, &helm, &args, &upgrade, &stop, report).await?;
        settle(session, &upgrade, &stop, task, global, report).await
    })
    .await
}

/// The Helm that is going to be run, where nothing is known to be against it.
///
/// # Errors
/// Somebody else renders the release, another upgrade is under way, this one would conflict, or no Helm is there.
pub async fn ready(session: &Session, upgrade: &Upgrade) -> Result<Helm, Failure> {
    let Record { name, namespace, .. } = &upgrade.record;
    if let Some(owner @ (Owner::ArgoCd { .. } | Owner::Flux { .. })) = release::owner(session, namespace).await {
        let message = format!("release {namespace}/{name}: {owner} renders it and would put it back; nothing changed");
        return Err(Failure::new(Exit::Failed, Reason::Managed, message)
            .hint("change its values in Git: gloo-rs upgrade-values --values FILE --write"));
    }
    if upgrade.newest.1.starts_with("pending") {
        let (newest, status) = &upgrade.newest;
        let message =
            format!("release {namespace}/{name}: revision {newest} is {status}, and Helm refuses a second upgrade");
        return Err(Failure::new(Exit::Failed, Reason::Helm, message)
            .hint(upgrade.record.rollback().after("if none is running: ")));
    }
    let helm = Helm::find(Environment::of_process().os("PATH")).await?;
    if let (4.., Some(conflict)) = (helm.major, &upgrade.conflict) {
        let message = format!("release {namespace}/{name}: {}; nothing changed", conflict.message);
        let failure = Failure::new(Exit::Failed, Reason::Conflict, message);
        return Err(conflict.hint.iter().fold(failure, Failure::hint));
    }
    Ok(helm)
}

/// Everything that says which cluster and as whom goes to Helm as it came here.
fn arguments(
    session: &Session,
    upgrade: &Upgrade,
    on_failure: HelmFailure,
    helm: &Helm,
    task: &UpgradeValues,
    global: &Global,
) -> Vec<OsString> {
    let record = &upgrade.record;
    let mut args: Vec<OsString> = vec!["upgrade".into(), (&record.name).into()];
    let mut flag = |name: &str, value: &dyn AsRef<std::ffi::OsStr>| {
        args.push(name.into());
        args.push(value.as_ref().into());
    };
    flag("--namespace", &record.namespace);
    if let Some(kubeconfig) = &global.kubeconfig {
        flag("--kubeconfig", kubeconfig);
    }
    if session.context() != IN_CLUSTER {
        flag("--kube-context", &session.context());
    }
    if let Some(user) = &global.as_user {
        flag("--kube-as-user", user);
    }
    for group in &global.as_groups {
        flag("--kube-as-group", group);
    }
    flag("--values", &"-");
    flag(
        "--description",
        &match task.act {
            ValuesAct::Merge => mark::RELEASE,
            ValuesAct::Remove => "Istio's values taken out by gloo-rs",
            ValuesAct::AutoMtlsBack { .. } => "auto-mTLS taken back by gloo-rs",
        },
    );
    if task.chart.is_none() {
        flag("--repo", &upgrade.edition.repository());
        flag("--version", task.to_version.as_ref().unwrap_or(&record.chart_version));
    }
    args.push(task.chart.as_ref().map_or_else(|| upgrade.edition.chart().into(), Into::into));
    args.push(RESET_VALUES.into());
    if on_failure == HelmFailure::RollsBack {
        args.push(helm.rollback_flag().into());
    }
    args
}

/// Without it Helm takes no values at all for a wish to keep those of the release before.
pub const RESET_VALUES: &str = "--reset-values";

/// The name of the context where there is no kubeconfig.
const IN_CLUSTER: &str = "in-cluster";

async fn helm_upgrades(
    session: &Session,
    helm: &Helm,
    args: &[OsString],
    upgrade: &Upgrade,
    stop: &Stop,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    report.ui.status(&format!("running {}", helm.program.display()));
    let mut running = helm.start(args, upgrade.values.clone(), upgrade.record.storage)?;
    let mut said = Vec::new();
    while let Some(line) = running.line().await {
        let line = mask::masked_text(&line, &upgrade.secrets);
        report.ui.status(&format!("  {line}"));
        said.push(line);
    }
    let last = error_of(&said);
    let ended = running.end().await;
    match (ended, stop.is_set()) {
        (Ok(()), false) => Ok(()),
        (Ok(()), true) => Err(interrupted(Exit::Unconfirmed, UPGRADED, report)),
        (Err(how), false) => Err(failed(session, upgrade, &how, &last).await),
        (Err(how), true) => {
            let Failure { exit, message, details, hints, .. } = failed(session, upgrade, &how, &last).await;
            let failure = interrupted(exit, &message, report);
            Err(Failure { details: [failure.details, details].concat(), hints, ..failure })
        }
    }
}

/// The first line of Helm's error, else the last that it said.
fn error_of(said: &[String]) -> String {
    let error = said.iter().find(|line| line.starts_with("Error:"));
    error.or(said.iter().rfind(|line| !line.trim().is_empty())).cloned().unwrap_or_default()
}

const UPGRADED: &str = "the release is upgraded; its rollout was not waited for";

/// Helm has ended by then: it is never left behind. How it ended is the report's, for who goes on from there.
fn interrupted(exit: Exit, state: &str, report: &mut Report<'_>) -> Failure {
    report.ends(exit);
    Failure::new(Exit::Interrupted, Reason::Interrupted, "interrupted").detail(state)
}

/// What became of the release where Helm failed.
async fn failed(session: &Session, upgrade: &Upgrade, how: &str, last: &str) -> Failure {
    let Record { name, namespace, .. } = &upgrade.record;
    let failure = |exit, what: &str| {
        Failure::new(exit, Reason::Helm, format!("release {namespace}/{name}: helm upgrade failed ({how}); {what}"))
            .detail(last.to_owned())
    };
    let history = release::history(session, namespace, name).await;
    let Some(newest) = history.first() else {
        return failure(Exit::HalfDone, "its state is unknown").hint(upgrade.record.status_command());
    };
    let states = history
        .iter()
        .take(3)
        .map(|entry| format!("revision {}: {}", entry.revision, entry.status.as_deref().unwrap_or("state unknown")));
    let mut told = match (newest.revision == upgrade.newest.0, newest.status.as_deref()) {
        (true, _) => failure(Exit::Failed, "nothing changed"),
        (false, Some("deployed")) => failure(Exit::RolledBack, "rolled back"),
        _ => {
            failure(Exit::HalfDone, "it is not rolled back").hint(upgrade.record.rollback().after("back to what ran: "))
        }
    };
    told.details.extend(states);
    told
}

/// Waits for the gateways and, where Istio came, for their sidecars.
async fn settle(
    session: &Session,
    upgrade: &Upgrade,
    stop: &Stop,
    task: &UpgradeValues,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let unconfirmed = |failure: Failure| {
        Failure { exit: Exit::Unconfirmed, ..failure }.detail("the release is upgraded, the gateways are not confirmed")
    };
    let proxies = gateways::find(session, &upgrade.record.namespace, &Proxies::All).await.map_err(unconfirmed)?;
    for proxy in &proxies {
        let workload = &proxy.workload.reference;
        let name = short(workload);
        report.ui.status(&format!("waiting for {name}"));
        match rollout::wait(session, workload, global.wait_timeout, &|| stop.is_set()).await {
            Ended::Done { pods, took } => {
                report.ui.status(&format!("{name}: {pods} of {pods} pods new and ready ({})", seconds(took)));
            }
            Ended::Held { why, hint } => {
                let failure = unconfirmed(Failure::new(Exit::Unconfirmed, Reason::Rollout, format!("{name} {why}")));
                return Err(match hint {
                    Some(command) => failure.hint(format!("{command} {name} -n {}", workload.namespace)),
                    None => failure,
                });
            }
            Ended::Interrupted => {
                return Err(interrupted(Exit::Unconfirmed, UPGRADED, report));
            }
            Ended::Failed(stuck) => {
                let message = format!("{name} did not become ready ({} of {} new)", stuck.ready, stuck.wanted);
                let mut failure = unconfirmed(Failure::new(Exit::Unconfirmed, Reason::Rollout, message));
                failure.details.extend(stuck.complaints);
                return Err(failure.hint("the wait is --wait-timeout"));
            }
        }
        if task.act == ValuesAct::Merge {
            let said = proof::prove(session, &proxy.workload, SDS_CLUSTER).await?;
            report.ui.status(&said.line);
            said.advice.into_iter().for_each(|advice| report.advice(advice));
        }
    }
    let history = release::history(session, &upgrade.record.namespace, &upgrade.record.name).await;
    let now = history.first().map_or(0, |entry| entry.revision);
    let Record { name, namespace, revision, .. } = &upgrade.record;
    report.field("upgradedTo", json!(now));
    report.line(&format!("release {namespace}/{name} upgraded (revision {revision} -> {now})"));
    Ok(())
}
