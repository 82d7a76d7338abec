//! Verdicts held against what a gateway and a sidecar out of two real Envoys do.

use gloo_rs::exports::plan::path::{
    Announced, Behind, Declared, Facts, Membership, Negotiated, Pod, Sends, Shows, Verdict, judge,
};
use gloo_rs::exports::plan::peer::{Effective, Mode};
use gloo_rs::exports::plan::routes::RouteTarget;

use crate::stage::mesh::{Authority, Valid};
use crate::stage::pair::{GATEWAY, Http, Pair, Sends as Sent, Takes};

/// One pod that takes this, spoken to like that, by a gateway that has its certificate.
fn verdict(takes: Takes, sends: Sends) -> Verdict {
    let (membership, mode) = match takes {
        Takes::NoSidecar => (Membership::Outside, Mode::Permissive),
        Takes::Strict | Takes::StrictExpired => (Membership::Sidecar, Mode::Strict),
        Takes::Permissive => (Membership::Sidecar, Mode::Permissive),
        Takes::Disable => (Membership::Sidecar, Mode::Disable),
    };
    let demands = Ok(Effective { mode, chain: Vec::new() });
    let pod = Pod {
        namespace: "shop".into(),
        name: "a".into(),
        membership,
        accepts_hbone: false,
        revision: None,
        demands,
        ready: Ok(true),
        barred: None,
        port_modes: Vec::new(),
        port: Some(80),
        authorization: Ok(Vec::new()),
    };
    let proxy = gloo_rs::exports::plan::path::ProxyState {
        lacks: Ok(Vec::new()),
        ..gloo_rs::exports::plan::path::ProxyState::named("gloo-system/gateway-proxy")
    };
    judge(&Facts {
        target: RouteTarget::Upstream { namespace: "gloo-system".into(), name: "u".into() },
        sends,
        sends_by: String::new(),
        behind: Behind::Pods { service: "shop/a".into(), port: Declared::Http, pods: vec![pod] },
        proxies: Ok(vec![proxy]),
        enroll_revision: None,
        acceptance: None,
        owner: None,
    })
    .verdict
}

/// The same by what comes back: an answer with the gateway's certificate in a header, one without, or 503.
fn proven(pair: &Pair) -> Verdict {
    let answer = pair.ask("/headers").unwrap();
    let has_certificate = answer.body.to_ascii_lowercase().contains("x-forwarded-client-cert");
    match (answer.status, has_certificate) {
        (200, true) => Verdict::Mtls,
        (200, false) => Verdict::Plaintext,
        (503, _) => Verdict::Broken,
        other => panic!("{other:?}: {answer:?}"),
    }
}

#[test]
fn what_the_verdict_says_is_what_real_envoys_do() {
    let pair = Pair::start("u_gloo-system").unwrap();
    let istio = pair.mtls().unwrap();
    let Sent::Istio { keys, root } = istio.clone() else { panic!("{istio:?}") };
    let per_pod = Sent::PerPod { keys: keys.clone(), root: root.clone() };
    let without_alpn = Sent::IstioWithAlpn { keys, root, alpn: Vec::new(), http: Http::One };
    let own = Sends::Tls { how: "x".into(), announced: Announced::Not, shows: Shows::Nothing };
    let istio_of = |announced| Sends::Istio { any_peer: true, announced, negotiated: Negotiated::AsSent };
    for takes in [Takes::Strict, Takes::Permissive, Takes::Disable, Takes::NoSidecar] {
        pair.takes(takes);
        for (sent, sends) in [
            (&Sent::Plaintext, Sends::Plaintext { why: "off".into() }),
            (&istio, istio_of(Announced::AsTheMeshs)),
            (&without_alpn, istio_of(Announced::Not)),
            (&per_pod, Sends::PerPod),
            (&Sent::OwnTls, own.clone()),
        ] {
            // Before an application that speaks TLS itself no sidecar stands here.
            if takes == Takes::NoSidecar && *sent == Sent::OwnTls {
                continue;
            }
            pair.sends(sent).unwrap();
            assert_eq!(verdict(takes, sends.clone()), proven(&pair), "{takes:?} {sends:?}");
        }
    }
}

/// What `enable-mtls` makes of `alpnProtocols`: Istio's name first, and `h2` only where Gloo sends HTTP/2.
#[test]
fn a_permissive_sidecar_recognizes_istios_alpn_and_h2_next_to_it_only_over_http2() {
    let pair = Pair::start("u_gloo-system").unwrap();
    let Sent::Istio { keys, root } = pair.mtls().unwrap() else { panic!() };
    let sent = |alpn: &[&'static str], http| Sent::IstioWithAlpn {
        keys: keys.clone(),
        root: root.clone(),
        alpn: alpn.to_vec(),
        http,
    };
    pair.takes(Takes::Permissive);
    for (alpn, http) in [
        (&["istio"][..], Http::One),
        (&["istio", "http/1.1"], Http::One),
        (&["istio"], Http::Two),
        (&["istio", "h2"], Http::Two),
    ] {
        pair.sends(&sent(alpn, http)).unwrap();
        assert_eq!(proven(&pair), Verdict::Mtls, "{alpn:?} {http:?}");
    }
    for (alpn, http) in [(&["h2"][..], Http::One), (&["h2"], Http::Two), (&["istio", "h2"], Http::One)] {
        pair.sends(&sent(alpn, http)).unwrap();
        assert!(pair.ask("/headers").unwrap().status >= 500, "{alpn:?} {http:?}");
    }
    // A STRICT sidecar selects `h2` as well.
    pair.takes(Takes::Strict);
    for (alpn, announced) in [(&["istio", "h2"][..], Announced::AsTheMeshs), (&["h2"], Announced::Not)] {
        pair.sends(&sent(alpn, Http::One)).unwrap();
        assert!(pair.ask("/headers").unwrap().status >= 500, "{alpn:?}");
        let sends = Sends::Istio { any_peer: true, announced, negotiated: Negotiated::OtherThanSent };
        assert_eq!(verdict(Takes::Strict, sends), Verdict::Broken, "{alpn:?}");
    }
}

#[test]
fn a_certificate_whose_issuer_is_not_known_is_refused_or_accepted_by_a_strict_sidecar() {
    let pair = Pair::start("u_gloo-system").unwrap();
    let own = Sends::Tls { how: "x".into(), announced: Announced::Not, shows: Shows::Certificate };
    let of = |authority: &Authority| Sent::OwnCertificate(authority.workload(GATEWAY, Valid::Now).unwrap());
    let (of_the_mesh, of_another) = (of(&pair.authority), of(&Authority::new().unwrap()));
    pair.takes(Takes::Strict);
    assert_eq!(verdict(Takes::Strict, own.clone()), Verdict::Unknown);
    pair.sends(&of_another).unwrap();
    assert_eq!(proven(&pair), Verdict::Broken);
    pair.sends(&of_the_mesh).unwrap();
    assert_eq!(proven(&pair), Verdict::Mtls);

    // A sidecar that does not end that TLS has no way to the application for it.
    for takes in [Takes::Permissive, Takes::Disable] {
        pair.takes(takes);
        pair.sends(&of_the_mesh).unwrap();
        assert_eq!((verdict(takes, own.clone()), proven(&pair)), (Verdict::Broken, Verdict::Broken), "{takes:?}");
    }
}
