//! Finds destinations that will answer 503, by the verdict of `istio describe`.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::gateway_api::{CLASS, CONTROLLER};
use super::sidecars::{is_without, known};
use super::{Check, Finding, FindingCode, Look, certificate_files, codes};
use crate::model::{Object, ObjectRef, Unknown, kinds};
use crate::plan::Unread;
use crate::plan::dangling;
use crate::plan::destinations::{self, DestinationTarget, RequestPart};
use crate::plan::fix::{self, GatewayFix};
use crate::plan::path::{
    Behind, Cause, Decider, Described, Facts, JudgedPath, Membership, Pod, ProxyState, Sends, Verdict, in_files, pair,
};
use crate::plan::sidecars::GatewayProxy;

pub(super) const CHECK: Check = Check {
    title: "mTLS",
    word: "mtls",
    codes: &[
        &codes::STRICT_PLAINTEXT,
        &codes::TLS_WITHOUT_SIDECAR,
        &codes::TLS_WITHOUT_SDS,
        &codes::NO_SERVICE,
        &codes::TLS_TO_DISABLED_PEER,
        &codes::NOBODY_BEHIND,
        &codes::TLS_WITHOUT_ALPN,
        &codes::HTTP2_NOT_SENT,
        &codes::OWN_TLS_REFUSED,
        &codes::OWN_CERTIFICATE,
        &codes::CERTIFICATE_FILES,
        &codes::DENIED,
    ],
    kinds: &[
        &kinds::UPSTREAM,
        &kinds::SERVICE,
        &kinds::POD,
        &kinds::ENDPOINT_SLICE,
        &kinds::PEER_AUTHENTICATION,
        &kinds::AUTHORIZATION_POLICY,
        &kinds::SETTINGS,
        &kinds::DEPLOYMENT,
        &kinds::DAEMON_SET,
        &kinds::CONFIG_MAP,
        &kinds::VIRTUAL_SERVICE,
        &kinds::ROUTE_TABLE,
        &kinds::UPSTREAM_GROUP,
        &kinds::GATEWAY,
        &kinds::HTTP_ROUTE,
        &kinds::KUBE_GATEWAY,
    ],
    beyond: &[],
    run,
};

fn run(look: &Look<'_>) -> Vec<Finding> {
    let bare = bare_gateways(look);
    let upstreams = look.watched(&kinds::UPSTREAM);
    let paths = look.paths();
    let holders = [&kinds::VIRTUAL_SERVICE, &kinds::ROUTE_TABLE, &kinds::UPSTREAM_GROUP, &kinds::GATEWAY];
    let holders: Vec<_> = holders.into_iter().flat_map(|kind| look.watched(kind)).collect();
    let routes: Vec<_> = look.watched(&kinds::HTTP_ROUTE).into_iter().filter(|route| is_gloos(look, route)).collect();
    let of_upstreams =
        upstreams.iter().map(|upstream| (&upstream.reference, look.narrowed(paths.of_upstream(upstream))));
    let of_routes = holders.iter().chain(&routes).flat_map(|holder| {
        services(holder).into_iter().map(move |(namespace, name, port)| {
            (&holder.reference, look.narrowed(look.paths().of_service(&namespace, &name, port)))
        })
    });
    let (mut found, mut needed) = (Vec::new(), HashSet::new());
    for (reference, facts) in of_upstreams.chain(of_routes) {
        let serving = bare_of(&facts, &bare);
        if let Some(finding) = of_target(look, reference, facts) {
            needed.extend(serving.iter().filter(|_| finding.code == &codes::TLS_WITHOUT_SDS).map(|it| full_name(it)));
            found.push(finding);
        }
    }
    found.extend(certificate_files::run(&upstreams));
    if !bare.is_empty() {
        let told = found.iter().filter(|it| it.code == &codes::TLS_WITHOUT_SDS).map(|it| &it.object);
        let told: HashSet<&ObjectRef> = told.collect();
        let objects = upstreams.iter().chain(&holders).filter(|object| !told.contains(&object.reference));
        let points = objects.filter_map(|object| {
            let paths = dangling::find(object)?.paths;
            let lacking = serving(look, object, &bare);
            (!lacking.is_empty()).then(|| without_sds(look, object, &paths, &lacking))
        });
        let points: Vec<_> = points.collect();
        found.extend(points);
        let lacking: Vec<_> = bare.iter().copied().filter(|it| needed.contains(&full_name(it))).collect();
        if let Some(settings) = look.settings()
            && let Some(points) = dangling::of_settings(settings).filter(|_| !lacking.is_empty())
        {
            found.push(without_sds(look, settings, &points.paths, &lacking));
        }
    }
    found
}

/// The Services that a route refers to without an Upstream, so that TLS settings cannot be set for them.
fn services(holder: &Object) -> BTreeSet<(String, String, Option<u64>)> {
    let to_request = destinations::read(holder).into_iter().filter(|it| it.part == RequestPart::Request);
    let of_kube = to_request.filter_map(|destination| match destination.target {
        DestinationTarget::Kube { service, port } => Some((service.namespace, service.name, port)),
        _ => None,
    });
    of_kube.collect()
}

/// The problem of a target, as a finding about the object that refers to it.
fn of_target(look: &Look<'_>, object: &ObjectRef, facts: Facts) -> Option<Finding> {
    // The effect of auto-mTLS on an Upstream, and missing Settings, are covered by other checks.
    let is_of_settings = |why: &Unread| matches!(&facts.sends, Sends::Unknown(own) if own == why);
    for unread in facts.unread().into_iter().filter(|why| !is_of_settings(why)) {
        match look.is_of_files() && in_files::is_about_files(&unread.why) {
            true => look.gap(&Unknown::of_files()),
            false => look.gap(&Unknown { why: unread.why.clone(), rule: unread.rule.clone() }),
        }
    }
    let lacks_file = look.is_of_files() && facts.unread().iter().any(|why| in_files::is_about_files(&why.why));
    let described = Described::from(facts);
    let JudgedPath { verdict, cause, why, .. } = &described.judged;
    if lacks_file && *verdict == Verdict::Unknown && cause.is_none() {
        look.not_judged(object, why);
    }
    let is_upstream = *object.kind == kinds::UPSTREAM;
    let code = code(described.judged.cause?, is_upstream, &described.facts)?;
    let decided_by = decided_by(look, described.decider());
    let Described { facts, judged } = described;
    let message = if is_upstream { judged.why } else { format!("routes to {}: {}", facts.target, judged.why) };
    let finding = Finding::new(code, object, message).details(evidence(code, &facts)).decided_by(decided_by);
    let is_routed = look.routed().is_some_and(|routed| routed.is_routed(look.paths(), &facts.target));
    let finding = if judged.verdict == Verdict::Broken && is_routed { finding.breaks_now() } else { finding };
    Some(Finding { hint: judged.fix, ..finding })
}

/// The object that stands for the decider in a finding.
fn decided_by(look: &Look<'_>, decider: Decider) -> ObjectRef {
    match decider {
        Decider::Policy(policy) => ObjectRef::new(&kinds::PEER_AUTHENTICATION, policy.namespace, policy.name),
        Decider::Authorization(policy) => ObjectRef::new(&kinds::AUTHORIZATION_POLICY, policy.namespace, policy.name),
        Decider::Namespace(name) => ObjectRef::new(&kinds::NAMESPACE, "", name),
        Decider::Gateway(full) => {
            let known = look.gateways().iter().map(|proxy| &proxy.workload.reference);
            let (namespace, name) = full.split_once('/').unwrap_or(("", &full));
            let found = known.into_iter().find(|it| it.namespace == namespace && it.name == name);
            found.cloned().unwrap_or_else(|| ObjectRef::new(&kinds::DEPLOYMENT, namespace, name))
        }
    }
}

/// The code of the finding. `None` if another check reports the object to fix.
fn code(cause: Cause, is_upstream: bool, facts: &Facts) -> Option<&'static FindingCode> {
    let is_told_elsewhere = match cause {
        // A route to a missing Service is reported as a dangling reference.
        Cause::NoService => !is_upstream,
        // Parts without which certificates may still arrive are reported about the gateway.
        Cause::NoSecret => !facts.proxies.iter().flatten().any(has_no_certificate),
        _ => false,
    };
    codes::named(cause.row().code).filter(|code| !is_told_elsewhere && CHECK.codes.contains(code))
}

/// Whether a gateway with pods lacks a part without which it gets no certificate. What a Gateway API proxy lacks is
/// reported nowhere else.
fn has_no_certificate(proxy: &ProxyState) -> bool {
    let lacks = |lacks: &Vec<String>| pair::stops_certificates(lacks) || (proxy.of_gateway_api && !lacks.is_empty());
    !proxy.is_idle && proxy.lacks.as_ref().is_ok_and(lacks)
}

/// The evidence: the pods without a sidecar, or the effective policies.
fn evidence(code: &FindingCode, facts: &Facts) -> Vec<String> {
    let Behind::Pods { pods, .. } = &facts.behind else { return Vec::new() };
    if code == &codes::TLS_WITHOUT_SIDECAR {
        let without = pods.iter().filter(|pod| pod.membership != Membership::Sidecar);
        return without.map(Pod::shown).collect();
    }
    let sources = pods.iter().filter_map(|pod| pod.demands.as_ref().ok()?.set_by().map(ToString::to_string));
    let sources: BTreeSet<_> = sources.map(|source| format!("peerauthentication {source}")).collect();
    sources.into_iter().collect()
}

/// Whether a route belongs to Gloo. An `HTTPRoute` may belong to another controller. One without a status belongs to
/// the controller of its Gateway.
fn is_gloos(look: &Look<'_>, route: &Object) -> bool {
    let is_of_gloo = |parent: &Value| {
        let namespace = parent["namespace"].as_str().unwrap_or(&route.reference.namespace);
        let gateway = look.find(&kinds::KUBE_GATEWAY, namespace, parent["name"].as_str().unwrap_or_default());
        gateway.object().is_some_and(|gateway| gateway.value["spec"]["gatewayClassName"] == CLASS)
    };
    match list(&route.value["status"]["parents"]) {
        [] => list(&route.value["spec"]["parentRefs"]).iter().any(is_of_gloo),
        seen => seen.iter().any(|parent| parent["controllerName"] == CONTROLLER),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The gateway proxies that serve routes and have no part of Istio. A partly injected one has a separate finding.
fn bare_gateways<'w>(look: &Look<'w>) -> Vec<&'w ObjectRef> {
    let is_bare = |proxy: &&'w GatewayProxy| known(look, proxy).is_some_and(|state| is_without(proxy, &state));
    let bare = look.gateways().iter().filter(is_bare).map(|proxy| &proxy.workload.reference);
    let idle: HashSet<_> = without_routes(look);
    bare.filter(|reference| !idle.contains(full_name(reference).as_str())).collect()
}

/// The gateways to which no route leads. None if no gateway has a route.
fn without_routes<'w>(look: &Look<'w>) -> HashSet<&'w str> {
    let (paths, routed) = (look.paths(), look.routed());
    let has_routes = |proxy: &&ProxyState| routed.is_none_or(|routed| routed.has_routes(paths, proxy));
    let (busy, idle): (Vec<_>, Vec<_>) = paths.proxies().iter().partition(has_routes);
    if busy.is_empty() { HashSet::new() } else { idle.into_iter().map(|proxy| proxy.name.as_str()).collect() }
}

pub(super) fn full_name(ObjectRef { namespace, name, .. }: &ObjectRef) -> String {
    format!("{namespace}/{name}")
}

/// The ones of these gateways that a request to the target goes through. All, if the gateways are unknown.
fn bare_of<'b>(facts: &Facts, bare: &[&'b ObjectRef]) -> Vec<&'b ObjectRef> {
    let Ok(proxies) = &facts.proxies else { return bare.to_vec() };
    bare.iter().copied().filter(|it| proxies.iter().any(|proxy| proxy.name == full_name(it))).collect()
}

/// The ones of these gateways that serve the object, or may.
fn serving<'b>(look: &Look<'_>, object: &Object, bare: &[&'b ObjectRef]) -> Vec<&'b ObjectRef> {
    let (paths, kind) = (look.paths(), object.reference.kind);
    if *kind == kinds::UPSTREAM {
        return bare_of(&look.narrowed(paths.of_upstream(object)), bare);
    }
    let is_known_by_name = *kind == kinds::VIRTUAL_SERVICE || *kind == kinds::GATEWAY;
    let Some(routed) = look.routed().filter(|_| is_known_by_name) else { return bare.to_vec() };
    let gateways = routed.serving_gateways(object);
    let serves = |gateway: &&ObjectRef| {
        let state = paths.proxies().iter().find(|proxy| proxy.name == full_name(gateway));
        state.is_none_or(|state| gateways.serve(paths.installation(), state))
    };
    bare.iter().copied().filter(serves).collect()
}

fn without_sds(look: &Look<'_>, object: &Object, paths: &[String], bare: &[&ObjectRef]) -> Finding {
    let names: Vec<_> = bare.iter().map(ToString::to_string).collect();
    let message = format!("needs certificates from gateway_proxy_sds, which {} lacks", names.join(", "));
    let proxies = look.gateways().iter().filter(|proxy| bare.contains(&&proxy.workload.reference));
    let fixes: Vec<_> = proxies.map(|proxy| look.fix(proxy)).collect();
    let in_values: Vec<_> = fixes.iter().cloned().map(GatewayFix::in_values).collect();
    let hint = match (fix::gateways(&fixes), fix::gateways(&in_values)) {
        (Some(hint), Some(values)) if fixes.iter().any(GatewayFix::is_injected) => {
            Some(hint.text(", or ").and(values).text(" if Helm manages the gateway"))
        }
        (hint, _) => hint,
    };
    let finding = Finding::new(&codes::TLS_WITHOUT_SDS, &object.reference, message).details(paths.iter().cloned());
    let finding = Finding { hint, ..finding };
    match bare.first() {
        Some(first) => finding.decided_by((*first).clone()),
        None => finding,
    }
}
