//! With few rights, and with the wrong context in the kubeconfig.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{ADDRESS, Shop, open_source, path, text};

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
    let kubeconfig = ["--kubeconfig", text(&limited)?];
    let refused = shop.run(&kubeconfig);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(4), ""));
    for words in ["resources: [secrets], verbs: [list]", "--release NAME --release-revision N", "--values FILE"] {
        assert!(refused.stderr.contains(words), "{words}: {}", refused.stderr);
    }
    let typed = ["--release", "gloo", "--release-revision", "1", "--istio-discovery-address", ADDRESS];
    let output = shop.done(&[&kubeconfig[..], &typed].concat())?;
    assert!(output.stdout.contains("mine: 1\n") && output.stdout.contains(ADDRESS), "{}", output.stdout);
    assert!(output.stderr.contains("istiod could not be read"), "{}", output.stderr);
    let removed = shop.done(&[&kubeconfig[..], &typed[..4], &["--remove"]].concat())?;
    assert!(removed.stderr.contains("history cannot be listed"), "{}", removed.stderr);
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
    shop.sandbox = shop.sandbox.env("KUBECONFIG", text(&file)?);
    let chart = open_source();
    let context = ["--kube-context", shop.plane.context(), "--revision", "1-28"];
    let output = shop.done(&context)?;
    assert!(output.stderr.contains(&format!("--kube-context {}", shop.plane.context())), "{}", output.stderr);
    let chart = ["--chart", text(&chart)?];
    let apply = ["--apply", "--yes"];
    shop.done(&[&context[..], &chart, &apply].concat())?;
    assert_eq!(shop.settings()?["enableIntegration"], true);

    // The command runs as it is printed.
    let removed = shop.done(&[&context[..2], &chart, &["--remove", "-O", "new values.yaml"]].concat())?;
    let (_, command) = removed.stderr.split_once("next:\n").context("a command")?;
    let mut sh = Command::new("sh");
    sh.args(["-c", &command.replace("[DIR]", text(shop.sandbox.dir())?)]).current_dir(shop.sandbox.dir());
    sh.env("KUBECONFIG", &file).env("PATH", path(shop.helm)?);
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
