//! One process of a plane, with its log.

use std::{
    env,
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::binaries::last_lines;

/// A running part, which can be killed and started again with the same arguments.
pub struct Part {
    name: String,
    command: Command,
    child: Child,
    log: PathBuf,
}

impl Part {
    /// Starts a program in a process group. Its output is written to `NAME.log` in a directory.
    pub fn start(program: &Path, arguments: &[String], directory: &Path, group: i32) -> Result<Self> {
        let name = program.file_name().context("a program has a name")?.to_string_lossy().into_owned();
        Self::start_as(&name, program, |command| command.args(arguments), directory, group)
    }

    /// The same under a name of its own. `prepare` sets arguments, variables and the working directory.
    pub fn start_as(
        name: &str,
        program: &Path,
        prepare: impl FnOnce(&mut Command) -> &mut Command,
        directory: &Path,
        group: i32,
    ) -> Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(group);
        // The variables of the person who runs the tests (proxies, `ETCD_NAME`) are not for these programs.
        command.env_clear().env("HOME", directory).envs(env::var_os("PATH").map(|path| ("PATH", path)));
        prepare(&mut command);
        let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { name: name.to_owned(), command, child, log })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as a crash would, without a graceful shutdown.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again. It must have ended.
    pub fn restart(&mut self) -> Result<()> {
        self.child = self.command.spawn()?;
        Ok(())
    }

    /// An error with the end of its log, if it has ended.
    pub fn check_running(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("{}", self.obituary(status)),
            None => Ok(()),
        }
    }

    /// Its name and the end of its log.
    pub fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        format!("the end of the log of {}:\n{}", self.name, last_lines(&log, 15))
    }

    fn obituary(&self, status: ExitStatus) -> String {
        format!("{} ended ({status}); {}", self.name, self.last_words())
    }
}

impl Drop for Part {
    /// Waits until the supervisor has killed it, so that no zombie is left.
    fn drop(&mut self) {
        let _ = self.child.wait();
    }
}

/// Polls until there is a result. After the deadline it fails with the name of the condition.
pub fn wait_for<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if began.elapsed() > patience {
            bail!("{what}: not so after {} s", patience.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
