//! The commands that read from Envoy. They find and name a proxy's pods. Each request is one stream to a pod.

pub(super) mod certs;
pub(super) mod dump;
pub(super) mod logs;
pub(super) mod served;
pub(super) mod snapshot;
pub(super) mod stats;

use crate::flow::session;
use std::rc::Rc;

use crate::error::Failure;
use crate::flow::report::Report;
use crate::kube::{ApiCause, ForwardCause, ForwardFailure, InPod, InPodAnswer, Session};
use crate::load::proxy_pods;
use crate::model::kinds;
use crate::options::{Global, ProxyPods};
use crate::plan::pod;
use crate::plan::proxy_pods::ProxyPod;
use crate::render::answer::ClusterAnswer;

/// Pods of a proxy, with the session of their cluster.
pub(super) struct ProxyPodsSession {
    pub session: Rc<Session>,
    pub pods: Vec<ProxyPod>,
}

/// Finds the pods and reports their names.
///
/// # Errors
/// There is no such proxy, none of its pods runs Envoy, or the request to the API server failed.
pub(super) async fn open(
    wanted: &ProxyPods,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<ProxyPodsSession, Failure> {
    let session = session::open(global, report).await?;
    let mut answer = ClusterAnswer::default();
    let found = find(session, wanted, global, &mut answer).await?;
    report.tell(answer);
    Ok(found)
}

/// Finds the pods in the cluster of this session.
///
/// # Errors
/// As those of [`open`].
pub(super) async fn find(
    session: Rc<Session>,
    wanted: &ProxyPods,
    global: &Global,
    answer: &mut ClusterAnswer,
) -> Result<ProxyPodsSession, Failure> {
    let chosen = proxy_pods::find(&session, global, wanted).await?;
    for advice in chosen.advice {
        answer.advice(advice);
    }
    for pod in &chosen.pods {
        let of = if chosen.of > 1 { format!(" ({} of {})", chosen.pods.len(), chosen.of) } else { String::new() };
        answer.status(format!("pod {}/{}{of}", pod.namespace, pod.name));
    }
    Ok(ProxyPodsSession { session, pods: chosen.pods })
}

impl ProxyPodsSession {
    /// The head of the answer to `GET path` on a pod's admin interface. A status other than success is a failure.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(super) async fn get(&self, pod: &ProxyPod, path: &str) -> Result<InPodAnswer, Failure> {
        match self.ask(pod, path).await {
            Ok(answer) => Ok(answer),
            Err(failure) => Err(self.explain(failure).await),
        }
    }

    async fn ask(&self, pod: &ProxyPod, path: &str) -> Result<InPodAnswer, ForwardFailure> {
        let asked = self.session.ask_in_pod(&pod.namespace, &pod.name, pod.admin_port, &InPod::get(path)).await;
        asked?.or_failure().await
    }

    /// Reads a whole page of the admin interface, up to `most` bytes.
    ///
    /// # Errors
    /// Why the page could not be read.
    pub(super) async fn page(&self, pod: &ProxyPod, path: &str, most: usize) -> Result<Vec<u8>, Failure> {
        match self.whole(pod, path, most).await {
            Ok(page) => Ok(page),
            Err(failure) => Err(self.explain(failure).await),
        }
    }

    async fn whole(&self, pod: &ProxyPod, path: &str, most: usize) -> Result<Vec<u8>, ForwardFailure> {
        self.ask(pod, path).await?.collect(most).await
    }

    /// Like [`Self::page`], but returns `None` if Envoy answers 404.
    ///
    /// # Errors
    /// Why the page could not be read.
    pub(super) async fn page_if_any(
        &self,
        pod: &ProxyPod,
        path: &str,
        most: usize,
    ) -> Result<Option<Vec<u8>>, Failure> {
        match self.whole(pod, path, most).await {
            Ok(page) => Ok(Some(page)),
            Err(ForwardFailure { cause: ForwardCause::Status { status: 404, .. }, .. }) => Ok(None),
            Err(failure) => Err(self.explain(failure).await),
        }
    }

    /// Writes a page to stdout as it arrives. On a pipe the bytes are unchanged.
    ///
    /// # Errors
    /// Why the page could not be read, or not completely.
    pub(super) async fn print(&self, pod: &ProxyPod, path: &str, report: &mut Report<'_>) -> Result<(), Failure> {
        let mut answer = self.get(pod, path).await?;
        let ended = loop {
            match answer.chunk().await {
                Ok(Some(chunk)) => report.part(&chunk),
                Ok(None) => break Ok(()),
                Err(failure) => break Err(failure),
            }
            if report.ui.reader_is_gone() {
                break Ok(());
            }
        };
        report.ui.end_foreign();
        match ended {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.explain(failure).await),
        }
    }

    /// The failure with the state of the pod added, if that may be the cause.
    pub(super) async fn explain(&self, failure: ForwardFailure) -> Failure {
        let may_be_gone = matches!(
            failure.cause,
            ForwardCause::Cut { .. }
                | ForwardCause::Timeout { .. }
                | ForwardCause::Refused
                | ForwardCause::NotRunning(_)
                | ForwardCause::Kubelet(_)
        );
        let (namespace, name) = (failure.namespace.clone(), failure.pod.clone());
        let failure = failure.into_failure(&self.session);
        if !may_be_gone {
            return failure;
        }
        match self.session.get(&kinds::POD, &namespace, &name).await {
            Ok(pod) => {
                pod::not_ready(&pod).into_iter().fold(failure, |failure, why| failure.detail(format!("the pod: {why}")))
            }
            Err(error) if error.cause == ApiCause::NotFound => failure.detail("the pod no longer exists"),
            Err(_) => failure,
        }
    }
}
