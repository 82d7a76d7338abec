//! `examples/gitops/`: the files that the examples of `docs/gitops.md` use, so that they can be tried as they are.

use std::collections::BTreeMap;

use super::{files_below, read};
use crate::support::generated::assert_up_to_date;

const PAGE: &str = "docs/gitops.md";
const FOLDER: &str = "examples/gitops";

/// Each block of the page that begins with the name of a file, by that name.
fn blocks() -> BTreeMap<String, String> {
    let page = read(PAGE);
    let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let named = blocks.filter_map(|block| {
        let name = block.lines().next()?.strip_prefix("# ")?.strip_suffix(".yaml")?;
        Some((format!("{FOLDER}/{name}.yaml"), block.to_owned()))
    });
    named.collect()
}

#[test]
fn the_generated_examples_are_those_of_the_page() {
    let blocks = blocks();
    assert!(blocks.len() > 8, "{:?}", blocks.keys());
    for (path, text) in &blocks {
        assert_up_to_date(path, text);
    }
    assert_eq!(files_below(FOLDER, ".yaml"), blocks.keys().cloned().collect::<Vec<_>>(), "{FOLDER}");
}
