//! Envoy's `/certs`: the certificates that the gateway got from the mesh, and their validity.

use jiff::Timestamp;
use serde_json::Value;

use crate::bounded;

/// What the values of the page may take in memory, in bytes.
const MOST_PARSED: usize = 24 << 20;

/// The prefix of every identity in a mesh.
pub(crate) const SPIFFE: &str = "spiffe://";

/// A certificate as Envoy reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cert {
    /// The identities in the certificate.
    pub uris: Vec<String>,
    pub valid_from: Option<Timestamp>,
    pub valid_to: Option<Timestamp>,
}

impl Cert {
    fn from_value(value: &Value) -> Self {
        let names = value["subject_alt_names"].as_array().into_iter().flatten();
        let time = |key: &str| value[key].as_str().and_then(|text| text.parse().ok());
        Self {
            uris: names.filter_map(|name| name["uri"].as_str()).map(str::to_owned).collect(),
            valid_from: time("valid_from"),
            valid_to: time("expiration_time"),
        }
    }

    /// Returns why it is not valid now, if so.
    pub(crate) fn fault(&self, now: Timestamp) -> Option<String> {
        match (self.valid_from, self.valid_to) {
            (_, Some(to)) if to <= now => Some(format!("expired at {to}")),
            (Some(from), _) if from > now => Some(format!("not valid before {from}")),
            _ => None,
        }
    }
}

/// The certificates that the mesh issued to the gateway: those with an identity of a mesh, and the roots next to them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Certs {
    pub own: Vec<Cert>,
    pub roots: Vec<Cert>,
}

impl Certs {
    /// Reads `/certs`. `None` if the text has another format.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let document: Value = bounded::value(text.as_bytes(), MOST_PARSED).ok()?;
        let mut read = Self::default();
        for entry in document["certificates"].as_array()? {
            let list = |key: &str| entry[key].as_array().into_iter().flatten().map(Cert::from_value);
            let own: Vec<_> = list("cert_chain").filter(|cert| cert.uris.iter().any(|uri| is_identity(uri))).collect();
            if !own.is_empty() {
                read.roots.extend(list("ca_cert"));
                read.own.extend(own);
            }
        }
        Some(read)
    }

    /// Adds the certificates of another proxy.
    #[must_use]
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.own.extend(other.own);
        self.roots.extend(other.roots);
        self
    }

    /// Returns the gateway's identities, each once.
    pub(crate) fn identities(&self) -> Vec<&str> {
        let mut all: Vec<&str> =
            self.own.iter().flat_map(|cert| &cert.uris).map(String::as_str).filter(|uri| is_identity(uri)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

fn is_identity(uri: &str) -> bool {
    uri.starts_with(SPIFFE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The format of Envoy 1.40.
    const TEXT: &str = r#"{"certificates": [
        {"ca_cert": [{"path": "<inline>", "serial_number": "27", "subject_alt_names": [],
                      "valid_from": "2026-11-23T08:18:57Z", "expiration_time": "2026-12-23T08:18:57Z"}],
         "cert_chain": [{"path": "<inline>", "subject_alt_names": [{"uri": "spiffe://cluster.local/ns/g/sa/p"}],
                         "valid_from": "2026-11-23T08:18:57Z", "expiration_time": "2026-11-25T08:18:57Z"}]},
        {"ca_cert": [], "cert_chain": [{"subject_alt_names": [{"dns": "shop.example"}], "expiration_time": "2020-01-01T00:00:00Z"}]}]}"#;

    #[test]
    fn only_what_the_mesh_gave_counts() {
        let certs = Certs::parse(TEXT).unwrap();
        assert_eq!((certs.own.len(), certs.roots.len()), (1, 1));
        assert_eq!(certs.identities(), ["spiffe://cluster.local/ns/g/sa/p"]);
        assert_eq!(Certs::parse("{}"), None);
        assert_eq!(Certs::parse("<html>"), None);
    }

    #[test]
    fn a_certificate_is_judged_by_the_clock_that_is_passed_in() {
        let certs = Certs::parse(TEXT).unwrap();
        let at = |text: &str| certs.own[0].fault(text.parse().unwrap());
        assert_eq!(at("2026-11-24T00:00:00Z"), None);
        assert_eq!(at("2026-11-26T00:00:00Z").as_deref(), Some("expired at 2026-11-25T08:18:57Z"));
        assert_eq!(at("2026-11-22T00:00:00Z").as_deref(), Some("not valid before 2026-11-23T08:18:57Z"));
    }
}
