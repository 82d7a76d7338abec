//! Each defect of glooctl that `docs/from-glooctl.md` lists is held away by the tests that it names.

use super::{files_below, quoted, read, table};

const PAGE: &str = "docs/from-glooctl.md";
const HEADING: &str = "defects";

/// Whether there is a test of this name.
fn is_test(name: &str) -> bool {
    let sources = ["src", "tests/it"].into_iter().flat_map(|folder| files_below(folder, ".rs"));
    sources.map(read).any(|source| has_test(&source, name))
}

/// Whether a source has a test of this name: a function with the attribute right above it.
pub(super) fn has_test(source: &str, name: &str) -> bool {
    source.match_indices(&format!("fn {name}(")).any(|(at, _)| {
        let mut above = source[..at].lines().rev().map(str::trim).skip_while(|line| !line.starts_with("#["));
        let between = source[..at].lines().rev().take_while(|line| !line.trim().starts_with("#[")).count();
        between <= 1 && above.any(|line| matches!(line, "#[test]" | "#[tokio::test]"))
    })
}

#[test]
fn every_defect_has_a_test_that_is_there() {
    let rows = table(PAGE, HEADING);
    let numbers: Vec<_> = rows.iter().map(|row| row[0].trim_start_matches("| ").to_owned()).collect();
    assert_eq!(numbers, (1..=32).map(|number| format!("D{number}")).collect::<Vec<_>>());
    let mut missing = Vec::new();
    for row in &rows {
        let tests = quoted(row.last().expect("a row has cells"));
        let is_argued = row.last().is_some_and(|cell| cell.starts_with("none: "));
        if tests.is_empty() && !is_argued {
            missing.push(format!("{}: no test", row[0]));
        }
        missing.extend(tests.into_iter().filter(|test| !is_test(test)).map(|test| format!("{}: {test}", row[0])));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn a_function_without_the_attribute_is_no_test() {
    assert!(is_test("a_function_without_the_attribute_is_no_test"));
    assert!(!is_test("is_test") && !is_test("no_such_test"));
}
