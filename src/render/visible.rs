//! Makes untrusted bytes safe for a terminal, chunk by chunk: characters that control a terminal become visible.

use super::text::is_obeyed;

/// Converts a stream of bytes. A character may be split between two chunks.
#[derive(Debug, Default)]
pub(crate) struct Visible {
    rest: Vec<u8>,
}

impl Visible {
    /// The part that can be shown so far. Line ends stay, including `\r\n`.
    #[must_use]
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        self.rest.extend_from_slice(bytes);
        let mut end = whole_characters(&self.rest);
        // Whether this is a line end is known only with the next byte.
        if end == self.rest.len() && self.rest.ends_with(b"\r") {
            end -= 1;
        }
        let rest = self.rest.split_off(end);
        shown(&std::mem::replace(&mut self.rest, rest))
    }

    /// The rest, after the last chunk.
    #[must_use]
    pub(crate) fn finish(&mut self) -> String {
        shown(&std::mem::take(&mut self.rest))
    }
}

/// The number of bytes before an incomplete UTF-8 sequence at the end.
fn whole_characters(bytes: &[u8]) -> usize {
    for (behind, byte) in bytes.iter().rev().take(3).enumerate() {
        let length = match byte {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => break,
        };
        return if length > behind + 1 { bytes.len() - behind - 1 } else { bytes.len() };
    }
    bytes.len()
}

fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if !text.chars().any(|c| c != '\n' && is_obeyed(c)) {
        return text.into_owned();
    }
    let mut shown = String::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\n' => shown.push(c),
            '\r' if characters.peek() == Some(&'\n') => shown.push(c),
            c if is_obeyed(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(bytes: &[u8], chunk: usize) -> String {
        let mut visible = Visible::default();
        let mut shown: String = bytes.chunks(chunk).map(|chunk| visible.push(chunk)).collect();
        shown.push_str(&visible.finish());
        shown
    }

    #[test]
    fn control_characters_are_shown_however_the_bytes_are_cut() {
        let clipboard = "a\u{1b}]52;c;eA==\u{7}\nb\u{9b}31m\u{202e}c\r\nd\re\t\u{e4}\u{1f600}\r";
        let expected = "a\\u{1b}]52;c;eA==\\u{7}\nb\\u{9b}31m\\u{202e}c\r\nd\\u{d}e\t\u{e4}\u{1f600}\\u{d}";
        for chunk in 1..20 {
            assert_eq!(all(clipboard.as_bytes(), chunk), expected, "{chunk}");
        }
        // A single C1 byte is not UTF-8, but 8-bit terminals interpret it.
        assert_eq!(all(b"\x9b31m\xe2\x80", 1), "\u{fffd}31m\u{fffd}");
    }

    proptest! {
        #[test]
        fn no_bytes_reach_the_terminal_as_control_characters(bytes in prop::collection::vec(any::<u8>(), 0..40), chunk in 1_usize..9) {
            let shown = all(&bytes, chunk).replace("\r\n", "\n");
            prop_assert!(!shown.chars().any(|c| c != '\n' && is_obeyed(c)), "{:?}", shown);
            prop_assert_eq!(all(&bytes, chunk), all(&bytes, 64));
        }
    }
}
