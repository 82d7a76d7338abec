use serde_json::json;

use super::*;

fn deployment(namespace: &str, name: &str, revision: Option<&str>, image: &str, ready: u64) -> Value {
    let mut value = json!({
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": "istiod"}},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [
            {"name": "proxy", "image": "x"},
            {"name": "discovery", "image": image, "env": [{"name": "CLUSTER_ID", "value": "east"}]},
        ]}}},
        "status": {"readyReplicas": ready},
    });
    if let Some(revision) = revision {
        value["metadata"]["labels"][REVISION_LABEL] = json!(revision);
    }
    value
}

fn service(namespace: &str, name: &str, revision: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": namespace, "labels": {"app": "istiod", REVISION_LABEL: revision}}})
}

fn mesh_config(namespace: &str, name: &str, mesh: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": namespace}, "data": {"mesh": mesh}})
}

fn webhook(tag: Option<&str>, revision: &str) -> Value {
    let mut value = json!({
        "metadata": {"name": format!("w-{revision}"), "labels": {REVISION_LABEL: revision}},
        "webhooks": [{"clientConfig": {"service": {"namespace": "istio-system"}}}],
    });
    if let Some(tag) = tag {
        value["metadata"]["labels"][TAG_LABEL] = json!(tag);
        value["metadata"]["name"] = json!(format!("istio-revision-tag-{tag}"));
    }
    value
}

/// 1-27; 1-28 with the tags `prod` (with a Service) and `canary` (without); and a default one that is not ready.
fn three() -> Vec<Istiod> {
    let deployments = [
        deployment("istio-system", "istiod-1-28", Some("1-28"), "docker.io/istio/pilot:1.28.3", 2),
        deployment("istio-system", "istiod-1-27", Some("1-27"), "localhost:5000/pilot:1.27.5-distroless", 2),
        deployment("istio-system", "istiod", None, "docker.io/istio/pilot:1.26.8", 0),
    ];
    let services = [
        service("istio-system", "istiod-1-28", "1-28"),
        service("istio-system", "istiod-revision-tag-prod", "1-28"),
        service("istio-system", "istiod", "default"),
    ];
    let config_maps = [
        mesh_config(
            "istio-system",
            "istio-1-28",
            "defaultConfig: {meshId: m1}\ntrustDomain: td\nrootNamespace: root\n",
        ),
        mesh_config("istio-system", "istio-1-27", "trustDomain: td27\n"),
    ];
    let webhooks = [webhook(None, "1-28"), webhook(Some("prod"), "1-28"), webhook(Some("canary"), "1-28")];
    all(&ControlPlaneObjects {
        deployments: &deployments,
        services: &services,
        config_maps: &config_maps,
        webhooks: &webhooks,
    })
}

#[test]
fn an_istiod_tells_what_a_gateway_needs_to_know() {
    let all = three();
    let names: Vec<_> = all.iter().map(|istiod| istiod.revision.as_str()).collect();
    assert_eq!(names, ["1-27", "1-28", "default"]);
    let [old, new, default] = &all[..] else { panic!() };
    assert_eq!(new.address, "istiod-1-28.istio-system.svc:15012");
    assert_eq!((new.version.as_str(), new.mesh_id.as_str(), new.trust_domain.as_str()), ("1.28.3", "m1", "td"));
    assert_eq!((new.root_namespace.as_str(), new.cluster_id.value()), ("root", "east"));
    assert_eq!(new.tags.iter().map(|tag| tag.name.as_str()).collect::<Vec<_>>(), ["canary", "prod"]);
    assert_eq!(new.webhook.as_deref(), Some("w-1-28"));
    assert_eq!((old.version.as_str(), old.mesh_id.as_str()), ("1.27.5-distroless", "td27"));
    assert_eq!((default.mesh_id.as_str(), default.root_namespace.as_str()), ("cluster.local", "istio-system"));
    assert!(!default.is_ready() && new.is_ready());
}

#[test]
fn istiods_of_other_builds_and_namespaces_are_found_by_label() {
    let solo = deployment(
        "gm-iop-1-21",
        "istiod-1-21",
        Some("1-21"),
        "us-docker.pkg.dev/gloo-mesh/istio/pilot:1.21.0-solo",
        1,
    );
    let all = all(&ControlPlaneObjects { deployments: &[solo], ..ControlPlaneObjects::default() });
    assert_eq!(all[0].address, "istiod-1-21.gm-iop-1-21.svc:15012");
    assert_eq!(all[0].version, "1.21.0-solo");
}

#[test]
fn one_is_chosen_several_are_listed_and_what_is_there_keeps() {
    let all = three();
    let only = choose(&all[1..2], None, None).unwrap();
    assert_eq!((only.because, only.address.as_str()), (Because::Only, "istiod-1-28.istio-system.svc:15012"));

    let several = choose(&all, None, None).unwrap_err();
    assert_eq!(several.reason, Reason::SeveralRevisions);
    assert_eq!(several.details[1], "1-28 (istio-system, 1.28.3), tags canary, prod");

    // A canary that was installed after the injection changes nothing.
    let kept = choose(&all, None, Some("istiod-1-27.istio-system.svc:15012")).unwrap();
    assert_eq!((kept.because, kept.istiod.unwrap().revision.as_str()), (Because::Already, "1-27"));
    let spelt = choose(&all, None, Some("istiod-1-27.istio-system.svc.cluster.local:15012")).unwrap();
    assert_eq!(spelt.istiod.unwrap().revision, "1-27");
    assert_eq!(spelt.address, "istiod-1-27.istio-system.svc.cluster.local:15012");

    let elsewhere = choose(&all, None, Some("istiod.remote.example:15012")).unwrap();
    assert_eq!((elsewhere.istiod, elsewhere.advice[0].code), (None, Code::IstiodGone));
    assert_eq!(choose(&[], None, None).unwrap_err().reason, Reason::NoIstiod);
}

#[test]
fn what_another_part_uses_is_taken_where_nothing_else_chooses() {
    let all = three();
    let of = |wanted: Option<&str>, already: Option<&str>, in_use: Option<&str>| {
        choose_in_use(&all, wanted, already, in_use).map(|choice| (choice.because, choice.address))
    };
    let address = |name: &str| format!("{name}.istio-system.svc:15012");
    assert_eq!(of(None, None, Some("1-28")), Ok((Because::InUse, address("istiod-1-28"))));
    assert_eq!(of(None, None, Some("prod")), Ok((Because::InUse, address("istiod-revision-tag-prod"))));
    assert_eq!(of(Some("1-27"), None, Some("1-28")), Ok((Because::Flag, address("istiod-1-27"))));
    assert_eq!(of(None, Some(&address("istiod-1-27")), Some("1-28")), Ok((Because::Already, address("istiod-1-27"))));
    assert_eq!(of(None, None, None).unwrap_err().reason, Reason::SeveralRevisions);

    let in_use = |names: &[&str]| {
        let addresses: Vec<_> = names.iter().map(|name| address(name)).collect();
        revision_in_use(&all, addresses.iter().map(String::as_str))
    };
    assert_eq!(in_use(&["istiod-1-28", "istiod-1-28"]).as_deref(), Some("1-28"));
    assert_eq!(in_use(&["istiod-revision-tag-prod"]).as_deref(), Some("prod"));
    for unclear in [&[][..], &["istiod-1-27", "istiod-1-28"], &["istiod-gone"], &["istiod-1-28", "istiod-gone"]] {
        assert_eq!(in_use(unclear), None, "{unclear:?}");
    }
}

#[test]
fn a_tag_gives_its_own_address_so_that_moving_it_moves_the_gateway() {
    let all = three();
    let prod = choose(&all, Some("prod"), Some("istiod-1-27.istio-system.svc:15012")).unwrap();
    assert_eq!(prod.address, "istiod-revision-tag-prod.istio-system.svc:15012");
    assert_eq!((prod.tag.as_deref(), prod.because), (Some("prod"), Because::Flag));
    let again = choose(&all, None, Some(&prod.address)).unwrap();
    assert_eq!((again.tag.as_deref(), again.istiod.unwrap().revision.as_str()), (Some("prod"), "1-28"));
    let canary = choose(&all, Some("canary"), None).unwrap();
    assert_eq!(canary.address, "istiod-1-28.istio-system.svc:15012");
    assert_eq!(canary.advice[0].code, Code::TagWithoutService);
}

#[test]
fn a_revision_that_is_not_ready_is_warned_of_and_one_that_is_not_there_is_an_error() {
    let all = three();
    let default = choose(&all, Some("default"), None).unwrap();
    assert_eq!(default.advice[0].message, "istiod default is not ready: 0 of 2 pods");
    let missing = choose(&all, Some("1-29"), None).unwrap_err();
    assert_eq!((missing.exit, missing.reason, missing.details.len()), (Exit::SaidNo, Reason::NoIstiod, 3));
}

#[test]
fn two_istiods_of_one_name_need_the_namespace() {
    let both = [deployment("a", "istiod", Some("x"), "pilot:1", 1), deployment("b", "istiod", Some("x"), "pilot:2", 1)];
    let all = all(&ControlPlaneObjects { deployments: &both, ..ControlPlaneObjects::default() });
    let failure = choose(&all, Some("x"), None).unwrap_err();
    assert!(failure.hints[0].to_string().contains("--istio-namespace"));
}

#[test]
fn the_manifests_that_istios_own_chart_renders_tell_all_of_it() {
    let all_objects = crate::edit::manifest::values(include_str!("../../../tests/fixtures/istio.yaml"));
    let of = |kind: &str| all_objects.iter().filter(|it| it["kind"] == kind).cloned().collect::<Vec<_>>();
    let deployments: Vec<_> =
        of("Deployment").into_iter().filter(|it| it["metadata"]["labels"]["app"] == "istiod").collect();
    let seen = ControlPlaneObjects {
        deployments: &deployments,
        services: &of("Service"),
        config_maps: &of("ConfigMap"),
        webhooks: &of("MutatingWebhookConfiguration"),
    };
    let told: Vec<_> = all(&seen)
        .into_iter()
        .map(|it| (it.revision, it.address, it.mesh_id, it.root_namespace, it.cluster_id))
        .collect();
    let expected = |revision: &str, service: &str| {
        (
            revision.to_owned(),
            format!("{service}.istio-system.svc:15012"),
            "cluster.local".to_owned(),
            "istio-system".to_owned(),
            Told::ByIstiod("Kubernetes".to_owned()),
        )
    };
    assert_eq!(told, [expected("1-28", "istiod-1-28"), expected("default", "istiod")]);
}

#[test]
fn the_command_for_an_istiod_without_ready_pods_is_about_its_own_revision() {
    let of = |replicas: u64| {
        let metadata = json!({"name": "istiod-1-28", "namespace": "istio-system", "labels": {"istio.io/rev": "1-28"}});
        let deployment = json!({"metadata": metadata, "spec": {"replicas": replicas}, "status": {}});
        all(&ControlPlaneObjects { deployments: &[deployment], ..ControlPlaneObjects::default() })[0]
            .unready()
            .to_string()
    };
    assert_eq!(of(1), "kubectl describe pods -l app=istiod,istio.io/rev=1-28 -n istio-system");
    assert_eq!(of(0), "kubectl scale deployment istiod-1-28 -n istio-system --replicas 1");
}

#[test]
fn pods_are_restarted_only_once_their_istiod_is_ready() {
    let three = three();
    let of =
        |revision: &str| three.iter().find(|istiod| istiod.revision == revision).unwrap().restarts("shop").to_string();
    assert_eq!(of("1-28"), "kubectl rollout restart deployments -n shop");
    assert_eq!(
        of("default"),
        "kubectl describe pods -l app=istiod,istio.io/rev=default -n istio-system, then kubectl rollout restart \
         deployments -n shop"
    );
}
