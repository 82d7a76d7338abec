//! Compares the Helm release with what runs: Settings, sidecars, hook Jobs.

use super::sidecars::{is_without, known};
use super::{Access, Check, Finding, Look, codes};
use crate::command::gloo_rs;
use crate::model::kinds;
use crate::plan::sidecars::GatewayProxy;
use crate::plan::sidecars::state::{SidecarPart, SidecarState};
use crate::plan::values::findings::{Apply, of_namespace, of_settings};

pub(crate) const CHECK: Check = Check {
    title: "Helm release",
    word: "helm",
    codes: &[&codes::SETTINGS_DIFFER, &codes::INJECTION_LOST, &codes::HOOKS_HANG],
    kinds: &[
        &kinds::SETTINGS,
        &kinds::NAMESPACE,
        &kinds::DEPLOYMENT,
        &kinds::DAEMON_SET,
        &kinds::CONFIG_MAP,
        &kinds::POD,
    ],
    beyond: &[Access { verb: "list", resource: "secrets" }, Access { verb: "get", resource: "secrets" }],
    run,
};

fn run(look: &Look<'_>) -> Vec<Finding> {
    let Some(release) = look.beyond(&look.world.release) else { return Vec::new() };
    let mut found = Vec::new();
    let name = format!("{} (revision {})", release.name, release.revision);
    if let Some(settings) = look.settings() {
        found.extend(
            of_settings((&release.values, &release.values), &release.chart, &settings.value, Apply::ClientSide)
                .into_iter()
                .map(|advice| {
                    Finding::new(&codes::SETTINGS_DIFFER, &settings.reference, advice.message)
                        .details([format!("Helm release {name}")])
                        .hint(gloo_rs("upgrade-values").of_installation(look.gloo()))
                }),
        );
    }
    let is_lost = |proxy: &&GatewayProxy| {
        let is_injected = |state: SidecarState| !is_without(proxy, &state) && !state.lacks(&SidecarPart::Cluster);
        known(look, proxy).is_some_and(is_injected) && !release.chart.has_istio(&release.values)
    };
    found.extend(look.gateways().iter().filter(is_lost).map(|proxy| {
        let message = "has Istio's sidecars, but the values of its Helm release do not";
        Finding::new(&codes::INJECTION_LOST, &proxy.workload.reference, message)
            .details([format!("Helm release {name}")])
            .hint(look.fix(proxy).in_values().command())
    }));
    if let Some(namespace) = look.find(&kinds::NAMESPACE, "", look.gloo()).object()
        && let Some(advice) = of_namespace(&namespace.value)
    {
        let finding = Finding::new(&codes::HOOKS_HANG, &namespace.reference, advice.message);
        found.push(Finding { hint: advice.hint, ..finding });
    }
    found
}
