//! `istio peer-auth`: the one policy of a level, and what a stricter one would break.

mod caution;
mod files;
pub mod get;

use std::time::Duration;

use super::interrupt::{Interrupts, interrupted};
use super::report::Report;
use super::{block_on, consent, open, place};
use crate::apply::transaction::{self, Step};
use crate::command::{CommandLine, gloo_rs};
use crate::edit::{Edit, json};
use crate::error::{Exit, Failure, Reason};
use crate::kube::{ApiError, Cause, Session};
use crate::load::absence;
use crate::load::policies::{self, Mesh, Root};
use crate::model::{Object, ObjectRef, kinds};
use crate::options::{DryRun, Global, PeerAuth};
use crate::plan::advice::{Advice, Code};
use crate::plan::mtls::{Caution, Foreign};
use crate::plan::outcome::{Outcome, Row};
use crate::plan::owner::{self, Owner};
use crate::plan::peer::change::{Scope, Verdict, Wish, at_level, decide};
use crate::plan::peer::exceptions::exceptions;
use crate::plan::peer::{Mode, Policies};
use crate::render::diff;

/// How often the policy is decided about anew because somebody else was faster.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Changes the policy of the scope.
///
/// # Errors
/// What keeps the run from being planned or from being written.
pub fn run(task: &PeerAuth, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    match &task.files {
        Some(files) => files::edit(task, files, report),
        None => block_on(&report.interrupts(), change(task, global, report)),
    }
}

/// The change as it was decided on.
struct Planned {
    before: Object,
    edits: Vec<Edit>,
    message: String,
}

/// The change on a cluster.
///
/// # Errors
/// What keeps the run from being planned or from being written.
pub async fn change(task: &PeerAuth, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let session = open(global, report).await?;
    let mark = report.form_for_cluster(task.preview);
    report.context(&place(&session));
    let Some(planned) = report.interrupts().or(plan(&session, task, global, report)).await? else { return Ok(()) };
    if task.preview.is_on() {
        return preview(&session, task, planned, report).await;
    }
    debug_assert_eq!(mark, crate::render::text::Mark::Written);
    consent::ask(&asked(task), &risks(task), &place(&session), global, report).await?;
    let stop = report.interrupts();
    stop.begin_writes()?;
    let written = Box::pin(write(&session, task, planned, &stop)).await;
    report.row(written?);
    Ok(())
}

/// Reads, decides, and says what should be known; `None`: nothing is to be written.
async fn plan(
    session: &Session,
    task: &PeerAuth,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<Option<Planned>, Failure> {
    let mesh = mesh(session, task).await?;
    let request = &task.request;
    report.usual_namespace(request.scope.home(mesh.root.name()));
    if let Scope::Namespace(namespace) | Scope::Workload { namespace, .. } = &request.scope {
        is_there(session, namespace).await?;
    }
    let (before, edits, message) = match decide(request, &mesh.policies(), mesh.kind) {
        Verdict::Unchanged { object, message } => {
            say_around(task, &mesh, &object, report);
            report.row(Row::answer(object, Outcome::Unchanged, message));
            return Ok(None);
        }
        Verdict::Refuse { object, why } => {
            report.row(Row::left(object, Outcome::Refused, why));
            return Ok(None);
        }
        Verdict::Change { before, edits, message } => (before, edits, message),
    };
    say_around(task, &mesh, &before.reference, report);
    if let Some(owner) = owner::of(&before.value) {
        report.advice(on_owner(task, &before.reference, &owner));
    }
    let objection = caution::objection(session, task, global, &mesh, (&before, &edits), report).await;
    if let Some(why) = objection {
        report.row(Row::left(before.reference, Outcome::Refused, why));
        return Ok(None);
    }
    Ok(Some(Planned { before, edits, message }))
}

/// The policies, and for the mesh's own a root namespace that is certain.
async fn mesh(session: &Session, task: &PeerAuth) -> Result<Mesh, Failure> {
    let root = policies::root(session, task.root_namespace.as_deref()).await;
    let place = session.looked();
    let namespace = match &task.request.scope {
        Scope::Mesh => match &root {
            Root::Known(name) => name.clone(),
            Root::Guessed { why } => {
                return Err(Failure::new(
                    Exit::Failed,
                    Reason::NeedsFlag,
                    format!("the mesh's root namespace is unknown: {why}"),
                )
                .detail(place)
                .hint(format!("--root-namespace {} is Istio's usual one", policies::ISTIO_SYSTEM)));
            }
            Root::Several(names) => {
                return Err(Failure::new(
                    Exit::Failed,
                    Reason::Ambiguous,
                    format!("several meshes, with the root namespaces {}", names.join(", ")),
                )
                .detail(place)
                .hint("--root-namespace names one"));
            }
        },
        scope => scope.home(root.name()).to_owned(),
    };
    policies::read(session, root, Some(&namespace)).await
}

/// That the namespace is there, as far as that may be asked.
///
/// # Errors
/// It is not.
pub(super) async fn is_there(session: &Session, namespace: &str) -> Result<(), Failure> {
    match session.get(&kinds::NAMESPACE, "", namespace).await {
        Err(error) if error.cause == Cause::NotFound => {
            let near = absence::around(session, &ObjectRef::new(&kinds::NAMESPACE, "", namespace)).await.detail();
            let mut failure =
                Failure::new(Exit::SaidNo, Reason::NotFound, format!("there is no namespace {namespace}"));
            failure.details.extend(near);
            Err(failure.detail(session.looked()))
        }
        Err(error) if error.exit() == Exit::NoAnswer => Err(error.into_failure(session)),
        _ => Ok(()),
    }
}

/// What stands beside the policy: others of its level, modes that stay, what could not be read.
fn say_around(task: &PeerAuth, mesh: &Mesh, object: &ObjectRef, report: &mut Report<'_>) {
    let policies = mesh.policies();
    if let Root::Guessed { why } = &mesh.root {
        let what = format!("the root namespace is taken to be {}", mesh.root.name());
        report.advice(Advice::unknown(&what, why));
    }
    if let Root::Several(names) = &mesh.root {
        let what = format!("several root namespaces ({}): {} is read", names.join(", "), mesh.root.name());
        report.advice(Advice::note(Code::Unknown, what).hint("--root-namespace names another"));
    }
    if let Some(why) = &mesh.partial {
        report.advice(Advice::unknown("policies elsewhere are unknown", why));
    }
    say_beside(task, &policies, object, report);
}

/// Policies of the same level that are not read, and modes that stay.
fn say_beside(task: &PeerAuth, policies: &Policies, object: &ObjectRef, report: &mut Report<'_>) {
    let scope = &task.request.scope;
    let level = at_level(scope, policies);
    let names = |policy: &&serde_json::Value| policy["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    if let ([read, _, ..], Wish::Set(_)) = (level.as_slice(), task.request.wish) {
        let others: Vec<_> = level[1..].iter().map(names).collect();
        let what = format!("Istio reads {} alone for {scope}, for it is the oldest", names(read));
        report.advice(
            Advice::warning(Code::ShadowedPolicy, what)
                .details(others.into_iter().map(|name| format!("not read: {}/{name}", object.namespace)))
                .about(object),
        );
    }
    if let Wish::Set(mode) = task.request.wish {
        let kept = exceptions(scope, mode, policies);
        if !kept.is_empty() {
            report.advice(
                Advice::note(Code::KeepsMode, format!("not {mode} everywhere in {scope}, for narrower modes stay"))
                    .details(kept.iter().map(|it| format!("{}: {}", it.policy, it.says)))
                    .about(object),
            );
        }
    }
}

fn on_owner(task: &PeerAuth, object: &ObjectRef, owner: &Owner) -> Advice {
    let again = command(task).fixed("-f PATH --write");
    let advice = match owner {
        Owner::ArgoCd { .. } | Owner::Flux { .. } => {
            Advice::warning(Code::Owner, format!("{owner} owns this PeerAuthentication and will put it back"))
                .hint(again.after("change it in Git: "))
        }
        Owner::Helm { .. } | Owner::Discovery => Advice::warning(
            Code::Owner,
            format!("{owner} owns this PeerAuthentication; its next upgrade may put it back"),
        )
        .hint("change the chart's template or values as well"),
    };
    advice.about(object)
}

/// `istio peer-auth strict -n shop`
pub fn command(task: &PeerAuth) -> CommandLine {
    task.request.scope.typed(gloo_rs("istio peer-auth").fixed(task.request.wish.word()))
}

fn asked(task: &PeerAuth) -> String {
    match task.request.wish {
        Wish::Set(_) => "peer-auth would turn away".to_owned(),
        Wish::Remove => "peer-auth would take away".to_owned(),
    }
}

fn risks(task: &PeerAuth) -> Vec<String> {
    let scope = &task.request.scope;
    let mut risks = match task.request.wish {
        Wish::Set(Mode::Strict) => vec![format!("all plaintext to {scope}")],
        Wish::Set(_) => Vec::new(),
        Wish::Remove if task.request.foreign == Foreign::Replace => {
            vec![format!("the policy of {scope}, also one that somebody else made")]
        }
        Wish::Remove => vec![format!("the policy of {scope}")],
    };
    risks.extend((task.request.caution == Caution::Forced).then(|| "what a gateway may send (--force)".to_owned()));
    risks
}

async fn preview(session: &Session, task: &PeerAuth, planned: Planned, report: &mut Report<'_>) -> Result<(), Failure> {
    let Planned { before, edits, message } = planned;
    let step = Step { before, edits };
    if task.preview.dry_run == Some(DryRun::Server) {
        transaction::rehearse(session, std::slice::from_ref(&step)).await?;
    }
    let after =
        json::apply(&step.before.value, &step.edits).map_err(|path| unplannable(&step.before, &path.to_string()))?;
    let reference = step.before.reference;
    let mut row = Row::answer(reference.clone(), Outcome::Changed, message);
    row.owner = owner::of(&step.before.value).map(|owner| owner.to_string());
    row.diff = task.preview.diff.then(|| diff::live(&reference.to_string(), &step.before.value, &after, task.secrets));
    report.row(row);
    if task.preview.check {
        report.ends(Exit::WouldChange);
    }
    Ok(())
}

fn unplannable(object: &Object, path: &str) -> Failure {
    Failure::new(Exit::Failed, Reason::Unsafe, format!("{}: {path} is not what it should be", object.reference))
}

/// Writes; where somebody else was faster, what is there now is decided about.
async fn write(session: &Session, task: &PeerAuth, planned: Planned, stop: &Interrupts) -> Result<Row, Failure> {
    let mut planned = planned;
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(FIRST_PAUSE * 4_u32.pow(attempt - 1)).await;
        }
        if stop.is_set() {
            return Err(interrupted().detail("nothing was changed"));
        }
        let Planned { before, edits, message } = planned;
        let reference = before.reference.clone();
        let owner = owner::of(&before.value).map(|owner| owner.to_string());
        match transaction::make(session, Step { before, edits }).await {
            Ok(done) if stop.is_set() => {
                let undone = transaction::take_back(session, &[done]).await;
                return Err(transaction::failure(interrupted(), &undone, "the same command again"));
            }
            Ok(_) => return Ok(Row { owner, ..Row::answer(reference, Outcome::Changed, message) }),
            Err(unmade) if is_somebody_faster(&unmade.error) => {
                let mesh = mesh(session, task).await?;
                match decide(&task.request, &mesh.policies(), mesh.kind) {
                    Verdict::Change { before, edits, message } => planned = Planned { before, edits, message },
                    Verdict::Unchanged { object, message } => {
                        return Ok(Row::answer(object, Outcome::Unchanged, message));
                    }
                    Verdict::Refuse { object, why } => return Ok(Row::left(object, Outcome::Refused, why)),
                }
            }
            Err(unmade) => return Err(unmade.error.into_failure(session)),
        }
    }
    Err(Failure::new(Exit::Failed, Reason::Conflict, format!("changed by others {TRIES} times, gave up"))
        .hint("the same command again"))
}

fn is_somebody_faster(error: &ApiError) -> bool {
    matches!(error.cause, Cause::Conflict | Cause::NotFound)
}
