//! A control plane of real parts: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and kwok as the
//! kubelet.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
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

/// The options of a plane.
#[derive(Clone)]
pub struct Options {
    /// The name of the context in the kubeconfigs.
    pub context: String,
    /// The users without permissions, in addition to `admin`. RBAC tests can bind roles to them.
    pub users: Vec<String>,
    /// Additional flags for kube-apiserver.
    pub apiserver_flags: Vec<String>,
    /// Whether each request is recorded, for [`Plane::requests`].
    pub audit: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { context: "plane".into(), users: vec!["limited".into()], apiserver_flags: Vec::new(), audit: false }
    }
}

/// A running plane. When it is dropped or this process ends, every part ends and its files are removed.
pub struct Plane {
    /// The fields are dropped in this order: the supervisor kills the parts, then they are reaped.
    supervisor: Supervisor,
    apiserver: Mutex<Part>,
    others: Vec<Part>,
    api: StageApi,
    options: Options,
    server: SocketAddr,
    namespaces: AtomicUsize,
    /// The time at which its node was ready.
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

    /// The kubeconfig of the administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        kubeconfig_path(self.directory(), ADMIN)
    }

    /// The kubeconfig of one of [`Options::users`].
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

    /// The API server's address as in the kubeconfigs.
    pub fn server(&self) -> String {
        format!("https://{}", self.server)
    }

    pub fn context(&self) -> &str {
        &self.options.context
    }

    /// A directory that is removed with the plane.
    pub fn directory(&self) -> &Path {
        self.supervisor.directory()
    }

    /// Starts a program that ends with the plane. Its log is `NAME.log` in the plane's directory.
    pub(super) fn start_part(
        &self,
        name: &str,
        program: &Path,
        prepare: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<Part> {
        Part::start_as(name, program, prepare, self.directory(), self.supervisor.group())
    }

    pub fn api(&self) -> &StageApi {
        &self.api
    }

    /// Creates a namespace that no other test uses.
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

    /// The finished requests so far. Needs [`Options::audit`]. A request may be logged shortly after its answer has
    /// arrived.
    pub fn requests(&self) -> Result<Vec<audit::Request>> {
        ensure!(self.options.audit, "the plane was started without audit");
        audit::read(self.directory())
    }

    /// The number of requests so far from programs whose user agent begins with this text.
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
