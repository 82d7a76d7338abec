//! The same work on each context: a few at a time, each with its own session and deadline.

use std::rc::Rc;

use futures_util::{StreamExt as _, stream};

use super::select::select;
use crate::apply::caught::caught;
use crate::error::{Exit, Failure, Reason};
use crate::flow::interrupt::{Interrupts, interrupted};
use crate::flow::report::Report;
use crate::flow::session;
use crate::kube::{Environment, KnownContexts, Session, Trace};
use crate::options::{Global, WantedContexts};
use crate::rights::Needs;

/// The clusters that are read at the same time. The memory of a run is that of as many of the largest clusters.
const AT_ONCE: usize = 8;

/// The selected contexts of a kubeconfig that was read once.
pub(in crate::flow) struct Fleet {
    known: KnownContexts,
    contexts: Vec<String>,
    trace: Option<Trace>,
    declared: Option<Needs>,
}

/// What came of the work on one context.
pub(in crate::flow) struct OfContext<T> {
    pub context: String,
    /// The address of the API server, if a session was opened.
    pub server: Option<String>,
    pub ended: Result<T, Failure>,
}

impl Fleet {
    /// Selects the contexts. Sends no request. The sessions have the trace of the run, and are held to the same rights.
    ///
    /// # Errors
    /// The kubeconfig cannot be read, or a name or pattern matches no context.
    pub(in crate::flow) fn select(
        wanted: &WantedContexts,
        global: &Global,
        report: &Report<'_>,
    ) -> Result<Self, Failure> {
        let known = KnownContexts::read(&session::target(global, Environment::of_process()))?;
        let contexts = select(wanted, &known.names(), &known.files())?;
        Ok(Self { known, contexts, trace: report.trace(), declared: report.declared() })
    }

    /// Whether the kubeconfig has this context, selected or not.
    pub(in crate::flow) fn knows(&self, context: &str) -> bool {
        self.known.names().contains(&context)
    }

    /// Does the work on each context, with the options of a run on that context alone. The results are in the order of
    /// the contexts. A context that a signal left unread has that as its failure. `advance` is called after each context.
    pub(in crate::flow) async fn each<T>(
        &self,
        global: &Global,
        interrupts: &Interrupts,
        work: impl AsyncFn(Rc<Session>, Global) -> T,
        advance: &mut dyn FnMut(),
    ) -> Vec<OfContext<T>> {
        let mut done: Vec<(usize, OfContext<T>)> = Vec::new();
        let numbered = stream::iter(self.contexts.iter().enumerate());
        let work = &work;
        let mut running = numbered
            .map(|(place, name)| async move { (place, self.one(name, global, work).await) })
            .buffer_unordered(AT_ONCE);
        let mut signals = interrupts.signals();
        loop {
            let next = tokio::select! {
                biased;
                () = signals.next() => None,
                next = running.next() => next,
            };
            let Some(next) = next else { break };
            done.push(next);
            advance();
        }
        drop(running);
        let is_left = |(place, _): &(usize, &String)| done.iter().all(|(other, _)| other != place);
        let unread = |(place, name): (usize, &String)| {
            (place, OfContext { context: name.clone(), server: None, ended: Err(interrupted()) })
        };
        let left: Vec<_> = self.contexts.iter().enumerate().filter(is_left).map(unread).collect();
        done.extend(left);
        done.sort_by_key(|(place, _)| *place);
        done.into_iter().map(|(_, of)| of).collect()
    }

    async fn one<T>(&self, name: &str, global: &Global, work: &impl AsyncFn(Rc<Session>, Global) -> T) -> OfContext<T> {
        let global = Global { context: Some(name.to_owned()), contexts: None, ..global.clone() };
        let limit = global.wait_timeout.saturating_add(global.timeout);
        let mut server = None;
        let read = async {
            // No terminal: several plugins cannot ask there at the same time.
            let target = session::target(&global, Environment::of_process().without_terminal());
            let trace = self.trace.clone().or_else(|| session::trace(global.loudness, &format!("{name}: ")));
            let session =
                Rc::new(Session::open_known(&self.known, &target, trace).await?.held_to(self.declared.clone()));
            server = Some(session.server().to_owned());
            Ok(work(session, global.clone()).await)
        };
        let ended = match tokio::time::timeout(limit, caught(read)).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(panicked)) => Err(panicked.into()),
            Err(_) => Err(Failure::new(
                Exit::NoAnswer,
                Reason::Timeout,
                format!("the cluster was not read within {}s", limit.as_secs_f32()),
            )
            .hint("--wait-timeout and --timeout together limit the time for each context")),
        };
        OfContext { context: name.to_owned(), server, ended }
    }
}
