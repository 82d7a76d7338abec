//! One object of the cluster, read, decided about, patched under the version that was read.

use crate::edit::{json, patch};
use crate::error::Reason;
use crate::kube::{ApiError, Cause, DryRun, Session};
use crate::model::{Object, ObjectRef};
use crate::plan::PerObject;
use crate::plan::mtls::{Found, Surroundings};
use crate::plan::outcome::{Decision, Objection, Outcome, Row};

/// How often a change is planned anew because somebody else was faster.
const TRIES: usize = 5;

/// What became of an object.
#[derive(Debug)]
pub struct Settled {
    pub row: Row,
    /// As it was read, and as it is now or would be; equal where nothing changed.
    pub before: Object,
    pub after: Object,
}

/// Whether and how the change is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// The change is computed here and sent nowhere.
    Nothing,
    Send(DryRun),
}

/// Decides about the object and makes the change. A conflict is read and decided anew, a write whose
/// answer went missing is read again; no write is repeated blindly.
pub async fn settle(
    session: &Session,
    plan: &dyn PerObject,
    object: Object,
    found: Found,
    around: &Surroundings,
    write: Write,
) -> Settled {
    let mut object = object;
    for _ in 0..TRIES {
        let (edits, message) = match plan.decide(&object, found, around) {
            Decision::Change { edits, message } => (edits, message),
            Decision::Unchanged { message } => {
                return same(Row::answer(object.reference.clone(), Outcome::Unchanged, message), object);
            }
            Decision::Skip(why) => return same(Row::left(object.reference.clone(), Outcome::Skipped, why), object),
            Decision::Refuse(why) => return same(Row::left(object.reference.clone(), Outcome::Refused, why), object),
        };
        let (planned, operations) = match (json::apply(&object.value, &edits), patch::guarded(&object, &edits)) {
            (Ok(planned), Ok(operations)) => (planned, operations),
            (Err(path), _) | (_, Err(path)) => {
                let why = Objection::new(Reason::Unsafe, format!("{path} is not what it should be; nothing changed"));
                return same(Row::left(object.reference.clone(), Outcome::Refused, why), object);
            }
        };
        let Write::Send(dry_run) = write else {
            return changed(message, object, planned);
        };
        let ObjectRef { kind, namespace, name } = object.reference.clone();
        match session.patch(kind, &namespace, &name, &operations, dry_run).await {
            Ok(answer) if edits.iter().all(|edit| edit.path.get(&answer) == edit.path.get(&planned)) => {
                return changed(message, object, answer);
            }
            Ok(_) => {
                let why = Objection::new(Reason::Invalid, "the API server took the change and did not keep it")
                    .hint("an older CRD may not know the field, or a webhook takes it away");
                return same(Row::left(object.reference.clone(), Outcome::Failed, why), object);
            }
            Err(ApiError { cause: Cause::Conflict, .. }) => match session.get(kind, &namespace, &name).await {
                Ok(value) => object = Object::new(kind, value),
                Err(error) => return same(failed(session, &object.reference, error), object),
            },
            Err(error) if error.outcome_unknown() => {
                return reread(session, object, &planned, &edits, message, error).await;
            }
            Err(error) => return same(failed(session, &object.reference, error), object),
        }
    }
    let mut why = Objection::new(Reason::Conflict, format!("changed by others {TRIES} times, gave up"));
    why.details.extend(last_manager(&object).map(|manager| format!("last: {manager}")));
    same(Row::left(object.reference.clone(), Outcome::Failed, why.hint("the same command again")), object)
}

/// The answer to a write went missing: what is there now says whether it was made.
async fn reread(
    session: &Session,
    object: Object,
    planned: &serde_json::Value,
    edits: &[crate::edit::Edit],
    message: String,
    error: ApiError,
) -> Settled {
    let ObjectRef { kind, namespace, name } = object.reference.clone();
    match session.get(kind, &namespace, &name).await {
        Ok(now) if edits.iter().all(|edit| edit.path.get(&now) == edit.path.get(planned)) => {
            changed(message, object, now)
        }
        _ => same(failed(session, &object.reference, error), object),
    }
}

fn changed(message: String, before: Object, after: serde_json::Value) -> Settled {
    let after = Object { reference: before.reference.clone(), value: after };
    Settled { row: Row::answer(before.reference.clone(), Outcome::Changed, message), before, after }
}

fn same(row: Row, object: Object) -> Settled {
    Settled { row, after: object.clone(), before: object }
}

/// The row of an object that a request failed for.
pub fn failed(session: &Session, object: &ObjectRef, error: ApiError) -> Row {
    let outcome = if error.cause == Cause::NotFound { Outcome::NotFound } else { Outcome::Failed };
    let failure = error.into_failure(session);
    let prefix = format!("{object}: ");
    Row {
        details: failure.details,
        hint: (!failure.hints.is_empty()).then(|| failure.hints.join("; ")),
        exit: failure.exit,
        ..Row::left(
            object.clone(),
            outcome,
            Objection::new(failure.reason, failure.message.strip_prefix(&prefix).unwrap_or(&failure.message)),
        )
    }
}

/// Who wrote the object last, by `metadata.managedFields`.
fn last_manager(object: &Object) -> Option<&str> {
    object.value["metadata"]["managedFields"]
        .as_array()?
        .iter()
        .max_by_key(|entry| entry["time"].as_str().unwrap_or_default())?["manager"]
        .as_str()
}
