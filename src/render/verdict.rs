//! A verdict as lines for people and as a value.

use serde_json::{Value, json};

use super::line::Line;
use crate::command::Hint;
use crate::model::ObjectRef;
use crate::plan::verdict::{Fact, Label, RequestVerdict};

/// The request that the verdict is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AskedRequest {
    /// The subject of the verdict in a few words: the Upstream, or the request.
    pub subject: String,
    pub upstream: Option<ObjectRef>,
    pub method: String,
    pub url: String,
    pub host: Option<String>,
    /// The pod to which the request was sent, if it was sent through a port-forward stream.
    pub pod: Option<String>,
    pub expect: u16,
    pub statuses: Vec<u16>,
}

/// The lines: the verdict, then each fact.
pub(crate) fn lines(asked: &AskedRequest, verdict: &RequestVerdict) -> Vec<Line> {
    let mut lines = vec![Line::from(&asked.subject).text(": ").toned(&verdict.title, &verdict.kind)];
    let mut number = 0;
    for Fact { label, text } in &verdict.facts {
        let name = if *label == Label::Fact {
            number += 1;
            format!("fact {number}")
        } else {
            label.name().to_owned()
        };
        lines.extend(block(&name, text));
    }
    let hint = |label: &str, hint: &Hint| Line::from(labelled(label)).hint(hint);
    lines.extend(verdict.fix.iter().map(|fix| hint("fix", fix)));
    lines.extend(verdict.next.iter().map(|next| hint("next", next)));
    lines
}

/// The first column.
fn labelled(label: &str) -> String {
    format!("  {label:<10}")
}

/// The lines of a fact: `  label     text`, with further lines of the text below.
fn block(label: &str, text: &str) -> Vec<Line> {
    let text = text.replace(". reset reason: ", ".\nreset reason: ");
    let lines = text.lines().enumerate();
    lines.map(|(number, line)| Line::from(labelled(if number == 0 { label } else { "" })).text(line)).collect()
}

/// The verdict as a value of the document.
pub(crate) fn value(asked: &AskedRequest, verdict: &RequestVerdict) -> Value {
    let facts: Vec<_> =
        verdict.facts.iter().map(|fact| json!({"label": fact.label.name(), "text": fact.text})).collect();
    let upstream = asked.upstream.as_ref().map(|it| json!({"namespace": it.namespace, "name": it.name}));
    json!({
        "upstream": upstream,
        "verdict": verdict.kind.name(),
        "title": verdict.title,
        "request": {"method": asked.method, "url": asked.url, "host": asked.host, "pod": asked.pod},
        "expected": asked.expect,
        "statuses": asked.statuses,
        "facts": facts,
        "fix": verdict.fix,
        // The name of this field in v1.
        "mend": verdict.fix,
        "next": verdict.next,
        "exitCode": verdict.exit.code(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;
    use crate::plan::verdict::VerdictKind;

    #[test]
    fn a_verdict_is_laid_out_as_the_docs_have_it() {
        let asked = AskedRequest {
            subject: "default-httpbin-8000".into(),
            upstream: None,
            method: "GET".into(),
            url: "http://34.162.22.180:80/headers".into(),
            host: None,
            pod: None,
            expect: 200,
            statuses: vec![503],
        };
        let fact = |label, text: &str| Fact { label, text: text.into() };
        let verdict = RequestVerdict {
            kind: VerdictKind::NotProven,
            title: "503, strict peer, gateway sends plaintext".into(),
            facts: vec![
                fact(
                    Label::Body,
                    "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
                ),
                fact(Label::Fact, "one"),
                fact(Label::Fact, "two"),
            ],
            fix: Some("gloo-rs istio enable-mtls --upstream default-httpbin-8000".into()),
            next: None,
            exit: Exit::Unconfirmed,
            is_elsewhere: false,
        };
        assert_eq!(
            lines(&asked, &verdict).iter().map(Line::to_string).collect::<Vec<_>>().join("\n"),
            "default-httpbin-8000: 503, strict peer, gateway sends plaintext
  body      upstream connect error or disconnect/reset before headers.
            reset reason: connection termination
  fact 1    one
  fact 2    two
  fix       gloo-rs istio enable-mtls --upstream default-httpbin-8000"
        );
        assert_eq!(value(&asked, &verdict)["exitCode"], 7);
    }
}
