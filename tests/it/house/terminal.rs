//! `docs/terminal.svg`: what commands print on a terminal, drawn from their snapshots, which are real runs.

use std::fmt::Write as _;

use super::read;
use crate::support::generated::assert_up_to_date;

const PICTURE: &str = "docs/terminal.svg";
/// The snapshots in the picture, from top to bottom.
const SHOWN: [&str; 2] = ["change-that-breaks", "setup"];
const LINE: usize = 18;
const LETTER: f64 = 7.83;
const COLUMNS: u16 = 80;

/// The text of a snapshot on a terminal of 80 columns, with the command as it was typed.
fn on_a_terminal(name: &str) -> Vec<String> {
    let text = read(format!("tests/snapshots/{name}.txt"));
    let (command, _) = text.split_once("\n\n").expect("the command comes first");
    let (_, rest) = text.split_once("==== terminal, 80 columns\n").expect("a terminal of 80 columns");
    let body = rest.split("-- exit").next().unwrap_or_default();
    // A command that is wider than the terminal continues on the next line, as a shell shows it.
    let typed: Vec<_> = command.chars().collect();
    let typed = typed.chunks(COLUMNS.into()).map(|line| line.iter().collect());
    typed.chain(body.trim_end().lines().map(str::to_owned)).chain([String::new()]).collect()
}

/// A line as SVG: bold where the terminal has bold, and in the terminal's colour.
fn drawn(line: &str) -> String {
    let mut text = String::new();
    let mut style = "";
    for (index, part) in line.split("^[[").enumerate() {
        let part = match (index, part.split_once('m')) {
            (0, _) | (_, None) => part,
            (_, Some((code, rest))) => {
                style = match code {
                    "0" => "",
                    "1;31" => " class=\"red\"",
                    "1;32" => " class=\"green\"",
                    "1;33" => " class=\"yellow\"",
                    "1;36" => " class=\"cyan\"",
                    other => panic!("the picture has no colour {other}"),
                };
                rest
            }
        };
        let part = part.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        match style {
            "" => text.push_str(&part),
            style => write!(text, "<tspan{style}>{part}</tspan>").expect("writing to memory does not fail"),
        }
    }
    text
}

fn picture() -> String {
    let lines: Vec<String> = SHOWN.iter().flat_map(|name| on_a_terminal(name)).collect();
    let lines = &lines[..lines.len() - 1];
    let (width, height) = ((f64::from(COLUMNS) * LETTER).ceil() + 32.0, lines.len() * LINE + 28);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"enable-mtls refuses a change that would break a route; setup shows its plan\">\n\
         <style>\n\
         text {{ font: 13px ui-monospace, Menlo, Consolas, monospace; fill: #d6deeb; white-space: pre; }}\n\
         .red {{ fill: #ff7b72; font-weight: bold; }} .green {{ fill: #7ee787; font-weight: bold; }}\n\
         .yellow {{ fill: #f2cc60; font-weight: bold; }} .cyan {{ fill: #76e3ea; font-weight: bold; }}\n\
         .typed {{ fill: #ffffff; font-weight: bold; }}\n\
         </style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0b1622\"/>\n"
    );
    for (number, line) in lines.iter().enumerate() {
        let class = if line.starts_with("$ ") { " class=\"typed\"" } else { "" };
        let y = 24 + number * LINE;
        writeln!(svg, "<text x=\"16\" y=\"{y}\" xml:space=\"preserve\"{class}>{}</text>", drawn(line))
            .expect("writing to memory does not fail");
    }
    svg + "</svg>\n"
}

#[test]
fn the_generated_picture_of_a_terminal_is_what_the_snapshots_say() {
    let wanted = picture();
    // It is renewed from the snapshots, so after them.
    assert_up_to_date(PICTURE, &wanted);
    assert!(wanted.contains("class=\"red\">error: </tspan>") && wanted.contains("expected downtime: none"), "{wanted}");
}
