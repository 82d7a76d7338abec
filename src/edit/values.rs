//! Helm values as text: a values file, Helm's output, or the values in a manifest of Argo CD or Flux.

use serde_json::{Map, Value};

use super::manifest::{self, ManifestObject as InText, ManifestPlace, Unsafe};
use super::{Edit, json, mask};
use crate::model::{FieldPath, ObjectRef, Segment, kinds};
use crate::yaml;

/// The line that `helm get values` prints above the values.
const USER_SUPPLIED: &str = "USER-SUPPLIED VALUES:";
const COMPUTED: &str = "COMPUTED VALUES:";
/// The names of the charts for these values.
const CHARTS: [&str; 2] = ["gloo", "gloo-ee"];

/// Values found in a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FoundValues {
    pub values: Value,
    /// The name of the chart, if the text contains it.
    pub chart: Option<String>,
    pub version: Option<String>,
    /// The manifest that contains the values.
    pub object: Option<ObjectRef>,
    home: Home,
}

#[derive(Debug, Clone, PartialEq)]
enum Home {
    /// The whole text from this offset on, after Helm's header.
    Plain { start: usize },
    /// A field of a manifest.
    Field { place: ManifestPlace, path: FieldPath },
    /// A field of a manifest whose value is YAML text.
    Text { place: ManifestPlace, path: FieldPath },
}

impl FoundValues {
    /// Whether Helm's header stands above the values. It is not part of them.
    pub(crate) fn has_header(&self) -> bool {
        matches!(self.home, Home::Plain { start } if start > 0)
    }
}

/// The values for Gloo's chart in a text: exactly one in a values file, none or several in manifests.
///
/// # Errors
/// Where the text cannot be read, and why.
pub(crate) fn find(text: &str) -> Result<Vec<FoundValues>, Unsafe> {
    let mut found = Vec::new();
    let mut is_manifest = false;
    for kind in [&kinds::ARGO_APPLICATION, &kinds::HELM_RELEASE] {
        for member in manifest::members(text, kind).found {
            is_manifest = true;
            match member {
                InText::Member { object, place } => found.extend(in_object(&object.value, &object.reference, &place)),
                InText::Refused { line, why, .. } => return Err(Unsafe { line, why, manual: Vec::new() }),
            }
        }
    }
    if is_manifest {
        let named = |found: &FoundValues| found.chart.as_deref().is_some_and(|chart| CHARTS.contains(&chart));
        if found.iter().any(named) {
            found.retain(named);
        }
        return Ok(found);
    }
    plain(text).map(|found| vec![found])
}

fn plain(text: &str) -> Result<FoundValues, Unsafe> {
    let bare = text.trim_start_matches('\u{feff}');
    let first = bare.lines().next().unwrap_or_default().trim_end();
    if first == COMPUTED {
        let why = "these are computed values, which include the chart's defaults; dump them without --all".to_owned();
        return Err(Unsafe { line: 1, why, manual: Vec::new() });
    }
    let start = header(text);
    let values = yaml::parse(&text[start..]).map_err(|problem| Unsafe {
        line: problem.line.max(1) + usize::from(start > 0),
        why: problem.message,
        manual: Vec::new(),
    })?;
    if !values.is_object() && !values.is_null() {
        return Err(Unsafe {
            line: 1,
            why: "values must be a map, and this is not one".to_owned(),
            manual: Vec::new(),
        });
    }
    Ok(FoundValues { values, chart: None, version: None, object: None, home: Home::Plain { start } })
}

fn in_object(object: &Value, reference: &ObjectRef, place: &ManifestPlace) -> Vec<FoundValues> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let found = |source: &Value, at: FieldPath, chart: &Value, version: &Value| {
        let inline = at.then(Segment::Key("valuesObject".to_owned()));
        let block = at.then(Segment::Key("values".to_owned()));
        let (values, home) = match (source["valuesObject"].is_object(), source["values"].as_str()) {
            (false, Some(inner)) => (yaml::parse(inner).ok()?, Home::Text { place: place.clone(), path: block }),
            _ => (source["valuesObject"].clone(), Home::Field { place: place.clone(), path: inline }),
        };
        let (chart, version) = (text(chart), text(version));
        Some(FoundValues { values, chart, version, object: Some(reference.clone()), home })
    };
    let spec = &object["spec"];
    if reference.kind == &kinds::HELM_RELEASE {
        let chart = &spec["chart"]["spec"];
        let home = Home::Field { place: place.clone(), path: FieldPath::keys(&["spec", "values"]) };
        let (name, version) = (text(&chart["chart"]), text(&chart["version"]));
        let object = Some(reference.clone());
        return vec![FoundValues { values: spec["values"].clone(), chart: name, version, object, home }];
    }
    let helm = |path: FieldPath, source: &Value| {
        found(&source["helm"], path.then(Segment::Key("helm".to_owned())), &source["chart"], &source["targetRevision"])
    };
    let single = spec["source"].is_object().then(|| helm(FieldPath::keys(&["spec", "source"]), &spec["source"]));
    let several = spec["sources"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(number, source)| helm(FieldPath::keys(&["spec", "sources"]).then(Segment::Index(number)), source));
    single.into_iter().chain(several).flatten().collect()
}

/// The whole text after these edits of its values.
///
/// # Errors
/// Why the edit is not safe, and the change to make by hand.
pub(crate) fn edit(text: &str, found: &FoundValues, edits: &[Edit]) -> Result<String, Unsafe> {
    match &found.home {
        // Helm's output for empty values was not written by a person, so it is not kept.
        Home::Plain { start: 1.. } if is_nothing(&found.values) => edit_plain("", &found.values, edits),
        Home::Plain { start } => edit_plain(&text[*start..], &found.values, edits),
        Home::Field { place, path } => {
            let inside = |edit: &Edit| Edit { path: path.join(&edit.path), op: edit.op.clone() };
            let edits = match emptied(text, place, path, &json::apply(&found.values, edits).unwrap_or(Value::Null)) {
                Some(edit) => vec![edit],
                None => edits.iter().map(inside).collect(),
            };
            edit_at(text, place, &edits)
        }
        Home::Text { place, path } => {
            let object = manifest::value_at(text, place).unwrap_or(Value::Null);
            let inner = path.get(&object).and_then(Value::as_str).unwrap_or_default();
            let inner = edit_plain(inner, &found.values, edits)?;
            let edits = [Edit::set(path.clone(), inner.into())];
            edit_at(text, place, &edits)
        }
    }
}

/// The edit for values that become empty: removes the field, and the map around it if that has no other key.
fn emptied(text: &str, place: &ManifestPlace, path: &FieldPath, after: &Value) -> Option<Edit> {
    let object = manifest::value_at(text, place)?;
    path.get(&object).filter(|values| !is_nothing(values) && is_nothing(after))?;
    let around = path.parent()?;
    let is_alone = around.get(&object).and_then(Value::as_object).is_some_and(|map| map.len() == 1);
    Some(Edit::remove(if is_alone { around } else { path.clone() }))
}

fn edit_plain(text: &str, values: &Value, edits: &[Edit]) -> Result<String, Unsafe> {
    if edits.is_empty() {
        return Ok(text.to_owned());
    }
    let after = json::apply(values, edits).map_err(|path| refused(format!("{path} cannot be set")))?;
    let bare = text.strip_prefix('\u{feff}').unwrap_or(text);
    let marked = |after: String| format!("{}{after}", &text[..text.len() - bare.len()]);
    match (is_nothing(values), is_nothing(&after)) {
        (true, _) => return fill(bare, &after).map(marked),
        (_, true) if !bare.trim_start().starts_with('{') => {
            let left = empty(bare);
            if yaml::parse(&left).is_ok_and(|left| left.is_null() || left.as_object().is_some_and(Map::is_empty)) {
                return Ok(marked(left));
            }
        }
        _ => {}
    }
    let place = manifest::whole(text)
        .ok_or_else(|| refused("several documents in one values file: Helm reads only the first".to_owned()))?;
    edit_at(text, &place, edits)
}

fn edit_at(text: &str, place: &ManifestPlace, edits: &[Edit]) -> Result<String, Unsafe> {
    Ok(manifest::splice(text, &[manifest::edit(text, place, edits)?]))
}

fn is_nothing(values: &Value) -> bool {
    values.as_object().is_none_or(Map::is_empty)
}

fn refused(why: String) -> Unsafe {
    Unsafe { line: 1, why, manual: Vec::new() }
}

/// The text with its secrets masked. Helm's header above it is not YAML.
#[must_use]
pub(crate) fn masked(text: &str) -> String {
    let (header, values) = text.split_at(header(text));
    format!("{header}{}", mask::masked_manifest(values))
}

/// The length in bytes of the header line that Helm prints above values.
fn header(text: &str) -> usize {
    let first = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default();
    match first.trim_end() == USER_SUPPLIED {
        true => text.find('\n').map_or(text.len(), |end| end + 1),
        false => 0,
    }
}

/// The texts that mean that there are no values.
const NOTHINGS: [&str; 3] = ["{}", "null", "~"];

/// Adds values to a text without any. Comments stay above them; a line that means no values becomes a comment.
fn fill(text: &str, after: &Value) -> Result<String, Unsafe> {
    let commented = |line: &str| match NOTHINGS.contains(&line.trim_end()) {
        true => format!("# {line}"),
        false => line.to_owned(),
    };
    let mut kept: String = text.split_inclusive('\n').map(commented).collect();
    let values = yaml::write(after);
    // If the last line of the file has no line break, it has none afterwards.
    let is_open = !kept.is_empty() && !kept.ends_with('\n');
    kept.push_str(if is_open { "\n" } else { "" });
    kept.push_str(if is_open { values.trim_end_matches('\n') } else { &values });
    match yaml::parse(&kept).as_ref() == Ok(after) {
        true => Ok(kept),
        false => Err(refused("no change of the text gives the planned result".to_owned())),
    }
}

/// The text after all values are removed: the lines above them, and comments.
fn empty(text: &str) -> String {
    let first = yaml::outline(text).ok().flatten().map_or(0, |root| root.content);
    let (above, values) = text.split_at(text[..first].rfind('\n').map_or(0, |end| end + 1));
    let is_kept = |line: &&str| line.trim().is_empty() || line.starts_with('#') || line.starts_with("---");
    let uncommented = |line| match str::strip_prefix(line, "# ") {
        Some(said) if NOTHINGS.contains(&said.trim_end()) => said,
        _ => line,
    };
    let lines = above.split_inclusive('\n').chain(values.split_inclusive('\n').filter(is_kept));
    let mut kept: String = lines.map(uncommented).collect();
    if !text.ends_with('\n') && kept.ends_with('\n') {
        kept.pop();
    }
    kept
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn edits() -> Vec<Edit> {
        vec![
            Edit::set(FieldPath::keys(&["global", "istioIntegration", "enabled"]), true.into()),
            Edit::set(FieldPath::keys(&["gatewayProxies", "gatewayProxy", "istioDiscoveryAddress"]), "a.b".into()),
        ]
    }

    fn edited(text: &str) -> String {
        let found = find(text).unwrap();
        let [found] = &found[..] else { panic!("{found:?}") };
        edit(text, found, &edits()).unwrap()
    }

    const ISTIO: &str = "global:\n  istioIntegration:\n    enabled: true\n";
    const PROXY: &str = "gatewayProxies:\n  gatewayProxy:\n    istioDiscoveryAddress: a.b\n";

    #[test]
    fn what_is_not_edited_keeps_its_bytes() {
        let kept = "# ours\nreplicas: 1e3 # many\noctal: 0777\nword: \"yes\"\nversion: 1.10\nbig: 123456789012345678901234567890\n\
                    day: 2001-01-01\ngone: null\nnone: ~\nempty: {}\ntext: |\n  a\n   b\n\nfolded: >-\n  c\n  d\n1: one\ntrue: two\n\
                    base: &b {x: 1}\nuse: *b\n";
        assert_eq!(edited(kept), format!("{kept}{ISTIO}{PROXY}"));
    }

    #[test]
    fn what_is_there_is_continued_in_its_own_style() {
        let text = "gatewayProxies:\n    gatewayProxy: # the first\n        podTemplate: {httpPort: 8080}\n    publicGw: {}\nglobal: {image: {tag: x}}\n";
        assert_eq!(
            edited(text),
            "gatewayProxies:\n    gatewayProxy: # the first\n        podTemplate: {httpPort: 8080}\n        \
             istioDiscoveryAddress: a.b\n    publicGw: {}\nglobal: {image: {tag: x}, istioIntegration: {enabled: true}}\n"
        );
    }

    #[test]
    fn a_dump_loses_its_header_and_an_empty_one_is_filled() {
        assert_eq!(edited("USER-SUPPLIED VALUES:\na: 1\n"), format!("a: 1\n{ISTIO}{PROXY}"));
        assert_eq!(edited(""), format!("{ISTIO}{PROXY}"));
        assert_eq!(edited("# only this"), format!("# only this\n{ISTIO}{}", PROXY.trim_end()));
        assert_eq!(edited("{}\n"), format!("# {{}}\n{ISTIO}{PROXY}"));
        assert_eq!(edited("USER-SUPPLIED VALUES:\nnull\n"), format!("{ISTIO}{PROXY}"));
        assert!(find("COMPUTED VALUES:\na: 1\n").unwrap_err().why.contains("computed"));
        assert!(find("- a\n").is_err() && find("a: {{ .Values.x }}\n").is_err());
    }

    #[test]
    fn argo_cd_and_flux_have_them_in_manifests() {
        let flux = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: gloo}\nspec:\n  chart:\n    spec:\n      chart: gloo\n      version: 1.17.x\n  values:\n    a: 1 # kept\n";
        let after = edited(flux);
        assert!(
            after.starts_with(flux)
                && after.contains("\n    global:\n      istioIntegration:\n        enabled: true\n")
        );
        let found = &find(flux).unwrap()[0];
        assert_eq!((found.chart.as_deref(), found.version.as_deref()), (Some("gloo"), Some("1.17.x")));

        let head = "# app\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: edge, namespace: argocd}\nspec:\n";
        let object = format!("{head}  source:\n    chart: gloo\n    helm:\n      valuesObject:\n        a: 1\n");
        assert!(edited(&object).starts_with(&object) && edited(&object).contains("        global:\n"));
        let block =
            format!("{head}  source:\n    chart: gloo\n    helm:\n      values: |\n        # inside\n        a: 1e3\n");
        let after = edited(&block);
        assert!(
            after.starts_with(&block) && after.contains("        global:\n          istioIntegration:\n"),
            "{after}"
        );
        let several = format!(
            "{head}  sources:\n  - chart: other\n    helm: {{values: \"b: 1\"}}\n  - chart: gloo-ee\n    helm:\n      valuesObject: {{a: 1}}\n"
        );
        let found = find(&several).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].chart.as_deref(), &found[0].values), (Some("gloo-ee"), &json!({"a": 1})));
        assert!(edited(&several).contains("istioIntegration"));
    }

    #[test]
    fn a_manifest_whose_last_values_go_has_no_field_for_them() {
        let flux = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: gloo}\nspec:\n  chart: {spec: {chart: gloo}}\n";
        let argo = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: edge}\nspec:\n  source:\n    chart: gloo\n";
        let nothing = [
            (flux, ["", "  values: {}\n", "  values: null\n", "  values:\n"]),
            (argo, ["", "    helm: {}\n", "    helm:\n      valuesObject: {}\n", "    helm: {valuesObject: null}\n"]),
        ];
        for (head, end) in nothing.into_iter().flat_map(|(head, ends)| ends.map(|end| (head, end))) {
            let after = edited(&format!("{head}{end}"));
            let remove = ["global", "gatewayProxies"].map(|key| Edit::remove(FieldPath::keys(&[key])));
            assert_eq!(edit(&after, &find(&after).unwrap()[0], &remove).unwrap(), head, "{end:?}: {after}");
        }
    }

    #[test]
    fn secrets_are_masked_however_they_are_written() {
        let text = "# adminPassword: hunter0\na: {password: \"hun\\\"ter1\", x: shown}\ndb_password: >-\n  hunter2\n  hunter3\n\
                    base: &b hunter4\ntoken: *b\nenv:\n- name: DB_PASSWORD\n  value: hunter5\napiKey: 987654\n";
        let shown = masked(text);
        assert!(!shown.contains("hunter") && !shown.contains("ter1") && !shown.contains("987654"), "{shown}");
        assert!(shown.contains("x: shown") && shown.contains("name: DB_PASSWORD"), "{shown}");
    }

    #[test]
    fn a_file_without_values_comes_back_as_it_was() {
        for text in [
            "",
            "\n",
            "# only this",
            "# only this\n\n# and this\n",
            "{}\n",
            "{}",
            "null\n",
            "~",
            "---\n",
            "---\n# x\n{}\n",
            "!i\n",
            "  # indented\n",
            "%YAML 1.2\n---\n",
            "\u{feff}",
            "\u{feff}{}\n",
        ] {
            let after = edited(text);
            let remove = ["global", "gatewayProxies"].map(|key| Edit::remove(FieldPath::keys(&[key])));
            assert_eq!(edit(&after, &find(&after).unwrap()[0], &remove).unwrap(), text, "{after}");
        }
    }
}
