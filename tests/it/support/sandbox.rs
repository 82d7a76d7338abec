//! Runs the real binary, or the library, in its own environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gloo_rs::exports::cli;
use gloo_rs::exports::kube::{Environment, Target};

use super::running::Running;

/// A temporary directory as HOME, TMPDIR and working directory, without the environment of the caller.
pub struct Sandbox {
    dir: tempfile::TempDir,
    variables: Vec<(String, String)>,
    ports: Vec<u16>,
    patience: Option<Duration>,
    most_memory: Option<u32>,
    /// The first word of the command line, if it is another one than the path of the binary.
    called: Option<&'static str>,
}

/// The result of a run, with the sandbox's directory and ports replaced.
#[derive(Debug, PartialEq, Eq)]
pub struct Output {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Sandbox {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
            ports: Vec::new(),
            patience: None,
            most_memory: None,
            called: None,
        }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Starts the binary under this name, as a link with it does.
    pub fn called(mut self, name: &'static str) -> Self {
        self.called = Some(name);
        self
    }

    /// Allows processes started here more time than usual.
    pub fn patient(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Limits the data memory of processes started here to this many MiB. The kernel refuses more, so a larger
    /// allocation aborts the program.
    pub fn within(mut self, mebibytes: u32) -> Self {
        self.most_memory = Some(mebibytes);
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

    /// Writes an executable script.
    #[cfg(unix)]
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        // Renamed into place: a file that the child of another thread still has open for writing cannot be executed.
        let path = self.write(&format!("{name}.new"), format!("#!/bin/sh\n{text}\n"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let place = self.dir().join(name);
        std::fs::rename(path, &place).unwrap();
        place
    }

    /// Writes the kubeconfig at its default path.
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

    /// The target for the library in this sandbox.
    pub fn target(&self) -> Target {
        let environment =
            Environment::from_variables(self.environment()).with_service_account(self.dir().join("serviceaccount"));
        Target { timeout: Duration::from_secs(20), ..Target::new(environment) }
    }

    /// Runs the binary.
    pub fn run(&self, args: &[&str]) -> Output {
        self.run_with(args, "")
    }

    /// Runs the binary with this on stdin.
    pub fn run_with(&self, args: &[&str], stdin: &str) -> Output {
        let mut running = self.start(args);
        running.feed(stdin);
        let output = self.end_of(running);
        // A program aborted by the memory limit has no exit code.
        if self.most_memory.is_none() {
            has_a_code_of_its_help(args, &output);
        }
        output
    }

    /// Runs the binary and sends Ctrl-C once the condition holds.
    pub fn interrupted(&self, args: &[&str], so: impl Fn() -> bool) -> Output {
        let running = self.start(args);
        running.interrupt_once(so);
        let output = self.end_of(running);
        has_a_code_of_its_help(args, &output);
        output
    }

    /// Runs the binary with a stdout that accepts nothing, as on a full disk.
    pub fn run_full(&self, args: &[&str]) -> Output {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = self.command(args).stdin(Stdio::null()).stdout(full).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let output = Output { code: output.status.code(), stdout: String::new(), stderr: self.placed(&stderr) };
        has_a_code_of_its_help(args, &output);
        output
    }

    /// Starts the binary on pipes.
    pub fn start(&self, args: &[&str]) -> Running {
        self.patiently(Running::on_pipes(self.command(args)))
    }

    /// Starts the binary the way `nohup` does, with this signal ignored.
    pub fn start_ignoring(&self, signal: &str, args: &[&str]) -> Running {
        let ours = self.command(args);
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("trap '' {signal}; exec \"$0\" \"$@\"")]).arg(ours.get_program());
        command.args(args).env_clear().envs(self.environment()).current_dir(self.dir());
        self.patiently(Running::on_pipes(command))
    }

    /// Starts the binary on a terminal that is closed when the file is dropped.
    pub fn start_on_closing_terminal(&self, args: &[&str]) -> (Child, std::fs::File) {
        super::running::on_closing_terminal(self.command(args))
    }

    /// Starts the binary with a stdout that is not read yet.
    pub fn start_unread(&self, args: &[&str]) -> Running {
        Running::unread(self.command(args))
    }

    /// Starts the binary with stdin and stderr on a terminal of 80 columns; stdout is a pipe.
    pub fn start_on_terminal(&self, args: &[&str]) -> Running {
        self.patiently(Running::on_terminal(self.command(args)))
    }

    /// Runs the binary on a terminal of this many columns. `stderr` then contains the whole output of the terminal.
    pub fn run_on_terminal(&self, columns: u16, args: &[&str]) -> Output {
        let mut command = self.command(args);
        command.env_remove("COLUMNS");
        let mut output = self.end_of(Running::as_wide_as(command, columns));
        output.stderr = output.stderr.replace("\r\n", "\n");
        output
    }

    fn patiently(&self, mut running: Running) -> Running {
        running.patience = self.patience.unwrap_or(running.patience);
        running
    }

    /// Waits for the end of a process started here.
    pub fn end_of(&self, running: Running) -> Output {
        let (code, stdout, stderr) = running.end();
        fits_its_schema(&stdout);
        Output { code, stdout: self.placed(&stdout), stderr: self.placed(&stderr) }
    }

    fn command(&self, args: &[&str]) -> Command {
        const BINARY: &str = env!("CARGO_BIN_EXE_gloo-rs");
        let mut command = match self.most_memory {
            None => Command::new(BINARY),
            Some(mebibytes) => {
                let mut shell = Command::new("/bin/sh");
                let limited = format!("ulimit -d {} && exec \"$0\" \"$@\"", mebibytes << 10);
                shell.args(["-c", &limited, BINARY]);
                shell
            }
        };
        if let (Some(name), None) = (self.called, self.most_memory) {
            use std::os::unix::process::CommandExt as _;
            command.arg0(name);
        }
        command.args(args).env_clear().envs(self.environment()).current_dir(self.dir());
        command
    }

    fn placed(&self, text: &str) -> String {
        let mut text = text.replace(self.dir().to_str().unwrap(), "[DIR]");
        for port in &self.ports {
            text = text.replace(&port.to_string(), "[PORT]");
        }
        text
    }
}

/// Checks in every test that a printed document matches its schema in `docs/`.
#[track_caller]
fn fits_its_schema(stdout: &str) {
    if let Ok(document) = serde_json::from_str::<serde_json::Value>(stdout)
        && document["apiVersion"] == "gloo-rs/v1"
    {
        crate::house::result::fits(&document);
    }
}

/// Checks in every test that a command ends with an exit code that its `--help` lists.
#[track_caller]
fn has_a_code_of_its_help(args: &[&str], output: &Output) {
    let line = std::iter::once("gloo-rs").chain(args.iter().copied()).map(OsString::from);
    if let Some(exits) = cli::exits(line) {
        let listed: Vec<_> = exits.iter().map(|exit| Some(i32::from(exit.code()))).collect();
        assert!(listed.contains(&output.code), "the help of {args:?} does not list it: {output:#?}");
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
    fn a_program_that_takes_more_memory_than_it_may_is_aborted() {
        let sandbox = Sandbox::new().within(32);
        let head = "apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {name: x}\nspec: {a: [";
        sandbox.write("large.yaml", format!("{head}{}0]}}\n", "0,".repeat(1 << 20)));
        assert_eq!(sandbox.run(&["--version"]).code, Some(0));
        assert_eq!(sandbox.run(&["check", "-f", "large.yaml"]).code, None);
    }

    #[test]
    fn what_changes_from_run_to_run_is_replaced() {
        let sandbox = Sandbox::new().port(43217);
        let text = format!("{}/a on 127.0.0.1:43217", sandbox.dir().display());
        assert_eq!(sandbox.placed(&text), "[DIR]/a on 127.0.0.1:[PORT]");
    }
}
