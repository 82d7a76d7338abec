//! Completion of names that a cluster or the kubeconfig has: which flag takes the names of what.

use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgMatches, Command, FromArgMatches};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, ValueCompleter};

use super::formats::{OF_DUMP_VIEWS, for_command, name};
use super::global::GlobalArgs;
use crate::check::{CHECKS, codes};
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
    let typed = typed_so_far(typed);
    let offer = |offered: Offered| {
        Some(match offered {
            Offered::Fixed(words) => ArgValueCompleter::new(Fixed(words)),
            Offered::Formats => ArgValueCompleter::new(Fixed(formats(&typed.as_ref()?.words))),
            Offered::Live(names) => ArgValueCompleter::new(Live { names, typed: typed.clone()?, lookup }),
        })
    };
    with_names(super::tree(), &[], &offer)
}

/// What can be offered for an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Offered {
    /// Names of a cluster or of the kubeconfig.
    Live(Names),
    /// Words of this program.
    Fixed(Vec<&'static str>),
    /// The formats of the command that was typed.
    Formats,
}

struct Fixed(Vec<&'static str>);

impl ValueCompleter for Fixed {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        let current = current.to_string_lossy();
        let fitting = self.0.iter().filter(|word| word.starts_with(&*current));
        fitting.map(|word| CompletionCandidate::new(*word)).collect()
    }
}

struct Live {
    names: Names,
    typed: TypedSoFar,
    lookup: Lookup,
}

impl ValueCompleter for Live {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        let Some(current) = current.to_str() else { return Vec::new() };
        let mut global = self.typed.global.clone();
        // `deployment/NAME`, `NAMESPACE/NAME`: what stands before the slash is kept. A workload or a context has it in its name.
        let (before, rest) = match (self.names, current.rsplit_once('/')) {
            (Names::Workloads | Names::Contexts, _) | (_, None) => ("", current),
            (_, Some((before, rest))) => (before, rest),
        };
        match (self.names, &self.typed.namespace) {
            (Names::Workloads, None) => return Vec::new(),
            (Names::Workloads, namespace) => global.namespace.clone_from(namespace),
            (Names::Upstreams, _) if !before.is_empty() => global.namespace = Some(before.to_owned()),
            _ => {}
        }
        let before = if before.is_empty() { String::new() } else { format!("{before}/") };
        let names = (self.lookup)(self.names, &global);
        let fitting = names.into_iter().filter(|name| name.starts_with(rest));
        fitting.map(|name| CompletionCandidate::new(format!("{before}{name}"))).collect()
    }
}

fn with_names(command: Command, path: &[String], offer: &impl Fn(Offered) -> Option<ArgValueCompleter>) -> Command {
    let names: Vec<_> = command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    let command = command.mut_args(|arg| match offered_for(path, &arg).and_then(offer) {
        Some(completer) => arg.add(completer),
        None => arg,
    });
    names.into_iter().fold(command, |command, name| {
        let path: Vec<_> = path.iter().cloned().chain([name.clone()]).collect();
        command.mut_subcommand(name, |inner| with_names(inner, &path, offer))
    })
}

/// What can be offered for an argument of the command of this path.
fn offered_for(path: &[String], arg: &Arg) -> Option<Offered> {
    let words = path.join(" ");
    let first_value = || arg.get_value_names().and_then(<[_]>::first).map_or("", |name| name.as_str());
    let Some(flag) = arg.get_long() else {
        return match (words.as_str(), first_value()) {
            (_, "NAMESPACE") => Some(Offered::Live(Names::Namespaces)),
            (_, "UPSTREAM") | ("istio describe upstream", "NAME") => Some(Offered::Live(Names::Upstreams)),
            ("proxy restart", "NAME") => Some(Offered::Live(Names::Proxies)),
            _ => None,
        };
    };
    Some(Offered::Live(match flag {
        "kube-context" | "contexts" => Names::Contexts,
        "namespace" | "gloo-namespace" | "istio-namespace" | "namespace-to-enroll" | "resource-namespaces" => {
            Names::Namespaces
        }
        "upstream" => Names::Upstreams,
        "revision" => Names::Revisions,
        "release" => Names::Releases,
        "gateway" => Names::Gateways,
        "host" => Names::Hosts,
        "workload" if first_value() == "KIND/NAME" => Names::Workloads,
        "name" if matches!(path.last().map(String::as_str), Some("url" | "address")) => Names::Services,
        "name" => Names::Proxies,
        "explain" => return Some(Offered::Fixed(codes::ALL.iter().map(|code| code.id).chain(["all"]).collect())),
        "exclude" => return Some(Offered::Fixed(CHECKS.iter().map(|check| check.word).collect())),
        "output" => return Some(Offered::Formats),
        _ => return None,
    }))
}

/// The formats of a command, with those of its views.
fn formats(words: &str) -> Vec<&'static str> {
    let views = if words == "proxy dump" { OF_DUMP_VIEWS } else { &[] };
    let mut formats: Vec<_> = for_command(words).iter().chain(views).map(|format| name(*format)).collect();
    formats.sort_unstable();
    formats.dedup();
    formats
}

/// What is known of a line that is not whole yet.
#[derive(Clone)]
struct TypedSoFar {
    global: Global,
    /// The words of the command.
    words: String,
    /// The first `NAMESPACE` that is an argument.
    namespace: Option<String>,
}

/// Reads a line that is not whole yet: its last word is the one that is asked for.
fn typed_so_far(typed: &[OsString]) -> Option<TypedSoFar> {
    let (_, before) = typed.split_last()?;
    let matches = super::tree().ignore_errors(true).try_get_matches_from(before).ok()?;
    let words = super::words(&matches).join(" ");
    let matches = innermost(&matches);
    let args = GlobalArgs::from_arg_matches(matches).ok()?;
    let namespace = matches.try_get_one::<String>("namespaces").ok().flatten().cloned();
    Some(TypedSoFar { global: args.options(&Format::ALL).ok()?, words, namespace })
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
    fn workloads_are_those_of_the_namespace_that_is_an_argument() {
        assert_eq!(offered("gloo-rs istio enroll shop --workload in-", "workload", "in-"), ["in-shop"]);
        assert_eq!(offered("gloo-rs istio enroll --workload in-", "workload", "in-"), [""; 0]);
    }

    #[test]
    fn each_command_offers_the_formats_that_it_takes() {
        for (words, offered) in [
            ("istio describe upstreams", "csv json table wide yaml"),
            ("check", "json junit sarif table text wide yaml"),
            ("report", "html json markdown text yaml"),
            ("proxy dump", "json table text wide yaml"),
            ("version", "json table yaml"),
            ("istio enable-mtls", "json name text yaml"),
        ] {
            assert_eq!(formats(words).join(" "), offered, "{words}");
        }
    }

    #[test]
    fn a_flag_knows_what_it_names() {
        let cases = [
            ("gloo-rs istio enable-mtls", "upstream", Names::Upstreams),
            ("gloo-rs istio inject", "name", Names::Proxies),
            ("gloo-rs", "contexts", Names::Contexts),
            ("gloo-rs proxy url", "name", Names::Services),
            ("gloo-rs proxy url", "gateway", Names::Gateways),
            ("gloo-rs istio inject", "revision", Names::Revisions),
            ("gloo-rs istio inject", "istio-namespace", Names::Namespaces),
            ("gloo-rs upgrade-values", "release", Names::Releases),
            ("gloo-rs istio enroll", "workload", Names::Workloads),
            ("gloo-rs istio describe", "host", Names::Hosts),
            ("gloo-rs istio verify", "host", Names::Hosts),
            ("gloo-rs check", "resource-namespaces", Names::Namespaces),
        ];
        for (line, flag, names) in cases {
            let arg = super::super::tree();
            let path: Vec<_> = line.split(' ').skip(1).map(str::to_owned).collect();
            let leaf = path.iter().fold(arg, |at, word| at.find_subcommand(word).expect("a word").clone());
            let arg = leaf.get_arguments().find(|arg| arg.get_long() == Some(flag)).expect("the flag").clone();
            assert_eq!(offered_for(&path, &arg), Some(Offered::Live(names)), "{line} --{flag}");
        }
    }
}
