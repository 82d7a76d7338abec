//! What to do next: prose, and the commands in it as data.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{CommandLine, TypedTarget};

/// What stands before a rule.
const ALLOWS: &str = "a rule of a Role that allows it: ";

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Command(CommandLine),
    /// A flag of the command that is running: `--force`.
    Flag(&'static str),
    /// What stands between two ways out.
    Or(&'static str),
}

/// What to do next. Its commands get the flags of the run when the report takes it.
#[derive(Debug, Clone, Default, Eq)]
pub struct Hint(Vec<Piece>);

impl Hint {
    /// The rule of a Role that allows what was forbidden.
    pub fn allowing(rule: impl fmt::Display) -> Self {
        Self::from(format!("{ALLOWS}{rule}"))
    }

    /// The rule, if that is what it is about.
    pub fn rule(&self) -> Option<String> {
        match self.0.as_slice() {
            [Piece::Text(text)] => text.strip_prefix(ALLOWS).map(str::to_owned),
            _ => None,
        }
    }

    /// Several as one, whichever of them helps.
    pub fn any(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        all.into_iter().reduce(|one, other| one.or_else("; ", other))
    }

    /// With prose behind it.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.0.push(Piece::Text(text.into()));
        self
    }

    /// With a flag of the same command behind it.
    #[must_use]
    pub fn flag(mut self, name: &'static str) -> Self {
        self.0.push(Piece::Flag(name));
        self
    }

    /// The flags that it names.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().filter_map(|piece| if let Piece::Flag(name) = piece { Some(*name) } else { None })
    }

    /// With a command behind it.
    #[must_use]
    pub fn command(mut self, command: CommandLine) -> Self {
        self.0.push(Piece::Command(command));
        self
    }

    /// With the flags that select this cluster and user in each of its commands.
    #[must_use]
    pub fn on(self, target: &TypedTarget) -> Self {
        self.each(|command| command.on(target))
    }

    /// With each of its commands changed.
    #[must_use]
    pub fn each(self, change: impl Fn(CommandLine) -> CommandLine) -> Self {
        let changed = |piece| match piece {
            Piece::Command(command) => Piece::Command(change(command)),
            other => other,
        };
        Self(self.0.into_iter().map(changed).collect())
    }

    /// With another way out behind it, and this between the two.
    #[must_use]
    pub fn or_else(mut self, between: &'static str, other: impl Into<Self>) -> Self {
        self.0.push(Piece::Or(between));
        self.and(other)
    }

    /// With those of its ways alone that are of use.
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

    /// Whether there is a command in it.
    pub fn has_command(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Command(_)))
    }

    /// With another hint behind it.
    #[must_use]
    pub fn and(mut self, other: impl Into<Self>) -> Self {
        self.0.extend(other.into().0);
        self
    }
}

/// The hint that begins with a flag of the command that is running: `flag("--force").text(" proceeds")`.
#[must_use]
pub(crate) fn flag(name: &'static str) -> Hint {
    Hint::default().flag(name)
}

impl CommandLine {
    /// The hint that has prose before this command.
    #[must_use]
    pub fn after(self, text: impl Into<String>) -> Hint {
        Hint::from(text.into()).command(self)
    }

    /// The hint that has prose behind this command.
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

/// In a document it is the string that is printed.
impl Serialize for Hint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Or(between) => f.write_str(between),
            Piece::Flag(name) => f.write_str(name),
            Piece::Command(command) => write!(f, "{command}"),
        })
    }
}

/// Two hints are the same if they are printed the same.
impl PartialEq for Hint {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (self.to_string(), other.to_string());
        one == other
    }
}

impl Hint {
    /// Whether it is printed so.
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
