//! A changed object with the clusters that its change affects, and how its window ended.

use serde_json::{Value, json};

use super::requests;
use crate::error::{Exit, Failure};
use crate::flow::report::Report;
use crate::flow::verify;
use crate::kube::Session;
use crate::model::ObjectRef;
use crate::options::{Global, Named, OnSilence, VerifyTask};
use crate::plan::effect::Wanted;
use crate::plan::observe::window::Tally;
use crate::plan::observe::{Tallies, WindowVerdict, Worse};
use crate::plan::verdict::counters::Stat;

/// A changed object, and the clusters of Envoy that its change affects.
#[derive(Debug, Clone)]
pub(in crate::flow) struct Watched {
    pub object: ObjectRef,
    pub clusters: Vec<WatchedCluster>,
    /// The TLS that the clusters must use after the change, if that is known.
    pub wanted: Option<Wanted>,
}

/// A cluster of Envoy, and the Upstream that it is made of.
#[derive(Debug, Clone)]
pub(in crate::flow) struct WatchedCluster {
    pub name: String,
    pub upstream: ObjectRef,
}

/// How the window of a changed object ended.
#[derive(Debug, Clone)]
pub(in crate::flow) struct Observed {
    pub watched: Watched,
    pub verdict: WindowVerdict,
    /// Why the change is not in effect, if the counters do not decide.
    pub not_served: Vec<String>,
    pub tallies: Vec<Tallies>,
}

impl Observed {
    /// Whether the change must be rolled back.
    pub(in crate::flow) fn is_worse(&self) -> bool {
        !self.not_served.is_empty() || matches!(self.verdict, WindowVerdict::Worse(_))
    }

    /// The Upstreams to which requests became worse, and what became worse.
    pub(in crate::flow) fn blamed(&self) -> Vec<(&ObjectRef, Vec<String>)> {
        let of_counters = match &self.verdict {
            WindowVerdict::Worse(worse) => worse.as_slice(),
            WindowVerdict::Passed | WindowVerdict::Quiet => &[],
        };
        let blamed = of_counters.iter().map(|it| (&self.watched.clusters[it.cluster].upstream, it.lines.clone()));
        let not_served = (!self.not_served.is_empty()).then(|| (&self.watched.object, self.not_served.clone()));
        not_served.into_iter().chain(blamed).collect()
    }

    /// Reports the Upstreams to which requests became worse, with what explains it.
    pub(in crate::flow) fn say_worse(&self, explained: &[String], report: &mut Report<'_>) {
        for (upstream, lines) in self.blamed() {
            let place =
                if upstream.namespace.is_empty() { String::new() } else { format!(" in {}", upstream.namespace) };
            let message = format!("{upstream}{place}: requests became worse");
            report.trouble(&message, &[lines, explained.to_vec()].concat(), None);
        }
    }

    /// Whether too few requests were seen, and nothing else proved the change.
    pub(in crate::flow) fn is_unproven(&self, silence: OnSilence) -> bool {
        let is_proven = match silence {
            OnSilence::Stop => false,
            OnSilence::Continue => true,
            OnSilence::Verify => !self.watched.clusters.is_empty(),
        };
        self.verdict == WindowVerdict::Quiet && !is_proven
    }

    /// Sends a request to each Upstream, if too few were seen. Requests to one that does not answer as expected became
    /// worse. The answer must come over Istio's TLS only if the change turned that on.
    ///
    /// # Errors
    /// The run was interrupted.
    pub(in crate::flow) async fn verify(
        &mut self,
        session: &Session,
        request_to: &dyn Fn(Named) -> VerifyTask,
        global: &Global,
        report: &mut Report<'_>,
    ) -> Result<(), Failure> {
        if self.verdict != WindowVerdict::Quiet || self.is_worse() {
            return Ok(());
        }
        let mut worse = Vec::new();
        for (cluster, watched) in self.watched.clusters.iter().enumerate() {
            let ObjectRef { namespace, name, .. } = watched.upstream.clone();
            let request = request_to(Named { namespace: Some(namespace), name });
            let interrupts = report.interrupts();
            let sent = fault_of_request(session, &request, self.watched.wanted, global, report);
            let fault = match interrupts.until_signal(sent).await {
                Ok(fault) => fault,
                Err(why) if why.exit == Exit::Interrupted => return Err(why),
                Err(why) => Some(why.message),
            };
            worse.extend(fault.map(|fault| Worse { cluster, lines: vec![fault] }));
        }
        if !worse.is_empty() {
            self.verdict = WindowVerdict::Worse(worse);
        }
        Ok(())
    }

    /// All requests since the write: `340 requests, 0 with 5xx`.
    pub(in crate::flow) fn seen(&self) -> String {
        let total = self.tallies.iter().fold(Tally::default(), |sum, it| sum.and(&it.now));
        format!("{}, {} with 5xx", requests(total.requests()), total.of(Stat::ServerErrors))
    }

    /// The requests since the change was served.
    pub(in crate::flow) fn requests(&self) -> u64 {
        self.tallies.iter().fold(0, |sum, it| sum.saturating_add(it.since_served.requests()))
    }

    /// The counters before and after, for the document.
    pub(super) fn document(&self) -> Vec<Value> {
        let one = |(cluster, tallies): (&WatchedCluster, &Tallies)| {
            json!({
                "cluster": cluster.name,
                "upstream": {"namespace": cluster.upstream.namespace, "name": cluster.upstream.name},
                "before": tallies.before.document(),
                "after": tallies.now.document(),
            })
        };
        self.watched.clusters.iter().zip(&self.tallies).map(one).collect()
    }
}

/// Sends a request, and returns what is wrong with its answer. The answer must come over Istio's TLS if that is wanted.
///
/// # Errors
/// The request could not be sent.
pub(in crate::flow) async fn fault_of_request(
    session: &Session,
    request: &VerifyTask,
    wanted: Option<Wanted>,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<Option<String>, Failure> {
    let judged = Box::pin(verify::judged(session, request, global, report)).await?;
    Ok(match wanted {
        Some(Wanted::Istio | Wanted::AutoMtls) => judged.fault(),
        _ => judged.failed(),
    })
}
