//! Runs the user's own Helm: found on PATH, with arguments as a list and values on stdin.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::lines::pass_on;
use super::{HelmTarget, Storage};
use crate::command::Hint;
use crate::error::{Exit, Failure, Reason, plain};

/// All variables of Helm 3.17 and 4.3, and of client-go in them, that would make Helm use another cluster or another
/// user than this program. `HELM_DRIVER` and `KUBECONFIG` are set instead.
pub(super) const ELSEWHERE: [&str; 12] = [
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
    "HELM_MEMORY_DRIVER_DATA",
    "KUBERNETES_MASTER",
];

/// The most bytes read of the version, more than any version has.
const VERSION_LIMIT: u64 = 4096;
/// The number of lines that are buffered before Helm has to wait.
const LINES: usize = 64;
/// How long the output is read after Helm has ended: a process that it left running may keep the pipe open.
const GRACE: Duration = Duration::from_secs(1);

/// A Helm program that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Helm {
    /// The absolute path, so that nothing in the working directory runs instead.
    pub program: PathBuf,
    pub major: u32,
}

/// A Helm run: the command and its target.
pub(crate) struct Order {
    pub target: HelmTarget,
    /// The subcommand without flags, such as `upgrade`.
    pub command: &'static str,
    /// The flags, each with its value in one word.
    pub flags: Vec<OsString>,
    /// The positional arguments. None of them is parsed as a flag.
    pub operands: Vec<OsString>,
    /// The working directory of Helm.
    pub directory: Option<PathBuf>,
    pub values: String,
    pub storage: Storage,
}

impl Helm {
    /// Finds the first executable `helm` on this PATH. It is killed if it does not print its version in time, or if
    /// this future is dropped.
    ///
    /// # Errors
    /// There is no Helm, or it does not print its version.
    pub(crate) async fn find(path: Option<&OsStr>, limit: Duration) -> Result<Self, Failure> {
        let program = on_path(path).ok_or_else(|| {
            Failure::new(Exit::Failed, Reason::Helm, "helm is not on PATH; nothing changed")
                .hint(Hint::from("without ").flag("--apply").text(" the values and the command to run are printed"))
        })?;
        let failed = |why: String| {
            Failure::new(Exit::Failed, Reason::Helm, format!("{} version: {why}; nothing changed", program.display()))
        };
        let said = timeout(limit, version_of(&program))
            .await
            .map_err(|_| {
                failed(format!("no answer within {}s", limit.as_secs_f32()))
                    .hint(Hint::default().flag("--timeout").text(" waits longer"))
            })?
            .map_err(|error| failed(plain(&error)).caused_by(&error))?;
        let major = said.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
        match major {
            Some(major) => Ok(Self { program, major }),
            None => Err(failed(format!("{said:?} is not a version"))),
        }
    }

    /// The flag with which a failed upgrade is rolled back.
    pub(crate) fn rollback_flag(&self) -> &'static str {
        if self.major >= 4 { "--rollback-on-failure" } else { "--atomic" }
    }

    /// Starts Helm with the values on stdin. It runs to its end, even if this program is interrupted.
    ///
    /// # Errors
    /// Helm cannot be started.
    pub(crate) fn start(&self, order: Order) -> Result<Running, Failure> {
        let Order { target, command: word, flags, operands, directory, values, storage } = order;
        let mut command = Command::new(&self.program);
        for variable in ELSEWHERE {
            command.env_remove(variable);
        }
        if let Some(list) = target.variable() {
            command.env("KUBECONFIG", list);
        }
        if let Some(directory) = directory {
            command.current_dir(directory);
        }
        command
            .arg(word)
            .args(target.flags())
            .args(flags)
            .arg("--")
            .args(operands)
            .env("HELM_DRIVER", storage.driver())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            let message = format!("{}: {}; nothing changed", self.program.display(), plain(&error));
            Failure::new(Exit::Failed, Reason::Helm, message).caused_by(&error)
        })?;
        if let Some(mut stdin) = child.stdin.take() {
            tokio::spawn(async move { drop(stdin.write_all(values.as_bytes()).await) });
        }
        let (sender, lines) = mpsc::channel(LINES);
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(pass_on(BufReader::new(stdout), sender.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(pass_on(BufReader::new(stderr), sender));
        }
        Ok(Running { child, lines, ended: None })
    }
}

/// The output of `helm version`, up to the limit.
async fn version_of(program: &Path) -> std::io::Result<String> {
    let mut command = Command::new(program);
    command.args(["version", "--template", "{{.Version}}"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let mut said = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(VERSION_LIMIT).read_to_end(&mut said).await?;
    }
    Ok(String::from_utf8_lossy(&said).trim().to_owned())
}

/// A running Helm.
pub(crate) struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
    ended: Option<std::io::Result<ExitStatus>>,
}

impl Running {
    /// The next line of output; `None` at the end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        while self.ended.is_none() {
            tokio::select! {
                biased;
                line = self.lines.recv() => return line,
                status = self.child.wait() => self.ended = Some(status),
            }
        }
        timeout(GRACE, self.lines.recv()).await.ok().flatten()
    }

    /// Waits for the end of Helm.
    ///
    /// # Errors
    /// The exit status of Helm, or why it is not known.
    pub(crate) async fn end(&mut self) -> Result<(), String> {
        let ended = match self.ended.take() {
            Some(ended) => ended,
            None => self.child.wait().await,
        };
        match ended {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(status.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Finds `helm` on PATH. PATH is read as bytes, so that an entry that is not UTF-8 does not hide the others.
fn on_path(path: Option<&OsStr>) -> Option<PathBuf> {
    let directories = path?.as_bytes().split(|byte| *byte == b':').map(|entry| Path::new(OsStr::from_bytes(entry)));
    // A relative entry would run a program from the working directory.
    directories
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join("helm"))
        .find(|it| is_program(it))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(directory: &Path, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let new = directory.join("helm.new");
        std::fs::write(&new, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
        let helm = directory.join("helm");
        std::fs::rename(new, &helm).unwrap();
        helm
    }

    #[test]
    fn only_a_program_in_an_absolute_directory_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = OsString::from(format!(":.:relative:/nowhere:{}:", directory.path().display()));
        std::fs::write(directory.path().join("helm"), "").unwrap();
        assert_eq!(on_path(Some(&path)), None);
        let helm = script(directory.path(), "");
        assert_eq!(on_path(Some(&path)), Some(helm.clone()));
        assert_eq!(on_path(None), None);

        let mut odd = OsString::from(OsStr::from_bytes(b"/\xff:"));
        odd.push(directory.path());
        assert_eq!(on_path(Some(&odd)), Some(helm));
        let odd_directory = directory.path().join(OsStr::from_bytes(b"\xfe"));
        std::fs::create_dir(&odd_directory).unwrap();
        let odd_helm = script(&odd_directory, "");
        assert_eq!(on_path(Some(odd_directory.as_os_str())), Some(odd_helm));
    }

    async fn found(text: &str, limit: Duration) -> Result<Helm, String> {
        let directory = tempfile::tempdir().unwrap();
        script(directory.path(), text);
        let place = format!("{}/", directory.path().display());
        Helm::find(Some(directory.path().as_os_str()), limit).await.map_err(|it| it.message.replace(&place, ""))
    }

    #[tokio::test]
    async fn a_version_is_waited_for_until_the_deadline_only() {
        let hangs = found("exec sleep 3600", Duration::from_millis(300)).await;
        assert_eq!(hangs, Err("helm version: no answer within 0.3s; nothing changed".to_owned()));
    }

    #[tokio::test]
    async fn a_version_without_an_end_is_read_up_to_a_limit() {
        let endless = found("exec yes v3.17.3", Duration::from_mins(1)).await.unwrap();
        assert_eq!(endless.major, 3);
        let odd = found("printf 'x\\377'; echo secret >&2; exit 1", Duration::from_mins(1)).await;
        assert_eq!(odd, Err("helm version: \"x\u{fffd}\" is not a version; nothing changed".to_owned()));
    }

    #[tokio::test]
    async fn a_process_that_helm_leaves_behind_does_not_keep_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let text = "echo \"$@\"; sleep 3600 & echo $! > pid; exit 3";
        let helm = Helm { program: script(directory.path(), text), major: 3 };
        let order = Order {
            target: HelmTarget::InCluster { namespace: crate::helm::ReleaseNamespace::parse("edge").unwrap() },
            command: "upgrade",
            flags: vec!["--values=-".into()],
            operands: vec!["-h".into(), "gloo".into()],
            directory: Some(directory.path().to_owned()),
            values: String::new(),
            storage: Storage::Secret,
        };
        let mut running = helm.start(order).unwrap();
        assert_eq!(running.line().await.as_deref(), Some("upgrade --namespace=edge --values=- -- -h gloo"));
        assert_eq!(running.line().await, None);
        assert_eq!(running.end().await, Err("exit status: 3".to_owned()));
        let pid = std::fs::read_to_string(directory.path().join("pid")).unwrap();
        // A shell has kill built in; a program of this name is not everywhere.
        let kill = ["-c", "kill \"$0\"", pid.trim()];
        assert!(std::process::Command::new("/bin/sh").args(kill).status().unwrap().success());
    }

    #[test]
    fn the_flag_of_going_back_is_that_of_the_version() {
        let flag = |major| Helm { program: PathBuf::new(), major }.rollback_flag();
        assert_eq!((flag(3), flag(4)), ("--atomic", "--rollback-on-failure"));
    }
}
