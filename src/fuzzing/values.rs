//! Helm values in a file or in a manifest: adding and removing Istio's settings restores the bytes. If they were added
//! to an empty map or a null, that is gone afterwards, and everything else is unchanged.

use super::text;
use crate::edit::{json, values as text_of};
use crate::model::FieldPath;
use crate::plan::sidecars::Flags;
use crate::plan::values::{Chart, ChartVersion, ChartWish, NamedChart, ValuesWish, choose, merge, remove};
use serde_json::{Value, json};

fn flags() -> Flags {
    let set = |text: &str| Some(text.to_owned());
    Flags {
        discovery_address: set("istiod.istio-system.svc:15012"),
        mesh_id: set("cluster.local"),
        cluster_id: set("Kubernetes"),
        proxy_image: set("docker.io/istio/proxyv2:1.28.3"),
        ..Flags::default()
    }
}

pub(super) fn run(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let _ = text_of::masked(text);
    let Ok(found) = text_of::find(text) else { return };
    for (at, one) in found.iter().enumerate() {
        let named = NamedChart {
            name: one.chart.clone().unwrap_or_default(),
            version: one.version.clone(),
            ..NamedChart::default()
        };
        let Ok(choice) = choose(&one.values, &[named], ChartWish::default()) else { continue };
        let version = choice.version.as_deref().and_then(ChartVersion::parse);
        let defaults = json!({"gatewayProxies": {"gatewayProxy": {}}});
        let chart = Chart { edition: choice.edition, below: None, version, defaults };
        let wish = ValuesWish::default();
        let Ok(plan) = merge(&one.values, &chart, &wish, &flags(), &[]) else { continue };
        let Ok(edited) = text_of::edit(text, one, &plan.edits) else { continue };
        let planned = json::apply(&one.values, &plan.edits).expect("what was edited in a text can be in its value");
        let again = text_of::find(&edited).expect("what was edited is read");
        assert_eq!(again.len(), found.len(), "{edited}");
        assert_eq!(again[at].values, planned, "{edited}");
        // Nothing marks the settings that existed before, so the removal removes them as well.
        let had_some = remove(&one.values, &chart, &wish, None).map_or(true, |plan| !plan.is_empty());
        let had_others = plan.changes.iter().any(|change| change.path.get(&one.values).is_some());
        if had_some || had_others || chart.has_istio(&one.values) || one.has_header() {
            continue;
        }
        let back = remove(&planned, &chart, &wish, None).expect("no proxy was named");
        let back = text_of::edit(&edited, &again[at], &back.edits).expect("what was put in can be taken out");
        let is_filled = |path: &FieldPath| path.get(&one.values).is_some_and(is_nothing);
        let filled_below = plan.changes.iter().any(|change| maps_above(&change.path).any(|map| is_filled(&map)));
        if filled_below || (one.object.is_some() && is_nothing(&one.values)) {
            let left = text_of::find(&back).expect("what was taken out of is read");
            assert_eq!(without_nothings(&left[at].values), without_nothings(&one.values), "{edited}");
        } else {
            assert_eq!(back, text, "{edited}");
        }
    }
}

/// The maps on the path to a value, without the outermost one.
fn maps_above(path: &FieldPath) -> impl Iterator<Item = FieldPath> {
    std::iter::successors(path.parent(), FieldPath::parent).filter(|map| !map.segments().is_empty())
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty)
}

/// The value without nulls and empty maps, and without those that become empty; `None` if it is empty itself.
fn without_nothings(value: &Value) -> Option<Value> {
    let Value::Object(map) = value else { return Some(value.clone()).filter(|value| !value.is_null()) };
    let kept: serde_json::Map<_, _> =
        map.iter().filter_map(|(key, value)| Some((key.clone(), without_nothings(value)?))).collect();
    (!kept.is_empty()).then_some(Value::Object(kept))
}
