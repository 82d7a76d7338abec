//! Logs of pods, which kwok reads from files that a test writes.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{ListParams, LogParams},
};
use serde_json::json;

use super::{parts::wait_for, plane::Plane};

/// The log of a container in the format of the container runtime.
pub struct LogFile {
    file: File,
    path: PathBuf,
}

impl LogFile {
    /// Creates an empty log.
    pub fn create(path: &Path) -> Result<Self> {
        Ok(Self { file: File::create(path)?, path: path.to_owned() })
    }

    /// Adds a line with the current time.
    pub fn say(&self, line: &str) -> Result<()> {
        self.say_at(Timestamp::now(), line)
    }

    /// Adds a line with this time.
    pub fn say_at(&self, time: Timestamp, line: &str) -> Result<()> {
        // Written at once, so that a reader never finds half a line.
        Ok((&self.file).write_all(format!("{time:.9} stdout F {line}\n").as_bytes())?)
    }
}

impl Plane {
    /// Sets the logs of these containers in a namespace's pods; any other container has none. This replaces earlier
    /// logs of the namespace. It needs a running pod there to check that kwok has loaded them.
    pub fn logs(&self, namespace: &str, logs: &[(&str, &LogFile)]) -> Result<()> {
        let of = |(container, log): &(&str, &LogFile)| json!({"containers": [container], "logsFile": log.path});
        let object = json!({
            "apiVersion": "kwok.x-k8s.io/v1alpha1",
            "kind": "ClusterLogs",
            "metadata": {"name": namespace},
            "spec": {"selector": {"matchNamespaces": [namespace]}, "logs": logs.iter().map(of).collect::<Vec<_>>()},
        });
        self.api().apply(&object.to_string())?;
        wait_for(&format!("kwok has the logs of {namespace}"), Duration::from_mins(2), || {
            Ok(self.api().run(async |client| told(Api::namespaced(client, namespace), logs).await).ok())
        })
    }
}

async fn told(pods: Api<Pod>, logs: &[(&str, &LogFile)]) -> Result<()> {
    let running = ListParams::default().fields("status.phase=Running");
    for pod in pods.list(&running).await?.items {
        let spec = pod.spec.context("a pod has a spec")?;
        let name = pod.metadata.name.context("a pod has a name")?;
        for (container, _) in logs {
            if spec.containers.iter().any(|it| it.name == *container) {
                let parameters = LogParams { container: Some((*container).to_owned()), ..LogParams::default() };
                return Ok(pods.logs(&name, &parameters).await.map(drop)?);
            }
        }
    }
    anyhow::bail!("no pod of the namespace has such a container")
}
