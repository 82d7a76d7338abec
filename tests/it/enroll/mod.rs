//! `istio enroll` and `istio unenroll` on a real control plane with real istiods. Each test has a namespace of its own.
//!
//! Tests that stop, remove or replace an istiod have a stand-in for the injector with revisions of their own.

mod ambient;
mod failures;
mod interruptions;
mod left;
mod limits;
mod revisions;
mod wanted;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::stage::{
    self, Injector, Plane, Revision, Sidecar, injected_by,
    istio::{self, Istiod, Mesh},
    wait_for,
};
use crate::support::{Output, Sandbox};

const PATIENCE: Duration = Duration::from_mins(3);
const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

/// A mesh with two revisions and a namespace that is not in it.
struct Bench {
    mesh: BenchMesh,
    old: Revision,
    new: Revision,
    apps: String,
    kubeconfig: PathBuf,
}

/// What injects the sidecars.
enum BenchMesh {
    Shared(Arc<Mesh>),
    Own { plane: &'static Plane, injector: Injector<'static> },
}

impl BenchMesh {
    fn plane(&self) -> &Plane {
        match self {
            Self::Shared(mesh) => &mesh.plane,
            Self::Own { plane, .. } => plane,
        }
    }
}

impl Bench {
    /// On the real istiods that all tests share.
    fn new(prefix: &str) -> Result<Self> {
        let mesh = istio::shared()?;
        let revision = |istiod: &Istiod<_>| Revision::new(istiod.revision(), istiod.version(), istiod.form());
        let (old, new) = (revision(&mesh.old), revision(&mesh.new));
        Self::on(BenchMesh::Shared(mesh), (old, new), prefix)
    }

    /// With istiods of the test's own, which it may stop and remove.
    fn with_own_istiods(prefix: &str) -> Result<Self> {
        let plane = stage::shared();
        let injector = Injector::beside_others(plane)?;
        let old = injector.install("1-27", "1.27.5", Sidecar::Container)?;
        let new = injector.install("1-28", "1.28.3", Sidecar::Native)?;
        Self::on(BenchMesh::Own { plane, injector }, (old, new), prefix)
    }

    fn on(mesh: BenchMesh, (old, new): (Revision, Revision), prefix: &str) -> Result<Self> {
        let plane = mesh.plane();
        let (apps, kubeconfig) = (plane.namespace(prefix)?, plane.kubeconfig());
        Ok(Self { mesh, old, new, apps, kubeconfig })
    }

    fn plane(&self) -> &Plane {
        self.mesh.plane()
    }

    /// The test's own injector.
    fn injector(&self) -> &Injector<'static> {
        match &self.mesh {
            BenchMesh::Own { injector, .. } => injector,
            BenchMesh::Shared(_) => panic!("the shared istiods are not for one test"),
        }
    }

    /// The namespace of the istiods.
    fn istio_namespace(&self) -> &str {
        match &self.mesh {
            BenchMesh::Own { injector, .. } => injector.namespace(),
            BenchMesh::Shared(_) => istio::NAMESPACE,
        }
    }

    /// Points a tag of this test's own at the older or newer revision, and returns its name.
    fn tag(&self, to: &Revision) -> Result<String> {
        let tag = format!("prod-{}", self.apps);
        match &self.mesh {
            BenchMesh::Own { injector, .. } => injector.tag(&tag, to),
            BenchMesh::Shared(mesh) => {
                let istiod = if to.name == self.old.name { &mesh.old } else { &mesh.new };
                istiod.tag(&tag)?;
                Ok(tag)
            }
        }
    }

    /// The same with one Deployment, `web`, which runs.
    fn with_web(prefix: &str) -> Result<Self> {
        let bench = Self::new(prefix)?;
        bench.deploy("web", &json!({}))?;
        Ok(bench)
    }

    fn sandbox(&self) -> Sandbox {
        Sandbox::new().env("KUBECONFIG", self.kubeconfig.to_str().expect("UTF-8"))
    }

    /// Runs `istio LINE`: `NS` is this test's namespace, `OLD` and `NEW` are the revisions, `MESH` is where the istiods are.
    fn run(&self, line: &str) -> Output {
        let words = self.words(line);
        self.sandbox().run(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn words(&self, line: &str) -> Vec<String> {
        let line = line.replace("NS", &self.apps).replace("OLD", &self.old.name).replace("NEW", &self.new.name);
        let line = line.replace("MESH", self.istio_namespace());
        ["istio"].into_iter().chain(line.split(' ')).map(str::to_owned).collect()
    }

    /// With `-o json`: the document, which has to agree with the exit code.
    fn json(&self, line: &str) -> Result<(Value, Output)> {
        let output = self.run(&format!("{line} -o json"));
        let document: Value = serde_json::from_str(&output.stdout).with_context(|| format!("{output:#?}"))?;
        assert_eq!(document["exitCode"], json!(output.code), "{output:#?}");
        Ok((document, output))
    }

    /// Puts an object into this test's namespace.
    fn apply(&self, mut object: Value) -> Result<()> {
        object["metadata"]["namespace"] = json!(self.apps);
        self.plane().api().apply(&object.to_string())
    }

    /// A Deployment with these members besides, and waits until it is available.
    fn deploy(&self, name: &str, more: &Value) -> Result<()> {
        self.apply(workload("Deployment", name, more))?;
        self.plane().api().wait_available(&self.apps)
    }

    fn namespace(&self) -> Result<Value> {
        self.plane().api().get("v1/Namespace", "", &self.apps)?.context("the namespace is there")
    }

    /// The labels that bind the namespace.
    fn labels(&self) -> Result<Value> {
        let mut labels = self.namespace()?["metadata"]["labels"].take();
        labels.as_object_mut().context("labels")?.remove("kubernetes.io/metadata.name");
        Ok(labels)
    }

    fn label(&self, labels: &Value) -> Result<()> {
        self.plane().api().merge("v1/Namespace", "", &self.apps, &json!({"metadata": {"labels": labels}}))
    }

    fn get(&self, kind: &str, name: &str) -> Result<Value> {
        self.plane().api().get(kind, &self.apps, name)?.with_context(|| format!("{kind} {name} is there"))
    }

    fn deployment(&self, name: &str) -> Result<Value> {
        self.get("apps/v1/Deployment", name)
    }

    /// What `restartedAt` says of a Deployment; null: it was not restarted.
    fn restarted(&self, name: &str) -> Result<Value> {
        Ok(self.deployment(name)?["spec"]["template"]["metadata"]["annotations"][RESTARTED].clone())
    }

    /// The pods of an app that are not on their way out.
    fn pods(&self, app: &str) -> Result<Vec<Value>> {
        let pods = self.plane().api().list("v1/Pod", &self.apps)?.into_iter();
        Ok(pods
            .filter(|pod| pod["metadata"]["labels"]["app"] == *app && pod["metadata"]["deletionTimestamp"].is_null())
            .collect())
    }

    /// Of each pod of an app, the revision that injected it and how many containers are ready of how many.
    fn shape(&self, app: &str) -> Result<Vec<(Option<String>, String)>> {
        let mut shapes: Vec<_> = self.pods(app)?.iter().map(|pod| (injected_by(pod), ready(pod))).collect();
        shapes.sort();
        Ok(shapes)
    }

    /// Everything that moves with a write to the namespace or to a Deployment's specification.
    fn versions(&self) -> Result<(Value, Vec<Value>)> {
        let workloads = self.plane().api().list("apps/v1/Deployment", &self.apps)?;
        let generations = workloads.into_iter().map(|it| it["metadata"]["generation"].clone()).collect();
        Ok((self.namespace()?["metadata"]["resourceVersion"].clone(), generations))
    }

    /// A label of the one node that pods of some workload ask for: without it new ones find no node.
    fn node(&self, value: &Value) -> Result<()> {
        let labels = json!({"metadata": {"labels": {self.apps.as_str(): value}}});
        self.plane().api().merge("v1/Node", "", "node1", &labels)
    }

    /// A Deployment whose running pods serve on and whose new ones will find no node.
    fn deploy_stranded(&self, name: &str) -> Result<()> {
        self.node(&json!("here"))?;
        let selector = json!({"spec": {"nodeSelector": {self.apps.as_str(): "here"}}});
        self.deploy(name, &json!({"spec": {"template": selector}}))?;
        self.node(&Value::Null)
    }
}

/// `2/2`, native sidecars counted as kubectl counts them.
fn ready(pod: &Value) -> String {
    let sidecars = native(pod);
    let all = pod["spec"]["containers"].as_array().map_or(0, Vec::len) + sidecars.len();
    let statuses = |list: &str| pod["status"][list].as_array().cloned().unwrap_or_default();
    let is_sidecar = |status: &Value| sidecars.iter().any(|name| status["name"] == **name);
    let of_sidecars = statuses("initContainerStatuses").into_iter().filter(is_sidecar);
    let ready = statuses("containerStatuses").into_iter().chain(of_sidecars).filter(|one| one["ready"] == true).count();
    format!("{ready}/{all}")
}

fn native(pod: &Value) -> Vec<&str> {
    let all = pod["spec"]["initContainers"].as_array().into_iter().flatten();
    all.filter(|one| one["restartPolicy"] == "Always").filter_map(|one| one["name"].as_str()).collect()
}

/// One container. The `ServiceAccount` is named, which a plugin does that the stage's API server runs without: Istio's
/// sidecar has a token of it.
fn pod_spec() -> Value {
    json!({"serviceAccountName": "default", "containers": [{"name": "app", "image": "app:1"}]})
}

fn workload(kind: &str, name: &str, more: &Value) -> Value {
    let labels = json!({"app": name});
    let mut workload = json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod_spec()},
        },
    });
    if kind != "DaemonSet" {
        workload["spec"]["replicas"] = json!(1);
    }
    merge(&mut workload, more);
    workload
}

fn merge(value: &mut Value, more: &Value) {
    match (value, more) {
        (Value::Object(map), Value::Object(more)) => {
            for (key, more) in more {
                merge(map.entry(key.as_str()).or_insert(Value::Null), more);
            }
        }
        (value, more) => *value = more.clone(),
    }
}

fn plain() -> (Option<String>, String) {
    (None, "1/1".to_owned())
}

fn meshed(revision: &Revision) -> (Option<String>, String) {
    (Some(revision.name.clone()), "2/2".to_owned())
}

/// Lines that a run has to say; all of them are looked for at once.
fn assert_said(output: &Output, code: i32, lines: &[&str]) {
    let missing: Vec<_> = lines.iter().filter(|line| !output.stderr.contains(**line)).collect();
    assert!(missing.is_empty() && output.code == Some(code), "{code}, {missing:?}: {output:#?}");
}

/// The outcome and the message of an object's row.
fn row<'d>(document: &'d Value, name: &str) -> Option<(&'d str, &'d str)> {
    let row = document["results"].as_array()?.iter().find(|row| row["name"] == *name)?;
    Some((row["outcome"].as_str()?, row["message"].as_str()?))
}

#[test]
fn a_namespace_comes_into_the_mesh_and_goes_out_of_it_again() -> Result<()> {
    let bench = Bench::with_web("in-and-out")?;
    let before = bench.deployment("web")?["spec"].clone();
    assert_eq!(bench.shape("web")?, [plain()]);

    let output = bench.run("enroll NS --revision OLD");
    let label = format!("istio.io/rev={}", bench.old.name);
    let said = format!(
        "namespace/{} enrolled ({label})\ndeployment.apps/web restarted (no sidecar -> {})\n",
        bench.apps, bench.old.name
    );
    assert_eq!((output.code, &output.stdout), (Some(0), &said), "{output:#?}");
    let verified = format!("verified: istio-proxy of {} ready in 1 pod\n", bench.old.name);
    assert_said(
        &output,
        0,
        &["context plane (https://", "waiting for deployment/web\n", "1 of 1 pods new and ready", &verified],
    );
    assert_eq!(bench.labels()?, json!({"istio.io/rev": bench.old.name}));
    assert_eq!(bench.shape("web")?, [meshed(&bench.old)]);

    let versions = bench.versions()?;
    let output = bench.run("enroll NS");
    let already = format!(
        "namespace/{} already enrolled ({label})\ndeployment.apps/web already on {}\n",
        bench.apps, bench.old.name
    );
    assert_eq!((output.code, output.stdout), (Some(0), already));
    assert_eq!(bench.versions()?, versions);

    let refused = bench.run("unenroll NS");
    let asked = format!("unenroll takes {} out of the mesh: --yes is required when no prompt is possible", bench.apps);
    assert_said(&refused, 2, &[&asked]);
    assert_eq!(bench.versions()?, versions);

    let output = bench.run("unenroll NS --yes");
    let said = format!(
        "namespace/{} unenrolled ({label} removed)\ndeployment.apps/web restarted ({} -> no sidecar)\n",
        bench.apps, bench.old.name
    );
    assert_eq!((output.code, &output.stdout), (Some(0), &said), "{output:#?}");
    assert_said(&output, 0, &["verified: no sidecar in 1 pod\n"]);
    assert_eq!(bench.labels()?, json!({}));
    assert_eq!(bench.shape("web")?, [plain()]);
    let mut after = bench.deployment("web")?["spec"].clone();
    let annotations = after["template"]["metadata"].as_object_mut().context("metadata")?.shift_remove("annotations");
    assert_eq!(annotations.context("restartedAt")?.as_object().map(serde_json::Map::len), Some(1));
    assert_eq!(after, before);

    let output = bench.run("unenroll NS");
    assert_eq!(output.code, Some(0), "nothing is taken, so nothing is asked: {output:#?}");
    assert_eq!(output.stdout, format!("namespace/{} not enrolled\ndeployment.apps/web has no sidecar\n", bench.apps));
    Ok(())
}

#[test]
fn every_kind_of_workload_starts_anew_and_native_sidecars_count() -> Result<()> {
    let bench = Bench::with_web("kinds")?;
    bench.apply(workload("StatefulSet", "db", &json!({"spec": {"serviceName": "db", "replicas": 2}})))?;
    bench.apply(workload(
        "DaemonSet",
        "log",
        &json!({"spec": {"updateStrategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}}),
    ))?;
    wait_for("all run", PATIENCE, || {
        Ok((bench.shape("db")?.len() == 2 && bench.shape("log")? == [plain()]).then_some(()))
    })?;
    let (document, output) = bench.json("enroll NS --revision NEW")?;
    assert_eq!(output.code, Some(0), "{output:#?}");
    for app in ["web", "db", "log"] {
        assert!(bench.shape(app)?.iter().all(|shape| *shape == meshed(&bench.new)), "{app}: {:?}", bench.shape(app)?);
        let said = format!("restarted (no sidecar -> {})", bench.new.name);
        assert_eq!(row(&document, app), Some(("changed", said.as_str())), "{document:#}");
    }
    let pod = &bench.pods("web")?[0];
    assert_eq!(pod["spec"]["containers"].as_array().map(Vec::len), Some(1), "{pod:#}");
    let rows: Vec<_> =
        document["results"].as_array().context("rows")?.iter().map(|row| (&row["kind"], &row["namespace"])).collect();
    assert_eq!(rows[0], (&json!("Namespace"), &json!("")));
    assert_eq!(rows[1], (&json!("Deployment"), &json!(bench.apps)));
    Ok(())
}

#[test]
fn previews_say_what_would_change_and_change_nothing() -> Result<()> {
    let bench = Bench::with_web("preview")?;
    let versions = bench.versions()?;
    let label = format!("istio.io/rev={}", bench.old.name);
    for (flag, mark) in [("--dry-run", "(dry run)"), ("--dry-run=server", "(server dry run)")] {
        let output = bench.run(&format!("enroll NS --revision OLD {flag}"));
        let said = format!(
            "namespace/{} enrolled ({label}) {mark}\ndeployment.apps/web restarted (no sidecar -> {}) {mark}\n",
            bench.apps, bench.old.name
        );
        assert_eq!((output.code, output.stdout), (Some(0), said));
    }
    let output = bench.run("enroll NS --revision OLD --check");
    assert_eq!(output.code, Some(3), "{output:#?}");
    let output = bench.run("enroll NS --revision OLD --diff");
    let diff = [format!("+    istio.io/rev: {}", bench.old.name), format!("+        {RESTARTED}: ")];
    assert!(output.code == Some(0) && diff.iter().all(|line| output.stdout.contains(line)), "{output:#?}");
    // What is risky is not asked about where nothing is written.
    assert_eq!(bench.run("unenroll NS --dry-run").code, Some(0));
    assert_eq!(bench.versions()?, versions);
    bench.label(&json!({"istio.io/rev": bench.old.name}))?;
    assert_eq!(bench.run("enroll NS --check").code, Some(3), "a pod without sidecar is a change to come");
    Ok(())
}

#[test]
fn names_alone_feed_the_next_command() -> Result<()> {
    let bench = Bench::with_web("name")?;
    let output = bench.run("enroll NS --revision OLD -o name");
    assert_eq!((output.code, output.stdout), (Some(0), format!("namespace/{}\ndeployment.apps/web\n", bench.apps)));
    let output = bench.run("enroll namespace/NS -o name");
    assert_eq!(output.code, Some(0), "{output:#?}");
    Ok(())
}

#[test]
fn labels_alone_are_set_where_nothing_is_to_be_restarted() -> Result<()> {
    let bench = Bench::with_web("no-restart")?;
    let output = bench.run("enroll NS --revision OLD --no-restart");
    let stale =
        ["note: 1 workload was not restarted, and runs as before\n  deployment/web\n", "hint: gloo-rs istio enroll "];
    assert_said(&output, 0, &stale);
    assert_eq!(output.stdout, format!("namespace/{} enrolled (istio.io/rev={})\n", bench.apps, bench.old.name));
    assert_eq!((bench.restarted("web")?, bench.shape("web")?), (Value::Null, vec![plain()]));

    // What was left half way is gone on with, and no label is written.
    let version = bench.versions()?.0;
    let output = bench.run("enroll NS");
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert_eq!(bench.shape("web")?, [meshed(&bench.old)]);
    assert_eq!(bench.versions()?.0, version);
    Ok(())
}

#[test]
fn several_namespaces_are_one_command() -> Result<()> {
    let bench = Bench::with_web("several")?;
    let other = bench.plane().namespace("several")?;
    let mut api = workload("Deployment", "api", &json!({}));
    api["metadata"]["namespace"] = json!(other);
    bench.plane().api().apply(&api.to_string())?;
    bench.plane().api().wait_available(&other)?;
    let output = bench.run(&format!("enroll NS {other} --revision OLD"));
    assert_eq!(output.code, Some(0), "{output:#?}");
    for line in [format!("namespace/{other} enrolled"), format!("\ndeployment.apps/{other}/api restarted ")] {
        assert!(output.stdout.contains(&line), "{output:#?}");
    }
    let pods = bench.plane().api().list("v1/Pod", &other)?;
    assert!(pods.iter().any(|pod| injected_by(pod).as_deref() == Some(&bench.old.name)), "{pods:#?}");

    // One that is not there keeps all as they are.
    let versions = bench.versions()?;
    let typo = bench.apps.replace("several", "seweral");
    let output = bench.run(&format!("enroll NS {typo} --revision NEW"));
    let near = format!("error: namespace/{typo}: there is no such namespace\n  near: several-");
    assert_said(&output, 1, &[&near, "nothing was changed"]);
    assert_eq!(bench.versions()?, versions);
    assert_eq!(bench.run(&format!("enroll {typo} --revision NEW")).code, Some(4));
    Ok(())
}
