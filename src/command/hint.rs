//! The next step after a message: text, with the commands in it as data.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{CommandLine, TypedTarget};
use crate::rights::Rule;

/// A part of a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Rule(Box<Rule>),
    Command(CommandLine),
    /// A flag of the command that is running: `--force`.
    Flag(&'static str),
    /// The text between two alternatives.
    Or(&'static str),
}

/// A next step for the user. The report adds the flags of the run to its commands.
#[derive(Debug, Clone, Default, Eq)]
pub struct Hint(Vec<Piece>);

impl Hint {
    /// A hint with the rule that allows what was forbidden.
    pub fn allowing(rule: Rule) -> Self {
        Self(vec![Piece::Rule(Box::new(rule))])
    }

    /// The rule, if the hint is about one.
    pub fn rule(&self) -> Option<Box<Rule>> {
        match self.0.as_slice() {
            [Piece::Rule(rule)] => Some(rule.clone()),
            _ => None,
        }
    }

    /// Joins several hints as alternatives.
    pub fn any(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        all.into_iter().reduce(|one, other| one.or_else("; ", other))
    }

    /// Appends text.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.0.push(Piece::Text(text.into()));
        self
    }

    /// Appends a flag of the same command.
    #[must_use]
    pub fn flag(mut self, name: &'static str) -> Self {
        self.0.push(Piece::Flag(name));
        self
    }

    /// The flags in the hint.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().filter_map(|piece| if let Piece::Flag(name) = piece { Some(*name) } else { None })
    }

    /// Appends a command.
    #[must_use]
    pub fn command(mut self, command: CommandLine) -> Self {
        self.0.push(Piece::Command(command));
        self
    }

    /// Adds the flags that select this cluster and user to each command.
    #[must_use]
    pub fn on(self, target: &TypedTarget) -> Self {
        self.each(|command| command.on(target))
    }

    /// Replaces each command by another one, or by text.
    #[must_use]
    pub fn each<H: Into<Self>>(self, change: impl Fn(CommandLine) -> H) -> Self {
        self.0.into_iter().fold(Self::default(), |mut hint, piece| match piece {
            Piece::Command(command) => hint.and(change(command)),
            other => {
                hint.0.push(other);
                hint
            }
        })
    }

    /// Appends an alternative, with this text between the two.
    #[must_use]
    pub fn or_else(mut self, between: &'static str, other: impl Into<Self>) -> Self {
        self.0.push(Piece::Or(between));
        self.and(other)
    }

    /// Keeps only the alternatives that are useful; `None` if there are none.
    pub fn only(self, is_of_use: impl Fn(&Self) -> bool) -> Option<Self> {
        let mut ways = vec![("", Self::default())];
        for piece in self.0 {
            match (piece, ways.last_mut()) {
                (Piece::Or(between), _) => ways.push((between, Self::default())),
                (piece, Some((_, way))) => way.0.push(piece),
                (_, None) => {}
            }
        }
        let of_use = ways.into_iter().filter(|(_, way)| is_of_use(way));
        of_use.reduce(|(first, kept), (between, way)| (first, kept.or_else(between, way))).map(|(_, kept)| kept)
    }

    /// Whether the hint contains a command.
    pub fn has_command(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Command(_)))
    }

    /// The parts in order.
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// Appends another hint.
    #[must_use]
    pub fn and(mut self, other: impl Into<Self>) -> Self {
        self.0.extend(other.into().0);
        self
    }
}

/// A hint that begins with a flag of the running command: `flag("--force").text(" proceeds")`.
#[must_use]
pub(crate) fn flag(name: &'static str) -> Hint {
    Hint::default().flag(name)
}

impl CommandLine {
    /// A hint with text before this command.
    #[must_use]
    pub fn after(self, text: impl Into<String>) -> Hint {
        Hint::from(text.into()).command(self)
    }

    /// A hint with text after this command.
    #[must_use]
    pub fn then(self, text: impl Into<String>) -> Hint {
        Hint::from(self).text(text)
    }
}

impl From<CommandLine> for Hint {
    fn from(command: CommandLine) -> Self {
        Self::default().command(command)
    }
}

impl From<String> for Hint {
    fn from(text: String) -> Self {
        Self::default().text(text)
    }
}

impl From<&String> for Hint {
    fn from(text: &String) -> Self {
        Self::default().text(text)
    }
}

impl From<&str> for Hint {
    fn from(text: &str) -> Self {
        Self::default().text(text)
    }
}

/// Serializes the hint as the string that is printed.
impl Serialize for Hint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Rule(rule) => f.write_str(&rule.sentence()),
            Self::Or(between) => f.write_str(between),
            Self::Flag(name) => f.write_str(name),
            Self::Command(command) => write!(f, "{command}"),
        }
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| write!(f, "{piece}"))
    }
}

/// Two hints are equal if their printed texts are equal.
impl PartialEq for Hint {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (self.to_string(), other.to_string());
        one == other
    }
}

impl Hint {
    /// Whether the printed text is this one.
    fn cmp_text(&self, text: &str) -> bool {
        let printed = self.to_string();
        printed == text
    }
}

impl PartialEq<&str> for Hint {
    fn eq(&self, other: &&str) -> bool {
        self.cmp_text(other)
    }
}

impl PartialEq<String> for Hint {
    fn eq(&self, other: &String) -> bool {
        self.cmp_text(other)
    }
}
