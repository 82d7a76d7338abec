//! The files that have the values of a home: its sources in other files, and the edits of all of them.

use serde_json::Value;

use super::refused::{Denied, by_hand, give, refusal};
use crate::command::{Hint, gloo_rs};
use crate::edit::values::{self, NamedText, SourceContent, ValuesHome, ValuesSource};
use crate::edit::{Edit, manifest};
use crate::error::{Exit, Failure, Reason};
use crate::load::files::SourceText;
use crate::model::FieldPath;
use crate::plan::values::NamedChart;
use crate::render::text::STDIN;

/// The files that values are in, and which of them are of Gloo's chart.
pub(crate) struct ValuesFiles {
    /// The files of `--values` first.
    pub texts: Vec<SourceText>,
    /// How many of them `--values` named.
    pub named: usize,
    pub home: ValuesHome,
    pub(super) choice: HomeChoice,
    /// The chart in the directory that the home names, if that was read.
    pub(super) chart: Option<NamedChart>,
    /// Sources of the home that are files: their indices, and those of their texts.
    pub(super) attached: Vec<(usize, usize)>,
    /// Why nothing is edited.
    pub denied: Option<Denied>,
}

/// How the home was chosen, so that it is found again in the edited texts.
pub(super) enum HomeChoice {
    /// The home with this index.
    Manifest(usize),
    /// The values files with these indices.
    Files(Vec<usize>),
    Nothing,
}

/// The name of a text for messages.
pub(super) fn shown(text: &SourceText) -> &str {
    if text.name == STDIN { "stdin" } else { &text.name }
}

/// The texts as the readers of homes take them.
pub(super) fn named(texts: &[SourceText]) -> Vec<NamedText<'_>> {
    texts.iter().map(|text| NamedText { name: &text.name, text: &text.text }).collect()
}

impl ValuesFiles {
    /// The home in edited texts.
    fn again(&self, texts: &[NamedText]) -> Option<ValuesHome> {
        let mut home = match &self.choice {
            HomeChoice::Manifest(index) => values::find(texts, self.named).homes.into_iter().nth(*index)?,
            HomeChoice::Files(indices) => values::of_files(texts, indices).ok()?,
            HomeChoice::Nothing => return None,
        };
        for (source, text) in &self.attached {
            *home.sources.get_mut(*source)? = values::of_file(*text, texts[*text]).ok()?;
        }
        Some(home)
    }

    /// Checks that there is a source that can take new values.
    ///
    /// # Errors
    /// All values are in sources that were not read.
    pub(super) fn check_place(&self, edits: &[Edit]) -> Result<(), Failure> {
        match values::placed(&self.home.sources, edits) {
            Err(why @ values::Misplaced::NoSource) => Err(self.misplaced(&why, edits)),
            _ => Ok(()),
        }
    }

    /// The texts that change by these edits of the values, with their indices. `after` is what the values must be then.
    ///
    /// # Errors
    /// A text cannot be edited, or the edit would have no effect.
    pub(super) fn edited(&self, edits: &[Edit], after: &Value) -> Result<Vec<(usize, String)>, Failure> {
        let placed = values::placed(&self.home.sources, edits).map_err(|why| self.misplaced(&why, edits))?;
        let texts: Vec<&str> = self.texts.iter().map(|text| text.text.as_str()).collect();
        let changed = values::edited(&texts, &self.home.sources, &placed)
            .map_err(|(text, cannot)| refusal(shown(&self.texts[text]), cannot))?;
        let mut new = named(&self.texts);
        for (index, text) in &changed {
            new[*index].text = text;
        }
        let is_nothing = |values: &Value| values.as_object().is_none_or(serde_json::Map::is_empty);
        let read = self.again(&new).map(|home| values::merged(&home.sources));
        match read {
            Some(read) if read == *after || (is_nothing(&read) && is_nothing(after)) => Ok(changed),
            _ if edits.is_empty() => Ok(changed),
            _ => {
                let message = "the sources of the values would not give the planned values; nothing changed";
                Err(Failure::new(Exit::Failed, Reason::Unsafe, message))
            }
        }
    }

    fn misplaced(&self, why: &values::Misplaced, edits: &[Edit]) -> Failure {
        let origin = |source: &usize| &self.home.sources[*source].origin;
        let place = shown(&self.texts[self.home.text]);
        let (message, hint) = match why {
            values::Misplaced::NotRead { source, path } => {
                (format!("{path}: {} wins, and was not read", origin(source)), self.give_or("set it there"))
            }
            values::Misplaced::NotEdited { source, path } => {
                (format!("{path} is set in {}, which is not edited", origin(source)), "change it there".into())
            }
            values::Misplaced::NoSource => {
                let unread = self.unread().map(|(origin, why)| format!("{origin} ({why})"));
                let unread: Vec<_> = unread.collect();
                let message = format!("its values are in files that were not read: {}", unread.join(", "));
                (message, self.give_or("set the values there"))
            }
        };
        let failure = Failure::new(Exit::Failed, Reason::Unsafe, format!("{place}: {message}; nothing changed"));
        by_hand(edits).into_iter().fold(failure, Failure::detail).hint(hint)
    }

    fn give_or(&self, otherwise: &str) -> Hint {
        self.give().unwrap_or_else(|| otherwise.into())
    }

    /// Whether a source is in another file.
    pub(super) fn attached_any(&self) -> bool {
        let is_other = |source: &ValuesSource| source.seat().is_some_and(|(text, _)| *text != self.home.text);
        self.home.sources.iter().any(is_other)
    }

    /// The sources that were not read, and why.
    pub(super) fn unread(&self) -> impl Iterator<Item = (&str, &str)> {
        self.home.sources.iter().filter_map(|source| match &source.content {
            SourceContent::Missing(why) | SourceContent::Unread(why) => Some((source.origin.as_str(), why.as_str())),
            _ => None,
        })
    }

    /// How to have a source read that was not. `None` if nothing that is given would be read.
    pub(super) fn give(&self) -> Option<Hint> {
        let is_missing = |source: &ValuesSource| matches!(source.content, SourceContent::Missing(_));
        self.home.sources.iter().any(is_missing).then(give)
    }

    /// Whether a source that was not read may have Istio's settings, or gateway proxies.
    pub(super) fn is_partial(&self) -> bool {
        const ROOTS: [&str; 3] = ["global", "gatewayProxies", "gloo"];
        let roots = ROOTS.map(|root| FieldPath::keys(&[root]));
        self.home.sources.iter().any(|source| roots.iter().any(|root| source.may_set(root)))
    }

    /// The command that names a file too.
    pub(super) fn named_with(&self, file: &str) -> Hint {
        let named = self.texts.iter().take(self.named);
        let command = named.fold(gloo_rs("upgrade-values"), |command, text| command.with("--values", &*text.name));
        command.with("--values", file).then(" edits it as well")
    }
}

pub(super) fn file_source(texts: &[SourceText], index: usize) -> Result<ValuesSource, String> {
    let text = &texts[index];
    if let Some(by) = manifest::encryption(&text.text) {
        return Err(by.to_string());
    }
    let read = values::of_file(index, NamedText { name: &text.name, text: &text.text });
    read.map_err(|(_, cannot)| format!("line {}: {}", cannot.line, cannot.why))
}
