//! An Upstream in the cluster and the same one in a manifest get the same plan.

use crate::edit::manifest::{self, ManifestObject as InText};
use crate::edit::{json, patch};
use crate::model::{Object, kinds::UPSTREAM};
use crate::plan::PerObject;
use crate::plan::mtls::{MtlsWish, Policy, UpstreamContext};
use crate::plan::outcome::Decision;
use crate::plan::policy::{Caution, OtherTls, Picked};
use crate::plan::ssl_config::istio_ssl_config;
use crate::yaml;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[a-z0-9:._ #/-]{0,12}".prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        prop_oneof![Just("on"), Just("y"), Just("1_000"), Just("012"), Just("~"), Just("")].prop_map(Value::from),
    ]
}

fn ssl_config() -> impl Strategy<Value = Option<Value>> {
    let partial = json!({"sds": {"certificatesSecretName": "istio_server_cert"}});
    let with_sni = {
        let mut config = istio_ssl_config();
        config["sni"] = json!("mine");
        config
    };
    prop_oneof![
        2 => Just(None),
        1 => Just(Some(istio_ssl_config())),
        1 => Just(Some(partial)),
        1 => Just(Some(with_sni)),
        1 => Just(Some(json!({"secretRef": {"name": "x"}}))),
        1 => Just(Some(json!({}))),
    ]
}

prop_compose! {
    fn upstream()(
        kube in any::<bool>(),
        extra in prop::collection::btree_map("x[a-z]{1,8}", scalar(), 0..4),
        ssl in ssl_config(),
        status in any::<bool>(),
    ) -> Value {
        let mut spec = Map::new();
        let backend = if kube { json!({"serviceName": "a", "serviceNamespace": "b", "servicePort": 1}) } else { json!({"hosts": []}) };
        spec.insert(if kube { "kube" } else { "static" }.into(), backend);
        spec.extend(extra);
        spec.extend(ssl.map(|ssl| ("sslConfig".to_owned(), ssl)));
        let mut upstream = json!({
            "apiVersion": "gloo.solo.io/v1", "kind": "Upstream",
            "metadata": {"name": "n", "namespace": "gloo-system", "resourceVersion": "7"},
            "spec": spec,
        });
        if status {
            upstream["status"] = json!({"statuses": {"gloo-system": {"state": "Accepted"}}});
        }
        upstream
    }
}

prop_compose! {
    fn policy()(wish in any::<bool>(), foreign in any::<bool>(), caution in any::<bool>()) -> Policy {
        Policy {
            wish: if wish { MtlsWish::Enable } else { MtlsWish::Disable },
            other_tls: if foreign { OtherTls::Replace } else { OtherTls::Keep },
            caution: if caution { Caution::Forced } else { Caution::Careful },
        }
    }
}

/// Applies a JSON patch as the API server does, as far as our patches need it.
fn patched(value: &Value, operations: &Value) -> Value {
    let mut value = value.clone();
    for operation in operations.as_array().unwrap() {
        let path = operation["path"].as_str().unwrap();
        let (parent, key) = path.rsplit_once('/').unwrap();
        let parent = value.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match operation["op"].as_str().unwrap() {
            "remove" => assert!(parent.shift_remove(key).is_some(), "{path} is not there"),
            "replace" => {
                assert!(parent.insert(key.into(), operation["value"].clone()).is_some(), "{path} is not there");
            }
            "add" => drop(parent.insert(key.into(), operation["value"].clone())),
            other => panic!("{other}"),
        }
    }
    value
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn files_and_cluster_give_the_same_plan_and_the_same_object(value in upstream(), policy in policy(), swept in any::<bool>()) {
        let found = if swept { Picked::Selected } else { Picked::Named };
        let live = Object::new(&UPSTREAM, value.clone());
        let around = UpstreamContext::of_manifest(&live, "gloo-system");
        let text = yaml::write(&value);
        let members = manifest::members(&text, &UPSTREAM);
        let [InText::Member { object, place }] = &members.found[..] else { panic!("{members:?}") };
        prop_assert_eq!(object, &live);
        let decision = policy.decide(&live, found, &around);
        prop_assert_eq!(&policy.decide(object, found, &around), &decision);
        if let Decision::Change { edits, .. } = decision {
            let planned = json::apply(&value, &edits).unwrap();
            let splice = manifest::edit(&text, place, &edits).unwrap();
            prop_assert_eq!(&yaml::parse(&manifest::splice(&text, &[splice])).unwrap(), &planned);
            prop_assert_eq!(&patched(&value, &patch::guarded(&live, &edits).unwrap()), &planned);
            let again = policy.decide(&Object::new(&UPSTREAM, planned), found, &around);
            let is_settled = matches!(again, Decision::Unchanged { .. });
            prop_assert!(is_settled, "a second run decides {:?}", again);
        }
    }
}
