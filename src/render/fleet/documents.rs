//! The answers of several contexts in the formats that programs read.

use serde_json::{Map, Value, json};

use super::{ContextAnswer, ContextState};
use crate::error::Exit;
use crate::render::answer::WholeAnswer;
use crate::render::document::Document;
use crate::render::{junit as xml, sarif as log};

/// The document of `-o json` and `-o yaml`: `docs/results.schema.json`. `compared` is how the contexts differ from a
/// baseline.
#[must_use]
pub(crate) fn results(command: &[String], all: &[ContextAnswer], compared: Option<Value>, exit: Exit) -> Value {
    let count = |state: ContextState| all.iter().filter(|one| one.state() == state).count();
    let mut summary: Map<_, Value> =
        ContextState::ALL.into_iter().map(|state| (state.name().to_owned(), count(state).into())).collect();
    summary.insert("total".to_owned(), all.len().into());
    let mut document = json!({
        "apiVersion": "gloo-rs/v1",
        "kind": "Results",
        "command": command,
        "results": all.iter().map(|one| entry(command, one)).collect::<Vec<_>>(),
        "summary": summary,
        "exitCode": exit.code(),
    });
    if let (Some(compared), Some(fields)) = (compared, document.as_object_mut()) {
        fields.insert("baseline".to_owned(), compared);
    }
    document
}

/// The document of a run on this context alone, with the state of the context.
fn entry(command: &[String], one: &ContextAnswer) -> Value {
    let mut fields = Map::from_iter([("state".to_owned(), one.state().name().into())]);
    fields.extend(one.answer.fields.clone());
    if let Some(WholeAnswer::Version(document)) = &one.answer.whole {
        fields.insert("version".to_owned(), document.clone());
    }
    let advice: Vec<_> = one.answer.advice_told().cloned().collect();
    Document {
        kind: "Result",
        command,
        context: Some(&one.context),
        server: one.server.as_deref(),
        dry_run: None,
        rows: &[],
        advice: &advice,
        failure: one.answer.first_failure().or(one.failure.as_ref()),
        fields,
        exit: one.exit(),
    }
    .value()
}

/// One SARIF log with a run for each context.
#[must_use]
pub(crate) fn sarif(all: &[ContextAnswer]) -> Value {
    log::joined(all.iter().filter_map(|one| match &one.answer.whole {
        Some(WholeAnswer::Sarif(log)) => Some((one.context.as_str(), log)),
        _ => None,
    }))
}

/// One `JUnit` document with the suites of each context.
#[must_use]
pub(crate) fn junit(all: Vec<ContextAnswer>) -> String {
    let suites = all.into_iter().flat_map(|one| match one.answer.whole {
        Some(WholeAnswer::Junit(suites)) => suites.into_iter().map(|suite| suite.of(&one.context)).collect(),
        _ => Vec::new(),
    });
    xml::of_suites(suites.collect())
}
