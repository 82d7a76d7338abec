//! `istio verify`: which request, how it goes out, what is expected of it.

use std::path::PathBuf;

use super::{Named, ProxyPods, ProxyTarget};
use crate::text::Url;

/// Where the charts let a gateway's pods listen for HTTP.
pub(crate) const HTTP_PORT: u16 = 8080;

/// A request through a gateway, and what it is to prove.
#[derive(Debug, Clone)]
pub(crate) struct VerifyTask {
    /// The Upstream that is to answer.
    pub upstream: Option<Named>,
    /// What to ask for.
    pub url: Option<Url>,
    pub host: Option<String>,
    /// Path and query.
    pub path: Option<String>,
    pub method: String,
    pub headers: Vec<(String, String)>,
    pub via: Via,
    /// Where Envoy's own evidence is read.
    pub pods: ProxyPods,
    pub trust: TrustWish,
    /// The status that is expected.
    pub expect: u16,
}

/// How the request goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Via {
    /// To the address that `proxy url` prints, on this port of the Service.
    Address { target: ProxyTarget, port: Option<String> },
    /// Through a port-forward stream to a pod, on this port of it.
    Forward { port: u16 },
}

/// Whose certificate the gateway may show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TrustWish {
    System,
    /// `--cacert`
    File(PathBuf),
    /// `-k`
    Anybody,
}

impl VerifyTask {
    /// Whether asking several times is the same as asking once (RFC 9110, 9.2.2).
    pub(crate) fn is_idempotent(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
    }
}
