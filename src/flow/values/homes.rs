//! The files of `--values`: the home of Gloo's values in them, and its sources.

use std::path::PathBuf;

use serde_json::Value;

use super::files::{Choice, ValuesFiles, named, shown};
use super::refused::{Denied, refusal};
use crate::command::flag;
use crate::edit::encrypted::Encryption;
use crate::edit::manifest;
use crate::edit::values::{self, FoundHomes, SourceContent, ValuesHome, ValuesSource};
use crate::error::{Exit, Failure, Reason};
use crate::flow::interrupt::Interrupts;
use crate::load::files::{self, Encoding, LoadedFile, SourceText};

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
        && let Some(by) = manifest::encryption(&text.text)
    {
        let (why, instead) = (by.to_string(), by.advice().to_owned());
        files.denied = Some(Denied { place: shown(text).to_owned(), why, instead });
    }
    Ok(files)
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
