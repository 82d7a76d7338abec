//! The archive: what is in it, and that nothing but its contents decides its bytes.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use super::{ROOT, TIME, dist, name, release, scratch, static_program, succeeds, unpacked};
use crate::house::read;

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap())).collect()
}

#[test]
fn two_runs_give_the_same_bytes() {
    let (first, second) = (scratch("first"), scratch("second"));
    // Neither the time, nor the owner, nor the mode of a file is that of the machine.
    let copy = second.join("copy");
    std::fs::copy(static_program(), &copy).unwrap();
    for (binary, out) in [(static_program(), first.clone()), (&copy, second.join("out"))] {
        let output = release(binary, &out);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let (first, second) = (contents(&first), contents(&second.join("out")));
    assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    assert!(first.contains_key("SHA256SUMS") && first.len() >= 6, "{:?}", first.keys());
    for (file, bytes) in first {
        assert!(second[&file] == bytes, "{file} differs");
    }
}

#[test]
fn a_program_that_needs_a_loader_is_not_packed() {
    let out = scratch("dynamic");
    let output = release(env!("CARGO_BIN_EXE_gloo-rs").as_ref(), &out);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), contents(&out).len()), (Some(1), 0), "{stderr}");
    assert!(stderr.starts_with("error: ") && !stderr.contains("Traceback"), "{stderr}");
}

#[test]
fn an_address_that_a_script_would_read_otherwise_is_refused() {
    for url in ["http://downloads.example", "https://downloads.example/$(x)", "https://a' b"] {
        let out = scratch("address");
        let mut command = Command::new("python3");
        command.args(["scripts/release", "--index", "--url", url, "--out"]).arg(&out).current_dir(ROOT);
        let output = command.output().unwrap();
        assert_eq!((output.status.code(), contents(&out).len()), (Some(1), 0), "{url}: {output:?}");
    }
}

#[test]
fn the_archive_has_everything_that_is_installed() {
    let place = scratch("contents");
    let top = unpacked(&place);
    let same = |packed: &str, source: &str| {
        assert_eq!(std::fs::read_to_string(top.join(packed)).unwrap(), read(source), "{packed}");
    };
    for file in ["LICENSE", "README.md", "CHANGELOG.md"] {
        same(file, file);
    }
    let mut found = 0;
    for (packed, source) in [("completions", "completions"), ("man/man1", "docs/man")] {
        for file in contents(&Path::new(ROOT).join(source)).keys() {
            same(&format!("{packed}/{file}"), &format!("{source}/{file}"));
            found += 1;
        }
    }
    assert!(found > 40, "{found}");
    let notices = std::fs::read_to_string(top.join("THIRD-PARTY-LICENSES")).unwrap();
    for linked in ["kube-client ", "ring ", "serde-saphyr "] {
        assert!(notices.lines().any(|line| line.starts_with(linked)), "{linked}");
    }
    assert!(!notices.lines().any(|line| line.starts_with("proptest ")), "a crate of the tests is not linked");
    // krew refuses an archive with a link.
    let [program, plugin] = ["gloo-rs", "kubectl-gloo"].map(|file| top.join(file));
    assert!(std::fs::read(&program).unwrap() == std::fs::read(&plugin).unwrap());
    for file in [program, plugin] {
        let metadata = file.symlink_metadata().unwrap();
        assert!(metadata.is_file() && metadata.nlink() == 1 && metadata.mode() & 0o777 == 0o755, "{}", file.display());
    }
}

#[test]
fn every_entry_is_roots_and_of_the_time_that_was_told() {
    // That of a finished release is its commit's.
    if std::env::var_os("GLOO_RS_TEST_DIST").is_none() {
        let mut tar = Command::new("tar");
        tar.args(["--numeric-owner", "--full-time", "--utc", "-tvzf"]).arg(dist().join(name() + ".tar.gz"));
        let listed = succeeds(&mut tar);
        assert_eq!(TIME, "1767225600");
        for line in listed.lines() {
            assert!(line.contains(" 0/0 ") && line.contains(" 2026-01-01 00:00:00 "), "{line}");
        }
        let names: Vec<_> =
            listed.lines().filter_map(|line| line.split(' ').find(|it| it.contains('/') && *it != "0/0")).collect();
        assert!(names.is_sorted() && names.len() > 45, "{names:?}");
    }
}
