//! Many Upstreams: what is taken and what is skipped, on a real API server, and how many requests that takes.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Gloo, HTTPBIN, advised, became, document, expect_advice, on_stub, path_of, plain, row, with_istio};
use crate::support::Output;
use crate::support::stub::Stub;

const LIST: &str = "/apis/gloo.solo.io/v1/namespaces/gloo-system/upstreams";

#[test]
fn a_sweep_takes_what_can_work_and_says_why_it_skips_the_rest() {
    let gloo = Gloo::new("sweep");
    gloo.add(&json!({"metadata": {"name": "own-gloo-443"}, "spec": {"kube": {"serviceName": "gloo", "serviceNamespace": gloo.namespace, "servicePort": 443}}}));
    gloo.add(&json!({"metadata": {"name": "dns"}, "spec": {"kube": {"serviceName": "kube-dns", "serviceNamespace": "kube-system", "servicePort": 53}}}));
    gloo.add(&json!({"metadata": {"name": "gone-80"}, "spec": {"kube": {"serviceName": "gone", "serviceNamespace": "default", "servicePort": 80}}}));
    gloo.add(&json!({"metadata": {"name": "bare"}}));

    let all = ["enable-mtls", "--all", "-o", "json"];
    let asked = document(&gloo.run(&all));
    assert_eq!((&asked["exitCode"], &asked["error"]["reason"]), (&json!(2), &json!("notConfirmed")), "it asks");
    assert_eq!(asked["results"], json!([]));

    let all = [&all[..], &["--yes"]].concat();
    for (became, unlike) in [(Value::Null, "changed"), (json!("already"), "unchanged")] {
        let swept = document(&gloo.run(&all));
        assert_eq!((&swept["exitCode"], &swept["summary"][unlike]), (&json!(0), &json!(1)), "{swept:#}");
        assert_eq!((&swept["summary"]["skipped"], &swept["summary"]["total"]), (&json!(7), &json!(8)), "{swept:#}");
        let reasons: Vec<_> = swept["results"].as_array().unwrap().iter().map(|row| row["reason"].clone()).collect();
        let mut wanted: Vec<_> =
            ["noSpec", "", "noSidecar", "systemService", "noPods", "systemService", "foreignTls", "notKubernetes"]
                .map(Value::from)
                .to_vec();
        wanted[1] = became;
        assert_eq!(reasons, wanted);
    }
    let counted = gloo.run(&["enable-mtls", "--all", "--yes"]);
    assert!(counted.stderr.contains("7 skipped (8 Upstreams, "), "{counted:?}");

    let labelled = ["enable-mtls", "-l", "discovered_by=kubernetesplugin", "--force", "--yes", "-o", "json"];
    let forced = document(&gloo.run(&labelled));
    assert_eq!(forced["exitCode"], 0);
    assert_eq!(became(&forced, "default-plain-8080"), [&json!("changed"), &Value::Null]);
}

#[test]
fn a_selection_is_the_api_servers_and_an_empty_one_is_no_success() {
    let gloo = Gloo::new("selection");
    let picked = gloo.run(&["enable-mtls", "-l", "discovered_by in (kubernetesplugin),!other"]);
    assert_eq!(
        (picked.code, picked.stdout.as_str()),
        (Some(0), format!("upstream.gloo.solo.io/{HTTPBIN} mTLS enabled\n").as_str())
    );
    let empty = gloo.run(&["enable-mtls", "-l", "app=nothing"]);
    assert_eq!((empty.code, empty.stdout.as_str()), (Some(4), ""));
    assert_eq!(gloo.run(&["enable-mtls", "-l", "app=nothing", "--ignore-not-found"]).code, Some(0));
    for place in [&[][..], &["-A"]] {
        let nothing = document(&gloo.run(&[&["enable-mtls", "-l", "app=nothing", "-o", "json"], place].concat()));
        assert_eq!((&nothing["exitCode"], &nothing["error"]["reason"]), (&json!(4), &json!("notFound")), "{place:?}");
    }
}

#[test]
fn all_namespaces_are_said_with_the_names() {
    let (one, two) = (Gloo::new("all"), Gloo::new("all"));
    for gloo in [&one, &two] {
        gloo.merge(HTTPBIN, &json!({"metadata": {"labels": {"sweep": one.namespace}}}));
    }
    let swept = one.run(&["enable-mtls", "-A", "-l", &format!("sweep={}", one.namespace)]);
    let mut lines: Vec<_> = swept.stdout.lines().collect();
    lines.sort_unstable();
    let mut wanted = [
        format!("upstream.gloo.solo.io/{}/{HTTPBIN} mTLS enabled", two.namespace),
        format!("upstream.gloo.solo.io/{HTTPBIN} mTLS enabled"),
    ];
    wanted.sort_unstable();
    assert_eq!(lines, wanted);
}

#[test]
fn a_sweep_that_disables_leaves_what_has_a_strict_peer() {
    let gloo = Gloo::new("strict-sweep");
    let apps = gloo.plane.install_apps("strict-apps", &gloo.namespace).unwrap();
    gloo.plane
        .api()
        .apply(
            &json!({
                "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
                "metadata": {"name": "all", "namespace": apps}, "spec": {"mtls": {"mode": "STRICT"}},
            })
            .to_string(),
        )
        .unwrap();
    let strict = format!("{apps}-httpbin-8000");
    for name in [HTTPBIN, &strict] {
        assert_eq!(gloo.run(&["enable-mtls", "-u", name]).code, Some(0));
    }
    let all = ["disable-mtls", "--all", "--yes", "-o", "json"];
    let swept = document(&gloo.run(&all));
    assert_eq!(swept["exitCode"], 0);
    assert_eq!(became(&swept, HTTPBIN), [&json!("changed"), &Value::Null]);
    assert_eq!(became(&swept, &strict), [&json!("skipped"), &json!("strictPeer")]);
    names(&swept, &strict, &format!("{apps}/all"));
    assert_ne!(gloo.upstream(&strict)["spec"]["sslConfig"], Value::Null);
    let forced = document(&gloo.run(&[&all[..], &["--force"]].concat()));
    assert_eq!(became(&forced, &strict)[0], "changed");
}

#[test]
fn a_peer_that_takes_no_mutual_tls_is_warned_of_by_name_and_left_by_a_sweep() {
    let gloo = Gloo::new("disabled-sweep");
    let apps = gloo.plane.install_apps("disabled-apps", &gloo.namespace).unwrap();
    let policy = json!({
        "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": {"name": "none", "namespace": apps}, "spec": {"mtls": {"mode": "DISABLE"}},
    });
    gloo.plane.api().apply(&policy.to_string()).unwrap();
    let name = format!("{apps}-httpbin-8000");
    let swept = document(&gloo.run(&["enable-mtls", "--all", "--yes", "-o", "json"]));
    assert_eq!(swept["exitCode"], 0);
    assert_eq!(became(&swept, HTTPBIN), [&json!("changed"), &Value::Null]);
    assert_eq!(became(&swept, &name), [&json!("skipped"), &json!("disabledPeer")]);
    names(&swept, &name, &format!("{apps}/none"));
    assert_eq!(gloo.upstream(&name)["spec"]["sslConfig"], Value::Null);

    let named = document(&gloo.run(&["enable-mtls", "-u", &name, "-o", "json"]));
    assert_eq!(became(&named, &name)[0], "changed");
    let warning = advised(&named, "disabledPeer");
    assert_eq!(warning["details"], json!([format!("peerauthentication {apps}/none, namespace")]));
    let hint = warning["hint"].as_str().unwrap();
    let commands = [format!("gloo-rs istio peer-auth permissive -n {apps}"), "gloo-rs istio disable-mtls -u ".into()];
    assert!(commands.iter().all(|command| hint.contains(command)), "{hint}");

    gloo.merge(&name, &json!({"spec": {"sslConfig": null}}));
    let auto = document(&gloo.run(&["auto-mtls", "enable", "--force", "--dry-run", "-o", "json"]));
    let upstream = json!(format!("{}/{name}: peerauthentication {apps}/none, namespace", gloo.namespace));
    let harmed = advised(&auto, "disabledPeer")["details"].as_array().unwrap();
    assert!(harmed.contains(&upstream), "{auto:#}");
}

#[test]
fn the_policies_of_the_whole_mesh_are_where_its_istiod_says() {
    let list = |items: Value| json!({"kind": "List", "metadata": {}, "items": items});
    let stub = Stub::new();
    let strict = json!({"metadata": {"namespace": "mesh", "name": "default"}, "spec": {"mtls": {"mode": "STRICT"}}});
    stub.on("GET", "/apis/security.istio.io/v1/peerauthentications").json(200, &list(json!([strict])));
    let labels = json!({"app": "istiod", "istio.io/rev": "default"});
    let istiod = json!({"metadata": {"namespace": "mesh", "name": "istiod", "labels": labels},
        "spec": {"template": {"spec": {"containers": [{"name": "discovery", "image": "pilot:1.29.1"}]}}}});
    stub.on("GET", "/apis/apps/v1/deployments").json(200, &list(json!([istiod])));
    let map = json!({"metadata": {"namespace": "mesh", "name": "istio", "labels": labels},
        "data": {"mesh": "rootNamespace: mesh"}});
    stub.on("GET", "/api/v1/configmaps").json(200, &list(json!([map])));
    stub.on("GET", LIST).json(200, &list(json!([with_istio(&plain("x", "7"))])));
    expect_advice(&stub);
    let swept = document(&on_stub(&stub).run(&["istio", "disable-mtls", "--all", "--yes", "-o", "json"]));
    assert_eq!(became(&swept, "x"), [&json!("skipped"), &json!("strictPeer")]);
    names(&swept, "x", "mesh/default, mesh");
}

/// What is said of an object names another one.
#[track_caller]
fn names(document: &Value, name: &str, other: &str) {
    let message = row(document, name)["message"].as_str().unwrap();
    assert!(message.contains(other), "{message}");
}

/// Pages of Upstreams on the stub, each with its PATCH that takes this long.
fn expect_pages(stub: &Stub, pages: &[usize], time: Duration) {
    let mut number = 0;
    for (page, size) in pages.iter().enumerate() {
        let items: Vec<_> = (number..number + size).map(|number| plain(&format!("x{number:04}"), "7")).collect();
        number += size;
        let next = if page + 1 < pages.len() { format!("page{}", page + 1) } else { String::new() };
        let query = if page == 0 { String::new() } else { format!("&continue=page{page}") };
        for item in &items {
            let name = item["metadata"]["name"].as_str().unwrap();
            stub.on("PATCH", &path_of(name)).json(200, &with_istio(item)).slow(time).always();
        }
        stub.on("GET", &format!("{LIST}?limit=500{query}")).json(
            200,
            &json!({"kind": "UpstreamList", "metadata": {"continue": next, "resourceVersion": "1"}, "items": items}),
        );
    }
}

fn asked(stub: &Stub, method: &str, path: &str) -> usize {
    stub.requests().iter().filter(|request| request.method == method && request.path.starts_with(path)).count()
}

#[test]
fn a_thousand_are_three_pages_one_list_of_pods_and_never_more_at_once_than_said() {
    let stub = Stub::new();
    expect_pages(&stub, &[500, 500, 3], Duration::from_millis(1));
    expect_advice(&stub);
    let swept = on_stub(&stub).run(&["istio", "enable-mtls", "--all", "--yes", "--concurrency", "5"]);
    assert_eq!(swept.code, Some(0), "{}", swept.stderr);
    let wanted: Vec<_> = (0..1003).map(|number| format!("upstream.gloo.solo.io/x{number:04} mTLS enabled")).collect();
    let mut lines: Vec<_> = swept.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, wanted);
    assert!(swept.stderr.contains("1003 enabled (1003 Upstreams, "), "{}", swept.stderr);
    assert_eq!(asked(&stub, "PATCH", LIST), 1003);
    assert_eq!(asked(&stub, "GET", LIST), 3);
    assert_eq!(asked(&stub, "GET", "/api/v1/namespaces/shop/pods"), 1);
    assert_eq!(asked(&stub, "GET", "/api/v1/namespaces/shop/services"), 1);
    let most = stub.most_under_way("PATCH");
    assert!((2..=5).contains(&most), "{most}");
}

#[test]
fn one_that_is_slow_holds_up_no_other_and_the_document_is_in_the_lists_order() {
    let stub = Stub::new();
    stub.on("PATCH", &path_of("x0000")).json(200, &with_istio(&plain("x0000", "7"))).behind(59);
    expect_pages(&stub, &[60], Duration::from_millis(1));
    expect_advice(&stub);
    let sandbox = on_stub(&stub);
    let swept = sandbox.run(&["istio", "enable-mtls", "--all", "--yes", "--concurrency", "2", "-o", "name"]);
    assert_eq!(swept.stdout.lines().last(), Some("upstream.gloo.solo.io/x0000"), "{swept:?}");
    assert_eq!(swept.stdout.lines().count(), 60);

    let stub = Stub::new();
    stub.on("PATCH", &path_of("x0000")).json(200, &with_istio(&plain("x0000", "7"))).behind(59);
    expect_pages(&stub, &[60], Duration::from_millis(1));
    expect_advice(&stub);
    let result =
        document(&on_stub(&stub).run(&["istio", "enable-mtls", "--all", "--yes", "--concurrency", "2", "-o", "json"]));
    let names: Vec<_> = result["results"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert!(names.len() == 60 && names.is_sorted(), "{names:?}");
}

#[test]
fn a_list_that_grows_old_is_taken_up_again_and_nothing_is_done_twice() {
    let stub = Stub::new();
    let list = |next: &str, names: &[&str]| {
        let items: Vec<_> = names.iter().map(|name| plain(name, "7")).collect();
        json!({"kind": "UpstreamList", "metadata": {"continue": next}, "items": items})
    };
    stub.on("GET", &format!("{LIST}?limit=500"))
        .json(200, &list("old", &["a", "b"]))
        .json(200, &list("", &["a", "b", "c"]));
    stub.on("GET", &format!("{LIST}?limit=500&continue=old")).status(410, "Expired", "too old");
    for name in ["a", "b", "c"] {
        stub.on("PATCH", &path_of(name)).json(200, &with_istio(&plain(name, "8")));
    }
    expect_advice(&stub);
    let swept = on_stub(&stub).run(&["istio", "enable-mtls", "--all", "--yes"]);
    assert_eq!(swept.code, Some(0), "{swept:?}");
    assert_eq!(swept.stdout.lines().count(), 3);
}

#[test]
fn what_failed_is_named_in_a_command_that_takes_only_that() {
    let stub = Stub::new();
    let mut elsewhere = plain("z", "7");
    elsewhere["metadata"]["namespace"] = json!("shop");
    let items = [plain("x", "7"), plain("y", "7"), elsewhere];
    stub.on("GET", "/apis/gloo.solo.io/v1/upstreams").json(200, &json!({"items": items}));
    stub.on("PATCH", &path_of("x")).json(200, &with_istio(&items[0]));
    // It ends last, and is the first of the list all the same.
    stub.on("PATCH", &path_of("y")).status(500, "InternalError", "no").slow(Duration::from_secs(1));
    stub.on("PATCH", "/apis/gloo.solo.io/v1/namespaces/shop/upstreams/z").status(500, "InternalError", "no");
    expect_advice(&stub);
    let swept = on_stub(&stub).run(&["istio", "enable-mtls", "-A", "--yes", "--context", "stub", "--overwrite"]);
    assert_eq!(swept.code, Some(1), "{swept:?}");
    let again = "\n  gloo-rs istio enable-mtls --overwrite --yes -u y,shop/z --kube-context stub\n";
    assert!(swept.stderr.contains(again), "{swept:?}");
    assert!(swept.stderr.contains("error: upstream.gloo.solo.io/shop/z: "), "{swept:?}");
}

#[test]
fn reads_that_fail_are_failures_and_no_reason_to_skip() {
    let stub = Stub::new();
    stub.on("GET", LIST).json(200, &json!({"items": [plain("a", "7"), plain("b", "7")]}));
    stub.on("GET", "/apis/gloo.solo.io/v1/namespaces/gloo-system/settings/default")
        .json(200, &json!({"metadata": {"name": "default", "namespace": "gloo-system"}}));
    stub.on("GET", "/api/v1/namespaces/shop/services").status(500, "InternalError", "etcd is on fire");
    let output = on_stub(&stub).run(&["istio", "enable-mtls", "--all", "--yes", "-o", "json"]);
    let swept = document(&output);
    assert_eq!((output.code, &swept["summary"]["failed"]), (Some(1), &json!(2)), "{swept:#}");
    for name in ["a", "b"] {
        assert_eq!(became(&swept, name), [&json!("failed"), &json!("serverError")]);
    }
    assert!(output.stdout.contains("etcd is on fire"), "what the server said is quoted: {swept:#}");
}

#[test]
fn a_server_that_is_gone_in_the_middle_ends_the_sweep() {
    let stub = Stub::new();
    let items: Vec<_> = (0..300).map(|number| plain(&format!("x{number:04}"), "7")).collect();
    stub.on("GET", LIST).json(200, &json!({"kind": "UpstreamList", "metadata": {}, "items": items}));
    expect_advice(&stub);
    stub.on("PATCH", &path_of("x0000")).json(200, &with_istio(&items[0]));
    stub.on_anything().cut().always();
    let swept = on_stub(&stub).run(&["istio", "enable-mtls", "--all", "--yes", "--concurrency", "2", "-o", "json"]);
    let result = document(&swept);
    assert_eq!(swept.code, Some(9), "{}", swept.stderr);
    assert_eq!((&result["summary"]["changed"], &result["error"]["reason"]), (&json!(1), &json!("unreachable")));
    assert!(result["summary"]["failed"].as_u64().unwrap() < 8, "{}", result["summary"]);
}

#[test]
fn ctrl_c_finishes_what_is_under_way_and_begins_nothing_more() {
    for terminate in [false, true] {
        let stub = Stub::new();
        expect_pages(&stub, &[200], Duration::from_millis(300));
        expect_advice(&stub);
        let sandbox = on_stub(&stub);
        let mut running = sandbox.start(&["istio", "enable-mtls", "--all", "--yes", "--concurrency", "3", "-v"]);
        running.wait_for("PATCH");
        if terminate {
            running.terminate();
        } else {
            running.interrupt();
        }
        let ended = sandbox.end_of(running);
        assert_eq!(ended.code, Some(130), "{ended:?}");
        let (sent, said) = (asked(&stub, "PATCH", LIST), ended.stdout.lines().count());
        assert_eq!(sent, said, "each that was sent is said: {ended:?}");
        assert!(sent < 200, "{sent}");
        assert!(ended.stderr.contains(&format!("error: interrupted; {said} Upstream")), "{ended:?}");
        assert!(ended.stderr.contains(&format!("{said} enabled ({said} Upstream")), "{ended:?}");
    }
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let stub = Stub::new();
    expect_pages(&stub, &[20], Duration::from_secs(100));
    expect_advice(&stub);
    let sandbox = on_stub(&stub);
    let mut running = sandbox.start(&["istio", "enable-mtls", "--all", "--yes", "--timeout", "10m", "-o", "json"]);
    while asked(&stub, "PATCH", LIST) == 0 {
        std::thread::sleep(Duration::from_millis(2));
    }
    running.interrupt();
    running.wait_for("interrupted: finishing what is in progress");
    running.interrupt();
    let ended = sandbox.end_of(running);
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert_eq!(document(&ended)["error"]["reason"], "interrupted");
    assert!(ended.stderr.contains("what was in progress may be done as well"), "{ended:?}");
}

/// Thirty Upstreams that take their time, on a terminal of this kind.
fn swept_on_terminal(term: &str) -> Output {
    let stub = Stub::new();
    expect_pages(&stub, &[30], Duration::from_millis(40));
    expect_advice(&stub);
    let sandbox = on_stub(&stub).env("TERM", term);
    let running = sandbox.start_on_terminal(&["istio", "enable-mtls", "--all", "--yes", "--concurrency", "2"]);
    let ended = sandbox.end_of(running);
    assert_eq!((ended.code, ended.stdout.lines().count()), (Some(0), 30), "{ended:?}");
    ended
}

#[test]
fn a_terminal_gets_a_line_of_progress_and_no_trace_of_it_stays() {
    let ended = swept_on_terminal("xterm");
    assert!(ended.stderr.contains("Upstreams: "), "{ended:?}");
    let after_last = ended.stderr.rsplit("Upstreams: ").next().unwrap();
    for said in ["\u{1b}[2K", "30 enabled", " (30 Upstreams, "] {
        assert!(after_last.contains(said), "{said}: {ended:?}");
    }
}

#[test]
fn a_terminal_that_cannot_take_a_line_away_gets_none() {
    let ended = swept_on_terminal("dumb");
    assert!(!ended.stderr.contains('\u{1b}') && !ended.stderr.contains("Upstreams: "), "{ended:?}");
}

#[test]
fn a_reader_that_goes_away_does_not_stop_the_work() {
    let stub = Stub::new();
    expect_pages(&stub, &[50], Duration::from_millis(2));
    expect_advice(&stub);
    let sandbox = on_stub(&stub);
    let mut running = sandbox.start_unread(&["istio", "enable-mtls", "--all", "--yes"]);
    // Which of those under way ends first is nobody's promise.
    let first = running.read_one_line();
    assert!(first.starts_with("upstream.gloo.solo.io/x00") && first.ends_with(" mTLS enabled"), "{first}");
    let ended = sandbox.end_of(running);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(asked(&stub, "PATCH", LIST), 50);
}

#[test]
fn a_right_that_is_missing_everywhere_is_said_three_times_and_not_asked_for_again() {
    let stub = Stub::new();
    let names: Vec<String> = (0..9).map(|number| format!("x{number}")).collect();
    let items: Vec<_> = names.iter().map(|name| plain(name, "7")).collect();
    stub.on("GET", LIST).json(200, &json!({"items": items})).always();
    for name in &names {
        let message = format!(
            r#"upstreams.gloo.solo.io "{name}" is forbidden: User "me" cannot patch resource "upstreams" in API group "gloo.solo.io" in the namespace "gloo-system""#
        );
        stub.on("PATCH", &path_of(name)).status(403, "Forbidden", &message).always();
    }
    expect_advice(&stub);
    let sandbox = on_stub(&stub);
    let output = sandbox.run(&["istio", "enable-mtls", "--all", "--yes", "--concurrency", "1"]);
    assert_eq!(output.code, Some(4), "{output:?}");
    assert_eq!(output.stderr.matches(": not allowed to patch upstreams").count(), 3, "{output:?}");
    assert!(output.stderr.contains("error: stopped: three requests in a row failed the same way"), "{output:?}");
}
