//! Helm values in a file or in a manifest: adding and removing Istio's settings restores the bytes. If they were added
//! to an empty map or a null, that is gone afterwards, and everything else is unchanged.

use super::text;
use crate::edit::values::{self as text_of, NamedText, ValuesHome};
use crate::edit::{Edit, json};
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
    for at in 0..homes(text).len() {
        one(text, at);
    }
}

/// The homes of a text, or the values file that it is.
fn homes(text: &str) -> Vec<ValuesHome> {
    let texts = [NamedText { name: "values.yaml", text }];
    let found = text_of::find(&texts, texts.len());
    match found.homes.is_empty() && found.refused.is_empty() && found.broken.is_empty() {
        true => text_of::of_files(&texts, &found.plain).into_iter().collect(),
        false => found.homes,
    }
}

/// The text after edits of the values of its home at this index. `None` if they are refused.
fn edited(text: &str, at: usize, edits: &[Edit]) -> Option<String> {
    let home = homes(text).into_iter().nth(at).expect("the home is there");
    let placed = text_of::placed(&home.sources, edits).ok()?;
    let changed = text_of::edited(&[text], &home.sources, &placed).ok()?;
    Some(changed.into_iter().next().map_or_else(|| text.to_owned(), |(_, new)| new))
}

fn one(text: &str, at: usize) {
    let found = homes(text);
    let one = &found[at];
    let before = text_of::merged(&one.sources);
    let named = NamedChart {
        name: one.chart.name.clone().unwrap_or_default(),
        version: one.chart.version.clone(),
        ..NamedChart::default()
    };
    let Ok(choice) = choose(&before, &[named], ChartWish::default()) else { return };
    let version = choice.version.as_deref().and_then(ChartVersion::parse);
    let defaults = json!({"gatewayProxies": {"gatewayProxy": {}}});
    let chart = Chart { edition: choice.edition, below: None, version, defaults };
    let wish = ValuesWish::default();
    let Ok(plan) = merge(&before, &chart, &wish, &flags(), &[]) else { return };
    let Some(after) = edited(text, at, &plan.edits) else { return };
    let planned = json::apply(&before, &plan.edits).expect("what was edited in a text can be in its value");
    let again = homes(&after);
    assert_eq!(again.len(), found.len(), "{after}");
    let is_nothing_at_all = is_nothing(&planned) && is_nothing(&text_of::merged(&again[at].sources));
    assert!(is_nothing_at_all || text_of::merged(&again[at].sources) == planned, "{after}");
    // Nothing marks the settings that existed before, so the removal removes them as well.
    let had_some = remove(&before, &chart, &wish, None).map_or(true, |plan| !plan.is_empty());
    let had_others = plan.changes.iter().any(|change| change.path.get(&before).is_some());
    let is_single = one.sources.iter().filter(|source| source.may_set_values()).count() < 2;
    if had_some || had_others || chart.has_istio(&before) || text_of::has_header(text) || !is_single {
        return;
    }
    let back = remove(&planned, &chart, &wish, None).expect("no proxy was named");
    let back = edited(&after, at, &back.edits).expect("what was put in can be taken out");
    let is_filled = |path: &FieldPath| path.get(&before).is_some_and(is_nothing);
    let filled_below = plan.changes.iter().any(|change| maps_above(&change.path).any(|map| is_filled(&map)));
    if filled_below || (one.name.is_some() && is_nothing(&before)) {
        let left = text_of::merged(&homes(&back)[at].sources);
        assert_eq!(without_nothings(&left), without_nothings(&before), "{after}");
    } else {
        assert_eq!(back, text, "{after}");
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
