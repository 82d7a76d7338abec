//! Removes Istio's settings from the values: only keys that this command sets, and the maps that are empty without
//! them.

use serde_json::{Value, json};

use super::proxies::{self, USUAL};
use super::{Chart, Old, ValueChange, ValuesPlan, ValuesWish, is_on, then};
use crate::edit::{Edit, Op, json as edited};
use crate::error::Failure;
use crate::model::FieldPath;
use crate::plan::advice::{Advice, Code};

/// Plans the values without Istio's settings. If the values `before` them are known from the release's history, their
/// values are restored.
///
/// # Errors
/// A named proxy does not exist.
pub(crate) fn remove(
    values: &Value,
    chart: &Chart,
    wish: &ValuesWish,
    before: Option<&Value>,
) -> Result<ValuesPlan, Failure> {
    let sources = ("the release before Istio", "--remove");
    let mut removal = Removal { chart, left: values.clone(), before, sources, plan: ValuesPlan::default() };
    for path in proxies::switches(values, chart) {
        match path.get(values) {
            Some(there) if is_on(Some(there)) => removal.take(&path),
            // A switch that is explicitly off was not set by this command.
            Some(there) => removal.leave(format!("{path} stays {there}: it is off")),
            None => {}
        }
    }
    for path in proxies::of_proxies(&proxies::named(values, chart, wish)?, values, chart) {
        removal.take(&path);
    }
    Ok(removal.plan)
}

/// Plans the values with auto-mTLS off again, as in the values before. If it was on there without effect, it is set to
/// false explicitly.
pub(crate) fn auto_mtls_back(values: &Value, chart: &Chart, before: &Value) -> ValuesPlan {
    let path = chart.auto_mtls(values);
    let sources = ("the revision before", "the revision before");
    let mut removal =
        Removal { chart, left: values.clone(), before: Some(before), sources, plan: ValuesPlan::default() };
    let was = path.get(before).or_else(|| path.get(&chart.defaults));
    match (is_on(path.get(values)), is_on(was)) {
        (true, false) => removal.take(&path),
        (true, true) => {
            let (old, off) = (Old::Set(json!(true)), json!(false));
            removal.edit(Edit::set(path.clone(), off.clone()));
            removal.plan.changes.push(ValueChange { path, old, new: Some(off), source: "off".to_owned() });
        }
        (false, _) => {}
    }
    removal.plan
}

struct Removal<'r> {
    chart: &'r Chart,
    left: Value,
    before: Option<&'r Value>,
    /// The sources of a restored value and of a removed one.
    sources: (&'static str, &'static str),
    plan: ValuesPlan,
}

impl Removal<'_> {
    fn take(&mut self, path: &FieldPath) {
        let Some(old) = path.get(&self.left).cloned() else { return };
        let before = self.before.and_then(|values| path.get(values)).cloned();
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
        let change = ValueChange { path: path.clone(), old: Old::Set(old), new: before, source: source.to_owned() };
        self.plan.changes.push(change);
    }

    fn edit(&mut self, edit: Edit) {
        if let Ok(left) = edited::apply(&self.left, std::slice::from_ref(&edit)) {
            self.left = left;
            self.plan.edits.push(edit);
        }
    }

    fn leave(&mut self, what: String) {
        self.plan.advice.push(Advice::note(Code::Explicit, what));
    }

    /// Removes maps that are empty now, except those that the values before had.
    fn prune(&mut self, path: &FieldPath) {
        let mut at = path.clone();
        while let Some(parent) = at.parent().filter(|parent| !parent.segments().is_empty()) {
            let is_empty = parent.get(&self.left).and_then(Value::as_object).is_some_and(serde_json::Map::is_empty);
            if !is_empty {
                return;
            }
            let edit = match self.before.and_then(|values| parent.get(values)) {
                None if self.is_proxy_of_the_user(&parent) => {
                    return self
                        .leave(format!("{parent} stays as an empty map: without it the proxy would be removed"));
                }
                None => Edit::remove(parent.clone()),
                Some(Value::Null) => Edit::set(parent.clone(), Value::Null),
                Some(_) => return,
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

    /// Returns whether this is an entry of `gatewayProxies` that only the values define. Without the entry the proxy
    /// itself would be removed.
    fn is_proxy_of_the_user(&self, path: &FieldPath) -> bool {
        let proxies = self.chart.proxies();
        path.parent().as_ref() == Some(&proxies)
            && *path != then(&proxies, USUAL)
            && path.get(&self.chart.defaults).is_none()
    }
}
