//! Watches the requests through the gateways after each step, and rolls back a step after which they became worse.

use super::made::MadeByStep;
use super::observing::{Concerned, Observing};
use super::step::{PlannedStep, Step, StepAct, Work};
use crate::error::{Exit, Failure, Reason};
use crate::flow::report::Report;
use crate::flow::watch::single::too_few;
use crate::flow::watch::{
    BatchDocument, BatchOutcome, Observed, Origin, Serving, Watch, Watched, WatchedCluster, judged_by, served, unmark,
};
use crate::kube::Session;
use crate::model::{ObjectRef, kinds};
use crate::options::{Global, Named, Observation, OnSilence, VerifyTask};
use crate::plan::PerObject as _;
use crate::plan::effect::{AwaitedChange, said};
use crate::plan::observe::window::Window;
use crate::plan::path::forecast::{Forecast, Outage};
use crate::plan::verdict::evidence::cluster_name;
use serde_json::Value;

/// Adds an observation after each step that changes something. `request` is what is sent if too few requests are seen.
pub(super) fn after_each(
    steps: Vec<Step>,
    observation: Observation,
    gateway_namespace: &str,
    request: &VerifyTask,
) -> Vec<Step> {
    let (mut all, mut places) = (Vec::new(), Vec::new());
    for mut step in steps {
        places.push(all.len());
        if let StepAct::Verify { proves, .. } = &mut step.act {
            for index in proves {
                *index = places[*index];
            }
        }
        let concerned = concerned(&step.act, gateway_namespace);
        let what = match (&concerned, &step.act) {
            (Some(Concerned::Namespace(namespace)), _) => format!("requests to namespace {namespace}"),
            (Some(Concerned::Upstreams), _) => format!("requests to {}", step.what),
            _ => "all requests".to_owned(),
        };
        all.push(step);
        all.extend(concerned.map(|concerned| Step {
            word: "observe",
            what: format!("{what}, {}", judged_by(observation)),
            act: StepAct::Observe { observation, concerned, request: Box::new(request.clone()) },
            undone_by: "nothing is changed".into(),
            namespace: None,
        }));
    }
    all
}

/// The requests that a step affects. `None` if it changes nothing.
fn concerned(act: &StepAct, gateway_namespace: &str) -> Option<Concerned> {
    Some(match act {
        StepAct::Verify { .. } | StepAct::Observe { .. } => return None,
        StepAct::Upstreams(..) => Concerned::Upstreams,
        StepAct::Enrolment(task) => match task.namespaces.first() {
            Some(namespace) if namespace != gateway_namespace => Concerned::Namespace(namespace.clone()),
            _ => Concerned::All,
        },
        StepAct::PeerAuth(task) => match task.request.scope.namespace() {
            Some(namespace) => Concerned::Namespace(namespace.to_owned()),
            None => Concerned::All,
        },
        StepAct::Values(_) | StepAct::Sidecars(_) | StepAct::Switches(_) => Concerned::All,
    })
}

/// Postpones the observations after which requests are expected to fail until a later step. Returns a line for each.
pub(super) fn postpone(plan: &mut [PlannedStep], forecast: &Forecast) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, planned) in plan.iter_mut().enumerate() {
        let number = index + 1;
        let is_under_way = |outage: &&Outage| outage.begins.is_some_and(|begins| begins <= number);
        let ends = forecast.outages.iter().filter(is_under_way).filter_map(|outage| outage.ends);
        let Some(until) = ends.filter(|ends| *ends > number).max() else { continue };
        if planned.work.is_due() {
            planned.work = Work::Observation(Observing::Postponed { until });
            lines.push(format!("step {number} is left out: requests are expected to fail until step {until}"));
        }
    }
    lines
}

/// The observations of a plan that are not made, for the document.
pub(super) fn planned(plan: &[PlannedStep]) -> Vec<Value> {
    let due = plan.windows(2).filter_map(|pair| match (&pair[0], &pair[1].step.act) {
        (step, StepAct::Observe { observation, .. }) if pair[1].work.is_due() => Some((step, *observation)),
        _ => None,
    });
    let document = |(at, (step, observation)): (usize, (&PlannedStep, Observation))| {
        let rows: Vec<_> = step.rows().map(|row| row.object).chain(step.unobserved().cloned()).collect();
        let (number, objects, origin) = (at + 1, rows.iter().collect(), step.origin());
        BatchDocument { number, outcome: BatchOutcome::Planned, objects, origin, observation, observed: &[] }.value()
    };
    due.enumerate().map(document).collect()
}

/// The watch over the steps of a plan.
pub(super) struct StepWatch<'w> {
    session: &'w Session,
    gloo: &'w str,
    watch: Watch<'w>,
    observation: Observation,
    everywhere: Vec<WatchedCluster>,
    in_namespaces: Vec<(String, Vec<WatchedCluster>)>,
    since_write: Window,
    /// The steps that changed something and are not judged yet, by their index in the plan.
    open: Vec<usize>,
    /// The number of observations so far.
    number: usize,
    observed: Vec<Observed>,
}

impl<'w> StepWatch<'w> {
    /// Watches the requests for one window before the first step. `None` if nothing is to be observed.
    ///
    /// # Errors
    /// The counters could not be read, or the run was interrupted.
    pub(super) async fn begin(
        (session, gloo): (&'w Session, &'w str),
        plan: &[PlannedStep],
        global: &Global,
        report: &mut Report<'_>,
    ) -> Result<Option<Self>, Failure> {
        let of_plan = plan.iter().filter(|planned| planned.work.is_due() || planned.work.is_postponed());
        let mut acts = of_plan.filter_map(|planned| match &planned.step.act {
            StepAct::Observe { observation, concerned, .. } => Some((*observation, concerned)),
            _ => None,
        });
        let Some((observation, first)) = acts.next() else { return Ok(None) };
        let mut watch = Watch::begin(session, gloo, std::iter::empty(), observation, report).await?;
        let named = named(plan, global);
        let everywhere = watch.clusters_to(None, &named).await?;
        let mut in_namespaces: Vec<(String, Vec<WatchedCluster>)> = Vec::new();
        for concerned in std::iter::once(first).chain(acts.map(|(_, concerned)| concerned)) {
            if let Concerned::Namespace(namespace) = concerned
                && !in_namespaces.iter().any(|(known, _)| known == namespace)
            {
                in_namespaces.push((namespace.clone(), watch.clusters_to(Some(namespace), &named).await?));
            }
        }
        watch.only(gloo, &everywhere);
        Ok(Some(Self {
            session,
            gloo,
            watch,
            observation,
            everywhere,
            in_namespaces,
            since_write: Window::default(),
            open: Vec::new(),
            number: 0,
            observed: Vec::new(),
        }))
    }

    /// Whether something was changed that is not judged yet.
    pub(super) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// The steps that are not judged yet, the last first.
    pub(super) fn open(&self) -> Vec<usize> {
        self.open.iter().rev().copied().collect()
    }

    /// Reads the counters before a step. The window of a step that replaces pods begins after its rollouts.
    ///
    /// # Errors
    /// The counters could not be read, or the run was interrupted.
    pub(super) async fn before_step(&mut self, step: &PlannedStep) -> Result<(), Failure> {
        self.since_write = match step.step.act {
            StepAct::Values(_) | StepAct::Sidecars(_) | StepAct::Enrolment(_) => Window::default(),
            _ => self.watch.before_write().await?,
        };
        Ok(())
    }

    /// Notes what a step changed.
    pub(super) fn after_step(&mut self, index: usize, made: &MadeByStep) {
        self.open.extend(made.is_changed().then_some(index));
    }

    /// Watches the requests after the steps that are not judged yet. What passed loses its mark.
    ///
    /// # Errors
    /// Why these steps must be rolled back, or that too few requests were seen.
    pub(super) async fn observe(
        &mut self,
        plan: &[PlannedStep],
        (made, request): (&mut [MadeByStep], &VerifyTask),
        global: &Global,
        report: &mut Report<'_>,
    ) -> Result<(), Failure> {
        self.number += 1;
        self.observed.clear();
        let watched: Vec<_> = self.open.iter().flat_map(|index| self.watched(plan, *index, &made[*index])).collect();
        let serving = self.serving(plan, made, global);
        let mut after = Watch::after(self.since_write.clone(), serving);
        self.observed = self.watch.judged(&mut after, &watched, "after the step", report).await?;
        drop(after);
        if self.observation.silence == OnSilence::Verify {
            let request_to = |named: Named| request_to(request, named, global);
            for one in &mut self.observed {
                one.verify(self.session, &request_to, global, report).await?;
            }
        }
        let worse: Vec<_> = self.observed.iter().filter(|one| one.is_worse()).collect();
        for one in &worse {
            one.say_worse(&[], report);
        }
        if !worse.is_empty() {
            return Err(Failure::new(Exit::RolledBack, Reason::ErrorsRose, "requests became worse"));
        }
        if let Some(quiet) = self.observed.iter().find(|one| one.is_unproven(self.observation.silence)) {
            return Err(too_few(quiet.requests(), self.observation));
        }
        let seen: Vec<_> = self.observed.iter().map(Observed::seen).collect();
        report.ui.status(seen.join("; "));
        for index in &self.open {
            if let MadeByStep::Objects(all) = &mut made[*index] {
                for done in all {
                    // A later rollback compares the object with what this run left.
                    done.after = unmark(self.session, &done.after, report).await.unwrap_or(done.after.clone());
                }
            }
        }
        Ok(())
    }

    /// Adds the observation to the document, and begins the next.
    pub(super) fn ended(
        &mut self,
        outcome: BatchOutcome,
        plan: &[PlannedStep],
        made: &[MadeByStep],
        report: &mut Report<'_>,
    ) {
        let objects: Vec<_> = self.open.iter().flat_map(|index| made[*index].objects()).collect();
        let is_left = self.open.iter().all(|index| plan[*index].origin() == Origin::EarlierRun);
        let document = BatchDocument {
            number: self.number,
            outcome,
            objects: objects.iter().collect(),
            origin: if is_left { Origin::EarlierRun } else { Origin::ThisRun },
            observation: self.observation,
            observed: &self.observed,
        };
        report.extend_field("batches", vec![document.value()]);
        self.open.clear();
    }

    /// The objects that a step changed, with the clusters that they affect.
    fn watched(&self, plan: &[PlannedStep], index: usize, made: &MadeByStep) -> Vec<Watched> {
        let clusters = match (&plan[index].step.act, plan.get(index + 1).map(|next| &next.step.act)) {
            (StepAct::Upstreams(policy, _), _) => {
                let MadeByStep::Objects(all) = made else { return Vec::new() };
                // The connections of what an earlier run changed may be open since then: there need not be a handshake.
                let is_new = plan[index].origin() == Origin::ThisRun;
                let of_upstream = all.iter().map(|done| Watched {
                    object: done.after.reference.clone(),
                    clusters: vec![own(&done.after.reference)],
                    wanted: is_new.then(|| policy.expects(&done.change.before)).flatten(),
                });
                return of_upstream.collect();
            }
            (_, Some(StepAct::Observe { concerned: Concerned::Namespace(namespace), .. })) => {
                self.in_namespaces.iter().find(|(known, _)| known == namespace).map(|(_, clusters)| clusters)
            }
            _ => None,
        };
        let clusters = clusters.unwrap_or(&self.everywhere).clone();
        let first = made.objects().into_iter().next();
        first.map(|object| Watched { object, clusters, wanted: None }).into_iter().collect()
    }

    /// The wait until Gloo serves the changes. `None` if that cannot be seen for all of them.
    fn serving(&self, plan: &[PlannedStep], made: &[MadeByStep], global: &Global) -> Option<Serving<'w>> {
        let mut changes = Vec::new();
        for index in &self.open {
            let (StepAct::Upstreams(policy, _), MadeByStep::Objects(all)) = (&plan[*index].step.act, &made[*index])
            else {
                return None;
            };
            for done in all {
                let before = &done.change.before;
                let (object, before_it) = (before.reference.clone(), said(&before.value, self.gloo));
                changes.push(AwaitedChange { object, wanted: policy.expects(before)?, before: before_it });
            }
        }
        Some(served(self.session, self.gloo, changes, global.wait_timeout))
    }
}

/// The Upstreams that the plan names.
fn named(plan: &[PlannedStep], global: &Global) -> Vec<ObjectRef> {
    let of_step = |planned: &PlannedStep| match &planned.step.act {
        StepAct::Upstreams(_, names) => names.clone(),
        StepAct::Verify { request, .. } => request.upstream.iter().cloned().collect(),
        _ => Vec::new(),
    };
    let reference = |named: Named| {
        let namespace = named.namespace.as_deref().unwrap_or(global.object_namespace());
        ObjectRef::new(&kinds::UPSTREAM, namespace, named.name)
    };
    plan.iter().flat_map(of_step).map(reference).collect()
}

fn own(upstream: &ObjectRef) -> WatchedCluster {
    WatchedCluster { name: cluster_name(upstream), upstream: upstream.clone() }
}

/// The request to an Upstream. The host and path of the command line are for the one Upstream that was named with them.
fn request_to(request: &VerifyTask, upstream: Named, global: &Global) -> VerifyTask {
    let namespace = |named: &Named| named.namespace.clone().unwrap_or(global.object_namespace().to_owned());
    let is_it = |named: &Named| named.name == upstream.name && namespace(named) == namespace(&upstream);
    let is_named = request.upstream.as_ref().is_none_or(is_it);
    let (host, path) = if is_named { (request.host.clone(), request.path.clone()) } else { (None, None) };
    VerifyTask { upstream: Some(upstream), host, path, ..request.clone() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::flow::fixture::global;
    use crate::flow::setup::forward;
    use crate::options::{Enrol, OnWorse};
    use crate::plan::mtls::MtlsWish;
    use crate::plan::observe::Limits;

    fn observation() -> Observation {
        Observation {
            batch: None,
            window: Duration::from_mins(1),
            limits: Limits { max_5xx: None, min_requests: 20 },
            silence: OnSilence::Stop,
            failure: OnWorse::Stop,
        }
    }

    fn named(name: &str) -> Named {
        Named { namespace: None, name: name.to_owned() }
    }

    fn step(word: &'static str, what: &str, act: StepAct) -> Step {
        Step { word, what: what.to_owned(), act, undone_by: "x".into(), namespace: None }
    }

    /// Two enrolments, an Upstream, and a request that proves it.
    fn steps() -> Vec<Step> {
        let enroll = |namespace: &str| {
            let act = forward::enrolment(Enrol::Ambient { istio_namespace: None }, namespace);
            step("enroll", namespace, StepAct::Enrolment(act))
        };
        let request = Box::new(VerifyTask::to_upstream(named("cart")));
        let upstream = step("upstream", "cart", forward::upstreams(MtlsWish::Enable, vec![named("cart")]));
        let verify = step("verify", "cart", StepAct::Verify { request, proves: vec![2] });
        let steps = vec![enroll("edge"), enroll("shop"), upstream, verify];
        after_each(steps, observation(), "edge", &VerifyTask::to_upstream(None))
    }

    fn plan() -> Vec<PlannedStep> {
        let planned = |step: Step| PlannedStep {
            work: match step.act {
                StepAct::Verify { .. } => Work::Request,
                StepAct::Observe { .. } => Work::Observation(Observing::Due),
                _ => Work::Objects(Vec::new()),
            },
            step,
            spared: None,
            effects: Vec::new(),
        };
        steps().into_iter().map(planned).collect()
    }

    #[test]
    fn each_step_that_changes_something_is_followed_by_an_observation_of_the_requests_that_it_affects() {
        let shown = |step: &Step| match &step.act {
            StepAct::Observe { concerned, .. } => format!("observe {concerned:?}"),
            StepAct::Verify { proves, .. } => format!("verify {proves:?}"),
            _ => step.word.to_owned(),
        };
        let shown: Vec<_> = steps().iter().map(shown).collect();
        assert_eq!(
            shown,
            [
                "enroll",
                "observe All",
                "enroll",
                "observe Namespace(\"shop\")",
                "upstream",
                "observe Upstreams",
                "verify [4]"
            ],
            "the gateway's own namespace affects all requests, and the request proves the step at its new place"
        );
    }

    #[test]
    fn requests_that_are_expected_to_fail_are_judged_after_the_step_that_ends_it() {
        let outage = |begins, ends| Outage { shown: "route a".to_owned(), begins, ends, why: "plaintext".to_owned() };
        let postponed = |outages: Vec<Outage>| {
            let mut plan = plan();
            let lines = postpone(&mut plan, &Forecast { outages, ..Forecast::default() });
            let works: Vec<_> = plan.iter().filter(|it| it.work.is_postponed()).map(|it| it.step.word).collect();
            assert_eq!(works.len(), lines.len());
            plan.iter().enumerate().filter(|(_, it)| it.work.is_postponed()).map(|(at, _)| at + 1).collect::<Vec<_>>()
        };
        assert_eq!(postponed(vec![outage(Some(3), Some(5))]), [4]);
        assert_eq!(postponed(vec![outage(Some(1), Some(5))]), [2, 4]);
        assert_eq!(postponed(vec![outage(Some(3), None)]), [0; 0], "nothing ends it, so it is judged");
        assert_eq!(postponed(vec![outage(None, Some(5))]), [0; 0], "they failed before");
    }

    #[test]
    fn host_and_path_are_for_the_upstream_that_was_named() {
        let request = VerifyTask { host: Some("shop".to_owned()), ..VerifyTask::to_upstream(named("cart")) };
        let host = |name: &str, namespace: &str| {
            let upstream = Named { namespace: Some(namespace.to_owned()), name: name.to_owned() };
            request_to(&request, upstream, &global()).host
        };
        let home = global().object_namespace().to_owned();
        assert_eq!(host("cart", &home).as_deref(), Some("shop"));
        assert_eq!((host("cart", "elsewhere"), host("other", &home)), (None, None));
    }
}
