//! The bench of the mesh's tests: the guide with a real istiod, a backend whose sidecar istiod configures, and a gateway
//! with a certificate of istiod's authority.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::stage::{
    Options, Plane, Sidecar, echo,
    istio::{Istiod, MeshSidecar, NAMESPACE, Workload},
    mesh::{Keys, validation},
    pair::{Endpoints, Pair, Sends},
};
use crate::support::{Output, Sandbox};

pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// The ports of the backend's container. The Service's port 8000 leads to the first.
pub(super) const PORTS: [u16; 2] = [8080, 9090];
/// The guide's backend: its namespace, its account, and the labels of its pods.
pub(super) const HTTPBIN: Workload<'_> = Workload {
    namespace: "default",
    account: "httpbin",
    labels: &[("app", "httpbin"), ("version", "v1")],
    lifetime: None,
};
pub(super) const GATEWAY: Workload<'_> = Workload {
    namespace: "gloo-system",
    account: "gateway-proxy",
    labels: &[("gloo", "gateway-proxy")],
    lifetime: None,
};
pub(super) const UPSTREAM: &str = "default-httpbin-8000";
pub(super) const PEER_AUTHENTICATION: &str = "security.istio.io/v1/PeerAuthentication";
pub(super) const AUTHORIZATION_POLICY: &str = "security.istio.io/v1/AuthorizationPolicy";

pub(super) struct Bench {
    pub istiod: Istiod<Arc<Plane>>,
    pub sidecar: MeshSidecar,
    pub pair: Pair,
    /// Istio's TLS with the certificate that istiod signed for the gateway.
    pub mtls: Sends,
    pub plane: Arc<Plane>,
}

/// The bench while one test uses it: policies of the mesh apply to all of it.
pub(super) struct InUse(MutexGuard<'static, Option<Bench>>);

static BENCH: Mutex<Option<Bench>> = Mutex::new(None);
/// The tests that use the bench or wait for it.
static USERS: AtomicUsize = AtomicUsize::new(0);

/// The one bench, without policies. It ends when no test uses it or waits for it.
pub(super) fn bench() -> Result<InUse> {
    USERS.fetch_add(1, Ordering::SeqCst);
    let mut bench = InUse(BENCH.lock().unwrap_or_else(PoisonError::into_inner));
    if bench.0.is_none() {
        *bench.0 = Some(Bench::start()?);
    }
    // A test that failed leaves its policies only.
    for kind in [PEER_AUTHENTICATION, AUTHORIZATION_POLICY] {
        for namespace in [HTTPBIN.namespace, NAMESPACE] {
            for policy in bench.plane.api().list(kind, namespace)? {
                let name = policy["metadata"]["name"].as_str().context("a name")?;
                bench.plane.api().delete(kind, namespace, name)?;
            }
        }
    }
    Ok(bench)
}

impl Deref for InUse {
    type Target = Bench;

    fn deref(&self) -> &Bench {
        self.0.as_ref().expect("it was started before it was given out")
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if USERS.fetch_sub(1, Ordering::SeqCst) == 1 {
            *self.0 = None;
        }
    }
}

impl Bench {
    fn start() -> Result<Self> {
        let plane = Arc::new(Plane::start(&Options::default())?);
        plane.install_gloo_definitions()?;
        Istiod::install_definitions(&plane)?;
        let istiod = Istiod::install(Arc::clone(&plane), "default", "1.29.1", Sidecar::Native)?;
        plane.install_gloo_and_apps()?;
        let sidecar = istiod.sidecar(HTTPBIN, &PORTS, echo::start()?)?;
        let mtls = mtls_of(&istiod, GATEWAY)?;
        let pair = Pair::start(&format!("{UPSTREAM}_gloo-system"))?;
        pair.beside(&["gateway_proxy_sds"]);
        pair.sends(&mtls)?;
        pair.stand_in(&plane, GATEWAY.namespace)?;
        Ok(Self { istiod, sidecar, pair, mtls, plane })
    }

    /// Runs `gloo-rs LINE` here.
    pub fn run(&self, line: &str) -> Result<Output> {
        let kubeconfig = self.plane.kubeconfig();
        let sandbox = Sandbox::new().env("KUBECONFIG", kubeconfig.to_str().context("UTF-8")?);
        Ok(sandbox.run(&line.split(' ').collect::<Vec<_>>()))
    }

    pub fn json(&self, line: &str) -> Result<Value> {
        let output = self.run(&format!("{line} -o json"))?;
        serde_json::from_str(&output.stdout).with_context(|| format!("{output:#?}"))
    }

    pub fn apply(&self, kind: &str, policy: &Policy) -> Result<()> {
        let (version, kind) = kind.rsplit_once('/').context("a kind with its version")?;
        let Policy { namespace, name, spec } = policy;
        let metadata = json!({"name": name, "namespace": namespace});
        let policy = json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec});
        self.plane.api().apply(&policy.to_string())
    }

    /// Runs a command, which has to succeed.
    pub fn done(&self, line: &str) -> Result<()> {
        let output = self.run(line)?;
        ensure!(output.code == Some(0), "{line}: {output:#?}");
        Ok(())
    }

    /// Sets how the gateway sends to a port of the backend.
    pub fn sends(&self, sends: &Sends, port: u16) -> Result<()> {
        self.pair.set(sends, Endpoints::At(self.sidecar.port(port)))
    }

    /// The status of a request through the gateway.
    pub fn status(&self) -> Result<u16> {
        let answer = self.pair.ask("/headers")?;
        ensure!([200, 403, 503].contains(&answer.status), "{answer:?}");
        Ok(answer.status)
    }
}

/// Istio's TLS with a certificate that istiod signs for this workload.
pub(super) fn mtls_of(istiod: &Istiod<Arc<Plane>>, workload: Workload<'_>) -> Result<Sends> {
    let certificate = istiod.certificate(workload)?;
    let keys = Keys::new(&certificate.chain, &certificate.key);
    Ok(Sends::Istio { keys, root: validation(&certificate.root) })
}

/// A policy of a table.
#[derive(Debug, Clone)]
pub(super) struct Policy {
    pub namespace: &'static str,
    pub name: &'static str,
    pub spec: Value,
}

/// A policy of Istio's root namespace.
pub(super) fn of_mesh(name: &'static str, spec: Value) -> Policy {
    Policy { namespace: NAMESPACE, name, spec }
}

/// A policy of the backend's namespace.
pub(super) fn of_apps(name: &'static str, spec: Value) -> Policy {
    Policy { namespace: HTTPBIN.namespace, name, spec }
}

/// The same for the pods of the backend alone.
pub(super) fn of_httpbin(name: &'static str, mut spec: Value) -> Policy {
    spec["selector"] = json!({"matchLabels": {"app": "httpbin"}});
    of_apps(name, spec)
}
