//! Advice about the values: settings that make others ineffective, and keys that no template reads.

use serde_json::Value;

use super::chart::entries;
use super::proxies::{ChartProxyKind, replacement};
use super::{Chart, Edition, is_on, keys, then};
use crate::model::FieldPath;
use crate::plan::advice::{Advice, Code};

/// Global keys of the chart's schema that no template reads, and what to set instead.
const UNREAD: [(&[&str], &str); 4] = [
    (&["glooMtls", "sds", "sdsResources"], "global.glooMtls.sdsResources"),
    (&["glooMtls", "istioProxy", "istioDiscoveryAddress"], "istioDiscoveryAddress of the gateway proxy"),
    (&["glooMtls", "istioProxy", "istioMetaMeshId"], "istioMetaMeshId of the gateway proxy"),
    (&["glooMtls", "istioProxy", "istioMetaClusterId"], "istioMetaClusterId of the gateway proxy"),
];

/// Deprecated global keys, and their replacement.
const DEPRECATED: [(&[&str], &str); 6] = [
    (&["istioSDS", "enabled"], "global.istioIntegration.enabled"),
    (&["istioIntegration", "labelInstallNamespace"], "nothing: the gateway needs no injected sidecar"),
    (&["istioIntegration", "whitelistDiscovery"], "nothing: discovery needs no sidecar"),
    (&["istioIntegration", "enableIstioSidecarOnGateway"], "global.istioIntegration.enabled"),
    (&["istioIntegration", "istioSidecarRevTag"], "istioDiscoveryAddress of the gateway proxy"),
    (&["istioIntegration", "appendXForwardedHost"], "httpConnectionManagerSettings of the Gateway"),
];

/// Returns the advice about the values, before and after the change.
pub(crate) fn of_values(before: &Value, after: &Value, chart: &Chart) -> Vec<Advice> {
    let mut found = Vec::new();
    found.extend(half_on(before, after, chart));
    found.extend(swallowed(after, chart));
    found.extend(unread(after, chart));
    found.extend(misplaced(after, chart));
    if chart.has_integration() {
        found.extend(deprecated(after, chart));
    }
    found
}

/// Returns a warning about switches that have no effect alone.
fn half_on(before: &Value, after: &Value, chart: &Chart) -> Option<Advice> {
    let on = |path: &FieldPath, values: &Value| is_on(path.get(values));
    let (sds, auto, integration) = (chart.sds(after), chart.auto_mtls(after), chart.integration(after));
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
    if !chart.has_istio(values) {
        return found;
    }
    let mut warn = |message: String| found.push(Advice::warning(Code::Swallowed, message));
    for custom in ChartProxyKind::ALL.iter().filter_map(|kind| replacement(*kind, values, chart)) {
        warn(format!("{custom} replaces the istio-proxy sidecar: its image and addresses are those of the list"));
    }
    let gateway = chart.global(values, &["istioIntegration", "enableIstioSidecarOnGateway"]);
    let injection = chart.global(values, &["istioIntegration", "disableAutoinjection"]);
    if is_on(injection.get(values)) && is_on(gateway.get(values)) {
        warn(format!("{injection} keeps Istio's injector off the gateway: {gateway} has no effect"));
    }
    for (path, proxy) in entries(values, &chart.proxies()) {
        if proxy["configMap"]["data"].as_object().is_some_and(|data| !data.is_empty()) {
            warn(format!(
                "{path}.configMap.data replaces Envoy's bootstrap: the chart adds no gateway_proxy_sds there"
            ));
        }
        let text = |key: &str| proxy[key].as_str();
        if let (Some(address), Some(other)) = (text("istioDiscoveryAddress"), text("istioSpiffeCertProviderAddress"))
            && address != other
        {
            warn(format!(
                "{path}.istioSpiffeCertProviderAddress stays {other}: the certificate comes from there, not from {address}"
            ));
        }
    }
    found
}

/// Returns warnings about global keys that no template reads.
fn unread(values: &Value, chart: &Chart) -> Vec<Advice> {
    let is_set = |path: &FieldPath| path.get(values).is_some_and(|value| !value.is_null());
    let advice = |(path, instead): (FieldPath, &str)| {
        Advice::warning(Code::Unread, format!("{path}: no template reads it")).hint(format!("set {instead}"))
    };
    globals(&UNREAD, chart).filter(|(path, _)| is_set(path)).map(advice).collect()
}

/// Returns warnings about blocks in a place where only the other chart reads them, or no chart.
fn misplaced(values: &Value, chart: &Chart) -> Vec<Advice> {
    let own = chart.own(&[]);
    let evidence = own.get(values).map(keys::evidence).unwrap_or_default();
    let mut found = Vec::new();
    let mut warn = |path: &str, why: String| {
        found.push(Advice::warning(Code::Unread, format!("{path}: no template reads it: {why}")));
    };
    let prefixed = |key: &str| if chart.is_wrapped() { format!("{own}.{key}") } else { key.to_owned() };
    let name = match chart.edition {
        Edition::OpenSource => "the open source chart",
        Edition::Enterprise => "the Enterprise chart",
    };
    match chart.edition {
        Edition::OpenSource => {
            for key in &evidence.only_enterprise {
                warn(&prefixed(key), "only the Enterprise chart has it".to_owned());
            }
            for key in &evidence.below_gloo {
                warn(&prefixed(key), format!("{name} has its keys at the top"));
            }
        }
        Edition::Enterprise => {
            for key in &evidence.only_open_source {
                let above = if key.starts_with("gloo.") { "gloo.gloo" } else { "gloo" };
                warn(&prefixed(key), format!("{name} has it under {above}"));
            }
        }
    }
    let told: Vec<_> = [&evidence.below_gloo, &evidence.only_open_source].into_iter().flatten().collect();
    for (key, right) in [("gatewayProxies", chart.proxies()), ("kubeGateway", chart.kube_gateway())] {
        for path in keys::elsewhere(values, key, &right) {
            let path = path.to_string();
            if !told.iter().any(|told| prefixed(told) == path) {
                warn(&path, format!("{name} has it at {right}"));
            }
        }
    }
    found
}

fn deprecated(values: &Value, chart: &Chart) -> Vec<Advice> {
    let there = |path: &FieldPath| path.get(values).is_some_and(|value| !value.is_null() && *value != false);
    globals(&DEPRECATED, chart)
        .filter(|(path, _)| there(path))
        .map(|(path, instead)| {
            Advice::note(Code::Deprecated, format!("{path} is deprecated since 1.17; use {instead}"))
        })
        .collect()
}

/// Returns the paths of global keys in all maps that Gloo's chart gets.
fn globals<'t>(
    table: &'t [(&'static [&'static str], &'static str)],
    chart: &Chart,
) -> impl Iterator<Item = (FieldPath, &'static str)> + 't {
    let maps = chart.globals();
    let path = |map: &FieldPath, keys: &[&str]| keys.iter().fold(map.clone(), |path, key| then(&path, key));
    table.iter().flat_map(move |(keys, instead)| maps.iter().map(|map| (path(map, keys), *instead)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::values::ChartVersion;

    fn said(before: &Value, after: &Value, edition: Edition) -> Vec<String> {
        let chart = Chart { edition, below: None, version: ChartVersion::parse("1.17.7"), defaults: Value::Null };
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
            "gloo.gatewayProxies: no template reads it: the open source",
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
    fn blocks_in_the_wrong_place_are_named() {
        let values = json!({
            "grafana": {}, "discovery": {"fdsMode": "x", "gloo": {"gatewayProxies": {"gatewayProxy": {}}}},
            "gloo": {"deployment": {}},
        });
        let enterprise = said(&values, &values, Edition::Enterprise);
        for words in [
            "discovery: no template reads it: the Enterprise chart has it under gloo",
            "discovery.gloo.gatewayProxies: no template reads it: the Enterprise chart has it at gloo.gatewayProxies",
            "gloo.deployment: no template reads it: the Enterprise chart has it under gloo.gloo",
        ] {
            assert!(has(&enterprise, words), "{words}: {enterprise:#?}");
        }
        assert!(has(
            &said(&values, &values, Edition::OpenSource),
            "grafana: no template reads it: only the Enterprise"
        ));
        let right = json!({"grafana": {}, "gloo": {"gatewayProxies": {}, "kubeGateway": {}, "discovery": {}}});
        assert_eq!(said(&right, &right, Edition::Enterprise), [""; 0]);
        // In a chart around it, keys at the top belong to others.
        let chart = Chart {
            edition: Edition::OpenSource,
            below: Some("edge".to_owned()),
            version: None,
            defaults: Value::Null,
        };
        let wrapped = json!({"grafana": {}, "edge": {"gatewayProxies": {}}, "gatewayProxies": {}});
        let said: Vec<_> = of_values(&wrapped, &wrapped, &chart).into_iter().map(|advice| advice.message).collect();
        assert_eq!(said, ["gatewayProxies: no template reads it: the open source chart has it at edge.gatewayProxies"]);
    }

    #[test]
    fn custom_sidecars_replace_the_settings_of_their_own_kind_of_proxy() {
        let on = json!({"istioIntegration": {"enabled": true}});
        let values = json!({
            "global": on, "kubeGateway": {
                "enabled": true,
                "gatewayParameters": {"glooGateway": {"istio": {"customSidecars": [{"name": "x"}]}}},
            },
        });
        let found = said(&values, &values, Edition::OpenSource);
        assert!(has(&found, "kubeGateway.gatewayParameters.glooGateway.istio.customSidecars replaces"), "{found:?}");
        assert_eq!(found.len(), 1);
        let certificates = json!({"global": on, "gatewayProxies": {"gatewayProxy": {
            "istioDiscoveryAddress": "istiod-new.x.svc:15012", "istioSpiffeCertProviderAddress": "istiod-old.x.svc:15012",
        }}});
        let found = said(&certificates, &certificates, Edition::OpenSource);
        assert!(has(&found, "istioSpiffeCertProviderAddress stays istiod-old"), "{found:?}");
    }

    #[test]
    fn plain_values_say_nothing() {
        let values = json!({"global": {"istioIntegration": {"enabled": true, "enableAutoMtls": true}}});
        assert_eq!(said(&json!({}), &values, Edition::OpenSource), [""; 0]);
    }
}
