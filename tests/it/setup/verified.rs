//! Requests between the steps, through two real Envoys.

use std::net::TcpListener;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::spawn;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{
    PATIENCE, SHOP, UPSTREAM, containers, document, ends, mode, plane, policy, run, same, sandbox, ssl_config, state,
};
use crate::stage::pair::{Pair, Sends, Takes};
use crate::stage::{Follower, Injector, Plane, wait_for};
use crate::support::Sandbox;
use crate::support::relay::Relay;

const CLUSTER: &str = "shop-cart-80_gloo-system";
const FIRST: [&str; 9] =
    ["setup", "--via", "inject", "--namespace-to-enroll", SHOP, "--upstream", UPSTREAM, "--revision", "1-28"];

/// Who answers every request as a gateway that cannot reach its peer.
fn unavailable() -> Result<SocketAddr> {
    use std::io::{Read as _, Write as _};
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nserver: envoy\r\ncontent-length: 0\r\n\r\n");
        }
    });
    Ok(address)
}

/// The steps up to the first request: what stands behind the gateway's pods here brings no sidecars of its own.
fn without_requests(plane: &Plane) {
    let made = run(plane, &[&FIRST[..], &["--no-verify", "--yes"]].concat());
    ends(&made, 0, &["setup done: 3 steps\n"], &[]);
}

#[test]
fn each_request_has_to_be_proven_before_the_next_step() -> Result<()> {
    let plane = plane()?;
    let _injector = Injector::of_the_guide(&plane)?;
    without_requests(&plane);
    assert_eq!(run(&plane, &["disable-mtls", "-u", UPSTREAM]).code, Some(0));
    let pair = Pair::start(CLUSTER)?;
    pair.stand_in(&plane, "gloo-system")?;

    // Plaintext, answered: nothing of it is mutual TLS, and what was to make it so is taken back.
    let words = [&FIRST[..], &["--strict", "--yes"]].concat();
    let failed = run(&plane, &[&words[..], &["--wait-timeout", "5s"]].concat());
    let said = [
        "error: step 4 (verify) failed: shop-cart-80: ",
        "  step 4 found step 3 not working: it is rolled back\n",
        "hint: run the same command again to continue; undo with gloo-rs istio teardown\n",
    ];
    ends(&failed, 5, &["upstream.gloo.solo.io/shop-cart-80 rolled back\n"], &said);
    assert_eq!((ssl_config(&plane)?, mode(&plane, SHOP)?), (Value::Null, None));

    let again = document(&run(&plane, &[&words[..], &["--wait-timeout", "5s", "-o", "json"]].concat()))?;
    let rows: Vec<_> =
        again["results"].as_array().into_iter().flatten().filter(|row| row["name"] == UPSTREAM).collect();
    assert_eq!(rows.len(), 1, "{again:#}");
    assert_eq!((&rows[0]["outcome"], &rows[0]["message"]), (&json!("failed"), &json!("rolled back")), "{again:#}");
    assert_eq!((&again["exitCode"], &again["error"]["reason"]), (&json!(5), &json!("unproven")), "{again:#}");

    // Envoys that do what the objects mean: the same command goes to the end.
    drop(pair);
    let _follower = Follower::start(&plane, "gloo-system", UPSTREAM)?;
    let done = run(&plane, &[&words[..], &["-o", "json"]].concat());
    let document = document(&done)?;
    assert_eq!(done.code, Some(0), "{document:#}");
    let verdicts: Vec<_> = document["verdicts"].as_array().into_iter().flatten().map(|it| &it["verdict"]).collect();
    assert_eq!(verdicts, ["mtls", "mtls"], "{document:#}");
    assert_eq!(mode(&plane, SHOP)?.as_deref(), Some("STRICT"));
    ends(&run(&plane, &words), 0, &["nothing to change\n", ": mTLS proven\n", "setup done: 6 steps\n"], &[]);
    shares_one_session(&plane, &words)?;

    // In a mesh that is STRICT as a whole both ways have a time of 503, and say so.
    policy(&plane, "istio-system", "STRICT")?;
    let gap = |first: u8, last: u8| {
        let why = "plaintext: it accepts only mutual TLS (STRICT, istio-system/default, mesh)";
        format!("  from step {first} until step {last}: {why}\n    upstream gloo-system/{UPSTREAM}\n")
    };
    ends(&run(&plane, &["teardown", "--yes"]), 0, &[&gap(2, 3), "teardown done: 4 steps\n"], &[]);
    ends(&run(&plane, &words), 0, &[&gap(2, 3), ": mTLS proven\n", "setup done: 6 steps\n"], &[]);
    Ok(())
}

#[test]
fn ctrl_c_while_a_request_is_waited_for_says_what_stands_and_a_rerun_goes_on() -> Result<()> {
    let plane = plane()?;
    let _injector = Injector::of_the_guide(&plane)?;
    let pair = Pair::start(CLUSTER)?;
    pair.beside(&["gateway_proxy_sds"]);
    pair.sends(&Sends::Plaintext)?;
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    silent.set_nonblocking(true)?;
    plane.forward("gloo-system", &[(19000, pair.gateway.admin()), (8080, silent.local_addr()?)])?;
    let words = [&FIRST[..], &["--strict", "--yes"]].concat();
    let sandbox = sandbox(&plane).patient(PATIENCE);
    let running = sandbox.start(&[&["istio"], &words[..]].concat());
    let _asked = wait_for("the request", PATIENCE, || Ok(silent.accept().ok()))?;
    running.interrupt();
    let said = [
        "error: step 4 (verify) failed: interrupted\n  step 4 changed nothing; steps 1, 2, 3 remain in place\n",
        "hint: run the same command again to continue; undo with gloo-rs istio teardown\n",
    ];
    ends(&sandbox.end_of(running), 130, &[], &said);
    assert_ne!(ssl_config(&plane)?, Value::Null);
    assert_eq!(mode(&plane, SHOP)?, None);

    drop(pair);
    let _follower = Follower::start(&plane, "gloo-system", UPSTREAM)?;
    ends(&run(&plane, &words), 0, &["  3 upstream  shop-cart-80: already\n", "setup done: 6 steps\n"], &[]);
    Ok(())
}

#[test]
fn a_policy_after_which_requests_fail_says_again_what_it_said_before() -> Result<()> {
    let plane = plane()?;
    let _injector = Injector::of_the_guide(&plane)?;
    without_requests(&plane);
    let pair = Pair::start(CLUSTER)?;
    pair.takes(Takes::Strict);
    pair.sends(&pair.mtls()?)?;
    let words = [&FIRST[..], &["--strict", "--yes", "--wait-timeout", "10s"]].concat();
    for before in [Some("DISABLE"), None] {
        match before {
            Some(mode) => policy(&plane, SHOP, mode)?,
            None => plane.api().delete("security.istio.io/v1/PeerAuthentication", SHOP, "default")?,
        }
        // The first request is answered, the one after the policy is not.
        let turning = Relay::turning(pair.http()?, 1, unavailable()?);
        plane.forward("gloo-system", &[(19000, pair.gateway.admin()), (8080, turning.address)])?;
        let failed = run(&plane, &words);
        let said =
            ["error: step 6 (verify) failed: shop-cart-80: ", "step 6 found step 5 not working: it is rolled back"];
        ends(&failed, 5, &[": mTLS proven\n", "default rolled back\n"], &said);
        assert_eq!(mode(&plane, SHOP)?.as_deref(), before);
        assert_ne!(ssl_config(&plane)?, Value::Null, "what was proven stays");
    }
    // A request that cannot be sent proves nothing wrong.
    plane.forward("gloo-system", &[(19000, pair.gateway.admin())])?;
    let unsent = run(&plane, &words);
    assert!(unsent.stderr.contains("--no-verify skips the requests"), "{unsent:#?}");
    assert!(unsent.stderr.contains("step 4 changed nothing"), "{unsent:#?}");
    assert_ne!(ssl_config(&plane)?, Value::Null);
    pair.sends(&Sends::Plaintext)
}

#[test]
fn only_what_carries_the_request_is_taken_back() -> Result<()> {
    let plane = plane()?;
    let _injector = Injector::of_the_guide(&plane)?;
    without_requests(&plane);
    assert_eq!(run(&plane, &["disable-mtls", "-u", UPSTREAM]).code, Some(0));
    let pair = Pair::start(CLUSTER)?;
    pair.stand_in(&plane, "gloo-system")?;
    let switch = || -> Result<Value> {
        let settings = plane.api().get("gloo.solo.io/v1/Settings", "gloo-system", "default")?.context("Settings")?;
        Ok(settings["spec"]["gloo"]["istioOptions"]["enableAutoMtls"].clone())
    };
    let words = [&FIRST[..], &["--auto-mtls", "--yes", "--wait-timeout", "1s"]].concat();
    let back = ["settings.gloo.solo.io/default rolled back\n"];
    ends(&run(&plane, &words), 5, &back, &["  step 5 found step 3 not working: it is rolled back\n"]);
    assert_eq!((switch()?, ssl_config(&plane)?), (json!(false), Value::Null));

    // What has opted out of auto-mTLS has its own.
    let out = json!({"spec": {"disableIstioAutoMtls": true}});
    plane.api().merge("gloo.solo.io/v1/Upstream", "gloo-system", UPSTREAM, &out)?;
    let back = ["upstream.gloo.solo.io/shop-cart-80 rolled back\n"];
    ends(
        &run(&plane, &words),
        5,
        &back,
        &["  step 5 found step 4 not working: it is rolled back; step 3 remains in place\n"],
    );
    assert_eq!((switch()?, ssl_config(&plane)?), (json!(true), Value::Null));
    Ok(())
}

/// A second gateway proxy, as the chart makes one for each of its values.
fn another_proxy(plane: &Plane) -> Result<()> {
    let copy = |kind: &str, from: &str| -> Result<()> {
        let mut object = plane.api().get(kind, "gloo-system", from)?.context("the first proxy's")?;
        object["metadata"] = json!({
            "name": from.replace("gateway", "edge"), "namespace": "gloo-system",
            "labels": object["metadata"]["labels"],
        });
        object.as_object_mut().context("a map")?.remove("status");
        let text = object.to_string().replace("gateway-proxy-envoy-config", "edge-proxy-envoy-config");
        let (one, other) = [r#""gateway-proxy-id":"gateway-proxy""#, r#""gateway-proxy-id":"edge-proxy""#].into();
        plane.api().apply(&text.replace(one, other))
    };
    copy("v1/ConfigMap", "gateway-proxy-envoy-config")?;
    copy("apps/v1/Deployment", "gateway-proxy")?;
    plane.api().wait_available("gloo-system")
}

#[test]
fn another_proxy_and_a_request_of_its_own_can_be_named() -> Result<()> {
    let plane = plane()?;
    let _injector = Injector::of_the_guide(&plane)?;
    another_proxy(&plane)?;
    // No plain route: it is only for those who send a header.
    let matcher = json!({"prefix": "/cart", "headers": [{"name": "x-shop", "value": "yes"}]});
    let routes = json!({"spec": {"virtualHost": {"routes": [{
        "matchers": [matcher], "routeAction": {"single": {"upstream": {"name": UPSTREAM, "namespace": "gloo-system"}}},
    }]}}});
    plane.api().merge("gateway.solo.io/v1/VirtualService", "gloo-system", "shop", &routes)?;
    let (before, pods) = (state(&plane)?, containers(&plane)?);
    let pair = Pair::start(CLUSTER)?;
    pair.beside(&["gateway_proxy_sds"]);
    pair.sends(&pair.mtls()?)?;
    pair.stand_in(&plane, "gloo-system")?;

    // The other gateway stays without sidecars, and would get 503s from then on.
    let words = [&FIRST[..], &["--name", "edge-proxy", "--yes"]].concat();
    let there = ["--host", "shop.example", "--path", "/cart"];
    let harms = run(&plane, &[&words[..], &there].concat());
    ends(&harms, 1, &[], &["error: step 3 is refused: ", "hint: --force proceeds\n"]);
    let words = [&words[..], &["--force"]].concat();
    let refused = run(&plane, &words);
    ends(&refused, 1, &[], &["no VirtualService has a plain route to it", "hint: --host and --path of a request"]);
    let asked = run(&plane, &[&words[..], &there].concat());
    let planned = ["deployment/edge-proxy patched, restarted\n", "undo: gloo-rs istio uninject --name edge-proxy\n"];
    ends(
        &asked,
        0,
        &[&planned[..], &[": mTLS proven\n"]].concat(),
        &["GET /cart (Host: shop.example) to pod gloo-system/edge-proxy-"],
    );
    assert!(!asked.stdout.contains("deployment/gateway-proxy"), "{asked:#?}");

    // A path that leads nowhere is no proof against what was made.
    assert_eq!(run(&plane, &["disable-mtls", "-u", UPSTREAM]).code, Some(0));
    let nowhere = run(&plane, &[&words[..], &["--path", "/nowhere", "--wait-timeout", "1s"]].concat());
    let said = [
        "error: step 4 (verify) failed: shop-cart-80: 404",
        "  step 4 gives no reason to roll back an earlier step; step 3 remains in place\n",
    ];
    ends(&nowhere, 7, &[], &said);
    assert_ne!(ssl_config(&plane)?, Value::Null);
    ends(&run(&plane, &["teardown", "--yes"]), 0, &["  3 uninject  deployment/edge-proxy\n"], &[]);
    same(&plane, &before)?;
    assert_eq!(containers(&plane)?, pods);

    let two = run(&plane, &["setup", "-u", "a,b", "--path", "/cart"]);
    ends(&two, 2, &[], &["--host and --path need a single Upstream"]);
    Ok(())
}

/// Back and there again by way of a relay, with an exec plugin: each run is one session, whatever its steps are.
fn shares_one_session(plane: &Plane, setup: &[&str]) -> Result<()> {
    for (words, done) in [(&["teardown", "--yes"][..], "teardown done: 4 steps\n"), (setup, "setup done: 6 steps\n")] {
        let sandbox = Sandbox::new();
        let token =
            r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"TOKEN"}}"#;
        let text = std::fs::read_to_string(plane.kubeconfig())?;
        let (before, rest) = text.split_once("\"token\"").context("a token in the kubeconfig")?;
        let (_, rest) = rest.split_once('"').context("its beginning")?;
        let (secret, after) = rest.split_once('"').context("its end")?;
        let plugin = format!("echo run >>$HOME/runs; echo '{}'", token.replace("TOKEN", secret));
        let command = sandbox.script("login", &plugin);
        let exec = json!({
            "apiVersion": "client.authentication.k8s.io/v1", "command": command, "interactiveMode": "Never",
        });
        let server = plane.server();
        let relay = Relay::start(server.trim_start_matches("https://").parse()?, None);
        let text = format!("{before}\"exec\": {exec}{after}").replace(&server, &format!("https://{}", relay.address));
        let kubeconfig = sandbox.kubeconfig(text);
        let sandbox = sandbox.env("KUBECONFIG", kubeconfig.to_str().context("UTF-8")?);
        let output = sandbox.run(&[&["istio"], words, &["-v"]].concat());
        ends(&output, 0, &[done], &[]);
        // `GET /api/v1/...` is the API server's, `GET gloo-system/gateway-proxy-1:19000/stats` goes through a stream.
        let paths = output.stderr.lines().filter_map(|line| line.strip_prefix("GET "));
        let (requests, streams): (Vec<_>, Vec<_>) = paths.partition(|path| path.starts_with('/'));
        let (requests, streams) = (requests.len(), streams.len());
        assert!(requests > 40, "the trace has the requests: {output:#?}");
        let connections = relay.taken() - streams;
        assert!(connections <= 4, "{connections} connections for {requests} requests: {output:#?}");
        assert_eq!(std::fs::read_to_string(sandbox.dir().join("runs"))?, "run\n");
    }
    Ok(())
}
