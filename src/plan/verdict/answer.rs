//! What came back, and who it came from: the gateway itself, or what is behind it.

use serde_json::Value;

use super::client_cert::ClientCert;

/// Envoy's router adds it to what an upstream answered, and to nothing that it says itself.
const SERVICE_TIME: &str = "x-envoy-upstream-service-time";
/// The header that a sidecar gives the backend: who the client of its TLS connection is.
pub(crate) const CLIENT_CERT: &str = "x-forwarded-client-cert";
/// What Envoy writes where no endpoint may be asked.
const NO_HEALTHY: &str = "no healthy upstream";
/// What stands before the reason of a reset in Envoy's own words.
const RESET: &str = "reset reason: ";

/// An answer: its status, its headers, the beginning of its body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct HttpAnswer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the body goes on after what was kept.
    pub is_cut: bool,
}

impl HttpAnswer {
    /// The first header of this name, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Adds a piece of the body; whether more is wanted.
    pub(crate) fn take(&mut self, piece: &[u8], most: usize) -> bool {
        let room = most.saturating_sub(self.body.len());
        self.body.extend_from_slice(&piece[..piece.len().min(room)]);
        self.is_cut |= piece.len() > room;
        !self.is_cut
    }

    /// The body as text; what is no UTF-8 in it is replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether Envoy says that these headers came from an upstream.
    pub(crate) fn is_from_upstream(&self) -> bool {
        self.header(SERVICE_TIME).is_some()
    }

    /// Whether Envoy says itself that it has nobody to ask.
    pub(crate) fn has_no_healthy_upstream(&self) -> bool {
        !self.is_from_upstream() && self.text().trim() == NO_HEALTHY
    }

    /// Why Envoy says itself that the upstream's stream was reset: `connection termination`.
    pub(crate) fn reset(&self) -> Option<String> {
        if self.is_from_upstream() {
            return None;
        }
        let text = self.text();
        let (_, reason) = text.split_once(RESET)?;
        let reason = reason.split([',', '\n']).next().unwrap_or_default().trim();
        Some(reason.to_owned())
    }

    /// Where it says that the answer is.
    pub(crate) fn redirect(&self) -> Option<&str> {
        (300..400).contains(&self.status).then(|| self.header("location")).flatten()
    }

    /// The certificate header that the backend got, as its answer tells it.
    pub(crate) fn echo(&self) -> Echo {
        if let Some(header) = self.header(CLIENT_CERT) {
            return Echo::Certificates(ClientCert::parse(header));
        }
        let Ok(body) = serde_json::from_slice::<Value>(&self.body) else { return Echo::None };
        let Some(headers) = body["headers"].as_object() else { return Echo::None };
        let found = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(CLIENT_CERT));
        let Some((_, value)) = found else { return Echo::WithoutCertificate };
        // httpbin says a header once, go-httpbin in a list.
        let values: Vec<&str> = match value {
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        };
        Echo::Certificates(ClientCert::parse(&values.join(",")))
    }
}

/// What an answer tells of the request's headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Echo {
    /// Nothing.
    None,
    /// They are there, and the certificate's is not among them.
    WithoutCertificate,
    /// One element for each hop of TLS, the last one the nearest to the backend.
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
