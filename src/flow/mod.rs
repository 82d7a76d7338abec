//! The pipeline, once for all commands: load, plan, render, confirm, apply, verify.
//!
//! A command that edits single objects is a [`PerObject`] plan, mapped over
//! names, pages of the API or manifests; the flow keeps only each object's line of the result.

mod acceptance;
mod address;
mod again;
mod ahead;
mod check;
mod consent;
mod describe;
mod emit;
mod enrol;
mod files;
mod inside;
mod interrupt;
mod live;
mod names;
mod peer_auth;
mod report;
mod revisions;
mod rows;
mod setup;
mod sidecars;
mod switches;
mod transact;
mod values;
mod verify;
mod version;

use crate::cli::{self, Invocation};
use crate::error::{Exit, Failure, Reason};
use crate::kube::{Environment, Exchange, Session, Target, Trace};
use crate::options::{Command, Global, Loudness, Objects, Version};
use crate::plan::PerObject;
use crate::plan::advice::{Advice, Code};
use crate::ui::{self, Ui};

pub use names::names;
pub use report::Report;

/// Runs a command and says how it ended.
pub fn run(invocation: &Invocation, ui: &mut Ui) -> Exit {
    let Invocation { words, global, command, advice } = invocation;
    let mut report = Report::new(ui, words, global.format);
    for advice in advice {
        report.advice(advice.clone());
    }
    let ran = match command {
        Command::Mtls(plan, task) => objects(plan, task, global, &mut report),
        Command::OptOut(plan, task) => objects(plan, task, global, &mut report),
        Command::Switches(task) => switches::run(task, global, &mut report),
        Command::Sidecars(task) if task.files.is_some() => sidecars::run_on_files(task, global, &mut report),
        Command::Sidecars(task) => block_on(sidecars::run(task, global, &mut report)),
        Command::PeerAuth(task) => peer_auth::run(task, global, &mut report),
        Command::PeerAuthGet(task) => peer_auth::get::run(task, global, &mut report),
        Command::Revisions { istio_namespace } => {
            block_on(interrupt::or(revisions::print(istio_namespace.as_deref(), global, &mut report)))
        }
        Command::Describe(task) => block_on(interrupt::or(describe::run(task, global, &mut report))),
        Command::Enrolment(task) if task.files.is_some() => enrol::run_on_files(task, global, &mut report),
        Command::Enrolment(task) => block_on(enrol::run(task, global, &mut report)),
        Command::Verify(task) => block_on(interrupt::or(verify::run(task, global, &mut report))),
        Command::Setup(task) => block_on(setup::setup(task, global, &mut report)),
        Command::Teardown(task) => block_on(setup::teardown(task, global, &mut report)),
        Command::Proxy(task) => block_on(interrupt::or(address::print(task, global, &mut report))),
        Command::Logs(task) => block_on(inside::logs::print(task, global, &mut report)),
        Command::Served(task) => block_on(interrupt::or(inside::served::print(task, global, &mut report))),
        Command::Dump(task) => inside::dump::run(task, global, &mut report),
        Command::Certs(task) => block_on(interrupt::or(inside::certs::print(task, global, &mut report))),
        Command::Snapshot(task) => block_on(interrupt::or(inside::snapshot::take(task, global, &mut report))),
        Command::Stats(task) => block_on(interrupt::or(inside::stats::print(task, global, &mut report))),
        Command::Check(task) => check::run(task, global, &mut report),
        Command::UpgradeValues(task) => values::run(task, global, &mut report),
        Command::Version(Version::Client) => {
            version::client(global.format, &mut report);
            Ok(())
        }
        Command::Version(Version::ClientAndServer) => block_on(interrupt::or(version::all(global, &mut report))),
        Command::Completion(shell) => {
            report.whole(&cli::registration(*shell));
            Ok(())
        }
    };
    if let Err(failure) = ran {
        report.failure(failure);
    }
    report.finish()
}

/// Edits objects one by one, in their one home or the other.
fn objects(plan: &dyn PerObject, task: &Objects, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    match task.files {
        Some(_) => files::edit(plan, task, global, report),
        None => block_on(async {
            let session = open(global, report).await?;
            live::edit(&session, plan, task, global, report).await
        }),
    }
}

/// Runs what needs a cluster: one thread is enough, and starts in a tenth of a millisecond.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, Reason::File, format!("cannot start: {error}")))?;
    let done = runtime.block_on(work);
    // A resolver or an exec plugin that hangs on a thread of its own is not waited for.
    runtime.shutdown_background();
    done
}

/// Which cluster, as whom.
fn target(global: &Global, environment: Environment) -> Target {
    Target {
        kubeconfig: global.kubeconfig.clone(),
        context: global.context.clone(),
        as_user: global.as_user.clone(),
        as_groups: global.as_groups.clone(),
        as_uid: global.as_uid.clone(),
        timeout: global.timeout,
        environment,
    }
}

/// Opens the one session of a run.
async fn open(global: &Global, report: &mut Report<'_>) -> Result<Session, Failure> {
    let target = target(global, Environment::of_process());
    let session = Session::open(&target, trace(global.loudness)).await?;
    report.place(&session)?;
    report.advice_if(
        session.withheld().map(|why| Advice::warning(Code::NoCredentials, why.to_string()).details([session.place()])),
    );
    Ok(session)
}

/// `context NAME (SERVER) as USER`: said before anything is written.
fn place(session: &Session) -> String {
    let place = session.place();
    match session.user() {
        Some(user) => format!("{place} as {user}"),
        None => place,
    }
}

fn trace(loudness: Loudness) -> Option<Trace> {
    let timed = match loudness {
        Loudness::Quiet | Loudness::Usual => return None,
        Loudness::Verbose => false,
        Loudness::Timed => true,
    };
    Some(std::sync::Arc::new(move |exchange: &Exchange<'_>| {
        let status = exchange.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        let again = if exchange.attempt > 1 { format!(" (try {})", exchange.attempt) } else { String::new() };
        let took = if timed { format!(" {:.1}ms", exchange.took.as_secs_f64() * 1000.0) } else { String::new() };
        ui::trace(&format!("{} {} {status}{again}{took}", exchange.method, exchange.path));
    }))
}
