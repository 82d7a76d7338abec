//! Watches a single change that affects requests to many Upstreams, such as that of a policy.

use super::{BatchDocument, Observed, Origin, Watch, Watched, requests, verified};
use crate::command::flag;
use crate::error::{Exit, Failure, Reason};
use crate::flow::report::Report;
use crate::kube::Session;
use crate::model::ObjectRef;
use crate::options::{Global, Observation, OnSilence};
use crate::plan::observe::WindowVerdict;
use crate::plan::observe::window::Window;

/// The watch over one change.
pub(in crate::flow) struct SingleWatch<'w> {
    session: &'w Session,
    watch: Watch<'w>,
    watched: Watched,
    observation: Observation,
    since_write: Window,
}

/// How the watched change ended, unless it must be rolled back.
pub(in crate::flow) enum Judged {
    /// What was seen: `340 requests, 0 with 5xx`.
    Passed(String),
    /// It stays, and too few requests passed.
    Quiet(Failure),
}

impl<'w> SingleWatch<'w> {
    /// Watches the requests that the change of an object affects, before it is made: those to Services of a namespace, or
    /// all.
    ///
    /// # Errors
    /// The counters could not be read, no Upstream is affected, or the run was interrupted.
    pub(in crate::flow) async fn begin(
        session: &'w Session,
        gloo: &'w str,
        (object, namespace): (&ObjectRef, Option<&str>),
        observation: Observation,
        report: &mut Report<'_>,
    ) -> Result<Self, Failure> {
        let mut watch = Watch::begin(session, gloo, std::iter::empty(), observation, report).await?;
        let clusters = watch.clusters_to(namespace).await?;
        watch.only(gloo, &clusters);
        let watched = Watched { object: object.clone(), clusters, wanted: None };
        let since_write = watch.before_write().await?;
        Ok(Self { session, watch, watched, observation, since_write })
    }

    /// Watches the requests after the change.
    ///
    /// # Errors
    /// Why the change must be rolled back.
    pub(in crate::flow) async fn judged(self, global: &Global, report: &mut Report<'_>) -> Result<Judged, Failure> {
        let mut after = Watch::after(self.since_write, None);
        let watched = std::slice::from_ref(&self.watched);
        let judged = self.watch.judged(&mut after, watched, "after the change", report).await;
        let observed = judged.as_ref().map_or(&[][..], Vec::as_slice);
        let worse = observed.iter().any(Observed::is_worse);
        let is_quiet = observed.iter().any(|it| it.verdict == WindowVerdict::Quiet);
        let outcome = match (worse || judged.is_err(), is_quiet, self.observation.silence) {
            (true, ..) => "rolledBack",
            (false, true, OnSilence::Stop) => "tooFewRequests",
            _ => "passed",
        };
        let document = BatchDocument {
            number: 1,
            outcome,
            objects: vec![&self.watched.object],
            origin: Origin::ThisRun,
            observation: self.observation,
            observed,
        };
        report.extend_field("batches", vec![document.value()]);
        let judged = judged?;
        let Some(observed) = judged.first() else { return Ok(Judged::Passed("not observed".to_owned())) };
        if worse {
            for (upstream, lines) in observed.blamed() {
                let message = format!("{upstream} in {}: requests became worse", upstream.namespace);
                report.trouble(&message, &lines, None);
            }
            return Err(Failure::new(Exit::RolledBack, Reason::ErrorsRose, "requests became worse after the change"));
        }
        let seen = observed.seen();
        match (is_quiet, self.observation.silence) {
            (true, OnSilence::Stop) => Ok(Judged::Quiet(quiet(observed, self.observation))),
            (true, OnSilence::Verify) => {
                for cluster in &self.watched.clusters {
                    verified(self.session, &cluster.upstream, global, report).await?;
                }
                Ok(Judged::Passed(format!("{seen}, verified by requests")))
            }
            _ => Ok(Judged::Passed(seen)),
        }
    }
}

fn quiet(observed: &Observed, observation: Observation) -> Failure {
    let what = format!(
        "too few requests to judge the change: {}, {} are needed",
        requests(observed.requests()),
        observation.limits.min_requests
    );
    let further = flag("--on-silence").text(" verify sends requests, continue accepts it; ");
    Failure::new(Exit::Unconfirmed, Reason::TooFewRequests, what)
        .detail("the change stays")
        .hint(further.flag("--min-requests").text(" N needs fewer"))
}
