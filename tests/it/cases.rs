//! `tests/cases/<command>/<case>/`: the binary run offline on files, and everything that came of it.
//!
//! `cmd` is the command line, and its last line `exit N`; `in/` is the working directory before,
//! `out/` after (left out where nothing may change); `stdin`, `stdout` and `stderr` are left out where
//! empty. `GLOO_RS_RENEW=1 cargo test generated` writes what is so now.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Sandbox;
use crate::support::generated::{HOW, renewing};

type Tree = BTreeMap<String, String>;

#[test]
fn every_case_comes_out_as_its_generated_files_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases = Vec::new();
    find(&root, &mut cases);
    assert!(cases.len() >= 20, "only {} cases were found under {}", cases.len(), root.display());
    let failures: Vec<_> = cases.iter().filter_map(|case| run(case).err()).collect();
    assert!(
        failures.is_empty(),
        "{} of {} cases differ ({HOW}):\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}

fn find(directory: &Path, cases: &mut Vec<PathBuf>) {
    if directory.join("cmd").exists() {
        cases.push(directory.to_owned());
        return;
    }
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, cases);
        }
    }
}

fn run(case: &Path) -> Result<(), String> {
    let text = |name: &str| fs::read_to_string(case.join(name)).unwrap_or_default();
    let cmd = text("cmd");
    let (line, exit) = cmd.trim_end().rsplit_once("\nexit ").expect("cmd ends with its exit code");
    let args: Vec<_> = line.split_whitespace().skip(1).collect();
    let sandbox = Sandbox::new();
    let before = read(&case.join("in"));
    for (name, content) in &before {
        sandbox.write(name, content);
    }
    let output = sandbox.run_with(&args, &text("stdin"));
    let after = read(sandbox.dir());
    if renewing() {
        fs::write(case.join("cmd"), format!("{line}\nexit {}\n", output.code.unwrap())).unwrap();
        put(&case.join("stdout"), &output.stdout);
        put(&case.join("stderr"), &timeless(&output.stderr));
        if after != before {
            for (name, content) in &after {
                put(&case.join("out").join(name), content);
            }
        }
        return Ok(());
    }
    let wanted = if case.join("out").exists() { read(&case.join("out")) } else { before };
    let code = output.code.map(|code| code.to_string()).unwrap_or_default();
    let mut differences = Vec::new();
    let stderr = timeless(&output.stderr);
    for (what, wanted, found) in [
        ("exit", exit, code.as_str()),
        ("stdout", &text("stdout"), &output.stdout),
        ("stderr", &text("stderr"), &stderr),
    ] {
        if wanted != found {
            differences.push(format!("{what}:\n{}", diff(wanted, found)));
        }
    }
    if wanted != after {
        differences.push(format!("files:\n{}", diff(&format!("{wanted:#?}"), &format!("{after:#?}"))));
    }
    if differences.is_empty() { Ok(()) } else { Err(format!("{}\n{}", case.display(), differences.join("\n"))) }
}

/// A run's time is the one thing that is never the same.
fn timeless(text: &str) -> String {
    text.lines()
        .map(|line| match line.rsplit_once(", ") {
            Some((before, time)) if time.ends_with("s)") => format!("{before}, TIME)\n"),
            _ => format!("{line}\n"),
        })
        .collect()
}

fn diff(wanted: &str, found: &str) -> String {
    similar::TextDiff::from_lines(wanted, found).unified_diff().header("wanted", "found").to_string()
}

fn put(path: &Path, content: &str) {
    if content.is_empty() {
        let _ = fs::remove_file(path);
        return;
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn read(root: &Path) -> Tree {
    let mut tree = Tree::new();
    gather(root, root, &mut tree);
    tree
}

fn gather(root: &Path, directory: &Path, tree: &mut Tree) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(root, &path, tree);
        } else {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            tree.insert(name, String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned());
        }
    }
}
