//! What surrounds the code: the rooms, the docs, the examples, the closed lists.

mod commands;
mod composed;
mod cycles;
mod defects;
mod docs;
mod environment;
mod examples;
mod files;
mod lists;
mod names;
mod panics;
mod performance;
mod printed;
mod project;
mod reference;
pub mod result;
mod rooms;
pub mod schema;
mod security;
mod terminal;
mod types;
mod wording;

use std::path::{Path, PathBuf};

/// A path of the repository.
pub fn repo(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub fn read(path: impl AsRef<Path>) -> String {
    let path = repo(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files below a folder of the repository that end so, as paths from its root, in order.
fn files_below(folder: &str, end: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![repo(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().ends_with(end) {
                found.push(path.strip_prefix(repo("")).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The README, what else stands beside it, and every page of `docs/`.
fn pages() -> Vec<String> {
    let mut pages = files_below("docs", ".md");
    pages.extend(["README.md", "CHANGELOG.md", "CONTRIBUTING.md"].map(str::to_owned));
    pages
}

/// What stands between backticks in a text.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The rows of the Markdown table under the first heading that has these words, cell by cell.
fn table(page: &str, heading: &str) -> Vec<Vec<String>> {
    let rows: Vec<_> = read(page)
        .lines()
        .skip_while(|line| !(line.starts_with('#') && line.contains(heading)))
        .skip(1)
        .take_while(|line| !line.starts_with('#'))
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect())
        .collect();
    assert!(!rows.is_empty(), "{page} has no table under {heading:?}");
    rows
}
