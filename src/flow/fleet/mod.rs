//! `--contexts`, `--all-contexts`: one reading command on several contexts of the kubeconfig. Each context has a session
//! and a deadline of its own; what one of them does or does not answer changes nothing for the others.

mod baselines;
mod each;
mod select;

use std::rc::Rc;

use serde_json::Value;

use super::baseline::{self, BaselineRun};
use super::interrupt::Interrupts;
use super::report::Report;
use super::{address, check, describe, inside, revisions, session, version};
use crate::check::results::Threshold;
use crate::command::TypedTarget;
use crate::error::{Exit, Failure, Reason};
use crate::kube::Session;
use crate::options::{CheckCommand, Command, DescribeSubject, Format, Global, VersionTask, WantedContexts};
use crate::render::answer::{AnswerPart, ClusterAnswer};
use crate::render::fleet::{self as render, ContextAnswer, Layout};
use crate::render::line::Line;
use crate::render::posture::comparison;
use crate::render::text::count;

pub(super) use baselines::{ContextBaselines, FactsByContext};
pub(super) use each::{Fleet, OfContext};

/// Runs a reading command on each of these contexts, and prints the answers as one.
///
/// # Errors
/// The kubeconfig cannot be read, or no context matches.
pub(super) async fn read(
    command: &Command,
    wanted: &WantedContexts,
    global: &Global,
    words: &[String],
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let baselines = ContextBaselines::begin(&command.baseline().cloned().unwrap_or_default())?;
    let fleet = Fleet::select(wanted, global, report)?;
    let interrupts = report.interrupts();
    let columns = report.ui.columns();
    report.ui.begin_progress("contexts");
    let work = async |session: Rc<Session>, global: Global| {
        let mut answer = ClusterAnswer::new(columns);
        answer.parts.extend(session::warning(&session).map(AnswerPart::Advice));
        let baseline = baselines.of(global.context.as_deref());
        let failure = of_cluster((command, &baseline), session, &global, &interrupts, &mut answer).await.err();
        (answer, failure)
    };
    let ended = fleet.each(global, &interrupts, work, &mut || report.ui.advance()).await;
    report.ui.end_progress();
    let mut all: Vec<_> = ended.into_iter().map(|of| answered(of, command, global)).collect();
    let facts: FactsByContext = all.iter_mut().map(|one| (one.context.clone(), one.answer.recorded.take())).collect();
    let compared = baselines.compared(&fleet, &facts);
    report.ends(compared.as_ref().map_or(Exit::Done, |it| baseline::exit(it, threshold(command))));
    let value = compared.as_ref().zip(baselines.file()).map(|(compared, file)| comparison::value(compared, &file));
    say(command, all, value, (global, words), report);
    let mut answer = ClusterAnswer::new(columns);
    if let Some(compared) = &compared {
        baseline::say_lines(comparison::differences(compared), global.format, &mut answer);
    }
    report.tell(answer);
    conclude(baselines, facts, report)
}

/// Writes the new baseline. That a cluster was not read is told, and has set the exit code.
///
/// # Errors
/// The file cannot be written.
pub(super) fn conclude(
    baselines: ContextBaselines,
    facts: FactsByContext,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    match baselines.write(facts) {
        Ok(written) => {
            if let Some(line) = written {
                report.ui.status(line);
            }
            Ok(())
        }
        Err(failure) if failure.exit == Exit::Done => {
            report.trouble(&failure.message, &failure.details, failure.hints);
            Ok(())
        }
        Err(failure) => Err(failure),
    }
}

/// What a comparison treats as worse.
fn threshold(command: &Command) -> Threshold {
    match command {
        Command::Check(CheckCommand::Run(task)) => task.threshold,
        _ => baseline::USUAL,
    }
}

/// Reads one cluster.
async fn of_cluster(
    (command, baseline): (&Command, &BaselineRun),
    session: Rc<Session>,
    global: &Global,
    interrupts: &Interrupts,
    answer: &mut ClusterAnswer,
) -> Result<(), Failure> {
    match command {
        Command::Check(CheckCommand::Run(task)) => {
            Box::pin(check::read(&session, (task, baseline), global, interrupts, answer)).await
        }
        Command::Describe(task) => {
            Box::pin(describe::read(session, (task, baseline), global, answer, &mut || {})).await
        }
        Command::Revisions { istio_namespace } => {
            revisions::read(&session, istio_namespace.as_deref(), global, answer).await
        }
        Command::Proxy(task) => address::read(&session, task, global, answer).await,
        Command::Certs(task) => inside::certs::read(session, task, global, answer).await,
        Command::Version(VersionTask::ClientAndServer) => {
            let ClusterAnswer { parts, whole, .. } = version::read(&session, global).await?;
            answer.parts.extend(parts);
            answer.whole = whole;
            Ok(())
        }
        _ => Err(Failure::new(Exit::Usage, Reason::Usage, "this command works on one cluster at a time")),
    }
}

/// The answer of a context. The commands in it are aimed at this context.
fn answered(of: OfContext<(ClusterAnswer, Option<Failure>)>, command: &Command, global: &Global) -> ContextAnswer {
    let (mut answer, failure) = of.ended.unwrap_or_else(|failure| (ClusterAnswer::default(), Some(failure)));
    if let (Command::Check(CheckCommand::Run(task)), Some(failure)) = (command, &failure) {
        check::failed(task, failure, global, &mut answer);
    }
    let target = TypedTarget { context: Some(of.context.clone()), ..global.target() };
    for part in &mut answer.parts {
        match part {
            AnswerPart::Advice(advice) => advice.hint = advice.hint.take().map(|hint| hint.on(&target)),
            AnswerPart::Failure(failure) => aim(failure, &target),
            _ => {}
        }
    }
    let failure = failure.map(|mut failure| {
        aim(&mut failure, &target);
        failure
    });
    ContextAnswer { context: of.context, server: of.server, answer, failure }
}

fn aim(failure: &mut Failure, target: &TypedTarget) {
    let hints = std::mem::take(&mut failure.hints);
    failure.hints = hints.into_iter().map(|hint| hint.on(target)).collect();
}

fn layout(command: &Command) -> Layout {
    match command {
        Command::Revisions { .. } | Command::Proxy(_) | Command::Certs(_) => Layout::Columns,
        Command::Describe(task) if matches!(task.subject, DescribeSubject::All { .. }) => Layout::Columns,
        _ => Layout::Headings,
    }
}

fn say(
    command: &Command,
    all: Vec<ContextAnswer>,
    compared: Option<Value>,
    (global, words): (&Global, &[String]),
    report: &mut Report<'_>,
) {
    let exit = all.iter().fold(report.exit(), |exit, one| exit.prevailing(one.exit()));
    let summary = summary(&all);
    let is_interrupted = |one: &&ContextAnswer| one.failure.as_ref().is_some_and(|it| it.exit == Exit::Interrupted);
    let unread: Vec<_> = all.iter().filter(is_interrupted).map(|one| one.context.clone()).collect();
    let whole = match global.format {
        Format::Json | Format::Yaml => Some(render::results(words, &all, compared, exit)),
        Format::Sarif => Some(render::sarif(&all)),
        _ => None,
    };
    match (whole, global.format) {
        (Some(document), _) => {
            report.tell_parts(render::beside(&all));
            report.value(&document);
        }
        (None, Format::Junit) => {
            report.tell_parts(render::beside(&all));
            report.whole(render::junit(all).as_bytes());
        }
        (None, _) => report.tell_parts(render::text(all, layout(command))),
    }
    report.ui.status(summary);
    if !unread.is_empty() {
        let failure = Failure::new(Exit::Interrupted, Reason::Interrupted, "interrupted");
        report.failure(failure.detail(format!("not read: {}", unread.join(", "))));
    }
    report.ends(exit);
}

/// `3 contexts: 2 answered, 1 unknown`
fn summary(all: &[ContextAnswer]) -> Line {
    let counts = render::ContextState::ALL.iter().filter_map(|state| {
        let number = all.iter().filter(|one| one.state() == *state).count();
        (number > 0).then(|| format!("{number} {}", state.name()))
    });
    Line::from(format!("{}: {}", count(all.len(), "context"), counts.collect::<Vec<_>>().join(", ")))
}
