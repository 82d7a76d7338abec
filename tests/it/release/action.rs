//! `action.yml`: its steps, run as a runner of GitHub runs them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use super::install::serve;
use crate::house::read;
use crate::support::Sandbox;
use crate::support::stub::Stub;

/// The action with its inputs, in a workspace of its own.
struct Job {
    sandbox: Sandbox,
    inputs: BTreeMap<String, String>,
    /// What `${{ github.NAME }}` stands for.
    github: BTreeMap<&'static str, String>,
    path: String,
}

/// The end of a job: the code of its last step, what the steps printed, the outputs of each, and the summary.
#[derive(Debug)]
struct Ended {
    code: i32,
    log: String,
    outputs: BTreeMap<String, String>,
    summary: String,
}

fn action() -> Value {
    gloo_rs::exports::yaml::parse(&read("action.yml")).unwrap()
}

impl Job {
    /// With the program of this build.
    fn new() -> Self {
        Self::without_program().with("program", env!("CARGO_BIN_EXE_gloo-rs"))
    }

    fn without_program() -> Self {
        let inputs = action()["inputs"].as_object().unwrap().clone();
        let default = |value: &Value| value["default"].as_str().expect("each input has a default").to_owned();
        Self {
            sandbox: Sandbox::new(),
            inputs: inputs.iter().map(|(name, input)| (name.clone(), default(input))).collect(),
            github: BTreeMap::from([("action_repository", String::new()), ("action_ref", String::new())]),
            path: "/usr/bin:/bin".to_owned(),
        }
    }

    fn with(mut self, input: &str, value: &str) -> Self {
        let known = self.inputs.insert(input.to_owned(), value.to_owned());
        assert!(known.is_some(), "no input {input}");
        self
    }

    /// What an expression of the action stands for.
    fn value(&self, expression: &str, outputs: &BTreeMap<String, String>) -> String {
        let Some(inner) = expression.strip_prefix("${{ ").and_then(|rest| rest.strip_suffix(" }}")) else {
            return expression.to_owned();
        };
        let known = match inner.split('.').collect::<Vec<_>>()[..] {
            ["inputs", name] => self.inputs.get(name).cloned(),
            ["github", name] => self.github.get(name).cloned(),
            ["steps", step, "outputs", name] => outputs.get(&format!("{step}.{name}")).cloned(),
            _ => None,
        };
        known.unwrap_or_else(|| panic!("nothing is known of {inner}"))
    }

    /// Runs the steps that are scripts, until one fails.
    fn run(&self) -> Ended {
        let place = |name: &str| self.sandbox.dir().join(name);
        let temp = place("temp");
        std::fs::create_dir_all(&temp).unwrap();
        let mut ended = Ended { code: 0, log: String::new(), outputs: BTreeMap::new(), summary: String::new() };
        let summary = self.sandbox.write("summary", "");
        for step in action()["runs"]["steps"].as_array().unwrap().iter().filter(|step| step["run"].is_string()) {
            let script = self.sandbox.write("step.sh", step["run"].as_str().unwrap());
            let output = self.sandbox.write("output", "");
            let mut bash = Command::new("bash");
            bash.args(["--noprofile", "--norc", "-eo", "pipefail"]).arg(script);
            bash.env_clear().env("PATH", &self.path).env("HOME", self.sandbox.dir()).env("TMPDIR", &temp);
            bash.env("GITHUB_ACTION_PATH", super::ROOT).env("GITHUB_OUTPUT", &output);
            bash.env("GITHUB_STEP_SUMMARY", &summary).env("GITHUB_SERVER_URL", "https://github.example");
            bash.env("RUNNER_TEMP", &temp).current_dir(self.sandbox.dir());
            for (name, expression) in step["env"].as_object().unwrap() {
                bash.env(name, self.value(expression.as_str().unwrap(), &ended.outputs));
            }
            let done = bash.output().unwrap();
            ended.log += &String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
            for line in std::fs::read_to_string(output).unwrap().lines() {
                let (name, value) = line.split_once('=').expect("name=value");
                ended.outputs.insert(format!("{}.{name}", step["id"].as_str().unwrap()), value.to_owned());
            }
            ended.code = done.status.code().unwrap();
            if ended.code != 0 {
                break;
            }
        }
        ended.summary = std::fs::read_to_string(summary).unwrap();
        ended
    }
}

/// An Upstream that Gloo rejected.
fn rejected(name: &str, reason: &str) -> String {
    json!({"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "metadata": {"namespace": "shop", "name": name},
        "spec": {"static": {}}, "status": {"statuses": {"gloo-system": {"state": "Rejected", "reason": reason}}}})
    .to_string()
}

fn sarif(ended: &Ended) -> Value {
    serde_json::from_slice(&std::fs::read(&ended.outputs["check.sarif"]).unwrap()).unwrap()
}

#[test]
fn no_step_puts_an_expression_into_its_script_and_each_input_is_used() {
    let text = read("action.yml");
    for step in action()["runs"]["steps"].as_array().unwrap() {
        assert!(!step["run"].as_str().unwrap_or_default().contains("${{"), "{step}");
    }
    for input in action()["inputs"].as_object().unwrap().keys() {
        let is_used = [format!("${{{{ inputs.{input} }}}}"), format!("inputs.{input} ==")];
        assert!(is_used.iter().any(|used| text.contains(used)), "{input}");
    }
}

#[test]
fn manifests_in_order_pass_with_a_log_and_a_summary() {
    let job = Job::new().with("paths", "my manifests\n");
    job.sandbox.write("my manifests/upstream.yaml", read("examples/upstream.yaml"));
    let ended = job.run();
    assert_eq!((ended.code, ended.outputs["check.exit-code"].as_str()), (0, "0"), "{ended:#?}");
    assert_eq!(sarif(&ended)["runs"][0]["invocations"][0]["executionSuccessful"], true);
    assert!(ended.summary.starts_with("### gloo-rs check: no finding"), "{}", ended.summary);
}

#[test]
fn a_finding_fails_the_job_after_the_annotations_are_there() {
    let hostile = "x\n::error::obeyed\n# heading <b>\n```";
    let job = Job::new().with("paths", "a.yaml\n-b.yaml");
    job.sandbox.write("a.yaml", rejected("a", "no host"));
    job.sandbox.write("-b.yaml", rejected("b", hostile));
    let ended = job.run();
    assert_eq!((ended.code, ended.outputs["check.exit-code"].as_str()), (1, "3"), "{ended:#?}");
    let log = sarif(&ended);
    let results = log["runs"][0]["results"].as_array().unwrap();
    let files: Vec<_> =
        results.iter().map(|it| &it["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]).collect();
    assert_eq!(files.len(), 2, "{log:#}");
    assert!(ended.summary.contains("findings at or above") && ended.summary.contains("GRS501"), "{}", ended.summary);
    let below: Vec<_> = ended.summary.lines().skip(1).filter(|line| !line.is_empty()).collect();
    assert!(below.iter().all(|line| line.starts_with("    ")), "{}", ended.summary);
    // What the manifests say stands between the two marks, where the runner obeys nothing.
    let (_, rest) = ended.log.split_once("::stop-commands::").unwrap();
    let (token, rest) = rest.split_once('\n').unwrap();
    let (quoted, after) = rest.split_once(&format!("::{token}::\n")).unwrap();
    assert!(token.len() == 32 && quoted.contains("obeyed") && !after.contains("obeyed"), "{}", ended.log);
}

#[test]
fn the_threshold_exclusions_and_accepted_findings_are_passed_on() {
    let job = |input: &str, value: &str| {
        let job = Job::new().with("paths", "a.yaml").with(input, value);
        job.sandbox.write("a.yaml", rejected("a", "no host"));
        let accepted = "suppress:\n- {code: GRS501, object: {kind: Upstream, name: a}, reason: known}\n";
        job.sandbox.write("accepted.yaml", accepted);
        job.run()
    };
    assert_eq!(job("fail-on", "error").code, 1);
    assert_eq!(job("suppress", "accepted.yaml").code, 0);
    assert_eq!(job("exclude", "upstreams").code, 0);
}

#[test]
fn inputs_that_are_wrong_fail_and_say_so() {
    let no_file = Job::new().with("paths", "none.yaml").run();
    assert_eq!((no_file.code, no_file.outputs["check.exit-code"].as_str()), (1, "1"), "{no_file:#?}");
    for (input, value) in [("fail-on", "everything"), ("paths", "\n"), ("program", "/nowhere/gloo-rs")] {
        let ended = Job::new().with(input, value).run();
        assert!(ended.code == 1 && ended.log.contains("::error title=gloo-rs::"), "{input} {ended:#?}");
    }
}

/// A program that writes down its arguments.
const NOTING: &str = "echo \"$@\" >>\"$HOME/called\"; echo '{}'";

fn called(job: &Job) -> Vec<String> {
    let text = std::fs::read_to_string(job.sandbox.dir().join("called")).unwrap();
    text.lines().filter(|line| line.starts_with("check ")).map(str::to_owned).collect()
}

#[test]
fn a_baseline_is_passed_on_with_all_other_inputs() {
    let job = Job::without_program();
    let program = job.sandbox.script("noting", NOTING);
    let inputs =
        [("program", program.to_str().unwrap()), ("baseline", "base line.json"), ("fail-on", "warning,unknown")];
    let job = inputs.iter().fold(job, |job, (input, value)| job.with(input, value));
    assert_eq!(job.run().code, 0);
    let both = called(&job);
    let wanted = "check --fail-on=warning,unknown --filename=. --baseline=base line.json --output=";
    assert!(both.len() == 2 && both.iter().all(|line| line.starts_with(wanted)), "{both:#?}");
}

#[test]
fn a_release_is_downloaded_and_verified() {
    let server = Stub::new();
    let job = Job::without_program().with("release", &server.url());
    serve(&server, &job.sandbox, "1.2.3", NOTING, &["gloo-rs.1"]);
    let ended = job.run();
    assert_eq!(ended.code, 0, "{ended:#?}");
    assert_eq!(PathBuf::from(&ended.outputs["program.program"]), job.sandbox.dir().join("temp/gloo-rs/bin/gloo-rs"));
    assert_eq!(called(&job).len(), 2);
}

#[test]
fn the_release_of_the_actions_tag_is_taken_and_the_sources_of_any_other_commit_are_built() {
    for (reference, wanted) in [
        ("v1.2.3", "https://github.example/acme/gloo-rs/releases/download/v1.2.3/SHA256SUMS"),
        ("main", "install --locked --path "),
    ] {
        let mut job = Job::without_program();
        job.github = BTreeMap::from([("action_repository", "acme/gloo-rs".into()), ("action_ref", reference.into())]);
        // Programs that only write down what they were told.
        for program in ["curl", "cargo"] {
            job.sandbox.script(&format!("bin/{program}"), "echo \"$@\" >>\"$HOME/told\"; exit 22");
        }
        job.path = format!("{}:{}", job.sandbox.dir().join("bin").display(), job.path);
        let ended = job.run();
        let told = std::fs::read_to_string(job.sandbox.dir().join("told")).unwrap();
        assert!(ended.code != 0 && told.contains(wanted), "{reference}: {told} {ended:#?}");
    }
}
