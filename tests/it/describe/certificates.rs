//! What the gateway's own Envoy shows the mesh: a fact where a port-forward is allowed, and else nobody tries.

use serde_json::{Value, json};

use super::rights::{ready, until, user};
use super::{World, judged};
use crate::stage::mesh::{Authority, Valid};
use crate::stage::pair::{GATEWAY, Pair, Sends};

const REQUEST: &str = "--host shop.example";

fn root(world: &World, pem: &str) {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"root-cert.pem": pem},
        "metadata": {"name": "istio-ca-root-cert", "namespace": world.gloo}});
    world.plane.api().apply(&map.to_string()).unwrap();
}

/// The lines about the certificate.
fn shown(world: &World) -> Vec<String> {
    let text = world.done(&format!("describe {REQUEST}")).stdout;
    let mut lines = text.lines().skip_while(|line| !line.starts_with("  cert "));
    let first = lines.next().into_iter();
    first.chain(lines.take_while(|line| line.starts_with("    "))).map(|line| line.trim().to_owned()).collect()
}

#[test]
fn a_certificate_that_is_over_or_of_another_root_breaks_what_the_objects_say_is_in_order() {
    let world = ready("certificate");
    let pair = Pair::start("u_gloo-system").unwrap();
    pair.stand_in(world.plane, &world.gloo).unwrap();
    assert_eq!(shown(&world), ["cert     none in use: Envoy gets one for the first cluster that needs it"]);

    pair.sends(&pair.mtls().unwrap()).unwrap();
    let [id, until, pod] = &shown(&world)[..] else { panic!("{:?}", shown(&world)) };
    assert_eq!(id, &format!("cert     {GATEWAY}"));
    assert_eq!(until, "until 2100-01-01T00:00:00Z, unknown whether its root is the mesh's");
    assert!(pod.starts_with(&format!("by pod {}/gateway-proxy-", world.gloo)), "{pod}");
    root(&world, pair.authority.pem());
    assert_eq!(shown(&world)[1], "until 2100-01-01T00:00:00Z, root of the mesh");
    let document = world.document(REQUEST);
    assert_eq!(judged(&document).0, "mtls");
    let certificate = &document["targets"][0]["gateways"][0]["certificates"][0];
    assert_eq!((&certificate["id"], &certificate["meshRoot"]), (&json!(GATEWAY), &json!(true)));

    root(&world, Authority::new().unwrap().pem());
    let (verdict, why, hint) = judged(&world.document(REQUEST));
    assert_eq!(verdict, "broken");
    assert!(why.starts_with(&format!("gateway {}/gateway-proxy: the root of pod ", world.gloo)), "{why}");
    assert!(hint.starts_with("kubectl delete pod gateway-proxy-"), "{hint}");
    // One verdict wherever it is asked for.
    let all = world.document("upstreams");
    let rows = all["targets"].as_array().unwrap();
    let own = rows.iter().find(|row| row["target"]["name"] == world.httpbin()).unwrap();
    assert_eq!((&own["verdict"], own["why"].as_str()), (&json!("broken"), Some(why.as_str())));
    root(&world, pair.authority.pem());

    let over = Sends::Istio { keys: pair.keys(Valid::Expired).unwrap(), root: pair.authority.validation() };
    pair.sends(&over).unwrap();
    let (verdict, why, _) = judged(&world.document(REQUEST));
    assert_eq!(verdict, "broken");
    assert!(why.ends_with(" ended at 2021-01-01T00:00:00Z"), "{why}");
    assert_eq!(shown(&world)[1], "expired since 2021-01-01T00:00:00Z, root of the mesh");
}

#[test]
fn who_may_not_forward_ports_gets_the_whole_verdict_and_the_rule() {
    let world = ready("cert-reader");
    let pair = Pair::start("u_gloo-system").unwrap();
    pair.stand_in(world.plane, &world.gloo).unwrap();
    let user = user(&world, "reader", None);
    let line = format!("{REQUEST} --as {user}");
    let document = until("it is described", || world.document(&line), |it| it["targets"][0]["verdict"] == "mtls");
    let gateway = &document["targets"][0]["gateways"][0];
    assert_eq!((&gateway["lacks"], &gateway["certificates"]), (&json!([]), &Value::Null));
    let unknown = &gateway["certificatesUnknown"];
    assert_eq!(unknown["why"], format!("not allowed to get or create pods/portforward in {}", world.gloo));
    assert_eq!(unknown["rule"], r#"{apiGroups: [""], resources: [pods/portforward], verbs: [get, create]}"#);
    let text = world.done(&format!("describe {line} --fail-on unknown"));
    assert!(text.stdout.contains("  cert     unknown: not allowed to get or create pods/portforward in "), "{text:?}");
    let all = world.done(&format!("describe upstreams --as {user} --fail-on unknown"));
    let note = "note: whether the gateways' certificates are still valid is unknown: not allowed to get or create";
    assert_eq!(all.stderr.matches(note).count(), 1, "{all:?}");
}
