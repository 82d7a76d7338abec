//! The `ReplicaSet`s whose pods the API server refuses to create.
//!
//! A cluster has far too many `ReplicaSet`s to list them. Events name the few in question, for an hour after the last try.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};

use super::snapshot::{ends_the_run, unknown};
use crate::error::Failure;
use crate::kube::{ApiCause, ApiError, Query, Scope, Session};
use crate::model::{ListAnswer, ListPart, Object, Snapshot, kinds};

const REFUSED: &str = "reason=FailedCreate,involvedObject.kind=ReplicaSet";
/// The objects that are read at most. One in each namespace is enough for a finding.
const MOST: usize = 100;
/// Number of simultaneous requests.
const AT_ONCE: usize = 6;

/// Adds them to a snapshot. What may not be read is unknown in it.
///
/// # Errors
/// The API server does not answer.
pub(crate) async fn read(session: &Session, snapshot: &mut Snapshot) -> Result<(), Failure> {
    let answer = match named(session).await {
        Ok(objects) => ListAnswer::Read(objects),
        Err(error) if ends_the_run(&error) => return Err(error.into_failure(session)),
        Err(error) => ListAnswer::Unknown(unknown(&error)),
    };
    snapshot.put(&kinds::REPLICA_SET, ListPart::All, answer);
    Ok(())
}

async fn named(session: &Session) -> Result<Vec<Object>, ApiError> {
    let query = Query { fields: REFUSED.to_owned(), ..Query::default() };
    let events = session.list_all(&kinds::EVENT, Scope::All, query).await?;
    let named = events.iter().filter_map(|event| {
        let object = &event["involvedObject"];
        Some((object["namespace"].as_str()?, object["name"].as_str()?))
    });
    let named: BTreeSet<_> = named.collect();
    let objects = stream::iter(named.into_iter().take(MOST)).map(|(namespace, name)| async move {
        match session.get(&kinds::REPLICA_SET, namespace, name).await {
            Ok(value) => Ok(Some(Object::new(&kinds::REPLICA_SET, value))),
            Err(error) if error.cause == ApiCause::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    });
    let objects: Vec<_> = objects.buffered(AT_ONCE).collect().await;
    objects.into_iter().filter_map(Result::transpose).collect()
}
