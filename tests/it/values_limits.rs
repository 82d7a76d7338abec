//! `upgrade-values` at its edges: a record of real size, and Ctrl-C while Helm runs.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use crate::stage;
use crate::support::Sandbox;
use crate::support::stub::Stub;

/// As much text as the real chart has, and as hard to pack: lines of templates, each a little different.
fn templates() -> Vec<Value> {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let word = |number: u64| format!("{:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 36);
    (0..60)
        .map(|number| {
            let mut text = String::new();
            while text.len() < 49_000 {
                let (depth, key, value) = (next(6), next(300), next(300));
                let line = format!(
                    "{}{}: {{{{ .Values.global.{} | default {} }}}}\n",
                    "  ".repeat(usize::try_from(depth).unwrap_or(0)),
                    word(key),
                    word(value),
                    word(value / 2)
                );
                text.push_str(&line.repeat(1 + usize::try_from(next(8)).unwrap_or(0)));
            }
            json!({"name": format!("templates/{number}.yaml"), "data": STANDARD.encode(text)})
        })
        .collect()
}

/// A release's Secret of the size that the real chart's has.
fn secret() -> Value {
    let record = json!({
        "name": "gloo", "namespace": "gloo-system", "version": 3,
        "info": {"status": "deployed", "description": "Upgrade complete"},
        "chart": {"metadata": {"name": "gloo", "version": "1.18.2"}, "templates": templates(), "values": {}},
        "config": {"mine": 1, "global": {"image": {"tag": "1.18.2"}}},
        "manifest": "---\n",
    })
    .to_string();
    let mut zip = GzEncoder::new(Vec::new(), Compression::best());
    zip.write_all(record.as_bytes()).unwrap();
    let stored = STANDARD.encode(zip.finish().unwrap());
    assert!((3_500_000..4_800_000).contains(&record.len()), "{} unpacked", record.len());
    assert!((380_000..600_000).contains(&stored.len()), "{} packed", stored.len());
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": metadata(),
        "data": {"release": STANDARD.encode(stored)},
    })
}

fn metadata() -> Value {
    json!({
        "name": "sh.helm.release.v1.gloo.v3", "namespace": "gloo-system",
        "labels": {"owner": "helm", "name": "gloo", "status": "deployed", "version": "3"},
    })
}

#[test]
fn a_record_of_real_size_is_listed_by_its_metadata_and_got_once() {
    const SECRETS: &str = "/api/v1/namespaces/gloo-system/secrets";
    let stub = Stub::new();
    let meta = json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata()});
    let list =
        json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {}, "items": [meta]});
    stub.on("GET", SECRETS).json(200, &list);
    stub.on("GET", &format!("{SECRETS}/sh.helm.release.v1.gloo.v3")).json(200, &secret());
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
    for (is_broken, state) in [(false, "the release is upgraded"), (true, "revision 2: failed")] {
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
        assert_eq!((output.code, output.stdout.as_str()), (Some(130), ""), "{}", output.stderr);
        assert!(output.stderr.contains("interrupted") && output.stderr.contains(state), "{}", output.stderr);
        let child = std::fs::read_to_string(&started)?;
        assert!(!Path::new("/proc").join(child.trim()).exists(), "Helm {child} is left behind");
    }
    Ok(())
}
