//! Whoever runs each hint comes to an end: no hint undoes what another one did.

use serde_json::{Value, json};

use super::{Cluster, meshed, plain, policy};
use crate::plan::path::Verdict;
use crate::plan::ssl_config::istio_ssl_config;

fn opted_out(name: &str) -> Value {
    let mut pod = plain(name);
    pod["metadata"]["labels"]["sidecar.istio.io/inject"] = json!("false");
    pod
}

fn on_the_host(name: &str) -> Value {
    let mut pod = plain(name);
    pod["spec"]["hostNetwork"] = json!(true);
    pod
}

fn ambient(name: &str) -> Value {
    let mut pod = plain(name);
    pod["metadata"]["annotations"] = json!({"ambient.istio.io/redirection": "enabled"});
    pod
}

/// What decides which hint is printed.
fn state(cluster: &Cluster) -> String {
    let pods: Vec<_> = cluster.pods.iter().map(|pod| &pod["metadata"]).collect();
    format!("{}{:?}{pods:?}{}", cluster.upstream, cluster.policies, cluster.is_captured)
}

/// What a command of a hint does to the cluster.
fn run(cluster: &mut Cluster, command: &str) {
    let is = |words: &str| command.starts_with(words);
    if is("gloo-rs istio enroll --ambient gloo-system") {
        cluster.is_captured = true;
    } else if is("gloo-rs istio enroll shop") {
        for pod in &mut cluster.pods {
            let name = pod["metadata"]["name"].as_str().unwrap().to_owned();
            let stays = [opted_out(&name), on_the_host(&name), ambient(&name)].contains(pod);
            if !stays {
                *pod = meshed(&name);
            }
        }
    } else if is("gloo-rs istio enable-mtls -u u") {
        cluster.upstream["spec"]["sslConfig"] = istio_ssl_config();
    } else if is("gloo-rs istio disable-mtls -u u") {
        cluster.upstream["spec"].as_object_mut().unwrap().remove("sslConfig");
    } else if is("gloo-rs istio peer-auth permissive") {
        cluster.policies = Some(vec![policy("PERMISSIVE")]);
    } else if is("opted out by sidecar.istio.io/inject=false: remove that") {
        for pod in &mut cluster.pods {
            let name = pod["metadata"]["name"].as_str().unwrap().to_owned();
            if *pod == opted_out(&name) {
                *pod = plain(&name);
            }
        }
    } else {
        panic!("what does {command:?} do?");
    }
}

/// The commands of a hint in their order. Of alternatives, the last is run: the first is done by hand.
fn commands(hint: &str) -> Vec<&str> {
    let way = hint.rsplit(", or ").next().unwrap();
    let way = way.rsplit("host's network: Istio injects nothing there; ").next().unwrap();
    way.split(", then ").collect()
}

#[test]
fn who_runs_each_hint_comes_to_an_end_where_requests_are_answered() {
    type Make = fn(&str) -> Value;
    let kinds: [Make; 5] = [meshed, plain, opted_out, on_the_host, ambient];
    let mut seen = 0;
    for [a, b] in kinds.iter().flat_map(|a| kinds.iter().map(move |b| [a, b])) {
        for mode in ["STRICT", "PERMISSIVE", "DISABLE"] {
            for sends in ["plaintext", "istio"] {
                let mut cluster = Cluster::new().with(|it| {
                    it.pods = vec![a("a"), b("b")];
                    it.policies = Some(vec![policy(mode)]);
                    if sends == "istio" {
                        it.upstream["spec"]["sslConfig"] = istio_ssl_config();
                    }
                });
                let begun = state(&cluster);
                let mut states = vec![begun.clone()];
                let mut hints = Vec::new();
                while let Some(fix) = cluster.judged().fix {
                    let fix = fix.to_string();
                    let requires = |pod: &Value| *pod == meshed(pod["metadata"]["name"].as_str().unwrap());
                    let is_strict = cluster.policies == Some(vec![policy("STRICT")]);
                    let is_safe = !fix.contains("disable-mtls") || !is_strict || !cluster.pods.iter().any(requires);
                    assert!(is_safe, "{fix} breaks what requires mutual TLS: {begun}");
                    for command in commands(&fix) {
                        run(&mut cluster, command);
                    }
                    hints.push(fix);
                    let now = state(&cluster);
                    assert!(!states.contains(&now), "a circle: {hints:?} from {begun}");
                    states.push(now);
                    seen += 1;
                }
                assert_ne!(cluster.verdict(), Verdict::Broken, "{hints:?} from {begun}");
            }
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn a_mix_of_strict_and_plain_pods_is_enrolled_or_made_permissive() {
    let fix = |pods: Vec<Value>, is_istio: bool| {
        let cluster = Cluster::new().with(|it| {
            it.pods = pods;
            it.policies = Some(vec![policy("STRICT")]);
            if is_istio {
                it.upstream["spec"]["sslConfig"] = istio_ssl_config();
            }
        });
        cluster.judged().fix.unwrap().to_string()
    };
    let mix = || vec![meshed("a"), plain("b")];
    assert_eq!(fix(mix(), true), "gloo-rs istio enroll shop");
    assert_eq!(fix(mix(), false), "gloo-rs istio enroll shop, then gloo-rs istio enable-mtls -u u");
    for barred in
        [vec![meshed("a"), opted_out("b")], vec![meshed("a"), on_the_host("b")], vec![meshed("a"), ambient("b")]]
    {
        for is_istio in [true, false] {
            let fix = fix(barred.clone(), is_istio);
            assert!(fix.contains("gloo-rs istio peer-auth permissive"), "{fix}");
        }
    }
}
