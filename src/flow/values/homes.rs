//! The files of `--values`: the home of Gloo's values in them, and its sources.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::sources;
use super::subject::refusal;
use crate::command::{Hint, flag, gloo_rs};
use crate::edit::Edit;
use crate::edit::encrypted::{self, Encryption};
use crate::edit::values::{self, FileBase, FoundHomes, NamedText, SourceContent, ValuesHome, ValuesSource};
use crate::error::{Exit, Failure, Reason};
use crate::flow::interrupt::Interrupts;
use crate::load::files::{self, Encoding, LoadedFile, SourceText};
use crate::load::values_files::{nearby, referenced};
use crate::model::FieldPath;
use crate::render::text::STDIN;

/// The files that values are in, and which of them are of Gloo's chart.
pub(crate) struct ValuesFiles {
    /// The files of `--values` first.
    pub texts: Vec<SourceText>,
    /// How many of them `--values` named.
    pub named: usize,
    pub home: ValuesHome,
    choice: Choice,
    /// Sources of the home that are files: their indices, and those of their texts.
    attached: Vec<(usize, usize)>,
    /// Why nothing is edited.
    pub denied: Option<Denied>,
}

/// How the home was chosen, so that it is found again in the edited texts.
enum Choice {
    /// The home with this index.
    Manifest(usize),
    /// The values files with these indices.
    Files(Vec<usize>),
    Nothing,
}

/// Why the home is not edited.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Denied {
    /// The file, with the line if it has one.
    pub place: String,
    pub why: String,
    pub instead: String,
}

/// Reads the files, and finds the home.
///
/// # Errors
/// A file cannot be read, or it is not clear which values are Gloo's.
pub(super) fn of_files(
    paths: &[PathBuf],
    wanted: Option<&str>,
    interrupts: &Interrupts,
) -> Result<ValuesFiles, Failure> {
    let texts = match read(paths, interrupts)? {
        Texts::Read(texts) => texts,
        Texts::Encrypted(name, by) => return Ok(sealed(name, by)),
    };
    let mut files = chosen(texts, wanted)?;
    files.attach();
    let text = &files.texts[files.home.text];
    if files.denied.is_none()
        && let Some(by) = encrypted::of_text(&text.text)
    {
        let (why, instead) = (by.to_string(), by.advice().to_owned());
        files.denied = Some(Denied { place: shown(text).to_owned(), why, instead });
    }
    Ok(files)
}

/// The name of a text for messages.
pub(super) fn shown(text: &SourceText) -> &str {
    if text.name == STDIN { "stdin" } else { &text.name }
}

enum Texts {
    Read(Vec<SourceText>),
    /// The name of a file that is encrypted as a whole.
    Encrypted(String, Encryption),
}

fn read(paths: &[PathBuf], interrupts: &Interrupts) -> Result<Texts, Failure> {
    if let Some(directory) = paths.iter().find(|path| path.is_dir()) {
        return Err(Failure::usage(format!("--values {}: one file, or - for stdin", directory.display())));
    }
    let mut inputs = files::find(&files::sources_of(paths)?)?;
    let mut stdin = interrupts.stdin();
    let mut texts = Vec::new();
    while let Some(loaded) = inputs.next(&mut stdin) {
        match loaded? {
            LoadedFile::Text(text) => texts.push(text),
            LoadedFile::Encrypted { name, by } => return Ok(Texts::Encrypted(name, by)),
            LoadedFile::Refused { name, why, .. } | LoadedFile::PassedOver { name, why } => {
                return Err(Failure::new(Exit::Failed, Reason::File, format!("{name}: {why}")));
            }
        }
    }
    Ok(Texts::Read(texts))
}

/// The files where the home is encrypted as a whole: nothing is known of its values.
fn sealed(name: String, by: Encryption) -> ValuesFiles {
    let text = SourceText { name: name.clone(), file: None, text: String::new(), encoding: Encoding::Utf8 };
    let denied = Denied { place: name, why: by.to_string(), instead: by.advice().to_owned() };
    unedited(vec![text], 0, Value::Null, denied)
}

fn unedited(texts: Vec<SourceText>, text: usize, values: Value, denied: Denied) -> ValuesFiles {
    let content = SourceContent::Read { values, seat: None };
    let source = ValuesSource { origin: denied.place.clone(), content, below: None };
    let home =
        ValuesHome { name: None, text, chart: values::HomeChart::default(), sources: vec![source], notes: vec![] };
    ValuesFiles { named: texts.len(), texts, home, choice: Choice::Nothing, attached: vec![], denied: Some(denied) }
}

fn named(texts: &[SourceText]) -> Vec<NamedText<'_>> {
    texts.iter().map(|text| NamedText { name: &text.name, text: &text.text }).collect()
}

fn chosen(texts: Vec<SourceText>, wanted: Option<&str>) -> Result<ValuesFiles, Failure> {
    let found = values::find(&named(&texts));
    let refused = |(index, cannot): (usize, _)| refusal(shown(&texts[index]), cannot);
    if !found.homes.is_empty() || wanted.is_some() {
        if let (Some(suspect), None) = (found.suspects.first(), wanted) {
            return Err(refused(suspect.clone()));
        }
        let index = the_home(&found, &texts, wanted)?;
        let home = found.homes[index].clone();
        return Ok(ValuesFiles {
            named: texts.len(),
            texts,
            home,
            choice: Choice::Manifest(index),
            attached: Vec::new(),
            denied: None,
        });
    }
    if let Some(first) = found.refused.first() {
        let place = format!("{}:{}", shown(&texts[first.text]), first.line);
        let why = format!("{} is not edited", first.what);
        let denied = Denied { place, why, instead: first.instead.clone() };
        let (text, values) = (first.text, first.values.clone());
        return Ok(unedited(texts, text, values, denied));
    }
    if let Some(broken) = found.broken.first() {
        return Err(refused(broken.clone()));
    }
    let home = values::of_files(&named(&texts), &found.plain).map_err(refused)?;
    let choice = Choice::Files(found.plain);
    Ok(ValuesFiles { named: texts.len(), texts, home, choice, attached: Vec::new(), denied: None })
}

/// The index of the home: the one that is named, or the one of Gloo's chart, or the only one.
fn the_home(found: &FoundHomes, texts: &[SourceText], wanted: Option<&str>) -> Result<usize, Failure> {
    let all = || found.homes.iter().enumerate();
    let is_wanted = |home: &ValuesHome, wanted: &str| home.name.as_ref().is_some_and(|name| name.is_named_by(wanted));
    let mut candidates: Vec<(usize, &ValuesHome)> = match wanted {
        Some(wanted) => all().filter(|(_, home)| is_wanted(home, wanted)).collect(),
        None => all().collect(),
    };
    if candidates.iter().any(|(_, home)| home.chart.is_gloo()) {
        candidates.retain(|(_, home)| home.chart.is_gloo());
    }
    let listed = |(_, home): &(usize, &ValuesHome)| {
        let name = home.name.as_ref().map(values::HomeName::for_flag).unwrap_or_default();
        let chart = home.chart.name.as_deref().unwrap_or("unknown");
        format!("{name} in {}, chart {chart}", shown(&texts[home.text]))
    };
    match candidates[..] {
        [(index, _)] => Ok(index),
        [] => {
            let message = format!("--home {}: not found", wanted.unwrap_or_default());
            let failure = Failure::new(Exit::SaidNo, Reason::NotFound, message);
            Err(all().map(|home| listed(&home)).fold(failure, |failure, line| failure.detail(format!("there: {line}"))))
        }
        _ => {
            let message = "several charts have values in these files; nothing changed";
            let mut failure = Failure::new(Exit::Failed, Reason::Ambiguous, message);
            failure.details = candidates.iter().map(listed).collect();
            let same_name = candidates.windows(2).all(|pair| pair[0].1.name == pair[1].1.name);
            Err(match same_name {
                true => failure.hint("edit the values of one of them by hand, or put it into a manifest of its own"),
                false => failure.hint(flag("--home").text(" KIND/NAME names one")),
            })
        }
    }
}

impl ValuesFiles {
    /// Reads the sources of the home that are in other files.
    fn attach(&mut self) {
        if let Choice::Manifest(index) = self.choice
            && self.home.sources.iter().any(|source| matches!(source.content, SourceContent::Key(_)))
        {
            let wanted = |text: &str| values::may_have(text, &self.home);
            let more = nearby(&self.texts[self.home.text], &self.texts, &wanted);
            if !more.is_empty() {
                self.texts.extend(more);
                let found = values::find(&named(&self.texts));
                // The texts that were there are the first ones, and so are their homes.
                if let Some(home) = found.homes.into_iter().nth(index) {
                    self.home = home;
                }
            }
        }
        for index in 0..self.home.sources.len() {
            let SourceContent::File(reference) = self.home.sources[index].content.clone() else { continue };
            let text = self.given(&reference.path).map_or_else(
                || {
                    let directory = match reference.base {
                        FileBase::Directory(text) => self.texts.get(text),
                        FileBase::Repository | FileBase::Chart => None,
                    };
                    referenced(&reference, &self.texts[self.home.text], directory).map(|text| {
                        self.texts.push(text);
                        self.texts.len() - 1
                    })
                },
                Ok,
            );
            let Some(source) = self.home.sources.get_mut(index) else { continue };
            match text.and_then(|text| Ok((text, file_source(&self.texts, text)?))) {
                Ok((text, read)) => {
                    *source = read;
                    self.attached.push((index, text));
                }
                Err(why) => source.content = SourceContent::Unread(why),
            }
        }
        for source in &mut self.home.sources {
            if matches!(source.content, SourceContent::Key(_)) {
                source.content = SourceContent::Unread("not in the files".to_owned());
            }
        }
    }

    /// The index of the text of `--values` that a path names: by its whole path, or by its name if only one has it.
    fn given(&self, path: &str) -> Option<usize> {
        let is_other = |index: &usize| *index != self.home.text;
        let all = || (0..self.named).filter(is_other);
        let file = |index: &usize| self.texts[*index].file.as_deref().unwrap_or(Path::new(""));
        let by_path = all().find(|index| file(index).ends_with(path));
        by_path.or_else(|| {
            let name = Path::new(path).file_name();
            let mut of_name = all().filter(|index| file(index).file_name() == name);
            of_name.next().filter(|_| of_name.next().is_none())
        })
    }

    /// The home in edited texts.
    fn again(&self, texts: &[NamedText]) -> Option<ValuesHome> {
        let mut home = match &self.choice {
            Choice::Manifest(index) => values::find(texts).homes.into_iter().nth(*index)?,
            Choice::Files(indices) => values::of_files(texts, indices).ok()?,
            Choice::Nothing => return None,
        };
        for (source, text) in &self.attached {
            *home.sources.get_mut(*source)? = values::of_file(*text, texts[*text]).ok()?;
        }
        Some(home)
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
                (format!("{path}: {} wins, and was not read", origin(source)), sources::give())
            }
            values::Misplaced::NotEdited { source, path } => {
                (format!("{path} is set in {}, which is not edited", origin(source)), "change it there".into())
            }
            values::Misplaced::NoSource => {
                let unread = self.unread().map(|(origin, why)| format!("{origin} ({why})"));
                let unread: Vec<_> = unread.collect();
                (format!("its values are in files that were not read: {}", unread.join(", ")), sources::give())
            }
        };
        let failure = Failure::new(Exit::Failed, Reason::Unsafe, format!("{place}: {message}; nothing changed"));
        sources::by_hand(edits).into_iter().fold(failure, Failure::detail).hint(hint)
    }

    /// Whether a source is in another file.
    pub(super) fn attached_any(&self) -> bool {
        !self.attached.is_empty() || self.named > 1
    }

    /// The sources that were not read, and why.
    pub(super) fn unread(&self) -> impl Iterator<Item = (&str, &str)> {
        self.home.sources.iter().filter_map(|source| match &source.content {
            SourceContent::Unread(why) => Some((source.origin.as_str(), why.as_str())),
            _ => None,
        })
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

fn file_source(texts: &[SourceText], index: usize) -> Result<ValuesSource, String> {
    let text = &texts[index];
    if let Some(by) = encrypted::of_text(&text.text) {
        return Err(by.to_string());
    }
    let read = values::of_file(index, NamedText { name: &text.name, text: &text.text });
    read.map_err(|(_, cannot)| format!("line {}: {}", cannot.line, cannot.why))
}
