//! A gateway whose Envoy has a large config dump, and other programs that can fetch it.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use crate::measure::Program;
use crate::stage::envoy::{dynamic_resources, put};
use crate::stage::{Envoy, Plane};

/// An Envoy behind the pods of its own Gloo.
pub struct Forwarded {
    pub namespace: String,
    /// The size of the dump in bytes.
    pub bytes: usize,
    envoy: Envoy,
}

impl Forwarded {
    /// Starts an Envoy with this many endpoints, each 5 kB of the dump.
    pub fn new(plane: &Plane, endpoints: usize) -> Result<Self> {
        let namespace = plane.install_gloo("dump")?;
        let envoy = Envoy::start(|files| bootstrap(files, endpoints))?;
        plane.forward(&namespace, &[(19000, envoy.admin())])?;
        let bytes = envoy.get("/config_dump")?.len();
        Ok(Self { namespace, bytes, envoy })
    }

    /// `curl` of Envoy directly, without an API server in between.
    pub fn curl(&self) -> Option<Program> {
        let curl = Program::on_path("curl", &["-sSf", &format!("http://{}/config_dump", self.envoy.admin())])?;
        Some(Program { name: "curl of Envoy itself".to_owned(), ..curl })
    }

    /// The commands that do the same without gloo-rs.
    pub fn kubectl(&self) -> Option<Program> {
        let kubectl = Program::on_path("kubectl", &[])?.path.display().to_string();
        let script = format!(
            "pipe=$(mktemp -u) && mkfifo $pipe && trap 'rm $pipe' EXIT
             {kubectl} port-forward -n {} deploy/gateway-proxy :19000 >$pipe 2>/dev/null &
             exec 3<$pipe; read -r line <&3; port=${{line#*127.0.0.1:}}
             curl -sSf http://127.0.0.1:${{port%% *}}/config_dump; code=$?
             kill $!; wait; exit $code",
            self.namespace
        );
        Some(Program {
            name: "kubectl port-forward, curl".to_owned(),
            ..Program::new("sh", "/bin/sh", &["-c", &script])
        })
    }
}

fn bootstrap(files: &Path, endpoints: usize) -> Value {
    let padding = "x".repeat(5000);
    let endpoint = |number: usize| {
        let address = format!("10.0.{}.{}", number / 250, number % 250);
        json!({
            "endpoint": {"address": {"socket_address": {"address": address, "port_value": 80}}},
            "metadata": {"filter_metadata": {"padding": {"text": padding}}},
        })
    };
    let name = "large_gloo-system";
    let endpoints: Vec<_> = (0..endpoints).map(endpoint).collect();
    let cluster = json!({
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": name, "type": "STATIC", "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
    });
    put(files, "cds", "1", &[cluster]).expect("the directory is ours");
    json!({"node": {"id": "large", "cluster": "gateway"}, "dynamic_resources": dynamic_resources(files)})
}
