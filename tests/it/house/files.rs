//! No source file is forgotten, no dependency goes unexplained.

use std::collections::BTreeSet;

use super::{files_below, quoted, read, repo, table};

#[test]
fn every_source_file_is_a_module_of_one_above_it() {
    let mut forgotten = Vec::new();
    for file in [files_below("tests/it", ".rs"), files_below("src", ".rs")].concat() {
        let (folder, name) = file.rsplit_once('/').unwrap();
        let (folder, module) = match name {
            "main.rs" | "lib.rs" => continue,
            "mod.rs" => folder.rsplit_once('/').unwrap(),
            name => (folder, name.trim_end_matches(".rs")),
        };
        let owner = match folder {
            "tests/it" => "tests/it/main.rs".to_owned(),
            "src" => "src/lib.rs".to_owned(),
            folder if repo(format!("{folder}/mod.rs")).exists() => format!("{folder}/mod.rs"),
            folder => format!("{folder}.rs"),
        };
        let declaration = format!("mod {module};");
        let declares =
            |line: &str| matches!(line.strip_suffix(&declaration), Some("" | "pub " | "pub(super) " | "pub(crate) "));
        if !read(&owner).lines().any(declares) {
            forgotten.push(format!("{file} is not in {owner}"));
        }
    }
    assert!(forgotten.is_empty(), "{}", forgotten.join("\n"));
}

#[test]
fn every_dependency_is_explained_in_a_decision() {
    let pages: Vec<_> = files_below("docs/decisions", ".md").iter().map(read).collect();
    let explained: BTreeSet<_> = pages.iter().flat_map(|page| quoted(page)).collect();
    let manifest = read("Cargo.toml");
    let mut crates = crates(&manifest, "[dependencies]");
    crates.extend(self::crates(&manifest, "[dev-dependencies]"));
    let fuzz = read("fuzz/Cargo.toml");
    crates.extend(self::crates(&fuzz, "[dependencies]").into_iter().filter(|name| *name != "gloo-rs"));
    let unexplained: Vec<_> = crates.into_iter().filter(|name| !explained.contains(name)).collect();
    assert_eq!(unexplained, [""; 0], "docs/decisions/ does not say why these are there");
}

#[test]
fn the_lock_file_of_the_fuzz_targets_has_the_dependencies_of_this_crate() {
    let manifest = read("Cargo.toml");
    let own = |lock: &str| -> BTreeSet<String> {
        let package = lock.split("[[package]]").find(|it| it.contains("name = \"gloo-rs\"\n")).unwrap();
        let listed = package.split_once("dependencies = [").unwrap().1.lines();
        listed.filter_map(|line| line.trim().strip_prefix('"')?.split([' ', '"']).next().map(str::to_owned)).collect()
    };
    let for_tests: BTreeSet<_> = crates(&manifest, "[dev-dependencies]").into_iter().collect();
    let for_use: BTreeSet<_> = crates(&manifest, "[dependencies]").into_iter().collect();
    let mut wanted = own(&read("Cargo.lock"));
    wanted.retain(|name| for_use.contains(name.as_str()) || !for_tests.contains(name.as_str()));
    assert!(wanted.len() > 20, "{wanted:?}");
    assert_eq!(own(&read("fuzz/Cargo.lock")), wanted, "in fuzz/: cargo update --workspace");
}

#[test]
fn no_dependency_lies_idle() {
    // Of k8s-openapi only the API level is chosen: docs/decisions/003-json-values.md
    const CHOSEN_FOR_KUBE: &str = "k8s-openapi";
    let sources: String = files_below("src", ".rs").iter().map(read).collect();
    let manifest = read("Cargo.toml");
    let idle: Vec<_> = crates(&manifest, "[dependencies]")
        .into_iter()
        .filter(|name| *name != CHOSEN_FOR_KUBE && !sources.contains(&format!("{}::", name.replace('-', "_"))))
        .collect();
    assert_eq!(idle, [""; 0], "nothing in src/ names these");
}

#[test]
fn every_fuzz_target_is_listed_documented_and_has_seeds() {
    let name = |file: &String| file.trim_start_matches("src/fuzzing/").trim_end_matches(".rs").to_owned();
    let targets: Vec<_> = files_below("src/fuzzing", ".rs").iter().map(name).filter(|name| name != "mod").collect();
    let listed = read("src/fuzzing/mod.rs");
    let listed: Vec<_> = listed.lines().filter_map(|line| line.strip_prefix("    (\"")?.split_once('"')).collect();
    let documented: Vec<_> =
        table("docs/testing.md", "Fuzzing").iter().map(|row| row[0].trim_matches('`').to_owned()).collect();
    let seeds: BTreeSet<_> =
        files_below("fuzz/seeds", "").iter().filter_map(|file| Some(file.split('/').nth(2)?.to_owned())).collect();
    assert_eq!(listed.iter().map(|(name, _)| *name).collect::<Vec<_>>(), targets);
    assert_eq!(documented, targets);
    assert_eq!(seeds.into_iter().collect::<Vec<_>>(), targets);
}

fn crates<'m>(manifest: &'m str, section: &str) -> Vec<&'m str> {
    let lines = manifest.lines().skip_while(|line| *line != section).skip(1).take_while(|line| !line.starts_with('['));
    let names: Vec<_> = lines.filter_map(|line| Some(line.split_once('=')?.0.trim())).collect();
    assert!(names.len() > 1, "{section}: {names:?}");
    names
}

#[test]
fn decisions_are_numbered_without_a_gap() {
    for (index, page) in files_below("docs/decisions", ".md").iter().enumerate() {
        assert!(page.starts_with(&format!("docs/decisions/{:03}-", index + 1)), "{page}");
    }
}
