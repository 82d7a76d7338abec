//! The follower answers for the reason that stands in the cluster: a wrong tour cannot pass on it.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::stage::pair::{BACKEND, GATEWAY};
use crate::stage::{self, Follower, Plane};
use crate::support::{Output, Sandbox};

const UPSTREAM: &str = "gloo.solo.io/v1/Upstream";
const POLICY: &str = "security.istio.io/v1/PeerAuthentication";

/// A Gloo and backends of this test's own on the shared plane, and the pair that follows them.
struct Followed {
    plane: &'static Plane,
    gloo: String,
    apps: String,
    follower: Follower,
}

/// How a request was answered.
#[derive(Debug, PartialEq, Eq)]
enum Answered {
    Mutual,
    Plaintext,
    Not(u16),
}

impl Followed {
    fn new(prefix: &str) -> Result<Self> {
        let plane = stage::shared();
        let gloo = plane.install_gloo(prefix)?;
        let apps = plane.install_apps(&format!("{prefix}-apps"), &gloo)?;
        let follower = Follower::start(plane, &gloo, &format!("{apps}-httpbin-8000"))?;
        Ok(Self { plane, gloo, apps, follower })
    }

    fn answered(&self) -> Result<Answered> {
        let answer = self.follower.ask("/headers")?;
        let is_mutual = answer.body.contains(&format!("By={BACKEND};")) && answer.body.contains(GATEWAY);
        Ok(match (answer.status, is_mutual) {
            (200, true) => Answered::Mutual,
            (200, false) => Answered::Plaintext,
            (status, _) => Answered::Not(status),
        })
    }

    fn merge(&self, kind: &str, namespace: &str, name: &str, patch: &Value) -> Result<()> {
        self.plane.api().merge(kind, namespace, name, patch)
    }

    fn upstream(&self, spec: &Value) -> Result<()> {
        self.merge(UPSTREAM, &self.gloo, &format!("{}-httpbin-8000", self.apps), &json!({"spec": spec}))
    }

    fn policy(&self, spec: &Value) -> Result<()> {
        let policy = json!({
            "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
            "metadata": {"namespace": self.apps, "name": "default"}, "spec": spec,
        });
        self.plane.api().apply(&policy.to_string())
    }

    fn switch(&self, is_on: bool) -> Result<()> {
        let options = json!({"enableIntegration": is_on, "enableAutoMtls": is_on});
        let patch = json!({"spec": {"gloo": {"istioOptions": options}}});
        self.merge("gloo.solo.io/v1/Settings", &self.gloo, "default", &patch)
    }

    fn runs(&self, words: &[&str]) -> Result<Output> {
        let kubeconfig = self.plane.kubeconfig();
        let sandbox = Sandbox::new().env("KUBECONFIG", kubeconfig.to_str().context("UTF-8")?);
        let output = sandbox.run(&[words, &["-n", &self.gloo]].concat());
        assert_eq!(output.code, Some(0), "{output:?}");
        Ok(output)
    }

    fn inject(&self) -> Result<()> {
        let output = self.runs(&["istio", "inject", "--revision", "1-28"])?;
        assert!(output.stderr.contains("gateway_proxy_sds in Envoy's clusters"), "{output:?}");
        Ok(())
    }
}

fn istio() -> Value {
    json!({"sslConfig": {"alpnProtocols": ["istio"], "sds": {
        "certificatesSecretName": "istio_server_cert", "clusterName": "gateway_proxy_sds",
        "targetUri": "127.0.0.1:8234", "validationContextName": "istio_validation_context"}}})
}

#[test]
fn strict_pods_take_what_comes_with_a_certificate_alone() -> Result<()> {
    let followed = Followed::new("follow-strict")?;
    assert_eq!(followed.answered()?, Answered::Plaintext);
    followed.policy(&json!({"mtls": {"mode": "STRICT"}}))?;
    assert_eq!(followed.answered()?, Answered::Not(503));
    followed.upstream(&istio())?;
    assert_eq!(followed.answered()?, Answered::Not(503), "the gateway has no certificate");

    followed.inject()?;
    assert_eq!(followed.answered()?, Answered::Mutual);
    let other = json!({"sslConfig": {"sds": {"certificatesSecretName": "mine"}}});
    followed.upstream(&other)?;
    assert_eq!(followed.answered()?, Answered::Not(503), "a secret that nobody gives out");

    followed.upstream(&json!({"sslConfig": null}))?;
    assert_eq!(followed.answered()?, Answered::Not(503));
    followed.switch(true)?;
    assert_eq!(followed.answered()?, Answered::Mutual);
    followed.upstream(&json!({"disableIstioAutoMtls": true}))?;
    assert_eq!(followed.answered()?, Answered::Not(503));
    Ok(())
}

#[test]
fn permissive_pods_take_both_and_no_certificate_is_no_tls() -> Result<()> {
    let followed = Followed::new("follow-both")?;
    followed.switch(true)?;
    assert_eq!(followed.answered()?, Answered::Not(503), "meshed pods are spoken to over TLS");
    followed.switch(false)?;
    followed.inject()?;
    assert_eq!(followed.answered()?, Answered::Plaintext);
    // What Gloo says that it serves is the same.
    let upstream = format!("{}-httpbin-8000", followed.apps);
    followed.runs(&["istio", "enable-mtls", "-u", &upstream, "--wait"])?;
    assert_eq!(followed.answered()?, Answered::Mutual);

    // Whose istiod is not there gets no certificate.
    let proxy = followed.plane.api().get("apps/v1/Deployment", &followed.gloo, "gateway-proxy")?.context("a proxy")?;
    let mut containers = proxy["spec"]["template"]["spec"]["containers"].clone();
    for variable in containers.as_array_mut().into_iter().flatten().filter_map(|it| it["env"].as_array_mut()).flatten()
    {
        if variable["name"] == "CA_ADDR" {
            variable["value"] = json!("istiod-gone.istio-system.svc:15012");
        }
    }
    let patch = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    followed.merge("apps/v1/Deployment", &followed.gloo, "gateway-proxy", &patch)?;
    followed.plane.api().wait_available(&followed.gloo)?;
    assert_eq!(followed.answered()?, Answered::Not(503));
    Ok(())
}

#[test]
fn the_nearest_policy_decides_and_no_pods_are_no_answer() -> Result<()> {
    let followed = Followed::new("follow-near")?;
    followed.policy(&json!({"mtls": {"mode": "STRICT"}}))?;
    let of_workload = json!({
        "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": {"namespace": followed.apps, "name": "httpbin"},
        "spec": {"selector": {"matchLabels": {"app": "httpbin"}}, "mtls": {"mode": "UNSET"},
                 "portLevelMtls": {"8080": {"mode": "DISABLE"}}},
    });
    followed.plane.api().apply(&of_workload.to_string())?;
    assert_eq!(followed.answered()?, Answered::Plaintext);
    followed.upstream(&istio())?;
    assert_eq!(followed.answered()?, Answered::Not(503), "no TLS is taken at all");
    followed.upstream(&json!({"sslConfig": null}))?;
    followed.plane.api().delete(POLICY, &followed.apps, "httpbin")?;
    assert_eq!(followed.answered()?, Answered::Not(503), "that of the namespace holds now");
    followed.plane.api().delete(POLICY, &followed.apps, "default")?;
    assert_eq!(followed.answered()?, Answered::Plaintext);

    followed.merge("v1/Service", &followed.apps, "httpbin", &json!({"spec": {"selector": {"app": "nobody"}}}))?;
    assert_eq!(followed.answered()?, Answered::Not(503));
    followed.plane.api().delete(UPSTREAM, &followed.gloo, &format!("{}-httpbin-8000", followed.apps))?;
    assert_eq!(followed.answered()?, Answered::Not(503));
    Ok(())
}

#[test]
fn a_sidecar_that_is_not_there_takes_no_tls() -> Result<()> {
    let followed = Followed::new("follow-plain")?;
    let template =
        json!({"metadata": {"labels": {"security.istio.io/tlsMode": null}}, "spec": {"initContainers": null}});
    followed.merge("apps/v1/Deployment", &followed.apps, "httpbin", &json!({"spec": {"template": template}}))?;
    followed.plane.api().wait_available(&followed.apps)?;
    followed.policy(&json!({"mtls": {"mode": "STRICT"}}))?;
    assert_eq!(followed.answered()?, Answered::Plaintext, "nobody enforces the policy");
    followed.inject()?;
    followed.upstream(&istio())?;
    assert_eq!(followed.answered()?, Answered::Not(503));
    followed.upstream(&json!({"sslConfig": null}))?;
    followed.switch(true)?;
    assert_eq!(followed.answered()?, Answered::Plaintext);
    Ok(())
}
