//! Where somebody else renders the chart, and what of the cluster is against an upgrade.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{Shop, open_source};

/// What each puts on the Deployment, how it is called, and the file its values are in.
fn owners() -> [(Value, &'static str, &'static str); 2] {
    [
        (
            json!({"annotations": {"argocd.argoproj.io/tracking-id": "edge:apps/Deployment:x/gloo"}}),
            "Argo CD application edge",
            "edge.yaml",
        ),
        (json!({"labels": {"helm.toolkit.fluxcd.io/name": "gateway"}}), "Flux HelmRelease gateway", "gateway.yaml"),
    ]
}

#[test]
fn where_argo_cd_or_flux_renders_the_chart_it_is_named() -> Result<()> {
    for (metadata, owner, file) in owners() {
        let shop = Shop::new("owner")?;
        shop.install("gloo", &open_source(), "mine: 1\n")?;
        let marked = json!({"metadata": metadata});
        shop.plane.api().merge("apps/v1/Deployment", &shop.namespace, "gloo", &marked)?;
        let refused = shop.run(&["--revision", "1-28", "--apply", "--yes"]);
        assert_eq!(refused.code, Some(1));
        let renders = format!("{owner} renders it and would undo the change; nothing changed");
        assert!(refused.stderr.contains(&renders), "{}", refused.stderr);
        assert_eq!(shop.history("gloo")?, ["deployed"]);
        // Printed they may be.
        shop.done(&["--revision", "1-28"])?;

        shop.plane.api().delete("v1/Secret", &shop.namespace, "sh.helm.release.v1.gloo.v1")?;
        let none = shop.run(&[]);
        assert_eq!((none.code, none.stdout.as_str()), (Some(4), ""));
        let renders = format!("{owner} renders this chart, so its values are in Git");
        assert!(none.stderr.contains(&renders), "{}", none.stderr);
        let command = format!("gloo-rs upgrade-values --values {file} --write");
        assert!(none.stderr.contains(&command), "{}", none.stderr);
    }
    Ok(())
}

#[test]
fn what_the_cluster_has_against_the_upgrade_is_said() -> Result<()> {
    let shop = Shop::new("findings")?;
    shop.install("gloo", &open_source(), "mine: 1\n")?;
    let api = shop.plane.api();
    let labels = json!({"metadata": {"labels": {"istio-injection": "enabled"}}});
    api.merge("v1/Namespace", "", &shop.namespace, &labels)?;
    let differs = json!({"spec": {"gloo": {"istioOptions": {"enableIntegration": true}}}});
    api.merge("gloo.solo.io/v1/Settings", &shop.namespace, "default", &differs)?;
    let injected = shop.sandbox.run(&["istio", "inject", "-n", &shop.namespace, "--revision", "1-28", "--no-wait"]);
    assert_eq!(injected.code, Some(0), "{}", injected.stderr);
    let output = shop.done(&["--revision", "1-28", "-o", "json"])?;
    let document: Value = serde_json::from_str(&output.stdout)?;
    let codes: Vec<_> =
        document["warnings"].as_array().context("a list")?.iter().map(|it| it["code"].clone()).collect();
    for code in ["hookHangs", "differs", "helmConflict"] {
        assert!(codes.contains(&json!(code)), "{code}: {codes:?}");
    }
    assert_eq!(document["release"]["chartVersion"], "1.17.7");
    assert_eq!(document["values"]["mine"], 1);
    Ok(())
}

#[test]
fn the_upstreams_that_auto_mtls_may_harm_are_listed_where_it_is_turned_on() -> Result<()> {
    let shop = Shop::new("harm")?;
    shop.install("gloo", &open_source(), "mine: 1\n")?;
    let upstream = json!({
        "apiVersion": "gloo.solo.io/v1", "kind": "Upstream",
        "metadata": {"namespace": shop.namespace, "name": "lambda"},
        "spec": {"aws": {"region": "eu-west-1"}},
    });
    shop.plane.api().apply(&upstream.to_string())?;
    let line = format!("{}/lambda: aws has TLS of its own", shop.namespace);
    let on = shop.done(&["--revision", "1-28"])?;
    assert!(on.stderr.contains(&line), "{}", on.stderr);
    let off = shop.done(&["--revision", "1-28", "--no-auto-mtls"])?;
    assert!(!off.stderr.contains(&line) && !off.stdout.contains("enableAutoMtls"), "{off:?}");
    Ok(())
}
