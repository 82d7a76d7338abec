//! Starts a plane: its files, its ports, and the flags of each part.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::json;

use super::{
    api::{StageApi, has_condition},
    audit,
    binaries::Binaries,
    parts::{Part, wait_for},
    plane::{ADMIN, Options},
    supervisor::Supervisor,
};

/// The index of kube-apiserver in the start order.
const APISERVER: usize = 1;
const NODE: &str = "node1";
/// The timeout for a part on a busy machine. It takes two seconds on an idle one.
const PATIENCE: Duration = Duration::from_secs(90);

/// The parts of a plane, all of them serving. The fields are dropped in this order: the supervisor kills the parts,
/// then they are waited for.
pub struct Launched {
    pub supervisor: Supervisor,
    pub apiserver: Part,
    pub others: Vec<Part>,
    pub api: StageApi,
    pub server: SocketAddr,
}

/// Starts a plane. Tries again with other ports if another process took one of them in the meantime.
pub fn launch(binaries: &Binaries, options: &Options) -> Result<Launched> {
    let mut tries = 5;
    loop {
        tries -= 1;
        match Starting::new(options)?.run(binaries) {
            Err(error) if tries > 0 && format!("{error:#}").contains("address already in use") => {}
            outcome => return outcome,
        }
    }
}

/// A plane that is being started, on ports that were free a moment ago.
struct Starting<'a> {
    supervisor: Supervisor,
    parts: Vec<Part>,
    options: &'a Options,
    server: SocketAddr,
    etcd: SocketAddr,
    etcd_peer: SocketAddr,
    kubelet: SocketAddr,
}

impl<'a> Starting<'a> {
    fn new(options: &'a Options) -> Result<Self> {
        let [server, etcd, etcd_peer, kubelet] = free_addresses()?;
        Ok(Self { supervisor: Supervisor::start()?, parts: Vec::new(), options, server, etcd, etcd_peer, kubelet })
    }

    fn run(mut self, binaries: &Binaries) -> Result<Launched> {
        let api = self.serve(binaries)?;
        self.populate(binaries, &api)?;
        let Self { supervisor, mut parts, server, .. } = self;
        let apiserver = parts.remove(APISERVER);
        Ok(Launched { supervisor, apiserver, others: parts, api, server })
    }

    /// Starts etcd and kube-apiserver and waits until they serve.
    fn serve(&mut self, binaries: &Binaries) -> Result<StageApi> {
        self.write_files()?;
        let (etcd, peer) = (self.etcd, self.etcd_peer);
        self.part(
            binaries,
            "etcd",
            &[
                format!("--data-dir={}", self.path("etcd")),
                "--unsafe-no-fsync".into(),
                format!("--listen-client-urls=http://{etcd}"),
                format!("--advertise-client-urls=http://{etcd}"),
                format!("--listen-peer-urls=http://{peer}"),
                format!("--initial-advertise-peer-urls=http://{peer}"),
                format!("--initial-cluster=default=http://{peer}"),
            ],
        )?;
        self.part(binaries, "kube-apiserver", &self.apiserver_arguments())?;
        let server = self.server;
        let mut parts: Vec<_> = self.parts.iter_mut().collect();
        // The certificate that clients trust is written before the port is opened.
        wait_for_part("kube-apiserver listens", &mut parts, || TcpStream::connect(server).is_ok())?;
        let api = StageApi::connect(&kubeconfig_path(self.supervisor.directory(), ADMIN))?;
        wait_until_ready(&api, &mut parts)?;
        Ok(api)
    }

    /// Starts all parts that need the API server and waits for the node.
    fn populate(&mut self, binaries: &Binaries, api: &StageApi) -> Result<()> {
        api.apply(&fs::read_to_string(binaries.path("kwok-crds.yaml"))?)?;
        let kubeconfig = format!("--kubeconfig={}", kubeconfig_path(self.supervisor.directory(), ADMIN).display());
        let key = self.path("certs/apiserver.key");
        self.part(
            binaries,
            "kube-controller-manager",
            &[
                kubeconfig.clone(),
                format!("--service-account-private-key-file={key}"),
                "--leader-elect=false".into(),
                "--use-service-account-credentials=false".into(),
                "--secure-port=0".into(),
                // This controller would find that kwok's nodes do not report, and mark their pods as not ready.
                "--controllers=*,-node-lifecycle-controller".into(),
            ],
        )?;
        self.part(
            binaries,
            "kube-scheduler",
            &[kubeconfig.clone(), "--leader-elect=false".into(), "--secure-port=0".into()],
        )?;
        self.part(
            binaries,
            "kwok",
            &[
                kubeconfig,
                format!("--config={}", binaries.path("kwok-stages.yaml").display()),
                "--enable-crds=ClusterPortForward,ClusterLogs".into(),
                "--manage-all-nodes".into(),
                format!("--node-ip={}", self.kubelet.ip()),
                format!("--node-port={}", self.kubelet.port()),
                // Without leases every pod turns NotReady after 50 s.
                "--node-lease-duration-seconds=40".into(),
                format!("--tls-cert-file={}", self.path("certs/apiserver.crt")),
                format!("--tls-private-key-file={key}"),
            ],
        )?;
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE}},
        });
        api.apply(&node.to_string())?;
        let mut parts: Vec<_> = self.parts.iter_mut().collect();
        wait_for_part("the node is ready", &mut parts, || {
            let found = |kind, name| api.get(kind, "", name).ok().flatten();
            found("v1/Namespace", "default").is_some()
                && found("v1/Node", NODE).is_some_and(|node| has_condition(&node, "Ready"))
        })
    }

    fn part(&mut self, binaries: &Binaries, name: &str, arguments: &[String]) -> Result<()> {
        let (directory, group) = (self.supervisor.directory(), self.supervisor.group());
        self.parts.push(Part::start(binaries.path(name), arguments, directory, group)?);
        Ok(())
    }

    fn path(&self, file: &str) -> String {
        self.supervisor.directory().join(file).display().to_string()
    }

    fn apiserver_arguments(&self) -> Vec<String> {
        // kube-apiserver creates this key pair itself before it reads any key.
        let key = self.path("certs/apiserver.key");
        let mut arguments = vec![
            format!("--etcd-servers=http://{}", self.etcd),
            format!("--cert-dir={}", self.path("certs")),
            format!("--bind-address={}", self.server.ip()),
            format!("--secure-port={}", self.server.port()),
            "--service-cluster-ip-range=10.0.0.0/16".into(),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            format!("--service-account-key-file={key}"),
            format!("--service-account-signing-key-file={key}"),
            format!("--token-auth-file={}", self.path("tokens.csv")),
            "--authorization-mode=RBAC".into(),
            "--allow-privileged=true".into(),
            // Otherwise it would first dial the node's name, which does not resolve.
            "--kubelet-preferred-address-types=InternalIP".into(),
            // Allows pods without the token controller, and a node without the not-ready taint.
            "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition".into(),
        ];
        if self.options.audit {
            arguments.extend(audit::flags(self.supervisor.directory()));
        }
        arguments.extend(self.options.apiserver_flags.iter().cloned());
        arguments
    }

    fn write_files(&self) -> Result<()> {
        let directory = self.supervisor.directory();
        let users = || self.options.users.iter().map(String::as_str).chain([ADMIN]);
        let tokens = users().map(|user| match user {
            ADMIN => format!("{},{ADMIN},{ADMIN},system:masters", token(ADMIN)),
            _ => format!("{},{user},{user}", token(user)),
        });
        fs::write(directory.join("tokens.csv"), tokens.collect::<Vec<_>>().join("\n"))?;
        for user in users() {
            let context = &self.options.context;
            let kubeconfig = json!({
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": context, "cluster": {
                    "server": format!("https://{}", self.server),
                    "certificate-authority": directory.join("certs/apiserver.crt"),
                }}],
                "users": [{"name": user, "user": {"token": token(user)}}],
                "contexts": [{"name": context, "context": {"cluster": context, "user": user}}],
                "current-context": context,
            });
            fs::write(kubeconfig_path(directory, user), serde_json::to_string_pretty(&kubeconfig)?)?;
        }
        audit::write_policy(directory)
    }
}

pub fn kubeconfig_path(directory: &Path, user: &str) -> PathBuf {
    directory.join(format!("{user}.kubeconfig"))
}

pub fn token(user: &str) -> String {
    format!("{user}-token")
}

pub fn wait_until_ready(api: &StageApi, parts: &mut [&mut Part]) -> Result<()> {
    wait_for_part("kube-apiserver is ready", parts, || api.is_ready())
}

/// Waits for a condition while all parts run. The error contains the log of the part that ended, otherwise of the one
/// that was started last.
fn wait_for_part(what: &str, parts: &mut [&mut Part], so: impl Fn() -> bool) -> Result<()> {
    let waited = wait_for(what, PATIENCE, || {
        let running = parts.iter_mut().all(|part| part.check_running().is_ok());
        Ok((!running || so()).then_some(()))
    });
    parts.iter_mut().try_for_each(|part| part.check_running())?;
    waited.with_context(|| parts.last().map(|part| part.last_words()).unwrap_or_default())
}

/// Free loopback ports. All are bound at the same time so that they differ.
pub fn free_addresses<const N: usize>() -> Result<[SocketAddr; N]> {
    let listeners = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let mut addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); N];
    for (address, listener) in addresses.iter_mut().zip(listeners) {
        *address = listener?.local_addr()?;
    }
    Ok(addresses)
}
