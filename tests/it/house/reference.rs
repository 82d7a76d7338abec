//! `docs/commands/` and `docs/man/`: made from the definitions that `--help` is made from.

use std::collections::BTreeMap;

use clap::{ArgAction, Command};
use gloo_rs::exports::cli;

use super::{files_below, read, repo};
use crate::support::generated::{HOW, renewing};

const GLOBAL: &str = "Global options";
const WIDTH: usize = 100;

/// Every command with the words that lead to it, the program itself first, its global flags propagated.
fn commands() -> Vec<(Vec<String>, Command)> {
    // A man page is long help: what `-h` hides is shown.
    let mut tree = cli::tree().mut_args(|arg| arg.hide_short_help(false).hide_long_help(false)).term_width(WIDTH);
    // Not the commit and the platform of this build.
    tree = tree.version(env!("CARGO_PKG_VERSION"));
    tree.build();
    let mut found = Vec::new();
    collect(Vec::new(), &tree, &mut found);
    found
}

fn collect(above: Vec<String>, command: &Command, found: &mut Vec<(Vec<String>, Command)>) {
    let path: Vec<_> = above.into_iter().chain([command.get_name().to_owned()]).collect();
    found.push((path.clone(), command.clone()));
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        collect(path.clone(), inner, found);
    }
}

/// The help as a page; the flags of every command stand on the program's own page alone.
fn page(path: &[String], command: &Command) -> String {
    let is_program = path.len() == 1;
    let command = command.clone().mut_args(|arg| match arg.get_help_heading() == Some(GLOBAL) && !is_program {
        true => arg.hide(true),
        false => arg,
    });
    let command = command.mut_args(|arg| match arg.get_action() {
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong => arg.hide(true),
        _ => arg,
    });
    let help = command.clone().term_width(WIDTH).render_long_help().to_string();
    let help: Vec<_> = help.trim_end().lines().map(str::trim_end).collect();
    let links: Vec<_> = command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set())
        .map(|inner| {
            let path: Vec<_> = path.iter().cloned().chain([inner.get_name().to_owned()]).collect();
            let about = inner.get_about().map(ToString::to_string).unwrap_or_default();
            format!("- [{}]({}.md): {about}", path.join(" "), path.join("-"))
        })
        .collect();
    let global = match is_program {
        true => String::new(),
        false => "\nThe global options are on [the program's own page](gloo-rs.md).\n".to_owned(),
    };
    let links = if links.is_empty() { String::new() } else { format!("\n{}\n", links.join("\n")) };
    format!("# {}\n\n```text\n{}\n```\n{links}{global}", path.join(" "), help.join("\n"))
}

fn man(command: &Command) -> String {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .source(concat!("gloo-rs ", env!("CARGO_PKG_VERSION")))
        .manual("gloo-rs")
        .render(&mut page)
        .expect("writing to memory does not fail");
    String::from_utf8(page).expect("help texts are text")
}

/// Every file that there has to be, with its text.
fn wanted() -> BTreeMap<String, String> {
    let both = |(path, command): (Vec<String>, Command)| {
        let name = path.join("-");
        [(format!("docs/commands/{name}.md"), page(&path, &command)), (format!("docs/man/{name}.1"), man(&command))]
    };
    commands().into_iter().flat_map(both).collect()
}

#[test]
fn the_generated_pages_of_the_commands_say_what_help_says() {
    let wanted = wanted();
    let there = || [files_below("docs/commands", ".md"), files_below("docs/man", ".1")].concat();
    if renewing() {
        for file in there().into_iter().filter(|file| !wanted.contains_key(file)) {
            std::fs::remove_file(repo(file)).unwrap();
        }
        for (file, text) in &wanted {
            std::fs::write(repo(file), text).unwrap();
        }
    }
    let stale: Vec<_> = wanted.iter().filter(|(file, text)| !repo(file).exists() || read(file) != **text).collect();
    let names: Vec<_> = stale.iter().map(|(file, _)| file.as_str()).collect();
    assert!(names.is_empty(), "{names:#?} are stale: {HOW}");
    let left: Vec<_> = there().into_iter().filter(|file| !wanted.contains_key(file)).collect();
    assert!(left.is_empty(), "{left:?} are of no command");
}

#[test]
fn a_man_page_has_the_sections_that_man_looks_for() {
    for (path, command) in commands() {
        let page = man(&command);
        for section in [".TH", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION"] {
            assert!(page.contains(section), "{}: {section}", path.join(" "));
        }
    }
}
