//! The result of a whole run. All output formats are based on it.

use super::{Finding, NotJudged, Ran, Severity};
use crate::model::Unknown;

/// Which findings set the exit code of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Threshold {
    /// This severity and higher ones.
    pub severity: Severity,
    /// Whether unknown results count as well.
    pub unknown: Unseen,
}

/// How the threshold treats a check that could not read everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unseen {
    Passes,
    Fails,
}

/// The results of all checks.
pub(crate) struct Results {
    pub ran: Vec<Ran>,
    pub threshold: Threshold,
    /// Number of documents in the manifests that could not be read.
    pub unread: usize,
}

/// The status in the line of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CheckStatus {
    Ok,
    Found {
        errors: usize,
        warnings: usize,
    },
    /// Something could not be read, and nothing was found in the rest.
    Unknown,
    /// Nothing was found in the files, and nothing else was read.
    NothingInFiles,
    Skipped,
}

impl std::fmt::Display for CheckStatus {
    /// Uses the same words as glooctl, where it has them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ok => f.write_str("OK"),
            Self::Found { errors: 0, warnings: 1 } => f.write_str("1 warning"),
            Self::Found { errors: 0, warnings } => write!(f, "{warnings} warnings"),
            Self::Found { errors, .. } => write!(f, "{errors} Errors!"),
            Self::Unknown => f.write_str("unknown"),
            Self::NothingInFiles => f.write_str("no problem in the files"),
            Self::Skipped => f.write_str("skipped"),
        }
    }
}

/// The status of a check.
#[must_use]
pub(crate) fn status(ran: &Ran) -> CheckStatus {
    let (errors, warnings) = (ran.count(Severity::Error), ran.count(Severity::Warning));
    if errors + warnings > 0 {
        return CheckStatus::Found { errors, warnings };
    }
    let is_of_files = ran.unknown.iter().all(Unknown::is_of_files);
    match &ran.skipped {
        None if ran.unknown.is_empty() => CheckStatus::Ok,
        None if is_of_files => CheckStatus::NothingInFiles,
        Some(_) if is_of_files => CheckStatus::Skipped,
        _ => CheckStatus::Unknown,
    }
}

impl Results {
    /// The checks that had objects to check.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Ran> {
        self.ran.iter().filter(|ran| match status(ran) {
            CheckStatus::Skipped => false,
            CheckStatus::NothingInFiles => ran.saw_something,
            _ => true,
        })
    }

    /// All findings, check by check.
    pub(crate) fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.ran.iter().flat_map(|ran| &ran.findings)
    }

    /// The suppressed findings, each with the reason.
    pub(crate) fn suppressed(&self) -> impl Iterator<Item = &(Finding, String)> {
        self.ran.iter().flat_map(|ran| &ran.suppressed)
    }

    /// Number of findings of a severity.
    #[must_use]
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.ran.iter().map(|ran| ran.count(severity)).sum()
    }

    /// What could not be read. Each reason is listed once, with the checks that it affects.
    #[must_use]
    pub(crate) fn unknown(&self) -> Vec<(&Unknown, Vec<&'static str>)> {
        let mut all: Vec<(&Unknown, Vec<&'static str>)> = Vec::new();
        for ran in &self.ran {
            for unknown in ran.unknown.iter().filter(|unknown| !unknown.is_of_files()) {
                match all.iter_mut().find(|(known, _)| *known == unknown) {
                    Some((_, titles)) => titles.push(ran.check.title),
                    None => all.push((unknown, vec![ran.check.title])),
                }
            }
        }
        all
    }

    /// What of the files could not be judged, with the title of the check.
    pub(crate) fn not_judged(&self) -> impl Iterator<Item = (&'static str, &NotJudged)> {
        self.ran.iter().flat_map(|ran| ran.not_judged.iter().map(|it| (ran.check.title, it)))
    }

    /// Whether the cluster could have more to find: a check saw only files.
    #[must_use]
    pub(crate) fn is_of_files(&self) -> bool {
        self.not_judged().next().is_some() || self.shown().any(|ran| status(ran) == CheckStatus::NothingInFiles)
    }

    /// Whether everything could be read.
    #[must_use]
    pub(crate) fn is_whole(&self) -> bool {
        self.unread == 0 && self.unknown().is_empty()
    }

    /// Messages about checks that had nothing to check, each once.
    /// They use the same words as glooctl, where it has them.
    #[must_use]
    pub(crate) fn messages(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for ran in self.ran.iter().filter(|ran| status(ran) == CheckStatus::Skipped) {
            let Some(why) = ran.skipped.as_ref().filter(|why| **why != Unknown::of_files().why) else { continue };
            let message = match why {
                why if why.starts_with("Skipping") || why.starts_with("Warning:") => why.clone(),
                why if why.ends_with("has not been registered") => format!("WARN: {why}"),
                why => format!("{} not checked: {why}", ran.check.title),
            };
            if !all.contains(&message) {
                all.push(message);
            }
        }
        all
    }

    /// Whether a finding reaches the threshold.
    #[must_use]
    pub(crate) fn fails(&self) -> bool {
        let is_over = |finding: &Finding| finding.severity <= self.threshold.severity;
        self.findings().any(is_over) || (self.threshold.unknown == Unseen::Fails && !self.is_whole())
    }
}

#[cfg(test)]
impl Results {
    /// The results of one check that has these findings.
    pub(crate) fn of(findings: Vec<Finding>) -> Self {
        let ran = Ran {
            check: &super::CHECKS[0],
            findings,
            suppressed: Vec::new(),
            unknown: Vec::new(),
            not_judged: Vec::new(),
            skipped: None,
            read: Vec::new(),
            saw_something: true,
        };
        let threshold = Threshold { severity: Severity::Error, unknown: Unseen::Passes };
        Self { ran: vec![ran], threshold, unread: 0 }
    }
}
