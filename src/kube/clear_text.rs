//! Sends credentials only over TLS. Without TLS they are sent to the loopback only, because that is this machine.
//!
//! kubectl sends no credentials over plain HTTP, and runs no exec plugin for it.

use std::fmt;

use ::kube::config::{AuthInfo, Cluster};
use http::Uri;

use super::proxy_env::{HttpProxy, is_loopback};

/// Why the kubeconfig's credentials are not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// The server's URL is `http://`, or has no scheme.
    NoTls,
    /// The same, with a proxy between this machine and the server.
    NoTlsThroughProxy,
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTls => "no credentials are sent: the server's URL in the kubeconfig is not https",
            Self::NoTlsThroughProxy => {
                "no credentials are sent: the server's URL in the kubeconfig is not https, and a proxy is used"
            }
        })
    }
}

/// Why others may read or change what is exchanged with the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Insecure {
    /// The server's URL is not https, and the connection leaves this machine.
    NoTls,
    /// The server's certificate is not verified.
    Unverified,
}

impl fmt::Display for Insecure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTls => "the connection is not encrypted: the server's URL in the kubeconfig is not https",
            Self::Unverified => {
                "the API server's certificate is not verified: the kubeconfig has insecure-skip-tls-verify"
            }
        })
    }
}

/// Why the connection is not secure; `None` if it is.
pub(super) fn insecure(cluster: &Cluster, server: &Uri, proxy: Option<&HttpProxy>) -> Option<Insecure> {
    match server.scheme_str() == Some("https") {
        true => (cluster.insecure_skip_tls_verify == Some(true)).then_some(Insecure::Unverified),
        false => without_tls(server, proxy).map(|_| Insecure::NoTls),
    }
}

/// Why nothing secret may be sent to this server. A loopback literal is this machine.
fn without_tls(server: &Uri, proxy: Option<&HttpProxy>) -> Option<Withheld> {
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
    match proxy {
        _ if server.scheme_str() == Some("https") => None,
        None if is_loopback(&host) => None,
        None => Some(Withheld::NoTls),
        Some(_) => Some(Withheld::NoTlsThroughProxy),
    }
}

/// Removes the credentials from `user` if they would be sent without TLS. The impersonation stays: without it the
/// request would be made with other permissions than intended.
pub(super) fn withhold(user: &mut AuthInfo, server: &Uri, proxy: Option<&HttpProxy>) -> Option<Withheld> {
    let withheld = without_tls(server, proxy)?;
    let has_credentials = has_credentials(user);
    *user = AuthInfo {
        impersonate: user.impersonate.take(),
        impersonate_uid: user.impersonate_uid.take(),
        impersonate_groups: user.impersonate_groups.take(),
        impersonate_user_extra: user.impersonate_user_extra.take(),
        ..AuthInfo::default()
    };
    has_credentials.then_some(withheld)
}

fn has_credentials(user: &AuthInfo) -> bool {
    user.token.is_some()
        || user.token_file.is_some()
        || user.username.is_some()
        || user.password.is_some()
        || user.exec.is_some()
        || user.auth_provider.is_some()
        || user.client_certificate.is_some()
        || user.client_certificate_data.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::Environment;
    use crate::kube::proxy_env::decide;

    fn withheld(server: &str, proxy: Option<&str>) -> (Option<Withheld>, AuthInfo) {
        let server = server.parse().unwrap();
        let proxy = decide(&server, proxy, &Environment::from_variables([("", "")])).unwrap();
        let mut user = AuthInfo {
            token: Some("secret".to_owned().into()),
            impersonate: Some("bob".to_owned()),
            ..AuthInfo::default()
        };
        (withhold(&mut user, &server, proxy.as_ref()), user)
    }

    #[test]
    fn credentials_need_tls_or_a_loopback_literal() {
        let proxy = Some("http://127.0.0.1:3128");
        let table = [
            ("https://api.example", None, None),
            ("https://api.example", proxy, None),
            ("https://10.0.0.1:6443", None, None),
            ("http://127.0.0.1:8080", None, None),
            ("http://127.255.0.9", None, None),
            ("http://[::1]:8080", None, None),
            ("http://LocalHost:8080", None, None),
            ("http://api.example", None, Some(Withheld::NoTls)),
            ("http://10.0.0.1:8080", None, Some(Withheld::NoTls)),
            ("http://0.0.0.0:8080", None, Some(Withheld::NoTls)),
            ("http://127.1:8080", None, Some(Withheld::NoTls)),
            ("http://127.0.0.1.example", None, Some(Withheld::NoTls)),
            ("http://localhost.example", None, Some(Withheld::NoTls)),
            ("http://localhost@api.example", None, Some(Withheld::NoTls)),
            ("http://[::ffff:127.0.0.1]:80", None, Some(Withheld::NoTls)),
            ("http://127.0.0.1:8080", proxy, Some(Withheld::NoTlsThroughProxy)),
            ("http://127.0.0.1:8080", Some("socks5://127.0.0.1"), Some(Withheld::NoTlsThroughProxy)),
            ("http://localhost", Some("https://proxy.example"), Some(Withheld::NoTlsThroughProxy)),
        ];
        for (server, proxy, expected) in table {
            let (why, user) = withheld(server, proxy);
            assert_eq!(why, expected, "{server} {proxy:?}");
            assert_eq!(user.token.is_some(), expected.is_none(), "{server} {proxy:?}");
            assert_eq!(user.impersonate.as_deref(), Some("bob"));
        }
    }

    #[test]
    fn a_connection_is_insecure_without_tls_or_without_verification() {
        let of = |server: &str, skips: Option<bool>| {
            let cluster = Cluster { insecure_skip_tls_verify: skips, ..Cluster::default() };
            insecure(&cluster, &server.parse().unwrap(), None)
        };
        assert_eq!(of("https://api.example", None), None);
        assert_eq!(of("https://api.example", Some(false)), None);
        assert_eq!(of("https://127.0.0.1:6443", Some(true)), Some(Insecure::Unverified));
        assert_eq!(of("http://127.0.0.1:8080", Some(true)), None);
        assert_eq!(of("http://api.example", None), Some(Insecure::NoTls));
    }

    #[test]
    fn a_user_without_credentials_needs_no_warning() {
        let server = "http://api.example".parse().unwrap();
        assert_eq!(withhold(&mut AuthInfo::default(), &server, None), None);
    }
}
