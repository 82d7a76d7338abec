//! `upgrade-values` on manifests: which other files have values of the same chart, and what is unknown without them.

use serde_json::{Value, json};

use crate::support::Sandbox;

const ADDRESS: [&str; 2] = ["--istio-discovery-address", "a.b.svc:15012"];
const PLATFORM: &str = "https://git.example.com/org/platform.git";

/// Values that need no change.
const DONE: &str = "global:\n  istioIntegration: {enabled: true, enableAutoMtls: true}\ngatewayProxies:\n  gatewayProxy: {istioDiscoveryAddress: \"a.b.svc:15012\"}\n";

/// An Application with Gloo's chart, these value files and these other sources.
fn application(files: &[&str], others: &[(&str, &str)]) -> String {
    let files = files.iter().map(|file| format!("      - {file}\n")).collect::<Vec<_>>().concat();
    let others =
        others.iter().map(|(name, url)| format!("  - ref: {name}\n    repoURL: {url}\n")).collect::<Vec<_>>().concat();
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: gloo}}\nspec:\n  sources:\n  - chart: gloo\n    repoURL: https://storage.googleapis.com/solo-public-helm\n    helm:\n      valueFiles:\n{files}{others}"
    )
}

fn helm_release(spec: &str) -> String {
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: gloo, namespace: gloo-system}}\nspec:\n{spec}"
    )
}

fn config_map(namespace: &str, values: &str) -> String {
    let values = values.lines().map(|line| format!("    {line}\n")).collect::<Vec<_>>().concat();
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: gloo-values{namespace}}}\ndata:\n  values.yaml: |\n{values}"
    )
}

fn sandbox(files: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    for (path, text) in files {
        sandbox.write(path, text);
    }
    sandbox
}

/// Runs on these files, and returns the exit code, the document, and stderr.
fn run(sandbox: &Sandbox, values: &[&str], more: &[&str]) -> (Option<i32>, Value, String) {
    let values = values.iter().flat_map(|file| ["--values", file]);
    let args: Vec<&str> = ["upgrade-values"].into_iter().chain(values).chain(more.iter().copied()).collect();
    let said = sandbox.run(&[&args[..], &["-o", "json"]].concat());
    (said.code, serde_json::from_str(&said.stdout).unwrap_or_default(), said.stderr)
}

/// The files that the changes are written to.
fn written(document: &Value) -> Vec<String> {
    let changes = document["changes"].as_array().cloned().unwrap_or_default();
    let mut files: Vec<_> = changes
        .iter()
        .flat_map(|change| change["writtenTo"].as_array().cloned().unwrap_or_default())
        .filter_map(|file| file.as_str().map(str::to_owned))
        .collect();
    files.sort();
    files.dedup();
    files
}

/// The sources that were read.
fn read(document: &Value) -> Vec<&str> {
    let sources = document["sources"].as_array().map(Vec::as_slice).unwrap_or_default();
    sources.iter().filter(|source| source["read"] == true).filter_map(|source| source["origin"].as_str()).collect()
}

#[test]
fn a_file_of_a_repository_is_the_one_at_its_root() {
    let app = application(&["$platform/addons/gloo.yaml"], &[("platform", PLATFORM)]);
    for (config, code) in [
        ("[remote \"origin\"]\n\turl = git@git.example.com:org/platform.git\n", 0),
        ("", 0),
        ("[remote \"origin\"]\n\turl = https://git.example.com/org/other\n", 1),
        (
            "[remote \"origin\"]\n\turl = https://git.example.com/org/other\n[remote \"up\"]\n\turl = ssh://git@git.example.com:22/org/platform\n",
            0,
        ),
    ] {
        let sandbox = sandbox(&[
            (".git/config", config),
            ("apps/prod/app.yaml", &app),
            ("apps/prod/addons/gloo.yaml", "nearest: true\n"),
            ("addons/gloo.yaml", "root: true\n"),
        ]);
        let (found, document, stderr) = run(&sandbox, &["apps/prod/app.yaml"], &ADDRESS);
        assert_eq!(found, Some(code), "{config}: {stderr}");
        match code {
            0 => {
                assert_eq!(document["values"]["root"], true, "{config}: {document:#}");
                assert_eq!(document["values"].get("nearest"), None);
            }
            _ => assert!(stderr.contains(PLATFORM), "{stderr}"),
        }
        // What is given counts, whatever the remotes say.
        let (given, document, stderr) = run(&sandbox, &["apps/prod/app.yaml", "addons/gloo.yaml"], &ADDRESS);
        assert_eq!((given, &document["values"]["root"]), (Some(0), &json!(true)), "{stderr}");
    }
}

#[test]
fn files_of_two_repositories_are_two_files() {
    let other = "https://git.example.com/org/other.git";
    let app = application(
        &["$platform/values/gloo.yaml", "$other/values/gloo.yaml"],
        &[("platform", PLATFORM), ("other", other)],
    );
    let files = [
        ("app.yaml", &*app),
        ("values/gloo.yaml", "here: 1\n"),
        ("clones/platform/values/gloo.yaml", "discovery: {enabled: false}\n"),
        ("clones/other/values/gloo.yaml", "settings: {create: true}\n"),
    ];
    let sandbox = sandbox(&files);
    let (code, _, stderr) = run(&sandbox, &["app.yaml"], &ADDRESS);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("$platform/values/gloo.yaml") && stderr.contains("$other/values/gloo.yaml"), "{stderr}");

    let [platform, other] = ["clones/platform/values/gloo.yaml", "clones/other/values/gloo.yaml"];
    let (code, document, stderr) = run(&sandbox, &["app.yaml", other, platform], &ADDRESS);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(read(&document), [platform, other]);
    assert_eq!(written(&document), [other], "the last one wins");
    // One given file is not both.
    let (code, _, stderr) = run(&sandbox, &["app.yaml", "values/gloo.yaml"], &ADDRESS);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("$platform") && stderr.contains("$other"), "{stderr}");
}

#[test]
fn a_given_file_is_the_source_whose_path_ends_alike() {
    let app = application(&["$p/envs/base/values.yaml", "$p/envs/prod/values.yaml"], &[("p", PLATFORM)]);
    let sandbox = sandbox(&[
        ("x/app.yaml", &app),
        ("y/prod/values.yaml", "discovery: {enabled: false}\n"),
        ("y/base/values.yaml", "settings: {create: true}\n"),
        ("y/values.yaml", "a: 1\n"),
        ("z/values.yaml", "a: 1\n"),
    ]);
    let (code, document, stderr) = run(&sandbox, &["x/app.yaml", "y/prod/values.yaml", "y/base/values.yaml"], &ADDRESS);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(read(&document), ["y/base/values.yaml", "y/prod/values.yaml"]);
    assert_eq!(written(&document), ["y/prod/values.yaml"]);
    // Only one of both: the other one is not read, and unset is not known.
    let (code, _, stderr) = run(&sandbox, &["x/app.yaml", "y/base/values.yaml"], &ADDRESS);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("envs/prod/values.yaml"), "{stderr}");
    for unclear in [&["x/app.yaml", "y/values.yaml"][..], &["x/app.yaml", "y/values.yaml", "z/values.yaml"]] {
        let (code, _, stderr) = run(&sandbox, unclear, &ADDRESS);
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.contains("nothing changed"), "{stderr}");
    }
}

#[test]
fn the_objects_around_a_home_are_read() {
    let chart = "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {name: gloo, namespace: kube-system}\nspec:\n  chart: gloo\n  valuesContent: |\n    discovery: {enabled: false}\n";
    let config = "apiVersion: helm.cattle.io/v1\nkind: HelmChartConfig\nmetadata: {name: gloo, namespace: kube-system}\nspec:\n  valuesContent: |\n    settings: {create: true}\n";
    let sandbox = sandbox(&[("chart.yaml", chart), ("config.yaml", config)]);
    for given in ["chart.yaml", "config.yaml"] {
        let (code, document, stderr) = run(&sandbox, &[given], &ADDRESS);
        assert_eq!(code, Some(0), "{given}: {stderr}");
        assert_eq!(document["home"]["kind"], "HelmChart");
        assert_eq!(read(&document).len(), 2, "{document:#}");
        assert!(written(&document)[0].contains("HelmChartConfig"), "{document:#}");
    }
    let release =
        helm_release("  chartRef: {kind: OCIRepository, name: charts}\n  values: {discovery: {enabled: false}}\n");
    let source = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: charts, namespace: gloo-system}\nspec: {url: oci://registry.example/gloo-ee, ref: {tag: 1.18.2}}\n";
    let sandbox = self::sandbox(&[("release.yaml", &release), ("source.yaml", source)]);
    let (code, document, stderr) = run(&sandbox, &["release.yaml"], &ADDRESS);
    assert_eq!((code, &document["chart"]["edition"]), (Some(0), &json!("enterprise")), "{stderr}");
}

#[test]
fn a_helm_chart_config_without_its_helm_chart_is_never_in_order() {
    let done = DONE.lines().map(|line| format!("    {line}\n")).collect::<Vec<_>>().concat();
    let config = format!(
        "apiVersion: helm.cattle.io/v1\nkind: HelmChartConfig\nmetadata: {{name: gloo, namespace: kube-system}}\nspec:\n  valuesContent: |\n{done}"
    );
    let chart = |spec: &str| {
        format!(
            "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {{name: gloo, namespace: kube-system}}\nspec:\n  chart: gloo\n{spec}"
        )
    };
    let checked = |files: &[(&str, &str)]| {
        let sandbox = sandbox(files);
        let flags = [&ADDRESS[..], &["--edition", "open-source", "--auto-mtls", "--check"]].concat();
        run(&sandbox, &["config.yaml"], &flags)
    };
    let (code, document, stderr) = checked(&[("config.yaml", &config)]);
    assert_eq!(code, Some(1), "{stderr}");
    assert_eq!(document["changes"], json!([]), "{document:#}");
    let (code, _, stderr) = checked(&[("config.yaml", &config), ("chart.yaml", &chart(""))]);
    assert_eq!(code, Some(0), "{stderr}");
    let set = chart("  set: {global.istioIntegration.enabled: \"false\"}\n");
    let (code, _, stderr) = checked(&[("config.yaml", &config), ("chart.yaml", &set)]);
    assert_eq!(code, Some(3), "{stderr}");
}

#[test]
fn of_objects_with_one_name_the_nearest_in_the_namespace_counts() {
    let release =
        helm_release("  chart: {spec: {chart: gloo}}\n  valuesFrom: [{kind: ConfigMap, name: gloo-values}]\n");
    let (prod, dev) = (config_map("", "prod: 1\n"), config_map("", "dev: 1\n"));
    let elsewhere = config_map(", namespace: other", "other: 1\n");
    let sandbox = sandbox(&[
        ("prod/release.yaml", &release),
        ("prod/maps/values.yaml", &prod),
        ("prod/maps/old/values.yaml", &dev),
        ("prod/other.yaml", &elsewhere),
    ]);
    let (code, document, stderr) = run(&sandbox, &["prod/release.yaml"], &ADDRESS);
    assert_eq!((code, &document["values"]["prod"]), (Some(0), &json!(1)), "{stderr}");
    assert_eq!(document["values"].get("dev"), None);
    // Two that are as near are named, and neither is read.
    sandbox.write("prod/more/values.yaml", &dev);
    let (code, _, stderr) =
        run(&sandbox, &["prod/release.yaml"], &[&ADDRESS[..], &["--no-auto-mtls", "--check"]].concat());
    assert_ne!(code, Some(0), "{stderr}");
    assert!(stderr.contains("maps/values.yaml") && stderr.contains("more/values.yaml"), "{stderr}");
}

const WRAPPER: &str = "apiVersion: v2\nname: edge\nversion: 0.1.0\ndependencies:\n- {name: gloo-ee, version: 1.18.2, alias: ingress, repository: https://storage.googleapis.com/gloo-ee-helm}\n";

#[test]
fn the_chart_in_a_directory_is_what_its_chart_yaml_says() {
    let argo = |helm: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: edge}}\nspec:\n  source:\n    repoURL: {PLATFORM}\n    path: charts/gloo\n{helm}"
        )
    };
    let flux =
        helm_release("  chart: {spec: {chart: ./charts/gloo, sourceRef: {kind: GitRepository, name: flux-system}}}\n");
    let operator = format!(
        "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata: {{name: edge}}\nspec:\n  chart: {{git: {PLATFORM}, path: charts/gloo}}\n"
    );
    let object = "    helm:\n      valuesObject:\n        ingress: {license_secret_name: x}\n";
    let table = [
        (argo(""), "charts/gloo/values.yaml"),
        (argo(object), "spec.source.helm.valuesObject"),
        (argo("    helm: {}\n"), "charts/gloo/values.yaml"),
        (flux, "charts/gloo/values.yaml"),
        (operator, "charts/gloo/values.yaml"),
    ];
    for (manifest, place) in table {
        // Git keeps it above the manifest.
        let sandbox = sandbox(&[
            (".git/config", ""),
            ("apps/edge.yaml", &manifest),
            ("charts/gloo/Chart.yaml", WRAPPER),
            ("charts/gloo/values.yaml", "ingress:\n  gloo: {discovery: {enabled: false}}\n"),
        ]);
        let (code, document, stderr) = run(&sandbox, &["apps/edge.yaml"], &ADDRESS);
        assert_eq!(code, Some(0), "{manifest}: {stderr}");
        assert_eq!(document["chart"]["edition"], "enterprise", "{stderr}");
        assert_eq!(document["chart"]["below"], "ingress");
        let proxies = &document["values"]["ingress"]["gloo"]["gatewayProxies"];
        assert_eq!(proxies["gatewayProxy"]["istioDiscoveryAddress"], "a.b.svc:15012", "{document:#}");
        assert_eq!(document["values"]["ingress"]["gloo"]["discovery"]["enabled"], false, "its own values are read");
        assert_eq!(written(&document), [place], "{manifest}");
    }
}

#[test]
fn a_file_that_is_named_twice_is_edited_once() {
    let app = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: edge}}\nspec:\n  source:\n    repoURL: {PLATFORM}\n    path: edge\n    helm:\n      valueFiles: [values.yaml, prod.yaml]\n"
    );
    let values = "ingress:\n  gloo: {discovery: {enabled: false}}\n";
    let sandbox = sandbox(&[
        ("app.yaml", &app),
        ("edge/Chart.yaml", WRAPPER),
        ("edge/values.yaml", values),
        ("edge/prod.yaml", "# nothing\n"),
    ]);
    let files = ["upgrade-values", "--values", "app.yaml", "--values", "edge/values.yaml"];
    let (code, document, stderr) = run(&sandbox, &["app.yaml", "edge/values.yaml"], &ADDRESS);
    assert_eq!((code, read(&document)), (Some(0), vec!["edge/values.yaml"]), "{stderr}");
    let added = sandbox.run(&[&files[..], &ADDRESS, &["--write"]].concat());
    assert_eq!(added.code, Some(0), "{}", added.stderr);
    let removed = sandbox.run(&[&files[..], &["--remove", "--write"]].concat());
    assert_eq!(removed.code, Some(0), "{}", removed.stderr);
    assert_eq!(std::fs::read_to_string(sandbox.dir().join("edge/values.yaml")).unwrap(), values);
}

#[test]
fn a_directory_that_is_not_there_is_no_chart_that_is_known() {
    let path_only = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: edge}}\nspec:\n  source: {{repoURL: {PLATFORM}, path: charts/gloo}}\n"
    );
    let sandbox = sandbox(&[("app.yaml", &path_only)]);
    let (code, _, stderr) = run(&sandbox, &["app.yaml"], &ADDRESS);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("--home application/edge"), "{stderr}");
    // The name of a directory is not the name of a chart.
    let (code, ..) = run(&sandbox, &["app.yaml"], &[&ADDRESS[..], &["--home", "application/edge"]].concat());
    assert_eq!(code, Some(2));
    let typed = ["--home", "application/edge", "--edition", "enterprise", "--auto-mtls"];
    let (code, document, stderr) = run(&sandbox, &["app.yaml"], &[&ADDRESS[..], &typed].concat());
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(written(&document), ["spec.source.helm.valuesObject"]);
    assert!(stderr.contains("charts/gloo/values.yaml"), "its own values are named: {stderr}");
    // Another Application of plain manifests is not in the way.
    let both = format!("{path_only}---\n{}", application(&["$p/v.yaml"], &[("p", PLATFORM)]));
    sandbox.write("both.yaml", both);
    sandbox.write("v.yaml", "discovery: {enabled: false}\n");
    let (code, document, stderr) = run(&sandbox, &["both.yaml"], &ADDRESS);
    assert_eq!((code, &document["home"]["name"]), (Some(0), &json!("gloo")), "{stderr}");
}

#[test]
fn a_kustomize_patch_is_a_source() {
    let release = helm_release("  chart: {spec: {chart: gloo}}\n  values: {discovery: {enabled: false}}\n");
    let patch = |spec: &str| helm_release(spec);
    let integration = "  values: {global: {istioIntegration: {enabled: false}}}\n";
    let kustomization = "resources: [release.yaml]\npatches:\n- path: patch.yaml\n";
    let sandbox = sandbox(&[("release.yaml", &release), ("patch.yaml", &patch(integration))]);
    let (code, document, stderr) = run(&sandbox, &["release.yaml", "patch.yaml"], &ADDRESS);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(document["changes"][0]["writtenTo"][0].as_str().unwrap().contains("patch.yaml"), "{document:#}");
    // A kustomization in the directory names it.
    sandbox.write("kustomization.yaml", kustomization);
    let (code, document, stderr) = run(&sandbox, &["release.yaml"], &ADDRESS);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(read(&document).iter().any(|source| source.contains("patch.yaml")), "{document:#}");
    // One that does not touch the values is none; one that cannot be read is named.
    for (text, is_unknown) in [
        (
            "resources: [release.yaml]\npatches:\n- target: {kind: HelmRelease, name: gloo}\n  patch: |\n    - {op: replace, path: /spec/interval, value: 5m}\n",
            false,
        ),
        (
            "resources: [release.yaml]\npatches:\n- target: {kind: HelmRelease, name: gloo}\n  patch: |\n    - {op: add, path: /spec/values/global, value: {}}\n",
            true,
        ),
        (
            "resources: [release.yaml]\npatches:\n- target: {kind: HelmRelease, name: other}\n  patch: |\n    - {op: add, path: /spec/values/global, value: {}}\n",
            false,
        ),
    ] {
        sandbox.write("kustomization.yaml", text);
        sandbox.write("release.yaml", release.replace("{discovery: {enabled: false}}", &one_line(DONE)));
        let (code, _, stderr) = run(&sandbox, &["release.yaml"], &[&ADDRESS[..], &["--check"]].concat());
        assert_eq!(code, Some(i32::from(is_unknown)), "{text}: {stderr}");
    }
}

/// Values as one line of JSON, which is YAML.
fn one_line(values: &str) -> String {
    let [document] = &crate::stage::documents(values).unwrap()[..] else { panic!("one document") };
    document.to_string()
}

#[test]
fn an_unknown_value_is_never_an_answer_to_check() {
    let address = "istioDiscoveryAddress: \"a.b.svc:15012\"";
    let replaced = [
        DONE.to_owned(),
        DONE.replace("enableAutoMtls: true", "enableAutoMtls: '{{ .mtls }}'"),
        DONE.replace("enableAutoMtls: true", "enableAutoMtls: '${MTLS}'"),
        DONE.replace("{enabled: true, enableAutoMtls: true}", "'{{ .istio | toJson }}'"),
        DONE.replace(address, "istioDiscoveryAddress: 'istiod-${REVISION}.istio-system.svc:15012'"),
        DONE.replace(address, &format!("{address}, disabled: '{{{{ .off }}}}'")),
        format!("{DONE}kubeGateway: {{enabled: '${{API}}'}}\n"),
    ];
    for (number, values) in replaced.iter().enumerate() {
        let inline = values.lines().map(|line| format!("    {line}\n")).collect::<Vec<_>>().concat();
        let text = values.lines().map(|line| format!("            {line}\n")).collect::<Vec<_>>().concat();
        let set = "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: gloo}\nspec:\n  template:\n    spec:\n      source:\n        chart: gloo\n        helm:\n          values: |\n";
        let homes = [
            values.clone(),
            helm_release(&format!("  chart: {{spec: {{chart: gloo}}}}\n  values:\n{inline}")),
            format!("{set}{text}"),
        ];
        for home in homes {
            let sandbox = sandbox(&[("home.yaml", &home)]);
            let (code, _, stderr) = run(&sandbox, &["home.yaml"], &["--check"]);
            assert_eq!(code == Some(0), number == 0, "{code:?} {home}: {stderr}");
        }
    }
    // A parameter whose name is a template may set any key.
    let named = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: gloo}\nspec:\n  source:\n    chart: gloo\n    helm:\n      parameters: [{name: '{{ .key }}', value: \"1\"}]\n      valuesObject: ";
    let sandbox = sandbox(&[("home.yaml", &format!("{named}{}\n", one_line(DONE)))]);
    assert_eq!(run(&sandbox, &["home.yaml"], &["--check"]).0, Some(1));
}

#[test]
fn parameters_and_set_are_removed_as_they_are_changed() {
    let argo = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: gloo}\nspec:\n  source:\n    chart: gloo\n    helm:\n      parameters:\n      - {name: replicas, value: \"2\"}\n      - {name: global.istioIntegration.enabled, value: \"true\"}\n      - {name: global.istioIntegration.enableAutoMtls, value: \"true\", forceString: true}\n      - {name: gatewayProxies.gatewayProxy.istioDiscoveryAddress, value: x.y}\n";
    let k3s = "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {name: gloo}\nspec:\n  chart: gloo\n  set:\n    replicas: \"2\"\n    global.istioIntegration.enabled: \"true\"\n    gatewayProxies.gatewayProxy.istioDiscoveryAddress: x.y\n";
    for home in [argo, k3s] {
        let sandbox = sandbox(&[("home.yaml", home)]);
        let said = sandbox.run(&["upgrade-values", "--values", "home.yaml", "--remove"]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        assert!(said.stdout.contains("replicas") && !said.stdout.contains("istio"), "{}", said.stdout);
    }
}

#[test]
fn what_is_refused_gives_the_values_for_the_chart_that_it_names() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: gloo-values}\nstringData: {values.yaml: 'a: 1'}\n";
    let table = [
        ("helmfile.yaml", "releases:\n- {name: gloo, chart: glooe/gloo-ee}\n", vec!["gloo-ee"]),
        ("main.tf", "resource \"helm_release\" \"gloo\" {\n  chart = \"gloo-ee\"\n}\n", vec!["gloo-ee"]),
        ("fleet.yaml", "helm: {chart: gloo-ee, repo: https://r}\n", vec!["gloo-ee"]),
        ("fleet.yaml", "helm: {chart: gloo, repo: https://r}\n", vec!["gloo"]),
        ("secret.yaml", secret, vec!["gloo", "gloo-ee"]),
        ("values.yaml", "age-encryption.org/v1\n-> X25519 x\n", vec!["gloo", "gloo-ee"]),
    ];
    for (name, text, charts) in table {
        let sandbox = sandbox(&[(name, text)]);
        let (code, _, stderr) = run(&sandbox, &[name], &ADDRESS);
        assert_eq!(code, Some(1), "{name}: {stderr}");
        let sets: Vec<_> = stderr.lines().filter(|line| line.contains("the values to set")).collect();
        assert_eq!(sets.len(), charts.len(), "{name}: {stderr}");
        let has_enterprise = stderr.contains("gloo:\n") && stderr.contains("gatewayProxies");
        assert_eq!(has_enterprise, charts.contains(&"gloo-ee"), "{name}: {stderr}");
    }
    // An empty file says nothing of the chart.
    let sandbox = sandbox(&[("values.yaml", "")]);
    assert_eq!(run(&sandbox, &["values.yaml"], &ADDRESS).0, Some(2));
}
