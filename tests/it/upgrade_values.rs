//! `upgrade-values` with the real Helm, on a real API server.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::stage::{self, Plane};
use crate::support::{Output, Sandbox};

const CHARTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/charts");
const ADDRESS: &str = "istiod-1-28.istio-system.svc:15012";

/// Helm and the program in one namespace.
struct Shop<'p> {
    plane: &'p Plane,
    namespace: String,
    sandbox: Sandbox,
}

impl Shop<'_> {
    fn new(prefix: &str) -> Result<Self> {
        let plane = stage::shared();
        let namespace = plane.namespace(prefix)?;
        let kubeconfig = plane.kubeconfig();
        let sandbox = Sandbox::new().env("KUBECONFIG", kubeconfig.to_str().context("UTF-8")?);
        Ok(Self { plane, namespace, sandbox })
    }

    fn helm(&self, args: &[&str]) -> Result<String> {
        let output = self.helm_output(args)?;
        ensure!(output.status.success(), "helm {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    fn helm_output(&self, args: &[&str]) -> Result<std::process::Output> {
        let mut command = Command::new(stage::helm());
        command.args(args).args(["-n", &self.namespace]).current_dir(self.sandbox.dir());
        command.env_clear().env("HOME", self.sandbox.dir()).env("KUBECONFIG", self.plane.kubeconfig());
        Ok(command.output()?)
    }

    fn run(&self, args: &[&str]) -> Output {
        self.sandbox.run(&[&["upgrade-values", "-n", &self.namespace], args].concat())
    }

    fn done(&self, args: &[&str]) -> Result<Output> {
        let output = self.run(args);
        ensure!(output.code == Some(0), "{args:?}: {output:#?}");
        Ok(output)
    }

    fn install(&self, release: &str, chart: &Path, values: &str) -> Result<()> {
        self.sandbox.write("mine.yaml", values);
        self.helm(&["install", release, chart.to_str().context("UTF-8")?, "-f", "mine.yaml", "--wait"]).map(drop)
    }

    fn upgrade(&self, release: &str, chart: &Path, values: &str) -> Result<()> {
        self.sandbox.write("new.yaml", values);
        self.helm(&["upgrade", release, chart.to_str().context("UTF-8")?, "-f", "new.yaml", "--wait"]).map(drop)
    }

    fn values(&self, release: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.helm(&["get", "values", release, "-o", "json"])?)?)
    }

    fn settings(&self) -> Result<Value> {
        let settings = self.plane.api().get("gloo.solo.io/v1/Settings", &self.namespace, "default")?;
        Ok(settings.context("Settings")?["spec"]["gloo"]["istioOptions"].clone())
    }

    fn containers(&self, deployment: &str) -> Result<Vec<Value>> {
        let found = self.plane.api().get("apps/v1/Deployment", &self.namespace, deployment)?.context("the proxy")?;
        Ok(found["spec"]["template"]["spec"]["containers"].as_array().cloned().unwrap_or_default())
    }
}

fn open_source() -> PathBuf {
    Path::new(CHARTS).join("gloo")
}

/// The umbrella with the open source chart in it, as it is published.
fn enterprise(sandbox: &Sandbox) -> Result<PathBuf> {
    let chart = sandbox.dir().join("gloo-ee");
    for (from, to) in [("gloo-ee", chart.clone()), ("gloo", chart.join("charts/gloo"))] {
        for file in ["Chart.yaml", "values.yaml"] {
            std::fs::create_dir_all(to.join("templates"))?;
            std::fs::copy(Path::new(CHARTS).join(from).join(file), to.join(file))?;
        }
        for entry in std::fs::read_dir(Path::new(CHARTS).join(from).join("templates"))? {
            let entry = entry?;
            std::fs::copy(entry.path(), to.join("templates").join(entry.file_name()))?;
        }
    }
    Ok(chart)
}

const MINE: &str = "# ours\nzone: b\nreplicas: 1000000\nversion: \"1.10\"\nword: \"yes\"\nratio: 0.25\ngone: null\nempty: {}\n\
    gatewayProxies:\n  gatewayProxy:\n    podTemplate:\n      httpPort: 8081\n  publicGw:\n    kind:\n      deployment:\n        replicas: 2\n";

#[test]
fn the_printed_values_give_a_gateway_with_sidecars_and_keep_the_others() -> Result<()> {
    let shop = Shop::new("values")?;
    shop.install("gloo", &open_source(), MINE)?;
    let before = shop.values("gloo")?;
    let output = shop.done(&["--revision", "1-28"])?;
    let name = &shop.namespace;
    assert!(
        output.stderr.contains(&format!("release {name}/gloo, revision 1, deployed, chart gloo-1.17.7")),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("1.22.0 (chart) -> 1.28.3 (--revision)"), "{}", output.stderr);
    assert!(output.stderr.contains("--repo https://storage.googleapis.com/solo-public-helm"), "{}", output.stderr);
    assert!(output.stderr.contains("--version 1.17.7 -f gloo-gateway.yaml") && !output.stderr.contains("reuse"));

    shop.upgrade("gloo", &open_source(), &output.stdout)?;
    assert_eq!(
        shop.settings()?,
        json!({"appendXForwardedHost": true, "enableAutoMtls": true, "enableIntegration": true})
    );
    for deployment in ["gateway-proxy", "public-gw"] {
        let containers = shop.containers(deployment)?;
        assert_eq!(containers.len(), 3, "{deployment}");
        assert_eq!(containers[2]["image"], "docker.io/istio/proxyv2:1.28.3");
        assert_eq!(containers[2]["env"][0]["value"], ADDRESS);
    }
    let mut after = shop.values("gloo")?;
    for key in ["zone", "replicas", "version", "word", "ratio", "gone", "empty"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert_eq!(after["gatewayProxies"]["publicGw"]["kind"], before["gatewayProxies"]["publicGw"]["kind"]);

    let again = shop.done(&["--check"])?;
    assert!(again.stderr.contains("no change"), "{}", again.stderr);

    let removed = shop.done(&["--remove"])?;
    shop.upgrade("gloo", &open_source(), &removed.stdout)?;
    after = shop.values("gloo")?;
    assert_eq!(after, before);
    assert_eq!(shop.containers("gateway-proxy")?.len(), 1);
    Ok(())
}

#[test]
fn enterprise_values_are_one_level_down() -> Result<()> {
    let shop = Shop::new("enterprise")?;
    let chart = enterprise(&shop.sandbox)?;
    shop.install("edge", &chart, "license_key: sesame-open\ngloo:\n  gatewayProxies:\n    publicGw: {}\n")?;
    let output = shop.done(&["--revision", "1-28"])?;
    assert!(
        output.stdout.contains("license_key: sesame-open") && !output.stderr.contains("sesame"),
        "{}",
        output.stderr
    );
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
fn apply_upgrades_proves_and_takes_back_and_asks_before() -> Result<()> {
    let mut shop = Shop::new("apply")?;
    let path = format!("{}:/usr/bin:/bin", stage::helm().parent().context("a directory")?.display());
    shop.sandbox = shop.sandbox.env("PATH", path);
    shop.install("gloo", &open_source(), MINE)?;
    let before = shop.values("gloo")?;
    let chart = open_source();
    let apply = ["--chart", chart.to_str().context("UTF-8")?, "--apply"];

    let asked = shop.run(&[&apply[..], &["--revision", "1-28"]].concat());
    assert_eq!(asked.code, Some(2), "{}", asked.stderr);
    assert!(asked.stderr.contains("--yes is needed"), "{}", asked.stderr);
    assert_eq!(shop.values("gloo")?, before);

    let done = shop.done(&[&apply[..], &["--revision", "1-28", "--yes"]].concat())?;
    let name = &shop.namespace;
    assert_eq!(done.stdout, format!("release {name}/gloo upgraded (revision 1 -> 2)\n"));
    assert!(done.stderr.contains("verified: sds and istio-proxy ready"), "{}", done.stderr);
    assert_eq!(shop.settings()?["enableAutoMtls"], true);
    assert_eq!(shop.containers("public-gw")?.len(), 3);
    let again = shop.done(&[&apply[..], &["--yes"]].concat())?;
    assert!(again.stderr.contains("no change") && !again.stderr.contains("running"), "{}", again.stderr);

    // Out again with the chart as `helm package` packs it.
    shop.helm(&["package", apply[1]])?;
    shop.done(&["--chart", "gloo-1.17.7.tgz", "--apply", "--remove", "--yes"])?;
    assert_eq!(shop.values("gloo")?, before);
    assert_eq!(shop.settings()?["enableIntegration"], false);
    Ok(())
}

#[test]
fn a_helm_that_fails_or_is_not_there_says_what_state_the_release_is_in() -> Result<()> {
    let mut shop = Shop::new("fails")?;
    shop.install("gloo", &open_source(), "gatewayProxies: {gatewayProxy: {podTemplate: {httpPort: 8081}}}\n")?;
    let chart = shop.sandbox.dir().join("broken");
    let copied = Command::new("cp").arg("-r").arg(open_source()).arg(&chart).status()?;
    ensure!(copied.success());
    // Not a Kubernetes name, which only the API server knows.
    shop.sandbox.write("broken/templates/bad.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NOT_A_NAME}\n");
    let apply = ["--revision", "1-28", "--chart", chart.to_str().context("UTF-8")?, "--apply", "--yes"];

    let nowhere = shop.run(&apply);
    assert_eq!(nowhere.code, Some(1));
    assert!(nowhere.stderr.contains("helm is not on PATH; nothing changed"), "{}", nowhere.stderr);

    let path = format!("{}:/usr/bin:/bin", stage::helm().parent().context("a directory")?.display());
    shop.sandbox = shop.sandbox.env("PATH", path);
    let failed = shop.run(&apply);
    assert_eq!(failed.code, Some(6), "{}", failed.stderr);
    assert!(
        failed.stderr.contains("revision 2: failed") && failed.stderr.contains("helm rollback gloo 1"),
        "{}",
        failed.stderr
    );

    // The failed revision is not the one whose values are taken.
    let after = shop.done(&["--revision", "1-28"])?;
    assert!(after.stderr.contains("revision 2 is failed; the values are those of revision 1"), "{}", after.stderr);
    let typed = shop.done(&["--release-revision", "2", "--revision", "1-28"])?;
    assert!(typed.stderr.contains("revision 2, failed") && typed.stderr.contains("no change"), "{}", typed.stderr);

    let back = shop.run(&[&apply[..], &["--rollback-on-failure"]].concat());
    assert_eq!(back.code, Some(5), "{}", back.stderr);
    assert_eq!(shop.settings()?["enableIntegration"], false);
    Ok(())
}

#[test]
fn a_release_is_found_among_others_and_several_are_listed() -> Result<()> {
    let shop = Shop::new("several")?;
    let other = shop.sandbox.dir().join("other");
    shop.sandbox.write("other/Chart.yaml", "apiVersion: v2\nname: other\nversion: 0.1.0\n");
    shop.install("aaa", &other, "{}\n")?;
    let none = shop.run(&[]);
    assert_eq!(none.code, Some(4));
    assert!(none.stderr.contains("there: aaa (chart other-0.1.0)"), "{}", none.stderr);

    shop.install("edge", &open_source(), "mine: 1\n")?;
    let found = shop.done(&["--revision", "1-28"])?;
    assert!(found.stderr.contains("helm upgrade edge gloo"), "{}", found.stderr);
    let missing = shop.run(&["--release", "egde"]);
    assert_eq!(missing.code, Some(4));
    assert!(missing.stderr.contains("near: edge"), "{}", missing.stderr);

    // A second one of the same chart: only its record, since its objects would be the same.
    let record =
        shop.plane.api().get("v1/Secret", &shop.namespace, "sh.helm.release.v1.edge.v1")?.context("the record")?;
    shop.put_record("second", 1, None, record["data"]["release"].as_str().context("data")?)?;
    let several = shop.run(&[]);
    assert_eq!(several.code, Some(1));
    assert!(several.stderr.contains("several releases of Gloo's chart"), "{}", several.stderr);

    // Labels are missing on it, so its record tells its state; a pending one beside it is said.
    shop.put_record("second", 2, Some("pending-upgrade"), record["data"]["release"].as_str().context("data")?)?;
    let pending = shop.done(&["--release", "second", "--revision", "1-28"])?;
    assert!(pending.stderr.contains("revision 2 is pending-upgrade"), "{}", pending.stderr);
    shop.put_record("third", 1, None, "bm90IGEgcmVjb3Jk")?;
    let broken = shop.run(&["--release", "third"]);
    assert_eq!(broken.code, Some(1));
    assert!(broken.stderr.contains("not a record of Helm's"), "{}", broken.stderr);
    Ok(())
}

/// Values with scalars in every spelling that a reader may take for something else.
fn texts() -> impl Strategy<Value = String> {
    let scalar = prop::sample::select(vec![
        "1e3",
        "0777",
        "0o17",
        "0x1f",
        "\"yes\"",
        "yes",
        "off",
        "1.10",
        "1_000",
        "12:30:45",
        "2001-01-01",
        "~",
        "null",
        "{}",
        "[]",
        "9007199254740993",
        "123456789012345678901234567890",
        "-0.0",
        "1e100",
        "'it''s'",
        "plain words",
        "|\n    a\n     b\n",
        ">-\n    c\n    d\n",
        "[1, \"2\", {a: b}]",
        "{x: 1, y: {z: off}}",
        "\"\\u00e4\\n\"",
        "!!str 12",
        ".5",
    ]);
    let lines = prop::collection::btree_map("k[a-z]{1,6}", scalar, 0..8);
    let shape = prop::sample::select(vec![
        "",
        "global:\n  image:\n    tag: 1.17.7 # ours\n",
        "global: {image: {pullSecret: x}}\n",
        "global: {istioIntegration: {}} # none yet\n",
        "global:\n  istioIntegration: {}\n  glooMtls: {istioProxy: { }}\ngatewayProxies:\n  gatewayProxy: {}\n",
        "global: {}\ngatewayProxies: {}\n",
        "gatewayProxies:\n    gatewayProxy:\n        podTemplate:\n            httpPort: 8081\n    publicGw: {kind: {deployment: {replicas: 2}}}\n",
        "global:\n  glooMtls:\n    sds:\n      logLevel: info\ngatewayProxies:\n  gatewayProxy:\n\n    # below\n    kind: {deployment: {replicas: 3}}\n",
    ]);
    (lines, shape, any::<bool>()).prop_map(|(lines, shape, first)| {
        let lines: Vec<_> = lines.iter().map(|(key, value)| format!("{key}: {}\n", value.trim_end())).collect();
        let lines = format!("keep: 1\n{}", lines.concat());
        if first { format!("{shape}{lines}") } else { format!("{lines}{shape}") }
    })
}

#[test]
fn helm_makes_of_the_merged_file_what_it_makes_of_the_original_and_set() {
    let sandbox = Sandbox::new();
    let template = |args: &[&str]| {
        let mut command = Command::new(stage::helm());
        command.args(["template", "gloo"]).arg(open_source()).args(args).current_dir(sandbox.dir());
        let output = command.env_clear().env("HOME", sandbox.dir()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let flags =
        ["--istio-discovery-address", "istiod.x.svc:15012", "--istio-proxy-image", "docker.io/istio/proxyv2:1.28.3"];
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) });
    let result = runner.run(&texts(), |text| {
        sandbox.write("values.yaml", &text);
        let merged = sandbox.run(&[&["upgrade-values", "--values", "values.yaml", "--proxy", "gatewayProxy"], &flags[..]].concat());
        prop_assert_eq!(merged.code, Some(0), "{}\n{}", text, merged.stderr);
        sandbox.write("merged.yaml", &merged.stdout);
        let set = "global.istioIntegration.enabled=true,global.istioIntegration.enableAutoMtls=true,\
            global.glooMtls.istioProxy.image.tag=1.28.3,gatewayProxies.gatewayProxy.istioDiscoveryAddress=istiod.x.svc:15012";
        prop_assert_eq!(template(&["-f", "merged.yaml"]), template(&["-f", "values.yaml", "--set", set]), "{}", text);
        let removed = sandbox.run(&["upgrade-values", "--values", "merged.yaml", "--remove"]);
        prop_assert_eq!(removed.code, Some(0), "{}", removed.stderr);
        prop_assert_eq!(removed.stdout, text);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

impl Shop<'_> {
    /// A record as Helm keeps it; without a status all its labels are missing.
    fn put_record(&self, release: &str, revision: u64, status: Option<&str>, data: &str) -> Result<()> {
        let mut secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
            "metadata": {"namespace": self.namespace, "name": format!("sh.helm.release.v1.{release}.v{revision}")},
            "data": {"release": data},
        });
        if let Some(status) = status {
            secret["metadata"]["labels"] =
                json!({"owner": "helm", "name": release, "status": status, "version": revision.to_string()});
        }
        self.plane.api().apply(&secret.to_string())
    }
}

#[test]
fn the_config_map_driver_is_read_too() -> Result<()> {
    let shop = Shop::new("driver")?;
    shop.sandbox.write("mine.yaml", "mine: 1\n");
    let mut command = Command::new(stage::helm());
    command.args(["install", "gloo"]).arg(open_source()).args(["-f", "mine.yaml", "-n", &shop.namespace]);
    command.current_dir(shop.sandbox.dir()).env_clear().env("HOME", shop.sandbox.dir());
    command.env("KUBECONFIG", shop.plane.kubeconfig()).env("HELM_DRIVER", "configmap");
    ensure!(command.output()?.status.success());
    let output = shop.done(&["--revision", "1-28"])?;
    assert!(output.stdout.contains("mine: 1\n") && output.stdout.contains("istioIntegration"), "{}", output.stdout);
    Ok(())
}

#[test]
fn the_right_to_get_one_record_is_enough() -> Result<()> {
    let shop = Shop::new("rights")?;
    shop.install("gloo", &open_source(), "mine: 1\n")?;
    for (kind, extra) in [
        (
            "Role",
            json!({"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"],
            "resourceNames": ["sh.helm.release.v1.gloo.v1"]}]}),
        ),
        (
            "RoleBinding",
            json!({
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "record"},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "limited"}],
            }),
        ),
    ] {
        let mut object = extra;
        object["apiVersion"] = json!("rbac.authorization.k8s.io/v1");
        object["kind"] = json!(kind);
        object["metadata"] = json!({"namespace": shop.namespace, "name": "record"});
        shop.plane.api().apply(&object.to_string())?;
    }
    let limited = shop.plane.kubeconfig_of("limited");
    let kubeconfig = ["--kubeconfig", limited.to_str().context("UTF-8")?];
    let refused = shop.run(&kubeconfig);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(4), ""));
    for words in ["resources: [secrets], verbs: [list]", "--release NAME --release-revision N", "--values FILE"] {
        assert!(refused.stderr.contains(words), "{words}: {}", refused.stderr);
    }
    let typed = ["--release", "gloo", "--release-revision", "1", "--istio-discovery-address", ADDRESS];
    let output = shop.done(&[&kubeconfig[..], &typed].concat())?;
    assert!(output.stdout.contains("mine: 1\n") && output.stdout.contains(ADDRESS), "{}", output.stdout);
    assert!(output.stderr.contains("istiod was not looked at"), "{}", output.stderr);
    let removed = shop.done(&[&kubeconfig[..], &typed[..4], &["--remove"]].concat())?;
    assert!(removed.stderr.contains("history may not be listed"), "{}", removed.stderr);
    Ok(())
}

#[test]
fn the_named_context_is_asked_and_helm_is_told_it() -> Result<()> {
    let mut shop = Shop::new("trap")?;
    shop.install("gloo", &open_source(), "mine: 1\n")?;
    let mut kubeconfig: Value = serde_json::from_str(&std::fs::read_to_string(shop.plane.kubeconfig())?)?;
    let list = |kubeconfig: &mut Value, key: &str, item: Value| {
        kubeconfig[key].as_array_mut().expect("a list").push(item);
    };
    list(&mut kubeconfig, "clusters", json!({"name": "trap", "cluster": {"server": "https://127.0.0.1:1"}}));
    list(&mut kubeconfig, "contexts", json!({"name": "trap", "context": {"cluster": "trap", "user": "admin"}}));
    kubeconfig["current-context"] = json!("trap");
    let file = shop.sandbox.write("two.json", kubeconfig.to_string());
    let path = format!("{}:/usr/bin:/bin", stage::helm().parent().context("a directory")?.display());
    shop.sandbox = shop.sandbox.env("KUBECONFIG", file.to_str().context("UTF-8")?).env("PATH", path);
    let chart = open_source();
    let context = ["--kube-context", shop.plane.context(), "--revision", "1-28"];
    let output = shop.done(&context)?;
    assert!(output.stderr.contains(&format!("--kube-context {}", shop.plane.context())), "{}", output.stderr);
    let chart = ["--chart", chart.to_str().context("UTF-8")?];
    let apply = ["--apply", "--yes"];
    shop.done(&[&context[..], &chart, &apply].concat())?;
    assert_eq!(shop.settings()?["enableIntegration"], true);

    // The command runs as it is printed.
    let removed = shop.done(&[&context[..2], &chart, &["--remove", "-O", "new values.yaml"]].concat())?;
    let (_, command) = removed.stderr.split_once("next:\n").context("a command")?;
    let mut sh = Command::new("sh");
    sh.args(["-c", &command.replace("[DIR]", shop.sandbox.dir().to_str().context("UTF-8")?)])
        .current_dir(shop.sandbox.dir());
    sh.env("KUBECONFIG", &file)
        .env("PATH", format!("{}:/usr/bin:/bin", stage::helm().parent().context("a directory")?.display()));
    let ran = sh.output()?;
    ensure!(ran.status.success(), "{command}\n{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(shop.settings()?["enableIntegration"], false);
    let version = shop.done(&[&context[..], &["--to-version", "1.18.0"]].concat())?;
    assert!(
        version.stderr.contains("--version 1.18.0") && version.stderr.contains("helm show crds gloo --repo"),
        "{}",
        version.stderr
    );
    Ok(())
}

#[test]
fn remove_brings_back_what_was_there_before_istio() -> Result<()> {
    let shop = Shop::new("history")?;
    let mine = "global:\n  istioIntegration:\n    enabled: false\n  glooMtls:\n    istioProxy:\n      image:\n        tag: 1.20.0\n";
    shop.install("gloo", &open_source(), mine)?;
    let before = shop.values("gloo")?;
    let merged = shop.done(&["--revision", "1-28"])?;
    shop.upgrade("gloo", &open_source(), &merged.stdout)?;
    shop.upgrade("gloo", &open_source(), &format!("{}more: 1\n", merged.stdout))?;
    let removed = shop.done(&["--remove"])?;
    assert!(removed.stderr.contains("1.28.3 -> 1.20.0 (the release before Istio)"), "{}", removed.stderr);
    shop.upgrade("gloo", &open_source(), &removed.stdout)?;
    let mut after = shop.values("gloo")?;
    assert_eq!(after.as_object_mut().context("a map")?.shift_remove("more"), Some(json!(1)));
    assert_eq!(after, before);
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
fn where_argo_cd_renders_the_chart_its_application_is_named() -> Result<()> {
    let shop = Shop::new("argo")?;
    shop.install("gloo", &open_source(), "mine: 1\n")?;
    let tracked =
        json!({"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "edge:apps/Deployment:x/gloo"}}});
    shop.plane.api().merge("apps/v1/Deployment", &shop.namespace, "gloo", &tracked)?;
    let refused = shop.run(&["--revision", "1-28", "--apply", "--yes"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("Argo CD application edge renders it"), "{}", refused.stderr);
    shop.plane.api().delete("v1/Secret", &shop.namespace, "sh.helm.release.v1.gloo.v1")?;
    let none = shop.run(&[]);
    assert_eq!((none.code, none.stdout.as_str()), (Some(4), ""));
    assert!(none.stderr.contains("so its values are in Git"), "{}", none.stderr);
    assert!(none.stderr.contains("gloo-rs upgrade-values --values edge.yaml --write"), "{}", none.stderr);
    Ok(())
}
