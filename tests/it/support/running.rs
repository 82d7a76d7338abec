//! The binary while it runs: its output so far, key presses, signals.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Much longer than any command takes, so that a hang is a failure and a slow machine is not.
const PATIENCE: Duration = Duration::from_mins(2);

/// The columns of a terminal, if a test does not set them.
const COLUMNS: u16 = 80;

/// A child process that is killed at the end of the test, however the test ends.
pub struct Running {
    /// The time after which the test fails.
    pub(super) patience: Duration,
    child: Child,
    input: Option<Box<dyn Write + Send>>,
    stdout: Option<Stream>,
    stderr: Stream,
}

/// The bytes read from a stream so far.
struct Stream {
    so_far: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Running {
    pub(super) fn on_pipes(command: Command) -> Self {
        let mut running = Self::unread(command);
        running.stdout = running.child.stdout.take().map(Stream::of);
        running
    }

    /// Starts it without reading its stdout until [`Self::read_one_line`] is called.
    pub(super) fn unread(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Self {
            input: Some(Box::new(child.stdin.take().unwrap())),
            stdout: None,
            stderr: Stream::of(child.stderr.take().unwrap()),
            child,
            patience: PATIENCE,
        }
    }

    pub(super) fn on_terminal(mut command: Command) -> Self {
        let (ours, theirs) = terminal(COLUMNS);
        let child = command.stdin(theirs()).stdout(Stdio::piped()).stderr(theirs()).spawn();
        // The command holds the other end of the terminal too. The stream ends when the last of them is dropped.
        drop(command);
        let mut child = child.unwrap();
        Self {
            input: Some(Box::new(ours.try_clone().unwrap())),
            stdout: Some(Stream::of(child.stdout.take().unwrap())),
            stderr: Stream::of(ours),
            child,
            patience: PATIENCE,
        }
    }

    /// Starts it with its stdout on the terminal too, as in a shell.
    pub fn whole_on_terminal(command: Command) -> Self {
        Self::as_wide_as(command, COLUMNS)
    }

    /// The same on a terminal of this many columns.
    pub(super) fn as_wide_as(mut command: Command, columns: u16) -> Self {
        let (ours, theirs) = terminal(columns);
        let child = command.stdin(theirs()).stdout(theirs()).stderr(theirs()).spawn();
        drop(command);
        let input: Box<dyn Write + Send> = Box::new(ours.try_clone().unwrap());
        Self { input: Some(input), stdout: None, stderr: Stream::of(ours), child: child.unwrap(), patience: PATIENCE }
    }

    /// The text on the terminal, without control sequences.
    pub fn screen(&self) -> String {
        plain(&self.stderr.text())
    }

    /// Types this text.
    pub fn give(&mut self, text: &str) {
        self.input.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Returns its stdin, which stays open as long as the value is kept.
    pub fn stdin(&mut self) -> Box<dyn Write + Send> {
        self.input.take().unwrap()
    }

    /// Writes this to its stdin and closes it.
    pub(super) fn feed(&mut self, text: &str) {
        let (mut input, text) = (self.input.take().unwrap(), text.to_owned());
        // A command that does not read its stdin may close it; that is no error.
        spawn(move || drop(input.write_all(text.as_bytes())));
    }

    /// Reads the first line and closes its stdout, as `head -1` does.
    pub fn read_one_line(&mut self) -> String {
        let mut stdout = self.child.stdout.take().unwrap();
        let mut line = Vec::new();
        let mut byte = [0];
        while stdout.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }

    /// Its resident memory in KiB; `None` after it has ended.
    pub fn memory_kib(&self) -> Option<u64> {
        self.status("VmRSS:")
    }

    /// The peak of its resident memory in KiB; `None` after it has ended.
    pub fn peak_kib(&self) -> Option<u64> {
        self.status("VmHWM:")
    }

    fn status(&self, key: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        status.lines().find_map(|line| line.strip_prefix(key))?.trim().strip_suffix(" kB")?.parse().ok()
    }

    /// Waits until stderr contains this text.
    pub fn wait_for(&mut self, text: &str) {
        let start = Instant::now();
        while !self.stderr.text().contains(text) {
            assert!(start.elapsed() < self.patience, "{text:?} never came: {}", self.stderr.text());
            sleep(Duration::from_millis(2));
        }
    }

    /// Waits until stderr contains one of these texts.
    pub fn wait_for_any(&mut self, texts: &[&str]) {
        let start = Instant::now();
        while !texts.iter().any(|text| self.stderr.text().contains(text)) {
            assert!(start.elapsed() < self.patience, "none of {texts:?} came: {}", self.stderr.text());
            sleep(Duration::from_millis(2));
        }
    }

    /// Waits until stdout contains this text.
    pub fn wait_for_stdout(&self, text: &str) {
        let start = Instant::now();
        let stdout = self.stdout.as_ref().expect("its stdout is read");
        while !stdout.text().contains(text) {
            assert!(start.elapsed() < self.patience, "{text:?} never came: {} {}", stdout.text(), self.stderr.text());
            sleep(Duration::from_millis(2));
        }
    }

    /// Sends Ctrl-C once the condition holds.
    pub fn interrupt_once(&self, so: impl Fn() -> bool) {
        self.wait_until(so);
        self.interrupt();
    }

    /// Waits until the condition holds.
    pub fn wait_until(&self, so: impl Fn() -> bool) {
        let start = Instant::now();
        while !so() {
            assert!(start.elapsed() < self.patience, "not so within {:?}", self.patience);
            sleep(Duration::from_millis(2));
        }
    }

    /// Sends SIGINT, as Ctrl-C does.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Sends SIGTERM, as a system does that shuts down.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGHUP, as a terminal does that is closed.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Sends SIGKILL, which cannot be handled.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Waits until it reports with `-v` that it received this signal.
    pub fn wait_until_heard(&mut self, name: &str) {
        self.wait_for(&format!("signal: {name}"));
    }

    /// Waits until it has a handler for this signal.
    pub fn wait_until_listening(&self, signal: Signal) {
        let start = Instant::now();
        let bit = 1_u64 << (signal.as_raw() - 1);
        let is_caught = || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
            let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?.trim().to_owned();
            Some(u64::from_str_radix(&mask, 16).ok()? & bit != 0)
        };
        while is_caught() != Some(true) {
            assert!(start.elapsed() < self.patience, "it never listens to {signal:?}: {}", self.stderr.text());
            sleep(Duration::from_millis(2));
        }
    }

    /// Sends any signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Returns its exit code, stdout and stderr.
    pub fn end(self) -> (Option<i32>, String, String) {
        let Self { patience, mut child, input, stdout, stderr } = self;
        drop(input);
        let start = Instant::now();
        let code = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status.code();
            }
            if start.elapsed() > patience {
                child.kill().unwrap();
                panic!("it did not end within {patience:?}: {}", stderr.text());
            }
            sleep(Duration::from_millis(2));
        };
        (code, stdout.map(Stream::end).unwrap_or_default(), stderr.end())
    }
}

/// Starts it with stdin and stderr on a terminal that is not read. Dropping the file closes the terminal.
pub(super) fn on_closing_terminal(mut command: Command) -> (Child, std::fs::File) {
    let (ours, theirs) = terminal(COLUMNS);
    let child = command.stdin(theirs()).stdout(Stdio::null()).stderr(theirs()).spawn().unwrap();
    (child, ours)
}

/// Creates a pseudo-terminal of this width. Returns this side of it, and a function that opens the other side.
fn terminal(columns: u16) -> (std::fs::File, impl Fn() -> Stdio) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    tcsetwinsize(&ours, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs = move || {
        let end = std::fs::File::options().read(true).write(true).open(&name).unwrap();
        Stdio::from(OwnedFd::from(end))
    };
    (std::fs::File::from(ours), theirs)
}

/// Removes the control sequences from the text.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\x1b' if letters.next() == Some('[') => drop(letters.by_ref().find(char::is_ascii_alphabetic)),
            '\n' => plain.push(letter),
            _ if !letter.is_control() => plain.push(letter),
            _ => {}
        }
    }
    plain
}

impl Stream {
    fn of(mut stream: impl Read + Send + 'static) -> Self {
        let so_far = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&so_far);
        let reader = spawn(move || {
            let mut bytes = [0; 4096];
            // A terminal whose other end is closed gives EIO, where a pipe gives end of file.
            while let Ok(read @ 1..) = stream.read(&mut bytes) {
                shared.lock().unwrap().extend_from_slice(&bytes[..read]);
            }
        });
        Self { so_far, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.so_far.lock().unwrap()).into_owned()
    }

    fn end(self) -> String {
        self.reader.join().unwrap();
        String::from_utf8(self.so_far.lock().unwrap().clone()).expect("output is UTF-8")
    }
}
