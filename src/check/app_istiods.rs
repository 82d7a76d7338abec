//! Finds control planes without a ready pod that applications use.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, codes};
use crate::model::{ObjectRef, kinds};
use crate::plan::istiod::Istiod;
use crate::plan::revisions::Binding;

/// The namespaces that are bound to each revision, or whose pods run on it.
#[derive(Default)]
pub(super) struct Users<'u>(BTreeMap<&'u str, BTreeSet<&'u str>>);

impl<'u> Users<'u> {
    pub(super) fn of(bindings: &'u [Binding], pods: &'u BTreeSet<(String, String)>) -> Self {
        let bound = bindings.iter().filter_map(|it| Some((it.revision.as_deref()?, it.namespace.as_str())));
        let mut users = Self::default();
        for (revision, namespace) in
            bound.chain(pods.iter().map(|(revision, namespace)| (revision.as_str(), namespace.as_str())))
        {
            users.0.entry(revision).or_default().insert(namespace);
        }
        users
    }
}

/// The Deployment of a control plane.
pub(super) fn reference(istiod: &Istiod) -> ObjectRef {
    ObjectRef::new(&kinds::DEPLOYMENT, istiod.namespace.as_str(), istiod.name.as_str())
}

/// One finding for each control plane in use that has no ready pod.
pub(super) fn find(istiods: &[Istiod], users: &Users<'_>) -> Vec<Finding> {
    let down = istiods.iter().filter(|istiod| istiod.ready == 0);
    let found = down.filter_map(|istiod| {
        let namespaces = users.0.get(istiod.revision.as_str())?;
        let reference = reference(istiod);
        let message = format!("istiod {} has no ready pod, and applications use it", istiod.shown());
        let details = namespaces.iter().map(|namespace| format!("namespace {namespace}"));
        Some(Finding::new(&codes::APP_ISTIOD_NOT_READY, &reference, message).details(details).hint(istiod.unready()))
    });
    found.collect()
}
