//! What teardown takes, and what it leaves.

use anyhow::Result;
use serde_json::{Value, json};

use super::{SETUP, SHOP, UPSTREAM, document, ends, mode, plane, policy, run, ssl_config};
use crate::stage::Injector;

#[test]
fn teardown_leaves_what_others_made_unless_all_is_asked_for() -> Result<()> {
    let plane = plane()?;
    let _injector = Injector::of_the_guide(&plane)?;
    // By others: a policy, an Upstream's TLS, a namespace's label, auto-mTLS.
    policy(&plane, "default", "STRICT")?;
    let istio = json!({"spec": {"sslConfig": {"alpnProtocols": ["istio"], "sds": {
        "certificatesSecretName": "istio_server_cert", "clusterName": "gateway_proxy_sds",
        "targetUri": "127.0.0.1:8234", "validationContextName": "istio_validation_context"}}}});
    plane.api().merge("gloo.solo.io/v1/Upstream", "gloo-system", UPSTREAM, &istio)?;
    plane.api().merge("v1/Namespace", "", SHOP, &json!({"metadata": {"labels": {"istio.io/rev": "1-28"}}}))?;
    ends(&run(&plane, &[&SETUP[..], &["--yes"]].concat()), 0, &["  3 upstream  shop-cart-80: already\n"], &[]);

    let kept = run(&plane, &["teardown", "--yes", "-o", "json"]);
    let kept = document(&kept)?;
    let left = kept["left"].as_array().into_iter().flatten().filter_map(Value::as_str);
    // The stage's own namespace, in which it tries whether its webhook is in force.
    let left: Vec<_> = left.filter(|line| !line.contains("injection-probe")).collect();
    assert_eq!(
        left,
        [
            "PeerAuthentication default/default: not made by gloo-rs (gloo-rs istio peer-auth remove -n default --overwrite)",
            "Upstream gloo-system/shop-cart-80: its sslConfig was not written by gloo-rs (gloo-rs istio disable-mtls -n gloo-system -u shop-cart-80)",
            "namespace shop: istio.io/rev was not set by gloo-rs (gloo-rs istio unenroll shop)",
        ],
        "{kept:#}"
    );
    Ok(())
}

#[test]
fn teardown_takes_all_where_all_is_asked_for() -> Result<()> {
    let plane = plane()?;
    let _injector = Injector::of_the_guide(&plane)?;
    policy(&plane, SHOP, "PERMISSIVE")?;
    ends(&run(&plane, &[&SETUP[..], &["--yes"]].concat()), 0, &["setup done: 4 steps\n"], &[]);
    assert_eq!(mode(&plane, SHOP)?.as_deref(), Some("STRICT"));
    let changed = "skipped: PeerAuthentication shop/default: not made by gloo-rs; gloo-rs changed it, its previous content is unknown (gloo-rs istio peer-auth remove -n shop --overwrite)\n";
    let gap = "  from step 1 until step 2: plaintext: it accepts only mutual TLS (STRICT, shop/default, namespace)\n    upstream gloo-system/shop-cart-80\n";
    let undo = "undo: gloo-rs istio enroll shop --revision 1-28\n";
    ends(&run(&plane, &["teardown", "--dry-run"]), 0, &[changed, gap, undo], &[]);
    let all = run(&plane, &["teardown", "--all", "--yes"]);
    let again = r#"undo: printf %s '{"apiVersion":"security.istio.io/v1","kind":"PeerAuthentication","metadata":{"name":"default","namespace":"shop"},"spec":{"mtls":{"mode":"STRICT"}}}' | kubectl apply -f -"#;
    ends(&all, 0, &[again, "teardown done: 4 steps\n"], &[]);
    assert!(!all.stdout.contains("skipped: "), "{all:#?}");
    assert_eq!((mode(&plane, SHOP)?, ssl_config(&plane)?), (None, Value::Null));
    ends(&run(&plane, &["teardown", "--all"]), 0, &["nothing to change\n"], &[]);
    Ok(())
}
