//! Changes several objects together: all of them, or none.
//!
//! Nothing here relies on `Drop`: a completed change is a value, and a rollback is a call.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use serde_json::Value;

use super::caught::{Panicked, caught};
use super::claims;
use crate::command::Hint;
use crate::edit::patch;
use crate::error::{Causes, Exit, Failure, Reason};
use crate::kube::{ApiCause, ApiError, DryRun, Session, Verb};
use crate::model::{FieldPath, Object, ObjectRef};
use crate::plan::change::{Act, Change};
use crate::plan::inverse::{self, inverse};

/// How often a write is sent again with a new version, because other fields were changed meanwhile.
const TRIES: usize = 5;
/// Pause between two tries of a rollback.
const PAUSE: Duration = Duration::from_millis(200);

/// The reason after a panic.
const FAULT: &str = "an internal error in gloo-rs; please report it";

/// A change that was made.
#[derive(Debug, Clone)]
pub struct Done {
    pub change: Change,
    /// The object as stored by the API server. If it is unknown whether the change was made, the object as planned.
    pub after: Object,
}

/// The result of a rollback of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// The object is as before.
    Back,
    /// The object is still changed, and why.
    Stands(String),
}

/// Sends every change as a server-side dry run, which includes authorization, admission and validation.
///
/// # Errors
/// The first change that would fail. A webhook with side effects does not support a dry run. This is no failure; the
/// objects concerned are returned.
pub async fn rehearse(session: &Session, changes: &[Change]) -> Result<Vec<ObjectRef>, Failure> {
    let mut unasked = Vec::new();
    for change in changes.iter().filter(|change| !change.is_already()) {
        match send(session, change, DryRun::Server).await {
            Ok(_) => {}
            Err(error) if error.dry_run_unsupported() => unasked.push(change.before.reference.clone()),
            Err(error) => return Err(error.into_failure(session)),
        }
    }
    Ok(unasked)
}

/// A change that was not made, or of which this is unknown.
#[derive(Debug)]
pub struct Unmade {
    pub error: ApiError,
    /// The change, if it is unknown whether it was made. It is rolled back as if it was.
    pub perhaps: Option<Done>,
}

/// Makes one change.
///
/// # Errors
/// Why it was not made, or that this is unknown. After a panic also a change that was made: no more is written then.
pub async fn make(session: &Session, change: Change) -> Result<Done, Unmade> {
    let sent = caught(send(session, &change, DryRun::No)).await;
    let panicked = sent.is_err();
    let error = match sent {
        Ok(Ok(value)) => return Ok(stored(change, value)),
        Ok(Err(error)) => error,
        // It may have been sent before the panic.
        Err(Panicked) => failed(&change, verb(&change), ApiCause::BadAnswer(FAULT.to_owned())),
    };
    if !may_stand(&error) {
        return Err(Unmade { error, perhaps: None });
    }
    match read(session, &change.before.reference).await {
        Ok(now) if stands(&change, &now) && panicked => Err(Unmade { error, perhaps: Some(stored(change, now)) }),
        Ok(now) if stands(&change, &now) => Ok(stored(change, now)),
        Ok(_) => Err(Unmade { error, perhaps: None }),
        Err(_) => {
            let perhaps = change.after().ok().map(|after| Done { change, after });
            Err(Unmade { error, perhaps })
        }
    }
}

/// The current object, or null if it does not exist.
async fn read(session: &Session, object: &ObjectRef) -> Result<Value, ApiError> {
    match session.get(object.kind, &object.namespace, &object.name).await {
        Err(error) if error.cause == ApiCause::NotFound => Ok(Value::Null),
        other => other,
    }
}

/// Whether the change was made, according to the current object.
fn stands(change: &Change, now: &Value) -> bool {
    match change.act() {
        Act::Create | Act::Edit => inverse::holds(&change.edits, now),
        Act::Delete => !is_same(&change.before.value, now) || !now["metadata"]["deletionTimestamp"].is_null(),
    }
}

/// Whether both values are of the same object. A new object with the same name has another uid.
fn is_same(one: &Value, other: &Value) -> bool {
    one["metadata"]["uid"] == other["metadata"]["uid"]
}

fn stored(change: Change, value: Value) -> Done {
    let after = Object { reference: change.before.reference.clone(), value };
    Done { change, after }
}

/// Whether a write with this error may still have been made: the answer is missing, invalid or too large, or the server
/// failed half way (a timeout of etcd is a 500).
fn may_stand(error: &ApiError) -> bool {
    let is_no_answer = matches!(error.cause, ApiCause::BadAnswer(_) | ApiCause::TooLarge { .. });
    error.outcome_unknown() || is_no_answer || matches!(error.cause, ApiCause::Server { .. })
}

/// Whether the API server may be available again in a moment.
fn may_pass(error: &ApiError) -> bool {
    matches!(error.cause, ApiCause::Unreachable { .. } | ApiCause::Timeout { .. } | ApiCause::Server { .. })
}

/// Sends the change. After a conflict, the object is read again. If what the change affects is still as planned, the
/// same change is sent with the new version. An object to be created that exists by now was created by others.
async fn send(session: &Session, change: &Change, dry_run: DryRun) -> Result<Value, ApiError> {
    let ObjectRef { kind, namespace, name } = &change.before.reference;
    let mut object = change.before.clone();
    for _ in 0..TRIES {
        let sent = match change.act() {
            Act::Create => {
                let object = change.after().map_err(|path| unplannable(change, Verb::Create, &path))?;
                return session.create(&object, dry_run).await;
            }
            Act::Delete => session.delete(&object, dry_run).await.map(|()| Value::Null),
            Act::Edit => {
                let operations =
                    patch::guarded(&object, &change.edits).map_err(|path| unplannable(change, Verb::Patch, &path))?;
                session.patch(kind, namespace, name, &operations, dry_run).await
            }
        };
        match sent {
            Err(error) if error.cause == ApiCause::Conflict => {
                let now = Object::new(kind, session.get(kind, namespace, name).await?);
                if !is_untouched(change, &now.value) {
                    return Err(error);
                }
                object = now;
            }
            other => return other,
        }
    }
    Err(failed(change, verb(change), ApiCause::Conflict))
}

/// Whether the parts that the change affects are unmodified.
fn is_untouched(change: &Change, now: &Value) -> bool {
    let before = &change.before.value;
    match change.act() {
        Act::Create => false,
        Act::Edit => change.edits.iter().all(|edit| edit.path.get(now) == edit.path.get(before)),
        Act::Delete => is_same(before, now) && without_servers_own(before) == without_servers_own(now),
    }
}

/// The object in the form in which it can be created again: without the metadata that the API server sets.
pub(crate) fn without_servers_own(object: &Value) -> Value {
    const SERVERS_OWN: [&str; 8] = [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "generation",
        "managedFields",
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ];
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| !SERVERS_OWN.contains(&key.as_str()));
    }
    object
}

/// The object without its status, which controllers write.
fn without_status(object: &Value) -> Value {
    let mut object = without_servers_own(object);
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    object
}

fn unplannable(change: &Change, verb: Verb, path: &FieldPath) -> ApiError {
    failed(change, verb, ApiCause::Invalid(format!("{path} has an unexpected type")))
}

fn verb(change: &Change) -> Verb {
    match change.act() {
        Act::Create => Verb::Create,
        Act::Edit => Verb::Patch,
        Act::Delete => Verb::Delete,
    }
}

fn failed(change: &Change, verb: Verb, cause: ApiCause) -> ApiError {
    let ObjectRef { kind, namespace, name } = change.before.reference.clone();
    ApiError { verb, kind: Some(kind), namespace, name, cause, causes: Causes::default() }
}

/// Rolls back the completed changes, the last first, based on the current objects.
pub async fn roll_back(session: &Session, done: &[Done]) -> Vec<(ObjectRef, Undone)> {
    let mut undone = Vec::new();
    for done in done.iter().rev() {
        let state = caught(take_back_one(session, done)).await;
        let state = state.unwrap_or_else(|_| Undone::Stands(FAULT.to_owned()));
        undone.push((done.change.before.reference.clone(), state));
    }
    undone
}

/// Rolls back one change. If the API server is unavailable, it retries for the duration of a request timeout, because
/// an incomplete rollback is worse than a wait.
async fn take_back_one(session: &Session, done: &Done) -> Undone {
    let begun = Instant::now();
    let mut conflicts = 0;
    loop {
        let error = match try_back(session, done).await {
            Ok(undone) => return undone,
            Err(error) => error,
        };
        conflicts += usize::from(error.cause == ApiCause::Conflict);
        let again = match error.cause {
            ApiCause::Conflict => conflicts < TRIES,
            _ => may_pass(&error) && begun.elapsed() < session.timeout(),
        };
        match again {
            true => sleep(PAUSE).await,
            false if error.cause == ApiCause::Conflict => {
                return Undone::Stands(format!("changed by others {TRIES} times"));
            }
            false => return Undone::Stands(error.into_failure(session).message),
        }
    }
}

async fn try_back(session: &Session, done: &Done) -> Result<Undone, ApiError> {
    let now = read(session, &done.change.before.reference).await?;
    match done.change.act() {
        Act::Create => delete_again(session, done, now).await,
        Act::Delete => create_again(session, done, &now).await,
        Act::Edit => edit_back(session, done, now).await,
    }
}

async fn edit_back(session: &Session, Done { change, after }: &Done, now: Value) -> Result<Undone, ApiError> {
    let ObjectRef { kind, namespace, name } = &change.before.reference;
    if now.is_null() {
        return Err(failed(change, Verb::Get, ApiCause::NotFound));
    }
    let now = Object::new(kind, now);
    let back = match inverse(&change.before.value, &change.edits, &after.value, &now.value) {
        Ok(back) if back.is_empty() => {
            claims::left(session, change, now).await;
            return Ok(Undone::Back);
        }
        Ok(back) => back,
        Err(theirs) => {
            let paths: Vec<_> = theirs.iter().map(ToString::to_string).collect();
            return Ok(Undone::Stands(format!("others changed {} in the meantime", paths.join(", "))));
        }
    };
    let Ok(operations) = patch::guarded(&now, &back) else {
        return Ok(Undone::Stands("it no longer has the expected structure".to_owned()));
    };
    let back = session.patch(kind, namespace, name, &operations, DryRun::No).await?;
    claims::left(session, change, Object::new(kind, back)).await;
    Ok(Undone::Back)
}

/// Deletes a created object if it is unmodified. An object that was created by others meanwhile is kept, and so is one
/// that others modified.
async fn delete_again(session: &Session, done: &Done, now: Value) -> Result<Undone, ApiError> {
    let ours = &done.after.value;
    // Without an answer to the creation, our uid is unknown.
    let is_another = !ours["metadata"]["uid"].is_null() && !is_same(ours, &now);
    if now.is_null() || is_another {
        return Ok(Undone::Back);
    }
    // Compared with the answer, or with what was sent if there was no answer.
    let is_untouched = match ours["metadata"]["uid"].is_null() {
        true => inverse::holds(&done.change.edits, &now),
        false => without_status(ours) == without_status(&now),
    };
    if !is_untouched {
        return Ok(Undone::Stands("others changed it in the meantime".to_owned()));
    }
    let now = Object { reference: done.change.before.reference.clone(), value: now };
    match session.delete(&now, DryRun::No).await {
        Err(error) if error.cause == ApiCause::NotFound => Ok(Undone::Back),
        other => other.map(|()| Undone::Back),
    }
}

/// Creates a deleted object again. Its uid and creation time are new, because the API server sets them.
async fn create_again(session: &Session, done: &Done, now: &Value) -> Result<Undone, ApiError> {
    let before = &done.change.before;
    let value = without_servers_own(&before.value);
    if now.is_null() {
        let object = Object { reference: before.reference.clone(), value };
        return session.create(&object, DryRun::No).await.map(|_| Undone::Back);
    }
    Ok(match (now["metadata"]["deletionTimestamp"].is_null(), inverse::covers(now, &value)) {
        (true, true) => Undone::Back,
        (true, false) => Undone::Stands("others created it again in the meantime".to_owned()),
        (false, _) => Undone::Stands("it is being deleted and waits for a finalizer".to_owned()),
    })
}

/// The failure of a run that was rolled back: completely (exit 5), partly (6), or without any write.
pub(crate) fn failure(cause: Failure, undone: &[(ObjectRef, Undone)], again: impl Into<Hint>) -> Failure {
    let stands = undone.iter().any(|(_, state)| matches!(state, Undone::Stands(_)));
    match undone {
        [] => cause,
        _ if !stands => Failure { exit: cause.exit.prevailing(Exit::RolledBack), ..cause },
        _ => {
            let exit = cause.exit.prevailing(Exit::HalfDone);
            let failure = Failure { exit, reason: Reason::HalfDone, ..cause }.detail("NOT fully rolled back");
            let failure = undone.iter().fold(failure, |failure, (object, state)| match state {
                Undone::Back => failure.detail(format!("  {object}  rolled back")),
                Undone::Stands(why) => failure.detail(format!("  {object}  still changed: {why}")),
            });
            failure.hint(again)
        }
    }
}
