//! The pods of a gateway proxy: which pods to read, which container is Envoy, and its admin port.

use serde_json::Value;

use super::advice::{Advice, Code};
use super::pod;

/// The port of Envoy's admin interface in the charts.
pub(crate) const ADMIN_PORT: u16 = 19000;
/// The names of Envoy's container in the charts. Gloo's own chart uses the name of the proxy.
const ENVOYS: [&str; 4] = ["gateway-proxy", "gloo-gateway", "kgateway-proxy", "envoy"];
/// The names of the other containers.
const SIDECARS: [&str; 4] = ["sds", "istio-proxy", "access-logger", "extauth"];

/// A pod in which Envoy runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProxyPod {
    pub namespace: String,
    pub name: String,
    /// Envoy's container.
    pub container: String,
    /// The port of its admin interface in the pod.
    pub admin_port: u16,
    /// Why the pod is not ready; `None` if it is.
    pub not_ready: Option<String>,
}

/// How many pods to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PodAmount {
    /// One pod, a ready one if possible.
    One,
    /// `--all-pods`
    All,
}

/// Which pods to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Pods in which Envoy runs.
    Running,
    /// Also pods in which Envoy ended or waits, because its last log lines may show the reason.
    Any,
}

/// The chosen pods, and the advice about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChosenPods {
    /// At least one pod, ready pods first.
    pub pods: Vec<ProxyPod>,
    /// The number of all pods.
    pub of: usize,
    pub advice: Vec<Advice>,
}

/// Chooses among the pods of a proxy.
///
/// # Errors
/// No pod runs Envoy. The state of each pod and the reason.
pub(crate) fn choose(
    pods: &[Value],
    proxy: &str,
    bootstrap: Option<&str>,
    amount: PodAmount,
    which: Which,
) -> Result<ChosenPods, Vec<String>> {
    let admin_port = bootstrap.and_then(admin_port).unwrap_or(ADMIN_PORT);
    let with_envoy = pods.iter().filter_map(|pod| Some((pod, look(pod, proxy, admin_port)?)));
    let fit = with_envoy.filter(|(pod, found)| which == Which::Any || runs(pod, &found.container));
    let mut running: Vec<ProxyPod> = fit.map(|(_, found)| found).collect();
    if running.is_empty() {
        return Err(pods.iter().map(pod::why_not).collect());
    }
    running.sort_unstable_by(|one, other| {
        (one.not_ready.is_some(), &one.name).cmp(&(other.not_ready.is_some(), &other.name))
    });
    if amount == PodAmount::One {
        running.truncate(1);
    }
    let left_out = pods.iter().filter(|pod| {
        amount == PodAmount::All && !running.iter().any(|chosen| pod["metadata"]["name"] == *chosen.name)
    });
    let left_out = left_out.map(|pod| Advice::warning(Code::NotReady, format!("{}; skipped", pod::why_not(pod))));
    let not_ready = running.iter().filter_map(|pod| {
        let why = pod.not_ready.as_ref()?;
        Some(Advice::warning(Code::NotReady, format!("pod {} is not ready: {why}", pod.name)))
    });
    let advice = not_ready.chain(left_out).collect();
    Ok(ChosenPods { pods: running, of: pods.len(), advice })
}

/// Returns the pod if it has an Envoy. A pod that is not ready counts too, because it may be the one to examine.
fn look(pod: &Value, proxy: &str, admin_port: u16) -> Option<ProxyPod> {
    let text = |key: &str| pod["metadata"][key].as_str().unwrap_or_default().to_owned();
    let container = envoy_container(pod, proxy)?;
    Some(ProxyPod {
        namespace: text("namespace"),
        name: text("name"),
        container: container.to_owned(),
        admin_port,
        not_ready: pod::not_ready(pod),
    })
}

fn runs(pod: &Value, container: &str) -> bool {
    let statuses = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
    statuses.into_iter().any(|status| status["name"] == *container && status["state"]["running"].is_object())
}

/// Returns Envoy's container: the one named like the proxy, or as in a chart, or with an Envoy image, or the only one
/// that is not a sidecar of Gloo or Istio.
fn envoy_container<'p>(pod: &'p Value, proxy: &str) -> Option<&'p str> {
    let containers = pod["spec"]["containers"].as_array()?;
    let name = |container: &'p Value| container["name"].as_str().unwrap_or_default();
    let found = containers
        .iter()
        .find(|container| name(container) == proxy)
        .or_else(|| containers.iter().find(|container| ENVOYS.contains(&name(container))))
        .or_else(|| {
            containers.iter().find(|container| container["image"].as_str().is_some_and(|it| it.contains("envoy")))
        })
        .or_else(|| containers.iter().find(|container| !SIDECARS.contains(&name(container))));
    found.map(name)
}

/// Returns the `ConfigMap` with the bootstrap of a pod, or of a workload's template.
pub(crate) fn bootstrap_of(pod_spec: &Value) -> Option<&str> {
    let volumes: Vec<_> = pod_spec["volumes"].as_array()?.iter().collect();
    let map = |volume: &'_ &'_ Value| volume["configMap"]["name"].is_string();
    let named = volumes.iter().find(|volume| volume["name"] == "envoy-config" && map(volume));
    named.or_else(|| volumes.iter().find(|volume| map(volume)))?["configMap"]["name"].as_str()
}

/// Returns `admin.address.socket_address.port_value` of a bootstrap. The chart writes snake case, glooctl camel case.
pub(crate) fn admin_port(bootstrap: &str) -> Option<u16> {
    let bootstrap = crate::yaml::parse(bootstrap).ok()?;
    let address = &bootstrap["admin"]["address"];
    ["socket_address", "socketAddress"]
        .iter()
        .flat_map(|socket| ["port_value", "portValue"].map(|port| &address[*socket][port]))
        .find_map(|port| u16::try_from(port.as_u64()?).ok())
}

/// Returns `node.metadata.role` of a bootstrap, the role with which Envoy requests its configuration from Gloo.
pub(crate) fn role(bootstrap: &str) -> Option<String> {
    let bootstrap = crate::yaml::parse(bootstrap).ok()?;
    bootstrap["node"]["metadata"]["role"].as_str().filter(|role| !role.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, containers: &[&str], ready: &str) -> Value {
        let specs: Vec<_> = containers.iter().map(|name| json!({"name": name, "image": "registry/it:1"})).collect();
        let statuses: Vec<_> =
            containers.iter().map(|name| json!({"name": name, "ready": true, "state": {"running": {}}})).collect();
        json!({
            "metadata": {"namespace": "gloo-system", "name": name}, "spec": {"containers": specs},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}], "containerStatuses": statuses},
        })
    }

    fn waiting(name: &str) -> Value {
        let mut pod = pod(name, &["gateway-proxy"], "False");
        pod["status"]["containerStatuses"][0] =
            json!({"name": "gateway-proxy", "ready": false, "state": {"waiting": {"reason": "ImagePullBackOff"}}});
        pod
    }

    fn names(chosen: &ChosenPods) -> Vec<&str> {
        chosen.pods.iter().map(|pod| pod.name.as_str()).collect()
    }

    #[test]
    fn a_ready_pod_comes_before_one_that_only_runs() {
        let pods = [waiting("a"), pod("b", &["gateway-proxy"], "False"), pod("c", &["gateway-proxy"], "True")];
        let one = choose(&pods, "gateway-proxy", None, PodAmount::One, Which::Running).unwrap();
        assert_eq!((names(&one), one.of, one.advice.len()), (vec!["c"], 3, 0));
        let all = choose(&pods, "gateway-proxy", None, PodAmount::All, Which::Running).unwrap();
        assert_eq!(names(&all), ["c", "b"]);
        let said: Vec<_> = all.advice.iter().map(|advice| advice.message.as_str()).collect();
        assert_eq!(
            said,
            ["pod b is not ready: Running, not ready", "pod a: ImagePullBackOff (container gateway-proxy); skipped"]
        );
    }

    #[test]
    fn an_envoy_that_never_got_ready_can_be_looked_into() {
        let chosen =
            choose(&[pod("b", &["gateway-proxy"], "False")], "gateway-proxy", None, PodAmount::One, Which::Running)
                .unwrap();
        assert_eq!((names(&chosen), chosen.advice.len()), (vec!["b"], 1));
    }

    #[test]
    fn where_no_envoy_runs_each_pod_says_why() {
        let said = choose(&[waiting("a")], "gateway-proxy", None, PodAmount::One, Which::Running).unwrap_err();
        assert_eq!(said, ["pod a: ImagePullBackOff (container gateway-proxy)"]);
        let any = choose(&[waiting("a")], "gateway-proxy", None, PodAmount::One, Which::Any).unwrap();
        assert_eq!((names(&any), any.advice.len()), (vec!["a"], 1), "its log may say more");
    }

    #[test]
    fn envoys_container_is_found_under_every_name_it_has() {
        for (containers, proxy, found) in [
            (vec!["sds", "istio-proxy", "gateway-proxy"], "gateway-proxy", "gateway-proxy"),
            (vec!["sds", "public"], "public", "public"),
            (vec!["istio-proxy", "gloo-gateway"], "gloo-proxy-http", "gloo-gateway"),
            (vec!["kgateway-proxy"], "http", "kgateway-proxy"),
            (vec!["sds", "mine"], "edge", "mine"),
        ] {
            assert_eq!(envoy_container(&pod("p", &containers, "True"), proxy), Some(found), "{containers:?}");
        }
    }

    #[test]
    fn the_admin_port_is_the_bootstraps() {
        let snake = "admin:\n  address:\n    socket_address: {address: 127.0.0.1, port_value: 19001}\n";
        let camel = "admin: {address: {socketAddress: {address: 127.0.0.1, portValue: 19002}}}\n";
        assert_eq!((admin_port(snake), admin_port(camel)), (Some(19001), Some(19002)));
        assert_eq!((admin_port("node: {}\n"), admin_port("a: ["), admin_port("admin: 7")), (None, None, None));
        let pods = [pod("c", &["gateway-proxy"], "True")];
        for (bootstrap, port) in [(None, ADMIN_PORT), (Some(snake), 19001)] {
            assert_eq!(
                choose(&pods, "gateway-proxy", bootstrap, PodAmount::One, Which::Running).unwrap().pods[0].admin_port,
                port
            );
        }
    }

    #[test]
    fn the_bootstrap_is_the_volume_that_the_charts_give_it() {
        let spec = json!({"volumes": [
            {"name": "tokens", "projected": {}},
            {"name": "ca", "configMap": {"name": "istio-ca-root-cert"}},
            {"name": "envoy-config", "configMap": {"name": "gateway-proxy-envoy-config"}},
        ]});
        assert_eq!(bootstrap_of(&spec), Some("gateway-proxy-envoy-config"));
        assert_eq!(bootstrap_of(&json!({"volumes": [{"name": "x", "emptyDir": {}}]})), None);
        assert_eq!(bootstrap_of(&json!({})), None);
    }
}
