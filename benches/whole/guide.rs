//! The rows that need the whole guide: a real istiod, Envoys with its certificates, and requests through them.

use anyhow::{Context, Result};

use crate::cases::Case;
use crate::measure::Program;
use crate::sizes::Sizes;
use crate::stage::Plane;

const UPSTREAM: &str = "default-httpbin-8000";
const ENROLL: [&str; 4] = ["--revision", "1-28", "--namespace-to-enroll", "default"];

/// The names of the rows, in the order of the table. Each leaves the state that the next one needs.
pub const NAMES: [&str; 3] = ["istio setup, 6 steps", "istio verify", "enable-mtls --observe 2s"];

pub fn cases(plane: &Plane, sizes: &Sizes) -> Result<Vec<Case>> {
    let [setup, verify, observe] = NAMES;
    let setup_line: Vec<&str> = ["istio", "setup", "--via", "inject", "--upstream", UPSTREAM, "--strict", "--yes"]
        .into_iter()
        .chain(ENROLL)
        .collect();
    let runs = sizes.runs.longest;
    let watched = ["istio", "enable-mtls", "-u", UPSTREAM, "--observe", "2s", "--on-silence", "verify"];
    Ok(vec![
        Case::new(setup, runs, &setup_line).ahead(&["istio", "teardown", "--yes"]),
        Case::new(verify, sizes.runs.long, &["istio", "verify", "-u", UPSTREAM])
            .after(&setup_line)
            .beside(request(plane)?),
        Case::new(observe, runs, &watched)
            .after(&setup_line)
            .after(&["istio", "peer-auth", "permissive", "-n", "default", "--yes"])
            .ahead(&["istio", "disable-mtls", "-u", UPSTREAM, "--force", "--yes"]),
    ])
}

/// `curl` of the same request through the gateway.
fn request(plane: &Plane) -> Result<Option<Program>> {
    let service = plane.api().get("v1/Service", "gloo-system", "gateway-proxy")?.context("the gateway's Service")?;
    let url = format!("http://127.0.0.1:{}/headers", service["spec"]["ports"][0]["port"]);
    Ok(Program::on_path("curl", &["-sSf", &url]))
}
