//! Checks the gateway proxies: at least one must run. Also checks the Proxy objects that Gloo creates for them.

use super::statuses::of_object;
use super::{Check, Finding, Look, codes};
use crate::command::kubectl;
use crate::model::{ObjectRef, kinds};
use crate::plan::sidecars::GatewayProxy;

pub(super) const CHECK: Check = Check {
    title: "Proxies",
    word: "proxies",
    codes: &[&codes::NO_READY_GATEWAY, &codes::NO_GATEWAY, &codes::REJECTED, &codes::WARNED],
    kinds: &[
        &kinds::PROXY,
        &kinds::DEPLOYMENT,
        &kinds::DAEMON_SET,
        &kinds::CONFIG_MAP,
        &kinds::POD,
        &kinds::SETTINGS,
        &kinds::GATEWAY,
        &kinds::VIRTUAL_SERVICE,
        &kinds::ROUTE_TABLE,
        &kinds::UPSTREAM_GROUP,
        &kinds::HTTP_ROUTE,
    ],
    beyond: &[],
    run,
};

fn run(look: &Look<'_>) -> Vec<Finding> {
    let mut found: Vec<_> =
        look.watched(&kinds::PROXY).into_iter().filter_map(|proxy| of_object(proxy, look.gloo())).collect();
    let gateways = look.gateways();
    let routed = gateways.iter().chain(look.gateways_of_api()).filter(|proxy| look.has_routes(proxy));
    found.extend(routed.filter(|proxy| has_no_ready_pod(&proxy.workload.value)).map(without_ready_pod));
    let is_known = [&kinds::DEPLOYMENT, &kinds::DAEMON_SET]
        .iter()
        .all(|kind| look.world.snapshot.unknown_in(kind, look.gloo()).is_none());
    let wants_pods = |replicas: &serde_json::Value| replicas.as_u64().is_none_or(|wanted| wanted > 0);
    if is_known && !gateways.iter().any(|proxy| wants_pods(&proxy.workload.value["spec"]["replicas"])) {
        let namespace = ObjectRef::new(&kinds::NAMESPACE, "", look.gloo());
        found.push(
            Finding::new(&codes::NO_GATEWAY, &namespace, "no active gateway-proxy in the namespace")
                .details(gateways.iter().map(|proxy| format!("{}: 0 replicas", proxy.workload.reference))),
        );
    }
    found
}

/// Whether the workload has no ready pod. A workload without a status, such as one in a file, may have some.
fn has_no_ready_pod(workload: &serde_json::Value) -> bool {
    let status = &workload["status"];
    let is_told = status.as_object().is_some_and(|status| !status.is_empty());
    let ready = ["readyReplicas", "availableReplicas", "numberReady"].iter().filter_map(|key| status[*key].as_u64());
    workload["spec"]["replicas"] == 0 || (is_told && ready.max().unwrap_or_default() == 0)
}

fn without_ready_pod(proxy: &GatewayProxy) -> Finding {
    let reference = &proxy.workload.reference;
    let message = "routes lead through this gateway, and none of its pods is ready";
    let hint = match proxy.workload.value["spec"]["replicas"] == 0 {
        true => {
            kubectl("scale deployment").value(&reference.name).with("-n", &reference.namespace).fixed("--replicas 1")
        }
        false => kubectl("describe").value(reference.to_string()).with("-n", &reference.namespace),
    };
    Finding::new(&codes::NO_READY_GATEWAY, reference, message).hint(hint).breaks_now()
}
