//! Several objects changed as one: all of them, or none of them any more.
//!
//! Nothing here relies on being dropped: what was done is a value, and taking it back is a call.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use serde_json::Value;

use super::caught::{Panicked, caught};
use super::claims;
use crate::command::Hint;
use crate::edit::{Edit, Op, json, patch};
use crate::error::{Exit, Failure, Reason};
use crate::kube::{ApiError, Cause, DryRun, Session, Verb};
use crate::model::{FieldPath, Object, ObjectRef};
use crate::plan::inverse::{self, inverse};

/// How often a write is guarded anew because somebody else wrote other fields meanwhile.
const TRIES: usize = 5;
/// Between two tries to take something back.
const PAUSE: Duration = Duration::from_millis(200);

/// Said of a panic.
const FAULT: &str = "a fault in gloo-rs itself; please report it";

/// A change to one object, planned on what was read.
///
/// An object that is not there is one whose value is null: to make it is to set the whole of it, to delete it is to
/// take the whole of it away.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub before: Object,
    pub edits: Vec<Edit>,
}

/// How a step is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Create,
    Edit,
    Delete,
}

impl Step {
    /// The object is not there, and is made.
    pub fn create(object: Object) -> Self {
        let before = Object { reference: object.reference, value: Value::Null };
        Self { before, edits: vec![Edit::set(FieldPath::root(), object.value)] }
    }

    /// The object that was read is deleted.
    pub fn delete(object: Object) -> Self {
        Self { before: object, edits: vec![Edit::remove(FieldPath::root())] }
    }

    fn act(&self) -> Act {
        match self.edits.as_slice() {
            [Edit { path, op: Op::Remove }] if path.segments().is_empty() => Act::Delete,
            [Edit { path, op: Op::Set(_) }] if path.segments().is_empty() => Act::Create,
            _ => Act::Edit,
        }
    }

    fn verb(&self) -> Verb {
        match self.act() {
            Act::Create => Verb::Create,
            Act::Edit => Verb::Patch,
            Act::Delete => Verb::Delete,
        }
    }

    /// The object as the step makes it, were nobody else to write it; null where it deletes it.
    ///
    /// # Errors
    /// The path of an edit that leads through something that is not what it should be.
    pub fn planned(&self) -> Result<Value, FieldPath> {
        json::apply(&self.before.value, &self.edits)
    }
}

/// A step that was made.
#[derive(Debug, Clone)]
pub struct Done {
    pub step: Step,
    /// As the API server stored it, or as it would have if the step was made.
    pub after: Object,
}

/// What taking one step back came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// As before.
    Back,
    /// Still changed, and why.
    Stands(String),
}

/// Lets the API server try every step: it asks authorization, admission and validation at once.
///
/// # Errors
/// The first that would fail. A webhook with side effects cannot be asked: that is no failure, and
/// is said in what is given back.
pub async fn rehearse(session: &Session, steps: &[Step]) -> Result<Vec<ObjectRef>, Failure> {
    let mut unasked = Vec::new();
    for step in steps {
        match send(session, step, DryRun::Server).await {
            Ok(_) => {}
            Err(error) if error.dry_run_unsupported() => unasked.push(step.before.reference.clone()),
            Err(error) => return Err(error.into_failure(session).detail("nothing was changed")),
        }
    }
    Ok(unasked)
}

/// A step that was not made, or not known to be.
#[derive(Debug)]
pub struct Unmade {
    pub error: ApiError,
    /// The step, where it may stand for all that is known: it has to be taken back as if it did.
    pub perhaps: Option<Done>,
}

/// Makes one step.
///
/// # Errors
/// Why it was not made, or that nobody knows.
pub async fn make(session: &Session, step: Step) -> Result<Done, Unmade> {
    let error = match caught(send(session, &step, DryRun::No)).await {
        Ok(Ok(value)) => return Ok(stored(step, value)),
        Ok(Err(error)) => error,
        // It may have been sent by then.
        Err(Panicked) => failed(&step, step.verb(), Cause::BadAnswer(FAULT.to_owned())),
    };
    if !may_stand(&error) {
        return Err(Unmade { error, perhaps: None });
    }
    match read(session, &step.before.reference).await {
        Ok(now) if stands(&step, &now) => Ok(stored(step, now)),
        Ok(_) => Err(Unmade { error, perhaps: None }),
        Err(_) => {
            let perhaps = step.planned().ok().map(|value| stored(step, value));
            Err(Unmade { error, perhaps })
        }
    }
}

/// The object as it is now; null: it is not there.
async fn read(session: &Session, object: &ObjectRef) -> Result<Value, ApiError> {
    match session.get(object.kind, &object.namespace, &object.name).await {
        Err(error) if error.cause == Cause::NotFound => Ok(Value::Null),
        other => other,
    }
}

/// Whether the step was made, by what is there now.
fn stands(step: &Step, now: &Value) -> bool {
    match step.act() {
        Act::Create | Act::Edit => inverse::holds(&step.edits, now),
        Act::Delete => !is_same(&step.before.value, now) || !now["metadata"]["deletionTimestamp"].is_null(),
    }
}

/// Whether two readings are of one object: another of its name has another uid.
fn is_same(one: &Value, other: &Value) -> bool {
    one["metadata"]["uid"] == other["metadata"]["uid"]
}

fn stored(step: Step, value: Value) -> Done {
    let after = Object { reference: step.before.reference.clone(), value };
    Done { step, after }
}

/// Whether a write that failed so may have been made: its answer is missing, is no answer, or is a server's
/// that failed half way (etcd's timeout is a 500).
fn may_stand(error: &ApiError) -> bool {
    error.outcome_unknown() || matches!(error.cause, Cause::Server { .. } | Cause::BadAnswer(_))
}

/// Whether the API server may be there again in a moment.
fn may_pass(error: &ApiError) -> bool {
    matches!(error.cause, Cause::Unreachable { .. } | Cause::Timeout { .. } | Cause::Server { .. })
}

/// Sends the step. A conflict is read again: if what the step is about is still as it was when it was planned, the
/// same step is guarded by the new version. What was to be made and is there by now is somebody else's.
async fn send(session: &Session, step: &Step, dry_run: DryRun) -> Result<Value, ApiError> {
    let ObjectRef { kind, namespace, name } = &step.before.reference;
    let mut object = step.before.clone();
    for _ in 0..TRIES {
        let sent = match step.act() {
            Act::Create => return session.create(&planned(step)?, dry_run).await,
            Act::Delete => session.delete(&object, dry_run).await.map(|()| Value::Null),
            Act::Edit => {
                let operations =
                    patch::guarded(&object, &step.edits).map_err(|path| unplannable(step, Verb::Patch, &path))?;
                session.patch(kind, namespace, name, &operations, dry_run).await
            }
        };
        match sent {
            Err(error) if error.cause == Cause::Conflict => {
                let now = Object::new(kind, session.get(kind, namespace, name).await?);
                if !is_untouched(step, &now.value) {
                    return Err(error);
                }
                object = now;
            }
            other => return other,
        }
    }
    Err(failed(step, step.verb(), Cause::Conflict))
}

/// Whether others left alone what the step is about.
fn is_untouched(step: &Step, now: &Value) -> bool {
    let before = &step.before.value;
    match step.act() {
        Act::Create => false,
        Act::Edit => step.edits.iter().all(|edit| edit.path.get(now) == edit.path.get(before)),
        Act::Delete => is_same(before, now) && without_servers_own(before) == without_servers_own(now),
    }
}

/// The object as it would be made anew: without what the API server puts into its metadata.
pub fn without_servers_own(object: &Value) -> Value {
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

/// What its makers say: a status is its controllers'.
fn without_status(object: &Value) -> Value {
    let mut object = without_servers_own(object);
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    object
}

fn planned(step: &Step) -> Result<Object, ApiError> {
    let value = step.planned().map_err(|path| unplannable(step, Verb::Create, &path))?;
    Ok(Object { reference: step.before.reference.clone(), value })
}

fn unplannable(step: &Step, verb: Verb, path: &FieldPath) -> ApiError {
    failed(step, verb, Cause::Invalid(format!("{path} is not what it should be")))
}

fn failed(step: &Step, verb: Verb, cause: Cause) -> ApiError {
    let ObjectRef { kind, namespace, name } = step.before.reference.clone();
    ApiError { verb, kind: Some(kind), namespace, name, cause }
}

/// Takes back what was done, the last first, from what is there now.
pub async fn take_back(session: &Session, done: &[Done]) -> Vec<(ObjectRef, Undone)> {
    let mut undone = Vec::new();
    for done in done.iter().rev() {
        let state = caught(take_back_one(session, done)).await;
        let state = state.unwrap_or_else(|_| Undone::Stands(FAULT.to_owned()));
        undone.push((done.step.before.reference.clone(), state));
    }
    undone
}

/// An API server that is away is waited for, as long as a request may take: half a state is worse than a wait.
async fn take_back_one(session: &Session, done: &Done) -> Undone {
    let begun = Instant::now();
    let mut conflicts = 0;
    loop {
        let error = match try_back(session, done).await {
            Ok(undone) => return undone,
            Err(error) => error,
        };
        conflicts += usize::from(error.cause == Cause::Conflict);
        let again = match error.cause {
            Cause::Conflict => conflicts < TRIES,
            _ => may_pass(&error) && begun.elapsed() < session.timeout(),
        };
        match again {
            true => sleep(PAUSE).await,
            false if error.cause == Cause::Conflict => {
                return Undone::Stands(format!("changed by others {TRIES} times"));
            }
            false => return Undone::Stands(error.into_failure(session).message),
        }
    }
}

async fn try_back(session: &Session, done: &Done) -> Result<Undone, ApiError> {
    let now = read(session, &done.step.before.reference).await?;
    match done.step.act() {
        Act::Create => delete_again(session, done, now).await,
        Act::Delete => create_again(session, done, &now).await,
        Act::Edit => edit_back(session, done, now).await,
    }
}

async fn edit_back(session: &Session, Done { step, after }: &Done, now: Value) -> Result<Undone, ApiError> {
    let ObjectRef { kind, namespace, name } = &step.before.reference;
    if now.is_null() {
        return Err(failed(step, Verb::Get, Cause::NotFound));
    }
    let now = Object::new(kind, now);
    let back = match inverse(&step.before.value, &step.edits, &after.value, &now.value) {
        Ok(back) if back.is_empty() => {
            claims::left(session, step, now).await;
            return Ok(Undone::Back);
        }
        Ok(back) => back,
        Err(theirs) => {
            let paths: Vec<_> = theirs.iter().map(ToString::to_string).collect();
            return Ok(Undone::Stands(format!("somebody changed {} meanwhile", paths.join(", "))));
        }
    };
    let Ok(operations) = patch::guarded(&now, &back) else {
        return Ok(Undone::Stands("it is not what it should be any more".to_owned()));
    };
    let back = session.patch(kind, namespace, name, &operations, DryRun::No).await?;
    claims::left(session, step, Object::new(kind, back)).await;
    Ok(Undone::Back)
}

/// Deletes what was made, if it is still ours: one that somebody else made since is theirs, and so is what they
/// wrote into ours.
async fn delete_again(session: &Session, done: &Done, now: Value) -> Result<Undone, ApiError> {
    let ours = &done.after.value;
    // Where no answer came to the creation, nobody knows our uid.
    let is_another = !ours["metadata"]["uid"].is_null() && !is_same(ours, &now);
    if now.is_null() || is_another {
        return Ok(Undone::Back);
    }
    // As it was answered, or as it was sent where no answer came.
    let is_untouched = match ours["metadata"]["uid"].is_null() {
        true => inverse::holds(&done.step.edits, &now),
        false => without_status(ours) == without_status(&now),
    };
    if !is_untouched {
        return Ok(Undone::Stands("somebody changed it meanwhile".to_owned()));
    }
    let now = Object { reference: done.step.before.reference.clone(), value: now };
    match session.delete(&now, DryRun::No).await {
        Err(error) if error.cause == Cause::NotFound => Ok(Undone::Back),
        other => other.map(|()| Undone::Back),
    }
}

/// Makes what was deleted again: with another uid and a new creation time, for those are the API server's.
async fn create_again(session: &Session, done: &Done, now: &Value) -> Result<Undone, ApiError> {
    let before = &done.step.before;
    let value = without_servers_own(&before.value);
    if now.is_null() {
        let object = Object { reference: before.reference.clone(), value };
        return session.create(&object, DryRun::No).await.map(|_| Undone::Back);
    }
    Ok(match (now["metadata"]["deletionTimestamp"].is_null(), inverse::covers(now, &value)) {
        (true, true) => Undone::Back,
        (true, false) => Undone::Stands("somebody made another meanwhile".to_owned()),
        (false, _) => Undone::Stands("it is being deleted: a finalizer is waited for".to_owned()),
    })
}

/// Said of a run of which nothing stands.
pub const ALL_BACK: &str = "everything is as it was before";

/// The failure of a run that was taken back: whole (5), in part (6), or one that had written nothing.
pub fn failure(cause: Failure, undone: &[(ObjectRef, Undone)], again: impl Into<Hint>) -> Failure {
    if undone.is_empty() {
        return cause.detail("nothing was changed");
    }
    let stands = undone.iter().any(|(_, state)| matches!(state, Undone::Stands(_)));
    let exit = if stands { Exit::HalfDone } else { Exit::RolledBack };
    let mut failure = Failure { exit: cause.exit.or(exit), ..cause };
    if !stands {
        return failure.detail(ALL_BACK);
    }
    failure.reason = Reason::HalfDone;
    failure = failure.detail("NOT fully rolled back");
    for (object, state) in undone {
        let state = match state {
            Undone::Back => "as before".to_owned(),
            Undone::Stands(why) => format!("still changed: {why}"),
        };
        failure = failure.detail(format!("  {object}  {state}"));
    }
    failure.hint(again)
}
