//! The file of a baseline: a head, then one JSON object a line, in order, so that a review shows each fact that changed.
//! That of several clusters has such a part for each context, and every line names its context.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FindingFact, FindingKey, PathFact, PathKey, Recorded};
use crate::bounded;
use crate::check::Severity;
use crate::plan::path::Verdict;

const API_VERSION: &str = "gloo-rs/v1";
const OTHER_VERSION: &str = "its version is not gloo-rs/v1, the only one that is known here";
const FOREIGN: &str = "it is not a baseline: its first line is not the head of one";
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

/// What a file has: the baseline of one cluster, or one for each context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Baselines {
    One(Baseline),
    OfContexts(BTreeMap<String, Baseline>),
}

/// A line with the context that it is about, if the file is about several.
#[derive(Serialize)]
struct Placed<'c, T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'c str>,
    #[serde(flatten)]
    line: T,
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
    /// The lines of this cluster: the head, what was not read, the paths, the findings.
    fn lines<'b>(&'b self, context: Option<&'b str>) -> impl Iterator<Item = String> + 'b {
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
        let facts = not_read.chain(paths).chain(findings).map(move |line| json(&Placed { context, line }));
        std::iter::once(json(&Placed { context, line: head })).chain(facts)
    }

    /// One without facts, about what the head says.
    fn headed(head: Head) -> Self {
        let recorded = Recorded {
            paths: head.paths.as_ref().map(|_| BTreeMap::new()),
            findings: head.findings.as_ref().map(|_| BTreeMap::new()),
            ..Recorded::default()
        };
        Self { paths: head.paths, findings: head.findings, recorded }
    }
}

impl Baselines {
    /// Returns the lines of the file. Contexts are in the order of their names.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let parts: Vec<(Option<&str>, &Baseline)> = match self {
            Self::One(baseline) => vec![(None, baseline)],
            Self::OfContexts(all) => all.iter().map(|(context, baseline)| (Some(context.as_str()), baseline)).collect(),
        };
        parts.into_iter().flat_map(|(context, baseline)| baseline.lines(context))
    }

    /// Returns whether a file begins as a baseline does. Of one whose other lines are broken this is true.
    pub(crate) fn is_one(text: &str) -> bool {
        text.lines().next().is_some_and(|line| first_head(line).is_ok())
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// What is wrong, and in which line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().enumerate();
        let (mut context, first) =
            lines.next().map_or_else(|| Err("it is empty".to_owned()), |(_, line)| first_head(line))?;
        let mut parts = BTreeMap::new();
        let mut part = Baseline::headed(first);
        for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = |why: String| format!("line {}: {why}", index + 1);
            let (of, value) = placed(line).map_err(|_| wrong("it is not JSON".to_owned()))?;
            if of == context {
                add(&mut part.recorded, value).map_err(wrong)?;
                continue;
            }
            let (Some(before), Some(next)) = (&context, &of) else {
                return Err(wrong("some lines name a context, and others do not".to_owned()));
            };
            if parts.contains_key(next) {
                return Err(wrong(format!("context {next:?} stands there twice")));
            }
            let head = head(value).map_err(|why| wrong(format!("it is the first of its context; {why}")))?;
            parts.insert(before.clone(), std::mem::replace(&mut part, Baseline::headed(head)));
            context = of;
        }
        Ok(match context {
            None => Self::One(part),
            Some(last) => {
                parts.insert(last, part);
                Self::OfContexts(parts)
            }
        })
    }
}

fn json(line: &impl Serialize) -> String {
    serde_json::to_string(line).expect("texts and nulls are JSON")
}

/// A line without its context, and the context.
fn placed(line: &str) -> Result<(Option<String>, Value), String> {
    let mut value = bounded::value(line.as_bytes(), MOST_PARSED).map_err(|_| "it is not JSON".to_owned())?;
    match value.as_object_mut().and_then(|object| object.remove("context")) {
        None => Ok((None, value)),
        Some(Value::String(context)) => Ok((Some(context), value)),
        Some(_) => Err("its context is not a text".to_owned()),
    }
}

fn first_head(line: &str) -> Result<(Option<String>, Head), String> {
    let (context, value) = placed(line).map_err(|_| FOREIGN.to_owned())?;
    if value["kind"] != KIND {
        return Err(FOREIGN.to_owned());
    }
    let head = head(value).map_err(|why| if why == OTHER_VERSION { why } else { format!("line 1: {why}") })?;
    Ok((context, head))
}

fn head(value: Value) -> Result<Head, String> {
    if value["kind"] != KIND {
        return Err("it is not a head".to_owned());
    }
    if value["apiVersion"] != API_VERSION {
        return Err(OTHER_VERSION.to_owned());
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

fn add(recorded: &mut Recorded, value: Value) -> Result<(), String> {
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
