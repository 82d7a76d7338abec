//! What becomes of requests to one pod: what is sent, held against what it takes.

use super::{Announced, Cause, Declared, Membership, Pod, Sends, Shows};
use crate::plan::Unread;
use crate::plan::peer::{Effective, Mode};

/// What becomes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    Mtls,
    Tls,
    Plaintext,
    Broken {
        cause: Cause,
        why: String,
    },
    Unknown {
        /// Where it is more than something that could not be read.
        cause: Option<Cause>,
        why: String,
        rule: Option<String>,
    },
}

/// The fate of what is sent to a pod behind this port.
pub fn of(sends: &Sends, pod: &Pod, port: Declared) -> Fate {
    match (sends, pod.membership) {
        (Sends::Unknown(why), _) => Fate::Unknown { cause: None, why: why.why.clone(), rule: why.rule.clone() },
        (Sends::Istio { .. }, Membership::Ambient) => {
            broken(Cause::NoSidecar, "it is in the ambient mesh and has no sidecar to take TLS")
        }
        (Sends::Istio { .. }, Membership::Outside) => broken(Cause::NoSidecar, "it has no sidecar to take Istio's TLS"),
        (Sends::Tls { .. }, Membership::Outside) => Fate::Tls,
        (Sends::Plaintext { .. } | Sends::PerPod, Membership::Outside) => Fate::Plaintext,
        _ => match &pod.demands {
            Ok(effective) => under(effective.mode, sends, pod, port),
            Err(why) => peer_unknown(why),
        },
    }
}

/// Of a pod that is held to the mesh's policies.
fn under(mode: Mode, sends: &Sends, pod: &Pod, port: Declared) -> Fate {
    let is_ambient = pod.membership == Membership::Ambient;
    match sends {
        Sends::Istio { announced, .. } => istio(pod, mode, *announced),
        Sends::PerPod if !is_ambient => istio(pod, mode, Announced::AsTheMeshs),
        _ if is_ambient && mode == Mode::Strict => {
            broken(Cause::Ambient, format!("the ambient mesh takes its own TLS alone (STRICT, {})", policy(pod)))
        }
        Sends::Tls { .. } if is_ambient => Fate::Tls,
        Sends::Tls { how, announced, shows } => {
            own(pod, mode, &Own { how, announced: *announced, shows: *shows }, port)
        }
        _ if mode == Mode::Strict => {
            broken(Cause::Strict, format!("it takes mutual TLS alone (STRICT, {})", policy(pod)))
        }
        _ => Fate::Plaintext,
    }
}

fn istio(pod: &Pod, mode: Mode, announced: Announced) -> Fate {
    match (mode, announced) {
        (Mode::Disable, _) => broken(Cause::Disabled, format!("it takes no mutual TLS ({} says DISABLE)", policy(pod))),
        (Mode::Permissive, Announced::AsAnother | Announced::Not) => broken(
            Cause::NotAnnounced,
            "its sidecar is PERMISSIVE and knows the mesh's TLS by alpnProtocols [istio], which the sslConfig lacks",
        ),
        (Mode::Permissive, Announced::AsTheMeshs) | (Mode::Strict, _) => Fate::Mtls,
    }
}

struct Own<'s> {
    how: &'s str,
    announced: Announced,
    shows: Shows,
}

/// TLS that is not Istio's, before a sidecar. Where the sidecar ends it, it wants a certificate of the mesh; where it does
/// not, it is the application's, unless the port is declared HTTP: there is no filter chain for it then.
fn own(pod: &Pod, mode: Mode, own: &Own<'_>, port: Declared) -> Fate {
    let is_ended = mode == Mode::Strict || (mode == Mode::Permissive && own.announced == Announced::AsTheMeshs);
    let mode_of = format!("{mode} ({})", policy(pod));
    match (is_ended, own.shows, port) {
        (true, Shows::Nothing, _) => broken(
            Cause::OwnTls,
            format!("{mode_of} demands a certificate of the mesh, and TLS {} shows none", own.how),
        ),
        (true, Shows::Certificate | Shows::CertificateOfSds, _) => Fate::Unknown {
            cause: Some(Cause::OwnCertificate),
            why: format!("{mode_of} demands a certificate of the mesh; TLS {} may not be one", own.how),
            rule: None,
        },
        (false, _, Declared::Http) => {
            broken(Cause::OwnTls, "its port is declared HTTP, where a sidecar takes no TLS but the mesh's")
        }
        (false, _, Declared::Other) => Fate::Tls,
    }
}

fn broken(cause: Cause, why: impl Into<String>) -> Fate {
    Fate::Broken { cause, why: why.into() }
}

fn peer_unknown(why: &Unread) -> Fate {
    let text = format!("the PeerAuthentication that holds is not known: {why}");
    Fate::Unknown { cause: None, why: text, rule: why.rule.clone() }
}

/// `istio-system/default, mesh`
fn policy(pod: &Pod) -> String {
    let effective = pod.demands.as_ref().ok();
    effective.and_then(Effective::set_by).map_or_else(|| "Istio's default".to_owned(), ToString::to_string)
}
