//! On a real API server.

use serde_json::json;

use super::{OLD_POLICY, POLICY, Shop, advised, became, document, ends};

const DEFAULT: &str = "peerauthentication.security.istio.io/default";

#[test]
fn strict_is_refused_while_a_gateway_would_get_503s_from_it() {
    let shop = Shop::new("peer-refused");
    ends(&shop.run_here(&["strict"]), 1, "");
    let strict = document(&shop.run_here(&["strict", "-o", "json"]));
    assert_eq!((&strict["exitCode"], became(&strict)), (&json!(1), [&json!("refused"), &json!("gatewayPlaintext")]));
    let way = format!("upstream {}/{} -> service {}/httpbin: ", shop.gloo, shop.httpbin(), shop.apps);
    assert!(strict["results"][0]["details"][0].as_str().unwrap().starts_with(&way), "{strict:#}");
    let hint = strict["results"][0]["hint"].as_str().unwrap();
    let command = format!("gloo-rs istio enable-mtls -n {} -u {}", shop.gloo, shop.httpbin());
    assert!(hint.contains(&command) && hint.contains("--force"), "{hint}");
    assert_eq!(shop.policy("default"), None, "nothing changed");

    let forced = document(&shop.run_here(&["strict", "--force", "-o", "json"]));
    assert_eq!((&forced["exitCode"], became(&forced)), (&json!(0), [&json!("changed"), &json!(null)]));
    assert!(advised(&forced, "strictPeer")[0].starts_with(&way), "{forced:#}");
    let made = shop.policy("default").unwrap();
    assert_eq!(made["spec"], json!({"mtls": {"mode": "STRICT"}}));
    assert_eq!(made["metadata"]["labels"], json!({"app.kubernetes.io/managed-by": "gloo-rs"}));
}

#[test]
fn with_mtls_on_the_upstream_it_goes_strict_and_back_and_away() {
    let shop = Shop::new("peer-round");
    shop.enable_mtls();
    let whole = format!("namespace {}", shop.apps);
    let preview = document(&shop.run_here(&["strict", "--dry-run", "-o", "json"]));
    let [pod] = advised(&preview, "outOfReach")[..] else { panic!("one of two pods has no sidecar: {preview:#}") };
    assert!(pod.starts_with(&format!("pod {}/plain-", shop.apps)), "{pod}");
    advised(&preview, "plainClients");
    ends(&shop.run_here(&["strict"]), 0, &format!("{DEFAULT} created, STRICT for {whole}\n"));
    ends(&shop.run_here(&["strict"]), 0, &format!("{DEFAULT} already STRICT for {whole}\n"));
    ends(&shop.run_here(&["permissive"]), 0, &format!("{DEFAULT} PERMISSIVE for {whole} (was STRICT)\n"));
    let removed = format!("{DEFAULT} removed, PERMISSIVE then applies to {whole} (Istio's default)\n");
    ends(&shop.run_here(&["remove"]), 0, &removed);
    assert_eq!(shop.policy("default"), None);
    let gone = format!("{DEFAULT} not there, PERMISSIVE applies to {whole} (Istio's default)\n");
    ends(&shop.run_here(&["remove"]), 0, &gone);
}

#[test]
fn a_route_that_names_the_service_is_covered_by_auto_mtls_alone() {
    let shop = Shop::new("peer-kube");
    shop.enable_mtls();
    shop.route("kube", &json!({"kube": {"ref": {"name": "httpbin", "namespace": shop.apps}, "port": 8000}}));
    let strict = document(&shop.run_here(&["strict", "-o", "json"]));
    assert_eq!((&strict["exitCode"], became(&strict)), (&json!(1), [&json!("refused"), &json!("gatewayPlaintext")]));
    let way = format!("routetable {}/kube, spec.routes[0].routeAction.single -> service", shop.gloo);
    assert!(strict["results"][0]["details"][0].as_str().unwrap().starts_with(&way), "{strict:#}");
    let hint = strict["results"][0]["hint"].as_str().unwrap();
    let enable = format!("gloo-rs istio auto-mtls enable -n {}; --force ", shop.gloo);
    assert!(hint.starts_with(&enable), "{hint}");
    let on = json!({"spec": {"gloo": {"istioOptions": {"enableAutoMtls": true, "enableIntegration": true}}}});
    shop.plane.api().merge("gloo.solo.io/v1/Settings", &shop.gloo, "default", &on).unwrap();
    assert_eq!(shop.run_here(&["strict"]).code, Some(0));
}

#[test]
fn an_upstream_that_no_route_names_is_said_and_stops_nothing() {
    let shop = Shop::new("peer-unrouted");
    shop.plane.api().delete("gateway.solo.io/v1/RouteTable", &shop.gloo, "to-httpbin").unwrap();
    let strict = shop.run_here(&["strict", "--dry-run"]);
    ends(&strict, 0, &format!("{DEFAULT} created, STRICT for namespace {} (dry run)\n", shop.apps));
    let strict = document(&shop.run_here(&["strict", "--dry-run", "-o", "json"]));
    let [way] = advised(&strict, "unroutedUpstream")[..] else { panic!("{strict:#}") };
    assert!(way.starts_with(&format!("upstream {}/{} ", shop.gloo, shop.httpbin())), "{way}");
}

#[test]
fn the_policy_that_is_there_is_changed_and_others_of_its_level_are_named() {
    let shop = Shop::new("peer-there");
    shop.enable_mtls();
    shop.given("a-first", &json!({"portLevelMtls": {"9090": {"mode": "DISABLE"}}}));
    shop.given("b-second", &json!({"mtls": {"mode": "PERMISSIVE"}}));
    shop.given(
        "w",
        &json!({"selector": {"matchLabels": {"app": "plain"}}, "portLevelMtls": {"80": {"mode": "DISABLE"}}}),
    );
    let preview = document(&shop.run_here(&["strict", "--dry-run", "-o", "json"]));
    assert_eq!(advised(&preview, "shadowedPolicy"), [format!("ignored: {}/b-second", shop.apps)]);
    assert_eq!(advised(&preview, "keepsMode"), [format!("{}/w: DISABLE for port 80 of app=plain", shop.apps)]);
    let strict = shop.run_here(&["strict"]);
    let line = format!("peerauthentication.security.istio.io/a-first STRICT for namespace {} (was UNSET)\n", shop.apps);
    ends(&strict, 0, &line);
    let spec = shop.policy("a-first").unwrap()["spec"].clone();
    assert_eq!(spec, json!({"mtls": {"mode": "STRICT"}, "portLevelMtls": {"9090": {"mode": "DISABLE"}}}));
    assert_eq!(shop.mode("b-second").as_deref(), Some("PERMISSIVE"));
    let remove = document(&shop.run_here(&["remove", "-o", "json"]));
    assert_eq!((&remove["exitCode"], became(&remove)), (&json!(1), [&json!("refused"), &json!("notOurs")]));
    assert!(remove["results"][0]["hint"].as_str().unwrap().starts_with("--overwrite "), "{remove:#}");
    assert!(shop.policy("a-first").is_some(), "nothing changed");
    let overwritten = shop.run_here(&["remove", "--overwrite"]);
    assert_eq!(overwritten.code, Some(0), "{overwritten:?}");
    assert!(overwritten.stdout.contains("/a-first removed, PERMISSIVE "), "{overwritten:?}");
    assert_eq!(shop.policy("a-first"), None);
}

#[test]
fn a_workload_has_a_policy_of_its_own() {
    let shop = Shop::new("peer-workload");
    shop.enable_mtls();
    let name = "peerauthentication.security.istio.io/app-httpbin";
    let strict = shop.run_here(&["strict", "--workload", "app=httpbin"]);
    ends(&strict, 0, &format!("{name} created, STRICT for workload app=httpbin in {}\n", shop.apps));
    assert_eq!(shop.policy("app-httpbin").unwrap()["spec"]["selector"], json!({"matchLabels": {"app": "httpbin"}}));
    let get = shop.run(&["get", "-n", &shop.apps]);
    let lines: Vec<Vec<&str>> = get.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1][..1], ["namespace"], "{get:?}");
    assert_eq!(
        lines[2],
        ["workload", &shop.apps, "app=httpbin", "-", "STRICT", &format!("{}/app-httpbin,", shop.apps), "workload"]
    );
    let other = shop.run(&["get", "--workload", "app=plain", "-n", &shop.apps]);
    assert!(other.stdout.contains("PERMISSIVE  Istio's default\n"), "{other:?}");
}

#[test]
fn a_policy_of_the_mesh_is_in_its_root_namespace() {
    let shop = Shop::new("peer-mesh");
    shop.enable_mtls();
    let root = shop.plane.namespace("peer-root").unwrap();
    let mesh = |args: &[&str]| shop.run(&[args, &["--mesh", "--root-namespace", &root, "--yes"]].concat());
    let dry = mesh(&["strict", "--force", "--dry-run=server"]);
    ends(&dry, 0, &format!("{DEFAULT} created, STRICT for the mesh (server dry run)\n"));
    assert_eq!(shop.plane.api().get(POLICY, &root, "default").unwrap(), None);
    ends(&mesh(&["permissive"]), 0, &format!("{DEFAULT} created, PERMISSIVE for the mesh\n"));
    shop.given("n", &json!({"mtls": {"mode": "STRICT"}}));
    let get = shop.run(&["get", "--root-namespace", &root, "-o", "json"]);
    let modes = document(&get)["peerAuthentication"]["modes"].clone();
    assert_eq!(modes[0]["setBy"], json!({"level": "mesh", "policy": {"namespace": root, "name": "default"}}));
    let here = modes.as_array().unwrap().iter().find(|mode| mode["namespace"] == *shop.apps).unwrap();
    assert_eq!((&here["mode"], &here["sources"][0]["level"]), (&json!("STRICT"), &json!("mesh")), "{here}");
    let again = document(&mesh(&["permissive", "-o", "json"]));
    let narrower = format!("{}/n: STRICT for namespace {}", shop.apps, shop.apps);
    assert!(advised(&again, "keepsMode").contains(&narrower.as_str()), "{again:#}");
    let as_namespace = ["strict", "-n", &root, "--root-namespace", &root, "--yes", "-o", "json"];
    let as_namespace = document(&shop.run(&as_namespace));
    assert_eq!(as_namespace["exitCode"], 1);
    assert_eq!(became(&as_namespace), [&json!("refused"), &json!("rootNamespace")]);
    // The whole cluster counts for the mesh, and other tests have theirs in it.
    let removed = mesh(&["remove", "--force"]);
    assert_eq!(removed.code, Some(0), "{removed:?}");
}

#[test]
fn taking_away_what_held_a_strict_mesh_open_is_refused_as_well() {
    let shop = Shop::new("peer-reveal");
    let root = shop.plane.namespace("peer-reveal-root").unwrap();
    shop.apply(&super::policy(&root, "m", &json!({"mtls": {"mode": "STRICT"}})));
    let here = |args: &[&str]| shop.run_here(&[args, &["--root-namespace", &root]].concat());
    assert_eq!(here(&["permissive"]).code, Some(0));
    let remove = document(&here(&["remove", "-o", "json"]));
    assert_eq!((&remove["exitCode"], became(&remove)), (&json!(1), [&json!("refused"), &json!("gatewayPlaintext")]));
    let forced = here(&["remove", "--force"]);
    let line = format!("{DEFAULT} removed, STRICT then applies to namespace {} ({root}/m, mesh)\n", shop.apps);
    ends(&forced, 0, &line);
}

#[test]
fn previews_write_nothing_and_say_what_would_be() {
    let shop = Shop::new("peer-preview");
    shop.enable_mtls();
    let check = shop.run(&["strict", "-n", &shop.apps, "--check"]);
    assert_eq!(check.code, Some(3), "{check:?}");
    let diff = shop.run(&["strict", "-n", &shop.apps, "--diff"]);
    assert_eq!(diff.code, Some(0), "{diff:?}");
    assert!(diff.stdout.starts_with(&format!("--- live/{DEFAULT}\n+++ merged/{DEFAULT}\n")), "{diff:?}");
    assert!(diff.stdout.contains("\n+    mode: STRICT\n"), "{diff:?}");
    let server = shop.run(&["strict", "-n", &shop.apps, "--dry-run=server", "-o", "json"]);
    let document = document(&server);
    assert_eq!((&document["dryRun"], &document["results"][0]["outcome"]), (&json!("server"), &json!("changed")));
    assert_eq!(shop.policy("default"), None);
    ends(&shop.run_here(&["strict", "-o", "name"]), 0, &format!("{DEFAULT}\n"));
    let diff = shop.run(&["remove", "-n", &shop.apps, "--diff"]);
    assert!(diff.stdout.contains("\n-    mode: STRICT\n"), "{diff:?}");
    assert_eq!(shop.run(&["strict", "-n", &shop.apps, "--check"]).code, Some(0), "nothing would change");
}

#[test]
fn without_a_yes_what_turns_clients_away_is_not_done() {
    let shop = Shop::new("peer-yes");
    shop.enable_mtls();
    let strict = document(&shop.run(&["strict", "-n", &shop.apps, "-o", "json"]));
    assert_eq!((&strict["exitCode"], &strict["error"]["reason"]), (&json!(2), &json!("notConfirmed")));
    assert_eq!(shop.policy("default"), None);
    assert_eq!(shop.run(&["permissive", "-n", &shop.apps]).code, Some(0), "permissive turns nobody away");
    assert_eq!(shop.run(&["remove", "-n", &shop.apps]).code, Some(2));
    let mut running = shop.sandbox.start_on_terminal(&[
        "istio",
        "peer-auth",
        "strict",
        "-n",
        &shop.apps,
        "--gloo-namespace",
        &shop.gloo,
    ]);
    running.wait_for("[y/N]");
    running.give("n\n");
    assert_eq!(shop.sandbox.end_of(running).code, Some(2));
    assert_eq!(shop.mode("default").as_deref(), Some("PERMISSIVE"));
}

#[test]
fn both_versions_of_the_kind_are_one() {
    let shop = Shop::new("peer-versions");
    shop.enable_mtls();
    let mut old = super::policy(&shop.apps, "old", &json!({"mtls": {"mode": "PERMISSIVE"}}));
    old["apiVersion"] = json!("security.istio.io/v1beta1");
    shop.apply(&old);
    let strict = document(&shop.run_here(&["strict", "-o", "json"]));
    assert_eq!((&strict["results"][0]["name"], became(&strict)[0]), (&json!("old"), &json!("changed")));
    let read = shop.plane.api().get(OLD_POLICY, &shop.apps, "old").unwrap().unwrap();
    assert_eq!(read["spec"]["mtls"]["mode"], "STRICT");
}

#[test]
fn several_at_once_make_one_policy_and_all_succeed() {
    let shop = Shop::new("peer-racing");
    shop.enable_mtls();
    let outputs: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| shop.run_here(&["strict"]))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert!(outputs.iter().all(|output| output.code == Some(0)), "{outputs:?}");
    let made = outputs.iter().filter(|output| output.stdout.contains(" created, STRICT ")).count();
    assert_eq!(made, 1, "{outputs:?}");
}

#[test]
fn a_namespace_that_is_not_there_is_said_to_be_missing() {
    let shop = Shop::new("peer-missing");
    for command in [&["strict", "--dry-run"][..], &["get"]] {
        let missing = format!("{}x", shop.apps);
        let error = &document(&shop.run(&[command, &["-n", &missing, "-o", "json"]].concat()))["error"];
        assert_eq!(error["reason"], "notFound");
        assert!(error["message"].as_str().unwrap().ends_with(&missing), "{error:#}");
        let near = error["details"].as_array().unwrap().iter().find_map(|line| line.as_str()?.strip_prefix("near: "));
        assert!(near.is_some_and(|near| near.contains(&shop.apps)), "{error:#}");
    }
}

#[test]
fn who_else_writes_the_policy_is_named() {
    let shop = Shop::new("peer-owner");
    let mut theirs = super::policy(&shop.apps, "default", &json!({"mtls": {"mode": "STRICT"}}));
    theirs["metadata"]["labels"] = json!({"argocd.argoproj.io/instance": "edge"});
    shop.apply(&theirs);
    let output = shop.run_here(&["permissive", "-o", "json"]);
    let document = document(&output);
    assert_eq!(document["results"][0]["owner"], "Argo CD application edge");
    let hint = format!("change it in Git: gloo-rs istio peer-auth permissive -n {} -f PATH --write", shop.apps);
    let owner = document["warnings"].as_array().unwrap().iter().find(|warning| warning["code"] == "owner").unwrap();
    assert_eq!(owner["hint"], json!(hint));
}
