//! Finds the files that a home of values names: beside it, or in the repository around it. Nothing outside is read.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::files::{FileSource, LoadedFile, SourceText, find};
use crate::edit::values::{FileBase, FileReference};

/// How deep below a manifest objects are looked for, and in how many files: a manifest may be in any directory.
const DEPTH: usize = 4;
const FILES: usize = 2_000;

/// The file of a reference. `home` is the text that has the home, `directory` the one that the path may be relative to.
///
/// # Errors
/// Why it is not read.
pub(crate) fn referenced(
    reference: &FileReference,
    home: &SourceText,
    directory: Option<&SourceText>,
) -> Result<SourceText, String> {
    let roots = match reference.base {
        FileBase::Chart => return Err("it is in the chart".to_owned()),
        FileBase::Repository => roots(home),
        FileBase::Directory(_) => directory.map(beside).into_iter().flatten().take(1).collect(),
    };
    let Some((outermost, _)) = roots.last() else { return Err("stdin has no directory".to_owned()) };
    let there = roots.iter().find(|(root, _)| root.join(&reference.path).is_file());
    let Some((root, shown)) = there else { return Err("no such file".to_owned()) };
    let file = fs::canonicalize(root.join(&reference.path)).map_err(|_| "it cannot be read".to_owned())?;
    if !file.starts_with(outermost) {
        return Err("a link to a place outside".to_owned());
    }
    let text = read(&file)?;
    Ok(SourceText { name: shown.join(&reference.path).display().to_string(), ..text })
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

/// The directories from that of the text up to the root of its repository, each with its name for messages. Outside of
/// a repository only its own.
fn roots(text: &SourceText) -> Vec<(PathBuf, PathBuf)> {
    let all: Vec<_> = beside(text).collect();
    let root = all.iter().position(|(directory, _)| directory.join(".git").exists());
    all.into_iter().take(root.unwrap_or(0) + 1).collect()
}

/// The directory of a text, and all above it.
fn beside(text: &SourceText) -> impl Iterator<Item = (PathBuf, PathBuf)> {
    let typed = Path::new(&text.name).to_owned();
    let is_straight = !typed.components().any(|part| part.as_os_str() == "..");
    let file = text.file.clone().unwrap_or_default();
    let directories: Vec<_> = file.ancestors().skip(1).map(Path::to_owned).collect();
    directories.into_iter().enumerate().map(move |(depth, directory)| {
        let shown = typed.ancestors().nth(depth + 1).filter(|_| is_straight).map(Path::to_owned);
        let shown = shown.unwrap_or_else(|| directory.clone());
        (directory, shown)
    })
}

/// The manifests in the directory of a text and below it, without the files of `known`, as far as `wanted` says so.
pub(crate) fn nearby(text: &SourceText, known: &[SourceText], wanted: &dyn Fn(&str) -> bool) -> Vec<SourceText> {
    let Some((directory, shown)) = beside(text).next() else { return Vec::new() };
    let is_known = |file: &Path| known.iter().any(|text| text.file.as_deref() == Some(file));
    let read = |(file, shown): (PathBuf, PathBuf)| {
        let text = read(&file).ok().filter(|text| wanted(&text.text))?;
        Some(SourceText { name: shown.display().to_string(), ..text })
    };
    manifests(directory, shown).into_iter().filter(|(file, _)| !is_known(file)).filter_map(read).collect()
}

/// The manifests below a directory, the nearest first. Hidden directories and links are skipped.
fn manifests(directory: PathBuf, shown: PathBuf) -> Vec<(PathBuf, PathBuf)> {
    let mut found = Vec::new();
    let mut open = VecDeque::from([(directory, shown, DEPTH)]);
    while let Some((directory, shown, depth)) = open.pop_front() {
        let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
        let mut entries: Vec<_> = entries.take(FILES).collect();
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
            if found.len() >= FILES {
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

    fn in_repository(path: &str) -> FileReference {
        FileReference { path: path.to_owned(), base: FileBase::Repository }
    }

    #[test]
    fn a_file_is_found_up_to_the_root_of_the_repository_and_not_above() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        put(&root, "outside.yaml", "a: 0\n");
        put(&root, "repo/.git/HEAD", "");
        put(&root, "repo/values/gloo.yaml", "a: 1\n");
        put(&root, "repo/apps/prod/app.yaml", "b: 1\n");
        let home = text(&root, "repo/apps/prod/app.yaml");
        let found = referenced(&in_repository("values/gloo.yaml"), &home, None).unwrap();
        assert_eq!(found.text, "a: 1\n");
        assert!(referenced(&in_repository("outside.yaml"), &home, None).is_err());
        fs::remove_dir_all(root.join("repo/.git")).unwrap();
        assert!(referenced(&in_repository("values/gloo.yaml"), &home, None).is_err());
        put(&root, "repo/apps/prod/values/gloo.yaml", "a: 2\n");
        assert_eq!(referenced(&in_repository("values/gloo.yaml"), &home, None).unwrap().text, "a: 2\n");
    }

    #[test]
    fn a_link_out_of_the_repository_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        put(&root, "secret.yaml", "a: 0\n");
        put(&root, "repo/.git/HEAD", "");
        put(&root, "repo/app.yaml", "b: 1\n");
        std::os::unix::fs::symlink(root.join("secret.yaml"), root.join("repo/values.yaml")).unwrap();
        let why = referenced(&in_repository("values.yaml"), &text(&root, "repo/app.yaml"), None).unwrap_err();
        assert_eq!(why, "a link to a place outside");
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
        let found = nearby(&home, &known, &|text| text == "yes");
        let names: Vec<_> = found.iter().map(|text| text.name.rsplit('/').next().unwrap().to_owned()).collect();
        assert_eq!(names, ["b.yml", "a.yaml"]);
    }
}
