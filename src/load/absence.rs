//! Looks up similar names, and other namespaces with the same name, for an object that does not exist.

use serde_json::Value;

use crate::command::{Hint, quoted};
use crate::kube::{ApiCause, ApiError, Query, Scope, Session};
use crate::model::{ObjectRef, kinds};
use crate::text::nearest;

/// What is known about an object that does not exist. What may not be read is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Absence {
    /// Similar names in the same namespace, the nearest first.
    pub near: Vec<String>,
    /// Another namespace that has the name. It is more likely meant than a similar name.
    pub elsewhere: Option<String>,
    /// That its namespace does not exist: `there is no namespace edgee, near: edge`.
    pub no_namespace: Option<String>,
}

impl Absence {
    /// The line about its namespace, or `near: a, b`.
    #[must_use]
    pub(crate) fn detail(&self) -> Option<String> {
        self.no_namespace.clone().or_else(|| near(&self.near))
    }

    /// The flag that finds it.
    #[must_use]
    pub(crate) fn hint(&self) -> Option<Hint> {
        self.elsewhere.as_deref().map(in_namespace)
    }
}

/// The flag that finds an object in another namespace.
pub(crate) fn in_namespace(namespace: &str) -> Hint {
    Hint::from(format!("it is in namespace {namespace}: -n {}", quoted(namespace)))
}

/// Searches for what may have been meant instead of an object that does not exist.
pub(crate) async fn around(session: &Session, absent: &ObjectRef) -> Absence {
    let here = list(session, absent, Scope::Namespace(&absent.namespace), String::new()).await;
    let names = here.iter().filter_map(|item| item["metadata"]["name"].as_str());
    let near = nearest(&absent.name, names);
    let namesakes = list(session, absent, Scope::All, format!("metadata.name={}", absent.name)).await;
    let elsewhere = namesakes.iter().find_map(|item| item["metadata"]["namespace"].as_str()).map(str::to_owned);
    let no_namespace = match here.is_empty() && !absent.namespace.is_empty() {
        true => no_namespace(session, &absent.namespace).await,
        false => None,
    };
    Absence { near, elsewhere, no_namespace }
}

/// That a namespace does not exist, with similar names: `there is no namespace edgee, near: edge`. `None` if it exists, or
/// if that may not be read.
pub(crate) async fn no_namespace(session: &Session, name: &str) -> Option<String> {
    match session.get(&kinds::NAMESPACE, "", name).await {
        Err(ApiError { cause: ApiCause::NotFound, .. }) => {}
        _ => return None,
    }
    let absent = ObjectRef::new(&kinds::NAMESPACE, "", name);
    let all = list(session, &absent, Scope::All, String::new()).await;
    let near = near(&nearest(name, all.iter().filter_map(|item| item["metadata"]["name"].as_str())));
    Some(format!("there is no namespace {name}{}", near.map(|near| format!(", {near}")).unwrap_or_default()))
}

/// `near: a, b`
fn near(names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| format!("near: {}", names.join(", ")))
}

async fn list(session: &Session, absent: &ObjectRef, scope: Scope<'_>, fields: String) -> Vec<Value> {
    let query = Query { fields, metadata_only: true, ..Query::default() };
    session.list_all(absent.kind, scope, query).await.unwrap_or_default()
}
