//! What `check` finds about a release of the real Helm: values that differ from what runs, and what an upgrade drops.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{REVISION, Shop, open_source};

/// The findings about the release.
fn found(shop: &Shop<'_>) -> Result<Vec<String>> {
    let args = ["check", "-n", &shop.namespace, "-r", &shop.namespace, "--read-only", "-o", "json"];
    let output = shop.sandbox.run(&args);
    let document: Value = serde_json::from_str(&output.stdout).with_context(|| format!("{output:?}"))?;
    let findings = document["findings"].as_array().context("findings")?;
    let lines = findings.iter().map(|it| format!("{} {}", it["code"].as_str().unwrap_or_default(), it["name"]));
    Ok(lines.filter(|line| line.starts_with("GRS30")).map(|line| line.replace('"', "")).collect())
}

#[test]
fn what_differs_from_the_release_and_what_its_next_upgrade_drops_is_found() -> Result<()> {
    let shop = Shop::new("findings")?;
    shop.install("gloo", &open_source(), "mine: 1\n")?;
    assert_eq!(found(&shop)?, [""; 0]);

    let namespace = shop.namespace.clone();
    let injected = shop.sandbox.run(&["istio", "inject", "-n", &namespace, "--revision", "1-28"]);
    assert_eq!(injected.code, Some(0), "{injected:?}");
    assert_eq!(found(&shop)?, ["GRS304 gateway-proxy"]);
    // It does what the finding says.
    shop.upgrade("gloo", &open_source(), "mine: 2\n")?;
    let config = shop.plane.api().get("v1/ConfigMap", &namespace, "gateway-proxy-envoy-config")?.context("it")?;
    assert!(!config["data"]["envoy.yaml"].as_str().unwrap_or_default().contains("gateway_proxy_sds"));

    let values = shop.done(&REVISION)?;
    shop.upgrade("gloo", &open_source(), &values.stdout)?;
    assert_eq!(found(&shop)?, [""; 0], "the values have what runs");

    let off = json!({"spec": {"gloo": {"istioOptions": {"enableAutoMtls": false}}}});
    shop.plane.api().merge("gloo.solo.io/v1/Settings", &namespace, "default", &off)?;
    assert_eq!(found(&shop)?, ["GRS303 default"]);
    shop.upgrade("gloo", &open_source(), &values.stdout)?;

    let label = json!({"metadata": {"labels": {"istio.io/rev": "1-28"}}});
    shop.plane.api().merge("v1/Namespace", "", &namespace, &label)?;
    assert_eq!(found(&shop)?.last().map(String::as_str), Some(format!("GRS305 {namespace}").as_str()));
    Ok(())
}
