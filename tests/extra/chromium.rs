//! The page of `report` in a real browser: nothing in a name runs, and what a reader relies on is there.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Runs if it is markup, in an element, in an attribute, and in a style.
const HOSTILE: &str = "<script>alert(1);document.title='ran'</script>\"'><img src=x onerror=\"alert(2);document.title='ran'\">\
    <svg onload=alert(3)></style></title></code><a href=javascript:alert(4)>\u{202e}&lt;b&gt;";

fn chromium() -> OsString {
    if let Some(program) = std::env::var_os("GLOO_RS_TEST_CHROMIUM") {
        return program;
    }
    let runs = |program: &&str| Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok();
    let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(runs);
    found.expect("install Chromium, Debian's package chromium, or name it in GLOO_RS_TEST_CHROMIUM").into()
}

/// The document after the browser has loaded a page and run what runs, and what it says of it.
fn loaded(place: &Path, page: &str, flags: &[&str]) -> (String, String) {
    let file = place.join("page.html");
    std::fs::write(&file, page).unwrap();
    let profile = format!("--user-data-dir={}", place.join("profile").display());
    // A dialog that a page opens stops the browser for good.
    let output = Command::new("timeout")
        .args(["--kill-after=5", "120"])
        .arg(chromium())
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        .args(["--enable-logging=stderr", "--virtual-time-budget=2000", "--dump-dom", &profile])
        .args(flags)
        .arg(format!("file://{}", file.display()))
        .env("HOME", place)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}: {}", output.status, text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

/// Every element with its attributes, in order, as `[tag, {attribute: value}]`.
fn elements(dom: &str) -> Vec<(String, Value)> {
    const SCRIPT: &str = "import sys,json,html.parser as h\n\
        class P(h.HTMLParser):\n\
        \x20def handle_starttag(self,t,a): out.append([t,dict(a)])\n\
        out=[];p=P();p.feed(sys.stdin.read());print(json.dumps(out))";
    let mut python =
        Command::new("python3").args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(dom.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The page of a cluster in which every name and every text of a status is hostile.
fn hostile_page(place: &Path) -> String {
    let metadata = |name: &str| json!({"namespace": format!("n{HOSTILE}"), "name": format!("{name}{HOSTILE}")});
    let object = |api: &str, kind: &str, name: &str, rest: Value| {
        let mut object = json!({"apiVersion": api, "kind": kind, "metadata": metadata(name)});
        object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        format!("---\n{object}\n")
    };
    let labels = json!({"app": "x"});
    let template = json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "x", "image": HOSTILE}]}});
    let manifests = [
        object(
            "gloo.solo.io/v1",
            "Upstream",
            "rejected",
            json!({"spec": {"static": {}},
            "status": {"statuses": {"gloo-system": {"state": "Rejected", "reason": HOSTILE}}}}),
        ),
        object(
            "gloo.solo.io/v1",
            "Upstream",
            "kube",
            json!({"spec": {"kube": {
            "serviceName": format!("service{HOSTILE}"), "serviceNamespace": format!("n{HOSTILE}"), "servicePort": 80}}}),
        ),
        object("v1", "Service", "service", json!({"spec": {"selector": labels, "ports": [{"port": 80}]}})),
        object(
            "apps/v1",
            "Deployment",
            "backend",
            json!({"spec": {"selector": {"matchLabels": labels}, "template": template}}),
        ),
        object("security.istio.io/v1", "PeerAuthentication", "policy", json!({"spec": {"mtls": {"mode": HOSTILE}}})),
    ];
    let file = place.join("evil.yaml");
    std::fs::write(&file, manifests.concat()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_gloo-rs"))
        .args(["report", "-o", "html", "-f"])
        .arg(&file)
        .env_clear()
        .env("HOME", place)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn nothing_in_a_name_runs_and_the_page_has_its_structure() {
    let place = tempfile::tempdir().unwrap();
    let page = hostile_page(place.path());
    assert!(page.matches("alert(1)").count() > 10, "the names are on the page");

    // The browser runs what it takes for markup: without escapes and without the policy the title changes.
    let naked = format!("<title>still</title><p>{}", HOSTILE.replace("alert", "Number"));
    let (naked, _) = loaded(place.path(), &naked, &[]);
    assert!(naked.contains("<title>ran</title>"), "{naked}");

    let (dom, log) = loaded(place.path(), &page, &[]);
    assert!(dom.contains("<title>gloo-rs report: manifests</title>"), "{dom}");
    assert!(!log.contains("Content Security Policy"), "the page itself tries nothing that is forbidden: {log}");
    let elements = elements(&dom);
    let allowed: BTreeSet<_> = [
        "html", "head", "meta", "title", "style", "body", "header", "main", "section", "h1", "h2", "h3", "h4", "p",
        "span", "code", "strong", "div", "table", "caption", "thead", "tbody", "tr", "th", "td", "ul", "li",
    ]
    .into();
    let attributes: BTreeSet<_> =
        ["lang", "charset", "http-equiv", "content", "name", "id", "class", "scope", "colspan", "aria-labelledby"]
            .into();
    let mut level = 0;
    for (tag, found) in &elements {
        assert!(allowed.contains(tag.as_str()), "<{tag}> {found}");
        let found = found.as_object().unwrap();
        assert!(found.keys().all(|key| attributes.contains(key.as_str())), "<{tag}> {found:?}");
        if tag == "th" {
            assert!(matches!(found.get("scope").and_then(Value::as_str), Some("col" | "row")), "{found:?}");
        }
        if let Some(depth) = tag.strip_prefix('h').and_then(|depth| depth.parse::<u32>().ok()) {
            assert!(depth <= level + 1, "h{depth} stands below h{level}");
            level = depth;
        }
    }
    let count = |tag: &str| elements.iter().filter(|(found, _)| found == tag).count();
    assert_eq!((count("html"), count("main"), count("h1")), (1, 1, 1));
    assert_eq!(count("table"), count("caption"), "each table says what it has");
    assert_eq!(elements[0].1["lang"], "en");
}

/// A table may scroll in its own box; the page itself is as wide as the phone.
#[test]
fn a_phone_does_not_scroll_the_page_sideways() {
    let place = tempfile::tempdir().unwrap();
    let page = hostile_page(place.path());
    let (policy, after) = page.split_once("<meta http-equiv").unwrap();
    let (_, after) = after.split_once('>').unwrap();
    // Only this copy may run a script: it measures.
    let measured = "<script>onload=()=>{let all=document.documentElement;\
        document.title='wide '+(all.scrollWidth-all.clientWidth)}</script></body>";
    let page = format!("{policy}{}", after.replace("</body>", measured));
    let (dom, log) = loaded(place.path(), &page, &["--window-size=500,900"]);
    let title = dom.split("<title>").nth(1).and_then(|rest| rest.split('<').next());
    assert_eq!(title, Some("wide 0"), "{log}");
}
