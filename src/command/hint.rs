//! What to do next: prose, and the commands in it as data.

use std::fmt;

use super::{CommandLine, Target};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Command(CommandLine),
}

/// What to do next. Its commands get the flags of the run when the report takes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hint(Vec<Piece>);

impl Hint {
    /// With prose behind it.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.0.push(Piece::Text(text.into()));
        self
    }

    /// With a command behind it.
    #[must_use]
    pub fn command(mut self, command: CommandLine) -> Self {
        self.0.push(Piece::Command(command));
        self
    }

    /// With the flags that select this cluster and user in each of its commands.
    #[must_use]
    pub fn on(self, target: &Target) -> Self {
        let aimed = |piece| match piece {
            Piece::Command(command) => Piece::Command(command.on(target)),
            text @ Piece::Text(_) => text,
        };
        Self(self.0.into_iter().map(aimed).collect())
    }
}

impl CommandLine {
    /// The hint that has prose before this command.
    #[must_use]
    pub fn after(self, text: impl Into<String>) -> Hint {
        Hint::default().text(text).command(self)
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

impl From<CommandLine> for String {
    fn from(command: CommandLine) -> Self {
        command.to_string()
    }
}

impl From<Hint> for String {
    fn from(hint: Hint) -> Self {
        hint.to_string()
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Command(command) => write!(f, "{command}"),
        })
    }
}

impl PartialEq<&str> for Hint {
    fn eq(&self, other: &&str) -> bool {
        self.to_string() == **other
    }
}

impl PartialEq<String> for Hint {
    fn eq(&self, other: &String) -> bool {
        self.to_string() == *other
    }
}
