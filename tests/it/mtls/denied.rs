//! Bulk runs where authorization policies decide by the identity that the gateway presents.

use serde_json::{Value, json};

use super::{Gloo, became, document, row};

/// Sets the policy of the applications for requests from this source.
fn policy(gloo: &Gloo, apps: &str, action: &str, source: &Value) {
    let object = json!({
        "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
        "metadata": {"name": "by-identity", "namespace": apps},
        "spec": {"action": action, "rules": [{"from": [{"source": source}]}]},
    });
    gloo.plane.api().apply(&object.to_string()).unwrap();
}

#[test]
fn a_sweep_skips_what_a_policy_would_deny_afterwards_and_names_the_policies_that_match_then() {
    let gloo = Gloo::new("denied");
    let apps = gloo.plane.install_apps("denied-apps", &gloo.namespace).unwrap();
    let name = format!("{apps}-httpbin-8000");
    let injected = gloo.run(&["inject", "--revision", "1-28"]);
    assert_eq!(injected.code, Some(0), "{injected:?}");
    let swept = |command: &str| document(&gloo.run(&[command, "--all", "--yes", "-o", "json"]));
    let skipped = [&json!("skipped"), &json!("wouldBreak")];
    let is_matched = |document: &Value, how: &str| {
        let details = row(document, &name)["details"].to_string();
        assert!(details.contains(&format!("policy {apps}/by-identity, ALLOW {how} to match gateway")), "{details}");
    };

    let of_gateway = json!({"namespaces": [gloo.namespace]});
    policy(&gloo, &apps, "DENY", &of_gateway);
    let denied = swept("enable-mtls");
    assert_eq!(became(&denied, &name), skipped, "{:#}", row(&denied, &name));
    assert!(row(&denied, &name)["message"].to_string().contains("by-identity"), "{denied:#}");

    // Without an identity the gateway is denied now, and with one it is not.
    policy(&gloo, &apps, "ALLOW", &of_gateway);
    let admitted = swept("enable-mtls");
    assert_eq!(became(&admitted, &name)[0], "changed", "{admitted:#}");
    is_matched(&admitted, "starts");
    let back = swept("disable-mtls");
    assert_eq!(became(&back, &name), skipped, "{:#}", row(&back, &name));
    let forced = document(&gloo.run(&["disable-mtls", "--all", "--yes", "--force", "-o", "json"]));
    assert_eq!(became(&forced, &name)[0], "changed", "{forced:#}");
    is_matched(&forced, "stops");
}
