//! `istio setup`, `istio teardown`: run existing commands in order, one at a time.
//!
//! This module makes no decisions of its own. The planner of each command plans its step, once for the whole plan and
//! again before the step runs. A rerun leaves what is already done, so no state is kept between two runs.

mod backward;
mod forward;
mod gateway;
mod hints;
mod in_use;
mod made;
mod objects;
mod observed;
mod observing;
mod pointing;
mod policy;
mod proof;
mod removal;
mod shown;
mod sidecars;
mod spared;
mod step;
mod stopped;
#[cfg(test)]
mod tests;
mod walk;

use std::rc::Rc;

use serde_json::Value;

use self::gateway::SetupGateway;
use self::observing::Observing;
use self::step::{PlannedStep, Step, StepAct, Work};
use super::interrupt::UNTOUCHED;
use super::report::Report;
use super::session::{open, place};
use super::{again, consent, guard};
use crate::command::{CommandLine, Hint, flag, gloo_rs};
use crate::error::{Exit, Failure, Reason};
use crate::kube::Session;
use crate::load::survey::SurveyReader;
use crate::load::traffic;
use crate::options::{Consent, Enrol, GLOO_SYSTEM, Global, Preview, Setup, Teardown};
use crate::plan::advice::Advice;
use crate::plan::mtls::MtlsWish;
use crate::plan::path::effect::{Effect, Touched};
use crate::plan::path::forecast::{Forecast, forecast};
use crate::plan::policy::Caution;

/// Runs the steps from a plain gateway to mutual TLS.
///
/// # Errors
/// Why nothing was started, or which step failed, what remains, and how to continue.
pub(super) async fn setup(task: &Setup, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let mut way = Way::begin("setup", (task.preview, task.caution), global, report).await?;
    let gateway = SetupGateway::find(&way.session, task, global).await?;
    let task = &gateway.with_namespaces(task);
    way.install_in(gateway.installation.as_deref());
    let steps = forward::steps(&way.session, task, &gateway).await;
    Box::pin(way.go(steps, report)).await
}

/// Runs the steps back to a plain gateway.
///
/// # Errors
/// As for [`setup`].
pub(super) async fn teardown(task: &Teardown, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let way = Way::begin("teardown", (task.preview, task.caution), global, report).await?;
    let found = backward::steps(&way.session, task, global).await?;
    let left: Vec<_> = found.left.iter().map(|left| left.on(&global.target())).collect();
    report.field("left", left.iter().map(|left| Value::from(left.as_str())).collect());
    for left in &left {
        way.say(&format!("skipped: {left}"), report);
    }
    Box::pin(way.go(found.steps, report)).await
}

/// Number of simultaneous requests to the API server. Each new connection needs a TLS handshake, and the steps have
/// little to read in parallel. The result is at most four connections: a request that starts before the previous
/// connection is free opens one more.
const REQUESTS: usize = 3;

/// A run of setup or teardown.
struct Way {
    word: &'static str,
    session: Rc<Session>,
    preview: Preview,
    caution: Caution,
    /// Whether the whole plan was confirmed.
    consent: Consent,
    /// The options for each step: it does not ask for confirmation, and its Gloo namespace is set.
    global: Global,
    /// The options from the command line.
    typed: Global,
    /// The namespace of Gloo, if `-n` is another one.
    installation: Option<String>,
}

impl Way {
    async fn begin(
        word: &'static str,
        (preview, caution): (Preview, Caution),
        global: &Global,
        report: &mut Report<'_>,
    ) -> Result<Self, Failure> {
        let session = open(global, report).await?;
        session.limit_requests(REQUESTS);
        report.form_for_cluster(preview);
        report.context(&place(&session));
        let gloo_namespace = global.gloo_namespace.clone().or_else(|| global.namespace.clone());
        let consent = global.consent;
        let typed = global.clone();
        let global = Global { consent: Consent::Given, gloo_namespace, ..global.clone() };
        Ok(Self { word, session, preview, caution, consent, global, typed, installation: None })
    }

    /// Sets the namespace of Gloo, if it is known from elsewhere than the command line.
    fn install_in(&mut self, installation: Option<&str>) {
        let Some(installation) = installation else { return };
        self.installation = Some(installation.to_owned());
        self.global.gloo_namespace = self.installation.clone();
        self.typed.gloo_namespace = self.installation.clone().filter(|namespace| namespace != GLOO_SYSTEM);
    }

    /// Plans all steps, asks for confirmation once, and runs them.
    async fn go(&self, steps: Vec<Step>, report: &mut Report<'_>) -> Result<(), Failure> {
        let mut plan = Box::pin(self.plan(steps, report)).await?;
        let forecast = self.forecast(&plan, report).await?;
        let postponed = forecast.as_ref().map(|it| observed::postpone(&mut plan, it)).unwrap_or_default();
        report.field("plan", plan.iter().enumerate().map(|(index, it)| shown::value(index + 1, it)).collect());
        let of_document = forecast.as_ref().map(|it| it.outages.iter().map(shown::outage_value).collect());
        report.field("outages", of_document.unwrap_or(Value::Null));
        let is_as_wanted = plan.iter().all(PlannedStep::is_already);
        if is_as_wanted {
            self.say("nothing to change", report);
        } else {
            self.say_all(&forecast.as_ref().map(shown::forecast).unwrap_or_default(), report);
            self.say_all(&postponed, report);
            self.say(&format!("changes {}", shown::amount(&plan)), report);
        }
        if self.caution == Caution::Careful {
            against(&plan, &forecast.unwrap_or_default())?;
        }
        if self.preview.is_on() {
            return self.show(&plan, report);
        }
        if is_as_wanted && !plan.iter().any(PlannedStep::looks) {
            return Ok(());
        }
        let risks = if is_as_wanted { Vec::new() } else { vec![shown::amount(&plan)] };
        let consent = &Global { consent: self.consent, ..self.global.clone() };
        consent::ask(&format!("{} changes", self.word), &risks, &place(&self.session), consent, report).await?;
        let stop = report.interrupts();
        stop.begin_writes()?;
        Box::pin(self.walk(&plan, &stop, report)).await
    }

    /// Plans every step and prints its preview as soon as it is known.
    async fn plan(&self, steps: Vec<Step>, report: &mut Report<'_>) -> Result<Vec<PlannedStep>, Failure> {
        let mut plan = Vec::new();
        for step in steps {
            let number = plan.len() + 1;
            let which = format!("step {number} ({} {})", step.word, step.what);
            let act = step.act.clone();
            let interrupts = report.interrupts();
            let planned = interrupts.until_signal(async {
                let by = match &step.act {
                    StepAct::Upstreams(policy, _) if policy.wish == MtlsWish::Enable => {
                        let before: Vec<_> = plan.iter().map(|planned: &PlannedStep| &*planned.effects).collect();
                        spared::auto_mtls_after(&before, &self.session, &self.global).await
                    }
                    _ => None,
                };
                let plan_of_step = step.plan(&self.session, (self.preview, by), &self.global, report);
                let planned = Box::pin(plan_of_step).await?;
                pointing::refuse(&self.session, &plan, &planned, &self.global).await.map(|()| planned)
            });
            let mut planned = planned.await.map_err(|why| {
                let message = match why.exit {
                    Exit::Interrupted => why.message,
                    Exit::NoAnswer => format!("{which} cannot be planned: {}", why.message),
                    _ => format!("{which} is refused: {}", why.message),
                };
                hints::told(Failure { message, ..why }, self.word, &act, &self.typed).detail(UNTOUCHED)
            })?;
            if plan.is_empty() {
                self.say("plan, with the state after each step:", report);
            }
            if plan.last().is_some_and(PlannedStep::is_settled) && planned.work.is_due() {
                planned.work = Work::Observation(Observing::NotNeeded);
            }
            planned.step.undone_by = self.aimed(&planned);
            self.say_all(&shown::lines(number, &planned), report);
            plan.push(planned);
        }
        Ok(plan)
    }

    /// The command that undoes a step, for the same cluster and Gloo installation.
    fn aimed(&self, planned: &PlannedStep) -> Hint {
        let scope = if planned.is_in_gloo() { again::scoped } else { again::in_gloo };
        let typed = planned.step.within(&self.typed);
        planned.step.undone_by.clone().each(|command| scope(command, &typed)).on(&self.typed.target())
    }

    /// The opposite command of the two.
    fn way_back(&self) -> CommandLine {
        let other = gloo_rs(if self.word == "setup" { "istio teardown" } else { "istio setup" });
        match &self.installation {
            Some(installation) => other.of_installation(installation),
            None => again::scoped(other, &self.typed),
        }
    }

    /// Between which steps requests get 503s. `None` if that is unknown, which is reported.
    async fn forecast(&self, plan: &[PlannedStep], report: &mut Report<'_>) -> Result<Option<Forecast>, Failure> {
        let effects: Vec<_> = plan.iter().map(|planned| planned.effects.clone()).collect();
        if effects.iter().all(Vec::<Effect>::is_empty) {
            return Ok(Some(Forecast::default()));
        }
        let survey = SurveyReader::new(&self.session, &self.global);
        let touched = Touched::by(effects.iter().flatten());
        let traffic = Box::pin(traffic::read(&self.session, &survey, &touched)).await?;
        if let Some(why) = traffic.unread.first() {
            if let Some(failure) = why.failure.as_ref().filter(|failure| failure.exit == Exit::NoAnswer) {
                return Err((**failure).clone());
            }
            report.advice(Advice::unknown("expected downtime is unknown", why));
            return Ok(None);
        }
        report.advice_if(guard::on_unread_others(traffic.unread_others.as_ref()));
        Ok(Some(forecast(traffic.world, &traffic.routed, &effects)))
    }

    /// Shows the plan as requested: its diffs, its objects, and whether there is anything to do.
    fn show(&self, plan: &[PlannedStep], report: &mut Report<'_>) -> Result<(), Failure> {
        if self.preview.check && !plan.iter().all(PlannedStep::is_already) {
            report.ends(Exit::WouldChange);
        }
        for planned in plan {
            if self.preview.diff {
                planned.diffs()?.into_iter().for_each(|diff| report.diff(diff));
            }
            planned.rows().for_each(|row| report.record(row));
        }
        let observations = observed::planned(plan);
        if !observations.is_empty() {
            report.extend_field("batches", observations);
        }
        Ok(())
    }

    fn say_all(&self, lines: &[String], report: &mut Report<'_>) {
        for line in lines {
            self.say(line, report);
        }
    }

    /// Prints a line of the plan. A diff has stdout for itself.
    fn say(&self, line: &str, report: &mut Report<'_>) {
        if self.preview.diff { report.ui.status(line) } else { report.paragraph(line) }
    }
}

/// Refuses a plan if a request that works now would or may get 503s after the last step.
fn against(plan: &[PlannedStep], forecast: &Forecast) -> Result<(), Failure> {
    let is_policy = |step: usize| matches!(plan[step - 1].step.act, StepAct::PeerAuth(_));
    let lasting: Vec<_> = forecast.outages.iter().filter(|outage| outage.ends.is_none()).collect();
    if let Some((step, first)) = lasting.iter().find_map(|outage| Some((outage.begins?, outage))) {
        let (reason, message, hint) = if is_policy(step) {
            let what = &plan[step - 1].step.what;
            let is_ambient = |planned: &PlannedStep| matches!(&planned.step.act, StepAct::Enrolment(task) if matches!(task.act, Enrol::Ambient { .. }));
            let hint = match plan.iter().any(is_ambient) {
                true => flag("--namespace-to-enroll").text(" includes the namespace of that gateway"),
                false => flag("--upstream").text(" includes them, ").flag("--auto-mtls").text(" all Upstreams"),
            };
            (Reason::GatewayPlaintext, format!("a gateway sends plaintext to {what} and would get 503s"), hint)
        } else {
            let message = format!("requests that work now would get 503s after the last step: {}", first.why);
            (Reason::WouldBreak, message, flag("--force").text(" proceeds"))
        };
        let failure = Failure::new(Exit::Failed, reason, format!("step {step} is refused: {message}"));
        let begun = lasting.iter().filter(|outage| outage.begins.is_some());
        let failure = begun.fold(failure, |failure, outage| failure.detail(outage.shown.as_str()));
        return Err(failure.detail(UNTOUCHED).hint(hint));
    }
    if let Some(closed) = guard::would_close(&forecast.closed) {
        return Err(closed.into_failure().detail(UNTOUCHED));
    }
    let Some(doubt) = forecast.doubts.first() else { return Ok(()) };
    let message = format!("step {} is refused: whether a gateway would get 503s is unknown: {}", doubt.step, doubt.why);
    let failure = Failure::new(Exit::Failed, Reason::Unknown, message).detail(doubt.shown.as_str());
    let look = gloo_rs("istio describe upstreams -A");
    Err(failure.detail(UNTOUCHED).hint(look).hint(flag("--force").text(" proceeds")))
}
