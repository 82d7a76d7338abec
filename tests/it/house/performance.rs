//! The figures on the page are those of the JSON that the bench wrote.

use serde_json::Value;

use super::{read, repo};
use crate::support::generated::{HOW, renewing};

#[path = "../../../benches/whole/page.rs"]
mod page;
#[path = "../../../benches/whole/picture.rs"]
mod picture;

const PAGE: &str = "docs/performance.md";
const PICTURE: &str = "docs/performance.svg";

#[test]
fn the_generated_figures_of_the_docs_are_those_that_were_measured() {
    let report: Value = serde_json::from_str(&read("docs/performance.json")).unwrap();
    let renewed = page::renewed(&read(PAGE), &report).expect("the page has all of its marks");
    if renewing() {
        std::fs::write(repo(PAGE), &renewed).unwrap();
        std::fs::write(repo(PICTURE), picture::draw(&report)).unwrap();
    }
    assert!(read(PAGE) == renewed, "{PAGE} is stale: {HOW}");
    let binary = page::table(&report);
    assert!(binary.contains("the binary: "), "{binary}");
}
