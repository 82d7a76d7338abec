//! The user's own Helm: found on PATH, given arguments as a list and values on stdin.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use super::Storage;
use crate::error::{Exit, Failure, Reason};

/// Helm's own variables that would have it look elsewhere, or as somebody else, than this program did.
const ELSEWHERE: [&str; 10] = [
    "HELM_KUBEAPISERVER",
    "HELM_KUBETOKEN",
    "HELM_KUBECAFILE",
    "HELM_KUBETLS_SERVER_NAME",
    "HELM_KUBEINSECURE_SKIP_TLS_VERIFY",
    "HELM_KUBEASUSER",
    "HELM_KUBEASGROUPS",
    "HELM_KUBECONTEXT",
    "HELM_NAMESPACE",
    "HELM_DRIVER_SQL_CONNECTION_STRING",
];

/// A Helm that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Helm {
    /// Absolute, so that nothing in the working directory runs in its place.
    pub program: PathBuf,
    pub major: u32,
}

impl Helm {
    /// The first `helm` on this PATH that can be run.
    ///
    /// # Errors
    /// There is none, or it does not tell its version.
    pub async fn find(path: Option<&OsStr>) -> Result<Self, Failure> {
        let program = on_path(path).ok_or_else(|| {
            Failure::new(Exit::Failed, Reason::Helm, "helm is not on PATH; nothing changed")
                .hint("without --apply the values and the command to run are printed")
        })?;
        let failed = |why: String| {
            Failure::new(Exit::Failed, Reason::Helm, format!("{} version: {why}; nothing changed", program.display()))
        };
        let mut command = Command::new(&program);
        command.args(["version", "--template", "{{.Version}}"]).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.map_err(|error| failed(error.to_string()))?;
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
        match major {
            Some(major) => Ok(Self { program, major }),
            None => Err(failed(format!("{version:?} is no version"))),
        }
    }

    /// What an upgrade that goes back by itself is called.
    pub fn rollback_flag(&self) -> &'static str {
        if self.major >= 4 { "--rollback-on-failure" } else { "--atomic" }
    }

    /// Starts Helm with these values on stdin; it ends by itself, also where this program is interrupted.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&self, args: &[OsString], values: String, storage: Storage) -> Result<Running, Failure> {
        let mut command = Command::new(&self.program);
        for variable in ELSEWHERE {
            command.env_remove(variable);
        }
        command
            .args(args)
            .env("HELM_DRIVER", storage.driver())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            Failure::new(Exit::Failed, Reason::Helm, format!("{}: {error}; nothing changed", self.program.display()))
        })?;
        if let Some(mut stdin) = child.stdin.take() {
            tokio::spawn(async move { drop(stdin.write_all(values.as_bytes()).await) });
        }
        let (sender, lines) = mpsc::unbounded_channel();
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(pass_on(stdout, sender.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(pass_on(stderr, sender));
        }
        Ok(Running { child, lines })
    }
}

/// A Helm under way.
pub struct Running {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Running {
    /// The next line it says; none once it has said all.
    pub async fn line(&mut self) -> Option<String> {
        self.lines.recv().await
    }

    /// Whether it ended well.
    ///
    /// # Errors
    /// How it ended.
    pub async fn end(&mut self) -> Result<(), String> {
        match self.child.wait().await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(status.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }
}

async fn pass_on(stream: impl AsyncRead + Unpin, to: mpsc::UnboundedSender<String>) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if to.send(line).is_err() {
            return;
        }
    }
}

fn on_path(path: Option<&OsStr>) -> Option<PathBuf> {
    let directories = path?.to_str()?.split(':').map(Path::new);
    // A relative entry would run whatever lies in the working directory.
    directories
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join("helm"))
        .find(|it| is_program(it))
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_program_in_an_absolute_directory_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let helm = directory.path().join("helm");
        let path = OsString::from(format!("relative:/nowhere:{}", directory.path().display()));
        std::fs::write(&helm, "").unwrap();
        assert_eq!(on_path(Some(&path)), None);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&helm, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        assert_eq!(on_path(Some(&path)), Some(helm));
        assert_eq!(on_path(None), None);
    }

    #[test]
    fn the_flag_of_going_back_is_that_of_the_version() {
        let flag = |major| Helm { program: PathBuf::new(), major }.rollback_flag();
        assert_eq!((flag(3), flag(4)), ("--atomic", "--rollback-on-failure"));
    }
}
