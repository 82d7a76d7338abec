//! `upgrade-values` at its edges: a record of real size, and Ctrl-C while Helm runs.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::stage;
use crate::support::Sandbox;
use crate::support::stub::Stub;

#[test]
fn a_record_of_real_size_is_listed_by_its_metadata_and_got_once() {
    const SECRETS: &str = "/api/v1/namespaces/gloo-system/secrets";
    let stub = Stub::new();
    let meta =
        json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": stage::release_metadata()});
    let list =
        json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {}, "items": [meta]});
    stub.on("GET", SECRETS).json(200, &list);
    stub.on("GET", &format!("{SECRETS}/sh.helm.release.v1.gloo.v3")).json(200, &stage::release_of_real_size().unwrap());
    stub.on_anything().status(404, "NotFound", "not found").always();
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(stub.kubeconfig());
    let output = sandbox.run(&[
        "upgrade-values",
        "--istio-discovery-address",
        "a.b.svc:15012",
        "--istio-proxy-image",
        "docker.io/istio/proxyv2:1.28.3",
    ]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(
        output.stdout.contains("mine: 1\n") && output.stdout.contains("istioDiscoveryAddress"),
        "{}",
        output.stdout
    );
    let requests = stub.finish();
    let secrets: Vec<_> = requests.iter().filter(|request| request.path.contains("/secrets")).collect();
    assert_eq!(secrets.len(), 2, "{requests:#?}");
    assert!(secrets[0].header("accept").unwrap_or_default().contains("as=PartialObjectMetadataList"));
    assert!(secrets[0].path.contains("fieldSelector=type%3Dhelm.sh%2Frelease.v1"), "{}", secrets[0].path);
}

#[test]
fn an_interrupted_apply_waits_for_helm_and_says_the_releases_state() -> Result<()> {
    let plane = stage::shared();
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/charts/gloo");
    // A release that failed and is not rolled back is half done, interrupted or not.
    for (is_broken, code, state) in [(false, 130, "the release is upgraded"), (true, 6, "revision 2: failed")] {
        let namespace = plane.namespace("interrupt")?;
        let sandbox = Sandbox::new();
        let real = stage::helm().display();
        // It begins in earnest only after Ctrl-C.
        let upgrade = format!(
            "case \"$1\" in upgrade) echo $$ > started; while [ ! -e go ]; do sleep 0.02; done;; esac\nexec {real} \"$@\""
        );
        let directory = sandbox.script("bin/helm", &upgrade);
        let directory = directory.parent().context("a directory")?.display().to_string();
        let kubeconfig = plane.kubeconfig().to_str().context("UTF-8")?.to_owned();
        let sandbox = sandbox.env("PATH", format!("{directory}:/usr/bin:/bin")).env("KUBECONFIG", &kubeconfig);
        let chart = sandbox.dir().join("chart");
        ensure!(Command::new("cp").arg("-r").arg(&good).arg(&chart).status()?.success());
        let installed = Command::new(stage::helm())
            .args(["install", "gloo", "chart", "--wait", "-n", &namespace])
            .env("KUBECONFIG", &kubeconfig)
            .current_dir(sandbox.dir())
            .output()?;
        ensure!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
        // Routes of other tests on the plane are none of this Gloo's.
        let own = json!({"spec": {"watchNamespaces": [namespace]}});
        plane.api().merge("gloo.solo.io/v1/Settings", &namespace, "default", &own)?;
        if is_broken {
            let bad = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NOT_A_NAME}\n";
            sandbox.write("chart/templates/bad.yaml", bad);
        }
        let started = sandbox.dir().join("started");
        let running = sandbox.start(&[
            "upgrade-values",
            "-n",
            &namespace,
            "--revision",
            "1-28",
            "--chart",
            "chart",
            "--apply",
            "--yes",
        ]);
        running.interrupt_once(|| started.is_file());
        sandbox.write("go", "");
        let output = sandbox.end_of(running);
        assert_eq!((output.code, output.stdout.as_str()), (Some(code), ""), "{}", output.stderr);
        assert!(output.stderr.contains("interrupted") && output.stderr.contains(state), "{}", output.stderr);
        let child = std::fs::read_to_string(&started)?;
        assert!(!Path::new("/proc").join(child.trim()).exists(), "Helm {child} is left behind");
    }
    Ok(())
}
