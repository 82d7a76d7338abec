//! The progress line of a wait: it keeps moving while the program itself waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::paint::inert;
use crate::plan::waiting::{Seen, Watcher};

/// The time before a progress line is shown. Shorter work needs none.
const SOON: Duration = Duration::from_millis(300);

/// How often the shown time moves.
const SECOND: Duration = Duration::from_secs(1);

/// How often a line is looked at that is not shown yet.
const MOMENT: Duration = Duration::from_millis(100);

/// The columns of ` (12m 34s)` and one that stays free.
const ELAPSED: usize = 12;

/// The place of the one progress line. A thread of its own moves it, because the only thread of the work may wait for a
/// server that does not answer.
#[derive(Default)]
pub(super) struct Place {
    current: Arc<Mutex<Option<ProgressBar>>>,
    has_thread: bool,
}

impl Place {
    /// Starts a line that counts: `Upstreams: 30 (2s)`.
    pub(super) fn count(&mut self, what: &str) {
        self.start(ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()), "{msg}: {pos} ({elapsed})")
            .set_message(inert(what));
    }

    /// Starts the line of a wait: `deployment/web: 1 of 3 pods new and ready (12s): ImagePullBackOff`.
    pub(super) fn wait(&mut self, what: &str, width: usize) -> Progress {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let bar = self.start(bar, "{prefix} ({elapsed}){msg}");
        let progress = Progress(Some(Shown { bar, what: inert(what), width: width.saturating_sub(ELAPSED) }));
        progress.sees(&Seen::default());
        progress
    }

    fn start(&mut self, bar: ProgressBar, template: &str) -> ProgressBar {
        self.end();
        let bar = bar.with_style(ProgressStyle::with_template(template).expect("the template is a constant"));
        *locked(&self.current) = Some(bar.clone());
        if !self.has_thread {
            self.has_thread = true;
            let current = Arc::downgrade(&self.current);
            // Without a thread the line stands still.
            drop(thread::Builder::new().name("progress".to_owned()).spawn(move || keep_moving(&current)));
        }
        bar
    }

    /// The current line.
    pub(super) fn current(&self) -> Option<ProgressBar> {
        locked(&self.current).clone()
    }

    /// Removes the line.
    pub(super) fn end(&self) {
        if let Some(bar) = locked(&self.current).take() {
            bar.finish_and_clear();
        }
    }
}

fn locked(place: &Mutex<Option<ProgressBar>>) -> MutexGuard<'_, Option<ProgressBar>> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shows the current line after a while and moves its time, until its place is gone.
fn keep_moving(place: &Weak<Mutex<Option<ProgressBar>>>) {
    let mut moved = Instant::now();
    while let Some(current) = place.upgrade() {
        if let Some(bar) = locked(&current).as_ref().filter(|bar| bar.elapsed() >= SOON) {
            if bar.is_hidden() {
                bar.set_draw_target(ProgressDrawTarget::stderr());
                bar.tick();
                moved = Instant::now();
            } else if moved.elapsed() >= SECOND {
                bar.tick();
                moved = Instant::now();
            }
        }
        drop(current);
        thread::sleep(MOMENT);
    }
}

/// The line of a wait, to tell what was seen. Where no line is shown it does nothing.
#[derive(Clone)]
pub(crate) struct Progress(Option<Shown>);

#[derive(Clone)]
struct Shown {
    bar: ProgressBar,
    what: String,
    width: usize,
}

impl Progress {
    /// No line: stderr is no terminal, or `-q` or `-v` is set.
    pub(super) fn none() -> Self {
        Self(None)
    }
}

impl Watcher for Progress {
    fn is_watching(&self) -> bool {
        self.0.as_ref().is_some_and(|shown| !shown.bar.is_finished())
    }

    fn sees(&self, seen: &Seen) {
        // A line that was removed must not be drawn again.
        let Some(Shown { bar, what, width }) = self.0.as_ref().filter(|shown| !shown.bar.is_finished()) else { return };
        let seen = Seen { reason: inert(&seen.reason.replace('\n', " ")), ..seen.clone() };
        let (first, reason) = seen.line(what, *width);
        bar.set_prefix(first);
        bar.set_message(reason);
    }
}
