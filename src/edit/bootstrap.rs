//! Edits Envoy's bootstrap as text: inserts or removes the cluster that serves Istio's certificates. The rest stays
//! byte for byte.
//!
//! The chart writes `snake_case`, glooctl rewrites all of it to `camelCase`. Envoy accepts both, so the cluster uses
//! the spelling of its neighbours. An insertion is made only if removing it restores the text to the byte.

use serde_json::{Value, json};

use super::manifest::{Unsafe, insert_item, remove_item};
use crate::model::FieldPath;
use crate::yaml;

/// The static cluster of a gateway's bootstrap that serves Istio's certificates.
pub(crate) const SDS_CLUSTER: &str = "gateway_proxy_sds";
/// The address of the SDS server in the same pod.
pub(crate) const SDS_ADDRESS: (&str, u64) = ("127.0.0.1", 8234);

/// How a bootstrap spells its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    Snake,
    Camel,
}

/// The state of the cluster in a bootstrap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cluster {
    Absent,
    /// The cluster is present, with the address where the sidecar listens.
    Present,
    /// A cluster of this name is present, with another address.
    Elsewhere {
        address: String,
    },
}

/// Why a bootstrap cannot be edited safely, with the change to make by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BootstrapRefusal {
    /// The line in the bootstrap, from 1; 0 if the problem has no line.
    pub line: usize,
    pub why: String,
    /// The change to make by hand, line by line.
    pub manual: Vec<String>,
}

/// Returns the state of the cluster in the bootstrap.
///
/// # Errors
/// Why the bootstrap cannot be read.
pub(crate) fn cluster(text: &str) -> Result<Cluster, BootstrapRefusal> {
    let view = View::parse(text).map_err(|refusal| BootstrapRefusal { manual: by_hand(text), ..refusal })?;
    let found = view.clusters().iter().find(|cluster| cluster["name"] == SDS_CLUSTER);
    Ok(found.map_or(Cluster::Absent, |found| match address(found) {
        Some((host, port)) if (host.as_str(), port) == SDS_ADDRESS => Cluster::Present,
        Some((host, port)) => Cluster::Elsewhere { address: format!("{host}:{port}") },
        None => Cluster::Elsewhere { address: "no address".to_owned() },
    }))
}

/// Inserts the cluster after the xDS cluster, or after the last one. The text stays the same if the cluster is present.
///
/// # Errors
/// Why the text cannot be edited safely, with the lines to add by hand.
pub(crate) fn insert(text: &str) -> Result<String, BootstrapRefusal> {
    let view = View::parse(text).map_err(|refusal| BootstrapRefusal { manual: by_hand(text), ..refusal })?;
    if view.clusters().iter().any(|cluster| cluster["name"] == SDS_CLUSTER) {
        return Ok(text.to_owned());
    }
    let refused = |line, why: String| BootstrapRefusal { line, why, manual: by_hand(text) };
    let Some(last) = view.clusters().len().checked_sub(1) else {
        return Err(refused(0, format!("{} has no clusters to add to", view.resources)));
    };
    let mut first_problem = None;
    for index in view.xds().into_iter().chain([last]) {
        match insert_item(text, &view.list(), index, &sds_cluster(view.spelling())) {
            Ok(after) if remove_item(&after, &view.list(), index + 1).as_deref() == Ok(text) => return Ok(after),
            Ok(_) => {}
            Err(problem) => first_problem = first_problem.or(Some(problem)),
        }
    }
    let Unsafe { line, why, .. } = first_problem.unwrap_or_else(|| Unsafe {
        line: 0,
        why: "the cluster could not be removed again byte for byte".to_owned(),
        manual: Vec::new(),
    });
    Err(refused(line, why))
}

/// Removes the cluster. The text stays the same if the cluster is absent.
///
/// # Errors
/// Why the text cannot be edited safely, and what to remove by hand.
pub(crate) fn remove(text: &str) -> Result<String, BootstrapRefusal> {
    let manual = || vec![format!("remove the cluster named {SDS_CLUSTER} from the static clusters")];
    let mut text = text.to_owned();
    // A text that cannot be read needs no edit if it does not name the cluster.
    while text.contains(SDS_CLUSTER) {
        let view = View::parse(&text).map_err(|refusal| BootstrapRefusal { manual: manual(), ..refusal })?;
        let Some(index) = view.clusters().iter().position(|cluster| cluster["name"] == SDS_CLUSTER) else {
            return Ok(text);
        };
        text = remove_item(&text, &view.list(), index).map_err(|problem| BootstrapRefusal {
            line: problem.line,
            why: problem.why,
            manual: manual(),
        })?;
    }
    Ok(text)
}

/// The cluster in the given spelling, as the chart and glooctl write it.
pub(crate) fn sds_cluster(spelling: Spelling) -> Value {
    let (host, port) = SDS_ADDRESS;
    match spelling {
        Spelling::Snake => json!({
            "name": SDS_CLUSTER,
            "connect_timeout": "0.25s",
            "http2_protocol_options": {},
            "load_assignment": {
                "cluster_name": SDS_CLUSTER,
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {
                    "socket_address": {"address": host, "port_value": port}}}}]}],
            },
        }),
        Spelling::Camel => json!({
            "connectTimeout": "0.250s",
            "http2ProtocolOptions": {},
            "loadAssignment": {
                "clusterName": SDS_CLUSTER,
                "endpoints": [{"lbEndpoints": [{"endpoint": {"address": {
                    "socketAddress": {"address": host, "portValue": port}}}}]}],
            },
            "name": SDS_CLUSTER,
        }),
    }
}

struct View {
    value: Value,
    resources: &'static str,
}

impl View {
    fn parse(text: &str) -> Result<Self, BootstrapRefusal> {
        let refused = |line, why: &str| BootstrapRefusal { line, why: why.to_owned(), manual: Vec::new() };
        let value = yaml::parse(text).map_err(|problem| refused(problem.line, &reason(text, &problem)))?;
        let found: Vec<_> =
            ["static_resources", "staticResources"].into_iter().filter(|key| value.get(key).is_some()).collect();
        let resources = match found[..] {
            [resources] => resources,
            [] => return Err(refused(0, "it has no static_resources")),
            _ => return Err(refused(0, "it has both static_resources and staticResources")),
        };
        match &value[resources]["clusters"] {
            Value::Array(_) => Ok(Self { value, resources }),
            Value::Null => Err(refused(0, &format!("{resources} has no clusters"))),
            _ => Err(refused(0, &format!("{resources}.clusters is not a list"))),
        }
    }

    fn clusters(&self) -> &[Value] {
        self.value[self.resources]["clusters"].as_array().map_or(&[], Vec::as_slice)
    }

    fn list(&self) -> FieldPath {
        FieldPath::keys(&[self.resources, "clusters"])
    }

    /// The index of the cluster through which Gloo configures Envoy: the one named for statistics, or used by ADS.
    fn xds(&self) -> Option<usize> {
        let dynamic = either(&self.value, "dynamic_resources", "dynamicResources");
        let services = either(either(dynamic, "ads_config", "adsConfig"), "grpc_services", "grpcServices");
        let name = either(either(&services[0], "envoy_grpc", "envoyGrpc"), "cluster_name", "clusterName");
        self.clusters().iter().position(|cluster| {
            either(cluster, "alt_stat_name", "altStatName") == "xds_cluster"
                || (name.is_string() && cluster["name"] == *name)
        })
    }

    /// The spelling of the neighbours; if none of their keys shows it, that of the document.
    fn spelling(&self) -> Spelling {
        let keys = self.clusters().iter().filter_map(Value::as_object).flat_map(|cluster| cluster.keys());
        let of_key = |key: &str| {
            let is_camel = key.chars().any(|c| c.is_ascii_uppercase());
            (key.contains('_') || is_camel).then_some(if is_camel { Spelling::Camel } else { Spelling::Snake })
        };
        keys.map(String::as_str).chain([self.resources]).find_map(of_key).unwrap_or(Spelling::Snake)
    }
}

fn either<'v>(value: &'v Value, snake: &str, camel: &str) -> &'v Value {
    value.get(snake).unwrap_or(&value[camel])
}

/// The address of the cluster's first endpoint.
fn address(cluster: &Value) -> Option<(String, u64)> {
    let assignment = either(cluster, "load_assignment", "loadAssignment");
    let endpoint = &either(&assignment["endpoints"][0], "lb_endpoints", "lbEndpoints")[0]["endpoint"];
    let socket = either(&endpoint["address"], "socket_address", "socketAddress");
    Some((socket["address"].as_str()?.to_owned(), either(socket, "port_value", "portValue").as_u64()?))
}

fn reason(text: &str, problem: &yaml::Problem) -> String {
    let has_tabs = text.lines().any(|line| line.trim_start_matches(' ').starts_with('\t'));
    if has_tabs && !text.trim_start().starts_with('{') {
        return "it is indented with tabs, which is not YAML".to_owned();
    }
    format!("it cannot be read: {}", problem.message)
}

/// The lines to add by hand to a text that cannot be edited, in the spelling that it seems to use.
pub(crate) fn by_hand(text: &str) -> Vec<String> {
    let is_camel = text.contains("staticResources") && !text.contains("static_resources");
    let (spelling, place) = match is_camel {
        true => (Spelling::Camel, "staticResources.clusters"),
        false => (Spelling::Snake, "static_resources.clusters"),
    };
    let item = yaml::write(&json!([sds_cluster(spelling)]));
    std::iter::once(format!("add to {place}:")).chain(item.lines().map(|line| format!("  {line}"))).collect()
}

#[cfg(test)]
mod tests;
