//! `upstreams`: every row, in every format.

use serde_json::{Value, json};

use super::{UPSTREAM, World};

fn routed(world: &World) {
    world.route(
        "shop.example",
        "    - {matchers: [{prefix: /}], routeAction: {single: {kube: {ref: {name: plain, namespace: APPS}, port: 8080}}}}\n",
    );
    world.apply(
        "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: GLOO}
spec:
  parentRefs: [{name: edge}]
  rules: [{backendRefs: [{name: httpbin, namespace: APPS, port: 8000}]}]
",
    );
}

#[test]
fn services_that_routes_lead_to_without_an_upstream_are_rows_too() {
    let world = World::new("rows");
    routed(&world);
    world.done(&format!("enable-mtls -u {}", world.httpbin()));
    let table = world.done("describe upstreams");
    let text = table.stdout.replace(&world.gloo, "GLOO").replace(&world.apps, "APPS");
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["VERDICT", "UPSTREAM", "MESHED", "TLS", "PEER", "CAUSE"]);
    let broken = rows.iter().find(|row| row[0] == "broken").unwrap();
    assert_eq!(broken.last(), Some(&"GLOO/gateway-proxy"), "{broken:?}");
    // Without the cause, which is more than one word.
    let cells = |row: &[&str]| if row[1] == "service" { 6 } else { 5 };
    let mut rows: Vec<_> = rows[1..].iter().map(|row| row[..cells(row)].to_vec()).collect();
    rows.sort();
    assert_eq!(
        rows,
        [
            vec!["broken", "GLOO/APPS-httpbin-8000", "1/1", "istio", "PERMISSIVE"],
            vec!["plaintext", "GLOO/APPS-plain-8080", "0/1", "none", "-"],
            vec!["plaintext", "GLOO/default-httpbin-8000", "1/1", "none", "PERMISSIVE"],
            vec!["plaintext", "GLOO/default-plain-8080", "0/1", "none", "-"],
            vec!["plaintext", "GLOO/weather", "-", "none", "-"],
            vec!["plaintext", "service", "APPS/httpbin:8000", "1/1", "none", "PERMISSIVE"],
            vec!["plaintext", "service", "APPS/plain:8080", "0/1", "none", "-"],
            vec!["tls", "GLOO/payments-api", "-", "own", "-"],
        ]
    );
    assert!(table.stderr.contains("1 tls, 6 plaintext, 1 broken (8 targets)\n"), "{table:?}");
    assert!(table.stderr.starts_with("context plane (https://"), "{table:?}");
    // Every format has as many rows, and each the same verdict.
    let document = world.document("upstreams");
    let verdicts = document["targets"].as_array().unwrap().iter().map(|it| it["verdict"].as_str().unwrap().to_owned());
    let csv = world.done("describe upstreams -o csv").stdout;
    let of_csv = csv.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned());
    let of_table = table.stdout.lines().skip(1).map(|line| line.split(' ').next().unwrap().to_owned());
    let verdicts: Vec<_> = verdicts.collect();
    assert_eq!((verdicts.clone(), verdicts.clone()), (of_csv.collect(), of_table.collect()));
    assert_eq!(document["verdictCounts"], json!({"tls": 1, "plaintext": 6, "broken": 1}));
}

#[test]
fn rows_are_chosen_and_a_threshold_ends_the_run_with_3_in_every_format() {
    let world = World::new("chosen");
    let label = json!({"metadata": {"labels": {"team": "shop"}}});
    world.plane.api().merge(UPSTREAM, &world.gloo, "weather", &label).unwrap();
    let only = world.done("describe upstreams --only tls");
    assert_eq!(only.stdout.lines().count(), 2, "{only:?}");
    let selected = world.document("upstreams -l team=shop");
    let names: Vec<_> = selected["targets"].as_array().unwrap().iter().map(|it| it["target"]["name"].clone()).collect();
    assert_eq!(names, [json!("weather")]);
    for format in ["table", "wide", "json", "yaml", "csv"] {
        let over = world.run(&format!("describe upstreams --fail-on plaintext,broken -o {format}"));
        assert_eq!(over.code, Some(3), "{over:?}");
        let under = world.run(&format!("describe upstreams --fail-on mixed,unknown -o {format}"));
        assert_eq!(under.code, Some(0), "{under:?}");
    }
    let none = world.run("describe upstreams -l team=nobody -o json");
    assert_eq!(none.code, Some(4), "{none:?}");
    let document: Value = serde_json::from_str(&none.stdout).unwrap();
    assert_eq!((&document["error"]["reason"], &document["exitCode"]), (&json!("notFound"), &json!(4)));
    assert_eq!(world.run("describe upstreams --only wrong").code, Some(2));
}

/// A gateway of its own without sidecars, to which no route leads, does not break what another one serves.
#[test]
fn an_upstream_is_judged_by_the_proxies_that_route_to_it_alone() {
    let world = World::new("idle");
    let name = world.httpbin();
    world.route(
        "shop.example",
        &format!("    - {{matchers: [{{prefix: /}}], routeAction: {{single: {{upstream: {{name: {name}, namespace: GLOO}}}}}}}}\n"),
    );
    world.apply(
        "apiVersion: gateway.solo.io/v1
kind: Gateway
metadata: {name: gateway-proxy, namespace: GLOO}
spec: {bindPort: 8080, httpGateway: {}}
",
    );
    world.done("inject --revision 1-28");
    world.done(&format!("enable-mtls -u {name}"));
    world.apply(
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: idle-proxy, namespace: GLOO, labels: {gloo: gateway-proxy, gateway-proxy-id: idle-proxy}}
spec:
  selector: {matchLabels: {gateway-proxy-id: idle-proxy}}
  template:
    metadata: {labels: {gloo: gateway-proxy, gateway-proxy-id: idle-proxy}}
    spec: {containers: [{name: gateway-proxy, image: envoy}]}
",
    );
    let verdict = |line: &str| {
        let document = world.document(line);
        let targets = document["targets"].as_array().unwrap().iter();
        let mut of_it = targets.filter(|target| target["target"]["name"] == *name);
        of_it.next().unwrap_or_else(|| panic!("{document:#}"))["verdict"].clone()
    };
    assert_eq!(verdict(&format!("upstream {name}")), "mtls");
    assert_eq!(verdict("upstreams"), "mtls");
    // A route through it does.
    world
        .plane
        .api()
        .merge(
            "gateway.solo.io/v1/Gateway",
            &world.gloo,
            "gateway-proxy",
            &json!({"spec": {"proxyNames": ["gateway-proxy", "idle-proxy"]}}),
        )
        .unwrap();
    assert_eq!(verdict(&format!("upstream {name}")), "broken");
    assert_eq!(verdict("upstreams"), "broken");
}
