//! Each kind of home, in several spellings: what is added can be removed, and every other byte stays.

use serde_json::Value;

use super::*;

const ARGO: &str =
    "# app\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: edge, namespace: argocd}\nspec:\n";
const FLUX: &str = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: gloo, namespace: gloo-system}\nspec:\n  chart: {spec: {chart: gloo, version: 1.17.x}}\n";
const K3S: &str = "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata:\n  name: gloo\n  namespace: kube-system\nspec:\n  chart: gloo\n  version: 1.18.2\n";

/// Manifests with values, as a format with a place for a value of the user.
fn manifests() -> Vec<String> {
    let argo = |source: &str| format!("{ARGO}  source:\n    chart: gloo\n    targetRevision: 1.18.2\n{source}");
    let set = "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: gloo}\nspec:\n  goTemplate: true\n  generators:\n  - clusters: {}\n  template:\n    metadata:\n      name: 'gloo-{{.name}}' # templated\n    spec:\n      source:\n        chart: gloo\n        helm:\n";
    let kustomize = "helmCharts: # all\n- name: other\n- name: gloo\n  repo: https://x\n";
    let kinds = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: gloo-values}\ndata:\n  other: x\n  values.yaml: |\n    # inside\n    a: 1 # kept\n---\n";
    let from = "  valuesFrom:\n  - kind: ConfigMap\n    name: gloo-values\n";
    vec![
        argo("    helm:\n      valuesObject: # kept\n        a: 1e3 # kept\n"),
        argo("    helm:\n      valuesObject: {a: 1, b: \"x\"}\n"),
        argo("    helm:\n      values: |\n        # inside\n        a: 1e3\n\n        b: 2\n"),
        argo("    helm:\n      values: |-\n        a: 1\n      releaseName: x\n"),
        argo("    helm:\n      releaseName: x\n      values: \"a: 1\\nb: 2\\n\"\n"),
        argo("    # nothing yet\n"),
        format!("{ARGO}  sources:\n  - chart: other\n    helm: {{values: \"b: 1\"}}\n  - chart: gloo-ee\n    helm:\n      valuesObject: {{a: 1}}\n  - ref: x\n"),
        format!("{set}          values: |\n            discovery:\n              enabled: false\n"),
        format!("{set}          valuesObject:\n            a: '{{{{.x}}}}'\n"),
        format!("{FLUX}  values:\n    a: 1 # kept\n"),
        FLUX.to_owned(),
        FLUX.replace("v2\n", "v2beta1\n"),
        format!("{map}{FLUX}{from}"),
        format!("{FLUX}{from}---\n{}", map.trim_end_matches("---\n")),
        "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata: {name: gloo}\nspec:\n  chart:\n    repository: https://x\n    name: gloo\n    version: 1.17.7\n  values:\n    a: 1 # kept\n".to_owned(),
        format!("{K3S}  valuesContent: |-\n    # inside\n    a: 1\n  targetNamespace: gloo-system\n"),
        K3S.to_owned(),
        format!("{K3S}  values:\n    a: 1\n"),
        format!("{K3S}---\napiVersion: helm.cattle.io/v1\nkind: HelmChartConfig\nmetadata: {{name: gloo, namespace: kube-system}}\nspec:\n  valuesContent: |\n    a: 1\n"),
        format!("{kustomize}  valuesInline:\n    a: 1 # kept\n"),
        format!("{kinds}{kustomize}"),
        format!("{kinds}{kustomize}  valuesMerge: replace\n  valuesInline: {{a: 1}}\n"),
        "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: x}\nname: gloo\nvaluesInline:\n  a: 1\n".to_owned(),
        "a: 1 # kept\n".to_owned(),
        format!("apiVersion: v1\nkind: List\nitems:\n- {}\n", FLUX.trim_end().replace('\n', "\n  ")),
    ]
}

/// The same manifest in other spellings and surroundings.
fn spellings(text: &str) -> Vec<String> {
    let is_file = text.starts_with("a: 1");
    let mut all = vec![text.to_owned(), anchored(text), format!("\u{feff}{text}")];
    all.extend(all.clone().iter().map(|text| text.replace('\n', "\r\n")));
    all.push(format!("# first\n{text}# last\n"));
    if !is_file {
        let other = "# other\napiVersion: v1\nkind: Service\nmetadata: {name: x} # kept\n";
        all.push(format!("{other}---\n{text}"));
        all.push(format!("---\n{text}---\n{other}"));
        all.push(text.trim_end_matches('\n').to_owned());
    }
    all
}

/// The same manifest with an anchor in its values, and an alias.
fn anchored(text: &str) -> String {
    let line = |line: &str| {
        let indent = &line[..line.len() - line.trim_start().len()];
        match line.trim_start().starts_with("a: 1") {
            true => format!("{}\n{indent}c: *one\n", line.replacen("a: 1", "a: &one 1", 1)),
            false => format!("{}\n", line.replacen("{a: 1", "{c: &one x, d: *one, a: 1", 1)),
        }
    };
    text.lines().map(line).collect()
}

#[test]
fn what_is_added_can_be_removed_in_each_home_and_spelling() {
    for manifest in manifests() {
        for text in spellings(&manifest) {
            let before = merged(&the_home(&text).sources);
            let after = changed(&text);
            let values = merged(&the_home(&after).sources);
            assert_eq!(values["global"]["istioIntegration"]["enabled"], true, "{text}\n=>\n{after}");
            assert_eq!(values["gatewayProxies"]["gatewayProxy"]["istioDiscoveryAddress"], "a.b", "{after}");
            assert_eq!(changed(&after), after, "a second time changes nothing");
            let back = with(&after, &removal());
            assert_eq!(back, text, "between them:\n{after}");
            assert_eq!(merged(&the_home(&back).sources), before);
        }
    }
}

#[test]
fn keys_are_never_added_at_the_root_of_an_object() {
    for manifest in manifests() {
        let after = changed(&manifest);
        for document in crate::edit::manifest::values(&after) {
            let is_object = document["kind"].is_string();
            assert!(!is_object || document["global"].is_null(), "{after}");
        }
    }
}

#[test]
fn the_chart_is_what_the_home_names() {
    let chart = |text: &str| {
        let HomeChart { name, repository, version, .. } = the_home(text).chart;
        [name, repository, version].map(Option::unwrap_or_default)
    };
    let words = |words: [&str; 3]| words.map(str::to_owned);
    let argo = |source: &str| format!("{ARGO}  source: {source}\n");
    assert_eq!(
        chart(&argo("{chart: gloo, repoURL: https://r, targetRevision: 1.18.2}")),
        words(["gloo", "https://r", "1.18.2"])
    );
    assert_eq!(
        chart(&argo("{repoURL: oci://r/solo/gloo-ee, path: ., targetRevision: 1.18.2}")),
        words(["gloo-ee", "oci://r/solo/gloo-ee", "1.18.2"])
    );
    assert_eq!(
        chart(&argo("{repoURL: https://git, path: charts/edge, targetRevision: main, helm: {}}")),
        words(["", "https://git", ""])
    );
    let repository = "---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: {name: solo}\nspec: {url: https://r}\n";
    let of_repository = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: x, namespace: n}\nspec: {chart: {spec: {chart: gloo, version: 1.17.x, sourceRef: {kind: HelmRepository, name: solo}}}}\n";
    assert_eq!(chart(&format!("{of_repository}{repository}")), words(["gloo", "https://r", "1.17.x"]));
    let oci = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: x, namespace: n}\nspec: {chartRef: {kind: OCIRepository, name: o}}\n---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: o, namespace: n}\nspec: {url: oci://r/gloo, ref: {tag: 1.18.0}}\n";
    assert_eq!(chart(oci), words(["gloo", "oci://r/gloo", "1.18.0"]));
    assert_eq!(chart(K3S), words(["gloo", "", "1.18.2"]));
    assert_eq!(
        chart("helmCharts: [{name: gloo, repo: https://r, version: 1.18.2}]\n"),
        words(["gloo", "https://r", "1.18.2"])
    );
}

#[test]
fn what_is_no_home_is_refused_by_its_name() {
    let table = [
        ("x.yaml", "apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {name: u}\n", "upstream.gloo.solo.io/u"),
        (
            "x.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {values.yaml: 'a: 1'}\n",
            "configmap/c",
        ),
        ("x.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n", "secret/s"),
        (
            "x.yaml",
            "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: s}\n",
            "sealedsecret.bitnami.com/s",
        ),
        (
            "x.yaml",
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: k}\n",
            "kustomization.kustomize.toolkit.fluxcd.io/k",
        ),
        (
            "x.yaml",
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec: {source: {path: x, directory: {recurse: true}}}\n",
            "renders no chart",
        ),
        ("fleet.yaml", "defaultNamespace: x\n", "Fleet"),
        ("x.yaml", "helm: {chart: gloo, values: {a: 1}}\n", "Fleet"),
        ("helmfile.yaml", "a: 1\n", "helmfile"),
        ("x.yaml", "releases: [{name: gloo, chart: gloo/gloo}]\n", "helmfile"),
        ("main.tf", "x", "Terraform"),
        ("x.json", "{\"resource\": {\"helm_release\": {}}}", "Terraform"),
        ("x.json", "{\"Resources\": {\"a\": {\"Type\": \"Custom::AWSCDK-EKS-HelmChart\"}}}", "CDK"),
        ("Pulumi.yaml", "name: x\nruntime: yaml\nresources: {g: {type: 'kubernetes:helm.sh/v3:Release'}}\n", "Pulumi"),
        ("Chart.yaml", "apiVersion: v2\nname: edge\nversion: 1.0.0\n", "Chart.yaml"),
        ("stack.ts", "new HelmChart()", "program"),
        ("values.yaml.gotmpl", "a: 1\n", "template"),
        ("x.yaml", "a: {{ .Values.x }}\n", "template"),
        ("kustomization.yaml", "resources: [x.yaml]\n", "kustomization"),
    ];
    for (name, text, what) in table {
        let found = find(&[NamedText { name, text }], 1);
        assert!(found.homes.is_empty() && found.plain.is_empty(), "{name} {text}: {found:#?}");
        assert!(found.refused[0].what.contains(what), "{text}: {:?}", found.refused);
        assert!(!found.refused[0].instead.is_empty());
    }
    let fleet = find(&[NamedText { name: "x.yaml", text: "helm: {chart: gloo, values: {a: 1}}\n" }], 1);
    assert_eq!(fleet.refused[0].values, json!({"a": 1}));
}

#[test]
fn homes_are_named_by_kind_and_name() {
    let home = the_home(FLUX);
    let name = home.name.unwrap();
    for wanted in ["helmrelease/gloo", "HelmRelease/gloo-system/gloo", "helmrelease.helm.toolkit.fluxcd.io/gloo"] {
        assert!(name.is_named_by(wanted), "{wanted}");
    }
    for wanted in ["gloo", "application/gloo", "helmrelease/other/gloo", "helmrelease/glo", "a/b/c/d"] {
        assert!(!name.is_named_by(wanted), "{wanted}");
    }
    assert!(name.is_named_by(&name.for_flag()));
    assert_eq!(name.to_string(), "helmrelease.helm.toolkit.fluxcd.io/gloo");
}

#[test]
fn values_in_an_encrypted_file_are_not_edited() {
    let text = "a: 1\nsops: {mac: \"ENC[x]\"}\n";
    let (_, why) = try_edited(text, &edits()).unwrap_err();
    assert!(why.why.contains("encrypted with SOPS"), "{why:?}");
    assert_eq!(why.manual.len(), 2, "{why:?}");
}

#[test]
fn a_parameter_is_changed_where_it_is() {
    let text = format!(
        "{ARGO}  source:\n    chart: gloo\n    helm:\n      valuesObject: {{a: 1}}\n      parameters:\n      - name: global.istioIntegration.enabled # kept\n        value: \"false\"\n      - {{name: x, value: y}}\n"
    );
    let after = changed(&text);
    assert!(after.contains("enabled # kept\n        value: \"true\"\n"), "{after}");
    let values = merged(&the_home(&after).sources);
    assert_eq!(values["global"]["istioIntegration"]["enabled"], Value::Bool(true));
    let off = with(&after, &removal()[1..]);
    assert!(!off.contains("istioDiscoveryAddress") && off.contains("global.istioIntegration"), "{off}");
    let all = with(&after, &[Edit::remove(FieldPath::keys(&["global"]))]);
    assert!(!all.contains("global") && all.contains("{name: x, value: y}"), "{all}");
    let map = format!("{ARGO}  source:\n    chart: gloo\n    helm:\n      parameters: [{{name: global, value: x}}]\n");
    assert!(try_edited(&map, &edits()).is_err());
}

/// An Application with these parameters, and a key of the values.
fn with_parameters(parameters: &[(&str, &str, bool)]) -> String {
    let item = |(name, value, is_text): &(&str, &str, bool)| {
        let force = if *is_text { "\n        forceString: true" } else { "" };
        format!("      - name: {name} # kept\n        value: \"{value}\"{force}\n")
    };
    let items: String = parameters.iter().map(item).collect();
    let items = if items.is_empty() { items } else { format!("      parameters:\n{items}") };
    format!("{ARGO}  source:\n    chart: gloo\n    helm:\n      valuesObject: {{a: 1}}\n{items}")
}

#[test]
fn of_parameters_with_the_same_name_the_last_is_changed_and_all_are_removed() {
    const ENABLED: &str = "global.istioIntegration.enabled";
    let (other, set) = ("x", edits().into_iter().next().unwrap());
    let removal = [Edit::remove(FieldPath::keys(&["global"]))];
    for (before, after) in [
        (
            vec![(ENABLED, "false", false), (ENABLED, "false", false)],
            vec![(ENABLED, "false", false), (ENABLED, "true", false)],
        ),
        (
            vec![(ENABLED, "true", false), (other, "1", false), (ENABLED, "false", false), (other, "2", false)],
            vec![(ENABLED, "true", false), (other, "1", false), (ENABLED, "true", false), (other, "2", false)],
        ),
    ] {
        let text = with_parameters(&before);
        assert_eq!(with(&text, std::slice::from_ref(&set)), with_parameters(&after));
        let left: Vec<_> = before.into_iter().filter(|(name, ..)| *name != ENABLED).collect();
        let removed = with(&text, &removal);
        assert_eq!(removed, with_parameters(&left));
    }
}

#[test]
fn of_parameters_the_last_text_takes_effect_and_a_switch_that_is_text_is_refused_with_its_line() {
    const ADDRESS: &str = "gatewayProxies.gatewayProxy.istioDiscoveryAddress";
    const ENABLED: &str = "global.istioIntegration.enabled";
    let [switch, address] = <[Edit; 2]>::try_from(edits()).unwrap();
    // Helm reads those with forceString after the others.
    for (before, after) in [
        (
            vec![(ADDRESS, "x", true), (ADDRESS, "y", false), (ADDRESS, "z", true)],
            vec![(ADDRESS, "x", true), (ADDRESS, "y", false), (ADDRESS, "a.b", true)],
        ),
        (vec![(ADDRESS, "x", true), (ADDRESS, "y", false)], vec![(ADDRESS, "a.b", true), (ADDRESS, "y", false)]),
    ] {
        assert_eq!(with(&with_parameters(&before), std::slice::from_ref(&address)), with_parameters(&after));
    }
    let text = with_parameters(&[(ADDRESS, "x", false), (ENABLED, "false", true), (ENABLED, "true", false)]);
    let (_, why) = try_edited(&text, &[switch]).unwrap_err();
    assert_eq!(text.lines().nth(why.line - 1), Some("      - name: global.istioIntegration.enabled # kept"));
    assert!(why.why.contains("forceString") && why.manual[0].contains("value: \"true\""), "{why:?}");
}

#[test]
fn a_value_that_several_spellings_of_its_name_set_is_refused_with_their_lines() {
    let text = format!(
        "{K3S}  set:\n    global.istioIntegration.enabled: false\n    global.istio\\Integration.enabled: false\n"
    );
    let (_, why) = try_edited(&text, &edits()[..1]).unwrap_err();
    assert!(why.why.contains("in several spellings: lines 10, 11"), "{why:?}");
    assert_eq!(why.manual.len(), 1);
}

#[test]
fn values_in_a_block_stay_one_where_the_last_key_is_removed_after_a_blank_line() {
    let text = |end: &str| format!("{ARGO}  source:\n    chart: gloo\n    helm:\n      values: |\n        a: 1\n{end}");
    for last in ["\n        global: {}\n", "        # ours\n\n        global:\n          x: 1\n"] {
        let removed = with(&text(last), &[Edit::remove(FieldPath::keys(&["global"]))]);
        assert!(removed.contains("      values: |\n        a: 1\n"), "{removed}");
        assert_eq!(merged(&the_home(&removed).sources), json!({"a": 1}));
    }
}
