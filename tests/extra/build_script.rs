//! What `build.rs` tells of commit and date, in checkouts and outside of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// 2024-02-29 23:59:59 in UTC.
const TIME: &str = "1709251199";

/// The build script, compiled, and sources for it.
struct Build {
    place: tempfile::TempDir,
    script: PathBuf,
}

impl Build {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let script = place.path().join("build");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
        let rustc = Command::new("rustc").args(["--edition", "2024", "-o"]).arg(&script).arg(source).status();
        assert!(rustc.unwrap().success());
        let build = Self { place, script };
        fs::create_dir_all(build.sources().join("src")).unwrap();
        build.write("src/main.rs", "fn main() {}");
        build
    }

    fn sources(&self) -> PathBuf {
        self.place.path().join("sources")
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.sources().join(file), text).unwrap();
    }

    /// Makes a directory a checkout with one commit; the commit.
    fn commit(&self, directory: &Path) -> String {
        let git = |args: &[&str]| {
            let mut command = Command::new("git");
            command.args(args).current_dir(directory).env("HOME", self.place.path());
            for role in ["AUTHOR", "COMMITTER"] {
                command.env(format!("GIT_{role}_NAME"), "a").env(format!("GIT_{role}_EMAIL"), "a@b.example");
                command.env(format!("GIT_{role}_DATE"), format!("{TIME} +1400"));
            }
            let output = command.output().expect("install Git: the build script asks it");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        git(&["init", "--quiet"]);
        git(&["add", "."]);
        git(&["commit", "--quiet", "--message", "one"]);
        git(&["rev-parse", "HEAD"])
    }

    /// What the script prints, as a build of this profile with these variables runs it.
    fn says(&self, profile: &str, variables: &[(&str, &str)]) -> Vec<String> {
        let mut command = Command::new(&self.script);
        command.current_dir(self.sources());
        for told in ["SOURCE_DATE_EPOCH", "GLOO_RS_BUILD_COMMIT", "GLOO_RS_BUILD_REPOSITORY", "CARGO_PKG_REPOSITORY"] {
            command.env_remove(told);
        }
        command.env("PROFILE", profile).env("TARGET", TARGET).env("CARGO_MANIFEST_DIR", self.sources());
        let output = command.envs(variables.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    #[track_caller]
    fn sums_up(&self, profile: &str, variables: &[(&str, &str)], expected: &str) {
        let said = self.says(profile, variables);
        let summary = format!("cargo::rustc-env=GLOO_RS_BUILD_SUMMARY={expected}, {TARGET}");
        assert!(said.contains(&summary), "{expected}: {said:#?}");
    }
}

#[test]
fn a_release_build_has_its_commit_and_the_day_of_it_in_utc() {
    let build = Build::new();
    let commit = build.commit(&build.sources());
    build.sums_up("release", &[], &format!("{commit} 2024-02-29"));
    // A commit, and nothing else, makes cargo run it again.
    let said = build.says("release", &[]);
    assert!(
        said.iter().any(|line| line.starts_with("cargo::rerun-if-changed=") && line.ends_with("logs/HEAD")),
        "{said:#?}"
    );
    build.write("src/main.rs", "fn main() { changed() }");
    build.sums_up("release", &[], &format!("{commit}-modified 2024-02-29"));
}

#[test]
fn what_the_environment_tells_comes_first() {
    let build = Build::new();
    let commit = build.commit(&build.sources());
    build.sums_up("release", &[("SOURCE_DATE_EPOCH", "0")], &format!("{commit} 1970-01-01"));
    for profile in ["release", "debug"] {
        let told = [("GLOO_RS_BUILD_COMMIT", "0123abc"), ("SOURCE_DATE_EPOCH", "1798761599")];
        build.sums_up(profile, &told, "0123abc 2026-12-31");
        build.sums_up(profile, &told[..1], "0123abc");
    }
}

#[test]
fn the_address_of_the_sources_is_that_of_the_environment_or_of_the_package() {
    let build = Build::new();
    let addresses = |variables: &[(&str, &str)]| {
        let prefix = "cargo::rustc-env=GLOO_RS_BUILD_REPOSITORY=";
        let said = build.says("debug", variables);
        said.iter().filter_map(|line| line.strip_prefix(prefix).map(str::to_owned)).collect::<Vec<_>>()
    };
    let (told, package) = ("https://git.example/team/gloo-rs", ("CARGO_PKG_REPOSITORY", "https://git.example/other"));
    assert_eq!(addresses(&[]), [""; 0]);
    assert_eq!(addresses(&[package]), [package.1]);
    assert_eq!(addresses(&[package, ("GLOO_RS_BUILD_REPOSITORY", told)]), [told]);
}

#[test]
fn what_nothing_tells_is_unknown() {
    let build = Build::new();
    build.sums_up("release", &[], "commit unknown");
    build.sums_up("release", &[("SOURCE_DATE_EPOCH", "86400")], "commit unknown, 1970-01-02");
    // Sources within another checkout are none of its commits.
    build.commit(build.place.path());
    build.sums_up("release", &[], "commit unknown");
    // Without Git.
    build.sums_up("release", &[("PATH", "/nowhere")], "commit unknown");
}

#[test]
fn a_debug_build_does_not_ask_git() {
    let build = Build::new();
    build.commit(&build.sources());
    build.sums_up("debug", &[], "commit unknown");
    assert!(!build.says("debug", &[]).iter().any(|line| line.contains("HEAD")));
}

#[test]
fn a_packaged_crate_has_the_commit_that_cargo_wrote_into_it() {
    let build = Build::new();
    build.write(
        ".cargo_vcs_info.json",
        "{\n  \"git\": {\n    \"sha1\": \"4567def4567def\"\n  },\n  \"path_in_vcs\": \"\"\n}",
    );
    build.sums_up("debug", &[], "4567def4567def");
}

#[test]
fn a_wrong_commit_time_or_address_stops_the_build() {
    let build = Build::new();
    for (variable, value) in [
        ("GLOO_RS_BUILD_COMMIT", "main"),
        ("SOURCE_DATE_EPOCH", "today"),
        ("GLOO_RS_BUILD_REPOSITORY", "git@git.example:gloo-rs"),
        ("GLOO_RS_BUILD_REPOSITORY", "https://git.example/a b"),
    ] {
        let mut command = Command::new(&build.script);
        command.current_dir(build.sources()).env("PROFILE", "debug").env("TARGET", TARGET).env(variable, value);
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && stderr.contains(variable), "{stderr}");
    }
}
