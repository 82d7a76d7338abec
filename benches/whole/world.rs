//! The cluster and the files for the measurements.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bare;
use crate::cluster::Cluster;
use crate::forwarded::Forwarded;
use crate::measure::Program;
use crate::sizes::Sizes;
use crate::stage::{Options, Plane, release_of_real_size};

const NAMESPACES: &str = "/api/v1/namespaces";

pub struct World {
    /// A gateway whose Service has the type NodePort.
    pub node_port: String,
    pub forwarded: Vec<Forwarded>,
    pub plane: Plane,
    home: TempDir,
    /// The JSON Patch that `enable-mtls` sends.
    pub patch: String,
    namespaces: Cell<usize>,
}

impl World {
    /// Starts a control plane with the guide's installation, its Helm release, and further objects of these sizes.
    pub fn start(sizes: &Sizes) -> Result<Self> {
        let plane = Plane::start(&Options { audit: true, ..Options::default() })?;
        plane.install_guide()?;
        plane.api().apply(&release_of_real_size()?.to_string())?;
        let forwarded =
            sizes.dumps.iter().map(|&endpoints| Forwarded::new(&plane, endpoints)).collect::<Result<_>>()?;
        let node_port = plane.install_gloo("nodeport")?;
        let service = json!({"spec": {"type": "NodePort"}});
        plane.api().merge("v1/Service", &node_port, "gateway-proxy", &service)?;
        let home = tempfile::tempdir()?;
        let mut world = Self { node_port, forwarded, plane, home, patch: String::new(), namespaces: Cell::new(0) };
        world.fill_upstreams(1)?;
        for &(upstreams, files) in &sizes.files {
            world.write_files(upstreams, files)?;
        }
        world.patch = world.learn_patch()?;
        Ok(world)
    }

    pub fn cluster(&self) -> Cluster<'_> {
        Cluster { plane: &self.plane, home: self.home.path() }
    }

    /// The program under test, on this cluster.
    pub fn gloo_rs(arguments: &[&str]) -> Program {
        Program::new("gloo-rs", env!("CARGO_BIN_EXE_gloo-rs"), arguments)
    }

    /// The loop that sends the `PATCH` requests of a bulk run and does nothing else.
    pub fn bare_patches(&self, count: usize) -> Result<Program> {
        let kubeconfig = self.plane.kubeconfig().display().to_string();
        let (token, namespace) = (self.plane.token_of("admin"), bare::upstreams_namespace(count));
        let arguments = [bare::MODE, &kubeconfig, &token, &namespace, &count.to_string(), &self.patch];
        Ok(Program::new("bare PATCHes", std::env::current_exe()?, &arguments))
    }

    fn learn_patch(&self) -> Result<String> {
        let namespace = bare::upstreams_namespace(1);
        let enable = Self::gloo_rs(&["istio", "enable-mtls", "-u", &bare::name(0), "-n", &namespace]);
        self.cluster().run(&enable)?;
        let upstream = self.plane.api().get("gloo.solo.io/v1/Upstream", &namespace, &bare::name(0))?;
        let upstream = upstream.context("the Upstream is there")?;
        let settings = &upstream["spec"]["sslConfig"];
        Ok(json!([{"op": "add", "path": "/spec/sslConfig", "value": settings}]).to_string())
    }

    /// Creates the namespace with this many Upstreams, if it does not exist.
    pub fn fill_upstreams(&self, count: usize) -> Result<()> {
        let namespace = bare::upstreams_namespace(count);
        let api = self.plane.api();
        if count == 0 || api.get("v1/Namespace", "", &namespace)?.is_some() {
            return Ok(());
        }
        api.create_all(vec![(NAMESPACES.to_owned(), namespace_object(&namespace, &json!({})))])?;
        let path = format!("/apis/gloo.solo.io/v1/namespaces/{namespace}/upstreams");
        api.create_all((0..count).map(|number| (path.clone(), upstream(&namespace, number))).collect())
    }

    /// Creates namespaces with three kinds of labels, until there are this many.
    pub fn fill_namespaces(&self, count: usize) -> Result<()> {
        let there = self.namespaces.get();
        if count <= there {
            return Ok(());
        }
        let name = |number: usize| format!("team-{number:04}");
        let labels = |number: usize| match number % 3 {
            0 => json!({"istio.io/rev": "1-28"}),
            1 => json!({"istio-injection": "enabled"}),
            _ => json!({}),
        };
        let object = |number| (NAMESPACES.to_owned(), namespace_object(&name(number), &labels(number)));
        self.plane.api().create_all((there..count).map(object).collect())?;
        // Until then the controller manager is busy with them.
        self.plane.api().wait("v1/ConfigMap", &name(count - 1), "kube-root-ca.crt", |_| true)?;
        self.namespaces.set(count);
        Ok(())
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

    /// The directory with the manifests of this many Upstreams.
    pub fn files(&self, upstreams: usize) -> PathBuf {
        self.home.path().join(format!("manifests-{upstreams}"))
    }
}

fn namespace_object(name: &str, labels: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

/// An Upstream as Gloo's discovery creates it for httpbin's Service, whose pod has a sidecar.
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
