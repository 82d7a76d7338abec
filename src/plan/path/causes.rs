//! Why a path does not work, or may not: the list of all causes, and what is published about each.
//!
//! `describe`, `check`, `verify`, bulk runs, forecasts and advice take code, reason, verdict and text from this table.

use super::Verdict;
use crate::error::Reason;

/// Declares the causes and their table, one row per cause.
macro_rules! causes {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal $verdict:ident $code:literal $reason:ident
        $words:literal, $title:literal, $skipped:literal;)*) => {
        /// Why a path does not work, or may not work.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Cause { $($(#[doc = $doc])* $variant,)* }

        impl Cause {
            /// All causes in the order of a request: route, target, pods, TLS, connection.
            #[cfg(test)]
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the row of the cause in the table.
            pub fn row(self) -> &'static CauseRow {
                match self {
                    $(Self::$variant => &CauseRow {
                        name: $name,
                        verdict: Verdict::$verdict,
                        code: $code,
                        reason: Reason::$reason,
                        words: $words,
                        title: $title,
                        skipped: $skipped,
                    },)*
                }
            }
        }
    };
}

/// What is published about a cause.
#[derive(Debug, PartialEq, Eq)]
pub struct CauseRow {
    /// The name in the JSON.
    pub name: &'static str,
    pub verdict: Verdict,
    /// The finding of `check` that reports it. Empty if there is none.
    pub code: &'static str,
    /// Why an object is not changed if the change would lead to this cause.
    pub reason: Reason,
    /// The short text, where it is one of several causes.
    pub words: &'static str,
    /// The title, where it is proven.
    pub title: &'static str,
    /// The message of a bulk run that skips an Upstream for this cause.
    skipped: &'static str,
}

impl CauseRow {
    /// Returns the message of a bulk run. `why` is the reason for the pod, `policy` is the policy that sets the pod's
    /// mode.
    pub fn skipped(&self, why: &str, policy: &str, without_sidecar: &str) -> String {
        self.skipped.replace("{why}", why).replace("{policy}", policy).replace("{without}", without_sidecar)
    }
}

causes! {
    /// No route matches the request.
    NoRoute = "noRoute" Broken "" WouldBreak
        "no route", "no route", "503 afterwards: {why}";
    /// The route leads to an Upstream for which Envoy has no cluster.
    NoCluster = "noCluster" Broken "" WouldBreak
        "no cluster", "the route leads to a cluster that Envoy does not have", "503 afterwards: {why}";
    /// Gloo rejects the Upstream as it is.
    Rejected = "rejected" Broken "GRS501" WouldBreak
        "rejected", "Gloo rejects the Upstream", "503 afterwards: {why}";
    /// Every gateway is scaled to 0.
    NoGateway = "noGateway" Broken "GRS606" WouldBreak
        "no gateway", "every gateway is scaled to 0", "503 afterwards: {why}";
    /// The Upstream that a route names does not exist.
    NoUpstream = "noUpstream" Broken "GRS504" WouldBreak
        "no Upstream", "the Upstream does not exist", "503 afterwards: {why}";
    /// The Service does not exist, or does not have the port.
    NoService = "noService" Broken "GRS104" NoPods
        "no Service", "the Service or its port does not exist", "{why}";
    /// There is no pod, or no pod is ready.
    NoEndpoint = "noEndpoint" Broken "GRS106" NoPods
        "no healthy endpoint", "no healthy endpoint", "{why}";
    /// A gateway has no certificate of Istio's to present.
    NoSecret = "noSecret" Broken "GRS103" WouldBreak
        "no certificate from SDS", "the gateway has no certificate from SDS", "503 afterwards: {why}";
    /// The gateway sends plaintext, and the pod accepts only mutual TLS.
    StrictPeer = "strictPeer" Broken "GRS101" StrictPeer
        "strict peer", "strict peer, gateway sends plaintext",
        "its peer is STRICT ({policy}): 503 without mTLS";
    /// The gateway sends plaintext or TLS not managed by Istio, and the ambient mesh accepts only its own TLS.
    StrictAmbient = "strictAmbient" Broken "GRS101" StrictPeer
        "strict ambient peer", "strict peer in the ambient mesh, gateway does not send HBONE",
        "its peer is STRICT ({policy}): 503 without mTLS";
    /// The gateway sends Istio's TLS, and the pod accepts only plaintext.
    DisabledPeer = "disabledPeer" Broken "GRS105" DisabledPeer
        "peer without mTLS", "gateway sends TLS, the peer accepts only plaintext",
        "its peer is DISABLE ({policy}): 503 with mTLS";
    /// The gateway sends Istio's TLS, and there is no sidecar to accept it.
    NoSidecar = "noSidecar" Broken "GRS102" NoSidecar
        "no sidecar", "gateway sends TLS, pods have no sidecar", "{without} have no sidecar";
    /// The gateway sends Istio's TLS without the ALPN. A sidecar that also accepts plaintext recognizes it only by the
    /// ALPN.
    NotAnnounced = "notAnnounced" Broken "GRS107" WouldBreak
        "no Istio ALPN", "gateway sends Istio's TLS without Istio's ALPN", "503 afterwards: {why}";
    /// The ALPN lets the sidecar select HTTP/2, and the gateway sends HTTP/1.1.
    Http2NotSent = "http2NotSent" Broken "GRS110" WouldBreak
        "h2 in the ALPN", "gateway offers HTTP/2 by ALPN and sends HTTP/1.1", "503 afterwards: {why}";
    /// The gateway sends TLS that is not Istio's, and the sidecar does not accept it.
    OwnTls = "ownTls" Broken "GRS108" WouldBreak
        "TLS not from Istio", "gateway sends TLS that the sidecar does not accept", "503 afterwards: {why}";
    /// The gateway presents a certificate that is not Istio's. A sidecar that requires the mesh's may not accept it.
    OwnCertificate = "ownCertificate" Unknown "GRS109" Unknown
        "certificate not from Istio", "gateway presents a certificate that is not Istio's", "{why}";
    /// The gateway's certificate has expired, or is not valid yet.
    CertificateInvalid = "certificateInvalid" Broken "GRS210" WouldBreak
        "gateway's certificate", "the gateway's certificate is not valid now", "503 afterwards: {why}";
    /// The gateway does not accept the pod's certificate.
    BackendNotTrusted = "backendNotTrusted" Broken "" WouldBreak
        "backend's certificate", "the gateway does not accept the backend's certificate", "503 afterwards: {why}";
    /// The pod does not accept the gateway's certificate, because it has another root.
    GatewayNotTrusted = "gatewayNotTrusted" Broken "GRS212" WouldBreak
        "gateway not trusted", "the backend does not accept the gateway's certificate", "503 afterwards: {why}";
    /// A policy of the backend denies every request of the gateway.
    Denied = "denied" Broken "GRS111" WouldBreak
        "denied by policy", "an AuthorizationPolicy denies the gateway", "403 afterwards: {why}";
    /// There is no connection to the pod.
    NoConnection = "noConnection" Broken "" WouldBreak
        "no connection", "no connection to the endpoint", "503 afterwards: {why}";
    /// The application closes the connection.
    BackendCloses = "backendCloses" Broken "" WouldBreak
        "backend closes", "the backend closes the connection", "503 afterwards: {why}";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::check::codes;

    #[test]
    fn every_cause_has_its_own_name_words_and_title() {
        for text in [|row: &CauseRow| row.name, |row: &CauseRow| row.words, |row: &CauseRow| row.title] {
            let all: HashSet<_> = Cause::ALL.iter().map(|cause| text(cause.row())).collect();
            assert_eq!(all.len(), Cause::ALL.len());
            assert!(all.iter().all(|text| !text.is_empty()));
        }
    }

    #[test]
    fn every_code_is_one_of_check_and_stands_for_one_cause_or_for_both_kinds_of_strict_peers() {
        let mut seen = HashSet::new();
        for cause in Cause::ALL.iter().filter(|cause| !cause.row().code.is_empty()) {
            let code = cause.row().code;
            assert_eq!(codes::named(code).map(|known| known.id), Some(code), "{cause:?}");
            assert!(seen.insert(code) || *cause == Cause::StrictAmbient, "{cause:?}: {code}");
        }
        let of_paths: HashSet<_> = codes::ALL.iter().map(|code| code.id).filter(|id| id.starts_with("GRS1")).collect();
        assert!(of_paths.is_subset(&seen), "a finding about a path that no cause stands for: {of_paths:?}");
    }

    #[test]
    fn every_reason_says_what_a_sweep_prints() {
        for cause in Cause::ALL {
            let row = cause.row();
            assert!(matches!(row.verdict, Verdict::Broken | Verdict::Unknown), "{cause:?}");
            assert_eq!(row.verdict == Verdict::Unknown, row.reason == Reason::Unknown, "{cause:?}");
            let said = row.skipped("a reason", "shop/p, namespace", "1 of 2 pods");
            assert!(!said.contains(['{', '}']) && !said.is_empty(), "{cause:?}: {said}");
        }
    }
}
