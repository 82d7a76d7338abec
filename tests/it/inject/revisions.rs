//! Several control planes: moving between them, tags, canaries, one that is elsewhere or not ready.
//!
//! Revisions are named after the test's namespace: other tests look for theirs in all namespaces.

use anyhow::Result;
use serde_json::{Value, json};

use super::{Bench, INJECTED, assert_said, env, last_line};

/// A namespace with control planes of this test's own.
struct Mesh<'b> {
    bench: &'b Bench,
    namespace: String,
}

impl<'b> Mesh<'b> {
    fn new(bench: &'b Bench) -> Result<Self> {
        Ok(Self { bench, namespace: bench.plane.namespace("mesh")? })
    }

    fn apply(&self, objects: &[Value]) -> Result<()> {
        for object in objects {
            self.bench.plane.api().apply(&object.to_string())?;
        }
        self.bench.plane.api().wait_available(&self.namespace)
    }

    /// An istiod whose pods stand on this node, if any.
    fn istiod(&self, revision: &str, version: &str) -> [Value; 2] {
        let name = format!("istiod-{revision}");
        let metadata = json!({
            "name": name, "namespace": self.namespace, "labels": {"app": "istiod", "istio.io/rev": revision},
        });
        let labels = json!({"app": "istiod", "istio.io/rev": revision});
        let discovery = json!({
            "name": "discovery", "image": format!("docker.io/istio/pilot:{version}"),
            "env": [{"name": "CLUSTER_ID", "value": "east"}],
        });
        let spec = json!({
            "replicas": 1, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [discovery]}},
        });
        [
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}),
            self.service(&name, revision, &json!({})),
        ]
    }

    fn service(&self, name: &str, revision: &str, more: &Value) -> Value {
        let mut labels = json!({"app": "istiod", "istio.io/rev": revision});
        labels.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": self.namespace, "labels": labels},
            "spec": {"selector": labels, "ports": [{"name": "https-dns", "port": 15012}]},
        })
    }

    /// A tag as istioctl makes it. Its selector matches nothing, so that pods are still made.
    fn tag(&self, tag: &str, revision: &str) -> [Value; 2] {
        let service = format!("istiod-revision-tag-{tag}");
        let webhook = json!({
            "name": "rev.namespace.sidecar-injector.istio.io", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": {"service": {"name": service, "namespace": self.namespace, "path": "/inject"}},
            "namespaceSelector": {"matchLabels": {"istio.io/rev": "nothing-has-this"}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        });
        let labels = json!({"app": "sidecar-injector", "istio.io/rev": revision, "istio.io/tag": tag});
        [
            self.service(&service, revision, &json!({"istio.io/tag": tag})),
            json!({
                "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
                "metadata": {"name": format!("istio-revision-tag-{tag}-{}", self.namespace), "labels": labels},
                "webhooks": [webhook],
            }),
        ]
    }

    fn address(&self, service: &str) -> String {
        format!("{service}.{}.svc:15012", self.namespace)
    }

    fn inject(&self, flags: &str) -> crate::support::Output {
        let line = format!("inject --istio-namespace {} {flags}", self.namespace);
        self.bench.run(line.trim())
    }
}

/// The address and the version that the gateway uses.
fn used(bench: &Bench) -> Result<(Value, Value)> {
    let deployment = bench.deployment()?;
    let image = super::named(super::containers(&deployment), "istio-proxy")["image"].clone();
    let config = env(&deployment, "istio-proxy", "PROXY_CONFIG").as_str().unwrap_or_default();
    let address = env(&deployment, "istio-proxy", "CA_ADDR").clone();
    assert_eq!(serde_json::from_str::<Value>(config)?["discoveryAddress"], address);
    Ok((address, image))
}

#[test]
fn a_gateway_moves_from_one_revision_to_another_and_only_when_told() -> Result<()> {
    let bench = Bench::new("move")?;
    let mesh = Mesh::new(&bench)?;
    let (old, new, canary) =
        (format!("1-27-{}", mesh.namespace), format!("1-28-{}", mesh.namespace), format!("1-29-{}", mesh.namespace));
    mesh.apply(&mesh.istiod(&old, "1.27.5"))?;
    mesh.apply(&mesh.istiod(&new, "1.28.3"))?;

    let before = bench.versions()?;
    let output = mesh.inject("");
    let said = ["several istiod revisions, and none is chosen", &old, &new, "1.28.3)", "hint: --revision REVISION"];
    assert_said(&output, 1, &said);
    let output = mesh.inject("--revision 9-99");
    assert_said(&output, 4, &["no istiod of revision or tag 9-99", &old, &new]);
    assert_eq!(bench.versions()?, before);

    let output = mesh.inject(&format!("--revision {old}"));
    assert_eq!((output.code, last_line(&output.stdout)), (Some(0), INJECTED), "{output:#?}");
    let at_old = (json!(mesh.address(&format!("istiod-{old}"))), json!("docker.io/istio/proxyv2:1.27.5"));
    assert_eq!(used(&bench)?, at_old);

    // A canary comes, and the same command again keeps the revision.
    mesh.apply(&mesh.istiod(&canary, "1.29.0"))?;
    let before = bench.versions()?;
    for flags in [String::new(), format!("--revision {old}")] {
        let output = mesh.inject(&flags);
        assert_eq!((output.code, last_line(&output.stdout)), (Some(0), INJECTED), "{output:#?}");
        assert_eq!(bench.versions()?, before, "{output:#?}");
    }
    // Also where nobody says in which namespace to look.
    assert_eq!(bench.run("inject").code, Some(0));
    assert_eq!(bench.versions()?, before);

    let output = mesh.inject(&format!("--revision {new}"));
    let moved = format!("deployment.apps/gateway-proxy patched (revision {old} -> {new}, ");
    assert!(output.stdout.contains(&moved), "{output:#?}");
    assert!(output.stdout.contains("configmap/gateway-proxy-envoy-config unchanged"), "{output:#?}");
    assert_eq!(used(&bench)?, (json!(mesh.address(&format!("istiod-{new}"))), json!("docker.io/istio/proxyv2:1.28.3")));
    Ok(())
}

#[test]
fn a_gateway_at_a_tag_moves_with_it() -> Result<()> {
    let bench = Bench::new("tag")?;
    let mesh = Mesh::new(&bench)?;
    let (old, new) = (format!("1-27-{}", mesh.namespace), format!("1-28-{}", mesh.namespace));
    let tag = format!("prod-{}", mesh.namespace);
    mesh.apply(&mesh.istiod(&old, "1.27.5"))?;
    mesh.apply(&mesh.istiod(&new, "1.28.3"))?;
    mesh.apply(&mesh.tag(&tag, &old))?;

    let output = mesh.inject(&format!("--revision {tag}"));
    assert_eq!((output.code, last_line(&output.stdout)), (Some(0), INJECTED), "{output:#?}");
    let address = json!(mesh.address(&format!("istiod-revision-tag-{tag}")));
    assert_eq!(used(&bench)?, (address.clone(), json!("docker.io/istio/proxyv2:1.27.5")));

    mesh.apply(&mesh.tag(&tag, &new))?;
    let before = bench.versions()?;
    let output = mesh.inject("");
    assert_said(&output, 0, &["istio-proxy runs docker.io/istio/proxyv2:1.27.5, istiod ", "is 1.28.3"]);
    assert_eq!(bench.versions()?, before, "the address is the tag's already: {output:#?}");

    let output = mesh.inject(&format!("--revision {tag}"));
    let moved = "patched (istio-proxy docker.io/istio/proxyv2:1.27.5 -> docker.io/istio/proxyv2:1.28.3)";
    assert!(output.code == Some(0) && output.stdout.contains(moved), "{output:#?}");
    assert_eq!(used(&bench)?.0, address);
    Ok(())
}

#[test]
fn a_revision_that_stands_in_two_namespaces_wants_the_namespace() -> Result<()> {
    let bench = Bench::new("twins")?;
    let (one, two) = (Mesh::new(&bench)?, Mesh::new(&bench)?);
    let twin = format!("twin-{}", one.namespace);
    one.apply(&one.istiod(&twin, "1.28.3"))?;
    two.apply(&two.istiod(&twin, "1.28.3"))?;
    let output = bench.run(&format!("inject --revision {twin}"));
    assert_said(
        &output,
        1,
        &["in different namespaces", &one.namespace, &two.namespace, "hint: --istio-namespace NAMESPACE"],
    );
    // In a namespace with one control plane nothing has to be chosen.
    let output = two.inject("");
    assert_eq!((output.code, last_line(&output.stdout)), (Some(0), INJECTED), "{output:#?}");
    assert_eq!(used(&bench)?.0, json!(two.address(&format!("istiod-{twin}"))));
    Ok(())
}

#[test]
fn an_istiod_that_is_not_ready_is_a_warning() -> Result<()> {
    let bench = Bench::new("unready")?;
    let mesh = Mesh::new(&bench)?;
    let revision = format!("down-{}", mesh.namespace);
    let [mut deployment, service] = mesh.istiod(&revision, "1.28.3");
    deployment["spec"]["template"]["spec"]["nodeSelector"] = json!({"nowhere": "here"});
    for object in [&deployment, &service] {
        bench.plane.api().apply(&object.to_string())?;
    }
    let output = mesh.inject("");
    let said = format!("warning: istiod {revision} is not ready: 0 of 1 pods");
    assert_said(&output, 0, &[&said]);
    assert_eq!(output.stderr.matches(&said).count(), 1, "said once");
    Ok(())
}

#[test]
fn without_an_istiod_here_what_is_typed_is_enough() -> Result<()> {
    let bench = Bench::new("remote")?;
    let mesh = Mesh::new(&bench)?;
    let before = bench.versions()?;
    assert_said(&mesh.inject(""), 4, &["no istiod found", "--istio-discovery-address HOST:15012"]);
    let typed = "--istio-discovery-address istiod.far.svc:15012";
    let output = mesh.inject(typed);
    assert_said(&output, 1, &["no istiod here shows the istio-proxy image", "hint: --istio-proxy-image REGISTRY"]);
    assert_eq!(bench.versions()?, before);
    let output = mesh.inject(&format!("{typed} --istio-proxy-image r:5000/istio/proxyv2:1.28.3-distroless"));
    assert_eq!((output.code, last_line(&output.stdout)), (Some(0), INJECTED), "{output:#?}");
    assert_eq!(used(&bench)?, (json!("istiod.far.svc:15012"), json!("r:5000/istio/proxyv2:1.28.3-distroless")));
    Ok(())
}
