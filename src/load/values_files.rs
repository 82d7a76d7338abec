//! Finds the files that a home of values names: beside it, or in the repository around it. Nothing outside is read.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::chart;
use super::files::{FileSource, LoadedFile, SourceText, find};
use crate::edit::values;
use crate::file;
use crate::plan::values::NamedChart;

/// How deep below a manifest objects are looked for, and in how many files: a manifest may be in any directory.
const DEPTH: usize = 4;
const FILES: usize = 2_000;
/// How many entries of one directory are looked at.
const ENTRIES: usize = 100_000;

/// A directory on the disk, with its name for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedDirectory {
    pub path: PathBuf,
    pub shown: PathBuf,
}

/// The clone of a repository that has a manifest. Outside of one, the directory of the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GitClone {
    pub root: NamedDirectory,
    /// The URLs of its remotes.
    pub remotes: Vec<String>,
}

/// The file at this path in a directory.
///
/// # Errors
/// Why it is not read.
pub(crate) fn in_directory(path: &str, directory: &NamedDirectory) -> Result<SourceText, String> {
    let file = directory.path.join(path);
    if !file.is_file() {
        return Err("no such file".to_owned());
    }
    let file = fs::canonicalize(file).map_err(|_| "it cannot be read".to_owned())?;
    if !file.starts_with(&directory.path) {
        return Err("a link to a place outside".to_owned());
    }
    let text = read(&file)?;
    Ok(SourceText { name: directory.shown.join(path).display().to_string(), ..text })
}

/// The chart in a directory of another one.
///
/// # Errors
/// It is not there, or cannot be read.
pub(crate) fn chart_in(path: &str, directory: &NamedDirectory) -> Result<NamedChart, String> {
    let below = NamedDirectory { path: directory.path.join(path), shown: directory.shown.join(path) };
    let real = fs::canonicalize(&below.path).map_err(|_| "no such directory".to_owned())?;
    if !real.starts_with(&directory.path) {
        return Err("a link to a place outside".to_owned());
    }
    let found = chart::in_directory(&below.path, &below.shown).map_err(|failure| failure.message)?;
    found.ok_or_else(|| "it has no Chart.yaml".to_owned())
}

fn read(file: &Path) -> Result<SourceText, String> {
    let mut inputs = find(&[FileSource::Path(file.to_owned())]).map_err(|failure| failure.message)?;
    match inputs.next(&mut io::empty()) {
        Some(Ok(LoadedFile::Text(text))) => Ok(text),
        Some(Ok(LoadedFile::Encrypted { by, .. })) => Err(by.to_string()),
        Some(Ok(LoadedFile::PassedOver { why, .. } | LoadedFile::Refused { why, .. })) => Err(why),
        Some(Err(failure)) => Err(failure.message),
        None => Err("no such file".to_owned()),
    }
}

/// The clone around a text. `None` for stdin.
pub(crate) fn clone_around(text: &SourceText) -> Option<GitClone> {
    let all: Vec<_> = beside(text).collect();
    let root = all.iter().find(|directory| directory.path.join(".git").exists());
    let remotes = root.and_then(|root| configuration(&root.path.join(".git"))).unwrap_or_default();
    let root = root.or(all.first())?.clone();
    Some(GitClone { root, remotes: values::remotes(&remotes) })
}

/// The text of a clone's configuration. In a worktree and in a submodule, `.git` is a file that names the directory.
fn configuration(git: &Path) -> Option<String> {
    if git.is_dir() {
        return file::text(&git.join("config")).ok();
    }
    let named = |text: String, from: &Path| from.join(text.trim());
    let text = file::text(git).ok()?;
    let directory = named(text.strip_prefix("gitdir:")?.to_owned(), git.parent()?);
    // A worktree has the configuration of the clone that it belongs to.
    let common = file::text(&directory.join("commondir")).ok().map(|text| named(text, &directory));
    file::text(&common.unwrap_or(directory).join("config")).ok()
}

/// The directory of a text. `None` for stdin.
pub(crate) fn directory_of(text: &SourceText) -> Option<NamedDirectory> {
    beside(text).next()
}

/// The directory of a text, and all above it.
fn beside(text: &SourceText) -> impl Iterator<Item = NamedDirectory> {
    let typed = Path::new(&text.name).to_owned();
    let is_straight = !typed.components().any(|part| part.as_os_str() == "..");
    let file = text.file.clone().unwrap_or_default();
    let directories: Vec<_> = file.ancestors().skip(1).map(Path::to_owned).collect();
    directories.into_iter().enumerate().map(move |(depth, path)| {
        let shown = typed.ancestors().nth(depth + 1).filter(|_| is_straight).map(Path::to_owned);
        let shown = shown.unwrap_or_else(|| path.clone());
        NamedDirectory { path, shown }
    })
}

/// The manifests around a text.
#[derive(Default)]
pub(crate) struct Surrounding {
    pub texts: Vec<SourceText>,
    /// How many manifests were looked at, if there are more.
    pub limited_to: Option<usize>,
}

/// The manifests in the directory of a text and below it, without the files of `known`, as far as `wanted` says so.
pub(crate) fn nearby(text: &SourceText, known: &[SourceText], wanted: &dyn Fn(&str) -> bool) -> Surrounding {
    let Some(NamedDirectory { path, shown }) = directory_of(text) else { return Surrounding::default() };
    let is_known = |file: &Path| known.iter().any(|text| text.file.as_deref() == Some(file));
    let read = |(file, shown): (PathBuf, PathBuf)| {
        let text = read(&file).ok().filter(|text| wanted(&text.text))?;
        Some(SourceText { name: shown.display().to_string(), ..text })
    };
    let mut files = manifests(path, shown);
    let limited_to = (files.len() > FILES).then_some(FILES);
    files.truncate(FILES);
    let texts = files.into_iter().filter(|(file, _)| !is_known(file)).filter_map(read).collect();
    Surrounding { texts, limited_to }
}

/// The manifests below a directory, the nearest first, and at most one more than are read. Hidden directories and links
/// are skipped.
fn manifests(directory: PathBuf, shown: PathBuf) -> Vec<(PathBuf, PathBuf)> {
    let mut found = Vec::new();
    let mut open = VecDeque::from([(directory, shown, DEPTH)]);
    while let Some((directory, shown, depth)) = open.pop_front() {
        let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
        let mut entries: Vec<_> = entries.take(ENTRIES).collect();
        entries.sort_unstable_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name();
            let is_hidden = name.to_string_lossy().starts_with('.');
            let is_manifest = matches!(entry.path().extension().and_then(|end| end.to_str()), Some("yaml" | "yml"));
            if kind.is_dir() && !is_hidden && depth > 0 {
                open.push_back((entry.path(), shown.join(&name), depth - 1));
            } else if kind.is_file() && (is_manifest || name == "Kustomization") {
                found.push((entry.path(), shown.join(&name)));
            }
            if found.len() > FILES {
                return found;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(root: &Path, name: &str) -> SourceText {
        let file = root.join(name);
        read(&file).unwrap_or_else(|why| panic!("{name}: {why}"))
    }

    fn put(root: &Path, name: &str, text: &str) {
        let file = root.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    #[test]
    fn a_file_is_read_at_the_root_of_the_clone_and_nowhere_else() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        put(&root, "repo/.git/config", "[remote \"origin\"]\n\turl = git@h:a/b.git\n");
        put(&root, "repo/values/gloo.yaml", "a: 1\n");
        // The nearest directory has a file of the same path, which is another one.
        put(&root, "repo/apps/prod/values/gloo.yaml", "a: 2\n");
        put(&root, "repo/apps/prod/app.yaml", "b: 1\n");
        let home = text(&root, "repo/apps/prod/app.yaml");
        let clone = clone_around(&home).unwrap();
        assert_eq!(clone.remotes, ["git@h:a/b.git"]);
        assert_eq!(in_directory("values/gloo.yaml", &clone.root).unwrap().text, "a: 1\n");
        fs::remove_dir_all(root.join("repo/.git")).unwrap();
        let outside = clone_around(&home).unwrap();
        assert!(outside.remotes.is_empty());
        assert_eq!(in_directory("values/gloo.yaml", &outside.root).unwrap().text, "a: 2\n");
    }

    #[test]
    fn a_worktree_has_the_remotes_of_its_clone_and_a_submodule_its_own() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        put(&root, "main/.git/config", "[remote \"origin\"]\nurl = https://h/main\n");
        put(&root, "main/.git/worktrees/w/commondir", "../..\n");
        put(&root, "w/.git", &format!("gitdir: {}/main/.git/worktrees/w\n", root.display()));
        put(&root, "main/.git/modules/s/config", "[remote \"origin\"]\nurl = https://h/s\n");
        put(&root, "main/s/.git", "gitdir: ../.git/modules/s\n");
        put(&root, "broken/.git", "nothing\n");
        for (directory, remotes) in [("w", vec!["https://h/main"]), ("main/s", vec!["https://h/s"]), ("broken", vec![])]
        {
            put(&root, &format!("{directory}/apps/app.yaml"), "b: 1\n");
            let clone = clone_around(&text(&root, &format!("{directory}/apps/app.yaml"))).unwrap();
            assert_eq!(
                (clone.remotes, clone.root.path),
                (remotes.into_iter().map(str::to_owned).collect(), root.join(directory))
            );
        }
    }

    #[test]
    fn a_link_out_of_the_repository_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        put(&root, "secret.yaml", "a: 0\n");
        put(&root, "chart/Chart.yaml", "name: gloo\n");
        put(&root, "repo/.git/HEAD", "");
        put(&root, "repo/app.yaml", "b: 1\n");
        std::os::unix::fs::symlink(root.join("secret.yaml"), root.join("repo/values.yaml")).unwrap();
        std::os::unix::fs::symlink(root.join("chart"), root.join("repo/chart")).unwrap();
        let clone = clone_around(&text(&root, "repo/app.yaml")).unwrap();
        assert_eq!(in_directory("values.yaml", &clone.root).unwrap_err(), "a link to a place outside");
        assert_eq!(in_directory("../secret.yaml", &clone.root).unwrap_err(), "a link to a place outside");
        assert_eq!(chart_in("chart", &clone.root).unwrap_err(), "a link to a place outside");
    }

    #[test]
    fn manifests_nearby_are_those_that_are_wanted() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        for (name, content) in [("hr.yaml", "x"), ("maps/a.yaml", "yes"), ("b.yml", "yes"), (".git/c.yaml", "yes")] {
            put(&root, name, content);
        }
        let home = text(&root, "hr.yaml");
        let known = [home.clone()];
        let found = nearby(&home, &known, &|text| text == "yes").texts;
        let names: Vec<_> = found.iter().map(|text| text.name.rsplit('/').next().unwrap().to_owned()).collect();
        assert_eq!(names, ["b.yml", "a.yaml"]);
    }

    #[test]
    fn more_manifests_than_are_read_are_told() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        put(&root, "home.yaml", "a: 1\n");
        (1..FILES).for_each(|number| put(&root, &format!("d/{number}.yaml"), "yes"));
        let home = text(&root, "home.yaml");
        let limited_to = || nearby(&home, std::slice::from_ref(&home), &|_| false).limited_to;
        assert_eq!(limited_to(), None);
        put(&root, "d/more.yaml", "yes");
        assert_eq!(limited_to(), Some(FILES));
    }
}
