//! Watches the requests to changed objects through the counters of every gateway's Envoy: in a window before the change,
//! and in one after it.

mod document;
mod marked;
mod observed;
pub(super) mod single;

pub(super) use document::{BatchDocument, BatchOutcome, Origin};
pub(super) use marked::{done_of_mark, unmark};
pub(super) use observed::{Observed, Watched, WatchedCluster, fault_of_request};

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::interrupt::{Interrupts, UNTOUCHED};
use super::report::Report;
use crate::error::{Failure, Reason};
use crate::kube::{Query, Scope, Session};
use crate::load::gateway_counters::GatewayCounters;
use crate::model::{Object, ObjectRef, kinds};
use crate::options::Observation;
use crate::plan::advice::{Advice, Code, some_of};
use crate::plan::effect::{AwaitedChange, EffectVerdict};
use crate::plan::observe::window::{Tally, Window};
use crate::plan::observe::{Moment, Tallies, WindowVerdict, judge};
use crate::plan::verdict::counters::Stat;
use crate::plan::verdict::evidence::{cluster_name, in_memory};
use crate::plan::waiting::{Counted, Seen, Unwatched, Watcher};
use crate::render::text::{count, seconds};
use crate::verify::acceptance;

/// The longest time between two looks at the counters.
const PAUSE: Duration = Duration::from_secs(1);
/// A short window is looked at this often.
const LOOKS: u32 = 5;
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// What a watched change is judged by: `watched for 1m00s: 5xx not more than before, at least 20 requests to each`.
pub(super) fn judged_by(observation: Observation) -> String {
    if observation.is_by_request() {
        return "proven by a request, as istio verify sends it".to_owned();
    }
    let limits = observation.limits;
    let errors = limits.max_5xx.map_or("not more than before".to_owned(), |most| format!("at most {most}"));
    let requests = requests(limits.min_requests);
    format!("watched for {}: 5xx {errors}, at least {requests} to each object", seconds(observation.window))
}

/// `1 request`, `20 requests`
pub(super) fn requests(number: u64) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), "request")
}

/// The result of the wait until Gloo serves the change, one for each watched object.
pub(super) type Serving<'f> = Pin<Box<dyn Future<Output = Vec<EffectVerdict>> + 'f>>;

/// Waits until Gloo serves the changes.
pub(super) fn served<'f>(
    session: &'f Session,
    gloo: &'f str,
    changes: Vec<AwaitedChange>,
    patience: Duration,
) -> Serving<'f> {
    Box::pin(async move { acceptance::wait(session, gloo, &changes, patience, &Unwatched).await })
}

/// The window after a change. It goes on if some objects of it are judged before the others.
pub(super) struct AfterChange<'f> {
    serving: Option<Serving<'f>>,
    not_served: Vec<(ObjectRef, Vec<String>)>,
    since_write: Window,
    since_served: Option<Window>,
    end: Option<Instant>,
}

/// The gateways' counters, and how requests ended before the change.
pub(super) struct Watch<'w> {
    session: &'w Session,
    counters: GatewayCounters<'w>,
    observation: Observation,
    interrupts: Interrupts,
    before: Window,
    /// The first of the last failures to read the counters.
    unread_since: Cell<Option<Instant>>,
}

impl<'w> Watch<'w> {
    /// Watches these clusters for one window before anything is changed.
    ///
    /// # Errors
    /// The counters could not be read, or the run was interrupted.
    pub(super) async fn begin<'c>(
        session: &'w Session,
        gloo: &'w str,
        clusters: impl Iterator<Item = &'c str>,
        observation: Observation,
        report: &mut Report<'_>,
    ) -> Result<Self, Failure> {
        let interrupts = report.interrupts();
        let counters = GatewayCounters::of(session, gloo, clusters);
        let mut watch = Self {
            session,
            counters,
            observation,
            interrupts,
            before: Window::default(),
            unread_since: Cell::default(),
        };
        watch.first(report).await.map_err(|failure| failure.detail(UNTOUCHED))?;
        Ok(watch)
    }

    async fn first(&mut self, report: &mut Report<'_>) -> Result<(), Failure> {
        let interrupts = self.interrupts.clone();
        let reading = interrupts.until_signal(self.counters.read()).await?;
        if !reading.elsewhere.is_empty() {
            let what = "some gateways outside of Gloo's namespace are not watched";
            report.advice(Advice::note(Code::Unknown, what).details(some_of(reading.elsewhere.into_iter())));
        }
        let pods = count(reading.pods.len(), "gateway pod");
        let window = self.observation.window;
        report.ui.status(format!("watching requests through {pods} for {} before the change", seconds(window)));
        let mut before = Window::from(reading.pods);
        let progress = report.ui.waiting("before the change");
        let (begun, end) = (Instant::now(), later(window));
        let watched = interrupts.until_signal(async {
            loop {
                let is_over = self.look(&mut [&mut before], end).await?;
                progress.sees(&seen(begun.elapsed(), window, &sum(&before)));
                if is_over {
                    return Ok(());
                }
            }
        });
        let watched = watched.await;
        report.ui.end_wait();
        self.before = before;
        watched
    }

    /// The clusters with counters that are made of Upstreams, or of Services that routes lead to. With a namespace, those
    /// that lead to its Services. Those of the named Upstreams are among them without counters too.
    ///
    /// # Errors
    /// The Upstreams could not be listed.
    pub(super) async fn clusters_to(
        &self,
        namespace: Option<&str>,
        named: &[ObjectRef],
    ) -> Result<Vec<WatchedCluster>, Failure> {
        let query = Query { metadata_only: namespace.is_none(), ..Query::default() };
        let listed = self.session.list_all(&kinds::UPSTREAM, Scope::All, query).await;
        let listed = listed.map_err(|error| error.into_failure(self.session).detail(UNTOUCHED))?;
        let leads_there = |upstream: &Object| {
            namespace.is_none_or(|namespace| upstream.value["spec"]["kube"]["serviceNamespace"] == namespace)
        };
        let upstreams = listed.into_iter().map(|upstream| Object::new(&kinds::UPSTREAM, upstream));
        let upstreams = upstreams.filter(leads_there).map(|upstream| upstream.reference);
        let upstreams: HashMap<_, _> = upstreams.map(|upstream| (cluster_name(&upstream), upstream)).collect();
        let known = |name: &str| {
            let service = || in_memory(name).filter(leads_there).map(|upstream| upstream.reference);
            let upstream = upstreams.get(name).cloned().or_else(service)?;
            Some(WatchedCluster { name: name.to_owned(), upstream })
        };
        let named: Vec<_> = named.iter().map(cluster_name).filter(|name| upstreams.contains_key(name)).collect();
        let all: BTreeSet<_> = self.before.clusters().chain(named.iter().map(String::as_str)).collect();
        Ok(all.into_iter().filter_map(known).collect())
    }

    /// Reads only the counters of these clusters from now on.
    pub(super) fn only(&mut self, gloo: &'w str, clusters: &[WatchedCluster]) {
        let names = clusters.iter().map(|cluster| cluster.name.as_str());
        self.counters = GatewayCounters::of(self.session, gloo, names);
    }

    /// The counters right before a change.
    ///
    /// # Errors
    /// They could not be read, or the run was interrupted.
    pub(super) async fn before_write(&self) -> Result<Window, Failure> {
        let reading = self.interrupts.until_signal(self.counters.read()).await?;
        Ok(Window::from(reading.pods))
    }

    /// Starts the window after a change.
    pub(super) fn after(since_write: Window, serving: Option<Serving<'_>>) -> AfterChange<'_> {
        AfterChange { serving, not_served: Vec::new(), since_write, since_served: None, end: None }
    }

    /// Watches until the window ends or one of the objects became worse. Returns those that are judged: all, or the ones
    /// that became worse.
    ///
    /// # Errors
    /// The counters could not be read, or the run was interrupted.
    pub(super) async fn judged(
        &self,
        after: &mut AfterChange<'_>,
        watched: &[Watched],
        what: &str,
        report: &mut Report<'_>,
    ) -> Result<Vec<Observed>, Failure> {
        let progress = report.ui.waiting(what);
        let judged = self.interrupts.until_signal(self.until_judged(after, watched, &progress)).await;
        report.ui.end_wait();
        judged
    }

    async fn until_judged(
        &self,
        after: &mut AfterChange<'_>,
        watched: &[Watched],
        progress: &dyn Watcher,
    ) -> Result<Vec<Observed>, Failure> {
        let window = self.observation.window;
        loop {
            if after.serving.is_none() && after.end.is_none() {
                after.since_served = Some(after.since_write.again());
                after.end = Some(later(window));
            }
            let is_over = self.look_after(after, watched).await?;
            let begun = after
                .end
                .map_or(Duration::ZERO, |end| window.saturating_sub(end.saturating_duration_since(Instant::now())));
            progress.sees(&seen(begun, window, &sum(&after.since_write)));
            let moment = if is_over { Moment::End } else { Moment::Within };
            let judged: Vec<_> = watched.iter().filter_map(|one| self.judge(after, one, moment)).collect();
            if is_over || judged.iter().any(Observed::is_worse) {
                return Ok(judged);
            }
        }
    }

    /// Looks once, and says whether the window is over.
    async fn look_after(&self, after: &mut AfterChange<'_>, watched: &[Watched]) -> Result<bool, Failure> {
        let Some(serving) = &mut after.serving else {
            let end = after.end.expect("the window begins when nothing is waited for any more");
            let mut windows: Vec<_> =
                [Some(&mut after.since_write), after.since_served.as_mut()].into_iter().flatten().collect();
            return self.look(&mut windows, end).await;
        };
        let never = later(self.observation.window);
        let windows = &mut [&mut after.since_write];
        let looked = self.look(windows, never);
        tokio::select! {
            biased;
            verdicts = serving => {
                after.serving = None;
                let not_served = watched.iter().zip(verdicts).filter_map(|(one, verdict)| {
                    Some((one.object.clone(), not_served(verdict)?))
                });
                after.not_served = not_served.collect();
                Ok(false)
            }
            looked = looked => looked.map(|_| false),
        }
    }

    /// Waits, then adds the current counters. Says whether the end has passed, which needs counters that were read after
    /// it. A failure to read them counts only if it lasts for the time of a request: counters lose nothing between two
    /// looks.
    async fn look(&self, windows: &mut [&mut Window], end: Instant) -> Result<bool, Failure> {
        let left = end.saturating_duration_since(Instant::now());
        let pause = (self.observation.window / LOOKS).clamp(SHORTEST_PAUSE, PAUSE);
        sleep(if left.is_zero() { pause } else { pause.min(left) }).await;
        let is_over = Instant::now() >= end;
        match self.counters.read().await {
            Ok(reading) => {
                self.unread_since.set(None);
                for window in windows {
                    window.add(reading.pods.clone());
                }
                Ok(is_over)
            }
            Err(failure) => {
                let since = self.unread_since.get().unwrap_or_else(Instant::now);
                self.unread_since.set(Some(since));
                if since.elapsed() >= self.session.timeout() { Err(failure) } else { Ok(false) }
            }
        }
    }

    fn judge(&self, after: &AfterChange<'_>, watched: &Watched, moment: Moment) -> Option<Observed> {
        let tallies = |cluster: &WatchedCluster| Tallies {
            before: self.before.tally(&cluster.name),
            now: after.since_write.tally(&cluster.name),
            since_served: after.since_served.as_ref().map(|window| window.tally(&cluster.name)).unwrap_or_default(),
        };
        let tallies: Vec<_> = watched.clusters.iter().map(tallies).collect();
        let not_served = after.not_served.iter().find(|(object, _)| *object == watched.object);
        let not_served = not_served.map(|(_, why)| why.clone()).unwrap_or_default();
        let verdict = match (self.observation.is_by_request(), moment) {
            // Its moment is too short to compare with the one before.
            (true, Moment::End) => Some(WindowVerdict::Quiet),
            (true, Moment::Within) => None,
            (false, _) => judge(&tallies, watched.wanted, self.observation.limits, moment),
        };
        let verdict = verdict.or_else(|| (!not_served.is_empty()).then_some(WindowVerdict::Quiet))?;
        Some(Observed { watched: watched.clone(), verdict, not_served, tallies })
    }
}

/// Why the change is not in effect. What may not be read is no reason: the counters show the effect.
fn not_served(verdict: EffectVerdict) -> Option<Vec<String>> {
    match verdict {
        EffectVerdict::Served { .. } | EffectVerdict::Unseen { .. } => None,
        EffectVerdict::Complained { state, reason } => Some(vec![format!("Gloo says {state}: {reason}")]),
        EffectVerdict::Unconfirmed { why, .. } => Some(why),
        EffectVerdict::Interrupted => Some(vec![Reason::Interrupted.name().to_owned()]),
    }
}

/// The time `after` now. The end of time is now as well.
fn later(after: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(after).unwrap_or(now)
}

fn sum(window: &Window) -> Tally {
    window.clusters().fold(Tally::default(), |sum, cluster| sum.and(&window.tally(cluster)))
}

/// `12 of 60 s: 340 requests, 0 5xx, 12 handshakes`
fn seen(begun: Duration, window: Duration, tally: &Tally) -> Seen {
    let (requests, errors, handshakes) = (tally.requests(), tally.of(Stat::ServerErrors), tally.of(Stat::Handshake));
    Seen {
        counted: Some(Counted { done: begun.as_secs().min(window.as_secs()), of: window.as_secs(), what: "s" }),
        reason: format!("{requests} requests, {errors} 5xx, {handshakes} handshakes"),
    }
}
