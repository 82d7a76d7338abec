//! A replacement for Istio's injector: a mutating webhook that the real API server calls over TLS for each pod that
//! Istio's own selectors match.
//!
//! ```ignore
//! let injector = Injector::beside_others(plane)?;
//! let old = injector.install("1-27", "1.27.5", Sidecar::Container)?; // old.name is 1-27-mesh-3, this test's own
//! let tag = injector.tag("prod", &old)?;
//! injector.go_down(); // pods of its revisions cannot be created any more
//! ```

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::spawn,
    time::Duration,
};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use kube::Client;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::{Map, Value, json};

use super::{parts::wait_for, plane::Plane};

const PATIENCE: Duration = Duration::from_mins(3);
const STATUS: &str = "sidecar.istio.io/status";

/// The form of the sidecar in a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sidecar {
    Container,
    /// An init container that keeps running (`restartPolicy: Always`).
    Native,
}

/// The injector of some revisions, with their istiods. After it is dropped no pod of its revisions can be created.
pub struct Injector<'p> {
    plane: &'p Plane,
    namespace: String,
    /// The suffix of its names, so that tests on one plane do not collide.
    suffix: String,
    /// A namespace for dry-run pods, which show whether a webhook is in effect.
    probe: String,
    port: u16,
    ca: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    down: AtomicBool,
    dropped: AtomicBool,
}

/// A revision, which is also the path of the webhook's URL.
#[derive(Debug, Clone)]
pub struct Revision {
    /// The full name.
    pub name: String,
    version: String,
    sidecar: Sidecar,
}

impl Revision {
    pub fn new(name: &str, version: &str, sidecar: Sidecar) -> Self {
        Self { name: name.to_owned(), version: version.to_owned(), sidecar }
    }
}

impl<'p> Injector<'p> {
    /// Starts it on a plane that other tests use too. Its istiods have their own namespace, and the names of its
    /// revisions and tags end in that namespace's.
    pub fn beside_others(plane: &'p Plane) -> Result<Self> {
        let namespace = plane.namespace("mesh")?;
        let suffix = format!("-{namespace}");
        Self::start(plane, namespace, suffix)
    }

    /// Starts it on a plane with the guide's installation that no other test uses. The istiods `default` and `1-28`
    /// inject, and all names are used unchanged.
    pub fn of_the_guide(plane: &'p Plane) -> Result<Self> {
        let injector = Self::start(plane, "istio-system".to_owned(), String::new())?;
        injector.serve(&Revision::new("default", "1.29.1", Sidecar::Native))?;
        injector.serve(&Revision::new("1-28", "1.28.3", Sidecar::Container))?;
        Ok(injector)
    }

    fn start(plane: &'p Plane, namespace: String, suffix: String) -> Result<Self> {
        let (config, ca) = identity()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        spawn(move || {
            for stream in listener.incoming() {
                if shared.dropped.load(Ordering::SeqCst) {
                    return;
                }
                let (state, config) = (Arc::clone(&shared), Arc::clone(&config));
                // A broken connection is the client's problem.
                spawn(move || drop(stream.map(|stream| converse(stream, config, &state))));
            }
        });
        let probe = plane.namespace("injection-probe")?;
        Ok(Self { plane, namespace, suffix, probe, port, ca, state })
    }

    /// The namespace of its istiods.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Adds a control plane: a ready Deployment, its Service, and its webhook, which is in effect.
    pub fn install(&self, revision: &str, version: &str, sidecar: Sidecar) -> Result<Revision> {
        let revision = Revision::new(&format!("{revision}{}", self.suffix), version, sidecar);
        let name = format!("istiod-{}", revision.name);
        let labels = json!({"app": "istiod", "istio.io/rev": revision.name});
        let mut pod_labels = labels.clone();
        pod_labels["sidecar.istio.io/inject"] = json!("false");
        let metadata = json!({"name": name, "namespace": self.namespace, "labels": labels});
        let discovery = json!({"name": "discovery", "image": format!("docker.io/istio/pilot:{version}")});
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": {
                "replicas": 1, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": pod_labels}, "spec": {"containers": [discovery]}},
            },
        });
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"name": "https-dns", "port": 15012}]},
        });
        self.plane.api().apply(&deployment.to_string())?;
        self.plane.api().apply(&service.to_string())?;
        self.plane.api().wait_available(&self.namespace)?;
        self.serve(&revision)?;
        Ok(revision)
    }

    /// Adds the webhook of an existing istiod, as istiod's chart renders it.
    pub fn serve(&self, revision: &Revision) -> Result<()> {
        let name = &revision.name;
        let mut hooks = self.hooks_for(name, revision);
        if name == "default" {
            hooks.extend(self.hooks_of_the_default(revision));
        }
        let labels = json!({"app": "sidecar-injector", "istio.io/rev": name});
        self.put(&format!("istio-sidecar-injector-{name}"), &labels, &hooks)?;
        self.wait_until_in_force(&json!({"istio.io/rev": name}), name)
    }

    /// Handles `istio-injection=enabled` in one namespace, as the default istiod would everywhere.
    pub fn serve_default_in(&self, namespace: &str, version: &str, sidecar: Sidecar) -> Result<()> {
        let mut hooks = self.hooks_of_the_default(&Revision::new("default", version, sidecar));
        let here = json!({"key": "kubernetes.io/metadata.name", "operator": "In", "values": [namespace, self.probe]});
        for hook in &mut hooks {
            let selector = hook["namespaceSelector"]["matchExpressions"].as_array_mut();
            selector.context("a hook has a selector")?.push(here.clone());
        }
        let labels = json!({"app": "sidecar-injector", "istio.io/rev": "default"});
        self.put(&format!("istio-sidecar-injector-{namespace}"), &labels, &hooks)?;
        self.wait_until_in_force(&json!({"istio-injection": "enabled"}), "default")
    }

    /// Points a tag at a revision of this injector, as istioctl does. Returns its full name.
    pub fn tag(&self, tag: &str, revision: &Revision) -> Result<String> {
        let tag = format!("{tag}{}", self.suffix);
        let labels = json!({"app": "sidecar-injector", "istio.io/rev": revision.name, "istio.io/tag": tag});
        self.put(&format!("istio-revision-tag-{tag}"), &labels, &self.hooks_for(&tag, revision))?;
        self.wait_until_in_force(&json!({"istio.io/rev": tag}), &revision.name)?;
        Ok(tag)
    }

    /// Stops answering, as an istiod without pods.
    pub fn go_down(&self) {
        self.state.down.store(true, Ordering::SeqCst);
    }

    /// Answers again after [`Injector::go_down`].
    pub fn come_up(&self) {
        self.state.down.store(false, Ordering::SeqCst);
    }

    fn put(&self, name: &str, labels: &Value, hooks: &[Value]) -> Result<()> {
        let webhook = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": name, "labels": labels}, "webhooks": hooks,
        });
        self.plane.api().apply(&webhook.to_string())
    }

    /// The hooks for namespaces and pods that name a revision or a tag.
    fn hooks_for(&self, names: &str, revision: &Revision) -> Vec<Value> {
        let names_it = json!({"key": "istio.io/rev", "operator": "In", "values": [names]});
        vec![
            self.hook(
                "rev.namespace",
                revision,
                &json!([names_it, absent("istio-injection")]),
                &json!([not_told_off()]),
            ),
            self.hook(
                "rev.object",
                revision,
                &json!([absent("istio.io/rev"), absent("istio-injection")]),
                &json!([not_told_off(), names_it]),
            ),
        ]
    }

    /// The hooks for namespaces and pods that name no revision.
    fn hooks_of_the_default(&self, revision: &Revision) -> Vec<Value> {
        let enabled = json!({"key": "istio-injection", "operator": "In", "values": ["enabled"]});
        let wanted = json!({"key": "sidecar.istio.io/inject", "operator": "In", "values": ["true"]});
        vec![
            self.hook("namespace", revision, &json!([enabled]), &json!([not_told_off()])),
            self.hook(
                "object",
                revision,
                &json!([absent("istio-injection"), absent("istio.io/rev")]),
                &json!([wanted, absent("istio.io/rev")]),
            ),
        ]
    }

    fn hook(&self, name: &str, revision: &Revision, namespaces: &Value, pods: &Value) -> Value {
        let url = format!("https://127.0.0.1:{}{}", self.port, revision.path());
        json!({
            "name": format!("{name}.sidecar-injector.istio.io"),
            "clientConfig": {"url": url, "caBundle": STANDARD.encode(&self.ca)},
            "sideEffects": "None", "failurePolicy": "Fail", "reinvocationPolicy": "Never",
            "admissionReviewVersions": ["v1"], "matchPolicy": "Equivalent", "timeoutSeconds": 10,
            "namespaceSelector": {"matchExpressions": namespaces}, "objectSelector": {"matchExpressions": pods},
            "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"],
                       "scope": "*"}],
        })
    }

    fn wait_until_in_force(&self, labels: &Value, revision: &str) -> Result<()> {
        wait_until_injected_in(self.plane, &self.probe, labels, revision)
    }
}

/// Waits until a namespace with these labels gets the sidecars of a revision.
pub fn wait_until_injected(plane: &Plane, labels: &Value, revision: &str) -> Result<()> {
    wait_until_injected_in(plane, &plane.namespace("injection-probe")?, labels, revision)
}

/// Waits until a webhook is in effect, which is shortly after it was written. A dry-run pod shows it.
fn wait_until_injected_in(plane: &Plane, probe: &str, labels: &Value, revision: &str) -> Result<()> {
    let mut all = json!({"istio.io/rev": null, "istio-injection": null});
    for (key, value) in labels.as_object().context("labels")? {
        all[key] = value.clone();
    }
    plane.api().merge("v1/Namespace", "", probe, &json!({"metadata": {"labels": all}}))?;
    let last = std::cell::RefCell::new(String::new());
    wait_for(&format!("{labels} injects {revision}"), PATIENCE, || {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "tried", "annotations": {}},
            "spec": {"serviceAccountName": "default", "containers": [{"name": "app", "image": "app"}]},
        });
        let path = format!("/api/v1/namespaces/{probe}/pods?dryRun=All");
        let request = http::Request::post(path).header("Content-Type", "application/json");
        let request = request.body(pod.to_string().into_bytes())?;
        let made: Result<Value, _> = plane.api().run(|client: Client| async move { client.request(request).await });
        last.replace(made.as_ref().map_or_else(ToString::to_string, ToString::to_string));
        Ok(made.is_ok_and(|pod| injected_by(&pod).as_deref() == Some(revision)).then_some(()))
    })
    .with_context(|| last.take())?;
    // The probe namespace must not count as a user of a revision.
    let none = json!({"istio.io/rev": null, "istio-injection": null});
    plane.api().merge("v1/Namespace", "", probe, &json!({"metadata": {"labels": none}}))
}

impl Drop for Injector<'_> {
    fn drop(&mut self) {
        self.state.down.store(true, Ordering::SeqCst);
        self.state.dropped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

/// The revision that injected a pod, from its annotation.
pub fn injected_by(pod: &Value) -> Option<String> {
    let status: Value = serde_json::from_str(pod["metadata"]["annotations"][STATUS].as_str()?).ok()?;
    Some(status["revision"].as_str()?.to_owned())
}

fn absent(label: &str) -> Value {
    json!({"key": label, "operator": "DoesNotExist"})
}

fn not_told_off() -> Value {
    json!({"key": "sidecar.istio.io/inject", "operator": "NotIn", "values": ["false"]})
}

impl Revision {
    fn path(&self) -> String {
        let sidecar = if self.sidecar == Sidecar::Native { "native" } else { "container" };
        format!("/inject/{}/{}/{sidecar}", self.name, self.version)
    }

    fn of_path(path: &str) -> Option<Self> {
        let path = path.split('?').next()?;
        let [name, version, sidecar] = path.strip_prefix("/inject/")?.split('/').collect::<Vec<_>>()[..] else {
            return None;
        };
        let sidecar = if sidecar == "native" { Sidecar::Native } else { Sidecar::Container };
        Some(Self::new(name, version, sidecar))
    }

    /// The changes of Istio's template to a pod, as far as tests need them; `None` if Istio does not inject the pod.
    fn patch(&self, pod: &Value) -> Option<Value> {
        let told_off = pod["metadata"]["annotations"]["sidecar.istio.io/inject"] == "false";
        let has_one = ["containers", "initContainers"].iter().any(|list| {
            pod["spec"][list].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == "istio-proxy"))
        });
        if told_off || has_one || pod["spec"]["hostNetwork"] == true {
            return None;
        }
        let (list, mut sidecar) = (
            if self.sidecar == Sidecar::Native { "initContainers" } else { "containers" },
            json!({
                "name": "istio-proxy", "image": format!("docker.io/istio/proxyv2:{}", self.version),
                "args": ["proxy", "sidecar"],
            }),
        );
        if self.sidecar == Sidecar::Native {
            sidecar["restartPolicy"] = json!("Always");
        }
        let mut containers = pod["spec"][list].as_array().cloned().unwrap_or_default();
        let place = if self.sidecar == Sidecar::Native { 0 } else { containers.len() };
        containers.insert(place, sidecar);
        let metadata = |key: &str| pod["metadata"][key].as_object().cloned().unwrap_or_default();
        let (mut labels, mut annotations) = (metadata("labels"), metadata("annotations"));
        let name = labels.get("app").and_then(Value::as_str).unwrap_or("unknown").to_owned();
        for (key, value) in [
            ("security.istio.io/tlsMode", "istio"),
            ("service.istio.io/canonical-name", &name),
            ("istio.io/rev", &self.name),
        ] {
            labels.entry(key).or_insert_with(|| json!(value));
        }
        annotations.insert(STATUS.to_owned(), json!(self.status(list)));
        Some(json!([
            {"op": "add", "path": format!("/spec/{list}"), "value": containers},
            {"op": "add", "path": "/metadata/labels", "value": labels},
            {"op": "add", "path": "/metadata/annotations", "value": annotations},
        ]))
    }

    fn status(&self, list: &str) -> String {
        let mut status = Map::new();
        status.insert(list.to_owned(), json!(["istio-proxy"]));
        status.insert("revision".to_owned(), json!(self.name));
        Value::Object(status).to_string()
    }
}

/// Answers the requests of the API server on one connection, until it is closed or the injector is stopped.
fn converse(stream: TcpStream, config: Arc<ServerConfig>, state: &State) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(StreamOwned::new(ServerConnection::new(config)?, stream));
    loop {
        if state.down.load(Ordering::SeqCst) {
            return Ok(());
        }
        let Some((path, review)) = question(&mut stream)? else { return Ok(()) };
        if state.down.load(Ordering::SeqCst) {
            return Ok(());
        }
        let answer = answer(&path, &review)?.to_string();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", answer.len());
        let stream = stream.get_mut();
        stream.write_all(head.as_bytes())?;
        stream.write_all(answer.as_bytes())?;
        stream.flush()?;
    }
}

/// The path and the body of the next request.
fn question(stream: &mut impl BufRead) -> Result<Option<(String, Value)>> {
    let mut first = String::new();
    if stream.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let path = first.split(' ').nth(1).context("a request line has a path")?.to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.trim().parse()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Some((path, serde_json::from_slice(&body)?)))
}

fn answer(path: &str, review: &Value) -> Result<Value> {
    let revision = Revision::of_path(path).context("a path of ours")?;
    let mut response = json!({"uid": review["request"]["uid"], "allowed": true});
    if let Some(patch) = revision.patch(&review["request"]["object"]) {
        response["patchType"] = json!("JSONPatch");
        response["patch"] = json!(STANDARD.encode(patch.to_string()));
    }
    Ok(json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}))
}

/// A server configuration for 127.0.0.1, and the authority to trust, in PEM.
fn identity() -> Result<(Arc<ServerConfig>, String)> {
    let ca_key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&ca_key)?;
    let issuer = Issuer::new(params, ca_key);
    let key = KeyPair::generate()?;
    let leaf = CertificateParams::new(["127.0.0.1".to_owned()])?.signed_by(&key, &issuer)?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok((Arc::new(builder.with_single_cert(vec![leaf.der().clone()], key)?), ca.pem()))
}
