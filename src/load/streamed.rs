//! Parses JSON from a pod while it arrives. Only what the parser keeps is completely in memory.

use std::io::{self, BufReader, Read};

use tokio::sync::mpsc;

use crate::kube::{ForwardFailure, InPodAnswer};

/// Number of chunks that wait for the parser. If it is reached, the stream waits.
const WAITING: usize = 8;
/// Maximum length in bytes of a string in the JSON. A parser keeps a string that it reads, and checks no length.
const LONGEST_TEXT: usize = 8 << 20;

/// Why an answer has no value.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The stream ended before the answer did.
    Stream(ForwardFailure),
    /// The answer is not the expected JSON.
    Json(serde_json::Error),
    /// The answer exceeds the size limit.
    TooLong,
}

/// Passes the body to a parser in a separate thread, because its reads block.
///
/// # Errors
/// The stream broke, the answer is too long, or the parser failed.
pub(crate) async fn parsed<T: Send + 'static>(
    mut answer: InPodAnswer,
    most: usize,
    parse: impl FnOnce(&mut dyn Read) -> Result<T, serde_json::Error> + Send + 'static,
) -> Result<T, Broken> {
    let (pieces, waiting) = mpsc::channel(WAITING);
    let parser = tokio::task::spawn_blocking(move || parse(&mut BufReader::new(Pieces::new(waiting))));
    let mut length = 0;
    let ended = loop {
        match answer.chunk().await {
            Ok(None) => break Ok(()),
            Err(failure) => break Err(Broken::Stream(failure)),
            Ok(Some(piece)) => {
                length += piece.len();
                if length > most {
                    break Err(Broken::TooLong);
                }
                // A parser that has failed reads nothing more. Its error is returned below.
                if pieces.send(piece).await.is_err() {
                    break Ok(());
                }
            }
        }
    };
    drop(pieces);
    let parsed = parser.await.expect("a parser does not panic");
    ended?;
    parsed.map_err(Broken::Json)
}

/// The chunks as one stream of bytes.
struct Pieces<P> {
    waiting: mpsc::Receiver<P>,
    piece: Option<P>,
    taken: usize,
    texts: Texts,
}

impl<P> Pieces<P> {
    fn new(waiting: mpsc::Receiver<P>) -> Self {
        Self { waiting, piece: None, taken: 0, texts: Texts::default() }
    }
}

/// The position of the stream inside or outside of a JSON string.
#[derive(Default)]
struct Texts {
    is_inside: bool,
    is_escaped: bool,
    length: usize,
}

impl Texts {
    fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        for byte in bytes {
            match (self.is_inside, self.is_escaped, byte) {
                (true, false, b'\\') => self.is_escaped = true,
                (inside, false, b'"') => (self.is_inside, self.length) = (!inside, 0),
                _ => self.is_escaped = false,
            }
            self.length += usize::from(self.is_inside);
            if self.length > LONGEST_TEXT {
                let why = format!("a text of more than {} MiB", LONGEST_TEXT >> 20);
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        }
        Ok(())
    }
}

impl<P: AsRef<[u8]>> Read for Pieces<P> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(piece) = &self.piece {
                let mut rest = &piece.as_ref()[self.taken..];
                let read = rest.read(into)?;
                if read > 0 || into.is_empty() {
                    self.taken += read;
                    self.texts.pass(&into[..read])?;
                    return Ok(read);
                }
            }
            match self.waiting.blocking_recv() {
                None => return Ok(0),
                Some(piece) => (self.piece, self.taken) = (Some(piece), 0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_read_as_one_wherever_they_are_cut() {
        let (pieces, waiting) = mpsc::channel(9);
        for piece in ["he", "", "l", "lo wor", "ld"] {
            pieces.blocking_send(piece).unwrap();
        }
        drop(pieces);
        let mut text = String::new();
        Pieces::new(waiting).read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello world");
    }

    #[test]
    fn a_text_without_end_is_an_error_and_many_that_end_are_none() {
        let pass = |parts: &[&[u8]]| {
            let mut texts = Texts::default();
            parts.iter().try_for_each(|part| texts.pass(part))
        };
        let long = vec![b'x'; LONGEST_TEXT - 2];
        assert!(pass(&[b"[\"", &long, b"\", \"", &long, b"\"]", &long, &long]).is_ok());
        assert!(pass(&[b"[\"", &long, b"\\\"", &long]).is_err());
    }
}
