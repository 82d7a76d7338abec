//! Which proxies: by name, all of them, the usual one; and those that somebody else makes.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Bench, CHART_ISTIO, INJECTED, UNINJECTED, assert_said, containers, fixture, last_line, names};
use crate::stage::documents;

const INJECT: &str = "inject --revision 1-28 --istio-namespace istio-system";

/// One more proxy of this name.
fn install(bench: &Bench, kind: &str, name: &str) -> Result<()> {
    let labels = json!({"gloo": "gateway-proxy", "gateway-proxy-id": name});
    let mut map = fixture("ConfigMap", "gateway-proxy-envoy-config");
    map["metadata"] = json!({"name": format!("{name}-envoy-config"), "labels": labels});
    bench.apply(map)?;
    let mut workload = fixture("Deployment", "gateway-proxy");
    workload["kind"] = json!(kind);
    workload["metadata"] = json!({"name": name, "labels": labels});
    workload["spec"]["selector"]["matchLabels"] = labels.clone();
    workload["spec"]["template"]["metadata"]["labels"] = labels;
    workload["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"] = format!("{name}-envoy-config").into();
    if kind == "DaemonSet" {
        workload["spec"].as_object_mut().context("a map")?.remove("replicas");
    }
    bench.apply(workload)?;
    bench.plane.api().wait_available(&bench.gloo)
}

fn is_injected(bench: &Bench, kind: &str, name: &str) -> Result<bool> {
    Ok(names(containers(&bench.get(&format!("apps/v1/{kind}"), name)?)).len() == 3)
}

#[test]
fn proxies_are_taken_by_name_with_or_without_their_kind() -> Result<()> {
    let bench = Bench::new("by-name")?;
    for (kind, name) in [("Deployment", "public"), ("Deployment", "internal"), ("DaemonSet", "edge")] {
        install(&bench, kind, name)?;
    }
    let all =
        [("Deployment", "public"), ("Deployment", "internal"), ("DaemonSet", "edge"), ("Deployment", "gateway-proxy")];
    let injected = || -> Result<Vec<&str>> {
        let mut found = Vec::new();
        for (kind, name) in all {
            found.extend(is_injected(&bench, kind, name)?.then_some(name));
        }
        Ok(found)
    };
    for (proxies, after) in [
        ("--name public", &["public"][..]),
        ("--name deployment/internal --name daemonset/edge", &["public", "internal", "edge"]),
        ("", &["public", "internal", "edge", "gateway-proxy"]),
    ] {
        let output = bench.run(format!("{INJECT} {proxies}").trim());
        assert_eq!((output.code, last_line(&output.stdout)), (Some(0), INJECTED), "{proxies}: {output:#?}");
        assert_eq!(injected()?, after, "{proxies}");
    }
    let output = bench.run("uninject --all");
    assert_said(&output, 2, &["--yes"]);
    assert_eq!(injected()?.len(), 4);
    assert_eq!(bench.run("uninject --all --dry-run").code, Some(0));
    let output = bench.run("uninject --all --yes");
    assert_eq!((output.code, last_line(&output.stdout)), (Some(0), UNINJECTED), "{output:#?}");
    assert_eq!(injected()?, [""; 0]);
    let output = bench.run(&format!("{INJECT} --name daemonset/public"));
    assert_said(&output, 4, &["gateway proxy public: not found in "]);
    let output = bench.run(&format!("{INJECT} --name pod/public"));
    assert_said(&output, 2, &["only a Deployment or a DaemonSet can have the sidecars"]);
    Ok(())
}

#[test]
fn a_name_that_is_nearly_one_is_told_which() -> Result<()> {
    let bench = Bench::new("near")?;
    for line in [INJECT, "uninject"] {
        let before = bench.versions()?;
        let (document, output) = bench.json(&format!("{line} --name gatewayproxy"))?;
        assert_said(
            &output,
            4,
            &["gateway proxy gatewayproxy: not found in ", "near: gateway-proxy", "looked in context plane"],
        );
        assert_eq!(document["error"]["reason"], "notFound");
        // One of several that is not there keeps all as they are.
        let output = bench.run(&format!("{line} --name gateway-proxy --name gatewayproxy"));
        assert_eq!(output.code, Some(4), "{output:#?}");
        assert_eq!(bench.versions()?, before);
    }
    Ok(())
}

#[test]
fn without_a_name_it_is_the_usual_one_or_the_only_one() -> Result<()> {
    let bench = Bench::new("usual")?;
    bench.plane.api().delete("apps/v1/Deployment", &bench.gloo, "gateway-proxy")?;
    let output = bench.run(INJECT);
    assert_said(&output, 4, &["no gateway proxy in ", "labelled gloo=gateway-proxy"]);
    install(&bench, "Deployment", "only")?;
    let output = bench.run(INJECT);
    assert_eq!((output.code, last_line(&output.stdout)), (Some(0), INJECTED), "{output:#?}");
    assert!(is_injected(&bench, "Deployment", "only")?);
    install(&bench, "DaemonSet", "other")?;
    let output = bench.run("uninject");
    assert_said(
        &output,
        1,
        &["several gateway proxies in ", "deployment.apps/only, daemonset.apps/other", "--name NAME"],
    );
    assert!(is_injected(&bench, "Deployment", "only")?);
    Ok(())
}

#[test]
fn what_a_controller_makes_is_refused_with_what_to_set() -> Result<()> {
    let bench = Bench::new("gateway-api")?;
    install(&bench, "Deployment", "gloo-proxy-http")?;
    let label = json!({"metadata": {"labels": {"gateway.networking.k8s.io/gateway-name": "http"}}});
    bench.merge("apps/v1/Deployment", "gloo-proxy-http", &label)?;
    for line in [INJECT, "uninject"] {
        let output = bench.run(&format!("{line} --name gloo-proxy-http"));
        assert_said(
            &output,
            1,
            &["is made for Gateway http by Gloo's controller", "--gateway http -n ", "nothing was changed"],
        );
        assert_eq!(output.stdout, "", "{output:#?}");
        // One of several that is refused keeps all as they are.
        let (document, output) = bench.json(&format!("{line} --name gloo-proxy-http --name gateway-proxy"))?;
        assert_eq!((output.code, &document["results"][0]["outcome"]), (Some(1), &json!("refused")), "{output:#?}");
        assert!(!is_injected(&bench, "Deployment", "gateway-proxy")?);
    }
    Ok(())
}

#[test]
fn a_gloo_mtls_installation_is_left_alone() -> Result<()> {
    let bench = Bench::new("gloo-mtls")?;
    let sds = json!({"name": "sds", "image": "x", "env": [{"name": "GLOO_MTLS_SDS_ENABLED", "value": "true"}]});
    let mut containers = containers(&bench.deployment()?).clone();
    containers.as_array_mut().context("a list")?.push(sds);
    bench.merge(
        "apps/v1/Deployment",
        "gateway-proxy",
        &json!({"spec": {"template": {"spec": {"containers": containers}}}}),
    )?;
    let before = bench.state()?;
    for line in [INJECT, "uninject"] {
        let output = bench.run(line);
        assert_said(&output, 1, &["has glooMtls, whose xDS goes through gateway_proxy_sds", "upgrade-values"]);
    }
    assert_eq!(bench.state()?, before);
    Ok(())
}

#[test]
fn sidecars_that_helm_carries_are_not_changed_beside_it() -> Result<()> {
    let bench = Bench::new("carried")?;
    let spec = &documents(CHART_ISTIO)?[0]["spec"]["template"]["spec"];
    bench.merge("apps/v1/Deployment", "gateway-proxy", &json!({"spec": {"template": {"spec": spec}}}))?;
    bench.plane.api().wait_available(&bench.gloo)?;
    let before = bench.state()?;
    let output = bench.run(INJECT);
    assert_said(&output, 1, &["has its sidecars from Helm values that set up Istio", "upgrade-values --revision 1-28"]);
    assert_eq!(bench.state()?, before);
    let output = bench.run("uninject");
    assert_said(
        &output,
        0,
        &[
            "Helm values set up Istio; the next upgrade adds the sidecars again",
            "global.istioIntegration.enabled to false",
        ],
    );
    Ok(())
}

#[test]
fn owners_that_will_put_it_back_are_named_with_the_lasting_change() -> Result<()> {
    let bench = Bench::new("owners")?;
    let helm = json!({
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "gloo", "meta.helm.sh/release-namespace": "gloo-system"},
    });
    let argo = json!({"annotations": {"argocd.argoproj.io/tracking-id": "edge:apps/Deployment:x/gateway-proxy"}});
    let flux = json!({
        "labels": {"helm.toolkit.fluxcd.io/name": "gloo"}, "annotations": {"argocd.argoproj.io/tracking-id": null},
    });
    let table: [(Value, &str); 3] = [
        (helm, "warning: Helm release gloo-system/gloo owns this; its next upgrade undoes it"),
        (argo, "warning: Argo CD application edge owns this; its next sync undoes it"),
        (flux, "warning: Flux HelmRelease gloo owns this; its next sync undoes it"),
    ];
    for (metadata, said) in table {
        bench.merge("apps/v1/Deployment", "gateway-proxy", &json!({"metadata": metadata}))?;
        let output = bench.run(INJECT);
        assert_said(&output, 0, &[said, "hint: gloo-rs upgrade-values --revision 1-28"]);
        let output = bench.run("uninject");
        assert_said(&output, 0, &[]);
        assert!(!output.stderr.contains(said), "nobody puts back what they do not render: {output:#?}");
    }
    Ok(())
}
