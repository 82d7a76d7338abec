//! Tables as text: two spaces between the columns, no spaces at the end of a line.

use super::line::Line;
use super::tone::Tone;

/// The limit of a column's width. A longer cell overflows; the other cells of its column are not padded to its length,
/// and `format!` accepts no width above 65,535.
const WIDEST: usize = 256;

/// The side of its column on which a cell is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    /// For numbers.
    Right,
}

/// A table before its columns have widths, so that the tables of several clusters can become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub columns: Vec<(&'static str, Align)>,
    pub rows: Vec<TableRow>,
    /// The place of the column whose words have the tone of their row.
    pub toned: usize,
    /// The columns that a terminal does without if the lines are too long, the least important first.
    pub dispensable: &'static [&'static str],
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableRow {
    pub cells: Vec<String>,
    pub tone: Option<Tone>,
}

impl From<Vec<String>> for TableRow {
    fn from(cells: Vec<String>) -> Self {
        Self { cells, tone: None }
    }
}

impl Table {
    /// The lines, the header first; for a terminal of this width, if there is one.
    #[must_use]
    pub(crate) fn lines(&self, width: Option<usize>) -> Vec<Line> {
        let cells: Vec<_> = self.rows.iter().map(|row| row.cells.clone()).collect();
        let (lines, dispensed) = match width {
            Some(width) => fitted(&self.columns, &cells, width, self.dispensable),
            None => (table(&self.columns, &cells), Vec::new()),
        };
        let rows = std::iter::once(None).chain(self.rows.iter().map(Some));
        let lines = lines.iter().zip(rows).map(|(line, row)| self.toned(line, row));
        lines.chain(left_out(&dispensed).map(Line::from)).collect()
    }

    /// The line with the word in the tone of its row. The cells before it are never left out.
    fn toned(&self, line: &str, row: Option<&TableRow>) -> Line {
        let place = || {
            let row = row?;
            let word = row.cells.get(self.toned)?;
            let before: usize = row.cells.iter().take(self.toned).map(String::len).sum();
            let at = before + line.get(before..)?.find(word.as_str())?;
            Some((line.split_at(at), word, row.tone?))
        };
        let Some(((before, rest), word, tone)) = place() else { return Line::from(line) };
        Line::from(before).toned(word, &tone).text(rest.strip_prefix(word.as_str()).unwrap_or_default())
    }
}

/// The lines of a table, the header first.
#[must_use]
pub(crate) fn table(columns: &[(&str, Align)], rows: &[Vec<String>]) -> Vec<String> {
    lines(columns, rows.iter().cloned()).collect()
}

/// The lines of a table, the header first. The rows are made twice: for the widths, and each for its line.
pub(crate) fn lines<'t>(
    columns: &'t [(&str, Align)],
    rows: impl Iterator<Item = Vec<String>> + Clone + 't,
) -> impl Iterator<Item = String> + 't {
    let head: Vec<String> = columns.iter().map(|(head, _)| (*head).to_owned()).collect();
    let mut widths: Vec<usize> = head.iter().map(|head| length(head)).collect();
    for row in rows.clone() {
        for (width, cell) in widths.iter_mut().zip(&row) {
            *width = length(cell).min(WIDEST).max(*width);
        }
    }
    std::iter::once(head).chain(rows).map(move |row| line(columns, &widths, &row))
}

/// The lines of a table for a terminal, and the columns that were left out so that it fits `width`: those of `order`, one
/// after the other.
#[must_use]
pub(crate) fn fitted(
    columns: &[(&'static str, Align)],
    rows: &[Vec<String>],
    width: usize,
    order: &[&'static str],
) -> (Vec<String>, Vec<&'static str>) {
    let mut left_out = Vec::new();
    loop {
        let is_kept = |at: &usize| columns.get(*at).is_some_and(|(head, _)| !left_out.contains(head));
        let kept: Vec<usize> = (0..columns.len()).filter(is_kept).collect();
        let heads: Vec<_> = kept.iter().map(|at| columns[*at]).collect();
        let cells = |row: &Vec<String>| kept.iter().filter_map(|at| row.get(*at).cloned()).collect();
        let lines = table(&heads, &rows.iter().map(cells).collect::<Vec<_>>());
        let fits = lines.iter().all(|line| length(line) <= width);
        match order.get(left_out.len()) {
            Some(next) if !fits => left_out.push(next),
            _ => return (lines, left_out),
        }
    }
}

/// The line about the columns that were left out, if there are any.
#[must_use]
pub(crate) fn left_out(columns: &[&str]) -> Option<String> {
    (!columns.is_empty()).then(|| format!("-o wide has {}", columns.join(", ")))
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn line(columns: &[(&str, Align)], widths: &[usize], row: &[String]) -> String {
    let cells = row.iter().zip(columns).zip(widths).map(|((cell, (_, align)), width)| match align {
        Align::Left => format!("{cell:<width$}"),
        Align::Right => format!("{cell:>width$}"),
    });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_of_any_length_is_a_line_and_makes_no_other_as_long() {
        let long = "x".repeat(70_000);
        let rows = [vec![long.clone(), "1".to_owned()], vec!["y".to_owned(), "2".to_owned()]];
        for align in [Align::Left, Align::Right] {
            let lines = table(&[("NAME", align), ("N", Align::Left)], &rows);
            assert_eq!(lines[1], format!("{long}  1"));
            assert!(lines[2].len() < 300 && lines[2].ends_with("  2"), "{}", lines[2]);
        }
    }

    #[test]
    fn a_table_that_is_too_wide_loses_columns_in_order_until_it_fits() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let columns = [("NAME", Align::Left), ("OWNER", Align::Left), ("IN USE", Align::Left)];
        let rows = [row(["a-long-name", "somebody-else", "yes"])];
        let of = |width| fitted(&columns, &rows, width, &["OWNER", "NAME"]);
        assert_eq!(of(80).1, [""; 0]);
        assert_eq!(of(20), (vec!["NAME         IN USE".to_owned(), "a-long-name  yes".to_owned()], vec!["OWNER"]));
        assert_eq!(of(1), (vec!["IN USE".to_owned(), "yes".to_owned()], vec!["OWNER", "NAME"]));
        assert_eq!(left_out(&of(1).1).as_deref(), Some("-o wide has OWNER, NAME"));
        assert_eq!(left_out(&[]), None);
    }

    #[test]
    fn numbers_stand_right_text_left_and_lines_end_where_their_text_ends() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let lines = table(
            &[("NAME", Align::Left), ("PODS", Align::Right), ("X", Align::Left)],
            &[row(["a", "3", "-"]), row(["longer", "20000", ""])],
        );
        assert_eq!(lines, ["NAME     PODS  X", "a           3  -", "longer  20000"]);
    }
}
