//! The encodings of manifests: those that kubectl reads, which are UTF-8, and UTF-16 with a byte order mark.

use std::borrow::Cow;

use super::Unread;
use crate::edit::encrypted;

const BOM: &str = "\u{feff}";

/// The encoding of a file's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Encoding {
    #[default]
    Utf8,
    Utf16LittleEndian,
    Utf16BigEndian,
}

impl Encoding {
    /// The bytes of a text in this encoding. A byte order mark is the first character of the text; UTF-16 gets one in
    /// any case, because nothing reads it without one.
    pub(crate) fn bytes(self, text: &str) -> Cow<'_, [u8]> {
        let units = || BOM.encode_utf16().chain(text.strip_prefix(BOM).unwrap_or(text).encode_utf16());
        match self {
            Self::Utf8 => Cow::Borrowed(text.as_bytes()),
            Self::Utf16LittleEndian => Cow::Owned(units().flat_map(u16::to_le_bytes).collect()),
            Self::Utf16BigEndian => Cow::Owned(units().flat_map(u16::to_be_bytes).collect()),
        }
    }
}

/// The text of a file, with its encoding.
///
/// # Errors
/// Why the bytes are not a text that kubectl reads.
pub(super) fn decode(bytes: Vec<u8>) -> Result<(String, Encoding), Unread> {
    if let Some(by) = encrypted::of_bytes(&bytes) {
        return Err(Unread::Encrypted(by));
    }
    match bytes[..] {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Err(Unread::Encoding("UTF-32")),
        [0xff, 0xfe, ..] => utf16(&bytes, u16::from_le_bytes).map(|text| (text, Encoding::Utf16LittleEndian)),
        [0xfe, 0xff, ..] => utf16(&bytes, u16::from_be_bytes).map(|text| (text, Encoding::Utf16BigEndian)),
        [0x84, 0x31, 0x95, 0x33, ..] => Err(Unread::Encoding("GB 18030")),
        [first, 0, second, 0, ..] | [0, first, 0, second, ..] if first != 0 && second != 0 => {
            Err(Unread::Encoding("UTF-16 without a byte order mark"))
        }
        _ if bytes.contains(&0) => Err(Unread::Binary),
        _ => utf8(bytes).map(|text| (text, Encoding::Utf8)),
    }
}

fn utf8(bytes: Vec<u8>) -> Result<String, Unread> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        Unread::NotUtf8(error.as_bytes()[..valid].split(|byte| *byte == b'\n').count())
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Unread> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let text: Result<String, _> = char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect();
    match text {
        Ok(text) if text.contains('\0') => Err(Unread::Binary),
        Ok(text) if rest.is_empty() => Ok(text),
        _ => Err(Unread::Encoding("a damaged UTF-16")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_in_its_encoding() {
        for text in ["\u{feff}a: 1\r\nb: \u{e9}\u{1f600}\r\n", "\u{feff}", "\u{feff}{\"a\": 1}"] {
            for encoding in [Encoding::Utf8, Encoding::Utf16LittleEndian, Encoding::Utf16BigEndian] {
                let bytes = encoding.bytes(text).into_owned();
                let (read, found) = decode(bytes.clone()).unwrap();
                assert_eq!((read.as_str(), found), (text, encoding));
                assert_eq!(found.bytes(&read), bytes);
            }
        }
        assert_eq!(decode(b"a: 1".to_vec()).unwrap(), ("a: 1".to_owned(), Encoding::Utf8));
    }

    #[test]
    fn utf_16_can_be_read_again_whatever_was_cut_from_its_beginning() {
        for encoding in [Encoding::Utf16LittleEndian, Encoding::Utf16BigEndian] {
            let bytes = encoding.bytes("a: 1\n").into_owned();
            assert_eq!(decode(bytes).unwrap(), ("\u{feff}a: 1\n".to_owned(), encoding));
        }
    }

    #[test]
    fn other_encodings_are_named() {
        let name = |bytes: &[u8]| decode(bytes.to_vec()).unwrap_err().sentence();
        assert!(name(b"\xff\xfe\0\0a\0\0\0").contains("UTF-32"));
        assert!(name(b"\0\0\xfe\xff\0\0\0a").contains("UTF-32"));
        assert!(name(b"a\0:\0 \x001\0").contains("UTF-16 without a byte order mark"));
        assert!(name(b"\0a\0:\0 \x001").contains("UTF-16 without a byte order mark"));
        assert!(name(b"\xff\xfea").contains("damaged UTF-16"));
        assert!(name(b"\xff\xfe\0\xd8a\0").contains("damaged UTF-16"));
        assert!(name(b"a: 1\nb: \xe9\n").contains("line 2"));
        assert!(name(b"\x7fELF\0").contains("binary"));
    }
}
