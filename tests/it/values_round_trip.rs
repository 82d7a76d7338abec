//! Random values in random homes: what `upgrade-values` adds, `--remove` removes, byte for byte. The exceptions are those
//! that `docs/gitops.md` names, and no others.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::TestRunner;

use crate::support::Sandbox;

const ADDRESS: [&str; 2] = ["--istio-discovery-address", "a.b.svc:15012"];

/// Lines below `global`, none of them Istio's.
const GLOBALS: [&str; 3] =
    ["", "global:\n  image:\n    tag: 1.17.7 # ours\n", "global: {image: {pullSecret: x}} # one line\n"];
/// Proxies with values of their own.
const PROXIES: [&str; 4] = [
    "",
    "gatewayProxies:\n  # the only one\n  gatewayProxy:\n    podTemplate: {httpPort: 8081}\n",
    "gatewayProxies:\n    gatewayProxy: {kind: {deployment: {replicas: 2}}}\n    publicGw:\n        service: {type: LoadBalancer} # public\n",
    "gatewayProxies: {gatewayProxy: {podTemplate: {httpPort: 8081}}}\n",
];
const OTHERS: [&str; 4] =
    ["# ours\n\n", "octal: 0777 # kept\n", "text: |\n  a\n   b\n\n", "base: &b {x: 1}\nuse: *b\n"];
/// What is removed with its key, and what is left of it then.
const LOST: [(&str, &str); 8] = [
    ("global: {}\n", ""),
    ("global: # nothing\n", ""),
    ("global: null\n", ""),
    ("global:\n  istioIntegration: {} # none\n  x: 1\n", "global:\n  x: 1\n"),
    ("global:\n  x: 1\n  istioIntegration:\n    enabled: false\n", "global:\n  x: 1\n"),
    ("gatewayProxies: {}\n", ""),
    ("gatewayProxies:\n  gatewayProxy: {}\n", ""),
    ("gatewayProxies:\n  gatewayProxy: {}\n  x: {disabled: true}\n", "gatewayProxies:\n  x: {disabled: true}\n"),
];

const ARGO: &str = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: gloo} # app\nspec:\n  source:\n    chart: gloo\n    helm:\n";
const SET: &str = "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: gloo}\nspec:\n  generators: [{clusters: {}}]\n  template:\n    metadata: {name: 'gloo-{{.name}}'}\n    spec:\n      source:\n        chart: gloo\n        helm:\n";
const FLUX: &str = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: gloo, namespace: gloo-system}\nspec:\n  chart: {spec: {chart: gloo}}\n";
const OPERATOR: &str =
    "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata: {name: gloo}\nspec:\n  chart: {name: gloo}\n";
const K3S: &str = "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {name: gloo}\nspec:\n  chart: gloo\n";
const CONFIG: &str = "apiVersion: helm.cattle.io/v1\nkind: HelmChartConfig\nmetadata: {name: gloo}\nspec:\n";
const KUSTOMIZE: &str = "helmCharts:\n- name: gloo\n  repo: https://storage.googleapis.com/solo-public-helm\n";
const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: gloo-values, namespace: gloo-system}\ndata:\n";
const FROM: &str = "  valuesFrom: [{kind: ConfigMap, name: gloo-values}]\n";

/// A manifest: what comes before the values, their key, how far they are indented, and what comes after them.
struct Home {
    before: String,
    key: &'static str,
    indent: usize,
    after: String,
}

/// Every home that has values in it, as a map or as text.
fn homes() -> Vec<Home> {
    let home =
        |before: &str, key, indent, after: &str| Home { before: before.into(), key, indent, after: after.into() };
    vec![
        home("", "", 0, ""),
        home(ARGO, "      valuesObject:\n", 8, ""),
        home(ARGO, "      values: |\n", 8, "      releaseName: x\n"),
        home(SET, "          valuesObject:\n", 12, ""),
        home(SET, "          values: |\n", 12, ""),
        home(FLUX, "  values:\n", 4, "  interval: 5m # last\n"),
        home(OPERATOR, "  values:\n", 4, ""),
        home(&format!("{FLUX}{FROM}---\n{MAP}"), "  values.yaml: |\n", 4, ""),
        home(MAP, "  values.yaml: |\n", 4, &format!("---\n{FLUX}{FROM}")),
        home(K3S, "  valuesContent: |-\n", 4, "  targetNamespace: gloo-system\n"),
        home(K3S, "  values:\n", 4, ""),
        home(&format!("{K3S}---\n{CONFIG}"), "  valuesContent: |\n", 4, ""),
        home(KUSTOMIZE, "  valuesInline:\n", 4, "  version: 1.18.2\n"),
    ]
}

#[derive(Debug, Clone)]
struct Case {
    text: String,
    /// What `--remove` leaves.
    left: String,
}

/// The manifest with these values.
fn manifest(home: &Home, values: &str, is_dos: bool, has_other: bool) -> String {
    let pad = " ".repeat(home.indent);
    let indented = values.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{pad}{line}\n") });
    let Home { before, key, after, .. } = home;
    let values: String = indented.collect();
    let other = "# other\napiVersion: v1\nkind: Service\nmetadata: {name: x} # kept\n---\n";
    let other = if has_other && !before.is_empty() { other } else { "" };
    let text = format!("{other}{before}{key}{values}{after}");
    if is_dos { text.replace('\n', "\r\n") } else { text }
}

fn cases() -> impl Strategy<Value = Case> {
    let parts = (subsequence(OTHERS.to_vec(), 0..=4), select(GLOBALS.to_vec()), select(PROXIES.to_vec()));
    let lost = prop::option::weighted(0.3, select(LOST.to_vec()));
    (0..homes().len(), parts, lost, any::<[bool; 3]>()).prop_map(
        |(home, (others, global, proxies), lost, [is_dos, has_other, is_first])| {
            let home = &homes()[home];
            // What is lost stands in place of the usual lines of its key.
            let values = |instead: Option<&str>| {
                let of = |key: &str, usual: &'static str| match (lost, instead) {
                    (Some((with, _)), Some(instead)) if with.starts_with(key) => instead.to_owned(),
                    _ => usual.to_owned(),
                };
                let own = format!("{}{}", of("global", global), of("gatewayProxies", proxies));
                let others = others.concat();
                // A block scalar keeps no blank line at its end, so that what is lost is not the last.
                let rest = if is_first || lost.is_some() { format!("{own}{others}") } else { format!("{others}{own}") };
                format!("keep: 1 # first\n{rest}")
            };
            let text = |instead: Option<&str>| manifest(home, &values(instead), is_dos, has_other);
            Case { text: text(lost.map(|(with, _)| with)), left: text(lost.map(|(_, left)| left)) }
        },
    )
}

#[test]
fn what_is_added_in_a_home_can_be_removed_byte_for_byte() {
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) });
    let result = runner.run(&cases(), |Case { text, left }| {
        let sandbox = Sandbox::new();
        let path = sandbox.write("home.yaml", &text);
        let read = || std::fs::read_to_string(&path).unwrap();
        let files = ["upgrade-values", "--values", "home.yaml", "--edition", "open-source", "--write"];
        let added = sandbox.run(&[&files[..], &ADDRESS].concat());
        prop_assert_eq!(added.code, Some(0), "{}\n{}", text, added.stderr);
        let with = read();
        prop_assert_ne!(&with, &text);
        let removed = sandbox.run(&[&files[..], &["--remove"]].concat());
        prop_assert_eq!(removed.code, Some(0), "{}\n{}", with, removed.stderr);
        prop_assert_eq!(read(), left, "{}\n{}", text, with);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}
