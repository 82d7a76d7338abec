//! The rows: what is run, beside what, how often, and what was promised of it.

use anyhow::Result;

use crate::bare;
use crate::budget::{Measured, Promise};
use crate::measure::{Program, typical};
use crate::report::{Other, Row, Work};
use crate::world::{World, upstreams_namespace};

/// How much of everything there is.
pub struct Sizes {
    /// Upstreams of each sweep.
    pub sweeps: Vec<usize>,
    /// Upstreams, and in how many files.
    pub files: Vec<(usize, usize)>,
    pub namespaces: usize,
    runs: Runs,
}

struct Runs {
    short: usize,
    long: usize,
}

impl Sizes {
    pub fn full() -> Self {
        Self {
            sweeps: vec![100, 1000, 10_000],
            files: vec![(1000, 400), (4000, 1600), (10_000, 4000)],
            namespaces: 1000,
            runs: Runs { short: 21, long: 5 },
        }
    }

    pub fn quick() -> Self {
        Self {
            sweeps: vec![10, 50, 100],
            files: vec![(10, 4), (50, 20), (100, 40)],
            namespaces: 10,
            runs: Runs { short: 3, long: 1 },
        }
    }
}

pub struct Case {
    pub name: String,
    program: Program,
    floor: Option<Program>,
    peers: Vec<Program>,
    /// The Upstreams, by their count, that lose mutual TLS before each run.
    resets: Option<usize>,
    runs: usize,
    promises: Vec<Promise>,
    work: Option<Work>,
}

impl Case {
    fn new(name: &str, runs: usize, arguments: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            program: World::gloo_rs(arguments),
            floor: None,
            peers: Vec::new(),
            resets: None,
            runs,
            promises: Vec::new(),
            work: None,
        }
    }

    fn beside(self, floor: Option<Program>) -> Self {
        Self { floor, ..self }
    }

    /// Programs that do the same, where they are on PATH.
    fn and(mut self, peers: &[(&str, &[&str])]) -> Self {
        self.peers = peers.iter().filter_map(|(name, arguments)| Program::on_path(name, arguments)).collect();
        self
    }

    fn promising(self, promises: &[Promise]) -> Self {
        Self { promises: promises.to_vec(), ..self }
    }

    /// What it finds is no failure.
    fn finding(mut self) -> Self {
        self.program.codes.push(3);
        self
    }

    fn resetting(self, count: usize) -> Self {
        Self { resets: Some(count), ..self }
    }

    fn working(self, series: &'static str, amount: usize) -> Self {
        Self { work: Some(Work { series, amount }), ..self }
    }

    /// Once to warm up and to count requests; then the floor, the command and its peers in turns.
    pub fn measure(&self, world: &World) -> Result<Row> {
        let run = |program: &Program| {
            self.resets.map_or(Ok(()), |count| world.reset(count))?;
            program.run(world.home(), &world.plane.kubeconfig())
        };
        let before = world.requests()?;
        run(&self.program)?;
        let requests = world.requests()? - before;
        let contenders: Vec<_> = std::iter::once(&self.program).chain(&self.floor).chain(&self.peers).collect();
        let mut costs = vec![Vec::new(); contenders.len()];
        for _ in 0..self.runs {
            for (program, costs) in contenders.iter().zip(&mut costs) {
                costs.push(run(program)?);
            }
        }
        let mut typical = costs.iter().map(|costs| typical(costs));
        let cost = typical.next().expect("the program itself comes first");
        let mut others: Vec<_> =
            contenders[1..].iter().zip(typical).map(|(program, cost)| Other::new(&program.name, cost)).collect();
        let floor = self.floor.is_some().then(|| others.remove(0));
        let ratio = floor.as_ref().map(|floor| cost.wall_ms / floor.cost.wall_ms);
        let measured = Measured { cost, requests: Some(requests), ratio };
        let verdicts = self.promises.iter().filter_map(|promise| promise.verdict(&measured)).collect();
        Ok(Row {
            name: self.name.clone(),
            runs: self.runs,
            cost,
            requests,
            floor,
            ratio,
            others,
            verdicts,
            work: self.work,
        })
    }
}

/// All rows, in the order of the table.
pub fn all(world: &World, sizes: &Sizes) -> Result<Vec<Case>> {
    let mut cases = offline(world, sizes)?;
    cases.extend(single(world, sizes));
    for &count in &sizes.sweeps {
        cases.push(sweep(world, sizes, count)?);
    }
    Ok(cases)
}

/// Without a cluster.
fn offline(world: &World, sizes: &Sizes) -> Result<Vec<Case>> {
    let Runs { short, long } = sizes.runs;
    let start = [Promise::WallMs(5.0)];
    let one = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/upstream.yaml");
    let enable = ["istio", "enable-mtls", "-u", "default-httpbin-8000", "-f", one];
    let mut cases = vec![
        Case::new("--version", short, &["--version"]).promising(&start).and(&[
            ("kubectl", &["version", "--client"]),
            ("istioctl", &["version", "--remote=false"]),
            ("helm", &["version"]),
            ("glooctl", &["--version"]),
        ]),
        Case::new("--help", short, &["--help"]).promising(&start),
        Case::new("completion bash", short, &["completion", "bash"])
            .promising(&start)
            .and(&[("kubectl", &["completion", "bash"]), ("helm", &["completion", "bash"])]),
        Case::new("enable-mtls -f, 1 file", short, &enable).promising(&[Promise::WallMs(10.0)]),
    ];
    let alone = World::gloo_rs(&enable).run(world.home(), &world.plane.kubeconfig())?.peak_mib;
    for &(upstreams, files) in &sizes.files {
        let folder = world.files(upstreams).display().to_string();
        let name = format!("enable-mtls --all -f, {upstreams} Upstreams in {files} files");
        let mut promises = vec![Promise::PeakMib(alone + bytes_of_objects(upstreams))];
        if upstreams == 10_000 {
            promises.push(Promise::WallMs(2000.0));
        }
        cases.push(
            Case::new(&name, long, &["istio", "enable-mtls", "--all", "-f", &folder])
                .promising(&promises)
                .working("files", upstreams),
        );
    }
    Ok(cases)
}

/// 200 bytes each, in MiB, and 1 KiB for the largest of these files.
#[expect(clippy::cast_precision_loss, reason = "some thousands")]
fn bytes_of_objects(count: usize) -> f64 {
    (200 * count + 1024) as f64 / f64::from(1 << 20)
}

/// One answer or one object, on the cluster.
fn single(world: &World, sizes: &Sizes) -> Vec<Case> {
    let runs = sizes.runs.short;
    let floor = || world.curl("/api/v1/namespaces/gloo-system/services/gateway-proxy");
    let (name, namespace) = (bare::name(0), upstreams_namespace(1));
    let many = |what: &str| format!("{what}, {} namespaces", sizes.namespaces);
    vec![
        Case::new("proxy url", runs, &["proxy", "url"])
            .beside(floor())
            .and(&[
                ("kubectl", &["get", "service", "gateway-proxy", "-n", "gloo-system", "-o", "json"]),
                ("glooctl", &["proxy", "url"]),
            ])
            .promising(&[Promise::Requests(1), Promise::Floors(0.6), Promise::PeakMib(15.0)]),
        Case::new("enable-mtls, 1 Upstream", runs, &["istio", "enable-mtls", "-u", &name, "-n", &namespace])
            .beside(floor())
            .resetting(1)
            .and(&[
                ("kubectl", &["patch", "upstream", &name, "-n", &namespace, "--type=json", "-p", &world.patch]),
                ("glooctl", &["istio", "enable-mtls", "--upstream", &name, "-n", &namespace]),
            ])
            .promising(&[Promise::Requests(7), Promise::Floors(1.5)]),
        Case::new("inject --dry-run", runs, &["istio", "inject", "--revision", "1-28", "--dry-run"]).beside(floor()),
        Case::new("upgrade-values, a record of 4 MB", runs, &["upgrade-values", "--revision", "1-28"])
            .beside(world.curl("/api/v1/namespaces/gloo-system/secrets/sh.helm.release.v1.gloo.v3"))
            .and(&[("helm", &["get", "values", "gloo", "-n", "gloo-system"])]),
        Case::new(&many("istio revisions"), runs, &["istio", "revisions"])
            .beside(world.curl("/api/v1/namespaces"))
            .and(&[("kubectl", &["get", "namespaces", "-o", "json"]), ("istioctl", &["tag", "list"])]),
        Case::new(&many("check"), runs, &["check"]).beside(world.curl("/api/v1/namespaces")).finding(),
    ]
}

fn sweep(world: &World, sizes: &Sizes, count: usize) -> Result<Case> {
    let namespace = upstreams_namespace(count);
    let runs = if count > 1000 { 3 } else { sizes.runs.long };
    let arguments = ["istio", "enable-mtls", "--all", "--yes", "-n", &namespace];
    Ok(Case::new(&format!("enable-mtls --all, sweep of {count}"), runs.min(sizes.runs.long), &arguments)
        .beside(Some(world.bare_patches(count)?))
        .resetting(count)
        .promising(&[Promise::Floors(1.15), Promise::PeakMib(64.0)])
        .working("sweep", count))
}
