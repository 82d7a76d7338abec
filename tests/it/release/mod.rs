//! A release: what `scripts/release` packs, and what `install.sh` makes of it.

mod action;
mod archive;
mod files;
mod install;
mod root;

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// The address that the files beside the archive name.
const URL: &str = "https://downloads.example/gloo-rs";
/// The time of everything in an archive, in seconds.
const TIME: &str = "1767225600";
const TARGET: &str = env!("GLOO_RS_BUILD_TARGET");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The name of the archive, and of the directory in it.
fn name() -> String {
    format!("gloo-rs-{VERSION}-{TARGET}")
}

/// The code of this build, linked as a release is: without a dynamic loader. Only the link is repeated.
pub fn static_program() -> &'static Path {
    static LINKED: OnceLock<PathBuf> = OnceLock::new();
    LINKED.get_or_init(|| {
        let deps = env::current_exe().unwrap().parent().unwrap().to_owned();
        let is_ours = |path: &PathBuf| {
            let stem = path.file_stem().and_then(OsStr::to_str);
            stem.is_some_and(|stem| stem.starts_with("libgloo_rs-")) && path.extension() == Some(OsStr::new("rlib"))
        };
        let built = std::fs::read_dir(&deps).unwrap().map(|entry| entry.unwrap().path()).filter(is_ours);
        // Cargo has just built it from these sources; what is older is of others.
        let newest = built.max_by_key(|path| path.metadata().and_then(|it| it.modified()).unwrap());
        let library = newest.expect("cargo built the library for these tests");
        let place = scratch("static").join("gloo-rs");
        let object = place.with_file_name("static-nss.o");
        let mut cc = Command::new("cc");
        succeeds(cc.args(["-O2", "-fPIE", "-c", "scripts/static-nss.c", "-o"]).arg(&object).current_dir(ROOT));
        let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--edition", "2024", "--crate-name", "gloo_rs_static", "--crate-type", "bin"]);
        rustc.args(["-C", "target-feature=+crt-static", "-C", "strip=symbols", "src/main.rs"]).current_dir(ROOT);
        rustc.arg("-C").arg(format!("link-arg={}", object.display()));
        if TARGET.contains("x86_64") {
            rustc.args(["-C", "link-arg=-Wl,-z,pack-relative-relocs"]);
        }
        rustc.arg("--extern").arg(format!("gloo_rs={}", library.display()));
        rustc.arg("-L").arg(format!("dependency={}", deps.display())).arg("-o").arg(&place);
        succeeds(&mut rustc);
        place
    })
}

/// An empty directory of this name below the build directory: it is left there, and emptied by the next run.
pub fn scratch(name: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("release").join(name);
    let _ = std::fs::remove_dir_all(&place);
    std::fs::create_dir_all(&place).unwrap();
    place
}

/// Runs `scripts/release` over a finished program.
fn release(binary: &Path, out: &Path) -> Output {
    let mut command = Command::new("python3");
    command.arg("scripts/release").arg("--binary").arg(binary).arg("--out").arg(out).args(["--url", URL]);
    command.current_dir(ROOT).env("SOURCE_DATE_EPOCH", TIME).output().unwrap()
}

/// The files of a release: those in the directory that `GLOO_RS_TEST_DIST` names, or this build's, packed once.
fn dist() -> &'static Path {
    static PACKED: OnceLock<PathBuf> = OnceLock::new();
    PACKED.get_or_init(|| {
        if let Some(named) = env::var_os("GLOO_RS_TEST_DIST") {
            return named.into();
        }
        let out = scratch("dist");
        let output = release(static_program(), &out);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        out
    })
}

/// What the command printed; it has to succeed.
#[track_caller]
pub fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The archive, unpacked into a directory; the directory in it.
fn unpacked(into: &Path) -> PathBuf {
    succeeds(Command::new("tar").arg("-xzf").arg(dist().join(name() + ".tar.gz")).arg("-C").arg(into));
    into.join(name())
}
