//! Reads what is needed to decide how the gateway connects to its backends.

use std::collections::BTreeSet;

use super::snapshot::{self, Detail, Namespaces, Want};
use super::{ambient, loaded};
use crate::error::Failure;
use crate::kube::Session;
use crate::model::names::KUBE_GATEWAY_LABEL;
use crate::model::{Found, ListAnswer, ListPart, Snapshot, kinds};
use crate::plan::Unread;
use crate::plan::backend::ServiceRef;
use crate::plan::gateway::PROXY_LABEL;
use crate::plan::istiod::REVISION_LABEL;
use crate::plan::labels::PodSelector;
use crate::plan::path::installation::Installation;

/// The context of every Service: one LIST per kind, and only metadata for pods.
///
/// # Errors
/// The API server does not answer, or rejects the credentials.
pub(crate) async fn around_all(session: &Session, gloo: &str, namespaces: &Namespaces) -> Result<Snapshot, Failure> {
    with_gateway(session, gloo, namespaces, of_backends().to_vec()).await
}

/// The context of every Service in these namespaces: one LIST per kind for each of a few namespaces, or one for the
/// whole cluster if there are more.
///
/// # Errors
/// As for [`around_all`].
pub(crate) async fn around_namespaces(
    session: &Session,
    gloo: &str,
    namespaces: &Namespaces,
    homes: &BTreeSet<String>,
) -> Result<Snapshot, Failure> {
    const FEW: usize = 4;
    if homes.len() > FEW {
        return around_all(session, gloo, namespaces).await;
    }
    let of = |home: &String| of_backends().map(|want| want.in_namespace(home));
    with_gateway(session, gloo, namespaces, named(homes).flat_map(of).collect()).await
}

/// Settings, proxies and their bootstraps. The labels of namespaces are not read: the pods of a captured gateway show it
/// themselves.
///
/// # Errors
/// As for [`around_all`].
pub(crate) async fn gateways(session: &Session, gloo: &str) -> Result<Snapshot, Failure> {
    proxies(session, &of_gateway(gloo), &Namespaces::default()).await
}

/// The context of these Services, with complete pods, which show readiness and ports.
///
/// # Errors
/// As for [`around_all`].
pub(crate) async fn around(
    session: &Session,
    gloo: &str,
    namespaces: &Namespaces,
    services: &[ServiceRef],
) -> Result<Snapshot, Failure> {
    let homes: BTreeSet<_> = services.iter().map(|service| service.namespace.clone()).collect();
    let wants = named(&homes).map(|home| Want::all(&kinds::SERVICE).in_namespace(home)).collect();
    let mut snapshot = with_gateway(session, gloo, namespaces, wants).await?;
    for ServiceRef { namespace, name } in services {
        let Found::There(service) = snapshot.find(&kinds::SERVICE, namespace, name) else { continue };
        let Some(selector) = PodSelector::from_service(&service.value, &std::collections::BTreeMap::new()) else {
            continue;
        };
        let pods = snapshot::selected(session, &kinds::POD, namespace, selector.to_string()).await?;
        snapshot.put(&kinds::POD, ListPart::Selected, pods);
    }
    Ok(snapshot)
}

/// Adds the gateways of other installations of Gloo, and returns their namespaces. Returns the reason if Settings or
/// the gateways may not be listed.
///
/// # Errors
/// As for [`around_all`].
pub(crate) async fn other_gateways(
    session: &Session,
    gloo: &str,
    snapshot: &mut Snapshot,
) -> Result<(Vec<String>, Option<Unread>), Failure> {
    let all = snapshot::of_cluster(session, &[Want::all(&kinds::SETTINGS)], &Namespaces::default()).await?;
    if let Some(unknown) = all.unknown(&kinds::SETTINGS) {
        return Ok((Vec::new(), Some(unknown.into())));
    }
    let settings = all.all(&kinds::SETTINGS);
    let named = settings.iter().filter_map(Installation::named).filter(|namespace| *namespace != gloo);
    let others: Vec<_> = named.map(str::to_owned).collect();
    if others.is_empty() {
        return Ok((others, None));
    }
    let wants = of_others();
    let gateways = snapshot::of_cluster(session, &wants, &Namespaces::default()).await?;
    if let Some(unknown) = wants.iter().find_map(|want| gateways.unknown(want.kind)) {
        return Ok((Vec::new(), Some(unknown.into())));
    }
    for kind in wants.iter().map(|want| want.kind).chain([&kinds::SETTINGS]) {
        let from = if *kind == kinds::SETTINGS { &all } else { &gateways };
        let of_others = from.all(kind).iter().filter(|object| others.contains(&object.reference.namespace));
        snapshot.put(kind, ListPart::Selected, ListAnswer::Read(of_others.cloned().collect()));
    }
    Box::pin(loaded::ask_all(session, snapshot)).await;
    ambient::ask(session, snapshot).await;
    Ok((others, None))
}

/// The lists of proxies and their bootstraps in every installation of Gloo.
pub(crate) fn of_others() -> [Want; 4] {
    [
        Want::all(&kinds::DEPLOYMENT).labelled(PROXY_LABEL),
        Want::all(&kinds::DAEMON_SET).labelled(PROXY_LABEL),
        Want::all(&kinds::POD).labelled(PROXY_LABEL).running().detail(Detail::Metadata),
        Want::all(&kinds::CONFIG_MAP).labelled(PROXY_LABEL).detail(Detail::Whole),
    ]
}

/// The lists of Services, their pods and endpoints.
pub(crate) fn of_backends() -> [Want; 3] {
    [Want::all(&kinds::SERVICE), metadata_of_pods(), endpoints()]
}

fn metadata_of_pods() -> Want {
    Want::all(&kinds::POD).running().detail(Detail::Metadata)
}

/// The list that shows which of the pods are ready, and their ports.
pub(crate) fn endpoints() -> Want {
    Want::all(&kinds::ENDPOINT_SLICE).detail(Detail::Endpoints)
}

/// Skips empty names. An Upstream may name no namespace, and a list without one would cover all namespaces.
fn named(homes: &BTreeSet<String>) -> impl Iterator<Item = &String> {
    homes.iter().filter(|home| !home.is_empty())
}

/// Reads these lists, and what every verdict needs about the gateways.
async fn with_gateway(
    session: &Session,
    gloo: &str,
    namespaces: &Namespaces,
    wants: Vec<Want>,
) -> Result<Snapshot, Failure> {
    let wants: Vec<_> = of_gateway(gloo).into_iter().chain(of_mesh()).chain(wants).collect();
    proxies(session, &wants, namespaces).await
}

/// Reads these lists, and the bootstraps and answers of the proxies in them.
async fn proxies(session: &Session, wants: &[Want], namespaces: &Namespaces) -> Result<Snapshot, Failure> {
    let mut snapshot = snapshot::of_cluster(session, wants, namespaces).await?;
    bootstraps(session, &mut snapshot).await?;
    Box::pin(loaded::ask_all(session, &mut snapshot)).await;
    ambient::ask(session, &mut snapshot).await;
    Ok(snapshot)
}

/// The lists of Settings, proxies and their bootstraps in one installation of Gloo.
pub(crate) fn of_gateway(gloo: &str) -> [Want; 6] {
    [
        Want::all(&kinds::SETTINGS).in_namespace(gloo),
        Want::all(&kinds::DEPLOYMENT).labelled(PROXY_LABEL).in_namespace(gloo),
        Want::all(&kinds::DAEMON_SET).labelled(PROXY_LABEL).in_namespace(gloo),
        Want::all(&kinds::DEPLOYMENT).labelled(KUBE_GATEWAY_LABEL),
        Want::all(&kinds::POD).labelled(PROXY_LABEL).in_namespace(gloo).running().detail(Detail::Metadata),
        // The managed fields show when a bootstrap was written.
        Want::all(&kinds::CONFIG_MAP).labelled(PROXY_LABEL).in_namespace(gloo).detail(Detail::Whole),
    ]
}

/// The policies, the configuration and the ambient namespaces of the mesh.
pub(crate) fn of_mesh() -> [Want; 4] {
    [
        Want::of_the_cluster(&kinds::NAMESPACE).labelled(ambient::NAMESPACES).detail(Detail::Metadata),
        Want::all(&kinds::CONFIG_MAP).labelled(REVISION_LABEL),
        Want::all(&kinds::PEER_AUTHENTICATION),
        Want::all(&kinds::AUTHORIZATION_POLICY),
    ]
}

/// The bootstraps and pods of Gateway API proxies, if there are any.
async fn bootstraps(session: &Session, snapshot: &mut Snapshot) -> Result<(), Failure> {
    let proxies = snapshot.all(&kinds::DEPLOYMENT).iter().filter(|it| it.label(KUBE_GATEWAY_LABEL).is_some());
    let homes: BTreeSet<_> = proxies.map(|proxy| proxy.reference.namespace.clone()).collect();
    for home in homes {
        for kind in [&kinds::CONFIG_MAP, &kinds::POD] {
            let own = snapshot::selected(session, kind, &home, KUBE_GATEWAY_LABEL.to_owned()).await?;
            snapshot.put(kind, ListPart::Selected, own);
        }
    }
    Ok(())
}
