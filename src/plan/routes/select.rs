//! What a Gateway or a route selects: labels, expressions, namespaces, as Gloo evaluates them.

use serde_json::Value;

use super::{is_named, list, text};
use crate::model::Object;
use crate::plan::labels::{labels, selects};

/// Returns whether an object has all these labels.
pub(crate) fn has_labels(object: &Object, wanted: &Value) -> bool {
    selects(&labels(wanted), &object.value["metadata"]["labels"])
}

/// Returns whether an object meets every expression.
///
/// # Errors
/// An expression that Gloo rejects. Then the whole selection is invalid.
pub(crate) fn meets(object: &Object, expressions: &[Value]) -> Result<bool, String> {
    let mut all = true;
    for expression in expressions {
        all &= meets_one(&object.value["metadata"]["labels"], expression)?;
    }
    Ok(all)
}

fn meets_one(labels: &Value, expression: &Value) -> Result<bool, String> {
    let key = text(expression, "key");
    let values: Vec<_> = list(expression, "values").iter().filter_map(Value::as_str).collect();
    let label = labels[key].as_str();
    let is_one = label.is_some_and(|label| values.contains(&label));
    let number = || Some((label?.parse::<i64>().ok()?, values.first()?.parse::<i64>().ok()?));
    // The operators of Gloo, and those of Kubernetes for the namespace selectors of the Gateway API.
    match text(expression, "operator") {
        "Equals" | "=" | "" | "DoubleEquals" | "==" | "In" | "in" => Ok(is_one),
        "NotEquals" | "!=" | "NotIn" | "notin" => Ok(!is_one),
        "Exists" | "exists" => Ok(label.is_some()),
        "DoesNotExist" | "!" => Ok(label.is_none()),
        "GreaterThan" | "gt" => Ok(number().is_some_and(|(label, value)| label > value)),
        "LessThan" | "lt" => Ok(number().is_some_and(|(label, value)| label < value)),
        other => Err(format!("selector expression with operator {other:?}")),
    }
}

/// Returns whether an object's namespace is in a list. `*` means all. `otherwise` is called for an empty list.
pub(crate) fn is_in(object: &Object, namespaces: &[Value], otherwise: impl FnOnce(&str) -> bool) -> bool {
    let own = object.reference.namespace.as_str();
    if namespaces.is_empty() {
        return otherwise(own);
    }
    namespaces.iter().any(|namespace| *namespace == "*" || *namespace == *own)
}

/// Returns whether an HTTP gateway serves a `VirtualService` (Gloo, `HttpGatewayContainsVirtualService`): by
/// expressions, otherwise by labels, otherwise by name, otherwise all in its namespaces. Both must have TLS or both
/// must not.
///
/// # Errors
/// As [`meets`].
pub(crate) fn serves(http_gateway: &Value, virtual_service: &Object, ssl: bool) -> Result<bool, String> {
    if ssl != virtual_service.value["spec"]["sslConfig"].is_object() {
        return Ok(false);
    }
    let is_here = is_in(virtual_service, list(http_gateway, "virtualServiceNamespaces"), |_| true);
    if http_gateway["virtualServiceExpressions"].is_object() {
        let expressions = list(&http_gateway["virtualServiceExpressions"], "expressions");
        return Ok(meets(virtual_service, expressions)? && is_here);
    }
    if http_gateway["virtualServiceSelector"].as_object().is_some_and(|labels| !labels.is_empty()) {
        return Ok(has_labels(virtual_service, &http_gateway["virtualServiceSelector"]) && is_here);
    }
    let named = list(http_gateway, "virtualServices");
    if named.is_empty() {
        return Ok(is_here);
    }
    let is_it = |reference: &Value| is_named(virtual_service, text(reference, "namespace"), text(reference, "name"));
    Ok(named.iter().any(is_it))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::kinds::VIRTUAL_SERVICE;

    fn service(spec: &Value) -> Object {
        let metadata = json!({"name": "v", "namespace": "shop", "labels": {"team": "a", "rank": "3"}});
        Object::new(&VIRTUAL_SERVICE, json!({"metadata": metadata, "spec": spec}))
    }

    #[test]
    fn a_gateway_serves_what_it_selects() {
        let plain = service(&json!({}));
        let table = [
            (json!({}), true),
            (json!({"virtualServiceNamespaces": ["shop"]}), true),
            (json!({"virtualServiceNamespaces": ["*"]}), true),
            (json!({"virtualServiceNamespaces": ["other"]}), false),
            (json!({"virtualServiceSelector": {"team": "a"}}), true),
            (json!({"virtualServiceSelector": {"team": "b"}}), false),
            (json!({"virtualServiceSelector": {"team": "a"}, "virtualServiceNamespaces": ["other"]}), false),
            (json!({"virtualServices": [{"name": "v", "namespace": "shop"}]}), true),
            (json!({"virtualServices": [{"name": "v", "namespace": "other"}]}), false),
            (
                json!({"virtualServiceExpressions": {"expressions": [{"key": "team", "operator": "In", "values": ["a", "b"]}]}}),
                true,
            ),
            (
                json!({"virtualServiceExpressions": {"expressions": [{"key": "rank", "operator": "GreaterThan", "values": ["3"]}]}}),
                false,
            ),
            (
                json!({"virtualServiceExpressions": {"expressions": [{"key": "x", "operator": "DoesNotExist"}]},
                    "virtualServiceSelector": {"team": "b"}}),
                true,
            ),
        ];
        for (gateway, wanted) in table {
            assert_eq!(serves(&gateway, &plain, false), Ok(wanted), "{gateway}");
        }
    }

    #[test]
    fn tls_goes_to_tls() {
        let tls = service(&json!({"sslConfig": {}}));
        assert_eq!(serves(&json!({}), &tls, false), Ok(false));
        assert_eq!(serves(&json!({}), &tls, true), Ok(true));
    }

    #[test]
    fn an_operator_that_is_not_known_voids_the_selection() {
        let gateway = json!({"virtualServiceExpressions": {"expressions": [{"key": "a", "operator": "Like"}]}});
        assert!(serves(&gateway, &service(&json!({})), false).is_err());
    }
}
