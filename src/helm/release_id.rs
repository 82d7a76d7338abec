//! Finds the release and revision of a Secret or ConfigMap from its name, namespace and labels.

use std::fmt;
use std::ops::Deref;

use serde::Serialize;
use serde_json::Value;

/// The prefix before the release's name and revision in the name of the object.
const PREFIX: &str = "sh.helm.release.v1.";
/// Helm's own limit, because a chart derives longer names from it.
const LONGEST_NAME: usize = 53;
const LONGEST_NAMESPACE: usize = 63;

/// A release's name by Helm's rule: labels of lower-case letters, digits and `-`, joined by dots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ReleaseName(String);

impl ReleaseName {
    /// Parses a name; `None` if Helm does not accept it.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        (text.len() <= LONGEST_NAME && text.split('.').all(is_label)).then(|| Self(text.to_owned()))
    }
}

/// A namespace: one label of that form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ReleaseNamespace(String);

impl ReleaseNamespace {
    /// Parses a namespace; `None` if no namespace can have this name.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        (text.len() <= LONGEST_NAMESPACE && is_label(text)).then(|| Self(text.to_owned()))
    }
}

fn is_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(is_inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// Lets the types be used as text. They can only be created by parsing.
macro_rules! text {
    ($($name:ident),*) => {$(
        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}
text!(ReleaseName, ReleaseNamespace);

/// One revision of one release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReleaseId {
    pub name: ReleaseName,
    pub namespace: ReleaseNamespace,
    pub revision: u64,
}

impl ReleaseId {
    /// The release and revision of the object that was read by this namespace and name.
    ///
    /// # Errors
    /// Why the object is not the record of a release, or not the requested object.
    pub(crate) fn of_object(object: &Value, namespace: &str, object_name: &str) -> Result<Self, String> {
        let metadata = &object["metadata"];
        for (field, wanted) in [("name", object_name), ("namespace", namespace)] {
            let there = metadata[field].as_str().unwrap_or_default();
            if there != wanted {
                return Err(format!("the API server answered with an object whose {field} is {there:?}"));
            }
        }
        let (name, revision) =
            name_and_revision(object_name).ok_or_else(|| "its name is not that of a Helm release record".to_owned())?;
        let id = Self {
            name: ReleaseName::parse(name).ok_or_else(|| format!("{name:?} is not a name that a release can have"))?,
            namespace: ReleaseNamespace::parse(namespace)
                .ok_or_else(|| format!("{namespace:?} is not a name that a namespace can have"))?,
            revision,
        };
        // An object may have lost its labels. Helm finds the history of a release by them.
        let revision = revision.to_string();
        for (label, wanted) in [("owner", "helm"), ("name", name), ("version", &revision)] {
            match metadata["labels"][label].as_str() {
                Some(there) if there != wanted => return Err(format!("its label {label} is {there:?}")),
                _ => {}
            }
        }
        Ok(id)
    }
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "release {}/{}, revision {}", self.namespace, self.name, self.revision)
    }
}

/// The name of the object with the record of a revision.
#[must_use]
pub(crate) fn object_name(release: &str, revision: u64) -> String {
    format!("{PREFIX}{release}.v{revision}")
}

/// The release and the revision in an object's name. The release's name is not checked.
#[must_use]
pub(crate) fn name_and_revision(object: &str) -> Option<(&str, u64)> {
    let (name, revision) = object.strip_prefix(PREFIX)?.rsplit_once(".v")?;
    let revision = revision.parse().ok()?;
    // Helm writes a number in one form only: not +1, not 01.
    (object_name(name, revision) == object).then_some((name, revision))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn held(name: &str, labels: &Value) -> Value {
        json!({"metadata": {"name": name, "namespace": "edge", "labels": labels}})
    }

    #[test]
    fn a_name_is_one_that_helm_takes() {
        for name in ["gloo", "a.b-c", "0", &"a".repeat(53)] {
            assert_eq!(ReleaseName::parse(name).as_deref(), Some(name));
        }
        for name in ["", "-h", "--kubeconfig=x", "a-", "A", "a..b", ".a", "a b", "a;b", "a\n", "ä", &"a".repeat(54)] {
            assert_eq!(ReleaseName::parse(name), None, "{name:?}");
        }
        for namespace in ["", "-n", "a.b", &"a".repeat(64)] {
            assert_eq!(ReleaseNamespace::parse(namespace), None, "{namespace:?}");
        }
    }

    proptest! {
        #[test]
        fn no_name_is_a_flag_or_more_than_one_word(text in "[-a-z0-9. ;=/]{1,8}") {
            if let Some(name) = ReleaseName::parse(&text) {
                prop_assert!(!name.starts_with('-') && !name.contains(|it: char| it.is_whitespace() || "/;=".contains(it)));
            }
        }
    }

    #[test]
    fn an_object_says_by_its_name_what_it_holds() {
        let name = "sh.helm.release.v1.a.b.v12";
        let id = ReleaseId::of_object(&held(name, &json!({})), "edge", name).unwrap();
        assert_eq!(id.to_string(), "release edge/a.b, revision 12");
        let labels = json!({"owner": "helm", "name": "a.b", "version": "12", "status": "deployed"});
        assert_eq!(ReleaseId::of_object(&held(name, &labels), "edge", name), Ok(id));
        for name in ["gloo", "sh.helm.release.v1.gloo", "sh.helm.release.v1.gloo.v01", "sh.helm.release.v1.gloo.v+1"] {
            assert_eq!(name_and_revision(name), None, "{name}");
        }
    }

    #[test]
    fn an_object_that_is_not_what_was_asked_for_is_refused() {
        let name = "sh.helm.release.v1.gloo.v1";
        for (object, why) in [
            (held("sh.helm.release.v1.gloo.v2", &json!({})), "whose name is \"sh.helm.release.v1.gloo.v2\""),
            (json!({"metadata": {"name": name, "namespace": "victim"}}), "whose namespace is \"victim\""),
            (json!({"metadata": {"name": name}}), "whose namespace is \"\""),
            (held(name, &json!({"owner": "me"})), "its label owner is \"me\""),
            (held(name, &json!({"name": "other"})), "its label name is \"other\""),
            (held(name, &json!({"version": "2"})), "its label version is \"2\""),
        ] {
            let refused = ReleaseId::of_object(&object, "edge", name).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
        let flag = "sh.helm.release.v1.-h.v1";
        let refused = ReleaseId::of_object(&held(flag, &json!({})), "edge", flag).unwrap_err();
        assert!(refused.contains("\"-h\" is not a name that a release can have"), "{refused}");
    }
}
