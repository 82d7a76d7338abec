//! Which room may name what: the tables of `docs/architecture.md`, held against every file of `src/`.

use super::names::{breaks, named};
use super::{files_below, quoted, read, repo, table};

const PAGE: &str = "docs/architecture.md";

struct Room {
    paths: Vec<String>,
    banned: Vec<String>,
}

impl Room {
    fn holds(&self, file: &str) -> bool {
        self.paths.iter().any(|path| file == path || (path.ends_with('/') && file.starts_with(path.as_str())))
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// What a pure room may not name: the list after `**pure**`.
fn impure() -> Vec<String> {
    let page = read(PAGE);
    let (_, list) = page.split_once("**Pure** names none of").expect("the page says what pure is");
    let (list, _) = list.split_once("\n\n").expect("a paragraph ends");
    owned(&quoted(list))
}

/// The first table: a room, what it owns, what it may not name.
fn rooms() -> Vec<Room> {
    let rooms = table(PAGE, "The rooms").into_iter().map(|row| {
        let mut banned = owned(&quoted(&row[2]));
        if row[2].contains("pure") {
            banned.extend(impure());
        }
        Room { paths: owned(&quoted(&row[0])), banned }
    });
    rooms.collect()
}

/// `src/plan/mtls.rs` is `crate::plan::mtls`.
fn module(file: &str) -> String {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    match path {
        "lib" => "crate".to_owned(),
        path => format!("crate::{}", path.replace('/', "::")),
    }
}

#[test]
fn every_file_is_in_one_room_and_names_nothing_it_may_not() {
    let rooms = rooms();
    let mut broken = Vec::new();
    for file in files_below("src", ".rs") {
        let holding: Vec<_> = rooms.iter().filter(|room| room.holds(&file)).collect();
        let [room] = holding.as_slice() else {
            broken.push(format!("{file} is in {} rooms of {PAGE}", holding.len()));
            continue;
        };
        for name in named(&read(&file), &module(&file)) {
            if let Some(ban) = room.banned.iter().find(|ban| breaks(&name, ban)) {
                broken.push(format!("{file} names {name}: its room may not name {ban}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn what_has_one_owner_is_named_by_no_other() {
    let mut broken = Vec::new();
    let owner = |row: Vec<String>| Room { paths: owned(&quoted(&row[1])), banned: owned(&quoted(&row[0])) };
    let owners: Vec<_> = table(PAGE, "One owner").into_iter().map(owner).collect();
    for file in files_below("src", ".rs") {
        let names = named(&read(&file), &module(&file));
        for owner in owners.iter().filter(|owner| !owner.holds(&file)) {
            for name in &names {
                if let Some(ban) = owner.banned.iter().find(|ban| breaks(name, ban)) {
                    broken.push(format!("{file} names {name}: {ban} belongs to {}", owner.paths.join(", ")));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_rooms_that_decide_are_pure() {
    let impure = impure();
    for what in ["kube", "tokio", "clap", "std::fs", "std::env", "std::process", "std::io", "std::time::Instant"] {
        assert!(impure.iter().any(|word| word == what), "pure no longer keeps {what} out");
    }
    for file in ["src/model/mod.rs", "src/plan/mod.rs", "src/edit/mod.rs", "src/render/mod.rs"] {
        let room = rooms().into_iter().find(|room| room.holds(file)).unwrap();
        assert!(impure.iter().all(|word| room.banned.contains(word)), "the room of {file} is no longer pure");
    }
}

#[test]
fn every_room_of_the_page_is_there() {
    for room in rooms() {
        for path in room.paths {
            assert!(repo(&path).exists(), "{path}");
        }
    }
}
