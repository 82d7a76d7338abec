//! What each command asks the API server for, by its command line: the declaration that `rbac` prints, and that every
//! request of a run is held to in a build with debug assertions.

mod check;
mod declaration;
mod istio;
mod observed;
mod proxy;
mod setup;
mod upstreams;
mod values;

use crate::model::kinds;
use crate::options::{CheckCommand, Command, Global, Preview, VersionTask};
use crate::rights::Needs;
use declaration::{Declaration, LIST};

/// The rights that the command needs. None if it asks no cluster.
#[must_use]
pub(crate) fn of(command: &Command, global: &Global) -> Needs {
    let mut all = Declaration::default();
    add(command, global, &mut all);
    all.0
}

fn add(command: &Command, global: &Global, all: &mut Declaration) {
    match command {
        Command::Mtls(_, task) | Command::OptOut(_, task) if task.files.is_none() => {
            upstreams::edited(task, global, all);
            observed::of_upstreams((task.observation, task.preview), &task.selection, global, all);
        }
        Command::Migrate(_, task) => {
            upstreams::migrated(task, global, all);
            observed::of_upstreams((task.observation, task.preview), &task.selection, global, all);
        }
        Command::Switches(task) if task.files.is_none() => {
            upstreams::switches(task, global, all);
            observed::of_all((task.observation, task.preview), global, all);
        }
        Command::Sidecars(task) if task.files.is_none() => istio::sidecars(task, global, all),
        Command::PeerAuth(task) if task.files.is_none() => {
            istio::peer_auth(task, global, all);
            // `-n` is the namespace of the policy and does not say where Gloo is installed.
            let of_gloo = Global { namespace: None, ..global.clone() };
            observed::of_all((task.observation, task.preview), &of_gloo, all);
        }
        Command::PeerAuthGet(task) if task.files.is_none() => istio::policies(task, all),
        Command::Revisions { istio_namespace } => istio::revisions(istio_namespace.as_deref(), all),
        Command::Describe(task) => istio::describe(task, global, all),
        Command::Enrolment(task) if task.files.is_none() => istio::enrolment(task, global, all),
        Command::Verify(task) => istio::verify(task, global, all),
        Command::Setup(task) => setup::setup(task, global, all),
        Command::Teardown(task) => setup::teardown(task, global, all),
        Command::Proxy(task) => proxy::address(&task.target, global, all),
        Command::Dump(task) => proxy::dump(task, global, all),
        Command::Certs(task) => proxy::certs(task, global, all),
        Command::Restart(task) => proxy::restart(task, global, all),
        Command::Snapshot(task) => proxy::inside(&task.pods, global, all),
        Command::Stats(task) => proxy::inside(&task.pods, global, all),
        Command::Logs(task) => proxy::logs(task, global, all),
        Command::Served(task) => proxy::served(task, global, all),
        Command::UpgradeValues(task) => values::values(task, global, all),
        Command::Check(CheckCommand::Run(task)) => check::check(task, global, all),
        Command::Report(task) => check::check(task, global, all),
        Command::Version(VersionTask::ClientAndServer) => {
            let namespace = global.gloo_homes()[0];
            all.within(namespace, LIST, &[&kinds::DEPLOYMENT]);
        }
        Command::Check(CheckCommand::Explain(_) | CheckCommand::Codes)
        | Command::Version(VersionTask::Client)
        | Command::Completion(_)
        | Command::Rbac(_)
        | Command::Options
        // Manifests.
        | Command::Mtls(..)
        | Command::OptOut(..)
        | Command::Switches(_)
        | Command::Sidecars(_)
        | Command::PeerAuth(_)
        | Command::PeerAuthGet(_)
        | Command::Enrolment(_) => {}
    }
}

/// The verbs on objects that the command edits: those that a preview shows are not written.
fn edits(preview: Preview) -> &'static [&'static str] {
    if writes(preview) { declaration::EDIT } else { declaration::GET }
}

/// Whether the API server gets the writes, if only to try them.
fn writes(preview: Preview) -> bool {
    !preview.is_on() || preview.dry_run == Some(crate::options::DryRunMode::Server)
}
