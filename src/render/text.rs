//! Results as lines for people and for `grep`.

use super::line::Line;
pub(crate) use crate::command::quoted as shell_word;
use crate::error::Reason;
use crate::model::ObjectRef;
use crate::plan::advice::Advice;
use crate::plan::outcome::{Outcome, Row};

/// The mark after a result that was not written, in kubectl's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
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

/// The object as kubectl prints it, `upstream.gloo.solo.io/x`; `upstream.gloo.solo.io/shop/x` outside of the usual
/// namespace. `--upstream` accepts both forms.
pub(crate) fn subject(object: &ObjectRef, usual_namespace: &str) -> String {
    if usual_namespace.is_empty() {
        return object.to_string();
    }
    format!("{}/{}", object.kind, short_name(object, usual_namespace))
}

/// The line of an object without a problem: `upstream.gloo.solo.io/x mTLS enabled in edge.yaml (dry run)`.
pub(crate) fn answer(row: &Row, mark: Mark, usual_namespace: &str) -> Line {
    let mark = if row.outcome == Outcome::Changed { mark.text() } else { "" };
    let place = row.file.as_ref().filter(|file| *file != STDIN).map(|file| format!(" in {file}")).unwrap_or_default();
    let subject = Line::from(subject(&row.object, usual_namespace));
    subject.text(" ").toned(&row.message, &row.outcome).text(place).text(mark)
}

/// The name of standard input: `-f -`.
pub(crate) const STDIN: &str = "-";

/// The first line of an object with a problem: `upstream.gloo.solo.io/x: not found in gloo-system`.
pub(crate) fn trouble(row: &Row, usual_namespace: &str) -> String {
    let place = match (&row.file, row.line) {
        (Some(file), Some(line)) => format!("{}:{line}: ", if file == STDIN { "stdin" } else { file }),
        (Some(file), None) => format!("{file}: "),
        (None, _) => String::new(),
    };
    if row.object.name.is_empty() {
        return format!("{place}{}", row.message);
    }
    format!("{place}{}: {}", subject(&row.object, usual_namespace), row.message)
}

/// Whether a character controls a terminal instead of being shown: control characters (also C1), and with them ANSI
/// sequences; bidirectional controls; invisible characters.
pub(crate) fn is_obeyed(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{061c}' | '\u{feff}')
}

/// Whether a text of several lines contains such characters.
pub(crate) fn has_obeyed(text: &str) -> bool {
    text.chars().any(|c| c != '\n' && is_obeyed(c))
}

/// JSON with these characters escaped. They occur only inside of strings, so the meaning stays the same.
pub(crate) fn inert_json(json: &str) -> String {
    if !has_obeyed(json) {
        return json.to_owned();
    }
    json.chars()
        .map(|c| if c != '\n' && is_obeyed(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() })
        .collect()
}

/// The name with its namespace, `namespace/name`, unless that is the usual one.
pub(crate) fn short_name(object: &ObjectRef, usual_namespace: &str) -> String {
    if object.namespace.is_empty() || object.namespace == usual_namespace {
        object.name.clone()
    } else {
        format!("{}/{}", object.namespace, object.name)
    }
}

/// A number with its noun: `1 file`, `3 files`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// The lines under a warning or note.
pub(crate) fn below(advice: &Advice) -> impl Iterator<Item = Line> + '_ {
    advice.details.iter().map(Line::from).chain(advice.hint.iter().map(|hint| Line::from("hint: ").hint(hint)))
}

/// A reason for skipping, in a few words for a summary.
pub(crate) fn brief(reason: Reason) -> &'static str {
    match reason {
        Reason::NoSidecar => "no sidecar behind it",
        Reason::NoPods => "no pod behind it",
        Reason::NotKubernetes => "not a Kubernetes Service",
        Reason::SystemService => "not an app's Service",
        Reason::ForeignTls => "TLS settings not managed by Istio",
        Reason::StrictPeer => "strict peer",
        Reason::DisabledPeer => "peer with mTLS disabled",
        Reason::Unknown => "unknown",
        Reason::NoSpec => "no spec",
        Reason::UnknownField => "fields not in the CRD",
        Reason::PathDiffers => "auto-mTLS sends something else",
        Reason::AutoMtlsOff => "auto-mTLS is off",
        Reason::OptedOut => "opted out of auto-mTLS",
        other => other.name(),
    }
}

/// A duration for people: `0.4s`, `18s`, `1m04s`.
pub(crate) fn seconds(time: std::time::Duration) -> String {
    let whole = time.as_secs();
    match whole {
        0..=9 => format!("{:.1}s", time.as_secs_f64()),
        10..=59 => format!("{whole}s"),
        _ => format!("{}m{:02}s", whole / 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_inert_and_says_the_same() {
        let value = serde_json::json!({"a": "\u{9b}31m \u{202e}x\u{1b}[0m\u{7f}\nend"});
        let text = inert_json(&format!("{value:#}\n"));
        assert!(!has_obeyed(&text), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn words_for_a_shell_are_quoted_where_it_would_read_them_otherwise() {
        assert_eq!(shell_word("arn:aws:eks:eu-1:7:cluster/prod"), "arn:aws:eks:eu-1:7:cluster/prod");
        assert_eq!(shell_word("a b"), "'a b'");
        assert_eq!(shell_word("$(reboot)"), "'$(reboot)'");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
        assert_eq!(shell_word(""), "''");
    }
}
