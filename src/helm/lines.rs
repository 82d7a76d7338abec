//! Reads the output of Helm line by line. A line may be long, and may not be UTF-8.

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};
use tokio::sync::mpsc;

/// The limit of a line, longer than any line for a reader. The rest of a longer line is dropped.
const LONGEST: usize = 64 * 1024;

/// Reads the stream to its end in any case, so that the writing program never blocks.
pub(super) async fn pass_on(mut stream: impl AsyncBufRead + Unpin, to: mpsc::Sender<String>) {
    let mut lines = Lines::default();
    while let Ok(bytes) = stream.fill_buf().await {
        let amount = bytes.len();
        if amount == 0 {
            break;
        }
        let whole = lines.take(bytes);
        stream.consume(amount);
        for line in whole {
            // Without a receiver the stream is still read to its end.
            drop(to.send(line).await);
        }
    }
    if let Some(last) = lines.last() {
        drop(to.send(last).await);
    }
}

/// A line that is not complete yet.
#[derive(Default)]
struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// The lines that these bytes complete.
    fn take(&mut self, mut bytes: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.add(&bytes[..end]);
            whole.push(text(&std::mem::take(&mut self.begun)));
            bytes = &bytes[end + 1..];
        }
        self.add(bytes);
        whole
    }

    fn add(&mut self, bytes: &[u8]) {
        let room = LONGEST.saturating_sub(self.begun.len());
        self.begun.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The text after the last line break.
    fn last(self) -> Option<String> {
        (!self.begun.is_empty()).then(|| text(&self.begun))
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut all: Vec<String> = pieces.iter().flat_map(|piece| lines.take(piece)).collect();
        all.extend(lines.last());
        all
    }

    #[test]
    fn lines_are_put_together_from_what_comes() {
        assert_eq!(lines_of(&[b"a", b"b\nc\r\n", b"\nd"]), ["ab", "c", "", "d"]);
        assert_eq!(lines_of(&[b""]), [""; 0]);
    }

    #[test]
    fn bytes_that_are_no_text_end_nothing() {
        assert_eq!(lines_of(&[b"a\xff\nError: x\n"]), ["a\u{fffd}", "Error: x"]);
    }

    #[test]
    fn a_line_without_an_end_is_cut_and_the_next_is_whole() {
        let long = vec![b'x'; 3 * LONGEST];
        let all = lines_of(&[&long, &long, b"\nnext\n"]);
        assert_eq!((all[0].len(), all[1].as_str(), all.len()), (LONGEST, "next", 2));
    }

    #[tokio::test]
    async fn a_stream_is_emptied_without_a_receiver() {
        let (sender, lines) = mpsc::channel(1);
        drop(lines);
        let text = "x\n".repeat(100_000);
        let mut stream = tokio::io::BufReader::new(text.as_bytes());
        pass_on(&mut stream, sender).await;
        assert!(stream.fill_buf().await.unwrap().is_empty());
    }
}
