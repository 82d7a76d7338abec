//! Templates in values: texts that another tool replaces before Helm reads them.

use serde_json::Value;

/// What starts a placeholder: of `ApplicationSet` and Helm, of Flux's and Argo CD's substitution.
const MARKS: [&str; 3] = ["{{", "${", "$ARGOCD_"];

/// Whether the text is, or contains, a placeholder.
pub(crate) fn is_template(text: &str) -> bool {
    MARKS.iter().any(|mark| text.contains(mark))
}

/// Whether a key of the map is a template, so that it may be any key.
pub(crate) fn has_template_key(value: &Value) -> bool {
    value.as_object().is_some_and(|map| map.keys().any(|key| is_template(key)))
}
