//! The short help, `-h`: one line for each option of the command. `--help` has the whole text.

use clap::builder::{PossibleValue, StyledStr};
use clap::{Arg, Command};

/// Shortens the text that `-h` has for the options of a command and of those below it. `--help` stays complete.
pub(in crate::cli) fn shortened(command: Command) -> Command {
    command.mut_args(short).mut_subcommands(shortened)
}

/// A text of ours, which has no styles. Its `Display` would search it for them: for the whole tree, that search takes
/// longer than everything else before a command starts.
pub(super) fn text(help: &StyledStr) -> String {
    help.ansi().to_string()
}

fn short(arg: Arg) -> Arg {
    if arg.is_global_set() {
        // `gloo-rs options` lists them. Completion offers them.
        return arg.hide_short_help(true).hide_long_help(true);
    }
    let Some(help) = arg.get_help().map(text) else { return arg };
    let long = arg.get_long_help().map_or_else(|| help.clone(), text) + &values(&arg);
    let takes_values = arg.get_action().takes_values();
    let brief = first_clause(&help).to_owned();
    arg.help(brief).long_help(long).hide_default_value(takes_values).hide_possible_values(takes_values)
}

/// The text up to its first semicolon, colon or bracket. A condition, `With --values:`, belongs to what follows it.
fn first_clause(help: &str) -> &str {
    let start = if help.starts_with("With -") { help.find(": ").map_or(0, |at| at + 2) } else { 0 };
    let ends = ["; ", ": ", " ["].into_iter().filter_map(|mark| help[start..].find(mark));
    ends.min().map_or(help, |end| help[..start + end].trim_end())
}

/// The default and the possible values, as `--help` ends the text of an option with them.
fn values(arg: &Arg) -> String {
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let default = if defaults.is_empty() || arg.is_hide_default_value_set() {
        String::new()
    } else {
        format!("\n\n[default: {}]", defaults.join(" "))
    };
    let possible: Vec<_> = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set()).collect();
    if possible.is_empty() || !arg.get_action().takes_values() {
        return default;
    }
    if possible.iter().any(|value| value.get_help().is_some()) {
        let lines = possible.iter().map(|value| {
            let help = value.get_help().map(|help| format!(": {}", text(help))).unwrap_or_default();
            format!("\n- {}{help}", value.get_name())
        });
        return format!("{default}\n\nPossible values:{}", lines.collect::<String>());
    }
    let names: Vec<_> = possible.iter().map(PossibleValue::get_name).collect();
    format!("{default}\n\n[possible values: {}]", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command with the words that lead to it.
    fn commands(path: &str, command: &Command, found: &mut Vec<(String, Command)>) {
        found.push((path.to_owned(), command.clone()));
        for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
            commands(&format!("{path} {}", inner.get_name()), inner, found);
        }
    }

    fn all() -> Vec<(String, Command)> {
        let mut root = crate::cli::tree().term_width(80);
        root.build();
        let mut found = Vec::new();
        commands("gloo-rs", &root, &mut found);
        found
    }

    /// The options and arguments that `-h` shows.
    fn shown(command: &Command) -> Vec<&Arg> {
        let args = command.get_arguments();
        args.filter(|arg| !arg.is_hide_set() && !arg.is_hide_short_help_set()).collect()
    }

    /// The lines of the sections `Arguments:` and `Options:`.
    fn option_lines(help: &str) -> usize {
        let sections = help.split("\n\n").filter(|it| it.starts_with("Options:") || it.starts_with("Arguments:"));
        sections.map(|section| section.trim_end().lines().count() - 1).sum()
    }

    #[test]
    fn the_short_help_of_every_command_fits_a_screen_with_one_line_for_each_option() {
        let all = all();
        assert!(all.len() > 35, "{}", all.len());
        for (path, mut command) in all {
            let wanted = shown(&command).len();
            let help = command.render_help().to_string();
            assert_eq!(option_lines(&help), wanted, "{path} -h: an option has more than one line\n{help}");
            assert!(help.lines().count() <= 40, "{path} -h has {} lines\n{help}", help.lines().count());
            let wide = help.lines().find(|line| line.chars().count() > 80);
            assert_eq!(wide, None, "{path} -h");
        }
    }

    #[test]
    fn the_long_help_has_every_value_and_every_default() {
        let mut values_seen = 0;
        for (path, mut command) in all() {
            let help = command.render_long_help().to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            for arg in shown(&command).into_iter().filter(|arg| arg.get_action().takes_values()) {
                for value in arg.get_possible_values().iter().filter(|value| !value.is_hide_set()) {
                    values_seen += 1;
                    let name = value.get_name();
                    assert!(help.contains(name), "{path} --help: {} lacks {name}", arg.get_id());
                }
                for default in arg.get_default_values().iter().map(|value| value.to_string_lossy()) {
                    let has = help.contains(&format!("[default: {default}"));
                    assert!(has, "{path} --help: {} lacks {default}", arg.get_id());
                }
            }
        }
        assert!(values_seen > 30, "{values_seen}");
    }

    #[test]
    fn a_text_is_cut_where_its_details_begin() {
        for (help, brief) in [
            ("Change this Upstream: NAME or NAMESPACE/NAME; can be repeated", "Change this Upstream"),
            ("Use this release [default: the one of Gloo's chart]", "Use this release"),
            ("With --values: edit files in place", "With --values: edit files in place"),
            ("With --values: edit this manifest; the values of KIND/NAME", "With --values: edit this manifest"),
            ("Change all Upstreams", "Change all Upstreams"),
        ] {
            assert_eq!(first_clause(help), brief);
        }
    }
}
