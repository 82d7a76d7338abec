//! Reads the certificates that the gateways use towards the mesh from each gateway's Envoy.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use serde_json::Value;

use crate::bounded;
use crate::check::Beyond;
use crate::envoy::mesh_certificate::of_certs;
use crate::envoy::x509::serials_of_pem;
use crate::kube::{ForwardCause, ForwardFailure, InPod, Session};
use crate::model::names::GATEWAY_PROXY;
use crate::model::{Object, Snapshot, kinds};
use crate::plan::Unread;
use crate::plan::path::ShownCertificate;
use crate::plan::path::survey::Survey;
use crate::plan::proxy_pods::ADMIN_PORT;
use crate::plan::sidecars::parts::ISTIO_PROXY;
use crate::plan::sidecars::state::item;

const AT_ONCE: usize = 4;
/// Number of pods of one proxy to query for a description. The others usually have the same certificates.
const MOST_PODS: usize = 4;
/// Timeout for a pod in a description.
const PATIENCE: Duration = Duration::from_secs(5);
const MOST_BYTES: usize = 4 << 20;
/// Memory limit in bytes for the parsed values of one page.
pub(super) const MOST_PARSED: usize = 24 << 20;
/// The ConfigMap and key in which istiod puts its root certificate, in every namespace.
const ROOT: (&str, &str) = ("istio-ca-root-cert", "root-cert.pem");

/// The parameters for querying a pod.
struct Asking<'s> {
    session: &'s Session,
    /// Serial numbers of the mesh's root certificates. Empty if unknown.
    roots: Vec<String>,
    now: i64,
    patience: Option<Duration>,
}

impl Asking<'_> {
    async fn of_pod(&self, pod: &Object) -> Result<Vec<ShownCertificate>, ForwardFailure> {
        let (namespace, name) = (&pod.reference.namespace, &pod.reference.name);
        let ask = InPod { patience: self.patience, ..InPod::get("/certs") };
        let answer = self.session.ask_in_pod(namespace, name, ADMIN_PORT, &ask).await?;
        let body = answer.or_failure().await?.collect(MOST_BYTES).await?;
        let not_json = |_| ForwardFailure {
            namespace: namespace.clone(),
            pod: name.clone(),
            port: ADMIN_PORT,
            cause: ForwardCause::NotHttp,
        };
        let certs = bounded::value(&body, MOST_PARSED).map_err(not_json)?;
        let of_mesh = of_certs(&certs).into_iter().map(|certificate| {
            let is_known = !self.roots.is_empty() && !certificate.roots.is_empty();
            ShownCertificate {
                namespace: namespace.clone(),
                pod: name.clone(),
                id: certificate.id,
                left: certificate.ends - self.now,
                ends: certificate.until,
                is_of_the_mesh: is_known.then(|| certificate.roots.iter().any(|root| self.roots.contains(root))),
            }
        });
        Ok(of_mesh.collect())
    }

    async fn of_pods(&self, pods: &[&Object]) -> Result<Vec<ShownCertificate>, ForwardFailure> {
        let all: Vec<_> = stream::iter(pods).map(|pod| self.of_pod(pod)).buffered(AT_ONCE).try_collect().await?;
        Ok(all.into_iter().flatten().collect())
    }
}

fn roots(config_map: &Value) -> Vec<String> {
    serials_of_pem(config_map["data"][ROOT.1].as_str().unwrap_or_default())
}

/// Queries gateway pods with Istio's sidecars.
pub(crate) async fn of_gateways(
    session: &Session,
    snapshot: &Snapshot,
    gloo: &str,
    pods: &[&Object],
) -> Beyond<Vec<ShownCertificate>> {
    let root = snapshot.find(&kinds::CONFIG_MAP, gloo, ROOT.0).object();
    let roots = root.map(|map| roots(&map.value)).unwrap_or_default();
    let asking = Asking { session, roots, now: Timestamp::now().as_second(), patience: None };
    match asking.of_pods(pods).await {
        Ok(found) if found.is_empty() => Beyond::NotThere("no gateway uses a certificate of the mesh yet".to_owned()),
        Ok(found) => Beyond::Read(found),
        Err(failure) => Beyond::Unknown(failure.unknown()),
    }
}

/// Whether a pod is a gateway with a sidecar that gets its certificates from the mesh.
pub(crate) fn has_sidecar(pod: &Object) -> bool {
    pod.label(GATEWAY_PROXY.0) == Some(GATEWAY_PROXY.1) && item(&pod.value["spec"]["containers"], ISTIO_PROXY).is_some()
}

/// The certificates that the pods of each proxy present.
pub(crate) type CertificatesByProxy = HashMap<String, Result<Vec<ShownCertificate>, Unread>>;

/// The certificates of pods with complete sidecars, by proxy. The permission is checked with the API server first, so
/// that a user who may only get and list causes no denied request.
pub(crate) async fn of_proxies(session: &Session, survey: &Survey<'_>) -> CertificatesByProxy {
    of_other_proxies(session, survey, &HashMap::new()).await
}

/// The same of the proxies that are not known already.
pub(crate) async fn of_other_proxies(
    session: &Session,
    survey: &Survey<'_>,
    known: &CertificatesByProxy,
) -> CertificatesByProxy {
    let mut all = HashMap::new();
    for (proxy, mut pods) in survey.ready_proxies().into_iter().filter(|(proxy, _)| !known.contains_key(proxy)) {
        pods.truncate(MOST_PODS);
        if let Some(first) = pods.first() {
            all.insert(proxy, of_proxy(session, &first.reference.namespace, &pods).await);
        }
    }
    all
}

async fn of_proxy(session: &Session, namespace: &str, pods: &[&Object]) -> Result<Vec<ShownCertificate>, Unread> {
    let unread = |failure: ForwardFailure| Unread::from(&failure.unknown());
    session.may_forward(namespace, &pods[0].reference.name, ADMIN_PORT).await.map_err(unread)?;
    let root = session.get(&kinds::CONFIG_MAP, namespace, ROOT.0).await;
    let roots = root.map(|map| roots(&map)).unwrap_or_default();
    let asking = Asking { session, roots, now: Timestamp::now().as_second(), patience: Some(PATIENCE) };
    asking.of_pods(pods).await.map_err(unread)
}
