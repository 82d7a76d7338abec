//! Several objects changed as one: all of them, or none of them any more.
//!
//! Nothing here relies on being dropped: what was done is a value, and taking it back is a call.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::edit::{Edit, json, patch};
use crate::error::{Exit, Failure, Reason};
use crate::kube::{ApiError, Cause, DryRun, Session};
use crate::model::{Object, ObjectRef};
use crate::plan::inverse::{self, inverse};

/// How often a write is guarded anew because somebody else wrote other fields meanwhile.
const TRIES: usize = 5;
/// Between two tries to take something back.
const PAUSE: Duration = Duration::from_millis(200);

/// A change to one object, planned on what was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub before: Object,
    pub edits: Vec<Edit>,
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
    let ObjectRef { kind, namespace, name } = &step.before.reference;
    let value = match send(session, &step, DryRun::No).await {
        Ok(value) => value,
        Err(error) if !may_stand(&error) => return Err(Unmade { error, perhaps: None }),
        Err(error) => match session.get(kind, namespace, name).await {
            Ok(now) if inverse::holds(&step.edits, &now) => now,
            Ok(_) => return Err(Unmade { error, perhaps: None }),
            Err(_) => {
                let perhaps = json::apply(&step.before.value, &step.edits).ok().map(|value| stored(step, value));
                return Err(Unmade { error, perhaps });
            }
        },
    };
    Ok(stored(step, value))
}

fn stored(step: Step, value: serde_json::Value) -> Done {
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

/// Sends the step's patch. A conflict is read again: if the fields of the step are still as they were
/// when it was planned, the same step is guarded by the new version.
async fn send(session: &Session, step: &Step, dry_run: DryRun) -> Result<serde_json::Value, ApiError> {
    let ObjectRef { kind, namespace, name } = step.before.reference.clone();
    let mut object = step.before.clone();
    for _ in 0..TRIES {
        let operations =
            patch::guarded(&object, &step.edits).map_err(|path| unplannable(&step.before, &path.to_string()))?;
        match session.patch(kind, &namespace, &name, &operations, dry_run).await {
            Err(error) if error.cause == Cause::Conflict => {
                let now = Object::new(kind, session.get(kind, &namespace, &name).await?);
                let untouched =
                    step.edits.iter().all(|edit| edit.path.get(&now.value) == edit.path.get(&step.before.value));
                if !untouched {
                    return Err(error);
                }
                object = now;
            }
            other => return other,
        }
    }
    Err(ApiError { verb: crate::kube::Verb::Patch, kind: Some(kind), namespace, name, cause: Cause::Conflict })
}

fn unplannable(object: &Object, path: &str) -> ApiError {
    let ObjectRef { kind, namespace, name } = object.reference.clone();
    ApiError {
        verb: crate::kube::Verb::Patch,
        kind: Some(kind),
        namespace,
        name,
        cause: Cause::Invalid(format!("{path} is not what it should be")),
    }
}

/// Takes back what was done, the last first, from what is there now.
pub async fn take_back(session: &Session, done: &[Done]) -> Vec<(ObjectRef, Undone)> {
    let mut undone = Vec::new();
    for done in done.iter().rev() {
        undone.push((done.step.before.reference.clone(), take_back_one(session, done).await));
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

async fn try_back(session: &Session, Done { step, after }: &Done) -> Result<Undone, ApiError> {
    let ObjectRef { kind, namespace, name } = &step.before.reference;
    let now = Object::new(kind, session.get(kind, namespace, name).await?);
    let back = match inverse(&step.before.value, &step.edits, &after.value, &now.value) {
        Ok(back) if back.is_empty() => return Ok(Undone::Back),
        Ok(back) => back,
        Err(theirs) => {
            let paths: Vec<_> = theirs.iter().map(ToString::to_string).collect();
            return Ok(Undone::Stands(format!("somebody changed {} meanwhile", paths.join(", "))));
        }
    };
    let Ok(operations) = patch::guarded(&now, &back) else {
        return Ok(Undone::Stands("it is not what it should be any more".to_owned()));
    };
    session.patch(kind, namespace, name, &operations, DryRun::No).await.map(|_| Undone::Back)
}

/// The failure of a run that was taken back: whole (5), in part (6), or one that had written nothing.
pub fn failure(cause: Failure, undone: &[(ObjectRef, Undone)], again: &str) -> Failure {
    if undone.is_empty() {
        return cause.detail("nothing was changed");
    }
    let stands = undone.iter().any(|(_, state)| matches!(state, Undone::Stands(_)));
    let exit = if stands { Exit::HalfDone } else { Exit::RolledBack };
    let mut failure = Failure { exit: cause.exit.or(exit), ..cause };
    if !stands {
        return failure.detail("everything is as it was before");
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
