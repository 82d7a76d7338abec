//! The guide before its first step: Gloo as a Helm release, httpbin outside of the mesh, and everything needed to
//! follow the guide with `gloo-rs` and the real Helm.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{
    api::documents,
    fixtures::{APPS, GLOO, GLOO_NAMESPACE, ROUTING, UPSTREAMS},
    follower::{FollowedMesh, Follower},
    helm::helm,
    injector::Sidecar,
    istio::{Istiod, NAMESPACE, Workload},
    logs::LogFile,
    plane::Plane,
};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/charts/gloo");
/// The namespace of the backend that stays outside of the mesh.
const LEGACY: &str = "legacy";
const NAMESPACES: [&str; 3] = [GLOO_NAMESPACE, "default", LEGACY];
const HTTPBIN: Workload<'_> = Workload {
    namespace: "default",
    account: "httpbin",
    labels: &[("app", "httpbin"), ("version", "v1")],
    lifetime: None,
};
const GATEWAY: Workload<'_> = Workload {
    namespace: GLOO_NAMESPACE,
    account: "gateway-proxy",
    labels: &[("gloo", "gateway-proxy")],
    lifetime: None,
};

/// What runs for the guide, and ends when it is dropped.
pub struct Tour<'p> {
    _istiods: [Istiod<&'p Plane>; 2],
    _follower: Follower,
}

impl Plane {
    /// Installs Istio (the default istiod and revision 1-28, which run) and Gloo with the real Helm, `httpbin` in
    /// `default` and `plain` in `legacy`, both without a sidecar, and a gateway that answers on this machine as the
    /// objects say.
    pub fn install_tour(&self) -> Result<Tour<'_>> {
        self.install_gloo_definitions()?;
        Istiod::install_definitions(self)?;
        let istiods = [
            Istiod::install(self, "default", "1.29.1", Sidecar::Native)?,
            Istiod::install(self, "1-28", "1.28.3", Sidecar::Container)?,
        ];
        self.helm(GLOO_NAMESPACE, &["install", "gloo", CHART, "--wait"])?;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": LEGACY}});
        self.api().apply(&namespace.to_string())?;
        for mut object in documents(&format!("{GLOO}\n---\n{APPS}\n---\n{UPSTREAMS}\n---\n{ROUTING}"))? {
            if is_of_the_release(&object) {
                continue;
            }
            if object["metadata"]["name"].as_str().is_some_and(|name| name.contains("plain")) {
                object = serde_json::from_str(&object.to_string().replace("default", LEGACY))?;
            }
            object.pointer_mut("/spec/template").into_iter().for_each(leave_the_mesh);
            self.api().apply(&object.to_string())?;
        }
        NAMESPACES.into_iter().try_for_each(|namespace| self.api().wait_available(namespace))?;
        let mesh = FollowedMesh::start(&istiods[1], (HTTPBIN, 8080), GATEWAY)?;
        let follower = Follower::start_in(Some(mesh), self, GLOO_NAMESPACE, "default-httpbin-8000")?;
        self.lead_here(follower.http().port())?;
        let log = LogFile::create(&self.directory().join("gateway-proxy.container.log"))?;
        log.say("[info][main] [source/server/server.cc:1020] starting main dispatch loop")?;
        self.logs(GLOO_NAMESPACE, &[("gateway-proxy", &log)])?;
        Ok(Tour { _istiods: istiods, _follower: follower })
    }

    /// A directory for PATH with `gloo-rs` and `helm`. For this Helm the repository of Gloo is the chart of the
    /// fixtures, so that the commands are the usual ones. It passes every other command to the real Helm.
    pub fn tools(&self, gloo_rs: &Path) -> Result<PathBuf> {
        let tools = self.directory().join("bin");
        fs::create_dir(&tools)?;
        symlink(gloo_rs, tools.join("gloo-rs"))?;
        let (script, place) = (tools.join("helm.new"), tools.join("helm"));
        let text = include_str!("tour-helm.sh").replace("REAL", &helm().display().to_string()).replace("CHART", CHART);
        fs::write(&script, text)?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        fs::rename(script, place)?;
        Ok(tools)
    }

    /// Sets a port of this machine as the load balancer of the gateway's Service.
    fn lead_here(&self, port: u16) -> Result<()> {
        let gateway = documents(GLOO)?.into_iter().find(|it| it["kind"] == "Service" && is_of_the_gateway(it));
        let mut service = gateway.context("a Service of the gateway")?;
        service["spec"]["ports"] = json!([{"name": "http", "port": port, "targetPort": 8080, "protocol": "TCP"}]);
        service["status"]["loadBalancer"]["ingress"] = json!([{"ip": "127.0.0.1"}]);
        self.api().apply(&service.to_string())
    }
}

fn is_of_the_gateway(object: &Value) -> bool {
    object["metadata"]["name"] == "gateway-proxy"
}

/// Whether the chart renders the object.
fn is_of_the_release(object: &Value) -> bool {
    let is_gloo = object["metadata"]["labels"]["app"] == "gloo" && object["metadata"]["namespace"] == GLOO_NAMESPACE;
    is_gloo && ["Settings", "Deployment", "ConfigMap"].iter().any(|kind| object["kind"] == *kind)
}

/// Removes a manual sidecar from a pod template, with its labels.
fn leave_the_mesh(template: &mut Value) {
    if let Some(spec) = template["spec"].as_object_mut() {
        spec.remove("initContainers");
    }
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.retain(|label, _| !label.contains("istio.io/"));
    }
}
