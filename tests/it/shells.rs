//! Names that a real shell completes while somebody holds Tab: bash here; zsh and fish in `tests/extra`.

use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Running;
use crate::support::stub::Stub;

const PATIENCE: Duration = Duration::from_mins(2);

/// A shell, how it is started without anybody's settings, and what makes it complete.
pub struct Shell {
    pub program: &'static str,
    pub flags: &'static [&'static str],
    pub setup: &'static str,
}

const BASH: Shell =
    Shell { program: "bash", flags: &["--norc", "--noprofile", "-i"], setup: "source <(gloo-rs completion bash)" };

fn services(names: &[&str]) -> Value {
    let items: Vec<_> =
        names.iter().map(|name| json!({"metadata": {"name": name, "namespace": "gloo-system"}})).collect();
    json!({"kind": "PartialObjectMetadataList", "metadata": {}, "items": items})
}

const SERVICES: &str = "/api/v1/namespaces/gloo-system/services";

fn path() -> std::ffi::OsString {
    let program = Path::new(env!("CARGO_BIN_EXE_gloo-rs"));
    std::env::join_paths([program.parent().unwrap(), Path::new("/usr/bin"), Path::new("/bin")]).unwrap()
}

impl Shell {
    fn start(&self, home: &Path, stub: &Stub) -> Running {
        // A shell wants the terminal to be its own.
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", self.program]).args(self.flags);
        command.current_dir(home).env_clear();
        command.env("PATH", path()).env("HOME", home).env("TERM", "xterm").env("PS1", "> ");
        let kubeconfig = home.join("kubeconfig");
        std::fs::write(&kubeconfig, stub.kubeconfig()).unwrap();
        command.env("KUBECONFIG", kubeconfig);
        let found = Command::new(self.program).arg("--version").output();
        assert!(found.is_ok(), "{} is not on PATH: install the package {}", self.program, self.program);
        Running::whole_on_terminal(command)
    }

    /// Presses Tab until the line is whole: a completion that would be late is none.
    fn complete(&self, shell: &mut Running, line: &str, whole: &str) {
        shell.give(&format!("{}; echo is-set-up | tr a-z A-Z\n", self.setup));
        shell.wait_for("IS-SET-UP");
        shell.give(line);
        let start = Instant::now();
        while !shell.screen().contains(whole) {
            assert!(start.elapsed() < PATIENCE, "{}: {whole:?} never came: {}", self.program, shell.screen());
            shell.give("\t");
            sleep(Duration::from_secs(1));
        }
    }
}

impl Shell {
    /// A name is completed, and the line runs.
    pub fn completes_a_name(&self) {
        let stub = Stub::new();
        let labelled = format!("{SERVICES}?labelSelector=gloo%3Dgateway-proxy&resourceVersion=0");
        stub.on("GET", &labelled).json(200, &services(&["gateway-proxy"])).always();
        stub.on("GET", &format!("{SERVICES}/gateway-proxy")).json(
            200,
            &json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": "gateway-proxy", "namespace": "gloo-system"},
                "spec": {"type": "LoadBalancer", "ports": [{"name": "http", "port": 80}]},
                "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}},
            }),
        );
        let home = tempfile::tempdir().unwrap();
        let mut running = self.start(home.path(), &stub);
        self.complete(&mut running, "gloo-rs proxy url --name gatew", "gateway-proxy");
        running.give("\n");
        running.wait_for("http://192.0.2.7:80");
        running.give("exit\n");
        let (_, _, stderr) = running.end();
        assert!(!stderr.contains("error:"), "{}: {stderr}", self.program);
    }
}

#[test]
fn a_name_is_completed_in_bash_and_the_line_runs() {
    BASH.completes_a_name();
}
