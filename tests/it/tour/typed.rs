//! What a page tells to type, and what it shows of the answers.

use regex::Regex;

/// A command, and the lines of its answer that are shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Typed {
    pub command: String,
    pub shown: Vec<String>,
}

/// The commands of a page's fenced blocks: of `console` those after `$ `, with what they print; of `sh` every line.
pub fn typed(page: &str) -> Vec<Typed> {
    let mut all: Vec<Typed> = Vec::new();
    let mut fence = None;
    for line in page.lines() {
        match (fence, line.strip_prefix("```")) {
            (None, Some(kind)) => fence = Some(kind),
            (Some(_), Some(_)) => fence = None,
            (Some("console"), None) => match line.strip_prefix("$ ") {
                Some(command) => all.push(Typed { command: command.to_owned(), shown: Vec::new() }),
                None if line.trim().is_empty() || line.trim() == "..." => {}
                None => match all.last_mut() {
                    Some(last) if last.command.ends_with('\\') && last.shown.is_empty() => {
                        last.command = format!("{}{}", last.command.trim_end_matches('\\'), line.trim_start());
                    }
                    Some(last) => last.shown.push(line.to_owned()),
                    None => panic!("{line:?} stands before any command"),
                },
            },
            (Some("sh"), None) if !line.trim().is_empty() => {
                all.push(Typed { command: line.to_owned(), shown: Vec::new() });
            }
            _ => {}
        }
    }
    all
}

/// The part of a page below a heading, up to the next one of its level.
pub fn section<'p>(page: &'p str, heading: &str) -> &'p str {
    let (_, below) = page.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading:?}"));
    let level = heading.split(' ').next().expect("a heading has a level");
    below.split(&format!("\n{level} ")).next().expect("a first part")
}

impl Typed {
    /// The lines that are shown and not printed, in that order.
    pub fn missing(&self, printed: &str) -> Vec<&str> {
        let printed = usual(printed);
        let mut rest = printed.lines();
        let mut is_missing = |line: &&str| {
            let mut after = rest.clone();
            let found = after.any(|printed| printed == usual(line));
            if found {
                rest = after;
            }
            !found
        };
        self.shown.iter().map(String::as_str).filter(|line| is_missing(line)).collect()
    }
}

/// The text with what differs from run to run replaced.
fn usual(text: &str) -> String {
    const DIFFERS: [(&str, &str); 5] = [
        (r"127\.\d+\.\d+\.\d+:\d+", "127.0.0.1:PORT"),
        (r"\b([a-z0-9-]+?)-[a-z0-9]{8,10}-[a-z0-9]{5}\b", "$1-POD"),
        (r"\b\d+(\.\d+)?(ms|s|m|h|d)\b", "TIME"),
        (r"Hash=[0-9a-f]+", "Hash=HASH"),
        (r" +", " "),
    ];
    DIFFERS.iter().fold(text.to_owned(), |text, (pattern, instead)| {
        Regex::new(pattern).expect("a constant pattern").replace_all(&text, *instead).into_owned()
    })
}

#[test]
fn commands_and_what_they_print_are_told_apart() {
    let page = "# A page\n\n## One\n```console\n$ a --b \\\n    c\nprinted 1\n...\n\nprinted 2\n$ d\n```\n\n```sh\ne\n\nf\n```\n## Two\n```sh\ng\n```\n";
    let one = typed(section(page, "## One"));
    let commands: Vec<_> = one.iter().map(|typed| typed.command.as_str()).collect();
    assert_eq!(commands, ["a --b c", "d", "e", "f"]);
    assert_eq!(one[0].shown, ["printed 1", "printed 2"]);
    assert_eq!(typed(page).len(), 5);
}

#[test]
fn a_line_that_is_not_printed_or_out_of_order_is_missing() {
    let shown =
        |lines: &[&str]| Typed { command: String::new(), shown: lines.iter().map(ToString::to_string).collect() };
    let printed = "GET http://127.0.0.1:3456/\npod gateway-proxy-7d9f8b6c5d-x2x7k\nready after 12s\n";
    let lines = ["GET http://127.0.0.1:8080/", "pod gateway-proxy-6d5f9c7b8d-abcde", "ready after 2.5s"];
    assert_eq!(shown(&lines).missing(printed), Vec::<&str>::new());
    assert_eq!(shown(&[lines[1], lines[0], lines[2]]).missing(printed), [lines[0]]);
    assert_eq!(shown(&["GET http://127.0.0.2/"]).missing(printed).len(), 1);
}
