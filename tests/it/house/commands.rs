//! Every command line that the README, the docs and the help texts show is one, and those that need
//! no cluster run.

use std::ffi::OsString;

use gloo_rs::exports::cli;

use super::{files_below, pages, read};
use crate::support::{Output, Sandbox};

/// The manifests that the examples are about, and under which names they use them.
const MANIFESTS: [(&str, &[&str]); 7] = [
    ("examples/upstream.yaml", &["examples/upstream.yaml", "upstreams.yaml"]),
    ("examples/gateway.yaml", &["gateway.yaml"]),
    ("examples/istiod.yaml", &["istiod.yaml"]),
    ("examples/settings.yaml", &["settings.yaml"]),
    ("examples/policies.yaml", &["policies.yaml"]),
    ("examples/namespace.yaml", &["namespace.yaml"]),
    ("examples/dump.json", &["dump.json"]),
];

/// The page that shows the homes of values.
const VALUES_PAGE: &str = "docs/gitops.md";

/// A command line and where it stands.
#[derive(Debug)]
struct Example {
    place: String,
    line: String,
    words: Vec<String>,
}

impl Example {
    fn new(place: &str, line: &str) -> Vec<Self> {
        let commands = commands(line).into_iter();
        commands.map(|words| Self { place: place.to_owned(), line: line.to_owned(), words }).collect()
    }

    /// Whether it asks only if something would change: the exit code is the answer.
    fn is_question(&self) -> bool {
        self.words.iter().any(|word| word == "--check")
    }

    /// Whether it went as the example promises.
    fn is_kept(&self, output: &Output) -> bool {
        match output.code {
            Some(0) => {
                self.is_question() || self.words.iter().any(|word| word == "--write") || !output.stdout.is_empty()
            }
            Some(3) => self.is_question(),
            _ => false,
        }
    }

    /// Whether it edits the values of files, with all that a cluster would tell.
    fn is_of_values(&self) -> bool {
        let has = |flag: &str| self.words.iter().any(|word| word == flag);
        has("--values") && (has("--remove") || has("--istio-discovery-address"))
    }

    /// Whether it needs no cluster.
    fn is_offline(&self) -> bool {
        self.is_of_values()
            || matches!(self.words[1].as_str(), "completion" | "options" | "rbac")
            || self
                .words
                .iter()
                .any(|word| matches!(word.as_str(), "-f" | "--filename" | "--client" | "--help" | "--version"))
    }
}

/// The command lines of this program in a line of shell, also inside `$(...)` and `<(...)`.
fn commands(line: &str) -> Vec<Vec<String>> {
    let line = line.trim().trim_start_matches("$ ");
    let line = match line.strip_prefix("cargo run").and_then(|rest| rest.split_once(" -- ")) {
        Some((_, rest)) => format!("gloo-rs {rest}"),
        None => line.to_owned(),
    };
    let mut found = Vec::new();
    for (at, _) in line.match_indices("gloo-rs ") {
        let (before, rest) = line.split_at(at);
        if before.is_empty() {
            found.push(words(rest));
        } else if before.ends_with('(') {
            found.push(words(rest.split_once(')').expect("the bracket is closed").0));
        }
    }
    found
}

/// The words up to a pipe, a redirection or a comment.
fn words(command: &str) -> Vec<String> {
    command
        .split_whitespace()
        .take_while(|word| !matches!(*word, "|" | ">" | "||" | "&&" | "#"))
        .map(|word| word.trim_matches(['\'', '"']).to_owned())
        .collect()
}

/// The lines of the shell blocks of a page.
fn shell_lines(page: &str) -> Vec<String> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in read(page).lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            inside = matches!(language, "sh" | "console");
        } else if inside {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// The files that a page shows: each YAML block whose first line is a comment with its name.
fn yaml_blocks(page: &str) -> Vec<(String, String)> {
    let text = read(page);
    let blocks = text.split("```yaml\n# ").skip(1).filter_map(|rest| rest.split_once("```"));
    let files = blocks.filter_map(|(block, _)| block.split_once('\n'));
    files.map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
}

/// Every command without subcommands, with the words that lead to it.
fn leaves() -> Vec<(String, clap::Command)> {
    let mut open = vec![(String::new(), cli::tree())];
    let mut leaves = Vec::new();
    while let Some((path, command)) = open.pop() {
        let path = format!("{path} {}", command.get_name()).trim().to_owned();
        if command.has_subcommands() {
            open.extend(command.get_subcommands().map(|inner| (path.clone(), inner.clone())));
        } else {
            leaves.push((path, command));
        }
    }
    leaves
}

fn help(command: &clap::Command) -> String {
    command.clone().render_long_help().to_string()
}

fn examples() -> Vec<Example> {
    let mut examples = Vec::new();
    for page in pages() {
        examples.extend(shell_lines(&page).iter().flat_map(|line| Example::new(&page, line)));
    }
    for (path, command) in leaves().into_iter().chain([("gloo-rs".to_owned(), cli::tree())]) {
        let help = help(&command);
        let (_, lines) = help.split_once("Examples:").unwrap_or_else(|| panic!("{path} --help has no examples"));
        let (lines, _) = lines.split_once("\nExit codes").or(lines.split_once("\nUsage:")).expect("the examples end");
        // A long command goes on after a backslash.
        let lines = lines.replace("\\\n", "");
        examples.extend(lines.lines().flat_map(|line| Example::new(&format!("{path} --help"), line)));
    }
    examples
}

#[test]
fn every_example_is_a_command_line() {
    let examples = examples();
    assert!(examples.len() > 20, "only {} examples were found", examples.len());
    for example in examples {
        if let Some(failure) = cli::refusal(example.words.iter().map(OsString::from)) {
            panic!("{}: {}\n{failure}", example.place, example.line);
        }
    }
}

#[test]
fn every_example_that_needs_no_cluster_runs_and_says_something() {
    let mut broken = Vec::new();
    let offline: Vec<_> = examples().into_iter().filter(Example::is_offline).collect();
    assert!(offline.len() > 5, "{offline:?}");
    for example in offline {
        let sandbox = Sandbox::new();
        for (manifest, names) in MANIFESTS {
            for name in names {
                sandbox.write(name, read(manifest));
            }
        }
        for (name, text) in yaml_blocks(VALUES_PAGE) {
            sandbox.write(&name, text);
        }
        let args: Vec<_> = example.words[1..].iter().map(String::as_str).collect();
        let output = sandbox.run(&args);
        if !example.is_kept(&output) {
            broken.push(format!("{}: {}\n{output:#?}", example.place, example.line));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn each_home_of_values_is_shown_and_its_example_runs() {
    let shown: Vec<_> = yaml_blocks(VALUES_PAGE).into_iter().map(|(name, _)| name).collect();
    assert!(shown.len() >= 8, "{shown:?}");
    let examples: Vec<_> = examples().into_iter().filter(Example::is_of_values).collect();
    for home in [
        "app.yaml",
        "parameters.yaml",
        "appset.yaml",
        "multi.yaml",
        "helmrelease.yaml",
        "operator.yaml",
        "helmchart.yaml",
        "helmchartconfig.yaml",
        "kustomization.yaml",
    ] {
        assert!(shown.iter().any(|name| name == home), "{home} is not shown");
        assert!(examples.iter().any(|example| example.words.iter().any(|word| word == home)), "{home} has no example");
    }
}

#[test]
fn every_command_says_its_purpose_examples_and_exit_codes() {
    let leaves = leaves();
    assert!(leaves.len() >= 6, "{leaves:?}");
    for (path, command) in leaves {
        let purpose = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!purpose.is_empty() && !purpose.ends_with('.'), "{path}: {purpose:?}");
        let help = help(&command);
        for part in ["Examples:", "Exit codes:"] {
            assert!(help.contains(part), "{path} --help has no {part:?}");
        }
        let shown = help.lines().any(|line| line.trim().starts_with(&path) || line.contains(&format!("({path}")));
        assert!(shown, "no example of {path} --help shows the command");
    }
}

#[test]
fn commands_are_found_where_a_shell_would_run_them() {
    assert_eq!(commands("curl $(gloo-rs proxy url)/headers"), [["gloo-rs", "proxy", "url"]]);
    assert_eq!(commands("$ cargo run --release -- version --client | jq ."), [["gloo-rs", "version", "--client"]]);
    assert_eq!(commands("cd gloo-rs && ls"), [[""; 0]; 0]);
}

/// The commands that texts of the sources tell somebody to type: at the start of a text, or behind `: ` or a bracket.
fn told(source: &str) -> Vec<Vec<&str>> {
    let lines = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let starts = |before: &str| ["\"", ": ", "(", "`"].iter().any(|mark| before.ends_with(mark));
    let is_word = |word: &&str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && !word.starts_with('-')
    };
    lines
        .flat_map(|line| {
            line.match_indices("gloo-rs ").map(move |(at, found)| (&line[..at], &line[at + found.len()..]))
        })
        .filter(|(before, _)| starts(before))
        .map(|(_, rest)| rest.split([' ', '"', ',', ')', '`']).take_while(is_word).collect())
        .collect()
}

#[test]
fn every_command_that_a_hint_names_is_there() {
    for file in files_below("src", ".rs") {
        for words in told(&read(&file)) {
            let mut command = cli::tree();
            for word in words {
                if command.has_subcommands() {
                    let inner = command.get_subcommands().find(|inner| inner.get_name() == word).cloned();
                    command = inner.unwrap_or_else(|| panic!("{file} names {word:?}, which is no command"));
                }
            }
        }
    }
}

#[test]
fn commands_are_found_where_a_text_tells_to_type_them() {
    let source =
        "hint(\"gloo-rs istio inject\")\n// \"gloo-rs no\"\nhint(\"in Git: gloo-rs a b -u x\")\nthat gloo-rs does";
    assert_eq!(told(source), [vec!["istio", "inject"], vec!["a", "b"]]);
}
