//! The `ReplicaSet`s whose pods the API server refuses to create.
//!
//! A cluster has far too many `ReplicaSet`s to list them. Events name the few in question, for an hour after the last try.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};

use super::snapshot::{ends_the_run, unknown};
use crate::error::Failure;
use crate::kube::{ApiCause, ApiError, Query, Scope, Session};
use crate::model::{ListAnswer, ListPart, Object, Snapshot, Unknown, kinds};

const REFUSED: &str = "reason=FailedCreate,involvedObject.kind=ReplicaSet";
/// A part of the name of every webhook of Istio's injector.
const INJECTOR: &str = "sidecar-injector.istio.io";
/// The namespaces that are read at most.
const NAMESPACES: usize = 100;
/// The objects of a namespace that are read at most. One is enough for a finding, and the first may be over.
const OF_EACH: usize = 5;
/// Number of simultaneous requests.
const AT_ONCE: usize = 6;

/// Adds them to a snapshot. What may not be read is unknown in it.
///
/// # Errors
/// The API server does not answer.
pub(crate) async fn read(session: &Session, snapshot: &mut Snapshot) -> Result<(), Failure> {
    let answer = match named(session).await {
        Ok((objects, is_cut)) => {
            if is_cut {
                let why = format!("only {NAMESPACES} namespaces with pods that the injector prevents were read");
                snapshot.put(&kinds::REPLICA_SET, ListPart::Selected, ListAnswer::Unknown(Unknown::because(why)));
            }
            ListAnswer::Read(objects)
        }
        Err(error) if ends_the_run(&error) => return Err(error.into_failure(session)),
        Err(error) => ListAnswer::Unknown(unknown(&error)),
    };
    snapshot.put(&kinds::REPLICA_SET, ListPart::All, answer);
    Ok(())
}

async fn named(session: &Session) -> Result<(Vec<Object>, bool), ApiError> {
    let query = Query { fields: REFUSED.to_owned(), ..Query::default() };
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut is_cut = false;
    let mut pages = session.pages(&kinds::EVENT, Scope::All, query);
    while let Some(page) = pages.next().await? {
        for event in page.items.iter().filter(|it| it["message"].as_str().is_some_and(|it| it.contains(INJECTOR))) {
            let object = &event["involvedObject"];
            let (Some(namespace), Some(name)) = (object["namespace"].as_str(), object["name"].as_str()) else {
                continue;
            };
            let is_known = named.contains_key(namespace);
            if !is_known && named.len() == NAMESPACES {
                is_cut = true;
                continue;
            }
            let sets = named.entry(namespace.to_owned()).or_default();
            if sets.len() < OF_EACH {
                sets.insert(name.to_owned());
            }
        }
    }
    let all = named.into_iter().flat_map(|(namespace, sets)| sets.into_iter().map(move |it| (namespace.clone(), it)));
    let objects = stream::iter(all).map(|(namespace, name)| async move {
        match session.get(&kinds::REPLICA_SET, &namespace, &name).await {
            Ok(value) => Ok(Some(Object::new(&kinds::REPLICA_SET, value))),
            Err(error) if error.cause == ApiCause::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    });
    let objects: Vec<_> = objects.buffered(AT_ONCE).collect().await;
    let objects: Result<Vec<_>, _> = objects.into_iter().filter_map(Result::transpose).collect();
    Ok((objects?, is_cut))
}
