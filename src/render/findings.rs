//! Findings as lines for people, as fields of the document, and as the page of all codes.

use serde_json::{Value, json};

use super::text::{count, short_name};
use crate::check::codes::{ALL, RETIRED};
use crate::check::results::{CheckStatus, Results, status};
use crate::check::suppress::Suppression;
use crate::check::{CHECKS, Check, Finding, FindingCode, Section, Severity};

/// How the findings are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FindingOrder {
    /// Check by check.
    ByCheck,
    /// For a terminal: the most urgent last, where they are read first.
    BySection,
}

/// The printed lines, in order: one for each check, the findings, the unknowns, and the summary. With sections, the
/// unknowns come before the findings.
#[must_use]
pub(crate) fn lines(results: &Results, order: FindingOrder) -> Vec<String> {
    let mut lines: Vec<String> =
        results.shown().map(|ran| format!("Checking {}... {}", ran.check.title, status(ran))).collect();
    lines.extend(results.messages());
    match order {
        FindingOrder::ByCheck => {
            lines.extend(results.findings().flat_map(finding));
            lines.extend(unknown(results));
        }
        FindingOrder::BySection => {
            lines.extend(unknown(results));
            lines.extend(Section::ALL.into_iter().flat_map(|section| in_section(results, section)));
        }
    }
    lines.push(last(results));
    lines
}

/// The heading and the findings of a section. Nothing if there are none.
fn in_section(results: &Results, section: Section) -> Vec<String> {
    let mut findings = results.findings().filter(|finding| finding.section == section).peekable();
    let heading = findings.peek().map(|_| [String::new(), format!("{}:", section.title())]);
    heading.into_iter().flatten().chain(findings.flat_map(finding)).collect()
}

/// The object of a finding: `upstream.gloo.solo.io/shop/cart`.
fn subject(finding: &Finding) -> String {
    format!("{}/{}", finding.object.kind, short_name(&finding.object, ""))
}

fn finding(finding: &Finding) -> Vec<String> {
    let mut lines = vec![format!("{} {} {}", finding.severity.name(), finding.code.id, subject(finding))];
    lines.extend(finding.spot.as_ref().map(|spot| format!("  in {}:{}", spot.file, spot.line)));
    lines.push(format!("  {}", finding.message));
    lines.extend(finding.details.iter().map(|detail| format!("    {detail}")));
    lines.extend(finding.hint.as_ref().map(|hint| format!("  hint: {hint}")));
    lines
}

fn unknown(results: &Results) -> Vec<String> {
    let all = results.unknown().into_iter();
    all.flat_map(|(unknown, titles)| {
        let rule = unknown.rule.as_ref().map(|rule| format!("  a rule of a ClusterRole that allows it: {rule}"));
        std::iter::once(format!("unknown: {}: {}", titles.join(", "), unknown.why)).chain(rule)
    })
    .collect()
}

fn last(results: &Results) -> String {
    let (errors, warnings) = (results.count(Severity::Error), results.count(Severity::Warning));
    let suppressed = results.suppressed().count();
    let left_out = if suppressed == 0 { String::new() } else { format!(" ({suppressed} suppressed)") };
    match (errors + warnings, results.is_whole()) {
        (0, true) => format!("No problems detected.{left_out}"),
        (0, false) => format!("no problem in what could be read{left_out}"),
        _ => {
            let sum = format!("{}, {}{left_out}", count(errors, "error"), count(warnings, "warning"));
            let first = results.findings().next().map_or("GRS101", |finding| finding.code.id);
            format!("{sum}; gloo-rs check --explain {first} explains it")
        }
    }
}

/// The fields of the document in addition to those of every command: glooctl's three, and those of gloo-rs.
#[must_use]
pub(crate) fn fields(results: &Results) -> Vec<(&'static str, Value)> {
    let resources: Vec<_> =
        results.shown().map(|ran| json!({"name": ran.check.title, "status": status(ran).to_string()})).collect();
    let errors: Vec<_> = results
        .findings()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| format!("{} {}: {}", finding.code.id, subject(finding), finding.message))
        .collect();
    let unknown: Vec<_> = results
        .unknown()
        .into_iter()
        .map(|(unknown, titles)| json!({"checks": titles, "why": unknown.why, "rule": unknown.rule}))
        .collect();
    let suppressed: Vec<_> = results
        .suppressed()
        .map(|(finding, reason)| {
            let mut value = self::value(finding);
            value.as_object_mut().map(|fields| fields.insert("reason".to_owned(), reason.as_str().into()));
            value
        })
        .collect();
    vec![
        ("resources", resources.into()),
        ("messages", results.messages().into()),
        ("errors", errors.into()),
        ("findings", results.findings().map(value).collect()),
        ("suppressed", suppressed.into()),
        ("unknown", unknown.into()),
    ]
}

fn value(finding: &Finding) -> Value {
    json!({
        "code": finding.code.id,
        "severity": finding.severity.name(),
        "section": finding.section.name(),
        "title": finding.code.title,
        "kind": finding.object.kind.kind,
        "namespace": finding.object.namespace,
        "name": finding.object.name,
        "file": finding.spot.as_ref().map(|spot| spot.file.as_str()),
        "line": finding.spot.as_ref().map(|spot| spot.line),
        "message": finding.message,
        "details": finding.details,
        "hint": finding.hint.as_ref().map(ToString::to_string),
        "docs": finding.code.anchor(),
    })
}

/// A suppression that has expired, or that matches no finding.
#[must_use]
pub(crate) fn left_over(suppression: &Suppression) -> String {
    format!("{} ({})", suppression.shown(), suppression.reason)
}

/// Whether every check is unknown, so that nothing was checked at all.
#[must_use]
pub(crate) fn saw_nothing(results: &Results) -> bool {
    let mut shown = results.shown().peekable();
    shown.peek().is_some() && shown.all(|ran| status(ran) == CheckStatus::Unknown)
}

/// The explanation of one code, for `--explain`.
#[must_use]
pub(crate) fn explained(code: &FindingCode) -> Vec<String> {
    let mut lines = vec![format!("{} {}: {}", code.severity.name(), code.id, code.title)];
    lines.extend(code.meaning.split_inclusive(". ").map(|sentence| format!("  {}", sentence.trim_end())));
    lines.push(format!("fix: {}", code.fix));
    lines.extend(checks_of(code).map(|check| format!("reads: {}", needs(check))));
    lines.push(format!("docs: {}", code.anchor()));
    lines
}

/// The same explanation for the document.
#[must_use]
pub(crate) fn explanation(code: &FindingCode) -> Value {
    json!({
        "code": code.id,
        "severity": code.severity.name(),
        "title": code.title,
        "meaning": code.meaning,
        "fix": code.fix,
        // The name of this field in v1.
        "mend": code.fix,
        "reads": checks_of(code).map(needs).collect::<Vec<_>>(),
        "docs": code.anchor(),
    })
}

fn checks_of(code: &FindingCode) -> impl Iterator<Item = &'static Check> {
    CHECKS.iter().filter(move |check| check.codes.contains(&code))
}

/// The requirements of a check: `list upstreams.gloo.solo.io, pods; create pods/portforward`.
fn needs(check: &Check) -> String {
    let kinds: Vec<_> = check
        .kinds
        .iter()
        .map(
            |kind| {
                if kind.group.is_empty() { kind.plural.to_owned() } else { format!("{}.{}", kind.plural, kind.group) }
            },
        )
        .collect();
    let listed = (!kinds.is_empty()).then(|| format!("list {}", kinds.join(", ")));
    let beyond = check.beyond.iter().map(|access| format!("{} {}", access.verb, access.resource));
    listed.into_iter().chain(beyond).collect::<Vec<_>>().join("; ")
}

/// The page `docs/findings.md`, generated from the code.
#[must_use]
pub fn page() -> String {
    let head = "# Findings\n\n\
         What `gloo-rs check` finds. Made from `src/check/codes.rs` by the command in\n\
         [testing.md](testing.md#generated-files); `gloo-rs check --explain GRS101` prints the same. The meaning of a\n\
         code never changes, and a retired code is not used again.\n\n\
         | code | severity | what |\n|---|---|---|\n";
    let rows = ALL.iter().map(|code| {
        let (id, anchor) = (code.id, code.id.to_lowercase());
        format!("| [{id}](#{anchor}) | {} | {} |\n", code.severity.name(), code.title)
    });
    let sections = ALL.iter().map(|code| {
        let lines = checks_of(code).map(|check| {
            format!("Line `Checking {}`, `--exclude {}`; needs: {}.\n", check.title, check.word, needs(check))
        });
        let FindingCode { id, title, meaning, fix, severity } = code;
        let lines = lines.collect::<Vec<_>>().concat();
        format!("\n## {id}\n\n**{title}** ({})\n\n{meaning}\n\nFix: {fix}\n\n{lines}", severity.name())
    });
    let retired = if RETIRED.is_empty() { "None yet.".to_owned() } else { RETIRED.join(", ") };
    let end = format!("\n## Retired codes\n\n{retired}\n");
    std::iter::once(head.to_owned()).chain(rows).chain(sections).chain([end]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::codes;
    use crate::check::results::{Threshold, Unseen};
    use crate::check::{Ran, Severity};
    use crate::model::{ObjectRef, kinds};

    #[test]
    fn on_a_terminal_what_is_broken_now_comes_last() {
        let upstream = ObjectRef::new(&kinds::UPSTREAM, "shop", "cart");
        let finding = |code| Finding::new(code, &upstream, "a sentence");
        let ran = Ran {
            check: &CHECKS[0],
            findings: vec![
                finding(&codes::NOBODY_BEHIND).breaks_now(),
                finding(&codes::REJECTED),
                finding(&codes::SDS_EXPOSED),
            ],
            suppressed: Vec::new(),
            unknown: Vec::new(),
            skipped: None,
            read: Vec::new(),
            saw_something: true,
        };
        let threshold = Threshold { severity: Severity::Error, unknown: Unseen::Passes };
        let results = Results { ran: vec![ran], threshold, unread: 0 };
        let of = |order| {
            let lines = lines(&results, order).into_iter();
            lines
                .filter(|line| line.ends_with(':') || line.contains(" GRS") && line.ends_with("cart"))
                .collect::<Vec<_>>()
        };
        let object = "upstream.gloo.solo.io/shop/cart";
        let [better, later, now] =
            ["warning GRS209", "error GRS501", "error GRS106"].map(|it| format!("{it} {object}"));
        assert_eq!(of(FindingOrder::ByCheck), [now.clone(), later.clone(), better.clone()]);
        let sections =
            ["Could be better:".to_owned(), better, "Will break:".to_owned(), later, "503 now:".to_owned(), now];
        assert_eq!(of(FindingOrder::BySection), sections);
    }
}
