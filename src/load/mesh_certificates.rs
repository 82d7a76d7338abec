//! The certificates that the gateways use towards the mesh, asked of each gateway's Envoy.

use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use crate::check::Beyond;
use crate::envoy::mesh_certificate::of_certs;
use crate::envoy::x509::serials_of_pem;
use crate::kube::{ForwardFailure, Session};
use crate::model::{Object, Snapshot, Unknown, kinds};
use crate::plan::backend::is_running;
use crate::plan::posture::Certificate;
use crate::plan::sidecars::parts::ISTIO_PROXY;
use crate::plan::sidecars::state::item;

/// Envoy's admin port.
const ADMIN: u16 = 19000;
const AT_ONCE: usize = 4;
/// Where istiod puts the root that it signs with, in every namespace.
const ROOT: (&str, &str) = ("istio-ca-root-cert", "root-cert.pem");

/// Asks the gateway pods that have Istio's sidecars. `now` is in seconds since 1970.
pub async fn of_gateways(session: &Session, snapshot: &Snapshot, gloo: &str, now: i64) -> Beyond<Vec<Certificate>> {
    let pods: Vec<&Object> = snapshot.in_namespace(&kinds::POD, gloo).filter(|pod| has_sidecar(pod)).collect();
    if pods.is_empty() {
        return Beyond::NotThere("no gateway pod with Istio's sidecars".to_owned());
    }
    let root = snapshot.find(&kinds::CONFIG_MAP, gloo, ROOT.0).object();
    let roots = root.map(|map| serials_of_pem(map.value["data"][ROOT.1].as_str().unwrap_or_default()));
    let roots = roots.unwrap_or_default();
    let mut answers = stream::iter(&pods)
        .map(|pod| async move { (*pod, session.get_in_pod(gloo, &pod.reference.name, ADMIN, "/certs").await) })
        .buffered(AT_ONCE);
    let mut found = Vec::new();
    while let Some((pod, answer)) = answers.next().await {
        let body = match answer {
            Ok(body) => body,
            Err(failure) => return Beyond::Unknown(unknown(&failure)),
        };
        let Ok(certs) = serde_json::from_slice::<Value>(&body) else {
            let why = format!("/certs of pod {} is not JSON", pod.reference.name);
            return Beyond::Unknown(Unknown::because(why));
        };
        found.extend(of_certs(&certs).into_iter().map(|certificate| {
            let is_known = !roots.is_empty() && !certificate.roots.is_empty();
            Certificate {
                namespace: gloo.to_owned(),
                pod: pod.reference.name.clone(),
                id: certificate.id,
                ends: certificate.until,
                left: certificate.ends - now,
                is_of_the_mesh: is_known.then(|| certificate.roots.iter().any(|root| roots.contains(root))),
            }
        }));
    }
    if found.is_empty() {
        return Beyond::NotThere("no gateway uses a certificate of the mesh yet".to_owned());
    }
    Beyond::Read(found)
}

fn has_sidecar(pod: &Object) -> bool {
    pod.label("gloo") == Some("gateway-proxy")
        && is_running(&pod.value)
        && item(&pod.value["spec"]["containers"], ISTIO_PROXY).is_some()
}

fn unknown(failure: &ForwardFailure) -> Unknown {
    Unknown { why: format!("pod {}: {}", failure.pod, failure.why()), rule: failure.rule() }
}
