//! The keys that a chart knows: those of its values, of its schema, and every word in its templates.

use std::collections::HashSet;

use serde_json::Value;

use super::Edition;
use super::proxies::USUAL;
use super::then;
use crate::model::FieldPath;
use crate::plan::advice::{Advice, Code};

/// What a chart's files contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChartKeys {
    defaults: Value,
    schema: Value,
    words: HashSet<String>,
}

impl ChartKeys {
    /// Collects the chart's values, its schema, and the words in all its other files.
    pub(crate) fn new<'t>(defaults: Value, schema: Option<Value>, texts: impl Iterator<Item = &'t str>) -> Self {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let words = texts.flat_map(|text| text.split(move |c| !is_part(c))).filter(|word| !word.is_empty());
        Self { defaults, schema: schema.unwrap_or(Value::Null), words: words.map(str::to_owned).collect() }
    }

    /// Returns warnings about keys in the values that the chart does not contain. Only maps for which the chart has
    /// fixed keys are checked.
    pub(crate) fn advise(&self, values: &Value, edition: Edition, chart: &str) -> Vec<Advice> {
        let mut found = Vec::new();
        let at = Place { edition, path: FieldPath::root() };
        self.walk(values, &self.defaults, &self.schema, &at, &mut found);
        found
            .into_iter()
            .map(|path| {
                Advice::warning(Code::Unread, format!("{path}: nothing in chart {chart} names it"))
                    .hint("a misspelt key, or one of another version of the chart")
            })
            .collect()
    }

    fn walk(&self, values: &Value, defaults: &Value, schema: &Value, at: &Place, found: &mut Vec<FieldPath>) {
        let Some(map) = values.as_object() else { return };
        let properties = &schema["properties"];
        let is_fixed = defaults.as_object().is_some_and(|map| !map.is_empty()) || properties.is_object();
        if !is_fixed {
            return;
        }
        let proxies = at.path == at.edition.proxies();
        for (key, value) in map {
            let path = then(&at.path, key);
            // The names of proxies are chosen by the user. Each proxy has the same keys as the chart's own.
            let own = if proxies { &defaults[USUAL] } else { &defaults[key] };
            let is_known =
                proxies || defaults.get(key).is_some() || properties.get(key).is_some() || self.words.contains(key);
            if is_known {
                let at = Place { edition: at.edition, path };
                self.walk(value, own, &properties[key], &at, found);
            } else {
                found.push(path);
            }
        }
    }
}

struct Place {
    edition: Edition,
    path: FieldPath,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_keys_that_nothing_names_are_told() {
        let defaults = json!({
            "global": {"image": {"tag": "x"}}, "gatewayProxies": {"gatewayProxy": {"kind": {}, "podTemplate": {"httpPort": 1}}},
        });
        let schema = json!({"properties": {"global": {"properties": {"ofSchema": {}}}}});
        let known = ChartKeys::new(defaults, Some(schema), ["{{ .Values.global.ofTemplate | default 1 }}"].into_iter());
        let values = json!({
            "global": {"image": {"tga": 1, "tag": 2}, "ofSchema": {"any": 1}, "ofTemplate": 2},
            "gatewayProxies": {"own": {"podTemplate": {"htpPort": 1}, "kind": {"free": 1}}},
            "typo": {},
        });
        let said = known.advise(&values, Edition::OpenSource, "gloo-1.17.7");
        let paths: Vec<_> = said.iter().map(|advice| advice.message.split(':').next().unwrap()).collect();
        assert_eq!(paths, ["global.image.tga", "gatewayProxies.own.podTemplate.htpPort", "typo"]);
    }
}
