//! Every command with exactly the rules that `rbac` prints: no request is refused, and without any of them something is
//! unknown or refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::{roles, scenarios};
use crate::stage::{Injector, Options, Plane, documents, wait_for};
use crate::support::pod_server::{PodServer, reply};
use crate::support::{Output, Sandbox, commands};

/// The port of Envoy's admin interface, and the one for requests.
const ADMIN: u16 = 19000;
const HTTP: u16 = 8080;

/// A rule of a role, as it is printed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Rule {
    namespace: Option<String>,
    group: String,
    resources: Vec<String>,
    verbs: Vec<String>,
    names: Vec<String>,
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|it| it.as_str().unwrap().to_owned()).collect()
}

/// The rules of a role.
fn rules(manifest: &Value) -> Vec<Rule> {
    let rule = |rule: &Value| Rule {
        namespace: manifest["metadata"]["namespace"].as_str().map(str::to_owned),
        group: texts(&rule["apiGroups"]).concat(),
        resources: texts(&rule["resources"]),
        verbs: texts(&rule["verbs"]),
        names: texts(&rule["resourceNames"]),
    };
    manifest["rules"].as_array().unwrap().iter().map(rule).collect()
}

impl Rule {
    /// The role with only this rule, bound to a group of the same name.
    fn manifests(&self, name: &str) -> String {
        let (kind, metadata) = match &self.namespace {
            None => ("ClusterRole", json!({"name": name})),
            Some(namespace) => ("Role", json!({"name": name, "namespace": namespace})),
        };
        let mut rule = json!({"apiGroups": [self.group], "resources": self.resources, "verbs": self.verbs});
        if !self.names.is_empty() {
            rule["resourceNames"] = json!(self.names);
        }
        let object =
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "rules": [rule]});
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": format!("{kind}Binding"), "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name}],
        });
        format!("{object}\n---\n{binding}\n")
    }

    /// Whether this rule has the resources of the other, in another namespace or for other names.
    fn includes(&self, other: &Self) -> bool {
        (self.namespace.is_none(), &self.group) == (other.namespace.is_none(), &other.group)
            && other.resources.iter().all(|resource| self.resources.contains(resource))
            && other.verbs.iter().any(|verb| self.verbs.contains(verb))
    }
}

/// A plane of its own, in which every rule has a group.
struct Granted<'p> {
    plane: &'p Plane,
    sandbox: Sandbox,
    groups: BTreeMap<Rule, String>,
}

impl Granted<'_> {
    /// Runs a line as an administrator.
    fn prepare(&self, line: &str) {
        let output = self.sandbox.run(&line.split(' ').collect::<Vec<_>>());
        assert!(matches!(output.code, Some(0 | 4 | 7)), "{line}: {output:?}");
    }

    /// Deletes objects that were there for one line.
    fn remove(&self, objects: &str) {
        for object in documents(objects).unwrap().iter().rev() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (kind, metadata) =
                (format!("{}/{}", text(&object["apiVersion"]), text(&object["kind"])), &object["metadata"]);
            self.plane.api().delete(&kind, &text(&metadata["namespace"]), &text(&metadata["name"])).unwrap();
        }
    }

    /// Gives each rule to a group.
    fn grant(&mut self, rules: impl IntoIterator<Item = Rule>) {
        let mut manifests = Vec::new();
        for rule in rules {
            let next = format!("rule-{}", self.groups.len());
            self.groups.entry(rule).or_insert_with_key(|rule| {
                manifests.push(rule.manifests(&next));
                next
            });
        }
        self.plane.api().apply(&manifests.join("---\n")).unwrap();
    }

    /// Runs a line as a user with these rules.
    fn run<'r>(&self, line: &str, rules: impl Iterator<Item = &'r Rule>) -> Output {
        let mut words: Vec<_> = line.split(' ').chain(["-v", "--timeout", "5s", "--as", "somebody"]).collect();
        for rule in rules {
            words.extend(["--as-group", &self.groups[rule]]);
        }
        self.sandbox.run(&words)
    }
}

/// The requests that were refused, by the trace of `-v`.
fn refused(output: &Output) -> Vec<&str> {
    output.stderr.lines().filter(|line| line.ends_with(" 403")).collect()
}

/// What a run says, without its requests and without numbers, which may be times.
fn said(output: &Output) -> (Option<i32>, String) {
    let is_request = |line: &&str| ["GET /", "POST /", "PATCH /", "DELETE /"].iter().any(|it| line.starts_with(it));
    let mut text = String::new();
    for line in output.stdout.lines().chain(output.stderr.lines().filter(|line| !is_request(line))) {
        // A command that is printed has the groups of the user.
        let mut words = line.split(' ');
        while let Some(word) = words.next() {
            match word {
                "--as-group" => drop(words.next()),
                word => write!(text, "{} ", word.replace(|c: char| c.is_ascii_digit(), "#")).unwrap(),
            }
        }
        text.push('\n');
    }
    (output.code, text)
}

/// What is wrong with the roles of a command.
fn faults(granted: &mut Granted<'_>, words: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let (mut all, mut shown) = (BTreeSet::new(), BTreeSet::new());
    for scenario in scenarios::of(words) {
        let line = scenario.line.split_whitespace().collect::<Vec<_>>().join(" ");
        let rules: Vec<_> = roles(&granted.sandbox, &line).iter().flat_map(rules).collect();
        granted.grant(rules.iter().cloned());
        scenario.with.iter().for_each(|object| granted.plane.api().apply(object).unwrap());
        scenario.once.iter().for_each(|before| granted.prepare(before));
        // The authorizer follows its objects a moment later.
        let mut last = String::new();
        let whole = wait_for(&line, Duration::from_secs(20), || {
            scenario.each.iter().for_each(|before| granted.prepare(before));
            let output = granted.run(&line, rules.iter());
            last = refused(&output).join("\n");
            Ok(last.is_empty().then_some(output))
        });
        let Ok(whole) = whole else {
            faults.push(format!("{line}: refused with its role:\n{last}"));
            scenario.with.iter().rev().for_each(|objects| granted.remove(objects));
            continue;
        };
        assert!(!whole.stderr.contains("internal error"), "{whole:?}");
        // What one line shows, the next lines need not.
        let is_open = |rule: &&Rule| !shown.iter().any(|it: &Rule| it.includes(rule));
        for rule in rules.iter().filter(is_open).collect::<Vec<_>>() {
            scenario.each.iter().for_each(|before| granted.prepare(before));
            if said(&granted.run(&line, rules.iter().filter(|it| *it != rule))) != said(&whole) {
                shown.insert(rule.clone());
            }
        }
        all.extend(rules);
        scenario.with.iter().rev().for_each(|objects| granted.remove(objects));
    }
    let is_shown = |rule: &Rule| shown.iter().any(|it| it.includes(rule));
    let is_beyond = |rule: &Rule| scenarios::is_beyond(words, &rule.resources, &rule.verbs);
    let lost = all.iter().filter(|rule| !is_shown(rule) && !is_beyond(rule));
    faults.extend(lost.map(|rule| format!("{words}: nothing is lost without {rule:?}")));
    faults
}

#[test]
fn with_its_role_no_request_is_refused_and_without_any_rule_something_is_lost() {
    let plane = Plane::start(&Options::default()).unwrap();
    plane.install_guide().unwrap();
    scenarios::install(&plane).unwrap();
    let _injector = Injector::of_the_guide(&plane).unwrap();
    // Envoy's admin interface in every gateway, which answers everything with an empty page.
    let envoy = PodServer::start(|_, stream| reply(stream, "200 OK", b""));
    for namespace in ["gloo-system", "daemon", "bare"] {
        plane.forward(namespace, &[(ADMIN, envoy.address), (HTTP, envoy.address)]).unwrap();
    }
    let sandbox = Sandbox::new().env("KUBECONFIG", plane.kubeconfig().to_str().unwrap());
    let mut granted = Granted { plane: &plane, sandbox, groups: BTreeMap::new() };
    let leaves = commands::leaves().into_iter();
    let faults: Vec<_> = leaves.flat_map(|words| faults(&mut granted, &words)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
