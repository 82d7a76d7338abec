use serde_json::json;

use super::*;
use crate::error::Exit::{Done, Failed, Interrupted, NoAnswer, Pending, SaidNo, WouldChange};
use crate::render::table::{Align, Table};

fn of(context: &str, parts: Vec<AnswerPart>) -> ContextAnswer {
    let answer = ClusterAnswer { parts, ..ClusterAnswer::default() };
    ContextAnswer { context: context.into(), server: Some(format!("https://{context}")), answer, failure: None }
}

fn dead(context: &str) -> ContextAnswer {
    let failure = Failure::new(NoAnswer, Reason::Unreachable, "no connection").detail("place");
    ContextAnswer { failure: Some(failure), ..of(context, Vec::new()) }
}

fn table(rows: &[[&str; 2]]) -> AnswerPart {
    let rows = rows.iter().map(|row| row.map(str::to_owned).to_vec().into()).collect();
    AnswerPart::Table(Table {
        columns: vec![("NAME", Align::Left), ("N", Align::Right)],
        rows,
        toned: 0,
        dispensable: &[],
    })
}

/// The lines of stdout, and those of stderr.
fn printed(parts: Vec<AnswerPart>) -> (Vec<String>, Vec<String>) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    for part in parts {
        match part {
            AnswerPart::Line(line) | AnswerPart::Paragraph(line) => out.push(line.to_string()),
            AnswerPart::Table(table) => out.extend(table.lines(None).iter().map(ToString::to_string)),
            AnswerPart::Status(line) => err.push(line.to_string()),
            AnswerPart::Advice(advice) => err.push(advice.message),
            AnswerPart::Failure(failure) => err.push(failure.message),
            AnswerPart::Value(_) | AnswerPart::Csv { .. } => panic!("not put together"),
        }
    }
    (out, err)
}

#[test]
fn tables_become_one_and_a_context_without_an_answer_keeps_its_place() {
    let all = vec![
        dead("a"),
        of("bbb", vec![table(&[["x", "10"], ["y", "2"]])]),
        dead("c"),
        of("d", vec![table(&[["z", "3"]])]),
    ];
    let (out, err) = printed(text(all, Layout::Columns));
    assert_eq!(
        out,
        [
            "CONTEXT  NAME   N",
            "a        ?      ?",
            "bbb      x     10",
            "bbb      y      2",
            "c        ?      ?",
            "d        z      3"
        ]
    );
    assert_eq!(err, ["context a: no connection", "context c: no connection"]);
}

#[test]
fn a_value_stands_behind_its_context_and_nothing_stands_for_one_that_is_unknown() {
    let value = |value: &str| AnswerPart::Value(value.to_owned());
    let all =
        vec![of("prod-eu", vec![value("http://1.2.3.4:80")]), dead("x"), of("dev", vec![value("http://5.6.7.8:80")])];
    let (out, err) = printed(text(all, Layout::Columns));
    assert_eq!(out, ["prod-eu  http://1.2.3.4:80", "dev      http://5.6.7.8:80"]);
    assert_eq!(err, ["context x: no connection"]);
}

#[test]
fn records_have_one_head_and_the_context_as_a_cell() {
    let csv = |row: &str| AnswerPart::Csv { head: "verdict,name", rows: vec![row.to_owned()] };
    let all = vec![of("=a,b", vec![csv("mtls,x")]), of("c", vec![csv("tls,y")])];
    assert_eq!(printed(text(all, Layout::Columns)).0, ["context,verdict,name", "\"'=a,b\",mtls,x", "c,tls,y"]);
}

#[test]
fn a_heading_says_which_context_and_below_it_what_is_unknown() {
    let all = vec![of("a", vec![AnswerPart::Line("fine".into())]), dead("b")];
    let (out, err) = printed(text(all, Layout::Headings));
    assert_eq!(out, ["context a (https://a)", "fine", "", "context b (https://b)", "unknown: no connection"]);
    assert_eq!(err, ["context b: no connection"]);
}

#[test]
fn only_what_the_cluster_said_is_an_answer() {
    for (exit, reason, state) in [
        (NoAnswer, Reason::Timeout, ContextState::Unknown),
        (Interrupted, Reason::Interrupted, ContextState::Unknown),
        (SaidNo, Reason::Forbidden, ContextState::Unknown),
        (Failed, Reason::Kubeconfig, ContextState::Unknown),
        (Failed, Reason::Bug, ContextState::Failed),
        (SaidNo, Reason::NoIstiod, ContextState::Answered),
        (Pending, Reason::Pending, ContextState::Answered),
    ] {
        assert_eq!(ContextState::of(Some(&Failure::new(exit, reason, "x"))), state, "{reason:?}");
    }
    assert_eq!(ContextState::of(None), ContextState::Answered);
}

#[test]
fn the_document_has_an_entry_for_each_context_with_its_own_code() {
    let mut found = of("a", vec![AnswerPart::Advice(Advice::warning(crate::plan::advice::Code::Unknown, "w"))]);
    found.answer.field("targets", json!([1]));
    found.answer.ends(WouldChange);
    let all = [found, dead("b")];
    let document =
        results(&["check".to_owned()], &all, None, all.iter().fold(Done, |exit, one| exit.prevailing(one.exit())));
    assert_eq!(document["kind"], "Results");
    assert_eq!(document["exitCode"], 9);
    assert_eq!(document["summary"], json!({"answered": 1, "unknown": 1, "failed": 0, "total": 2}));
    let [first, second] = [0, 1].map(|place| &document["results"][place]);
    assert_eq!((&first["context"], &first["state"], &first["exitCode"]), (&json!("a"), &json!("answered"), &json!(3)));
    assert_eq!((&first["targets"], &first["warnings"][0]["message"]), (&json!([1]), &json!("w")));
    assert_eq!((&second["state"], &second["exitCode"]), (&json!("unknown"), &json!(9)));
    assert_eq!((&second["error"]["reason"], second.get("targets")), (&json!("unreachable"), None));
}
