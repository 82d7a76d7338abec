//! The mode that `peer-auth get` prints is the one that istiod sends to a sidecar, and the one that a request meets.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::bench::{Bench, HTTPBIN, PATIENCE, PEER_AUTHENTICATION, PORTS, Policy, bench, of_apps, of_httpbin, of_mesh};
use crate::stage::{pair::Sends, wait_for};

/// What a port of the sidecar accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Accepts {
    mtls: bool,
    plaintext: bool,
}

fn accepts(mode: &str) -> Accepts {
    Accepts { mtls: mode != "DISABLE", plaintext: mode != "STRICT" }
}

impl Bench {
    /// Waits until istiod has sent this to the sidecar.
    fn wait_until(&self, wanted: [Accepts; 2]) -> Result<()> {
        let now = || -> Result<Vec<Accepts>> {
            let of = |port: &u16| {
                let (mtls, plaintext) = self.sidecar.accepts(*port)?.context("a listener")?;
                Ok(Accepts { mtls, plaintext })
            };
            PORTS.iter().map(of).collect()
        };
        wait_for(&format!("the ports {PORTS:?} accept {wanted:?}"), PATIENCE, || Ok((now()? == wanted).then_some(())))
            .with_context(|| format!("{:?}", now()))
    }

    /// What requests of the gateway to a port show.
    fn asked(&self, port: u16) -> Result<Accepts> {
        let is_answered = |sends: &Sends| {
            self.sends(sends, port)?;
            Ok::<_, anyhow::Error>(self.status()? == 200)
        };
        Ok(Accepts { mtls: is_answered(&self.mtls)?, plaintext: is_answered(&Sends::Plaintext)? })
    }

    /// The modes that `peer-auth get` prints for the backend's ports.
    fn printed(&self) -> Result<[String; 2]> {
        let line = format!("istio peer-auth get -n {} --workload app=httpbin,version=v1", HTTPBIN.namespace);
        let document = self.json(&line)?;
        let modes = document["peerAuthentication"]["modes"].as_array().context("modes")?;
        let mode = |port: Value| modes.iter().find(|it| it["port"] == port).and_then(|it| it["mode"].as_str());
        let whole = mode(Value::Null).context("the mode of the workload")?;
        Ok(PORTS.map(|port| mode(json!(port)).unwrap_or(whole).to_owned()))
    }
}

fn mtls(mode: &str) -> Value {
    json!({"mtls": {"mode": mode}})
}

fn ports(mode: Option<&str>, ports: &[(&str, &str)]) -> Value {
    let mut spec = mode.map_or(json!({}), mtls);
    for (port, mode) in ports {
        spec["portLevelMtls"][port] = json!({"mode": mode});
    }
    spec
}

/// Policies, and the mode that they give to each of the [`PORTS`].
fn table() -> Vec<(Vec<Policy>, [&'static str; 2])> {
    let mesh = |spec| of_mesh("mesh", spec);
    let apps = |spec| of_apps("apps", spec);
    let httpbin = |spec| of_httpbin("httpbin", spec);
    let other = json!({"selector": {"matchLabels": {"app": "other"}}, "mtls": {"mode": "STRICT"}});
    let [strict, permissive, disable] = ["STRICT", "PERMISSIVE", "DISABLE"].map(|mode| [mode, mode]);
    vec![
        (vec![], permissive),
        (vec![mesh(mtls("STRICT"))], strict),
        (vec![mesh(mtls("DISABLE"))], disable),
        (vec![mesh(mtls("UNSET"))], permissive),
        (vec![mesh(json!({}))], permissive),
        (vec![mesh(mtls("STRICT")), apps(mtls("UNSET"))], strict),
        (vec![mesh(mtls("STRICT")), apps(mtls("PERMISSIVE"))], permissive),
        (vec![mesh(mtls("PERMISSIVE")), apps(mtls("STRICT"))], strict),
        (vec![apps(json!({"selector": {}, "mtls": {"mode": "STRICT"}}))], strict),
        (vec![apps(mtls("STRICT")), httpbin(mtls("DISABLE"))], disable),
        (vec![apps(mtls("STRICT")), httpbin(json!({}))], strict),
        (vec![mesh(mtls("STRICT")), httpbin(ports(Some("UNSET"), &[("8080", "DISABLE")]))], ["DISABLE", "STRICT"]),
        (vec![httpbin(ports(Some("STRICT"), &[("8080", "PERMISSIVE"), ("9090", "UNSET")]))], ["PERMISSIVE", "STRICT"]),
        (vec![httpbin(ports(None, &[("9090", "STRICT")]))], ["PERMISSIVE", "STRICT"]),
        // A port of the Service, which no container has.
        (vec![httpbin(ports(None, &[("8000", "STRICT")]))], permissive),
        (
            vec![apps(mtls("DISABLE")), httpbin(ports(Some("PERMISSIVE"), &[("8080", "STRICT")]))],
            ["STRICT", "PERMISSIVE"],
        ),
        // A selector in the root namespace selects nothing.
        (vec![Policy { namespace: mesh(json!({})).namespace, ..httpbin(mtls("STRICT")) }], permissive),
        (vec![apps(other)], permissive),
        // Of several at one level, the first by name of those that are equally old.
        (vec![of_httpbin("a", mtls("DISABLE")), of_httpbin("b", mtls("STRICT"))], disable),
        (vec![of_httpbin("a", json!({})), of_httpbin("b", mtls("STRICT"))], permissive),
        (vec![of_apps("a", mtls("STRICT")), of_apps("b", mtls("PERMISSIVE"))], strict),
        (vec![of_mesh("a", mtls("STRICT")), of_mesh("b", mtls("PERMISSIVE"))], strict),
    ]
}

#[test]
fn the_mode_that_is_printed_is_the_one_that_istiod_sends_and_that_requests_meet() -> Result<()> {
    let bench = bench()?;
    for (policies, wanted) in table() {
        let name = format!("{policies:?}");
        // Each port had another mode before, from a policy that is older and narrower than those of the row. So the
        // state that is read below cannot be the one before.
        let other = wanted.map(|mode| if mode == "STRICT" { "DISABLE" } else { "STRICT" });
        let before = of_httpbin("0-before", ports(None, &[("8080", other[0]), ("9090", other[1])]));
        bench.apply(PEER_AUTHENTICATION, &before)?;
        bench.wait_until(other.map(accepts)).with_context(|| format!("before {name}"))?;
        policies.iter().try_for_each(|policy| bench.apply(PEER_AUTHENTICATION, policy))?;
        bench.plane.api().delete(PEER_AUTHENTICATION, before.namespace, before.name)?;

        assert_eq!(bench.printed()?, wanted, "printed: {name}");
        bench.wait_until(wanted.map(accepts)).with_context(|| format!("sent: {name}"))?;
        for (port, mode) in PORTS.into_iter().zip(wanted) {
            assert_eq!(bench.asked(port)?, accepts(mode), "asked: {port} {name}");
        }
        for Policy { namespace, name, .. } in &policies {
            bench.plane.api().delete(PEER_AUTHENTICATION, namespace, name)?;
        }
    }
    Ok(())
}
