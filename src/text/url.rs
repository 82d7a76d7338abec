//! A URL from the command line, limited to what a request to a gateway needs.

use super::Host;

/// The scheme of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    /// The scheme as in a URL.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A URL such as `http://shop.example:8080/cart?id=1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    pub scheme: Scheme,
    pub host: Host,
    pub port: u16,
    /// The path with its query; `/` if the URL has none.
    pub path: String,
}

impl Url {
    /// Parses a URL.
    ///
    /// # Errors
    /// What is wrong with the URL, in a few words.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(("https", rest)) => (Scheme::Https, rest),
            _ => return Err("it begins with neither http:// nor https://"),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = match rest.find(['/', '?']) {
            Some(at) if rest[at..].starts_with('?') => (&rest[..at], format!("/{}", &rest[at..])),
            Some(at) => (&rest[..at], rest[at..].to_owned()),
            None => (rest, "/".to_owned()),
        };
        if authority.contains('@') {
            return Err("a login in it is not sent: -H 'Authorization: ...' is");
        }
        let (host, port) = match authority.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let usual = if scheme == Scheme::Https { 443 } else { 80 };
        let port = match port {
            None => usual,
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or("its port is none")?,
        };
        if !is_path(&path) {
            return Err("its path has characters that have to be percent-encoded");
        }
        Ok(Self { scheme, host: Host::parse(host).ok_or("it has no host")?, port, path })
    }
}

/// Whether a path with its query is valid in the first line of a request.
pub(crate) fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_they_are_typed() {
        let shown =
            |text: &str| Url::parse(text).map(|it| format!("{} {} {} {}", it.scheme.name(), it.host, it.port, it.path));
        for (text, wanted) in [
            ("http://shop.example", "http shop.example 80 /"),
            ("https://shop.example/a?b=c#d", "https shop.example 443 /a?b=c"),
            ("http://10.0.0.1:8080/a", "http 10.0.0.1 8080 /a"),
            ("https://[fd00::1]:8443", "https [fd00::1] 8443 /"),
            ("http://[fd00::1]?x", "http [fd00::1] 80 /?x"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(wanted));
        }
        for text in [
            "",
            "shop.example",
            "ftp://a",
            "http://",
            "http:///a",
            "http://a:0",
            "http://a:x",
            "http://a/ b",
            "http://u:p@a",
            "http://a/\u{1b}",
            "http://a b",
        ] {
            assert!(Url::parse(text).is_err(), "{text:?}");
        }
    }
}
