//! Plans compose, commands do not: no command runs another one, and none reads what another one printed.

use regex::Regex;

use super::{files_below, read};

/// The sources of the flow, without files that hold tests alone.
fn sources() -> impl Iterator<Item = String> {
    files_below("src/flow", ".rs").into_iter().filter(|path| !path.ends_with("/tests.rs"))
}

fn code(path: &str) -> String {
    read(path).split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

/// What a report gives back: states and handles. Rows, failures, advice and texts go in and do not come out.
const GIVEN_BACK: [&str; 10] = [
    "Self",
    "Exit",
    "Mark",
    "bool",
    "usize",
    "Interrupts",
    "Option<Reason>",
    "Option<Rc<Session>>",
    "Option<Trace>",
    "Option<Needs>",
];

#[test]
fn a_report_gives_nothing_back_that_it_was_told() {
    let open = Regex::new(r"(?m)^    pub (\w+):").unwrap();
    let method = Regex::new(r"(?s)pub(?:\([^)]*\))? fn (\w+)[^;{]*?\)(?: -> ([^{]+?))? \{").unwrap();
    for path in files_below("src/flow/report", ".rs").into_iter().chain(["src/flow/report.rs".to_owned()]) {
        let source = code(&path);
        for found in method.captures_iter(&source) {
            let given = found.get(2).map_or("", |given| given.as_str().trim());
            let is_fine = given.is_empty() || GIVEN_BACK.contains(&given);
            assert!(is_fine, "{path}: {} gives back {given}: a command could read what another one said", &found[1]);
        }
        let fields: Vec<_> = open.captures_iter(&source).map(|field| field[1].to_owned()).collect();
        let fields_of_words = ["done", "noun", "again", "namespace", "skipped"];
        assert!(
            fields.iter().all(|field| field == "ui" || fields_of_words.contains(&field.as_str())),
            "{path}: {fields:?}"
        );
    }
}

#[test]
fn only_the_dispatcher_runs_a_command() {
    let run = Regex::new(r"\b(\w+)::(run|run_on_files|print|change|setup|teardown)\(").unwrap();
    // Parts of one command: its own files, and what Helm does for it.
    let own = ["apply", "files", "roll"];
    for path in sources().filter(|path| path != "src/flow/mod.rs") {
        for found in run.captures_iter(&code(&path)) {
            assert!(own.contains(&&found[1]), "{path} runs the command {}", &found[0]);
        }
    }
}

#[test]
fn no_decision_rests_on_the_text_of_a_message() {
    let reads = Regex::new(
        r"\b(message|details?|hint|hints|failure|why)(\.to_string\(\))?\.(starts_with|ends_with|contains|strip_prefix|strip_suffix|split)\(",
    )
    .unwrap();
    for path in sources() {
        let source = code(&path);
        let found: Vec<_> = reads.find_iter(&source).map(|found| found.as_str()).collect();
        assert!(found.is_empty(), "{path} reads a text that was made for people: {found:?}");
    }
}
