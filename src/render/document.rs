//! The document of `-o json` and `-o yaml`: `docs/output.md`, `docs/result.schema.json`.

use serde_json::{Map, Value, json};

use crate::error::{Exit, Failure};
use crate::plan::advice::Advice;
use crate::plan::outcome::{Outcome, Row};

/// The contents of the document, in the order in which they are written.
#[derive(Debug)]
pub struct Document<'a> {
    /// `Result`, or what the command reports: `Report`.
    pub kind: &'a str,
    pub command: &'a [String],
    pub context: Option<&'a str>,
    pub server: Option<&'a str>,
    /// `client` or `server`; absent if the run writes.
    pub dry_run: Option<&'a str>,
    pub rows: &'a [Row],
    pub advice: &'a [Advice],
    pub failure: Option<&'a Failure>,
    /// The fields of this command, in addition to those of every command.
    pub fields: Map<String, Value>,
    pub exit: Exit,
}

impl Document<'_> {
    /// The document as JSON.
    pub fn value(self) -> Value {
        let mut document = json!({
            "apiVersion": "gloo-rs/v1",
            "kind": self.kind,
            "command": self.command,
            "context": self.context,
            "server": self.server,
            "dryRun": self.dry_run,
            "results": self.rows.iter().map(row).collect::<Vec<_>>(),
            "warnings": self.advice.iter().map(advice).collect::<Vec<_>>(),
            "summary": summary(self.rows),
        });
        if let Some(failure) = self.failure {
            document["error"] = error(failure);
        }
        for (key, value) in self.fields {
            document[key] = value;
        }
        document["exitCode"] = self.exit.code().into();
        document
    }
}

fn row(row: &Row) -> Value {
    json!({
        "kind": row.object.kind.kind,
        "namespace": row.object.namespace,
        "name": row.object.name,
        "file": row.file,
        "line": row.line,
        "outcome": row.outcome.name(),
        "changed": row.outcome == Outcome::Changed,
        "reason": row.reason.map(crate::error::Reason::name),
        "message": row.message,
        "details": row.details,
        "hint": row.hint,
        "diff": row.diff,
        "owner": row.owner,
    })
}

fn advice(advice: &Advice) -> Value {
    json!({
        "code": advice.code.name(),
        "message": advice.message,
        "details": advice.details,
        "hint": advice.hint,
        "object": advice.object.as_ref().map(|object| json!({
            "kind": object.kind.kind, "namespace": object.namespace, "name": object.name,
        })),
    })
}

fn error(failure: &Failure) -> Value {
    json!({
        "reason": failure.reason.name(),
        "message": failure.message,
        "details": failure.details,
        "hints": failure.hints,
        "causes": failure.causes.texts(),
    })
}

fn summary(rows: &[Row]) -> Value {
    let mut counts: Map<String, Value> = Outcome::ALL
        .iter()
        .map(|outcome| (outcome.name().to_owned(), rows.iter().filter(|row| row.outcome == *outcome).count().into()))
        .collect();
    counts.insert("total".into(), rows.len().into());
    Value::Object(counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ObjectRef, kinds::UPSTREAM};

    #[test]
    fn a_document_has_every_key_also_where_nothing_happened() {
        let rows = [Row::answer(ObjectRef::new(&UPSTREAM, "ns", "x"), Outcome::Changed, "mTLS enabled")];
        let document = Document {
            kind: "Result",
            command: &["istio".into(), "enable-mtls".into()],
            context: None,
            server: None,
            dry_run: None,
            rows: &rows,
            advice: &[],
            failure: Some(&Failure::usage("no")),
            fields: Map::from_iter([("addresses".to_owned(), json!([]))]),
            exit: Exit::Usage,
        };
        let value = document.value();
        for key in ["apiVersion", "kind", "command", "context", "server", "dryRun", "results", "warnings", "summary"] {
            assert!(value.get(key).is_some(), "{key}");
        }
        assert_eq!(value["results"][0]["changed"], true);
        assert_eq!(value["summary"]["changed"], 1);
        assert_eq!(value["summary"]["total"], 1);
        assert_eq!(value["error"]["message"], "no");
        assert_eq!(value["addresses"], json!([]));
        assert_eq!(value["exitCode"], 2);
    }
}
