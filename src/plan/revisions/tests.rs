use serde_json::json;

use super::*;
use crate::plan::istiod::{self, ControlPlaneObjects};

fn istiods() -> Vec<Istiod> {
    let of = |revision: &str, ready: u64| {
        json!({
            "metadata": {"name": format!("istiod-{revision}"), "namespace": "istio-system",
                "labels": {"app": "istiod", "istio.io/rev": revision}},
            "spec": {"template": {"spec": {"containers": [{"name": "discovery", "image": format!("pilot:v{revision}")}]}}},
            "status": {"readyReplicas": ready},
        })
    };
    let tag = |name: &str, revision: &str| json!({"metadata": {"name": name, "labels": {"istio.io/tag": name, "istio.io/rev": revision}}});
    istiod::all(&ControlPlaneObjects {
        deployments: &[of("1-26", 0), of("1-27", 1), of("1-28", 1), of("1-29", 1)],
        webhooks: &[tag("prod", "1-28"), tag("default", "1-26")],
        ..ControlPlaneObjects::default()
    })
}

fn namespace(name: &str, labels: &Value) -> Value {
    json!({"metadata": {"name": name, "labels": labels}})
}

fn namespaces() -> Vec<Value> {
    vec![
        namespace("shop", &json!({"istio.io/rev": "prod"})),
        namespace("orders", &json!({"istio.io/rev": "1-28"})),
        namespace("both", &json!({"istio.io/rev": "1-28", "istio-injection": "disabled"})),
        namespace("old", &json!({"istio.io/rev": "1-20"})),
        namespace("free", &Value::Null),
    ]
}

fn pod(namespace: &str, status: Option<&str>, labels: &Value) -> Value {
    let mut value = json!({"metadata": {"namespace": namespace, "labels": labels}});
    if let Some(revision) = status {
        value["metadata"]["annotations"]["sidecar.istio.io/status"] = json!(json!({"revision": revision}).to_string());
    }
    value
}

fn counted(istiods: &[Istiod], bindings: &[Binding]) -> RevisionTally {
    let mut tally = RevisionTally::new(istiods, bindings);
    let none = Value::Null;
    for (namespace, status, labels) in [
        ("shop", Some("1-28"), none.clone()),
        ("shop", Some("1-27"), none.clone()),
        ("orders", Some("1-27"), none.clone()),
        ("free", Some("1-27"), none.clone()),
        ("free", Some("1-27"), json!({"istio.io/rev": "prod"})),
        ("free", None, json!({"istio.io/rev": "prod"})),
        ("free", Some("1-20"), none.clone()),
        ("free", None, none.clone()),
        ("istio-system", None, json!({"app": "istiod", "istio.io/rev": "1-28"})),
        ("istio-system", None, json!({"istio.io/rev": "1-28", "sidecar.istio.io/inject": "false"})),
    ] {
        tally.pod(&pod(namespace, status, &labels));
    }
    tally
}

fn gateway(address: &str) -> GatewayUse {
    GatewayUse { namespace: "gloo-system".into(), name: "gateway-proxy".into(), address: address.into() }
}

fn inputs(istiods: &[Istiod]) -> Inputs<'_> {
    let bindings = bindings(istiods, &namespaces());
    let pods = counted(istiods, &bindings);
    Inputs {
        istiods,
        tags: Listed::Read(()),
        bindings: Listed::Read(bindings),
        pods: Listed::Read(pods),
        gateways: Listed::Read(vec![gateway("istiod-1-28.istio-system.svc:15012")]),
    }
}

#[test]
fn each_control_plane_has_its_users() {
    let istiods = istiods();
    let report = report(&inputs(&istiods));
    let seen: Vec<_> = report
        .rows
        .iter()
        .map(|row| {
            let namespaces = row.namespaces.as_ref().map_or(9, Vec::len);
            (row.istiod.revision.as_str(), namespaces, row.pods, row.stale, row.in_use)
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("1-26", 0, Some(0), Some(0), InUse::TagOnly),
            ("1-27", 0, Some(4), Some(3), InUse::Yes),
            ("1-28", 2, Some(2), Some(0), InUse::Yes),
            ("1-29", 0, Some(0), Some(0), InUse::No),
        ]
    );
    assert_eq!(report.rows[2].gateways.as_deref(), Some(&["gateway-proxy".to_owned()][..]));
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let istiods = istiods();
    let said = report(&inputs(&istiods)).advice;
    let lines: Vec<_> = said.iter().map(|advice| advice.message.as_str()).collect();
    assert_eq!(
        lines,
        [
            "3 pods on 1-27 are bound to 1-28 now: restart to move",
            "tag default points at 1-26 (v1-26), which is not ready",
            "namespace old is bound by istio.io/rev=1-20, which no istiod here has",
            "1 pod runs on 1-20, which no istiod here has",
        ]
    );
    assert_eq!(said[0].hint, Some("kubectl rollout restart deployments -n free, and so in the others".into()));
    let mut lost = inputs(&istiods);
    lost.gateways = Listed::Read(vec![gateway("far.example:15012")]);
    assert!(report(&lost).advice.iter().any(|advice| advice.message.contains("uses far.example:15012")));
}

#[test]
fn injection_decides_where_both_labels_stand() {
    let istiods = istiods();
    let both = [
        namespace("a", &json!({"istio-injection": "enabled", "istio.io/rev": "1-28"})),
        namespace("b", &json!({"istio-injection": "disabled", "istio.io/rev": "1-28"})),
    ];
    let bound = bindings(&istiods, &both);
    assert_eq!(bound.len(), 1);
    assert_eq!((bound[0].label.as_str(), bound[0].revision.as_deref()), ("istio-injection=enabled", Some("1-26")));
}

#[test]
fn what_may_not_be_listed_is_unknown_and_never_unused() {
    let istiods = istiods();
    let hidden = || "not allowed to list".to_owned();
    let changes: [fn(&mut Inputs, String); 4] = [
        |inputs, why| inputs.tags = Listed::Unknown { why },
        |inputs, why| inputs.bindings = Listed::Unknown { why },
        |inputs, why| inputs.pods = Listed::Unknown { why },
        |inputs, why| inputs.gateways = Listed::Unknown { why },
    ];
    for hide in changes {
        let mut inputs = inputs(&istiods);
        hide(&mut inputs, hidden());
        let report = report(&inputs);
        assert!(report.rows.iter().all(|row| !matches!(row.in_use, InUse::No | InUse::TagOnly)), "{report:?}");
        assert!(report.advice[0].message.ends_with("are unknown: not allowed to list"));
    }
    let mut inputs = inputs(&istiods);
    inputs.bindings = Listed::Unknown { why: hidden() };
    assert!(report(&inputs).rows.iter().all(|row| row.stale.is_none()));
}

#[test]
fn no_istiod_here_is_an_ordinary_case() {
    let report = report(&Inputs {
        istiods: &[],
        tags: Listed::Read(()),
        bindings: Listed::Read(Vec::new()),
        pods: Listed::Read(RevisionTally::new(&[], &[])),
        gateways: Listed::Read(Vec::new()),
    });
    assert_eq!((report.rows.len(), report.advice.len()), (0, 0));
}
