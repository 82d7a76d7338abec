//! Fields that Gloo's CRDs do not have, such as the names in snake case of old documentation. `kubectl apply` rejects
//! them, other clients drop them. They never have an effect.

mod schema;

use std::fmt;

use serde_json::Value;

use super::outcome::Objection;
use crate::edit::{Edit, json as edited};
use crate::error::Reason;
use crate::model::{FieldPath, Kind, Object, Segment, kinds};

use schema::Fields;

/// The kinds whose fields are known.
pub(crate) const KINDS: &[&Kind] = &[
    &kinds::UPSTREAM,
    &kinds::UPSTREAM_GROUP,
    &kinds::VIRTUAL_SERVICE,
    &kinds::ROUTE_TABLE,
    &kinds::GATEWAY,
    &kinds::SETTINGS,
];

/// A field that the CRD does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnknownField {
    pub path: FieldPath,
    /// The name that the CRD has for it: `alpnProtocols` for `alpn_protocols`. `None` if there is none.
    pub field: Option<String>,
}

/// Formats it as `spec.sslConfig.alpn_protocols (alpnProtocols)`.
impl fmt::Display for UnknownField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        self.field.as_ref().map_or(Ok(()), |field| write!(f, " ({field})"))
    }
}

impl UnknownField {
    /// Returns whether the field is in one of these fields of the spec, or is one of them.
    pub(crate) fn is_below(&self, fields: &[&str]) -> bool {
        matches!(self.path.segments().get(1), Some(Segment::Key(key)) if fields.contains(&key.as_str()))
    }

    /// Returns the path with the names that the CRD has.
    pub(crate) fn corrected(&self) -> FieldPath {
        self.path.segments().iter().fold(FieldPath::root(), |path, segment| {
            path.then(match segment {
                Segment::Key(key) => Segment::Key(camel_case(key).unwrap_or_else(|| key.clone())),
                other => other.clone(),
            })
        })
    }

    /// Returns whether the field is below another one.
    fn is_in(&self, other: &Self) -> bool {
        let outer = other.path.segments();
        self.path.segments().len() > outer.len() && self.path.segments().starts_with(outer)
    }
}

/// Finds the fields in `spec` that the CRD does not have, outermost first.
pub(crate) fn unknown(object: &Object) -> Vec<UnknownField> {
    let mut found = Vec::new();
    if let Some(fields) = schema::of(object.reference.kind) {
        search(&object.value["spec"], fields, &FieldPath::keys(&["spec"]), &mut found);
    }
    found
}

/// Finds those of them for which the CRD has another name.
pub(crate) fn misspelt(object: &Object) -> Vec<UnknownField> {
    unknown(object).into_iter().filter(|it| it.field.is_some()).collect()
}

/// Returns whether a JSON text may have a key in snake case. Only then is it worth the memory.
pub(crate) fn may_be_misspelt(json: &str) -> bool {
    let mut parts = json.split('"').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_some_and(|next| next.trim_start().starts_with(':')) && camel_case(part).is_some() {
            return true;
        }
    }
    false
}

/// Returns the object with these fields under the names that the CRD has. A field that is there under both names keeps
/// the value that has an effect.
pub(crate) fn corrected(object: &Object, misspelt: &[UnknownField]) -> Object {
    let reference = object.reference.clone();
    let value = edited::apply(&object.value, &renames(object, misspelt)).unwrap_or_else(|_| object.value.clone());
    Object { reference, value }
}

/// Returns the edits that give these fields the names that the CRD has.
pub(crate) fn renames(object: &Object, misspelt: &[UnknownField]) -> Vec<Edit> {
    outermost(misspelt).flat_map(|it| rename(object, it)).collect()
}

/// Returns the fields that are not below another one.
pub(crate) fn outermost(misspelt: &[UnknownField]) -> impl Iterator<Item = &UnknownField> {
    misspelt.iter().filter(|it| !misspelt.iter().any(|other| it.is_in(other)))
}

fn rename(object: &Object, misspelt: &UnknownField) -> Vec<Edit> {
    let path = misspelt.corrected();
    let fields = schema::at(object.reference.kind, &path);
    let value = misspelt.path.get(&object.value).filter(|_| path.get(&object.value).is_none());
    let written = value.map(|value| Edit::set(path, renamed(value, fields)));
    written.into_iter().chain([Edit::remove(misspelt.path.clone())]).collect()
}

/// Returns the value with the names that the CRD has.
fn renamed(value: &Value, fields: Option<&Fields>) -> Value {
    let Some(fields) = fields else { return value.clone() };
    match value {
        Value::Object(map) => {
            let mut all = serde_json::Map::new();
            for (key, value) in map {
                let other = other_name(key, fields);
                if other.as_ref().is_some_and(|name| map.contains_key(name)) {
                    continue;
                }
                let name = other.unwrap_or_else(|| key.clone());
                let value = renamed(value, fields.below(&name));
                all.insert(name, value);
            }
            Value::Object(all)
        }
        Value::Array(items) => items.iter().map(|item| renamed(item, Some(fields))).collect(),
        other => other.clone(),
    }
}

/// The number of fields that a sentence names.
const SHOWN: usize = 3;

/// `spec.ssl_config (sslConfig) is not a field of the CRD`
pub(crate) fn sentence(unknown: &[UnknownField]) -> String {
    let names: Vec<_> = unknown.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = unknown.len().saturating_sub(SHOWN);
    let others = if more > 0 { format!(" and {more} more") } else { String::new() };
    let are = if unknown.len() == 1 { "is not a field" } else { "are not fields" };
    format!("{}{others} {are} of the CRD", names.join(", "))
}

/// The names of all fields, one in a line. Empty if the sentence names them all.
pub(crate) fn details(unknown: &[UnknownField]) -> Vec<String> {
    if unknown.len() > SHOWN { unknown.iter().map(ToString::to_string).collect() } else { Vec::new() }
}

/// Returns why an object with these fields is not changed: what the change depends on may be in them.
pub(crate) fn objection(misspelt: &[UnknownField]) -> Objection {
    let message = format!("{}; nothing changed", sentence(misspelt));
    let objection = Objection::new(Reason::UnknownField, message).hint("use the names in parentheses");
    Objection { details: details(misspelt), ..objection }
}

/// Returns the misspelt fields in `spec.kube` of an Upstream.
pub(crate) fn in_kube(upstream: &Value) -> Vec<UnknownField> {
    let path = FieldPath::keys(&["spec", "kube"]);
    let mut found = Vec::new();
    if let Some(fields) = schema::at(&kinds::UPSTREAM, &path) {
        search(&upstream["spec"]["kube"], fields, &path, &mut found);
    }
    found.retain(|it| it.field.is_some());
    found
}

fn search(value: &Value, fields: &Fields, path: &FieldPath, found: &mut Vec<UnknownField>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = path.then(Segment::Key(key.clone()));
                let field = other_name(key, fields);
                let below = fields.below(field.as_deref().unwrap_or(key));
                if field.is_some() || !fields.may_have(key) {
                    found.push(UnknownField { path: path.clone(), field });
                }
                if let Some(below) = below {
                    search(value, below, &path, found);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                search(item, fields, &path.then(Segment::Index(index)), found);
            }
        }
        _ => {}
    }
}

/// Returns the name of the field that this key means. No field of these CRDs is in snake case.
fn other_name(key: &str, fields: &Fields) -> Option<String> {
    camel_case(key).filter(|name| fields.may_have(name))
}

/// Returns `alpn_protocols` as `alpnProtocols`. `None` if it is not in snake case.
fn camel_case(key: &str) -> Option<String> {
    let is_snake = key.starts_with(|first: char| first.is_ascii_lowercase())
        && key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let (first, rest) = key.split_once('_').filter(|_| is_snake)?;
    let words = rest.split('_').map(|word| match word.split_at_checked(1) {
        Some((letter, rest)) => letter.to_ascii_uppercase() + rest,
        None => String::new(),
    });
    Some(std::iter::once(first.to_owned()).chain(words).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Kind;
    use crate::model::kinds::{ROUTE_TABLE, SETTINGS, UPSTREAM, VIRTUAL_SERVICE};
    use crate::plan::ssl_config::istio_ssl_config;

    fn object(kind: &'static Kind, spec: &Value) -> Object {
        Object::new(kind, json!({"metadata": {"name": "a"}, "spec": spec}))
    }

    fn shown(kind: &'static Kind, spec: &Value) -> Vec<String> {
        unknown(&object(kind, spec)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_in_snake_case_are_found_with_the_name_of_the_crd() {
        let spec = json!({
            "kube": {"service_name": "cart", "serviceNamespace": "shop", "selector": {"app_name": "x"}},
            "ssl_config": {"alpn_protocols": ["istio"], "sds": {"target_uri": "127.0.0.1:8234"}},
            "static": {"hosts": [{"addr": "a", "sni_addr": "b", "metadata": {"a_b": {}}}]},
        });
        assert_eq!(
            shown(&UPSTREAM, &spec),
            [
                "spec.kube.service_name (serviceName)",
                "spec.ssl_config (sslConfig)",
                "spec.ssl_config.alpn_protocols (alpnProtocols)",
                "spec.ssl_config.sds.target_uri (targetUri)",
                "spec.static.hosts[0].sni_addr (sniAddr)",
            ]
        );
    }

    #[test]
    fn a_field_without_another_name_is_unknown_only_where_all_fields_are_known() {
        assert_eq!(
            shown(&UPSTREAM, &json!({"sslConfig": {"snj": "a"}, "fail_ovr": 1})),
            ["spec.sslConfig.snj", "spec.fail_ovr"]
        );
        assert!(shown(&SETTINGS, &json!({"mine": 1, "gloo": {"mine": 1}})).is_empty());
        assert!(shown(&UPSTREAM, &json!({"kube": {"serviceSpec": {"x_y": 1}}, "consul": {"a_b": 1}})).is_empty());
        assert!(shown(&kinds::POD, &json!({"a_b": 1})).is_empty());
    }

    #[test]
    fn other_kinds_of_gloo_have_old_names_too() {
        let routes =
            json!([{"route_action": {"single": {"upstream": {"name": "a"}}}, "matchers": [{"query_parameters": []}]}]);
        let route = |at: &str| {
            [
                format!("{at}.routes[0].route_action (routeAction)"),
                format!("{at}.routes[0].matchers[0].query_parameters (queryParameters)"),
            ]
        };
        assert_eq!(shown(&ROUTE_TABLE, &json!({"routes": routes})), route("spec"));
        let of_host =
            shown(&VIRTUAL_SERVICE, &json!({"virtual_host": {"routes": routes}, "ssl_config": {"secret_ref": {}}}));
        assert_eq!(of_host[0], "spec.virtual_host (virtualHost)");
        assert_eq!(of_host[1..3], route("spec.virtual_host"));
        assert_eq!(of_host[3..], ["spec.ssl_config (sslConfig)", "spec.ssl_config.secret_ref (secretRef)"]);
        let options = json!({"gloo": {"istio_options": {"enable_auto_mtls": true}}});
        assert_eq!(
            shown(&SETTINGS, &options),
            ["spec.gloo.istio_options (istioOptions)", "spec.gloo.istio_options.enable_auto_mtls (enableAutoMtls)"]
        );
    }

    #[test]
    fn fields_get_the_names_of_the_crd_and_what_has_an_effect_stays() {
        let it = object(
            &UPSTREAM,
            &json!({
                "ssl_config": {"alpn_protocols": ["istio"], "sds": {"target_uri": "a", "targetUri": "b"}, "mine": 1},
            }),
        );
        let after = corrected(&it, &misspelt(&it));
        let config = json!({"alpnProtocols": ["istio"], "sds": {"targetUri": "b"}, "mine": 1});
        assert_eq!(after.value["spec"], json!({"sslConfig": config}));
        let it = object(&UPSTREAM, &json!({"sslConfig": {"alpn_protocols": ["a"], "alpnProtocols": ["b"]}}));
        assert_eq!(corrected(&it, &misspelt(&it)).value["spec"], json!({"sslConfig": {"alpnProtocols": ["b"]}}));
    }

    #[test]
    fn a_text_is_kept_for_its_keys_and_not_for_its_values() {
        for (json, is_kept) in [
            (r#"{"spec":{"ssl_config":{}}}"#, true),
            (r#"{"spec": {"alpn_protocols" : []}}"#, true),
            (r#"{"spec":{"sslConfig":{"sds":{"clusterName":"gateway_proxy_sds"}}}}"#, false),
            (r#"{"metadata":{"labels":{"a/b_c":"x"}}}"#, false),
            ("", false),
        ] {
            assert_eq!(may_be_misspelt(json), is_kept, "{json}");
        }
    }

    #[test]
    fn what_this_program_writes_are_fields() {
        let spec = json!({"sslConfig": istio_ssl_config(), "disableIstioAutoMtls": true});
        assert_eq!(unknown(&object(&UPSTREAM, &spec)), []);
        let options = json!({"gloo": {"istioOptions": {"enableAutoMtls": true, "enableIntegration": true}}});
        assert_eq!(unknown(&object(&SETTINGS, &options)), []);
    }
}
