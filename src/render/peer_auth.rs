//! The modes of `istio peer-auth get` as a table and as a value.

use serde_json::{Value, json};

use super::table::{Align, table};
use crate::plan::peer::change::{by, shown};
use crate::plan::peer::ignored::IgnoredPart;
use crate::plan::peer::report::EffectiveMode;
use crate::plan::peer::{Effective, Mode, PolicyRef};

const COLUMNS: [(&str, Align); 6] = [
    ("LEVEL", Align::Left),
    ("NAMESPACE", Align::Left),
    ("WORKLOAD", Align::Left),
    ("PORT", Align::Right),
    ("MODE", Align::Left),
    ("SET BY", Align::Left),
];

/// The lines of the table.
#[must_use]
pub(crate) fn rows(lines: &[EffectiveMode]) -> Vec<String> {
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let rows: Vec<_> = lines
        .iter()
        .map(|line| {
            vec![
                line.level.name().to_owned(),
                or_dash(line.namespace.clone()),
                or_dash(shown(&line.labels)),
                or_dash(line.port.map(|port| port.to_string()).unwrap_or_default()),
                line.effective.as_ref().map_or("unknown", |effective| effective.mode.name()).to_owned(),
                line.effective.as_ref().map_or_else(ToString::to_string, by),
            ]
        })
        .collect();
    table(&COLUMNS, &rows)
}

/// The modes as a value of the document, with every level that has a policy, and the parts that have no effect.
#[must_use]
pub(crate) fn value(root_namespace: &str, lines: &[EffectiveMode], ignored: &[IgnoredPart]) -> Value {
    let policy = |policy: &PolicyRef| json!({"namespace": policy.namespace, "name": policy.name});
    let modes = lines.iter().map(|line| {
        let effective = line.effective.as_ref().ok();
        let chain = effective.into_iter().flat_map(|effective| &effective.chain).map(|source| {
            json!({
                "level": source.level.name(),
                "policy": policy(&source.policy),
                "mode": source.mode.map_or("UNSET", Mode::name),
                "notRead": source.shadowed.iter().map(policy).collect::<Vec<_>>(),
            })
        });
        json!({
            "level": line.level.name(),
            "namespace": Some(&line.namespace).filter(|namespace| !namespace.is_empty()),
            "labels": line.labels,
            "port": line.port,
            "mode": effective.map(|effective| effective.mode.name()),
            "unknown": line.effective.as_ref().err().map(|why| &why.why),
            "setBy": effective.and_then(Effective::set_by).map(|source| {
                json!({"level": source.level.name(), "policy": policy(&source.policy)})
            }),
            "sources": chain.collect::<Vec<_>>(),
        })
    });
    let ignored: Vec<_> = ignored
        .iter()
        .map(|part| json!({"policy": policy(&part.policy), "field": part.field, "why": part.why.to_string()}))
        .collect();
    json!({"rootNamespace": root_namespace, "modes": modes.collect::<Vec<_>>(), "ignored": ignored})
}
