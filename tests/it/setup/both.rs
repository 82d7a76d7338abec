//! Sidecars that were injected first and that a release's values carry as well since.

use anyhow::Result;
use serde_json::{Value, json};

use super::helm::{Bench, CHART};
use super::{UPSTREAM, containers, document, ends, same, state};
use crate::stage::{self, Injector};

/// Injects, and then does what inject's own warning advises.
fn inject_and_merge(bench: &Bench) {
    for words in [
        &["istio", "inject", "-n", "edge", "--revision", "1-28"][..],
        &["upgrade-values", "-n", "edge", "--revision", "1-28", "--auto-mtls", "--apply", "--yes", "--chart", CHART],
    ] {
        let done = bench.sandbox.run(words);
        assert_eq!(done.code, Some(0), "{done:#?}");
    }
}

#[test]
fn values_that_came_over_an_injection_go_first_and_then_what_is_left_of_it() -> Result<()> {
    let bench = Bench::new(stage::helm())?;
    let _injector = Injector::of_the_guide(&bench.plane)?;
    let (before, pods, values) = (state(&bench.plane)?, containers(&bench.plane)?, bench.values()?);
    inject_and_merge(&bench);
    let planned = [
        "  1 helm      the values of Gloo's release\n",
        concat!(
            "undo: gloo-rs upgrade-values --revision 1-28 --auto-mtls --apply --chart ",
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/charts/gloo -n edge\n"
        ),
        "  2 uninject  what remains of the injection in deployment/gateway-proxy\n",
        "undo: gloo-rs istio inject --revision 1-28 -n edge\n",
    ];
    ends(&bench.teardown(&["--dry-run"]), 0, &planned, &[]);
    ends(&bench.teardown(&["--check", "-o", "name"]), 3, &["release.helm.sh/gloo\nconfigmap/"], &[]);
    let back = document(&bench.teardown(&["--yes", "-o", "json"]))?;
    let of_plan = &back["plan"][0]["changes"][0];
    assert_eq!(
        (&of_plan["kind"], &of_plan["namespace"], &of_plan["name"]),
        (&json!("Release"), &json!("edge"), &json!("gloo"))
    );
    let release = &back["results"][0];
    assert_eq!((&release["kind"], &release["changed"]), (&json!("Release"), &json!(true)), "{back:#}");
    assert_eq!((&back["exitCode"], &back["summary"]["changed"]), (&json!(0), &json!(2)), "{back:#}");
    assert_eq!(bench.values()?, values);
    same(&bench.plane, &before)?;
    assert_eq!(containers(&bench.plane)?, pods);
    ends(&bench.teardown(&["--all"]), 0, &["nothing to change\n"], &[]);

    // A run that ended between the two steps leaves volumes that are still known for what they are.
    inject_and_merge(&bench);
    let values = ["upgrade-values", "-n", "edge", "--remove", "--apply", "--yes", "--chart", CHART];
    ends(&bench.sandbox.run(&values), 0, &[], &[]);
    ends(&bench.teardown(&["--dry-run"]), 0, &["  1 uninject  deployment/gateway-proxy\n"], &[]);
    ends(&bench.teardown(&["--yes"]), 0, &["teardown done: 1 step\n"], &[]);
    same(&bench.plane, &before)
}

#[test]
fn what_would_still_point_at_the_sidecars_is_refused_in_the_plan_as_it_would_be_in_the_run() -> Result<()> {
    let bench = Bench::new(stage::helm())?;
    let _injector = Injector::of_the_guide(&bench.plane)?;
    let inject = bench.sandbox.run(&["istio", "inject", "-n", "edge", "--revision", "1-28"]);
    assert_eq!(inject.code, Some(0), "{inject:#?}");
    let sds = json!({"clusterName": "gateway_proxy_sds", "certificatesSecretName": "mine"});
    let pointing = json!({"spec": {"sslConfig": {"sds": sds}}});
    bench.plane.api().merge("gloo.solo.io/v1/Upstream", "edge", UPSTREAM, &pointing)?;
    let before = state(&bench.plane)?;
    let said = [
        "error: step 1 (uninject deployment/gateway-proxy) is refused: 1 object points at the cluster gateway_proxy_sds",
        "  upstream.gloo.solo.io/shop-cart-80 in edge: spec.sslConfig.sds\n  nothing was changed\n",
        "hint: remove those fields, then run this again\n",
    ];
    for word in ["--dry-run", "--yes"] {
        let refused = bench.teardown(&[word]);
        ends(&refused, 1, &[], &said);
        assert!(!refused.stderr.contains("--include-upstreams"), "{refused:#?}");
    }
    let refused = document(&bench.teardown(&["--check", "-o", "json"]))?;
    assert_eq!(
        (&refused["error"]["reason"], &refused["results"]),
        (&json!("stillUsed"), &Value::from(Vec::<Value>::new()))
    );
    same(&bench.plane, &before)
}
