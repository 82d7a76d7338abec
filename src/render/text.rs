//! Results as lines for people and for `grep`.

use crate::error::Reason;
use crate::model::ObjectRef;
use crate::plan::advice::Advice;
use crate::plan::outcome::{Outcome, Row};

/// What stands after a result that was not written: kubectl's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Written,
    ClientDryRun,
    ServerDryRun,
}

impl Mark {
    fn text(self) -> &'static str {
        match self {
            Self::Written => "",
            Self::ClientDryRun => " (dry run)",
            Self::ServerDryRun => " (server dry run)",
        }
    }
}

/// The line of an object that is as asked: `upstream.gloo.solo.io/x mTLS enabled in edge.yaml (dry run)`.
pub fn answer(row: &Row, mark: Mark) -> String {
    let mark = if row.outcome == Outcome::Changed { mark.text() } else { "" };
    let place = row.file.as_ref().filter(|file| *file != STDIN).map(|file| format!(" in {file}")).unwrap_or_default();
    format!("{} {}{place}{mark}", row.object, row.message)
}

/// How `-f -` is named.
pub const STDIN: &str = "-";

/// The first line of an object that is not: `upstream.gloo.solo.io/x: not found in gloo-system`.
pub fn trouble(row: &Row) -> String {
    let place = match (&row.file, row.line) {
        (Some(file), Some(line)) => format!("{}:{line}: ", if file == STDIN { "stdin" } else { file }),
        (Some(file), None) => format!("{file}: "),
        (None, _) => String::new(),
    };
    if row.object.name.is_empty() {
        return format!("{place}{}", row.message);
    }
    format!("{place}{}: {}", row.object, row.message)
}

/// `namespace/name` where it matters, `name` where it does not.
pub fn short_name(object: &ObjectRef, usual_namespace: &str) -> String {
    if object.namespace.is_empty() || object.namespace == usual_namespace {
        object.name.clone()
    } else {
        format!("{}/{}", object.namespace, object.name)
    }
}

/// A count and its noun: `1 file`, `3 files`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// The lines under a warning or note.
pub fn below(advice: &Advice) -> impl Iterator<Item = String> + '_ {
    advice.details.iter().cloned().chain(advice.hint.iter().map(|hint| format!("hint: {hint}")))
}

/// A reason to skip, in the few words of a summary.
pub fn brief(reason: Reason) -> &'static str {
    match reason {
        Reason::NoSidecar => "no sidecar behind it",
        Reason::NoPods => "no pod behind it",
        Reason::NotKubernetes => "not a Kubernetes Service",
        Reason::SystemService => "not an app's Service",
        Reason::ForeignTls => "own TLS settings",
        Reason::StrictPeer => "strict peer",
        Reason::Unknown => "could not be told",
        Reason::NoSpec => "no spec",
        other => other.name(),
    }
}

/// A time for people: `0.4s`, `18s`, `1m04s`.
pub fn seconds(time: std::time::Duration) -> String {
    let whole = time.as_secs();
    match whole {
        0..=9 => format!("{:.1}s", time.as_secs_f64()),
        10..=59 => format!("{whole}s"),
        _ => format!("{}m{:02}s", whole / 60, whole % 60),
    }
}
