//! The gateways in the values: the entries of `gatewayProxies`, and the proxies of the Kubernetes Gateway API.

use serde_json::{Map, Value};

use super::{Chart, IMAGE_PARTS, PROXY_KEYS, ValuesWish, image_part, is_on, then};
use crate::edit::values::is_template;
use crate::error::{Exit, Failure, Reason};
use crate::model::FieldPath;
use crate::plan::advice::{Advice, Code};
use crate::text::nearest;

/// The proxy of the chart itself.
pub(super) const USUAL: &str = "gatewayProxy";
/// The key of the settings for Gateway API proxies, and their name in `--proxy`.
pub(crate) const KUBE_GATEWAY: &str = "kubeGateway";

/// What gets Istio's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChartProxyKind {
    /// A proxy that the chart renders.
    Rendered,
    /// All proxies of the Kubernetes Gateway API. Gloo's controller makes them from the `GatewayParameters` that the
    /// chart renders.
    OfGatewayApi,
}

impl ChartProxyKind {
    /// Both kinds.
    pub(super) const ALL: [Self; 2] = [Self::Rendered, Self::OfGatewayApi];
}

/// The part of the values in which a proxy reads Istio's address and ids.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ProxyEntry {
    pub key: String,
    pub kind: ChartProxyKind,
    /// `gatewayProxies.<key>`, or `kubeGateway.gatewayParameters.glooGateway.istio.istioProxyContainer`.
    pub path: FieldPath,
}

/// The proxies that get Istio's settings.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SelectedProxies {
    pub entries: Vec<ProxyEntry>,
    /// Why a named proxy is left out, or why there is none.
    pub advice: Vec<Advice>,
}

/// Returns the proxies on which Istio's settings have an effect, the chart's own first.
///
/// # Errors
/// A named proxy does not exist.
pub(super) fn selected(values: &Value, chart: &Chart, wish: &ValuesWish) -> Result<SelectedProxies, Failure> {
    let named = named(values, chart, wish)?;
    let is_off = |entry: &ProxyEntry| switched_off(entry, values, chart);
    let mut advice = Vec::new();
    if !wish.proxies.is_empty() {
        advice.extend(named.iter().filter_map(|entry| Some(no_effect(format!("{}: not changed", is_off(entry)?)))));
    } else if named.iter().all(|entry| is_off(entry).is_some()) {
        let why: Vec<_> = named.iter().filter_map(is_off).collect();
        advice.push(no_effect(format!("no gateway reads istiod's address: {}", why.join(", "))));
    }
    let is_usable = |entry: &ProxyEntry| is_off(entry).is_none() && replacement(entry.kind, values, chart).is_none();
    Ok(SelectedProxies { entries: named.into_iter().filter(is_usable).collect(), advice })
}

fn no_effect(message: String) -> Advice {
    Advice::warning(Code::NoEffect, message)
}

/// Returns the proxies that the command line names, or all, whether they are on or off.
///
/// # Errors
/// A named proxy does not exist.
pub(super) fn named(values: &Value, chart: &Chart, wish: &ValuesWish) -> Result<Vec<ProxyEntry>, Failure> {
    let all = all(values, chart);
    if wish.proxies.is_empty() {
        return Ok(all);
    }
    wish.proxies
        .iter()
        .map(|wanted| {
            let is_it = |entry: &&ProxyEntry| entry.key == *wanted || kebab(&entry.key) == *wanted;
            all.iter().find(is_it).cloned().ok_or_else(|| not_found(wanted, &all, chart))
        })
        .collect()
}

fn not_found(wanted: &str, all: &[ProxyEntry], chart: &Chart) -> Failure {
    let proxies = chart.proxies();
    let failure = Failure::new(Exit::SaidNo, Reason::NotFound, format!("--proxy {wanted}: not found in {proxies}"));
    let keys = || all.iter().map(|entry| entry.key.as_str());
    let near = nearest(wanted, keys());
    match near.is_empty() {
        true => failure.detail(format!("there: {}", keys().collect::<Vec<_>>().join(", "))),
        false => failure.detail(format!("near: {}", near.join(", "))),
    }
}

/// Returns the switch in the values that turns the proxy off.
fn switched_off(entry: &ProxyEntry, values: &Value, chart: &Chart) -> Option<String> {
    // What a template turns off is unknown: the address has no effect there, and no harm.
    let is_unknown = |value: &Value| value.as_str().is_some_and(is_template);
    let is = |path: &FieldPath| {
        let value = chart.value(values, path);
        is_on(value) && (entry.kind == ChartProxyKind::OfGatewayApi || !value.is_some_and(is_unknown))
    };
    match entry.kind {
        ChartProxyKind::Rendered => {
            let disabled = then(&entry.path, "disabled");
            is(&disabled).then(|| format!("{disabled} is true"))
        }
        ChartProxyKind::OfGatewayApi => {
            let enabled = then(&chart.kube_gateway(), "enabled");
            (!is(&enabled)).then(|| format!("{enabled} is not true"))
        }
    }
}

/// Returns the key of the containers that replace istio-proxy and all its settings, if the values have some.
pub(super) fn replacement(kind: ChartProxyKind, values: &Value, chart: &Chart) -> Option<FieldPath> {
    let path = match kind {
        ChartProxyKind::Rendered => chart.global(values, &["istioSDS", "customSidecars"]),
        ChartProxyKind::OfGatewayApi => then(&chart.kube_istio(), "customSidecars"),
    };
    let has_some = chart.value(values, &path).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    has_some.then_some(path)
}

/// Returns the address that Gloo's controller gives to the proxies of the Gateway API. `None` if there are none with
/// Istio's sidecars, or other containers replace them.
pub(crate) fn gateway_api_address(values: &Value, chart: &Chart) -> Option<String> {
    let kind = ChartProxyKind::OfGatewayApi;
    let entry = ProxyEntry { key: KUBE_GATEWAY.to_owned(), kind, path: istio_proxy_container(chart) };
    let has_settings = switched_off(&entry, values, chart).is_none() && replacement(kind, values, chart).is_none();
    let address = chart.value(values, &then(&entry.path, "istioDiscoveryAddress"))?.as_str()?;
    (has_settings && chart.has_istio(values)).then(|| address.to_owned())
}

/// Returns the paths of all settings of Istio that this command sets, set or not: the switches, and those of all proxies.
pub(crate) fn settings(values: &Value, chart: &Chart) -> Vec<FieldPath> {
    let switches = switches(values, chart).into_iter();
    switches.chain(of_proxies(&all(values, chart), values, chart)).collect()
}

/// Returns the paths of the switches that turn proxies on and off.
pub(super) fn switches_of_proxies(values: &Value, chart: &Chart) -> Vec<FieldPath> {
    let of_entry = |entry: ProxyEntry| match entry.kind {
        ChartProxyKind::Rendered => then(&entry.path, "disabled"),
        ChartProxyKind::OfGatewayApi => then(&chart.kube_gateway(), "enabled"),
    };
    all(values, chart).into_iter().map(of_entry).collect()
}

/// Returns the paths of the switches.
pub(super) fn switches(values: &Value, chart: &Chart) -> [FieldPath; 3] {
    [chart.integration(values), chart.auto_mtls(values), chart.sds(values)]
}

/// Returns the paths of the image of all rendered proxies, and of the settings of these proxies.
pub(super) fn of_proxies(entries: &[ProxyEntry], values: &Value, chart: &Chart) -> Vec<FieldPath> {
    let image = |kind| IMAGE_PARTS.map(|part| image_path(kind, part, values, chart));
    let of_entry = |entry: &ProxyEntry| {
        let own = PROXY_KEYS.map(|key| then(&entry.path, key)).into_iter();
        let image = (entry.kind == ChartProxyKind::OfGatewayApi).then(|| image(entry.kind));
        own.chain(image.into_iter().flatten()).collect::<Vec<_>>()
    };
    image(ChartProxyKind::Rendered).into_iter().chain(entries.iter().flat_map(of_entry)).collect()
}

/// Returns the path of a part of the image that proxies of this kind run as istio-proxy.
pub(super) fn image_path(kind: ChartProxyKind, part: &str, values: &Value, chart: &Chart) -> FieldPath {
    match kind {
        ChartProxyKind::Rendered => image_part(part, values, chart),
        ChartProxyKind::OfGatewayApi => then(&then(&istio_proxy_container(chart), "image"), part),
    }
}

fn istio_proxy_container(chart: &Chart) -> FieldPath {
    then(&chart.kube_istio(), "istioProxyContainer")
}

/// Returns every proxy in the values: the chart's own unless it was set to null, those of the user, and those of the
/// Gateway API if the chart has them.
fn all(values: &Value, chart: &Chart) -> Vec<ProxyEntry> {
    let path = chart.proxies();
    let none = Map::new();
    let there = path.get(values).and_then(Value::as_object).unwrap_or(&none);
    let own = path.get(&chart.defaults).and_then(Value::as_object).unwrap_or(&none);
    let mut keys = vec![USUAL.to_owned()];
    for (key, value) in own.iter().chain(there) {
        if !keys.contains(key) && !value.is_null() {
            keys.push(key.clone());
        }
    }
    // An explicit null removes the chart's proxy. It is not added again.
    keys.retain(|key| there.get(key).is_none_or(|value| !value.is_null()));
    let rendered = |key: String| ProxyEntry { path: then(&path, &key), kind: ChartProxyKind::Rendered, key };
    let of_gateway_api = chart.has_integration().then(|| ProxyEntry {
        key: KUBE_GATEWAY.to_owned(),
        kind: ChartProxyKind::OfGatewayApi,
        path: istio_proxy_container(chart),
    });
    keys.into_iter().map(rendered).chain(of_gateway_api).collect()
}

/// Returns the name of the proxy's Deployment: the chart's `kebabcase`.
pub(super) fn kebab(key: &str) -> String {
    let mut name = String::new();
    for c in key.chars() {
        if c.is_ascii_uppercase() && !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
        name.push(if c == '_' { '-' } else { c.to_ascii_lowercase() });
    }
    name
}
