//! The format that a command line asks for that is none: clap stops at its first error and knows of none after it.

use std::ffi::{OsStr, OsString};

use crate::options::Format;

/// Short flags without a value, which may stand before `o` in one word: `-qo json`.
const BARE: &str = "hiqvyAV";

/// `-o`, `--output` or `GLOO_RS_OUTPUT`, where it asks for a document; else text.
pub(crate) fn format(args: &[OsString], variable: Option<&OsStr>) -> Format {
    typed(args).or_else(|| named(variable?)).unwrap_or(Format::Text)
}

fn typed(args: &[OsString]) -> Option<Format> {
    let words = args.iter().skip(1).take_while(|word| *word != "--");
    let mut next = args.iter().skip(2);
    let mut last = None;
    for word in words {
        let after = next.next();
        match value(&word.to_string_lossy()) {
            Value::Here(text) => last = named(OsStr::new(&text)).or(last),
            Value::Next => last = after.and_then(|text| named(text)).or(last),
            Value::None => {}
        }
    }
    last
}

enum Value {
    Here(String),
    Next,
    None,
}

fn value(word: &str) -> Value {
    let rest = match word.strip_prefix("--") {
        Some(long) => long.strip_prefix("output"),
        None => {
            word.strip_prefix('-').and_then(|short| short.trim_start_matches(|c| BARE.contains(c)).strip_prefix('o'))
        }
    };
    match rest {
        None => Value::None,
        Some("") => Value::Next,
        Some(rest) => Value::Here(rest.trim_start_matches('=').to_owned()),
    }
}

fn named(text: &OsStr) -> Option<Format> {
    match text.to_str()? {
        "json" => Some(Format::Json),
        "yaml" => Some(Format::Yaml),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_found_wherever_it_stands() {
        for (line, format) in [
            ("x --bogus -o json", Some(Format::Json)),
            ("x -ojson --bogus", Some(Format::Json)),
            ("x -o=yaml --bogus", Some(Format::Yaml)),
            ("x --output json", Some(Format::Json)),
            ("x --output=yaml get", Some(Format::Yaml)),
            ("x -qyo json get", Some(Format::Json)),
            ("x -o", None),
            ("x -o text", None),
            ("x -n -o", None),
            ("x -- -o json", None),
            ("-o json", None),
            ("x --outputs json", None),
            ("x -no json", None),
        ] {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(typed(&args), format, "{line}");
        }
    }
}
