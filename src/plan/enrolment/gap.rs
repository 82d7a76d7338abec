//! The expected downtime of a rolling restart. It evicts no pods, so no `PodDisruptionBudget` prevents it.

use serde_json::Value;

use crate::model::{Object, kinds};
use crate::plan::labels::{labels, selects};

/// Returns how the restart of the workload interrupts requests. `None` if enough pods serve all the time.
pub(crate) fn find(workload: &Object, budgets: &[Value]) -> Option<String> {
    let (down, all) = (unavailable(workload), replicas(workload));
    if down == 0 || all == 0 {
        return None;
    }
    let how = if workload.value["spec"]["strategy"]["type"] == "Recreate" { " (Recreate)" } else { "" };
    if down >= all {
        let what = if all == 1 { "its only pod".to_owned() } else { format!("all {all} pods at once") };
        return Some(format!("{what}{how}"));
    }
    let budget = budgets.iter().filter(|budget| covers(budget, workload)).find(|budget| allowed(budget) < down)?;
    let name = budget["metadata"]["name"].as_str().unwrap_or_default();
    Some(format!("{down} of {all} pods at once, PodDisruptionBudget {name} allows {}", allowed(budget)))
}

/// Returns the desired number of pods.
fn replicas(workload: &Object) -> u64 {
    let number = match workload.reference.kind == &kinds::DAEMON_SET {
        true => workload.value["status"]["desiredNumberScheduled"].as_u64(),
        false => workload.value["spec"]["replicas"].as_u64(),
    };
    number.unwrap_or(1)
}

/// Returns how many of its pods are down at once, by its own strategy (Kubernetes, `ResolveFenceposts`).
fn unavailable(workload: &Object) -> u64 {
    let all = replicas(workload);
    let spec = &workload.value["spec"];
    if workload.reference.kind == &kinds::DEPLOYMENT {
        let rolling = &spec["strategy"]["rollingUpdate"];
        if spec["strategy"]["type"] == "Recreate" {
            return all;
        }
        let surge = resolved(&rolling["maxSurge"], "25%", all, Rounding::Up);
        let down = resolved(&rolling["maxUnavailable"], "25%", all, Rounding::Down);
        return if surge == 0 && down == 0 { 1 } else { down.min(all) };
    }
    let rolling = &spec["updateStrategy"]["rollingUpdate"];
    let surge = resolved(&rolling["maxSurge"], "0", all, Rounding::Up);
    if surge > 0 { 0 } else { resolved(&rolling["maxUnavailable"], "1", all, Rounding::Up).max(1).min(all) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rounding {
    Up,
    Down,
}

/// Resolves a number or a percentage of all pods.
fn resolved(value: &Value, usual: &str, all: u64, rounding: Rounding) -> u64 {
    if let Some(number) = value.as_u64() {
        return number;
    }
    let text = value.as_str().unwrap_or(usual);
    match text.strip_suffix('%').map(str::parse::<u64>) {
        Some(Ok(share)) if rounding == Rounding::Up => (all * share).div_ceil(100),
        Some(Ok(share)) => all * share / 100,
        _ => text.parse().unwrap_or_default(),
    }
}

/// Returns how many pods may be unavailable now: 0 until the budget's controller has written a status.
fn allowed(budget: &Value) -> u64 {
    budget["status"]["disruptionsAllowed"].as_u64().unwrap_or_default()
}

/// Returns whether the budget applies to the workload's pods.
fn covers(budget: &Value, workload: &Object) -> bool {
    let selector = &budget["spec"]["selector"];
    let pod_labels = &workload.value["spec"]["template"]["metadata"]["labels"];
    let holds = |expression: &Value| {
        let label = expression["key"].as_str().and_then(|key| pod_labels[key].as_str());
        let listed = || expression["values"].as_array().into_iter().flatten().any(|value| value.as_str() == label);
        match expression["operator"].as_str() {
            Some("In") => label.is_some() && listed(),
            Some("NotIn") => label.is_none() || !listed(),
            Some("Exists") => label.is_some(),
            Some("DoesNotExist") => label.is_none(),
            _ => false,
        }
    };
    selector.is_object()
        && selects(&labels(&selector["matchLabels"]), pod_labels)
        && selector["matchExpressions"].as_array().into_iter().flatten().all(holds)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Kind;

    fn workload(kind: &'static Kind, spec: &Value) -> Object {
        let mut value = json!({
            "metadata": {"name": "x"}, "status": {"desiredNumberScheduled": 3},
            "spec": {"template": {"metadata": {"labels": {"app": "x"}}}},
        });
        value["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        Object::new(kind, value)
    }

    fn budget(selector: &Value, allowed: u64) -> Value {
        json!({"metadata": {"name": "b"}, "spec": {"selector": selector}, "status": {"disruptionsAllowed": allowed}})
    }

    #[test]
    fn what_a_strategy_takes_away_at_once_is_said() {
        let rolling = |replicas: u64, surge: Value, down: Value| json!({"replicas": replicas, "strategy": {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": down}}});
        let table = [
            (&kinds::DEPLOYMENT, json!({"replicas": 1}), None),
            (&kinds::DEPLOYMENT, json!({"replicas": 4}), None),
            (&kinds::DEPLOYMENT, json!({"replicas": 0, "strategy": {"type": "Recreate"}}), None),
            (
                &kinds::DEPLOYMENT,
                json!({"replicas": 1, "strategy": {"type": "Recreate"}}),
                Some("its only pod (Recreate)"),
            ),
            (
                &kinds::DEPLOYMENT,
                json!({"replicas": 3, "strategy": {"type": "Recreate"}}),
                Some("all 3 pods at once (Recreate)"),
            ),
            (&kinds::DEPLOYMENT, rolling(1, json!(0), json!(1)), Some("its only pod")),
            (&kinds::DEPLOYMENT, rolling(1, json!("0%"), json!("25%")), Some("its only pod")),
            (&kinds::DEPLOYMENT, rolling(4, json!(0), json!("50%")), None),
            (&kinds::DEPLOYMENT, rolling(2, json!(0), json!("100%")), Some("all 2 pods at once")),
            (&kinds::STATEFUL_SET, json!({"replicas": 1}), Some("its only pod")),
            (&kinds::STATEFUL_SET, json!({"replicas": 3}), None),
            (&kinds::DAEMON_SET, json!({}), None),
            (
                &kinds::DAEMON_SET,
                json!({"updateStrategy": {"rollingUpdate": {"maxUnavailable": "100%"}}}),
                Some("all 3 pods at once"),
            ),
            (
                &kinds::DAEMON_SET,
                json!({"updateStrategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}),
                None,
            ),
        ];
        for (kind, spec, wanted) in table {
            assert_eq!(find(&workload(kind, &spec), &[]).as_deref(), wanted, "{} {spec}", kind.kind);
        }
    }

    #[test]
    fn more_than_a_matching_budget_allows_is_said_with_its_name() {
        let four = workload(&kinds::DEPLOYMENT, &json!({"replicas": 8}));
        let too_few = Some("2 of 8 pods at once, PodDisruptionBudget b allows 1");
        let expression = |operator: &str, values: Value| json!({"matchExpressions": [{"key": "app", "operator": operator, "values": values}]});
        let table = [
            (budget(&json!({"matchLabels": {"app": "x"}}), 1), too_few),
            (budget(&json!({"matchLabels": {"app": "x"}}), 2), None),
            (budget(&json!({"matchLabels": {"app": "y"}}), 0), None),
            (budget(&json!({}), 1), too_few),
            (budget(&Value::Null, 1), None),
            (budget(&expression("In", json!(["x"])), 1), too_few),
            (budget(&expression("NotIn", json!(["x"])), 1), None),
            (budget(&expression("Exists", Value::Null), 1), too_few),
            (budget(&expression("DoesNotExist", Value::Null), 1), None),
        ];
        for (budget, wanted) in table {
            assert_eq!(find(&four, std::slice::from_ref(&budget)).as_deref(), wanted, "{budget}");
        }
        let surging = workload(&kinds::DEPLOYMENT, &json!({"replicas": 1}));
        assert_eq!(find(&surging, &[budget(&json!({"matchLabels": {"app": "x"}}), 0)]), None);
    }
}
