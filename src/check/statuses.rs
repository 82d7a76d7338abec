//! Checks the status that Gloo gives its objects: rejected, accepted with warnings, or missing.

use serde_json::Value;

use super::{Check, Finding, FindingCode, Look, backend_namespace, codes};
use crate::model::{Kind, Object, ObjectRef, kinds};

/// Every code for a status.
const CODES: &[&FindingCode] = &[&codes::REJECTED, &codes::WARNED, &codes::UNSEEN];
const WITHOUT_UNSEEN: &[&FindingCode] = &[&codes::REJECTED, &codes::WARNED];

macro_rules! checks {
    ($($name:ident = $title:literal $word:literal $codes:ident $kind:ident $($more:ident)*, $run:expr;)*) => {
        $(pub(crate) const $name: Check = Check {
            title: $title,
            word: $word,
            codes: $codes,
            kinds: &[&kinds::$kind $(, &kinds::$more)*],
            beyond: &[],
            run: $run,
        };)*
    };
}

checks! {
    UPSTREAMS = "Upstreams" "upstreams" CODES UPSTREAM, |look| of_kind(look, &kinds::UPSTREAM);
    UPSTREAM_GROUPS = "UpstreamGroups" "upstreamgroup" CODES UPSTREAM_GROUP, |look| of_kind(look, &kinds::UPSTREAM_GROUP);
    AUTH_CONFIGS = "AuthConfigs" "auth-configs" CODES AUTH_CONFIG, |look| of_kind(look, &kinds::AUTH_CONFIG);
    RATE_LIMIT_CONFIGS = "RateLimitConfigs" "rate-limit-configs" CODES RATE_LIMIT_CONFIG,
        |look| of_kind(look, &kinds::RATE_LIMIT_CONFIG);
    VIRTUAL_HOST_OPTIONS = "VirtualHostOptions" "virtual-host-options" WITHOUT_UNSEEN VIRTUAL_HOST_OPTION,
        |look| of_kind_that_may_be_unused(look, &kinds::VIRTUAL_HOST_OPTION);
    ROUTE_OPTIONS = "RouteOptions" "route-options" WITHOUT_UNSEEN ROUTE_OPTION,
        |look| of_kind_that_may_be_unused(look, &kinds::ROUTE_OPTION);
    VIRTUAL_SERVICES = "VirtualServices" "virtual-services" CODES VIRTUAL_SERVICE,
        |look| of_kind(look, &kinds::VIRTUAL_SERVICE);
    ROUTE_TABLES = "RouteTables" "route-tables" WITHOUT_UNSEEN ROUTE_TABLE,
        |look| of_kind_that_may_be_unused(look, &kinds::ROUTE_TABLE);
    GATEWAYS = "Gateways" "gateways" CODES GATEWAY SETTINGS, gateways;
}

fn of_kind(look: &Look<'_>, kind: &'static Kind) -> Vec<Finding> {
    if look.skips_absent(kind) {
        return Vec::new();
    }
    look.watched(kind)
        .into_iter()
        .filter_map(|object| of_object(object, look.gloo()).or_else(|| unseen(object, look.gloo())))
        .collect()
}

/// Checks kinds without the code for a missing status, because Gloo writes no status to unused objects.
fn of_kind_that_may_be_unused(look: &Look<'_>, kind: &'static Kind) -> Vec<Finding> {
    if look.skips_absent(kind) {
        return Vec::new();
    }
    look.watched(kind).into_iter().filter_map(|object| of_object(object, look.gloo())).collect()
}

/// Checks Gateways. Gloo reads them only in its own namespace, unless Settings say otherwise.
fn gateways(look: &Look<'_>) -> Vec<Finding> {
    if look.skips_absent(&kinds::GATEWAY) {
        return Vec::new();
    }
    let everywhere = look
        .settings()
        .is_some_and(|settings| settings.value["spec"]["gateway"]["readGatewaysFromAllNamespaces"] == true);
    let mut gateways = look.watched(&kinds::GATEWAY);
    gateways.retain(|gateway| everywhere || gateway.reference.namespace == look.gloo());
    gateways
        .into_iter()
        .filter_map(|object| of_object(object, look.gloo()).or_else(|| unseen(object, look.gloo())))
        .collect()
}

/// The problem that Gloo reports in an object's status, if any. If
/// several installations have written a status, ours is preferred.
pub(super) fn of_object(object: &Object, gloo: &str) -> Option<Finding> {
    let status = &object.value["status"];
    let by_namespace = status["statuses"].as_object();
    let one =
        by_namespace.and_then(|statuses| statuses.get(gloo).or_else(|| statuses.values().next())).unwrap_or(status);
    let (code, words) = match state(&one["state"])? {
        State::Rejected => (&codes::REJECTED, "rejected"),
        State::Warning => (&codes::WARNED, "accepted with warnings"),
        State::Other => return None,
    };
    let reporter = one["reportedBy"].as_str().unwrap_or("gloo");
    let reason = one["reason"].as_str().or_else(|| one["message"].as_str()).unwrap_or("no reason given");
    let children = one["subresourceStatuses"].as_object().into_iter().flatten().filter_map(|(name, sub)| {
        let reason = sub["reason"].as_str().filter(|text| !text.is_empty())?;
        Some(format!("{}: {}", name.trim_start_matches('*'), flat(reason)))
    });
    let message = format!("{words} by {reporter}: {}", flat(reason));
    let finding = Finding::new(code, &object.reference, message).details(children);
    let is_upstream = *object.reference.kind == kinds::UPSTREAM;
    Some(if is_upstream { finding.decided_by(backend_namespace(object)) } else { finding })
}

/// Joins the lines of a reason. Gloo's reasons contain line breaks and bullets.
fn flat(reason: &str) -> String {
    reason.split_whitespace().collect::<Vec<_>>().join(" ")
}

enum State {
    Rejected,
    Warning,
    Other,
}

/// Parses the state: a word, or a number of Gloo's enumeration (`core.solo.io`, `Status.State`).
fn state(state: &Value) -> Option<State> {
    let word = match state {
        Value::String(word) => word.to_ascii_lowercase(),
        Value::Number(number) => match number.as_u64()? {
            2 => "rejected".to_owned(),
            3 => "warning".to_owned(),
            _ => "other".to_owned(),
        },
        _ => return None,
    };
    Some(match word.as_str() {
        "rejected" => State::Rejected,
        "warning" => State::Warning,
        _ => State::Other,
    })
}

/// The finding for an object without a status: its cause is Gloo. A manifest never has one, so that is no problem.
fn unseen(object: &Object, gloo: &str) -> Option<Finding> {
    let status = &object.value["status"];
    let has_one =
        status["statuses"].as_object().is_some_and(|statuses| !statuses.is_empty()) || !status["state"].is_null();
    let is_of_the_cluster = !object.value["metadata"]["uid"].is_null();
    (!has_one && is_of_the_cluster).then(|| {
        Finding::new(&codes::UNSEEN, &object.reference, "it has no status from Gloo").decided_by(ObjectRef::new(
            &kinds::DEPLOYMENT,
            gloo,
            "gloo",
        ))
    })
}
