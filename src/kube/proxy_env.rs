//! Chooses the proxy for the API server. It is one pure decision by Go's rules (`golang.org/x/net/http/httpproxy`),
//! because kubectl follows them.
//!
//! kube 5.0.0 compares `NO_PROXY` with the proxy's own address and refuses a trailing comma, so its rules are not used.

use std::fmt;
use std::net::IpAddr;

use http::Uri;

use super::Environment;
use super::encoding::decode;

/// The source of the proxy setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProxySource {
    /// `proxy-url` of the kubeconfig's cluster.
    Kubeconfig,
    /// An environment variable.
    Variable(&'static str),
}

/// The protocol to the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// CONNECT over plain TCP.
    Http,
    /// CONNECT over TLS.
    Https,
    /// SOCKS 5. The proxy resolves names, with `socks5` and with `socks5h`, as in Go.
    Socks5,
}

/// The proxy to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpProxy {
    pub protocol: Protocol,
    /// The scheme, host and port, without credentials.
    pub uri: Uri,
    /// The user and the password, decoded.
    pub login: Option<(String, String)>,
    pub source: ProxySource,
}

/// Formats the proxy as `http://proxy:3128 (HTTPS_PROXY)`, never with its login.
impl fmt::Display for HttpProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            ProxySource::Kubeconfig => "proxy-url of the kubeconfig",
            ProxySource::Variable(name) => name,
        };
        write!(f, "{} ({source})", self.uri.to_string().trim_end_matches('/'))
    }
}

/// A proxy setting that cannot be used. The value is not repeated: it may contain a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadProxy {
    pub source: ProxySource,
    pub why: &'static str,
}

/// The proxy for `server`. `proxy-url` comes first and has no exceptions, then the environment with `NO_PROXY`.
///
/// # Errors
/// The proxy setting is not a URL, or its protocol is not supported.
pub(crate) fn decide(
    server: &Uri,
    proxy_url: Option<&str>,
    environment: &Environment,
) -> Result<Option<HttpProxy>, BadProxy> {
    if let Some(url) = proxy_url.filter(|url| !url.is_empty()) {
        return parse(url, ProxySource::Kubeconfig).map(Some);
    }
    let secure = server.scheme_str() == Some("https");
    let names: [&'static str; 4] = if secure {
        ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    } else {
        ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
    };
    let Some((name, url)) = names.into_iter().find_map(|name| Some((name, environment.text(name)?))) else {
        return Ok(None);
    };
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
    let port = server.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let exceptions = environment.text("NO_PROXY").or_else(|| environment.text("no_proxy")).unwrap_or_default();
    if is_loopback(&host) || is_exception(&host, port, exceptions) {
        return Ok(None);
    }
    parse(url, ProxySource::Variable(name)).map(Some)
}

fn parse(text: &str, source: ProxySource) -> Result<HttpProxy, BadProxy> {
    let bad = |why| BadProxy { source: source.clone(), why };
    let text = text.trim();
    let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let uri: Uri = full.parse().map_err(|_| bad("is not a URL"))?;
    let (protocol, scheme, default_port) = match uri.scheme_str().map(str::to_ascii_lowercase).as_deref() {
        Some("http") => (Protocol::Http, "http", 80),
        Some("https") => (Protocol::Https, "https", 443),
        Some("socks5" | "socks5h") => (Protocol::Socks5, "socks5", 1080),
        _ => return Err(bad("has a scheme that is not http, https, socks5 or socks5h")),
    };
    let authority = uri.authority().ok_or_else(|| bad("names no host"))?;
    let host = authority.host();
    if host.is_empty() {
        return Err(bad("names no host"));
    }
    let login = authority.as_str().rsplit_once('@').map(|(login, _)| {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let text = |part: &str| String::from_utf8_lossy(&decode(part)).into_owned();
        (text(user), text(password))
    });
    let port = authority.port_u16().unwrap_or(default_port);
    let uri = format!("{scheme}://{host}:{port}/").parse().map_err(|_| bad("is not a URL"))?;
    Ok(HttpProxy { protocol, uri, login, source })
}

/// Whether a host, in lower case and without brackets, is `localhost` or a loopback address.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn is_exception(host: &str, port: u16, exceptions: &str) -> bool {
    exceptions
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|entry| !entry.is_empty())
        .any(|entry| matches_entry(host, port, &entry.to_ascii_lowercase()))
}

fn matches_entry(host: &str, port: u16, entry: &str) -> bool {
    if entry == "*" {
        return true;
    }
    let ip: Option<IpAddr> = host.parse().ok();
    if let Some((network, bits)) = entry.split_once('/') {
        return ip.is_some_and(|ip| in_network(ip, network, bits));
    }
    let (name, wanted_port) = split_port(entry);
    if wanted_port.is_some_and(|wanted| wanted.parse() != Ok(port)) {
        return false;
    }
    if let Ok(address) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
        return ip.is_some_and(|ip| ip.to_canonical() == address.to_canonical());
    }
    let name = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
    match name.strip_prefix('.') {
        // `.example.com` matches every host below it, but not the host itself.
        Some("") => false,
        Some(_) => host.ends_with(name),
        None if name.is_empty() => false,
        None => host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')),
    }
}

/// Splits `host:port`, `[v6]:port`, `v6` or `host` into host and port.
fn split_port(entry: &str) -> (&str, Option<&str>) {
    if entry.parse::<IpAddr>().is_ok() {
        return (entry, None);
    }
    match entry.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (entry, None),
    }
}

fn in_network(ip: IpAddr, network: &str, bits: &str) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    match (ip.to_canonical(), network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(ip) & mask == u32::from(network) & mask
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(ip) & mask == u128::from(network) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: (&str, &str) = ("HTTPS_PROXY", "http://proxy:3128");

    fn chosen(server: &str, variables: &[(&str, &str)]) -> Option<String> {
        let environment = Environment::from_variables(variables.iter().copied());
        decide(&server.parse().unwrap(), None, &environment).unwrap().map(|proxy| proxy.uri.to_string())
    }

    #[test]
    fn the_variable_goes_by_the_scheme_of_the_server() {
        let https = |variables: &[(&str, &str)]| chosen("https://api.example:6443", variables);
        let http = |variables: &[(&str, &str)]| chosen("http://api.example:8080", variables);
        let table: [(&[_], _, _); 8] = [
            (&[], None, None),
            (&[("HTTPS_PROXY", "http://a:1")], Some("http://a:1/"), None),
            (&[("HTTP_PROXY", "http://a:1")], None, Some("http://a:1/")),
            (&[("ALL_PROXY", "http://a:1")], Some("http://a:1/"), Some("http://a:1/")),
            (&[("https_proxy", "http://a:1"), ("all_proxy", "http://b:1")], Some("http://a:1/"), Some("http://b:1/")),
            (&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "http://b:1")], Some("http://a:1/"), None),
            (&[("HTTPS_PROXY", ""), ("https_proxy", "b:1")], Some("http://b:1/"), None),
            (&[("HTTPS_PROXY", "b")], Some("http://b:80/"), None),
        ];
        for (variables, for_https, for_http) in table {
            assert_eq!(https(variables).as_deref(), for_https, "{variables:?}");
            assert_eq!(http(variables).as_deref(), for_http, "{variables:?}");
        }
    }

    #[test]
    fn no_proxy_is_compared_with_the_api_server() {
        let table = [
            ("https://api.example.com:6443", "", true),
            ("https://api.example.com:6443", "*", false),
            ("https://api.example.com:6443", "example.com", false),
            ("https://api.example.com:6443", ".example.com", false),
            ("https://api.example.com:6443", "*.example.com", false),
            ("https://api.example.com:6443", "EXAMPLE.com", false),
            ("https://API.example.com:6443", "api.example.com", false),
            ("https://example.com", ".example.com", true),
            ("https://example.com", "*.example.com", true),
            ("https://badexample.com", "example.com", true),
            ("https://api.example.com:6443", "ample.com", true),
            ("https://api.example.com:6443", "other.org,example.com,", false),
            ("https://api.example.com:6443", " other.org ,  example.com ", false),
            ("https://api.example.com:6443", "other.org example.com", false),
            ("https://api.example.com:6443", ",,", true),
            ("https://api.example.com:6443", "api.example.com:6443", false),
            ("https://api.example.com:6443", "api.example.com:443", true),
            ("https://api.example.com", "api.example.com:443", false),
            ("https://api.example.com", "api.example.com:http", true),
            ("https://api.example.com", ":443", true),
            ("https://api.example.com", ".", true),
            ("https://10.1.2.3:6443", "10.0.0.0/8", false),
            ("https://11.1.2.3:6443", "10.0.0.0/8", true),
            ("https://10.1.2.3:6443", "0.0.0.0/0", false),
            ("https://10.1.2.3:6443", "10.0.0.0/33", true),
            ("https://10.1.2.3:6443", "10.0.0.0/x", true),
            ("https://10.1.2.3:6443", "10.1.2.3", false),
            ("https://10.1.2.3:6443", "10.1.2.3:6443", false),
            ("https://10.1.2.3:6443", "10.1.2.3:80", true),
            ("https://10.1.2.3:6443", "10.1.2", true),
            ("https://[2001:db8::1]:6443", "2001:db8::/32", false),
            ("https://[2001:db8::1]:6443", "2001:db8:0::1", false),
            ("https://[2001:db8::1]:6443", "[2001:db8::1]", false),
            ("https://[2001:db8::1]:6443", "[2001:db8::1]:6443", false),
            ("https://[2001:db8::1]:6443", "[2001:db8::1]:443", true),
            ("https://[2001:db8::1]:6443", "10.0.0.0/8", true),
            ("https://[2001:db9::1]:6443", "2001:db8::/32", true),
        ];
        for (server, no_proxy, through) in table {
            assert_eq!(chosen(server, &[PROXY, ("NO_PROXY", no_proxy)]).is_some(), through, "{server} {no_proxy:?}");
        }
        assert_eq!(chosen("https://api.example", &[PROXY, ("no_proxy", "api.example")]), None);
    }

    #[test]
    fn loopback_is_never_reached_through_the_environment() {
        for server in ["https://127.0.0.1:6443", "https://127.8.8.8", "https://[::1]:6443", "https://LOCALHOST:1"] {
            assert_eq!(chosen(server, &[PROXY]), None, "{server}");
        }
    }

    #[test]
    fn the_kubeconfig_wins_and_knows_no_exceptions() {
        let environment = Environment::from_variables([PROXY, ("NO_PROXY", "*")]);
        let server = "https://127.0.0.1:6443".parse().unwrap();
        let proxy = decide(&server, Some("socks5://127.0.0.1"), &environment).unwrap().unwrap();
        assert_eq!(proxy.source, ProxySource::Kubeconfig);
        assert_eq!(proxy.protocol, Protocol::Socks5);
        assert_eq!(proxy.uri, "socks5://127.0.0.1:1080/");
        assert_eq!(decide(&server, Some(""), &environment), Ok(None));
    }

    #[test]
    fn protocols_and_logins_are_taken_apart() {
        let server = "https://api.example".parse().unwrap();
        let parsed = |url| decide(&server, Some(url), &Environment::from_variables([("", "")])).unwrap().unwrap();
        let proxy = parsed("https://me:p%40ss%3A@proxy");
        assert_eq!((proxy.protocol, proxy.uri.to_string().as_str()), (Protocol::Https, "https://proxy:443/"));
        assert_eq!(proxy.login, Some(("me".to_owned(), "p@ss:".to_owned())));
        assert_eq!(proxy.to_string(), "https://proxy:443 (proxy-url of the kubeconfig)");
        assert_eq!(parsed("socks5h://[::1]:9").uri, "socks5://[::1]:9/");
        assert_eq!(parsed("HTTP://me@proxy").login, Some(("me".to_owned(), String::new())));
    }

    #[test]
    fn what_is_no_proxy_is_refused_by_the_name_of_who_said_it() {
        let server = "https://api.example".parse().unwrap();
        let refused = |url| {
            let environment = Environment::from_variables([("https_proxy", url)]);
            decide(&server, None, &environment).unwrap_err()
        };
        assert_eq!(refused("ftp://proxy").source, ProxySource::Variable("https_proxy"));
        assert_eq!(refused("ftp://proxy").why, "has a scheme that is not http, https, socks5 or socks5h");
        assert_eq!(refused("http://a b").why, "is not a URL");
        assert_eq!(refused("http://").why, "is not a URL");
    }
}
