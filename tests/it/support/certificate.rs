//! Certificates for the stub API server, valid and invalid.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;

/// The certificate that the server presents.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// For 127.0.0.1, valid now.
    Good,
    OtherName,
    Expired,
    /// A good one; the client must present one too.
    Mutual,
}

/// The certificates for both sides of a TLS connection; texts are PEM.
pub struct Identity {
    pub server: Arc<rustls::ServerConfig>,
    /// The authority that signed both.
    pub ca: String,
    pub client_certificate: String,
    pub client_key: String,
}

/// Creates an authority, with a certificate for the server and one for a client.
pub fn identity(certificate: Certificate) -> Identity {
    let ca_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(params, ca_key);

    let name = if certificate == Certificate::OtherName { "other.example" } else { "127.0.0.1" };
    let last_year = if certificate == Certificate::Expired { 2021 } else { 2100 };
    let key = KeyPair::generate().unwrap();
    let leaf = leaf(name, last_year).signed_by(&key, &issuer).unwrap();
    let client_key = KeyPair::generate().unwrap();
    let client = self::leaf("me", 2100).signed_by(&client_key, &issuer).unwrap();

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = if certificate == Certificate::Mutual {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(ca.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        builder.unwrap().with_client_cert_verifier(verifier)
    } else {
        builder.unwrap().with_no_client_auth()
    };
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Identity {
        server: Arc::new(builder.with_single_cert(vec![leaf.der().clone()], key).unwrap()),
        ca: ca.pem(),
        client_certificate: client.pem(),
        client_key: client_key.serialize_pem(),
    }
}

fn leaf(name: &str, last_year: i32) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(last_year, 1, 1);
    params
}
