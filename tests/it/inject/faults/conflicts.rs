//! Somebody else writes the same object meanwhile.

use anyhow::{Context as _, Result};

use super::*;

#[test]
fn a_conflict_in_other_fields_is_guarded_anew() -> Result<()> {
    let objects = Objects::of_an_injection();
    for at in [At::Map, At::Workload] {
        let (document, output, stub) = faulty(&objects, INJECT, at, conflict, |stub| {
            let (path, object) = match at {
                At::Map => (MAP, &objects.map),
                _ => (WORKLOAD, &objects.workload),
            };
            let mut theirs = object[0].clone();
            theirs["metadata"]["resourceVersion"] = json!("55");
            theirs["metadata"]["labels"]["theirs"] = json!("kept");
            stub.on("GET", path).json(200, &theirs);
            stub.on("PATCH", &format!("{path}{WRITE}")).json(200, &object[1]);
            if at == At::Map {
                stub.on("PATCH", &format!("{WORKLOAD}{WRITE}")).json(200, &objects.workload[1]);
            }
        })?;
        assert_eq!(output.code, Some(0), "{output:#?}");
        assert_eq!(rows(&document), ["ConfigMap changed", "Deployment changed"]);
        let guards = stub.requests().into_iter().filter(|it| it.method == "PATCH" && it.path.ends_with(WRITE));
        assert_eq!(guards.filter(|it| it.json()[0]["value"] == "55").count(), 1, "{at:?}");
    }
    Ok(())
}

#[test]
fn a_conflict_in_the_same_fields_is_left_to_whoever_wrote_them() -> Result<()> {
    let objects = Objects::of_an_injection();
    let mut theirs = objects.map[0].clone();
    theirs["data"]["envoy.yaml"] = json!("admin: {}\n");
    let (document, output, _) = faulty(&objects, INJECT, At::Map, conflict, |stub| {
        stub.on("GET", MAP).json(200, &theirs);
    })?;
    assert_said(&output, 1, &["changed by others", UNTOUCHED]);
    assert_eq!(document["error"]["reason"], "conflict");

    let mut theirs = objects.workload[0].clone();
    let sds = json!({"name": "sds", "image": "theirs"});
    theirs["spec"]["template"]["spec"]["containers"].as_array_mut().context("a list")?.push(sds);
    let (_, output, _) = faulty(&objects, INJECT, At::Workload, conflict, |stub| {
        stub.on("GET", WORKLOAD).json(200, &theirs);
        stub.on("GET", MAP).json(200, &objects.map[1]);
        stub.on("PATCH", &format!("{MAP}{WRITE}")).json(200, &objects.map[0]);
    })?;
    assert_said(&output, 5, &["changed by others", BACK]);
    Ok(())
}

#[test]
fn an_object_that_never_stands_still_is_given_up() -> Result<()> {
    let objects = Objects::of_an_injection();
    let (_, output, stub) = faulty(
        &objects,
        INJECT,
        At::Map,
        |_, _| {},
        |stub| {
            let path = format!("{MAP}{WRITE}");
            stub.on("PATCH", &path).status(409, "Conflict", "the object has been modified").always();
            stub.on("GET", MAP).json(200, &objects.map[0]).always();
        },
    )?;
    assert_said(&output, 1, &["changed by others", UNTOUCHED]);
    let tries = stub.requests().into_iter().filter(|it| it.path.ends_with(WRITE)).count();
    assert_eq!(tries, 5);
    Ok(())
}
