//! pilot-agent, as it runs in a pod beside an application: it gets a certificate from istiod's authority, and runs an
//! Envoy that istiod configures.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::Deref,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::super::{
    envoy::{ask, envoy},
    launch::free_addresses,
    parts::{Part, wait_for},
    plane::Plane,
};
use super::{Istiod, istio};

const PATIENCE: Duration = Duration::from_mins(3);
/// The ports of the address of a sidecar that its egress listener takes. No request is sent there.
const EGRESS: u16 = 24_999;

/// What istiod knows of a pod from the pod itself.
#[derive(Debug, Clone, Copy)]
pub struct Workload<'a> {
    pub namespace: &'a str,
    pub account: &'a str,
    pub labels: &'a [(&'a str, &'a str)],
    /// How long its certificates last; `None` is Istio's default, a day. They are renewed after half of it.
    pub lifetime: Option<Duration>,
}

/// A certificate of the mesh with its key and its root, PEM.
#[derive(Debug, Clone, PartialEq)]
pub struct Certificate {
    pub chain: String,
    pub key: String,
    pub root: String,
}

/// A real sidecar before an application: pilot-agent, and the Envoy that it started.
pub struct MeshSidecar {
    part: Part,
    address: Ipv4Addr,
    admin: SocketAddr,
}

impl<P: Deref<Target = Plane>> Istiod<P> {
    /// The certificate that a workload gets, as `pilot-agent` writes it to files.
    pub fn certificate(&self, workload: Workload<'_>) -> Result<Certificate> {
        let directory = self.pod_files(workload)?;
        let out = directory.join("certificates");
        fs::create_dir(&out)?;
        let [status] = free_addresses()?;
        let mut agent = self.agent(
            workload,
            &directory,
            Ipv4Addr::LOCALHOST,
            &json!({"statusPort": status.port()}),
            &[("DISABLE_ENVOY", "true"), ("OUTPUT_CERTS", out.to_str().context("a path in UTF-8")?)],
        )?;
        let read =
            |name: &str| fs::read_to_string(out.join(name)).ok().filter(|text| text.trim_end().ends_with("-----"));
        let certificate = wait_for("pilot-agent writes a certificate", PATIENCE, || {
            agent.check_running()?;
            let (chain, key, root) = (read("cert-chain.pem"), read("key.pem"), read("root-cert.pem"));
            Ok(chain.zip(key).zip(root).map(|((chain, key), root)| Certificate { chain, key, root }))
        })
        .with_context(|| agent.last_words());
        // In any case: a part that is dropped waits for its end.
        agent.kill()?;
        certificate
    }

    /// Starts a sidecar before an application on this machine, on an address of its own. It listens on these ports of
    /// the pod, whose names or protocols do not matter: all are HTTP.
    pub fn sidecar(&self, workload: Workload<'_>, ports: &[u16], app: SocketAddr) -> Result<MeshSidecar> {
        let address = free_loopback(ports)?;
        self.plane().api().apply(&inbound(workload, address, ports, app).to_string())?;
        let directory = self.pod_files(workload)?;
        let [status, admin, prometheus, health] = free_addresses()?;
        let config = json!({
            "statusPort": status.port(),
            "proxyAdminPort": admin.port(),
            "interceptionMode": "NONE",
            "binaryPath": envoy(),
            "proxyBootstrapTemplatePath": istio().join("envoy_bootstrap.json"),
            "configPath": directory.join("etc/istio/proxy"),
        });
        let variables = [
            ("ISTIO_META_INTERCEPTION_MODE", "NONE"),
            ("ENVOY_PROMETHEUS_PORT", &prometheus.port().to_string()),
            ("ENVOY_STATUS_PORT", &health.port().to_string()),
        ];
        let part = self.agent(workload, &directory, address, &config, &variables)?;
        let mut sidecar = MeshSidecar { part, address, admin };
        sidecar.wait_until_live(ports)?;
        Ok(sidecar)
    }

    /// Writes the files that a pod has: the token of its account, which is made, the mesh's root, its labels.
    fn pod_files(&self, workload: Workload<'_>) -> Result<PathBuf> {
        let directory = tempfile::Builder::new().prefix("pod").tempdir_in(self.plane().directory())?.keep();
        for below in ["var/run/secrets/tokens", "var/run/secrets/istio", "etc/istio/pod", "etc/istio/proxy"] {
            fs::create_dir_all(directory.join(below))?;
        }
        let Workload { namespace, account, labels, .. } = workload;
        let metadata = json!({"name": account, "namespace": namespace});
        let service_account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
        self.plane().api().apply(&service_account.to_string())?;
        let root = wait_for("istiod writes the mesh's root", PATIENCE, || {
            let map = self.plane().api().get("v1/ConfigMap", namespace, "istio-ca-root-cert")?;
            Ok(map.and_then(|map| Some(map["data"]["root-cert.pem"].as_str()?.to_owned())))
        })?;
        fs::write(directory.join("var/run/secrets/istio/root-cert.pem"), root)?;
        fs::write(directory.join("var/run/secrets/tokens/istio-token"), self.token(namespace, account)?)?;
        let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value:?}\n")).collect();
        fs::write(directory.join("etc/istio/pod/labels"), labels.concat())?;
        Ok(directory)
    }

    /// A token of a service account for istiod's authority, as the kubelet projects it into a pod.
    fn token(&self, namespace: &str, account: &str) -> Result<String> {
        let wanted = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"audiences": ["istio-ca"], "expirationSeconds": 43_200},
        });
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let request = http::Request::post(path).header("Content-Type", "application/json");
        let request = request.body(wanted.to_string().into_bytes())?;
        let answer: Value =
            self.plane().api().run(|client: kube::Client| async move { client.request(request).await })?;
        Ok(answer["status"]["token"].as_str().context("a token")?.to_owned())
    }

    fn agent(
        &self,
        workload: Workload<'_>,
        directory: &Path,
        address: Ipv4Addr,
        config: &Value,
        variables: &[(&str, &str)],
    ) -> Result<Part> {
        let name = directory.file_name().context("a directory has a name")?.to_string_lossy().into_owned();
        let istiod = format!("localhost:{}", self.discovery().port());
        let mut config = config.clone();
        config["discoveryAddress"] = json!(istiod);
        self.plane().start_part(&name, &istio().join("pilot-agent"), |command| {
            command.current_dir(directory).args(["proxy", "sidecar", "--concurrency", "1", "--domain"]);
            command.arg(format!("{}.svc.cluster.local", workload.namespace));
            command.env("POD_NAME", &name).env("POD_NAMESPACE", workload.namespace);
            command.env("SERVICE_ACCOUNT", workload.account).env("INSTANCE_IP", address.to_string());
            command.env("ISTIO_META_CLUSTER_ID", "Kubernetes").env("CA_ADDR", &istiod);
            command.env("JWT_POLICY", "third-party-jwt").env("PILOT_CERT_PROVIDER", "istiod");
            let lifetime = workload.lifetime.map(|lifetime| ("SECRET_TTL", format!("{}s", lifetime.as_secs())));
            command.env("PROXY_CONFIG", config.to_string()).envs(variables.iter().copied()).envs(lifetime)
        })
    }
}

impl MeshSidecar {
    /// The address of a port of the pod.
    pub fn port(&self, port: u16) -> SocketAddr {
        (self.address, port).into()
    }

    /// The body of `GET path` on its Envoy's admin interface.
    pub fn get(&self, path: &str) -> Result<String> {
        ask(self.admin, "GET", path)
    }

    /// The listener of a port, as istiod sent it; `None` while there is none.
    pub fn listener(&self, port: u16) -> Result<Option<Value>> {
        let dump: Value = serde_json::from_str(&self.get("/config_dump?resource=dynamic_listeners")?)?;
        let states = dump["configs"].as_array().into_iter().flatten().map(|it| &it["active_state"]["listener"]);
        let wanted = json!({"address": self.address.to_string(), "port_value": port});
        let mut found = states.filter(|it| {
            let socket = &it["address"]["socket_address"];
            socket["address"] == wanted["address"] && socket["port_value"] == wanted["port_value"]
        });
        Ok(found.next().cloned())
    }

    /// Whether a port accepts mutual TLS, and whether it accepts plaintext, by the filter chains that istiod sent; `None`
    /// while there are none.
    pub fn accepts(&self, port: u16) -> Result<Option<(bool, bool)>> {
        let Some(listener) = self.listener(port)? else { return Ok(None) };
        let chains = listener["filter_chains"].as_array().map_or(&[][..], Vec::as_slice);
        let requires = |chain: &Value| {
            chain["transport_socket"]["typed_config"]["require_client_certificate"].as_bool().unwrap_or_default()
        };
        Ok(Some((chains.iter().any(requires), chains.iter().any(|chain| !requires(chain)))))
    }

    fn wait_until_live(&mut self, ports: &[u16]) -> Result<()> {
        let waited = wait_for("the sidecar listens as istiod says", PATIENCE, || {
            self.part.check_running()?;
            let live = self.get("/ready").is_ok_and(|answer| answer.trim() == "LIVE");
            let has = |port: &u16| self.listener(*port).is_ok_and(|it| it.is_some());
            Ok((live && ports.iter().all(has)).then_some(()))
        });
        waited.with_context(|| self.part.last_words())
    }
}

impl Drop for MeshSidecar {
    fn drop(&mut self) {
        // The agent ends its Envoy only if it is asked to end; a killed one leaves it to the plane's supervisor.
        let _ = ask(self.admin, "POST", "/quitquitquit");
        let _ = self.part.kill();
    }
}

/// The object that gives the sidecar its listeners: without redirection there are only those that one names.
fn inbound(workload: Workload<'_>, address: Ipv4Addr, ports: &[u16], app: SocketAddr) -> Value {
    let labels: serde_json::Map<_, _> =
        workload.labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    let listener = |port: &u16| {
        json!({
            "port": {"number": port, "protocol": "HTTP", "name": format!("http-{port}")},
            "bind": address.to_string(), "captureMode": "NONE", "defaultEndpoint": app.to_string(),
        })
    };
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Sidecar",
        "metadata": {"name": format!("{}-on-loopback", workload.account), "namespace": workload.namespace},
        "spec": {
            "workloadSelector": {"labels": labels},
            "ingress": ports.iter().map(listener).collect::<Vec<_>>(),
            "egress": [{
                "port": {"number": EGRESS, "protocol": "HTTP", "name": "egress"},
                "bind": address.to_string(), "captureMode": "NONE", "hosts": ["./*"],
            }],
        },
    })
}

/// An address of the loopback network on which all these ports are free. Each process begins elsewhere in it.
fn free_loopback(ports: &[u16]) -> Result<Ipv4Addr> {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    for _ in 0..250 {
        let address = Ipv4Addr::new(127, high.max(1), low, NEXT.fetch_add(1, Ordering::Relaxed).clamp(1, 254));
        let all: Result<Vec<_>, _> = ports.iter().map(|port| TcpListener::bind((address, *port))).collect();
        if all.is_ok() {
            return Ok(address);
        }
    }
    bail!("no address of 127.0.0.0/8 has the ports {ports:?} free")
}
