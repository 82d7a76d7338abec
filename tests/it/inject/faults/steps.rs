//! Refused, broken and cut requests, step by step.

use anyhow::Result;

use super::*;

/// The answers to what is read afterwards.
type Now<'t> = &'t dyn Fn(&Stub);

#[test]
fn what_the_rehearsal_is_refused_for_writes_nothing() -> Result<()> {
    for (line, objects) in [(INJECT, Objects::of_an_injection()), (UNINJECT, Objects::of_a_removal())] {
        for at in [At::RehearseMap, At::RehearseWorkload] {
            for (fault, code, reason, said) in [
                (forbidden as Fault, 4, "forbidden", "not allowed to patch"),
                (denied, 1, "invalid", "denied the request: not on a Friday"),
                (broken, 1, "serverError", "etcdserver: request timed out"),
                (cut, 9, "unreachable", "gateway-proxy"),
            ] {
                let (document, output, stub) = faulty(&objects, line, at, fault, |_| {})?;
                assert_said(&output, code, &[said, UNTOUCHED]);
                assert_eq!((&document["error"]["reason"], rows(&document)), (&json!(reason), Vec::new()), "{at:?}");
                assert!(stub.requests().iter().all(|it| !it.path.ends_with(WRITE)), "{at:?} {output:#?}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_webhook_that_cannot_be_rehearsed_is_a_note() -> Result<()> {
    let unsupported: Fault = |stub, path| {
        let message = r#"admission webhook "gate.example" does not support dry run"#;
        stub.on("PATCH", path).status(400, "BadRequest", message);
    };
    let objects = Objects::of_an_injection();
    let (document, output, _) = faulty(&objects, INJECT, At::RehearseMap, unsupported, |stub| {
        stub.on("PATCH", &format!("{WORKLOAD}{REHEARSE}")).json(200, &objects.workload[1]);
        stub.on("PATCH", &format!("{MAP}{WRITE}")).json(200, &objects.map[1]);
        stub.on("PATCH", &format!("{WORKLOAD}{WRITE}")).json(200, &objects.workload[1]);
    })?;
    assert_said(&output, 0, &["a webhook does not support dry run"]);
    assert_eq!(rows(&document), ["ConfigMap changed", "Deployment changed"]);
    Ok(())
}

#[test]
fn the_first_write_that_fails_leaves_everything() -> Result<()> {
    for (line, objects) in [(INJECT, Objects::of_an_injection()), (UNINJECT, Objects::of_a_removal())] {
        for (fault, code, reason, reads) in [
            (forbidden as Fault, 4, "forbidden", 0),
            (denied, 1, "invalid", 0),
            (broken, 1, "serverError", 1),
            (cut, 9, "unreachable", 1),
        ] {
            let (document, output, _) = faulty(&objects, line, At::Map, fault, |stub| {
                if reads > 0 {
                    stub.on("GET", MAP).json(200, &objects.map[0]);
                }
            })?;
            assert_said(&output, code, &[UNTOUCHED]);
            assert_eq!(document["error"]["reason"], reason, "{output:#?}");
            assert_eq!(rows(&document), ["ConfigMap failed"], "{output:#?}");
        }
    }
    Ok(())
}

#[test]
fn the_second_write_that_fails_takes_the_first_back() -> Result<()> {
    for (line, objects) in [(INJECT, Objects::of_an_injection()), (UNINJECT, Objects::of_a_removal())] {
        for (fault, reason, reads) in [
            (forbidden as Fault, "forbidden", 0),
            (denied, "invalid", 0),
            (broken, "serverError", 1),
            (cut, "unreachable", 1),
        ] {
            let (document, output, stub) = faulty(&objects, line, At::Workload, fault, |stub| {
                if reads > 0 {
                    stub.on("GET", WORKLOAD).json(200, &objects.workload[0]);
                }
                stub.on("GET", MAP).json(200, &objects.map[1]);
                stub.on("PATCH", &format!("{MAP}{WRITE}")).json(200, &objects.map[0]);
            })?;
            assert_said(&output, 5, &[BACK]);
            assert_eq!(document["error"]["reason"], reason, "{output:#?}");
            assert_eq!(left(&stub, MAP, &objects.map[1])["data"], objects.map[0]["data"], "{output:#?}");
            assert_eq!(rows(&document), ["Deployment failed", "ConfigMap failed"], "{output:#?}");
        }
    }
    Ok(())
}

#[test]
fn a_write_whose_answer_is_lost_is_known_by_what_is_there() -> Result<()> {
    for (line, objects) in [(INJECT, Objects::of_an_injection()), (UNINJECT, Objects::of_a_removal())] {
        for fault in [cut as Fault, broken] {
            let (document, output, _) = faulty(&objects, line, At::Workload, fault, |stub| {
                stub.on("GET", WORKLOAD).json(200, &objects.workload[1]);
            })?;
            assert_eq!(output.code, Some(0), "{output:#?}");
            assert_eq!(rows(&document), ["ConfigMap changed", "Deployment changed"]);
        }
    }
    Ok(())
}

/// Neither the write nor what came of it could be learnt: it may stand, and nothing else may be claimed.
#[test]
fn a_write_of_which_nothing_can_be_learnt_is_not_called_back() -> Result<()> {
    let objects = Objects::of_an_injection();
    let (document, output, _) = faulty(&objects, INJECT, At::Workload, cut, |stub| {
        // Read after the write, and again to take it back.
        stub.on("GET", WORKLOAD).cut().always();
        stub.on("GET", MAP).json(200, &objects.map[1]);
        stub.on("PATCH", &format!("{MAP}{WRITE}")).json(200, &objects.map[0]);
    })?;
    assert_said(
        &output,
        6,
        &["NOT fully rolled back", "configmap/gateway-proxy-envoy-config  rolled back", "uninject"],
    );
    assert!(output.stderr.contains("deployment.apps/gateway-proxy  "), "{output:#?}");
    assert_eq!(document["error"]["reason"], "halfDone");
    assert!(!output.stderr.contains(BACK), "{output:#?}");
    Ok(())
}

/// The same for the only write so far: the old state cannot be promised.
#[test]
fn a_first_write_of_which_nothing_can_be_learnt_is_not_called_untouched() -> Result<()> {
    let objects = Objects::of_an_injection();
    let (_, output, _) = faulty(&objects, INJECT, At::Map, cut, |stub| {
        stub.on("GET", MAP).cut().always();
    })?;
    assert_said(&output, 6, &["NOT fully rolled back"]);
    assert!(!output.stderr.contains(UNTOUCHED), "{output:#?}");
    Ok(())
}

/// It was not made when it was looked at, and is there when the first is taken back: both are.
#[test]
fn a_write_that_arrives_late_is_taken_back_too() -> Result<()> {
    let objects = Objects::of_an_injection();
    let (_, output, stub) = faulty(&objects, INJECT, At::Workload, cut, |stub| {
        stub.on("GET", WORKLOAD).status(500, "InternalError", "no leader").json(200, &objects.workload[1]);
        stub.on("PATCH", &format!("{WORKLOAD}{WRITE}")).json(200, &objects.workload[0]);
        stub.on("GET", MAP).json(200, &objects.map[1]);
        stub.on("PATCH", &format!("{MAP}{WRITE}")).json(200, &objects.map[0]);
    })?;
    assert_said(&output, 5, &[BACK]);
    assert_eq!(left(&stub, WORKLOAD, &objects.workload[1])["spec"], objects.workload[0]["spec"]);
    Ok(())
}

#[test]
fn what_cannot_be_taken_back_is_named_with_the_way_back() -> Result<()> {
    let objects = Objects::of_an_injection();
    let mut theirs = objects.map[1].clone();
    theirs["data"]["envoy.yaml"] = json!("admin: {}\n");
    let map = "configmap/gateway-proxy-envoy-config  still changed: ";
    let table: [(&str, Now<'_>); 3] = [
        ("the API server failed (500): no leader", &|stub| {
            stub.on("GET", MAP).status(500, "InternalError", "no leader").always();
        }),
        ("others changed data.envoy.yaml in the meantime", &|stub| {
            stub.on("GET", MAP).json(200, &theirs);
        }),
        ("not on a Friday", &|stub| {
            stub.on("GET", MAP).json(200, &objects.map[1]);
            denied(stub, &format!("{MAP}{WRITE}"));
        }),
    ];
    for (why, now) in table {
        let (document, output, _) = faulty(&objects, INJECT, At::Workload, denied, now)?;
        assert_said(&output, 6, &["NOT fully rolled back", map, why, "gloo-rs istio uninject"]);
        assert_eq!(document["error"]["reason"], "halfDone", "{output:#?}");
    }
    Ok(())
}

/// A webhook that rewrites what is written is no somebody: what the API server stored is what is taken back.
#[test]
fn what_a_webhook_made_of_a_write_is_taken_back_too() -> Result<()> {
    let mut objects = Objects::of_an_injection();
    let text = objects.map[1]["data"]["envoy.yaml"].as_str().unwrap_or_default();
    objects.map[1]["data"]["envoy.yaml"] = json!(format!("{text}# seen by the gate\n"));
    let (_, output, stub) = faulty(&objects, INJECT, At::Workload, denied, |stub| {
        stub.on("GET", MAP).json(200, &objects.map[1]);
        stub.on("PATCH", &format!("{MAP}{WRITE}")).json(200, &objects.map[0]);
    })?;
    assert_said(&output, 5, &[BACK]);
    assert_eq!(left(&stub, MAP, &objects.map[1])["data"], objects.map[0]["data"]);
    Ok(())
}
