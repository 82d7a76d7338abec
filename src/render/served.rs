//! The resources that Gloo serves, and how Envoy's differ, as tables and as values.

use serde_json::{Map, Value, json};

use super::diff::Secrets;
use super::table::{Align, table};
use crate::edit::mask;
use crate::gloo::{Project, Resources, ServedDifference, ServedSection, columns, row};

/// The shown form of a served resource: a row for a table, the whole resource for a document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shown {
    Row(Vec<String>),
    Whole(Value),
}

/// The row of a resource for a table.
pub(crate) fn as_row(section: ServedSection, name: &str, item: &Value) -> Shown {
    Shown::Row(row(section, name, item))
}

/// The whole resource for a document.
pub(crate) fn as_value(secrets: Secrets) -> Project<Shown> {
    match secrets {
        Secrets::Shown => |_, _, item| Shown::Whole(item.clone()),
        Secrets::Masked => |_, _, item| Shown::Whole(masked(item)),
    }
}

/// Masks everything that is or may be a secret. Opaque messages (bytes) may contain keys and passwords of any filter.
fn masked(item: &Value) -> Value {
    let mut shown = mask::masked(item);
    cover(&mut shown);
    shown
}

fn cover(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(cover),
        Value::Object(map) => {
            let is_message = map.get("type_url").is_some_and(Value::is_string);
            for (key, inner) in map.iter_mut() {
                match (key.as_str(), inner.as_str()) {
                    ("value", Some(bytes)) if is_message => *inner = covered(bytes),
                    ("InlineBytes" | "inline_bytes", Some(bytes)) => *inner = covered(bytes),
                    // The body of a direct response is not a secret.
                    ("body", _) => {}
                    ("InlineString" | "inline_string", Some(_)) => *inner = mask::MASK.into(),
                    _ => cover(inner),
                }
            }
        }
        _ => {}
    }
}

fn covered(base64: &str) -> Value {
    let bytes = base64.trim_end_matches('=').len() * 3 / 4;
    format!("{} ({bytes} bytes)", mask::MASK).into()
}

/// The tables of the served resources.
#[must_use]
pub(crate) fn lines(all: &[(ServedSection, Resources<Shown>)]) -> Vec<String> {
    let mut lines = Vec::new();
    for (section, resources) in all {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let version = resources.version.as_ref().map(|version| format!(" (version {version})")).unwrap_or_default();
        lines.push(format!("{}{version}", section.name()));
        if resources.items.is_empty() {
            lines.push("none".to_owned());
            continue;
        }
        let is_number = |head: &str| {
            matches!(head, "CHAINS" | "HOSTS" | "ENDPOINTS") || (head == "ROUTES" && *section == ServedSection::Routes)
        };
        let heads = columns(*section).iter();
        let heads: Vec<_> =
            heads.map(|head| (*head, if is_number(head) { Align::Right } else { Align::Left })).collect();
        let rows = resources.items.iter().filter_map(|(_, shown)| match shown {
            Shown::Row(row) => Some(row.clone()),
            Shown::Whole(_) => None,
        });
        lines.extend(table(&heads, &rows.collect::<Vec<_>>()));
    }
    lines
}

/// The served resources for a document.
#[must_use]
pub(crate) fn value(role: &str, all: Vec<(ServedSection, Resources<Shown>)>) -> Value {
    let mut types = Map::new();
    for (section, resources) in all {
        let item = |(name, shown): (String, Shown)| match shown {
            Shown::Row(_) => json!({"name": name}),
            Shown::Whole(resource) => json!({"name": name, "resource": resource}),
        };
        let items: Vec<_> = resources.items.into_iter().map(item).collect();
        types.insert(section.name().to_owned(), json!({"version": resources.version, "items": items}));
    }
    json!({"role": role, "types": types})
}

/// The differences between a pod's Envoy and what Gloo serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServedComparison {
    pub namespace: String,
    pub pod: String,
    pub types: Vec<ServedDifference>,
}

/// The table of a comparison, followed by the differences.
#[must_use]
pub(crate) fn comparison_lines(comparison: &ServedComparison) -> Vec<String> {
    const COLUMNS: [(&str, Align); 4] =
        [("TYPE", Align::Left), ("SERVED", Align::Right), ("ENVOY", Align::Right), ("STATE", Align::Left)];
    let rows = comparison
        .types
        .iter()
        .map(|it| vec![it.section.name().to_owned(), it.served.to_string(), it.loaded.to_string(), state(it)]);
    let mut lines = table(&COLUMNS, &rows.collect::<Vec<_>>());
    for it in &comparison.types {
        let name = it.section.name();
        lines.extend((!it.only_served.is_empty()).then(|| format!("{name} only served: {}", some_of(&it.only_served))));
        lines.extend(
            (!it.only_loaded.is_empty()).then(|| format!("{name} only in Envoy: {}", some_of(&it.only_loaded))),
        );
        for rejected in &it.rejected {
            let at = rejected.at.as_ref().map(|at| format!(" ({at})")).unwrap_or_default();
            let reason = rejected.reason.split_whitespace().collect::<Vec<_>>().join(" ");
            lines.push(format!("{name} rejected by Envoy: {}: {reason}{at}", rejected.name));
        }
    }
    lines
}

fn state(it: &ServedDifference) -> String {
    if !it.is_one() {
        return "same".to_owned();
    }
    let mut parts = Vec::new();
    if let (true, Some(served), Some(loaded)) = (it.is_behind(), &it.served_version, &it.loaded_version) {
        parts.push(format!("version {served} is served, Envoy has {loaded}"));
    }
    let counted = |number: usize, what: &str| (number > 0).then(|| format!("{number} {what}"));
    parts.extend(counted(it.only_served.len(), "only served"));
    parts.extend(counted(it.only_loaded.len(), "only in Envoy"));
    parts.extend(counted(it.rejected.len(), "rejected"));
    parts.join(", ")
}

fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 20;
    match names.len() {
        0..=SHOWN => names.join(", "),
        many => format!("{} and {} more", names[..SHOWN].join(", "), many - SHOWN),
    }
}

/// The comparison for a document.
#[must_use]
pub(crate) fn comparison_value(comparison: &ServedComparison) -> Value {
    let types = comparison.types.iter().map(|it| {
        let rejected = it.rejected.iter().map(|one| json!({"name": one.name, "reason": one.reason, "at": one.at}));
        json!({
            "type": it.section.name(),
            "same": !it.is_one(),
            "servedVersion": it.served_version,
            "envoyVersion": it.loaded_version,
            "served": it.served,
            "envoy": it.loaded,
            "onlyServed": it.only_served,
            "onlyEnvoy": it.only_loaded,
            "rejected": rejected.collect::<Vec<_>>(),
        })
    });
    json!({"namespace": comparison.namespace, "pod": comparison.pod, "types": types.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envoy::state::Rejected;

    fn resources(items: Vec<(&str, Shown)>) -> Resources<Shown> {
        let items = items.into_iter().map(|(name, shown)| (name.to_owned(), shown)).collect();
        Resources { version: Some("7".into()), items }
    }

    #[test]
    fn each_type_has_its_table_and_says_its_version() {
        let cluster = as_row(ServedSection::Clusters, "x_ns", &json!({"ClusterDiscoveryType": {"Type": 3}}));
        let all = [
            (ServedSection::Clusters, resources(vec![("x_ns", cluster)])),
            (ServedSection::Endpoints, Resources::default()),
        ];
        assert_eq!(lines(&all), ["clusters (version 7)", "NAME  TYPE  TLS", "x_ns  eds   -", "", "endpoints", "none"]);
    }

    #[test]
    fn what_may_be_a_secret_is_covered_and_shown_when_asked_for() {
        let item = json!({
            "name": "x_ns",
            "typed_config": {"type_url": "type.googleapis.com/x", "value": "QUJDREVG"},
            "key": {"Specifier": {"InlineBytes": "QUJD"}},
            "password": {"InlineString": "hunter2"},
            "DirectResponse": {"body": {"Specifier": {"InlineString": "hello"}}},
            "metadata": {"value": "shown"},
        });
        let Shown::Whole(shown) = as_value(Secrets::Masked)(ServedSection::Clusters, "x_ns", &item) else { panic!() };
        assert_eq!(shown["typed_config"]["value"], "*** (6 bytes)");
        assert_eq!(shown["key"]["Specifier"]["InlineBytes"], "*** (3 bytes)");
        assert_eq!(shown["password"]["InlineString"], "***");
        assert_eq!(shown["DirectResponse"]["body"]["Specifier"]["InlineString"], "hello");
        assert_eq!(shown["metadata"]["value"], "shown");
        assert_eq!(as_value(Secrets::Shown)(ServedSection::Clusters, "x_ns", &item), Shown::Whole(item));
    }

    #[test]
    fn a_comparison_says_what_is_different_and_envoys_reason() {
        let same = ServedDifference {
            section: ServedSection::Routes,
            served: 1,
            loaded: 1,
            served_version: Some("5".into()),
            loaded_version: None,
            only_served: Vec::new(),
            only_loaded: Vec::new(),
            rejected: Vec::new(),
        };
        let rejected =
            Rejected { name: "l".into(), reason: "no such\nfilter".into(), at: Some("2026-01-01T00:00:00Z".into()) };
        let other = ServedDifference {
            section: ServedSection::Listeners,
            loaded: 0,
            loaded_version: Some("4".into()),
            only_served: vec!["l".into()],
            rejected: vec![rejected],
            ..same.clone()
        };
        let comparison = ServedComparison { namespace: "ns".into(), pod: "p".into(), types: vec![other, same] };
        assert_eq!(
            comparison_lines(&comparison),
            [
                "TYPE       SERVED  ENVOY  STATE",
                "listeners       1      0  version 5 is served, Envoy has 4, 1 only served, 1 rejected",
                "routes          1      1  same",
                "listeners only served: l",
                "listeners rejected by Envoy: l: no such filter (2026-01-01T00:00:00Z)",
            ]
        );
        assert_eq!(comparison_value(&comparison)["types"][0]["rejected"][0]["reason"], "no such\nfilter");
    }
}
