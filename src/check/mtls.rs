//! Destinations that will answer 503: a strict peer and plaintext, Istio's TLS and nobody to speak it with.

use std::collections::BTreeSet;

use super::look::Behind;
use super::sidecars::{is_without, known};
use super::{Check, Finding, Look, codes};
use crate::model::{Object, kinds};
use crate::plan::backend::{self, Destination, ServiceRef, target_port};
use crate::plan::dangling;
use crate::plan::destinations::{self, Part, Target};
use crate::plan::gateway::AutoMtls;
use crate::plan::mtls::{Tls, tls_of};
use crate::plan::peer::{Effective, Mode, Policies};

pub const CHECK: Check = Check {
    title: "mTLS",
    word: "mtls",
    codes: &[
        &codes::STRICT_PLAINTEXT,
        &codes::TLS_WITHOUT_SIDECAR,
        &codes::TLS_WITHOUT_SDS,
        &codes::NO_SERVICE,
        &codes::TLS_TO_DISABLED_PEER,
    ],
    kinds: &[
        &kinds::UPSTREAM,
        &kinds::SERVICE,
        &kinds::POD,
        &kinds::PEER_AUTHENTICATION,
        &kinds::SETTINGS,
        &kinds::DEPLOYMENT,
        &kinds::DAEMON_SET,
        &kinds::CONFIG_MAP,
        &kinds::MUTATING_WEBHOOK,
        &kinds::VIRTUAL_SERVICE,
        &kinds::ROUTE_TABLE,
        &kinds::UPSTREAM_GROUP,
        &kinds::GATEWAY,
        &kinds::HTTP_ROUTE,
    ],
    beyond: &[],
    run,
};

fn run(look: &Look<'_>) -> Vec<Finding> {
    let auto_mtls = look.auto_mtls();
    let bare = bare_gateways(look);
    let upstreams = look.watched(&kinds::UPSTREAM);
    let mut found: Vec<Finding> =
        upstreams.iter().flat_map(|upstream| of_upstream(look, upstream, auto_mtls)).collect();
    let holders = [&kinds::VIRTUAL_SERVICE, &kinds::ROUTE_TABLE, &kinds::UPSTREAM_GROUP, &kinds::GATEWAY];
    let holders: Vec<_> = holders.into_iter().flat_map(|kind| look.watched(kind)).collect();
    let routes: Vec<_> = look.watched(&kinds::HTTP_ROUTE).into_iter().filter(|route| is_gloos(route)).collect();
    if auto_mtls == AutoMtls::Off {
        found.extend(holders.iter().chain(&routes).flat_map(|holder| of_services(look, holder)));
    }
    if !bare.is_empty() {
        let points = upstreams.iter().chain(&holders).filter_map(|object| Some((*object, dangling::of(object)?.paths)));
        found.extend(points.map(|(object, paths)| without_sds(object, &paths, &bare)));
        if let Some(settings) = look.settings()
            && let Some(points) = dangling::of_settings(settings)
        {
            found.push(without_sds(settings, &points.paths, &bare));
        }
    }
    found
}

/// An `HTTPRoute` may be another controller's.
fn is_gloos(route: &Object) -> bool {
    let parents = route.value["status"]["parents"].as_array().into_iter().flatten();
    parents.into_iter().any(|parent| parent["controllerName"] == "solo.io/gloo-gateway")
}

/// The gateway proxies that have nothing of Istio's; one that is half injected has a finding of its own.
fn bare_gateways(look: &Look<'_>) -> Vec<String> {
    let bare =
        |proxy: &&crate::plan::sidecars::Proxy| known(look, proxy).is_some_and(|state| is_without(proxy, &state));
    look.gateways().iter().filter(bare).map(|proxy| proxy.workload.reference.to_string()).collect()
}

fn without_sds(object: &Object, paths: &[String], bare: &[String]) -> Finding {
    let message = format!("wants certificates of gateway_proxy_sds, which {} lacks", bare.join(", "));
    Finding::new(&codes::TLS_WITHOUT_SDS, &object.reference, message)
        .details(paths.iter().cloned())
        .hint("gloo-rs istio inject, or gloo-rs upgrade-values where Helm owns the gateway")
}

fn of_upstream(look: &Look<'_>, upstream: &Object, auto_mtls: AutoMtls) -> Vec<Finding> {
    let Destination::Service { service, port, selector } = backend::destination(&upstream.value, look.gloo()) else {
        return Vec::new();
    };
    let (service_object, meshed, plain) = match look.behind(&service, &selector) {
        Behind::Unknown => return Vec::new(),
        Behind::NoService => {
            let message = format!("service {}/{} is not there", service.namespace, service.name);
            return vec![Finding::new(&codes::NO_SERVICE, &upstream.reference, message)];
        }
        Behind::Pods { service, meshed, plain } => (service, meshed, plain),
    };
    let port = target_port(&service_object.value, port);
    let reference = &upstream.reference;
    let name = format!("{}/{}", reference.namespace, reference.name);
    let mut found = Vec::new();
    if matches!(tls_of(&upstream.value), Tls::Istio(_)) {
        if !plain.is_empty() {
            let (pods, have) = (plain.len(), if plain.len() == 1 { "has" } else { "have" });
            let message = format!("Istio TLS, and {pods} of {} pods {have} no sidecar: 503 there", pods + meshed.len());
            found.push(
                Finding::new(&codes::TLS_WITHOUT_SIDECAR, reference, message)
                    .details(plain.iter().map(|pod| format!("pod {}/{}", pod.reference.namespace, pod.reference.name)))
                    .hint(format!(
                        "gloo-rs istio disable-mtls -u {name}, or label namespace {} and restart its pods",
                        service.namespace
                    )),
            );
        }
        if let Some(peer) = peer(look, &service, &meshed, port, Mode::Disable) {
            let message = "Istio TLS, and a PeerAuthentication disables it for its pods: 503";
            found.push(
                Finding::new(&codes::TLS_TO_DISABLED_PEER, reference, message)
                    .details(source(&peer))
                    .hint(format!("gloo-rs istio disable-mtls -u {name}")),
            );
        }
        return found;
    }
    if auto_mtls == AutoMtls::Unknown || auto_mtls.covers(upstream) {
        return found;
    }
    let Some(peer) = peer(look, &service, &meshed, port, Mode::Strict) else { return found };
    let (sends, hint) = match tls_of(&upstream.value) {
        Tls::Foreign(_) => ("TLS that is not Istio's", format!("gloo-rs istio enable-mtls -u {name} --overwrite")),
        _ => ("plaintext", format!("gloo-rs istio enable-mtls -u {name}")),
    };
    let message = format!("the peer is STRICT, and the gateway sends {sends}: 503");
    found.push(Finding::new(&codes::STRICT_PLAINTEXT, reference, message).details(source(&peer)).hint(hint));
    found
}

/// Services that a route names without an Upstream in between: nothing can be set on them.
fn of_services(look: &Look<'_>, holder: &Object) -> Vec<Finding> {
    let mut named: BTreeSet<(String, String, Option<u64>)> = BTreeSet::new();
    for destination in destinations::of(holder).into_iter().filter(|it| it.part == Part::Request) {
        if let Target::Kube { service, port } = destination.target {
            named.insert((service.namespace, service.name, port));
        }
    }
    let found = named.into_iter().filter_map(|(namespace, name, port)| {
        let service = ServiceRef { namespace, name };
        let Behind::Pods { service: object, meshed, .. } = look.behind(&service, &std::collections::BTreeMap::new())
        else {
            return None;
        };
        let peer = peer(look, &service, &meshed, target_port(&object.value, port), Mode::Strict)?;
        let message = format!(
            "routes to service {}/{}, whose peer is STRICT, and the gateway sends plaintext: 503",
            service.namespace, service.name
        );
        Some(
            Finding::new(&codes::STRICT_PLAINTEXT, &holder.reference, message)
                .details(source(&peer))
                .hint("gloo-rs istio auto-mtls enable, or route to an Upstream and enable mTLS there"),
        )
    });
    found.collect()
}

/// The mode that holds for one of the pods, if it is this one.
fn peer(look: &Look<'_>, service: &ServiceRef, meshed: &[&Object], port: Option<u64>, mode: Mode) -> Option<Effective> {
    let all = look.policies(&service.namespace);
    let policies = Policies { all, root_namespace: look.root_namespace() };
    if all.is_empty() {
        return None;
    }
    meshed
        .iter()
        .map(|pod| policies.of_workload(&service.namespace, &pod.value["metadata"]["labels"], port))
        .find(|effective| effective.mode == mode)
}

fn source(effective: &Effective) -> Option<String> {
    effective.set_by().map(|source| format!("peerauthentication {source}"))
}
