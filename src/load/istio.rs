//! Reads the control planes of the cluster, and the Deployment whose image the sds sidecar follows.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::command::flag;
use crate::error::Failure;
use crate::kube::{ApiCause, ApiError, Query, Scope, Session};
use crate::model::{Kind, kinds};
use crate::plan::istiod::{self, ControlPlaneObjects, ISTIOD_LABEL, Istiod, REVISION_LABEL};
use crate::plan::revisions::Listed;

/// The control planes that were found.
pub(crate) struct FoundIstiods {
    pub istiods: Vec<Istiod>,
    /// Whether revision tags could be read.
    pub tags: Listed<()>,
}

/// Every istiod, in all namespaces or one.
///
/// # Errors
/// As for [`all`].
pub(crate) async fn istiods(session: &Session, namespace: Option<&str>) -> Result<Vec<Istiod>, Failure> {
    all(session, namespace).await.map(|found| found.istiods)
}

/// The root namespaces of the meshes: of each istiod's mesh configuration. None without an istiod.
///
/// # Errors
/// The Deployments or the mesh configuration cannot be listed.
pub(crate) async fn root_namespaces(session: &Session) -> Result<BTreeSet<String>, Failure> {
    let list = async |kind: &'static Kind, labels: &str| {
        let listed = session.list_all(kind, Scope::All, Query::labelled(labels)).await;
        listed.map_err(|error| hinted(error, session, None))
    };
    let deployments = list(&kinds::DEPLOYMENT, ISTIOD_LABEL).await?;
    if deployments.is_empty() {
        return Ok(BTreeSet::new());
    }
    let config_maps = list(&kinds::CONFIG_MAP, REVISION_LABEL).await?;
    let objects =
        ControlPlaneObjects { deployments: &deployments, services: &[], config_maps: &config_maps, webhooks: &[] };
    Ok(istiod::all(&objects).into_iter().map(|istiod| istiod.root_namespace).collect())
}

/// Every istiod, and whether its tags could be read.
///
/// # Errors
/// The Deployments cannot be listed. Services, mesh configuration and webhooks that cannot be listed are left out: they
/// only add details.
pub(crate) async fn all(session: &Session, namespace: Option<&str>) -> Result<FoundIstiods, Failure> {
    let scope = namespace.map_or(Scope::All, Scope::Namespace);
    let list = async |kind: &'static Kind, scope: Scope<'_>, labels: &str| {
        session.list_all(kind, scope, Query::labelled(labels)).await
    };
    let deployments =
        list(&kinds::DEPLOYMENT, scope, ISTIOD_LABEL).await.map_err(|error| hinted(error, session, namespace))?;
    if deployments.is_empty() {
        return Ok(FoundIstiods { istiods: Vec::new(), tags: Listed::Read(()) });
    }
    let (services, config_maps, webhooks) = tokio::join!(
        list(&kinds::SERVICE, scope, REVISION_LABEL),
        list(&kinds::CONFIG_MAP, scope, REVISION_LABEL),
        list(&kinds::MUTATING_WEBHOOK, Scope::All, REVISION_LABEL),
    );
    let tags = match &webhooks {
        Ok(_) => Listed::Read(()),
        Err(error) => Listed::Unknown { why: super::unread::why(error) },
    };
    let istiods = istiod::all(&ControlPlaneObjects {
        deployments: &deployments,
        services: &services.unwrap_or_default(),
        config_maps: &config_maps.unwrap_or_default(),
        webhooks: &webhooks.unwrap_or_default(),
    });
    Ok(FoundIstiods { istiods, tags })
}

fn hinted(error: ApiError, session: &Session, namespace: Option<&str>) -> Failure {
    let is_forbidden = matches!(error.cause, ApiCause::Forbidden { .. });
    let failure = error.into_failure(session);
    if is_forbidden && namespace.is_none() {
        failure.hint(flag("--istio-namespace").text(" NS needs permission in that namespace only"))
    } else {
        failure
    }
}

/// The Deployment `gloo`, if it exists and may be read.
pub(crate) async fn gloo(session: &Session, namespace: &str) -> Option<Value> {
    let query = Query::labelled("gloo=gloo");
    let found = session.list_all(&kinds::DEPLOYMENT, Scope::Namespace(namespace), query).await.ok()?;
    found.into_iter().next()
}
