//! Reads the sources of a home that are in other files: around it, in its repository, or given.

use serde_json::Value;

use super::files::{HomeChoice, ValuesFiles, file_source, named, shown};
use crate::command::flag;
use crate::edit::values::{
    self, Clash, FileBase, FileReference, RepositoryProof, SourceContent, ValuesHome, ValuesSource,
};
use crate::error::{Exit, Failure, Reason};
use crate::load::files::SourceText;
use crate::load::values_files::{self, GitClone, NamedDirectory, Surrounding, nearby};
use crate::plan::values::NamedChart;

/// The repositories around a home, as far as they are known.
pub(super) struct HomeRepositories {
    clone: Option<GitClone>,
    references: Vec<FileReference>,
}

/// The index of a source, the file that it names, and what is there; else why nothing was read.
type FoundReference = (usize, FileReference, Result<(SourceText, RepositoryProof), String>);

impl HomeRepositories {
    pub(super) fn of(home: &ValuesHome, texts: &[SourceText]) -> Self {
        let of_source = |source: &ValuesSource| match &source.content {
            SourceContent::File(reference) => Some(reference.clone()),
            _ => None,
        };
        let references = home.sources.iter().filter_map(of_source).chain(home.chart.directory.clone()).collect();
        Self { clone: values_files::clone_around(&texts[home.text]), references }
    }

    /// The directory that a reference is relative to, and what shows it.
    fn base(
        &self,
        reference: &FileReference,
        texts: &[SourceText],
    ) -> Result<(NamedDirectory, RepositoryProof), String> {
        let nowhere = || "stdin has no directory".to_owned();
        if values::is_template(&reference.path) {
            return Err("its name is a template".to_owned());
        }
        match &reference.base {
            FileBase::Chart => Err("it is in the chart".to_owned()),
            FileBase::Directory(text) => {
                let directory = texts.get(*text).and_then(values_files::directory_of);
                Ok((directory.ok_or_else(nowhere)?, RepositoryProof::Remote))
            }
            FileBase::Repository(repository) => {
                let of_base = |reference| match reference {
                    &FileReference { base: FileBase::Repository(ref repository), .. } => Some(repository),
                    _ => None,
                };
                let all: Vec<_> = self.references.iter().filter_map(of_base).collect();
                let clone = self.clone.as_ref().ok_or_else(nowhere)?;
                let proof = values::local(repository, &clone.remotes, &all)?;
                Ok((clone.root.clone(), proof))
            }
        }
    }

    /// The chart in the directory that the home names, read there.
    pub(super) fn chart(&self, home: &ValuesHome, texts: &[SourceText]) -> Result<Option<NamedChart>, String> {
        let Some(directory) = &home.chart.directory else { return Ok(None) };
        let (base, _) = self.base(directory, texts)?;
        values_files::chart_in(&directory.path, &base).map(Some)
    }
}

impl ValuesFiles {
    /// Reads the sources of the home that are in other files.
    ///
    /// # Errors
    /// Several files may be one of the sources.
    pub(super) fn attach(&mut self) -> Result<(), Failure> {
        self.look_around();
        let repositories = HomeRepositories::of(&self.home, &self.texts);
        let mut found = Vec::new();
        for (index, source) in self.home.sources.iter().enumerate() {
            if let SourceContent::File(reference) = &source.content {
                let text = repositories
                    .base(reference, &self.texts)
                    .and_then(|(base, proof)| Ok((values_files::in_directory(&reference.path, &base)?, proof)));
                found.push((index, reference.clone(), text));
            }
        }
        let given = self.given(&found)?;
        for ((index, _, local), given) in found.into_iter().zip(given) {
            let text = given.map_or_else(|| local.map(|(text, _)| self.add(text)), Ok);
            let read = text.map(|text| (text, file_source(&self.texts, text)));
            let Some(source) = self.home.sources.get_mut(index) else { continue };
            match read {
                Ok((text, Ok(read))) => {
                    *source = read;
                    self.attached.push((index, text));
                }
                Ok((_, Err(why))) => source.content = SourceContent::Unread(why),
                Err(why) => source.content = SourceContent::Missing(why),
            }
        }
        self.forget_repeated();
        self.forget_chart_defaults();
        for source in &mut self.home.sources {
            if matches!(source.content, SourceContent::Key(_)) {
                source.content = SourceContent::Missing("not in the files".to_owned());
            }
        }
        self.tell_unused();
        Ok(())
    }

    /// Reads the manifests around the home that belong to it.
    fn look_around(&mut self) {
        let HomeChoice::Manifest(index) = self.choice else { return };
        let wanted = |text: &str| values::may_have(text, &self.home);
        let Surrounding { texts: more, limited_to } = nearby(&self.texts[self.home.text], &self.texts, &wanted);
        self.belong(more, index);
        self.home.notes.extend(limited_to.map(|most| {
            format!("only {most} manifests around it were read: --values FILE, repeated, gives another one that belongs to it")
        }));
    }

    /// Takes these texts, and finds the home with this index among them again.
    fn belong(&mut self, more: Vec<SourceText>, index: usize) {
        if more.is_empty() {
            return;
        }
        let before = values::find(&named(&self.texts), self.named).homes;
        self.texts.extend(more);
        let found = values::find(&named(&self.texts), self.named);
        if let Some(index) = values::again(&before, index, &found.homes) {
            self.choice = HomeChoice::Manifest(index);
            self.home = found.homes[index].clone();
        }
    }

    /// The index of a text that was read around the home.
    fn add(&mut self, text: SourceText) -> usize {
        let there = self.texts.iter().position(|other| other.file.is_some() && other.file == text.file);
        there.unwrap_or_else(|| {
            self.texts.push(text);
            self.texts.len() - 1
        })
    }

    /// For each reference the index of the file of `--values` that it means. A file that is where the reference leads
    /// counts first; `found` has what is there.
    fn given(&self, found: &[FoundReference]) -> Result<Vec<Option<usize>>, Failure> {
        let others: Vec<usize> = (0..self.named).filter(|index| *index != self.home.text).collect();
        let same = |text: &SourceText| others.iter().copied().find(|index| self.texts[*index].file == text.file);
        let mut chosen: Vec<Option<usize>> =
            found.iter().map(|(.., local)| local.as_ref().ok().and_then(|(text, _)| same(text))).collect();
        // What is only assumed to be the file gives way to one that is given with the whole path.
        let is_open = |position: usize| match &found[position].2 {
            Ok((_, RepositoryProof::Remote)) => false,
            _ => chosen[position].is_none(),
        };
        let open: Vec<usize> = (0..found.len()).filter(|position| is_open(*position)).collect();
        let files: Vec<usize> = others.into_iter().filter(|index| !chosen.contains(&Some(*index))).collect();
        let name = |index: &usize| {
            let text = &self.texts[*index];
            text.file.as_deref().map_or_else(|| text.name.clone(), |file| file.display().to_string())
        };
        let names: Vec<String> = files.iter().map(name).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let references: Vec<_> = open.iter().map(|position| found[*position].1.clone()).collect();
        let assigned = values::assigned(&references, &names).map_err(|clash| {
            let origin = |reference: &usize| self.home.sources[found[open[*reference]].0].origin.clone();
            let file = |index: &usize| shown(&self.texts[files[*index]]).to_owned();
            ambiguous(&clash, &origin, &file)
        })?;
        for (position, file) in open.into_iter().zip(assigned) {
            let (_, reference, local) = &found[position];
            let is_whole = |file: usize| values::alike(reference, names[file]) > reference.path.matches('/').count();
            chosen[position] = file.filter(|file| local.is_err() || is_whole(*file)).map(|file| files[file]);
        }
        Ok(chosen)
    }

    /// A file that is named twice, such as the chart's own values, counts where it is named last: it wins there again.
    fn forget_repeated(&mut self) {
        let attached = std::mem::take(&mut self.attached);
        let is_last =
            |(source, text): &(usize, usize)| !attached.iter().any(|(other, of)| of == text && other > source);
        let (last, repeated): (Vec<_>, Vec<_>) = attached.iter().copied().partition(is_last);
        for (source, _) in repeated {
            if let Some(source) = self.home.sources.get_mut(source) {
                source.content = SourceContent::Read { values: Value::Null, seat: None };
            }
        }
        self.attached = last;
    }

    /// The own values of a chart are no source if the chart has none here, or comes from elsewhere: then they are its
    /// defaults, which every other source overrides.
    fn forget_chart_defaults(&mut self) {
        let Some(own) = self.home.chart.own_values() else { return };
        let is_elsewhere = self.home.chart.name.is_some();
        let is_missing = |source: &ValuesSource| source.origin == own.origin && source.values().is_none();
        let Some(index) = self.home.sources.iter().position(is_missing) else { return };
        if (self.chart.is_some() || (is_elsewhere && index == 0))
            && let Some(source) = self.home.sources.get_mut(index)
        {
            source.content = SourceContent::Read { values: Value::Null, seat: None };
        }
    }

    /// Names the values files that are no source of the home.
    fn tell_unused(&mut self) {
        let HomeChoice::Manifest(_) = self.choice else { return };
        let plain = values::find(&named(&self.texts), self.named).plain;
        let is_used = |text: &usize| self.attached.iter().any(|(_, used)| used == text);
        let unused: Vec<_> = plain.into_iter().filter(|text| *text < self.named && !is_used(text)).collect();
        let home = self.home.name.as_ref().map(ToString::to_string).unwrap_or_default();
        let line = |text: usize| format!("{} is not used: {home} does not name it", shown(&self.texts[text]));
        let lines: Vec<_> = unused.into_iter().map(line).collect();
        self.home.notes.extend(lines);
    }
}

fn ambiguous(clash: &Clash, origin: &dyn Fn(&usize) -> String, file: &dyn Fn(&usize) -> String) -> Failure {
    let (message, details): (_, Vec<String>) = match clash {
        Clash::Files(reference, files) => {
            (format!("several files may be {}", origin(reference)), files.iter().map(file).collect())
        }
        Clash::References(of_file, references) => {
            (format!("{} may be several sources", file(of_file)), references.iter().map(origin).collect())
        }
    };
    let mut failure = Failure::new(Exit::Failed, Reason::Ambiguous, format!("{message}; nothing changed"));
    failure.details = details;
    failure.hint(flag("--values").text(" DIRECTORY/FILE, with more of its path as in the repository, tells them apart"))
}
