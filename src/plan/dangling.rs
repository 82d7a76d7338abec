//! Objects that would still refer to `gateway_proxy_sds` after the cluster is removed. Envoy rejects such
//! configuration.

use serde_json::Value;

use super::change::Change;
use super::mtls::{self, Policy, UpstreamContext};
use super::outcome::{Decision, Objection};
use super::policy::{Caution, OtherTls, Picked};
use super::settings::switches;
use super::ssl_config::{SDS_CLUSTER, Tls, leads_here, tls_of};
use crate::command::{Hint, flag, gloo_rs};
use crate::error::Reason;
use crate::model::{Object, ObjectRef};

/// An object that refers to the cluster, and the fields that do so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dangling {
    pub object: ObjectRef,
    /// `spec.sslConfig.sds`
    pub paths: Vec<String>,
}

/// Whether Upstreams are changed together with the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UpstreamsKept {
    Refuse,
    /// `--include-upstreams`
    Include,
}

/// Returns the namespaces that Gloo watches. `None` means all namespaces.
pub(crate) fn watched(settings: &Value) -> Option<Vec<String>> {
    let spec = &settings["spec"];
    let mut watched: Vec<String> =
        spec["watchNamespaces"].as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if watched.is_empty() || watched.iter().any(String::is_empty) {
        return None;
    }
    // Gloo always watches the namespace to which its discovery writes, even if it is not listed.
    watched.extend(spec["discoveryNamespace"].as_str().map(str::to_owned));
    watched.sort_unstable();
    watched.dedup();
    Some(watched)
}

/// Finds the fields of an Upstream, `VirtualService` or Gateway that refer to the cluster, anywhere in its spec.
pub(crate) fn find(object: &Object) -> Option<Dangling> {
    let mut paths = Vec::new();
    search(&object.value["spec"], "spec", &mut paths);
    (!paths.is_empty()).then(|| Dangling { object: object.reference.clone(), paths })
}

/// With auto-mTLS on, Settings make every Upstream in the mesh refer to the cluster.
pub(crate) fn of_settings(settings: &Object) -> Option<Dangling> {
    let on = switches(&settings.value);
    (on.integration && on.auto_mtls).then(|| Dangling {
        object: settings.reference.clone(),
        paths: vec!["spec.gloo.istioOptions.enableAutoMtls".to_owned()],
    })
}

fn search(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = format!("{path}.{key}");
                if key == "sds" && leads_here(value) {
                    found.push(path);
                } else {
                    search(value, &path, found);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                search(item, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}

/// Returns the change that removes the cluster from an Upstream. `None` if another field of the Upstream refers to it
/// too.
pub(crate) fn release(upstream: &Object) -> Option<Change> {
    let is_all = matches!(tls_of(&upstream.value), Tls::Istio(_))
        && find(upstream).is_some_and(|it| it.paths == ["spec.sslConfig.sds"]);
    let policy = Policy { wish: mtls::MtlsWish::Disable, other_tls: OtherTls::Keep, caution: Caution::Careful };
    match mtls::decide(upstream, Picked::Named, policy, &UpstreamContext::unseen()) {
        Decision::Change { edits, message } if is_all => Some(Change::new(upstream.clone(), edits, message)),
        _ => None,
    }
}

/// Returns why nothing is uninjected: these objects would still refer to the cluster. `hidden` has the reasons for
/// lists that were not permitted.
///
/// With `--include-upstreams` the caller leaves out the objects that [`release`] changes.
pub(crate) fn against(left: &[Dangling], hidden: &[String], upstreams: UpstreamsKept) -> Option<Objection> {
    if left.is_empty() {
        return (!hidden.is_empty()).then(|| {
            let why = format!("what points at {SDS_CLUSTER} is unknown: {}; nothing changed", hidden.join(", "));
            Objection::new(Reason::Unknown, why).hint(flag("--force").text(" proceeds anyway"))
        });
    }
    let count = left.len();
    let objects = if count == 1 { "object points" } else { "objects point" };
    let why = format!("{count} {objects} at the cluster {SDS_CLUSTER}; nothing changed");
    let mut objection = Objection::new(Reason::StillUsed, why);
    objection.details = left
        .iter()
        .map(|it| {
            let namespace =
                if it.object.namespace.is_empty() { String::new() } else { format!(" in {}", it.object.namespace) };
            format!("{}{namespace}: {}", it.object, it.paths.join(", "))
        })
        .collect();
    let of_kind = |plural: &str| left.iter().map(|it| &it.object).find(|object| object.kind.plural == plural);
    let hint = match (upstreams, of_kind("settings")) {
        (_, Some(settings)) => Hint::from(gloo_rs("istio auto-mtls disable").of_installation(&settings.namespace)),
        (UpstreamsKept::Refuse, None) if of_kind("upstreams").is_some() => {
            "--include-upstreams removes it from the Upstreams".into()
        }
        _ => "remove those fields, then run this again".into(),
    };
    Some(objection.hint(hint))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::kinds::{GATEWAY, SETTINGS, UPSTREAM, VIRTUAL_SERVICE};
    use crate::plan::ssl_config::istio_ssl_config;

    fn upstream(spec: &Value) -> Object {
        Object::new(&UPSTREAM, json!({"metadata": {"name": "a", "namespace": "shop"}, "spec": spec}))
    }

    #[test]
    fn upstreams_point_at_it_by_name_and_by_saying_nothing() {
        let table = [
            (json!({"clusterName": "gateway_proxy_sds"}), true),
            (json!({"certificatesSecretName": "mine"}), true),
            (json!({"targetUri": "127.0.0.1:8234"}), true),
            (json!({"clusterName": ""}), true),
            (json!({"clusterName": "other"}), false),
            (json!({"targetUri": "10.0.0.1:1"}), false),
            (json!({"callCredentials": {}}), false),
        ];
        for (sds, points) in table {
            assert_eq!(find(&upstream(&json!({"sslConfig": {"sds": sds}}))).is_some(), points, "{sds}");
        }
        assert_eq!(find(&upstream(&json!({"sslConfig": {"secretRef": {}}}))), None);
        assert_eq!(find(&upstream(&Value::Null)), None);
    }

    #[test]
    fn downstream_and_failover_are_found_wherever_they_stand() {
        let sds = json!({"clusterName": SDS_CLUSTER});
        let service = Object::new(&VIRTUAL_SERVICE, json!({"spec": {"sslConfig": {"sds": sds}}}));
        assert_eq!(find(&service).unwrap().paths, ["spec.sslConfig.sds"]);
        let gateway =
            json!({"spec": {"hybridGateway": {"matchedGateways": [{"matcher": {"sslConfig": {"sds": sds}}}]}}});
        let gateway = Object::new(&GATEWAY, gateway);
        assert_eq!(find(&gateway).unwrap().paths, ["spec.hybridGateway.matchedGateways[0].matcher.sslConfig.sds"]);
        let failover = upstream(
            &json!({"failover": {"x": [{"upstreamSslConfig": {"sds": {}}}]}, "sslConfig": istio_ssl_config()}),
        );
        assert_eq!(find(&failover).unwrap().paths.len(), 2);
        assert_eq!(release(&failover), None);
    }

    #[test]
    fn settings_count_with_both_switches_only() {
        let of = |auto: bool, integration: bool| {
            let options = json!({"enableAutoMtls": auto, "enableIntegration": integration});
            of_settings(&Object::new(&SETTINGS, json!({"spec": {"gloo": {"istioOptions": options}}})))
        };
        assert!(of(true, true).is_some());
        assert!(of(true, false).is_none() && of(false, true).is_none());
    }

    #[test]
    fn an_upstream_of_istios_alone_is_released_and_another_is_left_to_its_owner() {
        let it = upstream(&json!({"kube": {}, "sslConfig": istio_ssl_config()}));
        let bare = release(&it).unwrap().after().unwrap();
        assert_eq!(bare.value["spec"], json!({"kube": {}}));
        assert_eq!(release(&upstream(&json!({"sslConfig": {"sds": {"certificatesSecretName": "mine"}}}))), None);
        assert_eq!(release(&upstream(&json!({"kube": {}}))), None);
    }

    #[test]
    fn it_refuses_and_lists_and_what_could_not_be_listed_counts() {
        let left = [find(&upstream(&json!({"sslConfig": istio_ssl_config()}))).unwrap()];
        let refused = against(&left, &[], UpstreamsKept::Refuse).unwrap();
        assert_eq!(refused.details, ["upstream.gloo.solo.io/a in shop: spec.sslConfig.sds"]);
        assert!(refused.hint.unwrap().to_string().starts_with("--include-upstreams"));
        let hidden = ["not allowed to list virtualservices".to_owned()];
        assert_eq!(against(&[], &hidden, UpstreamsKept::Include).unwrap().reason, Reason::Unknown);
        assert_eq!(against(&[], &[], UpstreamsKept::Refuse), None);
    }

    #[test]
    fn watched_namespaces_are_those_listed_and_discoverys() {
        assert_eq!(watched(&json!({"spec": {}})), None);
        assert_eq!(watched(&json!({"spec": {"watchNamespaces": []}})), None);
        assert_eq!(
            watched(&json!({"spec": {"watchNamespaces": ["shop"], "discoveryNamespace": "gloo-system"}})),
            Some(vec!["gloo-system".to_owned(), "shop".to_owned()])
        );
    }
}
