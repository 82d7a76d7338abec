//! Changes one object of the cluster: reads it, decides, and patches the version that was read.

use std::time::Duration;

use super::caught::caught;
use crate::command::Hint;
use crate::edit::{Edit, json, patch};
use crate::error::{Exit, Failure, Reason};
use crate::kube::{ApiCause, ApiError, DryRun, Session};
use crate::model::{FieldPath, Object, ObjectRef};
use crate::plan::PerObject;
use crate::plan::mtls::UpstreamContext;
use crate::plan::outcome::{Decision, Objection, Outcome, Row};
use crate::plan::policy::Picked;

/// How often a change is planned again after a write conflict.
const TRIES: u32 = 5;
/// Pause before the second try. Each further pause is four times as long, because a controller that has just started to
/// handle the object writes several times in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The result for one object.
#[derive(Debug)]
pub(crate) struct Settled {
    pub row: Row,
    /// The object as it was read. `after` is the object as it is now or would be, and is equal if nothing changed.
    pub before: Object,
    pub after: Object,
    /// The edits that were made or would be made.
    pub edits: Vec<Edit>,
    /// Whether a server-side dry run was requested, but a webhook does not support it.
    pub is_untried: bool,
}

/// Whether and how the change is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Write {
    /// The change is only computed and not sent.
    Nothing,
    Send(DryRun),
}

/// Runs the work on one object. A panic becomes that object's row, and the others go on.
///
/// # Errors
/// The row of the work's failure, or of a panic.
pub(crate) async fn guarded<T>(
    reference: &ObjectRef,
    write: Write,
    work: impl Future<Output = Result<T, Row>>,
) -> Result<T, Row> {
    match caught(work).await {
        Ok(done) => done,
        Err(panicked) => {
            let failure = Failure::from(panicked).detail("whether it was changed is unknown");
            let exit = if write == Write::Send(DryRun::No) { Exit::HalfDone } else { failure.exit };
            Err(failed_with(reference.clone(), Outcome::Failed, Failure { exit, ..failure }))
        }
    }
}

/// The result for an object that is not changed, and why.
#[must_use]
pub(crate) fn refused(object: Object, why: Objection) -> Settled {
    same(Row::left(object.reference.clone(), Outcome::Refused, why), object)
}

/// Decides about the object and makes the change. After a conflict, the object is read and decided about again. After a
/// write without an answer, it is read again. No write is repeated blindly.
pub(crate) async fn settle(
    session: &Session,
    plan: &dyn PerObject,
    object: Object,
    found: Picked,
    around: &UpstreamContext,
    write: Write,
) -> Settled {
    let mut object = object;
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(FIRST_PAUSE * 4_u32.pow(attempt - 1)).await;
        }
        let (edits, message) = match plan.decide(&object, found, around) {
            Decision::Change { edits, message } => (edits, message),
            Decision::Unchanged { message } => {
                return same(Row::answer(object.reference.clone(), Outcome::Unchanged, message), object);
            }
            Decision::Skip(why) => return same(Row::left(object.reference.clone(), Outcome::Skipped, why), object),
            Decision::Refuse(why) => return refused(object, why),
        };
        let operations = match patch::guarded(&object, &edits) {
            Ok(operations) => operations,
            Err(path) => return same(unsafe_at(&path, &object), object),
        };
        let planned = |message: String, object: Object| match json::apply(&object.value, &edits) {
            Ok(planned) => changed(message, object, planned, edits.clone()),
            Err(path) => same(unsafe_at(&path, &object), object),
        };
        let Write::Send(dry_run) = write else { return planned(message, object) };
        let ObjectRef { kind, namespace, name } = object.reference.clone();
        match session.patch(kind, &namespace, &name, &operations, dry_run).await {
            Ok(answer) if made(&answer, &edits) => return changed(message, object, answer, edits),
            Ok(_) => {
                let why = Objection::new(Reason::Invalid, "the API server accepted the change but did not store it")
                    .hint("an older CRD may not have the field, or a webhook may remove it");
                return same(Row::left(object.reference.clone(), Outcome::Failed, why), object);
            }
            Err(ApiError { cause: ApiCause::Conflict, .. }) => match session.get(kind, &namespace, &name).await {
                Ok(value) => object = Object::new(kind, value),
                Err(error) => return same(failed(session, &object.reference, error), object),
            },
            Err(error) if dry_run == DryRun::Server && error.dry_run_unsupported() => {
                return Settled { is_untried: true, ..planned(message, object) };
            }
            // The write got no answer, so the current object shows whether it was made. If not, it is planned and sent
            // again with the current version, so that it cannot be made twice.
            Err(error) if error.outcome_unknown() => match session.get(kind, &namespace, &name).await {
                Ok(now) if made(&now, &edits) => return changed(message, object, now, edits),
                Ok(now) if may_be_sent_again(&error.cause) => object = Object::new(kind, now),
                _ => return same(failed(session, &object.reference, error), object),
            },
            Err(error) => return same(failed(session, &object.reference, error), object),
        }
    }
    let last = last_manager(&object).map(|manager| format!(" (last: {manager})")).unwrap_or_default();
    let why = Objection::new(Reason::Conflict, format!("changed by others {TRIES} times{last}, gave up"));
    same(Row::left(object.reference.clone(), Outcome::Failed, why.hint("run the same command again")), object)
}

fn unsafe_at(path: &FieldPath, object: &Object) -> Row {
    let why = Objection::new(Reason::Unsafe, format!("{path} has an unexpected type; nothing changed"));
    Row::left(object.reference.clone(), Outcome::Refused, why)
}

fn made(value: &serde_json::Value, edits: &[Edit]) -> bool {
    edits.iter().all(|edit| json::holds(value, edit))
}

/// After a timeout, no time is left for another try.
fn may_be_sent_again(cause: &ApiCause) -> bool {
    matches!(cause, ApiCause::Unreachable { .. })
}

fn changed(message: String, before: Object, after: serde_json::Value, edits: Vec<Edit>) -> Settled {
    let after = Object { reference: before.reference.clone(), value: after };
    let row = Row::answer(before.reference.clone(), Outcome::Changed, message);
    Settled { row, before, after, edits, is_untried: false }
}

fn same(row: Row, object: Object) -> Settled {
    Settled { row, after: object.clone(), before: object, edits: Vec::new(), is_untried: false }
}

/// The row of an object for which a request failed.
pub(crate) fn failed(session: &Session, object: &ObjectRef, error: ApiError) -> Row {
    let outcome = if error.cause == ApiCause::NotFound { Outcome::NotFound } else { Outcome::Failed };
    failed_with(object.clone(), outcome, error.into_failure(session))
}

/// The row of an object for which something failed.
pub(crate) fn failed_with(object: ObjectRef, outcome: Outcome, failure: Failure) -> Row {
    let prefix = format!("{object}: ");
    let message = failure.message.strip_prefix(&prefix).unwrap_or(&failure.message);
    Row {
        details: failure.details,
        hint: Hint::any(failure.hints),
        exit: failure.exit,
        ..Row::left(object, outcome, Objection::new(failure.reason, message))
    }
}

/// The field manager that wrote the object last, from `metadata.managedFields`.
fn last_manager(object: &Object) -> Option<&str> {
    object.value["metadata"]["managedFields"]
        .as_array()?
        .iter()
        .max_by_key(|entry| entry["time"].as_str().unwrap_or_default())?["manager"]
        .as_str()
}
