//! The file of a baseline: a head, then one JSON object a line, in order, so that a review shows each fact that changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{FindingFact, FindingKey, PathFact, PathKey, Recorded};
use crate::bounded;
use crate::check::Severity;
use crate::plan::path::Verdict;

const API_VERSION: &str = "gloo-rs/v1";
/// The kind in the head of the file.
const KIND: &str = "Baseline";
/// Memory limit in bytes for the parsed value of one line: far above any line with two names.
const MOST_PARSED: usize = 64 << 10;

/// A baseline as its file has it: the facts, and what they are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Baseline {
    /// Which paths: `all namespaces`.
    pub paths: Option<String>,
    /// Which findings: `Gloo in gloo-system`.
    pub findings: Option<String>,
    pub recorded: Recorded,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Head {
    api_version: String,
    kind: String,
    paths: Option<String>,
    findings: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum FactLine {
    NotRead(NotReadLine),
    Path(PathLine),
    Finding(FindingLine),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NotReadLine {
    not_read: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PathLine {
    path: String,
    gateway: Option<String>,
    verdict: String,
    cause: Option<String>,
    decided_by: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FindingLine {
    finding: String,
    object: String,
    severity: String,
    cause: String,
}

impl Baseline {
    /// Returns the lines of the file: the head, what was not read, the paths, the findings.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let head = Head {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            paths: self.paths.clone(),
            findings: self.findings.clone(),
        };
        let Recorded { paths, findings, not_read } = &self.recorded;
        let not_read = not_read.iter().map(|what| FactLine::NotRead(NotReadLine { not_read: what.clone() }));
        let paths = paths.iter().flatten().map(|(key, fact)| FactLine::Path(path_line(key, fact)));
        let findings = findings.iter().flatten().map(|(key, fact)| FactLine::Finding(finding_line(key, fact)));
        let facts = not_read.chain(paths).chain(findings).map(|line| json(&line));
        std::iter::once(json(&head)).chain(facts)
    }

    /// Returns whether a file begins as a baseline does. Of one whose other lines are broken this is true.
    pub(crate) fn is_one(text: &str) -> bool {
        text.lines().next().is_some_and(|line| head(line).is_ok())
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// What is wrong, and in which line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().enumerate();
        let head = lines.next().map_or_else(|| Err("it is empty".to_owned()), |(_, line)| head(line))?;
        let mut recorded = Recorded {
            paths: head.paths.as_ref().map(|_| BTreeMap::new()),
            findings: head.findings.as_ref().map(|_| BTreeMap::new()),
            ..Recorded::default()
        };
        for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            add(&mut recorded, line).map_err(|why| format!("line {}: {why}", index + 1))?;
        }
        Ok(Self { paths: head.paths, findings: head.findings, recorded })
    }
}

fn json(line: &impl Serialize) -> String {
    serde_json::to_string(line).expect("texts and nulls are JSON")
}

fn head(line: &str) -> Result<Head, String> {
    const FOREIGN: &str = "it is not a baseline: its first line is not the head of one";
    let value = bounded::value(line.as_bytes(), MOST_PARSED).map_err(|_| FOREIGN.to_owned())?;
    if value["kind"] != KIND {
        return Err(FOREIGN.to_owned());
    }
    if value["apiVersion"] != API_VERSION {
        return Err(format!("its version is not {API_VERSION}, the only one that is known here"));
    }
    serde_json::from_value(value).map_err(|error| format!("line 1: {error}"))
}

fn add(recorded: &mut Recorded, line: &str) -> Result<(), String> {
    let value = bounded::value(line.as_bytes(), MOST_PARSED).map_err(|_| "it is not JSON".to_owned())?;
    let line = serde_json::from_value(value).map_err(|_| "it is not a line of a baseline".to_owned())?;
    let (is_new, what) = match line {
        FactLine::NotRead(line) => (recorded.not_read.insert(line.not_read.clone()), line.not_read),
        FactLine::Path(line) => {
            let paths = recorded.paths.as_mut().ok_or("the head says that it has no paths")?;
            let verdict =
                Verdict::named(&line.verdict).ok_or_else(|| format!("{:?} is not a verdict", line.verdict))?;
            let fact = PathFact { verdict, cause: line.cause, decided_by: line.decided_by };
            let key = PathKey { path: line.path.clone(), gateway: line.gateway };
            (paths.insert(key, fact).is_none(), line.path)
        }
        FactLine::Finding(line) => {
            let findings = recorded.findings.as_mut().ok_or("the head says that it has no findings")?;
            let severity = [Severity::Error, Severity::Warning].into_iter().find(|it| it.name() == line.severity);
            let severity = severity.ok_or_else(|| format!("{:?} is not a severity", line.severity))?;
            let key = FindingKey { code: line.finding, object: line.object.clone() };
            (findings.insert(key, FindingFact { severity, cause: line.cause }).is_none(), line.object)
        }
    };
    if is_new { Ok(()) } else { Err(format!("{what:?} stands there twice")) }
}

fn path_line(key: &PathKey, fact: &PathFact) -> PathLine {
    PathLine {
        path: key.path.clone(),
        gateway: key.gateway.clone(),
        verdict: fact.verdict.name().to_owned(),
        cause: fact.cause.clone(),
        decided_by: fact.decided_by.clone(),
    }
}

fn finding_line(key: &FindingKey, fact: &FindingFact) -> FindingLine {
    FindingLine {
        finding: key.code.clone(),
        object: key.object.clone(),
        severity: fact.severity.name().to_owned(),
        cause: fact.cause.clone(),
    }
}
