//! Unified diffs, of files as text and of live objects as YAML.

use std::fmt::Write as _;

use serde_json::Value;
use similar::algorithms::{Capture, Compact, Replace, myers};
use similar::udiff::UnifiedHunkHeader;
use similar::{DiffOp, group_diff_ops};

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

/// The unchanged lines before and after a change that a diff shows.
const CONTEXT: usize = 3;

/// The unified diff of two texts under these names; empty if the texts are equal.
pub(crate) fn unified(old_name: &str, new_name: &str, old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let mut text = format!("--- {old_name}\n+++ {new_name}\n");
    for hunk in group_diff_ops(changes(&old, &new), CONTEXT) {
        let _ = writeln!(text, "{}", UnifiedHunkHeader::new(&hunk));
        for change in hunk.iter().flat_map(|op| op.iter_changes(&old[..], &new[..])) {
            let _ = write!(text, "{}{}", change.tag(), change.value());
            if !change.value().ends_with('\n') {
                text.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
    text
}

/// The changes between the lines. Only Myers' algorithm for only one type is compiled: the crate's `TextDiff` compiles
/// five for three types, which are 320 KB of the program.
fn changes(old: &[&str], new: &[&str]) -> Vec<DiffOp> {
    let mut hook = Compact::new(Replace::new(Capture::new()), old, new);
    let Ok(()) = myers::diff(&mut hook, old, 0..old.len(), new, 0..new.len());
    hook.into_inner().into_inner().into_ops()
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
    fn a_diff_is_the_one_of_the_diff_command() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n";
        let new = "a\nb\nc\nd\nE\nf\ng\nh\ni\nj\nk";
        let shown = "--- old\n+++ new\n@@ -2,9 +2,10 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n i\n j\n+k\n\
                     \\ No newline at end of file\n";
        assert_eq!(unified("old", "new", old, new), shown);
        assert_eq!(unified("old", "new", "", "a\n"), "--- old\n+++ new\n@@ -0,0 +1 @@\n+a\n");
        assert_eq!(unified("old", "new", "a\n", ""), "--- old\n+++ new\n@@ -1 +0,0 @@\n-a\n");
        assert_eq!(unified("old", "new", old, old), "");
    }

    proptest::proptest! {
        #[test]
        fn a_diff_has_the_lines_of_both_texts(old in "([ab]\n){0,12}", new in "([ab]\n){0,12}") {
            let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
            let mut rebuilt = (Vec::new(), Vec::new());
            for op in changes(&old, &new) {
                rebuilt.0.extend(&old[op.old_range()]);
                rebuilt.1.extend(&new[op.new_range()]);
            }
            proptest::prop_assert_eq!(rebuilt, (old, new));
        }
    }

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
