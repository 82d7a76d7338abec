//! Tests every finding, where it must and must not appear: each test breaks one thing in a world without problems.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::look::EnvoySaid;
use super::look::Release;
use super::*;
use crate::gloo::metrics::{self, Metrics};
use crate::model::{ListAnswer, ListPart, Object, Selector, Snapshot, kinds as all_kinds};
use crate::plan::labels::{labels, selects};
use crate::plan::path::ShownCertificate;
use crate::plan::values::{Chart, Edition};

mod agreement;
mod causes;
#[path = "../../tests/fixtures/check/world.rs"]
mod world;

/// Every kind that a check reads, each once.
fn kinds() -> Vec<&'static Kind> {
    let mut kinds: Vec<&'static Kind> = Vec::new();
    for kind in CHECKS.iter().flat_map(|check| check.kinds) {
        if !kinds.contains(kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// The `EndpointSlice`s that the controller would create for the Services and their pods.
fn endpoint_slices(objects: &[Value]) -> Vec<Value> {
    let of = |kind: &'static str| objects.iter().filter(move |object| object["kind"] == kind);
    let slice = |service: &Value| {
        let selector = labels(&service["spec"]["selector"]);
        let is_behind = |pod: &&Value| {
            pod["metadata"]["namespace"] == service["metadata"]["namespace"]
                && !selector.is_empty()
                && selects(&selector, &pod["metadata"]["labels"])
        };
        let endpoint = |pod: &Value| json!({"targetRef": {"name": pod["metadata"]["name"]}, "conditions": {}});
        let endpoints: Vec<_> = of("Pod").filter(is_behind).map(endpoint).collect();
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "ports": service["spec"]["ports"],
            "metadata": {
                "name": service["metadata"]["name"], "namespace": service["metadata"]["namespace"],
                "labels": {"kubernetes.io/service-name": service["metadata"]["name"]},
            },
            "endpoints": endpoints,
        })
    };
    of("Service").map(slice).collect()
}

/// The open source chart.
fn chart() -> Chart {
    Chart { edition: Edition::OpenSource, below: None, version: None, defaults: Value::Null }
}

struct Stage {
    objects: Vec<Value>,
    pods: String,
    release: Value,
    certificate: ShownCertificate,
    envoy: EnvoySaid,
    /// Whether the gateway's Envoy has the cluster of the sidecars.
    has_cluster: Option<bool>,
    metrics: Metrics,
    /// Kinds that may not be listed.
    forbidden: Vec<&'static Kind>,
}

impl Stage {
    fn in_order() -> Self {
        Self {
            objects: world::in_order().to_vec(),
            pods: "gloo".into(),
            release: json!({"global": {"istioIntegration": {"enabled": true}}}),
            certificate: ShownCertificate {
                namespace: "gloo-system".into(),
                pod: "gateway-proxy-7f8".into(),
                id: "spiffe://cluster.local/ns/gloo-system/sa/gateway-proxy".into(),
                ends: "2026-12-01T00:00:00Z".into(),
                left: 80_000,
                is_of_the_mesh: Some(true),
            },
            envoy: EnvoySaid {
                namespace: "gloo-system".into(),
                pod: "gateway-proxy-7f8".into(),
                connected: Some(true),
                grown: Vec::new(),
                refused: Vec::new(),
            },
            has_cluster: None,
            metrics: Metrics::default(),
            forbidden: Vec::new(),
        }
    }

    fn of_row(row: &world::Row) -> Self {
        let mut stage = Self::in_order();
        for (which, patch) in &row.breaks {
            stage.change(which, patch);
        }
        stage
    }

    fn change(&mut self, which: &str, patch: &Value) {
        match which {
            "pods" => patch.as_str().unwrap().clone_into(&mut self.pods),
            "release" => world::merge(&mut self.release, patch),
            "certificate" => {
                self.certificate.left = patch["left"].as_i64().unwrap_or(self.certificate.left);
                self.certificate.is_of_the_mesh = patch["mesh"].as_bool().or(self.certificate.is_of_the_mesh);
            }
            "envoy" => {
                self.envoy.connected = patch["connected"].as_bool();
                self.envoy.refused = patch["refused"].as_str().map(str::to_owned).into_iter().collect();
                self.has_cluster = patch["hasCluster"].as_bool();
            }
            "metrics" => self.metrics = metrics::parse(patch.as_str().unwrap()),
            which => world::change(&mut self.objects, which, patch),
        }
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::new(Unknown::because("not asked for"));
        let slices = endpoint_slices(&self.objects);
        for kind in kinds() {
            let is_of_kind =
                |object: &&Value| object["kind"] == kind.kind && object["apiVersion"] == kind.api_version();
            let of_kind = self.objects.iter().chain(&slices).filter(is_of_kind);
            let answer = match self.forbidden.contains(&kind) {
                true => ListAnswer::Unknown(Unknown { why: format!("may not list {}", kind.plural), rule: None }),
                false => ListAnswer::Read(of_kind.map(|object| Object::new(kind, object.clone())).collect()),
            };
            snapshot.put(kind, ListPart::All, answer);
        }
        if let Some(has_cluster) = self.has_cluster {
            let pods = self.objects.iter().filter(|object| object["kind"] == "Pod");
            let pods = pods.map(|pod| Object::new(&all_kinds::POD, pod.clone()).reference);
            pods.for_each(|pod| snapshot.put_envoy(pod, Ok(has_cluster)));
        }
        snapshot
    }

    fn ran(&self) -> Vec<Ran> {
        let words: Vec<_> = CHECKS.iter().map(|check| check.word).collect();
        self.ran_only(&words)
    }

    fn ran_only(&self, words: &[&str]) -> Vec<Ran> {
        let snapshot = self.snapshot();
        let mut world = World::new(&snapshot, "gloo-system", Selector::parse(&self.pods).unwrap(), "a test");
        world.release = Beyond::Read(Release {
            name: "gloo-system/gloo".into(),
            revision: 7,
            values: self.release.clone(),
            chart: chart(),
        });
        world.certificates = Beyond::Read(vec![self.certificate.clone()]);
        world.envoys = Beyond::Read(vec![self.envoy.clone()]);
        world.metrics = Beyond::Read(self.metrics.clone());
        run(&world, CHECKS.iter().filter(|check| words.contains(&check.word)))
    }
}

#[test]
fn each_thing_that_is_broken_is_found_and_nothing_else() {
    let mut wrong = Vec::new();
    for row in world::chosen() {
        let findings: Vec<_> = Stage::of_row(&row).ran().into_iter().flat_map(|ran| ran.findings).collect();
        let line = |Finding { code, object, .. }: &Finding| {
            format!("{} {} {}/{}", code.id, object.kind.kind, object.namespace, object.name)
        };
        let found: Vec<_> = findings.iter().map(line).collect();
        if found != row.finds {
            wrong.push(format!("{}: wanted {:?}, found {findings:#?}", row.name, row.finds));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_outage_is_an_error_where_a_gateway_routes_there_and_a_warning_elsewhere() {
    let cart = "Upstream gloo-system/shop-cart-8080";
    let off = [
        ("VirtualService shop/shop", json!({"spec": {"virtualHost": {"routes": []}}})),
        ("UpstreamGroup shop/split", Value::Null),
    ];
    let at_zero = [("Deployment gloo-system/gateway-proxy", json!({"spec": {"replicas": 0}}))];
    for (code, break_it) in [
        (&codes::NO_SERVICE, (cart, json!({"spec": {"kube": {"servicePort": 81}}}))),
        (&codes::NOBODY_BEHIND, ("Pod shop/cart-6b9", Value::Null)),
    ] {
        for (others, severity) in [
            (&[][..], Some(Severity::Error)),
            (&off[..], Some(Severity::Warning)),
            // No pod takes requests there, which is another finding.
            (&at_zero[..], None),
        ] {
            let mut stage = Stage::in_order();
            for (which, patch) in others.iter().chain([&break_it]) {
                stage.change(which, patch);
            }
            let findings = stage.ran_only(&["mtls"]).into_iter().flat_map(|ran| ran.findings);
            let of_code: Vec<_> = findings.filter(|it| it.code == code).map(|it| it.severity).collect();
            assert_eq!(of_code, Vec::from_iter(severity), "{} {others:?}", code.id);
        }
    }
}

#[test]
fn what_gloos_status_says_about_a_route_or_a_domain_is_found_once() {
    let to_payments = json!({"single": {"upstream": {"name": "payments", "namespace": "gloo-system"}}});
    let routes = json!({"routes": [{"matchers": [{"prefix": "/other"}], "routeAction": to_payments}]});
    let domain = json!({"virtualHost": {"domains": ["shop.example"], "routes": []}});
    for (which, spec, own, state, of_status) in [
        ("RouteTable shop/more", routes, "GRS509", "Warning", "GRS502"),
        ("VirtualService shop/again", domain, "GRS510", "Rejected", "GRS501"),
    ] {
        let found = |state: &str| {
            let mut stage = Stage::in_order();
            let status = json!({"statuses": {"gloo-system": {"state": state, "reason": "r"}}});
            stage.change(which, &json!({"spec": spec, "status": status}));
            let findings = stage.ran().into_iter().flat_map(|ran| ran.findings);
            let of_it = |it: &Finding| {
                let ObjectRef { kind, namespace, name } = &it.object;
                format!("{} {namespace}/{name}", kind.kind) == which
            };
            findings.filter(of_it).map(|it| it.code.id).collect::<BTreeSet<_>>()
        };
        assert_eq!(found("Accepted"), BTreeSet::from([own]));
        assert_eq!(found(state), BTreeSet::from([of_status]));
    }
}

#[test]
fn a_finding_says_whether_requests_get_503s_now_or_later() {
    let mut stage = Stage::in_order();
    // An outage, what the next upgrade drops, and what could be better.
    stage.change("Pod shop/cart-6b9", &Value::Null);
    stage.change("NetworkPolicy gloo-system/gateway", &Value::Null);
    stage.change("release", &json!({"global": null}));
    let findings = stage.ran().into_iter().flat_map(|ran| ran.findings);
    let sections: BTreeSet<_> = findings.map(|it| (it.code.id, it.section.name(), it.severity.name())).collect();
    for wanted in
        [("GRS106", "brokenNow", "error"), ("GRS209", "couldBeBetter", "warning"), ("GRS304", "willBreak", "warning")]
    {
        assert!(sections.contains(&wanted), "{sections:?}");
    }
}

#[test]
fn where_there_are_several_control_planes_a_hint_says_which() {
    let hints = |code: &codes::FindingCode, has_second: bool| -> BTreeSet<Option<String>> {
        let of_row = |row: &world::Row| {
            let mut stage = Stage::of_row(row);
            if has_second {
                let labels = json!({"app": "istiod", "istio.io/rev": "1-27"});
                let metadata = json!({"name": "istiod-1-27", "namespace": "istio-system", "labels": labels});
                stage.objects.push(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}));
            }
            stage.ran().into_iter().flat_map(|ran| ran.findings).filter(|it| it.code == code).collect::<Vec<_>>()
        };
        let is_about = |row: &&world::Row| row.fires(code.id) == Some(true);
        world::rows()
            .iter()
            .filter(is_about)
            .flat_map(of_row)
            .map(|finding| finding.hint.map(|hint| hint.to_string()))
            .collect()
    };
    let inject = "gloo-rs istio inject --name gateway-proxy";
    let of_one = format!("{inject} --revision REVISION");
    let values = "gloo-rs upgrade-values --proxy gateway-proxy";
    for (code, one, two) in [
        (&codes::INJECTION_LOST, values, "gloo-rs upgrade-values --proxy gateway-proxy --revision 1-28"),
        (&codes::CLUSTER_WITHOUT_SIDECARS, inject, &of_one),
    ] {
        assert_eq!(hints(code, false), BTreeSet::from([Some(one.to_owned())]));
        assert_eq!(hints(code, true), BTreeSet::from([Some(two.to_owned())]));
    }
}

#[test]
fn every_code_is_found_somewhere_in_the_table_and_somewhere_it_is_not() {
    let rows = world::rows();
    for code in codes::ALL {
        let fires: BTreeSet<_> = rows.iter().filter_map(|row| row.fires(code.id)).collect();
        assert_eq!(fires, BTreeSet::from([true, false]), "{}", code.id);
    }
}

#[test]
fn every_code_belongs_to_a_check_that_declares_it() {
    let declared: BTreeSet<_> = CHECKS.iter().flat_map(|check| check.codes).map(|code| code.id).collect();
    assert_eq!(declared, codes::ALL.iter().map(|code| code.id).collect());
    for row in world::rows() {
        for ran in Stage::of_row(&row).ran() {
            for finding in ran.findings {
                assert!(ran.check.codes.contains(&finding.code), "{} of {}", finding.code.id, ran.check.title);
            }
        }
    }
}

#[test]
fn a_check_reads_the_kinds_that_it_declares_and_no_others() {
    let mut read: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for ran in world::rows().iter().flat_map(|row| Stage::of_row(row).ran()) {
        read.entry(ran.check.title).or_default().extend(ran.read.iter().map(ToString::to_string));
    }
    for check in CHECKS {
        let declared: BTreeSet<_> = check.kinds.iter().map(ToString::to_string).collect();
        assert_eq!(read[check.title], declared, "{}", check.title);
    }
}

#[test]
fn titles_and_words_are_unique() {
    let titles: BTreeSet<_> = CHECKS.iter().map(|check| check.title).collect();
    let words: BTreeSet<_> = CHECKS.iter().map(|check| check.word).collect();
    assert_eq!((titles.len(), words.len()), (CHECKS.len(), CHECKS.len()));
}

#[test]
fn a_kind_that_may_not_be_listed_makes_its_checks_unknown_and_finds_nothing_new() {
    for kind in kinds() {
        let stage = Stage { forbidden: vec![kind], ..Stage::in_order() };
        for ran in stage.ran() {
            let why = format!("may not list {}", kind.plural);
            let is_unknown = ran.unknown.iter().any(|unknown| unknown.why == why);
            assert_eq!(is_unknown, ran.read.contains(&kind), "{kind} and {}", ran.check.title);
            assert_eq!(ran.findings, [], "{kind} and {}", ran.check.title);
        }
    }
}
