//! A control plane of real parts: etcd, kube-apiserver, kube-controller-manager, kube-scheduler,
//! and kwok as the kubelet.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use anyhow::{Result, ensure};
use serde_json::json;

use super::{
    api::StageApi,
    audit,
    binaries::Binaries,
    launch::{Launched, kubeconfig_path, launch, token, wait_until_ready},
    parts::Part,
    supervisor::Supervisor,
};

pub const ADMIN: &str = "admin";

/// What may differ between planes.
#[derive(Clone)]
pub struct Options {
    /// The context's name in the kubeconfigs.
    pub context: String,
    /// Users without rights that RBAC tests may bind roles to, besides `admin`.
    pub users: Vec<String>,
    /// More flags for kube-apiserver.
    pub apiserver_flags: Vec<String>,
    /// Whether each request is recorded, for [`Plane::requests`].
    pub audit: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { context: "plane".into(), users: vec!["limited".into()], apiserver_flags: Vec::new(), audit: false }
    }
}

/// A running plane. Dropping it, or the end of this process, ends every part and removes its files.
pub struct Plane {
    /// The field order is the order of dropping: the supervisor kills what the parts then reap.
    supervisor: Supervisor,
    apiserver: Mutex<Part>,
    others: Vec<Part>,
    api: StageApi,
    options: Options,
    server: SocketAddr,
    namespaces: AtomicUsize,
    /// When its node was ready.
    pub started: Instant,
}

impl Plane {
    /// Starts a plane on free loopback ports and waits until its node is ready.
    pub fn start(options: &Options) -> Result<Self> {
        let binaries = Binaries::find_or_build()?;
        let Launched { supervisor, apiserver, others, api, server } = launch(&binaries, options)?;
        Ok(Self {
            supervisor,
            apiserver: Mutex::new(apiserver),
            others,
            api,
            options: options.clone(),
            server,
            namespaces: AtomicUsize::new(1),
            started: Instant::now(),
        })
    }

    /// A kubeconfig of the administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        kubeconfig_path(self.directory(), ADMIN)
    }

    /// A kubeconfig of one of [`Options::users`].
    pub fn kubeconfig_of(&self, user: &str) -> PathBuf {
        kubeconfig_path(self.directory(), self.known(user))
    }

    /// The bearer token of `admin` or of one of [`Options::users`].
    pub fn token_of(&self, user: &str) -> String {
        token(self.known(user))
    }

    fn known<'a>(&self, user: &'a str) -> &'a str {
        assert!(
            user == ADMIN || self.options.users.iter().any(|known| known == user),
            "{user} is no user of this plane"
        );
        user
    }

    /// The API server's address as the kubeconfigs have it.
    pub fn server(&self) -> String {
        format!("https://{}", self.server)
    }

    pub fn context(&self) -> &str {
        &self.options.context
    }

    /// A directory that goes away with the plane.
    pub fn directory(&self) -> &Path {
        self.supervisor.directory()
    }

    pub fn api(&self) -> &StageApi {
        &self.api
    }

    /// Makes a namespace that no other test has.
    pub fn namespace(&self, prefix: &str) -> Result<String> {
        let name = format!("{prefix}-{}", self.namespaces.fetch_add(1, Ordering::Relaxed));
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.api.apply(&namespace.to_string())?;
        Ok(name)
    }

    /// Kills kube-apiserver, so that connections to it are refused.
    pub fn kill_apiserver(&self) -> Result<()> {
        self.apiserver.lock().expect("no holder of this lock panics").kill()
    }

    /// Starts kube-apiserver again after [`Plane::kill_apiserver`], on the same port.
    pub fn start_apiserver(&self) -> Result<()> {
        let mut apiserver = self.apiserver.lock().expect("no holder of this lock panics");
        apiserver.restart()?;
        wait_until_ready(&self.api, &mut [&mut apiserver])
    }

    /// The finished requests so far; needs [`Options::audit`]. A request may be written down a
    /// moment after its answer arrived.
    pub fn requests(&self) -> Result<Vec<audit::Request>> {
        ensure!(self.options.audit, "the plane was started without audit");
        audit::read(self.directory())
    }

    /// How many of the requests so far came from programs whose name begins so.
    pub fn count_requests(&self, agent: &str) -> Result<usize> {
        ensure!(self.options.audit, "the plane was started without audit");
        audit::count(self.directory(), agent)
    }

    /// The processes of the plane.
    pub fn processes(&self) -> Vec<u32> {
        let apiserver = self.apiserver.lock().expect("no holder of this lock panics").id();
        let supervisor = self.supervisor.group().unsigned_abs();
        self.others.iter().map(Part::id).chain([apiserver, supervisor]).collect()
    }
}
