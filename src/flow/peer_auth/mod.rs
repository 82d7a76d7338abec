//! `istio peer-auth`: changes the effective policy of a level, and checks what a stricter one would break.

mod caution;
mod files;
pub(super) mod get;

use std::time::Duration;

use super::execute::{self, Begun, Planned, Proposal, Stopped, begin};
use super::interrupt::{Interrupts, UNTOUCHED, interrupted};
use super::notes::Notes;
use super::report::Report;
use super::session::{block_on, open, place};
use super::watch::single::{Judged, SingleChange, SingleWatch};
use crate::apply::transaction::{self, Done, Unmade};
use crate::command::{CommandLine, flag, gloo_rs};
use crate::error::{Exit, Failure, Reason};
use crate::kube::{ApiCause, ApiError, Session};
use crate::load::absence;
use crate::load::policies::{self, Mesh, Root};
use crate::load::survey::SurveyReader;
use crate::model::{Object, ObjectRef, kinds};
use crate::options::{Global, PeerAuth};
use crate::plan::advice::{Advice, Code};
use crate::plan::change::Change;
use crate::plan::observe::mark;
use crate::plan::outcome::{Outcome, Row};
use crate::plan::owner::{self, Owner};
use crate::plan::peer::change::{PolicyScope, PolicyVerdict, PolicyWish, at_level, decide};
use crate::plan::peer::exceptions::exceptions;
use crate::plan::peer::{Mode, Policies};
use crate::plan::policy::{Caution, OtherTls};
use serde_json::Value;

/// How often the policy is planned again after a write conflict.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Changes the policy of the scope.
///
/// # Errors
/// The run could not be planned or written.
pub(super) fn run(task: &PeerAuth, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    match &task.files {
        Some(files) => files::edit(task, files, report),
        None => block_on(&report.interrupts(), change(task, global, report)),
    }
}

/// Changes the policy on a cluster.
///
/// # Errors
/// The run could not be planned or written.
pub(super) async fn change(task: &PeerAuth, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let session = open(global, report).await?;
    report.form_for_cluster(task.preview);
    report.context(&place(&session));
    let stop = report.interrupts();
    let planned = stop.until_signal(plan(&session, task, global, report)).await?;
    let change = match planned {
        Ok(change) => change,
        Err(refused) => {
            for row in refused {
                report.usual_namespace(&row.object.namespace);
                report.row(row);
            }
            return Ok(());
        }
    };
    report.usual_namespace(&change.before.reference.namespace);
    let proposal = Proposal {
        changes: std::slice::from_ref(&change),
        asks: asked(task),
        risks: risks(task),
        preview: task.preview,
        secrets: task.secrets,
    };
    let single = SingleChange::of(&change, task.observation);
    if let (Some(single), true) = (&single, task.preview.is_on()) {
        single.preview(report);
    }
    if begin(&session, proposal, global, report).await? == Begun::Writes {
        if let Some(single) = single {
            return Box::pin(watched(&session, task, &change, single, (global, report))).await;
        }
        let (row, _) = Box::pin(write(&session, task, change, &stop)).await?;
        report.row(row);
    }
    Ok(())
}

/// Makes the change and watches the requests to the pods of the policy. If they become worse, it is rolled back.
///
/// # Errors
/// The change was not made, or it was rolled back.
async fn watched(
    session: &Session,
    task: &PeerAuth,
    change: &Change,
    single: SingleChange<'_>,
    (global, report): (&Global, &mut Report<'_>),
) -> Result<(), Failure> {
    // `-n` is the namespace of the policy and does not say where Gloo is installed.
    let of_gloo = Global { namespace: None, ..global.clone() };
    let survey = SurveyReader::new(session, &of_gloo);
    let gloo = survey.gloo_namespace().await;
    let watch = SingleWatch::begin(session, gloo, (single, task.request.scope.namespace()), report).await?;
    let (row, done) = match watch.left() {
        Some(left) => (execute::row_of(change), Some(left.clone())),
        None => Box::pin(write(session, task, change.clone(), &report.interrupts())).await?,
    };
    let Some(done) = done else {
        report.row(row);
        return Ok(());
    };
    match watch.end(&done, &of_gloo, report).await? {
        Judged::Passed(seen) => report.row(Row { message: format!("{}, {seen}", row.message), ..row }),
        Judged::Quiet(failure) => {
            report.row(row);
            report.failure(failure);
        }
    }
    Ok(())
}

/// Reads the policies, plans the change and reports advice.
///
/// # Errors
/// The policies or the namespace could not be read, or the level is unknown.
pub(super) async fn plan(
    session: &Session,
    task: &PeerAuth,
    global: &Global,
    notes: &mut dyn Notes,
) -> Result<Planned<Change>, Failure> {
    let mesh = mesh(session, task).await?;
    let request = &task.request;
    if let PolicyScope::Namespace(namespace) | PolicyScope::Workload { namespace, .. } = &request.scope {
        notes.advices(is_there(session, namespace).await?);
    }
    let change = match decide(request, &mesh.policies(), mesh.kind) {
        PolicyVerdict::Unchanged { object, message } => {
            say_around(task, &mesh, &object, notes);
            // A policy that an earlier run changed and did not observe is watched, and may be rolled back.
            let there = mesh.all.iter().map(|policy| Object::new(mesh.kind, policy.clone()));
            let left = there.filter(|policy| policy.reference == object).find(|policy| mark::is_marked(&policy.value));
            let before = left.unwrap_or(Object { reference: object, value: Value::Null });
            return Ok(Ok(Change::new(before, Vec::new(), message)));
        }
        PolicyVerdict::Refuse { object, why } => return Ok(Err(vec![Row::left(object, Outcome::Refused, why)])),
        PolicyVerdict::Change { before, edits, message } => Change::new(before, edits, message),
    };
    say_around(task, &mesh, &change.before.reference, notes);
    if let Some(owner) = owner::find(&change.before.value) {
        notes.advice(on_owner(task, &change.before.reference, &owner));
    }
    let objection = caution::objection(session, task, global, &mesh, &change, notes).await;
    Ok(match objection {
        Some(why) => Err(vec![Row::left(change.before.reference, Outcome::Refused, why)]),
        None => Ok(change),
    })
}

/// Reads the policies. For the policy of the whole mesh, the root namespace must be known.
async fn mesh(session: &Session, task: &PeerAuth) -> Result<Mesh, Failure> {
    let root = policies::root(session, task.root_namespace.as_deref()).await;
    let place = session.looked();
    let namespace = match &task.request.scope {
        PolicyScope::Mesh => match &root {
            Root::Known(name) => name.clone(),
            Root::Guessed { why } => {
                return Err(Failure::new(
                    Exit::Failed,
                    Reason::NeedsFlag,
                    format!("the mesh's root namespace is unknown: {why}"),
                )
                .detail(place)
                .hint(flag("--root-namespace").text(format!(" {} is Istio's default", policies::ISTIO_SYSTEM))));
            }
            Root::Several(names) => {
                return Err(Failure::new(
                    Exit::Failed,
                    Reason::Ambiguous,
                    format!("several meshes, with the root namespaces {}", names.join(", ")),
                )
                .detail(place)
                .hint(flag("--root-namespace").text(" chooses one")));
            }
        },
        scope => scope.home(root.name()).to_owned(),
    };
    policies::read(session, root, Some(&namespace)).await
}

/// Checks that the namespace exists, as far as permissions allow.
///
/// Returns the note that it is unknown, if that may not be read.
///
/// # Errors
/// The namespace does not exist, or the API server does not answer.
pub(super) async fn is_there(session: &Session, namespace: &str) -> Result<Option<Advice>, Failure> {
    match session.get(&kinds::NAMESPACE, "", namespace).await {
        Err(error) if error.cause == ApiCause::NotFound => {
            let near = absence::around(session, &ObjectRef::new(&kinds::NAMESPACE, "", namespace)).await.detail();
            let mut failure =
                Failure::new(Exit::SaidNo, Reason::NotFound, format!("there is no namespace {namespace}"));
            failure.details.extend(near);
            Err(failure.detail(session.looked()))
        }
        Err(error) if error.exit() == Exit::NoAnswer => Err(error.into_failure(session)),
        Err(error) => {
            let what = format!("whether there is a namespace {namespace} is unknown");
            Ok(Some(Advice::unknown(&what, &crate::load::unread::unread(session, error))))
        }
        Ok(_) => Ok(None),
    }
}

/// Reports the context of the policy: a guessed root namespace, what could not be read, and policies that interact.
fn say_around(task: &PeerAuth, mesh: &Mesh, object: &ObjectRef, notes: &mut dyn Notes) {
    let policies = mesh.policies();
    if let Root::Guessed { why } = &mesh.root {
        let what = format!("the root namespace is assumed to be {}", mesh.root.name());
        notes.advice(Advice::unknown(&what, why));
    }
    if let Root::Several(names) = &mesh.root {
        let what = format!("several root namespaces ({}): {} is read", names.join(", "), mesh.root.name());
        notes.advice(Advice::note(Code::Unknown, what).hint(flag("--root-namespace").text(" chooses another")));
    }
    if let Some(why) = &mesh.partial {
        notes.advice(Advice::unknown("policies elsewhere are unknown", why));
    }
    say_beside(task, &policies, object, notes);
}

/// Reports policies of the same level that Istio ignores, and narrower policies that keep their mode.
fn say_beside(task: &PeerAuth, policies: &Policies, object: &ObjectRef, notes: &mut dyn Notes) {
    let scope = &task.request.scope;
    let level = at_level(scope, policies);
    let names = |policy: &&serde_json::Value| policy["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    if let ([read, _, ..], PolicyWish::Set(_)) = (level.as_slice(), task.request.wish) {
        let others: Vec<_> = level[1..].iter().map(names).collect();
        let what = format!("Istio uses only {} for {scope}, because it is the oldest", names(read));
        notes.advice(
            Advice::warning(Code::ShadowedPolicy, what)
                .details(others.into_iter().map(|name| format!("ignored: {}/{name}", object.namespace)))
                .about(object),
        );
    }
    if let PolicyWish::Set(mode) = task.request.wish {
        let kept = exceptions(scope, mode, policies);
        if !kept.is_empty() {
            notes.advice(
                Advice::note(
                    Code::KeepsMode,
                    format!("not {mode} everywhere in {scope}, because narrower policies remain"),
                )
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
            Advice::warning(Code::Owner, format!("{owner} owns this PeerAuthentication and will undo the change"))
                .hint(again.after("change it in Git: "))
        }
        Owner::Helm { .. } | Owner::Discovery => Advice::warning(
            Code::Owner,
            format!("{owner} owns this PeerAuthentication; its next upgrade may undo the change"),
        )
        .hint("change the chart's template or values as well"),
    };
    advice.about(object)
}

/// The command line of the task, such as `istio peer-auth strict -n shop`.
pub(super) fn command(task: &PeerAuth) -> CommandLine {
    task.request.scope.typed(gloo_rs("istio peer-auth").fixed(task.request.wish.word()))
}

fn asked(task: &PeerAuth) -> &'static str {
    match task.request.wish {
        PolicyWish::Set(_) => "peer-auth would reject",
        PolicyWish::Remove => "peer-auth would remove",
    }
}

fn risks(task: &PeerAuth) -> Vec<String> {
    let scope = &task.request.scope;
    let mut risks = match task.request.wish {
        PolicyWish::Set(Mode::Strict) => vec![format!("all plaintext to {scope}")],
        PolicyWish::Set(_) => Vec::new(),
        PolicyWish::Remove if task.request.foreign == OtherTls::Replace => {
            vec![format!("the policy of {scope}, even if it was made by others")]
        }
        PolicyWish::Remove => vec![format!("the policy of {scope}")],
    };
    risks.extend((task.request.caution == Caution::Forced).then(|| "what a gateway may send (--force)".to_owned()));
    risks
}

/// Writes the change. After a write conflict, it plans again with the current policy.
async fn write(
    session: &Session,
    task: &PeerAuth,
    planned: Change,
    stop: &Interrupts,
) -> Result<(Row, Option<Done>), Failure> {
    let mut planned = planned;
    if planned.is_already() {
        return Ok((execute::row_of(&planned), None));
    }
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(FIRST_PAUSE * 4_u32.pow(attempt - 1)).await;
        }
        if stop.is_set() {
            return Err(interrupted().detail(UNTOUCHED));
        }
        let (reference, message) = (planned.before.reference.clone(), planned.message.clone());
        let owner = owner::find(&planned.before.value).map(|owner| owner.to_string());
        let back = async |done, cause| -> Failure {
            let undone = transaction::roll_back(session, &[done]).await;
            Stopped::undone(cause, &undone, "run the same command again").into()
        };
        let sent = if task.observation.is_some() { mark::marked(planned) } else { planned };
        match transaction::make(session, sent).await {
            Ok(done) if stop.is_set() => return Err(back(done, interrupted()).await),
            Ok(done) => {
                return Ok((Row { owner, ..Row::answer(reference, Outcome::Changed, message) }, Some(done)));
            }
            // Also where it is unknown whether it was made.
            Err(Unmade { error, perhaps: Some(done) }) => return Err(back(done, error.into_failure(session)).await),
            Err(unmade) if is_somebody_faster(&unmade.error) => {
                let mesh = mesh(session, task).await?;
                match decide(&task.request, &mesh.policies(), mesh.kind) {
                    PolicyVerdict::Change { before, edits, message } => planned = Change::new(before, edits, message),
                    PolicyVerdict::Unchanged { object, message } => {
                        return Ok((Row::answer(object, Outcome::Unchanged, message), None));
                    }
                    PolicyVerdict::Refuse { object, why } => {
                        return Ok((Row::left(object, Outcome::Refused, why), None));
                    }
                }
            }
            Err(unmade) => return Err(unmade.error.into_failure(session)),
        }
    }
    Err(Failure::new(Exit::Failed, Reason::Conflict, format!("changed by others {TRIES} times, gave up"))
        .hint("run the same command again"))
}

fn is_somebody_faster(error: &ApiError) -> bool {
    matches!(error.cause, ApiCause::Conflict | ApiCause::NotFound)
}
