//! The trust settings for the gateway's certificate.

use std::sync::{Arc, Once};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use hyper_rustls::ConfigBuilderExt as _;

use crate::text::Scheme;

/// Which certificates are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Those that the system trusts.
    System,
    /// Only those of these authorities, in PEM: `--cacert`.
    Authorities(Vec<u8>),
    /// Any certificate: `-k`.
    Anybody,
}

/// The name in the form that TLS needs.
pub(super) fn server_name(name: &str) -> Result<ServerName<'static>, String> {
    let bare = name.trim_matches(['[', ']']);
    ServerName::try_from(bare.to_owned()).map_err(|_| format!("{name} is not a valid name for a certificate"))
}

/// The TLS configuration. Without TLS no trust store is read.
pub(super) fn config(trust: &Trust, scheme: Scheme) -> Result<ClientConfig, String> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Fails only if a provider is installed already. That is ring too: no other one is compiled in.
        let _ = ring::default_provider().install_default();
    });
    let builder = ClientConfig::builder();
    if scheme == Scheme::Http {
        return Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
    }
    match trust {
        Trust::System => {
            // A system without a trust store fails only when it has to check a certificate.
            let nobody = || ClientConfig::builder().with_root_certificates(RootCertStore::empty());
            Ok(builder.with_native_roots().unwrap_or_else(|_| nobody()).with_no_client_auth())
        }
        Trust::Authorities(pem) => Ok(builder.with_root_certificates(authorities(pem)?).with_no_client_auth()),
        Trust::Anybody => {
            let algorithms = ring::default_provider().signature_verification_algorithms;
            let anybody = Arc::new(Anybody(algorithms));
            Ok(builder.dangerous().with_custom_certificate_verifier(anybody).with_no_client_auth())
        }
    }
}

fn authorities(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| "is not PEM".to_owned())?;
        store.add(certificate).map_err(|_| "has a certificate that is not of a certificate authority".to_owned())?;
    }
    if store.is_empty() { Err("holds no certificate".to_owned()) } else { Ok(store) }
}

/// Trusts every certificate. The signature of the handshake is still checked.
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
