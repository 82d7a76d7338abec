//! The tables of several contexts as one, with the context in the first column.

use super::{ContextAnswer, ContextState};
use crate::render::answer::AnswerPart;
use crate::render::describe::csv_cell;
use crate::render::table::{Align, Table, TableRow};
use crate::render::tone::Tone;

const HEAD: (&str, Align) = ("CONTEXT", Align::Left);

/// What the answers have in common: a table, records, or values that stand alone on their lines.
#[derive(Default)]
struct Columns {
    table: Option<Table>,
    /// The contexts without an answer, each with the number of rows before its own.
    unknown: Vec<(usize, String)>,
    csv: Vec<String>,
    values: Vec<(String, String)>,
    beside: Vec<AnswerPart>,
}

/// The common table, then what is said beside it. A context that is not known has a row of question marks.
pub(super) fn columns(all: Vec<ContextAnswer>) -> Vec<AnswerPart> {
    let mut columns = Columns::default();
    for one in all {
        columns.take(one);
    }
    columns.parts()
}

impl Columns {
    fn take(&mut self, mut one: ContextAnswer) {
        if one.state() != ContextState::Answered {
            let before = self.table.as_ref().map_or(0, |table| table.rows.len());
            self.unknown.push((before, one.context.clone()));
        }
        for part in one.take_parts() {
            self.take_part(&one, part);
        }
        self.beside.extend(one.ended());
    }

    fn take_part(&mut self, of: &ContextAnswer, part: AnswerPart) {
        let context = || of.context.clone();
        match part {
            AnswerPart::Table(Table { columns, rows, dispensable, .. }) => {
                let columns = || std::iter::once(HEAD).chain(columns).collect();
                let table = self.table.get_or_insert_with(|| Table {
                    columns: columns(),
                    rows: Vec::new(),
                    toned: 1,
                    dispensable,
                });
                table.rows.extend(rows.into_iter().map(|row| TableRow { cells: led(context(), row.cells), ..row }));
            }
            AnswerPart::Value(value) => self.values.push((context(), value)),
            AnswerPart::Csv { head, rows } => {
                if self.csv.is_empty() {
                    self.csv.push(format!("context,{head}"));
                }
                self.csv.extend(rows.into_iter().map(|row| format!("{},{row}", csv_cell(&of.context))));
            }
            AnswerPart::Line(line) | AnswerPart::Paragraph(line) => {
                self.beside.push(AnswerPart::Status(of.named(&line.to_string()).into()));
            }
            beside => self.beside.push(beside),
        }
    }

    fn parts(self) -> Vec<AnswerPart> {
        let Self { table, unknown, csv, values, beside } = self;
        let table = table.map(|table| AnswerPart::Table(with_unknown(table, unknown)));
        let widest = values.iter().map(|(context, _)| context.chars().count()).max().unwrap_or_default();
        let values = values.into_iter().map(|(context, value)| format!("{context:widest$}  {value}"));
        let lines = csv.into_iter().chain(values).map(|line| AnswerPart::Line(line.into()));
        table.into_iter().chain(lines).chain(beside).collect()
    }
}

fn led(first: String, rest: impl IntoIterator<Item = String>) -> Vec<String> {
    std::iter::once(first).chain(rest).collect()
}

/// The table with the rows of the contexts that are not known, each at its place.
fn with_unknown(mut table: Table, unknown: Vec<(usize, String)>) -> Table {
    let others = table.columns.len().saturating_sub(1);
    for (earlier, (before, context)) in unknown.into_iter().enumerate() {
        let cells = led(context, std::iter::repeat_n("?".to_owned(), others));
        table.rows.insert(before + earlier, TableRow { cells, tone: Some(Tone::Unknown) });
    }
    table
}
