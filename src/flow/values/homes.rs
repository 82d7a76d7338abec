//! The files of `--values`: the home of Gloo's values in them, and its sources.

use std::path::PathBuf;

use serde_json::Value;

use super::attach::HomeRepositories;
use super::files::{HomeChoice, ValuesFiles, named, shown};
use super::refused::{Denied, refusal};
use crate::command::flag;
use crate::edit::encrypted::Encryption;
use crate::edit::manifest;
use crate::edit::values::{self, FoundHomes, SourceContent, ValuesHome, ValuesSource};
use crate::error::{Exit, Failure, Reason};
use crate::flow::interrupt::Interrupts;
use crate::load::files::{self, Encoding, LoadedFile, SourceText};
use crate::plan::values::NamedChart;

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
    files.attach()?;
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
            LoadedFile::Refused { name, why, .. } | LoadedFile::PassedOver { name, why, .. } => {
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
    let chart = values::HomeChart::default();
    let home = ValuesHome { name: None, text, chart, is_possible: false, sources: vec![source], notes: vec![] };
    let files = of_home(texts, home, HomeChoice::Nothing);
    ValuesFiles { denied: Some(denied), ..files }
}

fn of_home(texts: Vec<SourceText>, home: ValuesHome, choice: HomeChoice) -> ValuesFiles {
    ValuesFiles { named: texts.len(), texts, home, choice, chart: None, attached: Vec::new(), denied: None }
}

fn chosen(texts: Vec<SourceText>, wanted: Option<&str>) -> Result<ValuesFiles, Failure> {
    let found = values::find(&named(&texts), texts.len());
    let refused = |(index, cannot): (usize, _)| refusal(shown(&texts[index]), cannot);
    if !found.homes.is_empty() || wanted.is_some() {
        if let (Some(suspect), None) = (found.suspects.first(), wanted) {
            return Err(refused(suspect.clone()));
        }
        let FoundHome { index, chart } = the_home(&found, &texts, wanted)?;
        let home = found.homes[index].clone();
        return Ok(ValuesFiles { chart, ..of_home(texts, home, HomeChoice::Manifest(index)) });
    }
    if let Some(first) = found.refused.first() {
        let place = format!("{}:{}", shown(&texts[first.text]), first.line);
        let why = format!("{} is not edited", first.what);
        let denied = Denied { place, why, instead: first.instead.clone() };
        let (text, values) = (first.text, first.values.clone());
        let chart =
            first.chart.clone().map(|name| NamedChart { source: denied.place.clone(), name, ..NamedChart::default() });
        return Ok(ValuesFiles { chart, ..unedited(texts, text, values, denied) });
    }
    if let Some(broken) = found.broken.first() {
        return Err(refused(broken.clone()));
    }
    let home = values::of_files(&named(&texts), &found.plain).map_err(refused)?;
    Ok(of_home(texts, home, HomeChoice::Files(found.plain)))
}

/// A home, with the chart in the directory that it names.
struct FoundHome {
    index: usize,
    chart: Option<NamedChart>,
}

/// The home: the one that is named, or the one of Gloo's chart, or the only one.
fn the_home(found: &FoundHomes, texts: &[SourceText], wanted: Option<&str>) -> Result<FoundHome, Failure> {
    let home = |index: usize| &found.homes[index];
    let is_wanted = |index: &usize| match (wanted, &home(*index).name) {
        (Some(wanted), Some(name)) => name.is_named_by(wanted),
        (wanted, _) => wanted.is_none(),
    };
    let all = || 0..found.homes.len();
    let listed = |index: usize| {
        let ValuesHome { name, text, chart, .. } = home(index);
        let name = name.as_ref().map(values::HomeName::for_flag).unwrap_or_default();
        let directory = || Some(format!("in {}", chart.directory.as_ref()?.path));
        let chart = chart.name.clone().or_else(directory).unwrap_or_else(|| "unknown".to_owned());
        format!("{name} in {}, chart {chart}", shown(&texts[*text]))
    };
    let charts = all().filter(is_wanted).map(|index| (index, HomeRepositories::of(home(index), texts)));
    let charts: Vec<_> = charts.map(|(index, around)| (index, around.chart(home(index), texts))).collect();
    // A directory may have manifests and no chart.
    let may_be = |(index, chart): &&(usize, Result<Option<NamedChart>, String>)| {
        !home(*index).is_possible || wanted.is_some() || chart.is_ok()
    };
    let mut candidates: Vec<_> = charts.iter().filter(may_be).collect();
    let is_gloos = |(index, chart): &&(usize, Result<Option<NamedChart>, String>)| match chart {
        Ok(Some(chart)) => chart.is_gloos(),
        _ => home(*index).chart.is_gloo(),
    };
    if candidates.iter().any(is_gloos) {
        candidates.retain(is_gloos);
    }
    match (&candidates[..], &charts[..]) {
        ([(index, chart)], _) => Ok(FoundHome { index: *index, chart: chart.clone().unwrap_or_default() }),
        ([], [(index, Err(why)), ..]) => Err(no_chart(home(*index), why, texts)),
        ([], _) => {
            let message = format!("--home {}: not found", wanted.unwrap_or_default());
            let failure = Failure::new(Exit::SaidNo, Reason::NotFound, message);
            Err(all().fold(failure, |failure, index| failure.detail(format!("there: {}", listed(index)))))
        }
        _ => {
            let message = "several charts have values in these files; nothing changed";
            let mut failure = Failure::new(Exit::Failed, Reason::Ambiguous, message);
            failure.details = candidates.iter().map(|(index, _)| listed(*index)).collect();
            let same_name = candidates.windows(2).all(|pair| home(pair[0].0).name == home(pair[1].0).name);
            Err(match same_name {
                true => failure.hint("edit the values of one of them by hand, or put it into a manifest of its own"),
                false => failure.hint(flag("--home").text(" KIND/NAME names one")),
            })
        }
    }
}

/// The refusal of a manifest that names a directory, which was not read: it may have no chart.
fn no_chart(home: &ValuesHome, why: &str, texts: &[SourceText]) -> Failure {
    let (name, flagged) = home.name.as_ref().map(|name| (name.to_string(), name.for_flag())).unwrap_or_default();
    let directory = home.chart.directory.as_ref().map(|directory| directory.path.clone()).unwrap_or_default();
    let place = shown(&texts[home.text]);
    let message = format!("{place}: {name} renders {directory}, which may be no chart ({why}); nothing changed");
    let hint = flag("--home").text(format!(" {flagged} names it, if it is a chart"));
    Failure::new(Exit::Failed, Reason::Unsafe, message).hint(hint)
}
