//! The files of the project: changelog, workflows, scripts, what the page of supported versions claims.

use std::path::Path;
use std::process::Command;

use super::{files_below, read, repo, table};
use crate::stage::{kubernetes_version, tools};

#[test]
fn the_top_of_the_changelog_is_the_version() {
    let changelog = read("CHANGELOG.md");
    let top = changelog.lines().find_map(|line| line.strip_prefix("## ")).expect("a version");
    assert_eq!(top.split(' ').next(), Some(env!("CARGO_PKG_VERSION")));
}

/// Prints what a checker found, and fails if it found something.
#[track_caller]
fn finds_nothing(checker: &Path, args: &[&str]) {
    let output = Command::new(checker).args(args).current_dir(repo("")).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{} {args:?}:\n{said}", checker.display());
}

/// A faulty file that a checker has to find, so that it is known to check.
#[track_caller]
fn finds(checker: &Path, args: &[&str], name: &str, faulty: &str) {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join(".github/workflows").join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::create_dir(place.path().join(".git")).unwrap();
    std::fs::write(&file, faulty).unwrap();
    let output = Command::new(checker).args(args).arg(&file).current_dir(place.path()).output().unwrap();
    assert!(matches!(output.status.code(), Some(1..)), "{} did not find {faulty:?}", checker.display());
}

#[test]
fn zizmor_finds_nothing_in_the_workflows() {
    const ARGS: [&str; 3] = ["--offline", "--pedantic", "--no-progress"];
    let zizmor = tools::zizmor();
    finds_nothing(zizmor, &[&ARGS[..], &[".github", "action.yml"]].concat());
    let unpinned = "on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - uses: actions/checkout@v4\n";
    finds(zizmor, &ARGS, "a.yml", unpinned);
}

#[test]
fn actionlint_and_shellcheck_find_nothing() {
    let (actionlint, shellcheck) = (tools::actionlint(), tools::shellcheck());
    let with = format!("-shellcheck={}", shellcheck.display());
    let workflows = files_below(".github/workflows", ".yml");
    assert!(workflows.len() >= 2, "{workflows:?}");
    let files: Vec<_> = workflows.iter().map(String::as_str).collect();
    finds_nothing(actionlint, &[&[with.as_str(), "-pyflakes="], &files[..]].concat());
    finds(actionlint, &[&with], "a.yml", "on: push\njobs:\n  a:\n    runs-on: no-such-runner\n    steps: []\n");

    finds_nothing(shellcheck, &["install.sh", "scripts/action", "scripts/reproduce", ".ci/run"]);
    finds(shellcheck, &[], "a.sh", "#!/bin/sh\nrm -rf $1\n");
}

#[test]
fn every_action_is_pinned_to_a_commit_and_says_its_version() {
    let workflows = files_below(".github/workflows", ".yml");
    for file in &workflows {
        assert!(read(file).contains("\npermissions: {}\n"), "{file} gives every job permissions");
    }
    for file in workflows.into_iter().chain(["action.yml".to_owned()]) {
        let text = read(&file);
        for line in text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: ")) {
            let (_, pin) = line.split_once('@').expect("a version");
            let (commit, version) = pin.split_once(" # v").unwrap_or_else(|| panic!("{file}: {line}"));
            let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(is_commit && version.starts_with(|c: char| c.is_ascii_digit()), "{file}: {line}");
        }
    }
}

#[test]
fn what_the_page_says_was_run_is_what_the_stage_runs() {
    let rows = table("docs/support.md", "What is supported");
    let run = |what: &str| rows.iter().find(|row| row[0] == what).unwrap_or_else(|| panic!("{what}"))[2].clone();
    let has = |what: &str, version: &str| assert!(run(what).contains(version), "{what}: {version}: {}", run(what));
    has("Kubernetes", kubernetes_version().trim_start_matches('v'));
    for (what, file) in
        [("Helm", "tests/stage/helm.rs"), ("Envoy", "tests/stage/envoy.rs"), ("kubectl", "tests/stage/tools.rs")]
    {
        let source = read(file);
        let end = if what == "kubectl" { 1 } else { 2 };
        let package = source.split("version: \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a package");
        has(what, &package.split('.').take(end + 1).collect::<Vec<_>>().join("."));
    }
    let pinned = |module: &str, file: &str| {
        let text = read(file);
        let line = text.lines().find_map(|line| line.trim().strip_prefix(module)).expect("a module");
        line.trim().trim_start_matches('v').split(' ').next().unwrap().to_owned()
    };
    has("Helm", &pinned("helm.sh/helm/v4 ", "tests/helm4/go.mod"));
    has("Kubernetes", &pinned("sigs.k8s.io/kwok ", "tests/cluster/go.mod"));
}
