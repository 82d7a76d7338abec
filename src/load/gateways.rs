//! Reads gateway proxies: workload, bootstrap and pods, found by label or by name.

use serde_json::Value;

use super::{absence, loaded, of_gateway};
use crate::command::{Hint, flag};
use crate::error::{Exit, Failure, Reason};
use crate::kube::{ApiCause, Query, Scope, Session};
use crate::model::names::{KUBE_GATEWAY_LABEL, RUNNING};
use crate::model::{Kind, Object, kinds};
use crate::options::{Global, Proxies};
use crate::plan::auto_mtls::GatewaysReadiness;
use crate::plan::fix::GatewayFix;
use crate::plan::gateway::PROXY_LABEL;
use crate::plan::labels::workload_selector;
use crate::plan::sidecars::state::{Extent, SidecarState, state};
use crate::plan::sidecars::{self, GatewayProxy, Pods, SeenPod};
use crate::text::nearest;
use crate::text::{ProxyKind, ProxyName};

/// The name that the chart gives the first gateway proxy.
pub(crate) const USUAL: &str = "gateway-proxy";
/// The label that Gloo's controller adds to the workloads of the Gateway API. Istio's own have the other one too.
const OF_GATEWAY_API: &str = "gloo=kube-gateway";
const WORKLOADS: [&Kind; 2] = [&kinds::DEPLOYMENT, &kinds::DAEMON_SET];

/// The requested proxies. Without `-n`, that of a Gateway is wherever the Gateway is.
///
/// # Errors
/// As for [`find`].
pub(crate) async fn selected(
    session: &Session,
    global: &Global,
    wanted: &Proxies,
) -> Result<Vec<GatewayProxy>, Failure> {
    match (wanted, &global.namespace) {
        (Proxies::Gateway(gateway), None) => {
            let workload = of_gateway::find(session, &kinds::DEPLOYMENT, gateway).await?;
            Ok(vec![whole(session, workload).await?])
        }
        _ => find(session, global.object_namespace(), wanted).await,
    }
}

/// The requested proxies of one namespace.
///
/// # Errors
/// No gateway has that name, no gateway exists, or several exist and none was named; or a request failed.
pub(crate) async fn find(session: &Session, namespace: &str, wanted: &Proxies) -> Result<Vec<GatewayProxy>, Failure> {
    let workloads = match wanted {
        Proxies::Named(names) => {
            let mut workloads = Vec::new();
            for name in names {
                workloads.push(named(session, namespace, name).await?);
            }
            workloads
        }
        Proxies::Gateway(gateway) => {
            let deployment = ProxyName { kind: Some(ProxyKind::Deployment), name: gateway.proxy() };
            vec![named(session, namespace, &deployment).await?]
        }
        Proxies::All => labelled(session, namespace).await?,
        Proxies::Usual => match usual(labelled(session, namespace).await?, namespace) {
            Ok(workload) => vec![workload],
            Err(failure) => return Err(in_namespace(session, namespace, failure).await),
        },
    };
    if workloads.is_empty() {
        return Err(in_namespace(session, namespace, nothing(namespace)).await);
    }
    let mut proxies = Vec::new();
    for workload in workloads {
        proxies.push(whole(session, workload).await?);
    }
    Ok(proxies)
}

/// The workloads of the Kubernetes Gateway API that Gloo's controller made, in all namespaces.
///
/// # Errors
/// They may not be listed, or the request failed.
pub(crate) async fn of_gateway_api(session: &Session) -> Result<Vec<Object>, Failure> {
    let query = Query::labelled(format!("{KUBE_GATEWAY_LABEL},{OF_GATEWAY_API}"));
    let items = session.list_all(&kinds::DEPLOYMENT, Scope::All, query).await;
    let items = items.map_err(|error| error.into_failure(session))?;
    Ok(items.into_iter().map(|value| Object::new(&kinds::DEPLOYMENT, value)).collect())
}

/// Whether every labelled proxy of the namespace has all parts of the sidecars.
pub(crate) async fn readiness(session: &Session, namespace: &str) -> GatewaysReadiness {
    let mut lacking = Vec::new();
    let workloads = match labelled(session, namespace).await {
        Ok(workloads) => workloads,
        Err(failure) => return GatewaysReadiness::Unknown { why: failure.message },
    };
    for workload in workloads {
        let name = workload.reference.name.clone();
        match whole(session, workload).await {
            Ok(proxy) => match state(&proxy) {
                Ok(SidecarState { doubt: Some(unknown), .. }) => {
                    return GatewaysReadiness::Unknown { why: unknown.why };
                }
                Ok(state) if state.extent() == Extent::Full => {}
                _ => lacking.push((name, GatewayFix::read(&proxy, namespace, &[]))),
            },
            Err(failure) => return GatewaysReadiness::Unknown { why: failure.message },
        }
    }
    GatewaysReadiness::Seen { lacking }
}

async fn labelled(session: &Session, namespace: &str) -> Result<Vec<Object>, Failure> {
    let mut found = Vec::new();
    for kind in WORKLOADS {
        let scope = Scope::Namespace(namespace);
        let items = session.list_all(kind, scope, Query::labelled(PROXY_LABEL)).await;
        let items = items.map_err(|error| error.into_failure(session))?;
        found.extend(items.into_iter().map(|value| Object::new(kind, value)));
    }
    Ok(found)
}

/// The one named gateway-proxy, or the only one.
///
/// # Errors
/// No gateway exists, or several exist.
pub(crate) fn usual(mut found: Vec<Object>, namespace: &str) -> Result<Object, Failure> {
    if let Some(position) = found.iter().position(|workload| workload.reference.name == USUAL) {
        return Ok(found.swap_remove(position));
    }
    match found.len() {
        0 => Err(nothing(namespace)),
        1 => Ok(found.swap_remove(0)),
        _ => Err(Failure::new(
            Exit::Failed,
            Reason::Ambiguous,
            format!("several gateway proxies in {namespace}, none of them {USUAL}"),
        )
        .detail(names(found.iter()).join(", "))
        .hint(flag("--name").text(" NAME chooses one").or_else(", ", flag("--all").text(" chooses all")))),
    }
}

fn names<'o>(found: impl Iterator<Item = &'o Object>) -> Vec<String> {
    found.map(|workload| workload.reference.to_string()).collect()
}

/// The failure when there is no proxy.
pub(crate) fn nothing(namespace: &str) -> Failure {
    Failure::new(Exit::SaidNo, Reason::NotFound, format!("no gateway proxy in {namespace}"))
        .detail(format!("looked for Deployments and DaemonSets labelled {PROXY_LABEL}"))
        .hint(
            Hint::from("-n NAMESPACE searches another namespace")
                .or_else(", ", flag("--name").text(" NAME chooses one without the label")),
        )
}

async fn named(session: &Session, namespace: &str, name: &ProxyName) -> Result<Object, Failure> {
    let kinds: &[&'static Kind] = match name.kind {
        Some(ProxyKind::Deployment) => &WORKLOADS[..1],
        Some(ProxyKind::DaemonSet) => &WORKLOADS[1..],
        None => &WORKLOADS,
        Some(_) => {
            return Err(Failure::usage(format!(
                "--name {}: only a Deployment or a DaemonSet can have the sidecars",
                name.name
            ))
            .hint("deployment/NAME or daemonset/NAME"));
        }
    };
    for kind in kinds {
        match session.get(kind, namespace, &name.name).await {
            Ok(value) => return Ok(Object::new(kind, value)),
            Err(error) if error.cause == ApiCause::NotFound => {}
            Err(error) => return Err(error.into_failure(session)),
        }
    }
    let found = labelled(session, namespace).await.unwrap_or_default();
    let place = session.looked();
    let failure = not_found(name, namespace, found.iter());
    Err(in_namespace(session, namespace, failure).await.detail(place))
}

/// The failure to find a proxy. If its namespace does not exist either, it says so instead.
async fn in_namespace(session: &Session, namespace: &str, failure: Failure) -> Failure {
    if failure.reason != Reason::NotFound {
        return failure;
    }
    match absence::no_namespace(session, namespace).await {
        Some(line) => Failure { details: vec![line], ..failure },
        None => failure,
    }
}

/// The failure when there is no proxy of that name, with similar names or those that exist.
pub(crate) fn not_found<'o>(name: &ProxyName, place: &str, proxies: impl Iterator<Item = &'o Object>) -> Failure {
    let proxies: Vec<_> = proxies.collect();
    let near = nearest(&name.name, proxies.iter().map(|workload| workload.reference.name.as_str()));
    let failure =
        Failure::new(Exit::SaidNo, Reason::NotFound, format!("gateway proxy {}: not found in {place}", name.name));
    if !near.is_empty() {
        return failure.detail(format!("near: {}", near.join(", ")));
    }
    match proxies.is_empty() {
        true => failure,
        false => failure.detail(format!("there: {}", names(proxies.into_iter()).join(", "))),
    }
}

async fn whole(session: &Session, workload: Object) -> Result<GatewayProxy, Failure> {
    let reference = &workload.reference;
    let name = sidecars::bootstrap_of(&workload);
    let bootstrap = match session.get(&kinds::CONFIG_MAP, &reference.namespace, &name).await {
        Ok(value) => Some(Object::new(&kinds::CONFIG_MAP, value)),
        Err(error) if error.cause == ApiCause::NotFound => None,
        Err(error) => return Err(error.into_failure(session)),
    };
    let pods = pods(session, &workload).await.map_or(Pods::Unseen, |pods| {
        let seen = |pod| SeenPod { object: Object::new(&kinds::POD, pod), has_cluster: None };
        Pods::Seen(pods.into_iter().map(seen).collect())
    });
    let mut proxy = GatewayProxy { workload, bootstrap, pods };
    Box::pin(loaded::ask(session, &mut proxy)).await;
    Ok(proxy)
}

/// The metadata of a workload's pods that have not ended, or `None` if they may not be listed.
pub(crate) async fn pods(session: &Session, workload: &Object) -> Option<Vec<Value>> {
    // An evicted pod remains until it is cleaned up, and runs no Envoy.
    let living = RUNNING.to_owned();
    let query = Query { metadata_only: true, fields: living, ..Query::labelled(workload_selector(&workload.value)) };
    session.list_all(&kinds::POD, Scope::Namespace(&workload.reference.namespace), query).await.ok()
}
