//! Writes down what the binary is built from: commit, date and target, for `--version` and `version`.
//!
//! The same sources give the same bytes: nothing here reads a clock or the network.
//!
//! | what | first of |
//! |---|---|
//! | commit | `GLOO_RS_BUILD_COMMIT`; `.cargo_vcs_info.json`, which `cargo package` writes; Git, for a release build |
//! | date | `SOURCE_DATE_EPOCH`; the time of the commit, if Git was asked |
//! | repository | `GLOO_RS_BUILD_REPOSITORY`, which the workflow of a release sets; the package's key `repository` |
//!
//! What none of them tells is unknown. A debug build does not ask Git, so a commit does not recompile it.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// What a release build is made from. A change here, against the commit, is a modified build.
const SOURCES: [&str; 5] = ["src", "completions", "build.rs", "Cargo.toml", "Cargo.lock"];

fn main() {
    tell("rerun-if-changed", "build.rs");
    for variable in ["GLOO_RS_BUILD_COMMIT", "GLOO_RS_BUILD_REPOSITORY", "SOURCE_DATE_EPOCH"] {
        tell("rerun-if-env-changed", variable);
    }
    let git =
        || if variable("PROFILE")? == "release" { of_git(Path::new(&variable("CARGO_MANIFEST_DIR")?)) } else { None };
    let (commit, time) = match told_commit().or_else(packaged_commit) {
        Some(commit) => (Some(commit), None),
        None => git().map_or((None, None), |(commit, time)| (Some(commit), Some(time))),
    };
    let date = told_time().or(time).map(day);
    let target = variable("TARGET").expect("cargo sets TARGET for build scripts");
    let known = match (&commit, &date) {
        (Some(commit), Some(date)) => format!("{commit} {date}"),
        (Some(commit), None) => commit.clone(),
        (None, Some(date)) => format!("commit unknown, {date}"),
        (None, None) => "commit unknown".to_owned(),
    };
    set("SUMMARY", &format!("{known}, {target}"));
    set("TARGET", &target);
    let repository = told_repository().or_else(|| variable("CARGO_PKG_REPOSITORY"));
    for (name, value) in [("COMMIT", commit), ("DATE", date), ("REPOSITORY", repository)] {
        if let Some(value) = value {
            set(name, &value);
        }
    }
}

fn tell(instruction: &str, value: &str) {
    println!("cargo::{instruction}={value}");
}

fn set(name: &str, value: &str) {
    tell("rustc-env", &format!("GLOO_RS_BUILD_{name}={value}"));
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn told_commit() -> Option<String> {
    let commit = variable("GLOO_RS_BUILD_COMMIT")?;
    let hex = commit.strip_suffix("-modified").unwrap_or(&commit);
    let is_commit = hex.len() >= 7 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(is_commit, "GLOO_RS_BUILD_COMMIT is no commit in hex: {commit:?}");
    Some(commit)
}

fn told_repository() -> Option<String> {
    let address = variable("GLOO_RS_BUILD_REPOSITORY")?;
    let is_address =
        address.starts_with("https://") && !address.contains(|c: char| c.is_whitespace() || c.is_control());
    assert!(is_address, "GLOO_RS_BUILD_REPOSITORY is no https address: {address:?}");
    Some(address)
}

fn told_time() -> Option<u64> {
    let time = variable("SOURCE_DATE_EPOCH")?;
    Some(time.parse().unwrap_or_else(|_| panic!("SOURCE_DATE_EPOCH is no number of seconds: {time:?}")))
}

/// The commit that `cargo package` wrote into the crate: `"sha1": "..."`.
fn packaged_commit() -> Option<String> {
    let text = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    rest.split('"').nth(1).map(str::to_owned)
}

/// The commit of the checkout in this directory, and its time in seconds.
fn of_git(directory: &Path) -> Option<(String, u64)> {
    // Sources that were unpacked inside of another repository are none of its commits.
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if fs::canonicalize(top).ok()? != fs::canonicalize(directory).ok()? {
        return None;
    }
    for file in ["HEAD", "logs/HEAD"] {
        tell("rerun-if-changed", &git(&["rev-parse", "--git-path", file])?);
    }
    for source in SOURCES {
        tell("rerun-if-changed", source);
    }
    let head = git(&["show", "--no-patch", "--format=%H %ct", "HEAD"])?;
    let (commit, time) = head.split_once(' ')?;
    let changed = git(&[&["status", "--porcelain", "--"], &SOURCES[..]].concat())?;
    let mark = if changed.is_empty() { "" } else { "-modified" };
    Some((format!("{commit}{mark}"), time.parse().ok()?))
}

/// What Git prints. `None` if it is not installed or refuses.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// The day of a time in seconds since 1970, in UTC: `2026-11-30`.
fn day(time: u64) -> String {
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (mut year, mut left) = (1970, time / 86_400);
    while left >= 365 + u64::from(is_leap(year)) {
        left -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", left + 1)
}
