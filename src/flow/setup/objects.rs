//! Plans changes to named objects without writing them.

use crate::apply::cluster;
use crate::error::{Exit, Failure, Reason};
use crate::flow::execute::Planned;
use crate::flow::live;
use crate::kube::{ApiCause, Session};
use crate::model::{Object, ObjectRef};
use crate::options::{GLOO_SYSTEM, Global, Named};
use crate::plan::PerObject;
use crate::plan::change::Change;
use crate::plan::mtls::UpstreamContext;
use crate::plan::outcome::{Outcome, Row};
use crate::plan::policy::Picked;
use crate::render::text;

/// The changes to these objects, or the rows of those that are refused.
pub(super) async fn plan(
    session: &Session,
    plan: &dyn PerObject,
    names: &[Named],
    global: &Global,
) -> Planned<Vec<Change>> {
    let (mut changes, mut refused) = (Vec::new(), Vec::new());
    for named in names {
        let namespace = named.namespace.as_deref().unwrap_or(global.object_namespace());
        let reference = ObjectRef::new(plan.kind(), namespace, named.name.as_str());
        match one(session, plan, &reference).await {
            Ok(change) => changes.push(change),
            Err(mut row) => {
                // If one of several names does not exist, the whole step fails.
                if names.len() > 1 && row.exit == Exit::SaidNo {
                    row.exit = Exit::Failed;
                }
                refused.push(*row);
            }
        }
    }
    if refused.is_empty() { Ok(changes) } else { Err(refused) }
}

async fn one(session: &Session, plan: &dyn PerObject, reference: &ObjectRef) -> Result<Change, Box<Row>> {
    let ObjectRef { kind, namespace, name } = reference;
    match session.get(kind, namespace, name).await {
        Ok(value) => {
            let object = Object::new(kind, value);
            plan.decide(&object, Picked::Named, &UpstreamContext::unseen()).about(object)
        }
        Err(error) => {
            let is_absent = error.cause == ApiCause::NotFound;
            let mut row = cluster::failed(session, reference, error);
            if is_absent {
                live::explain_absence(session, &mut row).await;
            }
            Err(Box::new(row))
        }
    }
}

/// The rows of a refused plan as one failure. The first row is the message; the others are its details.
pub(super) fn refused(rows: Vec<Row>) -> Failure {
    let mut rows = rows.into_iter().filter(|row| row.outcome != Outcome::Skipped && row.exit != Exit::Done);
    let Some(first) = rows.next() else {
        return Failure::new(Exit::Failed, Reason::Unknown, "refused without a reason");
    };
    let mut failure =
        Failure::new(first.exit, first.reason.unwrap_or(Reason::Unknown), text::trouble(&first, GLOO_SYSTEM));
    failure.details = first.details;
    failure.hints.extend(first.hint);
    rows.fold(failure, |failure, row| failure.detail(text::trouble(&row, GLOO_SYSTEM)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kinds;
    use crate::plan::outcome::Objection;

    #[test]
    fn the_first_refused_object_says_why_and_the_others_are_details() {
        let row = |name: &str, why: &str| {
            let object = ObjectRef::new(&kinds::UPSTREAM, GLOO_SYSTEM, name);
            Row::left(object, Outcome::Refused, Objection::new(Reason::NotFound, why).hint("look elsewhere"))
        };
        let failure = refused(vec![row("a", "is gone"), row("b", "has TLS")]);
        assert_eq!((failure.exit, failure.reason), (Exit::Failed, Reason::NotFound));
        assert!(failure.message.contains('a') && failure.message.contains("is gone"), "{failure:?}");
        assert_eq!(failure.details.len(), 1);
        assert!(failure.details[0].contains("has TLS"), "{failure:?}");
        assert_eq!(failure.hints, ["look elsewhere"]);
    }
}
