//! The table in files: what they can tell is found, and of what they cannot nothing is claimed.

use serde_json::Value;

use super::super::world::{self, Break, Row};
use super::super::{document, found};
use crate::support::Sandbox;

/// Whether anything of the row is in objects, or in flags.
fn can_be_typed(row: &Row) -> bool {
    let is_typed = |(which, _): &Break| which == "pods" || world::Named::parse(which).is_some();
    row.breaks.is_empty() || row.breaks.iter().any(is_typed)
}

fn found_in_files(row: &Row, objects: &[Value]) -> Vec<String> {
    let sandbox = Sandbox::new();
    sandbox.write("all.yaml", world::written(objects));
    let flags = world::flags(&row.breaks);
    let flags = flags.iter().map(String::as_str);
    let args: Vec<_> = ["check", "-f", "all.yaml", "-o", "json"].into_iter().chain(flags).collect();
    let output = sandbox.run(&args);
    let document = document(&output);
    let is_in_the_file = |finding: &Value| finding["file"] == "all.yaml" && finding["line"].is_u64();
    let findings = document["findings"].as_array().unwrap();
    assert!(findings.iter().all(is_in_the_file), "{document:#}");
    found(&document)
}

#[test]
fn what_files_tell_is_found_in_them_in_any_order_and_nothing_else() {
    let mut wrong = Vec::new();
    for row in world::chosen().iter().filter(|row| can_be_typed(row)) {
        let objects = world::broken(&row.breaks);
        let reversed: Vec<_> = objects.iter().rev().cloned().collect();
        for (order, objects) in [("", objects), (", the other way round", reversed)] {
            let found = found_in_files(row, &objects);
            if found != row.in_files {
                wrong.push(format!("{}{order}: wanted {:?}, found {found:?}", row.name, row.in_files));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_nobody_has_applied_yet_has_no_finding_for_lack_of_a_status() {
    let mut wrong = Vec::new();
    for row in world::chosen().iter().filter(|row| can_be_typed(row)) {
        let found = found_in_files(row, &world::as_manifests(world::broken(&row.breaks)));
        let more: Vec<_> = found.iter().filter(|line| !row.in_files.contains(line)).collect();
        if !more.is_empty() {
            wrong.push(format!("{}: {more:?}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
