//! The certificate that Envoy shows the mesh, and whether its root is the mesh's.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;

/// What `/certs` tells of a certificate of the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshCertificate {
    /// Seconds since 1970.
    pub ends: i64,
    /// Serial numbers of the roots that come with it, in lower case hex without leading zeros.
    pub roots: Vec<String>,
}

/// The certificates with a name of the mesh, `spiffe://…`. Those of listeners and of xDS have none.
#[must_use]
pub fn of_certs(certs: &Value) -> Vec<MeshCertificate> {
    let all = certs["certificates"].as_array().into_iter().flatten();
    all.filter_map(|certificate| {
        let leaf = certificate["cert_chain"].as_array()?.iter().find(|it| is_of_a_mesh(it))?;
        let ends: Timestamp = leaf["expiration_time"].as_str()?.parse().ok()?;
        let roots = certificate["ca_cert"].as_array().into_iter().flatten();
        let roots = roots.filter_map(|root| root["serial_number"].as_str()).map(plain).collect();
        Some(MeshCertificate { ends: ends.as_second(), roots })
    })
    .collect()
}

fn is_of_a_mesh(certificate: &Value) -> bool {
    let mut names = certificate["subject_alt_names"].as_array().into_iter().flatten();
    names.any(|name| name["uri"].as_str().is_some_and(|uri| uri.starts_with("spiffe://")))
}

/// As Envoy prints it, and as it is compared here.
fn plain(serial: &str) -> String {
    serial.trim_start_matches('0').to_ascii_lowercase()
}

/// The serial numbers of the certificates in a PEM text; one that cannot be read has none.
#[must_use]
pub fn serials_of_pem(pem: &str) -> Vec<String> {
    let blocks = pem.split("-----BEGIN CERTIFICATE-----").skip(1);
    blocks
        .filter_map(|block| {
            let text: String = block.split("-----END").next()?.split_whitespace().collect();
            serial(&STANDARD.decode(text).ok()?)
        })
        .collect()
}

/// `Certificate ::= SEQUENCE { tbsCertificate SEQUENCE { [0] version OPTIONAL, serialNumber INTEGER, … } … }` (RFC 5280).
fn serial(der: &[u8]) -> Option<String> {
    let (_, certificate, _) = element(der)?;
    let (_, tbs, _) = element(certificate)?;
    let (tag, first, rest) = element(tbs)?;
    let number = if tag == 0xa0 { element(rest)?.1 } else { first };
    let hex = number.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("writing to a String does not fail");
        hex
    });
    Some(plain(&hex))
}

/// The tag, the content and what follows it; lengths of up to four bytes.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(*length) {
        short @ 0..=0x7f => (short, rest),
        long @ 0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(long - 0x80)?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SerialNumber};
    use serde_json::json;

    use super::*;

    fn pem(serial: &[u8]) -> String {
        let mut params = CertificateParams::new(["a".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from_slice(serial));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[test]
    fn the_serial_numbers_of_all_roots_are_read() {
        let text = format!("# a bundle\n{}\n{}", pem(&[0x0a, 0xff]), pem(&[0x7f; 16]));
        assert_eq!(serials_of_pem(&text), ["aff".to_owned(), "7f".repeat(16)]);
        let broken = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----";
        for text in ["", broken, "-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\n!!"] {
            assert_eq!(serials_of_pem(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn only_what_has_a_name_of_the_mesh_is_a_certificate_of_it() {
        let certs = json!({"certificates": [
            {"ca_cert": [], "cert_chain": [{"subject_alt_names": [{"dns": "shop.example"}], "expiration_time": "2026-01-01T00:00:00Z"}]},
            {"ca_cert": [{"serial_number": "0AFF"}],
             "cert_chain": [{"subject_alt_names": [{"uri": "spiffe://cluster.local/ns/a/sa/b"}], "expiration_time": "1970-01-02T00:00:00Z"}]},
        ]});
        assert_eq!(of_certs(&certs), [MeshCertificate { ends: 86_400, roots: vec!["aff".to_owned()] }]);
        assert_eq!(of_certs(&Value::Null), []);
    }
}
