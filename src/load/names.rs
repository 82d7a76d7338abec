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
    let listed = async |kind: &'static Kind, scope: Scope<'_>, query: Query| {
        let query = Query { freshness: Freshness::AtHand, ..query };
        match session.list_page(kind, scope, &query).await {
            Err(ApiError { cause: ApiCause::TooLarge { .. }, .. }) => {
                session.list_all(kind, scope, Query { freshness: Freshness::Now, ..query }).await
            }
            other => Ok(other?.items),
        }
    };
    let list = async |kind: &'static Kind, scope: Scope<'_>, labels: &str| {
        listed(kind, scope, Query { metadata_only: true, ..Query::labelled(labels) }).await
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
        Names::Workloads => {
            let [deployments, stateful_sets, daemon_sets] =
                [&kinds::DEPLOYMENT, &kinds::STATEFUL_SET, &kinds::DAEMON_SET].map(|kind| list(kind, namespace, ""));
            let (deployments, stateful_sets, daemon_sets) = tokio::join!(deployments, stateful_sets, daemon_sets);
            let of =
                |kind: &str, items: &[Value]| named(items).map(|name| format!("{kind}/{name}")).collect::<Vec<_>>();
            let mut all = of("deployment", &deployments?);
            all.extend(of("statefulset", &stateful_sets.unwrap_or_default()));
            all.extend(of("daemonset", &daemon_sets.unwrap_or_default()));
            all.into_iter().collect()
        }
        Names::Hosts => {
            let (services, routes) = tokio::join!(
                listed(&kinds::VIRTUAL_SERVICE, Scope::All, Query::default()),
                listed(&kinds::HTTP_ROUTE, Scope::All, Query::default())
            );
            let (services, routes) = (services.unwrap_or_default(), routes.unwrap_or_default());
            let of =
                |item: &Value, path: &str| item.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
            let domains = services.iter().flat_map(|item| of(item, "/spec/virtualHost/domains"));
            let hosts = domains.chain(routes.iter().flat_map(|item| of(item, "/spec/hostnames")));
            let hosts = hosts.filter_map(|host| host.as_str().map(str::to_owned));
            // A pattern is no host that a request has.
            hosts.filter(|host| !host.contains('*')).collect()
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
