//! Paths of fields: `spec.sslConfig`, `spec.template.spec.containers[name=sds]`, `items[3]`.

use std::fmt;

use serde_json::Value;

/// One step into a JSON value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// A key of an object.
    Key(String),
    /// The item of a list with this `name`: positions change, names do not.
    Named(String),
    /// The item at this position. Only for the members of a `List` manifest.
    Index(usize),
}

/// The path from the top of an object to a field.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct FieldPath(Vec<Segment>);

impl FieldPath {
    /// The object itself.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// A path that consists of keys only.
    #[must_use]
    pub fn keys(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| Segment::Key((*key).to_owned())).collect())
    }

    /// This path with one more segment.
    #[must_use]
    pub fn then(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }

    /// This path followed by another.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        Self(self.0.iter().chain(&other.0).cloned().collect())
    }

    /// The path without its last segment; `None` for the object itself.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.split_last().map(|(_, way)| Self(way.to_vec()))
    }

    /// The segments, outermost first.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The value at the path, if there is one.
    #[must_use]
    pub fn get<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(value, |at, segment| match segment {
            Segment::Key(key) => at.get(key),
            Segment::Named(name) => at.as_array()?.iter().find(|item| item["name"] == **name),
            Segment::Index(index) => at.get(index),
        })
    }

    /// The path as a JSON pointer (RFC 6901), with the list positions of `value`; `None` if a list item on the way does
    /// not exist.
    #[must_use]
    pub fn pointer(&self, value: &Value) -> Option<String> {
        let mut at = Some(value);
        let mut pointer = String::new();
        for segment in &self.0 {
            pointer.push('/');
            match segment {
                Segment::Key(key) => {
                    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                    at = at.and_then(|value| value.get(key));
                }
                Segment::Named(name) => {
                    let list = at?.as_array()?;
                    let index = list.iter().position(|item| item["name"] == **name)?;
                    pointer.push_str(&index.to_string());
                    at = list.get(index);
                }
                Segment::Index(index) => {
                    pointer.push_str(&index.to_string());
                    at = at.and_then(|value| value.get(index));
                }
            }
        }
        Some(pointer)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if position == 0 => f.write_str(key)?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Named(name) => write!(f, "[name={name}]")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn containers() -> FieldPath {
        FieldPath::keys(&["spec", "containers"]).then(Segment::Named("sds".into()))
    }

    #[test]
    fn a_list_item_is_found_by_its_name() {
        let pod = json!({"spec": {"containers": [{"name": "envoy"}, {"name": "sds", "image": "i"}]}});
        assert_eq!(containers().get(&pod), Some(&json!({"name": "sds", "image": "i"})));
        assert_eq!(containers().pointer(&pod).as_deref(), Some("/spec/containers/1"));
        assert_eq!(containers().get(&json!({})), None);
        assert_eq!(containers().to_string(), "spec.containers[name=sds]");
    }

    #[test]
    fn a_pointer_escapes_what_json_pointers_reserve() {
        let path = FieldPath::keys(&["metadata", "labels", "a/b~c"]);
        assert_eq!(path.pointer(&json!({})).as_deref(), Some("/metadata/labels/a~1b~0c"));
    }
}
