//! Secrets are masked by where they stand, before anything is shown.
//!
//! A secret is a whole scalar of a parsed document, in whatever style it is written. `rules` says which scalars
//! these are, `cover` what is hidden of a value, and from that one answer both the masked value and the masked text
//! are made (`manifest`).
//!
//! The text of a secret may also stand elsewhere: in a comment, in another scalar, in what Helm prints.
//! - A secret of four characters or more is masked wherever its text stands (of a secret of several lines: each line).
//! - A shorter one is masked where it is the value itself. In what another program prints that is in quotes or after
//!   `:` or `=`. Masked in every word, it would make the text unreadable, and what is missing would show it.

mod cover;
mod lines;
mod manifest;
mod rules;
mod texts;

use serde_json::Value;

pub(crate) use manifest::masked_manifest;
pub(crate) use texts::SecretTexts;

use crate::model::FieldPath;

/// What is shown instead.
pub(crate) const MASK: &str = "***";

/// The value with every secret replaced by `***`.
#[must_use]
pub(crate) fn masked(value: &Value) -> Value {
    manifest::masked(value, &SecretTexts::of_value(value))
}

/// Where secrets stand: `gloo.license_key`, `headers[0].value`.
#[must_use]
pub(crate) fn secret_paths(value: &Value) -> Vec<FieldPath> {
    cover::paths(value)
}

#[cfg(test)]
mod tests;
