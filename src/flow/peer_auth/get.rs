//! `istio peer-auth get`: prints the effective mode with its sources.

use super::{files, is_there};
use crate::command::flag;
use crate::error::{Exit, Failure};
use crate::flow::report::Report;
use crate::flow::session::{block_on, open};
use crate::load::policies::{self, ISTIO_SYSTEM, Root};
use crate::options::{FilesTask, Global, PeerAuthGet};
use crate::plan::Unread;
use crate::plan::advice::{Advice, Code};
use crate::plan::peer::Policies;
use crate::plan::peer::change::PolicyScope;
use crate::plan::peer::ignored::ignored;
use crate::plan::peer::report::lines;
use crate::render::peer_auth::{rows, value};

/// Prints the modes.
///
/// # Errors
/// The policies cannot be read.
pub(crate) fn run(task: &PeerAuthGet, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    match &task.files {
        Some(files) => of_files(task, files, report),
        None => block_on(&report.interrupts(), of_cluster(task, global, report)),
    }
}

async fn of_cluster(task: &PeerAuthGet, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let session = open(global, report).await?;
    let root = policies::root(&session, task.root_namespace.as_deref()).await;
    let namespace = task.scope.as_ref().map(|scope| scope.home(root.name()).to_owned());
    if let (Some(namespace), false) = (&namespace, task.scope == Some(PolicyScope::Mesh)) {
        report.advice_if(is_there(&session, namespace).await?);
    }
    let mesh = policies::read(&session, root, namespace.as_deref()).await?;
    match &mesh.root {
        Root::Known(_) => {}
        Root::Guessed { why } => {
            let what = format!("the root namespace is assumed to be {ISTIO_SYSTEM}");
            report.advice(Advice::unknown(&what, why));
        }
        Root::Several(names) => {
            let what = format!("several root namespaces ({}): {} is read", names.join(", "), mesh.root.name());
            report.advice(Advice::note(Code::Unknown, what).hint(flag("--root-namespace").text(" chooses another")));
        }
    }
    if let Some(why) = &mesh.partial {
        report.advice(Advice::unknown("policies elsewhere are unknown, so a wider policy may set another mode", why));
    }
    say(task, &mesh.policies(), mesh.hidden(), report);
    Ok(())
}

fn of_files(task: &PeerAuthGet, manifests: &FilesTask, report: &mut Report<'_>) -> Result<(), Failure> {
    let said = task.root_namespace.as_deref();
    let home = task.scope.as_ref().map(|scope| scope.home(said.unwrap_or(ISTIO_SYSTEM)));
    let read = files::read(manifests, home, &report.interrupts())?;
    let told = said.map(str::to_owned).or_else(|| read.root_namespace());
    let root_namespace = told.as_deref().unwrap_or(ISTIO_SYSTEM);
    if told.is_none() {
        let what =
            format!("the root namespace is assumed to be {ISTIO_SYSTEM}: no mesh configuration in the manifests");
        report.advice(Advice::note(Code::Unknown, what).hint(flag("--root-namespace").text(" chooses another")));
    }
    say(task, &Policies { all: &read.values(), root_namespace }, None, report);
    read.doubtful().into_iter().for_each(|row| report.row(row));
    Ok(())
}

/// Prints the modes. `hidden` is why the policies of the mesh are not among them.
fn say(task: &PeerAuthGet, policies: &Policies, hidden: Option<&Unread>, report: &mut Report<'_>) {
    let lines = lines(task.scope.as_ref(), policies, hidden);
    let parts: Vec<_> = policies.all.iter().flat_map(|policy| ignored(policy, policies.root_namespace)).collect();
    report.field("peerAuthentication", value(policies.root_namespace, &lines, &parts));
    for row in rows(&lines) {
        report.line(&row);
    }
    if lines.iter().any(|line| line.effective.is_err()) {
        report.ends(Exit::SaidNo);
    }
    let known = lines.iter().filter_map(|line| line.effective.as_ref().ok());
    for source in known.flat_map(|effective| &effective.chain).filter(|source| !source.shadowed.is_empty()) {
        let what = format!("Istio ignores policies that are younger than {}", source.policy);
        let details = source.shadowed.iter().map(|policy| format!("ignored: {policy}"));
        report.advice(Advice::warning(Code::ShadowedPolicy, what).details(details));
    }
    for part in &parts {
        report.advice(Advice::warning(Code::IgnoredPart, format!("no effect: {part}")));
    }
}
