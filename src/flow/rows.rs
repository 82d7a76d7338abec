//! The result rows of many objects in a compact form. Most rows differ from the previous one only in name and position.

use std::mem::{replace, take};
use std::num::NonZeroU32;
use std::rc::Rc;

use crate::plan::outcome::Row;

/// How many earlier kinds of rows a new one is compared with.
const KINDS: usize = 16;

/// Rows in the order in which they were added.
#[derive(Default)]
pub(super) struct Rows {
    all: Vec<Small>,
    /// All names, concatenated. A separate string for each name would take more memory than its text.
    names: String,
    /// Each file once per run of its rows: a file is read completely before the next.
    files: Vec<String>,
    /// The newest kinds, with the most recently used one at the end.
    kinds: Vec<Rc<Row>>,
}

/// A row, split into what it shares with others and the rest.
struct Small {
    /// The end of its name in `names`. The name starts where the previous one ends.
    name_ends: usize,
    /// The number of its file, starting at one.
    file: Option<NonZeroU32>,
    /// The line. Files with more lines than fit are not read.
    line: Option<NonZeroU32>,
    /// The row without its name, file and line.
    shared: Rc<Row>,
}

impl Rows {
    fn push(&mut self, mut row: Row) {
        self.names.push_str(&take(&mut row.object.name));
        let name_ends = self.names.len();
        let (file, line) = (row.file.take(), row.line.take().and_then(small));
        let file = file.and_then(|file| {
            if self.files.last() != Some(&file) {
                self.files.push(file);
            }
            small(self.files.len())
        });
        let shared = match self.kinds.iter().rposition(|kind| **kind == row) {
            Some(place) => self.kinds.remove(place),
            None => Rc::new(row),
        };
        if self.kinds.len() == KINDS {
            self.kinds.remove(0);
        }
        self.kinds.push(Rc::clone(&shared));
        self.all.push(Small { name_ends, file, line, shared });
    }

    /// Whether there are no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether a row matches `like`.
    pub(super) fn any(&self, like: impl Fn(&str, &Row) -> bool) -> bool {
        self.named().any(|(name, small)| like(name, &small.shared))
    }

    /// Each row in its original form, one at a time.
    pub(super) fn whole(&self) -> impl Iterator<Item = Row> {
        self.named().map(|(name, small)| {
            let mut row = (*small.shared).clone();
            name.clone_into(&mut row.object.name);
            let file = small.file.map(|number| self.files[number.get() as usize - 1].clone());
            Row { file, line: small.line.map(|line| line.get() as usize), ..row }
        })
    }

    fn named(&self) -> impl Iterator<Item = (&str, &Small)> {
        let mut begins = 0;
        self.all.iter().map(move |small| {
            let begun = replace(&mut begins, small.name_ends);
            (&self.names[begun..small.name_ends], small)
        })
    }
}

fn small(number: usize) -> Option<NonZeroU32> {
    NonZeroU32::new(u32::try_from(number).ok()?)
}

impl Extend<Row> for Rows {
    fn extend<T: IntoIterator<Item = Row>>(&mut self, rows: T) {
        for row in rows {
            self.push(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Reason;
    use crate::model::ObjectRef;
    use crate::model::kinds::UPSTREAM;
    use crate::plan::outcome::{Objection, Outcome};

    #[test]
    fn rows_come_back_as_they_were_and_share_what_is_the_same() {
        let object = |name: &str| ObjectRef::new(&UPSTREAM, "shop", name);
        let changed = |name: &str| Row::answer(object(name), Outcome::Changed, "mTLS enabled");
        let skipped = Row::left(object("c"), Outcome::Skipped, Objection::new(Reason::NoSidecar, "no").hint("x"));
        let all =
            [changed("a").at("one.yaml", 1), changed("b").at("one.yaml", 9), skipped, changed("d").at("two.yaml", 1)];
        let mut rows = Rows::default();
        assert!(rows.is_empty());
        rows.extend(all.clone());
        assert!(Rc::ptr_eq(&rows.all[0].shared, &rows.all[3].shared));
        assert!(rows.any(|name, row| name == "c" && row.outcome == Outcome::Skipped));
        assert_eq!(rows.whole().collect::<Vec<_>>(), all);
    }
}
