//! Findings as SARIF 2.1.0 for code scanning (OASIS, `sarif-schema-2.1.0.json`).

use serde_json::{Value, json};

use super::findings::{explained, not_judged_line};
use super::text::short_name;
use crate::build::BUILD;
use crate::check::codes::ALL;
use crate::check::results::Results;
use crate::check::{Finding, FindingCode, Severity};
use crate::error::{Exit, Failure};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The log of one run. `failure` is the failure that ended the run.
#[must_use]
pub(crate) fn log(results: &Results, failure: Option<&Failure>, exit: Exit) -> Value {
    let mut all: Vec<Value> = results.findings().map(|finding| result(finding, None)).collect();
    all.extend(results.suppressed().map(|(finding, reason)| result(finding, Some(reason))));
    let unknown = results.unknown();
    let mut notifications: Vec<Value> = unknown
        .iter()
        .map(|(unknown, titles)| notification("warning", &format!("{} unknown: {}", titles.join(", "), unknown.why)))
        .collect();
    notifications.extend(results.not_judged().map(|(title, it)| notification("note", &not_judged_line(title, it))));
    notifications.extend(failure.map(|failure| notification("error", &failure.message)));
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "gloo-rs",
                "semanticVersion": BUILD.version,
                "rules": ALL.iter().map(|code| rule(code)).collect::<Vec<_>>(),
            }},
            "invocations": [{
                "executionSuccessful": failure.is_none(),
                "exitCode": exit.code(),
                "toolExecutionNotifications": notifications,
            }],
            "columnKind": "unicodeCodePoints",
            "results": all,
        }],
    })
}

/// The runs of several logs as one log. Each run says which context it is of, so that a server keeps them apart.
#[must_use]
pub(crate) fn joined<'l>(logs: impl Iterator<Item = (&'l str, &'l Value)>) -> Value {
    let runs = logs.flat_map(|(context, log)| {
        let runs = log["runs"].as_array().into_iter().flatten();
        runs.map(move |run| {
            let mut run = run.clone();
            run["automationDetails"] = json!({"id": format!("gloo-rs/{context}/")});
            run
        })
    });
    json!({"$schema": SCHEMA, "version": "2.1.0", "runs": runs.collect::<Vec<_>>()})
}

fn notification(level: &str, text: &str) -> Value {
    json!({"level": level, "message": {"text": plain(text)}})
}

/// A rule. Its help is the whole explanation, so that it can be read without the repository and without gloo-rs.
fn rule(code: &FindingCode) -> Value {
    let mut rule = json!({
        "id": code.id,
        "name": code.title,
        "shortDescription": {"text": code.title},
        "fullDescription": {"text": code.meaning},
        "help": {"text": plain(&explained(code).join("\n")), "markdown": markdown(code)},
        "defaultConfiguration": {"level": level(code.severity)},
    });
    if let (Some(uri), Some(fields)) = (BUILD.repository.map(|root| help_uri(root, code)), rule.as_object_mut()) {
        fields.insert("helpUri".to_owned(), uri.into());
    }
    rule
}

/// The explanation as Markdown: the same lines, the title as a heading.
fn markdown(code: &FindingCode) -> String {
    let lines = explained(code).into_iter().skip(1).map(|line| plain(line.trim_start()));
    let heading = format!("# {}: {} ({})\n", code.id, code.title, code.severity.name());
    std::iter::once(heading).chain(lines.map(|line| format!("\n{line}\n"))).collect()
}

/// The address of the explanation of this version in a published repository.
fn help_uri(repository: &str, code: &FindingCode) -> String {
    let (root, anchor) = (repository.trim_end_matches('/'), code.id.to_lowercase());
    format!("{root}/blob/v{}/docs/findings.md#{anchor}", BUILD.version)
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn result(finding: &Finding, suppressed: Option<&str>) -> Value {
    let object = format!("{}/{}", finding.object.kind, short_name(&finding.object, ""));
    let details = finding.details.iter().cloned().chain(finding.hint.as_ref().map(ToString::to_string));
    let text = details.fold(format!("{object}: {}", finding.message), |text, line| format!("{text}; {line}"));
    let index = ALL.iter().position(|code| *code == finding.code);
    let mut location = json!({"logicalLocations": [{"fullyQualifiedName": object, "kind": "resource"}]});
    if let Some(spot) = &finding.spot {
        location["physicalLocation"] = json!({
            "artifactLocation": {"uri": uri(&spot.file)},
            "region": {"startLine": spot.line},
        });
    }
    let mut result = json!({
        "ruleId": finding.code.id,
        "ruleIndex": index,
        "level": level(finding.severity),
        "message": {"text": plain(&text)},
        "locations": [location],
        "partialFingerprints": {"object/v1": format!("{} {object} {}", finding.code.id, finding.message)},
    });
    if let Some(reason) = suppressed {
        result["suppressions"] = json!([{"kind": "external", "justification": reason}]);
    }
    result
}

/// A message with its brackets escaped: unescaped brackets are links (SARIF 2.1.0, 3.11.6).
fn plain(text: &str) -> String {
    text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]")
}

/// A path as a URI reference; an absolute path as a `file:` URI (RFC 3986, 8089). Other characters are percent-encoded.
fn uri(path: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    let root = if path.starts_with('/') { "file://" } else { "" };
    let path = path.trim_start_matches("./");
    let path: String =
        path.bytes().map(|b| if is_plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
    format!("{root}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_reference_and_a_text_has_no_links() {
        assert_eq!(uri("./a b/\u{e4}.yaml"), "a%20b/%C3%A4.yaml");
        assert_eq!(uri("/tmp/a.yaml"), "file:///tmp/a.yaml");
        assert_eq!(plain("[click](https://x)"), "\\[click\\](https://x)");
    }

    #[test]
    fn the_help_of_a_rule_is_the_whole_explanation_and_has_an_address_only_where_one_is_published() {
        for code in ALL {
            let rule = rule(code);
            for form in ["text", "markdown"] {
                let help = rule["help"][form].as_str().unwrap_or_default();
                for line in explained(code).iter().skip(1) {
                    assert!(help.contains(&plain(line.trim())), "{}: {form} lacks {line}", code.id);
                }
            }
            assert_eq!(rule["helpUri"].is_string(), BUILD.repository.is_some(), "{}", code.id);
        }
        let uri = help_uri("https://git.example/gloo-rs/", ALL[0]);
        assert!(uri.starts_with("https://git.example/gloo-rs/blob/v") && uri.ends_with("/docs/findings.md#grs101"));
    }
}
