//! Masks secrets before anything is shown, by their place in the document.
//!
//! A secret is a whole scalar of a parsed document, in any style. `rules` decides which scalars are secrets, `cover`
//! which parts of a value are hidden. Both the masked value and the masked text are made from that result (`manifest`).
//!
//! The text of a secret may also occur elsewhere: in a comment, in another scalar, in the output of Helm.
//! - A secret of four characters or more is masked wherever its text occurs (for a secret of several lines: each line).
//! - A shorter secret is masked where it is the value itself. In the output of another program it is masked in quotes,
//!   or after `:` or `=`. If it were masked in every word, the text would be unreadable, and the gaps would reveal the
//!   secret.

mod cover;
mod lines;
mod manifest;
mod rules;
mod texts;

use serde_json::Value;

pub(crate) use manifest::masked_manifest;
pub(crate) use texts::SecretTexts;

use crate::model::FieldPath;

/// The text shown instead of a secret.
pub(crate) const MASK: &str = "***";

/// The value with every secret replaced by `***`.
#[must_use]
pub(crate) fn masked(value: &Value) -> Value {
    manifest::masked(value, &SecretTexts::of_value(value))
}

/// The paths of the secrets: `gloo.license_key`, `headers[0].value`.
#[must_use]
pub(crate) fn secret_paths(value: &Value) -> Vec<FieldPath> {
    cover::paths(value)
}

#[cfg(test)]
mod tests;
