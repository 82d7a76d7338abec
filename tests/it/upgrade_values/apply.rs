//! `--apply`: the user's own Helm is run, waited for, and believed only when it is proven.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{ADDRESS, MINE, REVISION, Shop, copied, enterprise, open_source, path, text};
use crate::stage::{self, wait_for};
use crate::support::{Output, stub::Stub};

const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn apply_with_helm_3_upgrades_proves_and_takes_back() -> Result<()> {
    there_and_back(&Shop::with(stage::helm(), "apply-3")?, "gloo", &open_source(), MINE)
}

#[test]
fn apply_with_helm_4_upgrades_proves_and_takes_back() -> Result<()> {
    there_and_back(&Shop::with(stage::helm_4(), "apply-4")?, "gloo", &open_source(), MINE)
}

const ENTERPRISE: &str = "license_key: sesame\nzone: b\ngloo:\n  gatewayProxies:\n    publicGw: {}\n";

#[test]
fn apply_upgrades_enterprise_and_takes_back() -> Result<()> {
    for helm in [stage::helm(), stage::helm_4()] {
        let shop = Shop::with(helm, "apply-ee")?;
        let chart = enterprise(&shop.sandbox)?;
        there_and_back(&shop, "edge", &chart, ENTERPRISE)?;
    }
    Ok(())
}

fn there_and_back(shop: &Shop, release: &str, chart: &Path, mine: &str) -> Result<()> {
    shop.install(release, chart, mine)?;
    let before = shop.values(release)?;
    let apply = ["--chart", text(chart)?, "--apply"];

    let asked = shop.run(&[&apply[..], &REVISION].concat());
    assert_eq!(asked.code, Some(2), "{}", asked.stderr);
    assert!(asked.stderr.contains("--yes is required"), "{}", asked.stderr);
    assert!(asked.stderr.contains("without --apply, --diff shows what would change"), "{}", asked.stderr);
    assert_eq!(shop.values(release)?, before);

    let done = shop.done(&[&apply[..], &REVISION, &["--yes"]].concat())?;
    let name = &shop.namespace;
    assert_eq!(done.stdout, format!("release {name}/{release} upgraded (revision 1 -> 2)\n"));
    assert!(done.stderr.contains("verified: sds and istio-proxy ready"), "{}", done.stderr);
    assert_eq!(shop.settings()?["enableAutoMtls"], true);
    for deployment in ["gateway-proxy", "public-gw"] {
        let containers = shop.containers(deployment)?;
        assert_eq!((containers.len(), &containers[2]["env"][0]["value"]), (3, &json!(ADDRESS)), "{deployment}");
    }
    let again = shop.done(&[&apply[..], &["--yes"]].concat())?;
    assert!(again.stderr.contains("no change") && !again.stderr.contains("running"), "{}", again.stderr);

    // Out again with the chart as `helm package` packs it.
    shop.helm(&["package", apply[1]])?;
    let packed = if release == "edge" { "gloo-ee-1.17.7.tgz" } else { "gloo-1.17.7.tgz" };
    let removed = shop.done(&["--chart", packed, "--apply", "--remove", "--yes", "-o", "json"])?;
    let document: Value = serde_json::from_str(&removed.stdout)?;
    assert_eq!((&document["release"]["revision"], &document["upgradedTo"]), (&json!(2), &json!(3)));
    assert_eq!(shop.values(release)?, before);
    assert_eq!(shop.settings()?["enableIntegration"], false);
    assert_eq!(shop.containers("public-gw")?.len(), 1);
    Ok(())
}

/// A chart with an object that only the API server knows to be wrong.
fn broken(shop: &Shop) -> Result<PathBuf> {
    let chart = copied(&shop.sandbox, "broken")?;
    shop.sandbox.write("broken/templates/bad.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NOT_A_NAME}\n");
    Ok(chart)
}

#[test]
fn a_helm_that_fails_says_what_state_the_release_is_in_and_may_go_back() -> Result<()> {
    for (helm, flag) in [(stage::helm(), "--atomic"), (stage::helm_4(), "--rollback-on-failure")] {
        let shop = Shop::with(helm, "fails")?.noting()?;
        shop.install("gloo", &open_source(), "gatewayProxies: {gatewayProxy: {podTemplate: {httpPort: 8081}}}\n")?;
        let chart = broken(&shop)?;
        let apply = ["--revision", "1-28", "--chart", text(&chart)?, "--apply", "--yes"];
        let failed = shop.run(&apply);
        assert_eq!(failed.code, Some(6), "{}", failed.stderr);
        for words in ["\n  Error: UPGRADE FAILED", "revision 2: failed", "helm rollback gloo 1"] {
            assert!(failed.stderr.contains(words), "{words}: {}", failed.stderr);
        }
        assert!(!shop.asked()?.contains(flag));

        // The failed revision is not the one whose values are taken.
        let after = shop.done(&REVISION)?;
        assert!(after.stderr.contains("revision 2 is failed; the values are those of revision 1"), "{}", after.stderr);
        let typed = shop.done(&["--release-revision", "2", "--revision", "1-28"])?;
        assert!(typed.stderr.contains("revision 2, failed") && typed.stderr.contains("no change"), "{}", typed.stderr);

        let back = shop.run(&[&apply[..], &["--rollback-on-failure"]].concat());
        assert_eq!(back.code, Some(5), "{}", back.stderr);
        assert!(back.stderr.contains("; rolled back\n"), "{}", back.stderr);
        assert!(shop.asked()?.lines().any(|word| word == flag), "{}", shop.asked()?);
        assert_eq!(shop.settings()?["enableIntegration"], false);
    }
    Ok(())
}

/// Ends an upgrade with each signal while Helm, which the signal does not reach, makes a revision.
#[test]
fn an_upgrade_that_a_signal_ends_goes_back_if_asked_and_else_is_said_to_stand() -> Result<()> {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let shop = Shop::new("signal")?;
        shop.install("gloo", &open_source(), "mine: 1\n")?;
        let (waits, goes) = (shop.sandbox.dir().join("waits"), shop.sandbox.dir().join("goes"));
        let waiting = format!(
            "[ \"$1\" != upgrade ] || {{ : > {}; while [ ! -e {} ]; do sleep 0.05; done; }}\nexec {} \"$@\"",
            waits.display(),
            goes.display(),
            shop.helm.display()
        );
        let helm = shop.sandbox.script("waiting/helm", &waiting);
        let shop = Shop { sandbox: shop.sandbox.env("PATH", path(&helm)?), ..shop };
        let ended = |more: &[&str]| -> Result<Output> {
            for file in [&waits, &goes] {
                let _ = std::fs::remove_file(file);
            }
            let apply = ["upgrade-values", "-n", &shop.namespace, "--revision", "1-28", "--apply", "--yes"];
            let running = shop.sandbox.start(&[&apply[..], &["--chart", text(&open_source())?], more].concat());
            wait_for("Helm is started", PATIENCE, || Ok(waits.exists().then_some(())))?;
            running.signal(signal);
            std::fs::write(&goes, "")?;
            Ok(shop.sandbox.end_of(running))
        };
        let back = ended(&["--rollback-on-failure"])?;
        assert_eq!(back.code, Some(130), "{back:#?}");
        assert!(back.stderr.contains("rolled back to revision 1\n"), "{back:#?}");
        assert_eq!(shop.history("gloo")?, ["superseded", "superseded", "deployed"], "{back:#?}");
        assert_eq!(shop.settings()?["enableIntegration"], false);

        let stands = ended(&[])?;
        assert_eq!(stands.code, Some(130), "{stands:#?}");
        assert!(stands.stderr.contains("the release is upgraded; its rollout is not verified\n"), "{stands:#?}");
        assert_eq!(shop.settings()?["enableIntegration"], true);
    }
    Ok(())
}

#[test]
fn without_a_helm_nothing_is_changed() -> Result<()> {
    let mut shop = Shop::new("no-helm")?;
    shop.install("gloo", &open_source(), "mine: 1\n")?;
    shop.sandbox = shop.sandbox.env("PATH", "/nowhere");
    let nowhere = shop.run(&["--revision", "1-28", "--apply", "--yes"]);
    assert_eq!(nowhere.code, Some(1));
    assert!(nowhere.stderr.contains("helm is not on PATH; nothing changed"), "{}", nowhere.stderr);
    assert_eq!(shop.history("gloo")?, ["deployed"]);
    Ok(())
}

#[test]
fn helm_acts_as_who_was_named_and_where_it_was_said() -> Result<()> {
    let shop = Shop::new("acts-as")?.noting()?;
    let mut shop = shop;
    shop.install("gloo", &open_source(), "mine: 1\n")?;
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": shop.namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": shop.namespace}],
    });
    shop.plane.api().apply(&binding.to_string())?;
    // What Helm's own variables say is not where this command looked.
    for (name, value) in
        [("HELM_KUBEAPISERVER", "https://127.0.0.1:1"), ("HELM_KUBETOKEN", "x"), ("HELM_NAMESPACE", "x")]
    {
        shop.sandbox = shop.sandbox.env(name, value);
    }
    let chart = open_source();
    let group = shop.namespace.clone();
    let kubeconfig = shop.plane.kubeconfig();
    let who = ["--as", "deployer", "--as-group", &group, "--as-group", "more", "--kubeconfig", text(&kubeconfig)?];
    let apply = ["--revision", "1-28", "--chart", text(&chart)?, "--apply", "--yes"];
    shop.done(&[&who[..], &apply].concat())?;
    let asked = shop.asked()?;
    let context = shop.plane.context();
    for words in [
        "--kube-as-user=deployer\n",
        &format!("--kube-as-group={group}\n--kube-as-group=more\n"),
        &format!("--kubeconfig={}\n", kubeconfig.display()),
        &format!("--kube-context={context}\n"),
        &format!("--namespace={group}\n"),
        "--values=-\n",
    ] {
        assert!(asked.contains(words), "{words}: {asked}");
    }
    assert_eq!(shop.settings()?["enableIntegration"], true);

    let uid = shop.run(&[&who[..4], &["--as-uid", "7"], &apply].concat());
    assert_eq!(uid.code, Some(2));
    assert!(uid.stderr.contains("--as-uid: helm cannot act with a UID"), "{}", uid.stderr);
    Ok(())
}

#[test]
fn a_context_named_in_cluster_is_upgraded_and_the_current_one_is_not_asked() -> Result<()> {
    for helm in [stage::helm(), stage::helm_4()] {
        let current = Stub::new();
        let mut shop = Shop::with(helm, "named")?;
        shop.install("gloo", &open_source(), "mine: 1\n")?;
        let mut kubeconfig: Value = serde_json::from_slice(&std::fs::read(shop.plane.kubeconfig())?)?;
        let add = |list: &mut Value, item: Value| list.as_array_mut().map(|list| list.push(item)).context("a list");
        kubeconfig["contexts"][0]["name"] = json!("in-cluster");
        let user = kubeconfig["users"][0]["name"].clone();
        add(&mut kubeconfig["contexts"], json!({"name": "current", "context": {"cluster": "current", "user": user}}))?;
        add(&mut kubeconfig["clusters"], json!({"name": "current", "cluster": {"server": current.url()}}))?;
        kubeconfig["current-context"] = json!("current");
        let file = shop.sandbox.write("two.json", kubeconfig.to_string());
        shop.sandbox = shop.sandbox.env("KUBECONFIG", text(&file)?);
        let chart = open_source();
        let apply = ["--revision", "1-28", "--chart", text(&chart)?, "--apply", "--yes"];
        shop.done(&[&["--kube-context", "in-cluster"], &apply[..]].concat())?;
        assert_eq!(shop.settings()?["enableIntegration"], true);
        assert!(current.finish().is_empty());
    }
    Ok(())
}

#[test]
fn a_chart_at_hand_says_its_version_and_one_that_is_typed_has_to_be_the_same() -> Result<()> {
    let shop = Shop::new("version")?;
    shop.install("gloo", &open_source(), "mine: 1\n")?;
    let chart = copied(&shop.sandbox, "newer")?;
    shop.sandbox.write("newer/Chart.yaml", "apiVersion: v2\nname: gloo\nversion: 1.18.2\n");
    shop.sandbox.write("newer/crds/x.yaml", "{}\n");
    let with = ["--revision", "1-28", "--chart", text(&chart)?];
    let differs = shop.run(&[&with[..], &["--to-version", "1.18.0"]].concat());
    assert_eq!(differs.code, Some(2), "{}", differs.stderr);
    assert!(
        differs.stderr.contains("error: --to-version 1.18.0: the given chart is gloo-1.18.2\n"),
        "{}",
        differs.stderr
    );
    let same = shop.done(&[&with[..], &["--to-version", "v1.18.2"]].concat())?;
    assert!(same.stderr.contains("apply those of 1.18.2 before the upgrade"), "{}", same.stderr);
    assert!(!same.stderr.contains("--version"), "{}", same.stderr);

    // Another version is an upgrade also where no value changes.
    shop.done(&[&with[..], &["--apply", "--yes"]].concat())?;
    shop.sandbox.write("newer/Chart.yaml", "apiVersion: v2\nname: gloo\nversion: 1.18.3\n");
    let next = shop.done(&[&with[2..], &["--apply", "--yes"]].concat())?;
    assert!(next.stdout.ends_with("upgraded (revision 2 -> 3)\n"), "{}", next.stdout);
    let none = shop.done(&[&with[2..], &["--apply", "--yes"]].concat())?;
    assert!(none.stderr.contains("no change") && none.stdout.is_empty(), "{none:?}");
    Ok(())
}

#[test]
fn without_a_chart_at_hand_helm_is_given_the_known_repository_and_the_version_that_runs() -> Result<()> {
    for (is_enterprise, words) in [
        (
            false,
            "--repo=https://storage.googleapis.com/solo-public-helm\n--version=1.17.7\n--reset-values\n--\ngloo\ngloo\n",
        ),
        (
            true,
            "--repo=https://storage.googleapis.com/gloo-ee-helm\n--version=1.17.7\n--reset-values\n--\ngloo\ngloo-ee\n",
        ),
    ] {
        let mut shop = Shop::new("known")?;
        let chart = if is_enterprise { enterprise(&shop.sandbox)? } else { open_source() };
        shop.install("gloo", &chart, "mine: 1\n")?;
        let helm = "case \"$1\" in upgrade) printf '%s\\n' \"$@\" > \"$HOME/asked\"; exit 1;; esac\necho v3.17.3";
        let helm = shop.sandbox.script("bin/helm", helm);
        shop.sandbox = shop.sandbox.env("PATH", super::path(&helm)?);
        let failed = shop.run(&["--revision", "1-28", "--apply", "--yes"]);
        assert_eq!(failed.code, Some(1), "{}", failed.stderr);
        assert!(failed.stderr.contains("; nothing changed\n"), "{}", failed.stderr);
        assert!(shop.asked()?.contains(words), "{}", shop.asked()?);
    }
    Ok(())
}
