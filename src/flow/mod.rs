//! The pipeline that all commands share: load, plan, render, confirm, apply, verify.
//!
//! A command that edits single objects is a [`PerObject`] plan. It is applied to named objects, pages of the API or
//! manifests. The flow keeps only the result row of each object.

mod acceptance;
mod address;
mod again;
mod ahead;
mod baseline;
mod check;
mod consent;
mod describe;
mod emit;
mod enrol;
mod execute;
mod files;
#[cfg(test)]
mod fixture;
mod fleet;
mod guard;
mod inside;
mod interrupt;
mod live;
mod migrate;
mod names;
mod notes;
mod peer_auth;
mod posture;
mod rbac;
mod report;
mod restart;
mod revisions;
mod rows;
mod session;
mod setup;
mod sidecars;
mod stop;
mod switches;
mod values;
mod verify;
mod version;
mod watch;

use crate::apply::caught::caught_now;
use crate::cli::{self, Invocation};
use crate::error::{Exit, Failure};
use crate::kube::Trace;
use crate::needs;
use crate::options::{Command, Global, Loudness, ObjectsTask, VersionTask};
use crate::plan::PerObject;
use crate::ui::{self, Ui};
use interrupt::{Interrupts, UNTOUCHED};
use session::{block_on, open};

pub(crate) use names::names;
pub(crate) use report::Report;

/// Runs a command and returns its exit code.
pub(crate) fn run(invocation: &Invocation, ui: &mut Ui) -> Exit {
    let is_verbose = ui.loudness() >= Loudness::Verbose;
    let interrupts = Interrupts::listen(move |name| {
        if is_verbose {
            ui::trace(&format!("signal: {name}"));
        }
    });
    carry_out(invocation, &interrupts, None, ui)
}

/// Runs a command without a signal listener and passes each of its requests to `trace`.
pub(crate) fn run_traced(invocation: &Invocation, trace: Trace, ui: &mut Ui) -> Exit {
    carry_out(invocation, &Interrupts::none(), Some(trace), ui)
}

fn carry_out(invocation: &Invocation, interrupts: &Interrupts, trace: Option<Trace>, ui: &mut Ui) -> Exit {
    let Invocation { words, global, on_terminal, command, advice } = invocation;
    let format = on_terminal.filter(|_| ui.is_terminal()).unwrap_or(global.format);
    let global = &Global { format, ..global.clone() };
    // The API server decides in a release too; a test finds here what `rbac` would not print.
    let declared = cfg!(debug_assertions).then(|| needs::of(command, global));
    let mut report = Report::new(ui, words, global.format)
        .until(interrupts.clone())
        .on(global.target())
        .traced(trace)
        .held_to(declared);
    for advice in advice {
        report.advice(advice.clone());
    }
    let ran = caught_now(|| match &global.contexts {
        Some(wanted) => block_on(interrupts, async {
            match command {
                Command::Report(task) => posture::of_contexts(task, wanted, global, &mut report).await,
                _ => fleet::read(command, wanted, global, words, &mut report).await,
            }
        }),
        None => go(command, global, interrupts, &mut report),
    })
    .unwrap_or_else(|panicked| {
        let failure = Failure::from(panicked);
        Err(match interrupts.has_written() {
            true => Failure { exit: Exit::HalfDone, ..failure.detail("what it had written may remain in place") },
            false => failure.detail(UNTOUCHED),
        })
    });
    if let Err(failure) = ran {
        report.failure(failure);
        // Also if the signal appears as a different failure, such as an early end of the input.
        if interrupts.is_set() {
            report.ends(Exit::Interrupted);
        }
    }
    report.finish()
}

fn go(command: &Command, global: &Global, interrupts: &Interrupts, report: &mut Report<'_>) -> Result<(), Failure> {
    match command {
        Command::Mtls(plan, task) => objects(plan, task, global, report),
        Command::OptOut(plan, task) => objects(plan, task, global, report),
        Command::Migrate(caution, task) => migrate::run(*caution, task, global, report),
        Command::Switches(task) => switches::run(task, global, report),
        Command::Sidecars(task) if task.files.is_some() => sidecars::run_on_files(task, global, report),
        Command::Sidecars(task) => block_on(interrupts, sidecars::run(task, global, report)),
        Command::PeerAuth(task) => peer_auth::run(task, global, report),
        Command::PeerAuthGet(task) => peer_auth::get::run(task, global, report),
        Command::Revisions { istio_namespace } => {
            block_on(interrupts, revisions::print(istio_namespace.as_deref(), global, report))
        }
        Command::Describe(task) => block_on(interrupts, describe::run(task, global, report)),
        Command::Enrolment(task) if task.files.is_some() => enrol::run_on_files(task, global, report),
        Command::Enrolment(task) => block_on(interrupts, enrol::run(task, global, report)),
        Command::Verify(task) => block_on(interrupts, verify::run(task, global, report)),
        Command::Setup(task) => block_on(interrupts, setup::setup(task, global, report)),
        Command::Teardown(task) => block_on(interrupts, setup::teardown(task, global, report)),
        Command::Proxy(task) => block_on(interrupts, address::print(task, global, report)),
        Command::Logs(task) => block_on(interrupts, inside::logs::print(task, global, report)),
        Command::Served(task) => block_on(interrupts, inside::served::print(task, global, report)),
        Command::Dump(task) => inside::dump::run(task, global, report),
        Command::Certs(task) => block_on(interrupts, inside::certs::print(task, global, report)),
        Command::Restart(task) => block_on(interrupts, restart::run(task, global, report)),
        Command::Snapshot(task) => block_on(interrupts, inside::snapshot::take(task, global, report)),
        Command::Stats(task) => block_on(interrupts, inside::stats::print(task, global, report)),
        Command::Check(task) => check::run(task, global, report),
        Command::Report(task) => posture::run(task, global, report),
        Command::UpgradeValues(task) => values::run(task, global, report),
        Command::Version(VersionTask::Client) => {
            version::client(global.format, report);
            Ok(())
        }
        Command::Version(VersionTask::ClientAndServer) => block_on(interrupts, version::all(global, report)),
        Command::Completion(shell) => {
            report.whole(&cli::registration(*shell));
            Ok(())
        }
        Command::Rbac(task) => {
            rbac::print(task, global.format, report);
            Ok(())
        }
        Command::Options => {
            report.whole(cli::global_options().as_bytes());
            Ok(())
        }
    }
}

/// Edits objects one by one, in manifests or in the cluster.
fn objects(plan: &dyn PerObject, task: &ObjectsTask, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    match task.files {
        Some(_) => files::edit(plan, task, global, report),
        None => block_on(&report.interrupts(), async {
            let session = open(global, report).await?;
            live::edit(&session, plan, task, global, report).await
        }),
    }
}
