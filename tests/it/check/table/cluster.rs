//! The table on a real API server: one thing is broken, it and nothing else is found, it is mended.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use gloo_rs::exports::model::{Kind, kinds};
use serde_json::{Value, json};

use super::super::world::{self, Break, Named, Row, flags};
use super::super::{document, found};
use crate::stage::{Options, Plane, tools, wait_for};
use crate::support::Sandbox;

const DEPLOYMENT: &str = "apps/v1/Deployment";
const NAMESPACES: [&str; 4] = ["gloo-system", "istio-system", "shop", "legacy"];
const BOOTSTRAP: &str = "ConfigMap gloo-system/gateway-proxy-envoy-config";

/// How long a row may take to be found, and to be undone. Most take a second or two.
fn patience() -> Duration {
    let seconds =
        std::env::var("GLOO_RS_ROW_SECONDS").map(|text| text.parse().expect("GLOO_RS_ROW_SECONDS is a number"));
    Duration::from_secs(seconds.unwrap_or(60))
}

/// The world of the table, in a plane of its own: what is broken there is the whole mesh's.
struct Bench {
    plane: Plane,
    sandbox: Sandbox,
    /// Every object before the first row.
    before: BTreeMap<String, Value>,
}

impl Bench {
    fn new() -> Self {
        let plane = Plane::start(&Options::default()).unwrap();
        plane.install_definitions().unwrap();
        let more = [
            &kinds::PROXY,
            &kinds::AUTH_CONFIG,
            &kinds::RATE_LIMIT_CONFIG,
            &kinds::VIRTUAL_HOST_OPTION,
            &kinds::ROUTE_OPTION,
            &kinds::KUBE_GATEWAY_CLASS,
        ];
        for kind in more {
            plane.api().apply(&definition(kind).to_string()).unwrap();
        }
        let sandbox = Sandbox::new().env("KUBECONFIG", plane.kubeconfig().to_str().unwrap());
        let mut bench = Self { plane, sandbox, before: BTreeMap::new() };
        for object in world::in_order().iter().filter(|object| object["kind"] != "Pod") {
            bench.apply(object);
        }
        for namespace in NAMESPACES {
            bench.plane.api().wait_available(namespace).unwrap();
        }
        bench.before = bench.objects();
        bench
    }

    /// The objects of every kind that a row could change, without what servers and controllers write.
    fn objects(&self) -> BTreeMap<String, Value> {
        let of_controllers = json!({
            "metadata": {"uid": null, "resourceVersion": null, "generation": null, "creationTimestamp": null,
                "managedFields": null, "annotations": {"deployment.kubernetes.io/revision": null}},
            "spec": {"clusterIP": null, "clusterIPs": null, "template": {"metadata": {"annotations": {"again": null}}}},
        });
        let mut objects = BTreeMap::new();
        for (kind, namespace) in kinds_and_namespaces() {
            for mut object in self.plane.api().list(&kind, &namespace).unwrap() {
                let name = object["metadata"]["name"].as_str().unwrap().to_owned();
                world::merge(&mut object, &of_controllers);
                if kind == DEPLOYMENT {
                    world::merge(&mut object, &json!({"status": null}));
                }
                objects.insert(format!("{kind} {namespace}/{name}"), object);
            }
        }
        objects
    }

    /// Waits until the objects are what they were: then what is found next is no rest of this row.
    fn is_as_before(&self, row: &str) {
        let mut now = BTreeMap::new();
        let done = wait_for(row, patience(), || {
            now = self.objects();
            Ok((now == self.before).then_some(()))
        });
        assert!(done.is_ok(), "{row}: this is left of it\n{}", differences(&self.before, &now));
    }

    /// Makes an object what it is in a manifest; what this made of it before and is not there any more goes away.
    fn apply(&self, object: &Value) {
        let mut object = object.clone();
        for written_by_the_server in ["uid", "generation", "creationTimestamp"] {
            object["metadata"].as_object_mut().unwrap().remove(written_by_the_server);
        }
        if object["apiVersion"] == "apps/v1" {
            object.as_object_mut().unwrap().remove("status");
        }
        self.plane.api().apply(&object.to_string()).unwrap();
    }

    fn delete(&self, which: &str, object: &Value) {
        let named = Named::parse(which).unwrap();
        let kind = format!("{}/{}", object["apiVersion"].as_str().unwrap(), named.kind);
        let api = self.plane.api();
        api.delete(&kind, named.namespace, named.name).unwrap();
        wait_for(&format!("{which} is gone"), patience(), || {
            Ok(api.get(&kind, named.namespace, named.name)?.is_none().then_some(()))
        })
        .unwrap();
    }

    /// Makes an object of the rows what it is in one state, after another.
    fn change(&self, which: &str, before: &[Value], after: &[Value]) {
        let Some(named) = Named::parse(which) else { return };
        let find = |state: &'_ [Value]| state.iter().find(|object| named.is(object)).cloned();
        let (before, after) = (find(before), find(after));
        if let Some(before) = before {
            // A status of the Gateway API is about one generation, which only grows.
            let is_about_a_generation =
                before["apiVersion"].as_str().is_some_and(|it| it.starts_with("gateway.networking.k8s.io/"));
            if after.is_none() || is_about_a_generation {
                self.delete(which, &before);
            }
        }
        if let Some(after) = after {
            self.apply(&after);
        }
    }

    fn breaks(&self, breaks: &[Break]) {
        // Whether pods are older is told in seconds.
        if breaks.iter().any(|(which, _)| which == BOOTSTRAP) {
            std::thread::sleep(std::time::Duration::from_millis(1100));
        }
        let broken = world::broken(breaks);
        for (which, _) in breaks {
            self.change(which, world::in_order(), &broken);
        }
        self.settled(breaks);
    }

    fn mends(&self, breaks: &[Break], again: usize) {
        let broken = world::broken(breaks);
        for (which, _) in breaks.iter().rev() {
            self.change(which, &broken, world::in_order());
        }
        if breaks.iter().any(|(which, _)| which == BOOTSTRAP) {
            let restart = json!({"spec": {"template": {"metadata": {"annotations": {"again": again.to_string()}}}}});
            self.plane.api().merge(DEPLOYMENT, "gloo-system", "gateway-proxy", &restart).unwrap();
        }
        self.settled(breaks);
    }

    /// Waits until workloads have the pods of their newest shape, ready or not.
    fn settled(&self, breaks: &[Break]) {
        let is_of_a_workload =
            |(which, _): &Break| ["Deployment ", "apps/v1/", "ConfigMap "].iter().any(|kind| which.starts_with(kind));
        if !breaks.iter().any(is_of_a_workload) {
            return;
        }
        let is_settled = |workload: &Value| {
            let (wanted, status) = (&workload["spec"]["replicas"], &workload["status"]);
            let count = |key: &str| status[key].as_u64().unwrap_or(0);
            status["observedGeneration"] == workload["metadata"]["generation"]
                && [count("replicas"), count("updatedReplicas")].iter().all(|count| Some(*count) == wanted.as_u64())
        };
        for namespace in NAMESPACES {
            wait_for(&format!("workloads of {namespace}"), patience(), || {
                let all = self.plane.api().list(DEPLOYMENT, namespace)?;
                Ok(all.iter().all(is_settled).then_some(()))
            })
            .unwrap();
        }
    }

    /// Lets `check` look at what would be if it were merged.
    fn overlay(&self, breaks: &[Break]) -> Vec<String> {
        let changed = world::broken(breaks).into_iter().filter(|object| !world::in_order().contains(object));
        self.sandbox.write("over.yaml", world::written(&world::as_manifests(changed.collect())));
        ["--overlay", "over.yaml"].map(str::to_owned).to_vec()
    }

    /// Waits until this, and nothing else, is found: pods come and go a moment after their workload changes. The findings.
    fn finds(&self, what: &str, flags: &[String], wanted: &[String]) -> Vec<Value> {
        let flags = flags.iter().map(String::as_str);
        let args: Vec<_> = ["check", "--read-only", "-o", "json"].into_iter().chain(flags).collect();
        let (mut last, mut findings) = (Vec::new(), Vec::new());
        let done = wait_for(what, patience(), || {
            let document = document(&self.sandbox.run(&args));
            last = found(&document);
            findings = document["findings"].as_array().cloned().unwrap_or_default();
            Ok((last == wanted).then_some(()))
        });
        assert!(done.is_ok(), "{what}: wanted {wanted:?}, found {last:?}");
        findings
    }

    /// Runs a command of a hint as it is printed, where it would change something as a dry run. Why it fails.
    fn tries(&self, command: &str) -> Option<String> {
        let (program, arguments) = command.split_once(' ').unwrap();
        let words = arguments.split(' ');
        let is_reading = READING.iter().any(|words| command.starts_with(words));
        let (is_done, told) = if program == "gloo-rs" {
            let preview = (!is_reading).then_some("--dry-run");
            let output = self.sandbox.run(&words.chain(preview).collect::<Vec<_>>());
            (output.code == Some(0), format!("{output:?}"))
        } else {
            let preview = (!is_reading).then_some("--dry-run=server");
            let mut kubectl = Command::new(tools::kubectl());
            kubectl.args(words.chain(preview)).env("KUBECONFIG", self.plane.kubeconfig());
            let output = kubectl.env("HOME", self.sandbox.dir()).output().unwrap();
            (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        (!is_done).then_some(told)
    }
}

/// Commands that change nothing.
const READING: [&str; 4] = ["gloo-rs istio revisions", "gloo-rs istio describe", "kubectl get ", "kubectl describe "];

/// Commands that this plane cannot try, each with the reason.
const NOT_TRIED: [(&str, &str); 7] = [
    ("gloo-rs upgrade-values", "no Helm release is installed"),
    ("gloo-rs istio enroll", "no istiod adds sidecars to its dry-run pod"),
    ("gloo-rs proxy logs", "no pod writes a log"),
    ("gloo-rs proxy served-config", "no Gloo serves anything"),
    ("kubectl logs ", "no pod writes a log"),
    ("kubectl edit ", "a person edits"),
    ("kubectl rollout restart ", "kubectl has no dry run of it"),
];

/// Rows whose hint is refused until a person has done something first, each with what.
const BY_HAND: [(&str, &str); 4] = [
    (
        "TLS, a gateway without sidecars that routes there by delegation",
        "its proxy has no bootstrap to add a cluster to",
    ),
    ("bootstrap gone", "the bootstrap comes back from where it was made"),
    ("TLS, a gateway of the Gateway API without sidecars", "the row has the proxy alone, without its Gateway"),
    ("istiod upgraded alone, a gateway of the Gateway API", "the row has the proxy alone, without its Gateway"),
];

/// The first command of a hint.
fn first_command(hint: &str) -> Option<&str> {
    let begin = ["gloo-rs ", "kubectl "].iter().filter_map(|program| hint.find(program)).min()?;
    let ends = [", or ", ", then ", "; ", " if ", " first"];
    let command = &hint[begin..];
    let end = ends.iter().filter_map(|end| command.find(end)).min().unwrap_or(command.len());
    Some(&command[..end])
}

/// What is wrong with the hints of these findings. `tried` gets what was run.
fn wrong_hints(bench: &Bench, breaks: &[Break], findings: &[Value], tried: &mut BTreeSet<String>) -> Vec<String> {
    let is_istiod = |object: &&Value| object["kind"] == "Deployment" && object["metadata"]["labels"]["app"] == "istiod";
    let istiods = world::broken(breaks).iter().filter(is_istiod).count();
    let mut wrong = Vec::new();
    for finding in findings {
        let Some(command) = finding["hint"].as_str().and_then(first_command) else { continue };
        let is_open = command.contains("REVISION") || command.contains("HOST");
        if command.contains("REVISION") && istiods < 2 {
            wrong.push(format!("{}: {command}: there is nothing to choose", finding["code"]));
        }
        if is_open || NOT_TRIED.iter().any(|(words, _)| command.starts_with(words)) {
            continue;
        }
        if let Some(why) = bench.tries(command) {
            wrong.push(format!("{}: {command}: {why}", finding["code"]));
        }
        tried.insert(command.split(' ').take(3).collect::<Vec<_>>().join(" "));
    }
    wrong
}

/// Each object that is not the same, with its diff.
fn differences(before: &BTreeMap<String, Value>, now: &BTreeMap<String, Value>) -> String {
    let names: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    let changed = names.into_iter().filter(|name| before.get(*name) != now.get(*name));
    let diffs = changed.map(|name| {
        let [before, now] = [before, now].map(|objects| format!("{:#}\n", objects.get(name).unwrap_or(&Value::Null)));
        format!("{name}\n{}", similar::TextDiff::from_lines(&before, &now).unified_diff())
    });
    diffs.collect()
}

/// Where to look for what rows change. Pods are left out: their workloads make others of other names.
fn kinds_and_namespaces() -> BTreeSet<(String, String)> {
    let rows = world::rows();
    let changed = rows.iter().filter_map(Row::in_cluster).flatten().filter_map(|(which, _)| Named::parse(which));
    let changed = changed.map(|named| {
        (format!("{}/{}", named.api_version_among(world::in_order()), named.kind), named.namespace.is_empty())
    });
    let in_order = world::in_order().iter().map(|object| {
        let kind = [&object["apiVersion"], &object["kind"]].map(|part| part.as_str().unwrap()).join("/");
        (kind, object["metadata"]["namespace"].is_null())
    });
    let kinds: BTreeSet<_> = changed.chain(in_order).filter(|(kind, _)| kind != "v1/Pod").collect();
    let places = |(kind, is_of_the_cluster): (String, bool)| {
        let namespaces = if is_of_the_cluster { &[""][..] } else { &NAMESPACES };
        namespaces.iter().map(move |namespace| (kind.clone(), (*namespace).to_owned()))
    };
    kinds.into_iter().flat_map(places).collect()
}

/// A kind's definition, short: its real group, version, name and scope.
fn definition(kind: &Kind) -> Value {
    let Kind { group, version, kind: name, plural, .. } = *kind;
    let is_of_the_cluster = *kind == kinds::KUBE_GATEWAY_CLASS;
    let free = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let mut version = json!({"name": version, "served": true, "storage": true,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": free, "status": free}}}});
    if group == kinds::KUBE_GATEWAY_CLASS.group {
        version["subresources"] = json!({"status": {}});
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}"),
            "annotations": {"api-approved.kubernetes.io": "unapproved, a short form for tests"}},
        "spec": {
            "group": group, "versions": [version],
            "scope": if is_of_the_cluster { "Cluster" } else { "Namespaced" },
            "names": {"kind": name, "listKind": format!("{name}List"), "plural": plural, "singular": name.to_lowercase()},
        },
    })
}

#[test]
fn each_thing_that_is_broken_in_a_cluster_is_found_there_and_nothing_else() {
    let bench = Bench::new();
    bench.finds("in order", &[], &[]);
    assert!(
        world::rows().iter().filter(|row| row.could_be_merged()).count() > 40,
        "most rows are laid over the cluster"
    );
    let (mut wrong, mut tried) = (Vec::new(), BTreeSet::new());
    for (number, row) in world::chosen().iter().enumerate() {
        let Some(breaks) = row.in_cluster() else { continue };
        println!("row: {}", row.name);
        if row.could_be_merged() {
            bench.finds(&format!("before {}", row.name), &bench.overlay(breaks), &row.finds);
        }
        bench.breaks(breaks);
        let findings = bench.finds(&row.name, &flags(breaks), &row.finds);
        let is_by_hand = BY_HAND.iter().any(|(name, _)| *name == row.name);
        let of_row = wrong_hints(&bench, breaks, if is_by_hand { &[] } else { &findings }, &mut tried);
        wrong.extend(of_row.into_iter().map(|what| format!("{}: {what}", row.name)));
        bench.mends(breaks, number);
        bench.is_as_before(&row.name);
        bench.finds(&format!("after {}", row.name), &[], &[]);
    }
    assert!(wrong.is_empty(), "hints that fail as printed:\n{}", wrong.join("\n"));
    assert!(tried.len() > 8 || std::env::var("GLOO_RS_ROW").is_ok(), "{tried:?}");
}

#[test]
fn the_first_command_of_a_hint_is_what_comes_before_the_next_one() {
    for (hint, command) in [
        ("opted out: remove that, or gloo-rs istio disable-mtls -u x", "gloo-rs istio disable-mtls -u x"),
        ("gloo-rs istio inject --name a, then gloo-rs istio enable-mtls -u b", "gloo-rs istio inject --name a"),
        ("kubectl describe pods -l a=b -n c", "kubectl describe pods -l a=b -n c"),
    ] {
        assert_eq!(first_command(hint), Some(command));
    }
    assert_eq!(first_command("make it PERMISSIVE first"), None);
}
