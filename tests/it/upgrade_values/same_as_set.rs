//! Random values: our merged file is to Helm what the original with `--set` is, and taking out gives the original back,
//! without maps that were empty before.

use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::TestRunner;

use super::{enterprise, open_source};
use crate::stage;
use crate::support::Sandbox;

/// Values with scalars in every spelling that a reader may take for something else.
const SCALARS: [&str; 28] = [
    "1e3",
    "0777",
    "0o17",
    "0x1f",
    "\"yes\"",
    "yes",
    "off",
    "1.10",
    "1_000",
    "12:30:45",
    "2001-01-01",
    "~",
    "null",
    "{}",
    "[]",
    "9007199254740993",
    "123456789012345678901234567890",
    "-0.0",
    "1e100",
    "'it''s'",
    "plain words",
    "|\n    a\n     b\n",
    ">-\n    c\n    d\n",
    "[1, \"2\", {a: b}]",
    "{x: 1, y: {z: off}}",
    "\"\\u00e4\\n\"",
    "!!str 12",
    ".5",
];

/// Under `global`, none of them Istio's.
const GLOBALS: [&str; 8] = [
    "",
    "global:\n",
    "global: null # gone\n",
    "global: {}\n",
    "global:\n  image:\n    tag: 1.17.7 # ours\n",
    "global: {image: {pullSecret: x}}\n",
    "global: {istioIntegration: {}} # none yet\n",
    "global:\n  istioIntegration: {}\n  glooMtls: {istioProxy: { }, sds: {logLevel: info}}\n",
];

/// Under `global`, with what somebody said of Istio.
const GLOBALS_WITH_ISTIO: [&str; 3] = [
    "global:\n  istioIntegration:\n    enabled: false\n    enableAutoMtls: false\n",
    "global: {istioIntegration: {enabled: true}, istioSDS: {enabled: false}}\n",
    "global:\n  istioIntegration: {enableAutoMtls: true} # asked for\n",
];

/// A gateway proxy's own values, the name before them.
const PROXIES: [&str; 6] = [
    " {}\n",
    " {kind: {deployment: {replicas: 2}}}\n",
    "\n    podTemplate:\n      httpPort: 8081\n",
    "\n    # below\n    kind:\n      deployment: { replicas: 3 }\n",
    " # noted\n    istioMetaMeshId: before # stays unless typed\n",
    "\n    istioDiscoveryAddress: istiod-1-27.istio-system.svc:15012\n    kind: {}\n",
];

#[derive(Debug, Clone)]
struct Case {
    text: String,
    /// The same without a null that something is set below: Helm's `--set` cannot go through one.
    settable: String,
    is_enterprise: bool,
    /// Whether nothing in it is Istio's.
    is_clean: bool,
    /// Whether Istio's settings may go into something that is empty.
    is_filled: bool,
    /// What is typed.
    flags: Vec<String>,
    /// What Helm is told by `--set`.
    set: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Flag {
    AutoMtls,
    NoAutoMtls,
    Sds,
    MeshId,
    ClusterId,
    OneProxy,
    Mirror,
}

fn cases(is_enterprise: bool) -> impl Strategy<Value = Case> {
    let lines = prop::collection::btree_map("k[a-z]{1,6}", select(SCALARS.to_vec()), 0..8);
    let global = prop_oneof![4 => select(GLOBALS.to_vec()), 1 => select(GLOBALS_WITH_ISTIO.to_vec())];
    let keys = subsequence(vec!["gatewayProxy", "publicGw", "internal_gw"], 0..=3);
    let proxies =
        prop::collection::vec(prop_oneof![4 => select(PROXIES[..4].to_vec()), 1 => select(PROXIES[4..].to_vec())], 3);
    let flags = subsequence(
        vec![Flag::AutoMtls, Flag::NoAutoMtls, Flag::Sds, Flag::MeshId, Flag::ClusterId, Flag::OneProxy, Flag::Mirror],
        0..=7,
    );
    (lines, global, keys, proxies, flags, any::<bool>()).prop_map(
        move |(lines, global, keys, proxies, flags, first)| {
            let lines: Vec<_> = lines.iter().map(|(key, value)| format!("{key}: {}\n", value.trim_end())).collect();
            let owned: Vec<_> = keys.iter().zip(&proxies).map(|(key, own)| format!("  {key}:{own}")).collect();
            let mut gateways =
                if keys.is_empty() { String::new() } else { format!("gatewayProxies:\n{}", owned.concat()) };
            if is_enterprise && !gateways.is_empty() {
                let inner: Vec<_> = gateways.lines().map(|line| format!("  {line}\n")).collect();
                gateways = format!("gloo:\n{}", inner.concat());
            }
            let shape = format!("{global}{gateways}");
            let lines = format!("keep: 1\n{}", lines.concat());
            let text = if first { format!("{shape}{lines}") } else { format!("{lines}{shape}") };
            let is_clean = !GLOBALS_WITH_ISTIO.contains(&global)
                && !proxies[..keys.len()].iter().any(|own| PROXIES[4..].contains(own));
            let (flags, set) = wanted(global, &keys, &flags, is_enterprise);
            let is_null = ["global:\n", "global: null # gone\n"].contains(&global);
            let settable = if is_null { text.replacen(global, "", 1) } else { text.clone() };
            let is_filled = is_null || ["{}", "{ }"].iter().any(|nothing| shape.contains(nothing));
            Case { text, settable, is_enterprise, is_clean, is_filled, flags, set }
        },
    )
}

/// The flags as they are typed, and the same in Helm's words.
fn wanted(global: &str, keys: &[&str], flags: &[Flag], is_enterprise: bool) -> (Vec<String>, String) {
    let has = |flag| flags.contains(&flag);
    let image =
        if has(Flag::Mirror) { "mirror.example/hub/pilot-proxy:1.29.0" } else { "docker.io/istio/proxyv2:1.28.3" };
    let mut typed = vec!["--istio-discovery-address", "istiod.x.svc:15012", "--istio-proxy-image", image];
    let mut set = vec!["global.istioIntegration.enabled=true".to_owned()];
    let mirror = ["registry=mirror.example/hub", "repository=pilot-proxy", "tag=1.29.0"];
    let parts = if has(Flag::Mirror) { &mirror[..] } else { &["tag=1.28.3"] };
    set.extend(parts.iter().map(|part| format!("global.glooMtls.istioProxy.image.{part}")));
    let mut proxy = vec!["istioDiscoveryAddress=istiod.x.svc:15012"];
    if has(Flag::Sds) {
        typed.push("--sds");
        set.push("global.istioSDS.enabled=true".to_owned());
    }
    if has(Flag::MeshId) {
        typed.extend(["--istio-meta-mesh-id", "mesh-of-ours"]);
        proxy.push("istioMetaMeshId=mesh-of-ours");
    }
    if has(Flag::ClusterId) {
        typed.extend(["--istio-meta-cluster-id", "edge"]);
        proxy.push("istioMetaClusterId=edge");
    }
    // The last of the two that was typed.
    let auto_mtls = match (has(Flag::AutoMtls), has(Flag::NoAutoMtls)) {
        (true, false) => Some("--auto-mtls"),
        (_, true) => Some("--no-auto-mtls"),
        (false, false) => None,
    };
    typed.extend(auto_mtls);
    match auto_mtls {
        None if global.contains("enableAutoMtls") => {}
        flag => set.push(format!("global.istioIntegration.enableAutoMtls={}", flag != Some("--no-auto-mtls"))),
    }
    let one = keys.last().copied().unwrap_or("gatewayProxy");
    let mut selected: Vec<_> = ["gatewayProxy"].into_iter().chain(keys.iter().copied()).collect();
    if has(Flag::OneProxy) {
        typed.extend(["--proxy", one]);
        selected = vec![one];
    }
    let gateways = if is_enterprise { "gloo.gatewayProxies" } else { "gatewayProxies" };
    set.extend(selected.iter().flat_map(|key| proxy.iter().map(move |part| format!("{gateways}.{key}.{part}"))));
    typed.extend(["--edition", if is_enterprise { "enterprise" } else { "oss" }]);
    (typed.into_iter().map(str::to_owned).collect(), set.join(","))
}

struct Bench {
    sandbox: Sandbox,
    chart: PathBuf,
}

impl Bench {
    fn new(chart: impl FnOnce(&Sandbox) -> PathBuf) -> Self {
        let sandbox = Sandbox::new();
        Self { chart: chart(&sandbox), sandbox }
    }

    fn template(&self, helm: &Path, args: &[&str]) -> String {
        let mut command = Command::new(helm);
        command.args(["template", "gloo"]).arg(&self.chart).args(args).current_dir(self.sandbox.dir());
        let output = command.env_clear().env("HOME", self.sandbox.dir()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn holds(&self, helm: &Path, case: &Case) -> Result<(), TestCaseError> {
        let Case { text, flags, set, .. } = case;
        self.sandbox.write("values.yaml", text);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let merged = self.sandbox.run(&[&["upgrade-values", "--values", "values.yaml"], &flags[..]].concat());
        prop_assert_eq!(merged.code, Some(0), "{}\n{}", text, merged.stderr);
        self.sandbox.write("merged.yaml", &merged.stdout);
        self.sandbox.write("settable.yaml", &case.settable);
        let ours = self.template(helm, &["-f", "merged.yaml"]);
        prop_assert_eq!(ours, self.template(helm, &["-f", "settable.yaml", "--set", set]), "{}", merged.stdout);
        if case.is_clean {
            let edition = if case.is_enterprise { "enterprise" } else { "oss" };
            let removed =
                self.sandbox.run(&["upgrade-values", "--values", "merged.yaml", "--remove", "--edition", edition]);
            // One that was turned off by a flag is somebody's word.
            if !flags.contains(&"--no-auto-mtls") {
                if !case.is_filled {
                    prop_assert_eq!(&removed.stdout, text, "{}", merged.stdout);
                }
                self.sandbox.write("removed.yaml", &removed.stdout);
                let before = self.template(helm, &["-f", "settable.yaml"]);
                prop_assert_eq!(self.template(helm, &["-f", "removed.yaml"]), before, "{}", removed.stdout);
            }
        }
        Ok(())
    }
}

fn run(helm: &Path, bench: &Bench, is_enterprise: bool) {
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) });
    let result = runner.run(&cases(is_enterprise), |case| bench.holds(helm, &case));
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn helm_3_makes_of_the_merged_file_what_it_makes_of_the_original_and_set() {
    run(stage::helm(), &Bench::new(|_| open_source()), false);
}

#[test]
fn helm_4_makes_of_enterprise_values_what_it_makes_of_the_original_and_set() {
    run(stage::helm_4(), &Bench::new(|sandbox| enterprise(sandbox).unwrap()), true);
}
