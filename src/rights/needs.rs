//! The requests that a command may send, as the rules of Kubernetes' RBAC see them.

use std::collections::{BTreeSet, HashSet};

/// Where the objects of a request are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// All namespaces, or a kind that has none.
    Cluster,
    Namespace(String),
}

/// A right: one verb on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    pub reach: Reach,
    /// Empty for the core group.
    pub group: &'static str,
    /// With its subresource: `pods/log`.
    pub resource: &'static str,
    pub verb: &'static str,
    /// The only object; `None` for any.
    pub name: Option<String>,
}

/// The attributes of a request by which RBAC decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes<'a> {
    pub verb: &'a str,
    pub group: &'a str,
    pub resource: &'a str,
    /// Empty for the whole cluster.
    pub namespace: &'a str,
    /// Empty for a list.
    pub name: &'a str,
}

/// Everything that a command may ask the API server for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    needed: BTreeSet<Need>,
    /// Groups and resources that are read only to suggest other names for an object that does not exist. A command does
    /// its work without them, so they are in no role.
    suggesting: HashSet<(&'static str, &'static str)>,
}

impl Need {
    /// The same right for one object only.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    fn allows(&self, request: Attributes<'_>) -> bool {
        let is_within = match &self.reach {
            Reach::Cluster => true,
            Reach::Namespace(namespace) => namespace == request.namespace,
        };
        is_within
            && (self.group, self.resource, self.verb) == (request.group, request.resource, request.verb)
            && self.name.as_ref().is_none_or(|name| name == request.name)
    }

    fn as_request(&self) -> Attributes<'_> {
        let namespace = match &self.reach {
            Reach::Cluster => "",
            Reach::Namespace(namespace) => namespace,
        };
        let name = self.name.as_deref().unwrap_or_default();
        Attributes { verb: self.verb, group: self.group, resource: self.resource, namespace, name }
    }
}

impl Needs {
    /// Whether one of the rights allows the request.
    #[must_use]
    pub fn allow(&self, request: Attributes<'_>) -> bool {
        let is_suggestion = matches!(request.verb, "get" | "list")
            && self.suggesting.iter().any(|it| *it == (request.group, request.resource));
        is_suggestion || self.needed.iter().any(|need| need.allows(request))
    }

    /// Declares what is read only to suggest other names.
    pub fn suggest(&mut self, resources: impl IntoIterator<Item = (&'static str, &'static str)>) {
        self.suggesting.extend(resources);
    }

    /// The rights, without those that another one includes.
    pub fn iter(&self) -> impl Iterator<Item = &Need> {
        let is_included =
            |need: &&Need| self.needed.iter().any(|other| other != *need && other.allows(need.as_request()));
        self.needed.iter().filter(move |need| !is_included(need))
    }

    /// Whether no right is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.needed.is_empty()
    }
}

impl FromIterator<Need> for Needs {
    fn from_iter<I: IntoIterator<Item = Need>>(needs: I) -> Self {
        Self { needed: needs.into_iter().collect(), suggesting: HashSet::new() }
    }
}

impl Extend<Need> for Needs {
    fn extend<I: IntoIterator<Item = Need>>(&mut self, needs: I) {
        self.needed.extend(needs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(verb: &'static str, namespace: &str, name: &str) -> Need {
        let reach = if namespace.is_empty() { Reach::Cluster } else { Reach::Namespace(namespace.to_owned()) };
        let name = Some(name.to_owned()).filter(|name| !name.is_empty());
        Need { reach, group: "", resource: "pods", verb, name }
    }

    fn request<'a>(verb: &'a str, namespace: &'a str, name: &'a str) -> Attributes<'a> {
        Attributes { verb, group: "", resource: "pods", namespace, name }
    }

    #[test]
    fn a_right_allows_what_rbac_would_allow_by_it() {
        for (need, sent, allowed) in [
            (need("get", "", ""), request("get", "shop", "x"), true),
            (need("get", "shop", ""), request("get", "shop", "x"), true),
            (need("get", "shop", "x"), request("get", "shop", "x"), true),
            (need("get", "shop", "x"), request("get", "shop", "y"), false),
            (need("get", "shop", ""), request("get", "edge", "x"), false),
            (need("list", "shop", ""), request("list", "", ""), false),
            (need("list", "", "x"), request("list", "", ""), false),
            (need("list", "", ""), request("get", "", "x"), false),
            (Need { resource: "pods/log", ..need("get", "", "") }, request("get", "shop", "x"), false),
            (Need { group: "apps", ..need("get", "", "") }, request("get", "shop", "x"), false),
        ] {
            assert_eq!(Needs::from_iter([need.clone()]).allow(sent), allowed, "{need:?} {sent:?}");
        }
    }

    #[test]
    fn a_right_that_a_wider_one_includes_is_left_out() {
        let needs: Needs =
            [need("get", "shop", "x"), need("get", "shop", ""), need("list", "shop", ""), need("list", "", "")]
                .into_iter()
                .collect();
        let left: Vec<_> = needs.iter().cloned().collect();
        assert_eq!(left, [need("list", "", ""), need("get", "shop", "")]);
    }
}
