//! What the docs name is there.

use std::collections::BTreeSet;
use std::path::Path;

use super::{pages, quoted, read, repo};

/// The text without its fenced blocks.
fn prose(page: &str) -> String {
    let mut inside = false;
    let text = read(page);
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether a word in backticks is a path of the repository: its first part is there, or its ending is a file's.
fn is_path(word: &str) -> bool {
    const ENDS: [&str; 7] = ["rs", "md", "toml", "json", "yaml", "sh", "lock"];
    if word.contains([' ', '<', '$', '~', ':', '*', '('])
        || word.starts_with(['/', '-', '.']) && !word.starts_with(".ci/")
    {
        return false;
    }
    let first = word.split('/').next().unwrap_or_default();
    let of_the_repo = word.contains('/') && repo(first).is_dir() && !first.is_empty();
    of_the_repo || Path::new(word).extension().is_some_and(|end| ENDS.iter().any(|known| end == *known))
}

#[test]
fn every_path_that_a_page_names_is_there() {
    let mut missing = Vec::new();
    let mut seen = 0;
    for page in pages() {
        let prose = prose(&page);
        for word in quoted(&prose).into_iter().filter(|word| is_path(word)) {
            seen += 1;
            if !repo(word).exists() {
                missing.push(format!("{page}: {word}"));
            }
        }
    }
    assert!(seen > 30, "only {seen} paths were found");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let prose = prose(&page);
        let folder = Path::new(&page).parent().unwrap();
        for link in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            if !link.contains("://") && !path.is_empty() && !repo(folder.join(path)).exists() {
                broken.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The pages that a page links, as paths from the root.
fn linked(page: &str) -> BTreeSet<String> {
    let folder = Path::new(page).parent().unwrap();
    let text = prose(page);
    let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    links.filter_map(|link| Some(repo(folder.join(link)).canonicalize().ok()?.to_str()?.to_owned())).collect()
}

#[test]
fn every_page_is_linked_from_the_index_of_the_docs() {
    let full = |page: &str| repo(page).canonicalize().unwrap().to_str().unwrap().to_owned();
    let index = linked("docs/README.md");
    assert!(linked("README.md").contains(&full("docs/README.md")));
    let commands: BTreeSet<_> =
        pages().iter().filter(|page| page.starts_with("docs/commands/")).flat_map(|page| linked(page)).collect();
    let outside = ["README.md", "docs/README.md"];
    for page in pages().iter().filter(|page| !outside.contains(&page.as_str())) {
        assert!(index.contains(&full(page)) || commands.contains(&full(page)), "{page}");
    }
    for part in ["## Learn", "## Look up", "## Contribute"] {
        assert!(read("docs/README.md").contains(part), "{part}");
    }
}

#[test]
fn fenced_blocks_and_commands_are_no_paths() {
    for word in ["src/plan/", "README.md", ".ci/run", "docs/testing.md"] {
        assert!(is_path(word), "{word}");
    }
    for word in ["gloo-rs proxy url", "NAMESPACE/NAME", "--yes", "src/cli/<noun>/<verb>.rs", "crate::plan", "v1"] {
        assert!(!is_path(word), "{word}");
    }
}
