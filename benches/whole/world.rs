//! The cluster and the files that the commands are measured on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bare;
use crate::cases::Sizes;
use crate::measure::Program;
use crate::stage::{Options, Plane, release_of_real_size, wait_for};

/// How many objects are made at once.
const AT_ONCE: usize = 16;
const PATIENCE: Duration = Duration::from_mins(5);

pub struct World {
    pub plane: Plane,
    home: TempDir,
    /// What `enable-mtls` writes, as a JSON Patch.
    pub patch: String,
}

impl World {
    /// A control plane with the guide's installation, its Helm release, and as much more as is asked.
    pub fn start(sizes: &Sizes) -> Result<Self> {
        let plane = Plane::start(&Options { audit: true, ..Options::default() })?;
        plane.install_guide()?;
        plane.api().apply(&release_of_real_size()?.to_string())?;
        let mut world = Self { plane, home: tempfile::tempdir()?, patch: String::new() };
        for &count in [1].iter().chain(&sizes.sweeps) {
            let namespace = upstreams_namespace(count);
            world.create("/api/v1/namespaces", vec![namespace_object(&namespace, &json!({}))])?;
            let path = format!("/apis/gloo.solo.io/v1/namespaces/{namespace}/upstreams");
            world.create(&path, (0..count).map(|number| upstream(&namespace, number)).collect())?;
        }
        world.add_namespaces(sizes.namespaces)?;
        for &(upstreams, files) in &sizes.files {
            world.write_files(upstreams, files)?;
        }
        world.patch = world.learn_patch()?;
        Ok(world)
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The program under test, on this cluster.
    pub fn gloo_rs(arguments: &[&str]) -> Program {
        Program::new("gloo-rs", env!("CARGO_BIN_EXE_gloo-rs"), arguments)
    }

    /// `curl` of one path of the API server.
    pub fn curl(&self, path: &str) -> Option<Program> {
        let token = format!("Authorization: Bearer {}", self.plane.token_of("admin"));
        let authority = self.plane.directory().join("certs/apiserver.crt").display().to_string();
        let url = format!("{}{path}", self.plane.server());
        Program::on_path("curl", &["-sSf", "--cacert", &authority, "-H", &token, &url])
    }

    /// The loop that sends the `PATCH` requests of a sweep and does nothing else.
    pub fn bare_patches(&self, count: usize) -> Result<Program> {
        let kubeconfig = self.plane.kubeconfig().display().to_string();
        let (token, namespace) = (self.plane.token_of("admin"), upstreams_namespace(count));
        let arguments = [bare::MODE, &kubeconfig, &token, &namespace, &count.to_string(), &self.patch];
        Ok(Program::new("bare PATCHes", std::env::current_exe()?, &arguments))
    }

    /// Takes mutual TLS from the Upstreams that are there by this count.
    pub fn reset(&self, count: usize) -> Result<()> {
        let namespace = upstreams_namespace(count);
        let patch = json!({"spec": {"sslConfig": null}}).to_string();
        bare::patch_all(&self.plane.kubeconfig(), &self.plane.token_of("admin"), &namespace, count, &patch)
    }

    /// The requests of gloo-rs so far, once the server has written all of them down.
    pub fn requests(&self) -> Result<usize> {
        let count = || -> Result<usize> {
            let all = self.plane.requests()?;
            Ok(all.iter().filter(|request| request.user_agent.starts_with("gloo-rs/")).count())
        };
        let mut seen = count()?;
        wait_for("the audit log is whole", PATIENCE, || {
            std::thread::sleep(Duration::from_millis(300));
            let before = std::mem::replace(&mut seen, count()?);
            Ok((before == seen).then_some(seen))
        })
    }

    fn learn_patch(&self) -> Result<String> {
        let namespace = upstreams_namespace(1);
        let enable = Self::gloo_rs(&["istio", "enable-mtls", "-u", &bare::name(0), "-n", &namespace]);
        enable.run(self.home(), &self.plane.kubeconfig())?;
        let upstream = self.plane.api().get("gloo.solo.io/v1/Upstream", &namespace, &bare::name(0))?;
        let upstream = upstream.context("the Upstream is there")?;
        let settings = &upstream["spec"]["sslConfig"];
        Ok(json!([{"op": "add", "path": "/spec/sslConfig", "value": settings}]).to_string())
    }

    fn add_namespaces(&self, count: usize) -> Result<()> {
        let name = |number: usize| format!("team-{number:04}");
        let labels = |number: usize| match number % 3 {
            0 => json!({"istio.io/rev": "1-28"}),
            1 => json!({"istio-injection": "enabled"}),
            _ => json!({}),
        };
        let objects = (0..count).map(|number| namespace_object(&name(number), &labels(number))).collect();
        self.create("/api/v1/namespaces", objects)?;
        // Until then the controller manager is busy with them.
        self.plane.api().wait("v1/ConfigMap", &name(count - 1), "kube-root-ca.crt", |_| true)?;
        Ok(())
    }

    fn create(&self, path: &str, objects: Vec<Value>) -> Result<()> {
        self.plane.api().run(|client| async move {
            let post = |object: Value| {
                let request = http::Request::post(path)
                    .header("content-type", "application/json")
                    .body(object.to_string().into_bytes());
                let client = client.clone();
                async move {
                    client.request_text(request?).await?;
                    anyhow::Ok(())
                }
            };
            stream::iter(objects).map(post).buffer_unordered(AT_ONCE).try_collect().await
        })
    }

    fn write_files(&self, upstreams: usize, files: usize) -> Result<()> {
        let folder = self.files(upstreams);
        fs::create_dir(&folder)?;
        for file in 0..files {
            let documents = (file * upstreams / files..(file + 1) * upstreams / files)
                .map(|number| Ok(serde_yaml::to_string(&upstream("gloo-system", number))?))
                .collect::<Result<Vec<_>>>()?;
            fs::write(folder.join(format!("upstreams-{file:04}.yaml")), documents.join("---\n"))?;
        }
        Ok(())
    }

    /// Where the manifests of so many Upstreams are.
    pub fn files(&self, upstreams: usize) -> PathBuf {
        self.home().join(format!("manifests-{upstreams}"))
    }
}

/// Where the Upstreams of a sweep are.
pub fn upstreams_namespace(count: usize) -> String {
    format!("sweep-{count}")
}

fn namespace_object(name: &str, labels: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

/// As Gloo's discovery makes one of httpbin's Service, which has a sidecar behind it.
fn upstream(namespace: &str, number: usize) -> Value {
    json!({
        "apiVersion": "gloo.solo.io/v1",
        "kind": "Upstream",
        "metadata": {
            "name": bare::name(number), "namespace": namespace, "labels": {"discovered_by": "kubernetesplugin"},
        },
        "spec": {
            "discoveryMetadata": {"labels": {"app": "httpbin", "service": "httpbin"}},
            "kube": {
                "selector": {"app": "httpbin"},
                "serviceName": "httpbin", "serviceNamespace": "default", "servicePort": 8000,
            },
        },
    })
}
