//! Values that another tool fills in before Helm reads them: what they are then is unknown.

use serde_json::Value;

use super::Chart;
use super::proxies::{settings, switches_of_proxies};
use crate::edit::values::{has_template_key, is_template};
use crate::model::{FieldPath, Segment};

/// Returns the paths of Istio's settings, and of the switches of the gateways, whose value is unknown: it, a map around
/// it, or a key beside it is a template.
pub(crate) fn templated(values: &Value, chart: &Chart) -> Vec<FieldPath> {
    let all = settings(values, chart).into_iter().chain(switches_of_proxies(values, chart));
    let mut found: Vec<FieldPath> = Vec::new();
    for at in all.filter_map(|path| template_on_the_way(values, &path)) {
        if !found.contains(&at) {
            found.push(at);
        }
    }
    found
}

/// The template that decides the value at this path: that value, or a map on the way to it.
fn template_on_the_way(values: &Value, path: &FieldPath) -> Option<FieldPath> {
    let mut at = values;
    let mut way = FieldPath::root();
    for segment in path.segments() {
        let Segment::Key(key) = segment else { return None };
        if at.as_str().is_some_and(is_template) {
            return Some(way);
        }
        match at.get(key) {
            Some(next) => (at, way) = (next, way.then(segment.clone())),
            None => return has_template_key(at).then_some(way),
        }
    }
    at.as_str().is_some_and(is_template).then_some(way)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::values::Edition;

    #[test]
    fn a_template_anywhere_on_the_way_is_an_unknown_value() {
        let chart = Chart { edition: Edition::OpenSource, below: None, version: None, defaults: Value::Null };
        let table = [
            (
                json!({"global": {"istioIntegration": {"enabled": true, "enableAutoMtls": "{{ .mtls }}"}}}),
                vec!["global.istioIntegration.enableAutoMtls"],
            ),
            (json!({"global": {"istioIntegration": "{{ .istio | toJson }}"}}), vec!["global.istioIntegration"]),
            (json!({"global": "${global}"}), vec!["global"]),
            (
                json!({"gatewayProxies": {"gatewayProxy": {"istioDiscoveryAddress": "istiod-${REVISION}.istio-system.svc:15012"}}}),
                vec!["gatewayProxies.gatewayProxy.istioDiscoveryAddress"],
            ),
            (
                json!({"gatewayProxies": {"gatewayProxy": {"disabled": "${off}"}}}),
                vec!["gatewayProxies.gatewayProxy.disabled"],
            ),
            (json!({"gatewayProxies": {"{{ .proxy }}": {}}}), vec!["gatewayProxies", "gatewayProxies.{{ .proxy }}"]),
            (json!({"kubeGateway": {"enabled": "{{ .api }}"}}), vec!["kubeGateway.enabled"]),
            (json!({"global": {"image": {"tag": "${TAG}"}}, "mine": "{{ .x }}"}), vec![]),
            (
                json!({"global": {"istioIntegration": {"enabled": true}}, "gatewayProxies": {"a": {"x": "{{ }}"}}}),
                vec![],
            ),
        ];
        for (values, wanted) in table {
            let found: Vec<_> = templated(&values, &chart).iter().map(ToString::to_string).collect();
            assert_eq!(found.first().map(String::as_str), wanted.first().copied(), "{values}: {found:?}");
        }
    }
}
