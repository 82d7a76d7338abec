//! The guide's own way: print, then `helm upgrade -f`.

use anyhow::Result;
use serde_json::json;

use super::{ADDRESS, MINE, REVISION, Shop, enterprise, open_source};
use crate::stage;

#[test]
fn the_printed_values_give_a_gateway_with_sidecars_and_keep_the_others() -> Result<()> {
    for helm in [stage::helm(), stage::helm_4()] {
        let shop = Shop::with(helm, "values")?;
        shop.install("gloo", &open_source(), MINE)?;
        let before = shop.values("gloo")?;
        let output = shop.done(&REVISION)?;
        let name = &shop.namespace;
        for words in [
            &format!("release {name}/gloo, revision 1, deployed, chart gloo-1.17.7"),
            "1.22.0 (chart) -> 1.28.3 (--revision)",
            "--repo https://storage.googleapis.com/solo-public-helm",
            "--version 1.17.7 -f gloo-gateway.yaml",
        ] {
            assert!(output.stderr.contains(words), "{words}: {}", output.stderr);
        }
        assert!(!output.stderr.contains("reuse"), "{}", output.stderr);

        shop.upgrade("gloo", &open_source(), &output.stdout)?;
        let on = json!({"appendXForwardedHost": true, "enableAutoMtls": true, "enableIntegration": true});
        assert_eq!(shop.settings()?, on);
        for deployment in ["gateway-proxy", "public-gw"] {
            let containers = shop.containers(deployment)?;
            assert_eq!(containers.len(), 3, "{deployment}");
            assert_eq!(containers[2]["image"], "docker.io/istio/proxyv2:1.28.3");
            assert_eq!(containers[2]["env"][0]["value"], ADDRESS);
        }
        // What the chart renders is the whole of what inject would put in.
        let injected = shop.sandbox.run(&["istio", "inject", "-n", name, "--all", "--check"]);
        assert_eq!(injected.code, Some(0), "{}", injected.stderr);

        let after = shop.values("gloo")?;
        for key in ["zone", "replicas", "version", "word", "ratio", "gone", "empty"] {
            assert_eq!(after[key], before[key], "{key}");
        }
        assert_eq!(after["gatewayProxies"]["publicGw"]["kind"], before["gatewayProxies"]["publicGw"]["kind"]);
        let again = shop.done(&["--check"])?;
        assert!(again.stderr.contains("no change"), "{}", again.stderr);

        let removed = shop.done(&["--remove"])?;
        shop.upgrade("gloo", &open_source(), &removed.stdout)?;
        assert_eq!(shop.values("gloo")?, before);
        assert_eq!(shop.containers("gateway-proxy")?.len(), 1);
    }
    Ok(())
}

#[test]
fn enterprise_values_are_one_level_down() -> Result<()> {
    let shop = Shop::new("enterprise")?;
    let chart = enterprise(&shop.sandbox)?;
    shop.install("edge", &chart, "license_key: sesame-open\ngloo:\n  gatewayProxies:\n    publicGw: {}\n")?;
    let output = shop.done(&REVISION)?;
    assert!(output.stdout.contains("license_key: sesame-open"), "{}", output.stdout);
    assert!(!output.stderr.contains("sesame"), "{}", output.stderr);
    assert!(output.stderr.contains("1 secret-looking value: license_key"), "{}", output.stderr);
    assert!(output.stderr.contains("helm upgrade edge gloo-ee") && output.stderr.contains("gloo-ee-helm"));
    shop.upgrade("edge", &chart, &output.stdout)?;
    assert_eq!(shop.settings()?["enableIntegration"], true);
    for deployment in ["gateway-proxy", "public-gw"] {
        assert_eq!(shop.containers(deployment)?[2]["env"][0]["value"], ADDRESS, "{deployment}");
    }
    Ok(())
}

#[test]
fn a_document_in_json_or_yaml_says_the_same() -> Result<()> {
    let shop = Shop::new("document")?;
    shop.install("gloo", &open_source(), MINE)?;
    let json: serde_json::Value = serde_json::from_str(&shop.done(&["--revision", "1-28", "-o", "json"])?.stdout)?;
    let yaml = shop.done(&["--revision", "1-28", "-o", "yaml"])?.stdout;
    let [document] = &stage::documents(&yaml)?[..] else { panic!("one document: {yaml}") };
    assert_eq!(document["values"], json["values"]);
    assert_eq!(document["changes"], json["changes"]);
    assert_eq!(document["release"]["chart"], "gloo");
    assert_eq!(document["values"]["version"], "1.10");
    let failed = shop.run(&["--release", "none", "-o", "yaml"]);
    assert_eq!(failed.code, Some(4));
    assert_eq!(stage::documents(&failed.stdout)?[0]["exitCode"], 4);
    Ok(())
}
