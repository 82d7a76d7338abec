mod agreement;
mod ambient;
mod circle;
mod denied;
mod forecast;
mod harm;

use serde_json::{Value, json};

use super::*;
use crate::model::{Kind, ListAnswer, ListPart, Object, Snapshot, Unknown, kinds};
use crate::plan::ssl_config::istio_ssl_config;
use crate::rights::Rule;

const CHART_ISTIO: &str = include_str!("../../../tests/fixtures/sidecars/chart-istio.yaml");
const BOOTSTRAP: &str = include_str!("../../../tests/fixtures/bootstrap/chart.yaml");
const BOOTSTRAP_ISTIO: &str = include_str!("../../../tests/fixtures/bootstrap/chart-istio.yaml");
const ENDPOINTS: &str = "endpointslices";
const RULE: &str = "peerauthentications";

/// A cluster with one Upstream `u`, its Service `shop/cart` and a gateway that is ready.
#[derive(Clone)]
struct Cluster {
    upstream: Value,
    settings: Option<Value>,
    pods: Vec<Value>,
    /// `None` if listing them is not permitted.
    slices: Option<Vec<Value>>,
    policies: Option<Vec<Value>>,
    service: Option<Value>,
    proxy: Value,
    bootstrap: String,
    /// Those of the control planes.
    mesh_configs: Vec<Value>,
    /// Whether a ztunnel carries the gateway's requests.
    is_captured: bool,
}

fn pod(name: &str, labels: &Value) -> Value {
    let mut labels = labels.clone();
    labels["app"] = json!("cart");
    json!({"metadata": {"name": name, "namespace": "shop", "labels": labels}})
}

fn meshed(name: &str) -> Value {
    pod(name, &json!({"security.istio.io/tlsMode": "istio", "istio.io/rev": "1-28"}))
}

fn plain(name: &str) -> Value {
    pod(name, &json!({}))
}

fn settings(auto: bool, integration: bool) -> Value {
    let options = json!({"enableAutoMtls": auto, "enableIntegration": integration});
    json!({"metadata": {"name": "default", "namespace": "gloo-system"}, "spec": {"gloo": {"istioOptions": options}}})
}

fn policy(mode: &str) -> Value {
    json!({"metadata": {"name": "p", "namespace": "shop"}, "spec": {"mtls": {"mode": mode}}})
}

fn secret_tls() -> Value {
    json!({"secretRef": {"name": "client", "namespace": "shop"}})
}

impl Cluster {
    fn new() -> Self {
        let kube = json!({"serviceName": "cart", "serviceNamespace": "shop", "servicePort": 80});
        Self {
            upstream: json!({"metadata": {"name": "u", "namespace": "gloo-system"}, "spec": {"kube": kube}}),
            settings: Some(settings(false, false)),
            pods: vec![meshed("a"), meshed("b")],
            slices: None,
            policies: Some(Vec::new()),
            service: Some(json!({"metadata": {"name": "cart", "namespace": "shop"},
                "spec": {"selector": {"app": "cart"}, "ports": [{"port": 80, "targetPort": 8080}]}})),
            proxy: crate::yaml::parse(CHART_ISTIO).unwrap(),
            bootstrap: BOOTSTRAP_ISTIO.to_owned(),
            mesh_configs: Vec::new(),
            is_captured: false,
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::new(Unknown::because("it was not requested"));
        let mut put = |kind: &'static Kind, values: Vec<Value>| {
            let objects = values.into_iter().map(|value| Object::new(kind, value)).collect();
            snapshot.put(kind, ListPart::All, ListAnswer::Read(objects));
        };
        put(&kinds::SERVICE, self.service.clone().into_iter().collect());
        put(&kinds::POD, self.pods.clone());
        put(&kinds::DEPLOYMENT, vec![self.proxy.clone()]);
        put(&kinds::DAEMON_SET, Vec::new());
        let map = json!({"metadata": {"name": "gateway-proxy-envoy-config", "namespace": "gloo-system"},
            "data": {"envoy.yaml": self.bootstrap}});
        put(&kinds::CONFIG_MAP, std::iter::once(map).chain(self.mesh_configs.clone()).collect());
        let forbidden = |what: &str| {
            ListAnswer::Unknown(Unknown {
                why: "not allowed to list".into(),
                rule: Some(Box::new(Rule::listing(what))),
            })
        };
        match &self.settings {
            Some(settings) => put(&kinds::SETTINGS, vec![settings.clone()]),
            None => snapshot.put(&kinds::SETTINGS, ListPart::All, forbidden("settings")),
        }
        match &self.slices {
            Some(slices) => {
                let objects = slices.iter().map(|it| Object::new(&kinds::ENDPOINT_SLICE, it.clone())).collect();
                snapshot.put(&kinds::ENDPOINT_SLICE, ListPart::All, ListAnswer::Read(objects));
            }
            None => snapshot.put(&kinds::ENDPOINT_SLICE, ListPart::All, forbidden(ENDPOINTS)),
        }
        match &self.policies {
            Some(policies) => {
                let objects = policies.iter().map(|it| Object::new(&kinds::PEER_AUTHENTICATION, it.clone())).collect();
                snapshot.put(&kinds::PEER_AUTHENTICATION, ListPart::All, ListAnswer::Read(objects));
            }
            None => snapshot.put(&kinds::PEER_AUTHENTICATION, ListPart::All, forbidden(RULE)),
        }
        if self.is_captured {
            ambient::capture_gateway(&mut snapshot);
        }
        snapshot
    }

    fn judged(&self) -> JudgedPath {
        let snapshot = self.snapshot();
        let upstream = Object::new(&kinds::UPSTREAM, self.upstream.clone());
        judge(&Survey::new(&snapshot, "gloo-system").of_upstream(&upstream))
    }

    fn verdict(&self) -> Verdict {
        self.judged().verdict
    }
}

fn letter(verdict: Verdict) -> char {
    match verdict {
        Verdict::Mtls => 'M',
        Verdict::Tls => 'T',
        Verdict::Mixed => 'X',
        Verdict::Plaintext => 'P',
        Verdict::Broken => 'B',
        Verdict::Unknown => 'U',
    }
}

/// The rows are what is sent. The columns are pods without sidecar, one of two with a sidecar, and both with a sidecar,
/// each with PERMISSIVE, STRICT, DISABLE and a policy that may not be read. M mtls, T tls, X mixed, P plaintext, B
/// broken, U unknown.
const VERDICTS: [(&str, &str); 8] = [
    // Unconditional TLS: pods without a sidecar, or with one that accepts only plaintext, do not answer.
    ("istio", "BBBB BBBB MMBU"),
    // Without the ALPN, a PERMISSIVE sidecar treats the TLS as the application's own.
    ("unannounced", "BBBB BBBB BMBU"),
    // Whether a STRICT sidecar accepts a certificate that is not Istio's is unknown. It does not accept TLS without
    // one.
    ("foreign", "TTTT TUTU TUTU"),
    ("bare", "TTTT TBTU TBTU"),
    // A sidecar has no filter chain to the application for TLS on a port that is declared HTTP.
    ("foreign to http", "TTTT BUBU BUBU"),
    ("auto", "PPPP XXBU MMBU"),
    ("plaintext", "PPPP PBPU PBPU"),
    ("unknown", "UUUU UUUU UUUU"),
];

/// Returns the row for a combination of settings.
fn sent(ssl: &'static str, opted_out: bool, auto: &str) -> &'static str {
    match (ssl, opted_out, auto) {
        ("istio" | "unannounced" | "foreign" | "bare" | "foreign to http", ..) => ssl,
        (_, true, _) | (_, _, "off" | "alone") => "plaintext",
        (_, false, "on") => "auto",
        _ => "unknown",
    }
}

#[test]
fn every_combination_of_settings_pods_and_policies_has_its_verdict() {
    let mut seen = 0;
    for ssl in ["none", "istio", "unannounced", "foreign", "bare", "foreign to http"] {
        for opted_out in [false, true] {
            for auto in ["off", "alone", "on", "forbidden"] {
                let row = sent(ssl, opted_out, auto);
                let (_, wanted) = VERDICTS.iter().find(|(name, _)| *name == row).unwrap();
                let wanted: Vec<_> = wanted.chars().filter(|c| *c != ' ').collect();
                let mut wanted = wanted.into_iter();
                for pods in [[plain("a"), plain("b")], [meshed("a"), plain("b")], [meshed("a"), meshed("b")]] {
                    for mode in ["PERMISSIVE", "STRICT", "DISABLE", ""] {
                        let cluster = Cluster::new().with(|it| {
                            match ssl {
                                "istio" => it.upstream["spec"]["sslConfig"] = istio_ssl_config(),
                                "unannounced" => {
                                    it.upstream["spec"]["sslConfig"] = istio_ssl_config();
                                    it.upstream["spec"]["sslConfig"]["alpnProtocols"] = Value::Null;
                                }
                                "foreign" => it.upstream["spec"]["sslConfig"] = secret_tls(),
                                "bare" => it.upstream["spec"]["sslConfig"] = json!({"sni": "cart.example"}),
                                "foreign to http" => {
                                    it.upstream["spec"]["sslConfig"] = secret_tls();
                                    it.service.as_mut().unwrap()["spec"]["ports"][0]["name"] = json!("http-main");
                                }
                                _ => {}
                            }
                            if opted_out {
                                it.upstream["spec"]["disableIstioAutoMtls"] = json!(true);
                            }
                            it.settings = match auto {
                                "off" => Some(settings(false, true)),
                                "alone" => Some(settings(true, false)),
                                "on" => Some(settings(true, true)),
                                _ => None,
                            };
                            it.pods = pods.to_vec();
                            it.policies = (!mode.is_empty()).then(|| vec![policy(mode)]);
                        });
                        let judged = cluster.judged();
                        let letter = letter(judged.verdict);
                        let wanted = wanted.next().unwrap();
                        assert_eq!(letter, wanted, "{ssl} {opted_out} {auto} {mode} {pods:?}: {judged:?}");
                        seen += 1;
                    }
                }
            }
        }
    }
    assert_eq!(seen, 6 * 2 * 4 * 3 * 4);
}

#[test]
fn a_verdict_says_why_and_what_to_type() {
    let judged = Cluster::new().with(|it| it.policies = Some(vec![policy("STRICT")])).judged();
    assert_eq!(
        judged.why,
        "2 of 2 pods answer plaintext with 503: it accepts only mutual TLS (STRICT, shop/p, namespace)"
    );
    assert_eq!(judged.fix, Some("gloo-rs istio enable-mtls -u u".into()));
    let without = Cluster::new().with(|it| {
        it.upstream["spec"]["sslConfig"] = istio_ssl_config();
        it.pods.push(plain("c"));
    });
    assert_eq!(without.judged().why, "1 of 3 pods answers Istio's TLS with 503: it has no sidecar to take Istio's TLS");
    assert_eq!(without.judged().fix, Some("gloo-rs istio enroll shop".into()));
    let forbidden = Cluster::new().with(|it| it.policies = None).judged();
    assert_eq!(forbidden.verdict, Verdict::Unknown);
    assert!(forbidden.fix.unwrap().to_string().contains(RULE));
}

#[test]
fn istios_tls_needs_a_gateway_that_can_present_the_certificate() {
    let istio = |it: &mut Cluster| it.upstream["spec"]["sslConfig"] = istio_ssl_config();
    assert_eq!(Cluster::new().with(istio).verdict(), Verdict::Mtls);
    let no_cluster = Cluster::new().with(istio).with(|it| it.bootstrap = BOOTSTRAP.to_owned()).judged();
    assert_eq!(no_cluster.verdict, Verdict::Broken);
    assert!(no_cluster.why.ends_with("lacks cluster gateway_proxy_sds"), "{no_cluster:?}");
    // The chart rendered its sidecars.
    assert_eq!(no_cluster.fix, Some("gloo-rs upgrade-values --proxy gateway-proxy".into()));
    let auto = |it: &mut Cluster| it.settings = Some(settings(true, true));
    let no_sidecars = |it: &mut Cluster| {
        it.proxy["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap().truncate(1);
    };
    assert_eq!(Cluster::new().with(auto).with(no_sidecars).verdict(), Verdict::Broken);
    let plaintext = Cluster::new().with(no_sidecars);
    assert_eq!(plaintext.verdict(), Verdict::Plaintext, "plaintext needs no certificate");
    let none = Cluster::new().with(istio).with(|it| it.proxy["metadata"]["labels"] = json!({}));
    assert_eq!(none.verdict(), Verdict::Unknown, "a gateway that is not found may be elsewhere");
    let snapshot = Cluster::new().with(istio).snapshot();
    let survey = Survey::new(&snapshot, "gloo-system").with_proxies(|proxies| {
        let lacks = Ok(vec!["Istio's sidecars".to_owned()]);
        proxies.push(ProxyState { is_idle: true, lacks, ..ProxyState::named("gloo-system/idle") });
    });
    let upstream = Object::new(&kinds::UPSTREAM, Cluster::new().with(istio).upstream);
    assert_eq!(judge(&survey.of_upstream(&upstream)).verdict, Verdict::Mtls, "no request comes to one without pods");
}

#[test]
fn a_certificate_that_no_sidecar_takes_breaks_what_needs_it_and_one_that_is_unknown_breaks_nothing() {
    let showing = |certificates: Option<Result<Vec<ShownCertificate>, Unread>>| {
        let cluster = Cluster::new().with(|it| it.upstream["spec"]["sslConfig"] = istio_ssl_config());
        let upstream = Object::new(&kinds::UPSTREAM, cluster.upstream.clone());
        let mut facts = Survey::new(&cluster.snapshot(), "gloo-system").of_upstream(&upstream);
        facts.proxies.as_mut().unwrap()[0].certificates = certificates;
        judge(&facts)
    };
    let certificate = |left: i64, is_of_the_mesh: Option<bool>| ShownCertificate {
        namespace: "gloo-system".into(),
        pod: "gateway-proxy-1".into(),
        id: "spiffe://cluster.local/ns/gloo-system/sa/gateway-proxy".into(),
        ends: "2026-11-23T12:00:00Z".into(),
        left,
        is_of_the_mesh,
    };
    for fine in [None, Some(Err("may not".into())), Some(Ok(Vec::new())), Some(Ok(vec![certificate(60, None)]))] {
        assert_eq!(showing(fine).verdict, Verdict::Mtls);
    }
    let over = showing(Some(Ok(vec![certificate(60, Some(true)), certificate(0, Some(true))])));
    assert_eq!((over.verdict, over.cause), (Verdict::Broken, Some(Cause::CertificateInvalid)));
    assert!(over.why.ends_with("the certificate of pod gateway-proxy-1 ended at 2026-11-23T12:00:00Z"), "{over:?}");
    let strange = showing(Some(Ok(vec![certificate(60, Some(false))])));
    assert_eq!(strange.cause, Some(Cause::GatewayNotTrusted));
    assert!(strange.why.ends_with("the root of pod gateway-proxy-1 is not the mesh's"), "{strange:?}");
}

#[test]
fn a_peer_that_takes_no_mutual_tls_is_opened_before_anything_is_sent_there() {
    let disabled = Cluster::new().with(|it| it.policies = Some(vec![policy("DISABLE")]));
    let judged = disabled.judged();
    assert_eq!(judged.verdict, Verdict::Plaintext);
    let way = "gloo-rs istio peer-auth permissive -n shop, then gloo-rs istio enable-mtls -u u";
    assert_eq!(judged.fix, Some(way.into()));
    let sent = disabled.with(|it| it.upstream["spec"]["sslConfig"] = istio_ssl_config()).judged();
    assert_eq!((sent.verdict, sent.cause), (Verdict::Broken, Some(Cause::DisabledPeer)));
    assert_eq!(sent.fix, Some("gloo-rs istio peer-auth permissive -n shop".into()));
}

#[test]
fn pods_that_cannot_be_injected_are_not_sent_to_enroll_again_and_again() {
    let barred = |change: fn(&mut Value), sent: Value| {
        Cluster::new().with(|it| {
            it.pods = vec![plain("a")];
            change(&mut it.pods[0]);
            it.upstream["spec"]["sslConfig"] = sent;
        })
    };
    let fix = |change: fn(&mut Value), sent: Value| barred(change, sent).judged().fix;
    let opted_out = |pod: &mut Value| pod["metadata"]["labels"]["sidecar.istio.io/inject"] = json!("false");
    let on_host = |pod: &mut Value| pod["spec"]["hostNetwork"] = json!(true);
    let told = "opted out by sidecar.istio.io/inject=false: remove that, ";
    assert_eq!(fix(opted_out, istio_ssl_config()).unwrap(), format!("{told}or gloo-rs istio disable-mtls -u u"));
    assert_eq!(fix(opted_out, Value::Null).unwrap(), format!("{told}then gloo-rs istio enroll shop"));
    let host = "uses the host's network: Istio injects nothing there; gloo-rs istio disable-mtls -u u";
    assert_eq!(fix(on_host, istio_ssl_config()).map(|it| it.to_string()).as_deref(), Some(host));
    assert_eq!(fix(on_host, Value::Null), None);
}

#[test]
fn nobody_behind_it_is_broken_whatever_is_sent() {
    let gone = Cluster::new().with(|it| it.service = None).judged();
    assert_eq!((gone.verdict, gone.why.as_str()), (Verdict::Broken, "service shop/cart is not there"));
    let leaving =
        |it: &mut Cluster| it.pods.iter_mut().for_each(|pod| pod["metadata"]["deletionTimestamp"] = json!("now"));
    assert_eq!(Cluster::new().with(leaving).verdict(), Verdict::Broken);
    let port = Cluster::new().with(|it| it.upstream["spec"]["kube"]["servicePort"] = json!(81)).judged();
    assert_eq!(port.why, "service shop/cart has no port 81, only 80");
    assert_eq!(port.fix, Some("kubectl edit upstream u -n gloo-system".into()));
    let ports = json!([{"port": 80, "name": "http"}, {"port": 9090, "protocol": "UDP"}, {"port": 443}]);
    let several = Cluster::new().with(|it| {
        it.upstream["spec"]["kube"]["servicePort"] = json!(81);
        it.service.as_mut().unwrap()["spec"]["ports"] = ports;
    });
    assert_eq!(several.judged().why, "service shop/cart has no port 81, only 80 (http), 9090/UDP and 443");
    let unready = |it: &mut Cluster| it.pods.iter_mut().for_each(|pod| pod["status"] = json!({"conditions": []}));
    assert!(Cluster::new().with(unready).judged().why.ends_with("is ready: 503"));
    let one_unready = |it: &mut Cluster| {
        it.upstream["spec"]["sslConfig"] = istio_ssl_config();
        it.pods[0]["status"] = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        it.pods[1] = plain("b");
        it.pods[1]["status"] = json!({"conditions": []});
    };
    assert_eq!(Cluster::new().with(one_unready).verdict(), Verdict::Mtls, "a pod that is not ready gets no request");
    let by_hand = |it: &mut Cluster| it.service.as_mut().unwrap()["spec"]["selector"] = Value::Null;
    assert_eq!(Cluster::new().with(by_hand).verdict(), Verdict::Unknown);
}

#[test]
fn what_gloo_rejects_is_not_served_as_it_stands() {
    let rejected = |it: &mut Cluster| {
        it.upstream["status"] = json!({"statuses": {"gloo-system": {"state": "Rejected", "reason": "no secret"}}});
    };
    let judged = Cluster::new().with(rejected).judged();
    assert_eq!((judged.verdict, judged.why.as_str()), (Verdict::Broken, "Gloo rejects it: no secret"));
}

#[test]
fn hosts_outside_of_the_cluster_are_told_by_what_is_sent() {
    let outside = |spec: Value, settings: Value| {
        Cluster::new().with(|it| {
            it.upstream["spec"] = spec;
            it.settings = Some(settings);
        })
    };
    let https = json!({"static": {"hosts": [{"addr": "x.example", "port": 443}]}});
    let http = json!({"static": {"hosts": [{"addr": "x.example", "port": 80}]}});
    let static_host = outside(http.clone(), settings(false, false)).judged();
    assert_eq!(static_host.verdict, Verdict::Plaintext);
    assert!(static_host.why.starts_with("plaintext to a host of type static: "), "{static_host:?}");
    assert_eq!(outside(http, settings(true, true)).verdict(), Verdict::Plaintext);
    assert_eq!(outside(https.clone(), settings(false, false)).verdict(), Verdict::Tls);
    let named = Cluster::new().with(|it| {
        it.service.as_mut().unwrap()["spec"] = json!({"type": "ExternalName", "externalName": "db.example"});
    });
    let why = "plaintext to host db.example (ExternalName): no sslConfig, and auto-mTLS is off";
    assert_eq!(named.judged().why, why);
    let harmed = outside(https.clone(), settings(true, true)).judged();
    assert_eq!(harmed.verdict, Verdict::Unknown);
    assert_eq!(harmed.fix, Some("gloo-rs istio auto-mtls disable -u u".into()));
    let mut opted_out = https;
    opted_out["disableIstioAutoMtls"] = json!(true);
    assert_eq!(outside(opted_out, settings(true, true)).verdict(), Verdict::Tls);
    let istio = json!({"static": {}, "sslConfig": istio_ssl_config()});
    assert_eq!(outside(istio, settings(false, false)).verdict(), Verdict::Unknown);
}

#[test]
fn a_service_without_an_upstream_has_auto_mtls_or_plaintext() {
    let of = |settings: Value| {
        let cluster = Cluster::new().with(|it| it.settings = Some(settings));
        let snapshot = cluster.snapshot();
        judge(&Survey::new(&snapshot, "gloo-system").of_service("shop", "cart", Some(80)))
    };
    assert_eq!(of(settings(true, true)).verdict, Verdict::Mtls);
    let plaintext = of(settings(false, false));
    assert_eq!(plaintext.verdict, Verdict::Plaintext);
    assert!(plaintext.why.contains("no Upstream to hold an sslConfig"), "{plaintext:?}");
}

#[test]
fn the_ambient_mesh_takes_no_tls_of_gloos_and_has_its_policies_all_the_same() {
    let ambient = |it: &mut Cluster| {
        it.pods = vec![plain("a")];
        it.pods[0]["metadata"]["annotations"] = json!({"ambient.istio.io/redirection": "enabled"});
    };
    assert_eq!(Cluster::new().with(ambient).verdict(), Verdict::Plaintext);
    let strict = |it: &mut Cluster| it.policies = Some(vec![policy("STRICT")]);
    assert_eq!(Cluster::new().with(ambient).with(strict).verdict(), Verdict::Broken);
    let istio = |it: &mut Cluster| it.upstream["spec"]["sslConfig"] = istio_ssl_config();
    assert_eq!(Cluster::new().with(ambient).with(istio).verdict(), Verdict::Broken);
}

#[test]
fn what_breaks_tls_without_istios_alpn_is_said_with_what_adds_it() {
    let unannounced = |alpn: Value| {
        let cluster = Cluster::new().with(|it| {
            it.upstream["spec"]["sslConfig"] = istio_ssl_config();
            it.upstream["spec"]["sslConfig"]["alpnProtocols"] = alpn;
            it.service.as_mut().unwrap()["spec"]["ports"][0]["name"] = json!("http");
        });
        cluster.judged()
    };
    let without = unannounced(Value::Null);
    assert_eq!((without.verdict, without.cause), (Verdict::Broken, Some(Cause::NotAnnounced)));
    assert_eq!(without.fix, Some("gloo-rs istio enable-mtls -u u".into()));
    for another in [json!([]), json!(["h2"]), json!(["h2", "http/1.1"])] {
        assert_eq!(unannounced(another.clone()), without, "{another}");
    }
    let with_http2 = unannounced(json!(["h2", "istio"]));
    assert_eq!((with_http2.verdict, with_http2.cause), (Verdict::Broken, Some(Cause::Http2NotSent)));
    assert_eq!(with_http2.fix, without.fix);
}

#[test]
fn istios_certificate_files_are_known_to_work_for_a_day_only() {
    let with = |mode: &str, alpn: Value| {
        Cluster::new().with(|it| {
            it.policies = Some(vec![policy(mode)]);
            it.upstream["spec"]["sslConfig"] = json!({"alpnProtocols": alpn, "sslFiles": {
                "tlsCert": "/etc/istio-certs/cert-chain.pem", "tlsKey": "/etc/istio-certs/key.pem"}});
        })
    };
    let judged = with("STRICT", json!(["istio"])).judged();
    assert_eq!((judged.verdict, judged.cause), (Verdict::Unknown, None));
    assert!(judged.why.contains("for 24 hours"), "{}", judged.why);
    assert_eq!(judged.fix, Some("gloo-rs istio enable-mtls -u u".into()));
}

#[test]
fn fields_that_the_crd_does_not_have_are_the_reason_why_a_service_is_unknown() {
    let judged = Cluster::new().with(|it| it.upstream["spec"]["kube"] = json!({"service_name": "a"})).judged();
    assert_eq!((judged.verdict, judged.cause), (Verdict::Unknown, None));
    assert!(judged.why.contains("spec.kube.service_name (serviceName) is not a field of the CRD"), "{}", judged.why);
}

#[test]
fn a_port_is_declared_by_its_app_protocol_and_else_by_its_name() {
    let own_tls_to = |port: Value| {
        let cluster = Cluster::new().with(|it| {
            it.upstream["spec"]["sslConfig"] = secret_tls();
            let own = it.service.as_mut().unwrap()["spec"]["ports"][0].as_object_mut().unwrap();
            own.extend(port.as_object().unwrap().clone());
        });
        cluster.verdict()
    };
    for (port, verdict) in [
        (json!({}), Verdict::Tls),
        (json!({"name": "https"}), Verdict::Tls),
        (json!({"name": "httpsomething"}), Verdict::Tls),
        (json!({"name": "http"}), Verdict::Broken),
        (json!({"name": "grpc-web-1"}), Verdict::Broken),
        (json!({"name": "http", "appProtocol": "https"}), Verdict::Tls),
        (json!({"name": "x", "appProtocol": "HTTP2"}), Verdict::Broken),
    ] {
        assert_eq!(own_tls_to(port.clone()), verdict, "{port}");
    }
}

#[test]
fn a_port_that_the_service_names_is_looked_up_in_the_pod() {
    let by_port = json!({"metadata": {"name": "w", "namespace": "shop"}, "spec": {"selector": {"matchLabels": {"app": "cart"}},
        "mtls": {"mode": "PERMISSIVE"}, "portLevelMtls": {"8080": {"mode": "STRICT"}}}});
    let named = |it: &mut Cluster| {
        it.service.as_mut().unwrap()["spec"]["ports"][0]["targetPort"] = json!("http");
        it.policies = Some(vec![by_port.clone()]);
    };
    assert_eq!(Cluster::new().with(named).verdict(), Verdict::Unknown, "nobody knows which port it is");
    let seen = |it: &mut Cluster| {
        let containers = json!([{"ports": [{"name": "http", "containerPort": 8080}]}]);
        it.pods.iter_mut().for_each(|pod| pod["spec"]["containers"] = containers.clone());
    };
    assert_eq!(Cluster::new().with(named).with(seen).verdict(), Verdict::Broken);
}

#[test]
fn a_pod_whose_containers_lack_the_named_port_is_no_endpoint() {
    let [whole, in_slices] = whole_and_in_slices([true, false]);
    let other = json!([{"ports": [{"name": "admin", "containerPort": 9090}]}]);
    for containers in [other, json!([{"name": "cart"}]), json!([])] {
        let whole = whole.clone().with(|it| {
            it.pods[1]["spec"]["containers"] = containers.clone();
            it.pods[1]["status"] = it.pods[0]["status"].clone();
        });
        assert_eq!(whole.judged(), in_slices.clone().judged(), "{containers}");
    }
}

/// Returns the same cluster twice: with whole pods, and with the metadata of the pods together with `EndpointSlice`s.
fn whole_and_in_slices(ready: [bool; 2]) -> [Cluster; 2] {
    let cluster =
        Cluster::new().with(|it| it.service.as_mut().unwrap()["spec"]["ports"][0]["targetPort"] = json!("web"));
    let whole = cluster.clone().with(|it| {
        for (pod, ready) in it.pods.iter_mut().zip(ready) {
            let status = if ready { "True" } else { "False" };
            pod["spec"]["containers"] = json!([{"ports": [{"name": "web", "containerPort": 8080}]}]);
            pod["status"] = json!({"conditions": [{"type": "Ready", "status": status}]});
        }
    });
    let in_slices = cluster.with(|it| {
        let endpoint =
            |(name, ready): (&str, bool)| json!({"targetRef": {"name": name}, "conditions": {"ready": ready}});
        let endpoints: Vec<_> = ["a", "b"].into_iter().zip(ready).map(endpoint).collect();
        let labels = json!({"kubernetes.io/service-name": "cart"});
        it.slices = Some(vec![json!({
            "metadata": {"name": "cart-1", "namespace": "shop", "labels": labels},
            "ports": [{"name": "", "port": 8080}], "endpoints": endpoints,
        })]);
    });
    [whole, in_slices]
}

#[test]
fn a_list_of_pods_and_one_pod_looked_at_whole_come_to_the_same() {
    let by_port = |mode: &str| {
        json!({"metadata": {"name": "w", "namespace": "shop"}, "spec": {"selector": {"matchLabels": {"app": "cart"}},
            "mtls": {"mode": "PERMISSIVE"}, "portLevelMtls": {"8080": {"mode": mode}}}})
    };
    let mut verdicts = std::collections::BTreeSet::new();
    for ready in [[true, true], [true, false], [false, false]] {
        for policy in [policy("STRICT"), policy("PERMISSIVE"), by_port("STRICT"), by_port("DISABLE")] {
            for config in [Value::Null, istio_ssl_config()] {
                for second in [meshed("b"), plain("b")] {
                    let change = |it: &mut Cluster| {
                        it.policies = Some(vec![policy.clone()]);
                        it.upstream["spec"]["sslConfig"] = config.clone();
                        it.pods[1]["metadata"] = second["metadata"].clone();
                    };
                    let [whole, in_slices] = whole_and_in_slices(ready).map(|it| it.with(change).judged());
                    assert_eq!(in_slices, whole, "{ready:?} {policy} {config} {second}");
                    verdicts.insert(whole.verdict);
                }
            }
        }
    }
    assert!(verdicts.into_iter().eq([Verdict::Mtls, Verdict::Plaintext, Verdict::Broken]));
}

#[test]
fn a_pod_of_which_no_slice_may_be_read_is_taken_for_ready_and_the_gap_is_told() {
    let cluster =
        Cluster::new().with(|it| it.service.as_mut().unwrap()["spec"]["ports"][0]["targetPort"] = json!("web"));
    let snapshot = cluster.snapshot();
    let facts = Survey::new(&snapshot, "gloo-system").of_upstream(&Object::new(&kinds::UPSTREAM, cluster.upstream));
    assert_eq!(judge(&facts).verdict, Verdict::Plaintext);
    assert!(facts.unread().iter().any(|why| why.rule.as_deref() == Some(&Rule::listing(ENDPOINTS))), "{facts:?}");
}

#[test]
fn a_service_that_publishes_pods_before_they_are_ready_sends_them_requests() {
    let cluster = Cluster::new().with(|it| {
        it.pods.iter_mut().for_each(|pod| pod["status"] = json!({"conditions": []}));
        it.service.as_mut().unwrap()["spec"]["publishNotReadyAddresses"] = json!(true);
    });
    assert_eq!(cluster.verdict(), Verdict::Plaintext);
}

#[test]
fn where_several_revisions_have_a_mesh_configuration_the_command_names_one() {
    let mesh = |revision: &str| {
        let name = format!("istio-{revision}");
        json!({"metadata": {"name": name, "namespace": "istio-system", "labels": {"istio.io/rev": revision}}, "data": {}})
    };
    let hint = |revisions: &[&str]| {
        let cluster = Cluster::new().with(|it| {
            it.upstream["spec"]["sslConfig"] = istio_ssl_config();
            it.bootstrap = BOOTSTRAP.to_owned();
            let pod = &mut it.proxy["spec"]["template"]["spec"];
            for list in ["containers", "volumes"] {
                pod[list].as_array_mut().unwrap().truncate(1);
            }
            it.mesh_configs = revisions.iter().map(|revision| mesh(revision)).collect();
        });
        cluster.judged().fix.unwrap().to_string()
    };
    assert_eq!(hint(&["1-28"]), "gloo-rs istio inject --name gateway-proxy");
    assert_eq!(hint(&["1-28", "1-28"]), "gloo-rs istio inject --name gateway-proxy");
    assert_eq!(hint(&["1-27", "1-28"]), "gloo-rs istio inject --name gateway-proxy --revision REVISION");
}
