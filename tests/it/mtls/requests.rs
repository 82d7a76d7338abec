//! How many requests one named Upstream costs, on a real API server: few where the gateway and the pods are in order,
//! and the routes only where the change may harm requests.

use std::time::Duration;

use anyhow::Result;

use super::{HTTPBIN, as_user};
use crate::stage::{Options, Plane, wait_for};

/// The requests of one run, without their paging parameters.
fn requests_of(plane: &Plane, args: &[&str], code: i32) -> Result<Vec<String>> {
    let of_program = || -> Result<Vec<_>> {
        Ok(plane.requests()?.into_iter().filter(|request| request.user_agent.starts_with("gloo-rs/")).collect())
    };
    let before = of_program()?.len();
    let output = as_user(plane, "admin").run(args);
    assert_eq!(output.code, Some(code), "{output:#?}");
    let last = if args.contains(&"--dry-run") { "get" } else { "patch" };
    // A request may be logged after its answer has arrived.
    let mut known = 0;
    wait_for("the audit has all requests", Duration::from_mins(1), || {
        let now = of_program()?;
        let is_same = now.len() == std::mem::replace(&mut known, now.len());
        Ok((is_same && now[before..].iter().any(|request| request.verb == last)).then_some(()))
    })?;
    let of_run = of_program()?.split_off(before);
    Ok(of_run.into_iter().map(|request| format!("{} {}", request.verb, request.uri)).collect())
}

#[test]
fn one_upstream_costs_few_requests() -> Result<()> {
    let plane = Plane::start(&Options { audit: true, ..Options::default() })?;
    plane.install_guide()?;
    let enable = ["istio", "enable-mtls", "-u", HTTPBIN];

    // No sidecars at the gateway: the change may harm requests, so routes and gateways are read as well.
    let harmful = requests_of(&plane, &[&enable[..], &["--dry-run"]].concat(), 1)?;

    let injected = as_user(&plane, "admin").run(&["istio", "inject", "--revision", "1-28", "--no-wait"]);
    assert_eq!(injected.code, Some(0), "{injected:#?}");
    plane.api().wait_available("gloo-system")?;
    let whole = requests_of(&plane, &enable, 0)?;
    let back = requests_of(&plane, &["istio", "disable-mtls", "-u", HTTPBIN], 0)?;
    assert!(whole.len() <= 10 && back.len() <= 10, "{whole:#?} {back:#?}");
    // With the PATCH there is one more.
    assert!(harmful.len() < 20, "{harmful:#?}");
    let lists = |part: &str| harmful.iter().filter(|request| request.contains(part)).count();
    assert_eq!((lists("/virtualservices"), lists("/services"), lists("/endpointslices")), (1, 1, 0), "{harmful:#?}");
    Ok(())
}
