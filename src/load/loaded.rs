//! Asks the Envoys that may run an older bootstrap whether they have the cluster of the sidecars.

use std::collections::HashMap;

use futures_util::{StreamExt as _, stream};

use crate::edit::bootstrap::SDS_CLUSTER;
use crate::kube::Session;
use crate::model::names::KUBE_GATEWAY_LABEL;
use crate::model::{Object, ObjectRef, Snapshot, Unknown, kinds};
use crate::plan::gateway::PROXY_LABEL;
use crate::plan::proxy_pods::ADMIN_PORT;
use crate::plan::sidecars::state::state;
use crate::plan::sidecars::{GatewayProxy, Pods};

const AT_ONCE: usize = 4;

/// Asks the Envoys of the proxy. Sends no request if every pod is younger than the bootstrap.
pub(crate) async fn ask(session: &Session, proxy: &mut GatewayProxy) {
    let answers = answers(session, unasked(proxy)).await;
    if let Pods::Seen(pods) = &mut proxy.pods {
        for pod in pods {
            pod.has_cluster = answers.get(&pod.object.reference).cloned().or(pod.has_cluster.take());
        }
    }
}

/// Asks the Envoys of all proxies in the snapshot.
pub(crate) async fn ask_all(session: &Session, snapshot: &mut Snapshot) {
    let (key, value) = PROXY_LABEL.split_once('=').expect("a label and its value");
    let is_proxy = |it: &&Object| it.label(key) == Some(value) || it.label(KUBE_GATEWAY_LABEL).is_some();
    let workloads = [&kinds::DEPLOYMENT, &kinds::DAEMON_SET].into_iter().flat_map(|kind| snapshot.all(kind));
    let unasked = workloads.filter(is_proxy).flat_map(|it| unasked(&GatewayProxy::in_snapshot(snapshot, it))).collect();
    for (pod, has_cluster) in answers(session, unasked).await {
        snapshot.put_envoy(pod, has_cluster);
    }
}

fn unasked(proxy: &GatewayProxy) -> Vec<ObjectRef> {
    state(proxy).map(|state| state.unasked).unwrap_or_default()
}

/// The answers of the pods. If the first cannot be asked, none of them is.
async fn answers(session: &Session, mut pods: Vec<ObjectRef>) -> HashMap<ObjectRef, Result<bool, Unknown>> {
    let Some(first) = pods.pop() else { return HashMap::new() };
    let allowed = session.may_forward(&first.namespace, &first.name, ADMIN_PORT).await;
    let answer = match allowed {
        Ok(()) => of_pod(session, &first).await,
        Err(failure) => Err(failure.unknown()),
    };
    if let Err(unknown) = &answer {
        return pods.into_iter().chain([first]).map(|pod| (pod, Err(unknown.clone()))).collect();
    }
    let rest = stream::iter(pods).map(async |pod| (of_pod(session, &pod).await, pod)).buffer_unordered(AT_ONCE);
    rest.map(|(answer, pod)| (pod, answer)).chain(stream::iter([(first, answer)])).collect().await
}

async fn of_pod(session: &Session, pod: &ObjectRef) -> Result<bool, Unknown> {
    let body = session.get_in_pod(&pod.namespace, &pod.name, ADMIN_PORT, "/clusters").await;
    body.map(|body| lists(&body, SDS_CLUSTER)).map_err(|failure| failure.unknown())
}

/// Whether Envoy's page of clusters lists this one.
pub(crate) fn lists(page: &[u8], cluster: &str) -> bool {
    String::from_utf8_lossy(page).lines().any(|line| line.starts_with(&format!("{cluster}::")))
}
