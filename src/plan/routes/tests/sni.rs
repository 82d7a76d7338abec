//! Which filter chain of a port with TLS accepts a connection.

use super::*;

const TLS: &str = "Gateway gloo-system/edge
spec: {bindPort: 443, ssl: true, httpGateway: {}}
---
";

/// A `VirtualService` with a certificate.
fn service(name: &str, secret: &str, server_names: &str, domains: &str) -> String {
    format!(
        "VirtualService gloo-system/{name}
spec: {{sslConfig: {{secretRef: {{name: {secret}}}, sniDomains: [{server_names}]}}, virtualHost: {{domains: [{domains}]}}}}
---
"
    )
}

fn edge(services: &[String]) -> World {
    World::new(&format!("{TLS}{}", services.concat()))
}

impl World {
    fn hosts(&self, host: &str) -> Vec<String> {
        self.answer(host, "/", Some(443)).heard.into_iter().map(|heard| heard.host).collect()
    }

    fn trouble(&self, host: &str) -> Option<String> {
        self.answer(host, "/", Some(443)).heard.into_iter().find_map(|heard| heard.trouble)
    }
}

#[test]
fn the_server_name_chooses_among_virtual_services_with_a_certificate_each() {
    let world = edge(&[service("a", "a", "a.example", "'*'"), service("b", "b", "b.example", "'*'")]);
    let answer = world.answer("b.example", "/", Some(443));
    let [heard] = answer.heard.as_slice() else { panic!("{answer:?}") };
    assert_eq!(heard.host, "* in virtualservice gloo-system/b");
    assert_eq!((&heard.others, &heard.trouble), (&vec![], &None));
    let nobody = world.answer("c.example", "/", Some(443));
    assert_eq!(nobody.refused, ["gateway gloo-system/edge port 443 (TLS)"]);
    assert!(nobody.heard.is_empty() && nobody.deaf.is_empty(), "{nobody:?}");
}

#[test]
fn the_narrowest_server_name_wins_and_none_is_any() {
    let world = edge(&[
        service("any", "a", "", "'*'"),
        service("wild", "b", "'*.example'", "'*'"),
        service("one", "c", "a.example", "'*'"),
    ]);
    for (host, name) in [("a.example:443", "one"), ("b.example", "wild"), ("else", "any"), ("10.0.0.1", "any")] {
        assert_eq!(world.hosts(host), [format!("* in virtualservice gloo-system/{name}")], "{host}");
        assert_eq!(world.trouble(host), None, "{host}");
    }
}

#[test]
fn a_server_name_whose_chain_lacks_the_host_is_404_though_another_chain_has_it() {
    let world = edge(&[service("a", "a", "a.example", "b.example"), service("b", "b", "", "'*'")]);
    assert_eq!(world.hosts("a.example"), [""; 0]);
    assert_eq!(world.hosts("b.example"), ["* in virtualservice gloo-system/b"]);
}

#[test]
fn virtual_services_of_one_certificate_share_their_server_names_and_are_rivals() {
    let world = edge(&[
        service("a", "one", "a.example", "'*'"),
        service("b", "one", "b.example", "b.example"),
        service("c", "other", "", "'*'"),
    ]);
    let answer = world.answer("b.example", "/", Some(443));
    assert_eq!(answer.heard[0].host, "b.example in virtualservice gloo-system/b");
    assert_eq!(answer.heard[0].others, ["* in virtualservice gloo-system/a"]);
    let one = [service("a", "one", "a.example", "x"), service("b", "one", "b.example", "x")];
    assert_eq!(edge(&one).hosts("x"), [""; 0]);
    let any = [service("a", "one", "a.example", "x"), service("b", "one", "", "x")];
    assert_eq!(
        edge(&any).trouble("x").as_deref(),
        Some("virtualservice gloo-system/b has the domain too: Gloo rejects both"),
        "one without server names makes the whole chain take any"
    );
}

#[test]
fn two_certificates_for_one_server_name_are_trouble() {
    let world = edge(&[service("a", "a", "", "a.example"), service("b", "b", "", "b.example")]);
    let said =
        "virtualservice gloo-system/b takes the same server name with another sslConfig: the listener is rejected";
    assert_eq!(world.trouble("a.example").as_deref(), Some(said));
}

#[test]
fn parts_of_a_hybrid_gateway_are_told_apart_by_their_server_names() {
    let world = World::new(
        "Gateway gloo-system/hybrid
spec:
  bindPort: 443
  hybridGateway:
    matchedGateways:
    - {matcher: {sslConfig: {sniDomains: [a.example]}}, httpGateway: {virtualServiceNamespaces: [one]}}
    - {matcher: {sslConfig: {}}, httpGateway: {virtualServiceNamespaces: [two]}}
---
VirtualService one/usual
spec: {sslConfig: {}}
---
VirtualService one/own
spec: {sslConfig: {verifySubjectAltName: [x], sniDomains: [own.example]}}
---
VirtualService two/any
spec: {sslConfig: {}}
",
    );
    assert_eq!(world.hosts("a.example"), ["* in virtualservice one/usual"]);
    assert_eq!(world.hosts("own.example"), ["* in virtualservice one/own"], "its own come before the Gateway's");
    assert_eq!(world.hosts("b.example"), ["* in virtualservice two/any"]);
}
