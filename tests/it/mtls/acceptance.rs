//! `--wait`: what Gloo serves after the change is the proof, a complaint in the status is a failure.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::rights::allow;
use super::{Gloo, HTTPBIN, UPSTREAM, document};
use crate::stage::wait_for;
use crate::support::pod_server::{PodServer, reply};
use crate::support::snapshots::{cluster, clusters, istio_cluster, snapshot, tls_cluster};

const PLAIN: &str = "default-plain-8080";
/// Two kinds of roles: Gloo's own proxy, and one of the Kubernetes Gateway API.
const ROLES: [&str; 2] = ["gloo-system~gateway-proxy", "gloo-kube-gateway-api~default~default-http"];

/// A Gloo whose pod answers as it is told to, by how often it was asked before.
fn serving(prefix: &str, answer: impl Fn(usize, &str) -> Vec<u8> + Send + Sync + 'static) -> (Gloo, PodServer) {
    let gloo = Gloo::new(prefix);
    let (namespace, asked) = (gloo.namespace.clone(), AtomicUsize::new(0));
    let server = PodServer::start(move |request, stream| {
        assert!(request.head.starts_with("GET /snapshots/xds "), "{request:?}");
        reply(stream, "200 OK", &answer(asked.fetch_add(1, Ordering::SeqCst), &namespace));
    });
    gloo.plane.forward(&gloo.namespace, &[(9095, server.address)]).unwrap();
    (gloo, server)
}

fn served(name: &str, namespace: &str) -> String {
    format!("{name}_{namespace}")
}

/// Everything with Istio's TLS, in every role.
fn all_istio(namespace: &str) -> Vec<u8> {
    let all = || [HTTPBIN, PLAIN].map(|name| istio_cluster(&served(name, namespace))).to_vec();
    snapshot(ROLES.map(|role| clusters(role, all())).to_vec(), "")
}

fn all_plain(namespace: &str) -> Vec<u8> {
    let all = || [HTTPBIN, PLAIN].map(|name| cluster(&served(name, namespace))).to_vec();
    snapshot(ROLES.map(|role| clusters(role, all())).to_vec(), "")
}

fn rejected(reason: &str, namespace: &str) -> Value {
    json!({"status": {"statuses": {namespace: {"state": "Rejected", "reason": reason, "reportedBy": "gloo"}}}})
}

#[test]
fn a_change_that_comes_late_is_waited_for_in_every_role() {
    let (gloo, server) = serving("late", |asked, namespace| {
        let name = served(HTTPBIN, namespace);
        let of = |is_new: bool| vec![if is_new { istio_cluster(&name) } else { cluster(&name) }];
        let (first, second) = (of(asked > 0), of(asked > 1));
        let bystander = clusters("other~proxy", vec![cluster("other_ns")]);
        snapshot(vec![clusters(ROLES[0], first), clusters(ROLES[1], second), bystander], "")
    });
    let output = gloo.run(&["enable-mtls", "-u", HTTPBIN, "--wait"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(output.stdout, format!("upstream.gloo.solo.io/{HTTPBIN} mTLS enabled, served to 2 proxies\n"));
    assert!(output.stderr.contains("waiting for Gloo to serve 1 Upstream (5m00s at most)\n"), "{output:?}");
    assert_eq!(server.asked().len(), 3);

    // What is so already is confirmed as well: the run before may have been ended while it waited.
    let again = gloo.run(&["enable-mtls", "-u", HTTPBIN, "--wait"]);
    assert_eq!(again.stdout, format!("upstream.gloo.solo.io/{HTTPBIN} mTLS already enabled, served to 2 proxies\n"));
}

#[test]
fn disabling_is_confirmed_when_no_role_is_served_istios_tls_any_more() {
    let (gloo, _server) = serving("gone", |asked, namespace| match asked {
        0 | 1 => all_istio(namespace),
        _ => all_plain(namespace),
    });
    assert_eq!(gloo.run(&["enable-mtls", "-u", HTTPBIN, "--wait"]).code, Some(0));
    let output = gloo.run(&["disable-mtls", "-u", HTTPBIN, "--wait"]);
    assert_eq!(output.stdout, format!("upstream.gloo.solo.io/{HTTPBIN} mTLS disabled, served to 2 proxies\n"));
}

#[test]
fn a_change_that_never_comes_is_made_and_not_confirmed() {
    let (gloo, server) = serving("never", |_, namespace| {
        let name = served(HTTPBIN, namespace);
        let roles = vec![
            clusters(ROLES[0], vec![istio_cluster(&name)]),
            clusters(ROLES[1], vec![tls_cluster(&name, "somebody-elses")]),
        ];
        snapshot(roles, "")
    });
    let args = ["enable-mtls", "-u", HTTPBIN, "--wait", "--wait-timeout", "6s"];
    let output = gloo.run(&args);
    assert_eq!(output.code, Some(7), "{output:?}");
    assert_eq!(output.stdout, format!("upstream.gloo.solo.io/{HTTPBIN} mTLS enabled, not verified\n"));
    let said = format!(
        "error: upstream.gloo.solo.io/{HTTPBIN}: mTLS enabled, not verified\n  \
         still served without Istio's TLS to {}\n  hint: --wait-timeout waits longer",
        ROLES[1]
    );
    assert!(output.stderr.contains(&said), "{output:?}");
    assert!(server.asked().len() < 10, "{}", server.asked().len());

    let document = document(&gloo.run(&[&args[..], &["-o", "json"]].concat()));
    let row = &document["results"][0];
    assert_eq!((&row["outcome"], &row["reason"]), (&json!("unchanged"), &json!("notServed")), "{document:#}");
    assert_eq!(row["message"], "mTLS already enabled, not verified");
    assert_eq!(document["exitCode"], 7);
}

#[test]
fn a_cluster_that_no_role_has_is_not_confirmed_and_glooss_own_error_is_no_proof() {
    let (gloo, _server) = serving("missing", |_, _| {
        let roles = vec![clusters(ROLES[0], vec![istio_cluster("another_ns")])];
        snapshot(roles, "gloo-system~other: no snapshot found")
    });
    let output = gloo.run(&["enable-mtls", "-u", HTTPBIN, "--wait", "--wait-timeout", "6s"]);
    assert_eq!(output.code, Some(7), "{output:?}");
    assert!(output.stderr.contains("  Gloo serves its cluster to no proxy\n"), "{output:?}");
    assert!(output.stderr.contains("  Gloo says: gloo-system~other: no snapshot found\n"), "{output:?}");
}

#[test]
fn a_rejection_after_the_change_is_a_failure_with_its_reason() {
    let gloo = Gloo::new("rejected");
    gloo.merge(PLAIN, &rejected("from before", &gloo.namespace));
    let (plane, namespace) = (gloo.plane, gloo.namespace.clone());
    let server = PodServer::start(move |_, stream| {
        plane.api().merge(UPSTREAM, &namespace, HTTPBIN, &rejected("no such\nsecret", &namespace)).unwrap();
        let late = [cluster(&served(HTTPBIN, &namespace)), istio_cluster(&served(PLAIN, &namespace))];
        reply(stream, "200 OK", &snapshot(vec![clusters(ROLES[0], late.to_vec())], ""));
    });
    gloo.plane.forward(&gloo.namespace, &[(9095, server.address)]).unwrap();
    let output = gloo.run(&["enable-mtls", "-u", HTTPBIN, "-u", PLAIN, "--wait", "-o", "json"]);
    let document = document(&output);
    assert_eq!(output.code, Some(7), "{output:?}");
    let row = |name: &str| document["results"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
    assert_eq!((&row(HTTPBIN)["outcome"], &row(HTTPBIN)["reason"]), (&json!("changed"), &json!("rejected")));
    assert_eq!(row(HTTPBIN)["details"], json!(["Gloo says Rejected: no such secret"]));
    // What Gloo said before the change says nothing about it.
    assert_eq!((&row(PLAIN)["outcome"], &row(PLAIN)["reason"]), (&json!("changed"), &Value::Null));
    assert!(output.stderr.contains("2 enabled; 1 not verified (2 Upstreams, "), "{output:?}");
}

#[test]
fn without_the_right_to_look_a_rejection_is_watched_for_and_silence_is_accepted() {
    let (gloo, server) = serving("blind", |_, namespace| all_istio(namespace));
    let here = gloo.namespace.clone();
    let upstreams = "{apiGroups: [gloo.solo.io], resources: [upstreams], verbs: [get, patch]}";
    let rest = "{apiGroups: [gloo.solo.io], resources: [settings], verbs: [get]}, {apiGroups: [\"\"], resources: [pods, configmaps], verbs: [list]}";
    allow(&gloo, &here, &format!("{upstreams}, {rest}"));
    let limited = gloo.seen_by("limited");
    let args = ["enable-mtls", "-u", HTTPBIN, "--wait"];
    let output = wait_for("the rights hold", std::time::Duration::from_mins(2), || {
        let output = gloo.run_in(&limited, &args);
        Ok((output.code == Some(0) && !output.stderr.contains("not allowed to list pods in")).then_some(output))
    });
    let output = output.unwrap();
    assert!(output.stdout.ends_with("enabled, accepted, not verified\n"), "{output:?}");
    assert!(
        output.stderr.contains("note: what Gloo serves is unknown: not allowed to get or create pods/portforward in "),
        "{output:?}"
    );
    assert!(output.stderr.contains("resources: [pods/portforward], verbs: [get, create]}\n"), "{output:?}");
    assert!(server.asked().is_empty());

    gloo.merge(HTTPBIN, &rejected("no upstream", &here));
    let rejected = gloo.run_in(&limited, &args);
    assert_eq!(rejected.code, Some(7), "{rejected:?}");
    assert!(rejected.stderr.contains("  Gloo says Rejected: no upstream\n"), "{rejected:?}");
}

#[test]
fn a_sweep_waits_once_for_all_that_it_changed() {
    let (gloo, server) = serving("sweep", |asked, namespace| {
        let of = |name: &str| istio_cluster(&served(name, namespace));
        let late = if asked > 0 { of("x-7") } else { cluster(&served("x-7", namespace)) };
        let mut all: Vec<_> = (0..12).filter(|number| *number != 7).map(|number| of(&format!("x-{number}"))).collect();
        all.push(late);
        snapshot(vec![clusters(ROLES[0], all)], "")
    });
    for number in 0..12 {
        gloo.add(&json!({"metadata": {"name": format!("x-{number}"), "labels": {"sweep": "mine"}},
            "spec": {"kube": {"serviceName": "httpbin", "serviceNamespace": "default", "servicePort": 8000}}}));
    }
    let output = gloo.run(&["enable-mtls", "-l", "sweep=mine", "--wait", "--force", "--yes"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(output.stdout.matches(" mTLS enabled, served to gloo-system~gateway-proxy\n").count(), 12, "{output:?}");
    assert!(output.stderr.contains("12 enabled (12 Upstreams, "), "{output:?}");
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn a_snapshot_of_thirty_megabytes_is_read_and_one_that_is_broken_proves_nothing() {
    let (gloo, _server) = serving("large", |asked, namespace| {
        let filler: Vec<_> = (0..40)
            .map(|number| {
                let (name, mut large) = cluster(&format!("filler-{number}_ns"));
                large["ProtoMessage"]["alt_stat_name"] = json!("x".repeat(400_000));
                (name, large)
            })
            .collect();
        let mine = || vec![istio_cluster(&served(HTTPBIN, namespace))];
        let whole = snapshot(
            vec![clusters(ROLES[0], [filler.clone(), mine()].concat()), clusters(ROLES[1], [filler, mine()].concat())],
            "",
        );
        assert!(whole.len() > 30 << 20);
        match asked {
            0 => whole[..whole.len() / 2].to_vec(),
            1 => b"<html>a login page</html>".to_vec(),
            2 => b"{\"data\": [1, 2]}".to_vec(),
            _ => whole,
        }
    });
    let output = gloo.run(&["enable-mtls", "-u", HTTPBIN, "--wait"]);
    assert_eq!(output.stdout, format!("upstream.gloo.solo.io/{HTTPBIN} mTLS enabled, served to 2 proxies\n"));

    for (broken, said) in [
        ("{\"data\": {\"a~b\"", "the answer to /snapshots/xds is cut off\n"),
        ("<html>", "the answer to /snapshots/xds is not a snapshot: expected value at line 1 column 1\n"),
    ] {
        let server = PodServer::start(move |_, stream| reply(stream, "200 OK", broken.as_bytes()));
        gloo.plane.forward(&gloo.namespace, &[(9095, server.address)]).unwrap();
        let output = gloo.run(&["enable-mtls", "-u", HTTPBIN, "--wait", "--wait-timeout", "6s"]);
        assert_eq!(output.code, Some(7), "{output:?}");
        assert!(output.stderr.contains("  what Gloo serves is unknown: pod "), "{output:?}");
        assert!(output.stderr.contains(said), "{output:?}");
    }
}

#[test]
fn gloo_1_17_answers_on_its_own_port_and_without_an_envelope() {
    let gloo = Gloo::new("older");
    let namespace = gloo.namespace.clone();
    let older = PodServer::start(move |_, stream| {
        let (role, served) = clusters(ROLES[0], vec![istio_cluster(&served(HTTPBIN, &namespace))]);
        reply(stream, "200 OK", json!({role: served, "a~b": "no snapshot"}).to_string().as_bytes());
    });
    let metrics = PodServer::start(|_, stream| reply(stream, "404 Not Found", b"404 page not found\n"));
    gloo.plane.forward(&gloo.namespace, &[(9095, metrics.address), (9091, older.address)]).unwrap();
    let output = gloo.run(&["enable-mtls", "-u", HTTPBIN, "--wait"]);
    assert!(output.stdout.ends_with("mTLS enabled, served to gloo-system~gateway-proxy\n"), "{output:?}");

    gloo.plane.forward(&gloo.namespace, &[(9095, metrics.address), (9091, metrics.address)]).unwrap();
    let output = gloo.run(&["enable-mtls", "-u", HTTPBIN, "--wait"]);
    assert!(output.stdout.ends_with("mTLS already enabled, accepted, not verified\n"), "{output:?}");
    assert!(output.stderr.contains("has no /snapshots/xds: Gloo has it since 1.17\n"), "{output:?}");
}

#[test]
fn where_no_gloo_is_nothing_is_waited_for() {
    let gloo = Gloo::new("nobody");
    let output = gloo.run(&["enable-mtls", "-u", HTTPBIN, "--wait", "--gloo-namespace", "default"]);
    assert_eq!(output.code, Some(7), "{output:?}");
    assert!(output.stderr.contains("  what Gloo serves is unknown: no Gloo in default\n"), "{output:?}");
    assert!(output.stderr.contains("hint: --gloo-namespace says where Gloo is installed\n"), "{output:?}");
}

#[test]
fn ctrl_c_ends_the_wait_and_not_the_change() {
    let (gloo, server) = serving("stopped", |_, namespace| all_plain(namespace));
    let args = ["istio", "enable-mtls", "-u", HTTPBIN, "--wait", "-n", &gloo.namespace];
    let output = gloo.sandbox.interrupted(&args, || !server.asked().is_empty());
    assert_eq!(output.code, Some(130), "{output:?}");
    assert!(output.stdout.ends_with("mTLS enabled, not verified\n"), "{output:?}");
    assert!(gloo.upstream(HTTPBIN)["spec"]["sslConfig"].is_object());
}
