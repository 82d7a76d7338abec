//! The page and the picture of the figures are those of the JSON that the bench wrote.

use serde_json::Value;

use super::{read, repo};

#[path = "../../../benches/whole/page.rs"]
mod page;
#[path = "../../../benches/whole/picture.rs"]
mod picture;

const PAGE: &str = "docs/performance.md";
const PICTURE: &str = "docs/performance.svg";

#[test]
fn the_figures_of_the_docs_are_those_that_were_measured() {
    let report: Value = serde_json::from_str(&read("docs/performance.json")).unwrap();
    let renewed = page::renewed(&read(PAGE), &report).expect("the page has all of its marks");
    let drawn = picture::draw(&report);
    if std::env::var_os("GLOO_RS_UPDATE_DOCS").is_some() {
        std::fs::write(repo(PAGE), &renewed).unwrap();
        std::fs::write(repo(PICTURE), &drawn).unwrap();
    }
    let how = "GLOO_RS_UPDATE_DOCS=1 cargo test --locked --test it house::performance";
    assert!(read(PAGE) == renewed, "{PAGE} is stale: {how}");
    assert!(read(PICTURE) == drawn, "{PICTURE} is stale: {how}");
    let binary = page::table(&report);
    assert!(binary.contains("the binary: "), "{binary}");
}
