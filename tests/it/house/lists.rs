//! The closed lists of the docs are those of the code.

use gloo_rs::exports::error::{Exit, Reason};
use gloo_rs::exports::plan::advice::Code;
use gloo_rs::exports::plan::outcome::Outcome;

use super::{read, repo, table};
use crate::support::generated::{HOW, assert_up_to_date, renewing};

const OUTPUT: &str = "docs/output.md";
const SCHEMA: &str = "docs/result.schema.json";
const EXIT_CODES: &str = "docs/exit-codes.md";

/// Holds what stands between two marks of a file against what should, or puts it there when asked to.
fn holds(file: &str, begin: &str, end: &str, wanted: &str) {
    let text = read(file);
    let (head, rest) = text.split_once(begin).unwrap_or_else(|| panic!("{file} has no {begin}"));
    let (list, tail) = rest.split_once(end).unwrap_or_else(|| panic!("{file} has no {end} behind {begin}"));
    if list != wanted && renewing() {
        std::fs::write(repo(file), [head, begin, wanted, end, tail].concat()).unwrap();
        return;
    }
    assert_eq!(list, wanted, "{file} is stale: {HOW}");
}

/// Holds the table of a closed list in `docs/output.md` and its enumeration in the schema.
fn listed(plural: &str, singular: &str, names: &[(&str, &str)]) {
    let row = |(name, meaning): &(&str, &str)| format!("| `{name}` | {} |\n", in_a_table(meaning));
    let rows = names.iter().map(row).collect::<Vec<_>>().concat();
    let table = format!("\n\n| name | what it means |\n|---|---|\n{rows}\n");
    holds(OUTPUT, &format!("<!-- {plural} -->"), &format!("<!-- /{plural} -->"), &table);
    let values: Vec<_> = names.iter().map(|(name, _)| format!("\n      \"{name}\"")).collect();
    let begin = format!("\"{singular}\": {{\"enum\": [");
    holds(SCHEMA, &begin, "]", &format!("{}\n    ", values.join(",")));
}

/// Meanings are doc comments: their last full stop has no place in a table.
fn in_a_table(meaning: &str) -> &str {
    meaning.trim_end_matches('.')
}

#[test]
fn the_generated_page_of_findings_is_that_of_the_code() {
    assert_up_to_date("docs/findings.md", &gloo_rs::exports::render::findings::page());
}

#[test]
fn the_generated_reasons_and_codes_of_the_docs_are_those_of_the_code() {
    let names: Vec<_> = Reason::ALL.iter().map(|reason| (reason.name(), reason.meaning())).collect();
    listed("reasons", "reason", &names);
    let names: Vec<_> = Code::ALL.iter().map(|code| (code.name(), code.meaning())).collect();
    listed("codes", "code", &names);
}

#[test]
fn the_outcomes_of_the_docs_are_those_of_the_code() {
    let listed: Vec<_> = table(OUTPUT, "Outcomes").into_iter().map(|row| row[0].replace('`', "")).collect();
    assert_eq!(listed, Outcome::ALL.map(Outcome::name));
}

#[test]
fn the_generated_exit_codes_of_the_docs_are_those_of_the_code() {
    let mut codes = Exit::PRECEDENCE;
    codes.sort_by_key(|exit| exit.code());
    let row = |exit: Exit| format!("| {} | `{exit:?}` | {} |\n", exit.code(), in_a_table(exit.meaning()));
    let rows: String = codes.map(row).concat();
    let table = format!("\n\n| code | name | when |\n|---|---|---|\n{rows}\n");
    holds(EXIT_CODES, "<!-- codes -->", "<!-- /codes -->", &table);
}

#[test]
fn the_precedence_of_the_docs_is_that_of_the_code() {
    let wanted: Vec<_> = Exit::PRECEDENCE.iter().map(|exit| exit.code().to_string()).collect();
    let sentence = format!("The first of these is the code: {}.", wanted.join(", "));
    assert!(read(EXIT_CODES).contains(&sentence), "{sentence}");
}
