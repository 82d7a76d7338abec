//! Names that a real shell completes while somebody holds Tab.

use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::stub::Stub;
use crate::support::{Running, Sandbox};

const PATIENCE: Duration = Duration::from_mins(2);

/// A shell, how it is started without anybody's settings, and what makes it complete.
struct Shell {
    program: &'static str,
    flags: &'static [&'static str],
    setup: &'static str,
}

const SHELLS: [Shell; 3] = [
    Shell { program: "bash", flags: &["--norc", "--noprofile", "-i"], setup: "source <(gloo-rs completion bash)" },
    Shell {
        program: "zsh",
        flags: &["-f", "-i"],
        setup: "autoload -U compinit; compinit -u -D; source <(gloo-rs completion zsh)",
    },
    Shell { program: "fish", flags: &["--no-config", "-i"], setup: "gloo-rs completion fish | source" },
];

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
    fn start(&self, sandbox: &Sandbox, stub: &Stub) -> Running {
        // A shell wants the terminal to be its own.
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", self.program]).args(self.flags);
        command.current_dir(sandbox.dir()).env_clear();
        command.env("PATH", path()).env("HOME", sandbox.dir()).env("TERM", "xterm").env("PS1", "> ");
        command.env("KUBECONFIG", sandbox.kubeconfig(stub.kubeconfig()));
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

#[test]
fn a_name_is_completed_in_each_shell_and_the_line_runs() {
    for shell in &SHELLS {
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
        let sandbox = Sandbox::new();
        let mut running = shell.start(&sandbox, &stub);
        shell.complete(&mut running, "gloo-rs proxy url --name gatew", "gateway-proxy");
        running.give("\n");
        running.wait_for("http://192.0.2.7:80");
        running.give("exit\n");
        let output = sandbox.end_of(running);
        assert!(!output.stderr.contains("error:"), "{}: {}", shell.program, output.stderr);
    }
}
