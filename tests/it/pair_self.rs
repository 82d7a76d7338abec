//! The pair of Envoys does what Gloo and Istio were seen to do: other tests rest on that.

use anyhow::Result;

use crate::stage::mesh::{Authority, Valid};
use crate::stage::pair::{Answer, BACKEND, Endpoints, GATEWAY, Pair, Sends, Takes};

const TERMINATED: &str =
    "upstream connect error or disconnect/reset before headers. reset reason: connection termination";

fn start() -> Result<Pair> {
    Pair::start("default-httpbin-8000_gloo-system")
}

fn set(pair: &Pair, takes: Takes, sends: &Sends) -> Result<Answer> {
    pair.takes(takes);
    pair.sends(sends)?;
    pair.ask("/headers")
}

#[test]
fn what_is_answered_is_as_gloo_and_istio_answer_it() -> Result<()> {
    let pair = start()?;
    let (plain, mtls) = (Sends::Plaintext, pair.mtls()?);
    let per_pod = Sends::PerPod { keys: pair.keys(Valid::Now)?, root: pair.authority.validation() };
    for (takes, sends, status, is_mutual) in [
        (Takes::Strict, &plain, 503, false),
        (Takes::Strict, &mtls, 200, true),
        (Takes::Strict, &per_pod, 200, true),
        (Takes::Permissive, &plain, 200, false),
        (Takes::Permissive, &mtls, 200, true),
        (Takes::Permissive, &per_pod, 200, true),
        (Takes::NoSidecar, &plain, 200, false),
        (Takes::NoSidecar, &mtls, 503, false),
        (Takes::NoSidecar, &per_pod, 200, false),
        (Takes::Disable, &plain, 200, false),
        (Takes::Disable, &mtls, 503, false),
    ] {
        let answer = set(&pair, takes, sends)?;
        assert_eq!(answer.status, status, "{takes:?} {sends:?}: {answer:?}");
        let certificate = format!("By={BACKEND};");
        let shown = answer.body.contains(&certificate) && answer.body.contains(&format!("URI={GATEWAY}"));
        assert_eq!(shown, is_mutual, "{takes:?}: {answer:?}");
    }
    Ok(())
}

#[test]
fn plaintext_to_a_strict_sidecar_ends_in_the_words_that_gloos_users_see() -> Result<()> {
    let pair = start()?;
    assert_eq!(set(&pair, Takes::Strict, &Sends::Plaintext)?.body, TERMINATED);
    Ok(())
}

#[test]
fn each_fault_can_be_set() -> Result<()> {
    let pair = start()?;
    let other = Authority::new()?;
    let keys = pair.keys(Valid::Now)?;
    let (expired, strange) = (pair.keys(Valid::Expired)?, other.workload(GATEWAY, Valid::Now)?);
    let root = pair.authority.validation();
    let faults = [
        (Takes::Strict, Sends::Istio { keys: keys.clone(), root: other.validation() }),
        (Takes::Strict, Sends::Istio { keys: expired, root: root.clone() }),
        (Takes::Strict, Sends::Istio { keys: strange, root: root.clone() }),
        (Takes::StrictExpired, Sends::Istio { keys, root }),
        (Takes::Strict, Sends::IstioWithoutSecret),
    ];
    for (takes, sends) in &faults {
        let answer = set(&pair, *takes, sends)?;
        assert_eq!(answer.status, 503, "{takes:?} {sends:?}");
        assert!(answer.body.contains("remote connection failure"), "{answer:?}");
    }
    pair.takes(Takes::Permissive);
    pair.set(&Sends::Plaintext, Endpoints::None)?;
    assert_eq!(pair.ask("/headers")?.body, "no healthy upstream");
    pair.set(&Sends::Plaintext, Endpoints::Dead)?;
    assert_eq!(pair.ask("/headers")?.status, 503);
    pair.sends(&Sends::Plaintext)?;
    for (path, status) in [
        ("/nowhere", 404),
        ("/no-cluster", 503),
        ("/moved-by-gateway", 301),
        ("/status/418", 418),
        ("/close", 503),
        ("/", 200),
    ] {
        assert_eq!(pair.ask(path)?.status, status, "{path}");
    }
    pair.forget()?;
    assert_eq!(pair.ask("/headers")?.status, 503);
    Ok(())
}
