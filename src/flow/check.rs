//! `check`: reports problems as lines, as a document, or in the formats that CI servers read.

use crate::flow::session;
use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::Timestamp;

use super::baseline::{self, BaselineRun, Scoped};
use super::interrupt::Interrupts;
use super::report::Report;
use crate::check::codes::ALL;
use crate::check::control_plane;
use crate::check::look::{EnvoySaid, Release};
use crate::check::results::Results;
use crate::check::suppress::{Suppression, apply};
use crate::check::{Beyond, CERTIFICATES, CHECKS, Check as OneCheck, HELM, World, is_named, run as run_checks};
use crate::error::{Exit, Failure, Reason};
use crate::gloo::metrics::Metrics;
use crate::kube::Session;
use crate::load::in_pods::GlooPods;
use crate::load::snapshot::{self, Namespaces, OfFiles};
use crate::load::{ambient, checked, loaded, prevented, suppressions};
use crate::model::{Found, Kind, Snapshot, Unknown, kinds};
use crate::options::{CheckCommand, CheckReach, CheckSource, CheckTask, Format, GLOO_SYSTEM, Global};
use crate::plan::advice::{Advice, Code};
use crate::plan::dangling;
use crate::plan::path::ShownCertificate;
use crate::posture::baseline::{Comparison, Recorded};
use crate::render::answer::{ClusterAnswer, WholeAnswer};
use crate::render::findings::FindingOrder;
use crate::render::text::count;
use crate::render::{findings, junit, sarif};
use crate::text::nearest;

/// The lines that glooctl prints when it may not forward ports.
const READ_ONLY: &str = "Warning: checking proxies with port forwarding is disabled";
const READ_ONLY_XDS: &str = "Warning: checking xds with port forwarding is disabled";

/// Runs the checks, or explains a code.
///
/// # Errors
/// Nothing could be checked.
pub(super) fn run(task: &CheckCommand, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let task = match task {
        CheckCommand::Run(task) => task,
        CheckCommand::Explain(code) => {
            for line in findings::explained(code) {
                report.line(global.called.say(&line));
            }
            report.field("explanation", findings::explanation(code));
            return Ok(());
        }
        CheckCommand::Codes => {
            for line in findings::list() {
                report.line(&line);
            }
            report.field("codes", ALL.iter().map(|code| findings::explanation(code)).collect());
            return Ok(());
        }
    };
    let mut answer = ClusterAnswer::new(report.ui.columns());
    let interrupts = report.interrupts();
    let ended = match &task.source {
        CheckSource::Files(paths) => files_alone(paths, task, global, &interrupts, &mut answer),
        CheckSource::Cluster | CheckSource::Overlay(_) => session::block_on(&interrupts, async {
            let (baseline, run) = (BaselineRun::begin(&task.baseline)?, CheckRun::new(task, global)?);
            let session = session::open(global, report).await?;
            report.ui.status(session::place(&session));
            of_cluster(&session, &run, &baseline, &interrupts, &mut answer).await
        }),
    };
    if let Err(failure) = &ended {
        failed(task, failure, global, &mut answer);
    }
    report.tell(answer);
    ended
}

fn files_alone(
    paths: &[PathBuf],
    task: &CheckTask,
    global: &Global,
    interrupts: &Interrupts,
    answer: &mut ClusterAnswer,
) -> Result<(), Failure> {
    let baseline = BaselineRun::begin(&task.baseline)?;
    let run = CheckRun::new(task, global)?;
    let (snapshot, unread) = run.manifests(paths, interrupts, answer)?;
    let results = Results { unread, ..run.judge(&run.world_of_files(&snapshot), answer) };
    conclude(&run, &results, &baseline, answer)
}

/// Checks one cluster.
///
/// # Errors
/// Nothing could be checked.
pub(super) async fn read(
    session: &Session,
    (task, baseline): (&CheckTask, &BaselineRun),
    global: &Global,
    interrupts: &Interrupts,
    answer: &mut ClusterAnswer,
) -> Result<(), Failure> {
    let run = CheckRun::new(task, global)?;
    of_cluster(session, &run, baseline, interrupts, answer).await
}

async fn of_cluster(
    session: &Session,
    run: &CheckRun<'_>,
    baseline: &BaselineRun,
    interrupts: &Interrupts,
    answer: &mut ClusterAnswer,
) -> Result<(), Failure> {
    let overlay: &[PathBuf] = if let CheckSource::Overlay(paths) = &run.task.source { paths } else { &[] };
    let results = run.cluster(session, overlay, interrupts, answer).await?;
    conclude(run, &results, baseline, answer)
}

/// Adds the results to the answer, compared with the baseline, if there is one.
fn conclude(
    run: &CheckRun<'_>,
    results: &Results,
    baseline: &BaselineRun,
    answer: &mut ClusterAnswer,
) -> Result<(), Failure> {
    let compared = compared(run, results, baseline, answer)?;
    say(results, None, run.global, answer);
    baseline::say(compared.as_ref(), run.global.format, answer);
    Ok(())
}

/// What the formats of CI servers say of a run that failed.
pub(super) fn failed(task: &CheckTask, failure: &Failure, global: &Global, answer: &mut ClusterAnswer) {
    let nothing = Results { ran: Vec::new(), threshold: task.threshold, unread: 0 };
    say(&nothing, Some(failure), global, answer);
}

/// Compares the results with the baseline. Only then the difference sets the exit code.
fn compared(
    run: &CheckRun<'_>,
    results: &Results,
    baseline: &BaselineRun,
    answer: &mut ClusterAnswer,
) -> Result<Option<Comparison>, Failure> {
    // Of a run that saw nothing there is nothing to write down.
    if !baseline.is_wanted() || findings::saw_nothing(results) {
        ends(results, answer);
        return Ok(None);
    }
    let mut recorded = Recorded::default();
    recorded.add_results(results);
    let now = Scoped { paths: None, findings: Some(run.scope()), recorded };
    let compared = baseline.end(now, run.task.threshold, answer)?;
    if !baseline.compares() {
        ends(results, answer);
    }
    Ok(compared)
}

fn ends(results: &Results, answer: &mut ClusterAnswer) {
    if results.fails() {
        answer.ends(Exit::WouldChange);
    }
}

/// A run of checks, also of those of `report`.
pub(super) struct CheckRun<'r> {
    pub task: &'r CheckTask,
    global: &'r Global,
    /// The namespace where Gloo is installed: `-n` of glooctl.
    pub(super) gloo: &'r str,
    checks: Vec<&'static OneCheck>,
    suppressions: Vec<Suppression>,
}

/// What was read of a cluster.
pub(super) struct ReadCluster {
    pub(super) snapshot: Snapshot,
    release: Option<Beyond<Release>>,
    /// Number of documents in the overlay that could not be read.
    unread: usize,
}

impl<'r> CheckRun<'r> {
    pub(super) fn new(task: &'r CheckTask, global: &'r Global) -> Result<Self, Failure> {
        let is_wanted = |check: &&'static OneCheck| !task.excluded.iter().any(|word| is_named(check, word));
        Ok(Self {
            task,
            global,
            gloo: global.gloo_namespace.as_deref().or(global.namespace.as_deref()).unwrap_or(GLOO_SYSTEM),
            checks: CHECKS.iter().filter(is_wanted).collect(),
            suppressions: task.suppress.as_deref().map(suppressions::read).transpose()?.unwrap_or_default(),
        })
    }

    /// What the findings are about, for a baseline.
    pub(super) fn scope(&self) -> String {
        let source = match &self.task.source {
            CheckSource::Files(_) => "manifests, ",
            CheckSource::Overlay(_) => "manifests over the cluster, ",
            CheckSource::Cluster => "",
        };
        let mut namespaces = self.task.namespaces.clone();
        namespaces.sort_unstable();
        let objects =
            if namespaces.is_empty() { String::new() } else { format!(", objects in {}", namespaces.join(", ")) };
        format!("{source}Gloo in {}{objects}", self.gloo)
    }

    /// The snapshot of manifests, and the number of documents that could not be read.
    pub(super) fn manifests(
        &self,
        paths: &[PathBuf],
        interrupts: &Interrupts,
        answer: &mut ClusterAnswer,
    ) -> Result<(Snapshot, usize), Failure> {
        let files = self.files(paths, &checked::kinds_in_files(&self.checks), self.gloo, interrupts, answer)?;
        let unread = files.unread.len();
        Ok((snapshot::of_files_alone(files.objects), unread))
    }

    /// The world of manifests.
    pub(super) fn world_of_files<'w>(&'w self, snapshot: &'w Snapshot) -> World<'w> {
        World::new(snapshot, self.gloo, self.task.pods.clone(), &Unknown::of_files().why)
    }

    /// Reads the manifests and reports what cannot be read.
    fn files(
        &self,
        paths: &[PathBuf],
        kinds: &[&'static Kind],
        namespace: &str,
        interrupts: &Interrupts,
        answer: &mut ClusterAnswer,
    ) -> Result<OfFiles, Failure> {
        let of_cluster = [&kinds::NAMESPACE, &kinds::MUTATING_WEBHOOK, &kinds::KUBE_GATEWAY_CLASS];
        let home = |kind: &Kind| if of_cluster.iter().any(|it| **it == *kind) { "" } else { namespace };
        let read = snapshot::of_files(paths, kinds, |kind| home(kind).to_owned(), &mut interrupts.stdin())?;
        for unread in &read.unread {
            let place = format!("{}:{}: {}", unread.spot.file, unread.spot.line, unread.why);
            match unread.is_broken && !read.objects.is_empty() {
                true => answer.failure(Failure::new(Exit::Failed, Reason::File, place).detail("it is not checked")),
                false => answer.advice(Advice::warning(Code::PassedOver, place)),
            }
        }
        // Workloads are judged by the pods that they will make; a Namespace alone says nothing.
        let is_checked =
            |kind: &'static Kind| *kind != kinds::NAMESPACE || checked::kinds_of(&self.checks).contains(&kind);
        if !read.objects.iter().any(|(object, _)| is_checked(object.reference.kind)) {
            let message = format!("no manifest that can be checked in {}", count(read.files, "file"));
            return Err(Failure::new(Exit::Failed, Reason::File, message));
        }
        if read.passed_over > 0 {
            let what = format!("skipped {}: kinds that are not checked", count(read.passed_over, "document"));
            answer.advice(Advice::note(Code::PassedOver, what));
        }
        Ok(read)
    }

    async fn cluster(
        &self,
        session: &Session,
        overlay: &[PathBuf],
        interrupts: &Interrupts,
        answer: &mut ClusterAnswer,
    ) -> Result<Results, Failure> {
        let read = Box::pin(self.read(session, overlay, interrupts, answer)).await?;
        let world = self.world(session, &read).await?;
        Ok(Results { unread: read.unread, ..self.judge(&world, answer) })
    }

    /// Reads the cluster.
    pub(super) async fn read(
        &self,
        session: &Session,
        overlay: &[PathBuf],
        interrupts: &Interrupts,
        answer: &mut ClusterAnswer,
    ) -> Result<ReadCluster, Failure> {
        let wants = checked::wants(&checked::kinds_of(&self.checks), self.gloo, &self.task.namespaces);
        let mut otherwise = self.task.namespaces.clone();
        otherwise.push(self.gloo.to_owned());
        let namespaces = Namespaces { only: Vec::new(), otherwise };
        let (read, release) = tokio::join!(snapshot::of_cluster(session, &wants, &namespaces), self.release(session));
        let mut snapshot = read?;
        if checked::kinds_of(&self.checks).contains(&&kinds::REPLICA_SET) {
            prevented::read(session, &mut snapshot).await?;
        }
        if self.task.reach == CheckReach::IntoPods {
            Box::pin(loaded::ask_all(session, &mut snapshot)).await;
            ambient::ask(session, &mut snapshot).await;
        }
        let mut unread = 0;
        if !overlay.is_empty() {
            let home = self.global.namespace.as_deref().unwrap_or(session.namespace());
            let files = self.files(overlay, &checked::kinds_of(&self.checks), home, interrupts, answer)?;
            unread = files.unread.len();
            snapshot = snapshot::over(snapshot, files.objects);
        }
        there(&snapshot, "--resource-namespaces", &self.task.namespaces)?;
        let Global { gloo_namespace, namespace, .. } = self.global;
        match (gloo_namespace, namespace) {
            (Some(typed), _) => there(&snapshot, "--gloo-namespace", std::slice::from_ref(typed))?,
            (None, Some(typed)) => there(&snapshot, "-n", std::slice::from_ref(typed))?,
            (None, None) => {}
        }
        Ok(ReadCluster { snapshot, release, unread })
    }

    /// The world of a cluster, with what its pods report.
    pub(super) async fn world<'w>(&'w self, session: &Session, read: &'w ReadCluster) -> Result<World<'w>, Failure> {
        let ReadCluster { snapshot, release, .. } = read;
        let inside = GlooPods::new(session, snapshot, self.gloo);
        let (certificates, envoys, metrics) =
            tokio::join!(self.certificates(&inside), self.envoys(&inside), self.metrics(&inside));
        let mut world = World::new(snapshot, self.gloo, self.task.pods.clone(), READ_ONLY);
        (world.certificates, world.envoys, world.metrics) = (certificates, envoys, metrics);
        if let Some(release) = release {
            world.release = release.clone();
        }
        world.namespaces = watched(snapshot, self.gloo, &self.task.namespaces)?;
        Ok(world)
    }

    fn has(&self, check: &OneCheck) -> bool {
        self.checks.iter().any(|it| it.word == check.word)
    }

    async fn certificates(&self, inside: &GlooPods<'_>) -> Beyond<Vec<ShownCertificate>> {
        match self.task.reach {
            CheckReach::IntoPods if self.has(&CERTIFICATES) => inside.certificates().await,
            _ => Beyond::NotThere(READ_ONLY.to_owned()),
        }
    }

    async fn envoys(&self, inside: &GlooPods<'_>) -> Beyond<Vec<EnvoySaid>> {
        match self.task.reach {
            CheckReach::IntoPods if self.has(&control_plane::ENVOYS) => inside.envoys().await,
            _ => Beyond::NotThere(READ_ONLY.to_owned()),
        }
    }

    async fn metrics(&self, inside: &GlooPods<'_>) -> Beyond<Metrics> {
        match self.task.reach {
            CheckReach::IntoPods if self.has(&control_plane::XDS) => inside.metrics().await,
            _ => Beyond::NotThere(READ_ONLY_XDS.to_owned()),
        }
    }

    async fn release(&self, session: &Session) -> Option<Beyond<Release>> {
        match self.has(&HELM) {
            true => Some(checked::release(session, self.gloo).await),
            false => None,
        }
    }

    /// Runs the checks on the world.
    pub(super) fn judge<'w>(&self, world: &'w World<'w>, answer: &mut ClusterAnswer) -> Results {
        let mut ran = run_checks(world, self.checks.iter().copied());
        let target = self.global.target();
        for finding in ran.iter_mut().flat_map(|ran| &mut ran.findings) {
            finding.hint = finding.hint.take().map(|hint| hint.on(&target));
        }
        let today = Timestamp::now().to_string();
        let today = today.split('T').next().unwrap_or_default();
        let used = apply(&self.suppressions, today, &mut ran);
        for (left, words) in
            [(&used.expired, "has expired, so it suppresses nothing"), (&used.unused, "suppresses nothing")]
        {
            for suppression in left {
                let what = format!("--suppress: {} {words}", findings::left_over(suppression));
                answer.advice(Advice::warning(Code::Suppression, what));
            }
        }
        Results { ran, threshold: self.task.threshold, unread: 0 }
    }
}

/// Fails if a namespace of this flag does not exist. A mistyped namespace would otherwise have no findings.
fn there(snapshot: &Snapshot, flag: &str, typed: &[String]) -> Result<(), Failure> {
    let is_missing = |name: &&String| matches!(snapshot.find(&kinds::NAMESPACE, "", name), Found::NotThere);
    let Some(missing) = typed.iter().find(is_missing) else { return Ok(()) };
    let known = snapshot.all(&kinds::NAMESPACE).iter().map(|namespace| namespace.reference.name.as_str());
    let near = nearest(missing, known);
    let failure = Failure::new(Exit::SaidNo, Reason::NotFound, format!("{flag}: no namespace {missing}"));
    Err(if near.is_empty() { failure } else { failure.detail(format!("near: {}", near.join(", "))) })
}

/// The namespaces that Gloo watches, limited to those given on the command line. `None` means all.
fn watched(snapshot: &Snapshot, gloo: &str, typed: &[String]) -> Result<Option<BTreeSet<String>>, Failure> {
    let settings = snapshot.find(&kinds::SETTINGS, gloo, "default").object();
    let watched = settings.and_then(|settings| dangling::watched(&settings.value));
    let (typed, watched): (BTreeSet<String>, _) = (typed.iter().cloned().collect(), watched);
    match (typed.is_empty(), watched) {
        (true, None) => Ok(None),
        (true, Some(watched)) => Ok(Some(watched.into_iter().collect())),
        (false, None) => Ok(Some(typed)),
        (false, Some(watched)) => {
            let both: BTreeSet<String> = watched.iter().filter(|it| typed.contains(*it)).cloned().collect();
            if both.is_empty() {
                let message = "--resource-namespaces: Gloo watches none of these namespaces";
                return Err(Failure::new(Exit::SaidNo, Reason::NotFound, message)
                    .detail(format!("it watches {}", watched.join(", "))));
            }
            Ok(Some(both))
        }
    }
}

/// Adds the results in the requested format to the answer.
fn say(results: &Results, failure: Option<&Failure>, global: &Global, answer: &mut ClusterAnswer) {
    let format = global.format;
    if failure.is_none() && findings::saw_nothing(results) && !results.ran.is_empty() {
        answer.ends(Exit::SaidNo);
    }
    let exit = failure.map_or(answer.exit, |failure| answer.exit.prevailing(failure.exit));
    match format {
        Format::Sarif => answer.whole = Some(WholeAnswer::Sarif(sarif::log(results, failure, exit))),
        Format::Junit => answer.whole = Some(WholeAnswer::Junit(junit::suites(results, failure))),
        Format::Json | Format::Yaml => {
            for (key, value) in findings::fields(results) {
                answer.field(key, value);
            }
        }
        _ if failure.is_none() => {
            let order = match (format, answer.columns) {
                (Format::Wide, _) => FindingOrder::Each,
                (_, Some(_)) => FindingOrder::BySection,
                (_, None) => FindingOrder::ByCheck,
            };
            for line in findings::lines(results, order, global.called) {
                answer.paragraph(line);
            }
        }
        _ => {}
    }
}
