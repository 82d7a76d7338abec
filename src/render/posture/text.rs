//! A posture as lines: totals, causes, findings, certificates, revisions, policies, and what is unknown.

use crate::plan::path::Verdict;
use crate::posture::{ClusterPosture, FindingCause, GatewayCertificates, PathCause, PathTotals, RevisionUse};
use crate::render::line::Line;
use crate::render::table::{Align, fitted, left_out, table};
use crate::render::text::count;
use crate::render::tone::Tone;

/// The number of rows that a section shows.
const SHOWN: usize = 20;

/// The lines for a terminal of this width, or for a pipe.
pub(crate) fn lines(posture: &ClusterPosture, width: Option<usize>) -> Vec<Line> {
    let mut lines = Vec::new();
    let tables = [
        ("Paths by namespace", "NAMESPACE", totals(&posture.namespaces)),
        ("Paths by gateway", "GATEWAY", totals(&posture.gateways)),
    ];
    for (title, head, rows) in tables {
        let mut columns = vec![(head, Align::Left)];
        columns.extend(Verdict::ALL.map(|verdict| (verdict.name(), Align::Right)));
        section(&mut lines, title, &columns, &rows, width);
    }
    listed(&mut lines, "Why", posture.causes.iter().filter(|cause| cause.verdict != Verdict::Mtls).map(cause));
    listed(&mut lines, "Findings", posture.findings.iter().map(finding));
    let columns =
        [("GATEWAY", Align::Left), ("VALID TO", Align::Left), ("MESH ROOT", Align::Left), ("POD", Align::Left)];
    let rows: Vec<_> = posture.certificates.iter().flat_map(certificates).collect();
    section(&mut lines, "Certificates", &columns, &rows, width);
    let columns = ["REVISION", "VERSION", "READY", "IN USE", "NAMESPACES", "PODS", "STALE", "GATEWAYS"];
    let rows: Vec<_> = posture.revisions.iter().map(revision).collect();
    section(&mut lines, "Revisions", &columns.map(|name| (name, Align::Left)), &rows, width);
    let columns = ["POLICY", "LEVEL", "EFFECT", "TARGETS"].map(|name| (name, Align::Left));
    let rows: Vec<_> = posture
        .policies
        .iter()
        .map(|policy| {
            let level = policy.level.unwrap_or("-").to_owned();
            vec![policy.to_string(), level, policy.effect.to_owned(), policy.targets.to_string()]
        })
        .collect();
    section(&mut lines, "Policies that decide", &columns, &rows, width);
    listed(
        &mut lines,
        "Unknown",
        posture.unknown.iter().map(|gap| {
            let rule = gap.rule.as_ref().map(crate::rights::Rule::sentence);
            (
                Line::from("  ").toned("unknown", &Tone::Unknown).text(format!(
                    ": {} ({})",
                    gap.why,
                    gap.what.join(", ")
                )),
                rule.map(|rule| Line::from(format!("    {rule}"))),
            )
        }),
    );
    lines.push(summary(posture));
    lines
}

fn section(
    lines: &mut Vec<Line>,
    title: &str,
    columns: &[(&'static str, Align)],
    rows: &[Vec<String>],
    width: Option<usize>,
) {
    if rows.is_empty() {
        return;
    }
    lines.push(Line::from(format!("{title}:")));
    let shown = rows.get(..SHOWN).unwrap_or(rows);
    let (table, dispensed) = match width {
        // Two blanks before each line.
        Some(width) => {
            fitted(columns, shown, width.saturating_sub(2), &["mixed", "tls", "POD", "STALE", "PODS", "NAMESPACES"])
        }
        None => (table(columns, shown), Vec::new()),
    };
    let dispensed = left_out(&dispensed).map(|_| format!("not shown: {}", dispensed.join(", ")));
    lines
        .extend(table.into_iter().chain(more(rows.len())).chain(dispensed).map(|line| Line::from(format!("  {line}"))));
    lines.push(Line::default());
}

fn listed(lines: &mut Vec<Line>, title: &str, items: impl Iterator<Item = (Line, Option<Line>)>) {
    let items: Vec<_> = items.collect();
    if items.is_empty() {
        return;
    }
    lines.push(Line::from(format!("{title}:")));
    let all = items.len();
    for (first, second) in items.into_iter().take(SHOWN) {
        lines.push(first);
        lines.extend(second);
    }
    lines.extend(more(all).map(|more| Line::from(format!("  {more}"))));
    lines.push(Line::default());
}

fn more(all: usize) -> Option<String> {
    (all > SHOWN).then(|| format!("and {} more; -o json lists them", all - SHOWN))
}

fn totals(all: &[PathTotals]) -> Vec<Vec<String>> {
    let row = |totals: &PathTotals| {
        let name = if totals.name.is_empty() { "-".to_owned() } else { totals.name.clone() };
        let numbers = Verdict::ALL.map(|verdict| totals.counts.of_verdict(verdict).to_string());
        std::iter::once(name).chain(numbers).collect()
    };
    all.iter().map(row).collect()
}

fn cause(cause: &PathCause) -> (Line, Option<Line>) {
    let named = cause.cause.map_or_else(String::new, |name| format!(" {name}"));
    let line = Line::from("  ").toned(cause.verdict, &cause.verdict).text(format!(
        "{named}: {}, {}: {}",
        count(cause.count, "path"),
        cause.decided_by,
        cause.why
    ));
    (line, cause.fix.as_ref().map(|fix| Line::from("    hint: ").hint(fix)))
}

fn finding(finding: &FindingCause) -> (Line, Option<Line>) {
    let tone = if finding.severity == "error" { Tone::Bad } else { Tone::Caution };
    let objects = count(finding.objects.len(), "object");
    let line = Line::from("  ")
        .toned(finding.severity, &tone)
        .text(format!(" {}: {}: {objects}, {}", finding.code, finding.title, finding.cause));
    (line, finding.fix.as_ref().map(|fix| Line::from("    hint: ").hint(fix)))
}

/// A row for each certificate of a gateway, or one with the reason why there is none.
fn certificates(of: &GatewayCertificates) -> Vec<Vec<String>> {
    let why = of.why.iter().map(|why| {
        let state = if of.certificates.is_none() { format!("unknown: {why}") } else { format!("none: {why}") };
        vec![of.gateway.clone(), state, "-".to_owned(), "-".to_owned()]
    });
    let shown = of.certificates.iter().flatten().map(|certificate| {
        let expired = if certificate.is_expired { " (expired)" } else { "" };
        let root = super::page::mesh_root(certificate.mesh_root).to_owned();
        vec![of.gateway.clone(), format!("{}{expired}", certificate.valid_to), root, certificate.pod.clone()]
    });
    why.chain(shown).collect()
}

fn revision(row: &RevisionUse) -> Vec<String> {
    let number = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let length = |list: Option<&Vec<String>>| number(list.map(|list| list.len() as u64));
    vec![
        row.revision.clone(),
        row.version.clone(),
        format!("{}/{}", row.ready, row.wanted),
        row.in_use.to_owned(),
        length(row.namespaces.as_ref()),
        number(row.pods),
        number(row.stale_pods),
        length(row.gateways.as_ref()),
    ]
}

/// `3 broken, 12 mtls (15 paths); 1 error, 2 warnings in the findings`
fn summary(posture: &ClusterPosture) -> Line {
    let counts = Verdict::ALL.into_iter().rev().map(|verdict| (verdict, posture.counts.of_verdict(verdict)));
    let counts = counts.filter(|(_, number)| *number > 0).enumerate();
    let line = counts.fold(Line::default(), |line, (place, (verdict, number))| {
        let between = if place == 0 { "" } else { ", " };
        line.text(between).toned(format!("{number} {verdict}"), &verdict)
    });
    let of = |severity: &str| {
        posture.findings.iter().filter(|it| it.severity == severity).map(|it| it.objects.len()).sum::<usize>()
    };
    let suppressed =
        if posture.suppressed == 0 { String::new() } else { format!(" ({} suppressed)", posture.suppressed) };
    let open = if posture.unknown.is_empty() { "" } else { "; incomplete: something could not be read" };
    let paths = match posture.counts.total() {
        0 => "no paths".to_owned(),
        total => format!(" ({})", count(total, "path")),
    };
    line.text(format!(
        "{paths}; {}, {}{suppressed}{open}",
        count(of("error"), "error"),
        count(of("warning"), "warning")
    ))
}
