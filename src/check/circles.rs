//! Finds cycles in delegations. Gloo accepts no route of such a cycle.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Finding, Look, codes};
use crate::model::{Object, kinds};
use crate::plan::destinations::{self, DestinationTarget};
use crate::plan::labels::{labels, selects};

type Name = (String, String);

/// One finding for each cycle, at its first `RouteTable` by name.
pub(super) fn find(look: &Look<'_>) -> Vec<Finding> {
    let mut tables = look.watched(&kinds::ROUTE_TABLE);
    // A cluster lists them in this order, but files may not.
    tables.sort_unstable_by_key(|table| (&table.reference.namespace, &table.reference.name));
    let name = |namespace: &str, name: &str| (namespace.to_owned(), name.to_owned());
    let mut leads: BTreeMap<Name, BTreeSet<Name>> = BTreeMap::new();
    for table in &tables {
        let own = &table.reference;
        let reached = leads.entry(name(&own.namespace, &own.name)).or_default();
        for destination in destinations::read(table) {
            match &destination.target {
                // A delegation without a namespace has no target, because Gloo sets no default.
                DestinationTarget::RouteTable { namespace, name: to } => {
                    reached.insert(name(namespace, to));
                }
                DestinationTarget::Selected { selector } => {
                    let chosen = tables.iter().filter(|it| selected(selector, &own.namespace, it));
                    reached.extend(chosen.map(|it| name(&it.reference.namespace, &it.reference.name)));
                }
                _ => {}
            }
        }
    }
    let mut told: BTreeSet<Name> = BTreeSet::new();
    let mut found = Vec::new();
    for table in &tables {
        let start = name(&table.reference.namespace, &table.reference.name);
        if told.contains(&start) {
            continue;
        }
        let Some(circle) = way_back(&leads, &start) else { continue };
        let way: Vec<_> =
            circle.iter().chain([&start]).map(|(namespace, name)| format!("{namespace}/{name}")).collect();
        let message = format!("delegates in a loop: {}", way.join(" -> "));
        found.push(Finding::new(&codes::CIRCLE, &table.reference, message));
        told.extend(circle);
    }
    found
}

/// Whether a delegation by labels, in an object of the namespace `home`, selects a `RouteTable`. A selector with
/// expressions, which are not evaluated, counts as selecting none.
pub(super) fn selected(selector: &Value, home: &str, table: &Object) -> bool {
    let namespaces: Vec<&str> =
        selector["namespaces"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let is_in = match namespaces[..] {
        [] => table.reference.namespace == home,
        _ => namespaces.contains(&"*") || namespaces.contains(&table.reference.namespace.as_str()),
    };
    is_in
        && selector["expressions"].is_null()
        && selects(&labels(&selector["labels"]), &table.value["metadata"]["labels"])
}

/// The tables on the shortest path from one back to itself, starting with itself.
fn way_back(leads: &BTreeMap<Name, BTreeSet<Name>>, start: &Name) -> Option<Vec<Name>> {
    let mut ways = std::collections::VecDeque::from([vec![start.clone()]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in leads.get(way.last()?).into_iter().flatten() {
            if next == start {
                return Some(way);
            }
            if seen.insert(next.clone()) {
                ways.push_back(way.iter().chain([next]).cloned().collect());
            }
        }
    }
    None
}
