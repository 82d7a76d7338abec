//! A release whose Service of type `LoadBalancer` never gets an address, as on this plane, which has no load balancer.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::helm::{Bench, CHART};
use super::{SHOP, UPSTREAM, ends};
use crate::stage::{self, Injector};

const BALANCER: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: gateway-proxy-public}\n\
    spec: {type: LoadBalancer, selector: {gloo: gateway-proxy}, ports: [{name: http, port: 80, targetPort: 8080}]}\n";

/// What has chosen one of the two istiods, while `--revision` is not typed.
#[derive(PartialEq)]
enum ChosenBy {
    Namespace,
    Gateway,
}

/// Sets up with this Helm. `is_without_wait` is whether Helm's wait would wait for the address.
fn sets_up(helm: &'static Path, is_without_wait: bool, chosen_by: &ChosenBy) -> Result<()> {
    let bench = Bench::new(helm)?;
    let _injector = Injector::of_the_guide(&bench.plane)?;
    let chart = bench.sandbox.dir().join("balanced");
    ensure!(Command::new("cp").arg("-r").arg(CHART).arg(&chart).status()?.success());
    bench.sandbox.write("balanced/templates/balancer.yaml", BALANCER);
    let chart = chart.to_str().expect("UTF-8");
    bench.helm(&["upgrade", "gloo", chart, "--reuse-values"])?;

    let chooses: &[&str] = match chosen_by {
        ChosenBy::Namespace => &["istio", "enroll", SHOP],
        ChosenBy::Gateway => &["upgrade-values", "-n", "edge", "--chart", chart, "--apply", "--yes"],
    };
    let chosen = bench.sandbox.run(&[chooses, &["--revision", "1-28"]].concat());
    ensure!(chosen.code == Some(0), "{chosen:#?}");
    let words = ["istio", "setup", "-n", "edge", "--via", "helm", "--chart", chart, "--upstream", UPSTREAM];
    let rest = ["--namespace-to-enroll", SHOP, "--no-verify"];
    let setup = |more: &str| bench.sandbox.run(&[&words[..], &rest, &[more]].concat());
    let note =
        "would wait for the load balancer's address of Service gateway-proxy-public, so it is run without --atomic";
    for more in ["--dry-run", "--yes"] {
        let output = setup(more);
        ends(&output, 0, &[], &[]);
        assert_eq!(output.stderr.contains(note), is_without_wait, "{output:#?}");
    }
    let values = bench.values()?;
    let address = &values["gatewayProxies"]["gatewayProxy"]["istioDiscoveryAddress"];
    assert_eq!(address, "istiod-1-28.istio-system.svc:15012", "{values:#}");
    let namespace = bench.plane.api().get("v1/Namespace", "", SHOP)?.context("the namespace")?;
    assert_eq!(namespace["metadata"]["labels"]["istio.io/rev"], "1-28", "{namespace:#}");
    ends(&setup("--yes"), 0, &["nothing to change\n"], &[]);
    Ok(())
}

#[test]
fn setup_with_helm_3_does_not_wait_for_an_address_that_never_comes() -> Result<()> {
    sets_up(stage::helm(), true, &ChosenBy::Namespace)
}

#[test]
fn setup_with_helm_4_keeps_its_wait_which_needs_no_address() -> Result<()> {
    sets_up(stage::helm_4(), false, &ChosenBy::Gateway)
}
