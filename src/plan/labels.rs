//! Labels, and which pods the selector of a Service or a workload selects.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

/// Returns the string members of an object as a label map.
pub(crate) fn labels(value: &Value) -> BTreeMap<String, String> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// Returns the selector of a Deployment or a `DaemonSet` in the syntax of the API server.
pub(crate) fn workload_selector(workload: &Value) -> String {
    let selector = &workload["spec"]["selector"];
    let equal = labels(&selector["matchLabels"]).into_iter().map(|(key, value)| format!("{key}={value}"));
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten().filter_map(requirement);
    equal.chain(expressions).collect::<Vec<_>>().join(",")
}

/// Returns one item of `matchExpressions` as text: `tier in (a,b)`, `!tier`.
fn requirement(expression: &Value) -> Option<String> {
    let key = expression["key"].as_str()?;
    let values: Vec<_> = expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let values = values.join(",");
    Some(match expression["operator"].as_str()? {
        "In" => format!("{key} in ({values})"),
        "NotIn" => format!("{key} notin ({values})"),
        "Exists" => key.to_owned(),
        "DoesNotExist" => format!("!{key}"),
        _ => return None,
    })
}

/// Returns whether the selector selects a pod with these labels.
pub(crate) fn selects(selector: &BTreeMap<String, String>, pod_labels: &Value) -> bool {
    selector.iter().all(|(key, value)| pod_labels[key] == **value)
}

/// The labels that a pod must have, all of them. If a key has two values, no pod matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PodSelector(BTreeSet<(String, String)>);

impl PodSelector {
    /// Combines the selectors of a Service and an Upstream: Gloo narrows the Service's endpoints by
    /// `spec.kube.selector`. `None` if the Service has no selector (its endpoints are maintained manually).
    pub(crate) fn from_service(service: &Value, narrowed: &BTreeMap<String, String>) -> Option<Self> {
        let of_service = labels(&service["spec"]["selector"]);
        let has_any = !of_service.is_empty();
        let narrowed = narrowed.iter().map(|(key, value)| (key.clone(), value.clone()));
        has_any.then(|| Self(of_service.into_iter().chain(narrowed).collect()))
    }

    /// Returns the key and value of each label.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Returns whether a pod with these labels is selected.
    pub(crate) fn selects(&self, pod_labels: &Value) -> bool {
        self.pairs().all(|(key, value)| pod_labels[key] == *value)
    }
}

impl fmt::Display for PodSelector {
    /// Writes the syntax of the API server: `app=a,version=v2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<_> = self.pairs().map(|(key, value)| format!("{key}={value}")).collect();
        f.write_str(&pairs.join(","))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_workload_may_select_its_pods_by_expressions() {
        let selector = |selector: Value| workload_selector(&json!({"spec": {"selector": selector}}));
        assert_eq!(selector(json!({"matchLabels": {"app": "a", "tier": "web"}})), "app=a,tier=web");
        let expressions = json!([
            {"key": "tier", "operator": "In", "values": ["web", "api"]},
            {"key": "old", "operator": "NotIn", "values": ["yes"]},
            {"key": "app", "operator": "Exists"},
            {"key": "canary", "operator": "DoesNotExist"},
        ]);
        let text = selector(json!({"matchExpressions": expressions}));
        assert_eq!(text, "tier in (web,api),old notin (yes),app,!canary");
        let read = crate::model::Selector::parse(&text).unwrap();
        assert!(read.matches(&json!({"tier": "api", "app": "x"})) && !read.matches(&json!({"tier": "db", "app": "x"})));
    }

    #[test]
    fn an_upstreams_selector_narrows_the_services() {
        let service = json!({"spec": {"selector": {"app": "a"}}});
        let narrowed = BTreeMap::from([("version".to_owned(), "v2".to_owned())]);
        let selector = PodSelector::from_service(&service, &narrowed).unwrap();
        assert!(selector.selects(&json!({"app": "a", "version": "v2", "x": "y"})));
        assert!(!selector.selects(&json!({"app": "a"})));
        assert_eq!(selector.to_string(), "app=a,version=v2");
        assert_eq!(PodSelector::from_service(&json!({"spec": {}}), &narrowed), None);
        // The Service's selector was changed after Gloo discovered the Service.
        let other = PodSelector::from_service(&service, &BTreeMap::from([("app".to_owned(), "b".to_owned())])).unwrap();
        assert!(!other.selects(&json!({"app": "a"})) && !other.selects(&json!({"app": "b"})));
    }
}
