//! What the gateway sends: which setting decides whether TLS is used.

use serde_json::Value;

use super::Cause;
use crate::model::Object;
use crate::plan::Unread;
use crate::plan::gateway::AutoMtls;
use crate::plan::settings::{Switches, switches};
use crate::plan::ssl_config::{
    OPT_OUT, Tls, additions, announces_mesh, leads_here, offers_http2_in_vain, tls_of, tls_of_type,
};

/// What is sent on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sends {
    /// Istio's mutual TLS to every pod, whether the pod accepts it or not. With `any_peer`, the name of the peer is not
    /// verified.
    Istio {
        any_peer: bool,
        announced: Announced,
        negotiated: Negotiated,
    },
    /// TLS that is not Istio's.
    Tls {
        how: String,
        announced: Announced,
        shows: Shows,
    },
    /// Auto-mTLS: Istio's mutual TLS to each pod with a sidecar, plaintext to the others.
    PerPod,
    Plaintext {
        why: String,
    },
    Unknown(Unread),
}

impl Sends {
    /// Returns whether the same is sent, whatever setting decides it.
    pub fn is_same_as(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Plaintext { .. }, Self::Plaintext { .. })) || self == other
    }

    /// Returns a short text for what is sent in a pair that is broken by this cause.
    pub fn words(&self, cause: Cause) -> &'static str {
        match self {
            Self::Plaintext { .. } => "plaintext",
            Self::Tls { .. } => "TLS",
            Self::PerPod if cause == Cause::StrictAmbient => "plaintext",
            _ => "Istio's TLS",
        }
    }
}

/// Whether the TLS is announced as the mesh's by its ALPN. A sidecar that also accepts plaintext can distinguish it
/// from the application's TLS only by this (Istio, `pilot/pkg/networking/core/filterchain_options.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    AsTheMeshs,
    /// `alpnProtocols` has none of the mesh's names.
    Not,
}

/// The HTTP version that the sidecar of an HTTP port selects by the ALPN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Negotiated {
    /// The one that the gateway sends.
    AsSent,
    /// HTTP/2, because `alpnProtocols` has `h2`. The gateway sends HTTP/1.1.
    OtherThanSent,
}

/// What TLS that is not Istio's presents to a peer that requests a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    Certificate,
    /// A certificate with another name from the gateway's own SDS.
    CertificateOfSds,
    /// Istio's certificate from a file, which Envoy reads only once.
    FilesOfIstio,
    Nothing,
}

/// The switches in Settings, and the object that they are from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Switched {
    pub switches: Switches,
    /// `settings gloo-system/default`
    pub source: String,
}

impl Switched {
    /// Reads Settings.
    pub(crate) fn read(settings: &Object) -> Self {
        let source = format!("settings {}/{}", settings.reference.namespace, settings.reference.name);
        Self { switches: switches(&settings.value), source }
    }

    /// Returns whether both switches are on. Otherwise there is no auto-mTLS.
    pub(crate) fn auto_mtls(&self) -> AutoMtls {
        match self.switches {
            Switches { integration: true, auto_mtls: true } => AutoMtls::On,
            _ => AutoMtls::Off,
        }
    }
}

const SSL_CONFIG: &str = "spec.sslConfig";
/// The prefix of the annotations from which Gloo reads the TLS settings of a Service without an Upstream.
const SERVICE_SSL: &str = "gloo.solo.io/sslService.";

/// Returns what is sent to an Upstream, and the setting that decides it. Gloo's order: any `sslConfig`, then the
/// opt-out, then auto-mTLS.
pub(crate) fn of_upstream(upstream: &Object, settings: &Result<Switched, Unread>) -> (Sends, String) {
    let spec = &upstream.value["spec"];
    match tls_of(&upstream.value) {
        Tls::Istio(config) => {
            let any_peer = !additions(config).contains(&"verifySubjectAltName");
            let negotiated = if offers_http2_in_vain(spec) { Negotiated::OtherThanSent } else { Negotiated::AsSent };
            return (Sends::Istio { any_peer, announced: announced(config), negotiated }, SSL_CONFIG.to_owned());
        }
        Tls::IstioFiles(config) => {
            let how = "with Istio's certificate files".to_owned();
            let sends = Sends::Tls { how, announced: announced(config), shows: Shows::FilesOfIstio };
            return (sends, SSL_CONFIG.to_owned());
        }
        Tls::Other(config) => return (foreign(config), SSL_CONFIG.to_owned()),
        Tls::Absent => {}
    }
    if spec[OPT_OUT] == true {
        return (without_auto_mtls(spec, "opted out of auto-mTLS"), format!("spec.{OPT_OUT}"));
    }
    let Switched { switches, source } = match settings {
        Ok(settings) => settings,
        Err(why) => return (Sends::Unknown(why.clone()), "settings".to_owned()),
    };
    let sends = match (switches.auto_mtls, switches.integration) {
        (true, true) if spec["kube"].is_object() => Sends::PerPod,
        (true, true) => match tls_of_type(spec) {
            Some(what) => Sends::Unknown(format!("auto-mTLS may send it plaintext: {what}").into()),
            None => without_auto_mtls(spec, "auto-mTLS finds no pod of the mesh there"),
        },
        (true, false) => without_auto_mtls(spec, "enableAutoMtls without enableIntegration has no effect"),
        (false, _) => without_auto_mtls(spec, "no sslConfig, and auto-mTLS is off"),
    };
    (sends, source.clone())
}

/// Returns what is sent to a Service that is routed to without an Upstream, and the setting that decides it. Only the
/// Service's annotations or auto-mTLS can give it TLS.
pub(crate) fn of_service(service: Option<&Value>, settings: &Result<Switched, Unread>) -> (Sends, String) {
    let annotations = service.and_then(|service| service["metadata"]["annotations"].as_object());
    if annotations.into_iter().flatten().any(|(key, _)| key.starts_with(SERVICE_SSL)) {
        let how = "by the Service's annotations".to_owned();
        // The annotations name a Secret, which may contain only trusted roots and no certificate.
        let sends = Sends::Tls { how, announced: Announced::Not, shows: Shows::Certificate };
        return (sends, format!("annotation {SERVICE_SSL}*"));
    }
    let Switched { switches, source } = match settings {
        Ok(settings) => settings,
        Err(why) => return (Sends::Unknown(why.clone()), "settings".to_owned()),
    };
    let sends = match (switches.auto_mtls, switches.integration) {
        (true, true) => Sends::PerPod,
        (true, false) => Sends::Plaintext { why: "enableAutoMtls without enableIntegration has no effect".into() },
        (false, _) => Sends::Plaintext { why: "no Upstream to hold an sslConfig, and auto-mTLS is off".into() },
    };
    (sends, source.clone())
}

/// Returns what an Upstream of this type sends without auto-mTLS.
fn without_auto_mtls(spec: &Value, why: &str) -> Sends {
    tls_of_type(spec).map_or_else(
        || Sends::Plaintext { why: why.to_owned() },
        |how| Sends::Tls { how: how.to_owned(), announced: Announced::Not, shows: Shows::Nothing },
    )
}

/// Returns TLS that is not managed by Istio, by the key that names its certificate.
fn foreign(config: &Value) -> Sends {
    let announced = announced(config);
    if let Some(name) = config["secretRef"]["name"].as_str() {
        let how = format!("with secret {}/{name}", config["secretRef"]["namespace"].as_str().unwrap_or_default());
        return Sends::Tls { how, announced, shows: Shows::Certificate };
    }
    let shows = if leads_here(&config["sds"]) { Shows::CertificateOfSds } else { Shows::Certificate };
    match ["sslFiles", "sds"].into_iter().find(|key| config[key].is_object()) {
        Some(key) => Sends::Tls { how: format!("with {key} of its own"), announced, shows },
        None => Sends::Tls { how: "without a certificate of its own".to_owned(), announced, shows: Shows::Nothing },
    }
}

fn announced(config: &Value) -> Announced {
    if announces_mesh(config) { Announced::AsTheMeshs } else { Announced::Not }
}
