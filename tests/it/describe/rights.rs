//! get and list are enough, and each of them that is missing makes a verdict unknown and never ok.

use serde_json::{Value, json};

use super::World;

/// What a verdict that says mtls rests on.
const RIGHTS: [(&str, &str); 10] = [
    ("gateway.solo.io", "virtualservices"),
    ("gateway.solo.io", "gateways"),
    ("gloo.solo.io", "upstreams"),
    ("gloo.solo.io", "settings"),
    ("apps", "deployments"),
    ("apps", "daemonsets"),
    ("", "services"),
    ("", "pods"),
    ("", "configmaps"),
    ("security.istio.io", "peerauthentications"),
];
/// What has to be read to know that nothing else takes the request.
const OTHERS: [(&str, &str); 5] = [
    ("gateway.solo.io", "routetables"),
    ("gloo.solo.io", "upstreamgroups"),
    ("gateway.networking.k8s.io", "gateways"),
    ("gateway.networking.k8s.io", "httproutes"),
    ("", "namespaces"),
];

/// A user who may get and list all but one of these.
fn user(world: &World, name: &str, without: Option<&str>) -> String {
    let user = format!("{}-{name}", world.gloo);
    let allowed = RIGHTS.iter().chain(&OTHERS).filter(|(group, plural)| without != Some(&format!("{plural}.{group}")));
    let rules: Vec<_> = allowed
        .map(|(group, plural)| json!({"apiGroups": [group], "resources": [plural], "verbs": ["get", "list"]}))
        .collect();
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": user}, "rules": rules});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]});
    world.plane.api().apply(&role.to_string()).unwrap();
    world.plane.api().apply(&binding.to_string()).unwrap();
    user
}

fn ready(prefix: &str) -> World {
    let world = World::new(prefix);
    let name = world.httpbin();
    world.route(
        "shop.example",
        &format!("    - {{matchers: [{{prefix: /}}], routeAction: {{single: {{upstream: {{name: {name}, namespace: GLOO}}}}}}}}\n"),
    );
    world.done(&format!("enable-mtls -u {name}"));
    world.done("inject --revision 1-28");
    world
}

/// Rights reach the authorizer a moment after they were given.
fn until<T: std::fmt::Debug>(what: &str, ask: impl Fn() -> T, so: impl Fn(&T) -> bool) -> T {
    let found = crate::stage::wait_for(what, std::time::Duration::from_mins(2), || Ok(Some(ask()).filter(&so)));
    found.unwrap_or_else(|error| panic!("{error:#}: {:?}", ask()))
}

#[test]
fn get_and_list_are_all_that_is_asked_for() {
    let world = ready("reader");
    let user = user(&world, "all", None);
    let verdict = |document: &Value| document["targets"][0]["verdict"] == "mtls";
    let line = format!("--host shop.example --as {user}");
    until("the request is described", || world.document(&line), verdict);
    until(
        "the Upstream is described",
        || world.document(&format!("upstream {} --as {user}", world.httpbin())),
        verdict,
    );
    let all = until(
        "all are described",
        || world.run(&format!("describe upstreams --fail-on unknown --as {user}")),
        |output| output.code == Some(0),
    );
    assert!(!all.stderr.contains("note:"), "{all:?}");
    let is_of_user = |request: &crate::stage::Request| {
        request.user_agent.starts_with("gloo-rs/")
            && request.uri.contains("/namespaces/")
            && request.verb != "get"
            && request.verb != "list"
    };
    let audit = world.plane.requests().unwrap();
    let here = audit.iter().filter(|request| request.uri.contains(&world.gloo) && is_of_user(request));
    // What this test itself changed before.
    assert!(here.clone().all(|request| request.user["username"] == "admin"), "{:?}", here.collect::<Vec<_>>());
}

#[test]
fn each_right_that_is_missing_makes_the_verdict_unknown_and_is_named() {
    let world = ready("lacking");
    for (group, plural) in RIGHTS {
        let user = user(&world, plural, Some(&format!("{plural}.{group}")));
        let line = format!("describe --host shop.example --fail-on unknown --as {user} -o json");
        let output = until(
            &format!("what {plural} are for is unknown"),
            || world.run(&line),
            // Until the other rights are there more is unknown than this.
            |output| {
                let forbidden = output.stdout.matches("may not ").count();
                forbidden > 0
                    && output.stdout.matches("resources: [").count()
                        == output.stdout.matches(&format!("resources: [{plural}]")).count()
            },
        );
        let document: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_ne!(document["targets"][0]["verdict"], "mtls", "{plural}: {document:#}");
        assert!(matches!(output.code, Some(3 | 4)), "{plural}: {output:?}");
        let rule = format!("resources: [{plural}], verbs: [");
        assert!(output.stdout.contains(&rule), "{plural}: {output:?}");
    }
}
