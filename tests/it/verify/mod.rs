//! `istio verify` on two real Envoys: the gateway behind its pod's ports, a sidecar that demands a certificate.

mod causes;
mod ways;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::stage::pair::{Pair, Sends, Takes};
use crate::stage::{self, Plane};
use crate::support::{Output, Sandbox};

/// A Gloo and backends of this test's own on the shared plane, the pair in their pods' place, and the binary.
struct Bench {
    plane: &'static Plane,
    gloo: String,
    apps: String,
    pair: Pair,
}

impl Bench {
    /// With the guide's route to the meshed backend.
    fn new(prefix: &str) -> Result<Self> {
        let plane = stage::shared();
        let gloo = plane.install_gloo(prefix)?;
        let apps = plane.install_apps(&format!("{prefix}-apps"), &gloo)?;
        let pair = Pair::start(&format!("{apps}-httpbin-8000_{gloo}"))?;
        pair.stand_in(plane, &gloo)?;
        let bench = Self { plane, gloo, apps, pair };
        bench.route(&bench.upstream("httpbin-8000"))?;
        Ok(bench)
    }

    /// The name of the Upstream that discovery makes of a backend's Service.
    fn upstream(&self, of: &str) -> String {
        format!("{}-{of}", self.apps)
    }

    /// The guide's `VirtualService`, leading to this Upstream.
    fn route(&self, upstream: &str) -> Result<()> {
        self.plane.api().apply(
            &json!({
                "apiVersion": "gateway.solo.io/v1", "kind": "VirtualService",
                "metadata": {"namespace": self.gloo, "name": "httpbin"},
                "spec": {"virtualHost": {"domains": ["*"], "routes": [{
                    "matchers": [{"prefix": "/"}],
                    "routeAction": {"single": {"upstream": {"name": upstream, "namespace": self.gloo}}},
                }]}},
            })
            .to_string(),
        )
    }

    /// What the sidecar takes, with the policy that means it.
    fn demand(&self, takes: Takes) -> Result<()> {
        let mode = match takes {
            Takes::Strict | Takes::StrictExpired => "STRICT",
            Takes::Permissive | Takes::NoSidecar => "PERMISSIVE",
            Takes::Disable => "DISABLE",
        };
        self.pair.takes(takes);
        self.plane.api().apply(
            &json!({
                "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
                "metadata": {"namespace": self.apps, "name": "default"}, "spec": {"mtls": {"mode": mode}},
            })
            .to_string(),
        )
    }

    /// The Upstream's `sslConfig` as it is said to be.
    fn ssl_config(&self, upstream: &str, config: &Value) -> Result<()> {
        let patch = json!({"spec": {"sslConfig": config}});
        self.plane.api().merge("gloo.solo.io/v1/Upstream", &self.gloo, upstream, &patch)
    }

    fn kubeconfig(&self) -> PathBuf {
        self.plane.kubeconfig()
    }

    fn run(&self, line: &str) -> Output {
        run(&self.kubeconfig(), &self.words(line))
    }

    /// The words of a command line, in this test's namespace.
    fn words<'l>(&'l self, line: &'l str) -> Vec<&'l str> {
        ["istio", "verify"].into_iter().chain(line.split(' ')).chain(["-n", &self.gloo]).collect()
    }

    /// With `-o json`, of the meshed backend through a stream: the one verdict.
    fn verdict(&self, line: &str) -> Result<Value> {
        let upstream = self.upstream("httpbin-8000");
        let (document, _) = self.json(&format!("-u {upstream} --via forward {line}"))?;
        Ok(document["verdicts"][0].clone())
    }

    /// With `-o json`: the document, which has to agree with the exit code.
    fn json(&self, line: &str) -> Result<(Value, Output)> {
        let output = self.run(&format!("{line} -o json"));
        let document: Value = serde_json::from_str(&output.stdout).with_context(|| format!("{output:#?}"))?;
        assert_eq!(document["exitCode"].as_i64().map(i32::try_from), output.code.map(Ok), "{document:#}");
        Ok((document, output))
    }
}

/// Istio's `sslConfig`.
fn istio() -> Value {
    json!({"alpnProtocols": ["istio"], "sds": {
        "certificatesSecretName": "istio_server_cert", "clusterName": "gateway_proxy_sds",
        "targetUri": "127.0.0.1:8234", "validationContextName": "istio_validation_context"}})
}

fn run(kubeconfig: &std::path::Path, words: &[&str]) -> Output {
    Sandbox::new().env("KUBECONFIG", kubeconfig.to_str().expect("UTF-8")).run(words)
}

/// The texts of a verdict's facts of this label.
fn facts(verdict: &Value, label: &str) -> Vec<String> {
    let all = verdict["facts"].as_array().into_iter().flatten();
    all.filter(|fact| fact["label"] == label).filter_map(|fact| fact["text"].as_str()).map(str::to_owned).collect()
}

#[test]
fn the_guide_goes_from_a_strict_503_to_proven_mutual_tls() -> Result<()> {
    let bench = Bench::new("verify-guide")?;
    let upstream = bench.upstream("httpbin-8000");
    bench.demand(Takes::Strict)?;
    bench.pair.sends(&Sends::Plaintext)?;
    let line = format!("--upstream {upstream} --path /headers --via forward");
    let output = bench.run(&line);
    let said = output.stdout.replace(&upstream, "UPSTREAM").replace(&bench.apps, "APPS").replace(&bench.gloo, "GLOO");
    assert_eq!(
        (output.code, said.as_str()),
        (
            Some(7),
            "UPSTREAM: 503, strict peer, gateway sends plaintext
  body      upstream connect error or disconnect/reset before headers.
            reset reason: connection termination
  fact 1    peer is STRICT: PeerAuthentication APPS/default (namespace)
  fact 2    no sslConfig, and auto-mTLS is off (Settings GLOO/default)
  fact 3    1 of 1 pods have a sidecar; all ready; 0 restarts in 1h
  fix       gloo-rs istio inject -n GLOO --name gateway-proxy
"
        ),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("GET /headers (Host: *, route httpbin) to pod "), "{}", output.stderr);

    let enabled = run(&bench.kubeconfig(), &["istio", "enable-mtls", "-u", &upstream, "-n", &bench.gloo]);
    assert_eq!(enabled.code, Some(0), "{enabled:?}");
    bench.pair.sends(&bench.pair.mtls()?)?;
    let output = bench.run(&line);
    assert_eq!(output.code, Some(0), "{output:?}");
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert!(lines[0].ends_with(": mTLS proven"), "{output:?}");
    assert!(lines[1].starts_with("  status    200 from 127.0.0.1:"), "{output:?}");
    assert_eq!(lines[2], "  client    spiffe://cluster.local/ns/gloo-system/sa/gateway-proxy");
    assert_eq!(lines[3], "  server    spiffe://cluster.local/ns/default/sa/httpbin");
    assert_eq!(lines[4], "  evidence  x-forwarded-client-cert; ssl.handshake 0 -> 1");
    assert!(lines[5].starts_with("  decided   spec.sslConfig of the Upstream; peer STRICT (PeerAuth"), "{output:?}");
    Ok(())
}
