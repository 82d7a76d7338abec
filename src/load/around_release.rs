//! Reads what affects an upgrade apart from the release: its
//! namespace, Settings, and the field managers of the gateways.

use serde_json::Value;

use crate::helm::Record;
use crate::kube::{ApiCause, ApiError, Query, Scope, Session};
use crate::load::unread::{unread, why};
use crate::model::names::SETTINGS;
use crate::model::{Object, kinds};
use crate::plan::advice::{Advice, Code};
use crate::plan::gateway::PROXY_LABEL;
use crate::plan::values::Chart;
use crate::plan::values::findings::{self, Apply};

/// The findings. What may not be read is reported as unknown.
pub(crate) async fn findings(
    session: &Session,
    record: &Record,
    chart: &Chart,
    (before, after): (&Value, &Value),
) -> Vec<Advice> {
    let namespace = &*record.namespace;
    let apply = if record.is_server_side() { Apply::ServerSide } else { Apply::ClientSide };
    let mut found = Vec::new();
    let of_gateways = |kind| session.list_all(kind, Scope::Namespace(namespace), Query::labelled(PROXY_LABEL));
    let (labels, settings, workloads, bootstraps) = tokio::join!(
        session.get(&kinds::NAMESPACE, "", namespace),
        session.get(&kinds::SETTINGS, namespace, SETTINGS),
        of_gateways(&kinds::DEPLOYMENT),
        of_gateways(&kinds::CONFIG_MAP),
    );
    match labels {
        Ok(object) => found.extend(findings::of_namespace(&object)),
        Err(error) => found.extend(unknown("the namespace's labels", &error)),
    }
    match settings {
        Ok(object) => found.extend(findings::of_settings((before, after), chart, &object, apply)),
        Err(error) => found.extend(unknown("Settings", &error)),
    }
    for (kind, listed) in [(&kinds::DEPLOYMENT, workloads), (&kinds::CONFIG_MAP, bootstraps)] {
        let objects = match listed {
            Ok(objects) => objects,
            Err(error) => {
                found.extend(unknown(kind.plural, &error));
                continue;
            }
        };
        for said in objects.into_iter().filter_map(|object| findings::of_gateway(&Object::new(kind, object), apply)) {
            // A workload and its bootstrap have the same fix.
            if !found.iter().any(|other| other.hint == said.hint) {
                found.push(said);
            }
        }
    }
    found
}

/// The names of the release's Services of type `LoadBalancer` that have no address. Helm 3 waits for such an address,
/// unless the Service has `externalIPs` (`serviceReady` in Helm's `pkg/kube/ready.go`).
///
/// # Errors
/// The advice that they are unknown.
pub(crate) async fn without_address(session: &Session, record: &Record) -> Result<Vec<String>, Advice> {
    let query = Query::labelled("app.kubernetes.io/managed-by=Helm");
    let listed = session.list_all(&kinds::SERVICE, Scope::Namespace(&record.namespace), query).await;
    let listed = listed.map_err(|error| {
        let what = "whether helm's wait can end is unknown: the release's Services are not read";
        Advice::unknown(what, &unread(session, error))
    })?;
    let is_pending = |service: &Value| {
        let is_listed = |value: &Value| value.as_array().is_some_and(|list| !list.is_empty());
        service["spec"]["type"] == "LoadBalancer"
            && service["metadata"]["annotations"]["meta.helm.sh/release-name"] == *record.name
            && !is_listed(&service["spec"]["externalIPs"])
            && !is_listed(&service["status"]["loadBalancer"]["ingress"])
    };
    let pending = listed.into_iter().filter(is_pending);
    Ok(pending.filter_map(|service| service["metadata"]["name"].as_str().map(str::to_owned)).collect())
}

fn unknown(what: &str, error: &ApiError) -> Option<Advice> {
    let is_absent = matches!(error.cause, ApiCause::NotFound | ApiCause::NoCrd);
    (!is_absent).then(|| Advice::note(Code::Unknown, format!("{what} could not be read: {}", why(error))))
}
