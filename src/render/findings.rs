//! Findings as lines for people, as fields of the document, and as the page of all codes.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::line::Line;
use super::rights;
use super::table::{Align, table};
use super::text::{count, short_name};
use super::tone::Tone;
use crate::check::codes::{ALL, RETIRED};
use crate::check::groups::{self, CodeGroups, FindingGroup};
use crate::check::results::{CheckStatus, Results, status};
use crate::check::suppress::Suppression;
use crate::check::{CHECKS, Check, Finding, FindingCode, NotJudged, Ran, Section, Severity};
use crate::command::{Called, TypedTarget, gloo_rs};
use crate::model::{ObjectRef, kinds};
use crate::rights::Rule;

/// Which findings are printed, and in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FindingOrder {
    /// Every finding, check by check.
    Each,
    /// Grouped by cause, check by check.
    ByCheck,
    /// Grouped by cause, for a terminal: the most severe last, where they are read first.
    BySection,
}

/// The number of findings of a group that are printed like single ones.
const WHOLE: usize = 3;
/// The number of objects that are named of a larger group.
const NAMED: usize = 10;
/// The number of missing rights that are printed one by one.
const RULES: usize = 3;
/// The number of groups that are printed of one code.
const GROUPS: usize = 5;

/// The printed lines, in order: one for each check, the findings, the unknowns, and the summary. With sections, the
/// unknowns come before the findings.
#[must_use]
pub(crate) fn lines(results: &Results, order: FindingOrder, called: Called) -> Vec<Line> {
    let mut lines: Vec<Line> = match order {
        FindingOrder::BySection if saw_nothing(results) => Vec::new(),
        _ => results.shown().map(|ran| checked(ran, order)).collect(),
    };
    lines.extend(results.messages().into_iter().map(Line::from));
    let codes = match order {
        FindingOrder::BySection => groups::by_section(results),
        FindingOrder::Each | FindingOrder::ByCheck => groups::by_check(results),
    };
    match order {
        FindingOrder::Each => {
            lines.extend(results.findings().flat_map(finding));
            lines.extend(not_judged(results));
            lines.extend(unknown(results, order));
        }
        FindingOrder::ByCheck => {
            lines.extend(codes.iter().flat_map(of_code).flatten());
            lines.extend(not_judged(results));
            lines.extend(unknown(results, order));
        }
        FindingOrder::BySection => {
            lines.extend(not_judged(results));
            lines.extend(unknown(results, order));
            lines.extend(Section::ALL.into_iter().flat_map(|section| in_section(&codes, section)));
        }
    }
    lines.push(last(results, &codes, called));
    lines
}

/// The line of a check. Scripts match glooctl's words, so they stay where a script reads.
fn checked(ran: &Ran, order: FindingOrder) -> Line {
    let line = Line::from(format!("Checking {}... ", ran.check.title));
    match (status(ran), order) {
        (CheckStatus::Found { errors, warnings: 0 }, FindingOrder::Each | FindingOrder::BySection) => {
            numbered(line, errors, Severity::Error)
        }
        (CheckStatus::Found { errors: 0, warnings }, FindingOrder::Each | FindingOrder::BySection) => {
            numbered(line, warnings, Severity::Warning)
        }
        (CheckStatus::Found { errors, warnings }, FindingOrder::Each | FindingOrder::BySection) => {
            counts(line, errors, warnings)
        }
        (status, _) => line.toned(&status, &status),
    }
}

/// The heading and the findings of a section, the largest group of a code last. Nothing if there are none.
fn in_section(codes: &[CodeGroups<'_>], section: Section) -> Vec<Line> {
    let mut codes = codes.iter().filter(|code| code.section() == section).peekable();
    let heading = codes.peek().map(|_| [Line::default(), Line::default().toned(section.title(), &section).text(":")]);
    heading.into_iter().flatten().chain(codes.flat_map(|code| of_code(code).into_iter().rev().flatten())).collect()
}

/// The largest groups of a code, each as its lines, and then how many others there are.
fn of_code(code: &CodeGroups<'_>) -> Vec<Vec<Line>> {
    let (shown, others) = code.groups.split_at(code.groups.len().min(GROUPS));
    let others = others.first().map(|first| {
        let Finding { severity, code, .. } = first.first;
        let objects: usize = others.iter().map(FindingGroup::len).sum();
        let (causes, objects) = (count(others.len(), "more cause"), count(objects, "object"));
        vec![headed(*severity, format!("{}: {causes}, {objects}; -o wide lists them", code.id))]
    });
    shown.iter().map(group).chain(others).collect()
}

/// The first line of a finding: its severity, and the rest.
fn headed(severity: Severity, rest: impl AsRef<str>) -> Line {
    Line::default().toned(severity.name(), &severity).text(" ").text(rest)
}

fn group(group: &FindingGroup<'_>) -> Vec<Line> {
    if group.len() <= WHOLE {
        return group.findings().flat_map(finding).collect();
    }
    let Finding { severity, code, decided_by, hint, message, .. } = group.first;
    let cause = match *decided_by.kind == kinds::NAMESPACE {
        true => format!("  in namespace {}", decided_by.name),
        false => format!("  because of {}/{}", decided_by.kind, short_name(decided_by, "")),
    };
    let mut lines = vec![cause];
    let is_shared = group.findings().all(|other| other.message == *message);
    lines.extend(is_shared.then(|| format!("  {message}")));
    lines.extend(group.findings().take(NAMED).map(|finding| match is_shared {
        true => format!("    {}", subject(finding)),
        false => format!("    {}: {}", subject(finding), finding.message),
    }));
    let more = group.len().saturating_sub(NAMED);
    lines.extend((more > 0).then(|| format!("    and {more} more; -o wide lists them")));
    let whose = if group.findings().all(|other| other.hint == *hint) { "hint" } else { "hint for the first" };
    let first = headed(*severity, format!("{} {}: {}", code.id, count(group.len(), "object"), code.title));
    let hint = hint.as_ref().map(|hint| Line::from(format!("  {whose}: ")).hint(hint));
    std::iter::once(first).chain(lines.into_iter().map(Line::from)).chain(hint).collect()
}

/// The object of a finding: `upstream.gloo.solo.io/shop/cart`.
fn subject(finding: &Finding) -> String {
    format!("{}/{}", finding.object.kind, short_name(&finding.object, ""))
}

fn finding(finding: &Finding) -> Vec<Line> {
    let mut lines = vec![headed(finding.severity, format!("{} {}", finding.code.id, subject(finding)))];
    lines.extend(finding.spot.as_ref().map(|spot| format!("  in {}:{}", spot.file, spot.line)).map(Line::from));
    lines.push(Line::from("  ").text(&finding.message));
    lines.extend(finding.details.iter().map(|detail| Line::from("    ").text(detail)));
    lines.extend(finding.hint.as_ref().map(|hint| Line::from("  hint: ").hint(hint)));
    lines
}

/// A line for each reason why the files do not tell enough.
fn not_judged(results: &Results) -> impl Iterator<Item = Line> {
    results.not_judged().map(|(title, it)| Line::from(not_judged_line(title, it)))
}

/// `not judged: mTLS of 3 objects, such as upstream.gloo.solo.io/shop/cart: its Service is not in the files`
pub(super) fn not_judged_line(title: &str, NotJudged { why, count: number, first }: &NotJudged) -> String {
    let first = format!("{}/{}", first.kind, short_name(first, ""));
    let what = if *number == 1 { first } else { format!("{}, such as {first}", count(*number, "object")) };
    format!("not judged: {title} of {what}: {why}")
}

/// What could not be read. Many missing rights are one `ClusterRole` instead of a line for each.
fn unknown(results: &Results, order: FindingOrder) -> Vec<Line> {
    let all = results.unknown();
    let mut rules: Vec<Rule> = all.iter().filter_map(|(unknown, _)| unknown.rule.as_deref().cloned()).collect();
    rules.sort_unstable();
    rules.dedup();
    let is_one_role = order != FindingOrder::Each && rules.len() > RULES;
    let mut lines = Vec::new();
    for (unknown, titles) in &all {
        let first = Line::default().toned("unknown", &Tone::Unknown);
        let first = first.text(format!(": {}: {}", titles.join(", "), unknown.why));
        match &unknown.rule {
            None => lines.push(first),
            Some(_) if is_one_role => {}
            Some(rule) => {
                lines.extend([first, Line::from(format!("  {}", rule.sentence()))]);
            }
        }
    }
    if is_one_role {
        let lacks_rights = |ran: &&Ran| ran.unknown.iter().any(|unknown| unknown.rule.is_some());
        let (number, of) = (results.shown().filter(lacks_rights).count(), results.shown().count());
        // A check that stops at the first list that it may not read needs the others too.
        let needed = results.shown().filter(lacks_rights).flat_map(|ran| ran.check.lists());
        let needed: Vec<_> = needed.map(|kind| rights::to_list(&kind)).collect();
        let role = rights::cluster_role(rules.iter().chain(&needed));
        let first = Line::default().toned("unknown", &Tone::Unknown);
        lines.push(first.text(format!(
            ": {number} of {of} checks need {} that you do not have; -o wide lists them. This ClusterRole has all that they need:",
            count(rules.len(), "right")
        )));
        // To be copied as it is.
        lines.extend(role.iter().map(|line| Line::default().whole(line)));
    }
    lines
}

fn last(results: &Results, codes: &[CodeGroups<'_>], called: Called) -> Line {
    let (errors, warnings) = (results.count(Severity::Error), results.count(Severity::Warning));
    let suppressed = results.suppressed().count();
    let left_out = if suppressed == 0 { String::new() } else { format!(" ({suppressed} suppressed)") };
    match (errors + warnings, results.is_whole()) {
        (0, true) if results.is_of_files() => Line::from(format!("no problem in what the files show{left_out}")),
        (0, true) => Line::default().toned("No problems detected.", &Tone::Good).text(left_out),
        (0, false) => Line::from(format!("no problem in what could be read{left_out}")),
        _ => {
            let causes: usize = codes.iter().map(|code| code.groups.len()).sum();
            let objects: HashSet<_> = results.findings().map(|finding| &finding.object).collect();
            let from = format!("{} in {}", count(causes, "cause"), count(objects.len(), "object"));
            let worst = groups::most_severe(codes).map_or("GRS101", |code| code.id);
            // It asks no cluster.
            let target = TypedTarget { called, ..TypedTarget::default() };
            counts(Line::default(), errors, warnings)
                .text(format!(": {from}{left_out}; "))
                .whole(gloo_rs("check --explain").value(worst).on(&target))
                .text(if causes == 1 { " explains it" } else { " explains the most severe" })
        }
    }
}

/// Appends `1 error, 2 warnings`.
fn counts(line: Line, errors: usize, warnings: usize) -> Line {
    numbered(numbered(line, errors, Severity::Error).text(", "), warnings, Severity::Warning)
}

fn numbered(line: Line, number: usize, severity: Severity) -> Line {
    let words = count(number, severity.name());
    if number == 0 { line.text(words) } else { line.toned(words, &severity) }
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
    let not_judged = results.not_judged().map(|(title, NotJudged { why, count, first })| {
        json!({"check": title, "why": why, "count": count, "first": reference(first)})
    });
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
        ("causes", groups::by_check(results).iter().flat_map(|code| &code.groups).map(cause).collect()),
        ("suppressed", suppressed.into()),
        ("unknown", unknown.into()),
        ("notJudged", not_judged.collect()),
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
        "cause": reference(&finding.decided_by),
        "message": finding.message,
        "details": finding.details,
        "hint": finding.hint.as_ref().map(ToString::to_string),
        "docs": finding.code.explained_by(),
    })
}

/// A group of findings. Those with the same code, section and cause belong to it.
fn cause(group: &FindingGroup<'_>) -> Value {
    let Finding { code, severity, section, decided_by, .. } = group.first;
    json!({
        "code": code.id,
        "severity": severity.name(),
        "section": section.name(),
        "title": code.title,
        "cause": reference(decided_by),
        "count": group.len(),
    })
}

fn reference(object: &ObjectRef) -> Value {
    json!({"kind": object.kind.kind, "namespace": object.namespace, "name": object.name})
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

/// The explanation of one code, for `--explain` and the help of a SARIF rule.
#[must_use]
pub(crate) fn explained(code: &FindingCode) -> Vec<String> {
    let mut lines = vec![format!("{} {}: {}", code.severity.name(), code.id, code.title)];
    lines.extend(code.meaning.split_inclusive(". ").map(|sentence| format!("  {}", sentence.trim_end())));
    lines.push(format!("fix: {}", code.fix));
    lines.extend(checks_of(code).map(|check| format!("reads: {}", needs(check))));
    lines
}

/// A line for each code.
#[must_use]
pub(crate) fn list() -> Vec<String> {
    let columns = [("CODE", Align::Left), ("SEVERITY", Align::Left), ("WHAT", Align::Left)];
    let rows = ALL.iter().map(|code| [code.id, code.severity.name(), code.title].map(str::to_owned).to_vec());
    table(&columns, &rows.collect::<Vec<_>>())
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
        "docs": code.explained_by(),
    })
}

fn checks_of(code: &FindingCode) -> impl Iterator<Item = &'static Check> {
    CHECKS.iter().filter(move |check| check.codes.contains(&code))
}

/// The requirements of a check: `list upstreams.gloo.solo.io, pods; create pods/portforward`.
fn needs(check: &Check) -> String {
    let kinds: Vec<_> = check.lists().collect();
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
    use crate::model::Unknown;

    fn shown(results: &Results, order: FindingOrder) -> Vec<String> {
        lines(results, order, Called::GlooRs).iter().map(Line::to_string).collect()
    }

    #[test]
    fn on_a_terminal_what_is_broken_now_comes_last() {
        let upstream = ObjectRef::new(&kinds::UPSTREAM, "shop", "cart");
        let finding = |code| Finding::new(code, &upstream, "a sentence");
        let results = Results::of(vec![
            finding(&codes::NOBODY_BEHIND).breaks_now(),
            finding(&codes::REJECTED),
            finding(&codes::SDS_EXPOSED),
        ]);
        let of = |order| {
            let lines = shown(&results, order).into_iter();
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

    #[test]
    fn a_check_has_glooctls_words_where_a_script_reads_and_plain_ones_elsewhere() {
        let upstream = ObjectRef::new(&kinds::UPSTREAM, "shop", "cart");
        let of = |codes: &[&'static FindingCode], order| {
            let found = codes.iter().map(|code| Finding::new(code, &upstream, "a sentence"));
            shown(&Results::of(found.collect()), order)[0].rsplit_once("... ").unwrap().1.to_owned()
        };
        let (error, warning) = (&codes::REJECTED, &codes::SDS_EXPOSED);
        for (found, glooctl, plain) in [
            (&[error, warning, warning][..], "1 Errors!", "1 error, 2 warnings"),
            (&[error, error], "2 Errors!", "2 errors"),
            (&[warning], "1 warning", "1 warning"),
        ] {
            assert_eq!(of(found, FindingOrder::ByCheck), glooctl);
            for order in [FindingOrder::BySection, FindingOrder::Each] {
                assert_eq!(of(found, order), plain);
            }
        }
    }

    #[test]
    fn many_missing_rights_are_one_role_and_each_is_listed_when_wide() {
        let mut results = Results::of(Vec::new());
        results.ran[0].unknown = (0..25)
            .map(|number| Unknown {
                why: format!("not allowed to list kind{number}"),
                rule: Some(Box::new(rights::to_list(&format!("kind{number}.a")))),
            })
            .collect();
        results.ran[0].unknown.push(Unknown::because("another reason"));
        let terminal = shown(&results, FindingOrder::BySection);
        assert!(terminal.len() < 10, "{terminal:#?}");
        assert!(terminal[0].ends_with(": another reason"), "{terminal:#?}");
        assert!(terminal[1].starts_with("unknown: 1 of 1 checks need 25 rights"), "{terminal:#?}");
        let role = crate::yaml::parse(&terminal[2..terminal.len() - 1].join("\n")).unwrap();
        assert_eq!(role["rules"][0]["resources"].as_array().map(Vec::len), Some(25));
        let piped = shown(&results, FindingOrder::ByCheck);
        assert!(piped[0].starts_with("Checking ") && piped[0].ends_with("... unknown"), "{piped:#?}");
        let wide = shown(&results, FindingOrder::Each);
        assert_eq!(wide.iter().filter(|line| line.contains("not allowed to list kind")).count(), 25);
        results.ran[0].unknown.truncate(RULES);
        let few = shown(&results, FindingOrder::BySection);
        assert_eq!(few.iter().filter(|line| line.contains("a rule of a ClusterRole")).count(), RULES);
    }

    fn broken_by(policy: usize, upstream: usize) -> Finding {
        let upstream = ObjectRef::new(&kinds::UPSTREAM, "shop", format!("u{upstream}"));
        let policy = ObjectRef::new(&kinds::PEER_AUTHENTICATION, "shop", format!("p{policy}"));
        Finding::new(&codes::STRICT_PLAINTEXT, &upstream, "a sentence").breaks_now().decided_by(policy)
    }

    #[test]
    fn two_thousand_objects_with_one_cause_are_a_few_lines_and_whole_when_wide() {
        let results = Results::of((0..2000).map(|number| broken_by(0, number)).collect());
        for order in [FindingOrder::ByCheck, FindingOrder::BySection] {
            let lines = shown(&results, order);
            assert!(lines.len() < 20, "{} lines", lines.len());
            assert!(lines.iter().any(|line| line.contains("2000 objects")), "{lines:#?}");
            assert!(lines.iter().any(|line| line.contains("shop/p0")), "{lines:#?}");
            assert_eq!(lines.iter().filter(|line| line.contains("/shop/u")).count(), NAMED);
            assert_eq!(lines.iter().filter(|line| line.contains("a sentence")).count(), 1, "{lines:#?}");
            assert!(lines.last().is_some_and(|last| last.contains("1 cause in 2000 objects")), "{lines:#?}");
        }
        let wide = shown(&results, FindingOrder::Each);
        assert_eq!(wide.iter().filter(|line| line.contains("/shop/u")).count(), 2000);
    }

    #[test]
    fn many_causes_of_one_code_fit_a_few_screens_too_and_the_others_are_counted() {
        let results = Results::of((0..400).map(|number| broken_by(number / 4, number)).collect());
        for order in [FindingOrder::ByCheck, FindingOrder::BySection] {
            let lines = shown(&results, order);
            assert!(lines.len() < 50, "{} lines", lines.len());
            assert!(lines.iter().any(|line| line.contains("95 more causes, 380 objects")), "{lines:#?}");
        }
    }

    #[test]
    fn the_document_has_every_finding_and_each_cause_once() {
        let results = Results::of((0..12).map(|number| broken_by(number % 2, number)).collect());
        let fields: std::collections::BTreeMap<_, _> = fields(&results).into_iter().collect();
        assert_eq!(fields["findings"].as_array().map(Vec::len), Some(12));
        let causes: Vec<_> = fields["causes"].as_array().into_iter().flatten().collect();
        let shown: Vec<_> = causes.iter().map(|it| (&it["cause"]["name"], &it["count"])).collect();
        assert_eq!(shown, [(&json!("p0"), &json!(6)), (&json!("p1"), &json!(6))]);
    }
}
