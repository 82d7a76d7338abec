//! Rows as lines of JSON: as maps they take about five times the memory.

use serde::Serialize;
use serde_json::Value;

use super::ViewRow;
use crate::bounded;

/// JSON values, one in each line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KeptRows {
    lines: Vec<u8>,
}

impl KeptRows {
    /// Adds a value unless all would have more than `most` bytes then. Returns whether it was added.
    pub(crate) fn push(&mut self, row: &impl Serialize, most: usize) -> bool {
        let Ok(line) = serde_json::to_vec(row) else { return false };
        let fits = self.lines.len() + line.len() < most;
        if fits {
            self.lines.extend(line);
            self.lines.push(b'\n');
        }
        fits
    }

    /// Keeps the rows after the first `start` bytes only if they fit a condition.
    pub(super) fn retain_from(&mut self, start: usize, fits: impl Fn(&ViewRow) -> bool) {
        let new = self.lines.split_off(start);
        for line in new.split_inclusive(|byte| *byte == b'\n') {
            if fits(&row(line)) {
                self.lines.extend_from_slice(line);
            }
        }
    }

    /// The size of all in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The rows. Each is parsed when it is taken.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ViewRow> + Clone {
        self.texts().map(row)
    }

    /// The rows as values. `None`: they take more than `most` bytes of memory.
    #[must_use]
    pub(crate) fn values(&self, most: usize) -> Option<Vec<Value>> {
        bounded::values(self.texts(), most)
    }

    fn texts(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.lines.split_inclusive(|byte| *byte == b'\n')
    }
}

fn row(line: &[u8]) -> ViewRow {
    let row = match bounded::value(line, usize::MAX) {
        Ok(Value::Object(row)) => Some(row),
        _ => None,
    };
    row.expect("a line is a row that was written here")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_come_back_as_they_were() {
        let rows = [json!({"name": "a\nb", "port": 8080, "domains": ["*"]}), json!({"z": null, "a": {"b": false}})];
        let mut kept = KeptRows::default();
        assert!(kept.is_empty());
        assert!(rows.iter().all(|row| kept.push(row, 1 << 10)));
        assert_eq!(kept.iter().map(Value::Object).collect::<Vec<_>>(), rows);
        assert_eq!(kept.values(1 << 20).unwrap(), rows);
        let one = (1..1 << 20).find(|most| {
            let mut one = KeptRows::default();
            one.push(&rows[0], 1 << 10) && one.values(*most).is_some()
        });
        assert_eq!(kept.values(one.unwrap()), None, "the limit is for all rows");
        let start = kept.bytes();
        assert!(kept.push(&rows[0], 1 << 10) && kept.push(&rows[1], 1 << 10));
        kept.retain_from(start, |row| row.contains_key("z"));
        let names: Vec<_> = kept.iter().map(|row| row.contains_key("name")).collect();
        assert_eq!(names, [true, false, false]);
    }

    #[test]
    fn a_row_that_does_not_fit_leaves_nothing_of_itself() {
        let mut kept = KeptRows::default();
        assert!(kept.push(&json!({"a": 1}), 8));
        assert!(!kept.push(&json!({"b": 1}), 15) && kept.push(&json!({"b": 1}), 16));
        assert_eq!(kept.bytes(), 16);
    }
}
