//! Reads what Gloo serves from the gloo pod, which is found by its label, through one stream to its admin port.

use std::cell::Cell;

use serde_json::Value;

use super::streamed::{Broken, parsed};
use crate::command::flag;
use crate::error::{Exit, Failure, Reason};
use crate::gloo::{self, Keep, SnapshotQuery};
use crate::kube::{ApiCause, ForwardCause, ForwardFailure, InPod, Query, Scope, Session};
use crate::model::kinds;
use crate::plan::Unread;

/// The label of Gloo's control plane, on its Deployment and its pods.
const GLOO_LABEL: &str = "gloo=gloo";
/// Gloo's admin port, and the one before 1.18, which is now the port of the metrics.
const PORTS: [u16; 2] = [9095, 9091];
const PATH: &str = "/snapshots/xds";
/// Size limit in bytes. A snapshot of a large cluster has 30 MB.
const MOST: usize = 512 << 20;

/// A pod of Gloo's control plane.
pub(crate) struct ControlPlane<'s> {
    session: &'s Session,
    namespace: &'s str,
    pod: String,
    /// The port that answered.
    port: Cell<Option<u16>>,
}

/// Why a snapshot could not be read.
#[derive(Debug, Clone)]
pub(crate) struct NoSnapshot {
    pub obstacle: Obstacle,
    pub failure: Failure,
}

/// Whether another try may help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// No: the permission is missing, or this version of Gloo has no snapshots.
    Lasting(Unread),
    /// Gloo is not in that namespace.
    NoGloo,
    /// Yes, possibly with another pod.
    Passing,
}

/// Finds a ready pod of the control plane.
///
/// # Errors
/// No pod exists, none is ready, or pods may not be listed.
pub(crate) async fn find<'s>(session: &'s Session, namespace: &'s str) -> Result<ControlPlane<'s>, NoSnapshot> {
    let pods = session.list_all(&kinds::POD, Scope::Namespace(namespace), Query::labelled(GLOO_LABEL)).await;
    let pods = pods.map_err(|error| {
        let obstacle = match &error.cause {
            ApiCause::Forbidden { rule, .. } => {
                Obstacle::Lasting(Unread { why: super::unread::why(&error), rule: rule.clone(), failure: None })
            }
            _ => Obstacle::Passing,
        };
        NoSnapshot { obstacle, failure: error.into_failure(session) }
    })?;
    let name = |pod: &Value| pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let mut ready: Vec<_> = pods.iter().filter(|pod| is_ready(pod)).map(name).collect();
    ready.sort_unstable();
    match ready.into_iter().next() {
        Some(pod) => Ok(ControlPlane { session, namespace, pod, port: Cell::new(None) }),
        None => Err(absent(session, namespace, &pods).await),
    }
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
    pod["metadata"]["deletionTimestamp"].is_null() && conditions.is_some_and(|all| all.iter().any(ready))
}

/// The failure when no pod is ready. If there is no Deployment either, Gloo is not installed there.
async fn absent(session: &Session, namespace: &str, pods: &[Value]) -> NoSnapshot {
    let there = session.list_all(&kinds::DEPLOYMENT, Scope::Namespace(namespace), Query::labelled(GLOO_LABEL)).await;
    let none = pods.is_empty() && there.is_ok_and(|there| there.is_empty());
    let failure = if none {
        Failure::new(Exit::SaidNo, Reason::NotFound, format!("no Gloo in {namespace}"))
            .detail(format!("looked for a Deployment labelled {GLOO_LABEL}"))
            .hint(flag("--gloo-namespace").text(" says where Gloo is installed"))
    } else {
        let state = |pod: &Value| {
            let text = |value: &Value| value.as_str().unwrap_or("unknown").to_owned();
            format!("pod {namespace}/{}: {}", text(&pod["metadata"]["name"]), text(&pod["status"]["phase"]))
        };
        let failure =
            Failure::new(Exit::NoAnswer, Reason::NotRunning, format!("no pod of Gloo in {namespace} is ready"));
        pods.iter().map(state).fold(failure, Failure::detail)
    };
    let obstacle = if none { Obstacle::NoGloo } else { Obstacle::Passing };
    NoSnapshot { obstacle, failure }
}

impl ControlPlane<'_> {
    /// The name of the pod.
    pub(crate) fn pod(&self) -> &str {
        &self.pod
    }

    /// Reads the snapshot once and returns what `keep` kept of it.
    ///
    /// # Errors
    /// Why it could not be read, or what is wrong with it.
    pub(crate) async fn read<K: Keep + Send + 'static>(&self, keep: K) -> Result<(SnapshotQuery, K), NoSnapshot> {
        let answer = self.open().await?;
        let read = move |bytes: &mut dyn std::io::Read| {
            let mut keep = keep;
            let mut deserializer = serde_json::Deserializer::from_reader(bytes);
            let read = gloo::read(&mut deserializer, &mut keep)?;
            deserializer.end()?;
            Ok((read, keep))
        };
        parsed(answer, MOST, read).await.map_err(|broken| match broken {
            Broken::Stream(failure) => self.unseen(failure),
            Broken::TooLong => self.bad(&format!("is larger than {} MiB", MOST >> 20)),
            Broken::Json(error) if error.is_eof() => self.bad("is cut off"),
            Broken::Json(error) => self.bad(&format!("is not a snapshot: {error}")),
        })
    }

    /// Opens the snapshot. The port depends on the version; it is the one that answers.
    async fn open(&self) -> Result<crate::kube::InPodAnswer, NoSnapshot> {
        let known = self.port.get().map(|port| [port]);
        let ports: &[u16] = known.as_ref().map_or(&PORTS, |port| port);
        let mut first = None;
        for port in ports {
            let asked = self.session.ask_in_pod(self.namespace, &self.pod, *port, &InPod::get(PATH)).await;
            match asked {
                Ok(answer) if answer.is_success() => {
                    self.port.set(Some(*port));
                    return Ok(answer);
                }
                Ok(answer) if answer.status == 404 => {}
                Ok(answer) => match answer.or_failure().await {
                    Ok(answer) => return Ok(answer),
                    Err(failure) => return Err(self.unseen(failure)),
                },
                Err(failure) if matches!(failure.cause, ForwardCause::Refused | ForwardCause::NotHttp) => {
                    first.get_or_insert(failure);
                }
                Err(failure) => return Err(self.unseen(failure)),
            }
        }
        self.port.set(None);
        Err(first.map_or_else(|| self.too_old(), |failure| self.unseen(failure)))
    }

    fn unseen(&self, failure: ForwardFailure) -> NoSnapshot {
        let obstacle = match &failure.cause {
            ForwardCause::Api(ApiCause::Forbidden { .. }) => {
                Obstacle::Lasting(Unread { why: failure.why(), rule: failure.rule(), failure: None })
            }
            _ => Obstacle::Passing,
        };
        NoSnapshot { obstacle, failure: failure.into_failure(self.session) }
    }

    fn too_old(&self) -> NoSnapshot {
        let message = format!("pod {}/{} has no {PATH}: Gloo has it since 1.17", self.namespace, self.pod);
        let failure = Failure::new(Exit::Failed, Reason::BadAnswer, message);
        NoSnapshot { obstacle: Obstacle::Lasting(failure.message.clone().into()), failure }
    }

    fn bad(&self, what: &str) -> NoSnapshot {
        let message = format!("pod {}/{}: the answer to {PATH} {what}", self.namespace, self.pod);
        NoSnapshot { obstacle: Obstacle::Passing, failure: Failure::new(Exit::Failed, Reason::BadAnswer, message) }
    }
}
