//! The real istiod of the stage does what the tests of the mesh rest on.

use crate::stage::{
    Options, Plane, Sidecar, echo,
    istio::{Istiod, Workload},
};
use anyhow::Result;

#[test]
fn istiod_injects_signs_and_configures() -> Result<()> {
    let plane = Plane::start(&Options::default())?;
    Istiod::install_definitions(&plane)?;
    let istiod = Istiod::install(&plane, "1-28", "1.28.3", Sidecar::Native)?;
    istiod.tag("prod")?;
    let workload = Workload { namespace: "default", account: "httpbin", labels: &[("app", "httpbin")], lifetime: None };
    let certificate = istiod.certificate(workload)?;
    for pem in [&certificate.chain, &certificate.root] {
        assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n"), "{pem}");
    }
    assert!(certificate.key.contains(" PRIVATE KEY-----\n"));
    let sidecar = istiod.sidecar(workload, &[8080], echo::start()?)?;
    let chains = |port| {
        let listener = sidecar.listener(port)?;
        anyhow::Ok(listener.map(|it| it["filter_chains"].as_array().map_or(0, Vec::len)))
    };
    assert!(chains(8080)?.is_some_and(|count| count > 0), "{:?}", chains(8080)?);
    assert_eq!(chains(8081)?, None);
    istiod.go_down()?;
    istiod.come_up()
}
