//! The ambient mesh in a path: whether a ztunnel carries the gateway's requests, and what arrives at a pod then.
//!
//! A ztunnel sends HBONE, which is mutual TLS, to a captured pod and to a sidecar that accepts it. To any other pod it
//! passes on what it gets. What it gets to carry is not opened, so TLS of the gateway stays inside.

use std::collections::HashSet;

use serde_json::Value;

use super::state::PairState;
use super::{Captured, Membership, Pod, ProxyState, Sends, in_files};
use crate::model::{Object, Snapshot, Unknown, kinds};
use crate::plan::Unread;
use crate::plan::pod::{Capture, capture, requests_ambient};
use crate::plan::sidecars::own_pods;

/// Why a sidecar without HBONE is no proof.
const NO_HBONE: &str = "its sidecar does not accept HBONE, and ztunnel may send it plaintext";
/// Why TLS in HBONE is no proof: the sidecar ends HBONE, and expects no TLS in it.
const TLS_INSIDE: &str = "ztunnel sends the gateway's TLS inside HBONE, where the sidecar expects none";
const NO_ANNOTATION: &str = "its label requests the ambient mesh, and no annotation shows that ztunnel captures it";

/// The namespaces of the ambient mesh, and its ztunnel.
#[derive(Debug, Clone)]
pub(super) struct AmbientMesh {
    namespaces: HashSet<String>,
    ztunnel: Result<(), Unread>,
}

impl AmbientMesh {
    /// Reads what the snapshot has of it.
    pub(super) fn read(snapshot: &Snapshot) -> Self {
        let namespaces = snapshot.all(&kinds::NAMESPACE).iter().filter(|namespace| requests_ambient(&namespace.value));
        Self {
            namespaces: namespaces.map(|namespace| namespace.reference.name.clone()).collect(),
            ztunnel: match snapshot.ztunnels() {
                None => Err("whether ztunnel is ready was not asked".into()),
                Some(Err(unknown)) => {
                    let why = format!("whether ztunnel is ready is unknown: {}", unknown.why);
                    Err(Unread { rule: unknown.rule.clone(), ..Unread::from(why) })
                }
                Some(Ok(ztunnels)) => ztunnel_ready(ztunnels).map_err(Unread::from),
            },
        }
    }

    /// Returns whether the label of a namespace requests the ambient mesh. Without the right to read it, it does not.
    pub(super) fn has(&self, namespace: &str) -> bool {
        self.namespaces.contains(namespace)
    }

    /// Returns whether a ztunnel carries what the pods of a gateway send. Without any sign of it, it does not.
    pub(super) fn captured(&self, snapshot: &Snapshot, gateway: &Object) -> Captured {
        let namespace = &gateway.reference.namespace;
        let template = &gateway.value["spec"]["template"];
        if template["spec"]["hostNetwork"] == true {
            return Captured::No;
        }
        let pods: Vec<_> = own_pods(snapshot, gateway).into_iter().map(|pod| &pod.value).collect();
        match (pods.is_empty(), snapshot.unknown_in(&kinds::POD, namespace)) {
            (true, _) if capture(template, self.has(namespace)) == Capture::Labelled => {
                Captured::Unproven("it is labelled for the ambient mesh, and has no pod that shows more".into())
            }
            (true, Some(unknown)) => Captured::Unread(unread(unknown)),
            _ => captured(&pods, self.has(namespace), &self.ztunnel),
        }
    }
}

/// Returns whether a ztunnel carries what these pods of a gateway send. `is_ambient` is the label of their namespace.
pub(crate) fn captured(pods: &[&Value], is_ambient: bool, ztunnel: &Result<(), Unread>) -> Captured {
    let count = |wanted| pods.iter().filter(|pod| capture(pod, is_ambient) == wanted).count();
    let (all, proven) = (pods.len(), count(Capture::Proven));
    if proven + count(Capture::Labelled) == 0 {
        return Captured::No;
    }
    match ztunnel {
        _ if proven < all => {
            Captured::Unproven(format!("annotations show that ztunnel captures {proven} of its {all} pods").into())
        }
        Ok(()) => Captured::Yes,
        Err(why) => Captured::Unproven(why.clone()),
    }
}

fn unread(unknown: &Unknown) -> Unread {
    in_files::unread(unknown, in_files::NO_GATEWAY)
}

/// Returns whether a `DaemonSet` of ztunnel is ready on each of its nodes.
///
/// # Errors
/// Why it is not.
pub(crate) fn ztunnel_ready(ztunnels: &[Object]) -> Result<(), String> {
    let Some(first) = ztunnels.first() else { return Err("there is no DaemonSet ztunnel".to_owned()) };
    let numbers = |ztunnel: &Object| {
        let number = |key: &str| ztunnel.value["status"][key].as_u64().unwrap_or_default();
        (number("numberReady"), number("desiredNumberScheduled"))
    };
    let is_ready = |ztunnel: &Object| matches!(numbers(ztunnel), (ready, wanted) if wanted > 0 && ready >= wanted);
    if ztunnels.iter().any(is_ready) {
        return Ok(());
    }
    let ((ready, wanted), home) = (numbers(first), &first.reference);
    Err(format!("ztunnel ({}/{}) is ready on {ready} of {wanted} nodes", home.namespace, home.name))
}

/// Returns what becomes of a pair if a ztunnel carries the gateway's requests. `ends` is the result at the pod without.
pub(super) fn carried(sends: &Sends, proxy: &ProxyState, pod: &Pod, ends: &PairState) -> PairState {
    let who = format!("gateway {}", proxy.name);
    by(&proxy.captured, &who, sends, pod, ends)
}

/// Returns the same for gateways that could not be read.
pub(super) fn carried_by_unread(why: &Unread, sends: &Sends, pod: &Pod, ends: &PairState) -> PairState {
    by(&Captured::Unread(why.clone()), "the gateways", sends, pod, ends)
}

fn by(captured: &Captured, who: &str, sends: &Sends, pod: &Pod, ends: &PairState) -> PairState {
    let unproven = |why: &Unread| PairState::Unknown {
        cause: None,
        why: format!("whether ztunnel carries the requests of {who} is unknown: {why}"),
        rule: why.rule.clone(),
    };
    let is_carried = match (captured, pod.membership) {
        (Captured::No, _)
        | (_, Membership::Outside | Membership::Unknown)
        | (Captured::Unread(_), Membership::Sidecar) => false,
        // No ztunnel opens Istio's TLS, and no sidecar is there to do it.
        (_, Membership::Ambient | Membership::Labelled) => !matches!(sends, Sends::Istio { .. }),
        (_, Membership::Sidecar) => true,
    };
    if !is_carried || matches!(sends, Sends::Unknown(_)) {
        return ends.clone();
    }
    let carried = match pod.membership {
        Membership::Ambient => PairState::Tunnelled,
        Membership::Labelled => open(NO_ANNOTATION),
        _ => match to_sidecar(sends, pod, ends) {
            Some(carried) => carried,
            None => return ends.clone(),
        },
    };
    match captured {
        Captured::Unproven(why) | Captured::Unread(why) => unproven(why),
        Captured::Yes | Captured::No => carried,
    }
}

/// Returns what arrives at a sidecar through a ztunnel. `None` if it is the same as without one.
fn to_sidecar(sends: &Sends, pod: &Pod, ends: &PairState) -> Option<PairState> {
    match (sends, pod.accepts_hbone, ends) {
        (Sends::Plaintext { .. }, true, _) => Some(PairState::Tunnelled),
        (_, true, _) => Some(open(TLS_INSIDE)),
        (Sends::Plaintext { .. }, false, PairState::Broken { .. }) => Some(open(NO_HBONE)),
        (_, false, _) => None,
    }
}

/// The state of a pod of which only a label requests the ambient mesh, under STRICT.
pub(super) fn labelled() -> PairState {
    open(NO_ANNOTATION)
}

fn open(why: &str) -> PairState {
    PairState::Unknown { cause: None, why: why.to_owned(), rule: None }
}
