//! What was typed: clap's types, one file per leaf command, and what they mean as plain options.

mod baseline;
mod check;
mod complete;
mod contexts;
mod formats;
mod global;
mod help;
mod istio;
mod leftovers;
mod live;
mod observe;
mod preview;
mod proxy;
mod rbac;
mod report;
mod upgrade_values;
mod usage;
mod version;
mod wanted;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args as _, CommandFactory, FromArgMatches, Parser, Subcommand};

pub use complete::{VARIABLE as COMPLETION_VARIABLE, registration, scripts};
pub(crate) use live::complete;
pub(crate) use wanted::format as wanted_format;

use crate::build::LINE;
use crate::command::{Called, gloo_rs};
use crate::error::{Exit, Failure};
use crate::options::{Command, Format, Global};
use crate::plan::advice::Advice;

/// Connect Gloo Gateway to an Istio mesh
///
/// Adds Istio's sidecars to the gateway, turns on mutual TLS for Upstreams, and prints the gateway's address.
#[derive(Debug, Parser)]
#[command(name = "gloo-rs", version = LINE, propagate_version = false, disable_help_subcommand = true)]
#[command(subcommand_required = true, arg_required_else_help = true, max_term_width = 80)]
#[command(after_help = help::ROOT, help_template = help::root_template())]
struct Cli {
    #[command(flatten)]
    global: global::GlobalArgs,
    #[command(subcommand)]
    command: Word,
}

/// glooctl's aliases work and are not shown: completion would offer them in the place of the word.
#[derive(Debug, Subcommand)]
enum Word {
    /// Set up and verify mutual TLS between the gateway and the mesh
    #[command(subcommand, arg_required_else_help = true)]
    Istio(istio::IstioCommand),
    /// Print the gateway's address and inspect its Envoy
    #[command(subcommand, aliases = ["p", "proxies"], arg_required_else_help = true)]
    Proxy(proxy::ProxyCommand),
    UpgradeValues(Box<upgrade_values::UpgradeValuesArgs>),
    Check(Box<check::CheckArgs>),
    Report(Box<report::ReportArgs>),
    Rbac(rbac::RbacArgs),
    #[command(alias = "v")]
    Version(version::VersionArgs),
    Completion(complete::CompletionArgs),
    /// Print the options that every command has
    #[command(after_help = help::OPTIONS)]
    Options,
}

/// A command line that was understood.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// The words of the command: `istio enable-mtls`.
    pub words: Vec<String>,
    pub global: Global,
    /// The format on a terminal, if none was requested and it is another one there.
    pub on_terminal: Option<Format>,
    pub command: Command,
    /// What has no effect, said once.
    pub advice: Vec<Advice>,
}

/// A command line that asks for nothing but text, or is none.
#[derive(Debug)]
pub(crate) enum Early {
    /// `--help`, `--version`: the text for stdout.
    Text(String),
    /// Not a command line: clap's own message for stderr, and the same as a failure.
    Usage { rendered: String, failure: Failure },
    /// A command line that contradicts itself.
    Refused { words: Vec<String>, failure: Failure },
}

/// The whole command tree, for completion, docs and tests.
pub fn tree() -> clap::Command {
    help::exits::listed(help::brief::shortened(Cli::command()), "")
}

/// What `gloo-rs options` prints.
pub(crate) fn global_options() -> String {
    let options =
        clap::Command::new("gloo-rs").disable_help_flag(true).help_template("{all-args}\n").max_term_width(80);
    global::GlobalArgs::augment_args(options).render_help().to_string()
}

/// The exit codes that the command of these words can end with, as its `--help` lists them.
pub(crate) fn exits(words: &[String]) -> &'static [Exit] {
    help::exits::for_command(&words.join(" ")).unwrap_or_default()
}

/// Whether the command of these words takes a flag: `--overwrite`.
pub(crate) fn takes(words: &[&str], flag: &str) -> bool {
    let has = |command: &clap::Command| command.get_arguments().any(|arg| arg.get_long() == flag.strip_prefix("--"));
    let root = tree();
    let leaf = words.iter().try_fold(&root, |at, word| at.find_subcommand(word));
    leaf.is_some_and(|leaf| has(leaf) || has(&root))
}

/// Reads a command line.
///
/// # Errors
/// What to print instead of running, and whether it is a failure.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Invocation, Early> {
    let args = help_last(args);
    let called = args.first().map_or(Called::GlooRs, |program| Called::by(program));
    let matches = matches(args, called).map_err(|error| early(&error))?;
    let words = words(&matches);
    let cli = Cli::from_arg_matches(&matches).map_err(|error| early(&error))?;
    let refused = |failure| Early::Refused { words: words.clone(), failure };
    let advice = cli.global.leftovers().map_err(refused)?;
    let source = leaf(&matches).value_source("output");
    // A script is no document: a usual format set for all commands does not stand in its way.
    let formats = match (&cli.command, source) {
        (Word::Completion(_) | Word::Options, Some(ValueSource::EnvVariable)) => &Format::ALL,
        (Word::Proxy(proxy::ProxyCommand::Dump(args)), _) if args.has_view() => formats::OF_DUMP_VIEWS,
        _ => formats::for_command(&words.join(" ")),
    };
    let on_terminal = cli.command.format_on_terminal().filter(|_| source.is_none());
    let global = Global { called, ..cli.global.options(formats).map_err(refused)? };
    let command = cli.command.options(&global).map_err(refused)?;
    let global = contexts::for_command(global, &command, &words, leaf(&matches)).map_err(refused)?;
    Ok(Invocation { words, global, on_terminal, command, advice })
}

/// Reads the words. The texts of the help are built only for a run that may print them: it is half of the time before
/// a command starts.
fn matches(args: Vec<OsString>, called: Called) -> Result<clap::ArgMatches, clap::Error> {
    let bare = Cli::command().bin_name(called.name());
    match bare.try_get_matches_from(&args) {
        Err(error) if error.kind() != ErrorKind::DisplayVersion => tree_of(called).try_get_matches_from(args),
        other => other,
    }
}

/// The command tree with the name by which the program was started.
fn tree_of(called: Called) -> clap::Command {
    fn renamed(command: clap::Command, called: Called) -> clap::Command {
        let (short, long) = (command.get_after_help(), command.get_after_long_help());
        let [short, long] = [short, long].map(|text| text.map(|text| called.say(&text.to_string())));
        let command = short.into_iter().fold(command, clap::Command::after_help);
        let command = long.into_iter().fold(command, clap::Command::after_long_help);
        command.mut_subcommands(|inner| renamed(inner, called))
    }
    let tree = tree().bin_name(called.name());
    match called {
        Called::GlooRs => tree,
        Called::KubectlGloo => renamed(tree, called).help_template(called.say(&help::root_template())),
    }
}

/// `gloo-rs help istio inject` is `gloo-rs istio inject --help`, as with kubectl.
fn help_last(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<_> = args.into_iter().collect();
    if args.get(1).is_some_and(|word| word == "help") {
        args.remove(1);
        args.push("--help".into());
    }
    args
}

fn leaf(matches: &clap::ArgMatches) -> &clap::ArgMatches {
    matches.subcommand().map_or(matches, |(_, inner)| leaf(inner))
}

fn words(matches: &clap::ArgMatches) -> Vec<String> {
    let mut words = Vec::new();
    let mut at = matches;
    while let Some((word, inner)) = at.subcommand() {
        words.push(word.to_owned());
        at = inner;
    }
    words
}

fn early(error: &clap::Error) -> Early {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Early::Text(error.render().to_string()),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => Early::Usage {
            rendered: error.render().to_string(),
            failure: Failure::usage("no command given").hint(gloo_rs("--help").then(" lists the commands")),
        },
        _ => {
            let failure = leftovers::failure_for(error).unwrap_or_else(|| usage::failure_for(error));
            Early::Refused { words: Vec::new(), failure }
        }
    }
}

impl Word {
    /// The format for a person, if it is another one than the usual format.
    fn format_on_terminal(&self) -> Option<Format> {
        matches!(self, Self::Version(_)).then_some(Format::Table)
    }

    fn options(self, global: &Global) -> Result<Command, Failure> {
        match self {
            Self::Istio(word) => word.options(global),
            Self::Proxy(word) => word.options(global),
            Self::UpgradeValues(args) => args.options(global),
            Self::Check(args) => args.options(),
            Self::Report(args) => args.options(),
            Self::Rbac(args) => args.options(global),
            Self::Version(args) => Ok(Command::Version(args.options())),
            Self::Completion(args) => Ok(Command::Completion(args.options())),
            Self::Options => Ok(Command::Options),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Invocation, Early> {
        super::parse(line.split(' ').map(OsString::from))
    }

    #[test]
    fn the_tree_is_one_that_clap_accepts() {
        tree().debug_assert();
    }

    #[test]
    fn help_and_a_command_print_the_help_of_the_command() {
        for (line, same) in
            [("help", "--help"), ("help istio enable-mtls", "istio enable-mtls --help"), ("help -h", "--help")]
        {
            let parse = |line: &str| parse(&format!("gloo-rs {line}"));
            let (Err(Early::Text(text)), Err(Early::Text(wanted))) = (parse(line), parse(same)) else {
                panic!("{line} prints no help")
            };
            assert_eq!(text.lines().next(), wanted.lines().next(), "{line}");
        }
    }

    #[test]
    fn global_flags_stand_before_or_after_the_command() {
        for line in [
            "gloo-rs --kube-context b -n edge istio enable-mtls -u x",
            "gloo-rs istio enable-mtls -u x --context b --namespace edge",
        ] {
            let it = parse(line).unwrap();
            assert_eq!(it.words, ["istio", "enable-mtls"]);
            assert_eq!(it.global.context.as_deref(), Some("b"));
            assert_eq!(it.global.object_namespace(), "edge");
        }
    }

    #[test]
    fn what_contradicts_itself_is_usage() {
        for line in [
            "gloo-rs istio enable-mtls",
            "gloo-rs istio enable-mtls -u x --all",
            "gloo-rs istio enable-mtls -u x -A",
            "gloo-rs istio enable-mtls -u a/b/c",
            "gloo-rs istio enable-mtls -u ../x",
            "gloo-rs istio enable-mtls -l a=b=c",
            "gloo-rs istio enable-mtls --all --as=",
            "gloo-rs istio enable-mtls -u x --write",
            "gloo-rs istio enable-mtls -u x -f a.yaml -o json",
            "gloo-rs istio enable-mtls -u x -f a.yaml --dry-run=server",
            "gloo-rs istio enable-mtls -u x -o wide",
            "gloo-rs istio enable-mtls -u x --wait -f a.yaml",
            "gloo-rs istio disable-mtls -u x --wait --dry-run",
            "gloo-rs istio disable-mtls -u x --wait --check",
            "gloo-rs istio enable-mtls -u x --timeout never",
            "gloo-rs istio enable-mtls -u x --timeout 0s",
            "gloo-rs --use-consul istio enable-mtls -u x",
        ] {
            let Err(Early::Refused { failure, .. } | Early::Usage { failure, .. }) = parse(line) else {
                panic!("{line} was taken")
            };
            assert_eq!(failure.exit, crate::error::Exit::Usage, "{line}");
        }
    }
}
