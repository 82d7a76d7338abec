//! `report` on a real API server, and baselines of paths.

use serde_json::Value;

use super::World;
use super::rights::{ready, user};
use crate::house::result::fits;
use crate::stage::wait_for;
use crate::support::Output;

const PATIENCE: std::time::Duration = std::time::Duration::from_mins(3);

fn report(world: &World, line: &str) -> Output {
    let words = ["report", "-n", &world.gloo].into_iter().chain(line.split(' '));
    world.sandbox.run(&words.collect::<Vec<_>>())
}

fn document(output: &Output) -> Value {
    let document: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    fits(&document);
    assert_eq!(document["exitCode"].as_i64(), output.code.map(i64::from), "{output:?}");
    document
}

/// `mtls APPS-httpbin-8000` of each path to an Upstream of this world's Gloo. What tests share in `default` is not its own.
fn paths(world: &World, document: &Value) -> Vec<String> {
    let all = document["posture"][0]["paths"].as_array().unwrap_or_else(|| panic!("{document:#}"));
    let is_own = |path: &&Value| path["namespace"] == world.gloo.as_str() && path["backend"] != "default";
    let own = all.iter().filter(|path| path["kind"] == "Upstream").filter(is_own);
    let text = |path: &Value| format!("{} {}", path["verdict"].as_str().unwrap(), path["name"].as_str().unwrap());
    let mut shown: Vec<_> = own.map(|path| text(path).replace(&world.apps, "APPS")).collect();
    shown.sort();
    shown
}

/// The subjects of the differences of a kind that are about this world's Gloo.
fn subjects(world: &World, document: &Value, kind: &str) -> Vec<String> {
    let all = document["baseline"][kind].as_array().unwrap_or_else(|| panic!("{document:#}"));
    let named = all.iter().map(|it| it["subject"].as_str().unwrap().replace(&world.apps, "APPS"));
    let own = named.filter(|subject| subject.contains(&world.gloo));
    own.map(|subject| subject.replace(&world.gloo, "GLOO")).collect()
}

fn gone(world: &World) {
    world.apply(
        "apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: gone, namespace: GLOO}
spec: {kube: {serviceName: gone, serviceNamespace: APPS, servicePort: 80}}
",
    );
}

#[test]
fn each_path_has_its_state_and_what_may_not_be_read_is_unknown_and_never_good() {
    let world = ready("report");
    gone(&world);
    let output = report(&world, "--read-only -o json");
    assert_eq!(output.code, Some(0), "{output:?}");
    let whole = document(&output);
    assert_eq!(
        paths(&world, &whole),
        ["broken gone", "mtls APPS-httpbin-8000", "plaintext APPS-plain-8080", "plaintext weather", "tls payments-api",]
    );
    let posture = &whole["posture"][0];
    let gateway = format!("{}/gateway-proxy", world.gloo);
    let of_gateway = posture["gateways"].as_array().unwrap().iter().find(|it| it["name"] == gateway.as_str()).unwrap();
    assert!(of_gateway["counts"]["mtls"].as_u64() >= Some(1), "{of_gateway}");
    let missing = posture["findings"].as_array().unwrap().iter().any(|finding| {
        finding["code"] == "GRS104" && finding["objects"].as_array().unwrap().iter().any(|it| it["name"] == "gone")
    });
    assert!(missing, "{posture:#}");
    let certificates = posture["certificates"].as_array().unwrap();
    let own = certificates.iter().find(|it| it["gateway"] == gateway.as_str()).unwrap();
    assert_eq!(own["certificates"], Value::Null, "not asked for");
    assert!(own["why"].as_str().unwrap().contains("--read-only"), "{own}");
    let revisions = posture["revisions"].as_array().unwrap();
    assert!(revisions.iter().any(|it| it["revision"] == "1-28" && it["gateways"].as_array().is_some()), "{posture:#}");

    // Somebody who may not list the pods: no path that depends on them is mtls.
    let name = user(&world, "no-pods", Some("pods."));
    let limited = wait_for("the rights hold", PATIENCE, || {
        let output = report(&world, &format!("--read-only -o json --as {name}"));
        Ok((output.code == Some(0) && !paths(&world, &document(&output)).is_empty()).then_some(output))
    })
    .unwrap();
    let limited = document(&limited);
    let seen = paths(&world, &limited);
    assert!(seen.contains(&"unknown APPS-httpbin-8000".to_owned()), "{seen:?}");
    assert!(!seen.iter().any(|path| path.starts_with("mtls")), "{seen:?}");
    let unknown = limited["posture"][0]["unknown"].to_string();
    assert!(unknown.contains("not allowed to list pods") && unknown.contains("resources: [pods]"), "{unknown}");

    // Without any right there is nothing to report.
    let stranger = format!("{}-stranger", world.gloo);
    let nothing = report(&world, &format!("--read-only -o json --as {stranger}"));
    assert_eq!(nothing.code, Some(4), "{nothing:?}");
    assert!(paths(&world, &document(&nothing)).is_empty());
    let file = world.sandbox.dir().join("nothing.baseline");
    for command in ["report", "check"] {
        let words = [command, "-n", &world.gloo, "--read-only", "--as", &stranger, "--write-baseline"];
        let output = world.sandbox.run(&[&words[..], &[file.to_str().unwrap()]].concat());
        assert_eq!(output.code, Some(4), "{output:?}");
        assert!(!file.exists(), "{command}: there is nothing to write down");
    }
}

#[test]
fn a_baseline_of_paths_tells_what_got_worse_and_what_cannot_be_compared() {
    let world = ready("baseline");
    let file = world.sandbox.dir().join("paths.baseline");
    let file = file.to_str().unwrap();
    let written = world.done(&format!("describe upstreams --write-baseline {file}"));
    assert!(written.stdout.starts_with("VERDICT"), "{written:?}");
    let text = std::fs::read_to_string(file).unwrap();
    let same = world.done(&format!("describe upstreams --baseline {file} --write-baseline {file}"));
    assert!(same.stdout.ends_with("baseline: no difference\n"), "{same:?}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), text);

    // A user who may not list the pods: unknown is neither worse nor better.
    let name = user(&world, "no-pods", Some("pods."));
    let against = format!("describe upstreams --baseline {file} -o json");
    let unknown = wait_for("the rights hold", PATIENCE, || {
        let output = world.run(&format!("{against} --as {name}"));
        Ok((output.code == Some(0)).then_some(output))
    });
    let unknown = document(&unknown.unwrap());
    assert!(subjects(&world, &unknown, "better").is_empty(), "{unknown:#}");
    let open = subjects(&world, &unknown, "notComparable");
    assert!(open.contains(&"upstream GLOO/APPS-httpbin-8000".to_owned()), "{open:?}");

    world.done(&format!("disable-mtls -u {}", world.httpbin()));
    gone(&world);
    world.plane.api().delete(super::UPSTREAM, &world.gloo, "weather").unwrap();
    let worse = world.run(&against);
    assert_eq!(worse.code, Some(3), "{worse:?}");
    let worse = document(&worse);
    assert_eq!(
        subjects(&world, &worse, "worse"),
        ["upstream GLOO/APPS-httpbin-8000", "upstream GLOO/gone"],
        "mtls is plaintext, and a new one is broken: {worse:#}"
    );
    assert_eq!(subjects(&world, &worse, "removed"), ["upstream GLOO/weather"]);
    // A format for programs keeps stdout for itself.
    let csv = world.run(&format!("describe upstreams --baseline {file} -o csv"));
    assert_eq!(csv.code, Some(3), "{csv:?}");
    assert!(!csv.stdout.contains("worse") && csv.stderr.contains("worse: "), "{csv:?}");
    let other = world.run(&format!("describe upstreams -A --baseline {file}"));
    assert_eq!(other.code, Some(1), "another selection: {other:?}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), text, "nothing but --write-baseline writes");
    assert!(worse["baseline"]["file"].as_str().unwrap().ends_with("/paths.baseline"), "{worse:#}");
}
