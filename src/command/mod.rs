//! Commands printed for copying: words as data, and one function that quotes them for a POSIX shell.

mod hint;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

pub(crate) use hint::{Hint, Piece, flag};

/// The namespace in which a command looks without `-n`.
const USUAL_INSTALLATION: &str = "gloo-system";

/// The program that a printed command starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    GlooRs,
    Kubectl,
    Helm(Driver),
}

/// The storage driver for Helm's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// The default of Helm.
    Secret,
    ConfigMap,
}

/// The name by which gloo-rs was started. Printed commands begin with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Called {
    #[default]
    GlooRs,
    /// As a plugin of kubectl, which starts the file `kubectl-gloo`.
    KubectlGloo,
}

impl Called {
    /// The name for the first word of a command line.
    #[must_use]
    pub(crate) fn by(program: &OsStr) -> Self {
        match Path::new(program).file_name() {
            Some(name) if name == "kubectl-gloo" => Self::KubectlGloo,
            _ => Self::GlooRs,
        }
    }

    /// The words that start the program.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GlooRs => "gloo-rs",
            Self::KubectlGloo => "kubectl gloo",
        }
    }

    /// A text of the source code with each command of gloo-rs under this name.
    #[must_use]
    pub(crate) fn say(self, text: &str) -> String {
        text.replace("gloo-rs ", &format!("{} ", self.name()))
    }
}

/// The cluster and the user from the command line, and the name of the program. A printed command repeats them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypedTarget {
    pub kubeconfig: Option<String>,
    pub context: Option<String>,
    pub user: Option<String>,
    pub groups: Vec<String>,
    pub uid: Option<String>,
    pub called: Called,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    /// Words of the source code, which may contain placeholders such as `FILE`. Printed unchanged.
    Fixed(&'static str),
    /// One word from the cluster, a file or the command line. Printed quoted.
    Value(String),
}

/// A command to paste into a shell.
///
/// Words from the source code and words from the cluster have different types, so a name from the cluster cannot become
/// a flag or a second command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    program: Program,
    words: Vec<Word>,
    target: TypedTarget,
}

/// A command of this program: `gloo_rs("istio enroll").value(namespace)`.
#[must_use]
pub fn gloo_rs(words: &'static str) -> CommandLine {
    CommandLine::new(Program::GlooRs, words)
}

/// A command of kubectl.
#[must_use]
pub fn kubectl(words: &'static str) -> CommandLine {
    CommandLine::new(Program::Kubectl, words)
}

/// A command of Helm with this storage driver.
#[must_use]
pub fn helm(driver: Driver, words: &'static str) -> CommandLine {
    CommandLine::new(Program::Helm(driver), words)
}

impl CommandLine {
    fn new(program: Program, words: &'static str) -> Self {
        Self { program, words: Vec::new(), target: TypedTarget::default() }.fixed(words)
    }

    /// Appends words of the source code, separated by spaces.
    #[must_use]
    pub fn fixed(mut self, words: &'static str) -> Self {
        self.words.extend(words.split(' ').filter(|word| !word.is_empty()).map(Word::Fixed));
        self
    }

    /// Appends one word with any content.
    #[must_use]
    pub fn value(mut self, word: impl Into<String>) -> Self {
        self.words.push(Word::Value(word.into()));
        self
    }

    /// Appends a flag and its value.
    #[must_use]
    pub fn with(self, flag: &'static str, value: impl Into<String>) -> Self {
        self.fixed(flag).value(value)
    }

    /// Adds the namespace of a Gloo installation: `-n NAMESPACE`. It is left out where it is the default.
    #[must_use]
    pub fn of_installation(self, namespace: &str) -> Self {
        if namespace == USUAL_INSTALLATION { self } else { self.with("-n", namespace) }
    }

    /// Whether this is a command of this program that begins with these words of the source code: `istio inject`.
    pub(crate) fn begins_with(&self, program: Program, words: &str) -> bool {
        let mut own = self.words.iter();
        let is_next = |word: &str| matches!(own.next(), Some(Word::Fixed(own)) if *own == word);
        self.program == program && words.split(' ').all(is_next)
    }

    /// The value right after this word of the source code: a flag, or a kind.
    pub(crate) fn value_of<'c>(&'c self, word: &'c str) -> Option<&'c str> {
        self.values_of(word).next()
    }

    /// The values of a flag that may be repeated.
    pub(crate) fn values_of<'c>(&'c self, flag: &'c str) -> impl Iterator<Item = &'c str> {
        self.words.windows(2).filter_map(move |pair| match pair {
            [Word::Fixed(own), Word::Value(value)] if *own == flag => Some(value.as_str()),
            _ => None,
        })
    }

    /// Whether this is a command of gloo-rs.
    pub fn is_ours(&self) -> bool {
        self.program == Program::GlooRs
    }

    /// Adds the flags that select this cluster and user. A command that has such flags keeps them: in a run over several
    /// clusters each command is about its own.
    #[must_use]
    pub fn on(mut self, target: &TypedTarget) -> Self {
        if self.target == TypedTarget::default() {
            self.target = target.clone();
        }
        self
    }

    fn flags(&self) -> Vec<(&'static str, &str)> {
        let [context, user, group, uid] = match self.program {
            Program::GlooRs => ["--kube-context", "--as", "--as-group", "--as-uid"],
            Program::Kubectl => ["--context", "--as", "--as-group", "--as-uid"],
            // Helm has no flag for a UID.
            Program::Helm(_) => ["--kube-context", "--kube-as-user", "--kube-as-group", ""],
        };
        let TypedTarget { kubeconfig, context: typed, user: name, groups, uid: id, called: _ } = &self.target;
        let mut flags = Vec::new();
        flags.extend(kubeconfig.as_deref().map(|value| ("--kubeconfig", value)));
        flags.extend(typed.as_deref().map(|value| (context, value)));
        flags.extend(name.as_deref().map(|value| (user, value)));
        flags.extend(groups.iter().map(|value| (group, value.as_str())));
        flags.extend(id.as_deref().map(|value| (uid, value)));
        flags.retain(|(flag, _)| !flag.is_empty());
        flags
    }

    /// Formats the command as a line for a POSIX shell.
    fn line(&self) -> String {
        let program = match self.program {
            Program::GlooRs => self.target.called.name(),
            Program::Kubectl => "kubectl",
            Program::Helm(Driver::Secret) => "helm",
            Program::Helm(Driver::ConfigMap) => "HELM_DRIVER=configmap helm",
        };
        let mut line = vec![program.to_owned()];
        // A positional word that looks like a flag is only safe after `--`, which ends the flags.
        let mut last = Vec::new();
        let mut words = self.words.iter().peekable();
        while let Some(word) = words.next() {
            match word {
                Word::Fixed(flag) if flag.starts_with('-') => {
                    let dashed = words.next_if(|next| matches!(next, Word::Value(value) if value.starts_with('-')));
                    if let Some(Word::Value(value)) = dashed {
                        line.push(with_value(flag, value));
                    } else {
                        line.push((*flag).to_owned());
                        line.extend(words.next_if(|next| matches!(next, Word::Value(_))).map(shown));
                    }
                }
                Word::Value(value) if value.starts_with('-') || !last.is_empty() => last.push(shown(word)),
                Word::Fixed(_) | Word::Value(_) => line.push(shown(word)),
            }
        }
        for (flag, value) in self.flags() {
            line.push(if value.starts_with('-') {
                with_value(flag, value)
            } else {
                format!("{flag} {}", quoted(value))
            });
        }
        line.extend((!last.is_empty()).then(|| "--".to_owned()));
        line.extend(last);
        line.join(" ")
    }
}

/// `--flag=value`: the only form in which a value may start with a dash.
fn with_value(flag: &str, value: &str) -> String {
    format!("{flag}={}", quoted(value))
}

fn shown(word: &Word) -> String {
    match word {
        Word::Fixed(word) => (*word).to_owned(),
        Word::Value(value) => quoted(value),
    }
}

/// Quotes a word with any content for a POSIX shell.
#[must_use]
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line())
    }
}
