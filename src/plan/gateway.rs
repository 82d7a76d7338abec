//! What the gateway needs for mutual TLS: its sidecars, its bootstrap, and the auto-mTLS switches.

use serde_json::Value;

use super::Unread;
use super::fix::GatewayFix;
use super::ssl_config::{SDS_CLUSTER, Tls, tls_of};
use crate::model::Object;
use crate::plan::sidecars::parts::{ISTIO_PROXY, SDS};

/// The label of a gateway proxy's workload, pods and ConfigMap.
pub(crate) const PROXY_LABEL: &str = "gloo=gateway-proxy";
/// The key of a gateway's ConfigMap that holds Envoy's bootstrap.
const BOOTSTRAP: &str = "envoy.yaml";

/// Whether Settings turn auto-mTLS on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AutoMtls {
    On,
    Off,
    /// Settings were not read or could not be read.
    Unknown,
}

impl AutoMtls {
    /// Returns whether auto-mTLS is used for this Upstream when it has no `sslConfig` of Istio's. Auto-mTLS depends on
    /// a pod label, so it works only for the pods of a Service.
    pub(crate) fn covers(self, upstream: &Object) -> bool {
        self == Self::On
            && upstream.value["spec"]["kube"].is_object()
            && upstream.value["spec"]["disableIstioAutoMtls"] != true
            && !matches!(tls_of(&upstream.value), Tls::Other(_))
    }
}

/// Whether the gateway proxies can serve Istio's certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gateway {
    /// At least one proxy has the sidecars and the cluster.
    Ready,
    /// No proxy was found.
    Absent,
    /// These proxies exist, and none of them has a pod.
    NoPods { workloads: Vec<Idle> },
    /// None of these pods has both sidecars.
    NoSidecars {
        pods: Vec<BarePod>,
        /// How they get them.
        fix: Vec<GatewayFix>,
    },
    /// None of these `ConfigMap`s has the cluster.
    NoCluster {
        config_maps: Vec<String>,
        /// How the proxies get it.
        fix: Vec<GatewayFix>,
    },
    /// The gateway could not be read.
    Unknown { why: Unread },
}

/// A proxy without pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Idle {
    pub name: String,
    /// The desired number of pods.
    pub replicas: u64,
}

/// A pod of a gateway, and the sidecars that it lacks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BarePod {
    pub name: String,
    pub missing: Vec<&'static str>,
}

/// Writes `gateway-proxy-1 has no sds`.
impl std::fmt::Display for BarePod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} has no {}", self.name, self.missing.join(" and no "))
    }
}

/// Returns the state of a gateway for which no pods were found.
pub(crate) fn without_pods(deployments: &[Value]) -> Gateway {
    let idle = |deployment: &Value| Idle {
        name: deployment["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        replicas: deployment["spec"]["replicas"].as_u64().unwrap_or(1),
    };
    match deployments {
        [] => Gateway::Absent,
        _ => Gateway::NoPods { workloads: deployments.iter().map(idle).collect() },
    }
}

/// Returns the state of the gateway from its pods and bootstraps.
pub(crate) fn judge(pods: &[Value], config_maps: &[Value]) -> Gateway {
    if pods.is_empty() {
        return Gateway::Absent;
    }
    if !have_sidecars(pods) {
        return Gateway::NoSidecars { pods: bare(pods), fix: fixes(pods) };
    }
    if !config_maps.iter().any(|map| has_cluster(map["data"][BOOTSTRAP].as_str().unwrap_or_default())) {
        return Gateway::NoCluster { config_maps: names(config_maps), fix: fixes(pods) };
    }
    Gateway::Ready
}

/// Returns whether every gateway pod has the sidecars, and every bootstrap has the cluster.
pub(crate) fn are_whole(pods: &[Value], config_maps: &[Value]) -> bool {
    let has = |map: &Value| has_cluster(map["data"][BOOTSTRAP].as_str().unwrap_or_default());
    !config_maps.is_empty() && pods.iter().all(has_sidecars) && config_maps.iter().all(has)
}

/// Returns whether at least one of these pods has both sidecars.
pub(crate) fn have_sidecars(pods: &[Value]) -> bool {
    pods.iter().any(has_sidecars)
}

/// Returns how each proxy with one of these pods gets what it lacks.
fn fixes(pods: &[Value]) -> Vec<GatewayFix> {
    let mut fixes: Vec<GatewayFix> = Vec::new();
    for fix in pods.iter().map(GatewayFix::of_pod) {
        if !fixes.contains(&fix) {
            fixes.push(fix);
        }
    }
    fixes
}

fn names(objects: &[Value]) -> Vec<String> {
    let mut names: Vec<_> =
        objects.iter().map(|object| object["metadata"]["name"].as_str().unwrap_or_default().to_owned()).collect();
    names.sort_unstable();
    names
}

fn bare(pods: &[Value]) -> Vec<BarePod> {
    let bare = |pod: &Value| BarePod {
        name: pod["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        missing: missing_sidecars(pod),
    };
    let mut all: Vec<_> = pods.iter().map(bare).collect();
    all.sort_unstable();
    all
}

fn has_sidecars(pod: &Value) -> bool {
    missing_sidecars(pod).is_empty()
}

/// Native sidecars are init containers with `restartPolicy: Always`, so both lists are checked.
fn missing_sidecars(pod: &Value) -> Vec<&'static str> {
    let runs = |name: &str| {
        ["containers", "initContainers"]
            .iter()
            .filter_map(|list| pod["spec"][list].as_array())
            .flatten()
            .any(|container| container["name"] == name)
    };
    [SDS, ISTIO_PROXY].into_iter().filter(|name| !runs(name)).collect()
}

/// Returns whether a bootstrap has the SDS cluster, by name. Helm writes snake case, glooctl camel case.
pub(crate) fn has_cluster(bootstrap: &str) -> bool {
    let Ok(bootstrap) = crate::yaml::parse(bootstrap) else { return false };
    ["static_resources", "staticResources"]
        .iter()
        .filter_map(|resources| bootstrap[resources]["clusters"].as_array())
        .flatten()
        .any(|cluster| cluster["name"] == SDS_CLUSTER)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::kinds::UPSTREAM;

    fn pod(containers: &[&str], init: &[&str]) -> Value {
        let named = |names: &[&str]| names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>();
        json!({"metadata": {"name": "p"}, "spec": {"containers": named(containers), "initContainers": named(init)}})
    }

    fn map(bootstrap: &str) -> Value {
        json!({"metadata": {"name": "gateway-proxy-envoy-config"}, "data": {"envoy.yaml": bootstrap}})
    }

    const SNAKE: &str = "static_resources:\n  clusters:\n  - name: gateway_proxy_sds\n";
    const CAMEL: &str = "staticResources:\n  clusters:\n  - {name: gateway_proxy_sds}\n";

    #[test]
    fn a_gateway_is_ready_with_sidecars_and_the_cluster_in_either_spelling() {
        let whole = pod(&["gateway-proxy", "sds", "istio-proxy"], &[]);
        for bootstrap in [SNAKE, CAMEL] {
            assert_eq!(judge(std::slice::from_ref(&whole), &[map(bootstrap)]), Gateway::Ready);
        }
        assert_eq!(judge(&[pod(&["gateway-proxy", "sds"], &["istio-proxy"])], &[map(SNAKE)]), Gateway::Ready);
        assert_eq!(judge(&[], &[map(SNAKE)]), Gateway::Absent);
    }

    #[test]
    fn exactly_the_missing_sidecars_are_named() {
        for (containers, missing, shown) in [
            (&["gateway-proxy", "istio-proxy"][..], vec![SDS], "p has no sds"),
            (&["gateway-proxy", "sds"], vec![ISTIO_PROXY], "p has no istio-proxy"),
            (&["gateway-proxy"], vec![SDS, ISTIO_PROXY], "p has no sds and no istio-proxy"),
        ] {
            let bare = BarePod { name: "p".into(), missing };
            assert_eq!(bare.to_string(), shown);
            let pod = pod(containers, &[]);
            let fix = vec![GatewayFix::of_pod(&pod)];
            assert_eq!(judge(&[pod], &[map(SNAKE)]), Gateway::NoSidecars { pods: vec![bare], fix });
        }
    }

    #[test]
    fn a_gateway_that_is_scaled_to_nothing_is_there() {
        assert_eq!(without_pods(&[]), Gateway::Absent);
        let scaled = json!({"metadata": {"name": "gateway-proxy"}, "spec": {"replicas": 0}});
        let workloads = vec![Idle { name: "gateway-proxy".into(), replicas: 0 }];
        assert_eq!(without_pods(&[scaled]), Gateway::NoPods { workloads });
    }

    #[test]
    fn the_clusters_name_counts_not_the_text() {
        let whole = pod(&["sds", "istio-proxy"], &[]);
        let comment = "# gateway_proxy_sds\nstatic_resources:\n  clusters:\n  - name: other\n";
        assert!(matches!(judge(&[whole], &[map(comment)]), Gateway::NoCluster { .. }));
    }

    #[test]
    fn auto_mtls_covers_pods_of_a_service_without_an_opt_out() {
        let upstream = |spec: Value| Object::new(&UPSTREAM, json!({"spec": spec}));
        assert!(AutoMtls::On.covers(&upstream(json!({"kube": {}}))));
        assert!(!AutoMtls::On.covers(&upstream(json!({"kube": {}, "disableIstioAutoMtls": true}))));
        assert!(!AutoMtls::On.covers(&upstream(json!({"kube": {}, "sslConfig": {"secretRef": {}}}))));
        assert!(!AutoMtls::On.covers(&upstream(json!({"static": {}}))));
        assert!(!AutoMtls::Unknown.covers(&upstream(json!({"kube": {}}))));
    }
}
