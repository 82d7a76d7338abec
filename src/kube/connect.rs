//! The HTTP client, built once: the connector of this crate below, kube's client above.

use std::sync::Once;
use std::time::Duration;

use ::kube::client::{Body, ConfigExt as _};
use ::kube::config::{Cluster, ExecAuthCluster};
use ::kube::{Client, Config};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderValue, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::net::TcpStream;
use tower::util::{BoxCloneSyncService, MapErr, MapResponse};
use tower::{BoxError, Layer as _, Service};

use super::kubeconfig::ChosenContext;
use super::kubeconfig_file::refused;
use super::proxy_env::{BadProxy, HttpProxy, Protocol, ProxySource};
use crate::error::{Failure, plain};

/// The timeout of a TCP connection, and of the TLS handshake over it.
const CONNECT: Duration = Duration::from_secs(5);

/// Installs ring as the cryptography provider of rustls for the process. It is set explicitly, so that a second
/// provider that another crate adds does not cause a panic.
pub(super) fn install_ring() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Fails only if a provider is installed already. That is ring: no other one is compiled in.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// The API server's URL, without a login: such a login is never sent. A URL without a scheme is http, as for kubectl.
pub(super) fn server(chosen: &ChosenContext) -> Result<Uri, Failure> {
    let text = without_login(chosen.cluster.server.as_deref().unwrap_or_default());
    let bad = |why: &str| refused(format!("context {}: server {text} {why}", chosen.context));
    let full = if text.contains("://") { text.clone() } else { format!("http://{text}") };
    let server: Uri = full.parse().map_err(|_| bad("is not a URL"))?;
    if !matches!(server.scheme_str(), Some("http" | "https")) || server.host().is_none_or(str::is_empty) {
        return Err(bad("is not an http or https URL"));
    }
    Ok(server)
}

/// The URL without the text before the last `@`. An unescaped password may contain any character.
fn without_login(url: &str) -> String {
    let Some((before, rest)) = url.rsplit_once('@') else { return url.to_owned() };
    match before.split_once("://") {
        Some((scheme, _)) if scheme.chars().all(char::is_alphanumeric) => format!("{scheme}://{rest}"),
        _ => rest.to_owned(),
    }
}

/// kube's configuration for the cluster. It is built field by field: kube's own loader reads the proxy variables of the
/// process, and fails on values that Go accepts.
pub(super) fn config(chosen: &ChosenContext, server: Uri) -> Result<Config, Failure> {
    let cluster = &chosen.cluster;
    let mut config = Config::new(server);
    config.default_namespace.clone_from(&chosen.namespace);
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
    config.tls_server_name = cluster.tls_server_name.clone().filter(|name| !name.is_empty());
    config.root_cert = authority(chosen)?;
    config.auth_info = chosen.user.clone();
    config.default_retry = false;
    Ok(config)
}

fn authority(chosen: &ChosenContext) -> Result<Option<Vec<Vec<u8>>>, Failure> {
    let bad = |why: &str| refused(format!("context {}: {why}", chosen.context));
    // In client-go an empty text is the same as none.
    let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let cluster = Cluster {
        certificate_authority: said(&chosen.cluster.certificate_authority),
        certificate_authority_data: said(&chosen.cluster.certificate_authority_data),
        ..chosen.cluster.clone()
    };
    let (file, data) = (&cluster.certificate_authority, &cluster.certificate_authority_data);
    if cluster.insecure_skip_tls_verify == Some(true) && (file.is_some() || data.is_some()) {
        return Err(bad("its cluster has a certificate authority together with insecure-skip-tls-verify")
            .hint("remove insecure-skip-tls-verify, so that the server's certificate is verified"));
    }
    // kube loads the bundle only for itself. The bundle that it gives a plugin is the same one, read in the same way.
    let bundle = ExecAuthCluster::try_from(&cluster)
        .map_err(|error| unreadable(&chosen.context, &error))?
        .certificate_authority_data;
    let Some(bundle) = bundle else { return Ok(None) };
    if bundle.trim_ascii().is_empty() {
        let file = file.as_ref().filter(|_| data.is_none()).map_or_else(String::new, |file| format!(" {file}"));
        return Err(bad(&format!("the certificate authority{file} is empty")));
    }
    let certificates: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(&bundle)
        .map(|one| one.map(|certificate| certificate.to_vec()))
        .collect::<Result<_, _>>()
        .map_err(|_| bad("the certificate authority is not PEM"))?;
    if certificates.is_empty() {
        return Err(bad("the certificate authority holds no certificate"));
    }
    Ok(Some(certificates))
}

/// The failure for a certificate or key that cannot be read: which file and why, never its text.
fn unreadable(context: &str, error: &::kube::config::KubeconfigError) -> Failure {
    use ::kube::config::{KubeconfigError as E, LoadDataError as D};
    let (what, cause) = match error {
        E::LoadCertificateAuthority(cause) => ("certificate authority", cause),
        E::LoadClientCertificate(cause) => ("client certificate", cause),
        E::LoadClientKey(cause) => ("client key", cause),
        error => return refused(format!("context {context}: {error}")),
    };
    refused(match cause {
        D::ReadFile(error, path) => format!("context {context}: {what} {}: {}", path.display(), plain(error)),
        D::DecodeBase64(_) => format!("context {context}: {what} data is not base64"),
        D::NoBase64DataOrFile => format!("context {context}: no {what}, though its other half is there"),
    })
}

/// The failure for credentials or TLS settings that cannot be used.
pub(super) fn unusable(context: &str, error: &::kube::Error) -> Failure {
    use ::kube::client::RustlsTlsError as Tls;
    match error {
        ::kube::Error::InferKubeconfig(error) => unreadable(context, error),
        ::kube::Error::RustlsTls(Tls::AddRootCertificate(_)) => {
            refused(format!("context {context}: the certificate authority is not usable"))
        }
        ::kube::Error::RustlsTls(error) => refused(format!("context {context}: client certificate: {error}")),
        ::kube::Error::HttpError(_) => {
            refused(format!("context {context}: the name to impersonate cannot be a header"))
        }
        error => refused(format!("context {context}: credentials: {error}")),
    }
}

/// The failure for a proxy that cannot be used. It names the source of the proxy setting.
pub(super) fn bad_proxy(context: &str, bad: &BadProxy) -> Failure {
    match bad.source {
        ProxySource::Kubeconfig => refused(format!("context {context}: proxy-url of its cluster {}", bad.why)),
        ProxySource::Variable(name) => refused(format!("environment variable {name} {}", bad.why))
            .hint("unset it, or name the API server in NO_PROXY, if no proxy is wanted"),
    }
}

/// Builds the client: base address, credentials, impersonation, then the connector.
pub(super) fn client(config: &Config, proxy: Option<&HttpProxy>) -> Result<Client, ::kube::Error> {
    // With Nagle's algorithm a client waits 40 ms for a delayed ACK in each command.
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    let Some(proxy) = proxy else { return over(config, boxed(tcp)) };
    let config = &with_port(config);
    let address = proxy.uri.clone();
    match proxy.protocol {
        Protocol::Socks5 => {
            let socks = SocksV5::new(address, tcp);
            over(
                config,
                boxed(match proxy.login.clone() {
                    Some((user, password)) => socks.with_auth(user, password),
                    None => socks,
                }),
            )
        }
        Protocol::Http => over(config, boxed(logged_in(Tunnel::new(address, tcp), proxy))),
        Protocol::Https => {
            let tls = tls_to_proxy(config, tcp)?;
            over(config, boxed(logged_in(Tunnel::new(address, tls), proxy)))
        }
    }
}

/// The stream to the API server, below its own TLS: over TLS for an https proxy.
type Wire = MaybeHttpsStream<TokioIo<TcpStream>>;

/// A connector as one type, whatever proxy it uses: each type of connector is 60 KB of the program.
fn boxed<H>(connector: H) -> BoxCloneSyncService<Uri, Wire, BoxError>
where
    H: Service<Uri, Response: Into<Wire>, Error: Into<BoxError>, Future: Send> + Clone + Send + Sync + 'static,
{
    let wire = MapResponse::new(connector, Into::into as fn(H::Response) -> Wire);
    BoxCloneSyncService::new(MapErr::new(wire, Into::into as fn(H::Error) -> BoxError))
}

/// The configuration with an explicit port: a proxy needs one, and hyper-util uses 443 for every scheme.
fn with_port(config: &Config) -> Config {
    let url = &config.cluster_url;
    let port = if url.scheme_str() == Some("https") { 443 } else { 80 };
    let mut config = config.clone();
    let mut parts = url.clone().into_parts();
    if let Some(authority) = parts.authority.take_if(|authority| authority.port().is_none()) {
        parts.authority = format!("{authority}:{port}").parse().ok().or(Some(authority));
        config.cluster_url = Uri::from_parts(parts).unwrap_or_else(|_| url.clone());
    }
    config
}

fn logged_in<C>(tunnel: Tunnel<C>, proxy: &HttpProxy) -> Tunnel<C> {
    let header = proxy.login.as_ref().and_then(|(user, password)| {
        HeaderValue::from_str(&format!("Basic {}", BASE64.encode(format!("{user}:{password}")))).ok()
    });
    match header {
        Some(header) => tunnel.with_auth(header),
        None => tunnel,
    }
}

/// The TLS connector to the proxy. Its certificate is checked against the trust store of the machine, not the cluster's
/// CA.
fn tls_to_proxy(config: &Config, tcp: HttpConnector) -> Result<HttpsConnector<HttpConnector>, ::kube::Error> {
    Config::new(config.cluster_url.clone()).rustls_https_connector_with_connector(tcp)
}

fn over(config: &Config, connector: BoxCloneSyncService<Uri, Wire, BoxError>) -> Result<Client, ::kube::Error> {
    let connector = if config.cluster_url.scheme_str() == Some("https") {
        config.rustls_https_connector_with_connector(connector)?
    } else {
        plain_connector(connector)
    };
    let mut connector = TimeoutConnector::new(connector);
    connector.set_connect_timeout(Some(CONNECT));
    let wire = legacy::Client::builder(TokioExecutor::new()).build::<_, Body>(connector);
    let headers = config.extra_headers_layer()?.layer(MapErr::new(wire, BoxError::from));
    let based = config.base_uri_layer();
    let namespace = config.default_namespace.clone();
    Ok(match config.auth_layer()? {
        Some(credentials) => Client::new(based.layer(credentials.layer(headers)), namespace),
        None => Client::new(based.layer(headers), namespace),
    })
}

/// The connector without TLS. Nothing is verified, so no trust store is read: that takes 20 ms where the system has
/// one.
fn plain_connector<H>(connector: H) -> HttpsConnector<H> {
    let nobody =
        rustls::ClientConfig::builder().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    HttpsConnectorBuilder::new().with_tls_config(nobody).https_or_http().enable_http1().wrap_connector(connector)
}
