//! Auto-mTLS that a release's values turned on, and how it goes back without the sidecars.
//!
//! The sidecars came with the same upgrade and were proven there: taking them away would restart every gateway for
//! nothing. So only the switch goes back, by the user's own Helm, for what Helm renders it would render again.

use serde_json::{Map, Value};

use crate::command::gloo_rs;
use crate::flow::interrupt::Interrupts;
use crate::flow::report::Report;
use crate::flow::values;
use crate::options::{Global, IstioWish, UpgradeValues, ValuesAct};
use crate::plan::values::{Wish, auto_mtls, integration, is_on};

/// A release whose upgrade turned it on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Upgraded {
    namespace: String,
    name: String,
    /// The revision before.
    revision: u64,
}

/// The same, and the task that upgraded it.
pub struct ByRelease {
    upgraded: Upgraded,
    task: UpgradeValues,
}

impl ByRelease {
    /// None where the upgrade, by the fields of its report, did not come to pass or did not turn it on.
    pub fn of(task: UpgradeValues, fields: &Map<String, Value>) -> Option<Self> {
        let upgraded = turned_on(fields)?;
        Some(Self { upgraded, task })
    }

    /// Takes it back; whether it could be.
    pub async fn take_back(&self, global: &Global, report: &mut Report<'_>) -> bool {
        let Upgraded { namespace, name, revision } = &self.upgraded;
        let task = UpgradeValues {
            act: ValuesAct::AutoMtlsBack { to: *revision },
            wish: Wish::default(),
            istio: IstioWish::default(),
            ..self.task.clone()
        };
        // Rolling back is not interrupted.
        let mut step = report.step().until(Interrupts::none());
        let outcome = Box::pin(values::of_a_release(Some(name), None, &task, global, &mut step)).await;
        let ended = step.end();
        match outcome.err().or_else(|| ended.why()) {
            None => {
                report.line(&format!("release {namespace}/{name}: auto-mTLS rolled back"));
                true
            }
            Some(why) => {
                let place = format!("release {namespace}/{name}: ");
                let reason = why.message.strip_prefix(&place).unwrap_or(&why.message);
                let line = format!("{place}auto-mTLS is still on: {reason}");
                let by_hand = gloo_rs("upgrade-values --no-auto-mtls --apply").with("-n", namespace);
                report.trouble(&line, &why.details, why.hints.into_iter().chain([by_hand.into()]));
                false
            }
        }
    }
}

/// What `upgrade-values --apply` says of itself, where auto-mTLS is on since.
fn turned_on(fields: &Map<String, Value>) -> Option<Upgraded> {
    fields.get("upgradedTo")?;
    let switches = [integration(), auto_mtls()];
    let is_used = |values: &Value| switches.iter().all(|switch| is_on(switch.get(values)));
    let by_this = fields.get("changes")?.as_array()?.iter().any(|change| {
        let path = change["path"].as_str().unwrap_or_default();
        change["new"] == true && switches.iter().any(|switch| switch.to_string() == path)
    });
    let release = fields.get("release")?;
    let text = |key: &str| release[key].as_str().map(str::to_owned);
    let upgraded =
        Upgraded { namespace: text("namespace")?, name: text("name")?, revision: release["revision"].as_u64()? };
    (by_this && is_used(fields.get("values")?)).then_some(upgraded)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_an_upgrade_that_was_made_and_turned_it_on_is_taken_back() {
        let fields = |integration: bool, auto_mtls: bool, path: &str, new: Value| {
            let fields = json!({
                "release": {"namespace": "edge", "name": "gloo", "revision": 3}, "upgradedTo": 4,
                "changes": [{"path": path, "new": new}],
                "values": {"global": {"istioIntegration": {"enabled": integration, "enableAutoMtls": auto_mtls}}},
            });
            fields.as_object().cloned().unwrap()
        };
        let (enabled, switch) = ("global.istioIntegration.enabled", "global.istioIntegration.enableAutoMtls");
        let upgraded = Upgraded { namespace: "edge".into(), name: "gloo".into(), revision: 3 };
        assert_eq!(turned_on(&fields(true, true, switch, json!(true))), Some(upgraded.clone()));
        assert_eq!(turned_on(&fields(true, true, enabled, json!(true))), Some(upgraded));
        assert_eq!(turned_on(&fields(true, false, enabled, json!(true))), None);
        assert_eq!(
            turned_on(&fields(true, true, "gatewayProxies.gatewayProxy.istioDiscoveryAddress", json!("x"))),
            None
        );
        let mut planned = fields(true, true, switch, json!(true));
        planned.remove("upgradedTo");
        assert_eq!(turned_on(&planned), None);
    }
}
