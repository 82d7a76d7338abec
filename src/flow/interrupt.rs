//! INT, TERM and HUP: one listener for the whole run. What it has heard is a value that goes down with the report, so
//! no signal is lost between two parts of a run, and none is handled twice.
//!
//! A reading part ends where it is. What is written is finished or rolled back: [`Interrupts::begin_writes`] is the
//! line between the two.

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

/// Said of a run that changed nothing.
pub(super) const UNTOUCHED: &str = "nothing was changed";

/// The signals that have come, and whether the run writes by now.
#[derive(Clone)]
pub(crate) struct Interrupts {
    count: watch::Receiver<usize>,
    writes: Rc<Cell<bool>>,
}

impl Interrupts {
    /// Listens from here to the end of the process, except to signals that were ignored at its start (`nohup`).
    ///
    /// The listener has its own thread: it hears also while the run reads files, outside of any runtime. Without a
    /// thread for it signals keep their usual effect. `heard` is told the name of each.
    pub(crate) fn listen(heard: impl Fn(&str) + Send + 'static) -> Self {
        let (sender, count) = watch::channel(0);
        let (says_ready, ready) = mpsc::channel();
        let ignored = ignored();
        let listener = thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
            runtime.block_on(count_signals(ignored, &sender, &says_ready, &heard));
        });
        if listener.is_ok() {
            // An error is the end of the thread: it could not listen.
            let _ = ready.recv();
        }
        Self { count, writes: Rc::default() }
    }

    /// Hears nothing: for a rollback, which is never interrupted.
    pub(crate) fn none() -> Self {
        Self { count: watch::channel(0).1, writes: Rc::default() }
    }

    /// After this many signals, and none after them.
    #[cfg(test)]
    pub(crate) fn after(count: usize) -> Self {
        Self { count: watch::channel(count).1, writes: Rc::default() }
    }

    /// Whether nothing more should be begun.
    pub(crate) fn is_set(&self) -> bool {
        *self.count.borrow() > 0
    }

    /// The failure of a run that was interrupted, if it was.
    ///
    /// # Errors
    /// It was.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.is_set() { Err(interrupted()) } else { Ok(()) }
    }

    /// From here on a signal no longer ends the run where it is: the writer looks at it between two writes.
    ///
    /// # Errors
    /// A signal has come already; nothing was changed.
    pub(crate) fn begin_writes(&self) -> Result<(), Failure> {
        self.check().map_err(|failure| failure.detail(UNTOUCHED))?;
        self.writes.set(true);
        Ok(())
    }

    /// Whether the run has begun to write.
    pub(crate) fn has_written(&self) -> bool {
        self.writes.get()
    }

    /// Runs a command: a signal ends it where it is until it begins to write.
    ///
    /// # Errors
    /// Those of the work, or that it was interrupted.
    pub(crate) async fn until_writes<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let mut signals = self.signals();
        let ends = async {
            signals.next().await;
            if self.writes.get() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            // The work first: where it handles the signal by itself, it has more to say.
            biased;
            done = work => done,
            () = ends => Err(interrupted()),
        }
    }

    /// Runs what only reads: a signal ends it where it is, also one that has come already.
    ///
    /// # Errors
    /// Those of the work, or that it was interrupted.
    pub(crate) async fn until_signal<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let mut signals = self.signals();
        tokio::select! {
            biased;
            () = signals.next() => Err(interrupted()),
            done = work => done,
        }
    }

    /// One signal after the other, from the first of the run.
    pub(crate) fn signals(&self) -> Signals {
        Signals { count: self.count.clone(), taken: 0 }
    }

    /// Standard input, of which a signal ends the waiting.
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
    /// Comes back with the next one.
    pub(crate) async fn next(&mut self) {
        let taken = self.taken;
        if self.count.wait_for(|count| *count > taken).await.is_err() {
            std::future::pending::<()>().await;
        }
        self.taken += 1;
    }
}

/// The run was ended from outside.
pub(super) fn interrupted() -> Failure {
    Failure::new(Exit::Interrupted, Reason::Interrupted, "interrupted")
}

async fn count_signals(
    ignored: Ignored,
    count: &watch::Sender<usize>,
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
        // Said first: the run may end as soon as it knows.
        heard(name);
        count.send_modify(|count| *count = count.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(count: usize) -> (watch::Sender<usize>, Interrupts) {
        let (sender, receiver) = watch::channel(count);
        (sender, Interrupts { count: receiver, writes: Rc::default() })
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
