//! Command lines of every command, and the states of a cluster in which they need what `rbac` says.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::stage::{GLOO, Plane, documents, release};

/// A command line, and what an administrator does before.
pub struct Scenario {
    pub line: &'static str,
    pub once: &'static [&'static str],
    /// Before each run.
    pub each: &'static [&'static str],
    /// Objects that are there only for this line.
    pub with: &'static [&'static str],
}

impl Scenario {
    const fn with(self, with: &'static [&'static str]) -> Self {
        Self { with, ..self }
    }
}

const fn line(line: &'static str) -> Scenario {
    Scenario { line, once: &[], each: &[], with: &[] }
}

const fn after(once: &'static [&'static str], line: &'static str) -> Scenario {
    Scenario { line, once, each: &[], with: &[] }
}

const fn each(each: &'static [&'static str], line: &'static str) -> Scenario {
    Scenario { line, once: &[], each, with: &[] }
}

const INJECT: &str = "istio inject --revision 1-28";
const UNINJECT: &str = "istio uninject --yes --force --include-upstreams";
const ENROLL: &str = "istio enroll shop --revision 1-28 --yes --force";
const ENABLE: &str = "istio enable-mtls -u default-httpbin-8000,default-plain-8080 --force --yes";
const DISABLE: &str = "istio disable-mtls -u default-httpbin-8000,default-plain-8080 --force --yes";
const AUTO: &str = "istio auto-mtls enable --yes --force";
const NO_AUTO: &str = "istio auto-mtls disable --yes --force";
const STRICT: &str = "istio peer-auth strict -n default --yes --force";
const NO_POLICY: &str = "istio peer-auth remove -n default --yes --force";

const ENABLE_UNROUTED: &str = "istio enable-mtls -u shop-web-unrouted --force --yes";
const STRICT_SHOP: &str = "istio peer-auth strict -n shop --force --yes";
const OPT_IN: &str = "istio auto-mtls enable -u default-httpbin-8000 --yes --force";

/// The command lines of a command. None if it asks no cluster. Whoever adds a command adds it here, or the tests fail.
pub fn of(words: &str) -> Vec<Scenario> {
    match words {
        "completion" | "options" | "rbac" => vec![],
        "istio enable-mtls" => vec![
            after(&[UNINJECT, DISABLE, NO_AUTO], "istio enable-mtls -u default-httpbin-8000 --dry-run=server"),
            line("istio enable-mtls --all --yes --dry-run=server"),
            line("istio enable-mtls -A -l discovered_by=kubernetesplugin --dry-run=server"),
            each(&[DISABLE], "istio enable-mtls -u default-httpbin-8000 --force --yes --wait --wait-timeout 1s"),
        ],
        "istio disable-mtls" => vec![
            after(&[INJECT, ENROLL, ENABLE, STRICT], "istio disable-mtls -u default-httpbin-8000 --dry-run=server"),
            line("istio disable-mtls --all --force --yes --dry-run=server"),
            after(&[NO_POLICY], "istio disable-mtls --all --yes --dry-run=server"),
            after(&[ENABLE_UNROUTED, STRICT_SHOP], "istio disable-mtls -u shop-web-unrouted --dry-run=server"),
        ],
        "istio auto-mtls enable" => vec![
            after(&[NO_AUTO, DISABLE, UNINJECT], "istio auto-mtls enable --yes --dry-run=server"),
            after(&[INJECT, ENROLL], "istio auto-mtls enable --yes --dry-run=server"),
            after(
                &["istio auto-mtls disable -u default-httpbin-8000 --yes --force"],
                "istio auto-mtls enable -u default-httpbin-8000 --dry-run=server",
            ),
        ],
        "istio auto-mtls disable" => vec![
            after(&[DISABLE, INJECT, ENROLL, OPT_IN, AUTO], "istio auto-mtls disable --yes --dry-run=server"),
            after(&["istio peer-auth remove -n shop --yes --force"], "istio auto-mtls disable --yes --dry-run=server"),
            after(
                &["istio auto-mtls enable -u default-httpbin-8000 --yes --force"],
                "istio auto-mtls disable -u default-httpbin-8000 --dry-run=server",
            ),
        ],
        "istio auto-mtls migrate" => vec![
            after(
                &[INJECT, ENROLL, ENABLE, AUTO],
                "istio auto-mtls migrate -u default-httpbin-8000,default-plain-8080 --dry-run=server",
            ),
            line("istio auto-mtls migrate --all --yes --dry-run=server"),
        ],
        "istio auto-mtls status" => vec![after(&[INJECT, ENROLL, AUTO], "istio auto-mtls status")],
        "istio inject" => vec![
            after(&[UNINJECT], "istio inject --revision 1-28 --dry-run=server"),
            each(&[UNINJECT], "istio inject --revision 1-28 --wait-timeout 2s"),
            after(&[NO_AUTO], "istio inject --revision 1-28 --auto-mtls --yes --dry-run=server"),
            line("istio inject --revision 1-28 -n stuck --wait-timeout 1s"),
        ],
        "istio uninject" => vec![
            after(&[INJECT, ENROLL, ENABLE], "istio uninject --dry-run=server"),
            line("istio uninject --include-upstreams --yes --force --dry-run=server"),
            each(&[INJECT], "istio uninject --yes --force --wait-timeout 2s"),
        ],
        "istio revisions" => vec![line("istio revisions"), line("istio revisions -o wide")],
        "istio enroll" => vec![
            after(
                &["istio unenroll shop --yes --force", INJECT, ENABLE],
                "istio enroll shop --revision 1-28 --yes --dry-run=server",
            ),
            line("istio enroll shop --revision stable --yes --dry-run=server").with(&[TAG]),
            each(
                &["istio unenroll shop --yes --force"],
                "istio enroll shop --revision 1-28 --yes --force --wait-timeout 2s",
            ),
        ],
        "istio unenroll" => vec![
            after(&[INJECT, ENROLL, ENABLE], "istio unenroll shop --yes --dry-run=server"),
            each(&[ENROLL], "istio unenroll shop --yes --force --wait-timeout 2s"),
        ],
        "istio peer-auth strict" => vec![
            after(&[NO_POLICY, DISABLE, NO_AUTO], "istio peer-auth strict -n default --yes --dry-run=server"),
            after(&[INJECT, ENROLL, ENABLE], "istio peer-auth strict -n default --yes --dry-run=server"),
        ],
        "istio peer-auth permissive" => {
            vec![after(&[NO_POLICY], "istio peer-auth permissive -n default --dry-run=server")]
        }
        "istio peer-auth remove" => vec![
            after(&[INJECT, ENROLL, ENABLE, STRICT], "istio peer-auth remove -n default --yes --dry-run=server"),
            after(
                &["istio peer-auth strict --mesh --yes --force"],
                "istio peer-auth remove -n default --yes --dry-run=server",
            ),
            after(
                &["istio peer-auth remove --mesh --yes --force"],
                "istio peer-auth remove -n default --yes --dry-run=server",
            ),
        ],
        "istio peer-auth get" => vec![line("istio peer-auth get"), line("istio peer-auth get -n default")],
        "istio describe" => vec![after(&[INJECT, ENROLL, AUTO], "istio describe --host shop.example --path /")],
        "istio describe upstream" => vec![
            after(&[INJECT, ENABLE], "istio describe upstream default-httpbin-8000"),
            after(&[DISABLE, AUTO], "istio describe upstream default-httpbin-8000"),
        ],
        "istio describe upstreams" => vec![
            after(&[INJECT, ENROLL, AUTO], "istio describe upstreams -A"),
            line("istio describe upstreams -n gloo-system"),
        ],
        "istio verify" => vec![line("istio verify -u default-httpbin-8000 --via forward")],
        other => of_the_rest(other),
    }
}

fn of_the_rest(words: &str) -> Vec<Scenario> {
    match words {
        "report" => vec![line("report"), line("report --gloo-namespace edge -o json"), line("report --read-only")],
        "istio setup" => vec![
            after(
                &[UNINJECT, NO_POLICY, NO_AUTO, "istio unenroll shop --yes --force"],
                "istio setup --via inject --revision 1-28 --namespace-to-enroll shop --upstream default-httpbin-8000 \
             --strict --no-verify --yes --dry-run=server",
            ),
            line(
                "istio setup --via inject --revision 1-28 --namespace-to-enroll shop --auto-mtls --no-verify --yes \
             --dry-run=server",
            ),
            line(
                "istio setup --via inject --revision stable --namespace-to-enroll shop --upstream default-httpbin-8000 \
             --no-verify --yes --dry-run=server",
            )
            .with(&[TAG]),
            line("istio setup --mesh ambient --namespace-to-enroll shop --strict --no-verify --yes --dry-run=server"),
        ],
        "istio teardown" => {
            vec![after(&[INJECT, ENROLL, ENABLE, AUTO, STRICT], "istio teardown --all --yes --dry-run=server")]
        }
        "proxy url" => vec![line("proxy url"), line("proxy url -n edge"), line("proxy url -n pending")],
        "proxy address" => {
            vec![line("proxy address"), line("proxy address -n edge"), line("proxy address -n pending")]
        }
        "proxy dump" => vec![line("proxy dump"), line("proxy dump -n daemon"), line("proxy dump -n bare")],
        "proxy stats" => vec![line("proxy stats"), line("proxy stats -n daemon"), line("proxy stats -n bare")],
        "proxy logs" => vec![line("proxy logs"), line("proxy logs -n daemon"), line("proxy logs -n bare")],
        "proxy served-config" => vec![
            line("proxy served-config"),
            line("proxy served-config -n daemon --gloo-namespace stuck"),
            line("proxy served-config -n bare --gloo-namespace stuck"),
            line("proxy served-config -n edge"),
        ],
        "proxy snapshot" => {
            vec![line("proxy snapshot"), line("proxy snapshot -n daemon"), line("proxy snapshot -n bare")]
        }
        "proxy certs" => vec![line("proxy certs"), line("proxy certs -n daemon"), line("proxy certs -n bare")],
        "proxy restart" => {
            vec![line("proxy restart --dry-run=server"), line("proxy restart --yes -n stuck --wait-timeout 1s")]
        }
        "version" => vec![line("version")],
        "upgrade-values" => vec![line("upgrade-values --revision 1-28 -n edge --gloo-namespace edge")],
        "check" => vec![line("check"), line("check --gloo-namespace edge -o json"), line("check --read-only")],
        other => panic!("in which state of a cluster does {other:?} need all its rights?"),
    }
}

/// Rights that no scenario shows: the beginning of the words, the verb, the resource, and the state in which they are needed.
const BEYOND: &[(&str, &str, &str, &str)] = &[
    (
        "istio describe upstream",
        "list",
        "httproutes",
        "gateways differ, and a route says which of them serves the Upstream",
    ),
    ("istio describe upstream", "list", "routetables", "the same"),
    ("istio describe upstream", "list", "upstreamgroups", "the same"),
    ("istio verify", "list", "namespaces", "a pod shows the ambient mesh by its namespace alone"),
    ("istio verify", "list", "daemonsets", "the gateway is in the ambient mesh"),
    ("istio setup", "get", "secrets", "a release of Helm owns the gateway"),
    ("istio uninject", "get", "settings", "Settings say which namespaces Gloo watches"),
    ("istio teardown", "get", "secrets", "a release of Helm owns the gateway"),
    ("istio teardown", "patch", "gatewayparameters", "a Gateway of the Gateway API has sidecars"),
    ("istio teardown", "list", "authorizationpolicies", "a policy decides by the identity of the gateway"),
    ("istio teardown", "list", "mutatingwebhookconfigurations", "a revision is named by its tag"),
    ("istio", "create", "pods/portforward", "the pods of a gateway are older than its bootstrap"),
    ("istio", "list", "endpointslices", "a policy has ports, and the Service knows its own by name"),
    ("istio uninject", "list", "events", "a rollout does not end"),
    ("istio enroll", "list", "events", "the same"),
    ("istio unenroll", "list", "events", "the same"),
    ("istio auto-mtls disable", "list", "deployments", "several meshes have a root namespace each"),
    ("istio enable-mtls", "list", "deployments", "a gateway of another installation serves the route"),
    ("istio disable-mtls", "list", "deployments", "the same"),
    (
        "istio auto-mtls migrate",
        "list",
        "deployments",
        "an authorization policy decides by the identity of the gateway",
    ),
    ("istio auto-mtls status", "list", "pods", "a policy disables mutual TLS"),
    ("istio auto-mtls status", "get", "services", "the same, and one Upstream of a namespace is for it"),
    ("istio auto-mtls status", "list", "deployments", "the same"),
    ("istio auto-mtls status", "list", "daemonsets", "the same, and an authorization policy is about the gateways"),
    ("istio auto-mtls status", "list", "settings", "the same"),
    ("istio peer-auth", "list", "deployments", "several meshes have a root namespace each"),
    ("check", "get", "replicasets", "an event says that a ReplicaSet may not create pods"),
    ("report", "get", "replicasets", "the same"),
    ("report", "get", "namespaces", "the namespace of Gloo is missing"),
    ("proxy served-config", "get", "settings", "Gloo is in the namespace of -n"),
];

/// Whether a rule is needed only in a state that no scenario is sure to have.
pub fn is_beyond(words: &str, resources: &[String], verbs: &[String]) -> bool {
    BEYOND.iter().any(|(of, verb, resource, _)| {
        words.starts_with(of) && verbs.iter().any(|it| it == verb) && resources.iter().any(|it| it == resource)
    })
}

/// An application outside of the mesh, with a route to it.
const SHOP: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web, ports: [{containerPort: 8080}]}]}
---
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: shop-web-80, namespace: gloo-system}
spec: {kube: {serviceName: web, serviceNamespace: shop, servicePort: 80, selector: {app: web}}}
---
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: shop-web-unrouted, namespace: gloo-system}
spec: {kube: {serviceName: web, serviceNamespace: shop, servicePort: 80, selector: {app: web}}}
---
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: shop, namespace: gloo-system}
spec:
  virtualHost:
    domains: [shop.example]
    routes:
    - matchers: [{prefix: /}]
      routeAction: {single: {upstream: {name: shop-web-80, namespace: gloo-system}}}
";

/// A tag of a revision.
const TAG: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: istio-revision-tag-stable, labels: {istio.io/rev: "1-28", istio.io/tag: stable, app: sidecar-injector}}
webhooks: []
"#;

/// Gateways of other kinds beside the guide's: behind a node's port, without an address, of a `DaemonSet`, a bare pod, and
/// one for which there is no node.
pub fn install(plane: &Plane) -> Result<()> {
    let api = plane.api();
    for (namespace, make) in [
        ("edge", edge as fn(Value) -> Value),
        ("daemon", daemon),
        ("bare", bare),
        ("stuck", stuck),
        ("pending", pending),
    ] {
        api.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}).to_string())?;
        for object in documents(GLOO)? {
            if object["metadata"]["name"].as_str().is_some_and(|name| name.starts_with("gateway-proxy")) {
                let mut object = make(object);
                object["metadata"]["namespace"] = json!(namespace);
                api.apply(&object.to_string())?;
            }
        }
    }
    api.apply(SHOP)?;
    api.apply(&release("gloo", "edge", 1, "1.22.1")?.to_string())?;
    api.wait_available("shop")?;
    api.wait_available("edge").context("the gateway behind a node's port")
}

fn edge(object: Value) -> Value {
    let mut object = pending(object);
    if object["kind"] == "Service" {
        object["spec"]["type"] = json!("NodePort");
    }
    object
}

fn daemon(mut object: Value) -> Value {
    if object["kind"] == "Deployment" {
        object["kind"] = json!("DaemonSet");
        object["spec"].as_object_mut().map(|spec| spec.remove("replicas"));
    }
    object
}

fn bare(object: Value) -> Value {
    if object["kind"] != "Deployment" {
        return object;
    }
    let template = &object["spec"]["template"];
    let metadata = json!({"name": object["metadata"]["name"], "labels": template["metadata"]["labels"]});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
}

fn stuck(mut object: Value) -> Value {
    if object["kind"] == "Deployment" {
        object["spec"]["template"]["spec"]["nodeSelector"] = json!({"nowhere": "true"});
    }
    object
}

fn pending(mut object: Value) -> Value {
    object.as_object_mut().map(|object| object.remove("status"));
    object
}
