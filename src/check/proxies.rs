//! Checks the gateway proxies: at least one must run. Also checks the Proxy objects that Gloo creates for them.

use super::statuses::of_object;
use super::{Check, Finding, Look, codes};
use crate::model::{ObjectRef, kinds};

pub(super) const CHECK: Check = Check {
    title: "Proxies",
    word: "proxies",
    codes: &[&codes::NO_GATEWAY, &codes::REJECTED, &codes::WARNED],
    kinds: &[&kinds::PROXY, &kinds::DEPLOYMENT, &kinds::DAEMON_SET, &kinds::CONFIG_MAP, &kinds::POD],
    beyond: &[],
    run,
};

fn run(look: &Look<'_>) -> Vec<Finding> {
    let mut found: Vec<_> =
        look.watched(&kinds::PROXY).into_iter().filter_map(|proxy| of_object(proxy, look.gloo())).collect();
    let gateways = look.gateways();
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
