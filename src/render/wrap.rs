//! Wraps lines of text for a narrow terminal.

use super::line::{Line, Span, Style};

/// Splits the line into pieces of at most `width` columns, at spaces and never inside a word or a command. `lead` columns
/// before the line are already used. In a line with two columns (`owner    Gloo`) the further pieces are aligned with the
/// second one; in any other line they are indented by `follow`. A command that does not fit begins a piece of its own,
/// and is not broken if it is longer than a piece.
#[must_use]
pub(crate) fn wrapped(line: &Line, lead: usize, follow: usize, width: Option<usize>) -> Vec<Line> {
    let Some(width) = width else { return vec![line.clone()] };
    let text = line.to_string();
    let indent = text.chars().take_while(|c| *c == ' ').count();
    let below = second_column(&text).map_or(indent + follow, |column| lead + column);
    let hang = if below > width / 2 { indent + follow } else { below };
    let (mut lines, mut last, mut taken, mut has_word) = (Vec::new(), Line::default(), lead, false);
    for Token { gap, word } in tokens(line) {
        let fits = taken + gap.length() + word.length() <= width;
        let begins_earlier = hang < taken + gap.length();
        if fits || !has_word || !begins_earlier {
            append(&mut last, &gap);
            taken += gap.length();
        } else {
            lines.push(std::mem::replace(&mut last, Line::from(" ".repeat(hang))));
            taken = hang;
        }
        append(&mut last, &word);
        taken += word.length();
        has_word |= word.length() > 0;
    }
    lines.push(last);
    lines
}

/// A word, or several parts without a space between them, and the spaces before it.
#[derive(Default)]
struct Token {
    gap: Line,
    word: Line,
}

fn tokens(line: &Line) -> Vec<Token> {
    let mut tokens = vec![];
    let mut token = Token::default();
    for Span { text, style } in line.spans() {
        if *style == Style::Whole {
            token.word.push(text, *style);
            continue;
        }
        for (number, word) in text.split(' ').enumerate() {
            if number > 0 {
                if token.word.length() > 0 {
                    tokens.push(std::mem::take(&mut token));
                }
                token.gap.push(" ", *style);
            }
            token.word.push(word, *style);
        }
    }
    tokens.push(token);
    tokens
}

fn append(line: &mut Line, more: &Line) {
    more.spans().iter().for_each(|span| line.push(&span.text, span.style));
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
    use super::super::tone::Tone;
    use super::*;

    fn wrapped(line: impl Into<Line>, lead: usize, follow: usize, width: Option<usize>) -> Vec<String> {
        super::wrapped(&line.into(), lead, follow, width).iter().map(Line::to_string).collect()
    }

    #[test]
    fn a_command_is_never_broken_and_begins_a_line_where_it_does_not_fit() {
        let hint = |first: &str, then: &str| Line::from("  hint: ").whole(first).text(", then ").whole(then);
        assert_eq!(
            wrapped(hint("gloo-rs istio inject", "gloo-rs istio enable-mtls"), 0, 2, Some(40)),
            ["  hint: gloo-rs istio inject, then", "    gloo-rs istio enable-mtls"]
        );
        assert_eq!(
            wrapped(hint("kubectl a", "gloo-rs istio enable-mtls -u default-httpbin-8000"), 0, 2, Some(30)),
            ["  hint: kubectl a, then", "    gloo-rs istio enable-mtls -u default-httpbin-8000"]
        );
        assert_eq!(
            wrapped(hint("kubectl a b c d", "x y"), 0, 2, Some(18)),
            ["  hint:", "    kubectl a b c d,", "    then x y"]
        );
    }

    #[test]
    fn a_command_in_the_second_column_stays_there_although_it_is_longer() {
        let line = Line::from("  fix       ").whole("gloo-rs istio enable-mtls -u x");
        assert_eq!(wrapped(line, 0, 2, Some(40)), ["  fix       gloo-rs istio enable-mtls -u x"]);
    }

    #[test]
    fn words_with_a_tone_keep_it_on_each_line() {
        let line = Line::from("request: ").toned("503, strict peer", &Tone::Bad);
        let pieces = super::wrapped(&line, 0, 2, Some(14));
        let toned: Vec<_> = pieces.iter().map(|piece| piece.spans().last().cloned()).collect();
        let bad = |text: &str| Some(Span { text: text.to_owned(), style: Style::Toned(Tone::Bad) });
        assert_eq!(toned, [bad("503,"), bad("strict peer")]);
    }

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
