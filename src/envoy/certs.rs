//! The certificates that Envoy uses: `/certs`, matched with the secrets of the config dump, which have more details.

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::view::certificates;
use super::view::{Column, ColumnWidth, ViewRow};
use super::x509::{self, Certificate};

/// The page of certificates, and the pages of the secrets that are active and warming.
pub(crate) const PAGE: &str = "/certs";
pub(crate) const SECRETS: &str = "/config_dump?resource=dynamic_active_secrets";
pub(crate) const WARMING: &str = "/config_dump?resource=dynamic_warming_secrets";

/// In seconds.
const DAY: i64 = 24 * 60 * 60;

const fn column(title: &'static str, key: &'static str, width: ColumnWidth) -> Column {
    Column { title, key, width }
}

/// The columns of the table.
pub(crate) const COLUMNS: [Column; 10] = [
    column("SECRET", "secret", ColumnWidth::Usual),
    column("KIND", "kind", ColumnWidth::Usual),
    column("ID", "id", ColumnWidth::Usual),
    column("TRUST DOMAIN", "trustDomain", ColumnWidth::Wide),
    column("ISSUER", "issuer", ColumnWidth::Usual),
    column("VALID FROM", "validFrom", ColumnWidth::Wide),
    column("VALID TO", "validTo", ColumnWidth::Usual),
    column("VALID FOR", "validFor", ColumnWidth::Usual),
    column("MESH ROOT", "meshRoot", ColumnWidth::Usual),
    column("SERIAL", "serial", ColumnWidth::Wide),
];

/// A secret of the config dump with its certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Secret {
    pub name: String,
    /// Its own certificate and those that lead to its root, which may be the last.
    chain: Vec<Certificate>,
    /// The roots that a peer's certificate is checked against.
    trusted: Vec<Certificate>,
}

/// The secrets of `/config_dump?resource=…`: its elements are listed without their section.
#[must_use]
pub(crate) fn secrets(page: &Value) -> Vec<Secret> {
    let elements = page["configs"].as_array().into_iter().flatten();
    elements
        .map(|element| {
            let secret = &element["secret"];
            let name = element["name"].as_str().or_else(|| secret["name"].as_str()).unwrap_or_default().to_owned();
            Secret {
                name,
                chain: certificates(&secret["tls_certificate"]["certificate_chain"]),
                trusted: certificates(&secret["validation_context"]["trusted_ca"]),
            }
        })
        .collect()
}

/// The mesh's root certificates; `None` if they could not be read.
pub(crate) type Roots = Option<Vec<Certificate>>;

/// The certificates of `istio-ca-root-cert`.
#[must_use]
pub(crate) fn roots(config_map: &Value) -> Vec<Certificate> {
    x509::of_pem(config_map["data"]["root-cert.pem"].as_str().unwrap_or_default())
}

/// One row for each certificate in use, without duplicates; `None` if the page is not one of Envoy's.
#[must_use]
pub(crate) fn rows(page: &Value, secrets: &[Secret], roots: &Roots, now: Timestamp) -> Option<Vec<ViewRow>> {
    let contexts = page["certificates"].as_array()?;
    let mut rows: Vec<ViewRow> = Vec::new();
    let mut seen = HashSet::new();
    for context in contexts {
        for (key, usage) in [("cert_chain", CertificateUsage::Presented), ("ca_cert", CertificateUsage::Trusted)] {
            for used in objects(context, key)? {
                let row = row(used, usage, secrets, roots, now);
                if seen.insert(Value::Object(row.clone()).to_string()) {
                    rows.push(row);
                }
            }
        }
    }
    Some(rows)
}

/// The objects of a list, which may be missing; `None` if anything has another type.
fn objects<'c>(context: &'c Value, key: &str) -> Option<&'c [Value]> {
    let list = match context.as_object()?.get(key) {
        None | Some(Value::Null) => &[],
        Some(list) => list.as_array()?.as_slice(),
    };
    list.iter().all(Value::is_object).then_some(list)
}

/// What Envoy uses a certificate for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CertificateUsage {
    Presented,
    Trusted,
}

impl CertificateUsage {
    fn kind(self) -> &'static str {
        match self {
            Self::Presented => "certificate",
            Self::Trusted => "CA",
        }
    }

    /// The certificates of a secret that are used like this. The mesh's root is in both lists.
    fn of(self, secret: &Secret) -> &[Certificate] {
        match self {
            Self::Presented => &secret.chain,
            Self::Trusted => &secret.trusted,
        }
    }
}

fn row(used: &Value, usage: CertificateUsage, secrets: &[Secret], roots: &Roots, now: Timestamp) -> ViewRow {
    let text = |key: &str| used[key].as_str().unwrap_or_default();
    let serial = text("serial_number").trim_start_matches('0').to_ascii_lowercase();
    let found = secrets.iter().find_map(|secret| {
        let certificate = usage.of(secret).iter().find(|certificate| certificate.serial == serial)?;
        Some((secret.name.as_str(), certificate))
    });
    let certificate = found.map(|(_, certificate)| certificate);
    let mut names = used["subject_alt_names"].as_array().into_iter().flatten();
    let uri = names.find_map(|name| name["uri"].as_str().or_else(|| name["dns"].as_str()));
    let id = uri.map(str::to_owned).or_else(|| certificate.map(|certificate| certificate.subject.clone()));
    let id = id.unwrap_or_default();
    let trust_domain = id.strip_prefix("spiffe://").and_then(|rest| rest.split('/').next());
    let left = seconds_left(used, now);
    let path = Some(text("path")).filter(|path| !path.is_empty() && *path != "<inline>");
    let fields = [
        ("secret", json!(found.map(|(name, _)| name).or(path))),
        ("kind", json!(usage.kind())),
        ("trustDomain", json!(trust_domain)),
        ("issuer", json!(certificate.map(|certificate| &certificate.issuer))),
        ("validFrom", json!(text("valid_from"))),
        ("validTo", json!(text("expiration_time"))),
        ("days", json!(left.map(|seconds| seconds.div_euclid(DAY)))),
        ("secondsLeft", json!(left)),
        ("meshRoot", json!((usage == CertificateUsage::Trusted).then(|| mesh_root(&serial, certificate, roots)))),
        ("serial", json!(serial)),
        ("id", json!(id)),
    ];
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The seconds until the certificate expires, negative after that. Envoy itself returns 0 days for expired certificates.
fn seconds_left(used: &Value, now: Timestamp) -> Option<i64> {
    let end: Option<Timestamp> = used["expiration_time"].as_str().and_then(|text| text.parse().ok());
    let days = || used["days_until_expiration"].as_str()?.parse::<i64>().ok()?.checked_mul(DAY);
    end.map(|end| end.as_second() - now.as_second()).or_else(days)
}

/// Whether a certificate is a root of the mesh. Compares the certificate if the dump has it, otherwise its serial
/// number.
fn mesh_root(serial: &str, certificate: Option<&Certificate>, roots: &Roots) -> &'static str {
    let Some(roots) = roots else { return "unknown" };
    let is_root = |root: &Certificate| match certificate {
        Some(certificate) => certificate.der == root.der,
        None => root.serial == serial,
    };
    if roots.iter().any(is_root) { "yes" } else { "no" }
}
