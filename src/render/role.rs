//! Roles and their bindings as manifests, for `kubectl apply -f -`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::rights::{Need, Needs, Reach};

const API_VERSION: &str = "rbac.authorization.k8s.io/v1";
const GROUP: &str = "rbac.authorization.k8s.io";

/// The account that the roles are bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceAccount {
    pub namespace: String,
    pub name: String,
}

/// A `ClusterRole` with what is needed in the whole cluster, then a `Role` for each namespace, each with its binding if
/// there is an account.
#[must_use]
pub(crate) fn manifests(needs: &Needs, name: &str, account: Option<&ServiceAccount>) -> Vec<Value> {
    let mut by_reach: BTreeMap<&Reach, Vec<&Need>> = BTreeMap::new();
    for need in needs.iter() {
        by_reach.entry(&need.reach).or_default().push(need);
    }
    let manifests = |(reach, needs): (&Reach, Vec<&Need>)| {
        let role = role(reach, name, &needs);
        let binding = account.map(|account| binding(reach, name, account));
        std::iter::once(role).chain(binding)
    };
    by_reach.into_iter().flat_map(manifests).collect()
}

fn metadata(reach: &Reach, name: &str) -> Value {
    match reach {
        Reach::Cluster => json!({"name": name}),
        Reach::Namespace(namespace) => json!({"name": name, "namespace": namespace}),
    }
}

fn kind(reach: &Reach) -> &'static str {
    match reach {
        Reach::Cluster => "ClusterRole",
        Reach::Namespace(_) => "Role",
    }
}

fn role(reach: &Reach, name: &str, needs: &[&Need]) -> Value {
    json!({"apiVersion": API_VERSION, "kind": kind(reach), "metadata": metadata(reach, name), "rules": rules(needs)})
}

fn binding(reach: &Reach, name: &str, account: &ServiceAccount) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": format!("{}Binding", kind(reach)),
        "metadata": metadata(reach, name),
        "roleRef": {"apiGroup": GROUP, "kind": kind(reach), "name": name},
        "subjects": [{"kind": "ServiceAccount", "namespace": account.namespace, "name": account.name}],
    })
}

/// What the resources of a rule have in common: group, verbs, names.
type Shared<'n> = (&'n str, Vec<&'n str>, Vec<&'n str>);

/// The rules. Resources of one group with the same verbs and the same names share one.
fn rules(needs: &[&Need]) -> Vec<Value> {
    let mut objects: BTreeMap<(&str, &str, Option<&str>), Vec<&str>> = BTreeMap::new();
    for need in needs {
        objects.entry((need.group, need.resource, need.name.as_deref())).or_default().push(need.verb);
    }
    let mut names: BTreeMap<(&str, &str, Vec<&str>), Vec<&str>> = BTreeMap::new();
    for ((group, resource, name), verbs) in objects {
        names.entry((group, resource, verbs)).or_default().extend(name);
    }
    let mut resources: BTreeMap<Shared<'_>, Vec<&str>> = BTreeMap::new();
    for ((group, resource, verbs), names) in names {
        resources.entry((group, verbs, names)).or_default().push(resource);
    }
    let rule = |((group, verbs, names), resources): (Shared<'_>, Vec<&str>)| {
        let mut rule = json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
        if !names.is_empty() {
            rule["resourceNames"] = json!(names);
        }
        rule
    };
    resources.into_iter().map(rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(reach: &Reach, verb: &'static str, resource: &'static str) -> Need {
        Need { reach: reach.clone(), group: "", resource, verb, name: None }
    }

    #[test]
    fn what_is_needed_is_one_role_for_each_reach_and_names_never_widen_another_rule() {
        let shop = Reach::Namespace("shop".to_owned());
        let needs: Needs = [
            need(&Reach::Cluster, "list", "pods"),
            need(&Reach::Cluster, "list", "services"),
            need(&shop, "get", "pods").named("x"),
            need(&shop, "get", "pods").named("y"),
            need(&shop, "patch", "pods").named("y"),
            need(&shop, "get", "secrets"),
        ]
        .into_iter()
        .collect();
        let account = ServiceAccount { namespace: "ops".to_owned(), name: "runner".to_owned() };
        let manifests = manifests(&needs, "it", Some(&account));
        let kinds: Vec<_> = manifests.iter().map(|it| it["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]);
        assert_eq!(
            manifests[0]["rules"],
            json!([{"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["list"]}])
        );
        assert_eq!(
            manifests[2]["rules"],
            json!([
                {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
                {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], "resourceNames": ["x"]},
                {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "patch"], "resourceNames": ["y"]},
            ])
        );
        assert_eq!(manifests[2]["metadata"], json!({"name": "it", "namespace": "shop"}));
        assert_eq!(manifests[3]["subjects"], json!([{"kind": "ServiceAccount", "namespace": "ops", "name": "runner"}]));
    }

    #[test]
    fn no_need_is_no_manifest() {
        assert_eq!(manifests(&Needs::default(), "it", None), [Value::Null; 0]);
    }
}
