//! Port-forwards into pods, answered by kwok from an address that the test gives.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::ListParams};
use serde_json::json;
use tokio::{io::AsyncReadExt, time::timeout};

use super::{parts::wait_for, plane::Plane};

/// A port of every pod that shows which forwards kwok has loaded.
const TELL_TALE: u16 = 1;

impl Plane {
    /// Forwards ports of the pods in a namespace to addresses of this machine. This replaces earlier forwards of the
    /// namespace. It needs a running pod there to check that kwok has loaded them.
    pub fn forward(&self, namespace: &str, ports: &[(u16, SocketAddr)]) -> Result<()> {
        self.forward_to(namespace, None, ports)
    }

    /// The same for one pod. There must be no forward for its whole namespace.
    pub fn forward_pod(&self, namespace: &str, pod: &str, ports: &[(u16, SocketAddr)]) -> Result<()> {
        self.forward_to(namespace, Some(pod), ports)
    }

    fn forward_to(&self, namespace: &str, pod: Option<&str>, ports: &[(u16, SocketAddr)]) -> Result<()> {
        let targets = ports.iter().map(|(port, target)| {
            json!({"ports": [port], "target": {"address": target.ip().to_string(), "port": target.port()}})
        });
        let targets: Vec<_> = targets.collect();
        let mark = json!(targets).to_string();
        let tell_tale = json!({"ports": [TELL_TALE], "command": ["echo", "-n", mark]});
        let forwards: Vec<_> = targets.into_iter().chain([tell_tale]).collect();
        let mut object = json!({
            "apiVersion": "kwok.x-k8s.io/v1alpha1",
            "kind": "ClusterPortForward",
            "metadata": {"name": pod.unwrap_or(namespace)},
            "spec": {"selector": {"matchNamespaces": [namespace]}, "forwards": forwards},
        });
        if let Some(pod) = pod {
            object["spec"]["selector"]["matchNames"] = json!([pod]);
        }
        self.api().apply(&object.to_string())?;
        wait_for(&format!("kwok forwards ports in {namespace}"), Duration::from_mins(2), || {
            let told = self.api().run(async |client| {
                let told = told(client, namespace, pod, mark.len());
                timeout(Duration::from_secs(10), told).await
            });
            Ok(matches!(told, Ok(Ok(told)) if told == mark.as_bytes()).then_some(()))
        })
    }
}

/// The text on the tell-tale port of a pod. The stream has no end, so its length must be given.
async fn told(client: Client, namespace: &str, pod: Option<&str>, length: usize) -> Result<Vec<u8>> {
    let pods: Api<Pod> = Api::namespaced(client, namespace);
    let running = ListParams::default().fields("status.phase=Running");
    let name = if let Some(pod) = pod {
        pod.to_owned()
    } else {
        let pod = pods.list(&running).await?.items.into_iter().next().context("no running pod")?;
        pod.metadata.name.context("a pod has a name")?
    };
    let mut forwarder = pods.portforward(&name, &[TELL_TALE]).await?;
    let mut stream = forwarder.take_stream(TELL_TALE).context("the stream was asked for")?;
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}
