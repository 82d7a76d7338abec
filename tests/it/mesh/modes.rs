//! The mode that `peer-auth get` prints is the one that istiod sends to a sidecar, and the one that a request meets.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::stage::{
    Options, Plane, Sidecar, echo,
    istio::{self, Istiod, MeshSidecar, Workload},
    mesh::{Keys, validation},
    pair::{Endpoints, Pair, Sends},
    wait_for,
};
use crate::support::Sandbox;

const PATIENCE: Duration = Duration::from_mins(3);
const POLICY: &str = "security.istio.io/v1/PeerAuthentication";
const SHOP: &str = "shop";
const PORTS: [u16; 2] = [8080, 9090];
const WEB: Workload<'_> = Workload { namespace: SHOP, account: "web", labels: &[("app", "web")] };
const GATEWAY: Workload<'_> =
    Workload { namespace: "gloo-system", account: "gateway-proxy", labels: &[("app", "gateway-proxy")] };

/// What a port of the sidecar accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Accepts {
    mtls: bool,
    plaintext: bool,
}

fn accepts(mode: &str) -> Accepts {
    Accepts { mtls: mode != "DISABLE", plaintext: mode != "STRICT" }
}

/// What the filter chains of a listener accept.
fn of_listener(listener: &Value) -> Accepts {
    let chains = listener["filter_chains"].as_array().map_or(&[][..], Vec::as_slice);
    let requires = |chain: &Value| {
        chain["transport_socket"]["typed_config"]["require_client_certificate"].as_bool().unwrap_or_default()
    };
    Accepts { mtls: chains.iter().any(requires), plaintext: chains.iter().any(|chain| !requires(chain)) }
}

/// A mesh with a workload whose sidecar istiod configures, and a gateway with a certificate of istiod's authority.
struct Bench<'p> {
    plane: &'p Plane,
    sidecar: MeshSidecar,
    pair: Pair,
    mtls: Sends,
}

impl<'p> Bench<'p> {
    fn new(plane: &'p Plane, istiod: &Istiod<'p>) -> Result<Self> {
        for Workload { namespace, account, .. } in [WEB, GATEWAY] {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
            plane.api().apply(&namespace.to_string())?;
            let account = json!({
                "apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": {"name": account, "namespace": namespace["metadata"]["name"]},
            });
            plane.api().apply(&account.to_string())?;
        }
        let sidecar = istiod.sidecar(WEB, &PORTS, echo::start()?)?;
        let certificate = istiod.certificate(GATEWAY)?;
        let mtls =
            Sends::Istio { keys: Keys::new(&certificate.chain, &certificate.key), root: validation(&certificate.root) };
        Ok(Self { plane, sidecar, pair: Pair::start("web_gloo-system")?, mtls })
    }

    fn apply(&self, (namespace, name, spec): &(&str, &str, Value)) -> Result<()> {
        let policy = json!({
            "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec,
        });
        self.plane.api().apply(&policy.to_string())
    }

    /// Waits until istiod has sent this to the sidecar.
    fn wait_until(&self, wanted: [Accepts; 2]) -> Result<()> {
        let now = || -> Result<Vec<Accepts>> {
            PORTS.iter().map(|port| Ok(of_listener(&self.sidecar.listener(*port)?.context("a listener")?))).collect()
        };
        wait_for(&format!("the ports {PORTS:?} accept {wanted:?}"), PATIENCE, || Ok((now()? == wanted).then_some(())))
            .with_context(|| format!("{:?}", now()))
    }

    /// What requests of the gateway to a port show.
    fn asked(&self, port: u16) -> Result<Accepts> {
        let answered = |sends: &Sends| {
            self.pair.set(sends, Endpoints::At(self.sidecar.port(port)))?;
            let answer = self.pair.ask("/headers")?;
            ensure!(answer.status == 200 || answer.status == 503, "{answer:?}");
            anyhow::Ok(answer.status == 200)
        };
        Ok(Accepts { mtls: answered(&self.mtls)?, plaintext: answered(&Sends::Plaintext)? })
    }

    /// The modes that `peer-auth get` prints for the workload's ports.
    fn printed(&self) -> Result<[String; 2]> {
        let kubeconfig = self.plane.kubeconfig();
        let sandbox = Sandbox::new().env("KUBECONFIG", kubeconfig.to_str().context("UTF-8")?);
        let line = "istio peer-auth get -n shop --workload app=web -o json";
        let output = sandbox.run(&line.split(' ').collect::<Vec<_>>());
        let document: Value = serde_json::from_str(&output.stdout).with_context(|| format!("{output:#?}"))?;
        let modes = document["peerAuthentication"]["modes"].as_array().context("modes")?;
        let mode = |port: Value| modes.iter().find(|it| it["port"] == port).and_then(|it| it["mode"].as_str());
        let whole = mode(Value::Null).context("the mode of the workload")?;
        Ok(PORTS.map(|port| mode(json!(port)).unwrap_or(whole).to_owned()))
    }
}

/// The mode of every port of a policy, as far as a mode is given.
fn whole(mode: &str) -> Value {
    json!({"mtls": {"mode": mode}})
}

fn of_web(mode: Option<&str>, ports: &Value) -> Value {
    let mut spec = json!({"selector": {"matchLabels": {"app": "web"}}});
    if let Some(mode) = mode {
        spec["mtls"] = json!({"mode": mode});
    }
    if !ports.is_null() {
        spec["portLevelMtls"] = ports.clone();
    }
    spec
}

/// Policies (namespace, name, spec), and the mode that they give to each of the [`PORTS`].
fn table() -> Vec<(Vec<(&'static str, &'static str, Value)>, [&'static str; 2])> {
    let mesh = |spec| (istio::NAMESPACE, "mesh", spec);
    let namespace = |spec| (SHOP, "namespace", spec);
    let workload = |spec| (SHOP, "workload", spec);
    let (strict, permissive, disable, unset) =
        (|| whole("STRICT"), || whole("PERMISSIVE"), || whole("DISABLE"), || whole("UNSET"));
    let no_ports = Value::Null;
    let other = json!({"selector": {"matchLabels": {"app": "other"}}, "mtls": {"mode": "STRICT"}});
    let both = ["STRICT", "PERMISSIVE", "DISABLE"].map(|mode| [mode, mode]);
    let [all_strict, all_permissive, all_disable] = both;
    vec![
        (vec![], all_permissive),
        (vec![mesh(strict())], all_strict),
        (vec![mesh(disable())], all_disable),
        (vec![mesh(unset())], all_permissive),
        (vec![mesh(json!({}))], all_permissive),
        (vec![mesh(strict()), namespace(unset())], all_strict),
        (vec![mesh(strict()), namespace(permissive())], all_permissive),
        (vec![mesh(permissive()), namespace(strict())], all_strict),
        (vec![namespace(json!({"selector": {}, "mtls": {"mode": "STRICT"}}))], all_strict),
        (vec![namespace(strict()), workload(of_web(Some("DISABLE"), &no_ports))], all_disable),
        (vec![namespace(strict()), workload(of_web(None, &no_ports))], all_strict),
        (
            vec![mesh(strict()), workload(of_web(Some("UNSET"), &json!({"8080": {"mode": "DISABLE"}})))],
            ["DISABLE", "STRICT"],
        ),
        (
            vec![workload(of_web(Some("STRICT"), &json!({"8080": {"mode": "PERMISSIVE"}, "9090": {"mode": "UNSET"}})))],
            ["PERMISSIVE", "STRICT"],
        ),
        (vec![workload(of_web(None, &json!({"9090": {"mode": "STRICT"}})))], ["PERMISSIVE", "STRICT"]),
        // A port of the Service, which no container has.
        (vec![workload(of_web(None, &json!({"8000": {"mode": "STRICT"}})))], all_permissive),
        (
            vec![namespace(disable()), workload(of_web(Some("PERMISSIVE"), &json!({"8080": {"mode": "STRICT"}})))],
            ["STRICT", "PERMISSIVE"],
        ),
        // A selector in the root namespace selects nothing.
        (vec![(istio::NAMESPACE, "web", of_web(Some("STRICT"), &no_ports))], all_permissive),
        (vec![(SHOP, "other", other)], all_permissive),
        // Of several at one level, the first by name of those that are equally old.
        (
            vec![(SHOP, "a", of_web(Some("DISABLE"), &no_ports)), (SHOP, "b", of_web(Some("STRICT"), &no_ports))],
            all_disable,
        ),
        (vec![(SHOP, "a", of_web(None, &no_ports)), (SHOP, "b", of_web(Some("STRICT"), &no_ports))], all_permissive),
        (vec![(SHOP, "a", strict()), (SHOP, "b", permissive())], all_strict),
        (vec![(istio::NAMESPACE, "a", strict()), (istio::NAMESPACE, "b", permissive())], all_strict),
    ]
}

/// A policy of the workload that gives each port another mode than this one. It is the oldest, so what it sets is seen
/// until it is deleted: the state before a row never looks like the one after it.
fn before(wanted: [&str; 2]) -> Value {
    let other = wanted.map(|mode| json!({"mode": if mode == "STRICT" { "DISABLE" } else { "STRICT" }}));
    let [first, second] = other;
    of_web(None, &json!({"8080": first, "9090": second}))
}

#[test]
fn the_mode_that_is_printed_is_the_one_that_istiod_sends_and_that_requests_meet() -> Result<()> {
    let plane = Plane::start(&Options::default())?;
    Istiod::install_definitions(&plane)?;
    let istiod = Istiod::install(&plane, "1-28", "1.28.3", Sidecar::Native)?;
    let bench = Bench::new(&plane, &istiod)?;
    for (policies, wanted) in table() {
        let name = format!("{policies:?}");
        let reset = (SHOP, "0-before", before(wanted));
        bench.apply(&reset)?;
        let differs = |mode: &str| accepts(if mode == "STRICT" { "DISABLE" } else { "STRICT" });
        bench.wait_until(wanted.map(differs)).with_context(|| format!("before {name}"))?;
        policies.iter().try_for_each(|policy| bench.apply(policy))?;
        plane.api().delete(POLICY, SHOP, "0-before")?;

        assert_eq!(bench.printed()?, wanted, "printed: {name}");
        bench.wait_until(wanted.map(accepts)).with_context(|| format!("sent: {name}"))?;
        for (port, mode) in PORTS.into_iter().zip(wanted) {
            assert_eq!(bench.asked(port)?, accepts(mode), "asked: {port} {name}");
        }
        for (namespace, policy, _) in &policies {
            plane.api().delete(POLICY, namespace, policy)?;
        }
    }
    Ok(())
}
