//! The rollback of a failed upgrade where Helm's own cannot be used.
//!
//! Helm 3 rolls back only together with its wait. That wait also needs an address for each Service of type
//! `LoadBalancer`. Without a load balancer it ends at its deadline, and the rollback waits in the same way.

use super::order::{ReadyHelm, Upgrade};
use super::settle::{UNVERIFIED, UPGRADED};
use crate::error::{Exit, Failure};
use crate::flow::execute::{Stands, Stopped};
use crate::flow::report::Report;
use crate::helm::{Helm, Order};
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
    ready: &ReadyHelm,
    upgrade: &Upgrade,
    why: Failure,
    report: &mut Report<'_>,
) -> Stopped {
    let ended = roll_back(ready, upgrade, report).await;
    let details = why.details.into_iter().filter(|line| line != UPGRADED && line != UNVERIFIED).collect();
    let why = Failure { details, hints: Vec::new(), ..why };
    let exit = |exit| why.exit.prevailing(exit);
    let revision = upgrade.record.revision;
    match ended {
        Ok(()) => {
            let why = Failure { exit: exit(Exit::RolledBack), ..why };
            Stopped::new(why.detail(format!("rolled back to revision {revision}")), Stands::RolledBack)
        }
        Err(how) => {
            let why = Failure { exit: exit(Exit::HalfDone), ..why };
            let why = why.detail(format!("the release is upgraded, and its rollback failed ({how})"));
            Stopped::new(why.hint(upgrade.record.rollback().after("to roll back: ")), Stands::HalfDone)
        }
    }
}

/// Rolls back to the revision before the upgrade.
///
/// # Errors
/// The exit status of Helm, or why it did not run.
pub(super) async fn roll_back(ready: &ReadyHelm, upgrade: &Upgrade, report: &mut Report<'_>) -> Result<(), String> {
    let record = &upgrade.record;
    report.ui.status(&format!("rolling back to revision {}", record.revision));
    let order = Order {
        target: ready.target.clone(),
        command: "rollback",
        flags: Vec::new(),
        operands: vec![record.name.to_string().into(), record.revision.to_string().into()],
        directory: None,
        values: String::new(),
        storage: record.storage,
    };
    let mut running = ready.helm.start(order).map_err(|failure| failure.message)?;
    while let Some(line) = running.line().await {
        report.ui.status(&format!("  {}", upgrade.secrets.masked(&line)));
    }
    running.end().await
}
