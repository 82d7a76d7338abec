//! The response to the request, and who sent it: the gateway itself, or the backend.

use serde_json::Value;

use super::client_cert::ClientCert;
use crate::bounded;

/// The header that Envoy's router adds to responses of an upstream, and never to its own.
const SERVICE_TIME: &str = "x-envoy-upstream-service-time";
/// The header in which a sidecar tells the backend who the client of its TLS connection is.
pub(crate) const CLIENT_CERT: &str = "x-forwarded-client-cert";
/// Envoy's text for a cluster without a usable endpoint.
const NO_HEALTHY: &str = "no healthy upstream";
/// The text before the reason of a reset in Envoy's own response.
const RESET: &str = "reset reason: ";

/// A response: its status, its headers, the beginning of its body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct HttpAnswer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the body is longer than the stored part.
    pub is_cut: bool,
}

impl HttpAnswer {
    /// Returns the first header with this name. Case is ignored.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Adds a piece of the body. Returns whether more is needed.
    pub(crate) fn take(&mut self, piece: &[u8], most: usize) -> bool {
        let room = most.saturating_sub(self.body.len());
        self.body.extend_from_slice(&piece[..piece.len().min(room)]);
        self.is_cut |= piece.len() > room;
        !self.is_cut
    }

    /// Returns the body as text. Invalid UTF-8 is replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns whether Envoy marks the response as coming from an upstream.
    pub(crate) fn is_from_upstream(&self) -> bool {
        self.header(SERVICE_TIME).is_some()
    }

    /// Returns whether Envoy itself reports that it has no healthy upstream.
    pub(crate) fn has_no_healthy_upstream(&self) -> bool {
        !self.is_from_upstream() && self.text().trim() == NO_HEALTHY
    }

    /// Returns why Envoy itself reports that the upstream's stream was reset: `connection termination`.
    pub(crate) fn reset(&self) -> Option<String> {
        if self.is_from_upstream() {
            return None;
        }
        let text = self.text();
        let (_, reason) = text.split_once(RESET)?;
        let reason = reason.split([',', '\n']).next().unwrap_or_default().trim();
        Some(reason.to_owned())
    }

    /// Returns the location of a redirect.
    pub(crate) fn redirect(&self) -> Option<&str> {
        (300..400).contains(&self.status).then(|| self.header("location")).flatten()
    }

    /// Returns the certificate header that the backend got, as its response shows it.
    pub(crate) fn echo(&self) -> Echo {
        if let Some(header) = self.header(CLIENT_CERT) {
            return Echo::Certificates(ClientCert::parse(header));
        }
        let Some(body) = bounded::inside(&self.body) else { return Echo::None };
        let Some(headers) = body["headers"].as_object() else { return Echo::None };
        let found = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(CLIENT_CERT));
        let Some((_, value)) = found else { return Echo::WithoutCertificate };
        // httpbin returns the value as a string, go-httpbin as a list.
        let values: Vec<&str> = match value {
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        };
        Echo::Certificates(ClientCert::parse(&values.join(",")))
    }
}

/// What a response shows about the request's headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Echo {
    /// Nothing.
    None,
    /// The headers are shown, and the certificate header is not among them.
    WithoutCertificate,
    /// One element for each TLS hop, the last one the nearest to the backend.
    Certificates(Vec<ClientCert>),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> HttpAnswer {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        HttpAnswer { status, headers, body: body.as_bytes().to_vec(), is_cut: false }
    }

    #[test]
    fn envoys_own_words_are_told_from_the_backends() {
        let words = "upstream connect error or disconnect/reset before headers. reset reason: connection termination";
        assert_eq!(answer(503, &[], words).reset().as_deref(), Some("connection termination"));
        assert_eq!(answer(503, &[("X-Envoy-Upstream-Service-Time", "3")], words).reset(), None);
        let older = "upstream connect error or disconnect/reset before headers. retried and the latest reset reason: \
                     remote connection failure, transport failure reason: TLS_error:|268435581:SSL:TLS_error_end";
        assert_eq!(answer(503, &[], older).reset().as_deref(), Some("remote connection failure"));
        assert!(answer(503, &[], "no healthy upstream").has_no_healthy_upstream());
        assert!(!answer(503, &[], "the cart is no healthy upstream of ours").has_no_healthy_upstream());
    }

    #[test]
    fn an_echo_is_read_in_either_shape_and_only_as_one() {
        let element = "By=spiffe://a;URI=spiffe://b";
        for body in [
            format!(r#"{{"headers": {{"X-Forwarded-Client-Cert": "{element}"}}}}"#),
            format!(r#"{{"headers": {{"x-forwarded-client-cert": ["{element}"]}}}}"#),
        ] {
            let Echo::Certificates(certificates) = answer(200, &[], &body).echo() else { panic!("{body}") };
            assert_eq!(certificates[0].uris, ["spiffe://b"]);
        }
        assert!(matches!(answer(200, &[(CLIENT_CERT, element)], "").echo(), Echo::Certificates(_)));
        assert_eq!(answer(200, &[], r#"{"headers": {"Host": "a"}}"#).echo(), Echo::WithoutCertificate);
        for body in ["", "x-forwarded-client-cert: By=spiffe://a", "[1]", r#"{"headers": "none"}"#, "\u{0}"] {
            assert_eq!(answer(200, &[], body).echo(), Echo::None, "{body:?}");
        }
    }
}
