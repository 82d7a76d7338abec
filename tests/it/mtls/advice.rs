//! What is said beside the change, on a real API server: it never stops a script and is never "ok" by not knowing.

use serde_json::{Value, json};

use super::{Gloo, HTTPBIN, became, document};

/// What a change is advised of, but for who made the object.
#[derive(Debug)]
struct Said {
    codes: Vec<String>,
    /// The lines below, and the message above them.
    details: Vec<String>,
    messages: String,
    hints: String,
    /// How many are warnings; the others are notes.
    warnings: usize,
}

fn advised(gloo: &Gloo, args: &[&str]) -> Said {
    let result = document(&gloo.run(&[args, &["--dry-run", "-o", "json"]].concat()));
    let advice: Vec<_> = result["warnings"].as_array().unwrap().iter().filter(|one| one["code"] != "owner").collect();
    let texts = |key: &str| advice.iter().filter_map(|one| one[key].as_str().map(str::to_owned)).collect::<Vec<_>>();
    let details = advice.iter().flat_map(|one| one["details"].as_array().unwrap());
    let text = gloo.run(&[args, &["--dry-run"]].concat());
    assert_eq!(text.code, Some(0), "{text:?}");
    Said {
        codes: texts("code"),
        details: details.map(|line| line.as_str().unwrap().to_owned()).collect(),
        messages: texts("message").join("\n"),
        hints: texts("hint").join("\n"),
        warnings: text.stderr.strip_prefix(&gloo.context_line()).unwrap().matches("warning: ").count(),
    }
}

/// The gateway with both sidecars, the cluster in its bootstrap or not.
fn give_sidecars(gloo: &Gloo) {
    let api = gloo.plane.api();
    let containers = json!([
        {"name": "gateway-proxy", "image": "envoy"}, {"name": "sds", "image": "sds"}, {"name": "istio-proxy", "image": "proxyv2"},
    ]);
    let patch = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    api.merge("apps/v1/Deployment", &gloo.namespace, "gateway-proxy", &patch).unwrap();
    api.wait_available(&gloo.namespace).unwrap();
}

fn give_cluster(gloo: &Gloo) {
    let patch = json!({"data": {"envoy.yaml": "static_resources:\n  clusters:\n  - name: gateway_proxy_sds\n"}});
    gloo.plane.api().merge("v1/ConfigMap", &gloo.namespace, "gateway-proxy-envoy-config", &patch).unwrap();
}

#[test]
fn a_gateway_without_sidecars_and_then_without_the_cluster_is_warned_of_until_it_has_both() {
    let gloo = Gloo::new("gateway");
    let said = advised(&gloo, &["enable-mtls", "-u", HTTPBIN]);
    assert_eq!((&said.codes[..], said.warnings), (&["noGatewaySidecars".to_owned()][..], 1), "{said:?}");
    let [pod] = &said.details[..] else { panic!("{said:?}") };
    assert!(pod.starts_with(&format!("pod {}/gateway-proxy-", gloo.namespace)), "{said:?}");
    let inject = format!("gloo-rs istio inject -n {} --name gateway-proxy", gloo.namespace);
    assert!(said.hints.starts_with(&format!("{inject}, or global.istioIntegration.enabled ")), "{said:?}");
    give_sidecars(&gloo);
    let said = advised(&gloo, &["enable-mtls", "-u", HTTPBIN]);
    assert_eq!((&said.codes[..], said.warnings), (&["noSdsCluster".to_owned()][..], 1), "{said:?}");
    assert_eq!(said.details, [format!("configmap {}/gateway-proxy-envoy-config", gloo.namespace)]);
    give_cluster(&gloo);
    for command in ["enable-mtls", "disable-mtls"] {
        let said = advised(&gloo, &[command, "-u", HTTPBIN]);
        assert_eq!((said.codes.len(), said.warnings), (0, 0), "{said:?}");
    }
}

#[test]
fn what_stands_behind_a_named_upstream_is_said_and_done_all_the_same() {
    let gloo = Gloo::new("behind");
    give_sidecars(&gloo);
    give_cluster(&gloo);
    let said = advised(&gloo, &["enable-mtls", "-u", "default-plain-8080"]);
    assert_eq!((&said.codes[..], said.warnings), (&["noSidecar".to_owned()][..], 1), "{said:?}");
    assert!(said.messages.contains("1 of 1 pods behind default-plain-8080 "), "{said:?}");
    let [pod] = &said.details[..] else { panic!("{said:?}") };
    assert!(pod.starts_with("pod default/plain-"), "{said:?}");
    let said = advised(&gloo, &["enable-mtls", "-u", "weather"]);
    assert_eq!((&said.codes[..], said.warnings), (&["notKubernetes".to_owned()][..], 1), "{said:?}");
    gloo.add(&json!({"metadata": {"name": "gone-80"}, "spec": {"kube": {"serviceName": "gone", "serviceNamespace": "default", "servicePort": 80}}}));
    let said = advised(&gloo, &["enable-mtls", "-u", "gone-80"]);
    assert_eq!((&said.codes[..], said.warnings), (&["noPods".to_owned()][..], 1), "{said:?}");
    assert!(said.messages.contains("service default/gone "), "{said:?}");
    assert_eq!(gloo.run(&["enable-mtls", "-u", "weather,gone-80,default-plain-8080"]).code, Some(0));
    let several = gloo.run(&["enable-mtls", "-u", "weather,gone-80,default-plain-8080"]);
    assert_eq!(several.stderr.matches("warning: ").count(), 3, "{several:?}");
}

#[test]
fn auto_mtls_that_is_on_makes_it_unnecessary() {
    let gloo = Gloo::new("auto");
    give_sidecars(&gloo);
    give_cluster(&gloo);
    let switches = |on: bool| {
        let patch = json!({"spec": {"gloo": {"istioOptions": {"enableAutoMtls": on, "enableIntegration": true}}}});
        gloo.plane.api().merge("gloo.solo.io/v1/Settings", &gloo.namespace, "default", &patch).unwrap();
    };
    switches(true);
    let said = advised(&gloo, &["enable-mtls", "-u", HTTPBIN]);
    assert_eq!((&said.codes[..], said.warnings), (&["autoMtls".to_owned()][..], 0), "a note: {said:?}");
    assert!(said.messages.contains(HTTPBIN), "{said:?}");
    gloo.merge(HTTPBIN, &json!({"spec": {"disableIstioAutoMtls": true}}));
    assert_eq!(advised(&gloo, &["enable-mtls", "-u", HTTPBIN]).codes, Vec::<String>::new());
}

#[test]
fn a_strict_peer_is_said_with_the_policy_at_each_level() {
    let gloo = Gloo::new("peer");
    let apps = gloo.plane.install_apps("peer-apps", &gloo.namespace).unwrap();
    let name = format!("{apps}-httpbin-8000");
    let api = gloo.plane.api();
    let policy = |name: &str, spec: Value| {
        let object = json!({"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": {"name": name, "namespace": apps}, "spec": spec});
        api.apply(&object.to_string()).unwrap();
    };
    let said = || {
        let said = advised(&gloo, &["disable-mtls", "-u", &name]);
        assert!(said.codes.iter().all(|code| code == "strictPeer") && said.codes.len() == said.warnings, "{said:?}");
        assert_eq!(said.details.len(), said.warnings, "{said:?}");
        said.details.first().map(|line| line.strip_prefix("peerauthentication ").unwrap().to_owned())
    };
    assert_eq!(gloo.run(&["enable-mtls", "-u", &name]).code, Some(0));
    assert_eq!(said(), None);
    policy("namespace", json!({"mtls": {"mode": "STRICT"}}));
    assert_eq!(said(), Some(format!("{apps}/namespace, namespace")));
    let selector = json!({"matchLabels": {"app": "httpbin"}});
    policy("workload", json!({"selector": selector, "mtls": {"mode": "PERMISSIVE"}}));
    assert_eq!(said(), None);
    policy(
        "workload",
        json!({"selector": selector, "mtls": {"mode": "PERMISSIVE"}, "portLevelMtls": {"8080": {"mode": "STRICT"}}}),
    );
    assert_eq!(said(), Some(format!("{apps}/workload, port")));
    policy(
        "workload",
        json!({"selector": selector, "mtls": {"mode": "STRICT"}, "portLevelMtls": {"9090": {"mode": "DISABLE"}}}),
    );
    assert_eq!(said(), Some(format!("{apps}/workload, workload")));
    let disabled = document(&gloo.run(&["disable-mtls", "-u", &name, "-o", "json"]));
    assert_eq!((&disabled["exitCode"], became(&disabled, &name)[0]), (&json!(0), &json!("changed")), "it is done");
    super::advised(&disabled, "strictPeer");
}

#[test]
fn the_meshs_own_policy_is_found_where_the_mesh_says_its_root_is() {
    let plane = crate::stage::Plane::start(&crate::stage::Options::default()).unwrap();
    plane.install_guide().unwrap();
    let policy = json!({"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": {"name": "mesh", "namespace": "istio-system"}, "spec": {"mtls": {"mode": "STRICT"}}});
    plane.api().apply(&policy.to_string()).unwrap();
    plane.api().delete("gateway.solo.io/v1/VirtualService", "gloo-system", "httpbin").unwrap();
    let sandbox = super::as_user(&plane, "admin");
    assert_eq!(sandbox.run(&["istio", "enable-mtls", "-u", HTTPBIN]).code, Some(0));
    let output = sandbox.run(&["istio", "disable-mtls", "-u", HTTPBIN]);
    assert!(output.stderr.contains("  peerauthentication istio-system/mesh, mesh\n"), "{output:?}");

    // Without Istio's and then without Gloo's definitions.
    let crd = "apiextensions.k8s.io/v1/CustomResourceDefinition";
    plane.api().delete(crd, "", "peerauthentications.security.istio.io").unwrap();
    assert_eq!(sandbox.run(&["istio", "enable-mtls", "-u", HTTPBIN]).code, Some(0));
    let gone = crate::stage::wait_for("the definition is gone", std::time::Duration::from_mins(2), || {
        Ok(plane.api().get(crd, "", "peerauthentications.security.istio.io")?.is_none().then_some(()))
    });
    gone.unwrap();
    let output = sandbox.run(&["istio", "disable-mtls", "-u", HTTPBIN]);
    assert!(output.code == Some(0) && !output.stderr.contains("STRICT"), "{output:?}");
    plane.api().delete(crd, "", "upstreams.gloo.solo.io").unwrap();
    let missing = crate::stage::wait_for("the definition is gone", std::time::Duration::from_mins(2), || {
        let output = sandbox.run(&["istio", "enable-mtls", "-u", HTTPBIN, "-o", "json"]);
        Ok((document(&output)["results"][0]["reason"] == "noCrd").then_some(output))
    });
    let missing = missing.unwrap();
    assert_eq!(missing.code, Some(4));
    let swept = sandbox.run(&["istio", "enable-mtls", "--all", "--yes", "-o", "json"]);
    assert_eq!((swept.code, &document(&swept)["error"]["reason"]), (Some(4), &json!("noCrd")), "{swept:?}");
}

#[test]
fn whoever_will_put_it_back_is_named_with_the_change_that_lasts() {
    let gloo = Gloo::new("owner");
    let table = [
        (
            "argo",
            json!({"annotations": {"argocd.argoproj.io/tracking-id": "edge:gloo.solo.io/Upstream:x/argo"}}),
            "warning: Argo CD application edge manages this Upstream and will undo the change\n  hint: change it in Git: gloo-rs istio enable-mtls -u ... -f PATH --write\n",
        ),
        (
            "flux",
            json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}),
            "warning: Flux Kustomization apps manages this Upstream and will undo the change\n",
        ),
        (
            "helm",
            json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": {"meta.helm.sh/release-name": "r", "meta.helm.sh/release-namespace": "n"}}),
            "warning: Helm release n/r manages this Upstream; its next upgrade may undo the change\n",
        ),
        ("disc", json!({"labels": {"discovered_by": "kubernetesplugin"}}), "note: Gloo's discovery made this Upstream"),
    ];
    for (name, mut metadata, words) in table {
        metadata["name"] = json!(name);
        gloo.add(&json!({"metadata": metadata, "spec": {"kube": {}}}));
        let output = gloo.run(&["enable-mtls", "-u", name]);
        assert!(output.code == Some(0) && output.stderr.contains(words), "{output:?}");
        let again = gloo.run(&["enable-mtls", "-u", name]);
        assert!(!again.stderr.contains("undo the change"), "nothing was written: {again:?}");
    }
}

#[test]
fn gloo_is_where_settings_are_or_where_it_is_said_to_be() {
    let gloo = Gloo::new("where");
    let elsewhere = gloo.plane.namespace("upstreams-only").unwrap();
    let object = json!({"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "metadata": {"name": "x", "namespace": elsewhere}, "spec": {"kube": {}}});
    gloo.plane.api().apply(&object.to_string()).unwrap();
    let warned = |args: &[&str]| {
        gloo.sandbox.run(&[&["istio", "enable-mtls", "-u", "x", "-n", &elsewhere, "--dry-run"], args].concat()).stderr
    };
    assert!(
        gloo.run(&["enable-mtls", "-u", HTTPBIN, "--dry-run"])
            .stderr
            .contains(&format!("no gateway proxy in {} has", gloo.namespace))
    );
    assert!(warned(&[]).contains("no gateway proxy in gloo-system has"), "{}", warned(&[]));
    assert!(
        warned(&["--gloo-namespace", &gloo.namespace]).contains(&format!("no gateway proxy in {} has", gloo.namespace))
    );
    let nowhere = warned(&["--gloo-namespace", &elsewhere]);
    assert!(
        nowhere.contains(&format!("note: whether auto-mTLS is on is unknown: no settings default in {elsewhere}\n")),
        "{nowhere}"
    );
    assert!(
        nowhere.contains(&format!("note: no gateway proxy in {elsewhere}, so its sidecars are unknown\n")),
        "{nowhere}"
    );
}
