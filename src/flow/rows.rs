//! The rows of many objects, small until they are said: most differ from the one before in name and place alone.

use std::mem::take;
use std::num::NonZeroU32;
use std::rc::Rc;

use crate::plan::outcome::Row;

/// How many kinds of rows are compared with a new one.
const KINDS: usize = 16;

/// Rows in the order in which they came.
#[derive(Default)]
pub struct Rows {
    all: Vec<Small>,
    /// The newest kinds, the last one used at the end.
    kinds: Vec<Rc<Row>>,
}

/// A row as what it shares with others, and the rest.
struct Small {
    name: Box<str>,
    file: Option<Rc<str>>,
    /// No file is taken that has more.
    line: Option<NonZeroU32>,
    /// Without a name, a file and a line.
    shared: Rc<Row>,
}

impl Rows {
    fn push(&mut self, mut row: Row) {
        let name = take(&mut row.object.name).into_boxed_str();
        let (file, line) = (row.file.take(), row.line.take().and_then(small));
        let file = file.map(|file| match self.all.last().and_then(|last| last.file.clone()) {
            Some(known) if *known == *file => known,
            _ => Rc::from(file),
        });
        let shared = match self.kinds.iter().rposition(|kind| **kind == row) {
            Some(place) => self.kinds.remove(place),
            None => Rc::new(row),
        };
        if self.kinds.len() == KINDS {
            self.kinds.remove(0);
        }
        self.kinds.push(Rc::clone(&shared));
        self.all.push(Small { name, file, line, shared });
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether one of them is like this.
    pub fn any(&self, like: impl Fn(&str, &Row) -> bool) -> bool {
        self.all.iter().any(|small| like(&small.name, &small.shared))
    }

    /// Each of them as it came, one at a time.
    pub fn whole(self) -> impl Iterator<Item = Row> {
        self.all.into_iter().map(|Small { name, file, line, shared }| {
            let mut row = (*shared).clone();
            row.object.name = name.into();
            Row { file: file.map(|file| file.to_string()), line: line.map(|line| line.get() as usize), ..row }
        })
    }
}

fn small(line: usize) -> Option<NonZeroU32> {
    NonZeroU32::new(u32::try_from(line).ok()?)
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
