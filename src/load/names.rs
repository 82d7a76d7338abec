//! Names for shell completion: only metadata, in one answer, from the API server's cache.
//!
//! The list is not split into pages: if a shell has only some of the names and just one of them fits, it takes that one
//! as the only match.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::kube::{ApiCause, ApiError, Freshness, Query, Scope, Session};
use crate::model::{Kind, kinds};
use crate::options::{Global, Names};
use crate::plan::gateway::PROXY_LABEL;
use crate::plan::istiod::{ISTIOD_LABEL, REVISION_LABEL, TAG_LABEL};

/// The names, each once, sorted.
///
/// # Errors
/// They may not or cannot be listed.
pub(crate) async fn list(session: &Session, names: Names, global: &Global) -> Result<Vec<String>, ApiError> {
    let namespace = Scope::Namespace(global.object_namespace());
    let list = async |kind: &'static Kind, scope: Scope<'_>, labels: &str| {
        let query = Query { metadata_only: true, freshness: Freshness::AtHand, ..Query::labelled(labels) };
        match session.list_page(kind, scope, &query).await {
            Err(ApiError { cause: ApiCause::TooLarge { .. }, .. }) => {
                session.list_all(kind, scope, Query { freshness: Freshness::Now, ..query }).await
            }
            other => Ok(other?.items),
        }
    };
    let found: BTreeSet<String> = match names {
        // Contexts are in the kubeconfig, not in the cluster.
        Names::Contexts => BTreeSet::new(),
        Names::Namespaces => named(&list(&kinds::NAMESPACE, Scope::All, "").await?).collect(),
        Names::Upstreams => named(&list(&kinds::UPSTREAM, namespace, "").await?).collect(),
        Names::Services => named(&list(&kinds::SERVICE, namespace, PROXY_LABEL).await?).collect(),
        Names::Gateways => named(&list(&kinds::KUBE_GATEWAY, Scope::All, "").await?).collect(),
        Names::Proxies => {
            let (deployments, daemon_sets) = tokio::join!(
                list(&kinds::DEPLOYMENT, namespace, PROXY_LABEL),
                list(&kinds::DAEMON_SET, namespace, PROXY_LABEL)
            );
            let workloads = [deployments?, daemon_sets.unwrap_or_default()].concat();
            named(&workloads).collect()
        }
        Names::Revisions => {
            let (istiods, webhooks) = tokio::join!(
                list(&kinds::DEPLOYMENT, Scope::All, ISTIOD_LABEL),
                list(&kinds::MUTATING_WEBHOOK, Scope::All, TAG_LABEL)
            );
            let istiods = istiods?;
            let tags = webhooks.unwrap_or_default();
            labelled(&istiods, REVISION_LABEL).chain(labelled(&tags, TAG_LABEL)).collect()
        }
        Names::Releases => labelled(&list(&kinds::SECRET, namespace, "owner=helm").await?, "name").collect(),
    };
    Ok(found.into_iter().collect())
}

fn named(items: &[Value]) -> impl Iterator<Item = String> + '_ {
    items.iter().filter_map(|item| item["metadata"]["name"].as_str()).map(str::to_owned)
}

fn labelled<'v>(items: &'v [Value], label: &'v str) -> impl Iterator<Item = String> + 'v {
    items.iter().filter_map(move |item| item["metadata"]["labels"][label].as_str()).map(str::to_owned)
}
