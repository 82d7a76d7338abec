//! The rights that are missing as one manifest, for an administrator to apply.

use std::collections::BTreeMap;

use serde_json::Value;

/// The lines of a `ClusterRole` with these rules, for `kubectl apply -f -`. Rules with the same groups and verbs are one.
#[must_use]
pub(crate) fn cluster_role(rules: &[String]) -> Vec<String> {
    let mut merged: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut others = Vec::new();
    for rule in rules {
        match parts(rule) {
            Some([groups, resources, verbs]) => {
                merged.entry((groups.join(", "), verbs.join(", "))).or_default().extend(resources)
            }
            None => others.push(format!("- {rule}")),
        }
    }
    let head =
        ["apiVersion: rbac.authorization.k8s.io/v1", "kind: ClusterRole", "metadata: {name: gloo-rs-check}", "rules:"];
    let merged = merged.into_iter().map(|((groups, verbs), mut resources)| {
        resources.sort_unstable();
        resources.dedup();
        format!("- {{apiGroups: [{groups}], resources: [{}], verbs: [{verbs}]}}", resources.join(", "))
    });
    head.map(str::to_owned).into_iter().chain(merged).chain(others).collect()
}

/// The rule to list a kind, which is written as in RBAC: `upstreams.gloo.solo.io`.
#[must_use]
pub(crate) fn to_list(kind: &str) -> String {
    let (plural, group) = kind.split_once('.').unwrap_or((kind, "\"\""));
    format!("{{apiGroups: [{group}], resources: [{plural}], verbs: [list]}}")
}

/// The groups, resources and verbs of a rule such as `{apiGroups: [gloo.solo.io], resources: [upstreams], verbs: [list]}`.
fn parts(rule: &str) -> Option<[Vec<String>; 3]> {
    let rule = crate::yaml::parse(rule).ok()?;
    let is_whole = rule.as_object().is_some_and(|fields| fields.len() == 3);
    let words = |key: &str| -> Option<Vec<String>> { rule[key].as_array()?.iter().map(word).collect() };
    is_whole.then(|| Some([words("apiGroups")?, words("resources")?, words("verbs")?]))?
}

/// A word of a YAML list. The group of the core kinds has no name.
fn word(value: &Value) -> Option<String> {
    match value.as_str()? {
        "" => Some("\"\"".to_owned()),
        text => Some(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_listed_by_its_group_and_its_plural() {
        let rules = ["upstreams.gloo.solo.io", "pods"].map(to_list);
        let lines = cluster_role(&rules);
        assert_eq!(
            lines[4..],
            [
                "- {apiGroups: [\"\"], resources: [pods], verbs: [list]}",
                "- {apiGroups: [gloo.solo.io], resources: [upstreams], verbs: [list]}",
            ]
        );
    }

    #[test]
    fn rules_with_the_same_group_and_verbs_are_one_and_the_whole_is_a_manifest() {
        let rule = |group: &str, resource: &str, verb: &str| {
            format!("{{apiGroups: [{group}], resources: [{resource}], verbs: [{verb}]}}")
        };
        let core = "\"\"";
        let rules = [
            rule("gloo.solo.io", "upstreams", "list"),
            rule(core, "pods/portforward", "create"),
            rule("gloo.solo.io", "settings", "list"),
            rule(core, "pods", "list"),
            rule("gloo.solo.io", "upstreams", "list"),
            "{nonResourceURLs: [/metrics], verbs: [get]}".to_owned(),
        ];
        let lines = cluster_role(&rules);
        assert_eq!(
            lines[4..],
            [
                "- {apiGroups: [\"\"], resources: [pods/portforward], verbs: [create]}",
                "- {apiGroups: [\"\"], resources: [pods], verbs: [list]}",
                "- {apiGroups: [gloo.solo.io], resources: [settings, upstreams], verbs: [list]}",
                "- {nonResourceURLs: [/metrics], verbs: [get]}",
            ]
        );
        let role = crate::yaml::parse(&lines.join("\n")).unwrap();
        assert_eq!((&role["kind"], &role["rules"][2]["resources"][1]), (&"ClusterRole".into(), &"upstreams".into()));
        assert_eq!(role["rules"][0]["apiGroups"][0], "");
    }
}
