//! Reads what affects an upgrade apart from the release: its
//! namespace, Settings, and the field managers of the gateways.

use serde_json::Value;

use crate::helm::Record;
use crate::kube::{ApiCause, ApiError, Query, Scope, Session};
use crate::load::unread::why;
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

fn unknown(what: &str, error: &ApiError) -> Option<Advice> {
    let is_absent = matches!(error.cause, ApiCause::NotFound | ApiCause::NoCrd);
    (!is_absent).then(|| Advice::note(Code::Unknown, format!("{what} could not be read: {}", why(error))))
}
