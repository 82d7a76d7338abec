//! `docs/environment.md`: every variable that the program reads, made from the options and from the list here.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use gloo_rs::exports::cli;
use regex::Regex;

use super::{files_below, read};
use crate::support::generated::assert_up_to_date;

const PAGE: &str = "docs/environment.md";

/// The variables of other conventions, by what they are for.
const OTHERS: [(&str, &[(&str, &str)]); 4] = [
    (
        "The cluster",
        &[
            (
                "KUBECONFIG",
                "The kubeconfig files, separated by `:`. `--kubeconfig` replaces it. Default: `~/.kube/config`.",
            ),
            ("HOME", "The directory of `~/.kube/config`."),
            ("USERPROFILE", "The same on Windows."),
            (
                "KUBERNETES_SERVICE_HOST",
                "In a pod: the address of the API server. It is used if there is no kubeconfig.",
            ),
            ("KUBERNETES_SERVICE_PORT", "In a pod: the port of the API server."),
            ("PATH", "Where `helm` and the credential programs of the kubeconfig are found."),
        ],
    ),
    (
        "The network",
        &[
            ("HTTPS_PROXY", "The proxy for an API server with `https`. `proxy-url` of the kubeconfig comes first."),
            ("HTTP_PROXY", "The proxy for an API server with `http`."),
            ("ALL_PROXY", "The proxy for both, if the variable for one of them is not set."),
            ("NO_PROXY", "The hosts that are reached without a proxy, separated by commas."),
            ("https_proxy", "The same as `HTTPS_PROXY`, which comes first."),
            ("http_proxy", "The same as `HTTP_PROXY`, which comes first."),
            ("all_proxy", "The same as `ALL_PROXY`, which comes first."),
            ("no_proxy", "The same as `NO_PROXY`, which comes first."),
        ],
    ),
    (
        "The screen",
        &[
            ("NO_COLOR", "Any value switches colour off. `--color` replaces it."),
            ("CLICOLOR_FORCE", "A value other than `0` switches colour on, also without a terminal."),
            ("TERM", "`dumb` switches colour and progress lines off."),
            ("COLUMNS", "The width of tables and texts on a terminal, if the terminal does not tell it."),
        ],
    ),
    ("The shell", &[("COMPLETE", "Set by the completion script: the program prints completions and ends.")]),
];

/// The variables of options, with the option and its help.
fn of_options() -> Vec<(String, String, String)> {
    let tree = cli::tree();
    let mut variables: Vec<_> = tree
        .get_arguments()
        .filter_map(|arg| {
            let name = arg.get_env()?.to_str()?.to_owned();
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            Some((name, format!("--{}", arg.get_long()?), help))
        })
        .collect();
    variables.sort();
    variables
}

fn page() -> String {
    let mut text = "# Environment\n\n\
        Every variable that gloo-rs reads. An option on the command line always comes first. An empty variable counts as \
        not set.\n\n\
        ## Options\n\n\
        Each global option has a variable. A switch is on with `1`, `true`, `yes` or `on`.\n\n\
        | variable | option | meaning |\n|---|---|---|\n"
        .to_owned();
    for (name, option, help) in of_options() {
        let help = help.replace('|', "\\|");
        writeln!(text, "| `{name}` | `{option}` | {help} |").expect("writing to memory does not fail");
    }
    for (heading, variables) in OTHERS {
        write!(text, "\n## {heading}\n\n| variable | meaning |\n|---|---|\n").expect("writing to memory does not fail");
        for (name, meaning) in variables {
            writeln!(text, "| `{name}` | {meaning} |").expect("writing to memory does not fail");
        }
    }
    text + "\ngloo-rs runs `helm` and the credential programs of the kubeconfig with the whole environment. What a build \
            reads is in [Testing](testing.md) and [Installing](install.md).\n"
}

#[test]
fn the_generated_page_of_the_environment_has_every_variable() {
    assert_up_to_date(PAGE, &page());
}

/// The variables that the sources read by their names.
fn read_by_sources() -> BTreeSet<String> {
    let call = Regex::new(r#"\b(?:var|var_os|set|os|text|path)\(\s*"([A-Za-z_]{4,})"\s*\)"#).unwrap();
    let proxies = Regex::new(r#""([A-Za-z]+_(?:PROXY|proxy))""#).unwrap();
    let mut found = BTreeSet::new();
    for file in files_below("src", ".rs").into_iter().filter(|file| !file.contains("/tests")) {
        let source = read(&file);
        let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        found.extend(call.captures_iter(code).map(|it| it[1].to_owned()));
        if file.ends_with("proxy_env.rs") {
            found.extend(proxies.captures_iter(code).map(|it| it[1].to_owned()));
        }
    }
    found
}

#[test]
fn the_page_of_the_environment_lists_what_the_sources_read() {
    let listed: BTreeSet<_> = OTHERS.iter().flat_map(|(_, list)| *list).map(|(name, _)| (*name).to_owned()).collect();
    let options: BTreeSet<_> = of_options().into_iter().map(|(name, ..)| name).collect();
    assert!(options.len() > 10, "{options:?}");
    // clap_complete reads this one.
    let expected: BTreeSet<_> = listed.into_iter().filter(|name| name != "COMPLETE").collect();
    let is_variable = |name: &String| name.ends_with("_proxy") || name.to_uppercase() == *name;
    let read: BTreeSet<_> =
        read_by_sources().into_iter().filter(is_variable).filter(|name| !options.contains(name)).collect();
    assert_eq!(read, expected);
}
