//! Ctrl-C: what has begun is finished, nothing more is begun, and the run says what was done. Twice: it ends at once.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{Exit, Failure, Reason};

/// Why nothing more is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Somebody asked for it.
    Asked,
    /// Somebody asked twice: what is under way is let go of.
    AskedTwice,
    /// The API server does not answer any more.
    NoAnswer,
}

/// Set once the run is to end.
#[derive(Clone, Default)]
pub struct Stop(Rc<Cell<Option<Why>>>);

impl Stop {
    /// Whether nothing more should be begun.
    pub fn is_set(&self) -> bool {
        self.why().is_some()
    }

    pub fn why(&self) -> Option<Why> {
        self.0.get()
    }

    /// Begins nothing more.
    pub fn set(&self, why: Why) {
        self.0.set(Some(why));
    }
}

/// Runs what only reads: Ctrl-C ends it where it is.
///
/// # Errors
/// Those of the work, or that it was interrupted.
pub async fn or<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut signals = Signals::listen();
    tokio::select! {
        biased;
        () = signals.next() => Err(Failure::new(Exit::Interrupted, Reason::Interrupted, "interrupted")),
        done = work => done,
    }
}

/// Runs what must end by itself, such as a transaction: Ctrl-C sets `stop`, and the work looks at it.
pub async fn told<T>(stop: &Stop, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut signals = Signals::listen();
    loop {
        tokio::select! {
            biased;
            () = signals.next() => stop.set(Why::Asked),
            done = &mut work => return done,
        }
    }
}

/// Who hears that the user or the system wants the run to end. Until there is one of these the process just ends,
/// as is right while nothing is written and somebody may be asked a question.
pub struct Signals(Vec<Signal>);

impl Signals {
    /// Hears Ctrl-C and SIGTERM from here on.
    pub fn listen() -> Self {
        Self::to(&[SignalKind::interrupt(), SignalKind::terminate()])
    }

    /// And the end of the terminal: for what must not be left behind with nobody there to see it.
    pub fn listen_to_hangup_too() -> Self {
        Self::to(&[SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()])
    }

    /// Hears nothing.
    pub fn deaf() -> Self {
        Self(Vec::new())
    }

    fn to(kinds: &[SignalKind]) -> Self {
        Self(kinds.iter().filter_map(|kind| signal(*kind).ok()).collect())
    }

    /// Comes back with the next one.
    pub async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let heard = self.0.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if heard { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
