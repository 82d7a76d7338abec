//! `proxy served-config`: what Gloo serves to the proxy's role, alone and beside the real Envoy.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Bench, assert_said, cluster};
use crate::support::pod_server::{PodServer, reply};
use crate::support::snapshots::{self as shape, Item, endpoints, istio_cluster, listener, role, routes, snapshot};

const HTTPBIN: &str = "default-httpbin-8000";

/// A gateway whose Gloo serves this.
fn serving(prefix: &str, roles: impl FnOnce(&str) -> Vec<Item>, error: &str) -> Result<Bench> {
    let bench = Bench::new(prefix)?;
    answering(&bench, snapshot(roles(&bench.gloo), error))?;
    Ok(bench)
}

fn answering(bench: &Bench, body: Vec<u8>) -> Result<()> {
    let gloo = PodServer::start(move |asked, stream| match asked.path.as_str() {
        "/snapshots/xds" => reply(stream, "200 OK", &body),
        _ => reply(stream, "404 Not Found", b""),
    });
    bench.plane.forward(&bench.gloo, &[(9095, gloo.address), (19000, bench.envoy.admin())])
}

fn usual(gloo: &str) -> Vec<Item> {
    let name = format!("{HTTPBIN}_{gloo}");
    let hosts: [(&str, &[&str], &str); 2] =
        [("one", &["api.example.com", "*.b.com"], &name), ("two", &["other.org"], "other_ns")];
    let types = vec![
        (
            "Endpoints",
            "4-1",
            vec![endpoints(&format!("{name}-123"), &[("10.0.0.7", 80), ("fd00::7", 80)]), endpoints("other_ns", &[])],
        ),
        ("Clusters", "3", vec![istio_cluster(&name), shape::cluster("other_ns")]),
        ("Routes", "2", vec![routes(8080, &hosts), routes(8443, &hosts[..1])]),
        ("Listeners", "1", vec![listener(8080), listener(8443)]),
    ];
    let other = shape::clusters("gloo-kube-gateway-api~default~default-http", vec![shape::cluster("secret_ns")]);
    vec![role(&format!("{gloo}~gateway-proxy"), &types), other]
}

#[test]
fn what_the_proxys_own_role_is_served_stands_in_a_table_of_each_type() -> Result<()> {
    let bench = serving("served", usual, "")?;
    let output = bench.run("served-config");
    let name = format!("{HTTPBIN}_{}", bench.gloo);
    let pad = " ".repeat(name.len());
    assert_eq!(output.code, Some(0), "{output:#?}");
    for line in [
        "listeners (version 1)\nNAME              ADDRESS    CHAINS  ROUTES\nlistener-::-8080  [::]:8080       1  listener-::-8080-routes\n",
        "routes (version 2)\nNAME                     HOSTS  ROUTES  DOMAINS\nlistener-::-8080-routes      2       2  api.example.com,*.b.com,other.org\n",
        &format!("clusters (version 3)\nNAME{}  TYPE  TLS\n{name}  eds   istio\n", &pad[4..]),
        &format!("{name}-123          2  10.0.0.7:80,[fd00::7]:80\n"),
    ] {
        assert!(output.stdout.contains(line), "{line}\n{}", output.stdout);
    }
    assert!(!output.stdout.contains("secret_ns"), "{output:#?}");
    assert!(output.stderr.contains(&format!("role {0}~gateway-proxy, as pod {0}/gloo-", bench.gloo)), "{output:#?}");
    Ok(())
}

#[test]
fn filters_leave_what_was_asked_for() -> Result<()> {
    let bench = serving("served-filter", usual, "")?;
    let name = format!("{HTTPBIN}_{}", bench.gloo);
    let names = |line: &str| -> Result<Vec<String>> {
        let (document, output) = bench.json(&format!("served-config {line}"))?;
        assert_eq!(output.code, Some(0), "{output:#?}");
        let types = document["served"]["types"].as_object().context("types")?;
        let items = types.iter().flat_map(|(_, it)| it["items"].as_array().cloned().unwrap_or_default());
        Ok(items.filter_map(|item| item["name"].as_str().map(str::to_owned)).collect())
    };
    assert_eq!(names("clusters")?, [name.clone(), "other_ns".into()]);
    assert_eq!(names("--port 8443")?, ["listener-::-8443", "listener-::-8443-routes"]);
    assert_eq!(names("--domain other.org")?, ["listener-::-8080-routes"]);
    let of_upstream = [
        "listener-::-8080-routes".to_owned(),
        "listener-::-8443-routes".to_owned(),
        name.clone(),
        format!("{name}-123"),
    ];
    assert_eq!(names(&format!("--upstream {HTTPBIN}"))?, of_upstream);
    assert_eq!(names(&format!("clusters --upstream {}/{HTTPBIN}", bench.gloo))?, [name]);
    assert_eq!(names("--upstream nowhere/x")?, [""; 0]);
    assert_eq!(bench.run("served-config --upstream nowhere/x clusters").stdout, "clusters (version 3)\nnone\n");
    Ok(())
}

#[test]
fn messages_that_may_hold_secrets_are_covered_unless_they_are_asked_for() -> Result<()> {
    let bench = serving("served-secrets", usual, "")?;
    let line = format!("served-config clusters --upstream {HTTPBIN}");
    let config = |document: &Value| {
        document["served"]["types"]["clusters"]["items"][0]["resource"]["transport_socket"]["ConfigType"]["TypedConfig"]
            ["value"]
            .clone()
    };
    assert_eq!(config(&bench.json(&line)?.0), "*** (30 bytes)");
    let shown = config(&bench.json(&format!("{line} --show-secrets"))?.0);
    assert!(shown.as_str().is_some_and(|base64| !base64.contains('*')), "{shown}");
    let yaml = bench.run(&format!("{line} -o yaml"));
    assert!(yaml.stdout.contains("*** (30 bytes)") && yaml.stdout.starts_with("apiVersion: gloo-rs/v1\n"), "{yaml:#?}");
    Ok(())
}

#[test]
fn a_role_that_is_served_nothing_says_which_roles_are() -> Result<()> {
    let others = |_: &str| {
        vec![
            shape::clusters("gloo-system~gateway-proxy", Vec::new()),
            ("a~b".into(), json!("no snapshot found for a~b")),
        ]
    };
    let bench = serving("served-missing", others, "a~b: no snapshot found")?;
    let output = bench.run("served-config");
    assert_said(
        &output,
        4,
        &[
            &format!("error: Gloo serves nothing to the role {}~gateway-proxy\n", bench.gloo),
            "  roles there: gloo-system~gateway-proxy, a~b\n",
            "  Gloo says: a~b: no snapshot found\n",
            "hint: --role chooses another",
        ],
    );
    let (document, output) = bench.json("served-config --role gloo-system~gateway-proxy")?;
    assert_said(&output, 0, &["warning: Gloo says: a~b: no snapshot found\n"]);
    assert_eq!(document["served"]["role"], "gloo-system~gateway-proxy");
    let failed = bench.run("served-config --role a~b");
    assert_said(&failed, 1, &["error: Gloo has no snapshot for the role a~b: no snapshot found for a~b\n"]);
    Ok(())
}

#[test]
fn a_proxy_that_does_not_run_is_served_all_the_same_and_a_role_may_be_written_in_camel_case() -> Result<()> {
    let bench = serving("served-idle", usual, "")?;
    bench.plane.api().merge("apps/v1/Deployment", &bench.gloo, "gateway-proxy", &json!({"spec": {"replicas": 0}}))?;
    crate::stage::wait_for("no pods", std::time::Duration::from_mins(2), || {
        Ok(super::gateway_pods(bench.plane, &bench.gloo)?.is_empty().then_some(()))
    })?;
    assert_eq!(bench.run("served-config clusters").code, Some(0));
    assert_said(&bench.run("served-config --diff"), 4, &["has no pods"]);

    let with = |text: &str| {
        bench.plane.api().merge(
            "v1/ConfigMap",
            &bench.gloo,
            "gateway-proxy-envoy-config",
            &json!({"data": {"envoy.yaml": text}}),
        )
    };
    with("node: {metadata: {role: gloo-kube-gateway-api~default~default-http}}\nstaticResources: {}\n")?;
    assert!(bench.run("served-config clusters").stdout.contains("secret_ns"));
    with("node: {id: x}\n")?;
    assert_said(
        &bench.run("served-config"),
        1,
        &["its bootstrap names no role\n", "hint: --role ROLE needs no bootstrap\n"],
    );
    Ok(())
}

#[test]
fn what_is_no_snapshot_is_said_in_one_line() -> Result<()> {
    let bench = serving("served-broken", usual, "")?;
    for (body, said) in [
        ("{\"data\": {", "the answer to /snapshots/xds is cut off\n"),
        ("<html>", "the answer to /snapshots/xds is not a snapshot: expected value at line 1 column 1\n"),
    ] {
        answering(&bench, body.as_bytes().to_vec())?;
        let (document, output) = bench.json("served-config")?;
        assert_said(&output, 1, &[said]);
        assert_eq!((&document["error"]["reason"], &document["served"]), (&json!("badAnswer"), &Value::Null));
    }
    Ok(())
}

/// What the bench's Envoy has by its files, as Gloo would have served it.
fn same_as_envoy(gloo: &str, version: &str) -> Vec<Item> {
    let types = vec![
        ("Clusters", version, vec![shape::cluster("default-httpbin-8000_gloo-system")]),
        ("Listeners", "0", Vec::new()),
    ];
    vec![role(&format!("{gloo}~gateway-proxy"), &types)]
}

#[test]
fn an_envoy_that_has_what_it_is_served_is_the_same() -> Result<()> {
    let bench = serving("served-same", |gloo| same_as_envoy(gloo, "7"), "")?;
    let output = bench.run("served-config --diff --check");
    let table = "TYPE       SERVED  ENVOY  STATE\nlisteners       0      0  same\nroutes          0      0  same\nclusters        1      1  same\nendpoints       0      0  same\n";
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), table), "{output:#?}");
    Ok(())
}

#[test]
fn what_envoy_lacks_has_besides_or_rejected_is_said_with_its_reason() -> Result<()> {
    let bench = serving(
        "served-differs",
        |gloo| {
            let types = vec![
                ("Clusters", "9", vec![shape::cluster("new_ns"), shape::cluster("default-httpbin-8000_gloo-system")]),
                ("Listeners", "5", vec![listener(8080)]),
            ];
            vec![role(&format!("{gloo}~gateway-proxy"), &types)]
        },
        "",
    )?;
    bench.envoy.put("cds", "8", &[cluster("default-httpbin-8000_gloo-system"), cluster("old_ns")])?;
    let rejected = json!({
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener", "name": "listener-::-8080",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "no.such.filter", "typed_config": {"@type": "type.googleapis.com/google.protobuf.Struct"}}]}],
    });
    bench.envoy.put("lds", "5", &[rejected])?;
    let dump = |path: &str| bench.envoy.get(path).unwrap_or_default();
    crate::stage::wait_for("Envoy has taken both in", std::time::Duration::from_mins(2), || {
        let dump = dump("/config_dump");
        Ok((dump.contains("old_ns") && dump.contains("error_state")).then_some(()))
    })?;

    let output = bench.run("served-config --diff");
    assert_eq!(output.code, Some(0), "a difference is an answer: {output:#?}");
    for line in [
        "clusters        2      2  version 9 is served, Envoy has 8, 1 only served, 1 only in Envoy\n",
        "clusters only served: new_ns\n",
        "clusters only in Envoy: old_ns\n",
        "listeners rejected by Envoy: listener-::-8080: ",
        "no.such.filter",
    ] {
        assert!(output.stdout.contains(line), "{line}\n{}", output.stdout);
    }
    let (document, checked) = bench.json("served-config --diff --check")?;
    assert_eq!(checked.code, Some(3), "{checked:#?}");
    let types = document["comparison"][0]["types"].as_array().context("types")?;
    let clusters = types.iter().find(|it| it["type"] == "clusters").context("clusters")?;
    assert_eq!((&clusters["onlyServed"], &clusters["servedVersion"]), (&json!(["new_ns"]), &json!("9")));
    assert_eq!(bench.run("served-config --diff --check routes").code, Some(0), "of the types that were asked for");
    Ok(())
}

#[test]
fn each_right_that_is_missing_is_named_with_its_rule() -> Result<()> {
    let mut bench = serving("served-rights", usual, "")?;
    let settings = json!({"apiGroups": ["gloo.solo.io"], "resources": ["settings"], "verbs": ["get"]});
    let workloads = json!({"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]});
    let maps = json!({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]});
    let pods = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]});
    let forward = json!({"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["get", "create"]});
    for (rules, code, said) in [
        (
            json!([workloads, settings]),
            4,
            "resources: [configmaps], verbs: [get]}\n  hint: --role ROLE needs no bootstrap\n",
        ),
        (json!([workloads, settings, maps]), 4, "resources: [pods], verbs: [list]}"),
        (json!([workloads, settings, maps, pods]), 4, "resources: [pods/portforward], verbs: [get, create]}"),
        (json!([workloads, settings, maps, pods, forward]), 0, "as pod "),
    ] {
        bench.limit(&rules)?;
        let output = bench.until("served-config", said)?;
        assert_eq!(output.code, Some(code), "{output:#?}");
    }
    Ok(())
}
