//! `istio inject`, `istio uninject`: a proxy's bootstrap and workload as one transaction.

use jiff::Timestamp;

use super::interrupt::{self, Stop};
use super::report::{Answers, Report};
use super::transact::{Said, Transaction, short};
use super::{consent, place};
use crate::apply::transaction::{self, Step};
use crate::edit::json;
use crate::error::{Exit, Failure, Reason};
use crate::kube::Session;
use crate::load::survey::Survey;
use crate::load::{self, dangling, gateways, istio};
use crate::model::{Object, kinds};
use crate::options::{DryRun, Global, Injection, Posture, Proxies, Rollouts, Sidecars, Switches, Upstreams};
use crate::plan::advice::{Advice, Code};
use crate::plan::auto_mtls;
use crate::plan::dangling::Dangling;
use crate::plan::istiod::Istiod;
use crate::plan::mtls::{Caution, Foreign, Found, Policy, SDS_CLUSTER, Wish};
use crate::plan::outcome::{Decision, Objection, Outcome, Row};
use crate::plan::rollout;
use crate::plan::sidecars::{self, Around, Flags, Proxy, Security, TransactionPlan};
use crate::plan::{self, PerObject};
use crate::render::diff;
use crate::render::text::Mark;
use crate::verify::sidecars as proof;

/// What is done to one proxy.
struct Planned {
    proxy: Proxy,
    plan: TransactionPlan,
}

/// What the whole run does, in the order of writing.
struct Plan {
    /// Before the proxies: what must not refer to them any more.
    first: Vec<Said>,
    proxies: Vec<Planned>,
    /// After the proxies: what refers to them.
    last: Vec<Said>,
}

/// Injects or takes out.
///
/// # Errors
/// Why it was not done, and whether what had been done was taken back.
pub async fn run(task: &Sidecars, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let session = super::open(global, report).await?;
    let mark = match (task.preview.dry_run, task.preview.is_on()) {
        (Some(DryRun::Server), _) => Mark::ServerDryRun,
        (_, true) => Mark::ClientDryRun,
        (_, false) => Mark::Written,
    };
    report.form(if task.preview.diff { Answers::Stderr } else { Answers::Stdout }, mark);
    report.ui.status(&place(&session));
    let proxies = gateways::find(&session, global.object_namespace(), &task.proxies).await?;
    let planned = match &task.act {
        Injection::Inject { .. } => injection(&session, task, global, proxies, report).await?,
        Injection::Uninject { upstreams, caution } => {
            removal(&session, (*upstreams, *caution), global, proxies, report).await?
        }
    };
    let Some(plan) = planned else {
        report.ui.status("nothing was changed");
        return Ok(());
    };
    for planned in &plan.proxies {
        for advice in &planned.plan.advice {
            report.advice(advice.clone());
        }
    }
    if task.preview.is_on() {
        return preview(&session, task, &plan, report).await;
    }
    consent::ask(task.act.words(), &risks(task), &place(&session), global, report)?;
    let unasked = transaction::rehearse(&session, &plan.steps()).await?;
    for object in unasked {
        report.advice(
            Advice::note(Code::Unknown, format!("{object}: a webhook does not support dry run")).about(&object),
        );
    }
    let stop = Stop::default();
    interrupt::told(&stop, write(&session, task, global, &plan, &stop, report)).await?;
    report.line(task.act.success());
    Ok(())
}

fn risks(task: &Sidecars) -> Vec<String> {
    let mut risks = Vec::new();
    risks.extend((task.proxies == Proxies::All).then_some("all gateway proxies"));
    match &task.act {
        Injection::Inject { auto_mtls: Switches::On, .. } => risks.push("auto-mTLS for every Upstream"),
        Injection::Uninject { upstreams, caution } => {
            risks.extend((*upstreams == Upstreams::Included).then_some("mTLS of the Upstreams that need the sidecars"));
            risks.extend((*caution == Caution::Forced).then_some("a cluster that is still pointed at (--force)"));
        }
        Injection::Inject { .. } => {}
    }
    risks.into_iter().map(str::to_owned).collect()
}

impl Injection {
    fn words(&self) -> &'static str {
        match self {
            Self::Inject { .. } => "inject changes",
            Self::Uninject { .. } => "uninject takes away",
        }
    }

    /// The line that glooctl ends with, and scripts look for.
    pub fn success(&self) -> &'static str {
        match self {
            Self::Inject { .. } => "Istio injection was successful!",
            Self::Uninject { .. } => "Istio was successfully uninjected",
        }
    }
}

async fn injection(
    session: &Session,
    task: &Sidecars,
    global: &Global,
    proxies: Vec<Proxy>,
    report: &mut Report<'_>,
) -> Result<Option<Plan>, Failure> {
    let Injection::Inject { istio: wish, auto_mtls, .. } = &task.act else { return Ok(None) };
    let Some(flags) = flags_of(&task.act) else { return Ok(None) };
    let istiods = known(istio::istiods(session, wish.namespace.as_deref()).await, &flags, report)?;
    let gloo = istio::gloo(session, global.object_namespace()).await;
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut planned = Vec::new();
    let mut refused = Vec::new();
    for proxy in proxies {
        let choice = sidecars::choose(&istiods, &flags, &proxy)?;
        let around = Around { istiods: &istiods, choice: choice.as_ref(), gloo: gloo.as_ref(), now: Some(&now) };
        match sidecars::inject(&proxy, &flags, &around) {
            Ok(plan) => {
                for advice in choice.iter().flat_map(|choice| &choice.advice) {
                    report.advice(advice.clone());
                }
                for line in crate::render::provenance::lines(&plan.provenance) {
                    report.ui.status(&line);
                }
                planned.push(Planned { proxy, plan });
            }
            Err(why) => refused.push(refusal(&proxy, why)),
        }
    }
    if refuse(refused, report) {
        return Ok(None);
    }
    let last = match auto_mtls {
        Switches::Alone => Vec::new(),
        Switches::On => vec![switches(session, global, report).await?],
    };
    Ok(Some(Plan { first: Vec::new(), proxies: planned, last }))
}

/// What was typed for `inject`; nothing for `uninject`.
pub fn flags_of(act: &Injection) -> Option<Flags> {
    let Injection::Inject { istio, sds_image, posture, .. } = act else { return None };
    Some(Flags {
        revision: istio.revision.clone(),
        discovery_address: istio.discovery_address.clone(),
        mesh_id: istio.mesh_id.clone(),
        cluster_id: istio.cluster_id.clone(),
        sds_image: sds_image.clone(),
        proxy_image: istio.proxy_image.clone(),
        security: match posture {
            Posture::Usual => Security::OfThePod,
            Posture::Restricted => Security::Restricted,
        },
    })
}

/// Without the right to look for istiod, what was typed may be enough.
fn known(found: Result<Vec<Istiod>, Failure>, flags: &Flags, report: &mut Report<'_>) -> Result<Vec<Istiod>, Failure> {
    match found {
        Err(failure) if flags.discovery_address.is_some() && failure.exit == Exit::SaidNo => {
            report.advice(Advice::note(Code::Unknown, format!("istiod was not looked at: {}", failure.message)));
            Ok(Vec::new())
        }
        other => other,
    }
}

async fn removal(
    session: &Session,
    (upstreams, caution): (Upstreams, Caution),
    global: &Global,
    proxies: Vec<Proxy>,
    report: &mut Report<'_>,
) -> Result<Option<Plan>, Failure> {
    let namespace = global.object_namespace();
    let pointing = dangling::find(session, namespace).await?;
    let (first, left) = release(pointing.upstreams, upstreams);
    let left: Vec<_> = left.into_iter().chain(pointing.others).collect();
    against(&left, &pointing.hidden, upstreams, caution)?;
    let survey = Survey::new(session, global);
    for said in &first {
        for advice in advise_on_release(&survey, &said.step.before).await {
            report.advice(advice);
        }
    }
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let around = Around { now: Some(&now), ..Around::default() };
    let mut planned = Vec::new();
    let mut refused = Vec::new();
    for proxy in proxies {
        match sidecars::uninject(&proxy, &around) {
            Ok(plan) => planned.push(Planned { proxy, plan }),
            Err(why) => refused.push(refusal(&proxy, why)),
        }
    }
    if refuse(refused, report) {
        return Ok(None);
    }
    Ok(Some(Plan { first, proxies: planned, last: Vec::new() }))
}

/// Refuses to leave anything pointing at a cluster that is gone, unless that is what was asked for.
///
/// # Errors
/// What would be left.
pub fn against(left: &[Dangling], hidden: &[String], upstreams: Upstreams, caution: Caution) -> Result<(), Failure> {
    let with = match upstreams {
        Upstreams::Left => plan::dangling::Upstreams::Refuse,
        Upstreams::Included => plan::dangling::Upstreams::Include,
    };
    match plan::dangling::against(left, hidden, with) {
        Some(why) if caution == Caution::Careful => {
            let mut failure = Failure::new(Exit::Failed, why.reason, why.message);
            failure.details = why.details;
            failure.hints.extend(why.hint);
            Err(failure)
        }
        _ => Ok(()),
    }
}

/// With `--include-upstreams` what only Istio's `sslConfig` ties to the cluster is taken off it.
pub fn release(upstreams: Vec<Object>, wanted: Upstreams) -> (Vec<Said>, Vec<Dangling>) {
    let mut released = Vec::new();
    let mut left = Vec::new();
    for before in upstreams {
        let step = (wanted == Upstreams::Included).then(|| plan::dangling::release(&before)).flatten();
        match step {
            Some(step) => released.push(Said { message: step.message, step: Step { before, edits: step.edits } }),
            None => left.extend(plan::dangling::of(&before)),
        }
    }
    (released, left)
}

/// Under a STRICT peer the Upstream answers 503 once its mTLS is gone.
async fn advise_on_release(survey: &Survey<'_>, upstream: &Object) -> Vec<Advice> {
    let policy = Policy { wish: Wish::Disable, foreign: Foreign::Keep, caution: Caution::Careful };
    match survey.around(upstream, Found::Named, policy.wants()).await {
        Ok(around) => policy.advise(upstream, &around),
        Err(failure) => vec![
            Advice::note(
                Code::Unknown,
                format!("whether the peer of {} is STRICT is unknown", upstream.reference.name),
            )
            .details([failure.message]),
        ],
    }
}

fn refusal(proxy: &Proxy, why: Objection) -> Row {
    Row::left(proxy.workload.reference.clone(), Outcome::Refused, why)
}

/// One refused proxy keeps all as they are.
fn refuse(refused: Vec<Row>, report: &mut Report<'_>) -> bool {
    let any = !refused.is_empty();
    for row in refused {
        report.row(row);
    }
    any
}

/// Turning auto-mTLS on in Settings, after the gateways can do it.
async fn switches(session: &Session, global: &Global, report: &mut Report<'_>) -> Result<Said, Failure> {
    let survey = Survey::new(session, global);
    let namespace = survey.gloo_namespace().await;
    let settings = session.get(&kinds::SETTINGS, namespace, "default").await;
    let before = Object::new(&kinds::SETTINGS, settings.map_err(|error| error.into_failure(session))?);
    // The proxies of this run get their sidecars first; whether others lack them is not this run's to refuse.
    let decision =
        auto_mtls::on_settings(&before, auto_mtls::Wish::Enable, &auto_mtls::Gateways::Unseen, Caution::Forced);
    report.advice_if(load::harm::advice(session).await);
    match decision {
        Decision::Change { edits, message } => Ok(Said { step: Step { before, edits }, message }),
        Decision::Unchanged { message } => Ok(Said { step: Step { before, edits: Vec::new() }, message }),
        Decision::Skip(why) | Decision::Refuse(why) => {
            Err(Failure::new(Exit::Failed, why.reason, format!("{}: {}", before.reference, why.message)))
        }
    }
}

impl Planned {
    fn said(&self) -> Vec<Said> {
        self.plan
            .steps
            .iter()
            .map(|step| {
                let before = match &self.proxy.bootstrap {
                    Some(map) if map.reference == step.object => map,
                    _ => &self.proxy.workload,
                };
                let step_of = Step { before: before.clone(), edits: step.edits.clone() };
                Said { step: step_of, message: step.message.clone() }
            })
            .collect()
    }
}

impl Plan {
    fn said(&self) -> impl Iterator<Item = Said> + '_ {
        let proxies = self.proxies.iter().flat_map(Planned::said);
        self.first.iter().cloned().chain(proxies).chain(self.last.iter().cloned())
    }

    /// What is sent.
    fn steps(&self) -> Vec<Step> {
        self.said().map(|said| said.step).filter(|step| !step.edits.is_empty()).collect()
    }
}

async fn preview(session: &Session, task: &Sidecars, plan: &Plan, report: &mut Report<'_>) -> Result<(), Failure> {
    if task.preview.dry_run == Some(DryRun::Server) {
        transaction::rehearse(session, &plan.steps()).await?;
    }
    for Said { step, message } in plan.said() {
        let reference = step.before.reference.clone();
        if step.edits.is_empty() {
            report.row(Row::answer(reference, Outcome::Unchanged, message));
            continue;
        }
        let after = json::apply(&step.before.value, &step.edits)
            .map_err(|path| unplannable(&step.before, &path.to_string()))?;
        let mut row = Row::answer(reference.clone(), Outcome::Changed, message);
        row.diff =
            task.preview.diff.then(|| diff::live(&reference.to_string(), &step.before.value, &after, task.secrets));
        report.row(row);
    }
    if task.preview.check && report.count(Outcome::Changed) > 0 {
        report.ends(Exit::WouldChange);
    }
    Ok(())
}

fn unplannable(object: &Object, path: &str) -> Failure {
    Failure::new(Exit::Failed, Reason::Unsafe, format!("{}: {path} is not what it should be", object.reference))
}

/// Makes the plan: each proxy waits for its own rollout before the next begins.
async fn write(
    session: &Session,
    task: &Sidecars,
    global: &Global,
    plan: &Plan,
    stop: &Stop,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let mut transaction = Transaction::new(session, stop, task.act.way_back());
    let made = make(&mut transaction, task, global, plan, report).await;
    // What was taken back is said already; what stands is said also where it is not confirmed.
    transaction.finish(report);
    made
}

async fn make(
    transaction: &mut Transaction<'_>,
    task: &Sidecars,
    global: &Global,
    plan: &Plan,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let is_injection = matches!(task.act, Injection::Inject { .. });
    transaction.make(&plan.first, report).await?;
    for planned in &plan.proxies {
        transaction.make(&planned.said(), report).await?;
        let workload = &planned.proxy.workload.reference;
        // What was injected by a run that did not wait may still be on its way.
        let is_under_way = is_injection && !rollout::is_done(&planned.proxy.workload.value);
        if !transaction.has_written(workload) && !is_under_way {
            continue;
        }
        match task.rollouts {
            Rollouts::Wait => {
                transaction.wait(workload, global.wait_timeout, report).await?;
                if is_injection {
                    let said = proof::prove(transaction.session, &planned.proxy.workload, SDS_CLUSTER).await?;
                    report.ui.status(&said.line);
                    said.advice.into_iter().for_each(|advice| report.advice(advice));
                }
            }
            Rollouts::NoWait => {
                let message = format!("the rollout of {} was not waited for", short(workload));
                report.advice(Advice::note(Code::Unknown, message).about(workload));
            }
        }
    }
    transaction.make(&plan.last, report).await
}

impl Injection {
    /// What to type where a rollback did not succeed.
    fn way_back(&self) -> &'static str {
        match self {
            Self::Inject { .. } => "gloo-rs istio uninject  (works from this state)",
            Self::Uninject { .. } => "gloo-rs istio inject  (works from this state)",
        }
    }
}
