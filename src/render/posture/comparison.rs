//! The differences from a baseline, as lines and as a value.

use serde_json::{Map, Value, json};

use crate::posture::baseline::{Comparison, Difference, DifferenceKind};
use crate::render::line::Line;
use crate::render::text::count;
use crate::render::tone::{Tone, Toned};

/// The number of differences that are shown of each kind.
const SHOWN: usize = 50;

impl Toned for DifferenceKind {
    fn tone(&self) -> Option<Tone> {
        match self {
            Self::Worse => Some(Tone::Bad),
            Self::Better => Some(Tone::Good),
            Self::NotComparable => Some(Tone::Unknown),
            Self::New | Self::Removed | Self::Changed => None,
        }
    }
}

/// The lines: each difference, and in the end how many there are of each kind.
pub(crate) fn lines(compared: &Comparison) -> Vec<Line> {
    let mut lines = differences(compared);
    lines.push(summary(compared));
    lines
}

/// A line for each difference, and for those of each kind that are left out.
pub(crate) fn differences(compared: &Comparison) -> Vec<Line> {
    let mut lines = Vec::new();
    for kind in DifferenceKind::ALL {
        let all = compared.of_kind(kind);
        let shown = all.iter().take(SHOWN);
        lines
            .extend(shown.map(|difference| Line::default().toned(kind.words(), &kind).text(format!(": {difference}"))));
        let more = all.len().saturating_sub(SHOWN);
        lines.extend((more > 0).then(|| Line::from(format!("{}: and {more} more; -o json lists them", kind.words()))));
    }
    lines
}

fn summary(compared: &Comparison) -> Line {
    if compared.is_empty() {
        return Line::from("baseline: no difference");
    }
    let found = DifferenceKind::ALL.into_iter().map(|kind| (kind, compared.of_kind(kind).len()));
    let found = found.filter(|(_, number)| *number > 0);
    let line = found.enumerate().fold(Line::from("baseline: "), |line, (place, (kind, number))| {
        let between = if place == 0 { "" } else { ", " };
        line.text(between).toned(format!("{number} {}", kind.words()), &kind)
    });
    let total: usize = DifferenceKind::ALL.iter().map(|kind| compared.of_kind(*kind).len()).sum();
    line.text(format!(" ({})", count(total, "difference")))
}

/// Writes `upstream gloo-system/cart by gateway gloo-system/gateway-proxy: mtls -> plaintext`.
impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(context) = &self.context {
            write!(f, "context {context}: ")?;
        }
        f.write_str(&self.subject)?;
        if let Some(gateway) = &self.gateway {
            write!(f, " by gateway {gateway}")?;
        }
        match (&self.before, &self.now) {
            (Some(before), Some(now)) => write!(f, ": {before} -> {now}"),
            (Some(only), None) => write!(f, ": was {only}, is not there"),
            (None, Some(only)) => write!(f, ": {only}"),
            (None, None) => Ok(()),
        }
    }
}

/// The value of the document: a list for each kind.
pub(crate) fn value(compared: &Comparison, file: &str) -> Value {
    let lists = DifferenceKind::ALL.map(|kind| (kind.name().to_owned(), json!(compared.of_kind(kind))));
    let named = std::iter::once(("file".to_owned(), Value::from(file)));
    Value::Object(named.chain(lists).collect::<Map<_, _>>())
}
