//! On a real API server.

use serde_json::json;

use super::{OLD_POLICY, POLICY, Shop, document, ends};

const DEFAULT: &str = "peerauthentication.security.istio.io/default";

#[test]
fn strict_is_refused_while_a_gateway_would_get_503s_from_it() {
    let shop = Shop::new("peer-refused");
    let strict = shop.run_here(&["strict"]);
    ends(&strict, 1, "");
    let way = format!("upstream {}/{} -> service {}/httpbin", shop.gloo, shop.httpbin(), shop.apps);
    let said = [
        format!("error: {DEFAULT}: a gateway sends plaintext to namespace {} and would get 503s", shop.apps),
        format!("  {way}: no sslConfig, and auto-mTLS is off\n"),
        format!("gloo-rs istio enable-mtls -n {} -u {}", shop.gloo, shop.httpbin()),
        "--force goes on".to_owned(),
    ];
    for words in said {
        assert!(strict.stderr.contains(&words), "{words}: {strict:?}");
    }
    assert_eq!(shop.policy("default"), None, "nothing changed");

    let forced = shop.run_here(&["strict", "--force"]);
    ends(&forced, 0, &format!("{DEFAULT} created, STRICT for namespace {}\n", shop.apps));
    assert!(forced.stderr.contains("warning: a gateway gets 503s from now on (--force)\n"), "{forced:?}");
    assert!(forced.stderr.contains(&way), "{forced:?}");
    let made = shop.policy("default").unwrap();
    assert_eq!(made["spec"], json!({"mtls": {"mode": "STRICT"}}));
    assert_eq!(made["metadata"]["labels"], json!({"app.kubernetes.io/managed-by": "gloo-rs"}));
}

#[test]
fn with_mtls_on_the_upstream_it_goes_strict_and_back_and_away() {
    let shop = Shop::new("peer-round");
    shop.enable_mtls();
    let whole = format!("namespace {}", shop.apps);
    let strict = shop.run_here(&["strict"]);
    ends(&strict, 0, &format!("{DEFAULT} created, STRICT for {whole}\n"));
    assert!(
        strict.stderr.contains(&format!("warning: 1 of 2 pods in {whole} has no sidecar: no policy reaches them\n"))
    );
    assert!(strict.stderr.contains("who calls these pods was not looked at"), "{strict:?}");
    ends(&shop.run_here(&["strict"]), 0, &format!("{DEFAULT} already STRICT for {whole}\n"));
    ends(&shop.run_here(&["permissive"]), 0, &format!("{DEFAULT} PERMISSIVE for {whole} (was STRICT)\n"));
    let removed = format!("{DEFAULT} removed, PERMISSIVE holds for {whole} then (Istio's default)\n");
    ends(&shop.run_here(&["remove"]), 0, &removed);
    assert_eq!(shop.policy("default"), None);
    let gone = format!("{DEFAULT} not there, PERMISSIVE holds for {whole} (Istio's default)\n");
    ends(&shop.run_here(&["remove"]), 0, &gone);
}

#[test]
fn a_route_that_names_the_service_is_covered_by_auto_mtls_alone() {
    let shop = Shop::new("peer-kube");
    shop.enable_mtls();
    shop.route("kube", &json!({"kube": {"ref": {"name": "httpbin", "namespace": shop.apps}, "port": 8000}}));
    let strict = shop.run_here(&["strict"]);
    ends(&strict, 1, "");
    let way = format!("  routetable {}/kube, spec.routes[0].routeAction.single -> service", shop.gloo);
    assert!(strict.stderr.contains(&way), "{strict:?}");
    assert!(strict.stderr.contains("hint: gloo-rs istio auto-mtls enable; --force goes on\n"), "{strict:?}");
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
    assert!(strict.stderr.contains("warning: 1 Upstream that no route names would be 503 as well\n"), "{strict:?}");
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
    let strict = shop.run_here(&["strict"]);
    let line = format!("peerauthentication.security.istio.io/a-first STRICT for namespace {} (was UNSET)\n", shop.apps);
    ends(&strict, 0, &line);
    assert!(strict.stderr.contains(&format!("  not read: {}/b-second\n", shop.apps)), "{strict:?}");
    assert!(strict.stderr.contains(&format!("  {}/w: DISABLE for port 80 of app=plain\n", shop.apps)), "{strict:?}");
    let spec = shop.policy("a-first").unwrap()["spec"].clone();
    assert_eq!(spec, json!({"mtls": {"mode": "STRICT"}, "portLevelMtls": {"9090": {"mode": "DISABLE"}}}));
    assert_eq!(shop.mode("b-second").as_deref(), Some("PERMISSIVE"));
    let remove = shop.run_here(&["remove"]);
    ends(&remove, 1, "");
    assert!(remove.stderr.contains("was not made by gloo-rs; nothing changed"), "{remove:?}");
    assert!(remove.stderr.contains("--overwrite takes it away"), "{remove:?}");
    let overwritten = shop.run_here(&["remove", "--overwrite"]);
    assert_eq!(overwritten.code, Some(0), "{overwritten:?}");
    assert!(overwritten.stdout.contains("/a-first removed, PERMISSIVE holds"), "{overwritten:?}");
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
    let again = mesh(&["permissive"]);
    assert!(again.stderr.contains(&format!("  {}/n: STRICT for namespace {}\n", shop.apps, shop.apps)), "{again:?}");
    let as_namespace = shop.run(&["strict", "-n", &root, "--root-namespace", &root, "--yes"]);
    ends(&as_namespace, 1, "");
    assert!(as_namespace.stderr.contains("is the mesh's root namespace"), "{as_namespace:?}");
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
    let remove = here(&["remove"]);
    ends(&remove, 1, "");
    assert!(remove.stderr.contains("a gateway sends plaintext to"), "{remove:?}");
    let forced = here(&["remove", "--force"]);
    let line = format!("{DEFAULT} removed, STRICT holds for namespace {} then ({root}/m, mesh)\n", shop.apps);
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
    let strict = shop.run(&["strict", "-n", &shop.apps]);
    ends(&strict, 2, "");
    let asked = format!("peer-auth would turn away all plaintext to namespace {}: --yes is needed", shop.apps);
    assert!(strict.stderr.contains(&asked), "{strict:?}");
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
    let strict = shop.run_here(&["strict"]);
    assert!(strict.stdout.contains("/old STRICT for namespace"), "{strict:?}");
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
        let output = shop.run(&[command, &["-n", &format!("{}x", shop.apps)]].concat());
        ends(&output, 4, "");
        assert!(output.stderr.contains(&format!("error: there is no namespace {}x\n", shop.apps)), "{output:?}");
        assert!(output.stderr.contains("  near: "), "{output:?}");
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
