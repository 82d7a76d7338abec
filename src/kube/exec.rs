//! Runs the kubeconfig's exec plugin asynchronously, with a deadline after which it is killed.
//!
//! kube 5.0.0 runs it twice, on the calling thread, without a deadline, and does not capture its stderr.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use ::kube::config::{ExecAuthCluster, ExecConfig, ExecInteractiveMode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use super::Environment;
use super::program::{self, NotFound};
use crate::error::{Exit, Failure, Reason, plain};

/// The most bytes read from stdout. A credential is a few kilobytes.
const MOST: u64 = 1 << 20;
/// The most bytes kept of stderr. Only its last lines are shown.
const KEPT: usize = 16 << 10;

/// The credential that a plugin returned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Credential {
    pub token: Option<String>,
    /// Certificate and key, both PEM.
    pub certificate: Option<(String, String)>,
    pub expires: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExecStatus {
    expiration_timestamp: Option<Timestamp>,
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

/// A plugin with its input.
#[derive(Debug, Clone)]
pub(super) struct Plugin {
    pub config: ExecConfig,
    pub cluster: Option<ExecAuthCluster>,
    pub environment: Environment,
    pub deadline: Duration,
}

impl Plugin {
    /// The name in messages: the command without its arguments, which may contain secrets.
    pub(super) fn name(&self) -> &str {
        self.config.command.as_deref().unwrap_or("(no command)")
    }

    /// Runs the plugin once.
    pub(super) async fn run(&self) -> Result<Credential, Failure> {
        let mut command = self.command()?;
        let mut child = command.spawn().map_err(|error| self.not_started(&error))?;
        // The child is killed when this future is dropped: at the deadline and at Ctrl-C.
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let exchange = async {
            let (stdout, stderr) = tokio::try_join!(whole(stdout), last(stderr))?;
            Ok(Output { status: child.wait().await?, stdout, stderr })
        };
        let output = tokio::time::timeout(self.deadline, exchange)
            .await
            .map_err(|_| {
                let secs = self.deadline.as_secs_f32();
                self.failed(format!("did not answer within {secs}s and was stopped"))
                    .hint("run it by hand: it may be waiting for a login; --timeout waits longer")
            })?
            .map_err(|error: std::io::Error| self.failed(plain(&error)).caused_by(&error))?;
        let said = lines(&output.stderr);
        if !output.status.success() {
            let how =
                output.status.code().map_or("was stopped by a signal".to_owned(), |code| format!("exited with {code}"));
            let mut failure = self.failed(how);
            failure.details.extend(said);
            return Err(failure.hint("log in again with it, or run it by hand to see more"));
        }
        self.read(&output.stdout)
    }

    fn command(&self) -> Result<Command, Failure> {
        let program = self.config.command.as_deref().filter(|command| !command.is_empty());
        let program = program.ok_or_else(|| self.failed("is not named: the exec entry has no command"))?;
        let interactive = self.interactive()?;
        let mut command = Command::new(self.find(program)?);
        command.args(self.config.args.iter().flatten()).env_clear().envs(self.environment.variables());
        for entry in self.config.env.iter().flatten() {
            if let (Some(name), Some(value)) = (entry.get("name"), entry.get("value")) {
                command.env(name, value);
            }
        }
        command.env("KUBERNETES_EXEC_INFO", self.exec_info(interactive));
        command.stdout(Stdio::piped()).kill_on_drop(true);
        if interactive {
            command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
        } else {
            command.stdin(Stdio::null()).stderr(Stdio::piped());
        }
        Ok(command)
    }

    fn find(&self, name: &str) -> Result<PathBuf, Failure> {
        program::find(name, self.environment.os("PATH")).map_err(|error| match error {
            NotFound::Nowhere => {
                let failure = self.failed("cannot be run: no such file or directory");
                self.config.install_hint.iter().fold(failure, |failure, hint| failure.hint(one_line(hint)))
            }
            NotFound::WorkingDirectory => self
                .failed("is not run: it is found only through an entry of PATH that is not absolute")
                .hint("give its whole path as the command in the kubeconfig, or take . and empty entries out of PATH"),
        })
    }

    fn interactive(&self) -> Result<bool, Failure> {
        match self.config.interactive_mode {
            Some(ExecInteractiveMode::Never) => Ok(false),
            Some(ExecInteractiveMode::Always) if !self.environment.terminal() => {
                Err(self.failed("needs a terminal (interactiveMode: Always) and there is none"))
            }
            _ => Ok(self.environment.terminal()),
        }
    }

    fn exec_info(&self, interactive: bool) -> String {
        let mut spec = json!({ "interactive": interactive });
        if let Some(cluster) = &self.cluster {
            spec["cluster"] = serde_json::to_value(cluster).unwrap_or_default();
        }
        let version = self.config.api_version.as_deref().unwrap_or("client.authentication.k8s.io/v1");
        json!({ "apiVersion": version, "kind": "ExecCredential", "spec": spec }).to_string()
    }

    fn read(&self, stdout: &[u8]) -> Result<Credential, Failure> {
        let text = String::from_utf8_lossy(stdout);
        let status = status_of(&text).ok_or_else(|| self.failed("did not write an ExecCredential with a status"))?;
        let certificate = match (status.client_certificate_data, status.client_key_data) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(self.failed("gave a certificate without its key, or a key without its certificate")),
        };
        let token = status.token.filter(|token| !token.is_empty());
        if token.is_none() && certificate.is_none() {
            return Err(self.failed("gave neither a token nor a certificate"));
        }
        Ok(Credential { token, certificate, expires: status.expiration_timestamp })
    }

    fn not_started(&self, error: &std::io::Error) -> Failure {
        let failure = self.failed(format!("cannot be run: {}", plain(error))).caused_by(error);
        match &self.config.install_hint {
            Some(hint) if error.kind() == std::io::ErrorKind::NotFound => failure.hint(one_line(hint)),
            _ => failure,
        }
    }

    fn failed(&self, how: impl std::fmt::Display) -> Failure {
        Failure::new(Exit::NoAnswer, Reason::ExecPlugin, format!("exec plugin {} {how}", self.name()))
    }
}

/// Reads the whole stream; an error if it is longer than the limit.
async fn whole(stream: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.take(MOST + 1).read_to_end(&mut bytes).await?;
    }
    if bytes.len() as u64 > MOST {
        return Err(std::io::Error::other(format!("wrote more than {} MiB and was stopped", MOST >> 20)));
    }
    Ok(bytes)
}

/// Reads the whole stream and keeps its end, in bounded memory.
async fn last(stream: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let Some(mut stream) = stream else { return Ok(bytes) };
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece).await? {
            0 => return Ok(bytes),
            length => bytes.extend(piece.iter().take(length)),
        }
        bytes.drain(..bytes.len().saturating_sub(KEPT));
    }
}

/// The status of an `ExecCredential`. client-go accepts YAML from a plugin as well as JSON.
pub(super) fn status_of(text: &str) -> Option<ExecStatus> {
    let mut document = crate::yaml::parse(text).ok()?;
    if document["kind"].as_str().is_some_and(|kind| kind != "ExecCredential") {
        return None;
    }
    serde_json::from_value(document.get_mut("status")?.take()).ok()
}

/// The last lines of stderr that are not blank.
fn lines(stderr: &[u8]) -> Vec<String> {
    const SHOWN: usize = 10;
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(SHOWN)..].iter().map(|line| (*line).to_owned()).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
