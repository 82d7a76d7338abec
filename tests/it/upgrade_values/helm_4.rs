//! Helm 4 applies by the server, which knows whose field is whose.

use anyhow::Result;
use serde_json::{Value, json};

use super::{REVISION, Shop, open_source, text};
use crate::stage;

fn codes(output: &str) -> Result<Vec<Value>> {
    let document: Value = serde_json::from_str(output)?;
    Ok(document["warnings"].as_array().into_iter().flatten().map(|it| it["code"].clone()).collect())
}

#[test]
fn a_live_injection_that_helm_4_conflicts_with_is_taken_out_first() -> Result<()> {
    let shop = Shop::with(stage::helm_4(), "conflict")?;
    let name = shop.namespace.as_str();
    // What other tests leave in other namespaces keeps no sidecar here.
    shop.install("gloo", &open_source(), &format!("settings: {{watchNamespaces: [{name}]}}\n"))?;
    let istio = |words: &[&str]| {
        let output = shop.sandbox.run(&[&["istio"], words, &["-n", name]].concat());
        anyhow::ensure!(output.code == Some(0), "{words:?}: {output:#?}");
        anyhow::Ok(output)
    };
    istio(&["inject", "--revision", "1-28"])?;
    let found = shop.done(&REVISION)?;
    let uninject = format!("gloo-rs istio uninject -n {name} --name gateway-proxy");
    for words in ["has sidecars that gloo-rs wrote: Helm 4 conflicts with it", &uninject] {
        assert!(found.stderr.contains(words), "{words}: {}", found.stderr);
    }
    let chart = open_source();
    let apply = ["--revision", "1-28", "--chart", text(&chart)?, "--apply", "--yes"];
    let refused = shop.run(&apply);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("Helm 4 conflicts with it; nothing changed"), "{}", refused.stderr);
    assert!(refused.stderr.contains(&uninject), "{}", refused.stderr);
    assert_eq!(shop.history("gloo")?, ["deployed"]);

    istio(&["uninject"])?;
    let map = shop.plane.api().get("v1/ConfigMap", name, "gateway-proxy-envoy-config")?.expect("the bootstrap");
    let managers: Vec<_> =
        map["metadata"]["managedFields"].as_array().into_iter().flatten().map(|it| &it["manager"]).collect();
    assert_eq!(managers, [&json!("helm")]);
    let done = shop.done(&apply)?;
    assert!(done.stderr.contains("verified: sds and istio-proxy ready"), "{}", done.stderr);
    Ok(())
}

#[test]
fn a_gateway_that_helm_owns_is_restarted_and_helm_4_still_upgrades_it() -> Result<()> {
    let shop = Shop::with(stage::helm_4(), "restarted")?;
    let name = shop.namespace.as_str();
    shop.install("gloo", &open_source(), "mine: 1\n")?;
    let restarted_at = || -> Result<Value> {
        let gateway = shop.plane.api().get("apps/v1/Deployment", name, "gateway-proxy")?.expect("the gateway");
        Ok(gateway["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"].clone())
    };
    assert!(restarted_at()?.is_null());
    let restarted = shop.sandbox.run(&["proxy", "restart", "gateway-proxy", "-n", name]);
    assert_eq!(restarted.code, Some(0), "{}", restarted.stderr);
    assert!(restarted_at()?.is_string());
    shop.upgrade("gloo", &open_source(), "mine: 2\n")?;
    assert_eq!(shop.history("gloo")?, ["superseded", "deployed"]);
    Ok(())
}

#[test]
fn helm_4_itself_fails_where_the_conflict_was_said() -> Result<()> {
    let shop = Shop::with(stage::helm_4(), "fails-so")?;
    shop.install("gloo", &open_source(), "mine: 1\n")?;
    let injected = shop.sandbox.run(&["istio", "inject", "-n", &shop.namespace, "--revision", "1-28"]);
    assert_eq!(injected.code, Some(0), "{}", injected.stderr);
    let values = shop.done(&[&REVISION[..], &["-q"]].concat())?.stdout;
    let helm = format!("{:#}", shop.upgrade("gloo", &open_source(), &values).expect_err("a conflict"));
    assert!(helm.contains("with \"gloo-rs\""), "{helm}");
    Ok(())
}

#[test]
fn a_switch_of_settings_that_helm_4_conflicts_with_is_said_with_the_way_out() -> Result<()> {
    let shop = Shop::with(stage::helm_4(), "switch")?;
    let name = shop.namespace.as_str();
    let on = "global: {istioIntegration: {enabled: true, enableAutoMtls: true}}\n";
    shop.install("gloo", &open_source(), on)?;
    let switched = |word: &str| shop.sandbox.run(&["istio", "auto-mtls", word, "-n", name, "--yes", "--force"]);
    let off = switched("disable");
    assert_eq!(off.code, Some(0), "{}", off.stderr);
    let chart = open_source();
    let apply = ["--revision", "1-28", "--chart", text(&chart)?, "--apply", "--yes"];
    let refused = shop.run(&apply);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    for words in ["Settings have enableAutoMtls false that gloo-rs wrote", "gloo-rs istio auto-mtls enable"] {
        assert!(refused.stderr.contains(words), "{words}: {}", refused.stderr);
    }
    let back = switched("enable");
    assert_eq!(back.code, Some(0), "{}", back.stderr);
    shop.done(&apply)?;
    Ok(())
}

#[test]
fn an_injection_that_was_rolled_back_leaves_nothing_that_helm_4_conflicts_with() -> Result<()> {
    let shop = Shop::with(stage::helm_4(), "rolled-back")?;
    let name = shop.namespace.as_str();
    shop.install("gloo", &open_source(), "mine: 1\n")?;
    // No pod with a sidecar can be made: each asks for a volume that the quota of pods has no room for.
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "no-more", "namespace": name},
        "spec": {"hard": {"pods": "2"}},
    });
    shop.plane.api().apply(&quota.to_string())?;
    shop.plane.api().wait("v1/ResourceQuota", name, "no-more", |quota| !quota["status"]["hard"].is_null())?;
    let failed = shop.sandbox.run(&["istio", "inject", "-n", name, "--revision", "1-28", "--wait-timeout", "12s"]);
    assert_eq!(failed.code, Some(5), "{}", failed.stderr);
    shop.plane.api().delete("v1/ResourceQuota", name, "no-more")?;
    let output = shop.done(&[&REVISION[..], &["-o", "json"]].concat())?;
    assert!(!codes(&output.stdout)?.contains(&json!("helmConflict")), "{}", output.stderr);
    let chart = open_source();
    shop.done(&["--revision", "1-28", "--chart", text(&chart)?, "--apply", "--yes"])?;
    Ok(())
}

#[test]
fn what_helm_3_installed_helm_4_upgrades_over_a_live_injection() -> Result<()> {
    let mut shop = Shop::with(stage::helm(), "csa")?;
    let name = shop.namespace.clone();
    shop.install("gloo", &open_source(), "mine: 1\n")?;
    let injected = shop.sandbox.run(&["istio", "inject", "-n", &name, "--revision", "1-28"]);
    assert_eq!(injected.code, Some(0), "{}", injected.stderr);
    shop.helm = stage::helm_4();
    shop.sandbox = shop.sandbox.env("PATH", super::path(shop.helm)?);
    let chart = open_source();
    let done = shop.done(&["--revision", "1-28", "--chart", text(&chart)?, "--apply", "--yes"])?;
    assert!(done.stderr.contains("that gloo-rs wrote: the upgrade overwrites it"), "{}", done.stderr);
    assert_eq!(shop.history("gloo")?, ["superseded", "deployed"]);
    let check = shop.sandbox.run(&["istio", "inject", "-n", &name, "--check"]);
    assert_eq!(check.code, Some(0), "{}", check.stderr);
    Ok(())
}
