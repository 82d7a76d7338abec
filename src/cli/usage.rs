//! What clap refuses, in the form of every other failure.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::check::codes::named;
use crate::command::{CommandLine, gloo_rs};
use crate::error::Failure;
use crate::text::{Host, nearest};

/// The first line of clap's message, the lines that belong to it, what is near, and whose `--help` to read.
pub(super) fn failure_for(error: &clap::Error) -> Failure {
    let rendered = error.render().to_string();
    let mut lines = rendered.lines().map(str::trim).filter(|line| !line.is_empty());
    let message = lines.next().unwrap_or_default().trim_start_matches("error: ").trim_end_matches(':');
    let (mut failure, mut help) = (Failure::usage(message), None);
    for line in lines {
        if let Some(usage) = line.strip_prefix("Usage: ") {
            let is_word = |word: &&str| !word.starts_with(['-', '[', '<']);
            let words = usage.strip_prefix("kubectl ").unwrap_or(usage);
            let command: Vec<_> = words.split(' ').take_while(is_word).collect();
            failure = misplaced(error, &command[1..]).into_iter().fold(failure, Failure::hint);
            let words = command[1..].iter();
            help = Some(words.fold(gloo_rs(""), |command, word| command.value(*word)).fixed("--help"));
            failure = failure.detail(format!("usage: {usage}"));
        } else if let Some(tip) = line.strip_prefix("tip: ") {
            let hint = match tip.contains("similar") {
                true => near(error).map(|near| format!("did you mean {near}?")),
                false => Some(tip.to_owned()),
            };
            failure = hint.into_iter().fold(failure, Failure::hint);
        } else if !line.starts_with("For more information") {
            failure = failure.detail(line);
        }
    }
    help.into_iter().fold(failure, Failure::hint)
}

/// The flag that takes a word which stands alone: a finding's code, a host, a namespace, or the name of an Upstream or a
/// gateway proxy. Of the name of a command of another group, that command.
fn misplaced(error: &clap::Error, words: &[&str]) -> Option<CommandLine> {
    let kind = match error.kind() {
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        _ => return None,
    };
    let Some(ContextValue::String(word)) = error.get(kind) else { return None };
    if word.starts_with('-') {
        return None;
    }
    let command = words.iter().fold(gloo_rs(""), |command, word| command.value(*word));
    let is_host = word.contains('.') && Host::parse(word).is_some() && super::takes(words, "--host");
    match words {
        ["check"] => named(word).map(|code| command.with("--explain", code.id)),
        _ if is_host => Some(command.with("--host", word)),
        ["istio", "describe"] if near(error).is_none() => {
            Some(elsewhere(word).unwrap_or_else(|| command.value("upstream").value(word)))
        }
        ["istio", "peer-auth", _] => Some(command.with("-n", word)),
        _ if kind == ContextKind::InvalidSubcommand => elsewhere(word),
        _ => {
            let flag = ["--upstream", "--name"].into_iter().find(|flag| super::takes(words, flag))?;
            Some(command.with(flag, word))
        }
    }
}

/// The command with this name in another group, or at the top.
fn elsewhere(word: &str) -> Option<CommandLine> {
    let tree = super::tree();
    let is_named = |command: &&clap::Command| command.get_name() == word && !command.is_hide_set();
    let in_group = |group: &clap::Command| {
        let command = group.get_subcommands().find(is_named)?;
        Some(gloo_rs("").value(group.get_name()).value(command.get_name()))
    };
    let at_top = tree.get_subcommands().find(is_named).map(|command| gloo_rs("").value(command.get_name()));
    at_top.or_else(|| tree.get_subcommands().find_map(in_group))
}

/// What clap suggests, if it is close: clap takes `p` for close to `explain`. Of several the best is the last.
fn near(error: &clap::Error) -> Option<&str> {
    const KINDS: [(ContextKind, ContextKind); 3] = [
        (ContextKind::InvalidSubcommand, ContextKind::SuggestedSubcommand),
        (ContextKind::InvalidArg, ContextKind::SuggestedArg),
        (ContextKind::InvalidValue, ContextKind::SuggestedValue),
    ];
    let text = |kind| match error.get(kind)? {
        ContextValue::String(one) => Some(one.as_str()),
        ContextValue::Strings(several) => several.last().map(String::as_str),
        _ => None,
    };
    KINDS.into_iter().find_map(|(typed, suggested)| {
        let (typed, suggested) = (text(typed)?, text(suggested)?);
        (!nearest(typed, [suggested]).is_empty()).then_some(suggested)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(line: &str) -> Failure {
        failure_for(
            &crate::cli::tree().try_get_matches_from(std::iter::once("gloo-rs").chain(line.split(' '))).unwrap_err(),
        )
    }

    #[test]
    fn a_mistyped_word_gets_the_nearest() {
        let value = failure("istio enable-mtls -u x --dry-run=servr");
        assert_eq!(value.hints, ["did you mean server?"]);
        for (line, near, of) in [
            ("prox url", "proxy", "gloo-rs"),
            ("istio enable-mtlz", "enable-mtls", "gloo-rs istio"),
            ("istio enable-mtls --upstrem x", "--upstream", "gloo-rs istio enable-mtls"),
            ("--kube-contxt x version", "--kube-context", "gloo-rs"),
        ] {
            let hints = failure(line).hints;
            assert_eq!(hints, [format!("did you mean {near}?"), format!("{of} --help")], "{line}");
        }
    }

    #[test]
    fn a_word_that_is_far_from_every_other_gets_no_suggestion() {
        for (line, of) in [("explain", "gloo-rs"), ("istio status", "gloo-rs istio"), ("settings", "gloo-rs")] {
            assert_eq!(failure(line).hints, [format!("{of} --help")], "{line}");
        }
    }

    #[test]
    fn a_word_without_its_flag_gets_the_flag() {
        for (line, hint) in [
            ("check GRS101", "gloo-rs check --explain GRS101"),
            ("istio enable-mtls default-httpbin-8000", "gloo-rs istio enable-mtls --upstream default-httpbin-8000"),
            ("istio describe shop.example", "gloo-rs istio describe --host shop.example"),
            ("istio verify shop.example", "gloo-rs istio verify --host shop.example"),
            ("istio verify default-httpbin-8000", "gloo-rs istio verify --upstream default-httpbin-8000"),
            ("istio auto-mtls disable x", "gloo-rs istio auto-mtls disable --upstream x"),
            ("istio describe default-httpbin-8000", "gloo-rs istio describe upstream default-httpbin-8000"),
            ("istio inject internal-proxy", "gloo-rs istio inject --name internal-proxy"),
            ("istio uninject internal-proxy", "gloo-rs istio uninject --name internal-proxy"),
            ("proxy url internal-proxy", "gloo-rs proxy url --name internal-proxy"),
            ("istio peer-auth strict shop", "gloo-rs istio peer-auth strict -n shop"),
        ] {
            assert_eq!(failure(line).hints[0], hint, "{line}");
        }
        for line in ["check nothing", "istio shop.example", "istio enable-mtls --no", "istio revisions x"] {
            assert_eq!(failure(line).hints.len(), 1, "{line}");
        }
        let near = failure("istio describe upstrem").hints;
        assert_eq!(near, ["did you mean upstream?", "gloo-rs istio describe --help"]);
    }

    #[test]
    fn the_name_of_a_command_of_another_group_gets_that_command() {
        for (line, hint) in [
            ("describe upstream x", "gloo-rs istio describe"),
            ("enable-mtls -u x", "gloo-rs istio enable-mtls"),
            ("istio url", "gloo-rs proxy url"),
            ("proxy check", "gloo-rs check"),
        ] {
            assert_eq!(failure(line).hints[0], hint, "{line}");
        }
    }

    #[test]
    fn what_clap_says_below_its_first_line_stays_below() {
        let missing = failure("istio describe");
        assert!(!missing.message.ends_with(':'), "{missing:?}");
        let value = failure("istio enable-mtls -u x --dry-run=nobody");
        assert_eq!(value.message, "invalid value 'nobody' for '--dry-run[=<WHO>]'");
        assert_eq!(value.details, ["[possible values: client, server]"]);
        let both = failure("istio enroll a -f x --workload deploy/a");
        assert!(both.details[0].starts_with("usage: gloo-rs istio enroll "), "{both:?}");
        assert_eq!(both.hints, ["gloo-rs istio enroll --help"]);
    }
}
