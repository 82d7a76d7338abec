//! Certificates: DER, PEM, and Envoy's certificates page.

use super::text;
use crate::envoy::view::ColumnWidth;
use crate::envoy::{certs, mesh_certificate, x509};
use crate::render;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

fn page(page: &Value, secrets: &[certs::Secret], pem: &str) {
    let now: Timestamp = "2026-11-29T00:00:00Z".parse().expect("a time");
    let roots = certs::roots(&json!({"data": {"root-cert.pem": pem}}));
    for roots in [None, Some(roots)] {
        if let Some(rows) = certs::rows(page, secrets, &roots, now) {
            render::dump::lines(&certs::COLUMNS, rows.into_iter(), ColumnWidth::Wide, &mut |_| ());
        }
    }
    let _ = mesh_certificate::of_certs(page);
}

pub(super) fn run(data: &[u8]) {
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(data));
    let one = x509::of_der(data);
    assert_eq!(x509::of_pem(&pem), one.clone().into_iter().collect::<Vec<_>>());
    if let Some(certificate) = one {
        assert_eq!(x509::serials_of_pem(&pem), [certificate.serial.as_str()]);
        for time in [&certificate.not_before, &certificate.not_after] {
            assert_eq!(time.len(), "2026-11-23T08:17:06Z".len(), "{time}");
        }
        let is_serial = |serial: &str| !serial.starts_with('0') && serial.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(is_serial(&certificate.serial), "{}", certificate.serial);
    }
    let secret = json!({"configs": [{"dynamic_active_secrets": [{"name": "x", "secret": {
        "name": "x", "tls_certificate": {"certificate_chain": {"inline_bytes": STANDARD.encode(&pem)}},
    }}]}]});
    let secrets = certs::secrets(&secret["configs"][0]);
    page(&json!({"certificates": [{"cert_chain": [{"serial_number": "1"}]}]}), &secrets, &pem);
    if let Some(text) = text(data) {
        let _ = (x509::of_pem(text), x509::decoded(text));
        if let Ok(value) = serde_json::from_str::<Value>(text) {
            page(&value, &secrets, text);
            page(&value, &certs::secrets(&value), text);
        }
    }
}
