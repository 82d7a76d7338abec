//! `upgrade-values --apply`: upgrades the release with the user's own Helm, and verifies the rollout.

use super::order::{self, Upgrade};
use crate::apply::caught::caught;
use crate::command::{Hint, gloo_rs, kubectl};
use crate::error::{Exit, Failure, Reason};
use crate::flow::consent;
use crate::flow::execute::{Stands, Stopped, short};
use crate::flow::interrupt::{self, Interrupts};
use crate::flow::report::Report;
use crate::helm::{self, Helm, Order, Record};
use crate::kube::{Environment, Session};
use crate::load::{gateways, release};
use crate::model::{ObjectRef, kinds};
use crate::options::{Global, HelmFailure, Proxies, UpgradeValues, ValuesAct};
use crate::plan::outcome::{Outcome, Row};
use crate::plan::owner::Owner;
use crate::plan::ssl_config::SDS_CLUSTER;
use crate::render::text::{count, seconds};
use crate::verify::rollout::{self, Ended};
use crate::verify::sidecars as proof;

/// A release that was upgraded.
#[derive(Debug, Clone)]
pub(crate) struct Upgraded {
    /// The release before the upgrade.
    pub record: Record,
    /// The current revision.
    pub to: u64,
    /// Number of changed keys.
    pub changes: usize,
    /// Whether this upgrade turned on auto-mTLS.
    pub turned_on: bool,
}

impl Upgraded {
    /// The result row of the release.
    pub(crate) fn row(&self) -> Row {
        let Record { name, namespace, revision, .. } = &self.record;
        let object = ObjectRef::new(&kinds::RELEASE, &**namespace, &**name);
        let message = format!("{} changed (revision {revision} -> {})", count(self.changes, "value"), self.to);
        Row::answer(object, Outcome::Changed, message)
    }
}

/// Asks for confirmation, runs Helm, waits and verifies. Returns the current revision.
///
/// # Errors
/// Why nothing was changed, or the state of the release.
pub(super) async fn run(
    session: &Session,
    upgrade: &Upgrade,
    on_failure: HelmFailure,
    task: &UpgradeValues,
    global: &Global,
    stop: &Interrupts,
    report: &mut Report<'_>,
) -> Result<u64, Stopped> {
    let (helm, target) = stop.until_signal(ready(session, upgrade, task)).await?;
    let order = order::upgrade(target, upgrade, on_failure, &helm, task)?;
    let Record { name, namespace, .. } = &upgrade.record;
    let act = format!("upgrade-values --apply changes {} of", upgrade.changes);
    let what = format!("release {namespace}/{name} and restarts its gateways");
    consent::ask(&act, &[what], &crate::flow::session::place(session), global, report).await?;
    session.check_unchanged(&crate::flow::session::target(global, Environment::of_process()))?;
    stop.begin_writes()?;
    helm_upgrades(session, &helm, order, upgrade, stop, report).await?;
    let settled = caught(settle(session, upgrade, stop, task, global, report)).await;
    let settled = settled.unwrap_or_else(|panicked| Err(Failure::from(panicked).detail(UPGRADED)));
    settled.map_err(unconfirmed)
}

/// The failure after the release was upgraded.
fn unconfirmed(why: Failure) -> Stopped {
    let exit = if why.exit == Exit::Interrupted { why.exit } else { Exit::Unconfirmed };
    Stopped::new(Failure { exit, ..why }, Stands::Unconfirmed)
}

/// Returns the Helm to run and its target, unless the upgrade is known to fail.
///
/// # Errors
/// Helm cannot use the same user or version of the chart, another tool renders the release, another upgrade is in
/// progress, this one would conflict, or Helm is not installed.
pub(crate) async fn ready(
    session: &Session,
    upgrade: &Upgrade,
    task: &UpgradeValues,
) -> Result<(Helm, helm::HelmTarget), Failure> {
    let Record { name, namespace, .. } = &upgrade.record;
    let target = order::target(session.context(), session.impersonation(), namespace)?;
    if task.chart.is_none() {
        order::version(upgrade, task)?;
    }
    if let Some(owner @ (Owner::ArgoCd { .. } | Owner::Flux { .. })) = release::owner(session, namespace).await {
        let message =
            format!("release {namespace}/{name}: {owner} renders it and would undo the change; nothing changed");
        return Err(Failure::new(Exit::Failed, Reason::Managed, message)
            .hint(gloo_rs("upgrade-values --values FILE --write").after("change its values in Git: ")));
    }
    if upgrade.newest.1.starts_with("pending") {
        let (newest, status) = &upgrade.newest;
        let message =
            format!("release {namespace}/{name}: revision {newest} is {status}, and Helm refuses a second upgrade");
        return Err(Failure::new(Exit::Failed, Reason::Helm, message)
            .hint(upgrade.record.rollback().after("if none is running: ")));
    }
    let helm = Helm::find(Environment::of_process().os("PATH"), session.timeout()).await?;
    if let (4.., Some(conflict)) = (helm.major, &upgrade.conflict) {
        let message = format!("release {namespace}/{name}: {}; nothing changed", conflict.message);
        let failure = Failure::new(Exit::Failed, Reason::Conflict, message);
        return Err(conflict.hint.iter().cloned().fold(failure, Failure::hint));
    }
    Ok((helm, target))
}

async fn helm_upgrades(
    session: &Session,
    helm: &Helm,
    order: Order,
    upgrade: &Upgrade,
    stop: &Interrupts,
    report: &mut Report<'_>,
) -> Result<(), Stopped> {
    report.ui.status(&format!("running {}", helm.program.display()));
    let mut running = helm.start(order)?;
    let mut said = Said::default();
    let listened = caught(async {
        while let Some(line) = running.line().await {
            let line = upgrade.secrets.masked(&line);
            let line = short_line(&line).to_owned();
            report.ui.status(&format!("  {line}"));
            said.hear(&line);
        }
    })
    .await;
    let last = said.reason();
    let ended = running.end().await;
    if let Err(panicked) = listened {
        // Helm has ended nevertheless, and its result counts.
        return Err(match ended {
            Ok(()) => unconfirmed(Failure::from(panicked).detail(UPGRADED)),
            Err(how) => failed(session, upgrade, &how, &last).await,
        });
    }
    match (ended, stop.is_set()) {
        (Ok(()), false) => Ok(()),
        (Ok(()), true) => Err(unconfirmed(interrupt::interrupted().detail(UPGRADED))),
        (Err(how), false) => Err(failed(session, upgrade, &how, &last).await),
        (Err(how), true) => {
            let Stopped { why: Failure { message, details, hints, .. }, stands, .. } =
                failed(session, upgrade, &how, &last).await;
            let interrupted = interrupt::interrupted().detail(message);
            let details = [interrupted.details, details].concat();
            Err(Stopped::new(Failure { details, hints, ..interrupted }, stands))
        }
    }
}

/// The lines of Helm's output that say why it failed.
#[derive(Default)]
struct Said {
    error: Option<String>,
    last: String,
}

impl Said {
    fn hear(&mut self, line: &str) {
        if self.error.is_none() && line.starts_with("Error:") {
            self.error = Some(line.to_owned());
        }
        if !line.trim().is_empty() {
            line.clone_into(&mut self.last);
        }
    }

    /// The first line of Helm's error, or else the last line of its output.
    fn reason(self) -> String {
        self.error.unwrap_or(self.last)
    }
}

/// The part of a line that is shown. It is masked before, so that the cut leaves no part of a secret.
fn short_line(line: &str) -> &str {
    const SHOWN: usize = 4096;
    &line[..line.floor_char_boundary(SHOWN)]
}

const UPGRADED: &str = "the release is upgraded; its rollout is not verified";

/// The state of the release after Helm failed.
async fn failed(session: &Session, upgrade: &Upgrade, how: &str, last: &str) -> Stopped {
    let Record { name, namespace, .. } = &upgrade.record;
    let failure = |exit, what: &str| {
        Failure::new(exit, Reason::Helm, format!("release {namespace}/{name}: helm upgrade failed ({how}); {what}"))
            .detail(last.to_owned())
    };
    let history = release::history(session, namespace, name).await;
    let Some(newest) = history.first() else {
        let why = failure(Exit::HalfDone, "its state is unknown").hint(upgrade.record.status_command());
        return Stopped::new(why, Stands::HalfDone);
    };
    let states = history
        .iter()
        .take(3)
        .map(|entry| format!("revision {}: {}", entry.revision, entry.status.as_deref().unwrap_or("state unknown")));
    let (mut why, stands) = match (newest.revision == upgrade.newest.0, newest.status.as_deref()) {
        (true, _) => (failure(Exit::Failed, "nothing changed"), Stands::Nothing),
        (false, Some("deployed")) => (failure(Exit::RolledBack, "rolled back"), Stands::RolledBack),
        _ => {
            let hint = upgrade.record.rollback().after("to roll back: ");
            (failure(Exit::HalfDone, "it is not rolled back").hint(hint), Stands::HalfDone)
        }
    };
    why.details.extend(states);
    Stopped::new(why, stands)
}

/// Waits for the gateways and, if Istio was added, for their sidecars. Returns the current revision.
async fn settle(
    session: &Session,
    upgrade: &Upgrade,
    stop: &Interrupts,
    task: &UpgradeValues,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<u64, Failure> {
    let unconfirmed = |failure: Failure| {
        Failure { exit: Exit::Unconfirmed, ..failure }.detail("the release is upgraded, the gateways are not verified")
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
                    Some(command) => failure.hint(kubectl(command).value(name).with("-n", &workload.namespace)),
                    None => failure,
                });
            }
            Ended::Interrupted => {
                return Err(interrupt::interrupted().detail(UPGRADED));
            }
            Ended::Failed(stuck) => {
                let message = format!("{name} did not become ready ({} of {} new)", stuck.ready, stuck.wanted);
                let mut failure = unconfirmed(Failure::new(Exit::Unconfirmed, Reason::Rollout, message));
                failure.details.extend(stuck.complaints);
                return Err(failure.hint(Hint::from("set the wait with ").flag("--wait-timeout")));
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
    report.line(&format!("release {namespace}/{name} upgraded (revision {revision} -> {now})"));
    Ok(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_helms_error_else_its_last_words() {
        let reason = |lines: &[&str]| {
            let mut said = Said::default();
            for line in lines {
                said.hear(line);
            }
            said.reason()
        };
        assert_eq!(reason(&["a", "Error: x", "Error: y", "b"]), "Error: x");
        assert_eq!(reason(&["a", "b", " ", ""]), "b");
        assert_eq!(reason(&[]), "");
    }

    #[test]
    fn a_long_line_is_shown_in_part() {
        let line = "ä".repeat(3000);
        assert_eq!((short_line(&line).len(), short_line("short")), (4096, "short"));
    }
}
