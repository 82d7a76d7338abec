//! What each command looks like: on a pipe, on terminals of two widths, without colour.
//!
//! `tests/snapshots/NAME.txt` has the command and its output in each setting, ESC written as `^[`. A setting whose
//! output is that of an earlier one names it. `GLOO_RS_RENEW=1 cargo test generated` writes what is so now.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::stage::{Options, Plane};
use crate::support::commands::leaves;
use crate::support::generated::{HOW, renewing};
use crate::support::{Output, Sandbox};

/// A name, and a command line: every command, and some in several states. The cluster is that of the guide, and nothing
/// here changes it.
const COMMANDS: [(&str, &str); 50] = [
    ("address", "proxy url"),
    ("address-alone", "proxy address"),
    ("auto-mtls-disable", "istio auto-mtls disable --dry-run"),
    ("auto-mtls-enable", "istio auto-mtls enable --dry-run"),
    ("auto-mtls-status", "istio auto-mtls status"),
    ("certs", "proxy certs"),
    ("change", "istio enable-mtls -u default-httpbin-8000 --dry-run --force"),
    ("change-that-breaks", "istio enable-mtls -u default-httpbin-8000 --dry-run"),
    ("change-refused", "istio enable-mtls -u payments-api --dry-run"),
    ("change-of-files", "istio enable-mtls -u default-httpbin-8000 -f upstream.yaml --diff"),
    ("completion", "completion elvish"),
    ("disable", "istio disable-mtls -u default-httpbin-8000 --dry-run"),
    ("document", "istio enable-mtls -u default-httpbin-8000 -f upstream.yaml --dry-run -o json"),
    ("dump", "proxy dump"),
    ("enroll", "istio enroll default --revision 1-28 --dry-run"),
    ("findings", "check --read-only"),
    ("help", "istio peer-auth strict --help"),
    ("logs", "proxy logs"),
    ("migration", "istio auto-mtls migrate --all --dry-run"),
    ("not-found", "istio enable-mtls -u default-htpbin-8000"),
    ("options", "options"),
    ("policy", "istio peer-auth get -n default"),
    ("policy-permissive", "istio peer-auth permissive -n default --dry-run"),
    ("policy-refused", "istio peer-auth strict -n default --dry-run"),
    ("policy-forced", "istio peer-auth strict -n default --force --dry-run"),
    ("policy-removed", "istio peer-auth remove -n default --dry-run"),
    ("posture", "report"),
    ("restart", "proxy restart --dry-run"),
    ("revisions", "istio revisions"),
    ("rights", "rbac istio enable-mtls -u default-httpbin-8000"),
    ("screen", "istio describe upstream default-httpbin-8000"),
    ("served-config", "proxy served-config"),
    (
        "setup",
        "istio setup --via inject --revision 1-28 --namespace-to-enroll default -u default-httpbin-8000 --dry-run",
    ),
    ("snapshot", "proxy snapshot"),
    ("stats", "proxy stats"),
    ("sweep", "istio enable-mtls --all --dry-run"),
    ("sweep-document", "istio enable-mtls --all --dry-run -o json"),
    ("table", "istio describe upstreams -A"),
    ("table-wide", "istio revisions -o wide"),
    ("teardown", "istio teardown --dry-run"),
    ("transaction", "istio inject --revision 1-28 --dry-run"),
    ("transaction-back", "istio uninject --dry-run"),
    ("unenroll", "istio unenroll default --dry-run"),
    ("usage", "istio enable-mtls --upstreem default-httpbin-8000"),
    ("usage-command", "istio enable-mtlz -u default-httpbin-8000"),
    ("usage-context", "proxy url --kube-context plan"),
    ("usage-of-ours", "istio enable-mtls -u default-httpbin-8000 --all"),
    ("values", "upgrade-values --values values.yaml --istio-discovery-address istiod.istio-system.svc:15012"),
    ("verify", "istio verify -u default-htpbin-8000"),
    ("version", "version"),
];

/// Where it is run.
enum Stream {
    Pipe,
    Terminal(u16),
}

/// A variable of the environment.
type Variable = (&'static str, &'static str);

/// The name of a setting, the streams, and what is set.
const SETTINGS: [(&str, Stream, Option<Variable>); 6] = [
    ("no terminal", Stream::Pipe, None),
    ("terminal, 80 columns", Stream::Terminal(80), None),
    ("terminal, 200 columns", Stream::Terminal(200), None),
    ("terminal, 80 columns, NO_COLOR=1", Stream::Terminal(80), Some(("NO_COLOR", "1"))),
    ("terminal, 80 columns, TERM=dumb", Stream::Terminal(80), Some(("TERM", "dumb"))),
    ("no terminal, CLICOLOR_FORCE=1", Stream::Pipe, Some(("CLICOLOR_FORCE", "1"))),
];

#[test]
fn each_command_looks_as_its_generated_snapshot() -> Result<()> {
    let plane = Plane::start(&Options::default())?;
    plane.install_guide()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let mut differences = Vec::new();
    for (name, command) in COMMANDS {
        let found = shown(&plane, command);
        let path = root.join(format!("{name}.txt"));
        if renewing() {
            fs::write(&path, &found)?;
        }
        let wanted = fs::read_to_string(&path).unwrap_or_default();
        if wanted != found {
            let diff = similar::TextDiff::from_lines(&wanted, &found).unified_diff().to_string();
            differences.push(format!("{name}: {command}\n{diff}"));
        }
    }
    assert!(differences.is_empty(), "{HOW}\n{}", differences.join("\n"));
    Ok(())
}

/// The command in each setting.
fn shown(plane: &Plane, command: &str) -> String {
    let args: Vec<_> = command.split(' ').collect();
    let mut outputs: Vec<(&str, String)> = Vec::new();
    let mut text = format!("$ gloo-rs {command}\n");
    for (setting, stream, variable) in SETTINGS {
        let sandbox = sandbox(plane, variable);
        let output = match stream {
            Stream::Pipe => said(&sandbox.run(&args), true),
            Stream::Terminal(columns) => said(&stays(sandbox.run_on_terminal(columns, &args)), false),
        };
        let output = output.replace(plane.kubeconfig().to_str().unwrap(), "KUBECONFIG");
        let body = match outputs.iter().find(|(_, earlier)| *earlier == output) {
            Some((earlier, _)) => format!("as {earlier}\n"),
            None => output.clone(),
        };
        write!(text, "\n==== {setting}\n{body}").unwrap();
        outputs.push((setting, output));
    }
    text
}

fn sandbox(plane: &Plane, variable: Option<Variable>) -> Sandbox {
    let file = |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let mut sandbox = Sandbox::new().env("KUBECONFIG", plane.kubeconfig().to_str().unwrap());
    // What a terminal has, and a pipe does not look at.
    sandbox = sandbox.env("TERM", "xterm");
    if let Some((name, value)) = variable {
        sandbox = sandbox.env(name, value);
    }
    sandbox.write("upstream.yaml", file("examples/upstream.yaml"));
    sandbox.write("values.yaml", "gloo:\n  logLevel: debug\n");
    sandbox
}

/// What is on the terminal in the end: a busy machine takes long enough for a line of progress, which is taken away.
fn stays(output: Output) -> Output {
    let last = |line| str::rsplit(line, "\r\u{1b}[2K").next().unwrap_or_default();
    let stderr = output.stderr.split_inclusive('\n').map(last).collect();
    Output { stderr, ..output }
}

/// Its streams and its code; a terminal has one stream.
fn said(output: &Output, streams: bool) -> String {
    let mut text = String::new();
    for (stream, lines) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if streams && !lines.is_empty() {
            writeln!(text, "-- {stream}").unwrap();
        }
        text.push_str(lines);
    }
    let text = always_the_same(&text.replace('\u{1b}', "^["));
    format!("{text}-- exit {}\n", output.code.unwrap())
}

/// The text with what differs from plane to plane put out of it: the port of the API server, the names of pods, the time.
fn always_the_same(text: &str) -> String {
    let mut same = String::new();
    for word in text.split_inclusive([' ', '\n', ')', ',', '"']) {
        let (bare, end) = word.split_at(word.trim_end_matches([' ', '\n', ')', ',', '"']).len());
        let placed = match bare {
            _ if bare.contains("https://127.0.0.1:") => format!("{}PORT", &bare[..=bare.rfind(':').unwrap()]),
            _ if bare.strip_suffix('s').is_some_and(|it| it.contains('.') && it.parse::<f64>().is_ok()) => {
                "SECONDS".into()
            }
            _ if bare.ends_with('Z') && bare.contains('T') && bare.len() == 20 => "TIME".to_owned(),
            _ => bare.split('/').map(without_its_name).collect::<Vec<_>>().join("/"),
        };
        same.push_str(&placed);
        same.push_str(end);
    }
    same
}

/// `cart-6f89975757-l2s6v` as `cart-POD`: Kubernetes makes these parts without vowels.
fn without_its_name(part: &str) -> String {
    let is_made = |part: &str| part.chars().all(|letter| "bcdfghjklmnpqrstvwxz2456789".contains(letter));
    let (name, end) = part.split_at(part.trim_end_matches(':').len());
    match name.rsplitn(3, '-').collect::<Vec<_>>()[..] {
        [pod, set, workload] if pod.len() == 5 && (6..=10).contains(&set.len()) && is_made(pod) && is_made(set) => {
            format!("{workload}-POD{end}")
        }
        _ => part.to_owned(),
    }
}

/// The wording of every command has one place where it is read and reviewed.
#[test]
fn every_command_has_a_snapshot() {
    let has_one =
        |words: &String| COMMANDS.iter().any(|(_, line)| format!("{line} ").starts_with(&format!("{words} ")));
    let without: Vec<_> = leaves().into_iter().filter(|words| !has_one(words)).collect();
    assert_eq!(without, Vec::<String>::new());
}

/// Nothing that a terminal obeys reaches one that was told to have no colour, whatever the command.
#[test]
fn no_setting_without_colour_has_an_escape_in_its_snapshot() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    for (name, _) in COMMANDS {
        let text = fs::read_to_string(root.join(format!("{name}.txt"))).unwrap();
        for section in text.split("\n==== ").skip(1) {
            let (setting, body) = section.split_once('\n').unwrap();
            let may = setting.contains("FORCE") || setting.ends_with("columns");
            assert!(may || !body.contains("^["), "{name}, {setting}:\n{body}");
        }
    }
}

/// The commands of the hints in a text without wrapping.
fn commands_of_hints(text: &str) -> Vec<&str> {
    let hints = text.lines().filter_map(|line| line.trim_start().strip_prefix("hint: "));
    let mut commands: Vec<&str> = hints.collect();
    for between in [", then ", ", or ", "; "] {
        commands = commands.into_iter().flat_map(|text| text.split(between)).collect();
    }
    commands.retain(|text| ["gloo-rs ", "kubectl ", "helm "].iter().any(|program| text.starts_with(program)));
    commands
}

#[test]
fn a_command_of_a_hint_is_in_one_line_of_a_terminal_however_narrow_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let mut checked = 0;
    for (name, _) in COMMANDS {
        let text = fs::read_to_string(root.join(format!("{name}.txt"))).unwrap();
        let section = |setting: &str| {
            let (_, rest) = text.split_once(&format!("==== {setting}\n")).expect("the setting is there");
            rest.split("\n==== ").next().unwrap_or_default()
        };
        let (piped, narrow) = (section("no terminal"), section("terminal, 80 columns"));
        for command in commands_of_hints(piped) {
            checked += 1;
            let is_whole = narrow.starts_with("as ") || narrow.lines().any(|line| line.contains(command));
            assert!(is_whole, "{name}: {command}\n{narrow}");
        }
    }
    assert!(checked >= 10, "only {checked} commands");
}
