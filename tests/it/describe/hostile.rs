//! Text that is out to get the reader: inert in every format.

use serde_json::{Value, json};

use super::{UPSTREAM, World};
use crate::support::pod_server::{PodServer, reply};

const HOSTILE: &str = "\u{1b}[31mred\u{1b}]0;title\u{7}\u{9b}2J\r\nforged: ok\t\u{202e}evil\u{200b}=cmd|' /C calc'!A0";

fn is_inert(text: &str) -> bool {
    !text.chars().any(|c| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

/// Made, and then filled by a JSON patch: YAML, which an apply is, takes no control characters.
fn put(world: &World, kind: &str, name: &str, content: &Value) {
    let (version, short) = kind.rsplit_once('/').unwrap();
    let bare =
        json!({"apiVersion": version, "kind": short, "metadata": {"name": name, "namespace": world.gloo}, "spec": {}});
    world.plane.api().apply(&bare.to_string()).unwrap();
    world.plane.api().merge(kind, &world.gloo, name, content).unwrap();
}

#[test]
fn hostile_text_is_inert_in_every_format_and_makes_no_row() {
    let world = World::new("hostile");
    let upstream = json!({
        "metadata": {
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": HOSTILE, "meta.helm.sh/release-namespace": format!("={HOSTILE}")}},
        "spec": {"sslConfig": {"secretRef": {"name": HOSTILE, "namespace": HOSTILE}}, "static": {}},
        "status": {"statuses": {"x": {"state": "Warning", "reason": HOSTILE}}}});
    put(&world, UPSTREAM, "evil", &upstream);
    let kube = json!({"spec": {"kube": {"serviceName": HOSTILE, "serviceNamespace": "../../x", "selector": {HOSTILE: HOSTILE}}}});
    world.plane.api().merge(UPSTREAM, &world.gloo, "weather", &kube).unwrap();
    let service = json!({
"spec": {"virtualHost": {"domains": ["evil.example", HOSTILE], "routes": [
            {"matchers": [{"prefix": "/", "headers": [{"name": HOSTILE, "value": HOSTILE}]}],
             "delegateAction": {"ref": {"name": HOSTILE, "namespace": HOSTILE}}},
            {"matchers": [{"regex": format!("({HOSTILE}")}], "redirectAction": {"hostRedirect": HOSTILE}},
            {"matchers": [{"prefix": "/", "methods": [HOSTILE]}],
             "routeAction": {"single": {"kube": {"ref": {"name": HOSTILE, "namespace": HOSTILE}}}}},
            {"matchers": [{"prefix": "/"}], "routeAction": {"single": {"upstream": {"name": "evil", "namespace": world.gloo}}}},
        ]}}, "status": {"statuses": {"x": {"state": "Rejected", "reason": HOSTILE}}}});
    put(&world, "gateway.solo.io/v1/VirtualService", "evil", &service);
    for line in ["--host evil.example", "upstream evil", "upstream weather"] {
        for format in ["text", "json", "yaml"] {
            let output = world.run(&format!("describe {line} -o {format}"));
            assert!(is_inert(&output.stdout) && is_inert(&output.stderr), "{line} {format}: {output:?}");
            assert!(!output.stdout.lines().any(|line| line.starts_with("forged")), "{line} {format}: {output:?}");
            if format == "json" {
                let document: Value = serde_json::from_str(&output.stdout).unwrap();
                assert!(document.to_string().contains("title"), "{document}");
            }
        }
    }
    let rows = world.done("describe upstreams").stdout.lines().count();
    for format in ["table", "wide", "csv", "json", "yaml"] {
        let output = world.done(&format!("describe upstreams -o {format}"));
        assert!(is_inert(&output.stdout) && is_inert(&output.stderr), "{format}: {output:?}");
        if matches!(format, "table" | "wide" | "csv") {
            assert_eq!(output.stdout.lines().count(), rows, "{format}: {output:?}");
        }
        if format == "csv" {
            for cell in output.stdout.lines().flat_map(|line| line.split(',')) {
                assert!(!cell.trim_matches('"').trim().starts_with(['=', '+', '-', '@']), "{cell:?}");
            }
        }
    }
}

#[test]
fn what_a_gateway_and_gloo_say_of_themselves_is_inert_too() {
    let world = World::new("hostile-pods");
    world.done("inject --revision 1-28");
    let server = PodServer::start(|asked, stream| {
        let page = match asked.path.as_str() {
            "/certs" => json!({"certificates": [{"ca_cert": [], "cert_chain": [{
                "subject_alt_names": [{"uri": format!("spiffe://{HOSTILE}")}], "expiration_time": "2100-01-01T00:00:00Z"}]}]})
            .to_string(),
            "/metrics" => {
                let labels = HOSTILE.replace(['\r', '\n'], " ");
                format!("glooe_solo_io_xds_total_entities{{r=\"{labels}\"}} 2\nglooe_solo_io_xds_insync{{r=\"{labels}\"}} 1\n")
            }
            path if path.starts_with("/stats") => "control_plane.connected_state: 1\n".to_owned(),
            _ => json!({"configs": [{"name": HOSTILE, "error_state": {"details": HOSTILE}}]}).to_string(),
        };
        reply(stream, "200 OK", page.as_bytes());
    });
    world.plane.forward(&world.gloo, &[(19000, server.address), (9091, server.address)]).unwrap();
    for format in ["text", "json", "yaml"] {
        let output = world.run(&format!("describe upstream weather -o {format}"));
        assert!(is_inert(&output.stdout) && is_inert(&output.stderr), "{format}: {output:?}");
        assert!(output.stdout.contains("title"), "the name is there: {output:?}");
        assert!(!output.stdout.lines().any(|line| line.starts_with("forged")), "{format}: {output:?}");
    }
    for format in ["text", "json", "yaml", "sarif", "junit"] {
        let output = world.sandbox.run(&["check", "-n", &world.gloo, "-r", &world.gloo, "-x", "helm", "-o", format]);
        assert!(is_inert(&output.stdout) && is_inert(&output.stderr), "{format}: {output:?}");
        assert!(output.stdout.matches("title").count() >= 3, "listener, reason and labels are there: {output:?}");
        assert!(!output.stdout.lines().any(|line| line.starts_with("forged")), "{format}: {output:?}");
    }
}
