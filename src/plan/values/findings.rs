//! Advice about the values: settings that make others ineffective, and keys that no template reads.

use serde_json::Value;

use super::{Chart, Edition, auto_mtls, integration, is_on, sds, then};
use crate::command::{gloo_rs, kubectl};
use crate::model::{FieldPath, Object, ObjectRef};
use crate::plan::advice::{Advice, Code, Weight};
use crate::plan::istiod::REVISION_LABEL;
use crate::plan::revisions::INJECTION_LABEL;
use crate::plan::sidecars::claims;

/// Keys of the chart's schema that no template reads, and what to set instead.
const UNREAD: [(&[&str], &str); 4] = [
    (&["global", "glooMtls", "sds", "sdsResources"], "global.glooMtls.sdsResources"),
    (&["global", "glooMtls", "istioProxy", "istioDiscoveryAddress"], "istioDiscoveryAddress of the gateway proxy"),
    (&["global", "glooMtls", "istioProxy", "istioMetaMeshId"], "istioMetaMeshId of the gateway proxy"),
    (&["global", "glooMtls", "istioProxy", "istioMetaClusterId"], "istioMetaClusterId of the gateway proxy"),
];

/// Deprecated keys, and their replacement.
const DEPRECATED: [(&[&str], &str); 6] = [
    (&["global", "istioSDS", "enabled"], "global.istioIntegration.enabled"),
    (&["global", "istioIntegration", "labelInstallNamespace"], "nothing: the gateway needs no injected sidecar"),
    (&["global", "istioIntegration", "whitelistDiscovery"], "nothing: discovery needs no sidecar"),
    (&["global", "istioIntegration", "enableIstioSidecarOnGateway"], "global.istioIntegration.enabled"),
    (&["global", "istioIntegration", "istioSidecarRevTag"], "istioDiscoveryAddress of the gateway proxy"),
    (&["global", "istioIntegration", "appendXForwardedHost"], "httpConnectionManagerSettings of the Gateway"),
];

/// Returns the advice about the values, before and after the change.
pub(crate) fn of_values(before: &Value, after: &Value, chart: &Chart) -> Vec<Advice> {
    let mut found = Vec::new();
    found.extend(half_on(before, after, chart));
    found.extend(swallowed(after, chart));
    found.extend(unread(after, chart));
    if chart.has_integration() {
        found.extend(deprecated(after));
    }
    found
}

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
pub(crate) fn of_settings(before: &Value, after: &Value, settings: &Value, apply: Apply) -> Vec<Advice> {
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
    [(integration(), "enableIntegration"), (auto_mtls(), "enableAutoMtls")].into_iter().filter_map(of_switch).collect()
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

/// Returns a warning about switches that have no effect alone.
fn half_on(before: &Value, after: &Value, chart: &Chart) -> Option<Advice> {
    let on = |path: &FieldPath, values: &Value| is_on(path.get(values));
    let (sds, auto, integration) = (sds(), auto_mtls(), integration());
    if on(&auto, after) && !on(&integration, after) && chart.has_integration() {
        let message = format!("{auto} without {integration}: no Upstream gets mTLS");
        return Some(Advice::warning(Code::Swallowed, message));
    }
    if on(&sds, after) && !on(&integration, after) && chart.has_integration() {
        let message = format!("{sds} alone renders the sidecars and leaves the integration off in Settings");
        return Some(Advice::warning(Code::Swallowed, message));
    }
    let was_alone = on(&sds, before) && !on(&integration, before) && on(&integration, after);
    was_alone.then(|| {
        Advice::note(
            Code::Swallowed,
            format!("{sds} alone left the integration off in Settings; {integration} turns it on"),
        )
    })
}

/// Returns warnings about settings that make Istio's settings ineffective.
fn swallowed(values: &Value, chart: &Chart) -> Vec<Advice> {
    let mut found = Vec::new();
    if !super::has_istio(values) {
        return found;
    }
    let custom = FieldPath::keys(&["global", "istioSDS", "customSidecars"]);
    if custom.get(values).and_then(Value::as_array).is_some_and(|list| !list.is_empty()) {
        let message =
            format!("{custom} replaces the istio-proxy sidecar: its image and addresses are those of the list");
        found.push(Advice::warning(Code::Swallowed, message));
    }
    let gateway = FieldPath::keys(&["global", "istioIntegration", "enableIstioSidecarOnGateway"]);
    let injection = FieldPath::keys(&["global", "istioIntegration", "disableAutoinjection"]);
    if is_on(injection.get(values)) && is_on(gateway.get(values)) {
        let message = format!("{injection} keeps Istio's injector off the gateway: {gateway} has no effect");
        found.push(Advice::warning(Code::Swallowed, message));
    }
    for (path, proxy) in proxies(values, chart) {
        if proxy["configMap"]["data"].as_object().is_some_and(|data| !data.is_empty()) {
            let message =
                format!("{path}.configMap.data replaces Envoy's bootstrap: the chart adds no gateway_proxy_sds there");
            found.push(Advice::warning(Code::Swallowed, message));
        }
    }
    found
}

fn proxies<'v>(values: &'v Value, chart: &Chart) -> Vec<(FieldPath, &'v Value)> {
    let path = chart.edition.proxies();
    let map = path.get(values).and_then(Value::as_object);
    map.into_iter().flatten().map(|(key, proxy)| (then(&path, key), proxy)).collect()
}

/// Returns warnings about keys that no template reads.
fn unread(values: &Value, chart: &Chart) -> Vec<Advice> {
    let mut found: Vec<_> = UNREAD
        .iter()
        .map(|(keys, instead)| (FieldPath::keys(keys), *instead))
        .filter(|(path, _)| path.get(values).is_some_and(|value| !value.is_null()))
        .map(|(path, instead)| {
            Advice::warning(Code::Unread, format!("{path}: no template reads it")).hint(format!("set {instead}"))
        })
        .collect();
    let misplaced = match chart.edition {
        Edition::OpenSource => ("gloo", "the open source chart has its keys at the top"),
        Edition::Enterprise => ("gatewayProxies", "the Enterprise chart has it under gloo"),
    };
    if values[misplaced.0].is_object() {
        found.push(Advice::warning(Code::Unread, format!("{}: no template reads it: {}", misplaced.0, misplaced.1)));
    }
    found
}

fn deprecated(values: &Value) -> Vec<Advice> {
    let there = |path: &FieldPath| path.get(values).is_some_and(|value| !value.is_null() && *value != false);
    DEPRECATED
        .iter()
        .map(|(keys, instead)| (FieldPath::keys(keys), *instead))
        .filter(|(path, _)| there(path))
        .map(|(path, instead)| {
            Advice::note(Code::Deprecated, format!("{path} is deprecated since 1.17; use {instead}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::kinds;
    use crate::plan::values::ChartVersion;

    fn said(before: &Value, after: &Value, edition: Edition) -> Vec<String> {
        let chart = Chart { edition, version: ChartVersion::parse("1.17.7"), defaults: Value::Null };
        of_values(before, after, &chart).into_iter().map(|advice| advice.message).collect()
    }

    fn has(said: &[String], words: &str) -> bool {
        said.iter().any(|line| line.contains(words))
    }

    #[test]
    fn switches_that_do_nothing_alone_are_named() {
        let alone = json!({"global": {"istioIntegration": {"enableAutoMtls": true}}});
        assert!(has(&said(&alone, &alone, Edition::OpenSource), "no Upstream gets mTLS"));
        let sds = json!({"global": {"istioSDS": {"enabled": true}}});
        assert!(has(&said(&sds, &sds, Edition::OpenSource), "leaves the integration off"));
        let both = json!({"global": {"istioSDS": {"enabled": true}, "istioIntegration": {"enabled": true}}});
        let said = said(&sds, &both, Edition::OpenSource);
        assert!(has(&said, "turns it on") && has(&said, "global.istioSDS.enabled is deprecated"));
    }

    #[test]
    fn what_swallows_the_settings_is_named_with_its_path() {
        let values = json!({
            "global": {
                "istioIntegration": {"enabled": true, "disableAutoinjection": true, "enableIstioSidecarOnGateway": true},
                "istioSDS": {"customSidecars": [{"name": "x"}]},
                "glooMtls": {"istioProxy": {"istioMetaMeshId": "m"}, "sds": {"sdsResources": {}}},
            },
            "gloo": {"gatewayProxies": {"own": {"configMap": {"data": {"envoy.yaml": "x"}}}}},
            "gatewayProxies": {"gatewayProxy": {"configMap": {"data": {"envoy.yaml": "x"}}}},
        });
        let oss = said(&values, &values, Edition::OpenSource);
        for words in [
            "global.istioSDS.customSidecars replaces",
            "disableAutoinjection keeps",
            "gatewayProxies.gatewayProxy.configMap.data replaces",
            "global.glooMtls.istioProxy.istioMetaMeshId: no template",
            "global.glooMtls.sds.sdsResources: no template",
            "gloo: no template reads it: the open source",
        ] {
            assert!(has(&oss, words), "{words}: {oss:#?}");
        }
        let enterprise = said(&values, &values, Edition::Enterprise);
        assert!(
            has(&enterprise, "gloo.gatewayProxies.own.configMap.data")
                && has(&enterprise, "gatewayProxies: no template")
        );
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
        let said = of_settings(&json!({}), &json!({}), &settings, Apply::ServerSide);
        assert_eq!(said.len(), 1);
        assert!(said[0].message.starts_with("Settings have enableIntegration true, the values say false"), "{said:?}");
        let mut written = settings.clone();
        let fields = json!({"f:spec": {"f:gloo": {"f:istioOptions": {"f:enableAutoMtls": {}}}}});
        written["metadata"]["managedFields"] =
            json!([{"manager": "helm", "fieldsV1": fields}, {"manager": "gloo-rs", "fieldsV1": fields}]);
        let on = json!({"global": {"istioIntegration": {"enabled": true, "enableAutoMtls": true}}});
        let conflicts = |apply| of_settings(&on, &on, &written, apply).iter().filter(|it| is_conflict(it)).count();
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

    #[test]
    fn plain_values_say_nothing() {
        let values = json!({"global": {"istioIntegration": {"enabled": true, "enableAutoMtls": true}}});
        assert_eq!(said(&json!({}), &values, Edition::OpenSource), [""; 0]);
    }
}
