//! The rollback of a failed upgrade where Helm's own cannot be used.
//!
//! Helm 3 rolls back only together with its wait. That wait also needs an address for each Service of type
//! `LoadBalancer`. Without a load balancer it ends at its deadline, and the rollback waits in the same way.

use super::order::{ReadyHelm, Upgrade};
use super::settle::{UNVERIFIED, UPGRADED};
use crate::command::CommandLine;
use crate::error::{Exit, Failure};
use crate::flow::execute::{Stands, Stopped};
use crate::flow::report::Report;
use crate::helm::{Helm, Order};
use crate::kube::Session;
use crate::load::release::{self, ReleaseRevision};
use crate::plan::advice::{Advice, Code};

/// The note that Helm does not wait, because these Services have no address. `None` if there are none.
pub(super) fn advice(helm: &Helm, without: &[String]) -> Option<Advice> {
    let services = if without.len() == 1 { "Service" } else { "Services" };
    let what = format!(
        "Helm {} would wait for the load balancer's address of {services} {}, so it is run without {}",
        helm.major,
        without.join(", "),
        helm.rollback_flag()
    );
    let instead = "the rollout is waited for and verified afterwards, and a failed upgrade is rolled back";
    (!without.is_empty()).then(|| Advice::note(Code::HelmWait, what).details([instead.to_owned()]))
}

/// Rolls back a release that was upgraded, and adds the result to the reason.
pub(super) async fn after_upgrade(
    session: &Session,
    ready: &ReadyHelm,
    upgrade: &Upgrade,
    why: Failure,
    report: &mut Report<'_>,
) -> Stopped {
    let ended = roll_back(session, ready, upgrade, report).await;
    let details = why.details.into_iter().filter(|line| line != UPGRADED && line != UNVERIFIED).collect();
    let why = Failure { details, hints: Vec::new(), ..why };
    let exit = |exit| why.exit.prevailing(exit);
    match ended {
        Ok(revision) => {
            let why = Failure { exit: exit(Exit::RolledBack), ..why };
            Stopped::new(why.detail(format!("rolled back to revision {revision}")), Stands::RolledBack)
        }
        Err(how) => {
            let history = release::history(session, &upgrade.record.namespace, &upgrade.record.name).await;
            let why = Failure { exit: exit(Exit::HalfDone), ..why };
            let why = why.detail(format!("the release is upgraded, and its rollback failed ({how})"));
            Stopped::new(why.hint(command(upgrade, &history).after("to roll back: ")), Stands::HalfDone)
        }
    }
}

/// The command that rolls the upgrade back.
pub(super) fn command(upgrade: &Upgrade, history: &[ReleaseRevision]) -> CommandLine {
    upgrade.record.rollback_to(before(&states(history), upgrade.newest.0).unwrap_or(upgrade.record.revision))
}

fn states(history: &[ReleaseRevision]) -> Vec<(u64, &str)> {
    history.iter().map(|it| (it.revision, it.status.as_deref().unwrap_or_default())).collect()
}

/// The revision that was deployed before an upgrade. `newest` was the newest one then, deployed or not.
fn before(states: &[(u64, &str)], newest: u64) -> Option<u64> {
    let was_deployed = |(_, status): &&(u64, &str)| ["deployed", "superseded"].contains(status);
    let deployed = states.iter().filter(was_deployed).map(|(revision, _)| *revision);
    deployed.filter(|revision| *revision <= newest).max()
}

/// Rolls back to the revision before the upgrade. Returns that revision.
///
/// # Errors
/// The exit status of Helm, why it did not run, or that somebody else changed the release since.
pub(super) async fn roll_back(
    session: &Session,
    ready: &ReadyHelm,
    upgrade: &Upgrade,
    report: &mut Report<'_>,
) -> Result<u64, String> {
    let record = &upgrade.record;
    let history = release::history(session, &record.namespace, &record.name).await;
    match history.first().map(|newest| newest.revision) {
        // Helm numbers its revisions one after the other.
        Some(revision) if revision == upgrade.newest.0 + 1 => {}
        Some(revision) => return Err(format!("revision {revision} is not of this run")),
        None => return Err("its revisions cannot be listed".to_owned()),
    }
    let Some(revision) = before(&states(&history), upgrade.newest.0) else {
        return Err("no earlier revision was deployed".to_owned());
    };
    report.ui.status(format!("rolling back to revision {revision}"));
    let order = Order {
        target: ready.target.clone(),
        command: "rollback",
        flags: Vec::new(),
        operands: vec![record.name.to_string().into(), revision.to_string().into()],
        directory: None,
        values: String::new(),
        storage: record.storage,
    };
    let mut running = ready.helm.start(order).map_err(|failure| failure.message)?;
    report.ui.waiting("rolling back with helm");
    while let Some(line) = running.line().await {
        report.ui.status(format!("  {}", upgrade.secrets.masked(&line)));
    }
    let ended = running.end().await;
    report.ui.end_wait();
    ended.map(|()| revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_leads_to_what_was_deployed_and_not_to_what_failed_or_came_later() {
        let is = |states: &[(u64, &str)], newest, wanted| assert_eq!(before(states, newest), wanted, "{states:?}");
        is(&[(8, "deployed"), (7, "superseded"), (3, "superseded")], 7, Some(7));
        is(&[(8, "failed"), (7, "failed"), (6, "deployed")], 7, Some(6));
        is(&[(9, "deployed"), (8, "superseded"), (7, "superseded")], 7, Some(7));
        is(&[(1, "failed")], 0, None);
    }
}
