//! The policies of an Istio before 1.22, whose API has no `v1`. The CRD is the whole cluster's, so the test has its own
//! control plane.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::stage::{Options, Plane, wait_for};
use crate::support::Sandbox;

const CRD: &str = "apiextensions.k8s.io/v1/CustomResourceDefinition";

#[test]
fn authorization_policies_that_the_api_has_in_its_older_version_alone_are_read() -> Result<()> {
    let plane = Plane::start(&Options::default())?;
    plane.install_guide()?;
    let policy = json!({
        "apiVersion": "security.istio.io/v1beta1", "kind": "AuthorizationPolicy",
        "metadata": {"name": "closed", "namespace": "default"}, "spec": {"action": "DENY", "rules": [{}]},
    });
    plane.api().apply(&policy.to_string())?;
    let name = "authorizationpolicies.security.istio.io";
    let mut versions = plane.api().get(CRD, "", name)?.context("the CRD")?["spec"]["versions"].clone();
    for version in versions.as_array_mut().context("a list")? {
        version["served"] = (version["name"] == "v1beta1").into();
    }
    plane.api().merge(CRD, "", name, &json!({"spec": {"versions": versions}}))?;

    wait_for("the newer version is gone", Duration::from_mins(1), || {
        Ok(plane.api().list("security.istio.io/v1/AuthorizationPolicy", "default").err())
    })?;

    let sandbox = Sandbox::new().env("KUBECONFIG", plane.kubeconfig().to_str().context("UTF-8")?);
    for line in [&["upstream", "default-httpbin-8000"][..], &["upstreams"]] {
        let output = sandbox.run(&[&["istio", "describe"], line, &["-o", "json"]].concat());
        let document: Value = serde_json::from_str(&output.stdout).with_context(|| format!("{output:#?}"))?;
        let mut targets = document["targets"].as_array().into_iter().flatten();
        let of_httpbin = targets.find(|it| it["target"]["name"] == "default-httpbin-8000").context("the target")?;
        assert_eq!(of_httpbin["verdict"], "broken", "{of_httpbin:#}");
        assert!(of_httpbin["why"].to_string().contains("default/closed"), "{of_httpbin:#}");
    }
    Ok(())
}
