//! Reads standard input in a separate thread, because a read from a terminal or an idle pipe cannot be cancelled.

use std::io::{self, Cursor, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use super::Interrupts;

/// Time between two checks for a signal.
const PAUSE: Duration = Duration::from_millis(20);
const CHUNK: usize = 64 << 10;

/// Standard input. The reading starts with the first read.
pub(crate) struct Stdin {
    interrupts: Interrupts,
    chunks: Option<Receiver<io::Result<Vec<u8>>>>,
    chunk: Cursor<Vec<u8>>,
}

impl Stdin {
    pub(super) fn new(interrupts: Interrupts) -> Self {
        Self { interrupts, chunks: None, chunk: Cursor::default() }
    }

    /// The next chunk. An empty chunk is the end of the input.
    fn next(&mut self) -> io::Result<Vec<u8>> {
        let chunks = match &mut self.chunks {
            Some(chunks) => chunks,
            none => none.insert(begin()?),
        };
        loop {
            match chunks.recv_timeout(PAUSE) {
                Ok(chunk) => return chunk,
                Err(RecvTimeoutError::Disconnected) => return Ok(Vec::new()),
                // Not `ErrorKind::Interrupted`, because readers retry after that.
                Err(RecvTimeoutError::Timeout) if self.interrupts.is_set() => {
                    return Err(io::Error::other("interrupted"));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

fn begin() -> io::Result<Receiver<io::Result<Vec<u8>>>> {
    let (sender, chunks) = sync_channel(1);
    thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let mut stdin = io::stdin().lock();
        loop {
            let mut chunk = vec![0; CHUNK];
            let read = stdin.read(&mut chunk).map(|length| {
                chunk.truncate(length);
                chunk
            });
            let is_last = read.as_ref().map_or_else(|error| error.kind() != io::ErrorKind::Interrupted, Vec::is_empty);
            if sender.send(read).is_err() || is_last {
                return;
            }
        }
    })?;
    Ok(chunks)
}

impl Read for Stdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.chunk.position() >= self.chunk.get_ref().len() as u64 {
            self.chunk = Cursor::new(self.next()?);
        }
        self.chunk.read(buffer)
    }
}
