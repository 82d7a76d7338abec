//! The certificate that Envoy presents in the mesh, and the root certificates that come with it.

use jiff::Timestamp;
use serde_json::Value;

/// The details of a mesh certificate from `/certs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MeshCertificate {
    /// The SPIFFE ID: `spiffe://cluster.local/ns/gloo-system/sa/gateway-proxy`.
    pub id: String,
    /// The expiry time in RFC 3339, as Envoy writes it.
    pub until: String,
    /// The expiry time in seconds since 1970.
    pub ends: i64,
    /// The serial numbers of its root certificates, in lower-case hexadecimal digits without leading zeros.
    pub roots: Vec<String>,
}

/// The certificates with a SPIFFE ID, `spiffe://…`. Those of listeners and of xDS have none.
#[must_use]
pub(crate) fn of_certs(certs: &Value) -> Vec<MeshCertificate> {
    let all = certs["certificates"].as_array().into_iter().flatten();
    all.filter_map(|certificate| {
        let mut chain = certificate["cert_chain"].as_array()?.iter();
        let (leaf, id) = chain.find_map(|it| Some((it, name_in_a_mesh(it)?)))?;
        let until = leaf["expiration_time"].as_str()?;
        let ends: Timestamp = until.parse().ok()?;
        let roots = certificate["ca_cert"].as_array().into_iter().flatten();
        let roots = roots.filter_map(|root| root["serial_number"].as_str()).map(plain).collect();
        Some(MeshCertificate { id: id.to_owned(), until: until.to_owned(), ends: ends.as_second(), roots })
    })
    .collect()
}

fn name_in_a_mesh(certificate: &Value) -> Option<&str> {
    let mut names = certificate["subject_alt_names"].as_array()?.iter();
    names.find_map(|name| name["uri"].as_str().filter(|uri| uri.starts_with("spiffe://")))
}

/// A serial number in the form in which it is compared: lower case, without leading zeros.
fn plain(serial: &str) -> String {
    serial.trim_start_matches('0').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_has_a_name_of_the_mesh_is_a_certificate_of_it() {
        let certs = json!({"certificates": [
            {"ca_cert": [], "cert_chain": [{"subject_alt_names": [{"dns": "shop.example"}], "expiration_time": "2026-01-01T00:00:00Z"}]},
            {"ca_cert": [{"serial_number": "0AFF"}],
             "cert_chain": [{"subject_alt_names": [{"uri": "spiffe://cluster.local/ns/a/sa/b"}], "expiration_time": "1970-01-02T00:00:00Z"}]},
        ]});
        assert_eq!(
            of_certs(&certs),
            [MeshCertificate {
                id: "spiffe://cluster.local/ns/a/sa/b".to_owned(),
                until: "1970-01-02T00:00:00Z".to_owned(),
                ends: 86_400,
                roots: vec!["aff".to_owned()],
            }]
        );
        assert_eq!(of_certs(&Value::Null), []);
    }
}
