//! Renders a chart with the user's own Helm: `helm template`, which asks no cluster.

use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use super::Helm;
use super::run::ELSEWHERE;
use super::target::{NO_KUBECONFIG, flag};
use crate::error::plain;

/// The limit of the rendered text, larger than what any chart makes.
const LIMIT: u64 = 64 * 1024 * 1024;
/// The part of Helm's error output that is read.
const COMPLAINT: u64 = 64 * 1024;

/// The chart to render.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ChartInput<'c> {
    /// A packed chart or its directory.
    Path(&'c Path),
    /// The bytes of a packed chart. The values are in it.
    Packed(&'c [u8]),
}

/// What is rendered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rendering<'r> {
    pub release: &'r str,
    pub namespace: &'r str,
    pub chart: ChartInput<'r>,
    /// The values, as YAML.
    pub values: &'r str,
}

impl Helm {
    /// Renders the chart. Helm is killed if it takes longer than the limit, or if this future is dropped.
    ///
    /// # Errors
    /// Why it failed: the first line of Helm's error.
    pub(crate) async fn template(&self, rendering: Rendering<'_>, limit: Duration) -> Result<String, String> {
        match timeout(limit, self.render(rendering)).await {
            Ok(rendered) => rendered,
            Err(_) => Err(format!("no answer within {}s", limit.as_secs_f32())),
        }
    }

    async fn render(&self, rendering: Rendering<'_>) -> Result<String, String> {
        let Rendering { release, namespace, chart, values } = rendering;
        let mut command = Command::new(&self.program);
        for variable in ELSEWHERE {
            command.env_remove(variable);
        }
        command.env("KUBECONFIG", NO_KUBECONFIG).arg("template").arg(flag("namespace", namespace));
        let stdin = match chart {
            ChartInput::Path(path) => {
                command.args(["--values=-", "--", release]).arg(path);
                Stdio::piped()
            }
            // Helm seeks in a packed chart, so it cannot be a pipe. The file has no name.
            ChartInput::Packed(bytes) => {
                command.args(["--", release, "/dev/stdin"]);
                let file = || {
                    let mut file = tempfile::tempfile()?;
                    file.write_all(bytes)?;
                    file.rewind()?;
                    Ok(file)
                };
                Stdio::from(file().map_err(|error: std::io::Error| format!("a temporary file: {}", plain(&error)))?)
            }
        };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let failed = |error: std::io::Error| plain(&error);
        let mut child = command.spawn().map_err(failed)?;
        let (mut said, mut complaint) = (Vec::new(), Vec::new());
        let stdout = child.stdout.take().expect("it is piped").take(LIMIT + 1);
        let stderr = child.stderr.take().expect("it is piped");
        let give = async {
            if let Some(mut stdin) = child.stdin.take() {
                // Helm may end before it has read them.
                drop(stdin.write_all(values.as_bytes()).await);
            }
        };
        let listen = async {
            let mut limited = stderr.take(COMPLAINT);
            let read = limited.read_to_end(&mut complaint).await;
            // The rest is read as well, so that Helm is not blocked.
            let rest = tokio::io::copy(&mut limited.into_inner(), &mut tokio::io::sink()).await;
            read.and(rest)
        };
        let mut stdout = stdout;
        let ((), read, heard) = tokio::join!(give, stdout.read_to_end(&mut said), listen);
        read.and(heard.map(|_| 0)).map_err(failed)?;
        if said.len() as u64 > LIMIT {
            return Err("more than 64 MiB of objects".to_owned());
        }
        let status = child.wait().await.map_err(failed)?;
        if status.success() {
            return Ok(String::from_utf8_lossy(&said).into_owned());
        }
        let complaint = String::from_utf8_lossy(&complaint).into_owned();
        let reason = complaint.lines().find(|line| line.starts_with("Error:")).or_else(|| complaint.lines().last());
        Err(reason.map_or_else(|| status.to_string(), str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn helm(directory: &Path, text: &str) -> Helm {
        use std::os::unix::fs::PermissionsExt as _;
        let (new, program) = (directory.join("helm.new"), directory.join("helm"));
        std::fs::write(&new, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(new, &program).unwrap();
        Helm { program, major: 3 }
    }

    async fn rendered(text: &str, chart: ChartInput<'_>) -> Result<String, String> {
        let directory = tempfile::tempdir().unwrap();
        let rendering = Rendering { release: "gloo", namespace: "edge", chart, values: "a: 1\n" };
        helm(directory.path(), text).template(rendering, Duration::from_secs(20)).await
    }

    #[tokio::test]
    async fn values_or_the_chart_are_on_stdin_and_no_kubeconfig_is_used() {
        let path = ChartInput::Path(Path::new("-h"));
        let said = rendered("echo \"$@\" \"$KUBECONFIG\"; cat", path).await;
        assert_eq!(said.unwrap(), "template --namespace=edge --values=- -- gloo -h /dev/null\na: 1\n");
        let said = rendered("echo \"$@\"; cat /dev/stdin", ChartInput::Packed(b"chart")).await;
        assert_eq!(said.unwrap(), "template --namespace=edge -- gloo /dev/stdin\nchart");
    }

    #[tokio::test]
    async fn a_failure_has_helms_reason() {
        let path = ChartInput::Path(Path::new("chart"));
        let failed = rendered("echo warning >&2; echo 'Error: no' >&2; echo more >&2; exit 1", path).await;
        assert_eq!(failed, Err("Error: no".to_owned()));
        assert_eq!(rendered("exit 3", path).await, Err("exit status: 3".to_owned()));
        let much = rendered("head -c 3000000 /dev/zero >&2; head -c 3000000 /dev/zero", path).await;
        assert_eq!(much.unwrap().len(), 3_000_000);
    }

    #[tokio::test]
    async fn a_helm_that_hangs_ends_at_the_deadline() {
        let directory = tempfile::tempdir().unwrap();
        let chart = ChartInput::Path(Path::new("chart"));
        let rendering = Rendering { release: "gloo", namespace: "edge", chart, values: "" };
        let hangs = helm(directory.path(), "exec sleep 3600").template(rendering, Duration::from_millis(300)).await;
        assert_eq!(hangs, Err("no answer within 0.3s".to_owned()));
    }
}
