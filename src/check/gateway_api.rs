//! Checks the Kubernetes Gateway API, if Gloo serves it: the
//! class, Gateways of that class, and routes of those Gateways.

use serde_json::Value;

use super::{Check, Finding, Look, codes};
use crate::model::names::GATEWAY_CONTROLLER;
use crate::model::{Found, Object, ObjectRef, kinds};
use crate::plan::sidecars::state::{env, item};

pub(super) const CLASSES: Check = Check {
    title: "Kubernetes GatewayClasses",
    word: "kube-gateway-classes",
    codes: &[&codes::GATEWAY_CLASS],
    kinds: &[&kinds::KUBE_GATEWAY_CLASS, &kinds::DEPLOYMENT],
    beyond: &[],
    run: classes,
};

pub(super) const GATEWAYS: Check = Check {
    title: "Kubernetes Gateways",
    word: "kube-gateways",
    codes: &[&codes::KUBE_GATEWAY],
    kinds: &[&kinds::KUBE_GATEWAY, &kinds::DEPLOYMENT],
    beyond: &[],
    run: gateways,
};

pub(super) const ROUTES: Check = Check {
    title: "Kubernetes HTTPRoutes",
    word: "kube-http-routes",
    codes: &[&codes::HTTP_ROUTE],
    kinds: &[&kinds::HTTP_ROUTE, &kinds::DEPLOYMENT],
    beyond: &[],
    run: routes,
};

pub(super) const CLASS: &str = "gloo-gateway";
pub(super) const CONTROLLER: &str = GATEWAY_CONTROLLER;
/// The same text as in glooctl.
const NOT_ENABLED: &str = "Skipping Kubernetes Gateway resources check -- Kubernetes Gateway integration not enabled";

/// Whether Gloo serves the Gateway API, according to the variable that glooctl also uses.
fn is_enabled(look: &Look<'_>) -> bool {
    let gloo =
        look.in_namespace(&kinds::DEPLOYMENT, look.gloo()).into_iter().find(|it| it.label("gloo") == Some("gloo"));
    let is_on = gloo.is_some_and(|gloo| {
        let containers = &gloo.value["spec"]["template"]["spec"]["containers"];
        item(containers, "gloo").and_then(|container| env(container, "GG_K8S_GW_CONTROLLER")) == Some("true")
    });
    if !is_on && look.world.snapshot.unknown_in(&kinds::DEPLOYMENT, look.gloo()).is_none() {
        look.skip(NOT_ENABLED);
    }
    is_on
}

fn classes(look: &Look<'_>) -> Vec<Finding> {
    let class = look.find(&kinds::KUBE_GATEWAY_CLASS, "", CLASS);
    if !is_enabled(look) {
        return Vec::new();
    }
    match class {
        Found::Unknown(_) => Vec::new(),
        Found::NotThere => {
            let class = ObjectRef::new(&kinds::KUBE_GATEWAY_CLASS, "", CLASS);
            vec![Finding::new(&codes::GATEWAY_CLASS, &class, "Gloo's GatewayClass does not exist")]
        }
        Found::There(class) => {
            let wrong = wrong(&class.value["status"]["conditions"], &["Accepted", "SupportedVersion"], &class.value);
            finding(&codes::GATEWAY_CLASS, class, wrong).into_iter().collect()
        }
    }
}

fn gateways(look: &Look<'_>) -> Vec<Finding> {
    let gateways = look.watched(&kinds::KUBE_GATEWAY);
    if !is_enabled(look) {
        return Vec::new();
    }
    let of_gloo = gateways.into_iter().filter(|gateway| gateway.value["spec"]["gatewayClassName"] == CLASS);
    of_gloo
        .filter_map(|gateway| {
            let status = &gateway.value["status"];
            let mut complaints = wrong(&status["conditions"], &["Accepted", "Programmed"], &gateway.value);
            for listener in status["listeners"].as_array().into_iter().flatten() {
                let name = listener["name"].as_str().unwrap_or_default();
                let mut of_listener =
                    wrong(&listener["conditions"], &["Accepted", "Programmed", "ResolvedRefs"], &gateway.value);
                of_listener.extend(conflicted(&listener["conditions"]));
                complaints.extend(of_listener.into_iter().map(|complaint| format!("listener {name}: {complaint}")));
            }
            finding(&codes::KUBE_GATEWAY, gateway, complaints)
        })
        .collect()
}

fn routes(look: &Look<'_>) -> Vec<Finding> {
    let routes = look.watched(&kinds::HTTP_ROUTE);
    if !is_enabled(look) {
        return Vec::new();
    }
    let of_route = |route: &&Object| {
        let parents = route.value["status"]["parents"].as_array().into_iter().flatten();
        let ours = parents.into_iter().filter(|parent| parent["controllerName"] == CONTROLLER);
        let complaints = ours.flat_map(|parent| {
            let name = parent["parentRef"]["name"].as_str().unwrap_or_default();
            let of_parent = wrong(&parent["conditions"], &["Accepted", "ResolvedRefs"], &route.value);
            of_parent.into_iter().map(move |complaint| format!("parent {name}: {complaint}"))
        });
        let finding = finding(&codes::HTTP_ROUTE, route, complaints.collect())?;
        Some(match refusing(route) {
            Some(gateway) => finding.decided_by(gateway),
            None => finding,
        })
    };
    routes.iter().filter_map(of_route).collect()
}

/// The first Gateway that does not accept the route.
fn refusing(route: &Object) -> Option<ObjectRef> {
    let parents = route.value["status"]["parents"].as_array()?;
    let refuses = |parent: &&Value| {
        parent["controllerName"] == CONTROLLER && !wrong(&parent["conditions"], &["Accepted"], &route.value).is_empty()
    };
    let parent = &parents.iter().find(refuses)?["parentRef"];
    let namespace = parent["namespace"].as_str().unwrap_or(&route.reference.namespace);
    Some(ObjectRef::new(&kinds::KUBE_GATEWAY, namespace, parent["name"].as_str()?))
}

fn finding(code: &'static super::FindingCode, object: &Object, complaints: Vec<String>) -> Option<Finding> {
    let mut complaints = complaints.into_iter();
    let first = complaints.next()?;
    Some(Finding::new(code, &object.reference, first).details(complaints))
}

/// The conditions that are not met, or were written for another generation. A missing condition is no problem, because
/// a manifest has none.
fn wrong(conditions: &Value, wanted: &[&str], object: &Value) -> Vec<String> {
    let all = conditions.as_array().map_or(&[][..], Vec::as_slice);
    let generation = object["metadata"]["generation"].as_u64();
    let mut complaints = Vec::new();
    for kind in wanted {
        let Some(condition) = all.iter().find(|condition| condition["type"] == **kind) else { continue };
        if condition["status"] != "True" {
            complaints.push(sentence(kind, condition));
        } else if condition["observedGeneration"].as_u64().is_some_and(|seen| Some(seen) != generation) {
            complaints.push(format!("{kind} was written for an older generation"));
        }
    }
    complaints
}

fn conflicted(conditions: &Value) -> Option<String> {
    let mut all = conditions.as_array()?.iter();
    let condition = all.find(|condition| condition["type"] == "Conflicted" && condition["status"] == "True")?;
    Some(sentence("Conflicted", condition))
}

fn sentence(kind: &str, condition: &Value) -> String {
    let text = |key: &str| condition[key].as_str().unwrap_or_default();
    format!("{kind} is {}, {}: {}", text("status"), text("reason"), text("message"))
}
