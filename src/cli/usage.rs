//! What clap refuses, in the form of every other failure.

use clap::error::{ContextKind, ContextValue};

use crate::error::Failure;

/// The first line of clap's message, the lines that belong to it, what is near, and whose `--help` to read.
pub(super) fn failure_for(error: &clap::Error) -> Failure {
    let rendered = error.render().to_string();
    let mut lines = rendered.lines().map(str::trim).filter(|line| !line.is_empty());
    let message = lines.next().unwrap_or_default().trim_start_matches("error: ").trim_end_matches(':');
    let (mut failure, mut help) = (Failure::usage(message), None);
    for line in lines {
        if let Some(usage) = line.strip_prefix("Usage: ") {
            let is_word = |word: &&str| !word.starts_with(['-', '[', '<']);
            let command: Vec<_> = usage.split(' ').take_while(is_word).collect();
            help = Some(format!("{} --help", command.join(" ")));
            failure = failure.detail(format!("usage: {usage}"));
        } else if let Some(tip) = line.strip_prefix("tip: ") {
            let near = near(error).filter(|_| tip.contains("similar"));
            failure = failure.hint(near.map_or_else(|| tip.to_owned(), |near| format!("did you mean {near}?")));
        } else if !line.starts_with("For more information") {
            failure = failure.detail(line);
        }
    }
    help.into_iter().fold(failure, Failure::hint)
}

/// Of several the best is the last.
fn near(error: &clap::Error) -> Option<&str> {
    let kinds = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    kinds.into_iter().find_map(|kind| match error.get(kind)? {
        ContextValue::String(one) => Some(one.as_str()),
        ContextValue::Strings(several) => several.last().map(String::as_str),
        _ => None,
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
