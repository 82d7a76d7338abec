//! Each test that the threat model names is there, in the module that it names, and so is each limit.

use super::defects::has_test;
use super::{quoted, read, repo, table};

const PAGE: &str = "docs/security.md";

/// The files in which a test of this module path may stand: `a::tests` also stands at the end of `a.rs`.
fn places(root: &str, module: &str) -> Vec<String> {
    let outer = module.strip_suffix("::tests").unwrap_or(module);
    let paths = [module, outer].map(|module| module.replace("::", "/"));
    paths.iter().flat_map(|path| [format!("{root}/{path}.rs"), format!("{root}/{path}/mod.rs")]).collect()
}

/// Whether `it a::b::name` or `lib a::tests::name` is a test.
fn is_there(word: &str) -> bool {
    let Some((kind, path)) = word.split_once(' ') else { return false };
    let root = if kind == "it" { "tests/it" } else { "src" };
    let Some((module, name)) = path.rsplit_once("::") else { return false };
    places(root, module).iter().any(|file| repo(file).is_file() && has_test(&read(file), name))
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let page = read(PAGE);
    let is_test_name = |word: &&str| ["it ", "lib "].iter().any(|kind| word.starts_with(kind)) && word.contains("::");
    let named: Vec<_> = quoted(&page).into_iter().filter(is_test_name).collect();
    assert!(named.len() > 50, "only {} tests were found", named.len());
    let missing: Vec<_> = named.into_iter().filter(|word| !is_there(word)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_limit_is_a_constant_of_its_file() {
    for row in table(PAGE, "Limits") {
        let words = quoted(&row[2]);
        let (file, constants) = words.split_last().expect("a row names a file");
        let source = read(file);
        for constant in constants {
            assert!(source.contains(&format!("const {constant}: ")), "{file} has no {constant}");
        }
    }
}

#[test]
fn a_name_without_its_test_or_in_another_module_is_not_there() {
    assert!(is_there("it house::security::every_limit_is_a_constant_of_its_file"));
    assert!(is_there("lib command::tests::a_name_with_a_leading_dash_is_never_a_flag"));
    for word in ["it house::security::is_there", "it house::docs::every_limit_is_a_constant_of_its_file", "it x"] {
        assert!(!is_there(word), "{word}");
    }
}
