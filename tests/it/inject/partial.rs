//! From every partial state, whoever left it, to the full or the clean one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Bench, CHART_ISTIO, INJECTED, PATIENCE, UNINJECTED, VOLUMES, env, fixture, last_line, named, names};
use crate::stage::{documents, wait_for};
use crate::support::pod_server::{PodServer, reply};

const ADDRESS: &str = "istiod-1-28.istio-system.svc:15012";

/// The cluster as the chart renders it, and as glooctl writes it.
const SNAKE: &str = "  - name: gateway_proxy_sds
    connect_timeout: 0.25s
    http2_protocol_options: {}
    load_assignment:
      cluster_name: gateway_proxy_sds
      endpoints:
      - lb_endpoints:
        - endpoint:
            address:
              socket_address:
                address: 127.0.0.1
                port_value: 8234
";
const CAMEL: &str = "  - connectTimeout: 0.250s
    http2ProtocolOptions: {}
    loadAssignment:
      clusterName: gateway_proxy_sds
      endpoints:
      - lbEndpoints:
        - endpoint:
            address:
              socketAddress:
                address: 127.0.0.1
                portValue: 8234
    name: gateway_proxy_sds
";
/// A bootstrap that glooctl rewrote, up to the cluster that it adds.
const REWRITTEN: &str = "\
admin:
  accessLogPath: /dev/null
  address:
    socketAddress:
      address: 127.0.0.1
      portValue: 19000
node:
  cluster: gateway
  id: '{{.PodName}}.{{.PodNamespace}}'
staticResources:
  clusters:
  - altStatName: xds_cluster
    connectTimeout: 5s
    http2ProtocolOptions: {}
    loadAssignment:
      clusterName: gloo.gloo-system.svc.cluster.local:9977
      endpoints:
      - lbEndpoints:
        - endpoint:
            address:
              socketAddress:
                address: gloo.gloo-system.svc.cluster.local
                portValue: 9977
    name: gloo.gloo-system.svc.cluster.local:9977
    type: STRICT_DNS
";

#[derive(Clone, Copy, PartialEq)]
enum Sds {
    None,
    /// As the chart renders it.
    Whole,
    /// As glooctl adds it: no probe, no log level.
    Short,
}

#[derive(Clone, Copy, PartialEq)]
enum Istio {
    None,
    Whole,
    /// Without this variable.
    Lacks(&'static str),
    /// As glooctl adds it: fewer variables, mounts and volumes.
    Short,
}

#[derive(Clone, Copy, PartialEq)]
enum Volumes {
    None,
    All,
    /// What an aborted removal leaves.
    Two,
}

#[derive(Clone, Copy, PartialEq)]
enum Bootstrap {
    Clean,
    Cluster,
    /// In glooctl's spelling.
    Rewritten,
    /// Written after the pods had started.
    Late,
}

/// A state, and what `inject` says is missing: empty where it has nothing to complete.
struct State(&'static str, Sds, Istio, Volumes, Bootstrap, &'static str);

const STATES: [State; 15] = [
    State("clean", Sds::None, Istio::None, Volumes::None, Bootstrap::Clean, ""),
    State("full", Sds::Whole, Istio::Whole, Volumes::All, Bootstrap::Cluster, ""),
    State("cluster-alone", Sds::None, Istio::None, Volumes::None, Bootstrap::Cluster, "container sds"),
    State("sds-alone", Sds::Whole, Istio::None, Volumes::All, Bootstrap::Clean, "container istio-proxy"),
    State("sds-and-cluster", Sds::Whole, Istio::None, Volumes::All, Bootstrap::Cluster, "container istio-proxy"),
    State("istio-proxy-alone", Sds::None, Istio::Whole, Volumes::All, Bootstrap::Clean, "container sds"),
    State("istio-proxy-and-cluster", Sds::None, Istio::Whole, Volumes::All, Bootstrap::Cluster, "container sds"),
    State("no-cluster", Sds::Whole, Istio::Whole, Volumes::All, Bootstrap::Clean, "cluster gateway_proxy_sds"),
    State("volumes-left-over", Sds::None, Istio::None, Volumes::Two, Bootstrap::Clean, "volume istio-token"),
    State(
        "no-disable-envoy",
        Sds::Whole,
        Istio::Lacks("DISABLE_ENVOY"),
        Volumes::All,
        Bootstrap::Cluster,
        "DISABLE_ENVOY of istio-proxy",
    ),
    State(
        "no-ca-addr",
        Sds::Whole,
        Istio::Lacks("CA_ADDR"),
        Volumes::All,
        Bootstrap::Cluster,
        "CA_ADDR of istio-proxy",
    ),
    State(
        "no-proxy-config",
        Sds::Whole,
        Istio::Lacks("PROXY_CONFIG"),
        Volumes::All,
        Bootstrap::Cluster,
        "PROXY_CONFIG of istio-proxy",
    ),
    State(
        "late-bootstrap",
        Sds::Whole,
        Istio::Whole,
        Volumes::All,
        Bootstrap::Late,
        "cluster gateway_proxy_sds in running pods",
    ),
    State("glooctl", Sds::Short, Istio::Short, Volumes::All, Bootstrap::Rewritten, ""),
    State("glooctl-failed", Sds::None, Istio::None, Volumes::None, Bootstrap::Rewritten, "container sds"),
];

/// A proxy of this name in this state, rolled out.
fn install(bench: &Bench, kind: &str, state: &State) -> Result<()> {
    let &State(name, sds, istio, volumes, bootstrap, _) = state;
    let text = |cluster| bootstrap_text(bootstrap, cluster);
    let late = bootstrap == Bootstrap::Late;
    let mut map = fixture("ConfigMap", "gateway-proxy-envoy-config");
    let labels = json!({"gloo": "gateway-proxy", "gateway-proxy-id": name});
    map["metadata"] = json!({"name": format!("{name}-envoy-config"), "labels": labels});
    map["data"]["envoy.yaml"] = text(bootstrap != Bootstrap::Clean && !late).into();
    bench.apply(map)?;

    let mut workload = fixture("Deployment", "gateway-proxy");
    workload["kind"] = json!(kind);
    workload["metadata"] = json!({"name": name, "labels": labels});
    workload["spec"]["selector"]["matchLabels"] = labels.clone();
    workload["spec"]["template"]["metadata"]["labels"] = labels;
    if kind == "DaemonSet" {
        workload["spec"].as_object_mut().context("a map")?.remove("replicas");
    }
    let pod = &mut workload["spec"]["template"]["spec"];
    let [whole_sds, whole_istio, whole_volumes] = parts()?;
    let containers = pod["containers"].as_array_mut().context("a list")?;
    containers.extend(match sds {
        Sds::None => None,
        Sds::Whole => Some(whole_sds),
        Sds::Short => Some(short_sds(whole_sds)),
    });
    containers.extend(match istio {
        Istio::None => None,
        Istio::Whole => Some(whole_istio),
        Istio::Lacks(name) => Some(without(whole_istio, name)),
        Istio::Short => Some(short_istio(whole_istio)),
    });
    let all = whole_volumes.as_array().context("a list")?.iter().filter(|volume| volume["name"] != "envoy-config");
    let list = pod["volumes"].as_array_mut().context("a list")?;
    list[0]["configMap"]["name"] = format!("{name}-envoy-config").into();
    list.extend(
        all.take(match volumes {
            Volumes::None => 0,
            Volumes::Two => 2,
            Volumes::All => 7,
        })
        .cloned(),
    );
    bench.apply(workload)?;
    let ready = |workload: &Value| {
        let status = &workload["status"];
        status["observedGeneration"] == workload["metadata"]["generation"]
            && (status["availableReplicas"] == 1 || status["numberAvailable"] == 1)
    };
    bench.plane.api().wait(&format!("apps/v1/{kind}"), &bench.gloo, name, ready)?;
    if late {
        // Times in the API have seconds: the bootstrap has to be written in a later one.
        let pods = bench.pods(name)?;
        let born = pods[0]["metadata"]["creationTimestamp"].as_str().context("a time")?.to_owned();
        wait_for("the next second", PATIENCE, || {
            let map = json!({"data": {"envoy.yaml": text(true), "seen": jiff::Timestamp::now().to_string()}});
            bench.merge("v1/ConfigMap", &format!("{name}-envoy-config"), &map)?;
            let map = bench.get("v1/ConfigMap", &format!("{name}-envoy-config"))?;
            let times = map["metadata"]["managedFields"].as_array().into_iter().flatten();
            let later = times.filter_map(|entry| entry["time"].as_str()).any(|time| *time > *born);
            Ok(later.then_some(()))
        })?;
    }
    Ok(())
}

fn bootstrap_text(bootstrap: Bootstrap, cluster: bool) -> String {
    if bootstrap == Bootstrap::Rewritten {
        return format!("{REWRITTEN}{}", if cluster { CAMEL } else { "" });
    }
    let map = fixture("ConfigMap", "gateway-proxy-envoy-config");
    let clean = map["data"]["envoy.yaml"].as_str().expect("text");
    let next = "  - name: admin_port_cluster\n";
    let text = clean.replacen(next, &format!("{}{next}", if cluster { SNAKE } else { "" }), 1);
    assert_eq!(text != clean, cluster);
    text
}

/// sds, istio-proxy and the volumes as the chart renders them, with the `PROXY_CONFIG` that this program
/// writes: the chart's own, which is not JSON, would say that Helm carries them.
fn parts() -> Result<[Value; 3]> {
    let chart = &documents(CHART_ISTIO)?[0]["spec"]["template"]["spec"];
    let mut istio = named(&chart["containers"], "istio-proxy").clone();
    for env in istio["env"].as_array_mut().context("a list")? {
        if env["name"] == "PROXY_CONFIG" {
            env["value"] = json!({"discoveryAddress": ADDRESS}).to_string().into();
        }
    }
    Ok([named(&chart["containers"], "sds").clone(), istio, chart["volumes"].clone()])
}

fn without(mut container: Value, name: &str) -> Value {
    container["env"].as_array_mut().expect("a list").retain(|env| env["name"] != name);
    container
}

fn short_sds(mut container: Value) -> Value {
    container.as_object_mut().expect("a map").remove("readinessProbe");
    without(without(container, "LOG_LEVEL"), "START_STATS_SERVER")
}

fn short_istio(mut container: Value) -> Value {
    for env in container["env"].as_array_mut().expect("a list") {
        if env["name"] == "PROXY_CONFIG" {
            env["value"] = format!("{{ \"discoveryAddress\": {ADDRESS} }}").into();
        }
    }
    let mounts = ["istiod-ca-cert", "istio-envoy", "istio-certs", "istio-token"];
    container["volumeMounts"]
        .as_array_mut()
        .expect("a list")
        .retain(|mount| mounts.iter().any(|name| mount["name"] == *name));
    container
}

/// Both objects of a proxy.
fn read(bench: &Bench, kind: &str, name: &str) -> Result<[Value; 2]> {
    Ok([bench.get(&format!("apps/v1/{kind}"), name)?, bench.get("v1/ConfigMap", &format!("{name}-envoy-config"))?])
}

fn versions(objects: &[Value; 2]) -> [&Value; 2] {
    [0, 1].map(|at| super::version(&objects[at]))
}

fn assert_full(name: &str, [workload, map]: &[Value; 2]) {
    let pod = &workload["spec"]["template"]["spec"];
    let mut containers = names(&pod["containers"]);
    containers.sort_unstable();
    assert_eq!(containers, ["gateway-proxy", "istio-proxy", "sds"], "{name}");
    let mounted: Vec<_> =
        pod["containers"].as_array().into_iter().flatten().flat_map(|it| names(&it["volumeMounts"])).collect();
    let volumes = names(&pod["volumes"]);
    assert!(mounted.iter().all(|mount| volumes.contains(mount)), "{name}: {mounted:?} {volumes:?}");
    assert_eq!(mounted.iter().filter(|mount| **mount == "istio-certs").count(), 2, "{name}");
    for (container, variable, value) in [
        ("sds", "ISTIO_MTLS_SDS_ENABLED", "true"),
        ("istio-proxy", "DISABLE_ENVOY", "true"),
        ("istio-proxy", "OUTPUT_CERTS", "/etc/istio-certs"),
        ("istio-proxy", "CA_ADDR", ADDRESS),
    ] {
        assert_eq!(env(workload, container, variable), value, "{name}: {variable}");
    }
    let config = env(workload, "istio-proxy", "PROXY_CONFIG").as_str().unwrap_or_default();
    assert!(config.contains(ADDRESS), "{name}: {config}");
    let text = map["data"]["envoy.yaml"].as_str().unwrap_or_default();
    assert_eq!(text.matches("8234").count(), 1, "{name}:\n{text}");
}

fn assert_clean(state: &State, [workload, map]: &[Value; 2]) {
    let pod = &workload["spec"]["template"]["spec"];
    assert_eq!(names(&pod["containers"]), ["gateway-proxy"], "{}", state.0);
    assert!(VOLUMES.iter().all(|volume| !names(&pod["volumes"]).contains(volume)), "{}: {pod:#}", state.0);
    assert_eq!(map["data"]["envoy.yaml"], bootstrap_text(state.4, false), "{}", state.0);
}

fn has_rolled_out(kind: &str, [workload, _]: &[Value; 2], bench: &Bench) -> Result<()> {
    let name = workload["metadata"]["name"].as_str().context("a name")?;
    let wanted = names(super::containers(workload)).len();
    let pods = bench.pods(name)?;
    let living: Vec<_> = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).collect();
    let all_new = living.iter().all(|pod| names(&pod["spec"]["containers"]).len() == wanted);
    assert!(all_new && !living.is_empty(), "{kind} {name}: {living:#?}");
    Ok(())
}

/// Every state, both ways, for one kind of workload. What comes back is printed as the table of the result.
fn every_state_ends_full(kind: &str, prefix: &str) -> Result<()> {
    let bench = Bench::new(prefix)?;
    // An Envoy that started before the cluster was in its bootstrap lacks it until it is restarted.
    let is_stale = Arc::new(AtomicBool::new(false));
    let stale = Arc::clone(&is_stale);
    let server = PodServer::start(move |_, stream| {
        let cluster = if stale.swap(false, Ordering::SeqCst) { "another" } else { "gateway_proxy_sds" };
        reply(stream, "200 OK", format!("{cluster}::default_priority::max_connections::1024\n").as_bytes());
    });
    bench.plane.forward(&bench.gloo, &[(19000, server.address)])?;
    for state in &STATES {
        let &State(name, _, _, _, bootstrap, missing) = state;
        install(&bench, kind, state)?;
        is_stale.store(bootstrap == Bootstrap::Late, Ordering::SeqCst);
        let before = read(&bench, kind, name)?;
        let line = format!("inject --name {name} --revision 1-28 --istio-namespace istio-system");
        // What is there keeps its version, also where a revision is typed, as the fixture has istiod's.
        let line = format!("{line} --istio-proxy-image docker.io/istio/proxyv2:1.22.0");
        let output = bench.run(&line);
        assert_eq!((output.code, last_line(&output.stdout)), (Some(0), INJECTED), "{name}: {output:#?}");
        let after = read(&bench, kind, name)?;
        assert_full(name, &after);
        has_rolled_out(kind, &after, &bench)?;
        assert_eq!(
            output.stderr.contains("was partly injected; missing: "),
            !missing.is_empty(),
            "{name}: {output:#?}"
        );
        assert!(output.stderr.contains(missing), "{name}: {output:#?}");
        let is_changed = !matches!(name, "full" | "glooctl");
        assert_eq!(versions(&before) != versions(&after), is_changed, "{name}: {output:#?}");

        let again = bench.run(&line);
        assert_eq!((again.code, last_line(&again.stdout)), (Some(0), INJECTED), "{name}: {again:#?}");
        assert_eq!(versions(&read(&bench, kind, name)?), versions(&after), "{name}: {again:#?}");

        let back = bench.run(&format!("uninject --name {name}"));
        assert_eq!((back.code, last_line(&back.stdout)), (Some(0), UNINJECTED), "{name}: {back:#?}");
        let back = read(&bench, kind, name)?;
        assert_clean(state, &back);
        if name == "clean" {
            assert_eq!(back[0]["spec"], before[0]["spec"], "field for field");
            assert_eq!(back[1]["data"], before[1]["data"], "byte for byte");
        }
    }
    Ok(())
}

fn every_state_ends_clean(kind: &str, prefix: &str) -> Result<()> {
    let bench = Bench::new(prefix)?;
    for state in &STATES {
        let name = state.0;
        install(&bench, kind, state)?;
        let line = format!("uninject --name {name}");
        let output = bench.run(&line);
        assert_eq!((output.code, last_line(&output.stdout)), (Some(0), UNINJECTED), "{name}: {output:#?}");
        let after = read(&bench, kind, name)?;
        assert_clean(state, &after);
        has_rolled_out(kind, &after, &bench)?;
        let again = bench.run(&line);
        assert_eq!((again.code, last_line(&again.stdout)), (Some(0), UNINJECTED), "{name}: {again:#?}");
        assert_eq!(versions(&read(&bench, kind, name)?), versions(&after), "{name}: {again:#?}");
        assert!(!again.stdout.contains("patched"), "{name}: {again:#?}");
    }
    Ok(())
}

#[test]
fn inject_completes_every_state_of_a_deployment() -> Result<()> {
    every_state_ends_full("Deployment", "full-dep")
}

#[test]
fn inject_completes_every_state_of_a_daemon_set() -> Result<()> {
    every_state_ends_full("DaemonSet", "full-ds")
}

#[test]
fn uninject_cleans_every_state_of_a_deployment() -> Result<()> {
    every_state_ends_clean("Deployment", "clean-dep")
}

#[test]
fn uninject_cleans_every_state_of_a_daemon_set() -> Result<()> {
    every_state_ends_clean("DaemonSet", "clean-ds")
}
