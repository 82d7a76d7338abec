//! The header `x-forwarded-client-cert`: elements of `key=value` pairs, quoted if necessary.
//!
//! Envoy's format (HTTP header manipulation, x-forwarded-client-cert): `,` between elements, `;` between pairs, a value
//! with one of `,;=` in double quotes, `\"` inside.

/// One TLS hop, as its server reported it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ClientCert {
    /// The identity of the hop's server, which wrote the element.
    pub by: Vec<String>,
    /// The identities in the client's certificate.
    pub uris: Vec<String>,
}

impl ClientCert {
    /// Returns the elements of a header's value, in their order.
    pub(crate) fn parse(text: &str) -> Vec<Self> {
        split(text, ',').into_iter().filter(|element| !element.trim().is_empty()).map(Self::element).collect()
    }

    fn element(text: &str) -> Self {
        let mut found = Self::default();
        for pair in split(text, ';') {
            let Some((key, value)) = pair.split_once('=') else { continue };
            let list = match key.trim().to_ascii_lowercase().as_str() {
                "by" => &mut found.by,
                "uri" => &mut found.uris,
                _ => continue,
            };
            list.push(unquoted(value));
        }
        found
    }
}

/// Splits the text at separators outside of quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = is_quoted,
            '"' => is_quoted = !is_quoted,
            c if c == separator && !is_quoted => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn unquoted(value: &str) -> String {
    let value = value.trim();
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    inner.map_or_else(|| value.to_owned(), |inner| inner.replace("\\\"", "\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_that_istio_writes_is_read() {
        let header = "By=spiffe://cluster.local/ns/default/sa/httpbin;Hash=3a4d;Subject=\"\";\
                      URI=spiffe://cluster.local/ns/gloo-system/sa/gateway-proxy";
        let wanted = ClientCert {
            by: vec!["spiffe://cluster.local/ns/default/sa/httpbin".into()],
            uris: vec!["spiffe://cluster.local/ns/gloo-system/sa/gateway-proxy".into()],
        };
        assert_eq!(ClientCert::parse(header), [wanted]);
    }

    #[test]
    fn separators_in_quotes_separate_nothing() {
        let header = r#"Subject="CN=a, O=\"b;c\", URI=spiffe://evil";URI=spiffe://good,By=spiffe://next"#;
        let read = ClientCert::parse(header);
        assert_eq!(
            (read.len(), &read[0].uris, &read[1].by),
            (2, &vec!["spiffe://good".into()], &vec!["spiffe://next".into()])
        );
        assert_eq!(ClientCert::parse(""), []);
        assert_eq!(ClientCert::parse("nonsense"), [ClientCert::default()]);
    }
}
