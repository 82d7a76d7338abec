//! There and back without Helm.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{SETUP, SHOP, containers, ends, plane, run, same, state};
use crate::stage::Injector;

#[test]
fn setup_and_then_teardown_leave_all_as_it_was() -> Result<()> {
    let plane = plane()?;
    let _injector = Injector::of_the_guide(&plane)?;
    let (before, pods) = (state(&plane)?, containers(&plane)?);

    let dry = run(&plane, &[&SETUP[..], &["--dry-run"]].concat());
    let planned = [
        "  1 inject    sidecars for the gateway\n",
        "  2 enroll    namespace shop\n",
        "deployment/cart restarted (no sidecar -> 1-28)\n",
        "  3 upstream  shop-cart-80\n",
        "  4 strict    namespace shop\n",
        "undo: gloo-rs istio peer-auth remove -n shop\n",
    ];
    ends(&dry, 0, &planned, &[]);
    same(&plane, &before)?;
    ends(&run(&plane, &SETUP), 2, &planned, &["--yes is required when no prompt is possible"]);
    same(&plane, &before)?;

    let made = run(&plane, &[&SETUP[..], &["--yes", "-o", "json"]].concat());
    let document: Value = serde_json::from_str(&made.stdout).with_context(|| format!("{made:#?}"))?;
    assert_eq!((made.code, &document["exitCode"]), (Some(0), &json!(0)), "{made:#?}");
    assert_eq!(document["plan"].as_array().map(Vec::len), Some(4), "{document:#}");
    let changed = |name: &str| {
        let rows = document["results"].as_array().into_iter().flatten();
        rows.filter(|row| row["name"] == name && row["outcome"] == "changed").count()
    };
    for name in ["gateway-proxy", "shop", "cart", "shop-cart-80", "default"] {
        assert_eq!(changed(name), 1, "{name}: {document:#}");
    }
    let policy = plane.api().get("security.istio.io/v1/PeerAuthentication", SHOP, "default")?.context("a policy")?;
    assert_eq!(policy["spec"]["mtls"]["mode"], "STRICT");

    let again = run(&plane, &SETUP);
    ends(&again, 0, &["  2 enroll    namespace shop: already\n", "nothing to change\n"], &[]);

    ends(&run(&plane, &["teardown"]), 2, &[], &["teardown changes"]);
    let back = run(&plane, &["teardown", "--yes"]);
    ends(&back, 0, &["  1 policy    PeerAuthentication shop/default\n", "teardown done: 4 steps\n"], &[]);
    same(&plane, &before)?;
    assert_eq!(containers(&plane)?, pods);
    Ok(())
}

#[test]
fn a_step_that_fails_is_rolled_back_and_the_same_command_goes_on() -> Result<()> {
    let plane = plane()?;
    let injector = Injector::of_the_guide(&plane)?;
    injector.go_down();
    let words = [&SETUP[..], &["--yes"]].concat();
    let failed = run(&plane, &words);
    ends(
        &failed,
        5,
        &[],
        &[
            "error: step 2 (enroll) failed: ",
            "step 2 is rolled back; step 1 remains in place",
            "run the same command again to continue",
        ],
    );
    let shop = plane.api().get("v1/Namespace", "", SHOP)?.context("the namespace")?;
    assert_eq!(shop["metadata"]["labels"]["istio.io/rev"], Value::Null);
    assert_eq!(plane.api().get("security.istio.io/v1/PeerAuthentication", SHOP, "default")?, None);

    injector.come_up();
    let done = run(&plane, &words);
    ends(&done, 0, &["  1 inject    sidecars for the gateway: already\n", "setup done: 4 steps\n"], &[]);
    Ok(())
}
