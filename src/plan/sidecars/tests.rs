use serde_json::json;

use super::state::{Extent, SidecarPart, state};
use super::*;
use crate::edit::json::apply;
use crate::model::Kind;
use crate::model::kinds::{CONFIG_MAP, DAEMON_SET, DEPLOYMENT};
use crate::plan::advice::Code;
use crate::plan::istiod::{self, ControlPlaneObjects};

mod partial;
mod random;

const CHART: &str = include_str!("../../../tests/fixtures/sidecars/chart.yaml");
const CHART_ISTIO: &str = include_str!("../../../tests/fixtures/sidecars/chart-istio.yaml");
const BOOTSTRAP: &str = include_str!("../../../tests/fixtures/bootstrap/chart.yaml");
const BOOTSTRAP_ISTIO: &str = include_str!("../../../tests/fixtures/bootstrap/chart-istio.yaml");
const NOW: &str = "2026-01-02T03:04:05Z";

fn yaml(text: &str) -> Value {
    crate::yaml::parse(text).unwrap()
}

fn config_map(bootstrap: &str) -> Object {
    let metadata = json!({"name": "gateway-proxy-envoy-config", "namespace": "gloo-system"});
    Object::new(&CONFIG_MAP, json!({"metadata": metadata, "data": {"envoy.yaml": bootstrap}}))
}

fn proxy_of(workload: Value, bootstrap: &str) -> GatewayProxy {
    GatewayProxy {
        workload: Object::new(&DEPLOYMENT, workload),
        bootstrap: Some(config_map(bootstrap)),
        pods: Pods::Unseen,
    }
}

fn clean() -> GatewayProxy {
    proxy_of(yaml(CHART), BOOTSTRAP)
}

fn of_kind(mut proxy: GatewayProxy, kind: &'static Kind) -> GatewayProxy {
    proxy.workload = Object::new(kind, proxy.workload.value);
    proxy
}

fn istiods() -> Vec<Istiod> {
    let of = |revision: &str, version: &str| {
        json!({
            "metadata": {"name": format!("istiod-{revision}"), "namespace": "istio-system",
                "labels": {"app": "istiod", "istio.io/rev": revision}},
            "spec": {"template": {"spec": {"containers": [
                {"name": "discovery", "image": format!("docker.io/istio/pilot:{version}"),
                 "env": [{"name": "CLUSTER_ID", "value": "east"}]}]}}},
            "status": {"readyReplicas": 1},
        })
    };
    istiod::all(&ControlPlaneObjects {
        deployments: &[of("1-27", "1.27.5"), of("1-28", "1.28.3")],
        ..ControlPlaneObjects::default()
    })
}

fn gloo() -> Value {
    json!({"spec": {"template": {"spec": {"containers": [{"name": "gloo", "image": "quay.io/solo-io/gloo:1.22.1"}]}}}})
}

fn typed_revision(revision: &str) -> Flags {
    Flags { revision: Some(revision.to_owned()), ..Flags::default() }
}

fn injected(proxy: &GatewayProxy, flags: &Flags) -> Result<TransactionPlan, Objection> {
    let (istiods, gloo) = (istiods(), gloo());
    let choice = choose(&istiods, flags, proxy).unwrap();
    let around = Around { istiods: &istiods, choice: choice.as_ref(), gloo: Some(&gloo), now: Some(NOW) };
    inject(proxy, flags, &around)
}

fn uninjected(proxy: &GatewayProxy) -> Result<TransactionPlan, Objection> {
    uninject(proxy, &Around { now: Some(NOW), ..Around::default() })
}

/// Returns the proxy after the plan, with its pods restarted.
fn after(proxy: &GatewayProxy, plan: &TransactionPlan) -> GatewayProxy {
    let mut done = proxy.clone();
    for change in &plan.changes {
        let object = match change.before.reference.kind.kind {
            "ConfigMap" => done.bootstrap.as_mut().unwrap(),
            _ => &mut done.workload,
        };
        object.value = apply(&object.value, &change.edits).unwrap();
    }
    done.pods = Pods::Unseen;
    done
}

fn extent(proxy: &GatewayProxy) -> Extent {
    state(proxy).unwrap().extent()
}

fn without_key(value: &Value, path: &[&str]) -> Value {
    apply(value, &[Edit::remove(FieldPath::keys(path))]).unwrap()
}

#[test]
fn what_is_injected_is_what_the_chart_renders_with_istio_on() {
    let flags = Flags {
        proxy_image: Some("docker.io/istio/proxyv2:1.22.0".into()),
        mesh_id: Some("mycluster".into()),
        cluster_id: Some("mycluster".into()),
        ..typed_revision("1-28")
    };
    let done = after(&clean(), &injected(&clean(), &flags).unwrap());
    assert_eq!(done.bootstrap_text(), Some(BOOTSTRAP_ISTIO));
    let mut wanted = yaml(CHART_ISTIO);
    let config = Edit::set(
        in_container("istio-proxy", "env", "PROXY_CONFIG"),
        json!({"name": "PROXY_CONFIG", "value": "{\"discoveryAddress\":\"istiod-1-28.istio-system.svc:15012\"}"}),
    );
    wanted = apply(&wanted, &[config]).unwrap();
    assert_eq!(done.pod_spec(), &wanted["spec"]["template"]["spec"]);
    assert_eq!(extent(&done), Extent::Full);
}

#[test]
fn injecting_twice_changes_nothing_the_second_time_whoever_did_it_first() {
    let done = after(&clean(), &injected(&clean(), &typed_revision("1-28")).unwrap());
    for flags in [Flags::default(), typed_revision("1-28")] {
        let again = injected(&done, &flags).unwrap();
        assert!(!again.writes(), "{again:?}");
        assert_eq!(again.changes.iter().map(|step| step.message.as_str()).collect::<Vec<_>>(), ["unchanged"; 2]);
    }
    let charts = proxy_of(yaml(CHART_ISTIO), BOOTSTRAP_ISTIO);
    assert!(!injected(&charts, &Flags::default()).unwrap().writes());
}

#[test]
fn the_values_say_where_they_came_from() {
    let plan = injected(&clean(), &typed_revision("1-28")).unwrap();
    let said: Vec<_> = plan.provenance.iter().map(|it| (it.what, it.value.as_str(), it.source.shown())).collect();
    assert_eq!(
        said,
        [
            ("istiod", "istiod-1-28.istio-system.svc:15012", "--revision"),
            ("mesh id", "cluster.local", "istiod"),
            ("cluster id", "east", "istiod"),
            ("sds", "quay.io/solo-io/sds:1.22.1", "gloo's image"),
            ("istio-proxy", "docker.io/istio/proxyv2:1.28.3", "istiod"),
        ]
    );
}

#[test]
fn another_revision_moves_address_and_version_and_leaves_the_rest() {
    let old = after(&clean(), &injected(&clean(), &typed_revision("1-27")).unwrap());
    let plan = injected(&old, &typed_revision("1-28")).unwrap();
    assert_eq!(
        plan.changes[1].message,
        "patched (revision 1-27 -> 1-28, istio-proxy docker.io/istio/proxyv2:1.27.5 -> docker.io/istio/proxyv2:1.28.3)"
    );
    assert_eq!(plan.changes[0].edits, []);
    let new = after(&clean(), &injected(&clean(), &typed_revision("1-28")).unwrap());
    assert_eq!(after(&old, &plan), new);
}

#[test]
fn a_canary_that_came_later_changes_nothing_and_an_older_image_is_told() {
    let old = after(&clean(), &injected(&clean(), &typed_revision("1-27")).unwrap());
    assert!(!injected(&old, &Flags::default()).unwrap().writes());
    let path = of_container("istio-proxy", "image");
    let mut older = old.clone();
    older.workload.value = apply(&old.workload.value, &[Edit::set(path, json!("mirror/proxyv2:1.27.1"))]).unwrap();
    let plan = injected(&older, &Flags::default()).unwrap();
    assert!(!plan.writes());
    assert_eq!(plan.advice.iter().map(|advice| advice.code).collect::<Vec<_>>(), [Code::OldImage]);
}

#[test]
fn a_mirror_of_the_same_version_stays_when_the_revision_is_typed_again() {
    let flags = Flags { proxy_image: Some("mirror:5000/proxyv2:1.28.3".into()), ..typed_revision("1-28") };
    let done = after(&clean(), &injected(&clean(), &flags).unwrap());
    assert!(!injected(&done, &typed_revision("1-28")).unwrap().writes());
}

#[test]
fn typed_ids_and_images_are_shown_from_old_to_new() {
    let done = after(&clean(), &injected(&clean(), &typed_revision("1-28")).unwrap());
    let flags = Flags {
        mesh_id: Some("m".into()),
        cluster_id: Some("c".into()),
        sds_image: Some("x/sds:1".into()),
        discovery_address: Some("far.example:15012".into()),
        ..Flags::default()
    };
    let plan = injected(&done, &flags).unwrap();
    assert_eq!(
        plan.changes[1].message,
        "patched (istiod istiod-1-28.istio-system.svc:15012 -> far.example:15012, \
         sds quay.io/solo-io/sds:1.22.1 -> x/sds:1, mesh id cluster.local -> m, cluster id east -> c)"
    );
    let moved = after(&done, &plan);
    assert_eq!(current_address(&moved).as_deref(), Some("far.example:15012"));
    assert!(!injected(&moved, &flags).unwrap().writes());
}

#[test]
fn an_address_that_was_typed_needs_no_istiod_but_an_image() {
    let flags = Flags { discovery_address: Some("istiod.far:15012".into()), ..Flags::default() };
    let gloo = gloo();
    let around = Around { gloo: Some(&gloo), ..Around::default() };
    assert_eq!(choose(&[], &flags, &clean()).unwrap(), None);
    let refused = inject(&clean(), &flags, &around).unwrap_err();
    assert_eq!(refused.reason, Reason::NeedsFlag);
    assert!(refused.hint.unwrap().to_string().starts_with("--istio-proxy-image"));
    let flags = Flags { proxy_image: Some("a/proxyv2:1".into()), ..flags };
    let done = after(&clean(), &inject(&clean(), &flags, &around).unwrap());
    assert_eq!(extent(&done), Extent::Full);
}

#[test]
fn restricted_sidecars_carry_what_the_standard_demands() {
    let flags = Flags { security: Security::Restricted, ..typed_revision("1-28") };
    let done = after(&clean(), &injected(&clean(), &flags).unwrap());
    for name in ["sds", "istio-proxy"] {
        let context = &done.container(name).unwrap()["securityContext"];
        assert_eq!(context["runAsUser"], 10101);
        assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(context["capabilities"]["drop"], json!(["ALL"]));
        assert_eq!((&context["runAsNonRoot"], &context["allowPrivilegeEscalation"]), (&json!(true), &json!(false)));
    }
    assert!(!injected(&done, &flags).unwrap().writes());
    let plain = after(&clean(), &injected(&clean(), &typed_revision("1-28")).unwrap());
    assert_eq!(after(&plain, &injected(&plain, &flags).unwrap()), done);
}

#[test]
fn a_pod_is_restarted_if_its_envoy_lacks_the_cluster_and_not_for_its_age() {
    let mut proxy = after(&clean(), &injected(&clean(), &typed_revision("1-28")).unwrap());
    let time = |entry: &str| json!({"manager": "m", "time": entry, "fieldsV1": {"f:data": {}}});
    proxy.bootstrap.as_mut().unwrap().value["metadata"]["managedFields"] =
        json!([time("2026-01-01T10:00:00Z"), {"time": "2026-01-01T23:00:00Z", "fieldsV1": {"f:metadata": {}}}]);
    let pod = |name: &str, created: &str, has_cluster: &Option<Result<bool, Unknown>>| SeenPod {
        object: Object::new(&kinds::POD, json!({"metadata": {"name": name, "creationTimestamp": created}})),
        has_cluster: has_cluster.clone(),
    };
    let denied = || Some(Err(Unknown::because("not allowed")));
    let (older, younger) = ("2026-01-01T09:59:59Z", "2026-01-01T10:00:00Z");
    for (created, has_cluster, restarts, doubt) in [
        (older, Some(Ok(false)), true, None),
        (older, Some(Ok(true)), false, None),
        (
            older,
            None,
            false,
            Some("pod/b started before the last change of its bootstrap, and its Envoy was not asked"),
        ),
        (older, denied(), false, Some("not allowed")),
        (younger, Some(Ok(false)), false, None),
        (younger, denied(), false, None),
    ] {
        proxy.pods = Pods::Seen(vec![pod("a", "2026-01-01T11:00:00Z", &None), pod("b", created, &has_cluster)]);
        let plan = injected(&proxy, &Flags::default()).unwrap();
        assert_eq!(plan.writes(), restarts, "{created} {has_cluster:?}");
        let state = state(&proxy).unwrap();
        assert_eq!(state.lacks(&SidecarPart::LoadedCluster), restarts);
        assert_eq!(state.doubt.map(|unknown| unknown.why).as_deref(), doubt);
        assert_eq!(plan.advice.iter().any(|advice| advice.code == Code::Unknown), doubt.is_some());
    }
}

#[test]
fn what_others_make_is_refused_with_what_to_do_instead() {
    let full = after(&clean(), &injected(&clean(), &typed_revision("1-28")).unwrap());
    let set = |proxy: &GatewayProxy, path: FieldPath, value: Value| {
        let mut proxy = proxy.clone();
        proxy.workload.value = apply(&proxy.workload.value, &[Edit::set(path, value)]).unwrap();
        proxy
    };
    let gateway = FieldPath::keys(&["metadata", "labels", "gateway.networking.k8s.io/gateway-name"]);
    let gateway_api = set(&full, gateway, json!("http"));
    let mtls = json!({"name": "GLOO_MTLS_SDS_ENABLED", "value": "true"});
    let gloo_mtls = set(&full, in_container("sds", "env", "GLOO_MTLS_SDS_ENABLED"), mtls);
    let certs = set(&clean(), in_list("volumes", "gloo-mtls-certs"), json!({"name": "gloo-mtls-certs"}));
    for proxy in &[gateway_api.clone(), gloo_mtls, certs] {
        for refused in [injected(proxy, &typed_revision("1-28")), uninjected(proxy)] {
            let refused = refused.unwrap_err();
            assert_eq!(refused.reason, Reason::Managed);
            let command = if *proxy == gateway_api { "--gateway http -n " } else { "upgrade-values" };
            assert!(refused.hint.unwrap().to_string().contains(command));
        }
    }
    let charts = proxy_of(yaml(CHART_ISTIO), BOOTSTRAP_ISTIO);
    let refused = injected(&charts, &typed_revision("1-27")).unwrap_err();
    assert_eq!(refused.hint, Some("gloo-rs upgrade-values --revision 1-27".into()));
    let plan = uninjected(&charts).unwrap();
    assert_eq!(plan.advice[0].code, Code::Owner);

    let native = set(&clean(), in_list("initContainers", "istio-proxy"), json!({"name": "istio-proxy"}));
    assert!(injected(&native, &typed_revision("1-28")).unwrap_err().message.contains("init container"));
    let elsewhere = BOOTSTRAP_ISTIO.replacen("8234", "1", 1);
    let refused = injected(&proxy_of(yaml(CHART), &elsewhere), &typed_revision("1-28")).unwrap_err();
    assert!(refused.message.contains("127.0.0.1:1"), "{}", refused.message);
    let refused = injected(&proxy_of(yaml(CHART), "a: [\n"), &typed_revision("1-28")).unwrap_err();
    assert_eq!(refused.reason, Reason::Unsafe);
    assert!(refused.details.iter().any(|line| line.contains("gateway_proxy_sds")));
    let missing = GatewayProxy { bootstrap: None, ..clean() };
    assert_eq!(injected(&missing, &typed_revision("1-28")).unwrap_err().reason, Reason::NotFound);
}

#[test]
fn a_helm_owned_workload_is_changed_with_a_warning_that_names_the_lasting_command() {
    let mut proxy = clean();
    proxy.workload.value["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!("Helm");
    let done = injected(&proxy, &typed_revision("1-28")).unwrap();
    assert_eq!(done.advice[0].hint, Some("gloo-rs upgrade-values --revision 1-28".into()));
    // Sidecars that this program added to a Helm release are not the chart's.
    let again = injected(&after(&proxy, &done), &typed_revision("1-27")).unwrap();
    assert!(again.writes());
    let mut sidecars = after(&proxy, &done);
    assert!(uninjected(&sidecars).unwrap().advice[0].message.contains("next upgrade undoes it"));
    let containers = json!({"f:containers": {r#"k:{"name":"sds"}"#: {}}});
    sidecars.workload.value["metadata"]["managedFields"] =
        json!([{"manager": "gloo-rs", "fieldsV1": {"f:spec": {"f:template": {"f:spec": containers}}}}]);
    assert!(uninjected(&sidecars).unwrap().advice.is_empty(), "Helm has nothing to put back");
}

#[test]
fn volumes_that_another_container_mounts_stay() {
    let mut proxy = after(&clean(), &injected(&clean(), &typed_revision("1-28")).unwrap());
    let mount = Edit::set(
        in_container("gateway-proxy", "volumeMounts", "istio-certs"),
        json!({"name": "istio-certs", "mountPath": "/x"}),
    );
    proxy.workload.value = apply(&proxy.workload.value, &[mount]).unwrap();
    let plan = uninjected(&proxy).unwrap();
    assert_eq!(plan.changes[1].message, "patched (kept volumes that other containers mount: istio-certs)");
    let bare = after(&proxy, &plan);
    let names: Vec<_> = bare.pod_spec()["volumes"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, ["envoy-config", "istio-certs"]);
}

#[test]
fn pull_secrets_that_gloo_has_and_the_gateway_lacks_are_told() {
    let mut gloo = gloo();
    gloo["spec"]["template"]["spec"]["imagePullSecrets"] = json!([{"name": "pull"}]);
    let istiods = istiods();
    let flags = typed_revision("1-28");
    let choice = choose(&istiods, &flags, &clean()).unwrap();
    let around = Around { istiods: &istiods, choice: choice.as_ref(), gloo: Some(&gloo), now: None };
    let plan = inject(&clean(), &flags, &around).unwrap();
    assert_eq!(plan.advice.iter().map(|advice| advice.code).collect::<Vec<_>>(), [Code::PullSecret]);
}

/// Applies these edits to the only workload of the manifest.
fn edited(text: &str, edits: &[Edit]) -> String {
    let found = crate::edit::manifest::members(text, &DEPLOYMENT).found;
    let [crate::edit::manifest::ManifestObject::Member { place, .. }] = &found[..] else { panic!("{found:?}") };
    crate::edit::manifest::splice(text, &[crate::edit::manifest::edit(text, place, edits).unwrap()])
}

#[test]
fn a_rendered_chart_becomes_an_injected_one_and_back_to_the_byte() {
    let dashes_right = CHART.replace("      - name: http", "      # keep\n      - name: http");
    let no_end = CHART.trim_end();
    for text in [CHART, &CHART.replace('\n', "\r\n"), &dashes_right, no_end] {
        let proxy = proxy_of(yaml(text), BOOTSTRAP);
        let plan = injected(&proxy, &typed_revision("1-28")).unwrap();
        let full = edited(text, &plan.changes[1].edits);
        assert_eq!(yaml(&full), after(&proxy, &plan).workload.value);
        let lines: Vec<_> = full.lines().collect();
        assert!(text.lines().all(|line| lines.contains(&line)), "{full}");
        let back = uninjected(&proxy_of(yaml(&full), BOOTSTRAP_ISTIO)).unwrap();
        assert_eq!(edited(&full, &back.changes[1].edits), text);
    }
}
