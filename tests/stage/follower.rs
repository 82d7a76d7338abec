//! Gloo's translation for a [`Pair`], and Istio's where there is no istiod: its Envoys do what the objects in the cluster
//! say.
//!
//! ```ignore
//! let follower = Follower::start(plane, &gloo, "default-httpbin-8000")?;
//! // gloo-rs istio enable-mtls …
//! follower.ask("/headers")?; // 200 or 503, as the objects in the cluster say
//! ```
//!
//! It listens in front of the gateway's ports and reads the cluster for each connection, before it forwards the first
//! byte. So tests need not wait for anything, and nothing runs between requests.

use std::{
    io::{Read, Write, copy},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::spawn,
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::Value;

use super::{
    api::StageApi,
    binaries::announce,
    istio::{Istiod, MeshSidecar, Workload},
    meaning::{Around, Meaning, Way},
    mesh::{Keys, Valid, validation},
    pair::{Answer, Endpoints, Pair, Sends, Takes},
    parts::wait_for,
    plane::Plane,
    served,
};

const PATIENCE: Duration = Duration::from_mins(3);
const GATEWAY_PROXY: &str = "gateway-proxy";
const ISTIO: &str = "istio-system";
const ADMIN: u16 = 19000;
const HTTP: u16 = 8080;
/// The cluster of the bootstrap that serves the certificate.
const SDS: &str = "gateway_proxy_sds";
/// The ports of Gloo's own pod for its snapshot and its metrics.
const SNAPSHOTS: u16 = 9095;
const METRICS: u16 = 9091;
/// The statistic of a gateway's stream to Gloo. Here Envoy gets its configuration from files, so the follower answers
/// this.
const CONNECTED: &str = "control_plane.connected_state: 1\n";

/// A pair that follows the objects of one Upstream, behind the ports of the gateway's pods.
pub struct Follower {
    state: Arc<State>,
    /// The addresses for Envoy's admin interface, its listener, and Gloo's admin port.
    doors: [SocketAddr; 3],
}

struct State {
    following: Mutex<Following>,
    ended: Arc<AtomicBool>,
}

struct Following {
    api: StageApi,
    pair: Pair,
    mesh: Option<FollowedMesh>,
    gloo: String,
    upstream: String,
    /// The current meaning; `None` if the Upstream does not exist.
    meaning: Option<Meaning>,
    /// The clusters of the other Upstreams.
    others: Vec<String>,
}

/// The backend's real sidecar, and what istiod's authority signed for the gateway.
pub struct FollowedMesh {
    sidecar: MeshSidecar,
    port: u16,
    keys: Keys,
    root: String,
}

impl FollowedMesh {
    /// Starts the sidecar before an application. The workloads are the backend, with the port of its container, and the
    /// gateway.
    pub fn start(istiod: &Istiod<&Plane>, (backend, port): (Workload<'_>, u16), gateway: Workload<'_>) -> Result<Self> {
        let sidecar = istiod.sidecar(backend, &[port], super::echo::start()?)?;
        let certificate = istiod.certificate(gateway)?;
        let keys = Keys::new(&certificate.chain, &certificate.key);
        Ok(Self { sidecar, port, keys, root: certificate.root })
    }

    /// The port of the sidecar, once istiod has sent it what the policies say.
    fn once_it_takes(&self, takes: Takes) -> Result<Endpoints> {
        let wanted = match takes {
            Takes::Strict | Takes::StrictExpired => (true, false),
            Takes::Permissive => (true, true),
            Takes::Disable | Takes::NoSidecar => (false, true),
        };
        wait_for(&format!("the sidecar takes {takes:?}"), PATIENCE, || {
            let accepts = self.sidecar.accepts(self.port)?;
            Ok((accepts == Some(wanted)).then_some(Endpoints::At(self.sidecar.port(self.port))))
        })
    }
}

impl Follower {
    /// Starts it for an Upstream of an installed Gloo. Its gateway routes every path to it. The mesh is the pair's own.
    pub fn start(plane: &Plane, gloo: &str, upstream: &str) -> Result<Self> {
        Self::start_in(None, plane, gloo, upstream)
    }

    /// Starts it in a real mesh.
    pub fn start_in(mesh: Option<FollowedMesh>, plane: &Plane, gloo: &str, upstream: &str) -> Result<Self> {
        let pair = Pair::start(&format!("{upstream}_{gloo}"))?;
        let targets = [pair.gateway.admin(), pair.http()?];
        let api = StageApi::connect(&plane.kubeconfig())?;
        let following = Following {
            api,
            pair,
            mesh,
            gloo: gloo.to_owned(),
            upstream: upstream.to_owned(),
            meaning: None,
            others: Vec::new(),
        };
        let state = Arc::new(State { following: Mutex::new(following), ended: Arc::default() });
        let [admin, http] = [(ADMIN, targets[0]), (HTTP, targets[1])].map(|(port, target)| door(&state, port, target));
        let of_gloo = Arc::clone(&state);
        let snapshot = move || of_gloo.following.lock().expect("no holder of this lock panics").served();
        let served = served::start(snapshot, Arc::clone(&state.ended))?;
        let doors = [admin?, http?, served];
        let ports = [(ADMIN, doors[0]), (HTTP, doors[1]), (SNAPSHOTS, doors[2]), (METRICS, doors[2])];
        plane.forward(gloo, &ports)?;
        let follower = Self { state, doors };
        Ok(follower)
    }

    /// The address of the gateway's HTTP port, to which its Service leads.
    pub fn http(&self) -> SocketAddr {
        self.doors[1]
    }

    /// Sends `GET path` through the gateway.
    pub fn ask(&self, path: &str) -> Result<Answer> {
        let mut following = self.state.following.lock().expect("no holder of this lock panics");
        following.follow()?;
        following.pair.ask(path)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        self.doors.iter().for_each(|door| drop(TcpStream::connect(door)));
    }
}

impl Following {
    /// Sets the pair to the current meaning of the objects.
    fn follow(&mut self) -> Result<()> {
        let meaning = self.read()?.map(|around| around.meaning());
        let others = self.others()?;
        if meaning == self.meaning && others == self.others {
            return Ok(());
        }
        match meaning {
            Some(meaning) => self.put(meaning, &others)?,
            None => self.pair.forget()?,
        }
        (self.meaning, self.others) = (meaning, others);
        Ok(())
    }

    /// The clusters of the other Upstreams. No request is sent to them.
    fn others(&self) -> Result<Vec<String>> {
        let upstreams = self.api.list("gloo.solo.io/v1/Upstream", &self.gloo)?;
        let names = upstreams.iter().filter_map(|upstream| upstream["metadata"]["name"].as_str());
        let mut names: Vec<_> = names.filter(|name| *name != self.upstream).collect();
        names.sort_unstable();
        Ok(names.iter().map(|name| format!("{name}_{}", self.gloo)).collect())
    }

    /// The snapshot of what Gloo serves to the gateway. It is what its Envoy is given.
    fn served(&mut self) -> Result<Vec<u8>> {
        self.follow()?;
        let upstreams = self.api.list("gloo.solo.io/v1/Upstream", &self.gloo)?;
        // Here this cluster of the bootstrap comes over xDS as well, because it comes and goes.
        let of_bootstrap = self.meaning.is_some_and(|meaning| meaning.knows_sds).then_some(SDS);
        served::snapshot_of(&self.gloo, &self.upstream, (&upstreams, of_bootstrap), self.pair.version())
    }

    fn put(&self, meaning: Meaning, others: &[String]) -> Result<()> {
        let (keys, root) = match &self.mesh {
            Some(mesh) => (mesh.keys.clone(), validation(&mesh.root)),
            None => (self.pair.keys(Valid::Now)?, self.pair.authority.validation()),
        };
        let sends = match meaning.way {
            Way::Plaintext => Sends::Plaintext,
            Way::Istio => Sends::Istio { keys, root },
            Way::PerPod => Sends::PerPod { keys, root },
            Way::WithoutSecret => Sends::IstioWithoutSecret,
        };
        let of_bootstrap = meaning.knows_sds.then_some(SDS).into_iter();
        let beside: Vec<_> = of_bootstrap.chain(others.iter().map(String::as_str)).collect();
        self.pair.beside(&beside);
        self.pair.takes(meaning.takes);
        let endpoints = match (&self.mesh, meaning.endpoints, meaning.takes) {
            (Some(mesh), Endpoints::Backend, takes) if takes != Takes::NoSidecar => mesh.once_it_takes(takes)?,
            (_, endpoints, _) => endpoints,
        };
        self.pair.set(&sends, endpoints)
    }

    /// The objects that belong to the Upstream; `None` if it does not exist.
    fn read(&self) -> Result<Option<Around>> {
        let get = |kind: &str, namespace: &str, name: &str| {
            let found = self.api.get(kind, namespace, name).with_context(|| format!("{kind} {namespace}/{name}"));
            anyhow::Ok(found?.unwrap_or_default())
        };
        let pods = |namespace: &str, wanted: &Value| {
            let wanted = wanted.as_object().context("a selector")?;
            let mut all = self.api.list("v1/Pod", namespace)?;
            all.retain(|pod| wanted.iter().all(|(key, value)| pod["metadata"]["labels"][key] == *value));
            anyhow::Ok(all)
        };
        let upstream = get("gloo.solo.io/v1/Upstream", &self.gloo, &self.upstream)?;
        let kube = &upstream["spec"]["kube"];
        let Some(namespace) = kube["serviceNamespace"].as_str() else { return Ok(None) };
        let service = get("v1/Service", namespace, kube["serviceName"].as_str().unwrap_or_default())?;
        let mut policies = self.api.list("security.istio.io/v1/PeerAuthentication", ISTIO)?;
        if namespace != ISTIO {
            policies.extend(self.api.list("security.istio.io/v1/PeerAuthentication", namespace)?);
        }
        let istiods = self.api.list("v1/Service", ISTIO)?;
        let address = |service: &Value| Some(format!("{}.{ISTIO}.svc:15012", service["metadata"]["name"].as_str()?));
        Ok(Some(Around {
            settings: get("gloo.solo.io/v1/Settings", &self.gloo, "default")?,
            bootstrap: get("v1/ConfigMap", &self.gloo, &format!("{GATEWAY_PROXY}-envoy-config"))?,
            gateways: pods(&self.gloo, &serde_json::json!({"gateway-proxy-id": GATEWAY_PROXY}))?,
            backends: if service.is_null() { Vec::new() } else { pods(namespace, &service["spec"]["selector"])? },
            port: service["spec"]["ports"][0]["targetPort"].clone(),
            istiods: istiods.iter().filter_map(address).collect(),
            policies,
            upstream,
        }))
    }
}

/// Opens a port of a pod. It forwards to a target after the cluster has been read.
fn door(state: &Arc<State>, port: u16, target: SocketAddr) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let state = Arc::clone(state);
    spawn(move || {
        for mut stream in listener.incoming().flatten() {
            if state.ended.load(Ordering::SeqCst) {
                return;
            }
            let state = Arc::clone(&state);
            spawn(move || {
                let followed = state.following.lock().expect("no holder of this lock panics").follow();
                let answered = followed.and_then(|()| Ok(port == ADMIN && is_connected(&mut stream)?));
                let passed = answered.and_then(|answered| if answered { Ok(()) } else { pass(stream, target) });
                if let Err(error) = passed {
                    announce(&format!("the gateway does not answer: {error:#}"));
                }
            });
        }
    });
    Ok(address)
}

/// Answers the request whether Envoy is connected to Gloo. Any other request is left unread.
fn is_connected(stream: &mut TcpStream) -> Result<bool> {
    let mut head = [0; 2048];
    let length = stream.peek(&mut head)?;
    if !String::from_utf8_lossy(&head[..length]).lines().next().is_some_and(|line| line.contains("control_plane")) {
        return Ok(false);
    }
    stream.read_exact(&mut head[..length])?;
    let length = CONNECTED.len();
    write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{CONNECTED}")?;
    Ok(true)
}

/// Forwards every byte in both directions until both ends are closed.
fn pass(client: TcpStream, target: SocketAddr) -> Result<()> {
    let server = TcpStream::connect(target)?;
    let (from_server, to_client) = (server.try_clone()?, client.try_clone()?);
    spawn(move || one_way(from_server, to_client));
    one_way(client, server);
    Ok(())
}

/// Copies one direction. A broken connection is no error.
fn one_way(mut from: TcpStream, mut to: TcpStream) {
    let _ = copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
