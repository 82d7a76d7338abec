//! The real binary, or the library, in an environment of its own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gloo_rs::kube::{Environment, Target};

/// Far beyond what a command takes, so that a hang is a failure and a slow machine is none.
const PATIENCE: Duration = Duration::from_mins(2);

/// A temporary directory that is HOME, TMPDIR and the working directory; nothing of the caller's environment.
pub struct Sandbox {
    dir: tempfile::TempDir,
    variables: Vec<(String, String)>,
    ports: Vec<u16>,
}

/// How a run ended, with the sandbox's directory and ports replaced.
#[derive(Debug, PartialEq, Eq)]
pub struct Output {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Sandbox {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), variables: Vec::new(), ports: Vec::new() }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Prints this port as `[PORT]`.
    pub fn port(mut self, port: u16) -> Self {
        self.ports.push(port);
        self
    }

    /// Writes a file, with its directories.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes a script that can be run.
    #[cfg(unix)]
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        // Renamed into place: a file that another thread's child still holds open for writing cannot be run.
        let path = self.write(&format!("{name}.new"), format!("#!/bin/sh\n{text}\n"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let place = self.dir().join(name);
        std::fs::rename(path, &place).unwrap();
        place
    }

    /// Writes the kubeconfig that is found without being named.
    pub fn kubeconfig(&self, text: impl AsRef<[u8]>) -> PathBuf {
        self.write(".kube/config", text)
    }

    fn environment(&self) -> Vec<(String, String)> {
        let dir = self.dir().to_str().unwrap().to_owned();
        let mut variables: Vec<(String, String)> =
            [("HOME", dir.as_str()), ("TMPDIR", &dir), ("PATH", "/usr/bin:/bin"), ("COLUMNS", "100"), ("LC_ALL", "C")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec();
        variables.extend(self.variables.iter().cloned());
        variables
    }

    /// What the library takes, in this sandbox.
    pub fn target(&self) -> Target {
        let environment = Environment::of(self.environment()).with_service_account(self.dir().join("serviceaccount"));
        Target { timeout: Duration::from_secs(20), ..Target::new(environment) }
    }

    /// Runs the binary.
    pub fn run(&self, args: &[&str]) -> Output {
        self.run_with(args, "")
    }

    /// Runs the binary with this on stdin.
    pub fn run_with(&self, args: &[&str], stdin: &str) -> Output {
        self.finish(args, stdin, |_| {})
    }

    /// Runs the binary and sends it Ctrl-C's signal once it is so.
    pub fn interrupted(&self, args: &[&str], so: impl Fn() -> bool) -> Output {
        self.finish(args, "", |child| {
            let start = Instant::now();
            while !so() {
                assert!(start.elapsed() < PATIENCE, "not so within {PATIENCE:?}");
                std::thread::sleep(Duration::from_millis(2));
            }
            let kill = format!("kill -INT {}", child.id());
            assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        })
    }

    fn finish(&self, args: &[&str], stdin: &str, meanwhile: impl FnOnce(&Child)) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gloo-rs"))
            .args(args)
            .env_clear()
            .envs(self.environment())
            .current_dir(self.dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let text = stdin.to_owned();
        // A command that does not read its stdin closes it: that is its right.
        std::thread::spawn(move || drop(input.write_all(text.as_bytes())));
        let stdout = reader(child.stdout.take().unwrap());
        let stderr = reader(child.stderr.take().unwrap());
        meanwhile(&child);
        let code = wait(&mut child, args);
        Output { code, stdout: self.placed(&stdout.join().unwrap()), stderr: self.placed(&stderr.join().unwrap()) }
    }

    fn placed(&self, text: &str) -> String {
        let mut text = text.replace(self.dir().to_str().unwrap(), "[DIR]");
        for port in &self.ports {
            text = text.replace(&port.to_string(), "[PORT]");
        }
        text
    }
}

fn reader(mut stream: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).expect("output is UTF-8")
    })
}

fn wait(child: &mut Child, args: &[&str]) -> Option<i32> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("gloo-rs {} did not end within {PATIENCE:?}", args.join(" "));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_runs_in_it() {
        let output = Sandbox::new().run(&["--version"]);
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
    }

    #[test]
    fn what_changes_from_run_to_run_is_replaced() {
        let sandbox = Sandbox::new().port(43217);
        let text = format!("{}/a on 127.0.0.1:43217", sandbox.dir().display());
        assert_eq!(sandbox.placed(&text), "[DIR]/a on 127.0.0.1:[PORT]");
    }
}
