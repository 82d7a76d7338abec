//! The session of a run, and the runtime for work on it.

use std::rc::Rc;
use std::sync::Arc;

use super::interrupt::Interrupts;
use super::report::Report;
use crate::error::{Exit, Failure, Reason, plain};
use crate::kube::{Environment, Exchange, Session, Target, Trace};
use crate::options::{Global, Loudness};
use crate::plan::advice::{Advice, Code};
use crate::ui;

/// Runs work that needs a cluster. One thread is enough, and it starts in a tenth of a millisecond. A signal ends the
/// work at once, until it starts to write.
pub(super) fn block_on<T>(
    interrupts: &Interrupts,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::new(Exit::Failed, Reason::File, format!("cannot start: {}", plain(&error))).caused_by(&error)
    })?;
    let done = runtime.block_on(interrupts.until_writes(work));
    // Does not wait for a resolver or an exec plugin that hangs in a thread of its own.
    runtime.shutdown_background();
    done
}

/// The cluster and the user to connect as.
pub(super) fn target(global: &Global, environment: Environment) -> Target {
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

/// Returns the session of the run. The first call opens it.
pub(super) async fn open(global: &Global, report: &mut Report<'_>) -> Result<Rc<Session>, Failure> {
    if let Some(session) = report.session() {
        return Ok(session);
    }
    let target = target(global, Environment::of_process());
    let trace = report.trace().or_else(|| trace(global.loudness, ""));
    let session = report.interrupts().until_signal(Session::open(&target, trace)).await?;
    let session = Rc::new(session.held_to(report.declared()));
    report.keep_session(&session);
    if !session.may_prompt() {
        report.ui.asking(session.server());
    }
    report.advice_if(warning(&session));
    Ok(session)
}

/// What should be known of the connection.
pub(super) fn warning(session: &Session) -> Option<Advice> {
    let withheld = session.withheld().map(|why| Advice::warning(Code::NoCredentials, why.to_string()));
    let insecure = session.insecure().map(|why| Advice::warning(Code::Insecure, why.to_string()));
    withheld.or(insecure).map(|advice| advice.details([session.place()]))
}

/// `context NAME (SERVER) as USER`: printed before anything is written.
pub(super) fn place(session: &Session) -> String {
    let place = session.place();
    match session.user() {
        Some(user) => format!("{place} as {user}"),
        None => place,
    }
}

/// Prints each request with `-v`, after this text.
pub(super) fn trace(loudness: Loudness, before: &str) -> Option<Trace> {
    let timed = match loudness {
        Loudness::Quiet | Loudness::Usual => return None,
        Loudness::Verbose => false,
        Loudness::Timed => true,
    };
    let before = before.to_owned();
    Some(Arc::new(move |exchange: &Exchange<'_>| {
        let status = exchange.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        let again = if exchange.attempt > 1 { format!(" (try {})", exchange.attempt) } else { String::new() };
        let took = if timed { format!(" {:.1}ms", exchange.took.as_secs_f64() * 1000.0) } else { String::new() };
        ui::trace(&format!("{before}{} {} {status}{again}{took}", exchange.method, exchange.path));
    }))
}
