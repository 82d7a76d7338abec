//! The keys that a chart knows: those of its values, of its schema, and every word in its templates.

use std::collections::HashSet;

use serde_json::Value;

use super::Chart;
use super::proxies::USUAL;
use super::then;
use crate::model::{FieldPath, Segment};
use crate::plan::advice::{Advice, Code};

/// What a chart's files contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChartKeys {
    defaults: Value,
    schema: Value,
    words: HashSet<String>,
    /// The words in the templates alone.
    read: HashSet<String>,
}

impl ChartKeys {
    /// Collects the chart's values, its schema, and the words in all its other files, which have a path and a text.
    pub(crate) fn new<'t>(
        defaults: Value,
        schema: Option<Value>,
        files: impl Iterator<Item = (&'t str, &'t str)>,
    ) -> Self {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let (mut words, mut read) = (HashSet::new(), HashSet::new());
        for (path, text) in files {
            let is_template = path.starts_with("templates/") || path.contains("/templates/");
            for word in text.split(|c| !is_part(c)).filter(|word| !word.is_empty()) {
                words.insert(word.to_owned());
                if is_template {
                    read.insert(word.to_owned());
                }
            }
        }
        Self { defaults, schema: schema.unwrap_or(Value::Null), words, read }
    }

    /// Returns whether the templates name the last keys of this path. The first ones may be those of other charts, and
    /// the names of proxies are the user's.
    pub(crate) fn is_read(&self, path: &FieldPath) -> bool {
        let keys = path.segments().iter().rev().filter_map(|segment| match segment {
            Segment::Key(key) => Some(key),
            _ => None,
        });
        let of_image = ["image", "istioProxyContainer"];
        keys.take(2)
            .enumerate()
            .all(|(number, key)| self.read.contains(key) || (number > 0 && !of_image.contains(&key.as_str())))
    }

    /// Returns warnings about keys in the values that the chart does not contain. Only maps for which the chart has
    /// fixed keys are checked.
    pub(crate) fn advise(&self, values: &Value, chart: &Chart, name: &str) -> Vec<Advice> {
        let mut found = Vec::new();
        let at = Place { proxies: &chart.proxies(), path: FieldPath::root() };
        self.walk(values, &self.defaults, &self.schema, &at, &mut found);
        found
            .into_iter()
            .map(|path| {
                Advice::warning(Code::Unread, format!("{path}: nothing in chart {name} names it"))
                    .hint("a misspelt key, or one of another version of the chart")
            })
            .collect()
    }

    fn walk(&self, values: &Value, defaults: &Value, schema: &Value, at: &Place<'_>, found: &mut Vec<FieldPath>) {
        let Some(map) = values.as_object() else { return };
        let properties = &schema["properties"];
        let is_fixed = defaults.as_object().is_some_and(|map| !map.is_empty()) || properties.is_object();
        if !is_fixed {
            return;
        }
        let proxies = at.path == *at.proxies;
        for (key, value) in map {
            let path = then(&at.path, key);
            // The names of proxies are chosen by the user. Each proxy has the same keys as the chart's own.
            let own = if proxies { &defaults[USUAL] } else { &defaults[key] };
            let is_known =
                proxies || defaults.get(key).is_some() || properties.get(key).is_some() || self.words.contains(key);
            if is_known {
                let at = Place { proxies: at.proxies, path };
                self.walk(value, own, &properties[key], &at, found);
            } else {
                found.push(path);
            }
        }
    }
}

struct Place<'p> {
    proxies: &'p FieldPath,
    path: FieldPath,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::values::Edition;

    #[test]
    fn only_keys_that_nothing_names_are_told() {
        let defaults = json!({
            "global": {"image": {"tag": "x"}}, "gatewayProxies": {"gatewayProxy": {"kind": {}, "podTemplate": {"httpPort": 1}}},
        });
        let schema = json!({"properties": {"global": {"properties": {"ofSchema": {}}}}});
        let known = ChartKeys::new(
            defaults,
            Some(schema),
            [("templates/a.yaml", "{{ .Values.global.ofTemplate | default 1 }}")].into_iter(),
        );
        let values = json!({
            "global": {"image": {"tga": 1, "tag": 2}, "ofSchema": {"any": 1}, "ofTemplate": 2},
            "gatewayProxies": {"own": {"podTemplate": {"htpPort": 1}, "kind": {"free": 1}}},
            "typo": {},
        });
        let chart = Chart { edition: Edition::OpenSource, below: None, version: None, defaults: Value::Null };
        let said = known.advise(&values, &chart, "gloo-1.17.7");
        let paths: Vec<_> = said.iter().map(|advice| advice.message.split(':').next().unwrap()).collect();
        assert_eq!(paths, ["global.image.tga", "gatewayProxies.own.podTemplate.htpPort", "typo"]);
    }

    #[test]
    fn a_key_is_read_if_a_template_names_it() {
        let files = [
            (
                "templates/a.yaml",
                "{{ .Values.gatewayProxies.gatewayProxy.istioDiscoveryAddress }} {{ $istio.enabled }}",
            ),
            ("values.schema.json", "istioProxyContainer istioMetaMeshId"),
            ("charts/gloo/templates/_helpers.tpl", "{{ .image.tag }}"),
        ];
        let known = ChartKeys::new(Value::Null, None, files.into_iter());
        let table = [
            (&["gatewayProxies", "own", "istioDiscoveryAddress"][..], true),
            (&["edge", "global", "istioIntegration", "enabled"], true),
            (&["global", "glooMtls", "istioProxy", "image", "tag"], true),
            (&["gatewayProxies", "own", "istioMetaMeshId"], false),
            (&["kubeGateway", "istioProxyContainer", "istioDiscoveryAddress"], false),
        ];
        for (keys, is_read) in table {
            assert_eq!(known.is_read(&FieldPath::keys(keys)), is_read, "{keys:?}");
        }
    }
}
