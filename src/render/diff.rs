//! Unified diffs, of files as text and of live objects as YAML.

use serde_json::Value;
use similar::TextDiff;

use crate::edit::mask;

/// Whether secrets are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrets {
    Masked,
    /// Secrets are shown: `--show-secrets`.
    Shown,
}

impl Secrets {
    /// The value, masked unless secrets are shown.
    #[must_use]
    pub(crate) fn shown(self, value: &Value) -> Value {
        match self {
            Self::Masked => mask::masked(value),
            Self::Shown => value.clone(),
        }
    }
}

/// The unified diff of two texts under these names; empty if the texts are equal.
pub(crate) fn unified(old_name: &str, new_name: &str, old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    TextDiff::from_lines(old, new).unified_diff().context_radius(3).header(old_name, new_name).to_string()
}

/// The diff of a live object as YAML, without the fields that the server manages. Null means that the object does not
/// exist.
pub(crate) fn live(name: &str, before: &Value, after: &Value, secrets: Secrets) -> String {
    let shown = |value: &Value| {
        if value.is_null() {
            return String::new();
        }
        let mut value = secrets.shown(value);
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.shift_remove("managedFields");
            metadata.shift_remove("resourceVersion");
            metadata.shift_remove("generation");
        }
        crate::yaml::write(&value)
    };
    unified(&format!("live/{name}"), &format!("merged/{name}"), &shown(before), &shown(after))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_live_diff_shows_the_change_and_hides_secrets_and_bookkeeping() {
        let before = json!({"metadata": {"name": "a", "resourceVersion": "1", "managedFields": []},
                            "spec": {"password": "hunter2"}});
        let mut after = before.clone();
        after["spec"]["sslConfig"] = json!({"sni": "x"});
        after["metadata"]["resourceVersion"] = json!("2");
        let diff = live("upstream.gloo.solo.io/a", &before, &after, Secrets::Masked);
        assert!(diff.contains("+  sslConfig:"), "{diff}");
        assert!(!diff.contains("hunter2") && !diff.contains("resourceVersion"), "{diff}");
        assert!(live("a", &before, &after, Secrets::Shown).contains("hunter2"));
        assert_eq!(live("a", &before, &before, Secrets::Masked), "");
    }
}
