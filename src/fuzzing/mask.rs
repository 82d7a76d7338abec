//! Masking: no secret of a document is part of its shown text or value.

use super::{text, texts};
use crate::edit::manifest;
use crate::edit::mask::{MASK, SecretTexts, masked, masked_manifest, secret_paths};
use serde_json::Value;

/// The secrets that must not occur anywhere in the output: those of one line and at least four characters. One with an
/// asterisk may result from masking.
fn secrets(value: &Value) -> Vec<String> {
    let at = secret_paths(value).into_iter().filter_map(|path| path.get(value).cloned());
    let texts = at.map(|secret| secret.as_str().map_or_else(|| secret.to_string(), str::to_owned));
    let is_told = |text: &String| !text.contains(['\n', '\r', '*']) && text.trim().chars().count() >= 4;
    texts.filter(is_told).map(|text| text.trim().to_owned()).collect()
}

pub(super) fn run(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let shown = masked_manifest(text);
    for value in manifest::values(text) {
        let hidden = masked(&value);
        let said = SecretTexts::of_value(&value).masked(text);
        for secret in secrets(&value) {
            assert!(!shown.contains(&secret), "{secret:?} in {shown}");
            assert!(!said.contains(&secret), "{secret:?} in {said}");
            texts(&hidden, &mut |text| assert!(!text.contains(&secret), "{secret:?} in {hidden}"));
        }
        for path in secret_paths(&value) {
            let is_hidden = path.get(&hidden).is_none_or(|hidden| hidden == MASK);
            assert!(is_hidden, "{path} in {hidden}");
        }
    }
}
