//! The rights that are missing as one manifest, for an administrator to apply.

use std::collections::BTreeMap;

use crate::rights::Rule;

/// The lines of a `ClusterRole` with these rules, for `kubectl apply -f -`. Rules with the same groups and verbs are one.
#[must_use]
pub(crate) fn cluster_role<'r>(rules: impl IntoIterator<Item = &'r Rule>) -> Vec<String> {
    let mut merged: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for rule in rules {
        merged.entry((&rule.group, &rule.verb)).or_default().push(&rule.resource);
    }
    let head =
        ["apiVersion: rbac.authorization.k8s.io/v1", "kind: ClusterRole", "metadata: {name: gloo-rs-check}", "rules:"];
    let merged = merged.into_iter().map(|((group, verb), mut resources)| {
        resources.sort_unstable();
        resources.dedup();
        let group = if group.is_empty() { "\"\"" } else { group };
        format!("- {{apiGroups: [{group}], resources: [{}], verbs: [{verb}]}}", resources.join(", "))
    });
    head.map(str::to_owned).into_iter().chain(merged).collect()
}

/// The rule to list a kind, which is written as in RBAC: `upstreams.gloo.solo.io`.
#[must_use]
pub(crate) fn to_list(kind: &str) -> Rule {
    let (resource, group) = kind.split_once('.').unwrap_or((kind, ""));
    let (resource, group) = (resource.to_owned(), group.to_owned());
    Rule { verb: "list".to_owned(), resource, group, namespace: None, user: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_with_the_same_group_and_verbs_are_one_and_the_whole_is_a_manifest() {
        let forwards = Rule { verb: "get, create".to_owned(), ..to_list("pods/portforward") };
        let kinds = ["upstreams.gloo.solo.io", "settings.gloo.solo.io", "pods", "upstreams.gloo.solo.io"];
        let rules: Vec<_> = kinds.map(to_list).into_iter().chain([forwards]).collect();
        let lines = cluster_role(&rules);
        assert_eq!(
            lines[4..],
            [
                "- {apiGroups: [\"\"], resources: [pods/portforward], verbs: [get, create]}",
                "- {apiGroups: [\"\"], resources: [pods], verbs: [list]}",
                "- {apiGroups: [gloo.solo.io], resources: [settings, upstreams], verbs: [list]}",
            ]
        );
        let manifest = crate::yaml::parse(&lines.join("\n")).unwrap();
        assert_eq!(manifest["kind"], "ClusterRole");
        assert_eq!(manifest["rules"][2]["resources"][1], "upstreams");
        assert_eq!(manifest["rules"][0]["apiGroups"][0], "");
    }
}
