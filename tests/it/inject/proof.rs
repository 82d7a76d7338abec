//! What success is called by: Envoy's own list of clusters, or a note that nobody could look.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context as _, Result};
use serde_json::json;

use super::{Bench, INJECTED, assert_said, last_line, names};

const INJECT: &str = "inject --revision 1-28 --istio-namespace istio-system";
const VERIFIED: &str = "verified: sds and istio-proxy ready, gateway_proxy_sds in Envoy's clusters";
const CLUSTERS: &str = "\
xds_cluster::observability_name::xds_cluster
xds_cluster::10.0.0.7:9977::health_flags::healthy
";

/// Envoy's admin interface, which knows these clusters.
fn envoy(clusters: String) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or_default();
            let is_asked = request[..length].starts_with(b"GET /clusters ");
            let (status, body) = if is_asked { ("200 OK", clusters.as_str()) } else { ("404 Not Found", "") };
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    address
}

#[test]
fn the_cluster_in_envoys_list_is_the_proof() -> Result<()> {
    let bench = Bench::new("proven")?;
    let sds = "gateway_proxy_sds::observability_name::gateway_proxy_sds\n";
    bench.plane.forward(&bench.gloo, &[(19000, envoy(format!("{CLUSTERS}{sds}")))])?;
    let output = bench.run(INJECT);
    assert_said(&output, 0, &[VERIFIED, "deployment/gateway-proxy: 1 of 1 pods new and ready"]);
    assert_eq!(last_line(&output.stdout), INJECTED);
    Ok(())
}

#[test]
fn an_envoy_without_the_cluster_is_applied_and_not_confirmed() -> Result<()> {
    let bench = Bench::new("unproven")?;
    // A name that only begins so is another cluster.
    let other = "gateway_proxy_sds_old::observability_name::x\n";
    bench.plane.forward(&bench.gloo, &[(19000, envoy(format!("{CLUSTERS}{other}")))])?;
    let (document, output) = bench.json(INJECT)?;
    assert_said(
        &output,
        7,
        &["Envoy in pod gateway-proxy-", "has no cluster gateway_proxy_sds", "applied, not verified"],
    );
    let outcomes: Vec<_> = document["results"].as_array().context("rows")?.iter().map(|row| &row["outcome"]).collect();
    assert_eq!(outcomes, ["changed", "changed"]);
    assert_eq!(names(super::containers(&bench.deployment()?)).len(), 3);
    let again = bench.run("uninject");
    assert_eq!(again.code, Some(0), "{again:#?}");
    let text = bench.run(INJECT);
    assert!(text.code == Some(7) && !text.stdout.contains(INJECTED), "{text:#?}");
    Ok(())
}

/// May do everything here but look into pods, and sees nothing of the other namespaces.
fn limit(bench: &mut Bench) -> Result<()> {
    let rules = json!([
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "patch"]},
        {"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["list"]},
        {"apiGroups": ["apps"], "resources": ["deployments", "daemonsets"], "verbs": ["get", "list", "patch"]},
        {"apiGroups": ["gloo.solo.io", "gateway.solo.io"], "resources": ["*"], "verbs": ["get", "list"]},
    ]);
    let of = |kind: &str| json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": "limited"}});
    let mut role = of("Role");
    role["rules"] = rules;
    bench.apply(role)?;
    let mut binding = of("RoleBinding");
    binding["roleRef"] = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "limited"});
    binding["subjects"] = json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "limited"}]);
    bench.apply(binding)?;
    bench.kubeconfig = bench.plane.kubeconfig_of("limited");
    Ok(())
}

#[test]
fn what_may_not_be_looked_at_is_a_note_and_never_proven() -> Result<()> {
    let mut bench = Bench::new("limited")?;
    let sds = "gateway_proxy_sds::observability_name::gateway_proxy_sds\n";
    bench.plane.forward(&bench.gloo, &[(19000, envoy(format!("{CLUSTERS}{sds}")))])?;
    limit(&mut bench)?;
    let before = bench.versions()?;
    let output = bench.run("inject");
    let said = [
        "not allowed to list deployments",
        "{apiGroups: [apps], resources: [deployments], verbs: [list]}",
        "--istio-namespace NS needs permission in that namespace only",
    ];
    assert_said(&output, 4, &said);
    // It was for the whole cluster.
    assert!(output.stderr.contains("a rule of a ClusterRole that allows it: {apiGroups: [apps]"), "{output:#?}");
    let named = bench.run("inject --istio-namespace istio-system");
    assert_said(
        &named,
        4,
        &["a rule of a Role that allows it: {apiGroups: [apps], resources: [deployments], verbs: [list]}"],
    );
    assert!(!named.stderr.contains("--istio-namespace NS"), "it was given: {named:#?}");
    assert_eq!(bench.versions()?, before);

    let typed = "inject --istio-discovery-address istiod.istio-system.svc:15012 --istio-proxy-image docker.io/istio/proxyv2:1.29.1";
    let (document, output) = bench.json(typed)?;
    assert_said(
        &output,
        0,
        &[
            "note: istiod could not be read: ",
            "verified: sds and istio-proxy ready\n",
            "are unknown: not allowed to get or create pods/portforward",
        ],
    );
    assert!(!output.stderr.contains("in Envoy's clusters\n"), "{output:#?}");
    let notes = document["warnings"].as_array().context("notes")?;
    assert!(
        notes.iter().any(|note| note["message"].as_str().is_some_and(|text| text.contains("pods/portforward"))),
        "{document:#}"
    );
    Ok(())
}

/// Without the right to patch the workload, the rehearsal says so before anything is written.
#[test]
fn who_may_write_only_one_of_the_two_writes_neither() -> Result<()> {
    let mut bench = Bench::new("half-right")?;
    limit(&mut bench)?;
    let rules = json!([
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "patch"]},
        {"apiGroups": ["apps"], "resources": ["deployments", "daemonsets"], "verbs": ["get", "list"]},
    ]);
    bench.plane.api().merge("rbac.authorization.k8s.io/v1/Role", &bench.gloo, "limited", &json!({"rules": rules}))?;
    let before = bench.versions()?;
    let typed = "inject --istio-discovery-address istiod.istio-system.svc:15012 --istio-proxy-image docker.io/istio/proxyv2:1.29.1";
    let (document, output) = bench.json(typed)?;
    let missing = "{apiGroups: [apps], resources: [deployments], verbs: [patch]}";
    assert_said(&output, 4, &["deployment.apps/gateway-proxy: not allowed to patch", missing, "nothing was changed"]);
    assert_eq!(document["error"]["reason"], "forbidden");
    assert_eq!(bench.versions()?, before);
    Ok(())
}
