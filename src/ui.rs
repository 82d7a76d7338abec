//! The only owner of stdout, stderr, colour, width, prompt and progress.
//!
//! Only the answer is written to stdout. If stdout is closed the run continues: writes to the cluster that have begun
//! are completed, and the exit code is that of the work.

use std::env;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};

use colored::Color;

mod paint;
mod progress;

use crate::command::Hint;
use crate::error::{Exit, Failure, Reason, plain};
use crate::options::{Loudness, When};
use crate::plan::advice::{Advice, Weight};
use crate::render::line::Line;
use crate::render::text as render_text;
use crate::render::tone::{Tone, Toned as _};
use crate::render::visible::Visible;
use crate::render::wrap::wrapped;
use paint::{colour_of, paint, painted};
use progress::Place;

pub(crate) use paint::inert;
pub(crate) use progress::Progress;

/// The text before a line, in its own colour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lead<'l> {
    pub text: &'l str,
    /// Any number; it is mapped to one of a few colours.
    pub colour: usize,
}

/// The state of stdout.
enum Stdout {
    Open,
    /// The reader has closed it, or its failure was reported.
    Closed,
    Failed(io::Error),
}

/// The progress line while nothing else is waited for: `asking https://...`.
enum Asking {
    Off,
    Hidden(String),
    Shown(String),
}

impl Asking {
    fn is_shown(&self) -> bool {
        matches!(self, Self::Shown(_))
    }

    /// Another line takes its place.
    fn hide(&mut self) {
        if let Self::Shown(what) = self {
            *self = Self::Hidden(std::mem::take(what));
        }
    }
}

/// The output streams of a run.
pub(crate) struct Ui {
    loudness: Loudness,
    colour_out: bool,
    colour_err: bool,
    width: Option<usize>,
    /// The width of the terminal on stdout; `None` if stdout is not a terminal.
    width_out: Option<usize>,
    stdout: Stdout,
    /// Whether progress lines are shown: on a terminal that can remove them. A trace would be written into them.
    has_progress: bool,
    place: Place,
    asking: Asking,
    /// The incomplete end of untrusted bytes, until more of them come.
    visible: Visible,
}

/// Reads an answer: whether it is yes; the default is no. `None` at the end of input, as with Ctrl-D. This call blocks,
/// so another task must handle Ctrl-C.
pub(crate) fn answer() -> Option<bool> {
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer).ok().filter(|length| *length > 0);
    read.map(|_| matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

impl Ui {
    /// The streams, set up for the terminal and the environment.
    ///
    /// `NO_COLOR` takes precedence over `CLICOLOR_FORCE`, and that over the terminal (no-color.org,
    /// bixense.com/clicolors). This is decided for each stream separately.
    pub(crate) fn new(when: When, loudness: Loudness) -> Self {
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = |terminal: bool| match when {
            When::Always => true,
            When::Never => false,
            When::Auto if set("NO_COLOR") => false,
            When::Auto if env::var_os("CLICOLOR_FORCE").is_some_and(|force| !force.is_empty() && force != "0") => true,
            When::Auto => terminal && !dumb,
        };
        Self {
            loudness,
            colour_out: colour(io::stdout().is_terminal()),
            colour_err: colour(io::stderr().is_terminal()),
            width: io::stderr().is_terminal().then(columns),
            width_out: io::stdout().is_terminal().then(columns),
            stdout: Stdout::Open,
            has_progress: io::stderr().is_terminal() && set("TERM") && !dumb && loudness == Loudness::Usual,
            place: Place::default(),
            asking: Asking::Off,
            visible: Visible::default(),
        }
    }

    /// How much output goes to stderr.
    pub(crate) fn loudness(&self) -> Loudness {
        self.loudness
    }

    /// Writes one line of the answer.
    pub(crate) fn answer(&mut self, line: impl Into<Line>) {
        self.answer_lines(&[line.into().each(inert)]);
    }

    fn answer_lines(&mut self, lines: &[Line]) {
        self.leave_asking();
        let block: String = lines.iter().map(|line| painted(self.colour_out, line) + "\n").collect();
        self.above_bar(|ui| ui.out(block.as_bytes()));
    }

    /// The width of the terminal on stdout.
    pub(crate) fn columns(&self) -> Option<usize> {
        self.width_out
    }

    /// Whether stdout is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.width_out.is_some()
    }

    /// Writes one line of an answer in sentences. On a terminal it is wrapped and keeps its indentation.
    pub(crate) fn paragraph(&mut self, line: impl Into<Line>) {
        self.answer_lines(&wrapped(&line.into().each(inert), 0, 2, self.width_out));
    }

    /// Writes trusted bytes of the answer, made by gloo-rs itself: a help text, a completion script.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.end_progress();
        self.out(bytes);
    }

    /// Writes untrusted bytes of the answer as they come: unchanged to a pipe, with control characters made visible on
    /// a terminal.
    pub(crate) fn foreign(&mut self, bytes: &[u8]) {
        self.end_progress();
        match self.width_out.is_some() {
            true => {
                let shown = self.visible.push(bytes);
                self.out(shown.as_bytes());
            }
            false => self.out(bytes),
        }
    }

    /// Ends the output of the bytes given to [`Self::foreign`].
    pub(crate) fn end_foreign(&mut self) {
        let rest = self.visible.finish();
        self.out(rest.as_bytes());
    }

    /// Writes a unified diff to stdout, coloured if stdout has colour.
    pub(crate) fn diff(&mut self, diff: &str) {
        for line in diff.lines() {
            let tone = match line.as_bytes().first() {
                Some(b'+') => Some(Tone::Good),
                Some(b'-') => Some(Tone::Bad),
                Some(b'@') => Some(Tone::Unknown),
                _ => None,
            };
            let line = paint(self.colour_out, &inert(line), tone.map(colour_of));
            self.out(format!("{line}\n").as_bytes());
        }
    }

    /// Writes lines of a log byte for byte; on a terminal with control characters made visible.
    pub(crate) fn log(&mut self, lead: Option<Lead<'_>>, lines: &[Vec<u8>]) {
        const COLOURS: [Color; 6] =
            [Color::Cyan, Color::Green, Color::Yellow, Color::Magenta, Color::Blue, Color::BrightRed];
        self.end_progress();
        let lead =
            lead.map(|lead| paint(self.colour_out, &inert(lead.text), Some(COLOURS[lead.colour % COLOURS.len()])));
        let mut bytes = Vec::new();
        for line in lines {
            bytes.extend_from_slice(lead.as_deref().unwrap_or_default().as_bytes());
            match self.width_out.is_some() {
                true => bytes.extend_from_slice(inert(&String::from_utf8_lossy(line)).as_bytes()),
                false => bytes.extend_from_slice(line),
            }
            bytes.push(b'\n');
        }
        self.out(&bytes);
    }

    /// A second handle of stdout, to detect that its reader has closed it.
    pub(crate) fn stdout() -> Option<OwnedFd> {
        io::stdout().as_fd().try_clone_to_owned().ok()
    }

    fn out(&mut self, bytes: &[u8]) {
        if self.reader_is_gone() {
            return;
        }
        // The answer has begun.
        self.leave_asking();
        let mut stdout = io::stdout().lock();
        if let Err(error) = stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            self.stdout = match error.kind() {
                io::ErrorKind::BrokenPipe => Stdout::Closed,
                _ => Stdout::Failed(error),
            };
        }
    }

    /// Whether nothing more can be written to stdout.
    pub(crate) fn reader_is_gone(&self) -> bool {
        !matches!(self.stdout, Stdout::Open)
    }

    /// Why the answer is incomplete although its reader is still there (a full disk); returned once. A closed reader is
    /// no failure.
    pub(crate) fn lost_answer(&mut self) -> Option<Failure> {
        let Stdout::Failed(error) = &self.stdout else { return None };
        let message = format!("stdout: {}; the output is incomplete", plain(error));
        let failure = Failure::new(Exit::Failed, Reason::File, message).caused_by(error);
        self.stdout = Stdout::Closed;
        Some(failure)
    }

    /// Writes a text to stderr that is already formatted: clap's messages.
    pub(crate) fn help(text: &str) {
        // The text quotes the command line, which a script may have built from untrusted input.
        let lines: Vec<_> = text.split('\n').map(inert).collect();
        drop(io::stderr().lock().write_all(lines.join("\n").as_bytes()));
    }

    /// Writes a status line to stderr, unless `-q` is set.
    pub(crate) fn status(&mut self, line: impl Into<Line>) {
        if self.loudness > Loudness::Quiet {
            self.err_line(line.into(), "", None);
        }
    }

    /// Writes a line to stderr if `-v` is set.
    pub(crate) fn verbose(&mut self, line: impl Into<Line>) {
        if self.loudness >= Loudness::Verbose {
            self.err_line(line.into(), "", None);
        }
    }

    /// Writes a warning or a note, with its details below.
    pub(crate) fn advice(&mut self, advice: &Advice) {
        let prefix = match advice.weight {
            Weight::Warning => "warning: ",
            Weight::Note if self.loudness == Loudness::Quiet => return,
            Weight::Note => "note: ",
        };
        self.err_line(Line::from(&advice.message), prefix, advice.weight.tone());
        for line in render_text::below(advice) {
            self.below(line);
        }
    }

    /// Writes a failure with its details and hints; with `-v` also the errors that caused it.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        self.error(&failure.message, &failure.details, &failure.hints);
        if self.loudness >= Loudness::Verbose {
            for cause in failure.causes.texts() {
                self.below(Line::from("cause: ").text(cause));
            }
        }
    }

    /// Writes `error: …`, with its details and hints below.
    pub(crate) fn error<'l>(
        &mut self,
        line: &str,
        details: impl IntoIterator<Item = &'l String>,
        hints: impl IntoIterator<Item = &'l Hint>,
    ) {
        self.err_line(Line::from(line), "error: ", Some(Tone::Bad));
        for detail in details {
            self.below(Line::from(detail));
        }
        for hint in hints {
            self.below(Line::from("hint: ").hint(hint));
        }
    }

    fn below(&mut self, line: Line) {
        self.err_line(line, "  ", None);
    }

    fn err_line(&mut self, line: Line, lead: &str, tone: Option<Tone>) {
        let mut block = paint(self.colour_err, lead, tone.map(colour_of));
        let follow = lead.len().min(2) + 2 * usize::from(lead.trim().is_empty());
        for piece in wrapped(&line.each(inert), lead.len(), follow, self.width) {
            block.push_str(&painted(self.colour_err, &piece));
            block.push('\n');
        }
        // If stderr is closed, the error cannot be reported.
        self.above_bar(|_| drop(io::stderr().lock().write_all(block.as_bytes())));
        self.resume_asking();
    }

    /// Asks a question if there is a terminal. [`answer`] reads the reply.
    pub(crate) fn ask(&mut self, question: &str) -> bool {
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return false;
        }
        self.leave_asking();
        let question = Line::from(format!("{} [y/N]", inert(question)));
        let question: Vec<_> = wrapped(&question, 0, 2, self.width).iter().map(Line::to_string).collect();
        let question = question.join("\n");
        drop(write!(io::stderr().lock(), "{question} "));
        true
    }

    /// Ends the line of a question without a reply.
    pub(crate) fn leave_question() {
        drop(io::stderr().lock().write_all(b"\n"));
    }

    /// Starts a progress line that counts, on a terminal. Short work shows none.
    pub(crate) fn begin_progress(&mut self, what: &str) {
        if self.has_progress {
            self.asking.hide();
            self.place.count(what);
        }
    }

    /// Counts one more completed item.
    pub(crate) fn advance(&mut self) {
        if let (Some(bar), false) = (self.place.current(), self.asking.is_shown()) {
            bar.inc(1);
        }
    }

    /// Starts the progress line of a wait, on a terminal. The value is told what the wait sees.
    pub(crate) fn waiting(&mut self, what: &str) -> Progress {
        if !self.has_progress {
            return Progress::none();
        }
        self.asking.hide();
        self.place.wait(what, self.width.unwrap_or(WIDEST))
    }

    /// Removes the progress line of a wait.
    pub(crate) fn end_wait(&mut self) {
        self.place.end();
        self.asking.hide();
        self.resume_asking();
    }

    /// Starts the line that is shown while nothing else is waited for but this server.
    pub(crate) fn asking(&mut self, server: &str) {
        if self.has_progress {
            self.asking = Asking::Hidden(format!("asking {server}"));
            self.resume_asking();
        }
    }

    fn resume_asking(&mut self) {
        if let (Asking::Hidden(what), None) = (&self.asking, self.place.current()) {
            let what = what.clone();
            self.waiting(&what);
            self.asking = Asking::Shown(what);
        }
    }

    /// Removes the line of [`Self::asking`] until something else is written to stderr.
    fn leave_asking(&mut self) {
        if self.asking.is_shown() {
            self.place.end();
            self.asking.hide();
        }
    }

    /// Removes every progress line for the rest of the run.
    pub(crate) fn end_progress(&mut self) {
        self.place.end();
        self.asking = Asking::Off;
    }

    fn above_bar(&mut self, write: impl FnOnce(&mut Self)) {
        match self.place.current() {
            Some(bar) => bar.suspend(|| write(self)),
            None => write(self),
        }
    }
}

/// Writes a line of a request's trace to stderr, from any task.
pub(crate) fn trace(line: &str) {
    drop(writeln!(io::stderr().lock(), "{}", inert(line)));
}

/// Writes the message of a panic in one line. The report of the run gives the exit code.
pub(crate) fn panicked(what: &str) {
    let line = what.split_whitespace().collect::<Vec<_>>().join(" ");
    drop(writeln!(io::stderr().lock(), "error: an internal error in gloo-rs: {}", inert(&line)));
}

/// The width of the terminal in columns.
fn columns() -> usize {
    text_width(env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()))
}

/// The most columns that are used.
const WIDEST: usize = 80;

/// At most 80 columns: longer lines are hard to read, and an outage may be handled on any terminal.
fn text_width(columns: Option<usize>) -> usize {
    columns
        .or_else(|| terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| usize::from(width.0)))
        .map_or(WIDEST, |width| width.clamp(40, WIDEST))
}
