//! A gateway and a backend in the mesh, made of two real Envoys and an application that echoes.
//!
//! ```ignore
//! let pair = Pair::start("default-httpbin-8000_gloo-system")?;
//! pair.stand_in(plane, &gloo)?;           // behind the gateway's pods: 19000 and 8080
//! pair.takes(Takes::Strict)?;             // what the sidecar accepts
//! pair.sends(&Sends::Plaintext)?;         // what the gateway's cluster does
//! assert_eq!(pair.ask("/headers")?.status, 503);
//! pair.sends(&pair.mtls()?)?;             // what an Upstream with mutual TLS means
//! assert_eq!(pair.ask("/headers")?.status, 200);
//! ```
//!
//! The gateway gets clusters, endpoints and secrets from files, where Gloo uses streams. A setting is in effect when
//! the call returns.

use std::{
    cell::{Cell, RefCell},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{
    echo,
    envoy::{Envoy, dynamic_resources, path_source, put},
    mesh::{Authority, Keys, Valid},
    parts::wait_for,
    plane::Plane,
};

/// The identity of the gateway in the mesh, in Gloo's namespace.
pub const GATEWAY: &str = "spiffe://cluster.local/ns/gloo-system/sa/gateway-proxy";
/// The identity of the backend.
pub const BACKEND: &str = "spiffe://cluster.local/ns/default/sa/httpbin";
/// The gateway's listener and its routes, named as Gloo names those of port 8080.
const LISTENER: &str = "listener-::-8080";
const ROUTES: &str = "listener-::-8080-routes";
/// The version of the gateway's listener and routes, which stay the same.
pub const XDS_VERSION: &str = "1";
/// The names of the secrets in Gloo's `sslConfig`.
const CERTIFICATE: &str = "istio_server_cert";
const VALIDATION: &str = "istio_validation_context";
const PATIENCE: Duration = Duration::from_mins(3);
pub(super) const TYPES: &str = "type.googleapis.com/envoy";

/// What the backend accepts: the modes of a `PeerAuthentication`, or no sidecar at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Only mutual TLS.
    Strict,
    /// The same, but the sidecar's certificate has expired.
    StrictExpired,
    /// Mutual TLS and plaintext.
    Permissive,
    /// Only plaintext, through the sidecar.
    Disable,
    /// There is no sidecar.
    NoSidecar,
}

/// The transport of the gateway's cluster.
#[derive(Debug, Clone, PartialEq)]
pub enum Sends {
    Plaintext,
    /// Istio's `sslConfig`: the gateway presents these keys, and checks the peer's certificate against this root.
    Istio {
        keys: Keys,
        root: Value,
    },
    /// Auto-mTLS: the same to an endpoint in the mesh, plaintext to any other.
    PerPod {
        keys: Keys,
        root: Value,
    },
    /// Istio's `sslConfig`, but SDS returns no secret.
    IstioWithoutSecret,
    /// Istio's `sslConfig` with these `alpnProtocols`, over HTTP/1.1 or, as with `useHttp2`, over HTTP/2.
    IstioWithAlpn {
        keys: Keys,
        root: Value,
        alpn: Vec<&'static str>,
        http: Http,
    },
    /// TLS without a client certificate and without verification.
    OwnTls,
    /// TLS with this client certificate and without verification, as an `sslConfig` with its own Secret.
    OwnCertificate(Keys),
}

/// The version of HTTP that the gateway's cluster uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Http {
    One,
    Two,
}

/// The endpoints of the gateway's cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoints {
    /// The backend that [`Pair::takes`] selected.
    Backend,
    None,
    /// An address without a listener.
    Dead,
    /// This address, such as a port of a sidecar that istiod configures.
    At(SocketAddr),
}

/// An answer through the gateway.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// The two Envoys and the application.
pub struct Pair {
    pub gateway: Envoy,
    pub sidecar: Envoy,
    /// The root of the mesh.
    pub authority: Authority,
    cluster: String,
    app: SocketAddr,
    takes: Cell<Takes>,
    beside: RefCell<Vec<String>>,
    version: Cell<u32>,
}

impl Pair {
    /// Starts both. The gateway's one cluster has this name and sends plaintext. Every path is routed to it except
    /// those below `/nowhere` and, routed to a cluster that does not exist, `/no-cluster`. The sidecar is permissive.
    pub fn start(cluster: &str) -> Result<Self> {
        let authority = Authority::new()?;
        let app = echo::start()?;
        let (good, expired) = (inbound(&authority, Valid::Now)?, inbound(&authority, Valid::Expired)?);
        let sidecar = Envoy::start(|_| {
            let listeners: Vec<_> = [Takes::Strict, Takes::StrictExpired, Takes::Permissive, Takes::Disable]
                .into_iter()
                .map(|takes| json!({
                    "name": format!("{takes:?}"), "address": address(loopback(0)),
                    "listener_filters": [typed("tls_inspector", "extensions.filters.listener.tls_inspector.v3.TlsInspector", json!({}))],
                    "filter_chains": chains(takes, if takes == Takes::StrictExpired { &expired } else { &good }),
                }))
                .collect();
            json!({"static_resources": {"listeners": listeners, "clusters": [cluster_of("app", Some(app))]}})
        })?;
        let gateway = Envoy::start(|files| {
            put(files, "rds", XDS_VERSION, &[routes(cluster)]).expect("the directory is ours");
            put(files, "lds", XDS_VERSION, &[listener(files)]).expect("the directory is ours");
            let mut bootstrap = json!({"node": {"id": "gateway", "cluster": "gateway"}});
            bootstrap["dynamic_resources"] = dynamic_resources(files);
            bootstrap
        })?;
        let pair = Self {
            gateway,
            sidecar,
            authority,
            cluster: cluster.to_owned(),
            app,
            takes: Cell::new(Takes::Permissive),
            beside: RefCell::default(),
            version: Cell::new(0),
        };
        pair.sends(&Sends::Plaintext)?;
        pair.http()?;
        Ok(pair)
    }

    /// The address of the gateway's HTTP listener.
    pub fn http(&self) -> Result<SocketAddr> {
        self.gateway.listener(LISTENER)
    }

    /// The address of the application, without a sidecar.
    pub fn application(&self) -> SocketAddr {
        self.app
    }

    /// The version of the gateway's clusters.
    pub fn version(&self) -> u32 {
        self.version.get()
    }

    /// Forwards the ports of an installation's gateway pods to this gateway.
    pub fn stand_in(&self, plane: &Plane, gloo: &str) -> Result<()> {
        plane.forward(gloo, &[(19000, self.gateway.admin()), (8080, self.http()?)])
    }

    /// Istio's `sslConfig` with the certificates that the mesh gives a gateway.
    pub fn mtls(&self) -> Result<Sends> {
        Ok(Sends::Istio { keys: self.keys(Valid::Now)?, root: self.authority.validation() })
    }

    /// The gateway's keys from this mesh.
    pub fn keys(&self, valid: Valid) -> Result<Keys> {
        self.authority.workload(GATEWAY, valid)
    }

    /// Selects what the backend accepts from now on. It takes effect with [`Self::sends`] or [`Self::set`].
    pub fn takes(&self, takes: Takes) {
        self.takes.set(takes);
    }

    /// Sets additional clusters of the gateway, like those of its bootstrap. No requests are sent to them. They take
    /// effect with [`Self::sends`] or [`Self::set`].
    pub fn beside(&self, clusters: &[&str]) {
        self.beside.replace(clusters.iter().map(ToString::to_string).collect());
    }

    /// Sets the transport of the gateway's cluster.
    pub fn sends(&self, sends: &Sends) -> Result<()> {
        self.set(sends, Endpoints::Backend)
    }

    /// The same with other endpoints.
    pub fn set(&self, sends: &Sends, endpoints: Endpoints) -> Result<()> {
        let target = match (endpoints, self.takes.get()) {
            (Endpoints::None, _) => None,
            (Endpoints::Dead, _) => Some(loopback(1)),
            (Endpoints::At(address), _) => Some(address),
            (Endpoints::Backend, Takes::NoSidecar) => Some(self.app),
            (Endpoints::Backend, takes) => Some(self.sidecar.listener(&format!("{takes:?}"))?),
        };
        let version = self.version.get() + 1;
        self.version.set(version);
        let mut cluster = cluster_of(&self.cluster, target);
        // Otherwise connections with the previous configuration would be reused.
        cluster["metadata"] = json!({"filter_metadata": {"stage": {"version": version}}});
        match sends {
            Sends::Plaintext => {}
            Sends::Istio { keys, root } => cluster["transport_socket"] = self.secrets(Some(keys), root)?,
            Sends::IstioWithoutSecret => {
                cluster["transport_socket"] = self.secrets(None, &self.authority.validation())?;
            }
            Sends::IstioWithAlpn { keys, root, alpn, http } => {
                let mut tls = self.secrets(Some(keys), root)?;
                tls["typed_config"]["common_tls_context"]["alpn_protocols"] = json!(alpn);
                cluster["transport_socket"] = tls;
                if *http == Http::Two {
                    cluster["typed_extension_protocol_options"] = json!({
                        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                            "@type": format!("{TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions"),
                            "explicit_http_config": {"http2_protocol_options": {}},
                        },
                    });
                }
            }
            Sends::OwnTls => cluster["transport_socket"] = upstream_tls(json!({"common_tls_context": {}})),
            Sends::OwnCertificate(keys) => {
                let context = json!({"common_tls_context": {"tls_certificates": [keys.tls_certificate()]}});
                cluster["transport_socket"] = upstream_tls(context);
            }
            Sends::PerPod { keys, root } => {
                let (tls, raw) = (self.secrets(Some(keys), root)?, raw_buffer());
                cluster["transport_socket_matches"] = json!([
                    {"name": "tlsMode-istio", "match": {"tlsMode": "istio"}, "transport_socket": tls},
                    {"name": "tlsMode-disabled", "match": {}, "transport_socket": raw},
                ]);
                let meshed = self.takes.get() != Takes::NoSidecar;
                for endpoint in
                    cluster["load_assignment"]["endpoints"][0]["lb_endpoints"].as_array_mut().into_iter().flatten()
                {
                    if meshed {
                        endpoint["metadata"] =
                            json!({"filter_metadata": {"envoy.transport_socket_match": {"tlsMode": "istio"}}});
                    }
                }
            }
        }
        let mut clusters: Vec<_> = self.beside.borrow().iter().map(|name| cluster_of(name, None)).collect();
        clusters.push(cluster);
        for cluster in &mut clusters {
            cluster["@type"] = json!(format!("{TYPES}.config.cluster.v3.Cluster"));
        }
        self.gateway.put("cds", &version.to_string(), &clusters)?;
        let mark = format!(r#""version":{version}}}"#);
        wait_for("the gateway has the cluster", PATIENCE, || {
            let dump = self.gateway.get("/config_dump?resource=dynamic_active_clusters")?;
            let dump: String = dump.split_whitespace().collect();
            Ok(dump.contains(&mark).then_some(()))
        })
        .with_context(|| self.gateway.get("/config_dump").unwrap_or_default())
    }

    /// Removes the cluster from the gateway, as if Envoy had rejected it. Its route stays.
    pub fn forget(&self) -> Result<()> {
        self.version.set(self.version.get() + 1);
        self.gateway.put("cds", &self.version.get().to_string(), &[])?;
        wait_for("the gateway has no cluster", PATIENCE, || {
            let clusters = self.gateway.get("/clusters")?;
            Ok((!clusters.contains(&format!("{}::", self.cluster))).then_some(()))
        })
    }

    /// Sends `GET path` through the gateway.
    pub fn ask(&self, path: &str) -> Result<Answer> {
        let mut stream = TcpStream::connect(self.http()?)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer has a head")?;
        let status = head.split_whitespace().nth(1).context("a status")?.parse()?;
        Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
    }

    /// Writes the secrets as files, with new names for each set, and returns the TLS context that reads them.
    fn secrets(&self, keys: Option<&Keys>, root: &Value) -> Result<Value> {
        let version = self.version.get();
        let put = |name: &str, secret: &Value| {
            let mut resource = secret.clone();
            resource["@type"] = json!(format!("{TYPES}.extensions.transport_sockets.tls.v3.Secret"));
            self.gateway.put(&format!("{name}-{version}"), "1", &[resource])
        };
        match keys {
            Some(keys) => put(CERTIFICATE, &json!({"name": CERTIFICATE, "tls_certificate": keys.tls_certificate()}))?,
            None => self.gateway.put(&format!("{CERTIFICATE}-{version}"), "1", &[])?,
        }
        put(VALIDATION, &json!({"name": VALIDATION, "validation_context": root}))?;
        let secret = |name: &str| {
            let mut source = path_source(&self.gateway.files(), &format!("{name}-{version}"));
            // A missing secret delays the cluster only by this time.
            source["initial_fetch_timeout"] = json!("0.1s");
            json!({"name": name, "sds_config": source})
        };
        let context = json!({"common_tls_context": {
            "alpn_protocols": ["istio"],
            "tls_certificate_sds_secret_configs": [secret(CERTIFICATE)],
            "validation_context_sds_secret_config": secret(VALIDATION),
        }});
        Ok(upstream_tls(context))
    }
}

pub(super) fn upstream_tls(context: Value) -> Value {
    typed("envoy.transport_sockets.tls", "extensions.transport_sockets.tls.v3.UpstreamTlsContext", context)
}

/// The ALPN names that identify the mesh's TLS to a permissive sidecar (Istio, `filterchain_options.go`).
const ALPN_OF_THE_MESH: [&str; 5] = ["istio-peer-exchange", "istio", "istio-http/1.0", "istio-http/1.1", "istio-h2"];

/// The TLS context of a sidecar, which requires a client certificate of the mesh. Its ALPN does not contain `istio`
/// (Istio, `ALPNHttp` in `pilot/pkg/networking/util/util.go`).
fn inbound(authority: &Authority, valid: Valid) -> Result<Value> {
    let keys = authority.workload(BACKEND, valid)?;
    let context = json!({
        "require_client_certificate": true,
        "common_tls_context": {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_certificates": [keys.tls_certificate()],
            "validation_context": authority.validation(),
        },
    });
    Ok(typed("envoy.transport_sockets.tls", "extensions.transport_sockets.tls.v3.DownstreamTlsContext", context))
}

/// The filter chains of a sidecar's inbound listener in this mode, as Istio makes them for a port declared as HTTP.
fn chains(takes: Takes, tls: &Value) -> Vec<Value> {
    let table = json!([{"match": {"prefix": "/"}, "route": {"cluster": "app"}}]);
    let connections = manager("inbound", "route_config", &route_config("inbound", &table));
    let encrypted = json!({
        "filter_chain_match": {"transport_protocol": "tls"}, "transport_socket": tls, "filters": [connections],
    });
    let plain = json!({"filter_chain_match": {"transport_protocol": "raw_buffer"}, "filters": [connections]});
    match takes {
        Takes::Strict | Takes::StrictExpired => vec![encrypted],
        Takes::Permissive => {
            let mut of_the_mesh = encrypted;
            of_the_mesh["filter_chain_match"]["application_protocols"] = json!(ALPN_OF_THE_MESH);
            vec![of_the_mesh, plain]
        }
        Takes::Disable | Takes::NoSidecar => vec![plain],
    }
}

/// The gateway's listener. Its routes come separately, as Gloo serves them.
fn listener(files: &Path) -> Value {
    let rds = json!({"route_config_name": ROUTES, "config_source": path_source(files, "rds")});
    json!({
        "@type": format!("{TYPES}.config.listener.v3.Listener"), "name": LISTENER, "address": address(loopback(0)),
        "filter_chains": [{"filters": [manager("http", "rds", &rds)]}],
    })
}

/// The gateway's routes, for every path except those below `/nowhere`.
fn routes(cluster: &str) -> Value {
    let table = json!([
        {"match": {"prefix": "/moved-by-gateway"}, "redirect": {"https_redirect": true}},
        {"match": {"prefix": "/no-cluster"}, "route": {"cluster": "other_gloo-system"}},
        {"match": {"safe_regex": {"regex": "/(?:[^n]|n[^o]).*|/"}}, "route": {"cluster": cluster}},
    ]);
    let mut routes = route_config(ROUTES, &table);
    routes["@type"] = json!(format!("{TYPES}.config.route.v3.RouteConfiguration"));
    routes
}

pub(super) fn route_config(name: &str, table: &Value) -> Value {
    json!({
        "name": name, "validate_clusters": false,
        "virtual_hosts": [{"name": name, "domains": ["*"], "routes": table}],
    })
}

/// The connection manager. `source` is the field of the routes: `rds` or `route_config`.
pub(super) fn manager(prefix: &str, source: &str, routes: &Value) -> Value {
    let filter = typed("envoy.filters.http.router", "extensions.filters.http.router.v3.Router", json!({}));
    let mut settings = json!({"stat_prefix": prefix, source: routes, "http_filters": [filter]});
    if prefix == "inbound" {
        settings["forward_client_cert_details"] = json!("APPEND_FORWARD");
        settings["set_current_client_cert_details"] = json!({"subject": true, "uri": true, "dns": true});
    }
    typed(
        "envoy.filters.network.http_connection_manager",
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        settings,
    )
}

pub(super) fn cluster_of(name: &str, endpoint: Option<SocketAddr>) -> Value {
    let endpoints: Vec<_> =
        endpoint.iter().map(|endpoint| json!({"endpoint": {"address": address(*endpoint)}})).collect();
    json!({
        "name": name, "type": "STATIC", "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
    })
}

pub(super) fn raw_buffer() -> Value {
    typed("envoy.transport_sockets.raw_buffer", "extensions.transport_sockets.raw_buffer.v3.RawBuffer", json!({}))
}

fn typed(name: &str, kind: &str, mut config: Value) -> Value {
    config["@type"] = json!(format!("{TYPES}.{kind}"));
    json!({"name": name, "typed_config": config})
}

pub(super) fn address(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

pub(super) fn loopback(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}
