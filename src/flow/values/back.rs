//! Rolls back auto-mTLS that was turned on by a release's values, without the sidecars.
//!
//! The sidecars came with the same upgrade, which verified them. To remove them
//! would restart every gateway without a benefit. So only the switch is rolled back.
//! The user's own Helm does this, because Helm would render its own values again.

use super::{Upgraded, carry_out, plan_release};
use crate::command::gloo_rs;
use crate::error::Failure;
use crate::flow::interrupt::Interrupts;
use crate::flow::report::Report;
use crate::kube::Session;
use crate::options::{Global, IstioWish, ProofWish, UpgradeValues, ValuesAct, ValuesInput};
use crate::plan::values::ValuesWish;

/// Rolls back auto-mTLS. Returns whether it succeeded. `task` is the one that turned it on.
pub(crate) async fn auto_mtls_back(
    session: &Session,
    upgraded: &Upgraded,
    task: &UpgradeValues,
    global: &Global,
    report: &mut Report<'_>,
) -> bool {
    let record = &upgraded.record;
    let place = format!("release {}/{}: ", record.namespace, record.name);
    match roll_back(session, upgraded, task, global, report).await {
        Ok(()) => {
            report.line(format!("{place}auto-mTLS rolled back"));
            true
        }
        Err(why) => {
            let details: Vec<_> = std::iter::once(why.message).chain(why.details).collect();
            let by_hand = gloo_rs("upgrade-values --no-auto-mtls --apply").with("-n", &*record.namespace);
            report.trouble(
                &format!("{place}auto-mTLS is still on"),
                &details,
                why.hints.into_iter().chain([by_hand.into()]),
            );
            false
        }
    }
}

async fn roll_back(
    session: &Session,
    Upgraded { record, .. }: &Upgraded,
    task: &UpgradeValues,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let task = UpgradeValues {
        act: ValuesAct::AutoMtlsBack { to: record.revision },
        proof: ProofWish::Templates,
        wish: ValuesWish::default(),
        istio: IstioWish::default(),
        source: ValuesInput::Release { name: Some(record.name.to_string()), revision: None },
        ..task.clone()
    };
    let global = &Global { namespace: Some(record.namespace.to_string()), ..global.clone() };
    let planned = plan_release(session, &task, global, report).await?;
    planned.say(&task, report);
    // A rollback is not interrupted.
    let none = Interrupts::none();
    Box::pin(carry_out(session, &planned, &task, global, &none, report)).await.map(drop).map_err(Failure::from)
}
