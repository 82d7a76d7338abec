//! Tables as text: two spaces between the columns, no spaces at the end of a line.

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
    fn numbers_stand_right_text_left_and_lines_end_where_their_text_ends() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let lines = table(
            &[("NAME", Align::Left), ("PODS", Align::Right), ("X", Align::Left)],
            &[row(["a", "3", "-"]), row(["longer", "20000", ""])],
        );
        assert_eq!(lines, ["NAME     PODS  X", "a           3  -", "longer  20000"]);
    }
}
