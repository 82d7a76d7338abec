//! `proxy restart`: replaces the pods of gateway proxies, one rollout after the other.

use super::execute::{Begun, Proposal, Transaction, begin, now};
use super::report::Report;
use super::session::{open, place};
use crate::command::kubectl;
use crate::error::Failure;
use crate::load::gateways;
use crate::options::{Global, Proxies, Restart, Rollouts};
use crate::plan::change::{Change, Settle};
use crate::plan::sidecars::GatewayProxy;
use crate::plan::sidecars::restart::{has_sidecars, outage, restarted};

/// Restarts the proxies.
///
/// # Errors
/// There is no such proxy, or its new pods did not become ready; then the restart is rolled back.
pub(super) async fn run(task: &Restart, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let session = open(global, report).await?;
    report.form_for_cluster(task.preview);
    report.context(&place(&session));
    let proxies = gateways::selected(&session, global, &task.proxies).await?;
    let now = now();
    let changes: Vec<_> = proxies.iter().map(|proxy| settled(restarted(proxy, &now), task, proxy)).collect();
    let mut risks: Vec<_> = proxies.iter().filter_map(outage).collect();
    risks.extend((task.proxies == Proxies::All).then(|| "all gateway proxies".to_owned()));
    let proposal = Proposal {
        changes: &changes,
        asks: "restart replaces the pods of",
        risks,
        preview: task.preview,
        secrets: task.secrets,
    };
    if begin(&session, proposal, global, report).await? == Begun::Writes {
        let stop = report.interrupts();
        let namespace = proxies.first().map_or(global.object_namespace(), |it| &it.workload.reference.namespace);
        let back = kubectl("rollout undo").with("-n", namespace);
        Transaction::new(&session, &stop, back, global.wait_timeout).run(&changes, report).await?;
    }
    Ok(())
}

/// The change with what to wait for.
fn settled(change: Change, task: &Restart, proxy: &GatewayProxy) -> Change {
    let settle = match task.rollouts {
        Rollouts::NoWait => Settle::NotWaited,
        Rollouts::Wait if has_sidecars(proxy) => Settle::Injected,
        Rollouts::Wait => Settle::Rollout,
    };
    Change { settle, ..change }
}
