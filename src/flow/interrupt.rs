//! Handles the signals INT, TERM and HUP with one listener for the whole run. The received signals are a value that is
//! passed on with the report, so that no signal is lost between two parts of a run, and none is handled twice.
//!
//! A part that only reads is ended at once. Writes are finished or
//! rolled back. [`Interrupts::begin_writes`] marks the transition.

mod stdin;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::Poll;
use std::thread;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::error::{Exit, Failure, Reason};
use crate::load::ignored_signals::{Ignored, ignored};

pub(super) use stdin::Stdin;

/// The line for a run that changed nothing.
pub(super) const UNTOUCHED: &str = "nothing was changed";

/// The signals received so far, and whether the run has started to write.
#[derive(Clone)]
pub(crate) struct Interrupts {
    count: watch::Receiver<usize>,
    /// The same count, updated after every reader of `count` was woken: a part that handles a signal itself goes first.
    settled: watch::Receiver<usize>,
    writes: Rc<Cell<bool>>,
}

impl Interrupts {
    /// Listens from now to the end of the process, except for signals that were ignored at its start (`nohup`).
    ///
    /// The listener has its own thread, so that it also works while the run reads files outside of any runtime. If the
    /// thread cannot be started, signals keep their default effect. `heard` is called with the name of each signal.
    pub(crate) fn listen(heard: impl Fn(&str) + Send + 'static) -> Self {
        let (sender, count) = watch::channel(0);
        let (later, settled) = watch::channel(0);
        let (says_ready, ready) = mpsc::channel();
        let ignored = ignored();
        let listener = thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
            runtime.block_on(count_signals(ignored, [&sender, &later], &says_ready, &heard));
        });
        if listener.is_ok() {
            // An error means that the thread has ended because it could not listen.
            let _ = ready.recv();
        }
        Self { count, settled, writes: Rc::default() }
    }

    fn of_count(count: usize) -> Self {
        let count = watch::channel(count).1;
        Self { settled: count.clone(), count, writes: Rc::default() }
    }

    /// Receives no signals. For a rollback, which is never interrupted.
    pub(crate) fn none() -> Self {
        Self::of_count(0)
    }

    /// For tests: `count` signals have been received, and no more will follow.
    #[cfg(test)]
    pub(crate) fn after(count: usize) -> Self {
        Self::of_count(count)
    }

    /// Whether a signal was received, so that nothing more should be started.
    pub(crate) fn is_set(&self) -> bool {
        *self.count.borrow() > 0
    }

    /// Fails if the run was interrupted.
    ///
    /// # Errors
    /// A signal was received.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.is_set() { Err(interrupted()) } else { Ok(()) }
    }

    /// Marks the start of the writes. From now on a signal no longer ends the run at once. The writer checks for
    /// signals between two writes.
    ///
    /// # Errors
    /// A signal was received before. Nothing was changed.
    pub(crate) fn begin_writes(&self) -> Result<(), Failure> {
        self.check().map_err(|failure| failure.detail(UNTOUCHED))?;
        self.writes.set(true);
        Ok(())
    }

    /// Whether the run has begun to write.
    pub(crate) fn has_written(&self) -> bool {
        self.writes.get()
    }

    /// Runs a command. A signal ends it at once, until it starts to write.
    ///
    /// # Errors
    /// The failure of the work, or that it was interrupted.
    pub(crate) async fn until_writes<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let mut signals = Signals { count: self.settled.clone(), taken: 0 };
        let ends = async {
            signals.next().await;
            if self.writes.get() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            // The work is polled first: if it handles the signal itself, its result has more details.
            biased;
            done = work => done,
            () = ends => Err(interrupted()),
        }
    }

    /// Runs work that only reads. A signal ends it at once, including a signal received before.
    ///
    /// # Errors
    /// The failure of the work, or that it was interrupted.
    pub(crate) async fn until_signal<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let mut signals = self.signals();
        tokio::select! {
            biased;
            () = signals.next() => Err(interrupted()),
            done = work => done,
        }
    }

    /// Returns the signals of the run one by one, starting with the first.
    pub(crate) fn signals(&self) -> Signals {
        Signals { count: self.count.clone(), taken: 0 }
    }

    /// Standard input. A signal ends a wait for it.
    pub(crate) fn stdin(&self) -> Stdin {
        Stdin::new(self.clone())
    }
}

/// The signals of the run, one at a time.
pub(crate) struct Signals {
    count: watch::Receiver<usize>,
    taken: usize,
}

impl Signals {
    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) {
        let taken = self.taken;
        if self.count.wait_for(|count| *count > taken).await.is_err() {
            std::future::pending::<()>().await;
        }
        self.taken += 1;
    }
}

/// The failure of a run that was ended by a signal.
pub(super) fn interrupted() -> Failure {
    Failure::new(Exit::Interrupted, Reason::Interrupted, "interrupted")
}

async fn count_signals(
    ignored: Ignored,
    counts: [&watch::Sender<usize>; 2],
    ready: &mpsc::Sender<()>,
    heard: &impl Fn(&str),
) {
    let kinds = [
        ("INT", SignalKind::interrupt(), ignored.interrupt),
        ("TERM", SignalKind::terminate(), ignored.terminate),
        ("HUP", SignalKind::hangup(), ignored.hangup),
    ];
    let usual = kinds.into_iter().filter(|(.., is_ignored)| !is_ignored);
    let mut signals: Vec<(&str, Signal)> =
        usual.filter_map(|(name, kind, _)| Some((name, signal(kind).ok()?))).collect();
    let _ = ready.send(());
    loop {
        let name = std::future::poll_fn(|context| {
            let came = signals.iter_mut().find_map(|(name, it)| it.poll_recv(context).is_ready().then_some(*name));
            came.map_or(Poll::Pending, Poll::Ready)
        })
        .await;
        // `heard` is called first, because the run may end as soon as it sees the count.
        heard(name);
        for count in counts {
            count.send_modify(|count| *count = count.saturating_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(count: usize) -> (watch::Sender<usize>, Interrupts) {
        let (sender, receiver) = watch::channel(count);
        (sender, Interrupts { settled: receiver.clone(), count: receiver, writes: Rc::default() })
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    #[test]
    fn a_signal_between_two_parts_ends_the_next_one() {
        let (sender, interrupts) = heard(0);
        assert_eq!(run(interrupts.until_signal(async { Ok(1) })).unwrap(), 1);
        sender.send_modify(|count| *count += 1);
        assert_eq!(run(interrupts.until_signal(async { Ok(2) })).unwrap_err().exit, Exit::Interrupted);
        assert_eq!(interrupts.begin_writes().unwrap_err().details, ["nothing was changed"]);
    }

    #[test]
    fn a_signal_ends_what_reads_and_not_what_writes() {
        let (sender, interrupts) = heard(0);
        let told = |sender: &watch::Sender<usize>| sender.send_modify(|count| *count += 1);
        let reading = interrupts.until_writes(async {
            told(&sender);
            std::future::pending::<()>().await;
            Ok(())
        });
        assert_eq!(run(reading).unwrap_err().exit, Exit::Interrupted);

        let (sender, interrupts) = heard(0);
        let writing = interrupts.until_writes(async {
            interrupts.begin_writes()?;
            told(&sender);
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            Ok(interrupts.is_set())
        });
        assert!(run(writing).unwrap());
    }

    #[test]
    fn each_signal_is_taken_once() {
        let (sender, interrupts) = heard(2);
        let mut signals = interrupts.signals();
        run(async {
            signals.next().await;
            signals.next().await;
            let third = signals.next();
            sender.send_modify(|count| *count += 1);
            third.await;
        });
    }
}
