//! The mark of a change that is not observed yet: what an earlier run left, and the removal after the window.

use crate::apply::transaction::{self, Done};
use crate::flow::report::Report;
use crate::kube::Session;
use crate::model::Object;
use crate::plan::advice::{Advice, Code};
use crate::plan::change::Change;
use crate::plan::observe::mark;

/// The change of an earlier run, by the mark that it left.
pub(in crate::flow) fn done_of_mark(object: &Object) -> Option<Done> {
    let (before, edits) = mark::before(object)?;
    Some(Done { change: Change::new(before, edits, ""), after: object.clone() })
}

/// Removes the mark of an object that was observed. Returns the object without it.
pub(in crate::flow) async fn unmark(session: &Session, object: &Object, report: &mut Report<'_>) -> Option<Object> {
    let edit = mark::unmark(&object.value)?;
    match transaction::make(session, Change::new(object.clone(), vec![edit], "")).await {
        Ok(done) => Some(done.after),
        Err(unmade) => {
            let why = unmade.error.into_failure(session).message;
            let what = format!("the annotation {} stays: {why}", mark::NOT_OBSERVED);
            report.advice(Advice::note(Code::Unknown, what).about(&object.reference));
            None
        }
    }
}
