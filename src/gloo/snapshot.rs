//! Reads `/snapshots/xds`, the resources that Gloo serves to each role, as a stream.
//!
//! A role is `<namespace>~<proxy>`, or `gloo-kube-gateway-api~...` for a proxy of the Kubernetes Gateway API. Since
//! 1.18 the roles are below `data`, next to an `error`; before, they were the top level (Gloo's `GetXdsSnapshot`). The
//! text contains every role completely, 30 MB for a large cluster, so everything that is not selected is skipped and
//! never kept.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::bounded::Budget;

/// The memory limit for the parsed values of one resource.
const MOST_PARSED: usize = 32 << 20;

/// A type of resource, in the order in which Envoy needs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ServedSection {
    Listeners,
    Routes,
    Clusters,
    Endpoints,
}

impl ServedSection {
    /// All types.
    pub(crate) const ALL: [Self; 4] = [Self::Listeners, Self::Routes, Self::Clusters, Self::Endpoints];

    /// The name on the command line and in the document.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Listeners => "listeners",
            Self::Routes => "routes",
            Self::Clusters => "clusters",
            Self::Endpoints => "endpoints",
        }
    }

    fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.name().eq_ignore_ascii_case(key))
    }
}

/// Receives the parts of a snapshot while it is read, and keeps those it needs.
pub(crate) trait Keep {
    /// Whether the resources of this role are read.
    fn role(&mut self, role: &str) -> bool;

    /// Receives the version of a type that a role is served.
    fn version(&mut self, _role: &str, _section: ServedSection, _version: String) {}

    /// Whether this resource is read. Any other is skipped.
    fn wants(&mut self, role: &str, section: ServedSection, name: &str) -> bool;

    /// Receives a selected resource.
    fn item(&mut self, role: &str, section: ServedSection, name: String, item: Value);

    /// Receives Gloo's error instead of this role's snapshot.
    fn failed(&mut self, _role: &str, _why: String) {}
}

/// The parts that are read from every snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SnapshotQuery {
    /// Every role, in the order of the snapshot.
    pub roles: Vec<String>,
    /// Gloo's own error message.
    pub error: Option<String>,
}

/// Reads a snapshot and passes its parts to `keep`.
///
/// # Errors
/// The text is not JSON, it is incomplete, or it is not a snapshot. The deserializer's error gives the place.
pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D, keep: &mut dyn Keep) -> Result<SnapshotQuery, D::Error> {
    let mut read = SnapshotQuery::default();
    deserializer.deserialize_map(Whole { keep, read: &mut read })?;
    Ok(read)
}

struct Whole<'k> {
    keep: &'k mut dyn Keep,
    read: &'k mut SnapshotQuery,
}

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a snapshot: roles with what they are served")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "data" => map.next_value_seed(Roles { keep: &mut *self.keep, read: &mut *self.read })?,
                "error" => self.read.error = error_of(&map.next_value()?),
                _ => role(&mut map, key, self.keep, self.read)?,
            }
        }
        Ok(())
    }
}

/// The error message. An empty text or null is no error.
fn error_of(error: &Value) -> Option<String> {
    match error {
        Value::Null => None,
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        other => Some(other.to_string()),
    }
}

/// Reads the value of a role's key.
fn role<'de, A: MapAccess<'de>>(
    map: &mut A,
    role: String,
    keep: &mut dyn Keep,
    read: &mut SnapshotQuery,
) -> Result<(), A::Error> {
    if keep.role(&role) {
        map.next_value_seed(Role { role: &role, keep })?;
    } else {
        map.next_value::<IgnoredAny>()?;
    }
    read.roles.push(role);
    Ok(())
}

/// Declares a seed for a map, or null where Go had a map without entries. `$what` is its description.
macro_rules! seed_of_map {
    ($seed:ident, $what:literal, |$self:ident, $map:ident| $body:block $($also:item)*) => {
        impl<'de> DeserializeSeed<'de> for $seed<'_> {
            type Value = ();

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
                deserializer.deserialize_any(self)
            }
        }

        impl<'de> Visitor<'de> for $seed<'_> {
            type Value = ();

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($what)
            }

            fn visit_unit<E: Error>(self) -> Result<(), E> {
                Ok(())
            }

            fn visit_map<A: MapAccess<'de>>($self, mut $map: A) -> Result<(), A::Error> $body

            $($also)*
        }
    };
}

struct Roles<'k> {
    keep: &'k mut dyn Keep,
    read: &'k mut SnapshotQuery,
}

seed_of_map!(Roles, "roles with what they are served", |self, map| {
    while let Some(key) = map.next_key::<String>()? {
        role(&mut map, key, self.keep, self.read)?;
    }
    Ok(())
});

struct Role<'k> {
    role: &'k str,
    keep: &'k mut dyn Keep,
}

seed_of_map!(Role, "what a role is served", |self, map| {
    while let Some(key) = map.next_key::<String>()? {
        match ServedSection::from_key(&key) {
            Some(section) => map.next_value_seed(Resources { role: self.role, section, keep: &mut *self.keep })?,
            None => {
                map.next_value::<IgnoredAny>()?;
            }
        }
    }
    Ok(())
}
fn visit_str<E: Error>(self, why: &str) -> Result<(), E> {
    self.keep.failed(self.role, why.to_owned());
    Ok(())
});

struct Resources<'k> {
    role: &'k str,
    section: ServedSection,
    keep: &'k mut dyn Keep,
}

seed_of_map!(Resources, "resources of one type", |self, map| {
    while let Some(key) = map.next_key::<String>()? {
        match key.as_str() {
            "Version" => {
                if let Some(version) = map.next_value::<Option<String>>()? {
                    self.keep.version(self.role, self.section, version);
                }
            }
            "Items" => map.next_value_seed(Items { role: self.role, section: self.section, keep: &mut *self.keep })?,
            _ => {
                map.next_value::<IgnoredAny>()?;
            }
        }
    }
    Ok(())
});

struct Items<'k> {
    role: &'k str,
    section: ServedSection,
    keep: &'k mut dyn Keep,
}

seed_of_map!(Items, "resources by their names", |self, map| {
    while let Some(name) = map.next_key::<String>()? {
        if self.keep.wants(self.role, self.section, &name) {
            let mut budget = Budget::with_budget(MOST_PARSED);
            let item = unwrapped(map.next_value_seed(&mut budget)?);
            if !item.is_object() {
                return Err(Error::custom(format_args!("{name} of {} is not an object", self.section.name())));
            }
            self.keep.item(self.role, self.section, name, item);
        } else {
            map.next_value::<IgnoredAny>()?;
        }
    }
    Ok(())
});

/// Removes the wrapper that solo-kit puts around each resource.
fn unwrapped(mut item: Value) -> Value {
    match item.get_mut("ProtoMessage") {
        Some(inner) => inner.take(),
        None => item,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Keeps all resources of one role.
    #[derive(Default)]
    struct One {
        role: &'static str,
        items: Vec<(ServedSection, String, Value)>,
        versions: Vec<(ServedSection, String)>,
        failed: Option<String>,
    }

    impl Keep for One {
        fn role(&mut self, role: &str) -> bool {
            role == self.role
        }

        fn version(&mut self, _: &str, section: ServedSection, version: String) {
            self.versions.push((section, version));
        }

        fn wants(&mut self, _: &str, _: ServedSection, name: &str) -> bool {
            !name.starts_with("skip")
        }

        fn item(&mut self, _: &str, section: ServedSection, name: String, item: Value) {
            self.items.push((section, name, item));
        }

        fn failed(&mut self, _: &str, why: String) {
            self.failed = Some(why);
        }
    }

    fn read_text(text: &str) -> (Result<SnapshotQuery, String>, One) {
        let mut one = One { role: "gloo-system~gateway-proxy", ..One::default() };
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let result = read(&mut deserializer, &mut one).and_then(|read| deserializer.end().map(|()| read));
        (result.map_err(|error| error.to_string()), one)
    }

    fn roles() -> Value {
        let role = |version: &str| {
            json!({
                "Endpoints": {"Version": "7-1", "Items": null},
                "Clusters": {"Version": version, "Items": {
                    "x_ns": {"ProtoMessage": {"name": "x_ns"}},
                    "skip_ns": {"ProtoMessage": {"name": "skip_ns"}},
                    "bare_ns": {"name": "bare_ns"},
                }},
                "Secrets": {"new": true},
                "Listeners": null,
            })
        };
        json!({"a~b": role("1"), "gloo-system~gateway-proxy": role("2"), "z~z": "no snapshot found for node z~z"})
    }

    #[test]
    fn the_wanted_role_and_resources_are_kept_and_every_role_is_named() {
        for (text, error) in [
            (json!({"data": roles(), "error": ""}), None),
            (json!({"error": "z~z: no snapshot", "data": roles()}), Some("z~z: no snapshot")),
            (json!({"data": roles(), "error": {"why": 1}}), Some("{\"why\":1}")),
            (roles(), None),
        ] {
            let (read, one) = read_text(&text.to_string());
            let read = read.unwrap();
            assert_eq!(read.roles, ["a~b", "gloo-system~gateway-proxy", "z~z"]);
            assert_eq!(read.error.as_deref(), error);
            let names: Vec<_> = one.items.iter().map(|(_, name, item)| (name.as_str(), &item["name"])).collect();
            assert_eq!(names, [("x_ns", &json!("x_ns")), ("bare_ns", &json!("bare_ns"))]);
            assert_eq!(one.versions, [(ServedSection::Endpoints, "7-1".into()), (ServedSection::Clusters, "2".into())]);
        }
    }

    #[test]
    fn a_role_without_a_snapshot_says_why() {
        let (read, one) = read_text(r#"{"gloo-system~gateway-proxy": "no snapshot found for node"}"#);
        assert_eq!(read.unwrap().roles.len(), 1);
        assert_eq!(one.failed.as_deref(), Some("no snapshot found for node"));
    }

    #[test]
    fn what_is_no_snapshot_is_an_error_that_says_where() {
        for (text, said) in [
            ("", "EOF"),
            ("<html>", "expected value"),
            ("[]", "expected a snapshot"),
            ("{\"data\": [1]}", "expected roles with what they are served"),
            ("{\"data\": 7}", "expected roles with what they are served"),
            ("{\"gloo-system~gateway-proxy\": {\"Clusters\": {\"Items\": [1]}}}", "expected resources by their names"),
            ("{\"gloo-system~gateway-proxy\": {\"Clusters\": \"x\"}}", "expected resources of one type"),
            ("{\"data\": {}} {}", "trailing characters"),
        ] {
            let error = read_text(text).0.unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
        let deep = "[".repeat(100_000);
        let skipped = format!("{{\"a\": {deep}");
        assert!(read_text(&skipped).0.unwrap_err().contains("EOF"));
        let kept = format!("{{\"gloo-system~gateway-proxy\": {{\"Clusters\": {{\"Items\": {{\"a\": {deep}");
        assert!(read_text(&kept).0.unwrap_err().contains("recursion limit"));
    }

    proptest! {
        #[test]
        fn a_snapshot_that_is_cut_off_is_an_error_wherever_it_is_cut(at in 0.0..1.0f64) {
            let text = json!({"data": roles(), "error": ""}).to_string();
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let at = (text.len() as f64 * at) as usize;
            prop_assert!(read_text(&text[..at]).0.is_err());
        }
    }
}
