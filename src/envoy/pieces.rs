//! Cuts a config dump into pieces while it is received: `{"configs": [SECTION, …]}`, where a section has values and
//! lists.
//!
//! A dump has tens of megabytes. Only one element of one list is kept in memory at a time. This module only finds the
//! ends of the pieces; a JSON parser reads their content.

/// An element of a list of a section, or a value of the section itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DumpPiece<'p> {
    /// The number of the section, from 0.
    pub section: usize,
    /// The key in the section: `dynamic_active_clusters`, `bootstrap`.
    pub key: &'p str,
    pub json: &'p [u8],
}

/// Why a text is not a dump, or is incomplete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// The number of bytes before the error.
    pub at: u64,
    pub why: &'static str,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at byte {}", self.why, self.at)
    }
}

/// The limit of one piece. The route table of a very large gateway has a few megabytes.
const LARGEST: usize = 8 << 20;
/// The limit of one text in a piece: a view copies it several times.
const LONGEST_TEXT: usize = 1 << 20;
const LONGEST_KEY: usize = 256;

/// The depth in the outer structure of the dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Before,
    Root,
    Configs,
    Section,
    List,
    After,
}

/// What may come next in the outer structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
}

/// The position inside a piece or a key that is not complete yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Skeleton,
    Key { escaped: bool },
    String { escaped: bool, depth: usize },
    Container { depth: usize },
    Scalar,
}

/// Reads a dump chunk by chunk.
#[derive(Debug)]
pub(crate) struct Pieces {
    level: Level,
    want: Want,
    inside: Inside,
    /// The number of sections so far.
    sections: usize,
    key: Vec<u8>,
    piece: Vec<u8>,
    /// The lists and values that are not needed: only their ends are looked for.
    unneeded: Vec<&'static str>,
    /// Whether the current piece is one of those.
    skips: bool,
    /// Where the current text begins in the piece.
    text: usize,
    seen: u64,
}

impl Default for Pieces {
    fn default() -> Self {
        Self {
            level: Level::Before,
            want: Want::Value,
            inside: Inside::Skeleton,
            sections: 0,
            key: Vec::new(),
            piece: Vec::new(),
            unneeded: Vec::new(),
            skips: false,
            text: 0,
            seen: 0,
        }
    }
}

impl Pieces {
    /// Passes on no piece of these lists. They may be of any size.
    pub(crate) fn without(unneeded: Vec<&'static str>) -> Self {
        Self { unneeded, ..Self::default() }
    }

    /// Reads the next bytes and passes on each piece that ends in them.
    ///
    /// # Errors
    /// The text is not a dump.
    pub(crate) fn push(&mut self, bytes: &[u8], take: &mut dyn FnMut(DumpPiece<'_>)) -> Result<(), Malformed> {
        for &byte in bytes {
            self.byte(byte, take).map_err(|why| Malformed { at: self.seen, why })?;
            self.seen += 1;
        }
        Ok(())
    }

    /// Ends the dump.
    ///
    /// # Errors
    /// The dump is incomplete.
    pub(crate) fn finish(&self) -> Result<(), Malformed> {
        let why = match self.level {
            Level::After => return Ok(()),
            Level::Before if self.seen == 0 => "it is empty",
            _ => "it is cut off",
        };
        Err(Malformed { at: self.seen, why })
    }

    fn byte(&mut self, byte: u8, take: &mut dyn FnMut(DumpPiece<'_>)) -> Result<(), &'static str> {
        match self.inside {
            Inside::Skeleton => return self.skeleton(byte, take),
            Inside::Key { escaped: false } if byte == b'"' => {
                (self.inside, self.want) = (Inside::Skeleton, Want::Colon);
                return Ok(());
            }
            Inside::Key { escaped } => {
                if self.key.len() == LONGEST_KEY {
                    return Err("a key that does not end");
                }
                self.key.push(byte);
                self.inside = Inside::Key { escaped: !escaped && byte == b'\\' };
                return Ok(());
            }
            // The character that ends a scalar belongs to the outer structure.
            Inside::Scalar if matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t') => {
                self.ended(take);
                return self.skeleton(byte, take);
            }
            _ => {}
        }
        if !self.skips {
            self.keep(byte)?;
        }
        self.inside = match (self.inside, byte) {
            (Inside::String { escaped: false, depth }, b'"') => Inside::Container { depth },
            (Inside::String { escaped, depth }, _) => Inside::String { escaped: !escaped && byte == b'\\', depth },
            (Inside::Container { depth }, b'"') => {
                self.text = self.piece.len();
                Inside::String { escaped: false, depth }
            }
            (Inside::Container { depth }, b'{' | b'[') => Inside::Container { depth: depth + 1 },
            (Inside::Container { depth }, b'}' | b']') => Inside::Container { depth: depth - 1 },
            (inside, _) => inside,
        };
        if self.inside == (Inside::Container { depth: 0 }) {
            self.ended(take);
        }
        Ok(())
    }

    /// Adds a byte to the piece.
    fn keep(&mut self, byte: u8) -> Result<(), &'static str> {
        if self.piece.len() == LARGEST {
            return Err("an element of more than 8 MiB");
        }
        if matches!(self.inside, Inside::String { .. }) && self.piece.len() - self.text > LONGEST_TEXT {
            return Err("a text of more than 1 MiB");
        }
        self.piece.push(byte);
        Ok(())
    }

    fn skeleton(&mut self, byte: u8, take: &mut dyn FnMut(DumpPiece<'_>)) -> Result<(), &'static str> {
        if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            return Ok(());
        }
        if self.level == Level::After {
            return Err("more data after its end");
        }
        match (self.want, byte) {
            (Want::Key | Want::KeyOrEnd, b'"') => {
                self.key.clear();
                self.inside = Inside::Key { escaped: false };
            }
            (Want::Colon, b':') => self.want = Want::Value,
            (Want::CommaOrEnd, b',') => {
                self.want = if self.is_object() { Want::Key } else { Want::Value };
            }
            (Want::KeyOrEnd | Want::CommaOrEnd, b'}') if self.is_object() => self.close(),
            (Want::ValueOrEnd | Want::CommaOrEnd, b']') if !self.is_object() => self.close(),
            (Want::Value | Want::ValueOrEnd, _) => return self.value(byte, take),
            _ => return Err("not JSON"),
        }
        Ok(())
    }

    fn is_object(&self) -> bool {
        matches!(self.level, Level::Root | Level::Section)
    }

    fn close(&mut self) {
        self.level = match self.level {
            Level::List => Level::Section,
            Level::Section => Level::Configs,
            Level::Configs => Level::Root,
            Level::Root | Level::Before | Level::After => Level::After,
        };
        self.want = Want::CommaOrEnd;
    }

    /// Starts a value: a part of the outer structure, or a piece.
    fn value(&mut self, byte: u8, take: &mut dyn FnMut(DumpPiece<'_>)) -> Result<(), &'static str> {
        let deeper = match (self.level, byte) {
            (Level::Before, b'{') => Some((Level::Root, Want::KeyOrEnd)),
            (Level::Before, _) => return Err("not a JSON object"),
            (Level::Root, b'[') if self.key == b"configs" => Some((Level::Configs, Want::ValueOrEnd)),
            (Level::Configs, b'{') => {
                self.sections += 1;
                Some((Level::Section, Want::KeyOrEnd))
            }
            (Level::Configs, _) => return Err("a section that is not an object"),
            (Level::Section, b'[') => Some((Level::List, Want::ValueOrEnd)),
            _ => None,
        };
        if let Some((level, want)) = deeper {
            (self.level, self.want) = (level, want);
            return Ok(());
        }
        self.piece.clear();
        self.skips = matches!(self.level, Level::Section | Level::List)
            && self.unneeded.iter().any(|key| key.as_bytes() == self.key);
        self.inside = match byte {
            b'"' | b'{' | b'[' => Inside::Container { depth: 0 },
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => Inside::Scalar,
            _ => return Err("not JSON"),
        };
        self.byte(byte, take)
    }

    fn ended(&mut self, take: &mut dyn FnMut(DumpPiece<'_>)) {
        (self.inside, self.want) = (Inside::Skeleton, Want::CommaOrEnd);
        if matches!(self.level, Level::Section | Level::List) && !self.skips {
            let key = String::from_utf8_lossy(&self.key);
            take(DumpPiece { section: self.sections - 1, key: &key, json: &self.piece });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// The pieces of a text that is passed in chunks of this size.
    fn pieces(text: &str, chunk: usize) -> Result<Vec<(usize, String, Value)>, Malformed> {
        let mut pieces = Pieces::default();
        let mut found = Vec::new();
        for bytes in text.as_bytes().chunks(chunk) {
            pieces.push(bytes, &mut |piece| {
                found.push((piece.section, piece.key.to_owned(), serde_json::from_slice(piece.json).unwrap()));
            })?;
        }
        pieces.finish().map(|()| found)
    }

    fn why(text: &str) -> &'static str {
        let mut pieces = Pieces::default();
        pieces.push(text.as_bytes(), &mut |_| {}).and_then(|()| pieces.finish()).unwrap_err().why
    }

    #[test]
    fn elements_of_lists_and_values_of_sections_are_pieces_however_the_text_is_cut() {
        let dump = json!({"other": {"configs": [1]}, "configs": [
            {"@type": "a", "list": [{"x": "]}\"\\"}, 7, "t", null, []], "empty": [], "whole": {"y": [1, {}]}},
            {},
            {"number": -1.5e3, "list": [[{"z": 1}]]},
        ], "last": true});
        let expected = [
            (0, "@type", json!("a")),
            (0, "list", json!({"x": "]}\"\\"})),
            (0, "list", json!(7)),
            (0, "list", json!("t")),
            (0, "list", json!(null)),
            (0, "list", json!([])),
            (0, "whole", json!({"y": [1, {}]})),
            (2, "number", json!(-1.5e3)),
            (2, "list", json!([{"z": 1}])),
        ]
        .map(|(section, key, value)| (section, key.to_owned(), value));
        for text in [dump.to_string(), format!("{dump:#}\n")] {
            for chunk in [1, 2, 3, 7, 1 << 20] {
                assert_eq!(pieces(&text, chunk).unwrap(), expected, "{chunk}");
            }
        }
    }

    #[test]
    fn what_is_not_needed_is_skipped_whatever_its_size() {
        let large = "x".repeat(LONGEST_TEXT + 2);
        let text = format!(r#"{{"configs": [{{"a": ["{large}", {{"b": "\"]"}}], "c": [1], "a": 2, "d": "e"}}]}}"#);
        let mut pieces = Pieces::without(vec!["a"]);
        let mut found = Vec::new();
        let read = pieces.push(text.as_bytes(), &mut |piece| found.push((piece.key.to_owned(), piece.json.to_vec())));
        assert_eq!(read.and_then(|()| pieces.finish()), Ok(()));
        assert_eq!(found, [("c".to_owned(), b"1".to_vec()), ("d".to_owned(), b"\"e\"".to_vec())]);
        assert_eq!(why(&text), "a text of more than 1 MiB");
    }

    #[test]
    fn what_is_no_dump_says_why_and_where() {
        for (text, expected) in [
            ("", "it is empty"),
            ("  ", "it is cut off"),
            ("[]", "not a JSON object"),
            ("<html>", "not a JSON object"),
            (r#"{"configs": [{"a": [1, 2"#, "it is cut off"),
            (r#"{"configs": [{"a": "x"#, "it is cut off"),
            (r#"{"configs": [3]}"#, "a section that is not an object"),
            (r#"{"configs": [{"a" 3}]}"#, "not JSON"),
            (r#"{"configs": [{"a": x}]}"#, "not JSON"),
            (r#"{"configs": [{"a": 1]}"#, "not JSON"),
            (r#"{"configs": []} {}"#, "more data after its end"),
            (r#"{"configs": [,]}"#, "a section that is not an object"),
        ] {
            assert_eq!(why(text), expected, "{text}");
        }
        assert_eq!(why(&format!("{{\"{}\": 1}}", "k".repeat(1000))), "a key that does not end");
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "[\\[\\]{}:,\"\\\\ a-c0-3configs]{0,80}") {
            let mut pieces = Pieces::default();
            let _ = pieces.push(text.as_bytes(), &mut |_| {}).and_then(|()| pieces.finish());
        }

        #[test]
        fn any_json_in_a_list_comes_out_as_it_went_in(texts in prop::collection::vec("\\PC{0,8}", 0..6), chunk in 1_usize..9) {
            let elements: Vec<Value> = texts.iter().map(|text| json!({text.as_str(): [text, {"k": text}]})).collect();
            let dump = json!({"configs": [{"list": elements}]}).to_string();
            let found: Vec<_> = pieces(&dump, chunk).unwrap().into_iter().map(|(.., value)| value).collect();
            prop_assert_eq!(found, elements);
        }
    }
}
