//! `istio revisions`: which workloads use which istiod. What may not be listed is shown as `?`, never as zero.

use crate::flow::session;
use serde_json::Value;

use super::report::Report;
use crate::command::gloo_rs;
use crate::error::{Exit, Failure, Reason};
use crate::kube::{ApiCause, ApiError, Query, Scope, Session};
use crate::load::{istio, unread};
use crate::model::names::KUBE_GATEWAY_LABEL;
use crate::model::{Kind, Object, kinds};
use crate::options::{Format, Global};
use crate::plan::gateway::PROXY_LABEL;
use crate::plan::istiod::Istiod;
use crate::plan::revisions::{self, Binding, GatewayUse, Inputs, Listed, RevisionTally};
use crate::plan::sidecars::{self, GatewayProxy, Pods};
use crate::render::answer::{AnswerPart, ClusterAnswer};
use crate::render::revisions::{RevisionsWidth, table, value};

/// Reads everything and prints the table.
///
/// # Errors
/// istiod may not be listed, or there is none.
pub(super) async fn print(
    istio_namespace: Option<&str>,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    report.field("revisions", Value::Array(Vec::new()));
    let session = session::open(global, report).await?;
    let mut answer = ClusterAnswer::new(report.ui.columns());
    let ended = read(&session, istio_namespace, global, &mut answer).await;
    report.tell(answer);
    ended
}

/// Reads everything of one cluster.
///
/// # Errors
/// istiod may not be listed, or there is none.
pub(super) async fn read(
    session: &Session,
    istio_namespace: Option<&str>,
    global: &Global,
    answer: &mut ClusterAnswer,
) -> Result<(), Failure> {
    let istio::FoundIstiods { istiods, tags } = istio::all(session, istio_namespace).await?;
    let (bindings, gateways) = tokio::join!(bindings(session, &istiods), gateways(session));
    let pods = pods(session, &istiods, bindings.read().map_or(&[], Vec::as_slice)).await;
    let shown = revisions::report(&Inputs { istiods: &istiods, tags, bindings, pods, gateways });
    answer.field("revisions", value(&shown));
    if istiods.is_empty() {
        return Err(nothing(session, istio_namespace));
    }
    let width = if global.format == Format::Wide { RevisionsWidth::Wide } else { RevisionsWidth::Usual };
    answer.parts.push(AnswerPart::Table(table(&shown, width)));
    for advice in shown.advice {
        answer.advice(advice);
    }
    Ok(())
}

fn nothing(session: &Session, namespace: Option<&str>) -> Failure {
    let place = namespace.map_or_else(|| "in any namespace".to_owned(), |namespace| format!("in {namespace}"));
    Failure::new(Exit::SaidNo, Reason::NoIstiod, format!("no istiod {place}"))
        .detail("looked for Deployments labelled app=istiod")
        .detail(session.looked())
        .hint(gloo_rs("istio inject --istio-discovery-address").after("an istiod elsewhere needs no Deployment here: "))
}

/// A list, or why it is unknown.
fn listed<T>(read: Result<T, ApiError>) -> Listed<T> {
    read.map_or_else(|error| Listed::Unknown { why: unread::why(&error) }, Listed::Read)
}

async fn bindings(session: &Session, istiods: &[Istiod]) -> Listed<Vec<Binding>> {
    let query = Query { metadata_only: true, ..Query::default() };
    let namespaces = session.list_all(&kinds::NAMESPACE, Scope::All, query).await;
    listed(namespaces.map(|namespaces| revisions::bindings(istiods, &namespaces)))
}

/// Counts the pods page by page, because a cluster may have too many of them to keep in memory.
async fn pods(session: &Session, istiods: &[Istiod], bindings: &[Binding]) -> Listed<RevisionTally> {
    let query = Query {
        metadata_only: true,
        fields: "status.phase!=Succeeded,status.phase!=Failed".into(),
        ..Query::default()
    };
    let mut tally = RevisionTally::new(istiods, bindings);
    let mut pages = session.pages(&kinds::POD, Scope::All, query);
    loop {
        match pages.next().await {
            Ok(Some(page)) => page.items.iter().for_each(|pod| tally.pod(pod)),
            Ok(None) => return Listed::Read(tally),
            Err(error) => return Listed::Unknown { why: unread::why(&error) },
        }
    }
}

async fn gateways(session: &Session) -> Listed<Vec<GatewayUse>> {
    let mut found = Vec::new();
    for (kind, label) in
        [(&kinds::DEPLOYMENT, PROXY_LABEL), (&kinds::DAEMON_SET, PROXY_LABEL), (&kinds::DEPLOYMENT, KUBE_GATEWAY_LABEL)]
    {
        let kind: &'static Kind = kind;
        match session.list_all(kind, Scope::All, Query::labelled(label)).await {
            Ok(workloads) => found.extend(workloads.into_iter().filter_map(|value| gateway(Object::new(kind, value)))),
            Err(ApiError { cause: ApiCause::NotFound | ApiCause::NoCrd, .. }) => {}
            Err(error) => return Listed::Unknown { why: unread::why(&error) },
        }
    }
    Listed::Read(found)
}

fn gateway(workload: Object) -> Option<GatewayUse> {
    let proxy = GatewayProxy { workload, bootstrap: None, pods: Pods::Unseen };
    let address = sidecars::current_address(&proxy)?;
    let reference = proxy.workload.reference;
    Some(GatewayUse { namespace: reference.namespace, name: reference.name, address })
}
