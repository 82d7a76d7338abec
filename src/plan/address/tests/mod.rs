use core::net::{IpAddr, SocketAddr};

use serde_json::json;

use super::*;
use crate::model::kinds;

mod nodes;

fn service(spec: &Value, ingress: &Value) -> Object {
    let value = json!({
        "metadata": {"name": "gateway-proxy", "namespace": "gloo-system", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": spec,
        "status": {"loadBalancer": {"ingress": ingress}},
    });
    Object::new(&kinds::SERVICE, value)
}

fn ports() -> Value {
    json!([
        {"name": "https", "port": 443, "protocol": "TCP", "nodePort": 31443, "targetPort": 8443},
        {"name": "http", "port": 80, "protocol": "TCP", "nodePort": 31500, "targetPort": 8080},
    ])
}

fn balancer(ingress: &Value) -> Object {
    service(&json!({"type": "LoadBalancer", "ports": ports(), "clusterIP": "10.96.0.9"}), ingress)
}

fn node_port() -> Object {
    let selector = json!({"gateway-proxy": "live", "gateway-proxy-id": "gateway-proxy"});
    service(&json!({"type": "NodePort", "ports": ports(), "clusterIP": "10.96.0.9", "selector": selector}), &json!([]))
}

fn with_ports(ports: &Value) -> Object {
    service(&json!({"type": "ClusterIP", "ports": ports, "clusterIP": "10.96.0.9"}), &json!([]))
}

fn pod(name: &str, node: &str, ready: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {"nodeName": node},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]},
    })
}

fn node(name: &str, addresses: &[(&str, &str)]) -> Value {
    let addresses: Vec<Value> =
        addresses.iter().map(|(kind, address)| json!({"type": kind, "address": address})).collect();
    json!({"metadata": {"name": name}, "status": {"addresses": addresses}})
}

fn port(port: &str) -> AddressWish {
    AddressWish { port: Some(port.into()), ..AddressWish::default() }
}

fn all() -> AddressWish {
    AddressWish { amount: Amount::All, ..AddressWish::default() }
}

fn prefer(prefer: Prefer) -> AddressWish {
    AddressWish { prefer, ..AddressWish::default() }
}

fn local() -> AddressWish {
    AddressWish { reach: AddressReach::NodePort, ..AddressWish::default() }
}

#[track_caller]
fn found_in(answer: AddressAnswer) -> FoundAddresses {
    match answer {
        AddressAnswer::Found(found) => found,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn urls(service: &Object, wish: &AddressWish) -> Vec<String> {
    found_in(answer(service, AddressSources::default(), wish)).addresses.iter().map(Address::url).collect()
}

#[track_caller]
fn refusal(answer: AddressAnswer) -> Failure {
    match answer {
        AddressAnswer::Refused(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(service: &Object, wish: &AddressWish) -> Failure {
    refusal(answer(service, AddressSources::default(), wish))
}

#[test]
fn a_balancer_answers_from_the_service_alone() {
    let cases = [
        (json!([{"ip": "34.162.22.180"}]), "http://34.162.22.180:80"),
        (json!([{"hostname": "a.elb.amazonaws.com"}]), "http://a.elb.amazonaws.com:80"),
        (json!([{"ip": "1.2.3.4", "hostname": "a.example"}]), "http://a.example:80"),
        (json!([{"ip": "2001:db8::1"}]), "http://[2001:db8::1]:80"),
        (json!([{"ip": "1.2.3.4"}, {"hostname": "a.example"}]), "http://1.2.3.4:80"),
        (json!([{}, {"ip": "1.2.3.4", "ipMode": "VIP"}]), "http://1.2.3.4:80"),
    ];
    for (ingress, url) in cases {
        assert_eq!(urls(&balancer(&ingress), &AddressWish::default()), [url], "{ingress}");
    }
}

#[test]
fn a_preference_chooses_among_all_entries_and_falls_back() {
    let mixed = balancer(&json!([{"hostname": "a.example"}, {"ip": "1.2.3.4", "hostname": "b.example"}]));
    assert_eq!(urls(&mixed, &prefer(Prefer::Ip)), ["http://1.2.3.4:80"]);
    assert_eq!(urls(&mixed, &prefer(Prefer::Hostname)), ["http://a.example:80"]);
    let name_last = balancer(&json!([{"ip": "1.2.3.4"}, {"hostname": "a.example"}]));
    assert_eq!(urls(&name_last, &prefer(Prefer::Hostname)), ["http://a.example:80"]);
    let name_only = balancer(&json!([{"hostname": "a.example"}]));
    assert_eq!(urls(&name_only, &prefer(Prefer::Ip)), ["http://a.example:80"]);
}

#[test]
fn all_prints_every_address_of_the_one_port_and_none_twice() {
    let ingress = json!([{"ip": "1.2.3.4"}, {"ip": "1.2.3.4"}, {"ip": "2001:db8::1", "hostname": "a.example"}]);
    let service = balancer(&ingress);
    assert_eq!(urls(&service, &all()), ["http://1.2.3.4:80", "http://a.example:80", "http://[2001:db8::1]:80"]);
    let preferred = AddressWish { prefer: Prefer::Ip, ..all() };
    assert_eq!(urls(&service, &preferred), ["http://1.2.3.4:80", "http://[2001:db8::1]:80", "http://a.example:80"]);
}

#[test]
fn a_source_says_which_field_has_the_host() {
    let service = balancer(&json!([{"ip": "1.2.3.4", "ipMode": "Proxy"}]));
    let found = found_in(answer(&service, AddressSources::default(), &AddressWish::default()));
    assert_eq!(found.addresses[0].source, "loadBalancer ingress ip (ipMode Proxy)");
    assert_eq!(found.addresses[0].port_name.as_deref(), Some("http"));
    assert_eq!(found.addresses[0].address(), "1.2.3.4:80");
    assert_eq!(found.advice, []);
}

#[test]
fn a_balancer_without_an_address_is_pending() {
    for ingress in [json!([]), json!(null), json!([{}]), json!([{"ip": ""}])] {
        let AddressAnswer::Pending(pending) =
            answer(&balancer(&ingress), AddressSources::default(), &AddressWish::default())
        else {
            panic!("not pending");
        };
        assert_eq!(pending.service.name, "gateway-proxy");
        let created = "2026-01-01T00:00:00Z".parse().ok();
        let facts = Unassigned { created, class: None, asked_ip: None, node_port: true };
        assert_eq!(pending.cause, PendingCause::NoIngress(facts));
    }
}

#[test]
fn a_port_that_the_balancer_does_not_serve_is_told() {
    let failing = json!({"ip": "1.2.3.4", "ports": [{"port": 80, "protocol": "TCP", "error": "PortTaken"}]});
    let other_port = json!({"ip": "5.6.7.8", "ports": [{"port": 443, "protocol": "TCP", "error": "PortTaken"}]});
    let other_protocol = json!({"ip": "9.9.9.9", "ports": [{"port": 80, "protocol": "UDP", "error": "NoUdp"}]});
    assert_eq!(urls(&balancer(&json!([other_protocol])), &AddressWish::default()), ["http://9.9.9.9:80"]);
    let found =
        found_in(answer(&balancer(&json!([failing, other_port])), AddressSources::default(), &AddressWish::default()));
    assert_eq!(found.addresses[0].url(), "http://5.6.7.8:80");
    assert_eq!(found.advice[0].code, Code::PortNotServed);
    assert_eq!(found.advice[0].message, "port http 80 is not served at 1.2.3.4: PortTaken");

    let failure = refused(&balancer(&json!([failing])), &AddressWish::default());
    assert_eq!((failure.exit, failure.reason), (Exit::Failed, Reason::NoAddress));
    assert_eq!(failure.details, ["port http 80 is not served at 1.2.3.4: PortTaken"]);
}

#[test]
fn a_host_that_is_none_never_reaches_a_shell() {
    for text in ["$(reboot)", "-oX", "a b", "x\u{1b}[2J"] {
        let failure = refused(&balancer(&json!([{"hostname": text}])), &AddressWish::default());
        assert_eq!(failure.reason, Reason::BadAnswer);
        assert!(failure.details[0].is_ascii() && !failure.details[0].contains('\u{1b}'));
    }
}

#[test]
fn external_ips_are_addresses_of_any_balancer_and_cluster_ip() {
    let mut pending = balancer(&json!([]));
    pending.value["spec"]["externalIPs"] = json!(["203.0.113.7"]);
    assert_eq!(urls(&pending, &AddressWish::default()), ["http://203.0.113.7:80"]);
    let mut inner = with_ports(&ports());
    inner.value["spec"]["externalIPs"] = json!(["203.0.113.7"]);
    let found = found_in(answer(&inner, AddressSources::default(), &AddressWish::default()));
    assert_eq!((found.addresses[0].url().as_str(), found.advice.len()), ("http://203.0.113.7:80", 0));
}

#[test]
fn a_cluster_ip_is_printed_with_a_warning() {
    let mut service = with_ports(&ports());
    service.value["spec"]["clusterIPs"] = json!(["10.96.0.9", "fd00::9"]);
    let found = found_in(answer(&service, AddressSources::default(), &AddressWish::default()));
    assert_eq!(found.addresses.len(), 1);
    assert_eq!(found.advice[0].code, Code::InsideOnly);
    assert_eq!(urls(&service, &all()), ["http://10.96.0.9:80", "http://[fd00::9]:80"]);
    assert_eq!(urls(&with_ports(&ports()), &all()), ["http://10.96.0.9:80"]);
}

#[test]
fn a_port_is_chosen_by_name_or_number_and_never_by_a_guess() {
    let two = with_ports(&ports());
    let web = with_ports(&json!([{"name": "web", "port": 9000}]));
    let quic = with_ports(&json!([
        {"name": "h3", "port": 443, "protocol": "UDP"}, {"name": "tls-in", "port": 443, "protocol": "TCP"},
    ]));
    let odd = with_ports(&json!([{"name": "one", "port": 80}, {"name": "80", "port": 8080}]));
    let cases: [(&Object, Option<&str>, &str); 11] = [
        (&two, None, "http://10.96.0.9:80"),
        (&two, Some("http"), "http://10.96.0.9:80"),
        (&two, Some("https"), "https://10.96.0.9:443"),
        (&two, Some("443"), "https://10.96.0.9:443"),
        (&web, None, "10.96.0.9:9000"),
        (&web, Some("web"), "10.96.0.9:9000"),
        (&web, Some("9000"), "10.96.0.9:9000"),
        (&quic, None, "https://10.96.0.9:443"),
        (&quic, Some("443"), "https://10.96.0.9:443"),
        (&quic, Some("h3"), "10.96.0.9:443"),
        (&odd, Some("80"), "http://10.96.0.9:8080"),
    ];
    for (service, asked, url) in cases {
        let wish = AddressWish { port: asked.map(str::to_owned), ..AddressWish::default() };
        assert_eq!(urls(service, &wish), [url], "{asked:?}");
    }
}

#[test]
fn a_port_that_is_not_there_is_not_found_and_the_others_are_listed() {
    for wanted in ["admin", "81", "+80", "0", "99999", "", "HTTP"] {
        let failure = refused(&with_ports(&ports()), &port(wanted));
        assert_eq!((failure.exit, failure.reason), (Exit::SaidNo, Reason::NoPort), "{wanted}");
        assert_eq!(failure.message, format!("service gloo-system/gateway-proxy has no port {wanted}"));
        assert_eq!(failure.details, ["ports: https 443, http 80"]);
    }
    assert_eq!(refused(&with_ports(&json!([{"name": "web", "port": 80}])), &port("http")).exit, Exit::SaidNo);
    let target = refused(&with_ports(&ports()), &port("8080"));
    assert_eq!(target.hints, ["8080 is the target of port http: --port http"]);
    let node = refused(&with_ports(&ports()), &port("31443"));
    assert_eq!(node.hints, ["31443 is the node port of port https: --port https"]);
}

#[test]
fn ports_that_leave_no_choice_are_refused() {
    let cases = [
        (json!([]), "has no ports"),
        (json!(null), "has no ports"),
        (json!([{"name": "a", "port": 1}, {"name": "b", "port": 2}]), "has several ports and none is named http"),
        (json!([{"name": "dns", "port": 53, "protocol": "UDP"}]), "has no TCP port"),
    ];
    for (ports, why) in cases {
        let failure = refused(&with_ports(&ports), &AddressWish::default());
        assert_eq!((failure.exit, failure.reason), (Exit::Failed, Reason::NoPort));
        assert_eq!(failure.message, format!("service gloo-system/gateway-proxy {why}"));
    }
    let udp = with_ports(&json!([{"name": "dns", "port": 53, "protocol": "UDP"}]));
    assert_eq!(refused(&udp, &AddressWish::default()).details, ["ports: dns 53/UDP"]);
    assert_eq!(urls(&udp, &port("dns")), ["10.96.0.9:53"]);
}

#[test]
fn a_service_that_has_no_address_of_its_own_is_refused_by_name() {
    let headless = service(&json!({"type": "ClusterIP", "clusterIP": "None", "ports": ports()}), &json!([]));
    let alias = service(&json!({"type": "ExternalName", "externalName": "a.example"}), &json!([]));
    let strange = service(&json!({"type": "Teleport", "ports": ports()}), &json!([]));
    let no_ip = service(&json!({"ports": ports()}), &json!([]));
    let cases = [
        (&headless, Reason::NoAddress, "headless"),
        (&alias, Reason::NoAddress, "ExternalName"),
        (&strange, Reason::BadAnswer, "Teleport"),
        (&no_ip, Reason::NoAddress, "has no cluster IP"),
    ];
    for (service, reason, word) in cases {
        let failure = refused(service, &AddressWish::default());
        assert_eq!((failure.exit, failure.reason), (Exit::Failed, reason));
        assert!(failure.message.contains(word), "{failure}");
    }
    assert_eq!(refused(&alias, &local()).reason, Reason::NoAddress);
}

proptest::proptest! {
    /// Parsing a URL returns the host, port and scheme that it was built from.
    #[test]
    fn a_url_reads_back(
        ip in proptest::prelude::any::<IpAddr>(),
        port in 1..=u16::MAX,
        scheme in proptest::sample::select(vec![None, Some(Scheme::Http), Some(Scheme::Https)]),
    ) {
        let address = Address { host: Host::Ip(ip), port, scheme, port_name: None, source: String::new() };
        let url = address.url();
        let (before, after) = url.split_once("://").map_or((None, url.as_str()), |(before, after)| (Some(before), after));
        proptest::prop_assert_eq!(before, scheme.map(Scheme::name));
        proptest::prop_assert_eq!(after.parse(), Ok(SocketAddr::new(ip, port)));
        proptest::prop_assert_eq!(after, address.address());
    }

    /// For any Service content nothing panics, and the output is one word.
    #[test]
    fn no_service_makes_it_panic(
        kind in "LoadBalancer|ClusterIP|NodePort|ExternalName|",
        host in "\\PC{0,6}|[0-9a-f.:]{0,9}",
        number in proptest::prelude::any::<u32>(),
        wanted in proptest::option::of("http|[0-9]{1,6}"),
    ) {
        let spec = json!({
            "type": kind, "clusterIP": host, "externalIPs": [host], "selector": {"a": "b"},
            "ports": [{"name": "http", "port": number, "nodePort": number}, {"port": 80, "nodePort": 30000}],
        });
        let service = service(&spec, &json!([{"ip": host, "hostname": host}]));
        let pods = [pod("p", "n", "True")];
        let nodes = [node("n", &[("ExternalIP", &host)])];
        let wish = AddressWish { port: wanted, amount: Amount::All, ..AddressWish::default() };
        if let AddressAnswer::Found(found) = answer(&service, AddressSources { pods: Some(&pods), nodes: Some(&nodes) }, &wish) {
            proptest::prop_assert!(!found.addresses.is_empty());
            for address in found.addresses {
                proptest::prop_assert!(address.url().bytes().all(|b| b.is_ascii_graphic() && !b"$`'\"\\;&|<>".contains(&b)));
            }
        }
    }
}
