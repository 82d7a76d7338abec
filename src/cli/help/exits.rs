//! Which exit codes a command can end with, and the part of its `--help` that lists them.

use clap::Command;

use super::brief::text;
use crate::error::Exit::{
    self, Done, Failed, HalfDone, Interrupted, NoAnswer, Pending, RolledBack, SaidNo, Unconfirmed, Usage, WouldChange,
};

const LOCAL: &[Exit] = &[Done, Failed, Usage];
const READS: &[Exit] = &[Done, Failed, Usage, SaidNo, NoAnswer, Interrupted];
/// Reads, and has a `--check`, a threshold or a comparison that it can be asked about.
const JUDGES: &[Exit] = &[Done, Failed, Usage, WouldChange, SaidNo, NoAnswer, Interrupted];
const ADDRESS: &[Exit] = &[Done, Failed, Usage, SaidNo, Pending, NoAnswer, Interrupted];
/// Edits objects, or files with `--write`: these are rolled back, or half done, if one of them cannot be replaced.
const ROLLS_BACK: &[Exit] =
    &[Done, Failed, Usage, WouldChange, SaidNo, RolledBack, HalfDone, Unconfirmed, NoAnswer, Interrupted];

/// Every command, by its words.
const CODES: [(&str, &[Exit]); 37] = [
    ("istio setup", ROLLS_BACK),
    ("istio teardown", ROLLS_BACK),
    ("istio revisions", READS),
    ("istio inject", ROLLS_BACK),
    ("istio uninject", ROLLS_BACK),
    ("istio enroll", ROLLS_BACK),
    ("istio unenroll", ROLLS_BACK),
    ("istio enable-mtls", ROLLS_BACK),
    ("istio disable-mtls", ROLLS_BACK),
    ("istio auto-mtls enable", ROLLS_BACK),
    ("istio auto-mtls disable", ROLLS_BACK),
    ("istio auto-mtls migrate", ROLLS_BACK),
    ("istio auto-mtls status", READS),
    ("istio peer-auth get", READS),
    ("istio peer-auth strict", ROLLS_BACK),
    ("istio peer-auth permissive", ROLLS_BACK),
    ("istio peer-auth remove", ROLLS_BACK),
    ("istio verify", &[Done, Failed, Usage, SaidNo, Unconfirmed, Pending, NoAnswer, Interrupted]),
    ("istio describe", JUDGES),
    ("istio describe upstream", JUDGES),
    ("istio describe upstreams", JUDGES),
    ("proxy url", ADDRESS),
    ("proxy address", ADDRESS),
    ("proxy dump", READS),
    ("proxy snapshot", READS),
    ("proxy certs", JUDGES),
    ("proxy restart", ROLLS_BACK),
    ("proxy stats", READS),
    ("proxy logs", &[Done, Failed, Usage, SaidNo, HalfDone, NoAnswer, Interrupted]),
    ("proxy served-config", JUDGES),
    ("upgrade-values", ROLLS_BACK),
    ("check", JUDGES),
    ("report", JUDGES),
    ("rbac", LOCAL),
    ("version", READS),
    ("completion", LOCAL),
    ("options", LOCAL),
];

/// The codes that a command can end with; none for words that are no command.
pub(crate) fn for_command(command: &str) -> Option<&'static [Exit]> {
    CODES.iter().find(|(name, _)| *name == command).map(|(_, exits)| *exits)
}

/// What `-h` leaves out.
const MORE: &str = "Options of every command: gloo-rs options. Examples and exit codes: --help";

/// What `--help` leaves out.
const OPTIONS: &str = "Options of every command: gloo-rs options";

/// Puts the examples and the codes at the end of `--help`; `-h` stays short, apart from the root's examples.
pub(crate) fn listed(command: Command, words: &str) -> Command {
    let below = |inner: Command| {
        let words = format!("{words} {}", inner.get_name());
        listed(inner, words.trim_start())
    };
    let command = command.mut_subcommands(below);
    let Some(exits) = for_command(words) else {
        return if words.is_empty() { command } else { command.after_help(MORE).after_long_help(OPTIONS) };
    };
    let lines = exits.iter().map(|exit| {
        let meaning = exit.meaning().trim_end_matches('.').replace('`', "");
        format!("\n  {:<3}  {meaning}", exit.code())
    });
    let codes = format!("Exit codes:{}", lines.collect::<String>());
    let examples = command.get_after_help().map(|examples| text(examples) + "\n\n").unwrap_or_default();
    command.after_long_help(format!("{examples}{codes}\n\n{OPTIONS}")).after_help(MORE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_help_of_the_root_fits_a_screen_and_no_other_has_the_options_of_every_command() {
        let short = |command: &mut Command| command.render_help().to_string();
        let root = short(&mut crate::cli::tree().term_width(80));
        assert!(root.lines().count() <= 32, "{root}");
        for line in ["version", "completion", "check", "upgrade-values"] {
            let mut root = crate::cli::tree().term_width(80);
            root.build();
            let text = short(root.find_subcommand_mut(line).unwrap());
            assert!(!text.contains("--kubeconfig") && text.contains(MORE), "{text}");
        }
        assert!(crate::cli::global_options().contains("--kubeconfig"));
    }

    #[test]
    fn the_first_screen_of_the_help_answers_the_three_questions_and_describe_comes_first() {
        let mut root = crate::cli::tree().term_width(80);
        for text in [root.render_help(), root.render_long_help()].map(|help| help.to_string()) {
            let screen: Vec<_> = text.lines().take(24).collect();
            let place = |part: &str| {
                screen.iter().position(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}\n{text}"))
            };
            let first = place("  gloo-rs ");
            assert!(screen[first].contains("gloo-rs istio describe"), "{text}");
            let questions = ["is it encrypted?", "503?", "where is the gateway?"].map(place);
            assert!(questions.is_sorted() && questions[0] < first, "{text}");
            assert!(place("Commands:") > questions[2] && text.contains("gloo-rs options"), "{text}");
        }
        let istio = root.find_subcommand("istio").unwrap();
        assert_eq!(istio.get_subcommands().next().unwrap().get_name(), "describe");
    }

    #[test]
    fn the_options_of_every_command_are_listed_by_options_alone() {
        fn each(command: &mut Command, check: &impl Fn(&str)) {
            check(&command.render_long_help().to_string());
            command.get_subcommands_mut().for_each(|inner| each(inner, check));
        }
        let mut root = crate::cli::tree().term_width(80);
        root.build();
        each(&mut root, &|help| {
            assert!(!help.contains("--kube-context") && !help.contains("--wait-timeout <"), "{help}");
            assert!(help.contains(OPTIONS), "{help}");
        });
        let listed = crate::cli::global_options();
        for arg in root.get_arguments().filter(|arg| arg.is_global_set() && !arg.is_hide_set()) {
            assert!(listed.contains(&format!("--{}", arg.get_long().unwrap())), "{listed}");
        }
    }

    #[test]
    fn an_example_is_in_the_help_as_it_is_written_and_fits_80_columns() {
        fn each(command: &mut Command, checked: &mut usize) {
            let examples = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string);
            let help = command.render_long_help().to_string();
            let lines: Vec<_> = help.lines().map(str::trim_end).collect();
            for line in examples.iter().flat_map(|examples| examples.lines()).filter(|line| line.starts_with("  ")) {
                *checked += 1;
                assert!(line.chars().count() <= 80 && lines.contains(&line), "{line}\n{help}");
            }
            command.get_subcommands_mut().for_each(|inner| each(inner, checked));
        }
        let mut root = crate::cli::tree().term_width(80);
        root.build();
        let mut checked = 0;
        each(&mut root, &mut checked);
        assert!(checked > 100, "{checked}");
    }

    #[test]
    fn every_row_is_a_command() {
        let root = crate::cli::tree();
        for (words, _) in CODES {
            let found = words.split(' ').try_fold(&root, |at, word| at.find_subcommand(word));
            assert!(found.is_some(), "{words}");
        }
    }

    #[test]
    fn the_examples_and_the_codes_stand_in_the_long_help_alone() {
        let root = crate::cli::tree();
        let mut command = root.find_subcommand("version").unwrap().clone();
        let (short, long) = (command.render_help().to_string(), command.render_long_help().to_string());
        assert!(!short.contains("Examples:") && !short.contains("Exit codes:"), "{short}");
        assert!(long.contains("Examples:") && long.contains("\n  0    Done, or there was nothing to do\n"), "{long}");
    }
}
