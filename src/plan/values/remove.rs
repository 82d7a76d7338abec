//! Istio's settings taken out again: only keys that this command sets, and no empty map is left that was not there.

use serde_json::{Value, json};

use super::proxies::{self, USUAL};
use super::{
    Change, Chart, IMAGE_PARTS, Old, PROXY_KEYS, Plan, Wish, auto_mtls, image_part, integration, is_on, sds, then,
};
use crate::edit::manifest::Hollow;
use crate::edit::{Edit, Op, json as edited};
use crate::error::Failure;
use crate::model::FieldPath;

/// Whether these values turn Istio's sidecars on.
pub(crate) fn has_istio(values: &Value) -> bool {
    [integration(), sds()].iter().any(|path| is_on(path.get(values)))
}

/// What is known of the values before Istio's settings came.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Before<'b> {
    /// All of them, from the release's history: where they have a key, it comes back.
    pub values: Option<&'b Value>,
    /// What was empty, as a file tells.
    pub were_empty: &'b [(FieldPath, Hollow)],
}

impl Before<'_> {
    /// What stood where a map is left empty; none: nothing did.
    fn hollow(&self, path: &FieldPath) -> Option<Hollow> {
        let in_file = self.were_empty.iter().find(|(other, _)| other == path).map(|(_, hollow)| *hollow);
        let in_history = || match self.values.and_then(|values| path.get(values))? {
            Value::Null => Some(Hollow::Null),
            _ => Some(Hollow::Map),
        };
        in_file.or_else(in_history)
    }
}

/// The values without Istio's settings; what is known to have been there before comes back.
///
/// # Errors
/// A proxy that was named is not there.
pub(crate) fn remove(values: &Value, chart: &Chart, wish: &Wish, before: Before<'_>) -> Result<Plan, Failure> {
    let sources = ("the release before Istio", "--remove");
    let mut removal = Removal { chart, left: values.clone(), before, sources, plan: Plan::default() };
    for path in [integration(), auto_mtls(), sds()] {
        // One that is off already is somebody's word, not this command's.
        if is_on(path.get(values)) {
            removal.take(&path);
        }
    }
    for part in IMAGE_PARTS {
        removal.take(&image_part(part));
    }
    for entry in proxies::selected(values, chart, wish)? {
        for key in PROXY_KEYS {
            removal.take(&then(&entry.path, key));
        }
    }
    Ok(removal.plan)
}

/// The values with auto-mTLS off again: as it was in the values before, and where those had it on without effect, off
/// in so many words.
pub(crate) fn auto_mtls_back(values: &Value, chart: &Chart, before: &Value) -> Plan {
    let path = auto_mtls();
    let sources = ("the revision before", "the revision before");
    let before = Before { values: Some(before), were_empty: &[] };
    let mut removal = Removal { chart, left: values.clone(), before, sources, plan: Plan::default() };
    let was = before.values.and_then(|values| path.get(values)).or_else(|| path.get(&chart.defaults));
    match (is_on(path.get(values)), is_on(was)) {
        (true, false) => removal.take(&path),
        (true, true) => {
            let (old, off) = (Old::Set(json!(true)), json!(false));
            removal.edit(Edit::set(path.clone(), off.clone()));
            removal.plan.changes.push(Change { path, old, new: Some(off), source: "off".to_owned() });
        }
        (false, _) => {}
    }
    removal.plan
}

struct Removal<'r> {
    chart: &'r Chart,
    left: Value,
    before: Before<'r>,
    /// What brings a value back, and what takes away one that was not there.
    sources: (&'static str, &'static str),
    plan: Plan,
}

impl Removal<'_> {
    fn take(&mut self, path: &FieldPath) {
        let Some(old) = path.get(&self.left).cloned() else { return };
        let before = self.before.values.and_then(|values| path.get(values)).cloned();
        if before.as_ref() == Some(&old) {
            return;
        }
        let source = if before.is_some() { self.sources.0 } else { self.sources.1 };
        match &before {
            Some(before) => self.edit(Edit::set(path.clone(), before.clone())),
            None => self.edit(Edit::remove(path.clone())),
        }
        if before.is_none() {
            self.prune(path);
        }
        let change = Change { path: path.clone(), old: Old::Set(old), new: before, source: source.to_owned() };
        self.plan.changes.push(change);
    }

    fn edit(&mut self, edit: Edit) {
        if let Ok(left) = edited::apply(&self.left, std::slice::from_ref(&edit)) {
            self.left = left;
            self.plan.edits.push(edit);
        }
    }

    /// Maps that are empty now and were not made by somebody else go as a whole.
    fn prune(&mut self, path: &FieldPath) {
        let mut at = path.clone();
        while let Some(parent) = at.parent().filter(|parent| !parent.segments().is_empty()) {
            let is_empty = parent.get(&self.left).and_then(Value::as_object).is_some_and(serde_json::Map::is_empty);
            if !is_empty {
                return;
            }
            let edit = match self.before.hollow(&parent) {
                None if !self.is_proxy_of_the_user(&parent) => Edit::remove(parent.clone()),
                Some(Hollow::Null) => Edit::set(parent.clone(), Value::Null),
                None | Some(Hollow::Map) => return,
            };
            let is_gone = matches!(edit.op, Op::Remove);
            // The edits below it are part of this one.
            self.plan.edits.retain(|edit| !edit.path.segments().starts_with(parent.segments()));
            self.edit(edit);
            if !is_gone {
                return;
            }
            at = parent;
        }
    }

    /// An entry of `gatewayProxies` that only the values name: without it the proxy itself would go.
    fn is_proxy_of_the_user(&self, path: &FieldPath) -> bool {
        let proxies = self.chart.edition.proxies();
        path.parent().as_ref() == Some(&proxies)
            && *path != then(&proxies, USUAL)
            && path.get(&self.chart.defaults).is_none()
    }
}
