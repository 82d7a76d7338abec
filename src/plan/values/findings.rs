//! Advice about what the cluster has next to the release: labels, Settings, and what other tools wrote.

use serde_json::Value;

use super::{Chart, is_on};
use crate::command::{gloo_rs, kubectl};
use crate::model::{FieldPath, Object, ObjectRef};
use crate::plan::advice::{Advice, Code, Weight};
use crate::plan::istiod::REVISION_LABEL;
use crate::plan::revisions::INJECTION_LABEL;
use crate::plan::sidecars::claims;

/// Returns a warning if Istio's injector is on in the release's namespace, because Helm's hook jobs would wait for
/// their sidecar forever.
pub(crate) fn of_namespace(namespace: &Value) -> Option<Advice> {
    let labels = &namespace["metadata"]["labels"];
    let name = namespace["metadata"]["name"].as_str().unwrap_or_default();
    let label = match (labels[INJECTION_LABEL].as_str(), labels[REVISION_LABEL].as_str()) {
        (Some("enabled"), _) => format!("{INJECTION_LABEL}=enabled"),
        (None, Some(revision)) => format!("{REVISION_LABEL}={revision}"),
        _ => return None,
    };
    let key = label.split('=').next().unwrap_or_default();
    Some(
        Advice::warning(
            Code::HookHangs,
            format!("namespace {name} is labelled {label}: the chart's hook jobs get a sidecar and hang"),
        )
        .hint(kubectl("label namespace").value(name).value(format!("{key}-"))),
    )
}

/// Returns advice about switches in Settings that differ from the release's values, because they were changed in the
/// cluster. `after` are the values after the change.
pub(crate) fn of_settings(
    (before, after): (&Value, &Value),
    chart: &Chart,
    settings: &Value,
    apply: Apply,
) -> Vec<Advice> {
    let live = &settings["spec"]["gloo"]["istioOptions"];
    let of_switch = |(path, field): (FieldPath, &str)| {
        let (said, is, wanted) = (is_on(path.get(before)), live[field] == true, is_on(path.get(after)));
        let writer = writer_of_switch(settings, field).filter(|_| wanted != is && apply == Apply::ServerSide);
        if let Some(writer) = writer {
            let switch = if wanted { "istio auto-mtls enable" } else { "istio auto-mtls disable" };
            let message = format!("Settings have {field} {is} that {writer} wrote: Helm 4 conflicts with it ({path})");
            let namespace = settings["metadata"]["namespace"].as_str().unwrap_or_default();
            let hint = gloo_rs(switch).with("-n", namespace);
            return Some(Advice::warning(Code::HelmConflict, message).hint(hint));
        }
        (said != is).then(|| {
            let message =
                format!("Settings have {field} {is}, the values say {said}: the upgrade writes it again ({path})");
            Advice::warning(Code::Differs, message)
        })
    };
    let (integration, auto_mtls) = (chart.integration(before), chart.auto_mtls(before));
    [(integration, "enableIntegration"), (auto_mtls, "enableAutoMtls")].into_iter().filter_map(of_switch).collect()
}

/// Returns the writer of a switch other than Helm.
fn writer_of_switch<'s>(settings: &'s Value, field: &str) -> Option<&'s str> {
    let entries = settings["metadata"]["managedFields"].as_array()?;
    let owns = |entry: &&Value| {
        !entry["fieldsV1"]["f:spec"]["f:gloo"]["f:istioOptions"][format!("f:{field}")].is_null()
            && entry["manager"] != "helm"
    };
    entries.iter().find(owns)?["manager"].as_str()
}

/// How Helm applies a release. It keeps the method of the installation. From Helm 4 on the default is server-side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Apply {
    ClientSide,
    ServerSide,
}

/// Returns advice about what `istio inject` wrote and the chart renders too, in a gateway's workload or its bootstrap.
pub(crate) fn of_gateway(object: &Object, apply: Apply) -> Option<Advice> {
    let ObjectRef { kind, namespace, name } = &object.reference;
    let (manager, what) = match claims::on_bootstrap(&object.value) {
        Some(manager) => (manager, "a bootstrap"),
        None => (writer_of_sidecars(&object.value)?, "sidecars"),
    };
    let wrote = format!("{}/{name} has {what} that {manager} wrote", kind.singular);
    let uninject = gloo_rs("istio uninject").with("-n", namespace).with("--name", proxy_of(name));
    Some(match apply {
        Apply::ServerSide => {
            Advice::warning(Code::HelmConflict, format!("{wrote}: Helm 4 conflicts with it")).hint(uninject)
        }
        Apply::ClientSide => Advice::note(Code::HelmConflict, format!("{wrote}: the upgrade overwrites it"))
            .hint(uninject.after("before Helm 4's server-side apply, which conflicts with it: ")),
    })
}

/// Returns the proxy of this workload or bootstrap.
fn proxy_of(name: &str) -> &str {
    name.strip_suffix("-envoy-config").unwrap_or(name)
}

/// Returns whether an upgrade with Helm 4 fails because of it.
pub(crate) fn is_conflict(advice: &Advice) -> bool {
    advice.code == Code::HelmConflict && advice.weight == Weight::Warning
}

fn writer_of_sidecars(workload: &Value) -> Option<&str> {
    let has_sidecars = |entry: &Value| {
        let containers = &entry["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"];
        [r#"k:{"name":"sds"}"#, r#"k:{"name":"istio-proxy"}"#].iter().any(|key| !containers[*key].is_null())
    };
    let entries = workload["metadata"]["managedFields"].as_array()?;
    let entry =
        entries.iter().find(|entry| entry["manager"].as_str().is_some_and(claims::injects) && has_sidecars(entry))?;
    entry["manager"].as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::kinds;
    use crate::plan::values::Edition;

    fn chart() -> Chart {
        Chart { edition: Edition::OpenSource, below: None, version: None, defaults: Value::Null }
    }

    #[test]
    fn what_the_cluster_has_is_held_against_the_values() {
        let namespace = |labels: Value| json!({"metadata": {"name": "g", "labels": labels}});
        let said = of_namespace(&namespace(json!({"istio-injection": "enabled"}))).unwrap();
        assert_eq!(said.hint, Some("kubectl label namespace g istio-injection-".into()));
        assert!(of_namespace(&namespace(json!({"istio.io/rev": "1-28"}))).is_some());
        assert_eq!(of_namespace(&namespace(json!({"istio-injection": "disabled", "istio.io/rev": "x"}))), None);

        let settings =
            json!({"spec": {"gloo": {"istioOptions": {"enableIntegration": true, "enableAutoMtls": false}}}});
        let said = of_settings((&json!({}), &json!({})), &chart(), &settings, Apply::ServerSide);
        assert_eq!(said.len(), 1);
        assert!(said[0].message.starts_with("Settings have enableIntegration true, the values say false"), "{said:?}");
        let mut written = settings.clone();
        let fields = json!({"f:spec": {"f:gloo": {"f:istioOptions": {"f:enableAutoMtls": {}}}}});
        written["metadata"]["managedFields"] =
            json!([{"manager": "helm", "fieldsV1": fields}, {"manager": "gloo-rs", "fieldsV1": fields}]);
        let on = json!({"global": {"istioIntegration": {"enabled": true, "enableAutoMtls": true}}});
        let conflicts =
            |apply| of_settings((&on, &on), &chart(), &written, apply).iter().filter(|it| is_conflict(it)).count();
        assert_eq!((conflicts(Apply::ServerSide), conflicts(Apply::ClientSide)), (1, 0));

        let by = |kind, name: &str, manager: &str, fields: Value| {
            let metadata =
                json!({"name": name, "namespace": "g", "managedFields": [{"manager": manager, "fieldsV1": fields}]});
            of_gateway(&Object::new(kind, json!({"metadata": metadata})), Apply::ServerSide)
        };
        let sidecars = json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"sds\"}": {}}}}}});
        let bootstrap = json!({"f:data": {"f:envoy.yaml": {}}});
        let deployment = |manager: &str| by(&kinds::DEPLOYMENT, "gateway-proxy", manager, sidecars.clone());
        let config_map =
            |manager: &str| by(&kinds::CONFIG_MAP, "gateway-proxy-envoy-config", manager, bootstrap.clone());
        for said in [deployment("gloo-rs"), config_map("glooctl-linux")] {
            let said = said.unwrap();
            assert!(is_conflict(&said));
            assert_eq!(said.hint, Some("gloo-rs istio uninject -n g --name gateway-proxy".into()));
        }
        assert_eq!((deployment("helm"), config_map("helm")), (None, None));
    }
}
