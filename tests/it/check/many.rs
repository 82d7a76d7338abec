//! Many objects with one cause: a terminal shows a few screens, documents have every object.

use super::document;
use crate::support::Sandbox;

const MANY: usize = 2_000;
/// Three screens of 24 lines.
const LINES: usize = 72;

const TLS: &str = ", sslConfig: {alpnProtocols: [istio], sds: {certificatesSecretName: istio_server_cert, clusterName: gateway_proxy_sds, targetUri: '127.0.0.1:8234', validationContextName: istio_validation_context}}";

/// Upstreams that send plaintext to pods under STRICT, and Upstreams whose pods lose the sidecar, in two namespaces.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let of_namespace = |name: &str, label: &str| {
        format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {label}}}\n---\n\
             apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: app, namespace: {name}}}\n\
             spec: {{selector: {{matchLabels: {{app: app}}}}, template: {{metadata: {{labels: {{app: app}}}}, spec: {{containers: [{{name: app, image: 'a:1'}}]}}}}}}\n---\n\
             apiVersion: v1\nkind: Service\nmetadata: {{name: app, namespace: {name}}}\nspec: {{selector: {{app: app}}, ports: [{{port: 80}}]}}\n---\n"
        )
    };
    let upstream = |name: &str, service: &str, tls: &str| {
        format!(
            "apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {{name: {name}, namespace: gloo-system}}\n\
             spec: {{kube: {{serviceName: app, serviceNamespace: {service}, servicePort: 80}}{tls}}}\n---\n"
        )
    };
    let mut text = of_namespace("shop", "{istio-injection: enabled}");
    text.push_str(&of_namespace("legacy", "{team: old}"));
    text.push_str("apiVersion: gloo.solo.io/v1\nkind: Settings\nmetadata: {name: default, namespace: gloo-system}\nspec: {gloo: {}}\n---\n");
    text.push_str("apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default, namespace: shop}\nspec: {mtls: {mode: STRICT}}\n---\n");
    for number in 0..MANY {
        text.push_str(&upstream(&format!("plain-{number:04}"), "shop", ""));
        text.push_str(&upstream(&format!("tls-{number:04}"), "legacy", TLS));
    }
    sandbox.write("all.yaml", text);
    sandbox
}

#[test]
fn thousands_of_objects_with_one_cause_are_a_few_screens_and_every_one_is_in_the_document() {
    let sandbox = sandbox();
    let codes = ["GRS101", "GRS102"];
    let on_terminal = sandbox.run_on_terminal(100, &["check", "-f", "all.yaml", "--color", "never"]);
    let screen = on_terminal.stderr;
    // The last state of a line that was written again.
    let lines: Vec<_> =
        screen.lines().filter_map(|line| line.rsplit('\r').next()).filter(|line| !line.is_empty()).collect();
    assert_eq!(on_terminal.code, Some(3), "{screen}");
    assert!(lines.len() <= LINES, "{} lines\n{screen}", lines.len());
    for code in codes {
        assert_eq!(
            lines.iter().filter(|line| line.contains(code) && line.contains("2000 objects")).count(),
            1,
            "{screen}"
        );
    }
    // The summary comes last; it may take two lines.
    let end = lines[lines.len() - 2..].concat();
    assert!(end.contains("2 causes in 4000 objects"), "{screen}");
    let document = document(&sandbox.run(&["check", "-f", "all.yaml", "-o", "json"]));
    let number =
        |key: &str, code: &str| document[key].as_array().unwrap().iter().filter(|it| it["code"] == code).count();
    for code in codes {
        assert_eq!((number("findings", code), number("causes", code)), (MANY, 1));
    }
    let wide = sandbox.run(&["check", "-f", "all.yaml", "-o", "wide"]).stdout;
    for number in 0..MANY {
        assert!(wide.contains(&format!("plain-{number:04}")) && wide.contains(&format!("tls-{number:04}")));
    }
    let again = sandbox.run(&["check", "-f", "all.yaml"]).stdout;
    assert_eq!(again, sandbox.run(&["check", "-f", "all.yaml"]).stdout, "the order is the same each time");
}
