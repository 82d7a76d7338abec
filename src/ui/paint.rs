//! The colours: one for each tone. The only place that colours text.

use colored::{Color, Colorize as _};

use crate::render::line::{Line, Span, Style};
use crate::render::text as render_text;
use crate::render::tone::Tone;

/// The colour of a tone.
pub(super) fn colour_of(tone: Tone) -> Color {
    match tone {
        Tone::Good => Color::Green,
        Tone::Caution => Color::Yellow,
        Tone::Bad => Color::Red,
        Tone::Unknown => Color::Cyan,
    }
}

/// The text in this colour, if the stream has colour.
pub(super) fn paint(coloured: bool, text: &str, colour: Option<Color>) -> String {
    // `colored` would look at stdout only, so the decision is set explicitly.
    colored::control::set_override(coloured);
    colour.map_or_else(|| text.to_owned(), |colour| text.color(colour).bold().to_string())
}

/// The line with the words that have a tone in its colour, if the stream has colour.
pub(super) fn painted(coloured: bool, line: &Line) -> String {
    let span = |Span { text, style }: &Span| match style {
        Style::Toned(tone) => paint(coloured, text, Some(colour_of(*tone))),
        Style::Plain | Style::Whole => text.clone(),
    };
    line.spans().iter().map(span).collect()
}

/// The text with all characters made visible that control a terminal: control characters, ANSI, bidirectional controls.
pub(crate) fn inert(text: &str) -> String {
    if !text.chars().any(render_text::is_obeyed) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| if render_text::is_obeyed(c) { c.escape_unicode().to_string() } else { c.to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_made_visible() {
        assert_eq!(inert("a\u{1b}[31mb\nc\u{202e}d"), "a\\u{1b}[31mb\\u{a}c\\u{202e}d");
        assert_eq!(inert("plain \u{e4} text\twith tab"), "plain \u{e4} text\twith tab");
    }

    #[test]
    fn each_tone_has_a_colour_of_its_own_and_none_without_colour() {
        let tones = [Tone::Good, Tone::Caution, Tone::Bad, Tone::Unknown];
        let shown = tones.map(|tone| painted(true, &Line::from("a ").toned("word", &tone)));
        assert_eq!(shown[2], "a \u{1b}[1;31mword\u{1b}[0m");
        for (number, one) in shown.iter().enumerate() {
            assert!(!shown[..number].contains(one), "{one:?}");
        }
        assert_eq!(painted(false, &Line::from("a ").toned("word", &Tone::Bad)), "a word");
    }
}
