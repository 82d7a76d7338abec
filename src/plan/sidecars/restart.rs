//! The restart of a gateway proxy.

use super::GatewayProxy;
use super::state::state;
use crate::plan::change::Change;
use crate::plan::rollout;

/// Returns the change that replaces all pods of the proxy. `now` is the time in RFC 3339.
pub(crate) fn restarted(proxy: &GatewayProxy, now: &str) -> Change {
    Change::new(proxy.workload.clone(), vec![rollout::restart(now)], "restarted")
}

/// Returns whether the new pods must have working sidecars.
pub(crate) fn has_sidecars(proxy: &GatewayProxy) -> bool {
    state(proxy).is_ok_and(|state| state.missing.is_empty() || state.needs_only_restart())
}

/// Returns the outage that the restart causes, if the workload stops all pods before it starts new ones.
pub(crate) fn outage(proxy: &GatewayProxy) -> Option<String> {
    let (workload, spec) = (&proxy.workload.reference, &proxy.workload.value["spec"]);
    let stops_all = spec["strategy"]["type"] == "Recreate";
    stops_all.then(|| format!("an outage: {workload} has strategy Recreate, which stops all its pods first"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Object, kinds};
    use crate::plan::sidecars::Pods;

    fn proxy(spec: &serde_json::Value) -> GatewayProxy {
        let workload = json!({"metadata": {"name": "edge", "namespace": "gloo"}, "spec": spec});
        GatewayProxy { workload: Object::new(&kinds::DEPLOYMENT, workload), bootstrap: None, pods: Pods::Unseen }
    }

    #[test]
    fn only_a_workload_that_stops_all_pods_first_causes_an_outage() {
        assert!(outage(&proxy(&json!({"strategy": {"type": "Recreate"}}))).is_some());
        for spec in [json!({}), json!({"strategy": {"type": "RollingUpdate"}})] {
            assert_eq!(outage(&proxy(&spec)), None);
        }
    }

    #[test]
    fn a_restart_changes_the_template_and_nothing_else() {
        let change = restarted(&proxy(&json!({"replicas": 2})), "2026-01-02T03:04:05Z");
        assert!(change.edits.iter().all(rollout::is_restart) && change.edits.len() == 1);
        assert!(!has_sidecars(&proxy(&json!({"replicas": 2}))));
    }
}
