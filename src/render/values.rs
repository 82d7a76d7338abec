//! The changes of Helm values, line by line, and the command for Helm.

use super::text::shell_word;
use serde_json::{Value, json};

use super::diff::Secrets;
use crate::model::FieldPath;
use crate::plan::values::{ChartChoice, Old, ValueChange};
use crate::render::text::count;

/// The longest line of a change. A longer change takes three lines.
const WIDTH: usize = 78;

/// The heading `changes (4; your other 31 values are not changed)`, and a line for each change.
pub(crate) fn changes(changes: &[ValueChange], others: usize, secrets: Secrets) -> Vec<String> {
    if changes.is_empty() {
        return vec!["no change: the values already have these settings".to_owned()];
    }
    let others = match others {
        0 => String::new(),
        _ => format!(
            "; your other {} not changed",
            if others == 1 { "value is".into() } else { format!("{others} values are") }
        ),
    };
    let mut lines = vec![format!("changes ({}{others})", changes.len())];
    let lengths = changes.iter().map(|change| change.path.to_string().len());
    let width = lengths.filter(|length| *length <= WIDTH / 2).max().unwrap_or_default();
    for change in changes {
        let (old, new) = (old(&change.old, secrets), new(change.new.as_ref(), secrets));
        let line = format!("  {:width$}  {old} -> {new} ({})", change.path.to_string(), change.source);
        if line.len() <= WIDTH {
            lines.push(line);
        } else {
            lines.push(format!("  {}", change.path));
            lines.push(format!("    {old} -> {new} ({})", change.source));
        }
    }
    lines
}

/// The line of a change: `global.istioIntegration.enabled: (unset) -> true`.
pub(crate) fn line(change: &ValueChange, secrets: Secrets) -> String {
    format!("  {}: {} -> {}", change.path, old(&change.old, secrets), new(change.new.as_ref(), secrets))
}

/// The chart that reads the values, as a value of the document.
pub(crate) fn chart(choice: &ChartChoice) -> Value {
    json!({
        "edition": choice.edition.word(),
        "name": choice.edition.chart(),
        "below": choice.below,
        "reason": choice.why,
    })
}

/// The changes as a value of the document.
pub(crate) fn value(changes: &[ValueChange], secrets: Secrets) -> Value {
    changes
        .iter()
        .map(|change| {
            let (old, origin) = match &change.old {
                Old::Unset => (&Value::Null, "unset"),
                Old::Unknown => (&Value::Null, "unknown"),
                Old::Set(value) => (value, "values"),
                Old::Chart(value) => (value, "chart"),
            };
            json!({
                "path": change.path.to_string(),
                "old": secrets.shown(old),
                "oldFrom": origin,
                "new": change.new.as_ref().map(|new| secrets.shown(new)),
                "source": change.source,
            })
        })
        .collect()
}

fn old(old: &Old, secrets: Secrets) -> String {
    match old {
        Old::Unset => "(unset)".to_owned(),
        Old::Unknown => "(unknown)".to_owned(),
        Old::Set(value) => plain(value, secrets),
        Old::Chart(value) => format!("{} (chart)", plain(value, secrets)),
    }
}

fn new(new: Option<&Value>, secrets: Secrets) -> String {
    new.map_or_else(|| "(unset)".to_owned(), |value| plain(value, secrets))
}

fn plain(value: &Value, secrets: Secrets) -> String {
    let shown = secrets.shown(value);
    shown.as_str().map_or_else(|| shown.to_string(), str::to_owned)
}

/// A command in several lines for a shell. Each part is a group of words that stay together.
pub(crate) fn command(parts: &[Vec<String>]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        let text = part.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ");
        match lines.last_mut() {
            Some(last) if last.len() + text.len() + 5 < WIDTH => {
                last.push(' ');
                last.push_str(&text);
            }
            Some(last) => {
                last.push_str(" \\");
                lines.push(format!("    {text}"));
            }
            None => lines.push(format!("  {text}")),
        }
    }
    lines
}

/// The note on secrets: `1 secret-looking value: license_key`.
pub(crate) fn secrets(paths: &[FieldPath]) -> String {
    let listed: Vec<_> = paths.iter().map(ToString::to_string).collect();
    format!("the output contains {}: {}", count(paths.len(), "secret-looking value"), listed.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_aligned_and_long_ones_take_two_lines() {
        let change = |key: &str, old, new: &str| ValueChange {
            path: FieldPath::keys(&["global", key]),
            old,
            new: Some(new.into()),
            source: "istiod".into(),
        };
        let shown = changes(
            &[change("a", Old::Unset, "x"), change("longer", Old::Chart("1".into()), &"y".repeat(60))],
            1,
            Secrets::Masked,
        );
        assert_eq!(shown[0], "changes (2; your other value is not changed)");
        assert_eq!(shown[1], "  global.a       (unset) -> x (istiod)");
        assert_eq!(shown[2], "  global.longer");
        assert!(shown[3].starts_with("    1 (chart) -> yyy"));
    }

    #[test]
    fn a_command_is_broken_into_lines_that_a_shell_joins() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let parts = [
            words("helm upgrade gloo gloo"),
            vec!["--kube-context".into(), "a b'c".into()],
            words("--repo https://storage.example.com/solo-public-helm-charts-and-more"),
        ];
        assert_eq!(
            command(&parts),
            [
                r"  helm upgrade gloo gloo --kube-context 'a b'\''c' \",
                "    --repo https://storage.example.com/solo-public-helm-charts-and-more"
            ]
        );
    }
}
