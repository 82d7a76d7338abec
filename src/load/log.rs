//! Reads or follows a container's log. After a lost connection, it continues at the same position.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::Failure;
use crate::kube::{ApiCause, ApiError, Log, LogQuery, Session, Since};
use crate::model::kinds;
use crate::plan::log::{Lines, LogPosition};

/// Pause before a reconnect. It doubles each time that nothing new arrived.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// An event while reading a log.
#[derive(Debug)]
pub(crate) enum Event {
    /// At least one line, without line ends.
    Lines(Vec<Vec<u8>>),
    /// A message for the user between two lines.
    Note(String),
    /// The end of the log, with the reason if it is not obvious.
    End(Option<String>),
    Failed(Failure),
}

/// The log of one container.
pub(crate) struct LogReading<'s> {
    session: &'s Session,
    namespace: String,
    pod: String,
    query: LogQuery,
    /// How long to try to reconnect.
    patience: Duration,
    log: Option<Log>,
    lines: Lines,
    seen: LogPosition,
    /// The time when the connection was lost, if it was.
    lost: Option<Instant>,
    pause: Duration,
    is_over: bool,
}

impl<'s> LogReading<'s> {
    /// A log to follow is read with timestamps, so that it can be continued.
    pub(crate) fn new(
        session: &'s Session,
        (namespace, pod): (&str, &str),
        query: LogQuery,
        patience: Duration,
    ) -> Self {
        Self {
            session,
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            query: LogQuery { timestamps: query.follow, ..query },
            patience,
            log: None,
            lines: Lines::default(),
            seen: LogPosition::default(),
            lost: None,
            pause: FIRST_PAUSE,
            is_over: false,
        }
    }

    /// The next event. `None` after an end or a failure.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        if self.is_over {
            return None;
        }
        loop {
            let event = match self.log.take() {
                None => self.connect().await,
                Some(log) => self.read(log).await,
            };
            if let Some(event) = event {
                self.is_over = matches!(event, Event::End(_) | Event::Failed(_));
                return Some(event);
            }
        }
    }

    async fn connect(&mut self) -> Option<Event> {
        let query = match (&self.lost, self.seen.resume()) {
            (Some(_), Some(time)) => LogQuery { since: Some(Since::Time(time)), tail: None, ..self.query.clone() },
            _ => self.query.clone(),
        };
        match (self.session.log(&self.namespace, &self.pod, &query).await, &self.lost) {
            (Ok(log), lost) => {
                let note = lost.is_some().then(|| Event::Note(format!("pod {}: connected again", self.pod)));
                self.log = Some(log);
                self.lost = None;
                note
            }
            (Err(error), Some(_)) if error.cause == ApiCause::NotFound => Some(self.gone()),
            (Err(error), Some(since)) if since.elapsed() < self.patience && may_pass(&error) => {
                self.rest().await;
                None
            }
            (Err(error), _) => Some(Event::Failed(error.into_failure(self.session))),
        }
    }

    async fn read(&mut self, mut log: Log) -> Option<Event> {
        let lines = match log.chunk().await {
            Ok(Some(piece)) => {
                self.log = Some(log);
                self.lines.push(&piece)
            }
            Ok(None) => match self.lines.last() {
                Some(last) => {
                    // The next read returns the end again, after this last line.
                    self.log = Some(log);
                    vec![last]
                }
                None if self.query.follow => return self.ended().await,
                None => return Some(Event::End(None)),
            },
            Err(error) if self.query.follow => {
                // An incomplete line is sent again as a whole.
                self.lines.cut();
                self.lost = Some(Instant::now());
                return Some(Event::Note(format!("pod {}: connection lost ({error}); still reading", self.pod)));
            }
            Err(error) => return Some(Event::Failed(error.into_failure(self.session))),
        };
        let new = lines.iter().filter_map(|line| if self.query.timestamps { self.seen.line(line) } else { Some(line) });
        let new: Vec<_> = new.map(<[u8]>::to_vec).collect();
        if !new.is_empty() {
            self.pause = FIRST_PAUSE;
        }
        (!new.is_empty()).then_some(Event::Lines(new))
    }

    /// Handles the end of a followed log. The container has ended, or a proxy in between has closed the connection.
    async fn ended(&mut self) -> Option<Event> {
        self.lost = Some(Instant::now());
        self.rest().await;
        match self.session.get(&kinds::POD, &self.namespace, &self.pod).await {
            Err(error) if error.cause == ApiCause::NotFound => Some(self.gone()),
            Ok(pod) if matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) => {
                Some(Event::End(Some(format!("pod {} has ended", self.pod))))
            }
            _ => Some(Event::Note(format!(
                "pod {}: the log ended, its container may have been restarted; still reading",
                self.pod
            ))),
        }
    }

    async fn rest(&mut self) {
        sleep(self.pause).await;
        self.pause = (2 * self.pause).min(LONGEST_PAUSE);
    }

    fn gone(&self) -> Event {
        Event::End(Some(format!("pod {} no longer exists", self.pod)))
    }
}

/// Whether another try may succeed. A container that is restarting has no log for a moment.
fn may_pass(error: &ApiError) -> bool {
    !matches!(error.cause, ApiCause::Forbidden { .. } | ApiCause::Unauthorized | ApiCause::NoCrd)
}
