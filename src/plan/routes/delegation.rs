//! Flattens a `VirtualService` and the `RouteTables` it delegates to into one list of routes, in the order in which
//! Envoy tries them.
//!
//! Like Gloo's `routeVisitor` (`projects/gateway/pkg/translator/converter.go`): depth first. A table that does not fit
//! its parent's matcher is left out, and so is a delegation that leads nowhere or in a circle.

use std::collections::BTreeMap;

use serde_json::Value;

use super::matcher::{Matcher, Path};
use super::target::RouteAction;
use super::{LeftOut, Route, Routing, WhyLeftOut, full_name, is_named, list, order, select, text};
use crate::model::{Object, ObjectRef};

/// The maximum number of routes. Tables with wide selectors can select each other and produce more routes than any
/// gateway serves.
const MOST_ROUTES: usize = 50_000;

/// The flattened routes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Flat {
    pub routes: Vec<Route>,
    pub left_out: Vec<LeftOut>,
}

/// Flattens the routes of a `VirtualService`.
pub(crate) fn flatten(virtual_service: &Object, routing: &Routing<'_>) -> Flat {
    let mut walk = Walk { routing, visited: Vec::new(), made: 0, left_out: Vec::new() };
    let routes = walk.visit(virtual_service, &virtual_service.value["spec"]["virtualHost"], "virtualservice", None);
    Flat { routes, left_out: walk.left_out }
}

struct Walk<'r> {
    routing: &'r Routing<'r>,
    /// The tables on the path to the current one.
    visited: Vec<ObjectRef>,
    made: usize,
    left_out: Vec<LeftOut>,
}

/// What a delegating route passes to its tables.
struct Parent {
    matcher: Matcher,
    trail: Vec<String>,
    hands_down_path: bool,
    hands_down_rest: bool,
}

impl Walk<'_> {
    fn visit(&mut self, object: &Object, holder: &Value, kind: &str, parent: Option<&Parent>) -> Vec<Route> {
        let home = &object.reference.namespace;
        let mut routes = Vec::new();
        for (index, route) in list(holder, "routes").iter().enumerate() {
            let mut trail = parent.map_or_else(Vec::new, |parent| parent.trail.clone());
            trail.push(format!("{kind} {} route {}", full_name(object), index + 1));
            match self.one(route, home, &trail, parent) {
                Ok(found) => routes.extend(found),
                Err((matchers, why)) => {
                    let holder = object.reference.clone();
                    self.left_out.push(LeftOut { holder, trail, matchers, why });
                }
            }
        }
        routes
    }

    /// Returns the routes of one entry. The error has the matchers of the entry and why it produces no route.
    fn one(
        &mut self,
        route: &Value,
        home: &str,
        trail: &[String],
        parent: Option<&Parent>,
    ) -> Result<Vec<Route>, (Vec<Matcher>, WhyLeftOut)> {
        self.made += 1;
        let (matchers, hands_down_path, hands_down_rest) = inherited(route, parent);
        let left_out = |why| (if matchers.is_empty() { vec![Matcher::any()] } else { matchers.clone() }, why);
        let refused = |why| left_out(WhyLeftOut::Refused(why));
        if self.made > MOST_ROUTES {
            return Err(refused(format!("more than {MOST_ROUTES} routes by delegation")));
        }
        if let Some(parent) = parent {
            against(&parent.matcher, &matchers).map_err(refused)?;
        }
        let delegate = &route["delegateAction"];
        if !delegate.is_object() {
            let Some(action) = RouteAction::of_gloo(route, home, self.routing.upstream_groups) else {
                return Err(refused("it has no action".into()));
            };
            let matchers = if matchers.is_empty() { vec![Matcher::any()] } else { matchers };
            return Ok(vec![Route { trail: trail.to_vec(), matchers, action }]);
        }
        let matcher = delegating(&matchers).map_err(refused)?;
        let tables =
            tables(delegate, home, self.routing.route_tables).map_err(|why| left_out(WhyLeftOut::LeadsNowhere(why)))?;
        let parent = Parent { matcher, trail: trail.to_vec(), hands_down_path, hands_down_rest };
        Ok(self.tables(tables, &parent))
    }

    /// Flattens the tables. Tables with lower weight come first. The routes of tables with the same weight are sorted
    /// together.
    fn tables(&mut self, tables: Vec<&Object>, parent: &Parent) -> Vec<Route> {
        let mut by_weight: BTreeMap<i64, Vec<&Object>> = BTreeMap::new();
        for table in tables {
            by_weight.entry(table.value["spec"]["weight"].as_i64().unwrap_or_default()).or_default().push(table);
        }
        let mut routes = Vec::new();
        for tables in by_weight.into_values() {
            let mut of_weight: Vec<Route> = Vec::new();
            for table in &tables {
                if self.visited.contains(&table.reference) {
                    let why = format!("route table {} is already part of this chain: a cycle", full_name(table));
                    let (holder, trail) = (table.reference.clone(), parent.trail.clone());
                    let (matchers, why) = (vec![parent.matcher.clone()], WhyLeftOut::LeadsNowhere(why));
                    self.left_out.push(LeftOut { holder, trail, matchers, why });
                    continue;
                }
                self.visited.push(table.reference.clone());
                of_weight.extend(self.visit(table, &table.value["spec"], "routetable", Some(parent)));
                self.visited.pop();
            }
            if tables.len() > 1 {
                order::sort_by_path(&mut of_weight);
            }
            routes.extend(of_weight);
        }
        routes
    }
}

/// Returns a route's matchers combined with what its parent passes down, and whether it passes down its own path and
/// other matchers.
fn inherited(route: &Value, parent: Option<&Parent>) -> (Vec<Matcher>, bool, bool) {
    let mut matchers: Vec<_> = list(route, "matchers").iter().map(Matcher::of_gloo).collect();
    let says = |key: &str, otherwise: Option<bool>| route[key].as_bool().or(otherwise).unwrap_or_default();
    let takes_path = says("inheritablePathMatchers", parent.map(|parent| parent.hands_down_path));
    let takes_rest = says("inheritableMatchers", parent.map(|parent| parent.hands_down_rest));
    let Some(Parent { matcher: above, .. }) = parent else { return (matchers, takes_path, takes_rest) };
    if takes_path {
        if matchers.is_empty() {
            matchers.push(Matcher::default());
        }
        for matcher in &mut matchers {
            matcher.path.clone_from(&above.path);
            matcher.case_sensitive = above.case_sensitive;
        }
    }
    if matchers.is_empty() {
        matchers.push(Matcher::any());
    }
    if takes_rest {
        for matcher in &mut matchers {
            matcher.headers.splice(0..0, above.headers.iter().cloned());
            matcher.query.splice(0..0, above.query.iter().cloned());
            matcher.methods.splice(0..0, above.methods.iter().cloned());
        }
    }
    (matchers, takes_path, takes_rest)
}

/// Returns the one matcher of a delegating route.
fn delegating(matchers: &[Matcher]) -> Result<Matcher, String> {
    match matchers {
        [] => Ok(Matcher::any()),
        [matcher] if matcher.path.is_none() => Ok(Matcher::any()),
        [matcher] => match &matcher.path {
            Some(Path::Prefix(prefix)) if !prefix.is_empty() => Ok(matcher.clone()),
            _ => Err("a route that delegates has to have a prefix matcher".into()),
        },
        _ => Err("a route that delegates has to have one matcher at most".into()),
    }
}

/// Returns why Gloo would leave out a delegated route: it must require everything that its parent requires.
fn against(parent: &Matcher, matchers: &[Matcher]) -> Result<(), String> {
    for matcher in matchers {
        let (prefix, path) = (parent.path_text(), matcher.path_text());
        if !path.starts_with(prefix) {
            return Err(format!("its path {path} does not begin with {prefix}, its parent's prefix"));
        }
        if matcher.case_sensitive != parent.case_sensitive {
            return Err("caseSensitive is not its parent's".into());
        }
        if !parent.headers.iter().all(|header| matcher.headers.contains(header)) {
            return Err("it lacks a header of its parent's matcher".into());
        }
        if !parent.query.iter().all(|query| matcher.query.contains(query)) {
            return Err("it lacks a query parameter of its parent's matcher".into());
        }
        if !parent.methods.iter().all(|method| matcher.methods.contains(method)) {
            return Err("it lacks a method of its parent's matcher".into());
        }
    }
    Ok(())
}

/// Returns whether the selector of a delegation, in an object of the namespace `home`, selects a table. A selector that
/// Gloo rejects selects none.
pub(crate) fn is_selected(selector: &Value, home: &str, table: &Object) -> bool {
    selects(selector, home, table).unwrap_or_default()
}

fn selects(selector: &Value, home: &str, table: &Object) -> Result<bool, String> {
    let is_here = select::is_in(table, list(selector, "namespaces"), |own| own == home);
    let has_labels = is_here && select::has_labels(table, &selector["labels"]);
    Ok(has_labels && select::meets(table, list(selector, "expressions"))?)
}

/// Returns the tables that a delegation leads to, in the order of their names.
fn tables<'v>(delegate: &Value, home: &str, all: &'v [Object]) -> Result<Vec<&'v Object>, String> {
    // The older form has the name in the action itself.
    let older = !text(delegate, "name").is_empty() || !text(delegate, "namespace").is_empty();
    let reference = if older { delegate } else { &delegate["ref"] };
    if reference.is_object() {
        let (of, called) = (text(reference, "namespace"), text(reference, "name"));
        let table = all.iter().find(|table| is_named(table, of, called));
        return table.map(|table| vec![table]).ok_or_else(|| format!("route table {of}/{called} is not there"));
    }
    let selector = &delegate["selector"];
    if !selector.is_object() {
        return Err("it names no route table".into());
    }
    let expressions = list(selector, "expressions");
    if !expressions.is_empty() && selector["labels"].as_object().is_some_and(|labels| !labels.is_empty()) {
        return Err("its selector has both labels and expressions".into());
    }
    let mut found = Vec::new();
    for table in all {
        if selects(selector, home, table)? {
            found.push(table);
        }
    }
    found.sort_unstable_by_key(|table| (&table.reference.namespace, &table.reference.name));
    if found.is_empty() { Err("no route table has the labels it selects".into()) } else { Ok(found) }
}
