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
const OTHERS: [(&str, &str); 7] = [
    ("gateway.solo.io", "routetables"),
    ("gloo.solo.io", "upstreamgroups"),
    ("gateway.networking.k8s.io", "gateways"),
    ("gateway.networking.k8s.io", "httproutes"),
    ("", "namespaces"),
    // Without it a list of Upstreams says so, and takes every pod for ready.
    ("discovery.k8s.io", "endpointslices"),
    ("security.istio.io", "authorizationpolicies"),
];

/// A user who may get and list all but one of these.
pub fn user(world: &World, name: &str, without: Option<&str>) -> String {
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

pub fn ready(prefix: &str) -> World {
    let world = World::new(prefix);
    let name = world.httpbin();
    world.route(
        "shop.example",
        &format!("    - {{matchers: [{{prefix: /}}], routeAction: {{single: {{upstream: {{name: {name}, namespace: GLOO}}}}}}}}\n"),
    );
    world.done("inject --revision 1-28");
    world.done(&format!("enable-mtls -u {name}"));
    world
}

/// Rights reach the authorizer a moment after they were given.
pub fn until<T: std::fmt::Debug>(what: &str, ask: impl Fn() -> T, so: impl Fn(&T) -> bool) -> T {
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
    // The gateway's certificate is all that they do not tell.
    assert_eq!(all.stderr.matches("note:").count(), 1, "{all:?}");
    assert!(all.stderr.contains("note: whether the gateways' certificates are still valid is unknown"), "{all:?}");
    let asked = until(
        "the requests are written down",
        || {
            let audit = world.plane.requests().unwrap();
            let of_user = audit.into_iter().filter(|request| request.impersonated_user["username"] == *user);
            of_user.filter(|request| request.user_agent.starts_with("gloo-rs/")).collect::<Vec<_>>()
        },
        |asked| asked.len() > 20,
    );
    // Everybody may ask what is allowed; nothing else is more than reading.
    let is_question = |request: &&crate::stage::Request| {
        request.verb == "create" && request.uri.starts_with("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
    };
    let reads = |request: &&crate::stage::Request| {
        matches!(request.verb.as_str(), "get" | "list") && !request.uri.contains("/portforward")
    };
    let (questions, rest): (Vec<_>, Vec<_>) = asked.iter().partition(is_question);
    assert!(!questions.is_empty() && !rest.is_empty());
    assert_eq!(rest.iter().filter(|request| !reads(request)).collect::<Vec<_>>(), [] as [&&crate::stage::Request; 0]);
}

#[test]
fn without_the_right_to_list_authorization_policies_it_is_said_that_they_are_unknown() {
    let world = ready("unadmitted");
    let user = user(&world, "unadmitted", Some("authorizationpolicies.security.istio.io"));
    let line = format!("upstreams --as {user}");
    let is_named = |it: &&Value| it["rule"].to_string().contains("resources: [authorizationpolicies]");
    let document = until(
        "the missing rule is named",
        || world.document(&line),
        |document| {
            let unknown = document["targets"][0]["unknown"].as_array().into_iter().flatten();
            unknown.filter(is_named).count() == 1
        },
    );
    let mut targets = document["targets"].as_array().into_iter().flatten();
    let of_httpbin = targets.find(|it| it["target"]["name"] == world.httpbin());
    assert_eq!(of_httpbin.map(|it| &it["verdict"]), Some(&json!("mtls")), "what is encrypted is known: {document:#}");
    let notes = document["warnings"].as_array().into_iter().flatten();
    assert!(notes.filter(|note| note.to_string().contains("authorizationpolicies")).count() == 1, "{document:#}");
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
                // The gateway's certificate is no part of what is given.
                let rules = |of: &str| output.stdout.matches(of).count();
                let of_this = rules(&format!("resources: [{plural}]"));
                of_this > 0 && rules("resources: [") == of_this + rules("resources: [pods/portforward]")
            },
        );
        let document: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_ne!(document["targets"][0]["verdict"], "mtls", "{plural}: {document:#}");
        assert!(matches!(output.code, Some(3 | 4)), "{plural}: {output:?}");
        let rule = format!("resources: [{plural}], verbs: [");
        assert!(output.stdout.contains(&rule), "{plural}: {output:?}");
    }
}
