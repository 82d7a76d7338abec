//! `--batch` and `--observe`: changes that are made batch by batch, watched through Envoy's counters under real load, and
//! rolled back if requests become worse.

mod batches;
mod ends;
mod migrate;
mod policies;

use std::sync::OnceLock;

use serde_json::Value;

use crate::stage::load::Sent;
use crate::stage::many::{Backend, Gateways, LABEL};
use crate::stage::{Options, Plane};
use crate::support::{Output, Sandbox};

const UPSTREAM: &str = "gloo.solo.io/v1/Upstream";
const MARK: &str = "gloo-rs/not-observed";

/// A Gloo whose gateways serve many Upstreams.
struct Many<'p> {
    plane: &'p Plane,
    gloo: String,
    /// The namespace of the backends.
    apps: String,
    gateways: Gateways,
    sandbox: Sandbox,
}

impl Many<'static> {
    fn start(prefix: &str, upstreams: &[(&str, Backend)]) -> anyhow::Result<Self> {
        Self::on(own_plane(), prefix, upstreams)
    }
}

/// A plane of these tests. On the shared one, the gateways of all other tests would be watched too.
fn own_plane() -> &'static Plane {
    static OWN: OnceLock<Result<Plane, String>> = OnceLock::new();
    let plane = OWN.get_or_init(|| {
        let start = || {
            let plane = Plane::start(&Options::default())?;
            plane.install_guide()?;
            anyhow::Ok(plane)
        };
        start().map_err(|error| format!("{error:#}"))
    });
    plane.as_ref().unwrap_or_else(|error| panic!("the plane did not start: {error}"))
}

impl<'p> Many<'p> {
    fn on(plane: &'p Plane, prefix: &str, upstreams: &[(&str, Backend)]) -> anyhow::Result<Self> {
        let (gloo, apps) = (plane.install_gloo(prefix)?, plane.namespace(&format!("{prefix}-apps"))?);
        let gateways = Gateways::start(plane, &gloo, &apps, upstreams)?;
        let sandbox = Sandbox::new().env("KUBECONFIG", plane.kubeconfig_of("admin").to_str().expect("it is UTF-8"));
        Ok(Self { plane, gloo, apps, gateways, sandbox })
    }

    /// `istio ARGS` for all of them, whatever the guard says.
    fn run(&self, args: &[&str]) -> Output {
        self.sandbox.run(&self.words(args))
    }

    fn words<'w>(&'w self, args: &[&'w str]) -> Vec<&'w str> {
        [&["istio"], args, &["-l", LABEL, "-n", &self.gloo, "--force", "--yes"]].concat()
    }

    /// The names with Istio's TLS, and those with the mark of a change that was not observed.
    fn state(&self) -> anyhow::Result<(Vec<String>, Vec<String>)> {
        let all = self.plane.api().list(UPSTREAM, &self.gloo)?;
        let named = |so: &dyn Fn(&Value) -> bool| {
            let names = all.iter().filter(|it| so(it)).filter_map(|it| it["metadata"]["name"].as_str());
            let mut names: Vec<_> = names.filter(|name| name.starts_with('u')).map(str::to_owned).collect();
            names.sort_unstable();
            names
        };
        let has_tls = |it: &Value| !it["spec"]["sslConfig"].is_null();
        Ok((named(&has_tls), named(&|it| !it["metadata"]["annotations"][MARK].is_null())))
    }
}

/// How each batch of a document ended.
fn outcomes(document: &Value) -> Vec<&str> {
    let batches = document["batches"].as_array().into_iter().flatten();
    batches.filter_map(|batch| batch["outcome"].as_str()).collect()
}

/// The document on stdout.
fn document(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// The answers other than 200 to requests for an Upstream, and the number of all.
fn failed<'s>(log: &'s [Sent], upstream: &str) -> (Vec<&'s Sent>, usize) {
    let of_it: Vec<_> = log.iter().filter(|sent| sent.upstream == upstream).collect();
    let all = of_it.len();
    (of_it.into_iter().filter(|sent| sent.status != 200).collect(), all)
}
