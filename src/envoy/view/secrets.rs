//! Secrets: their names, owners and validity. Their private keys are never read.

use serde_json::{Value, json};

use super::{Column, ViewRow, column, row, wide};
use crate::envoy::dump::DumpEntry;
use crate::envoy::x509::{self, Certificate};

pub(super) const COLUMNS: [Column; 7] = [
    column("SECRET", "name"),
    column("KIND", "kind"),
    column("OF", "of"),
    column("VALID TO", "validTo"),
    wide("VALID FROM", "validFrom"),
    wide("ISSUER", "issuer"),
    wide("SERIAL", "serial"),
];

pub(super) fn rows(entry: &DumpEntry) -> Vec<ViewRow> {
    let secret = &entry.resource;
    let (kind, chain) = match secret {
        _ if secret["tls_certificate"].is_object() => ("certificate", &secret["tls_certificate"]["certificate_chain"]),
        _ if secret["validation_context"].is_object() => ("CA", &secret["validation_context"]["trusted_ca"]),
        _ if secret["session_ticket_keys"].is_object() => ("ticket keys", &Value::Null),
        _ if secret["generic_secret"].is_object() => ("generic", &Value::Null),
        _ => ("", &Value::Null),
    };
    let found = certificates(chain);
    let first = found.first();
    let text = |of: fn(&Certificate) -> String| first.map_or(Value::Null, |it| json!(of(it)));
    vec![row([
        ("name", json!(entry.name)),
        ("kind", json!(kind)),
        ("of", text(owner)),
        ("validTo", text(|it| it.not_after.clone())),
        ("validFrom", text(|it| it.not_before.clone())),
        ("issuer", text(|it| it.issuer.clone())),
        ("serial", text(|it| it.serial.clone())),
    ])]
}

/// The SPIFFE ID, or the subject if there is none.
fn owner(certificate: &Certificate) -> String {
    certificate.uris.first().cloned().unwrap_or_else(|| certificate.subject.clone())
}

/// The certificates of a data source that contains them inline. Envoy does not redact certificates.
pub(crate) fn certificates(source: &Value) -> Vec<Certificate> {
    let bytes = source["inline_bytes"].as_str().and_then(x509::decoded);
    let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = text.or_else(|| source["inline_string"].as_str().map(str::to_owned));
    x509::of_pem(&text.unwrap_or_default())
}
