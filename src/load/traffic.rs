//! How requests go through the gateway where a plan changes something: routes, Upstreams, pods, policies.

use std::collections::BTreeMap;

use super::plaintext::{self, ROUTES, each};
use super::policies;
use super::survey::{Survey, unread};
use crate::kube::{Cause, Freshness, Scope, Session};
use crate::model::{Object, kinds};
use crate::plan::Unread;
use crate::plan::backend::{self, Destination, PodSelector, ServiceRef};
use crate::plan::gateway::{AutoMtls, Gateway};
use crate::plan::outage::{Touched, Turn, Way, World};
use crate::plan::peer::exposure::{Behind, Routed};
use crate::plan::peer::{PORT_UNKNOWN, Policies};

/// The ways of requests that this plan touches, and what decides about them. Upstreams that no route names have none.
///
/// # Errors
/// What could not be read.
pub async fn world(session: &Session, survey: &Survey<'_>, touched: &Touched) -> Result<World, Unread> {
    let (policy_kind, policies) = match policies::list(session, Scope::All, Freshness::Now).await {
        Ok(found) => found,
        // Without Istio's kinds nobody demands anything.
        Err(error) if error.cause == Cause::NoCrd => (&kinds::PEER_AUTHENTICATION, Vec::new()),
        Err(error) => return Err(unread(session, error)),
    };
    let root_namespace = match policies::root(session, None).await {
        root if policies.is_empty() => root.name().to_owned(),
        root => root.told()?,
    };
    let certificates = match survey.gateway().await {
        Gateway::Ready => Turn::On,
        Gateway::Unknown { why } => return Err(why),
        _ => Turn::Off,
    };
    let auto_mtls = *survey.auto_mtls().await.as_ref().map_err(Unread::clone)?;
    let ways = ways(session, survey, touched).await?;
    let peers = Policies { all: &policies, root_namespace: &root_namespace };
    let is_open = |way: &Way| {
        let labels = way.pods.iter().map(|pod| &pod["metadata"]["labels"]);
        labels.into_iter().any(|labels| peers.on_port(&way.namespace, labels, way.port).is_none())
    };
    if ways.iter().any(is_open) {
        return Err(PORT_UNKNOWN.into());
    }
    Ok(World { certificates, auto_mtls, policies, root_namespace, policy_kind, ways })
}

/// Where requests go, and by whom they are answered.
async fn ways(session: &Session, survey: &Survey<'_>, touched: &Touched) -> Result<Vec<Way>, Unread> {
    let mut routed = Routed::default();
    for kind in ROUTES {
        // Also those that auto-mTLS covers now: the plan may turn it off.
        each(session, kind, |object| routed.add(&object, &Ok(AutoMtls::Off))).await?;
    }
    let gloo_namespace = survey.gloo_namespace().await;
    let mut targets = Vec::new();
    each(session, &kinds::UPSTREAM, |upstream| {
        let Destination::Service { service, port, selector } = backend::destination(&upstream.value, gloo_namespace)
        else {
            return;
        };
        let reference = &upstream.reference;
        if routed.names(reference) && touched.has(&service.namespace, Some(reference)) {
            let shown = format!("upstream {}/{}", reference.namespace, reference.name);
            targets.push(Target { shown, upstream: Some(upstream), service, port, selector });
        }
    })
    .await?;
    for way in routed.services.into_iter().filter(|way| touched.has(&way.service.namespace, None)) {
        let selector = BTreeMap::new();
        let (shown, service, port) = (way.shown, way.service, way.port);
        targets.push(Target { shown, upstream: None, service, port, selector });
    }
    let mut behind: BTreeMap<String, Behind> = BTreeMap::new();
    let mut ways = Vec::new();
    for target in targets {
        let namespace = target.service.namespace.clone();
        if !behind.contains_key(&namespace) {
            behind.insert(namespace.clone(), plaintext::behind(session, &namespace).await?);
        }
        ways.extend(target.way(&behind[&namespace]));
    }
    Ok(ways)
}

/// What a route leads to.
struct Target {
    shown: String,
    upstream: Option<Object>,
    service: ServiceRef,
    port: Option<u64>,
    selector: BTreeMap<String, String>,
}

impl Target {
    /// The way to its pods; none where the Service has no selector or is not there.
    fn way(self, Behind { services, pods }: &Behind) -> Option<Way> {
        let service = services.iter().find(|service| service["metadata"]["name"] == *self.service.name)?;
        let selector = PodSelector::of(service, &self.selector)?;
        let is_behind = |pod: &&serde_json::Value| {
            selector.selects(&pod["metadata"]["labels"]) && pod["metadata"]["deletionTimestamp"].is_null()
        };
        Some(Way {
            shown: self.shown,
            upstream: self.upstream,
            port: backend::target_port(service, self.port),
            pods: pods.iter().filter(is_behind).cloned().collect(),
            namespace: self.service.namespace,
        })
    }
}
