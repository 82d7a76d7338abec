//! The rows of the report: the command, the programs to compare with, the number of runs, and the budgets.

use anyhow::Result;

use crate::bare;
use crate::budget::{Measured, Promise};
use crate::cluster::Cluster;
use crate::forwarded::Forwarded;
use crate::measure::{Cost, Program, Servers, typical};
use crate::report::{Other, Row, Work, load};
use crate::sizes::{Runs, Sizes};
use crate::stage::announce;
use crate::world::World;

pub struct Case {
    pub name: String,
    program: Program,
    floor: Option<Program>,
    peers: Vec<Program>,
    /// The number of Upstreams whose mutual TLS is disabled before each run.
    resets: Option<usize>,
    /// The arguments of the runs before the first one.
    after: Vec<Vec<String>>,
    /// The arguments of a run before each one.
    ahead: Option<Vec<String>>,
    /// The number of namespaces that must exist.
    namespaces: usize,
    runs: usize,
    promises: Vec<Promise>,
    work: Option<Work>,
}

/// The measurements of one program's runs.
#[derive(Default)]
struct Taken {
    costs: Vec<Cost>,
    servers: Vec<Servers>,
}

impl Case {
    pub fn new(name: &str, runs: usize, arguments: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            program: World::gloo_rs(arguments),
            floor: None,
            peers: Vec::new(),
            resets: None,
            after: Vec::new(),
            ahead: None,
            namespaces: 0,
            runs,
            promises: Vec::new(),
            work: None,
        }
    }

    pub fn beside(self, floor: Option<Program>) -> Self {
        Self { floor, ..self }
    }

    /// Adds programs that do the same, if they are on PATH.
    fn and(mut self, peers: &[(&str, &[&str])]) -> Self {
        self.peers.extend(peers.iter().filter_map(|(name, arguments)| Program::on_path(name, arguments)));
        self
    }

    fn promising(self, promises: &[Promise]) -> Self {
        Self { promises: promises.to_vec(), ..self }
    }

    /// Accepts exit code 3: findings are not a failure.
    fn finding(mut self) -> Self {
        self.program.codes.push(3);
        self
    }

    fn resetting(self, count: usize) -> Self {
        Self { resets: Some(count), ..self }
    }

    pub fn after(mut self, arguments: &[&str]) -> Self {
        self.after.push(owned(arguments));
        self
    }

    pub fn ahead(self, arguments: &[&str]) -> Self {
        Self { ahead: Some(owned(arguments)), ..self }
    }

    fn among(self, namespaces: usize) -> Self {
        Self { namespaces, ..self }
    }

    fn working(self, series: &'static str, amount: usize) -> Self {
        Self { work: Some(Work { series, amount }), ..self }
    }

    /// Creates what the row needs in the cluster.
    pub fn fill(&self, world: &World) -> Result<()> {
        world.fill_namespaces(self.namespaces)?;
        world.fill_upstreams(self.resets.unwrap_or_default())
    }

    /// Measures the row: one run to warm up and to count requests, then the floor, the command and its peers in turns.
    pub fn measure(&self, cluster: Cluster<'_>) -> Result<Row> {
        for arguments in &self.after {
            run(cluster, arguments)?;
        }
        let load = load();
        self.prepare(cluster)?;
        let before = cluster.requests()?;
        cluster.run(&self.program)?;
        let requests = cluster.requests()? - before;
        let floor = self.floor.as_ref().filter(|floor| self.works(floor, cluster));
        let peers = self.peers.iter().filter(|peer| self.works(peer, cluster));
        let contenders: Vec<_> = floor.into_iter().chain([&self.program]).chain(peers).collect();
        let mut results: Vec<_> = contenders.iter().map(|_| Taken::default()).collect();
        for _ in 0..self.runs {
            for (program, taken) in contenders.iter().zip(&mut results) {
                self.prepare(cluster)?;
                let before = cluster.servers();
                taken.costs.push(cluster.run(program)?);
                taken.servers.push(since(&before, &cluster.servers()));
            }
        }
        let mut others = contenders.iter().zip(&results).map(|(program, taken)| Other {
            name: program.name.clone(),
            cost: typical(&taken.costs),
            // Too coarse for runs of milliseconds. During a bulk run no other process is busy.
            servers: if self.resets > Some(1) { median(&taken.servers) } else { Servers::new() },
        });
        let floor = floor.and_then(|_| others.next());
        let Other { cost, servers, .. } = others.next().expect("the program itself is among them");
        let others = others.collect();
        let ratio = floor.as_ref().map(|floor| cost.wall_ms / floor.cost.wall_ms);
        let measured = Measured { cost, requests: Some(requests), ratio };
        let verdicts = self.promises.iter().filter_map(|promise| promise.verdict(&measured)).collect();
        let (name, runs, work) = (self.name.clone(), self.runs, self.work);
        Ok(Row { name, runs, load, cost, requests, floor, ratio, others, servers, verdicts, work })
    }
}

impl Case {
    /// Runs a program once to warm up. A program that fails here is left out, with a message.
    fn works(&self, other: &Program, cluster: Cluster<'_>) -> bool {
        let tried = self.prepare(cluster).and_then(|()| cluster.run(other));
        tried.inspect_err(|error| announce(&format!("left out: {error}"))).is_ok()
    }

    fn prepare(&self, cluster: Cluster<'_>) -> Result<()> {
        self.resets.map_or(Ok(()), |count| cluster.reset(count))?;
        self.ahead.as_ref().map_or(Ok(()), |arguments| run(cluster, arguments))
    }
}

/// Runs the program under test without measuring it.
fn run(cluster: Cluster<'_>, arguments: &[String]) -> Result<()> {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    cluster.run(&World::gloo_rs(&arguments)).map(drop)
}

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|argument| (*argument).to_owned()).collect()
}

fn since(before: &Servers, now: &Servers) -> Servers {
    now.iter().map(|(name, now)| (name.clone(), now - before.get(name).copied().unwrap_or_default())).collect()
}

fn median(runs: &[Servers]) -> Servers {
    let of = |name: &String| {
        let mut figures: Vec<_> = runs.iter().filter_map(|run| run.get(name).copied()).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    runs.first().into_iter().flatten().map(|(name, _)| (name.clone(), of(name))).collect()
}

/// All rows, in the order of the table.
pub fn all(world: &World, sizes: &Sizes) -> Result<Vec<Case>> {
    let mut cases = offline(world, sizes)?;
    cases.extend(single(world, sizes));
    for &count in &sizes.namespaces {
        cases.extend(survey(world, sizes, count));
    }
    cases.extend(world.forwarded.iter().map(|forward| dump(sizes, forward)));
    for &count in &sizes.sweeps {
        cases.push(sweep(world, sizes, count)?);
    }
    let most = sizes.sweeps.iter().max().copied().unwrap_or_default();
    let check = Case::new(&format!("check, {most} Upstreams"), sizes.runs.long, &["check"]).finding();
    cases.push(check.promising(&[Promise::PeakMib(64.0)]));
    Ok(cases)
}

/// Commands without a cluster.
fn offline(world: &World, sizes: &Sizes) -> Result<Vec<Case>> {
    let Runs { short, long, .. } = sizes.runs;
    let start = [Promise::WallMs(3.0)];
    let one = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/upstream.yaml");
    let enable = ["istio", "enable-mtls", "-u", "default-httpbin-8000", "-f", one];
    let mut cases = vec![
        Case::new("--version", short, &["--version"]).promising(&start).and(&[
            ("kubectl", &["version", "--client"]),
            ("istioctl", &["version", "--remote=false"]),
            ("helm", &["version"]),
            ("glooctl", &["version"]),
        ]),
        Case::new("--help", short, &["--help"]).promising(&start),
        Case::new("completion bash", short, &["completion", "bash"])
            .promising(&start)
            .and(&[("kubectl", &["completion", "bash"]), ("helm", &["completion", "bash"])]),
        Case::new("enable-mtls -f, 1 file", short, &enable).promising(&[Promise::WallMs(5.0)]),
    ];
    let runs = (0..short).map(|_| world.cluster().run(&World::gloo_rs(&enable)));
    let alone = typical(&runs.collect::<Result<Vec<_>>>()?).peak_mib;
    for &(upstreams, files) in &sizes.files {
        let folder = world.files(upstreams).display().to_string();
        let name = format!("enable-mtls --all -f, {upstreams} Upstreams in {files} files");
        let promises = match upstreams {
            10_000 => vec![Promise::WallMs(1000.0), Promise::PeakMib(alone + bytes_of_objects(upstreams))],
            // Their difference is smaller than that between two runs.
            _ => Vec::new(),
        };
        cases.push(
            Case::new(&name, long, &["istio", "enable-mtls", "--all", "-f", &folder])
                .promising(&promises)
                .working("files", upstreams),
        );
    }
    Ok(cases)
}

/// The size of the objects in MiB: 200 bytes each, and 1 KiB for the largest of these files.
#[expect(clippy::cast_precision_loss, reason = "some thousands")]
fn bytes_of_objects(count: usize) -> f64 {
    (200 * count + 1024) as f64 / f64::from(1 << 20)
}

/// Commands for one answer or one object, on the cluster.
fn single(world: &World, sizes: &Sizes) -> Vec<Case> {
    let runs = sizes.runs.short;
    let floor = || world.cluster().curl("/api/v1/namespaces/gloo-system/services/gateway-proxy");
    let (name, namespace) = (bare::name(0), bare::upstreams_namespace(1));
    let enable = ["istio", "enable-mtls", "-u", &name, "-n", &namespace];
    vec![
        Case::new("proxy url", runs, &["proxy", "url"])
            .beside(floor())
            .and(&[
                ("kubectl", &["get", "service", "gateway-proxy", "-n", "gloo-system", "-o", "json"]),
                ("glooctl", &["proxy", "url", "--name", "gateway-proxy"]),
            ])
            .promising(&[Promise::Requests(1), Promise::Floors(0.5), Promise::PeakMib(12.0)]),
        Case::new("proxy url, NodePort", runs, &["proxy", "url", "-n", &world.node_port])
            .beside(floor())
            .promising(&[Promise::Floors(1.5)]),
        Case::new("inject --dry-run", runs, &["istio", "inject", "--revision", "1-28", "--dry-run"]).beside(floor()),
        // The guard reads the routes as well.
        Case::new("enable-mtls, 1 Upstream, no sidecars at the gateway", runs, &enable)
            .beside(floor())
            .resetting(1)
            .promising(&[Promise::Requests(20)]),
        Case::new("enable-mtls, 1 Upstream", runs, &enable)
            .after(&["istio", "inject", "--revision", "1-28"])
            .beside(floor())
            .resetting(1)
            .and(&[
                ("kubectl", &["patch", "upstream", &name, "-n", &namespace, "--type=json", "-p", &world.patch]),
                ("glooctl", &["istio", "enable-mtls", "--upstream", &name, "-n", &namespace]),
            ])
            .promising(&[Promise::Requests(10), Promise::Floors(1.5)]),
        Case::new("enable-mtls, 1 Upstream, nothing to change", runs, &enable)
            .after(&enable)
            .beside(floor())
            .promising(&[Promise::Requests(10), Promise::Floors(1.0)]),
        Case::new("upgrade-values, a record of 4 MB", runs, &["upgrade-values", "--revision", "1-28"])
            .beside(world.cluster().curl("/api/v1/namespaces/gloo-system/secrets/sh.helm.release.v1.gloo.v3"))
            .and(&[("helm", &["get", "values", "gloo", "-n", "gloo-system"])]),
    ]
}

/// Commands that read all namespaces.
fn survey(world: &World, sizes: &Sizes, namespaces: usize) -> [Case; 2] {
    let case = |what: &str, series, arguments: &[&str]| {
        Case::new(&format!("{what}, {namespaces} namespaces"), sizes.runs.long, arguments)
            .beside(world.cluster().curl("/api/v1/namespaces"))
            .among(namespaces)
            .working(series, namespaces)
    };
    [
        case("istio revisions", "revisions", &["istio", "revisions"])
            .and(&[("kubectl", &["get", "namespaces", "-o", "json"]), ("istioctl", &["tag", "list"])]),
        case("check", "check", &["check"]).finding(),
    ]
}

fn dump(sizes: &Sizes, forward: &Forwarded) -> Case {
    let megabytes = forward.bytes / 1_000_000;
    let arguments = ["proxy", "dump", "-n", &forward.namespace];
    let mut case = Case::new(&format!("proxy dump, {megabytes} MB"), sizes.runs.long, &arguments)
        .beside(forward.curl())
        .working("dump", megabytes);
    case.peers.extend(forward.kubectl());
    case
}

fn sweep(world: &World, sizes: &Sizes, count: usize) -> Result<Case> {
    let namespace = bare::upstreams_namespace(count);
    let runs = if count > 1000 { sizes.runs.longest } else { sizes.runs.long };
    let arguments = ["istio", "enable-mtls", "--all", "--yes", "-n", &namespace];
    let mut promises = vec![Promise::PeakMib(32.0)];
    if count == 10_000 {
        // In a small run the time before the first PATCH dominates.
        promises.push(Promise::Floors(1.08));
    }
    Ok(Case::new(&format!("enable-mtls --all, sweep of {count}"), runs, &arguments)
        .beside(Some(world.bare_patches(count)?))
        .resetting(count)
        .promising(&promises)
        .working("sweep", count))
}
