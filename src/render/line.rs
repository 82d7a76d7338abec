//! A line for people: text, the commands in it, and the words that have a tone.

use std::fmt;

use super::tone::{Tone, Toned};
use crate::command::{Hint, Piece};

/// How a part of a line is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    /// Never wrapped, so that it can be pasted.
    Whole,
    Toned(Tone),
}

/// A part of a line with one style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub text: String,
    pub style: Style,
}

/// A line as parts. Adjoining parts have different styles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line(Vec<Span>);

impl Line {
    /// Appends text.
    #[must_use]
    pub(crate) fn text(mut self, text: impl AsRef<str>) -> Self {
        self.push(text.as_ref(), Style::Plain);
        self
    }

    /// Appends a command, or other text that is never wrapped.
    #[must_use]
    pub(crate) fn whole(mut self, command: impl fmt::Display) -> Self {
        self.push(&command.to_string(), Style::Whole);
        self
    }

    /// Appends words in the tone of a value.
    #[must_use]
    pub(crate) fn toned(mut self, words: impl fmt::Display, of: &impl Toned) -> Self {
        self.push(&words.to_string(), of.tone().map_or(Style::Plain, Style::Toned));
        self
    }

    /// Appends a hint. Its commands are never wrapped.
    #[must_use]
    pub(crate) fn hint(self, hint: &Hint) -> Self {
        hint.pieces().iter().fold(self, |line, piece| match piece {
            Piece::Command(command) => line.whole(command),
            other => line.text(other.to_string()),
        })
    }

    /// Appends text with this style.
    pub(super) fn push(&mut self, text: &str, style: Style) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            // Two commands stay two.
            Some(last) if last.style == style && style != Style::Whole => last.text.push_str(text),
            _ => self.0.push(Span { text: text.to_owned(), style }),
        }
    }

    /// The parts in order.
    pub(crate) fn spans(&self) -> &[Span] {
        &self.0
    }

    /// The same line with the text of each part changed.
    #[must_use]
    pub(crate) fn each(self, change: impl Fn(&str) -> String) -> Self {
        Self(self.0.into_iter().map(|Span { text, style }| Span { text: change(&text), style }).collect())
    }

    /// The number of characters.
    pub(super) fn length(&self) -> usize {
        self.0.iter().map(|span| span.text.chars().count()).sum()
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|span| f.write_str(&span.text))
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::default().text(text)
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&String> for Line {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}
