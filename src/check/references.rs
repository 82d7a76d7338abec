//! Checks references between objects: the destinations of routes, and other objects that options name.

use std::ops::Not as _;

use serde_json::Value;

use super::{Check, Finding, FindingCode, Look, circles, codes, left_out};
use crate::model::{Found, Kind, Object, ObjectRef, kinds};
use crate::plan::destinations::{self, DestinationTarget, RouteDestination};

pub(super) const ROUTES: Check = Check {
    title: "references",
    word: "references",
    codes: &[
        &codes::DANGLING_ROUTE,
        &codes::DANGLING_REFERENCE,
        &codes::CIRCLE,
        &codes::LEFT_OUT,
        &codes::SHARED_DOMAIN,
    ],
    kinds: &[
        &kinds::VIRTUAL_SERVICE,
        &kinds::ROUTE_TABLE,
        &kinds::UPSTREAM_GROUP,
        &kinds::GATEWAY,
        &kinds::UPSTREAM,
        &kinds::SERVICE,
        &kinds::AUTH_CONFIG,
        &kinds::RATE_LIMIT_CONFIG,
        &kinds::VIRTUAL_HOST_OPTION,
        &kinds::ROUTE_OPTION,
        &kinds::SETTINGS,
    ],
    beyond: &[],
    run: routes,
};

pub(super) const SECRETS: Check = Check {
    title: "Secrets",
    word: "secrets",
    codes: &[&codes::DANGLING_REFERENCE],
    kinds: &[&kinds::SECRET, &kinds::UPSTREAM, &kinds::VIRTUAL_SERVICE, &kinds::GATEWAY],
    beyond: &[],
    run: secrets,
};

fn routes(look: &Look<'_>) -> Vec<Finding> {
    let mut found = circles::find(look);
    found.extend(left_out::find(look));
    for kind in [&kinds::VIRTUAL_SERVICE, &kinds::ROUTE_TABLE, &kinds::UPSTREAM_GROUP, &kinds::GATEWAY] {
        for object in look.watched(kind) {
            found.extend(
                destinations::read(object).iter().filter_map(|destination| dangling(look, object, destination)),
            );
            let mut named = Vec::new();
            references(&object.value["spec"], "spec", &mut named);
            found.extend(named.iter().filter_map(|named| missing(look, object, named)));
        }
    }
    found
}

/// A destination that does not exist. Gloo uses the holder's namespace only for an Upstream
/// without one (`routeVisitor.visit`, `projects/gateway/pkg/translator/converter.go`).
/// Other objects are not found without a namespace.
fn dangling(look: &Look<'_>, object: &Object, destination: &RouteDestination) -> Option<Finding> {
    let home = &object.reference.namespace;
    let (code, kind, namespace, name): (&'static FindingCode, &'static Kind, _, _) = match &destination.target {
        DestinationTarget::Upstream { namespace, name } => {
            let namespace = if namespace.is_empty() { home } else { namespace };
            (&codes::DANGLING_ROUTE, &kinds::UPSTREAM, namespace, name)
        }
        DestinationTarget::Kube { service, .. } => {
            (&codes::DANGLING_ROUTE, &kinds::SERVICE, &service.namespace, &service.name)
        }
        DestinationTarget::UpstreamGroup { namespace, name } => {
            (&codes::DANGLING_REFERENCE, &kinds::UPSTREAM_GROUP, namespace, name)
        }
        DestinationTarget::RouteTable { namespace, name } => {
            (&codes::DANGLING_REFERENCE, &kinds::ROUTE_TABLE, namespace, name)
        }
        DestinationTarget::Selected { selector } => return selects_nothing(look, object, destination, selector),
        _ => return None,
    };
    if name.is_empty() || (!namespace.is_empty() && look.find(kind, namespace, name) != Found::NotThere) {
        return None;
    }
    let (message, near) = match namespace.is_empty() {
        true => (format!("leads to {kind} {name} without a namespace, and Gloo does not add one"), None),
        false => {
            (format!("leads to {kind} {namespace}/{name}, which does not exist"), near(look, kind, namespace, name))
        }
    };
    let finding = Finding::new(code, &object.reference, message).details([destination.path.to_string()]).details(near);
    Some(finding.decided_by(ObjectRef::new(kind, namespace, name)))
}

fn near(look: &Look<'_>, kind: &'static Kind, namespace: &str, name: &str) -> Option<String> {
    let snapshot = look.world.snapshot;
    let there = snapshot.in_namespace(kind, namespace).map(|object| object.reference.name.as_str());
    let near = crate::text::nearest(name, there);
    (!near.is_empty()).then(|| format!("near: {}", near.join(", ")))
}

/// A delegation by labels, in the holder's namespace or the listed ones, that selects no `RouteTable`. Selectors with
/// expressions are not evaluated.
fn selects_nothing(
    look: &Look<'_>,
    object: &Object,
    destination: &RouteDestination,
    selector: &Value,
) -> Option<Finding> {
    let tables = look.all(&kinds::ROUTE_TABLE);
    let is_simple = selector["expressions"].is_null();
    if !is_simple || look.world.snapshot.unknown(&kinds::ROUTE_TABLE).is_some() {
        return None;
    }
    tables.iter().any(|table| circles::selected(selector, &object.reference.namespace, table)).not().then(|| {
        Finding::new(&codes::DANGLING_REFERENCE, &object.reference, "delegates by labels that no RouteTable has")
            .details([destination.path.to_string()])
    })
}

/// A reference to an object of another kind.
struct Named {
    path: String,
    kind: &'static Kind,
    namespace: String,
    name: String,
}

fn named(path: String, kind: &'static Kind, reference: &Value) -> Option<Named> {
    let text = |key: &str| reference[key].as_str().unwrap_or_default().to_owned();
    let named = Named { path, kind, namespace: text("namespace"), name: text("name") };
    (!named.name.is_empty()).then_some(named)
}

/// Collects the references in options at any depth: `configRef` of extauth, rate limits, and separate option objects.
fn references(value: &Value, path: &str, found: &mut Vec<Named>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let path = format!("{path}.{key}");
                match key.as_str() {
                    "extauth" => {
                        let path = format!("{path}.configRef");
                        found.extend(named(path, &kinds::AUTH_CONFIG, &inner["configRef"]));
                    }
                    "rateLimitConfigs" | "rateLimitEarlyConfigs" | "rateLimitRegularConfigs" => {
                        list(&inner["refs"], &format!("{path}.refs"), &kinds::RATE_LIMIT_CONFIG, found);
                    }
                    "optionsConfigRefs" => {
                        // In a virtual host these are VirtualHostOptions, in a route RouteOptions.
                        let is_host = path.ends_with("virtualHost.optionsConfigRefs");
                        let kind: &'static Kind =
                            if is_host { &kinds::VIRTUAL_HOST_OPTION } else { &kinds::ROUTE_OPTION };
                        list(&inner["delegateOptions"], &format!("{path}.delegateOptions"), kind, found);
                    }
                    _ => references(inner, &path, found),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                references(item, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}

fn list(refs: &Value, path: &str, kind: &'static Kind, found: &mut Vec<Named>) {
    let refs = refs.as_array().into_iter().flatten().enumerate();
    found.extend(refs.filter_map(|(index, reference)| named(format!("{path}[{index}]"), kind, reference)));
}

fn missing(look: &Look<'_>, object: &Object, named: &Named) -> Option<Finding> {
    let home = &object.reference.namespace;
    let namespace = if named.namespace.is_empty() { home } else { &named.namespace };
    (look.find(named.kind, namespace, &named.name) == Found::NotThere).then(|| {
        let message = format!("refers to {} {namespace}/{}, which does not exist", named.kind, named.name);
        let missing = ObjectRef::new(named.kind, namespace, &named.name);
        Finding::new(&codes::DANGLING_REFERENCE, &object.reference, message)
            .details([named.path.clone()])
            .decided_by(missing)
    })
}

/// Checks the Secrets in TLS settings. Only the names of Secrets are read.
fn secrets(look: &Look<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for kind in [&kinds::UPSTREAM, &kinds::VIRTUAL_SERVICE, &kinds::GATEWAY] {
        for object in look.watched(kind) {
            let mut named = Vec::new();
            secret_refs(&object.value["spec"], "spec", &mut named);
            found.extend(named.iter().filter_map(|named| missing(look, object, named)));
        }
    }
    found
}

fn secret_refs(value: &Value, path: &str, found: &mut Vec<Named>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let path = format!("{path}.{key}");
                if key == "sslConfig" || key == "upstreamSslConfig" {
                    found.extend(named(format!("{path}.secretRef"), &kinds::SECRET, &inner["secretRef"]));
                } else {
                    secret_refs(inner, &path, found);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                secret_refs(item, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}
