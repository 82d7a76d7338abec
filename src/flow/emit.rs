//! Writes edited manifests: one file to stdout, the changed files to stdout, or each file in place.

use std::collections::HashSet;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;

use super::report::Report;
use crate::apply::files::{Halted, Print, Staging};
use crate::edit::manifest::{self, Splice};
use crate::edit::mask;
use crate::error::{Exit, Failure, Reason};
use crate::load::files::{self, SourceText};
use crate::options::{FilesDestination, Preview};
use crate::plan::advice::{Advice, Code};
use crate::render::diff::{self, Secrets};
use crate::render::text::STDIN;

/// The status line for files whose edited text is only on stdout.
const ON_STDOUT: &str = "printed to stdout, no file changed: --write changes the files";

/// A text and the edits to it.
pub(super) struct Edited<'t> {
    pub text: &'t SourceText,
    pub splices: Vec<Splice>,
}

impl Edited<'_> {
    fn new_text(&self) -> String {
        manifest::splice(&self.text.text, &self.splices)
    }

    /// The note about comments that the change does not keep.
    pub(super) fn lost_comments(&self) -> Option<Advice> {
        let text = &self.text.text;
        // Most changes add lines or remove their own, and need no comparison.
        let may_lose = self.splices.iter().any(|splice| text[splice.range.clone()].contains('#'));
        may_lose.then(|| on_lost_comments(&self.text.name, text, &self.new_text())).flatten()
    }

    /// The change as a unified diff.
    pub(super) fn diff(&self, secrets: Secrets) -> String {
        let (old, new) = (&self.text.text, self.new_text());
        let shown = |text: &str| match secrets {
            Secrets::Shown => text.to_owned(),
            Secrets::Masked => mask::masked_manifest(text),
        };
        let name = if self.text.name == STDIN { "stdin" } else { &self.text.name };
        diff::unified(name, name, &shown(old), &shown(&new))
    }
}

/// The note about comments of a file that its new text does not have. Their lines are named and not their texts, which
/// may be secret.
pub(super) fn on_lost_comments(name: &str, before: &str, after: &str) -> Option<Advice> {
    const SHOWN: usize = 10;
    let lines = manifest::lost_comments(before, after);
    let of_lines = if lines.len() == 1 { "line" } else { "lines" };
    let mut shown: Vec<_> = lines.iter().take(SHOWN).map(ToString::to_string).collect();
    shown.extend((lines.len() > SHOWN).then(|| format!("and {} more", lines.len() - SHOWN)));
    let name = if name == STDIN { "stdin" } else { name };
    let what =
        format!("{name}: comments inside the replaced or removed text are not kept: {of_lines} {}", shown.join(", "));
    (!lines.is_empty()).then(|| Advice::note(Code::LostComments, what))
}

/// The edited manifests, kept until every file is planned.
pub(super) enum Emit {
    Nothing,
    /// One file or stdin: prints the whole text, like a filter.
    Whole(Filtered),
    /// Several files: prints only those that changed. Only their splices are kept, so the files are read again.
    Changed(Changed),
    InPlace(Staging),
}

/// The whole text of one file or of stdin.
#[derive(Default)]
pub(super) struct Filtered {
    /// In the encoding of the file.
    bytes: Vec<u8>,
    /// Whether the text differs from the file.
    differs: bool,
}

/// The edited files and a set of the inserted texts, which are often the same.
#[derive(Default)]
pub(super) struct Changed {
    files: Vec<Kept>,
    texts: HashSet<Rc<str>>,
}

/// What is needed to build an edited file again.
struct Kept {
    name: String,
    /// Where the text comes from. The text itself is kept if it cannot be read again (stdin).
    source: Source,
    print: Print,
    splices: Box<[(Range<usize>, Rc<str>)]>,
}

enum Source {
    File(PathBuf),
    Text(String),
}

impl Emit {
    /// Chooses the output for the command line.
    pub(super) fn choose(preview: Preview, destination: FilesDestination, is_single: bool) -> Self {
        match (preview.is_on(), destination) {
            (true, _) => Self::nothing(),
            (false, FilesDestination::InPlace) => Self::InPlace(Staging::default()),
            (false, FilesDestination::Stdout) if is_single => Self::Whole(Filtered::default()),
            (false, FilesDestination::Stdout) => Self::Changed(Changed::default()),
        }
    }

    /// The output of a preview: nothing.
    pub(super) fn nothing() -> Self {
        Self::Nothing
    }

    /// Keeps an edited text.
    ///
    /// # Errors
    /// The file or its directory cannot be written.
    pub(super) fn keep(&mut self, edited: &Edited) -> Result<(), Failure> {
        match self {
            Self::Nothing => Ok(()),
            Self::Whole(filtered) => {
                let differs = edited.text.file.is_some() && !edited.splices.is_empty();
                let bytes = edited.text.encoding.bytes(&edited.new_text()).into_owned();
                *filtered = Filtered { bytes, differs };
                Ok(())
            }
            _ if edited.splices.is_empty() => Ok(()),
            Self::Changed(changed) => {
                changed.keep(edited);
                Ok(())
            }
            Self::InPlace(staging) => match &edited.text.file {
                Some(file) => {
                    let encoding = edited.text.encoding;
                    let old = Print::of_bytes(&encoding.bytes(&edited.text.text));
                    staging.stage(file, &encoding.bytes(&edited.new_text()), old)
                }
                None => Err(Failure::usage("--write cannot write to stdin")),
            },
        }
    }

    /// Prints or writes the edited texts.
    ///
    /// # Errors
    /// A file changed meanwhile, or a rename failed after others had succeeded.
    pub(super) fn commit(self, report: &mut Report<'_>) -> Result<(), Failure> {
        match self {
            Self::Nothing => Ok(()),
            Self::Whole(Filtered { bytes, differs }) => {
                report.ui.foreign(&bytes);
                report.ui.end_foreign();
                if differs {
                    report.ui.status(ON_STDOUT);
                }
                Ok(())
            }
            Self::Changed(Changed { files, .. }) => {
                // Every file is read again before the first is printed,
                // because an incomplete stream must not be applied.
                files.iter().try_for_each(|kept| kept.text().map(drop))?;
                for kept in &files {
                    let text = kept.text()?;
                    let text = text.trim_start_matches('\u{feff}');
                    report.ui.foreign(format!("---\n# Source: {}\n", kept.name).as_bytes());
                    report.ui.foreign(text.as_bytes());
                    if !text.ends_with('\n') {
                        report.ui.foreign(b"\n");
                    }
                }
                report.ui.end_foreign();
                if !files.is_empty() {
                    report.ui.status(ON_STDOUT);
                }
                Ok(())
            }
            Self::InPlace(staging) => {
                let interrupts = report.interrupts();
                staging.commit(&|| interrupts.check()).map(drop).map_err(halted)?;
                interrupts.check().map_err(|failure| failure.detail("every file was written"))
            }
        }
    }
}

impl Changed {
    fn keep(&mut self, edited: &Edited) {
        let Edited { text, splices } = edited;
        let splices = splices.iter().map(|splice| (splice.range.clone(), self.known(&splice.replacement))).collect();
        let source = match &text.file {
            Some(file) => Source::File(file.clone()),
            None => Source::Text(text.text.clone()),
        };
        self.files.push(Kept {
            name: text.name.clone(),
            source,
            print: Print::of_bytes(text.text.as_bytes()),
            splices,
        });
    }

    fn known(&mut self, text: &str) -> Rc<str> {
        if let Some(known) = self.texts.get(text) {
            return Rc::clone(known);
        }
        let new: Rc<str> = Rc::from(text);
        self.texts.insert(Rc::clone(&new));
        new
    }
}

impl Kept {
    fn text(&self) -> Result<String, Failure> {
        let old = match &self.source {
            Source::Text(text) => text.clone(),
            Source::File(file) => {
                files::again(file).filter(|text| Print::of_bytes(text.as_bytes()) == self.print).ok_or_else(|| {
                    Failure::new(
                        Exit::Failed,
                        Reason::File,
                        format!("{}: changed by another process since it was read", self.name),
                    )
                    .hint("run the same command again")
                })?
            }
        };
        let whole =
            |(range, text): &(Range<usize>, Rc<str>)| Splice { range: range.clone(), replacement: text.to_string() };
        Ok(manifest::splice(&old, &self.splices.iter().map(whole).collect::<Vec<_>>()))
    }
}

/// The failure of a commit that stopped. It is half done if a file was replaced and cannot be rolled back.
fn halted(halted: Halted) -> Failure {
    let Halted { done, rolled_back, not_done, mut failure } = halted;
    if done.is_empty() && rolled_back == 0 {
        return failure.detail("no file was written");
    }
    if done.is_empty() {
        failure.exit = Exit::RolledBack;
        return failure.detail("what was written is rolled back: every file is as before");
    }
    failure.exit = Exit::HalfDone;
    for (files, state) in [(done, "written"), (not_done, "as before")] {
        failure.details.extend(files.iter().map(|file| format!("{state}: {}", file.display())));
    }
    failure.hint("run the same command again to write the rest")
}
