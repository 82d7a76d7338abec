//! The options of `istio verify`: the request, how it is sent, and the expected answer.

use std::path::PathBuf;

use super::{Named, PodsOf, ProxyPods, ProxyTarget};
use crate::model::names::GATEWAY_PROXY;
use crate::plan::proxy_pods::{PodAmount, Which};
use crate::text::{ProxyName, Url};

/// The port on which a gateway's pods listen for HTTP in the charts.
pub(crate) const HTTP_PORT: u16 = 8080;

/// A request through a gateway, and its expected result.
#[derive(Debug, Clone)]
pub(crate) struct VerifyTask {
    /// The Upstream that must answer.
    pub upstream: Option<Named>,
    /// The URL of the request.
    pub url: Option<Url>,
    pub host: Option<String>,
    /// The path with the query.
    pub path: Option<String>,
    pub method: String,
    pub headers: Vec<(String, String)>,
    pub via: Via,
    /// The pods from which Envoy's own evidence is read.
    pub pods: ProxyPods,
    pub trust: TrustWish,
    /// The expected status.
    pub expect: u16,
}

/// How the request is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Via {
    /// To the address that `proxy url` prints, on this port of the Service.
    Address { target: ProxyTarget, port: Option<String> },
    /// Through a port-forward stream to this port of a pod.
    Forward { port: u16 },
}

/// Which certificates of the gateway are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TrustWish {
    System,
    /// Those of this file: `--cacert`.
    File(PathBuf),
    /// Any certificate: `-k`.
    Anybody,
}

impl VerifyTask {
    /// The request to an Upstream, or to whatever a route leads to, through a pod of the usual gateway. The host and the
    /// path are those of a route to it.
    pub(crate) fn to_upstream(upstream: impl Into<Option<Named>>) -> Self {
        let proxy = PodsOf::Named(ProxyName { kind: None, name: GATEWAY_PROXY.1.to_owned() });
        Self {
            upstream: upstream.into(),
            url: None,
            host: None,
            path: None,
            method: "GET".to_owned(),
            headers: Vec::new(),
            via: Via::Forward { port: HTTP_PORT },
            pods: ProxyPods { proxy, amount: PodAmount::One, which: Which::Running },
            trust: TrustWish::System,
            expect: 200,
        }
    }

    /// Whether sending the request several times has the same effect as sending it once (RFC 9110, 9.2.2).
    pub(crate) fn is_idempotent(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
    }
}
