//! `install.sh`, against a server on this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{TARGET, dist, name, succeeds};
use crate::house::read;
use crate::support::Sandbox;
use crate::support::stub::Stub;

/// Where a test installs, and what it downloads.
struct Installation {
    sandbox: Sandbox,
    server: Stub,
}

/// The end of a run of the script.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Installation {
    /// A server with the release that is packed.
    fn of_the_release() -> Self {
        let server = Stub::new();
        for file in [name() + ".tar.gz", "SHA256SUMS".to_owned()] {
            let bytes = std::fs::read(dist().join(&file)).unwrap();
            server.on("GET", &format!("/{file}")).body(200, "application/octet-stream", bytes).always();
        }
        Self { sandbox: Sandbox::new(), server }
    }

    /// A server with a release whose program is this shell script, and which has these man pages.
    fn of(script: &str, pages: &[&str]) -> Self {
        let sandbox = Sandbox::new();
        let server = Stub::new();
        serve(&server, &sandbox, "1.2.3", script, pages);
        Self { sandbox, server }
    }

    /// The same place, with another server.
    fn served_by(self, version: &str, script: &str, pages: &[&str]) -> Self {
        let server = Stub::new();
        serve(&server, &self.sandbox, version, script, pages);
        Self { server, ..self }
    }

    /// The prefix: where the script installs for a user.
    fn prefix(&self) -> PathBuf {
        self.sandbox.dir().join(".local")
    }

    fn run(&self, args: &[&str]) -> Ended {
        ended(&mut self.command(args))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command.arg(Path::new(super::ROOT).join("install.sh")).args(["--url", &self.server.url()]).args(args);
        command.current_dir(self.sandbox.dir()).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("HOME", self.sandbox.dir()).env("TMPDIR", self.sandbox.dir());
        command
    }

    #[track_caller]
    fn installs(&self, args: &[&str]) -> Ended {
        let ended = self.run(args);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    }

    /// Fails with this exit code, leaves the files as they were, and nothing in the directory for temporary files.
    #[track_caller]
    fn refuses(&self, args: &[&str], code: i32) -> Ended {
        let before = below(self.sandbox.dir());
        let ended = self.run(args);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{ended:?}");
        assert!(ended.stderr.starts_with("error: ") || ended.stderr.contains("\nerror: "), "{ended:?}");
        assert_eq!(below(self.sandbox.dir()), before);
        ended
    }
}

fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Packs a release around a shell script, and lets the server answer with it.
pub(super) fn serve(server: &Stub, sandbox: &Sandbox, version: &str, script: &str, pages: &[&str]) {
    let name = format!("gloo-rs-{version}-{TARGET}");
    for program in ["gloo-rs", "kubectl-gloo"] {
        sandbox.script(&format!("packed/{name}/{program}"), script);
    }
    for file in ["gloo-rs.bash", "_gloo-rs", "gloo-rs.fish"] {
        sandbox.write(&format!("packed/{name}/completions/{file}"), version);
    }
    for page in pages {
        sandbox.write(&format!("packed/{name}/man/man1/{page}"), version);
    }
    let packed = sandbox.dir().join("packed");
    let archive = format!("{name}.tar.gz");
    succeeds(Command::new("tar").args(["-czf", &archive, &name]).current_dir(&packed));
    let sums = succeeds(Command::new("sha256sum").arg(&archive).current_dir(&packed));
    let bytes = std::fs::read(packed.join(&archive)).unwrap();
    server.on("GET", "/SHA256SUMS").body(200, "text/plain", sums).always();
    server.on("GET", &format!("/{archive}")).body(200, "application/octet-stream", bytes).always();
}

/// Every file and link below a directory, with its contents.
fn below(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
            let path = entry.path();
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => open.push(path),
                kind if kind.is_symlink() => _ = found.insert(path.clone(), format!("{:?}", path.read_link()).into()),
                _ => _ = found.insert(path.clone(), std::fs::read(&path).unwrap()),
            }
        }
    }
    found
}

const SAYS: &str = "echo gloo-rs 1.2.3";

#[test]
fn the_release_is_installed_for_the_user_runs_and_is_removed() {
    let at = Installation::of_the_release();
    let said = at.installs(&["--user"]);
    let bin = at.prefix().join("bin");
    for program in ["gloo-rs", "kubectl-gloo"] {
        let version = succeeds(Command::new(bin.join(program)).arg("--version").env_clear());
        assert!(version.starts_with("gloo-rs ") && said.stdout.contains(version.trim()), "{version} {said:?}");
    }
    assert!(said.stderr.contains("is not on PATH"), "{said:?}");
    let share = at.prefix().join("share");
    for (installed, source) in [
        ("bash-completion/completions/gloo-rs.bash", "completions/gloo-rs.bash"),
        ("zsh/site-functions/_gloo-rs", "completions/_gloo-rs"),
        ("fish/vendor_completions.d/gloo-rs.fish", "completions/gloo-rs.fish"),
        ("man/man1/gloo-rs-proxy-url.1", "docs/man/gloo-rs-proxy-url.1"),
    ] {
        assert_eq!(std::fs::read_to_string(share.join(installed)).unwrap(), read(source), "{installed}");
    }
    let other = at.run(&["--prefix", "elsewhere", "--uninstall"]);
    assert_eq!(other.code, Some(1), "{other:?}");
    at.installs(&["--user", "--uninstall"]);
    assert_eq!(below(&at.prefix()), BTreeMap::new());
    at.refuses(&["--user", "--uninstall"], 1);
}

#[test]
fn a_second_run_upgrades_and_takes_away_what_is_gone() {
    let at = Installation::of(SAYS, &["gloo-rs.1", "gloo-rs-old.1"]);
    at.installs(&["--user"]);
    let before = below(&at.prefix());
    at.installs(&["--user"]);
    assert_eq!(below(&at.prefix()), before, "the same release again changes nothing");
    let at = at.served_by("1.3.0", "echo gloo-rs 1.3.0", &["gloo-rs.1", "gloo-rs-new.1"]);
    assert!(at.installs(&["--user"]).stdout.contains("gloo-rs 1.3.0"));
    let pages: Vec<_> = below(&at.prefix().join("share/man")).into_keys().collect();
    let names: Vec<_> = pages.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["gloo-rs-new.1", "gloo-rs.1"]);
    assert_eq!(succeeds(&mut Command::new(at.prefix().join("bin/kubectl-gloo"))), "gloo-rs 1.3.0\n");
}

#[test]
fn a_wrong_checksum_is_refused_and_nothing_is_written() {
    let at = Installation::of(SAYS, &["gloo-rs.1"]);
    at.installs(&["--user"]);
    let archive = format!("gloo-rs-1.3.0-{TARGET}.tar.gz");
    let at = Installation { server: Stub::new(), ..at };
    at.server.on("GET", "/SHA256SUMS").body(200, "text/plain", format!("{}  {archive}\n", "0".repeat(64)));
    at.server.on("GET", &format!("/{archive}")).body(200, "application/octet-stream", "not what was released");
    assert!(at.refuses(&["--user"], 1).stderr.contains("checksum"));
}

#[test]
fn what_cannot_be_downloaded_or_is_not_listed_changes_nothing() {
    let at = Installation { sandbox: Sandbox::new(), server: Stub::new() };
    at.server.on("GET", "/SHA256SUMS").body(404, "text/plain", "no");
    at.refuses(&["--user"], 1);
    for sums in [String::new(), format!("{}  gloo-rs-1.2.3-riscv64.tar.gz\n", "0".repeat(64)), "<html>".to_owned()] {
        let at = Installation { sandbox: Sandbox::new(), server: Stub::new() };
        at.server.on("GET", "/SHA256SUMS").body(200, "text/plain", sums);
        at.refuses(&["--user"], 1);
    }
    // Two archives of one platform, and a name that leads elsewhere.
    for lines in [[format!("1-{TARGET}"), format!("2-{TARGET}")], [format!("1/../../x-{TARGET}"), "x".to_owned()]] {
        let sums = lines.map(|name| format!("{}  gloo-rs-{name}.tar.gz\n", "0".repeat(64))).concat();
        let at = Installation { sandbox: Sandbox::new(), server: Stub::new() };
        at.server.on("GET", "/SHA256SUMS").body(200, "text/plain", sums);
        at.refuses(&["--user"], 1);
    }
}

#[test]
fn a_program_that_does_not_run_or_a_place_that_cannot_be_written_leaves_nothing_half_installed() {
    Installation::of("exit 1", &["gloo-rs.1"]).refuses(&["--user"], 1);
    let at = Installation::of(SAYS, &["gloo-rs.1"]);
    at.sandbox.write(".local/share/man", "a file where a directory has to be");
    at.refuses(&["--user"], 1);
}

#[test]
fn what_the_script_did_not_install_is_replaced_by_a_flag_alone() {
    let at = Installation::of(SAYS, &["gloo-rs.1"]);
    at.sandbox.script(".local/bin/gloo-rs", "echo mine");
    let refused = at.refuses(&["--user"], 1);
    assert!(refused.stderr.contains("--force"), "{refused:?}");
    at.installs(&["--user", "--force"]);
    assert_eq!(succeeds(&mut Command::new(at.prefix().join("bin/gloo-rs"))), "gloo-rs 1.2.3\n");
}

#[test]
fn only_tls_or_this_machine_is_downloaded_from() {
    let at = Installation::of(SAYS, &["gloo-rs.1"]);
    for url in ["http://127.0.0.1.downloads.example/x", "http://downloads.example", "ftp://127.0.0.1/", "file:///etc"] {
        let refused = at.refuses(&["--url", url], 1);
        assert!(refused.stderr.contains("not https"), "{refused:?}");
    }
    assert_eq!(at.server.connections(), 0);
    // The script of the repository has no address; that of a release has one.
    let mut bare = Command::new("sh");
    let refused = ended(bare.arg(Path::new(super::ROOT).join("install.sh")).arg("--prefix").arg(at.prefix()));
    assert!(refused.code == Some(1) && refused.stderr.contains("--url URL"), "{refused:?}");
    for wrong in [["--prefix", ""], ["--no-such-flag", "x"]] {
        at.refuses(&wrong, 2);
    }
}

#[test]
fn for_the_system_it_is_usr_local() {
    let at = Installation::of(SAYS, &["gloo-rs.1"]);
    // A namespace with an empty /usr/local of its own, in which the script is root's.
    let script =
        "mount -t tmpfs none /usr/local && sh \"$@\" && /usr/local/bin/kubectl-gloo && ls /usr/local/share/man/man1";
    let install = Path::new(super::ROOT).join("install.sh");
    for flag in [&["--system"][..], &[]] {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(&install);
        command.args(["--url", &at.server.url()]).args(flag).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("HOME", at.sandbox.dir());
        let printed = succeeds(&mut command);
        assert!(printed.ends_with("gloo-rs 1.2.3\ngloo-rs.1\n") && printed.contains(" in /usr/local/bin"), "{printed}");
    }
    assert!(!at.prefix().exists());
}

#[test]
fn a_script_that_was_cut_does_nothing() {
    let at = Installation::of(SAYS, &["gloo-rs.1"]);
    let whole = read("install.sh");
    for end in [whole.len() / 2, whole.len() * 2 / 3, whole.rfind("main").unwrap()] {
        let script = at.sandbox.write("cut.sh", &whole[..end]);
        let mut command = Command::new("sh");
        command.arg(script).args(["--user", "--url", &at.server.url()]).env("HOME", at.sandbox.dir());
        let ended = ended(&mut command);
        assert_eq!((at.server.connections(), at.prefix().exists()), (0, false), "{ended:?}");
    }
}
