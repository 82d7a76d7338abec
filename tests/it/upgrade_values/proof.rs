//! What the changed values do to the objects of the chart, as the real Helm renders them: the open source chart, the
//! Enterprise chart, and a chart of one's own around each, with the keys of 1.17 and 1.22.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{ADDRESS, CHARTS, Shop, copied, enterprise, path, text};
use crate::stage::{self, Options, Plane};
use crate::support::Sandbox;

const IMAGE: &str = "mirror.example/istio/proxyv2:1.28.3";
const TYPED: [&str; 8] = [
    "--istio-discovery-address",
    ADDRESS,
    "--istio-meta-mesh-id",
    "mesh1",
    "--istio-meta-cluster-id",
    "east",
    "--istio-proxy-image",
    IMAGE,
];

/// The values of Gloo's chart: a proxy that is off, one that is on, and the Gateway API.
const VALUES: &str = "# ours\ngatewayProxies:\n  gatewayProxy: {disabled: true}\n  publicGw:\n    kind: {deployment: {replicas: 2}}\nkubeGateway:\n  enabled: true # now\n";

fn below(key: &str, values: &str) -> String {
    let lines: Vec<_> = values.lines().map(|line| format!("  {line}\n")).collect();
    format!("{key}:\n{}", lines.concat())
}

/// A chart and the values for it.
struct Case {
    chart: PathBuf,
    values: String,
    edition: &'static str,
    below: Value,
}

/// Makes the chart that of a version: lays what differs in 1.22 over it, or sets the version. Removes the template with
/// all values, which would name every key.
fn released(chart: &Path, version: &str) -> Result<()> {
    let is_own = !chart.join("charts").is_dir();
    if is_own && version.starts_with("1.22.") {
        let differs = Path::new(CHARTS).join("gloo-1.22/.");
        ensure!(Command::new("cp").arg("-r").arg(differs).arg(chart).status()?.success());
    }
    let file = chart.join("Chart.yaml");
    std::fs::write(&file, std::fs::read_to_string(&file)?.replace("1.17.7", version))?;
    let probe = chart.join("templates/probe.yaml");
    if probe.is_file() {
        std::fs::remove_file(probe)?;
    }
    let inner = chart.join("charts/gloo");
    if inner.is_dir() { released(&inner, version) } else { Ok(()) }
}

fn around(sandbox: &Sandbox, chart: &Path, name: &str, version: &str) -> Result<PathBuf> {
    let directory = format!("around-{name}");
    let repository = if name == "gloo" { "solo-public-helm" } else { "gloo-ee-helm" };
    let dependency = format!(
        "{{name: {name}, version: {version}, alias: ingress, repository: https://storage.googleapis.com/{repository}}}"
    );
    sandbox.write(
        &format!("{directory}/Chart.yaml"),
        format!("apiVersion: v2\nname: edge\nversion: 0.3.0\ndependencies:\n- {dependency}\n"),
    );
    let outer = sandbox.dir().join(directory);
    std::fs::create_dir(outer.join("charts"))?;
    ensure!(Command::new("cp").arg("-r").arg(chart).arg(outer.join("charts").join(name)).status()?.success());
    Ok(outer)
}

fn cases(sandbox: &Sandbox, version: &str) -> Result<Vec<Case>> {
    let gloo = copied(sandbox, "gloo")?;
    let gloo_ee = enterprise(sandbox)?;
    released(&gloo, version)?;
    released(&gloo_ee, version)?;
    let in_enterprise = below("gloo", VALUES);
    Ok(vec![
        Case {
            chart: around(sandbox, &gloo, "gloo", version)?,
            values: below("ingress", VALUES),
            edition: "open-source",
            below: json!("ingress"),
        },
        Case {
            chart: around(sandbox, &gloo_ee, "gloo-ee", version)?,
            values: below("ingress", &in_enterprise),
            edition: "enterprise",
            below: json!("ingress"),
        },
        Case { chart: gloo, values: VALUES.to_owned(), edition: "open-source", below: Value::Null },
        Case { chart: gloo_ee, values: in_enterprise, edition: "enterprise", below: Value::Null },
    ])
}

fn template(helm: &Path, sandbox: &Sandbox, chart: &Path, values: &str) -> Result<String> {
    sandbox.write("rendered.yaml", values);
    let mut command = Command::new(helm);
    command.arg("template").arg("gloo").arg(chart).args(["-f", "rendered.yaml"]).current_dir(sandbox.dir());
    let output = command.env_clear().env("HOME", sandbox.dir()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn object<'d>(document: &'d Value, kind: &str) -> &'d Value {
    let all = document["proof"]["objects"].as_array().expect("a list");
    all.iter().find(|object| object["kind"] == kind).unwrap_or(&Value::Null)
}

fn holds(helm: &'static Path, version: &str) -> Result<()> {
    let sandbox = Sandbox::new().env("PATH", path(helm)?);
    for Case { chart, values, edition, below } in cases(&sandbox, version)? {
        sandbox.write("values.yaml", &values);
        let args = ["upgrade-values", "--values", "values.yaml", "--chart", text(&chart)?, "--prove"];
        let said = sandbox.run(&[&args[..], &TYPED, &["-o", "json"]].concat());
        assert_eq!(said.code, Some(0), "{said:#?}");
        let document: Value = serde_json::from_str(&said.stdout)?;
        assert_eq!(
            (&document["chart"]["edition"], &document["chart"]["below"]),
            (&json!(edition), &below),
            "{said:#?}"
        );
        assert_eq!(document["proof"]["state"], "rendered", "{said:#?}");
        assert_eq!(document["proof"]["withoutEffect"], json!([]), "{said:#?}");
        let settings = json!({"address": ADDRESS, "meshId": "mesh1", "clusterId": "east", "image": IMAGE});
        let proxy = object(&document, "Deployment");
        assert_eq!(proxy["name"], "public-gw");
        assert_eq!((&proxy["before"], &proxy["after"]), (&json!({}), &settings));
        let parameters = object(&document, "GatewayParameters");
        let before = json!({
            "address": "istiod.istio-system.svc:15012", "meshId": "cluster.local", "clusterId": "Kubernetes",
            "image": "docker.io/istio/proxyv2:1.22.0",
        });
        assert_eq!((&parameters["before"], &parameters["after"]), (&before, &settings));
        assert_eq!(object(&document, "Settings")["after"], json!({"integration": "on", "autoMtls": "on"}));

        // What this Helm makes of the printed file, read by the test itself.
        let merged = sandbox.run(&[&args[..], &TYPED].concat());
        let rendered = template(helm, &sandbox, &chart, &merged.stdout)?;
        let objects = stage::documents(&rendered)?;
        let of = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap_or(&Value::Null);
        let container = &of("GatewayParameters")["spec"]["kube"]["istio"]["istioProxyContainer"];
        assert_eq!(container["istioDiscoveryAddress"], ADDRESS, "{rendered}");
        assert_eq!(container["image"]["registry"], "mirror.example/istio");
        assert!(rendered.contains(&format!("{{name: CA_ADDR, value: \"{ADDRESS}\"}}")), "{rendered}");
        assert_eq!(of("Settings")["spec"]["gloo"]["istioOptions"]["enableAutoMtls"], true);

        // And back, byte for byte.
        sandbox.write("values.yaml", &merged.stdout);
        let removed = sandbox.run(&[&args[..], &["--remove"]].concat());
        assert_eq!((removed.code, removed.stdout.as_str()), (Some(0), values.as_str()), "{}", removed.stderr);
        assert!(removed.stderr.contains(&format!("address: {ADDRESS} -> (none)")), "{}", removed.stderr);
    }
    Ok(())
}

#[test]
fn helm_3_shows_the_settings_of_all_gateways_with_the_keys_of_1_17() -> Result<()> {
    holds(stage::helm(), "1.17.7")
}

#[test]
fn helm_4_shows_the_settings_of_all_gateways_with_the_keys_of_1_22() -> Result<()> {
    holds(stage::helm_4(), "1.22.1")
}

#[test]
fn a_key_that_is_named_but_not_rendered_is_left_out() -> Result<()> {
    let sandbox = Sandbox::new().env("PATH", path(stage::helm())?);
    let chart = copied(&sandbox, "gloo")?;
    released(&chart, "1.18.2")?;
    let file = chart.join("templates/gateway-proxies.yaml");
    let rendered = "value: {{ $proxy.istioMetaMeshId | default \"cluster.local\" | quote }}";
    let templates = std::fs::read_to_string(&file)?;
    assert!(templates.contains(rendered));
    std::fs::write(&file, templates.replace(rendered, "value: fixed {{/* istioMetaMeshId */}}"))?;
    sandbox.write("values.yaml", "gatewayProxies: {}\n");
    let args = ["upgrade-values", "--values", "values.yaml", "--chart", "gloo"];
    let named = sandbox.run(&[&args[..], &TYPED, &["-o", "json"]].concat());
    assert!(named.stdout.contains("mesh1") && named.stdout.contains("\"state\": \"named\""), "{named:#?}");
    let proven = sandbox.run(&[&args[..], &TYPED, &["--prove", "-o", "json", "--check"]].concat());
    assert_eq!(proven.code, Some(3), "{proven:#?}");
    let document: Value = serde_json::from_str(&proven.stdout)?;
    assert_eq!(document["proof"]["withoutEffect"], json!(["gatewayProxies.gatewayProxy.istioMetaMeshId"]));
    let paths = document["changes"].as_array().expect("a list").iter().map(|change| &change["path"]);
    assert!(!paths.into_iter().any(|path| path == "gatewayProxies.gatewayProxy.istioMetaMeshId"), "{document:#}");
    assert_eq!(document["values"]["gatewayProxies"]["gatewayProxy"].get("istioMetaMeshId"), None);

    // A switch without effect next to the other one.
    let sds = sandbox.run(&[&args[..], &TYPED, &["--prove", "-o", "json", "--sds"]].concat());
    let document: Value = serde_json::from_str(&sds.stdout)?;
    assert_eq!(document["proof"]["withoutEffect"][0], "gatewayProxies.gatewayProxy.istioMetaMeshId");
    assert_eq!(document["proof"]["withoutEffect"][1], "global.istioSDS.enabled");
    Ok(())
}

#[test]
fn what_cannot_be_rendered_is_not_proven() -> Result<()> {
    let sandbox = Sandbox::new().env("PATH", path(stage::helm())?);
    let chart = copied(&sandbox, "gloo")?;
    sandbox.write("values.yaml", "license: sesame\ngatewayProxies: {}\n");
    let args = ["upgrade-values", "--values", "values.yaml", "--istio-discovery-address", ADDRESS, "--prove"];
    let state = |args: &[&str]| -> Result<(Option<i32>, Value)> {
        let said = sandbox.run(&[args, &["-o", "json"]].concat());
        let document: Value = serde_json::from_str(&said.stdout)?;
        Ok((said.code, document["proof"].clone()))
    };
    let (code, proof) = state(&args)?;
    assert_eq!((code, &proof["state"]), (Some(0), &json!("notProven")));
    assert!(proof["reason"].as_str().is_some_and(|why| why.contains("--chart")), "{proof}");
    std::fs::write(chart.join("templates/bad.yaml"), "{{ fail \"no mesh today\" }}\n")?;
    let (code, proof) = state(&[&args[..], &["--chart", "gloo"]].concat())?;
    assert_eq!((code, &proof["state"]), (Some(0), &json!("notProven")));
    assert!(proof["reason"].as_str().is_some_and(|why| why.contains("no mesh today")), "{proof}");
    Ok(())
}

#[test]
fn a_release_is_proven_with_the_templates_of_its_record() -> Result<()> {
    for helm in [stage::helm(), stage::helm_4()] {
        let shop = Shop::with(helm, "prove")?;
        let chart = copied(&shop.sandbox, "gloo")?;
        released(&chart, "1.18.2")?;
        shop.install("gloo", &chart, "gatewayProxies:\n  own: {}\n  gone: null\n")?;
        // The record is enough.
        std::fs::remove_dir_all(&chart)?;
        let said = shop.done(&["--revision", "1-28", "--prove", "-o", "json"])?;
        let document: Value = serde_json::from_str(&said.stdout)?;
        assert_eq!(document["proof"]["state"], "rendered", "{document:#}");
        assert_eq!(document["proof"]["withoutEffect"], json!([]));
        let proxies: Vec<_> = document["proof"]["objects"].as_array().expect("a list").iter().collect();
        let own = proxies.iter().find(|object| object["name"] == "own").expect("the proxy");
        assert_eq!((&own["before"], &own["after"]["address"]), (&json!({}), &json!(ADDRESS)));
        let named: Value = serde_json::from_str(&shop.done(&["--revision", "1-28", "-o", "json"])?.stdout)?;
        assert_eq!(named["proof"]["state"], "named");
    }
    Ok(())
}

#[test]
fn a_record_of_enterprise_or_of_ones_own_chart_needs_the_chart() -> Result<()> {
    let shop = Shop::new("prove-ee")?;
    let chart = enterprise(&shop.sandbox)?;
    shop.install("edge", &chart, "license_key: sesame\n")?;
    let said = shop.done(&["--revision", "1-28", "--prove", "-o", "json"])?;
    let document: Value = serde_json::from_str(&said.stdout)?;
    assert_eq!(document["proof"]["state"], "notProven");
    let why = document["proof"]["reason"].as_str().unwrap_or_default();
    assert!(why.contains("lacks the charts in it (gloo)") && why.contains("--chart"), "{why}");
    assert_eq!(document["chart"]["reason"], "release edge names this chart");
    shop.helm(&["uninstall", "edge", "--wait"])?;

    let gloo = copied(&shop.sandbox, "own")?;
    let outer = around(&shop.sandbox, &gloo, "gloo", "1.17.7")?;
    shop.install("mine", &outer, "ingress: {gatewayProxies: {publicGw: {}}}\n")?;
    let found: Value = serde_json::from_str(&shop.done(&["--revision", "1-28", "-o", "json"])?.stdout)?;
    assert_eq!((&found["release"]["name"], &found["chart"]["below"]), (&json!("mine"), &json!("ingress")));
    let applied = shop.done(&["--revision", "1-28", "--chart", text(&outer)?, "--apply", "--yes", "-o", "json"])?;
    let document: Value = serde_json::from_str(&applied.stdout)?;
    assert_eq!(document["proof"]["state"], "rendered", "{document:#}");
    assert_eq!(shop.values("mine")?["ingress"]["global"]["istioIntegration"]["enabled"], true);
    assert_eq!(shop.settings()?["enableAutoMtls"], true);
    assert_eq!(shop.containers("public-gw")?[2]["env"][0]["value"], ADDRESS);
    let removed = ["--remove", "--chart", text(&outer)?, "--apply", "--yes"];
    shop.done(&removed)?;
    assert_eq!(shop.values("mine")?, json!({"ingress": {"gatewayProxies": {"publicGw": {}}}}));
    Ok(())
}

/// A proxy as Gloo's controller makes it for a Gateway.
fn of_gateway_api(shop: &Shop<'_>, address: &str) -> String {
    let labels = json!({"gloo": "kube-gateway", "gateway.networking.k8s.io/gateway-name": "http"});
    let container = |name: &str| json!({"name": name, "image": "x", "env": [{"name": "CA_ADDR", "value": address}]});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "gloo-proxy-http", "namespace": shop.namespace, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container("gloo-gateway"), container("sds"), container("istio-proxy")]},
            },
        },
    })
    .to_string()
}

/// The same without sidecars.
fn bare_of_gateway_api(shop: &Shop<'_>) -> String {
    let mut bare: Value = serde_json::from_str(&of_gateway_api(shop, ADDRESS)).expect("it is JSON");
    bare["spec"]["template"]["spec"]["containers"].as_array_mut().expect("a list").truncate(1);
    bare.to_string()
}

#[test]
fn an_upgrade_waits_for_the_proxies_of_the_gateway_api() -> Result<()> {
    // An upgrade waits for all gateways of the Gateway API in the cluster, also for those of other tests.
    let plane = Plane::start(&Options::default())?;
    plane.install_guide()?;
    let shop = Shop::on(&plane, stage::helm(), "kube-gw")?;
    let chart = copied(&shop.sandbox, "gloo")?;
    let values = "kubeGateway: {enabled: true}\ngatewayProxies: {gatewayProxy: {disabled: true}}\n";
    shop.install("gloo", &chart, values)?;
    shop.plane.api().apply(&of_gateway_api(&shop, "istiod-1-27.istio-system.svc:15012"))?;
    let apply = ["--revision", "1-28", "--chart", text(&chart)?, "--apply", "--yes"];
    let late = shop.run(&[&apply[..], &["--wait-timeout", "1s"]].concat());
    assert_eq!(late.code, Some(7), "{late:#?}");
    assert!(late.stderr.contains("its istiod is istiod-1-27.istio-system.svc:15012, not "), "{}", late.stderr);
    let parameters =
        shop.plane.api().get("gateway.gloo.solo.io/v1alpha1/GatewayParameters", &shop.namespace, "gloo-gateway")?;
    let container = &parameters.unwrap_or_default()["spec"]["kube"]["istio"]["istioProxyContainer"];
    assert_eq!((&container["istioDiscoveryAddress"], &container["image"]["tag"]), (&json!(ADDRESS), &json!("1.28.3")));

    // With the controller's answer, the same upgrade is verified.
    shop.plane.api().apply(&of_gateway_api(&shop, ADDRESS))?;
    shop.helm(&["rollback", "gloo", "1"])?;
    let done = shop.run(&apply);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stderr.contains("gloo-proxy-http: 1 of 1 pods new and ready"), "{}", done.stderr);

    // The name of the Gateway leads to the release that has its parameters.
    for object in stage::class_and_gateway(&shop.namespace) {
        shop.plane.api().apply(&object.to_string())?;
    }
    let by_gateway = |words: &[&str]| {
        let of_gateway = ["--gateway", "http", "--chart", text(&chart).unwrap_or_default()];
        shop.sandbox.run(&[&["istio"], words, &of_gateway].concat())
    };
    let planned = by_gateway(&["uninject", "--dry-run"]);
    assert_eq!(planned.code, Some(0), "{planned:#?}");
    assert!(planned.stderr.contains(&format!("is of Helm release {}/gloo", shop.namespace)), "{planned:#?}");
    assert_eq!(shop.values("gloo")?["global"]["istioIntegration"]["enabled"], true);
    shop.plane.api().apply(&bare_of_gateway_api(&shop))?;
    let removed = by_gateway(&["uninject", "--yes"]);
    assert_eq!(removed.code, Some(0), "{removed:#?}");
    assert_eq!(shop.values("gloo")?["global"]["istioIntegration"]["enabled"], Value::Null);
    let setup = by_gateway(&["setup", "--revision", "1-28", "--no-verify", "--dry-run"]);
    assert_eq!(setup.code, Some(0), "{setup:#?}");
    let undo = format!(
        "undo: gloo-rs upgrade-values --remove --apply --chart [DIR]/gloo -n {0} --gloo-namespace {0}\n",
        shop.namespace
    );
    for said in
        ["  1 helm      the values of Gloo's release\n", "istio.istioProxyContainer.istioDiscoveryAddress: ", &undo]
    {
        assert!(setup.stdout.contains(said), "{said}: {setup:#?}");
    }
    shop.plane.api().apply(&of_gateway_api(&shop, ADDRESS))?;
    let injected = by_gateway(&["inject", "--revision", "1-28", "--yes"]);
    assert_eq!(injected.code, Some(0), "{injected:#?}");
    let values = shop.values("gloo")?;
    assert_eq!(values["global"]["istioIntegration"], json!({"enabled": true}), "auto-mTLS stays as it is");
    let istio = &values["kubeGateway"]["gatewayParameters"]["glooGateway"]["istio"];
    assert_eq!(istio["istioProxyContainer"]["istioDiscoveryAddress"], ADDRESS);
    Ok(())
}
