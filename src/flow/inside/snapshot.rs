//! `proxy snapshot`: writes the answers of Envoy's admin interface to one file, for one pod or all.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::ProxyPodsSession;
use crate::apply::archive::{Archive, file_name};
use crate::error::{Exit, Failure};
use crate::flow::report::Report;
use crate::kube::InPod;
use crate::options::{Endpoints, Global, SnapshotTask};
use crate::plan::advice::{Advice, Code};
use crate::plan::proxy_pods::ProxyPod;

/// How a member that is missing affects the snapshot.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// Without it the snapshot of the pod is incomplete.
    Needed,
    /// Not every Envoy has it.
    Extra,
    /// Its status is information, so any status is accepted.
    AnyStatus,
}

/// The members. The first five are those of glooctl, in its order and with its names.
const MEMBERS: [(&str, &str, Weight); 9] = [
    ("server_info.json", "/server_info", Weight::Needed),
    ("config.json", "/config_dump", Weight::Needed),
    ("stats.txt", "/stats", Weight::Needed),
    ("clusters.txt", "/clusters", Weight::Needed),
    ("listeners.txt", "/listeners", Weight::Needed),
    ("certs.json", "/certs", Weight::Extra),
    ("memory.json", "/memory", Weight::Extra),
    ("ready.txt", READY, Weight::AnyStatus),
    ("init_dump.json", "/init_dump", Weight::Extra),
];
const READY: &str = "/ready";
const MANIFEST: &str = "manifest.json";

/// Takes the snapshot and reports where it is.
///
/// # Errors
/// Nothing could be read, or a needed member is missing. What could be read is kept.
pub(crate) async fn take(task: &SnapshotTask, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    report.field("snapshot", Value::Null);
    // A file that cannot be written is reported before any request is sent.
    let typed = task.file.as_deref().map(Archive::begin).transpose()?;
    let inside = super::open(&task.pods, global, report).await?;
    let now = Timestamp::now();
    let mut archive = match typed {
        Some(archive) => archive,
        None => Archive::begin_free(&usual_name(&inside.pods, now))?,
    };
    let several = inside.pods.len() > 1;
    let mut pods = Vec::new();
    let mut failures = Vec::new();
    for pod in &inside.pods {
        let directory = if several { format!("{}/", file_name(&pod.name)) } else { String::new() };
        let mut taking = Taking { inside: &inside, pod, archive: &mut archive, endpoints: task.endpoints };
        let members = taking.members(&directory, report, &mut failures).await?;
        pods.push(json!({
            "namespace": pod.namespace, "pod": pod.name, "container": pod.container,
            "ready": pod.not_ready.is_none(), "members": members,
        }));
    }
    // The answer that Envoy is not ready is not enough for a snapshot.
    let got = pods.iter().flat_map(|pod| pod["members"].as_array().into_iter().flatten());
    let is_one = |member: &Value| member["error"].is_null() && member["path"] != READY;
    if !got.into_iter().any(is_one) {
        return Err(failures.swap_remove(0));
    }
    let manifest = json!({
        "apiVersion": "gloo-rs/v1", "kind": "Snapshot", "takenAt": now.to_string(),
        "context": inside.session.context().to_string(), "server": inside.session.server(), "pods": pods,
    });
    archive.member(MANIFEST)?;
    archive.write(format!("{manifest:#}\n").as_bytes())?;
    let place = archive.finish()?.display().to_string();
    report.line(format!("proxy snapshot written to {place}"));
    report.field("snapshot", json!({"file": place, "takenAt": manifest["takenAt"], "pods": manifest["pods"]}));
    match failures.len() {
        0 => Ok(()),
        _ => Err(failures
            .swap_remove(0)
            .detail("the snapshot does not contain it; its manifest lists all that is missing")),
    }
}

struct Taking<'t> {
    inside: &'t ProxyPodsSession,
    pod: &'t ProxyPod,
    archive: &'t mut Archive,
    endpoints: Endpoints,
}

impl Taking<'_> {
    /// Reads all members and returns their entries for the manifest.
    async fn members(
        &mut self,
        directory: &str,
        report: &mut Report<'_>,
        failures: &mut Vec<Failure>,
    ) -> Result<Vec<Value>, Failure> {
        let mut members = Vec::new();
        for (file, path, weight) in MEMBERS {
            let eds = file == "config.json" && self.endpoints == Endpoints::Included;
            let path = format!("{path}{}", if eds { "?include_eds" } else { "" });
            let name = format!("{directory}{file}");
            members.push(match self.member(&name, &path, weight).await? {
                Ok(bytes) => json!({"name": name, "path": path, "bytes": bytes}),
                Err(failure) => {
                    let entry = json!({"name": name, "path": path, "error": failure.message});
                    match weight {
                        Weight::Needed => failures.push(failure),
                        _ => report
                            .advice(Advice::note(Code::Unknown, format!("{name} is skipped: {}", failure.message))),
                    }
                    // If the first request could not reach the pod, the other eight would only time out.
                    if failures.last().is_some_and(|failure| failure.exit != Exit::Failed) {
                        members.push(entry);
                        return Ok(members);
                    }
                    entry
                }
            });
        }
        Ok(members)
    }

    /// Writes one member. Returns its size in bytes, or why it could not be read. Fails if the file cannot be written.
    async fn member(&mut self, name: &str, path: &str, weight: Weight) -> Result<Result<u64, Failure>, Failure> {
        let ProxyPod { namespace, name: pod, admin_port, .. } = self.pod;
        let asked = match weight {
            Weight::AnyStatus => {
                let asked = self.inside.session.ask_in_pod(namespace, pod, *admin_port, &InPod::get(path)).await;
                match asked {
                    Ok(answer) => Ok(answer),
                    Err(failure) => Err(self.inside.explain(failure).await),
                }
            }
            Weight::Needed | Weight::Extra => self.inside.get(self.pod, path).await,
        };
        let mut answer = match asked {
            Ok(answer) => answer.under_deadline(),
            Err(failure) => return Ok(Err(failure)),
        };
        self.archive.member(name)?;
        let mut bytes = 0;
        loop {
            match answer.chunk().await {
                Ok(Some(chunk)) => {
                    self.archive.write(&chunk)?;
                    bytes = u64::saturating_add(bytes, chunk.len() as u64);
                }
                Ok(None) => return Ok(Ok(bytes)),
                Err(failure) => {
                    self.archive.abort_member()?;
                    return Ok(Err(self.inside.explain(failure).await));
                }
            }
        }
    }
}

/// The default file name, such as `gloo-rs-proxy-snapshot-gloo-system-gateway-proxy-x-2026-11-23-T08.17.06.zip`. For
/// several pods, it has their number instead of a name.
fn usual_name(pods: &[ProxyPod], now: Timestamp) -> String {
    let place = match pods {
        [only] => format!("{}-{}", file_name(&only.namespace), file_name(&only.name)),
        _ => format!("{}-{}-pods", file_name(&pods[0].namespace), pods.len()),
    };
    format!("gloo-rs-proxy-snapshot-{place}-{}", now.strftime("%Y-%m-%d-T%H.%M.%S"))
}
