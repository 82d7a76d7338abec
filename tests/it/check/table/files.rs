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

/// Whether the row is made by manifests alone: its pods come from workloads.
fn is_made_by_workloads(row: &Row) -> Option<&[Break]> {
    let breaks = row.in_cluster()?;
    let is_of_pod = |(which, _): &Break| which.starts_with("Pod ") || world::Named::parse(which).is_none();
    (!breaks.iter().any(is_of_pod)).then_some(breaks)
}

#[test]
fn what_workloads_will_have_is_found_like_what_their_pods_have() {
    let of_paths = |found: &[String]| found.iter().filter(|line| line.starts_with("GRS1")).cloned().collect::<Vec<_>>();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for row in &world::chosen() {
        let Some(breaks) = is_made_by_workloads(row) else { continue };
        let found = of_paths(&found_in_files(row, &world::as_manifests(world::broken(breaks))));
        let wanted = of_paths(&row.in_manifests);
        seen += wanted.len();
        if found != wanted {
            wrong.push(format!("{}: wanted {wanted:?}, found {found:?}", row.name));
        }
    }
    assert!(wrong.is_empty() && (seen > 0 || !is_whole()), "{}", wrong.join("\n"));
}

/// Whether all rows run.
fn is_whole() -> bool {
    std::env::var("GLOO_RS_ROW").is_err()
}

#[test]
fn what_nobody_has_applied_yet_has_no_finding_for_lack_of_a_status() {
    let mut wrong = Vec::new();
    for row in world::chosen().iter().filter(|row| can_be_typed(row)) {
        let breaks = row.in_cluster().unwrap_or(&row.breaks);
        let found = found_in_files(row, &world::as_manifests(world::broken(breaks)));
        let more: Vec<_> = found.iter().filter(|line| !row.in_manifests.contains(line)).collect();
        if !more.is_empty() {
            wrong.push(format!("{}: {more:?}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The commands of a hint that are to be run one after another, or of which one is to be run.
fn commands(hint: &str) -> impl Iterator<Item = &str> {
    hint.split(", or ").flat_map(|part| part.split("; ")).map(|part| part.rsplit("then ").next().unwrap_or(part))
}

#[test]
fn a_hint_about_objects_in_a_file_changes_that_file() {
    const READ: [&str; 4] = ["kubectl get ", "kubectl describe ", "kubectl logs ", "kubectl rollout restart "];
    // What is changed elsewhere: the values of the release, and pods that run.
    const ELSEWHERE: [&str; 3] = ["gloo-rs upgrade-values", "gloo-rs proxy ", "gloo-rs istio revisions"];
    let (mut wrong, mut ran) = (Vec::new(), std::collections::BTreeSet::new());
    for row in world::chosen().iter().filter(|row| can_be_typed(row)) {
        let sandbox = Sandbox::new();
        let text = world::written(&world::broken(&row.breaks));
        let path = sandbox.write("all.yaml", &text);
        let flags = world::flags(&row.breaks);
        let flags = flags.iter().map(String::as_str);
        let args: Vec<_> = ["check", "-f", "all.yaml", "-o", "json"].into_iter().chain(flags).collect();
        let document = document(&sandbox.run(&args));
        for finding in document["findings"].as_array().unwrap() {
            for command in finding["hint"].as_str().into_iter().flat_map(commands) {
                let is = |list: &[&str]| list.iter().any(|words| command.starts_with(words));
                let said = |what: &str| format!("{}: {}: {what}: {command}", row.name, finding["code"]);
                if command.starts_with("kubectl ") && !is(&READ) {
                    wrong.push(said("changes the cluster"));
                }
                let Some(args) = command.strip_prefix("gloo-rs ").filter(|_| !is(&ELSEWHERE)) else { continue };
                let is_of_file = args.ends_with("-f all.yaml --write");
                if args.contains("REVISION") || args.contains("HOST") {
                    continue;
                }
                let whole = if is_of_file { args.to_owned() } else { format!("{args} -f all.yaml --write") };
                let output = sandbox.run(&whole.split(' ').collect::<Vec<_>>());
                let changes = output.code == Some(0) && std::fs::read_to_string(&path).unwrap() != text;
                if changes != is_of_file {
                    wrong.push(said(&format!("{output:?}")));
                }
                ran.extend(is_of_file.then(|| args.split(' ').take(2).collect::<Vec<_>>().join(" ")));
                sandbox.write("all.yaml", &text);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!is_whole() || ran.len() > 3, "{ran:?}");
}
