//! Shows whether a chart reads the changed keys: a value that is changed once more must change what Helm renders.

use serde_json::Value;

use super::rendered::RenderedSettings;
use super::{ValueChange, ValuesPlan};
use crate::edit::{Edit, json};
use crate::model::FieldPath;

/// Values that differ from the planned ones in one place or several, and what to look for in what Helm renders.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Probe {
    pub values: Value,
    tests: ProbeTests,
}

#[derive(Debug, Clone, PartialEq)]
enum ProbeTests {
    /// Each key has a text that is nowhere else. The chart reads the key if it renders the text.
    Texts(Vec<(FieldPath, String)>),
    /// One switch is turned. The chart reads it if a setting changes.
    Switch(FieldPath),
}

/// Returns the probes of the changes: one for all texts, and one for each switch.
pub(crate) fn probes(after: &Value, changes: &[ValueChange]) -> Vec<Probe> {
    let is_text = |change: &&ValueChange| change.value().is_some_and(Value::is_string);
    let texts: Vec<_> = changes
        .iter()
        .filter(is_text)
        .enumerate()
        .map(|(number, change)| (change.path.clone(), format!("gloo-rs-probe-{number}-end")))
        .collect();
    let with = |edits: &[Edit]| json::apply(after, edits).ok();
    let of_texts = || {
        let edits: Vec<_> = texts.iter().map(|(path, text)| Edit::set(path.clone(), text.as_str().into())).collect();
        Some(Probe { values: with(&edits)?, tests: ProbeTests::Texts(texts.clone()) })
    };
    let of_switch = |change: &ValueChange| {
        let turned = !change.value()?.as_bool()?;
        let turned = if change.new.is_none() { !turned } else { turned };
        let edit = Edit::set(change.path.clone(), turned.into());
        Some(Probe { values: with(&[edit])?, tests: ProbeTests::Switch(change.path.clone()) })
    };
    let of_texts = if texts.is_empty() { None } else { of_texts() };
    of_texts.into_iter().chain(changes.iter().filter_map(of_switch)).collect()
}

impl Probe {
    /// Returns the keys that the chart does not read. `after` are the settings of the planned values; `rendered` is what
    /// Helm made of the probe.
    ///
    /// # Errors
    /// The rendered objects cannot be read.
    pub(crate) fn unread(&self, after: &RenderedSettings, rendered: &str) -> Result<Vec<FieldPath>, String> {
        Ok(match &self.tests {
            ProbeTests::Texts(texts) => {
                let is_unread = |(_, text): &&(FieldPath, String)| !rendered.contains(text.as_str());
                texts.iter().filter(is_unread).map(|(path, _)| path.clone()).collect()
            }
            ProbeTests::Switch(path) => match RenderedSettings::read(rendered)? == *after {
                true => vec![path.clone()],
                false => Vec::new(),
            },
        })
    }
}

impl ValueChange {
    /// Returns the new value, or the removed one.
    fn value(&self) -> Option<&Value> {
        self.new.as_ref().or(match &self.old {
            super::Old::Set(old) => Some(old),
            _ => None,
        })
    }
}

impl ValuesPlan {
    /// Returns the plan without the changes of these keys.
    #[must_use]
    pub(crate) fn without(mut self, keys: &[FieldPath]) -> Self {
        self.changes.retain(|change| !keys.contains(&change.path));
        self.edits.retain(|edit| !keys.contains(&edit.path));
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Old;
    use super::*;

    fn change(path: &[&str], old: Old, new: Option<Value>) -> ValueChange {
        ValueChange { path: FieldPath::keys(path), old, new, source: String::new() }
    }

    fn settings(auto_mtls: bool) -> String {
        format!("kind: Settings\nspec: {{gloo: {{istioOptions: {{enableAutoMtls: {auto_mtls}}}}}}}\n")
    }

    #[test]
    fn a_key_is_read_if_what_it_holds_changes_the_objects() {
        let changes = [
            change(&["a", "address"], Old::Unset, Some(json!("x:1"))),
            change(&["a", "on"], Old::Unset, Some(json!(true))),
            change(&["a", "gone"], Old::Set(json!(true)), None),
            change(&["b", "address"], Old::Set(json!("y:1")), None),
        ];
        let all = probes(&json!({"a": {"address": "x:1", "on": true}}), &changes);
        let values: Vec<_> = all.iter().map(|probe| probe.values.clone()).collect();
        assert_eq!(
            values,
            [
                json!({
                    "a": {"address": "gloo-rs-probe-0-end", "on": true}, "b": {"address": "gloo-rs-probe-1-end"},
                }),
                json!({"a": {"address": "x:1", "on": false}}),
                json!({"a": {"address": "x:1", "on": true, "gone": true}}),
            ]
        );
        let after = RenderedSettings::read(&settings(true)).unwrap();
        let unread = |probe: &Probe, rendered: &str| probe.unread(&after, rendered).unwrap();
        assert_eq!(unread(&all[0], "x: gloo-rs-probe-1-end"), [changes[0].path.clone()]);
        assert_eq!(unread(&all[1], &settings(false)), []);
        assert_eq!(unread(&all[1], &settings(true)), [changes[1].path.clone()]);
        assert_eq!(probes(&json!({}), &[]), []);
    }
}
