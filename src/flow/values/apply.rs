//! `upgrade-values --apply`: upgrades the release with the user's own Helm, and verifies the rollout.

use super::order::{self, ReadyHelm, Upgrade};
use super::roll_back;
use super::settle::{self, UPGRADED};
use crate::apply::caught::caught;
use crate::command::gloo_rs;
use crate::error::{Exit, Failure, Reason};
use crate::flow::consent;
use crate::flow::execute::{Stands, Stopped};
use crate::flow::interrupt::{self, Interrupts};
use crate::flow::report::Report;
use crate::helm::{Helm, Order, Record};
use crate::kube::{Environment, Session};
use crate::load::{around_release, release};
use crate::model::{ObjectRef, kinds};
use crate::options::{Global, HelmFailure, UpgradeValues, ValuesDestination};
use crate::plan::outcome::{Outcome, Row};
use crate::plan::owner::Owner;
use crate::render::text::count;

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
    let ready = stop.until_signal(ready(session, upgrade, task)).await?;
    report.advice_if(ready.advice.clone());
    let of_helm = if ready.is_endless { HelmFailure::Stays } else { on_failure };
    let order = order::upgrade(ready.target.clone(), upgrade, of_helm, &ready.helm, task)?;
    let Record { name, namespace, .. } = &upgrade.record;
    let act = format!("upgrade-values --apply changes {} of", upgrade.changes);
    let what = format!("release {namespace}/{name} and restarts its gateways");
    consent::ask(&act, &[what], &crate::flow::session::place(session), global, report).await?;
    session.check_unchanged(&crate::flow::session::target(global, Environment::of_process()))?;
    stop.begin_writes()?;
    if of_helm == HelmFailure::RollsBack {
        report.ui.status("Helm waits until all objects of the release are ready, and rolls back if one is not");
    }
    helm_upgrades(session, &ready, order, upgrade, stop, report).await?;
    let settled = match stop.is_set() {
        true => Err(interrupt::interrupted().detail(UPGRADED)),
        false => caught(settle::wait(session, upgrade, stop, task, global, report))
            .await
            .unwrap_or_else(|panicked| Err(Failure::from(panicked).detail(UPGRADED))),
    };
    let rolls_back = |why: &Failure| match why.exit {
        Exit::Interrupted => on_failure == HelmFailure::RollsBack,
        // Helm's wait was not used.
        _ => ready.is_endless && why.reason == Reason::Rollout,
    };
    match settled {
        Err(why) if rolls_back(&why) => Err(roll_back::after_upgrade(session, &ready, upgrade, why, report).await),
        settled => settled.map_err(unconfirmed),
    }
}

/// The failure after the release was upgraded.
fn unconfirmed(why: Failure) -> Stopped {
    let exit = if why.exit == Exit::Interrupted { why.exit } else { Exit::Unconfirmed };
    Stopped::new(Failure { exit, ..why }, Stands::Unconfirmed)
}

/// Returns the Helm to run, unless the upgrade is known to fail.
///
/// # Errors
/// Helm cannot use the same user or version of the chart, another tool renders the release, another upgrade is in
/// progress, this one would conflict, or Helm is not installed.
pub(crate) async fn ready(session: &Session, upgrade: &Upgrade, task: &UpgradeValues) -> Result<ReadyHelm, Failure> {
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
    let waits = task.destination == ValuesDestination::Helm(HelmFailure::RollsBack);
    // Helm 4 does not wait for the address of a load balancer.
    let (is_endless, advice) = match waits && helm.major < 4 {
        true => match around_release::without_address(session, &upgrade.record).await {
            Ok(services) => (!services.is_empty(), roll_back::advice(&helm, &services)),
            Err(unknown) => (false, Some(unknown)),
        },
        false => (false, None),
    };
    Ok(ReadyHelm { helm, target, is_endless, advice })
}

async fn helm_upgrades(
    session: &Session,
    ready: &ReadyHelm,
    order: Order,
    upgrade: &Upgrade,
    stop: &Interrupts,
    report: &mut Report<'_>,
) -> Result<(), Stopped> {
    report.ui.status(format!("running {}", ready.helm.program.display()));
    let mut running = ready.helm.start(order)?;
    report.ui.waiting("upgrading with helm");
    let mut said = Said::default();
    let listened = caught(async {
        while let Some(line) = running.line().await {
            let line = upgrade.secrets.masked(&line);
            let line = short_line(&line).to_owned();
            report.ui.status(format!("  {line}"));
            said.hear(&line);
        }
    })
    .await;
    let last = said.reason();
    let ended = running.end().await;
    report.ui.end_wait();
    // Helm's own rollback is not used.
    if ended.is_err() && ready.is_endless && is_half_done(session, upgrade).await {
        // Whether it succeeded is read from the release's history.
        roll_back::roll_back(session, ready, upgrade, report).await.unwrap_or_default();
    }
    if let Err(panicked) = listened {
        // Helm has ended nevertheless, and its result counts.
        return Err(match ended {
            Ok(()) => unconfirmed(Failure::from(panicked).detail(UPGRADED)),
            Err(how) => failed(session, upgrade, &how, &last).await,
        });
    }
    match (ended, stop.is_set()) {
        (Ok(()), _) => Ok(()),
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

/// Whether there is a newer revision that is not deployed.
async fn is_half_done(session: &Session, upgrade: &Upgrade) -> bool {
    let history = release::history(session, &upgrade.record.namespace, &upgrade.record.name).await;
    history
        .first()
        .is_some_and(|newest| newest.revision != upgrade.newest.0 && newest.status.as_deref() != Some("deployed"))
}

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
            let hint = roll_back::command(upgrade, &history).after("to roll back: ");
            (failure(Exit::HalfDone, "it is not rolled back").hint(hint), Stands::HalfDone)
        }
    };
    why.details.extend(states);
    Stopped::new(why, stands)
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
