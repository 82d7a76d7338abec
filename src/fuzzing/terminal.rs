//! Untrusted bytes on a terminal: no character that controls it is left, however the bytes are split.

use super::choice;
use crate::render::visible::Visible;

fn shown(pieces: &[&[u8]]) -> String {
    let mut visible = Visible::default();
    let mut all: String = pieces.iter().map(|piece| visible.push(piece)).collect();
    all.push_str(&visible.finish());
    all
}

pub(super) fn run(data: &[u8]) {
    let (cut, bytes) = choice(data);
    let whole = shown(&[bytes]);
    let (first, second) = bytes.split_at(cut.min(bytes.len()));
    assert_eq!(shown(&[first, second]), whole);
    assert_eq!(shown(&bytes.chunks(1).collect::<Vec<_>>()), whole);
    let bare = whole.replace("\r\n", "\n");
    assert!(!bare.contains(|c: char| !matches!(c, '\n' | '\t') && c.is_control()), "{whole:?}");
    let turning = ['\u{202a}', '\u{202b}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{200b}'];
    assert!(!whole.contains(turning), "{whole:?}");
    if std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(|c| c == '\n' || (' '..='~').contains(&c))) {
        assert_eq!(whole.as_bytes(), bytes);
    }
}
