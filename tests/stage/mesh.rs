//! The certificates of a mesh: an authority like istiod's, and the certificates of workloads.

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use serde_json::{Value, json};

/// The root of a mesh. Another authority is the root of another mesh.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// The validity of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Valid {
    Now,
    /// Expired in the year 2021.
    Expired,
}

/// A workload's certificate with its key, PEM.
#[derive(Debug, Clone, PartialEq)]
pub struct Keys {
    certificate: String,
    key: String,
}

/// The validation context for certificates of this root, PEM.
pub fn validation(root: &str) -> Value {
    json!({"trusted_ca": {"inline_string": root}})
}

impl Authority {
    pub fn new() -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2100, 1, 1));
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// Only the certificate, as in `istio-ca-root-cert`.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for an identity such as `spiffe://cluster.local/ns/default/sa/httpbin`.
    pub fn workload(&self, identity: &str, valid: Valid) -> Result<Keys> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![SanType::URI(identity.try_into()?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(if valid == Valid::Now { 2100 } else { 2021 }, 1, 1);
        Ok(Keys { certificate: params.signed_by(&key, &self.issuer)?.pem(), key: key.serialize_pem() })
    }

    /// The validation context for the certificate of the peer.
    pub fn validation(&self) -> Value {
        validation(&self.pem)
    }
}

impl Keys {
    /// A certificate that another authority signed, and its key; PEM.
    pub fn new(certificate: &str, key: &str) -> Self {
        Self { certificate: certificate.to_owned(), key: key.to_owned() }
    }

    /// The certificate and key in Envoy's format.
    pub fn tls_certificate(&self) -> Value {
        json!({
            "certificate_chain": {"inline_string": self.certificate},
            "private_key": {"inline_string": self.key},
        })
    }
}
