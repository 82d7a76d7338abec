//! Completion of names that a cluster or the kubeconfig has: which flag takes the names of what.

use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgMatches, Command, FromArgMatches};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, ValueCompleter};

use super::global::GlobalArgs;
use crate::options::{Format, Global, Names};

/// Finds the names there are, with what was typed so far; nothing where there is any trouble.
pub(crate) type Lookup = fn(Names, &Global) -> Vec<String>;

/// Answers a shell that asks for completions, and ends the process then.
pub(crate) fn complete(lookup: Lookup) {
    // The line that the shell asks about stands behind `--`, the program's name first.
    let typed: Vec<_> = std::env::args_os().skip_while(|arg| arg != "--").skip(1).collect();
    CompleteEnv::with_factory(|| tree(&typed, lookup)).complete();
}

/// The command tree for a shell that completes this line.
fn tree(typed: &[OsString], lookup: Lookup) -> Command {
    let global = global(typed);
    let offer = |names: Names| {
        let global = global.clone()?;
        Some(ArgValueCompleter::new(Live { names, global, lookup }))
    };
    with_names(super::tree(), &[], &offer)
}

struct Live {
    names: Names,
    global: Global,
    lookup: Lookup,
}

impl ValueCompleter for Live {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        let Some(current) = current.to_str() else { return Vec::new() };
        // `deployment/NAME`, `NAMESPACE/NAME`: what stands before the slash is kept.
        let (before, rest) = current.rsplit_once('/').map_or(("", current), |(before, rest)| (before, rest));
        let mut global = self.global.clone();
        if self.names == Names::Upstreams && !before.is_empty() {
            global.namespace = Some(before.to_owned());
        }
        let before = if before.is_empty() { String::new() } else { format!("{before}/") };
        let names = (self.lookup)(self.names, &global);
        let fitting = names.into_iter().filter(|name| name.starts_with(rest));
        fitting.map(|name| CompletionCandidate::new(format!("{before}{name}"))).collect()
    }
}

fn with_names(command: Command, path: &[String], offer: &impl Fn(Names) -> Option<ArgValueCompleter>) -> Command {
    let names: Vec<_> = command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    let command = command.mut_args(|arg| match names_of(path, &arg).and_then(offer) {
        Some(completer) => arg.add(completer),
        None => arg,
    });
    names.into_iter().fold(command, |command, name| {
        let path: Vec<_> = path.iter().cloned().chain([name.clone()]).collect();
        command.mut_subcommand(name, |inner| with_names(inner, &path, offer))
    })
}

/// What an argument is the name of.
fn names_of(path: &[String], arg: &Arg) -> Option<Names> {
    let Some(flag) = arg.get_long() else {
        return match arg.get_value_names()?.first()?.as_str() {
            "NAMESPACE" => Some(Names::Namespaces),
            "UPSTREAM" => Some(Names::Upstreams),
            _ => None,
        };
    };
    Some(match flag {
        "kube-context" => Names::Contexts,
        "namespace" | "gloo-namespace" | "istio-namespace" | "namespace-to-enroll" => Names::Namespaces,
        "upstream" => Names::Upstreams,
        "revision" => Names::Revisions,
        "release" => Names::Releases,
        "gateway" => Names::Gateways,
        "name" if matches!(path.last().map(String::as_str), Some("url" | "address")) => Names::Services,
        "name" => Names::Proxies,
        _ => return None,
    })
}

/// The global flags of a line that is not whole yet: its last word is the one that is asked for.
fn global(typed: &[OsString]) -> Option<Global> {
    let (_, before) = typed.split_last()?;
    let matches = super::tree().ignore_errors(true).try_get_matches_from(before).ok()?;
    let args = GlobalArgs::from_arg_matches(innermost(&matches)).ok()?;
    args.options(&Format::ALL).ok()
}

/// Global flags are handed down to whichever command was typed.
fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, inner)| innermost(inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every name there is: two, and the namespace that is asked for.
    fn names(_: Names, global: &Global) -> Vec<String> {
        vec!["default-httpbin-8000".to_owned(), "other".to_owned(), format!("in-{}", global.object_namespace())]
    }

    fn offered(line: &str, flag: &str, current: &str) -> Vec<String> {
        let typed: Vec<_> = line.split(' ').map(OsString::from).collect();
        let words = line.split(' ').skip(1);
        let at = words.fold(tree(&typed, names), |at, word| at.find_subcommand(word).cloned().unwrap_or(at));
        let arg = at.get_arguments().find(|arg| arg.get_long() == Some(flag)).expect("the flag is there");
        let completer = arg.get::<ArgValueCompleter>().expect("its names are completed");
        let found = completer.complete(OsStr::new(current));
        found.iter().map(|one| one.get_value().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn names_that_begin_so_are_offered_and_what_stands_before_them_stays() {
        assert_eq!(offered("gloo-rs istio enable-mtls -u def", "upstream", "def"), ["default-httpbin-8000"]);
        assert_eq!(offered("gloo-rs istio inject --name deployment/o", "name", "deployment/o"), ["deployment/other"]);
    }

    #[test]
    fn the_flags_of_an_unfinished_line_are_heard() {
        assert_eq!(offered("gloo-rs -n edge istio enable-mtls --upstream in-", "upstream", "in-"), ["in-edge"]);
        assert_eq!(offered("gloo-rs istio enable-mtls -n shop --upstream in-", "upstream", "in-"), ["in-shop"]);
        assert_eq!(offered("gloo-rs istio enable-mtls --upstream edge/in-", "upstream", "edge/in-"), ["edge/in-edge"]);
        assert_eq!(offered("gloo-rs istio enable-mtls --no-such-flag -u in-", "upstream", "in-"), ["in-gloo-system"]);
    }

    #[test]
    fn a_flag_knows_what_it_names() {
        let cases = [
            ("gloo-rs istio enable-mtls", "upstream", Names::Upstreams),
            ("gloo-rs istio inject", "name", Names::Proxies),
            ("gloo-rs proxy url", "name", Names::Services),
            ("gloo-rs proxy url", "gateway", Names::Gateways),
            ("gloo-rs istio inject", "revision", Names::Revisions),
            ("gloo-rs istio inject", "istio-namespace", Names::Namespaces),
            ("gloo-rs upgrade-values", "release", Names::Releases),
        ];
        for (line, flag, names) in cases {
            let arg = super::super::tree();
            let path: Vec<_> = line.split(' ').skip(1).map(str::to_owned).collect();
            let leaf = path.iter().fold(arg, |at, word| at.find_subcommand(word).expect("a word").clone());
            let arg = leaf.get_arguments().find(|arg| arg.get_long() == Some(flag)).expect("the flag").clone();
            assert_eq!(names_of(&path, &arg), Some(names), "{line} --{flag}");
        }
    }
}
