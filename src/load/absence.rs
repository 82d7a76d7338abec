//! An object that is not there: which names are near it, and where else its name is.

use serde_json::Value;

use crate::command::{Hint, quoted};
use crate::kube::{Query, Scope, Session};
use crate::model::ObjectRef;
use crate::text::nearest;

/// What can be said about an object that is not there. Whatever may not be read is not said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Absence {
    /// Names in the same namespace, nearest first.
    pub near: Vec<String>,
    /// Another namespace that has the name: rather meant than one that is only near.
    pub elsewhere: Option<String>,
}

impl Absence {
    /// `near: a, b`
    #[must_use]
    pub(crate) fn detail(&self) -> Option<String> {
        (!self.near.is_empty()).then(|| format!("near: {}", self.near.join(", ")))
    }

    /// The flag that finds it.
    #[must_use]
    pub(crate) fn hint(&self) -> Option<Hint> {
        self.elsewhere.as_deref().map(in_namespace)
    }
}

/// The flag that finds what is in another namespace.
pub(crate) fn in_namespace(namespace: &str) -> Hint {
    Hint::from(format!("it is in namespace {namespace}: -n {}", quoted(namespace)))
}

/// Looks around an object that is not there.
pub(crate) async fn around(session: &Session, absent: &ObjectRef) -> Absence {
    let here = list(session, absent, Scope::Namespace(&absent.namespace), String::new()).await;
    let names = here.iter().filter_map(|item| item["metadata"]["name"].as_str());
    let near = nearest(&absent.name, names);
    let namesakes = list(session, absent, Scope::All, format!("metadata.name={}", absent.name)).await;
    let elsewhere = namesakes.iter().find_map(|item| item["metadata"]["namespace"].as_str()).map(str::to_owned);
    Absence { near, elsewhere }
}

async fn list(session: &Session, absent: &ObjectRef, scope: Scope<'_>, fields: String) -> Vec<Value> {
    let query = Query { fields, metadata_only: true, ..Query::default() };
    session.list_all(absent.kind, scope, query).await.unwrap_or_default()
}
