//! Finds fields that the CRDs do not have.

use serde_json::Value;

use super::{Check, Finding, Look, codes};
use crate::bounded;
use crate::command::{Hint, gloo_rs};
use crate::model::{FieldPath, Kind, Object, ObjectRef, kinds};
use crate::plan::fields::{self, UnknownField};
use crate::plan::mark::LAST_APPLIED;
use crate::plan::mtls::advice::typed;

pub(super) const CHECK: Check =
    Check { title: "fields", word: "fields", codes: &[&codes::UNKNOWN_FIELD], kinds: fields::KINDS, beyond: &[], run };

fn run(look: &Look<'_>) -> Vec<Finding> {
    let kinds = fields::KINDS.iter().filter(|kind| ***kind != kinds::SETTINGS);
    let objects = kinds.flat_map(|kind| look.watched(kind)).chain(look.settings());
    objects.filter_map(|object| in_object(object).or_else(|| in_applied(object))).collect()
}

/// The finding about fields of the object itself. An object that the API server returned has only fields of the CRD that
/// is installed. It may be newer than the fields that are known here, but it has no names in snake case.
fn in_object(object: &Object) -> Option<Finding> {
    let mut unknown = fields::unknown(object);
    if !object.resource_version().is_empty() {
        unknown.retain(|it| it.field.is_some());
    }
    let message = fields::sentence(&unknown);
    (!unknown.is_empty())
        .then(|| finding(object, format!("{message}: rejected or dropped by the API server"), &unknown))
}

/// The finding about fields that were applied and that the API server dropped.
fn in_applied(object: &Object) -> Option<Finding> {
    let text = object.value["metadata"]["annotations"][LAST_APPLIED].as_str()?;
    let applied: Value = bounded::inside(text.as_bytes())?;
    let applied = Object { reference: object.reference.clone(), value: applied };
    let is_absent = |path: &FieldPath| path.get(&object.value).is_none();
    let mut dropped = fields::misspelt(&applied);
    dropped.retain(|it| is_absent(&it.path) && is_absent(&it.corrected()));
    let message = fields::sentence(&dropped);
    (!dropped.is_empty()).then(|| finding(object, format!("{message}: dropped by the API server"), &dropped))
}

fn finding(object: &Object, message: String, unknown: &[UnknownField]) -> Finding {
    let Kind { plural, group, .. } = *object.reference.kind;
    let crd = ObjectRef::new(&kinds::CUSTOM_RESOURCE, "", format!("{plural}.{group}"));
    let finding = Finding::new(&codes::UNKNOWN_FIELD, &object.reference, message)
        .details(fields::details(unknown))
        .decided_by(crd);
    Finding { hint: fix(object, unknown), ..finding }
}

/// The command that corrects the names, if there is one.
fn fix(object: &Object, unknown: &[UnknownField]) -> Option<Hint> {
    let is_of_tls = unknown.iter().all(|it| it.field.is_some() && it.is_below(&["sslConfig", "ssl_config"]));
    let is_upstream = *object.reference.kind == kinds::UPSTREAM;
    (is_upstream && is_of_tls).then(|| gloo_rs("istio enable-mtls").with("-u", typed(&object.reference)).into())
}
