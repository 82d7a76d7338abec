//! Two gateway Envoys that route to many Upstreams, with constant load. A follower plays Gloo: the Envoys do what the
//! Upstreams in the cluster say.
//!
//! ```ignore
//! let gateways = Gateways::start(plane, &gloo, &[("u00", Backend::Healthy), ("u01", Backend::NoSidecar)])?;
//! let load = gateways.load(&[]);
//! // gloo-rs istio enable-mtls …
//! let log = load.end();
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{JoinHandle, sleep, spawn},
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{
    Envoy, StageApi,
    envoy::{dynamic_resources, put},
    load::Load,
    mesh::Valid,
    pair::{Pair, TYPES, address, cluster_of, loopback, manager, raw_buffer, route_config, upstream_tls},
    plane::Plane,
    served,
    snapshots::{cluster, clusters, istio_cluster, snapshot},
};

const UPSTREAM: &str = "gloo.solo.io/v1/Upstream";
/// The label of the Upstreams.
pub const LABEL: &str = "test=many";
/// How often the follower looks at the Upstreams. Gloo and Envoy take about as long for a change.
const FOLLOWS: Duration = Duration::from_millis(100);

/// What answers for an Upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A sidecar that takes plaintext and mutual TLS.
    Healthy,
    NoSidecar,
    /// A sidecar whose certificate another authority signed.
    OtherRoot,
    /// A sidecar that takes plaintext alone, because a policy says DISABLE.
    Disabled,
    /// Nothing listens there.
    Dead,
}

/// The Envoys of the gateway's two pods, and what is behind them.
pub struct Gateways {
    shared: Arc<Shared>,
    /// They end with this.
    _backends: [Pair; 2],
    follower: Option<JoinHandle<()>>,
}

struct Shared {
    gateways: Vec<Envoy>,
    /// The cluster of each Upstream, without TLS.
    clusters: Vec<(String, Value)>,
    /// The Upstreams whose pods have a sidecar: auto-mTLS sends mutual TLS there.
    meshed: BTreeSet<String>,
    /// The TLS of a cluster of the mesh.
    tls: Value,
    gloo: String,
    apps: String,
    /// The addresses of the mesh's sidecar: that which takes plaintext too, and that which does not.
    modes: [SocketAddr; 2],
    /// What the Envoys have.
    state: Mutex<Followed>,
    ended: Arc<AtomicBool>,
}

/// What the objects in the cluster say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Followed {
    /// Whether an Upstream has Istio's TLS.
    with_tls: BTreeMap<String, bool>,
    /// The Upstreams for which auto-mTLS is on.
    by_auto_mtls: BTreeSet<String>,
    is_strict: bool,
}

impl Gateways {
    /// Creates the Upstreams in an installed Gloo and starts what serves them, behind the two pods of its gateway.
    ///
    /// A PeerAuthentication with the mode STRICT in `apps` holds for the backends with a sidecar.
    pub fn start(plane: &Plane, gloo: &str, apps: &str, upstreams: &[(&str, Backend)]) -> Result<Self> {
        for (name, _) in upstreams {
            let kube = json!({"serviceName": name, "serviceNamespace": apps, "servicePort": 80});
            let labels = LABEL.split_once('=').map(|(key, value)| json!({key: value}));
            let metadata = json!({"name": name, "namespace": gloo, "labels": labels});
            let object = json!({"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "metadata": metadata, "spec": {"kube": kube}});
            plane.api().apply(&object.to_string())?;
        }
        let names: Vec<_> = upstreams.iter().map(|(name, _)| (*name).to_owned()).collect();
        let gateway = || {
            Envoy::start(|files| {
                put(files, "rds", "1", &[]).expect("the directory is ours");
                put(files, "lds", "1", &[listener(gloo, &names)]).expect("the directory is ours");
                let mut bootstrap = json!({"node": {"id": "gateway", "cluster": "gateway"}});
                bootstrap["dynamic_resources"] = dynamic_resources(files);
                bootstrap
            })
        };
        let backends = [Pair::start("unused_mesh")?, Pair::start("unused_other")?];
        let clusters = upstreams.iter().enumerate().map(|(at, (name, backend))| {
            Ok(((*name).to_owned(), cluster_before(&format!("{name}_{gloo}"), at, *backend, &backends)?))
        });
        let is_meshed = |backend| matches!(backend, Backend::Healthy | Backend::OtherRoot | Backend::Disabled);
        let meshed = upstreams.iter().filter(|(_, backend)| is_meshed(*backend));
        let meshed = meshed.map(|(name, _)| (*name).to_owned()).collect();
        let [mesh, _] = &backends;
        let tls = upstream_tls(json!({"common_tls_context": {
            "alpn_protocols": ["istio"],
            "tls_certificates": [mesh.keys(Valid::Now)?.tls_certificate()],
            "validation_context": mesh.authority.validation(),
        }}));
        let shared = Arc::new(Shared {
            gateways: vec![gateway()?, gateway()?],
            clusters: clusters.collect::<Result<_>>()?,
            meshed,
            tls,
            gloo: gloo.to_owned(),
            apps: apps.to_owned(),
            modes: [mesh.sidecar.listener("Permissive")?, mesh.sidecar.listener("Strict")?],
            state: Mutex::default(),
            ended: Arc::default(),
        });
        let api = StageApi::connect(&plane.kubeconfig())?;
        shared.follow(&api)?;
        let of_gloo = Arc::clone(&shared);
        let snapshots = served::start(move || Ok(of_gloo.served()), Arc::clone(&shared.ended))?;
        plane.api().merge("apps/v1/Deployment", gloo, "gateway-proxy", &json!({"spec": {"replicas": 2}}))?;
        plane.api().wait_available(gloo)?;
        let mut admins = shared.gateways.iter();
        for pod in plane.api().list("v1/Pod", gloo)? {
            let name = pod["metadata"]["name"].as_str().context("a pod has a name")?;
            let ports = match pod["metadata"]["labels"]["gloo"] == "gateway-proxy" {
                true => {
                    let gateway = admins.next().context("the gateway has two pods")?;
                    vec![(19000, gateway.admin()), (8080, gateway.listener("http")?)]
                }
                false => vec![(9095, snapshots)],
            };
            plane.forward_pod(gloo, name, &ports)?;
        }
        let following = Arc::clone(&shared);
        let follower = spawn(move || {
            while !following.ended.load(Ordering::SeqCst) {
                // A test may stop the API server. Gloo keeps what it serves then.
                let _ = following.follow(&api);
                sleep(FOLLOWS);
            }
        });
        Ok(Self { shared, _backends: backends, follower: Some(follower) })
    }

    /// The gateway of a pod, by its position.
    pub fn gateway(&self, at: usize) -> &Envoy {
        &self.shared.gateways[at]
    }

    /// Sends requests to all Upstreams through both gateways, to these only now and then, until the load is ended.
    pub fn load(&self, quiet: &[&str]) -> Result<Load> {
        let names: Vec<_> = self.shared.clusters.iter().map(|(name, _)| name.clone()).collect();
        let gateways: Vec<_> = self.shared.gateways.iter().map(|it| it.listener("http")).collect::<Result<_>>()?;
        Ok(Load::start(&gateways, &names, quiet))
    }
}

impl Drop for Gateways {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        if let Some(follower) = self.follower.take() {
            let _ = follower.join();
        }
    }
}

impl Shared {
    /// Gives the Envoys what the Upstreams say.
    fn follow(&self, api: &StageApi) -> Result<()> {
        let upstreams = api.list(UPSTREAM, &self.gloo)?;
        let has_tls = |upstream: &Value| !upstream["spec"]["sslConfig"].is_null();
        let named = upstreams.iter().filter_map(|it| Some((it["metadata"]["name"].as_str()?.to_owned(), has_tls(it))));
        let named: BTreeMap<_, _> =
            named.filter(|(name, _)| self.clusters.iter().any(|(known, _)| known == name)).collect();
        let policies = api.list("security.istio.io/v1/PeerAuthentication", &self.apps)?;
        let is_strict = policies.iter().any(|policy| policy["spec"]["mtls"]["mode"] == "STRICT");
        let settings = api.get("gloo.solo.io/v1/Settings", &self.gloo, "default")?.unwrap_or_default();
        let options = &settings["spec"]["gloo"]["istioOptions"];
        let is_on = options["enableAutoMtls"] == true && options["enableIntegration"] == true;
        let is_covered =
            |it: &&Value| is_on && it["spec"]["sslConfig"].is_null() && it["spec"]["disableIstioAutoMtls"] != true;
        let covered = upstreams.iter().filter(is_covered).filter_map(|it| it["metadata"]["name"].as_str());
        let by_auto_mtls = covered.filter(|name| self.meshed.contains(*name)).map(str::to_owned).collect();
        let now = Followed { with_tls: named, by_auto_mtls, is_strict };
        let mut state = self.state.lock().expect("no holder of this lock panics");
        if *state == now {
            return Ok(());
        }
        let [permissive, strict] = self.modes.map(address);
        let of_upstream = |(name, plain): &(String, Value)| {
            let mut cluster = plain.clone();
            if now.with_tls.get(name) == Some(&true) {
                cluster["transport_socket"] = self.tls.clone();
            }
            let endpoint = &mut cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0];
            if now.by_auto_mtls.contains(name) {
                let in_mesh = json!({"filter_metadata": {"envoy.transport_socket_match": {"tlsMode": "istio"}}});
                endpoint["metadata"] = in_mesh;
            }
            let endpoint = &mut endpoint["endpoint"]["address"];
            if now.is_strict && *endpoint == permissive {
                *endpoint = strict.clone();
            }
            if now.by_auto_mtls.contains(name) {
                cluster["transport_socket_matches"] = json!([
                    {"name": "tlsMode-istio", "match": {"tlsMode": "istio"}, "transport_socket": self.tls},
                    {"name": "tlsMode-disabled", "match": {}, "transport_socket": raw_buffer()},
                ]);
            }
            cluster
        };
        let all: Vec<_> = self.clusters.iter().map(of_upstream).collect();
        for gateway in &self.gateways {
            gateway.put("cds", &format!("{now:?}"), &all)?;
        }
        *state = now;
        Ok(())
    }

    /// What Gloo serves, for its admin port.
    fn served(&self) -> Vec<u8> {
        let state = self.state.lock().expect("no holder of this lock panics");
        let one = |(name, has_tls): (&String, &bool)| {
            let name = format!("{name}_{}", self.gloo);
            if *has_tls { istio_cluster(&name) } else { cluster(&name) }
        };
        snapshot(vec![clusters(&format!("{}~gateway-proxy", self.gloo), state.with_tls.iter().map(one).collect())], "")
    }
}

/// The cluster of an Upstream without TLS. Every second one uses HTTP/2.
fn cluster_before(name: &str, at: usize, backend: Backend, [mesh, other]: &[Pair; 2]) -> Result<Value> {
    let endpoint = match backend {
        Backend::Healthy => mesh.sidecar.listener("Permissive")?,
        Backend::OtherRoot => other.sidecar.listener("Permissive")?,
        Backend::NoSidecar | Backend::Disabled => mesh.application(),
        Backend::Dead => loopback(1),
    };
    let mut cluster = cluster_of(name, Some(endpoint));
    cluster["@type"] = json!(format!("{TYPES}.config.cluster.v3.Cluster"));
    if at % 2 == 1 && !matches!(backend, Backend::NoSidecar | Backend::Disabled) {
        cluster["typed_extension_protocol_options"] = json!({
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": format!("{TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions"),
                "explicit_http_config": {"http2_protocol_options": {}},
            },
        });
    }
    Ok(cluster)
}

fn listener(gloo: &str, names: &[String]) -> Value {
    let hosts = names.iter().map(|name| {
        let route = json!({"match": {"prefix": "/"}, "route": {"cluster": format!("{name}_{gloo}")}});
        json!({"name": name, "domains": [name], "routes": [route]})
    });
    let mut routes = route_config("routes", &json!([]));
    routes["virtual_hosts"] = hosts.collect();
    json!({
        "@type": format!("{TYPES}.config.listener.v3.Listener"), "name": "http", "address": address(loopback(0)),
        "filter_chains": [{"filters": [manager("http", "route_config", &routes)]}],
    })
}
