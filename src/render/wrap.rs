//! Wraps lines of text for a narrow terminal.

/// Splits the line into pieces of at most `width` columns, at spaces and never inside a word. `lead` columns before the
/// line are already used. In a line with two columns (`owner    Gloo`) the further pieces are aligned with the second
/// one; in any other line they are indented by `follow`.
#[must_use]
pub(crate) fn wrapped(line: &str, lead: usize, follow: usize, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else { return vec![line.to_owned()] };
    let indent = line.chars().take_while(|c| *c == ' ').count();
    let below = second_column(line).map_or(indent + follow, |column| lead + column);
    let hang = " ".repeat(if below > width / 2 { indent + follow } else { below });
    let (mut lines, mut last, mut taken) = (Vec::new(), String::new(), lead);
    let mut rest = line;
    while !rest.is_empty() {
        let blanks = rest.len() - rest.trim_start_matches(' ').len();
        let end = rest[blanks..].find(' ').map_or(rest.len(), |end| blanks + end);
        let (piece, after) = rest.split_at(end);
        let fits = taken + last.chars().count() + piece.chars().count() <= width;
        if fits || last.trim().is_empty() {
            last.push_str(piece);
        } else {
            lines.push(std::mem::replace(&mut last, format!("{hang}{}", &piece[blanks..])));
            taken = 0;
        }
        rest = after;
    }
    lines.push(last);
    lines
}

/// The offset of a line's second column: after the first word and at least two spaces.
fn second_column(line: &str) -> Option<usize> {
    let start = line.len() - line.trim_start_matches(' ').len();
    let gap = start + line[start..].find(' ')?;
    let blanks = line[gap..].len() - line[gap..].trim_start_matches(' ').len();
    (blanks >= 2).then(|| line[..gap + blanks].chars().count())
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn long_lines_are_broken_at_blanks_on_a_terminal_and_never_when_piped() {
        let line = "one two three four five six seven eight nine ten";
        assert_eq!(wrapped(line, 9, 2, None), [line]);
        assert_eq!(wrapped(line, 9, 2, Some(40)), ["one two three four five six", "  seven eight nine ten"]);
        assert_eq!(wrapped("averyveryverylongword", 0, 2, Some(5)), ["averyveryverylongword"]);
    }

    #[test]
    fn what_follows_hangs_below_the_second_column() {
        let line = "  gateway  gloo-system/gateway-proxy: lacks container sds, container istio-proxy";
        let hung = [
            "  gateway  gloo-system/gateway-proxy:",
            "           lacks container sds,",
            "           container istio-proxy",
        ];
        assert_eq!(wrapped(line, 0, 2, Some(40)), hung);
        assert_eq!(wrapped("    deep words here", 0, 2, Some(14)), ["    deep words", "      here"]);
        assert_eq!(wrapped("a-name-that-is-too-long  x y z", 0, 2, Some(26)), ["a-name-that-is-too-long  x", "  y z"]);
    }

    #[test]
    fn a_line_that_fits_a_terminal_keeps_its_columns() {
        assert_eq!(wrapped("sds          image:1 (gloo)", 0, 2, Some(40)), ["sds          image:1 (gloo)"]);
        assert_eq!(wrapped("", 2, 4, Some(40)), [""]);
    }
}
