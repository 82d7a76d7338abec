//! Which commands `--contexts` and `--all-contexts` work with.

use clap::ArgMatches;
use clap::parser::ValueSource;

use crate::command::flag;
use crate::error::Failure;
use crate::options::{ClusterUse, Command, Global};

/// The options without the contexts if the command needs no cluster and only variables set them.
///
/// # Errors
/// The command cannot work on several clusters.
pub(super) fn for_command(
    global: Global,
    command: &Command,
    words: &[String],
    matches: &ArgMatches,
) -> Result<Global, Failure> {
    if global.contexts.is_none() {
        return Ok(global);
    }
    let is_typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let typed = ["contexts", "all_contexts"].into_iter().any(is_typed);
    let words = words.join(" ");
    let refused = |why: &str| Failure::usage(format!("--contexts and --all-contexts: {words} {why}"));
    let set = |failure: Failure| match typed {
        true => failure,
        false => failure.detail("the variable GLOO_RS_CONTEXTS or GLOO_RS_ALL_CONTEXTS is set"),
    };
    match command.cluster_use() {
        ClusterUse::Many => Ok(global),
        ClusterUse::Nothing if !typed => Ok(Global { contexts: None, ..global }),
        ClusterUse::Nothing => Err(refused("reads no cluster here").hint("leave the flag out")),
        ClusterUse::One => {
            Err(set(refused("works on one cluster at a time")).hint(flag("--kube-context").text(" NAME chooses it")))
        }
        ClusterUse::OneForStdin => Err(set(refused("can read stdin only once"))
            .hint("give --overlay a file or a directory, or --kube-context one cluster")),
    }
}
