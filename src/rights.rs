//! A right that is missing: the rule of Kubernetes' RBAC that would grant it, and the object that must hold the rule.

mod needs;

use std::fmt;

use serde::{Serialize, Serializer};

pub(crate) use needs::{Attributes, Need, Needs, Reach};

/// A rule that would allow a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// `list`, or several verbs: `get, create`.
    pub verb: String,
    pub resource: String,
    /// Empty for the core group.
    pub group: String,
    /// The namespace of the request. `None` if it was for the whole cluster.
    pub namespace: Option<String>,
    /// The user whose request was refused, if the API server named it.
    pub user: Option<String>,
}

impl Rule {
    /// The kind of the object that can hold the rule. A Role grants nothing outside of its namespace.
    #[must_use]
    pub fn holder(&self) -> &'static str {
        if self.namespace.is_some() { "Role" } else { "ClusterRole" }
    }

    /// `a rule of a Role that allows it: {apiGroups: [""], resources: [pods], verbs: [list]}`
    #[must_use]
    pub(crate) fn sentence(&self) -> String {
        format!("a rule of a {} that allows it: {self}", self.holder())
    }

    /// What is not allowed: `list upstreams.gloo.solo.io in shop`.
    #[must_use]
    pub(crate) fn what(&self) -> String {
        let group = if self.group.is_empty() { String::new() } else { format!(".{}", self.group) };
        match &self.namespace {
            Some(namespace) => format!("{} {}{group} in {namespace}", self.verb, self.resource),
            None => format!("{} {}{group} in the whole cluster", self.verb, self.resource),
        }
    }
}

/// The rule as it is written in a Role: `{apiGroups: [gloo.solo.io], resources: [upstreams], verbs: [patch]}`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = if self.group.is_empty() { "\"\"" } else { &self.group };
        write!(f, "{{apiGroups: [{group}], resources: [{}], verbs: [{}]}}", self.resource, self.verb)
    }
}

/// Serializes the rule as it is written in a Role.
impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
impl Rule {
    /// The rule to list a resource of the core group in the whole cluster.
    pub(crate) fn listing(resource: &str) -> Self {
        let (verb, group) = ("list".to_owned(), String::new());
        Self { verb, resource: resource.to_owned(), group, namespace: None, user: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_of_the_whole_cluster_is_one_of_a_cluster_role() {
        let whole = Rule::listing("pods");
        let of_namespace = Rule { namespace: Some("shop".to_owned()), ..whole.clone() };
        let rule = "{apiGroups: [\"\"], resources: [pods], verbs: [list]}";
        assert_eq!(whole.sentence(), format!("a rule of a ClusterRole that allows it: {rule}"));
        assert_eq!(of_namespace.sentence(), format!("a rule of a Role that allows it: {rule}"));
        assert_eq!(serde_json::to_value(&of_namespace).unwrap(), rule);
    }
}
