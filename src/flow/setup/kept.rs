//! What was there before a step wrote it, so that just what it wrote can be taken back.
//!
//! Commands that are transactions take themselves back; the others write one object after the other and leave them.

use serde_json::Value;

use super::by_release::ByRelease;
use super::step::{Act, Planned};
use crate::apply::transaction::{self, Done, Step, Undone};
use crate::edit::Edit;
use crate::error::{Exit, Reason};
use crate::flow::report::{Ended, Report};
use crate::kube::{Cause, Session};
use crate::model::{FieldPath, Object, ObjectRef, kinds};
use crate::options::{Global, UpgradeValues};
use crate::plan::outcome::{Outcome, Row};

/// What a step is about to write.
pub struct Before {
    objects: Vec<Object>,
    /// The values of a release.
    values: Option<UpgradeValues>,
}

/// What a step wrote.
#[derive(Default)]
pub struct Made {
    objects: Vec<Done>,
    auto_mtls: Option<ByRelease>,
}

impl Before {
    /// Reads the objects of a step that does not take itself back; one that is not there is null.
    pub async fn of(planned: &Planned, session: &Session) -> Self {
        let mut objects = Vec::new();
        if matches!(planned.step.act, Act::Upstreams { .. } | Act::Switches(..) | Act::PeerAuth(_)) {
            for row in &planned.changes {
                objects.extend(read(session, &row.object).await);
            }
        }
        let values = match &planned.step.act {
            Act::Values(task) => Some(task.clone()),
            _ => None,
        };
        Self { objects, values }
    }

    /// What became of it, once the step has come to this.
    pub async fn made(self, ended: &Ended, session: &Session) -> Made {
        let mut made = Vec::new();
        for before in self.objects {
            let Some(after) = read(session, &before.reference).await else { continue };
            let edits = written(&before, &after);
            if !edits.is_empty() {
                made.push(Done { step: Step { before, edits }, after });
            }
        }
        let auto_mtls = self.values.and_then(|task| ByRelease::of(task, &ended.fields));
        Made { objects: made, auto_mtls }
    }
}

impl Made {
    /// Whether anything was written.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.auto_mtls.is_none()
    }

    /// Takes it back, for this reason; whether all of it could be.
    pub async fn take_back(&self, session: &Session, reason: Reason, global: &Global, report: &mut Report<'_>) -> bool {
        report.ui.status("rolling back");
        let mut all = match &self.auto_mtls {
            Some(auto_mtls) => auto_mtls.take_back(global, report).await,
            None => true,
        };
        for (object, state) in transaction::take_back(session, &self.objects).await {
            let (message, exit) = match state {
                Undone::Back => {
                    report.line(&format!("{object} rolled back"));
                    ("rolled back".to_owned(), Exit::RolledBack)
                }
                Undone::Stands(why) => {
                    all = false;
                    report.ui.error(&format!("{object} still changed: {why}"), [], []);
                    (format!("still changed: {why}"), Exit::HalfDone)
                }
            };
            let row = Row::answer(object, Outcome::Failed, message);
            report.taken_back(Row { reason: Some(reason), exit, ..row });
        }
        all
    }
}

async fn read(session: &Session, object: &ObjectRef) -> Option<Object> {
    let value = match session.get(object.kind, &object.namespace, &object.name).await {
        Ok(value) => value,
        Err(error) if error.cause == Cause::NotFound => Value::Null,
        Err(_) => return None,
    };
    Some(Object { reference: object.clone(), value })
}

/// The edits that made one of the other, in the fields that these commands write.
fn written(before: &Object, after: &Object) -> Vec<Edit> {
    if before.value.is_null() || after.value.is_null() {
        let is_other = before.value.is_null() != after.value.is_null();
        let edit = match after.value.is_null() {
            true => Edit::remove(FieldPath::root()),
            false => Edit::set(FieldPath::root(), transaction::without_servers_own(&after.value)),
        };
        return is_other.then_some(edit).into_iter().collect();
    }
    let fields: &[&[&str]] = match before.reference.kind {
        kind if kind == &kinds::UPSTREAM => &[&["spec", "sslConfig"]],
        kind if kind == &kinds::SETTINGS => &[
            &["spec", "gloo", "istioOptions", "enableIntegration"],
            &["spec", "gloo", "istioOptions", "enableAutoMtls"],
        ],
        _ => &[&["spec", "mtls", "mode"]],
    };
    let paths = fields.iter().map(|keys| FieldPath::keys(keys));
    let edit = |path: FieldPath| match (path.get(&before.value), path.get(&after.value)) {
        (was, is) if was == is => None,
        (_, Some(is)) => Some(Edit::set(path.clone(), is.clone())),
        (_, None) => Some(Edit::remove(path)),
    };
    paths.filter_map(edit).collect()
}
