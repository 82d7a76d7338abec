//! `deploy/`: the manifests on a real API server, and the program as their pods run it.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::house::{read, repo};
use crate::release::{scratch, static_program, succeeds};
use crate::stage::{Options, Plane, documents, tools, wait_for};
use crate::support::{Sandbox, generated};

/// The commands that the `CronJob` runs. Another one is a line here, a container there, and its file of rights in
/// `deploy/base/kustomization.yaml`.
const COMMANDS: [&str; 2] = ["check", "report"];
const NAMESPACE: &str = "gloo-rs";
const ACCOUNT: &str = "gloo-rs/gloo-rs";
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The objects of a directory, as `kubectl apply -k` sends them.
fn built(directory: &str) -> Vec<Value> {
    let mut kubectl = Command::new(tools::kubectl());
    documents(&succeeds(kubectl.arg("kustomize").arg(repo(directory)))).unwrap()
}

fn of_kind<'o>(objects: &'o [Value], kind: &str) -> Vec<&'o Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

fn pod(workload: &Value) -> &Value {
    match &workload["spec"]["jobTemplate"] {
        Value::Null => &workload["spec"]["template"]["spec"],
        template => &template["spec"]["template"]["spec"],
    }
}

#[test]
fn the_generated_rights_are_what_rbac_prints() {
    for command in COMMANDS {
        let printed = Sandbox::new().run(&["rbac", "--service-account", ACCOUNT, command]);
        assert_eq!(printed.code, Some(0), "{printed:?}");
        let text = format!("# Generated: gloo-rs rbac --service-account {ACCOUNT} {command}\n{}", printed.stdout);
        generated::assert_up_to_date(&format!("deploy/base/rbac-{command}.yaml"), &text);
    }
}

#[test]
fn the_cron_job_runs_these_commands_and_has_the_rights_of_no_other() {
    let objects = built("deploy/base");
    let [cron_job] = of_kind(&objects, "CronJob")[..] else { panic!("one CronJob") };
    let containers = pod(cron_job)["containers"].as_array().unwrap();
    let run: Vec<_> = containers.iter().map(|it| it["args"][0].as_str().unwrap()).collect();
    assert_eq!(run, COMMANDS);
    let roles: BTreeSet<_> = ["Role", "ClusterRole"]
        .iter()
        .flat_map(|kind| of_kind(&objects, kind))
        .map(|it| it["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(roles, COMMANDS.iter().map(|command| &*format!("gloo-rs-{command}").leak()).collect());
    let bound = objects.iter().flat_map(|it| it["subjects"].as_array().into_iter().flatten());
    assert!(bound.clone().count() > 0);
    for subject in bound {
        assert_eq!(
            (&subject["namespace"], &subject["name"]),
            (&pod_namespace(cron_job), &pod(cron_job)["serviceAccountName"])
        );
    }
}

fn pod_namespace(workload: &Value) -> Value {
    workload["metadata"]["namespace"].clone()
}

#[test]
fn every_pod_is_unprivileged_and_has_no_token_but_the_one_it_names() {
    for directory in ["deploy/base", "deploy/fleet"] {
        let objects = built(directory);
        let workloads: Vec<_> = ["CronJob", "Job"].iter().flat_map(|kind| of_kind(&objects, kind)).collect();
        assert_eq!(workloads.len(), 1, "{directory}");
        for workload in workloads {
            let pod = pod(workload);
            assert_eq!(pod["automountServiceAccountToken"], false);
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
            for container in pod["containers"].as_array().unwrap() {
                let context = &container["securityContext"];
                assert_eq!(context["readOnlyRootFilesystem"], true);
                assert_eq!(context["allowPrivilegeEscalation"], false);
                assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}));
                assert!(container["resources"]["limits"]["memory"].is_string());
                assert!(container["volumeMounts"].as_array().unwrap().iter().all(|it| it["readOnly"] == true));
            }
        }
        let [policy] = of_kind(&objects, "NetworkPolicy")[..] else { panic!("{directory}: one policy") };
        assert_eq!(policy["spec"]["podSelector"], json!({}));
        assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
        assert!(policy["spec"]["ingress"].is_null(), "nothing comes in");
    }
}

/// Applies a directory with the real kubectl.
fn apply(plane: &Plane, directory: &str) {
    let mut kubectl = Command::new(tools::kubectl());
    kubectl.arg("--kubeconfig").arg(plane.kubeconfig()).args(["apply", "-k"]).arg(repo(directory));
    let said = succeeds(&mut kubectl);
    assert!(!said.contains("unchanged") && said.lines().count() > 2, "{said}");
}

/// Waits for the pods of a Job.
fn pods_of(plane: &Plane, namespace: &str, job: &str, number: usize) -> Result<Vec<Value>> {
    wait_for("the pods of the Job", std::time::Duration::from_mins(1), || {
        let mut pods = plane.api().list("v1/Pod", namespace)?;
        pods.retain(|pod| pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] == job);
        Ok((pods.len() == number).then_some(pods))
    })
}

#[test]
fn the_pods_are_admitted_where_pod_security_is_restricted() -> Result<()> {
    let plane = Plane::start(&Options::default())?;
    plane.install_guide()?;
    for (directory, namespace) in [("deploy/base", NAMESPACE), ("deploy/fleet", "gloo-rs-fleet")] {
        apply(&plane, directory);
        let plain = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "plain", "namespace": namespace},
            "spec": {"containers": [{"name": "x", "image": "x"}]}});
        let refused = plane.api().apply(&plain.to_string()).expect_err("the namespace enforces nothing");
        assert!(format!("{refused:#}").contains("violates PodSecurity \"restricted"), "{refused:#}");
    }
    let cron_job = plane.api().get("batch/v1/CronJob", NAMESPACE, "gloo-rs")?.context("the CronJob")?;
    let mut job =
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once", "namespace": NAMESPACE}});
    job["spec"] = cron_job["spec"]["jobTemplate"]["spec"].clone();
    plane.api().apply(&job.to_string())?;
    let [pod] = &pods_of(&plane, NAMESPACE, "once", 1)?[..] else { unreachable!("it was counted") };
    assert_eq!(pod["spec"]["serviceAccountName"], "gloo-rs");
    let indexes: BTreeSet<_> = pods_of(&plane, "gloo-rs-fleet", "gloo-rs-fleet", 2)?
        .iter()
        .map(|pod| {
            pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(indexes, ["0", "1"].map(str::to_owned).into());

    as_a_pod(&plane, pod)
}

/// The root directory that the `Containerfile` makes, and the path of the program in it.
fn image() -> Result<(PathBuf, String)> {
    let text = read("deploy/Containerfile");
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let ["FROM scratch", copy, user, entry] = lines[..] else { anyhow::bail!("{lines:?}") };
    let program = copy.strip_prefix("COPY gloo-rs ").context("the program")?;
    assert_eq!(user, "USER 65532:65532");
    assert_eq!(entry, format!("ENTRYPOINT [\"{program}\"]"));
    let root = scratch("image");
    std::fs::copy(static_program(), root.join(program.trim_start_matches('/')))?;
    Ok((root, program.to_owned()))
}

/// A token of the pod's account, as its volume says.
fn token(plane: &Plane, pod: &Value) -> Result<String> {
    let sources = pod["spec"]["volumes"][0]["projected"]["sources"].as_array().context("a projected volume")?;
    let asked = &sources.iter().find_map(|it| it.get("serviceAccountToken")).context("a token")?;
    let mut kubectl = Command::new(tools::kubectl());
    kubectl.arg("--kubeconfig").arg(plane.kubeconfig()).args(["create", "token", "-n", NAMESPACE]);
    kubectl.arg(pod["spec"]["serviceAccountName"].as_str().context("an account")?);
    kubectl.arg(format!("--duration={}s", asked["expirationSeconds"]));
    Ok(succeeds(&mut kubectl))
}

/// Runs the program of the image as the container of the pod: with nothing else in its root, its token and its variables.
fn as_a_pod(plane: &Plane, pod: &Value) -> Result<()> {
    let (root, program) = image()?;
    let mounted = root.join(TOKEN.trim_start_matches('/'));
    std::fs::create_dir_all(&mounted)?;
    std::fs::write(mounted.join("token"), token(plane, pod)?)?;
    std::fs::write(mounted.join("namespace"), NAMESPACE)?;
    let config: Value = serde_json::from_str(&std::fs::read_to_string(plane.kubeconfig())?)?;
    let authority = &config["clusters"][0]["cluster"]["certificate-authority"];
    std::fs::copy(authority.as_str().context("a file")?, mounted.join("ca.crt"))?;

    // What a container runtime mounts: the program takes the keys of its streams from there.
    std::fs::create_dir(root.join("dev"))?;
    for device in ["random", "urandom"] {
        let mut bytes = Vec::new();
        std::fs::File::open("/dev/urandom")?.take(1 << 16).read_to_end(&mut bytes)?;
        std::fs::write(root.join("dev").join(device), bytes)?;
    }

    let arguments = pod["spec"]["containers"][0]["args"].as_array().context("arguments")?;
    let run = |more: &[&str]| -> Result<_> {
        let mut words = vec![program.as_str()];
        words.extend(arguments.iter().filter_map(Value::as_str).chain(more.iter().copied()));
        let server = plane.server();
        let (host, port) = server.trim_start_matches("https://").split_once(':').context("an address")?;
        let mut command = in_root(&root, &words);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("KUBERNETES_SERVICE_HOST", host).env("KUBERNETES_SERVICE_PORT", port);
        Ok(command.output()?)
    };
    let output = run(&["-v"])?;
    let said = String::from_utf8(output.stderr)?;
    assert!(said.contains("in-cluster configuration"), "{said}");
    assert!(said.lines().filter(|line| line.ends_with(" 200")).count() > 20, "{said}");
    assert_eq!(said.lines().filter(|line| line.ends_with(" 403")).collect::<Vec<_>>(), [""; 0]);

    // It finds what an administrator finds.
    let findings =
        |stdout: &[u8]| -> Result<Value> { Ok(serde_json::from_slice::<Value>(stdout)?["findings"].clone()) };
    let admin = Sandbox::new().env("KUBECONFIG", plane.kubeconfig().to_str().context("a path")?);
    let enabled = admin.run(&["istio", "enable-mtls", "-u", "default-plain-8080", "--force", "--yes"]);
    assert_eq!(enabled.code, Some(0), "what is found: {enabled:?}");
    let expected = admin.run(&["check", "-o", "json"]);
    let output = run(&["-o", "json"])?;
    assert_eq!(output.status.code(), expected.code, "{}", String::from_utf8_lossy(&output.stderr));
    let found = findings(&output.stdout)?;
    assert!(found.as_array().is_some_and(|all| !all.is_empty()), "{found}");
    assert_eq!(found, findings(expected.stdout.as_bytes())?);
    Ok(())
}

/// Runs a program below another root directory as the user of the image. Who is not root is that user's only one.
fn in_root(root: &Path, words: &[&str]) -> Command {
    let is_root = rustix::process::geteuid().is_root();
    let mut command = Command::new(if is_root { "chroot" } else { "unshare" });
    if is_root {
        command.arg("--userspec=65532:65532");
    } else {
        command.args(["--map-root-user", "chroot"]);
    }
    command.arg(root).args(words);
    command
}

#[test]
fn an_image_has_nothing_but_the_program() -> Result<()> {
    let (root, program) = image()?;
    let names: Vec<_> =
        std::fs::read_dir(&root)?.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names, [program.trim_start_matches('/')]);
    Ok(())
}
