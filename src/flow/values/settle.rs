//! Waits for the gateways after an upgrade, and verifies their sidecars.

use std::time::Duration;

use super::order::Upgrade;
use crate::command::{Hint, kubectl};
use crate::error::{Exit, Failure, Reason};
use crate::flow::execute::short;
use crate::flow::interrupt::{self, Interrupts};
use crate::flow::report::Report;
use crate::helm::Record;
use crate::kube::Session;
use crate::load::{gateways, release};
use crate::model::{Object, ObjectRef};
use crate::options::{Global, Proxies, UpgradeValues, ValuesAct};
use crate::plan::change::AwaitedSidecars;
use crate::plan::ssl_config::SDS_CLUSTER;
use crate::render::text::seconds;
use crate::verify::controller::{self as made, Made};
use crate::verify::rollout::{self, Ended};
use crate::verify::sidecars as proof;

/// The detail of a failure after the upgrade.
pub(super) const UPGRADED: &str = "the release is upgraded; its rollout is not verified";

/// The same, if a gateway is known not to be ready.
pub(super) const UNVERIFIED: &str = "the release is upgraded, the gateways are not verified";

/// Waits for the gateways and, if Istio was added, for their sidecars. Returns the current revision.
///
/// # Errors
/// A gateway is not verified.
pub(super) async fn wait(
    session: &Session,
    upgrade: &Upgrade,
    stop: &Interrupts,
    task: &UpgradeValues,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<u64, Failure> {
    let of_gateway_api = match &upgrade.gateway_api {
        Some(_) => gateways::of_gateway_api(session).await.map_err(unconfirmed)?,
        None => Vec::new(),
    };
    let rendered = match gateways::find(session, &upgrade.record.namespace, &Proxies::All).await {
        Ok(proxies) => proxies.into_iter().map(|proxy| proxy.workload).collect(),
        // All gateways are those of the Gateway API, which may not exist yet.
        Err(failure) if failure.reason == Reason::NotFound && upgrade.gateway_api.is_some() => Vec::new(),
        Err(failure) => return Err(unconfirmed(failure)),
    };
    for workload in &of_gateway_api {
        if let Some(wanted) = &upgrade.gateway_api {
            controller(session, &workload.reference, wanted, global.wait_timeout, stop, report).await?;
        }
    }
    for workload in rendered.iter().chain(&of_gateway_api) {
        one(session, workload, stop, task, global, report).await?;
    }
    let history = release::history(session, &upgrade.record.namespace, &upgrade.record.name).await;
    let now = history.first().map_or(0, |entry| entry.revision);
    let Record { name, namespace, revision, .. } = &upgrade.record;
    report.line(format!("release {namespace}/{name} upgraded (revision {revision} -> {now})"));
    Ok(now)
}

fn unconfirmed(failure: Failure) -> Failure {
    Failure { exit: Exit::Unconfirmed, ..failure }.detail(UNVERIFIED)
}

/// Waits until Gloo's controller has given this workload its sidecars, or has removed them.
async fn controller(
    session: &Session,
    workload: &ObjectRef,
    wanted: &AwaitedSidecars,
    patience: Duration,
    stop: &Interrupts,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let name = short(workload);
    report.ui.status(format!("waiting for Gloo's controller to change {name}"));
    report.ui.waiting(&format!("{name}: waiting for Gloo's controller"));
    let ended = made::wait(session, workload, wanted, patience, &|| stop.is_set()).await;
    report.ui.end_wait();
    match ended {
        Made::Done => Ok(()),
        Made::Interrupted => Err(interrupt::interrupted().detail(UPGRADED)),
        Made::Unread(error) => Err(unconfirmed(error.into_failure(session))),
        Made::Not(lacks) => {
            let message = format!("{name}: Gloo's controller did not change it as the values say");
            let failure = Failure::new(Exit::Unconfirmed, Reason::Rollout, message).detail(lacks);
            Err(unconfirmed(failure).hint(Hint::from("set the wait with ").flag("--wait-timeout")))
        }
    }
}

async fn one(
    session: &Session,
    workload: &Object,
    stop: &Interrupts,
    task: &UpgradeValues,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let reference = &workload.reference;
    let name = short(reference);
    report.ui.status(format!("waiting for {name}"));
    let progress = report.ui.waiting(&name);
    let ended = rollout::wait(session, reference, global.wait_timeout, &|| stop.is_set(), &progress).await;
    report.ui.end_wait();
    match ended {
        Ended::Done { pods, took } => {
            report.ui.status(format!("{name}: {pods} of {pods} pods new and ready ({})", seconds(took)));
        }
        Ended::Held { why, hint } => {
            let failure = unconfirmed(Failure::new(Exit::Unconfirmed, Reason::Rollout, format!("{name} {why}")));
            return Err(match hint {
                Some(command) => failure.hint(kubectl(command).value(name).with("-n", &reference.namespace)),
                None => failure,
            });
        }
        Ended::Interrupted => return Err(interrupt::interrupted().detail(UPGRADED)),
        Ended::Failed(stuck) => {
            let message = format!("{name} did not become ready ({} of {} new)", stuck.ready, stuck.wanted);
            let mut failure = unconfirmed(Failure::new(Exit::Unconfirmed, Reason::Rollout, message));
            failure.details.extend(stuck.complaints);
            return Err(failure.hint(Hint::from("set the wait with ").flag("--wait-timeout")));
        }
    }
    if task.act == ValuesAct::Merge {
        let said = proof::prove(session, workload, SDS_CLUSTER).await?;
        report.ui.status(&said.line);
        said.advice.into_iter().for_each(|advice| report.advice(advice));
    }
    Ok(())
}
