//! Random workloads.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn name() -> impl Strategy<Value = String> {
    "[a-z]{3,6}".prop_filter("not a sidecar's", |name| name != "sds")
}

fn list(max: usize) -> impl Strategy<Value = Vec<Value>> {
    prop::collection::btree_map(name(), 0..4_u8, 0..max).prop_map(|items| {
        items
            .into_iter()
            .map(|(name, kind)| match kind {
                0 => json!({"name": name, "emptyDir": {}}),
                1 => json!({"name": name, "mountPath": "/x", "resources": {}}),
                2 => json!({"env": [], "name": name}),
                _ => json!({"name": name, "unknown": {"a": [1, null, true]}}),
            })
            .collect()
    })
}

fn workloads() -> impl Strategy<Value = Value> {
    let optional = || prop::option::of(list(3));
    (list(3), optional(), optional(), prop::option::of(any::<bool>()), any::<bool>()).prop_map(
        |(mut containers, volumes, init, annotated, has_replicas)| {
            containers.insert(0, json!({"name": "gateway-proxy", "image": "x"}));
            let mut pod = json!({"containers": containers, "dnsPolicy": "ClusterFirst"});
            for (key, list) in [("volumes", volumes), ("initContainers", init)] {
                // The API server stores no empty lists.
                if let Some(list) = list.filter(|list| !list.is_empty()) {
                    pod[key] = Value::Array(list);
                }
            }
            let mut template = json!({"metadata": {"labels": {"gloo": "gateway-proxy"}}, "spec": pod});
            if let Some(set) = annotated {
                template["metadata"]["annotations"] = if set { json!({"a/b": "c"}) } else { json!({}) };
            }
            let mut value =
                json!({"metadata": {"name": "gateway-proxy", "labels": {}}, "spec": {"template": template}});
            if has_replicas {
                value["spec"]["replicas"] = json!(3);
            }
            value
        },
    )
}

proptest! {
    #[test]
    fn uninject_after_inject_gives_back_every_field_in_its_order(
        workload in workloads(),
        restricted in any::<bool>(),
        daemon_set in any::<bool>(),
    ) {
        let kind = if daemon_set { &DAEMON_SET } else { &DEPLOYMENT };
        let proxy = of_kind(proxy_of(workload, BOOTSTRAP), kind);
        let security = if restricted { Security::Restricted } else { Security::OfThePod };
        let flags = Flags { security, ..typed_revision("1-28") };
        let full = after(&proxy, &injected(&proxy, &flags).unwrap());
        prop_assert_eq!(extent(&full), Extent::Full);
        let back = after(&full, &uninjected(&full).unwrap());
        prop_assert_eq!(back.workload.value.to_string(), proxy.workload.value.to_string());
        prop_assert_eq!(back.bootstrap_text(), proxy.bootstrap_text());
    }

    #[test]
    fn the_guarded_patch_does_what_the_edits_say(workload in workloads()) {
        let proxy = proxy_of(workload, BOOTSTRAP);
        let plan = injected(&proxy, &typed_revision("1-28")).unwrap();
        let patch = crate::edit::patch::guarded(&proxy.workload, &plan.changes[1].edits).unwrap();
        prop_assert_eq!(patch.as_array().unwrap().len(), 1 + plan.changes[1].edits.len());
        let full = after(&proxy, &plan);
        let back = crate::edit::patch::guarded(&full.workload, &uninjected(&full).unwrap().changes[1].edits).unwrap();
        prop_assert!(back.as_array().unwrap()[1..].iter().all(|operation| operation["op"] == "remove"));
    }
}
