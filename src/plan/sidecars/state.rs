//! Which parts of the injected sidecars a gateway proxy has, and which are missing.

use std::fmt;

use serde_json::Value;

use super::parts::{CERTIFICATES, ISTIO_PROXY, SDS, volumes};
use super::{GatewayProxy, Pods, SeenPod};
use crate::edit::bootstrap::{self, BootstrapRefusal, Cluster};
use crate::model::{ObjectRef, Unknown};

/// A part of the injected sidecars.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SidecarPart {
    /// The cluster in the bootstrap.
    Cluster,
    /// A container.
    Container(&'static str),
    /// An environment variable of a container.
    Env(&'static str, &'static str),
    /// The mount of the certificates in a container.
    Mount(&'static str),
    /// One of the volumes.
    Volume(String),
    /// The cluster in the Envoy of each pod. A pod that started before the last change of the bootstrap may lack it.
    LoadedCluster,
}

impl fmt::Display for SidecarPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("cluster gateway_proxy_sds"),
            Self::Container(name) => write!(f, "container {name}"),
            Self::Env(container, name) => write!(f, "{name} of {container}"),
            Self::Mount(container) => write!(f, "volume {CERTIFICATES} in {container}"),
            Self::Volume(name) => write!(f, "volume {name}"),
            Self::LoadedCluster => f.write_str("cluster gateway_proxy_sds in running pods"),
        }
    }
}

/// The present and the missing parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SidecarState {
    pub present: Vec<SidecarPart>,
    pub missing: Vec<SidecarPart>,
    /// The pods that started before the last change of the bootstrap, and whose Envoys were not asked for the cluster.
    pub unasked: Vec<ObjectRef>,
    /// Why it is unknown whether these Envoys have the cluster.
    pub doubt: Option<Unknown>,
}

/// How many of the parts are present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Full,
    Partial,
    /// No part of either tool is present.
    Clean,
}

impl SidecarState {
    /// Returns whether all parts are present, some, or none.
    pub(crate) fn extent(&self) -> Extent {
        match (self.missing.is_empty(), self.present.is_empty()) {
            (true, _) => Extent::Full,
            (false, true) => Extent::Clean,
            (false, false) => Extent::Partial,
        }
    }

    /// Returns whether nothing is missing but the restart of running pods.
    pub(crate) fn needs_only_restart(&self) -> bool {
        self.missing == [SidecarPart::LoadedCluster]
    }

    /// Returns whether this part is missing.
    pub(crate) fn lacks(&self, part: &SidecarPart) -> bool {
        self.missing.contains(part)
    }

    /// Notes what the Envoys have that started before the last change of the bootstrap. Their age alone proves nothing:
    /// the change may be a comment.
    fn note_running(&mut self, pods: &[SeenPod], since: &str) {
        let mut lacking = false;
        for pod in pods.iter().filter(|pod| is_older(&pod.object.value, since)) {
            match &pod.has_cluster {
                Some(Ok(has_cluster)) => lacking |= !has_cluster,
                Some(Err(unknown)) => self.doubt = Some(unknown.clone()),
                None => self.unasked.push(pod.object.reference.clone()),
            }
        }
        if let Some(pod) = self.unasked.first() {
            let why = format!("{pod} started before the last change of its bootstrap, and its Envoy was not asked");
            self.doubt.get_or_insert_with(|| Unknown::because(why));
        }
        if lacking {
            self.doubt = None;
        }
        if self.doubt.is_none() {
            self.note(SidecarPart::LoadedCluster, !lacking);
        }
    }

    fn note(&mut self, part: SidecarPart, holds: bool) {
        if holds { self.present.push(part) } else { self.missing.push(part) }
    }
}

/// Reads the state of a proxy.
///
/// # Errors
/// Why the bootstrap cannot be read.
pub(crate) fn state(proxy: &GatewayProxy) -> Result<SidecarState, BootstrapRefusal> {
    let mut state = SidecarState::default();
    let cluster = match proxy.bootstrap_text() {
        Some(text) => bootstrap::cluster(text)?,
        None => Cluster::Absent,
    };
    state.note(SidecarPart::Cluster, cluster == Cluster::Present);
    let pod = &proxy.workload.value["spec"]["template"]["spec"];
    for (name, envs) in [
        (SDS, &["ISTIO_MTLS_SDS_ENABLED"][..]),
        (ISTIO_PROXY, &["CA_ADDR", "PROXY_CONFIG", "DISABLE_ENVOY", "OUTPUT_CERTS"][..]),
    ] {
        let container = item(&pod["containers"], name);
        state.note(SidecarPart::Container(name), container.is_some());
        if let Some(container) = container {
            for env in envs {
                state.note(SidecarPart::Env(name, env), env_holds(container, env));
            }
            state.note(SidecarPart::Mount(name), item(&container["volumeMounts"], CERTIFICATES).is_some());
        }
    }
    let needed = needed_volumes(pod);
    for volume in volumes() {
        let name = volume["name"].as_str().unwrap_or_default();
        let is_there = item(&pod["volumes"], name).is_some();
        if is_there || needed.contains(&name.to_owned()) {
            state.note(SidecarPart::Volume(name.to_owned()), is_there);
        }
    }
    if let (Pods::Seen(pods), true) = (&proxy.pods, state.missing.is_empty()) {
        let since = proxy.bootstrap.as_ref().and_then(|map| written(&map.value));
        state.note_running(pods, &since.unwrap_or_default());
    }
    Ok(state)
}

/// Returns the volumes that the sidecars mount. Returns all volumes if `istio-proxy` is not present yet.
fn needed_volumes(pod: &Value) -> Vec<String> {
    let ours = volumes();
    let names = ours.iter().filter_map(|volume| volume["name"].as_str());
    let mounts = |container: &str, volume: &str| {
        volume == CERTIFICATES
            || item(&pod["containers"], container)
                .is_some_and(|container| item(&container["volumeMounts"], volume).is_some())
    };
    match item(&pod["containers"], ISTIO_PROXY) {
        None => names.map(str::to_owned).collect(),
        Some(_) => names.filter(|name| mounts(ISTIO_PROXY, name)).map(str::to_owned).collect(),
    }
}

/// Returns the item of a list that has this name.
pub(crate) fn item<'v>(list: &'v Value, name: &str) -> Option<&'v Value> {
    list.as_array()?.iter().find(|item| item["name"] == name)
}

/// Returns the value of an environment variable.
pub(crate) fn env<'v>(container: &'v Value, name: &str) -> Option<&'v str> {
    item(&container["env"], name)?["value"].as_str()
}

fn env_holds(container: &Value, name: &str) -> bool {
    match (name, item(&container["env"], name)) {
        (_, None) => false,
        (_, Some(env)) if !env["valueFrom"].is_null() => true,
        ("ISTIO_MTLS_SDS_ENABLED" | "DISABLE_ENVOY", Some(env)) => env["value"] == "true",
        ("PROXY_CONFIG", Some(_)) => discovery_address(container).is_some(),
        (_, Some(env)) => env["value"].as_str().is_some_and(|value| !value.is_empty()),
    }
}

/// Returns `PROXY_CONFIG` as a value. The chart and glooctl write YAML in braces, not JSON.
pub(crate) fn proxy_config(container: &Value) -> Option<Value> {
    crate::yaml::parse(env(container, "PROXY_CONFIG")?).ok().filter(Value::is_object)
}

/// Returns the address of istiod in `PROXY_CONFIG`.
pub(crate) fn discovery_address(container: &Value) -> Option<String> {
    let config = proxy_config(container)?;
    config["discoveryAddress"].as_str().filter(|address| !address.is_empty()).map(str::to_owned)
}

/// Returns when the `ConfigMap`'s data was last written, as the API server recorded it.
fn written(config_map: &Value) -> Option<String> {
    let metadata = &config_map["metadata"];
    let by_field = metadata["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|entry| !entry["fieldsV1"]["f:data"].is_null())
        .filter_map(|entry| entry["time"].as_str())
        .max();
    by_field.or_else(|| metadata["creationTimestamp"].as_str()).map(str::to_owned)
}

/// Compares the times as text. The API server writes them in one form (RFC 3339, seconds, `Z`), which sorts as text.
fn is_older(pod: &Value, since: &str) -> bool {
    let ends = !pod["metadata"]["deletionTimestamp"].is_null();
    !ends && pod["metadata"]["creationTimestamp"].as_str().is_some_and(|created| created < since)
}
