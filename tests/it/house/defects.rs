//! Each defect of glooctl that `docs/from-glooctl.md` lists is held away by the tests that it names.

use super::{files_below, quoted, read, table};

const PAGE: &str = "docs/from-glooctl.md";
const HEADING: &str = "defects";

/// Whether a test of this name is written down: the functions below a `#[test]` of this crate.
fn is_test(name: &str) -> bool {
    let sources = ["src", "tests/it"].into_iter().flat_map(|folder| files_below(folder, ".rs"));
    let line = format!("fn {name}(");
    sources.map(read).any(|source| {
        source.match_indices(&line).any(|(at, _)| {
            let before = source[..at].rsplit("\n\n").next().unwrap_or_default();
            before.contains("#[test]")
        })
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
