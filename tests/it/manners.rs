//! What a command of each kind looks like: on a pipe, on terminals of two widths, without colour.
//!
//! `tests/snapshots/NAME.txt` has the command and its output in each setting, ESC written as `^[`. A setting whose
//! output is that of an earlier one names it. `GLOO_RS_RENEW=1 cargo test generated` writes what is so now.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::stage::{Options, Plane};
use crate::support::generated::{HOW, renewing};
use crate::support::{Output, Sandbox};

/// The kind of command, and one of it. The cluster is that of the guide, and nothing here changes it.
const COMMANDS: [(&str, &str); 24] = [
    ("address", "proxy url"),
    ("change", "istio enable-mtls -u default-httpbin-8000 --dry-run --force"),
    ("change-that-breaks", "istio enable-mtls -u default-httpbin-8000 --dry-run"),
    ("change-refused", "istio enable-mtls -u payments-api --dry-run"),
    ("change-of-files", "istio enable-mtls -u default-httpbin-8000 -f upstream.yaml --diff"),
    ("document", "istio enable-mtls -u default-httpbin-8000 -f upstream.yaml --dry-run -o json"),
    ("findings", "check --read-only"),
    ("help", "istio peer-auth strict --help"),
    ("migration", "istio auto-mtls migrate --all --dry-run"),
    ("not-found", "istio enable-mtls -u default-htpbin-8000"),
    ("policy-refused", "istio peer-auth strict -n default --dry-run"),
    ("policy-forced", "istio peer-auth strict -n default --force --dry-run"),
    ("revisions", "istio revisions"),
    ("screen", "istio describe upstream default-httpbin-8000"),
    ("sweep", "istio enable-mtls --all --dry-run"),
    ("sweep-document", "istio enable-mtls --all --dry-run -o json"),
    ("table", "istio describe upstreams -A"),
    ("table-wide", "istio revisions -o wide"),
    ("transaction", "istio inject --revision 1-28 --dry-run"),
    ("usage", "istio enable-mtls --upstreem default-httpbin-8000"),
    ("usage-command", "istio enable-mtlz -u default-httpbin-8000"),
    ("usage-context", "proxy url --kube-context plan"),
    ("usage-of-ours", "istio enable-mtls -u default-httpbin-8000 --all"),
    ("values", "upgrade-values --values values.yaml --istio-discovery-address istiod.istio-system.svc:15012"),
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
fn a_command_of_each_kind_looks_as_its_generated_snapshot() -> Result<()> {
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
            _ if is_of_a_replica_set(bare) => {
                let workload = bare.rsplitn(3, '-').last().expect("it has three parts");
                format!("{workload}-POD")
            }
            _ if bare.strip_suffix('s').is_some_and(|it| it.contains('.') && it.parse::<f64>().is_ok()) => {
                "SECONDS".into()
            }
            _ if bare.ends_with('Z') && bare.contains('T') && bare.len() == 20 => "TIME".to_owned(),
            _ => bare.to_owned(),
        };
        same.push_str(&placed);
        same.push_str(end);
    }
    same
}

/// `shop/cart-6f89975757-l2s6v`
fn is_of_a_replica_set(word: &str) -> bool {
    let is_part = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    match word.rsplitn(3, '-').collect::<Vec<_>>()[..] {
        [pod, set, workload] => {
            workload.contains('/') && pod.len() == 5 && (6..=10).contains(&set.len()) && is_part(pod) && is_part(set)
        }
        _ => false,
    }
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
