//! What Envoy and Gloo say in their pods: asked by port-forward, on a real API server, of a real Envoy where it refuses.

use std::sync::{Arc, Mutex};

use serde_json::json;

use super::live::Bench;
use crate::stage::Envoy;
use crate::stage::envoy::dynamic_resources;
use crate::stage::wait_for;
use crate::support::pod_server::{PodServer, reply};

const PATIENCE: std::time::Duration = std::time::Duration::from_mins(3);

fn found(bench: &Bench) -> Vec<String> {
    let codes = bench.found_with(&[]);
    codes.iter().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
}

#[test]
fn a_gateway_that_does_not_hear_gloo_or_refuses_what_it_sends_is_found() {
    let bench = Bench::new();
    let envoy = Envoy::start(
        |files| json!({"node": {"id": "a", "cluster": "a"}, "dynamic_resources": dynamic_resources(files)}),
    )
    .unwrap();
    let stats = Arc::new(Mutex::new("control_plane.connected_state: 1\n".to_owned()));
    let metrics = Arc::new(Mutex::new(String::new()));
    let (counted, admin) = (Arc::clone(&stats), envoy.admin());
    let server = PodServer::start(move |asked, stream| {
        let page = match asked.path.as_str() {
            path if path.starts_with("/stats") => counted.lock().unwrap().clone(),
            // What is refused the real Envoy says.
            path => crate::stage::envoy::ask(admin, "GET", path).unwrap(),
        };
        reply(stream, "200 OK", page.as_bytes());
    });
    let told = Arc::clone(&metrics);
    let gloo = PodServer::start(move |_, stream| reply(stream, "200 OK", told.lock().unwrap().as_bytes()));
    bench.plane.forward(&bench.gloo, &[(19000, server.address), (9091, gloo.address)]).unwrap();
    let settle = |wanted: &[&str]| {
        let mut last = Vec::new();
        let done = wait_for("what is to be found", PATIENCE, || {
            last = found(&bench);
            Ok((last == wanted).then_some(()))
        });
        assert!(done.is_ok(), "wanted {wanted:?}, found {last:?}");
    };
    settle(&[]);
    *stats.lock().unwrap() = "control_plane.connected_state: 0\n".to_owned();
    settle(&["GRS213"]);
    *stats.lock().unwrap() = "control_plane.connected_state: 1\n".to_owned();

    let kind = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    let listener = json!({
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener", "name": "http",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "hcm", "typed_config": {"@type": kind, "stat_prefix": "x"}}]}],
    });
    envoy.put("lds", "1", &[listener]).unwrap();
    settle(&["GRS214"]);
    let text = bench.found_text();
    assert!(text.contains("Checking Envoy statistics... 1 Errors!\n"), "{text}");
    assert!(text.contains("    listener http: ") && text.contains("route_specifier"), "{text}");
    envoy.put("lds", "2", &[]).unwrap();
    settle(&[]);

    *metrics.lock().unwrap() =
        "glooe_solo_io_xds_total_entities{resource=\"c\"} 2\nglooe_solo_io_xds_insync{resource=\"c\"} 1\n".to_owned();
    settle(&["GRS607"]);
    *metrics.lock().unwrap() = "glooe_ratelimit_connected_state 0\n".to_owned();
    settle(&[]);
    bench.apply(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: rate-limit, namespace: GLOO}\nspec: {selector: {matchLabels: {gloo: rate-limit}}, \
         template: {metadata: {labels: {gloo: rate-limit}}, spec: {containers: [{name: a, image: a}]}}}",
    );
    settle(&["GRS608"]);

    let asked = server.asked().len() + gloo.asked().len();
    assert_eq!(bench.found_with(&["--read-only"]), [""; 0]);
    assert_eq!(bench.found_with(&["-x", "proxies,xds-metrics,certificates"]), [""; 0]);
    assert_eq!(server.asked().len() + gloo.asked().len(), asked, "neither asks inside of pods");
}
