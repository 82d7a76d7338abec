//! What `check` reads inside of pods through port forwards: the gateways' Envoys, and Gloo's metrics.

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::OnceCell;

use super::mesh_certificates::{self, MOST_PARSED};
use crate::bounded;
use crate::check::Beyond;
use crate::check::look::EnvoySaid;
use crate::envoy::updates::{self, Updates};
use crate::gloo::metrics::{self, Metrics};
use crate::kube::{ForwardCause, ForwardFailure, Session};
use crate::model::names::GATEWAY_PROXY;
use crate::model::{Object, Snapshot, Unknown, kinds};
use crate::plan::path::ShownCertificate;
use crate::plan::pod::is_running;
use crate::plan::proxy_pods::ADMIN_PORT;

/// The port of Gloo's metrics.
const METRICS: u16 = 9091;
const AT_ONCE: usize = 4;
/// Long enough for a rejected update to be sent again; the same value as in glooctl.
const BETWEEN: Duration = Duration::from_millis(250);

/// The pods in Gloo's namespace, which are read as far as permissions allow.
pub(crate) struct GlooPods<'s> {
    session: &'s Session,
    snapshot: &'s Snapshot,
    gloo: &'s str,
    /// The permission, which is checked once, so that a denied request is not tried for every pod.
    allowed: OnceCell<Result<(), Unknown>>,
}

impl<'s> GlooPods<'s> {
    /// Sends no request yet.
    #[must_use]
    pub(crate) fn new(session: &'s Session, snapshot: &'s Snapshot, gloo: &'s str) -> Self {
        Self { session, snapshot, gloo, allowed: OnceCell::new() }
    }

    /// The certificates that the gateways present to the mesh.
    pub(crate) async fn certificates(&self) -> Beyond<Vec<ShownCertificate>> {
        let pods = self.pods(mesh_certificates::has_sidecar);
        let Some(first) = pods.first() else {
            return Beyond::NotThere("no gateway pod with Istio's sidecars".to_owned());
        };
        match self.may(first).await {
            Ok(()) => mesh_certificates::of_gateways(self.session, self.snapshot, self.gloo, &pods).await,
            Err(unknown) => Beyond::Unknown(unknown),
        }
    }

    /// The state of each gateway's Envoy towards its control plane.
    pub(crate) async fn envoys(&self) -> Beyond<Vec<EnvoySaid>> {
        let pods = self.pods(|pod| pod.label(GATEWAY_PROXY.0) == Some(GATEWAY_PROXY.1));
        let Some(first) = pods.first() else { return Beyond::NotThere("no gateway pod runs".to_owned()) };
        if let Err(unknown) = self.may(first).await {
            return Beyond::Unknown(unknown);
        }
        self.asked(&pods).await.map_or_else(|failure| Beyond::Unknown(failure.unknown()), Beyond::Read)
    }

    async fn asked(&self, pods: &[&Object]) -> Result<Vec<EnvoySaid>, ForwardFailure> {
        let before: Vec<Updates> =
            stream::iter(pods).map(|pod| self.updates(pod)).buffered(AT_ONCE).try_collect().await?;
        tokio::time::sleep(BETWEEN).await;
        let again = pods.iter().zip(before).map(|(pod, before)| self.again(pod, before));
        stream::iter(again).buffered(AT_ONCE).try_collect().await
    }

    /// The counters that have grown since `before`, and the rejected listeners.
    async fn again(&self, pod: &Object, before: Updates) -> Result<EnvoySaid, ForwardFailure> {
        let later = self.updates(pod).await?;
        let listeners = self.page(pod, ADMIN_PORT, updates::LISTENERS).await?;
        let listeners = bounded::value(&listeners, MOST_PARSED).unwrap_or_default();
        Ok(EnvoySaid {
            namespace: pod.reference.namespace.clone(),
            pod: pod.reference.name.clone(),
            connected: later.connected,
            grown: before.grown(&later),
            refused: updates::refused_listeners(&listeners),
        })
    }

    /// Gloo's metrics about what it serves. The open source edition has none.
    pub(crate) async fn metrics(&self) -> Beyond<Metrics> {
        let pods = self.pods(|pod| pod.label("gloo") == Some("gloo"));
        let Some(pod) = pods.first() else { return Beyond::NotThere("no pod of gloo runs".to_owned()) };
        if let Err(unknown) = self.may(pod).await {
            return Beyond::Unknown(unknown);
        }
        match self.page(pod, METRICS, "/metrics").await {
            Ok(page) => Beyond::Read(metrics::parse(&String::from_utf8_lossy(&page))),
            Err(ForwardFailure { cause: ForwardCause::Refused | ForwardCause::Status { status: 404, .. }, .. }) => {
                Beyond::Read(Metrics::default())
            }
            Err(failure) => Beyond::Unknown(failure.unknown()),
        }
    }

    fn pods(&self, is_one: impl Fn(&Object) -> bool) -> Vec<&'s Object> {
        let all = self.snapshot.in_namespace(&kinds::POD, self.gloo);
        // A pod that has not started is covered by its own check.
        all.filter(|pod| is_running(&pod.value) && pod.value["status"]["phase"] != "Pending" && is_one(pod)).collect()
    }

    async fn may(&self, pod: &Object) -> Result<(), Unknown> {
        let ask = async || {
            let allowed = self.session.may_forward(self.gloo, &pod.reference.name, ADMIN_PORT).await;
            allowed.map_err(|failure| failure.unknown())
        };
        self.allowed.get_or_init(ask).await.clone()
    }

    async fn updates(&self, pod: &Object) -> Result<Updates, ForwardFailure> {
        let page = self.page(pod, ADMIN_PORT, &updates::page()).await?;
        Ok(Updates::parse(&String::from_utf8_lossy(&page)))
    }

    async fn page(&self, pod: &Object, port: u16, path: &str) -> Result<Vec<u8>, ForwardFailure> {
        self.session.get_in_pod(&pod.reference.namespace, &pod.reference.name, port, path).await
    }
}
