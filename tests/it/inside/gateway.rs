//! Envoy's configuration as Gloo would serve it: an Upstream with Istio's TLS, listeners, routes.

use std::path::Path;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType, date_time_ymd};
use serde_json::{Value, json};

use crate::stage::Envoy;
use crate::stage::envoy::{dynamic_resources, path_source, put};

/// The cluster of Upstream `default-httpbin-8000` in the namespace that the guide uses.
pub const HTTPBIN: &str = "default-httpbin-8000_gloo-system";
/// What Gloo's sds container serves; a file has one, as Envoy demands.
const SECRETS: [&str; 2] = ["istio_server_cert", "istio_validation_context"];
pub const SPIFFE: &str = "spiffe://cluster.local/ns/gloo-system/sa/gateway-proxy";

/// Clusters and listeners by file.
pub fn bootstrap(files: &Path, gloo: &str) -> Value {
    let resources = [plain_cluster("default-petstore-8080_gloo-system", 2), mtls_cluster(files)];
    put(files, "cds", "7", &resources).expect("the directory is ours");
    put(files, "lds", "9", &[listener(8080), tcp_listener()]).expect("the directory is ours");
    for secret in SECRETS {
        put(files, secret, "0", &[]).expect("the directory is ours");
    }
    json!({
        "node": {
            "id": format!("gateway-proxy-1.{gloo}"), "cluster": "gateway",
            "metadata": {"role": format!("{gloo}~gateway-proxy")},
        },
        "dynamic_resources": dynamic_resources(files),
    })
}

pub fn plain_cluster(name: &str, endpoints: u16) -> Value {
    let endpoints: Vec<_> = (0..endpoints).map(|number| endpoint(&format!("10.0.0.{number}"), &json!({}))).collect();
    json!({
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": name, "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
    })
}

pub fn endpoint(address: &str, metadata: &Value) -> Value {
    json!({
        "endpoint": {"address": {"socket_address": {"address": address, "port_value": 8080}}},
        "metadata": {"filter_metadata": metadata},
    })
}

/// What an Upstream with Istio's `sslConfig` becomes; the secrets come by file here.
fn mtls_cluster(files: &Path) -> Value {
    let mut cluster = plain_cluster(HTTPBIN, 1);
    let secret = |name: &str| json!({"name": name, "sds_config": path_source(files, name)});
    cluster["transport_socket"] = json!({"name": "envoy.transport_sockets.tls", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": "outbound_.8000_._.httpbin.default.svc.cluster.local",
        "common_tls_context": {
            "alpn_protocols": ["istio"],
            "tls_certificate_sds_secret_configs": [secret("istio_server_cert")],
            "validation_context_sds_secret_config": secret("istio_validation_context"),
        },
    }});
    cluster
}

fn listener(port: u16) -> Value {
    let route = |prefix: &str, cluster: &str| json!({"match": {"prefix": prefix}, "route": {"cluster": cluster}});
    let hosts = json!([
        {"name": "shop", "domains": ["shop.example.com", "*.shop.example.com"], "routes": [
            route("/pets", "default-petstore-8080_gloo-system"),
            {"match": {"path": "/old", "headers": [{"name": "x-v", "present_match": true}]}, "redirect": {"path_redirect": "/new"}},
        ]},
        {"name": "all", "domains": ["*"], "routes": [route("/", HTTPBIN)]},
    ]);
    json!({
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener", "name": "listener-::-8080",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "metadata": {"filter_metadata": {"port": {"is": port}}},
        "filter_chains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "http",
            "route_config": {"name": "listener-::-8080-routes", "virtual_hosts": hosts},
            "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
        }}]}],
    })
}

fn tcp_listener() -> Value {
    json!({
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener", "name": "listener-tcp",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "envoy.filters.network.tcp_proxy", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": "tcp", "cluster": HTTPBIN,
        }}]}],
    })
}

/// A mesh's root, and a certificate of the gateway's that it signed, as PEM.
pub struct Mesh {
    pub root: String,
    pub certificate: String,
    pub key: String,
}

impl Mesh {
    /// The gateway's certificate is valid until the first day of this year.
    pub fn until(year: i32) -> Self {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.distinguished_name.push(DnType::OrganizationName, "cluster.local");
        ca.not_after = date_time_ymd(2100, 1, 1);
        let root = ca.self_signed(&ca_key).unwrap();
        let issuer = Issuer::new(ca, ca_key);
        let mut leaf = CertificateParams::default();
        leaf.subject_alt_names = vec![SanType::URI(SPIFFE.try_into().unwrap())];
        (leaf.not_before, leaf.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(year, 1, 1));
        let key = KeyPair::generate().unwrap();
        let certificate = leaf.signed_by(&key, &issuer).unwrap();
        Self { root: root.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// Lets Envoy have both secrets.
    pub fn serve(&self, envoy: &Envoy) -> Result<()> {
        let kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
        let inline = |text: &str| json!({"inline_string": text});
        let certificate = json!({
            "certificate_chain": inline(&self.certificate), "private_key": inline(&self.key),
        });
        let [own, validation] = SECRETS;
        envoy.put(own, "1", &[json!({"@type": kind, "name": own, "tls_certificate": certificate})])?;
        let trusted = json!({"trusted_ca": inline(&self.root)});
        envoy.put(validation, "1", &[json!({"@type": kind, "name": validation, "validation_context": trusted})])
    }
}
