//! One istiod: its chart installed by the real Helm, its process on this machine, and its webhooks, which lead there.

use std::{
    net::{SocketAddr, TcpStream},
    ops::Deref,
    sync::Mutex,
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::super::{
    api::documents,
    injector::{Sidecar, wait_until_injected},
    launch::free_addresses,
    parts::{Part, wait_for},
    plane::Plane,
};
use super::istio;

/// The namespace of every istiod.
pub const NAMESPACE: &str = "istio-system";
const PATIENCE: Duration = Duration::from_mins(3);
const WEBHOOKS: &str = "admissionregistration.k8s.io/v1/MutatingWebhookConfiguration";

/// A running istiod of one revision. When it is dropped its process ends and its objects stay: as an istiod whose pods
/// are gone.
pub struct Istiod<P: Deref<Target = Plane>> {
    plane: P,
    revision: String,
    version: String,
    sidecar: Sidecar,
    discovery: SocketAddr,
    webhook: SocketAddr,
    part: Mutex<Part>,
}

impl Istiod<&Plane> {
    /// Installs the definitions of Istio that every istiod needs, with the chart `base`.
    pub fn install_definitions(plane: &Plane) -> Result<()> {
        let base = istio().join("base").display().to_string();
        // Without a default revision there is no validating webhook, which would need an istiod to accept policies.
        plane.helm(NAMESPACE, &["install", "istio-base", &base, "--set", "defaultRevision="]).map(drop)
    }
}

impl<P: Deref<Target = Plane>> Istiod<P> {
    /// Installs a revision (`default` is the one without a name), starts its process, and waits until it injects.
    /// Its images and sidecars carry this version's tag.
    pub fn install(plane: P, revision: &str, version: &str, sidecar: Sidecar) -> Result<Self> {
        let (release, name) = named(revision);
        let mut arguments = vec!["install".to_owned(), release.clone(), chart()];
        arguments.extend(values(name, version));
        plane.helm(NAMESPACE, &arguments.iter().map(String::as_str).collect::<Vec<_>>())?;
        plane.api().wait_available(NAMESPACE)?;
        let [discovery, webhook, http, grpc, monitoring] = free_addresses()?;
        let kubeconfig = plane.kubeconfig();
        let part = plane.start_part(&release, &istio().join("pilot-discovery"), |command| {
            command.arg("discovery").arg("--kubeconfig").arg(&kubeconfig).args(["--ctrlz_port", "0"]);
            for (flag, address) in [
                ("--secureGRPCAddr", discovery),
                ("--httpsAddr", webhook),
                ("--httpAddr", http),
                ("--grpcAddr", grpc),
                ("--monitoringAddr", monitoring),
            ] {
                command.arg(format!("{flag}={address}"));
            }
            command.current_dir(plane.directory());
            command.env("POD_NAMESPACE", NAMESPACE).env("POD_NAME", &release).env("CLUSTER_ID", "Kubernetes");
            command.env("REVISION", revision).env("ISTIOD_CUSTOM_HOST", "localhost").env("KUBECONFIG", &kubeconfig);
            command.env("INJECTION_WEBHOOK_CONFIG_NAME", injector(name)).env("VALIDATION_WEBHOOK_CONFIG_NAME", "");
            command.env("ENABLE_NATIVE_SIDECARS", (sidecar == Sidecar::Native).to_string());
            // A stock Envoy lacks this filter.
            command.env("PILOT_ENABLE_METADATA_EXCHANGE", "false")
        })?;
        let istiod = Self {
            plane,
            revision: revision.to_owned(),
            version: version.to_owned(),
            sidecar,
            discovery,
            webhook,
            part: Mutex::new(part),
        };
        istiod.lead_here(&injector(name))?;
        istiod.wait_until_listening()?;
        wait_until_injected(&istiod.plane, &json!({"istio.io/rev": revision}), revision)
            .with_context(|| istiod.part().last_words())?;
        Ok(istiod)
    }

    /// The revision, as pods carry it.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The version that its images and sidecars are tagged with.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The form of the sidecars that it injects.
    pub fn form(&self) -> Sidecar {
        self.sidecar
    }

    /// The address of its certificate authority and of its configuration stream, over TLS.
    pub fn discovery(&self) -> SocketAddr {
        self.discovery
    }

    pub(super) fn plane(&self) -> &Plane {
        &self.plane
    }

    /// Points a tag at this revision, with the chart's own template. An existing tag moves.
    pub fn tag(&self, tag: &str) -> Result<()> {
        let (release, name) = named(&self.revision);
        let mut arguments = vec!["template".to_owned(), release, chart()];
        arguments.extend(values(name, &self.version));
        arguments.extend(["--set".into(), format!("revisionTags={{{tag}}}")]);
        for template in ["revision-tags-mwc", "revision-tags-svc"] {
            arguments.extend(["--show-only".into(), format!("templates/{template}.yaml")]);
        }
        let rendered = self.plane.helm(NAMESPACE, &arguments.iter().map(String::as_str).collect::<Vec<_>>())?;
        for mut object in documents(&rendered)? {
            self.lead_hooks_here(&mut object);
            self.plane.api().apply(&object.to_string())?;
        }
        wait_until_injected(&self.plane, &json!({"istio.io/rev": tag}), &self.revision)
    }

    /// Kills the process, as if all pods of this istiod were gone.
    pub fn go_down(&self) -> Result<()> {
        self.part().kill()
    }

    /// Starts the process again after [`Istiod::go_down`].
    pub fn come_up(&self) -> Result<()> {
        self.part().restart()?;
        self.wait_until_listening()?;
        wait_until_injected(&self.plane, &json!({"istio.io/rev": self.revision}), &self.revision)
    }

    fn part(&self) -> std::sync::MutexGuard<'_, Part> {
        self.part.lock().expect("no holder of this lock panics")
    }

    fn wait_until_listening(&self) -> Result<()> {
        wait_for(&format!("istiod {} listens", self.revision), PATIENCE, || {
            self.part().check_running()?;
            Ok(TcpStream::connect(self.webhook).is_ok().then_some(()))
        })
        .with_context(|| self.part().last_words())
    }

    /// Lets the hooks of a configuration lead to the process instead of to a Service, whose pods kwok only pretends to
    /// run. istiod keeps their authority right.
    fn lead_here(&self, configuration: &str) -> Result<()> {
        let mut object = self.plane.api().get(WEBHOOKS, "", configuration)?.context("the chart has this webhook")?;
        self.lead_hooks_here(&mut object);
        let hooks = object["webhooks"].take();
        self.plane.api().merge(WEBHOOKS, "", configuration, &json!({"webhooks": hooks}))
    }

    fn lead_hooks_here(&self, object: &mut Value) {
        let url = format!("https://localhost:{}/inject", self.webhook.port());
        for hook in object.get_mut("webhooks").and_then(Value::as_array_mut).into_iter().flatten() {
            hook["clientConfig"] = json!({"url": url, "caBundle": hook["clientConfig"]["caBundle"]});
        }
    }
}

impl<P: Deref<Target = Plane>> Drop for Istiod<P> {
    fn drop(&mut self) {
        // A part waits for its end when it is dropped, and the plane may run on.
        let _ = self.part().kill();
    }
}

/// The release of a revision, and the revision as the chart's values name it.
fn named(revision: &str) -> (String, &str) {
    match revision {
        "default" => ("istiod".to_owned(), ""),
        name => (format!("istiod-{name}"), name),
    }
}

fn injector(name: &str) -> String {
    let dash = if name.is_empty() { "" } else { "-" };
    format!("istio-sidecar-injector{dash}{name}")
}

fn chart() -> String {
    istio().join("istio-discovery").display().to_string()
}

fn values(name: &str, version: &str) -> Vec<String> {
    [
        format!("revision={name}"),
        format!("global.tag={version}"),
        "global.hub=docker.io/istio".to_owned(),
        "global.configValidation=false".to_owned(),
        "autoscaleEnabled=false".to_owned(),
        // Its filters are not in a stock Envoy.
        "telemetry.enabled=false".to_owned(),
    ]
    .into_iter()
    .flat_map(|value| ["--set".to_owned(), value])
    .collect()
}
