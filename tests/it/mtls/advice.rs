//! What is said beside the change, on a real API server: it never stops a script and is never "ok" by not knowing.

use serde_json::{Value, json};

use super::{Gloo, HTTPBIN, document};

/// The codes of the warnings, and the text of stderr without the context line.
fn advised(gloo: &Gloo, args: &[&str]) -> (Vec<String>, String) {
    let result = document(&gloo.run(&[args, &["--dry-run", "-o", "json"]].concat()));
    let codes = result["warnings"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap().to_owned());
    let codes = codes.filter(|code| code != "owner").collect();
    let text = gloo.run(&[args, &["--dry-run"]].concat());
    assert_eq!(text.code, Some(0), "{text:?}");
    (codes, text.stderr.strip_prefix(&gloo.context_line()).unwrap().to_owned())
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
    let (codes, text) = advised(&gloo, &["enable-mtls", "-u", HTTPBIN]);
    assert_eq!(codes, ["noGatewaySidecars"]);
    let first = format!(
        "warning: no gateway proxy in {} has the sds and istio-proxy sidecars: 503 until one has\n  pod {}/gateway-proxy-",
        gloo.namespace, gloo.namespace
    );
    assert!(text.contains(&first), "{text}");
    assert!(
        text.contains("  hint: gloo-rs istio inject, or global.istioIntegration.enabled in the Helm values\n"),
        "{text}"
    );
    give_sidecars(&gloo);
    let (codes, text) = advised(&gloo, &["enable-mtls", "-u", HTTPBIN]);
    assert_eq!(codes, ["noSdsCluster"]);
    assert!(text.contains(&format!("  configmap {}/gateway-proxy-envoy-config\n", gloo.namespace)), "{text}");
    give_cluster(&gloo);
    let (codes, text) = advised(&gloo, &["enable-mtls", "-u", HTTPBIN]);
    assert_eq!(
        (codes, text.as_str()),
        (Vec::new(), "note: Gloo's discovery made this Upstream; it keeps this setting while the Service is there\n")
    );
    assert_eq!(advised(&gloo, &["disable-mtls", "-u", HTTPBIN]).0, Vec::<String>::new());
}

#[test]
fn what_stands_behind_a_named_upstream_is_said_and_done_all_the_same() {
    let gloo = Gloo::new("behind");
    give_sidecars(&gloo);
    give_cluster(&gloo);
    let (codes, text) = advised(&gloo, &["enable-mtls", "-u", "default-plain-8080"]);
    assert_eq!(codes, ["noSidecar"]);
    assert!(
        text.contains("warning: 1 of 1 pods behind default-plain-8080 has no sidecar: 503 there\n  pod default/plain-"),
        "{text}"
    );
    let (codes, text) = advised(&gloo, &["enable-mtls", "-u", "weather"]);
    assert_eq!(codes, ["notKubernetes"]);
    assert!(text.contains("warning: weather is not a Kubernetes Service (static)"), "{text}");
    gloo.add(&json!({"metadata": {"name": "gone-80"}, "spec": {"kube": {"serviceName": "gone", "serviceNamespace": "default", "servicePort": 80}}}));
    let (codes, text) = advised(&gloo, &["enable-mtls", "-u", "gone-80"]);
    assert_eq!(codes, ["noPods"]);
    assert!(text.contains("warning: service default/gone behind gone-80 is not there\n"), "{text}");
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
    let (codes, text) = advised(&gloo, &["enable-mtls", "-u", HTTPBIN]);
    assert_eq!(codes, ["autoMtls"]);
    assert!(
        text.contains(&format!("note: auto-mTLS covers {HTTPBIN} already; with an sslConfig mTLS is unconditional\n")),
        "{text}"
    );
    gloo.merge(HTTPBIN, &json!({"spec": {"disableIstioAutoMtls": true}}));
    assert_eq!(advised(&gloo, &["enable-mtls", "-u", HTTPBIN]).0, Vec::<String>::new());
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
        let (codes, text) = advised(&gloo, &["disable-mtls", "-u", &name]);
        assert_eq!(codes.len(), usize::from(text.contains("STRICT")), "{text}");
        text.lines().find_map(|line| line.strip_prefix("  peerauthentication ").map(str::to_owned))
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
    let disabled = gloo.run(&["disable-mtls", "-u", &name]);
    assert_eq!(disabled.code, Some(0), "a name is taken, with the warning: {disabled:?}");
    assert!(
        disabled.stderr.contains(&format!("warning: the peer of {name} is STRICT: 503 without mTLS\n")),
        "{disabled:?}"
    );
}

#[test]
fn the_meshs_own_policy_is_found_where_the_mesh_says_its_root_is() {
    let plane = crate::stage::Plane::start(&crate::stage::Options::default()).unwrap();
    plane.install_guide().unwrap();
    let policy = json!({"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": {"name": "mesh", "namespace": "istio-system"}, "spec": {"mtls": {"mode": "STRICT"}}});
    plane.api().apply(&policy.to_string()).unwrap();
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
    assert!(missing.stderr.contains("its CRD is not installed"), "{missing:?}");
    let swept = sandbox.run(&["istio", "enable-mtls", "--all", "--yes"]);
    assert!(swept.code == Some(4) && swept.stderr.contains("its CRD is not installed"), "{swept:?}");
}

#[test]
fn whoever_will_put_it_back_is_named_with_the_change_that_lasts() {
    let gloo = Gloo::new("owner");
    let table = [
        (
            "argo",
            json!({"annotations": {"argocd.argoproj.io/tracking-id": "edge:gloo.solo.io/Upstream:x/argo"}}),
            "warning: Argo CD application edge owns this Upstream and will put it back\n  hint: change it in Git: gloo-rs istio enable-mtls -u ... -f PATH --write\n",
        ),
        (
            "flux",
            json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}),
            "warning: Flux Kustomization apps owns this Upstream and will put it back\n",
        ),
        (
            "helm",
            json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": {"meta.helm.sh/release-name": "r", "meta.helm.sh/release-namespace": "n"}}),
            "warning: Helm release n/r owns this Upstream; its next upgrade may put it back\n",
        ),
        ("disc", json!({"labels": {"discovered_by": "kubernetesplugin"}}), "note: Gloo's discovery made this Upstream"),
    ];
    for (name, mut metadata, words) in table {
        metadata["name"] = json!(name);
        gloo.add(&json!({"metadata": metadata, "spec": {"kube": {}}}));
        let output = gloo.run(&["enable-mtls", "-u", name]);
        assert!(output.code == Some(0) && output.stderr.contains(words), "{output:?}");
        let again = gloo.run(&["enable-mtls", "-u", name]);
        assert!(!again.stderr.contains("put it back"), "nothing was written: {again:?}");
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
