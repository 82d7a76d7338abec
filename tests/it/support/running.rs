//! The binary while it runs: what it has said so far, keys, signals.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Far beyond what a command takes, so that a hang is a failure and a slow machine is none.
const PATIENCE: Duration = Duration::from_mins(2);

/// Of a terminal, where a test does not care.
const COLUMNS: u16 = 80;

/// A child that is ended with the test, however that ends.
pub struct Running {
    /// How long it may take.
    pub(super) patience: Duration,
    child: Child,
    input: Option<Box<dyn Write + Send>>,
    stdout: Option<Stream>,
    stderr: Stream,
}

/// What came out of a stream so far.
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

    /// Nobody reads its stdout until [`Self::read_one_line`] does.
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
        // The command holds the other end as well, and the last of them ends the stream.
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

    /// Its stdout is the terminal too, as a shell's is.
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

    /// What stands on the terminal, without what moves and colours it.
    pub fn screen(&self) -> String {
        plain(&self.stderr.text())
    }

    /// Types.
    pub fn give(&mut self, text: &str) {
        self.input.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Its stdin, which stays open as long as this is kept.
    pub fn stdin(&mut self) -> Box<dyn Write + Send> {
        self.input.take().unwrap()
    }

    /// Writes this to its stdin and closes that.
    pub(super) fn feed(&mut self, text: &str) {
        let (mut input, text) = (self.input.take().unwrap(), text.to_owned());
        // A command that does not read its stdin closes it: that is its right.
        spawn(move || drop(input.write_all(text.as_bytes())));
    }

    /// What `head -1` does: the first line, then its stdout is closed.
    pub fn read_one_line(&mut self) -> String {
        let mut stdout = self.child.stdout.take().unwrap();
        let mut line = Vec::new();
        let mut byte = [0];
        while stdout.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }

    /// What it has resident now, in KiB; nothing once it has ended.
    pub fn memory_kib(&self) -> Option<u64> {
        self.status("VmRSS:")
    }

    /// The most that it has had resident, in KiB; nothing once it has ended.
    pub fn peak_kib(&self) -> Option<u64> {
        self.status("VmHWM:")
    }

    fn status(&self, key: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        status.lines().find_map(|line| line.strip_prefix(key))?.trim().strip_suffix(" kB")?.parse().ok()
    }

    /// Waits until this stands on stderr.
    pub fn wait_for(&mut self, text: &str) {
        let start = Instant::now();
        while !self.stderr.text().contains(text) {
            assert!(start.elapsed() < self.patience, "{text:?} never came: {}", self.stderr.text());
            sleep(Duration::from_millis(2));
        }
    }

    /// Waits until this stands on stdout.
    pub fn wait_for_stdout(&self, text: &str) {
        let start = Instant::now();
        let stdout = self.stdout.as_ref().expect("its stdout is read");
        while !stdout.text().contains(text) {
            assert!(start.elapsed() < self.patience, "{text:?} never came: {} {}", stdout.text(), self.stderr.text());
            sleep(Duration::from_millis(2));
        }
    }

    /// Ctrl-C, once it is so.
    pub fn interrupt_once(&self, so: impl Fn() -> bool) {
        self.wait_until(so);
        self.interrupt();
    }

    /// Waits until it is so.
    pub fn wait_until(&self, so: impl Fn() -> bool) {
        let start = Instant::now();
        while !so() {
            assert!(start.elapsed() < self.patience, "not so within {:?}", self.patience);
            sleep(Duration::from_millis(2));
        }
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// What a system that shuts down sends.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// What a terminal that is closed sends.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// What nobody can answer.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Waits until it has heard this signal, which it says with `-v`.
    pub fn wait_until_heard(&mut self, name: &str) {
        self.wait_for(&format!("signal: {name}"));
    }

    /// Waits until this signal no longer has its usual effect.
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

    /// Any of them.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Its code, stdout and stderr.
    pub(super) fn end(self) -> (Option<i32>, String, String) {
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

/// Starts it with stdin and stderr on a terminal that nobody reads; to drop our end is to close the terminal.
pub(super) fn on_closing_terminal(mut command: Command) -> (Child, std::fs::File) {
    let (ours, theirs) = terminal(COLUMNS);
    let child = command.stdin(theirs()).stdout(Stdio::null()).stderr(theirs()).spawn().unwrap();
    (child, ours)
}

/// Our end of a pseudo-terminal of this width, and what opens the other.
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

/// The text without control sequences.
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
            // A terminal whose other end is closed says EIO where a pipe says end of file.
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
