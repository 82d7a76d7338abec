//! The only owner of stdout, stderr, colour, width, prompt and progress.
//!
//! stdout is the answer and nothing else. A closed stdout ends nothing by itself: writes to the
//! cluster that were begun go on, and the code is that of the work.

use std::env;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use colored::{Color, Colorize};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::command::Hint;
use crate::error::{Exit, Failure, Reason, plain};
use crate::options::{Loudness, When};
use crate::plan::advice::{Advice, Weight};
use crate::render::text as render_text;
use crate::render::visible::Visible;
use crate::render::wrap::wrapped;

/// Nobody needs a progress line for less.
const SOON: Duration = Duration::from_millis(300);

/// What stands before a line, in a colour of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lead<'l> {
    pub text: &'l str,
    /// Any number: there are only so many colours.
    pub colour: usize,
}

/// The streams of a run.
pub(crate) struct Ui {
    loudness: Loudness,
    colour_out: bool,
    colour_err: bool,
    width: Option<usize>,
    /// Of the terminal that stdout is; none: it is none.
    width_out: Option<usize>,
    stdout_closed: bool,
    stdout_failed: Option<io::Error>,
    bar: Option<ProgressBar>,
    /// The end of foreign bytes that waits for more of them.
    visible: Visible,
}

/// Whether yes is typed: the default is no. None where nothing is, as with Ctrl-D. It waits, so somebody else has to
/// hear of Ctrl-C.
pub(crate) fn answer() -> Option<bool> {
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer).ok().filter(|length| *length > 0);
    read.map(|_| matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

impl Ui {
    /// The streams as the terminal and the environment have them.
    ///
    /// `NO_COLOR` beats `CLICOLOR_FORCE` beats the terminal (no-color.org, bixense.com/clicolors);
    /// each stream decides for itself.
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
            stdout_closed: false,
            stdout_failed: None,
            bar: None,
            visible: Visible::default(),
        }
    }

    /// How much is said.
    pub(crate) fn loudness(&self) -> Loudness {
        self.loudness
    }

    /// One line of the answer.
    pub(crate) fn answer(&mut self, line: &str) {
        let line = inert(line);
        self.above_bar(|ui| ui.out(format!("{line}\n").as_bytes()));
    }

    /// One line of an answer in sentences: on a terminal it is wrapped, with its indent.
    pub(crate) fn paragraph(&mut self, line: &str) {
        for piece in wrapped(&inert(line), 0, 2, self.width_out) {
            self.answer(&piece);
        }
    }

    /// Bytes of the answer that are this program's own: a help text, a completion script.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.out(bytes);
    }

    /// Bytes of the answer that are somebody else's, as they come: exact on a pipe, on a terminal made visible.
    pub(crate) fn foreign(&mut self, bytes: &[u8]) {
        match self.width_out.is_some() {
            true => {
                let shown = self.visible.push(bytes);
                self.out(shown.as_bytes());
            }
            false => self.out(bytes),
        }
    }

    /// Ends what [`Self::foreign`] was given.
    pub(crate) fn end_foreign(&mut self) {
        let rest = self.visible.finish();
        self.out(rest.as_bytes());
    }

    /// A unified diff on stdout, coloured where that stream has colour.
    pub(crate) fn diff(&mut self, diff: &str) {
        for line in diff.lines() {
            let colour = match line.as_bytes().first() {
                Some(b'+') => Some(Color::Green),
                Some(b'-') => Some(Color::Red),
                Some(b'@') => Some(Color::Cyan),
                _ => None,
            };
            let line = paint(self.colour_out, &inert(line), colour);
            self.out(format!("{line}\n").as_bytes());
        }
    }

    /// Lines of a log, byte for byte; a terminal gets them inert.
    pub(crate) fn log(&mut self, lead: Option<Lead<'_>>, lines: &[Vec<u8>]) {
        const COLOURS: [Color; 6] =
            [Color::Cyan, Color::Green, Color::Yellow, Color::Magenta, Color::Blue, Color::BrightRed];
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

    /// Another handle of stdout, to see its reader go away.
    pub(crate) fn stdout() -> Option<OwnedFd> {
        io::stdout().as_fd().try_clone_to_owned().ok()
    }

    fn out(&mut self, bytes: &[u8]) {
        if self.stdout_closed {
            return;
        }
        let mut stdout = io::stdout().lock();
        if let Err(error) = stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            self.stdout_closed = true;
            self.stdout_failed = (error.kind() != io::ErrorKind::BrokenPipe).then_some(error);
        }
    }

    /// Whether nobody takes the answer any more.
    pub(crate) fn reader_is_gone(&self) -> bool {
        self.stdout_closed
    }

    /// Why the answer is not whole although somebody wants it (a full disk), once. A reader that went away is none.
    pub(crate) fn lost_answer(&mut self) -> Option<Failure> {
        let error = self.stdout_failed.take()?;
        let message = format!("stdout: {}; the output is incomplete", plain(&error));
        Some(Failure::new(Exit::Failed, Reason::File, message).caused_by(&error))
    }

    /// A text for stderr that was laid out elsewhere: clap's own messages.
    pub(crate) fn help(text: &str) {
        // It quotes what was typed, which a script may have from anywhere.
        let lines: Vec<_> = text.split('\n').map(inert).collect();
        drop(io::stderr().lock().write_all(lines.join("\n").as_bytes()));
    }

    /// A line about what is going on; `-q` keeps it back.
    pub(crate) fn status(&mut self, line: &str) {
        if self.loudness > Loudness::Quiet {
            self.err_line(line, "", None);
        }
    }

    /// A line for `-v`.
    pub(crate) fn verbose(&mut self, line: &str) {
        if self.loudness >= Loudness::Verbose {
            self.err_line(line, "", None);
        }
    }

    /// A warning or a note with the lines below it.
    pub(crate) fn advice(&mut self, advice: &Advice) {
        let (prefix, colour) = match advice.weight {
            Weight::Warning => ("warning: ", Color::Yellow),
            Weight::Note if self.loudness == Loudness::Quiet => return,
            Weight::Note => ("note: ", Color::Cyan),
        };
        self.err_line(&advice.message, prefix, Some(colour));
        for line in render_text::below(advice) {
            self.below(&line);
        }
    }

    /// A failure with its details and hints; with `-v` the errors that led to it.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        self.error(&failure.message, &failure.details, &failure.hints);
        if self.loudness >= Loudness::Verbose {
            for cause in failure.causes.texts() {
                self.below(&format!("cause: {cause}"));
            }
        }
    }

    /// `error: …` with the lines below it.
    pub(crate) fn error<'l>(
        &mut self,
        line: &str,
        details: impl IntoIterator<Item = &'l String>,
        hints: impl IntoIterator<Item = &'l Hint>,
    ) {
        self.err_line(line, "error: ", Some(Color::Red));
        for detail in details {
            self.below(detail);
        }
        for hint in hints {
            self.below(&format!("hint: {hint}"));
        }
    }

    fn below(&mut self, line: &str) {
        self.err_line(line, "  ", None);
    }

    fn err_line(&mut self, line: &str, lead: &str, colour: Option<Color>) {
        let mut block = paint(self.colour_err, lead, colour);
        let follow = lead.len().min(2) + 2 * usize::from(lead.trim().is_empty());
        for piece in wrapped(&inert(line), lead.len(), follow, self.width) {
            block.push_str(&piece);
            block.push('\n');
        }
        // A closed stderr leaves nobody to tell.
        self.above_bar(|_| drop(io::stderr().lock().write_all(block.as_bytes())));
    }

    /// Asks on the terminal, if there is one to ask on; `answer` waits for what is typed.
    pub(crate) fn ask(&mut self, question: &str) -> bool {
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return false;
        }
        let question = wrapped(&format!("{} [y/N]", inert(question)), 0, 2, self.width).join("\n");
        drop(write!(io::stderr().lock(), "{question} "));
        true
    }

    /// Ends the line of a question that nobody answered.
    pub(crate) fn leave_question() {
        drop(io::stderr().lock().write_all(b"\n"));
    }

    /// Starts a progress line on stderr, if that is a terminal; what is soon done shows none.
    pub(crate) fn begin_progress(&mut self, what: &str) {
        if self.width.is_none() || self.loudness == Loudness::Quiet {
            return;
        }
        let style = ProgressStyle::with_template("{msg}: {pos} ({elapsed})").expect("the template is a constant");
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()).with_style(style);
        self.bar = Some(bar.with_message(inert(what)));
    }

    /// One more is done.
    pub(crate) fn advance(&mut self) {
        if let Some(bar) = &self.bar {
            if bar.is_hidden() && bar.elapsed() >= SOON {
                bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            bar.inc(1);
        }
    }

    /// Takes the progress line away.
    pub(crate) fn end_progress(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn above_bar(&mut self, write: impl FnOnce(&mut Self)) {
        match self.bar.clone() {
            Some(bar) => bar.suspend(|| write(self)),
            None => write(self),
        }
    }
}

/// A line of a request's trace, on stderr, from wherever the request is made.
pub(crate) fn trace(line: &str) {
    drop(writeln!(io::stderr().lock(), "{}", inert(line)));
}

/// What a panic says, on one line; how the run ends is said by its report.
pub(crate) fn panicked(what: &str) {
    let line = what.split_whitespace().collect::<Vec<_>>().join(" ");
    drop(writeln!(io::stderr().lock(), "error: an internal error in gloo-rs: {}", inert(&line)));
}

/// The width of the terminal.
fn columns() -> usize {
    text_width(env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()))
}

fn paint(coloured: bool, text: &str, colour: Option<Color>) -> String {
    // `colored` would decide from stdout alone; it is told instead.
    colored::control::set_override(coloured);
    colour.map_or_else(|| text.to_owned(), |colour| text.color(colour).bold().to_string())
}

/// 80 columns at most: longer lines are hard to read, and outages are read on any terminal.
fn text_width(columns: Option<usize>) -> usize {
    const WIDEST: usize = 80;
    columns
        .or_else(|| terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| usize::from(width.0)))
        .map_or(WIDEST, |width| width.clamp(40, WIDEST))
}

/// Text with everything made visible that a terminal would obey: control characters, ANSI, bidi.
pub(crate) fn inert(text: &str) -> String {
    if !text.chars().any(render_text::is_obeyed) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| if render_text::is_obeyed(c) { c.escape_unicode().to_string() } else { c.to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_made_visible() {
        assert_eq!(inert("a\u{1b}[31mb\nc\u{202e}d"), "a\\u{1b}[31mb\\u{a}c\\u{202e}d");
        assert_eq!(inert("plain \u{e4} text\twith tab"), "plain \u{e4} text\twith tab");
    }
}
