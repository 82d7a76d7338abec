//! What is proven about changed values, as lines and as a value of the document.

use serde_json::{Value, json};

use crate::plan::values::proof::{Proof, ProofState};
use crate::plan::values::rendered::{ObjectSettings, RenderedSettings, SETTINGS};

/// The names of the settings in lines.
fn label(setting: &str) -> &str {
    match setting {
        "autoMtls" => "auto-mTLS",
        "meshId" => "mesh id",
        "clusterId" => "cluster id",
        "customSidecars" => "custom sidecars",
        other => other,
    }
}

/// The lines: what is proven, and the settings of each object before and after.
pub(crate) fn lines(proof: &Proof) -> Vec<String> {
    match &proof.state {
        ProofState::NoChange => Vec::new(),
        ProofState::NotProven { why } => vec![format!("effect: not proven: {why}")],
        ProofState::Named { chart } => vec![format!("effect: the templates of chart {chart} name every changed key")],
        ProofState::Rendered { chart, before, after } => {
            let mut lines = vec![format!("effect: rendered by Helm, chart {chart}")];
            for (object, old, new) in before.beside(after) {
                lines.push(format!("  {}/{}", object.kind.to_ascii_lowercase(), object.name));
                let settings = settings(old, new);
                if settings.is_empty() {
                    lines.push("    no istio-proxy".to_owned());
                }
                lines.extend(settings.into_iter().map(|(name, old, new)| {
                    let shown = |value: Option<&String>| value.map_or("(none)", String::as_str).to_owned();
                    let change = match old == new {
                        true => shown(new),
                        false => format!("{} -> {}", shown(old), shown(new)),
                    };
                    format!("    {}: {change}", label(name))
                }));
            }
            lines
        }
    }
}

type Setting<'s> = (&'static str, Option<&'s String>, Option<&'s String>);

fn settings<'s>(old: Option<&'s ObjectSettings>, new: Option<&'s ObjectSettings>) -> Vec<Setting<'s>> {
    let of = |side: Option<&'s ObjectSettings>, name| side.and_then(|settings| settings.get(name));
    let all = SETTINGS.iter().map(|name| (*name, of(old, name), of(new, name)));
    all.filter(|(_, old, new)| old.is_some() || new.is_some()).collect()
}

/// The proof as a value of the document.
pub(crate) fn value(proof: &Proof) -> Value {
    let (state, chart, reason) = match &proof.state {
        ProofState::NoChange => ("noChange", None, None),
        ProofState::NotProven { why } => ("notProven", None, Some(why)),
        ProofState::Named { chart } => ("named", Some(chart), None),
        ProofState::Rendered { chart, .. } => ("rendered", Some(chart), None),
    };
    let objects = match &proof.state {
        ProofState::Rendered { before, after, .. } => objects(before, after),
        _ => Vec::new(),
    };
    let unread: Vec<_> = proof.unread.iter().map(ToString::to_string).collect();
    json!({"state": state, "chart": chart, "reason": reason, "objects": objects, "withoutEffect": unread})
}

fn objects(before: &RenderedSettings, after: &RenderedSettings) -> Vec<Value> {
    let object = |(object, old, new): (&crate::plan::values::rendered::RenderedObject, Option<_>, Option<_>)| json!({"kind": object.kind, "name": object.name, "before": old, "after": new});
    before.beside(after).map(object).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::values::rendered::RenderedObject;

    fn rendered(objects: &[(&str, &[(&'static str, &str)])]) -> RenderedSettings {
        let settings = |all: &[(&'static str, &str)]| all.iter().map(|(name, it)| (*name, (*it).to_owned())).collect();
        let object = |kind: &str| RenderedObject { kind: kind.to_owned(), name: "x".to_owned() };
        RenderedSettings(objects.iter().map(|(kind, all)| (object(kind), settings(all))).collect())
    }

    #[test]
    fn settings_are_shown_before_and_after() {
        let before = rendered(&[("Settings", &[("autoMtls", "off"), ("integration", "on")]), ("Deployment", &[])]);
        let after = rendered(&[
            ("Settings", &[("autoMtls", "on"), ("integration", "on")]),
            ("Deployment", &[("address", "a:1")]),
            ("GatewayParameters", &[]),
        ]);
        let state = ProofState::Rendered { chart: "gloo-1.18.2".to_owned(), before, after };
        let proof = Proof { state, unread: Vec::new() };
        assert_eq!(
            lines(&proof),
            [
                "effect: rendered by Helm, chart gloo-1.18.2",
                "  deployment/x",
                "    address: (none) -> a:1",
                "  gatewayparameters/x",
                "    no istio-proxy",
                "  settings/x",
                "    integration: on",
                "    auto-mTLS: off -> on",
            ]
        );
        let document = value(&proof);
        assert_eq!(
            document["objects"][0],
            json!({
                "kind": "Deployment", "name": "x", "before": {}, "after": {"address": "a:1"},
            })
        );
        assert_eq!(document["objects"][1]["before"], Value::Null);
        assert_eq!(value(&Proof::not_proven("no".into()))["reason"], "no");
    }
}
