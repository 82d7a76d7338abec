//! A control plane that is measured: runs programs on it, and counts what they cost it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use crate::bare;
use crate::measure::{Cost, Program, Servers};
use crate::stage::{Plane, wait_for};

const PATIENCE: Duration = Duration::from_mins(5);

#[derive(Clone, Copy)]
pub struct Cluster<'c> {
    pub plane: &'c Plane,
    /// The home and the current directory of every program.
    pub home: &'c Path,
}

impl Cluster<'_> {
    pub fn run(&self, program: &Program) -> Result<Cost> {
        program.run(self.home, &self.plane.kubeconfig())
    }

    /// `curl` of one path of the API server.
    pub fn curl(&self, path: &str) -> Option<Program> {
        let token = format!("Authorization: Bearer {}", self.plane.token_of("admin"));
        let authority = self.plane.directory().join("certs/apiserver.crt").display().to_string();
        let url = format!("{}{path}", self.plane.server());
        Program::on_path("curl", &["-sSf", "--cacert", &authority, "-H", &token, &url])
    }

    /// Disables mutual TLS on the Upstreams of the namespace for this count.
    pub fn reset(&self, count: usize) -> Result<()> {
        let namespace = bare::upstreams_namespace(count);
        let patch = json!({"spec": {"sslConfig": null}}).to_string();
        bare::patch_all(&self.plane.kubeconfig(), &self.plane.token_of("admin"), &namespace, count, &patch)
    }

    /// The number of requests of gloo-rs so far, once the server has logged all of them.
    pub fn requests(&self) -> Result<u32> {
        let count = || anyhow::Ok(u32::try_from(self.plane.count_requests("gloo-rs/")?)?);
        let mut seen = count()?;
        wait_for("the audit log is whole", PATIENCE, || {
            std::thread::sleep(Duration::from_millis(300));
            let before = std::mem::replace(&mut seen, count()?);
            Ok((before == seen).then_some(seen))
        })
    }

    /// The CPU milliseconds used by each process of the control plane, if the kernel reports them.
    pub fn servers(&self) -> Servers {
        let used = |process: u32| {
            let read = |file: &str| fs::read_to_string(format!("/proc/{process}/{file}")).ok();
            let stat = read("stat")?;
            // The fields after the name, which may contain spaces: user and kernel time, in hundredths of a second.
            let ticks: Vec<_> = stat.rsplit(')').next()?.split_whitespace().skip(11).take(2).collect();
            let ticks: f64 = ticks.iter().filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
            Some((read("comm")?.trim().to_owned(), ticks * 10.0))
        };
        self.plane.processes().into_iter().filter_map(used).collect()
    }
}
