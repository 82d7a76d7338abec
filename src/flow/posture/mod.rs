//! `report`: reads what the checks read, once, and shows it as one posture. It writes nothing but a baseline.

use std::rc::Rc;

use jiff::{Timestamp, Unit};

use super::baseline::{self, BaselineRun, Scoped};
use super::check::CheckRun;
use super::describe::all::ALL_NAMESPACES;
use super::fleet::{self, ContextBaselines, FactsByContext, Fleet, OfContext};
use super::interrupt::Interrupts;
use super::report::Report;
use super::session;
use crate::check::results::Results;
use crate::check::{Beyond, Look, World};
use crate::error::{Exit, Failure};
use crate::kube::Session;
use crate::load::mesh_certificates::{self, CertificatesByProxy};
use crate::model::Unknown;
use crate::options::{CheckReach, CheckSource, CheckTask, Format, Global, WantedContexts};
use crate::plan::Unread;
use crate::plan::path::{ProxyState, ShownCertificate, Survey};
use crate::posture::baseline::{Baseline, Comparison, Recorded};
use crate::posture::{self, ClusterPosture, PostureInput, PostureOrigin};
use crate::render::answer::ClusterAnswer;
use crate::render::findings::saw_nothing;
use crate::render::posture::{self as render, comparison};

/// Why no certificate was asked for.
const READ_ONLY: &str = "not asked for: --read-only";

/// What a run found.
struct FoundPosture {
    posture: ClusterPosture,
    recorded: Recorded,
    /// Whether nothing at all could be read.
    saw_nothing: bool,
}

/// Shows the posture.
///
/// # Errors
/// The API server does not answer, or a file cannot be read.
pub(super) fn run(task: &CheckTask, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    report.kind(render::KIND);
    report.field("posture", serde_json::Value::Array(Vec::new()));
    let mut answer = ClusterAnswer::new(report.ui.columns());
    let ended = judged(task, global, &mut answer, report);
    report.tell(answer);
    let (posture, compared) = ended?;
    say(&[posture], compared.as_ref(), global, report)
}

/// Shows the posture of each of these contexts. One that could not be read is unknown, with its cause.
///
/// # Errors
/// The kubeconfig cannot be read, no context matches, or the output cannot be made.
pub(super) async fn of_contexts(
    task: &CheckTask,
    wanted: &WantedContexts,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    report.kind(render::KIND);
    report.field("posture", serde_json::Value::Array(Vec::new()));
    let baselines = ContextBaselines::begin(&task.baseline)?;
    let fleet = Fleet::select(wanted, global, report)?;
    let interrupts = report.interrupts();
    report.ui.begin_progress("contexts");
    let work = async |session: Rc<Session>, global: Global| {
        let mut answer = ClusterAnswer::default();
        let baseline = baselines.of(global.context.as_deref());
        let judged = async {
            let run = CheckRun::new(task, &global)?;
            let found = of_cluster(&run, &session, task, &global, (&interrupts, &mut answer)).await?;
            conclude(found, &run, &baseline, &mut answer)
        };
        let judged = judged.await;
        (answer, judged)
    };
    let ended = fleet.each(global, &interrupts, work, &mut || report.ui.advance()).await;
    report.ui.end_progress();
    let (mut postures, mut facts, mut all) = (Vec::new(), FactsByContext::new(), Comparison::default());
    for of in ended {
        let context = of.context.clone();
        let (posture, recorded, compared) = posture_of(of, task, global, report);
        postures.push(posture);
        all.take(&context, compared.unwrap_or_default());
        facts.insert(context, recorded);
    }
    let compared = baselines.compared(&fleet, &facts).map(|of_contexts| {
        all.extend(of_contexts);
        all
    });
    if let (Some(compared), Some(file)) = (&compared, baselines.file()) {
        report.ends(baseline::exit(compared, task.threshold));
        report.field("baseline", comparison::value(compared, &file));
    }
    say(&postures, compared.as_ref(), global, report)?;
    fleet::conclude(baselines, facts, report)
}

/// A posture, and how it differs from the baseline.
type Judged = (ClusterPosture, Option<Comparison>);

/// The posture of a context, with its facts and differences. A failure sets the exit code and is printed beside the answer.
fn posture_of(
    of: OfContext<(ClusterAnswer, Result<Judged, Failure>)>,
    task: &CheckTask,
    global: &Global,
    report: &mut Report<'_>,
) -> (ClusterPosture, Option<Baseline>, Option<Comparison>) {
    let (answer, judged) = of.ended.unwrap_or_else(|failure| (ClusterAnswer::default(), Err(failure)));
    report.ends(answer.exit);
    match judged {
        Ok((posture, compared)) => (posture, answer.recorded, compared),
        Err(failure) => {
            report.ends(failure.exit);
            report.trouble(&format!("context {}: {}", of.context, failure.message), &failure.details, failure.hints);
            let gloo = CheckRun::new(task, global).map_or_else(|_| String::new(), |run| run.gloo.to_owned());
            let origin =
                PostureOrigin { context: Some(of.context), server: of.server, gloo_namespace: gloo, read_at: now() };
            (ClusterPosture::unread(origin, &failure.message), None, None)
        }
    }
}

fn judged(
    task: &CheckTask,
    global: &Global,
    answer: &mut ClusterAnswer,
    report: &mut Report<'_>,
) -> Result<Judged, Failure> {
    let baseline = BaselineRun::begin(&task.baseline)?;
    let run = CheckRun::new(task, global)?;
    let interrupts = report.interrupts();
    let found = match &task.source {
        CheckSource::Files(paths) => {
            let (snapshot, unread) = run.manifests(paths, &interrupts, answer)?;
            let world = run.world_of_files(&snapshot);
            let results = Results { unread, ..run.judge(&world, answer) };
            let survey = Look::new(&world).paths().clone();
            found(&origin(None, &run), &world, &survey, &results, global)
        }
        CheckSource::Cluster | CheckSource::Overlay(_) => session::block_on(&interrupts, async {
            let session = session::open(global, report).await?;
            report.ui.status(session::place(&session));
            of_cluster(&run, &session, task, global, (&interrupts, &mut *answer)).await
        })?,
    };
    conclude(found, &run, &baseline, answer)
}

/// Compares what was found with the baseline. Of a run that saw nothing there is nothing to write down.
fn conclude(
    found: FoundPosture,
    run: &CheckRun<'_>,
    baseline: &BaselineRun,
    answer: &mut ClusterAnswer,
) -> Result<Judged, Failure> {
    let FoundPosture { posture, recorded, saw_nothing } = found;
    if saw_nothing {
        answer.ends(Exit::SaidNo);
    }
    if saw_nothing || !baseline.is_wanted() {
        return Ok((posture, None));
    }
    let paths = if matches!(run.task.source, CheckSource::Files(_)) { "manifests" } else { ALL_NAMESPACES };
    let now = Scoped { paths: Some(paths.to_owned()), findings: Some(run.scope()), recorded };
    let compared = baseline.end(now, run.task.threshold, answer)?;
    Ok((posture, compared))
}

async fn of_cluster(
    run: &CheckRun<'_>,
    session: &Session,
    task: &CheckTask,
    global: &Global,
    (interrupts, answer): (&Interrupts, &mut ClusterAnswer),
) -> Result<FoundPosture, Failure> {
    let read = Box::pin(run.read(session, &[], interrupts, answer)).await?;
    let world = run.world(session, &read).await?;
    let results = run.judge(&world, answer);
    let look = Look::new(&world);
    let survey = match task.reach {
        CheckReach::IntoPods => {
            look.paths().clone().showing(certificates(session, look.paths(), &world, run.gloo).await)
        }
        CheckReach::ReadOnly => look.paths().clone(),
    };
    let mut found = found(&origin(Some(session), run), &world, &survey, &results, global);
    found.saw_nothing = saw_nothing(&results);
    Ok(found)
}

/// The certificates of each gateway. What the checks have read is not asked for again.
async fn certificates(session: &Session, survey: &Survey<'_>, world: &World<'_>, gloo: &str) -> CertificatesByProxy {
    let is_own = |proxy: &ProxyState| {
        let rest = proxy.name.strip_prefix(gloo);
        !proxy.of_gateway_api && rest.is_some_and(|rest| rest.starts_with('/'))
    };
    let is_asked = |name: &str| survey.proxies().iter().any(|proxy| proxy.name == name && is_own(proxy));
    let mut all = CertificatesByProxy::new();
    for (proxy, pods) in survey.ready_proxies() {
        let known = match &world.certificates {
            _ if !is_asked(&proxy) || pods.is_empty() => None,
            Beyond::Unknown(unknown) => Some(Err(Unread::from(unknown))),
            Beyond::NotThere(_) => Some(Ok(Vec::new())),
            Beyond::Read(shown) => {
                let is_own = |it: &&ShownCertificate| pods.iter().any(|pod| pod.reference.name == it.pod);
                Some(Ok(shown.iter().filter(is_own).cloned().collect::<Vec<_>>()))
            }
        };
        if let Some(known) = known {
            all.insert(proxy, known);
        }
    }
    all.extend(mesh_certificates::of_other_proxies(session, survey, &all).await);
    all
}

fn origin(session: Option<&Session>, run: &CheckRun<'_>) -> PostureOrigin {
    PostureOrigin {
        context: session.map(|session| session.context().to_string()),
        server: session.map(|session| session.server().to_owned()),
        gloo_namespace: run.gloo.to_owned(),
        read_at: now(),
    }
}

fn now() -> String {
    let now = Timestamp::now();
    now.round(Unit::Second).unwrap_or(now).to_string()
}

fn found<'w>(
    origin: &PostureOrigin,
    world: &'w World<'w>,
    survey: &Survey<'w>,
    results: &Results,
    global: &Global,
) -> FoundPosture {
    let of_files = Unknown::of_files().why;
    let unasked = if world.snapshot.is_of_files() { &of_files } else { READ_ONLY };
    let target = global.target();
    let input = PostureInput { origin: origin.clone(), world, survey, results, target: &target, unasked };
    let posture = posture::of_cluster(&input);
    let recorded = posture.recorded(world, results);
    FoundPosture { posture, recorded, saw_nothing: false }
}

/// Prints the postures in the requested format.
fn say(
    postures: &[ClusterPosture],
    compared: Option<&Comparison>,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    match global.format {
        Format::Html => report.whole(render::html(postures, compared)?.as_bytes()),
        Format::Markdown => report.whole(render::markdown(postures, compared)?.as_bytes()),
        Format::Json | Format::Yaml => report.field("posture", render::value(postures)),
        _ => {
            for posture in postures {
                if let (Some(context), [_, _, ..]) = (&posture.origin.context, postures) {
                    let server = posture.origin.server.as_deref().unwrap_or("no answer");
                    report.line(format!("context {context} ({server})"));
                }
                for line in render::lines(posture, report.ui.columns()) {
                    report.paragraph(line);
                }
            }
            let mut answer = ClusterAnswer::new(report.ui.columns());
            baseline::say(compared, global.format, &mut answer);
            report.tell(answer);
        }
    }
    Ok(())
}
