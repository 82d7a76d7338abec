//! A target as one row of the table and of the CSV.

use std::collections::HashMap;

use super::target::{modes, revisions};
use crate::plan::path::{Behind, Described, Sends, Verdict};
use crate::plan::routes::RouteTarget;
use crate::render::table::{Align, Table, TableRow};
use crate::render::tone::Toned as _;

/// A row whose cells are all text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TargetRow {
    pub verdict: &'static str,
    /// `upstream`, `service` or `other`.
    pub kind: &'static str,
    pub namespace: String,
    pub name: String,
    pub port: String,
    /// `istio`, `own`, `auto`, `none` or `?`.
    pub tls: &'static str,
    /// The number of pods in the mesh, and of all pods; `?` if unknown, empty if the target cannot have pods.
    pub meshed: String,
    pub pods: String,
    pub revisions: String,
    /// `STRICT`, or several modes.
    pub peer: String,
    pub status: String,
    pub owner: String,
    /// `strict peer, policy shop/default`. Empty if nothing is wrong, or if something could not be read.
    pub cause: String,
    pub why: String,
    pub fix: String,
}

/// The columns of `-o table` or `-o wide`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    Usual,
    Wide,
}

/// The columns that a narrow terminal does without, the least important first.
const DISPENSABLE: [&str; 3] = ["TLS", "PEER", "MESHED"];

impl From<&Described> for TargetRow {
    fn from(described: &Described) -> Self {
        let Described { facts, judged } = described;
        let (kind, namespace, name, port) = match &facts.target {
            RouteTarget::Upstream { namespace, name } => ("upstream", namespace.clone(), name.clone(), None),
            RouteTarget::Service { namespace, name, port } => ("service", namespace.clone(), name.clone(), *port),
            RouteTarget::Other(what) => ("other", String::new(), what.clone(), None),
        };
        let (meshed, pods) = match &facts.behind {
            Behind::Pods { pods, .. } => {
                let meshed = pods.iter().filter(|pod| pod.is_in_mesh()).count();
                (meshed.to_string(), pods.len().to_string())
            }
            Behind::Unknown(_) | Behind::ByHand { .. } => ("?".to_owned(), "?".to_owned()),
            _ => (String::new(), String::new()),
        };
        let modes: Vec<_> = modes(facts).into_iter().map(|(mode, _)| mode).collect();
        let peer = modes.iter().map(|mode| if mode.starts_with("unknown") { "?" } else { mode.as_str() });
        Self {
            verdict: judged.verdict.name(),
            kind,
            namespace,
            name,
            port: port.map_or_else(String::new, |port| port.to_string()),
            tls: tls(&facts.sends),
            meshed,
            pods,
            revisions: facts.pods().map(revisions).unwrap_or_default().join(" "),
            peer: peer.collect::<Vec<_>>().join(" "),
            status: facts.acceptance.as_ref().map_or_else(String::new, ToString::to_string),
            owner: facts.owner.as_ref().map_or_else(String::new, ToString::to_string),
            cause: judged
                .cause
                .map(|cause| format!("{}, {}", cause.row().words, described.decider()))
                .unwrap_or_default(),
            why: judged.why.clone(),
            fix: judged.fix.as_ref().map(ToString::to_string).unwrap_or_default(),
        }
    }
}

fn tls(sends: &Sends) -> &'static str {
    match sends {
        Sends::Istio { .. } => "istio",
        Sends::Tls { .. } => "own",
        Sends::PerPod => "auto",
        Sends::Plaintext { .. } => "none",
        Sends::Unknown(_) => "?",
    }
}

impl TargetRow {
    /// The target in the table: `gloo-system/x` or `service shop/cart:80`.
    fn subject(&self) -> String {
        let port = if self.port.is_empty() { String::new() } else { format!(":{}", self.port) };
        match self.kind {
            "service" => format!("service {}/{}{port}", self.namespace, self.name),
            _ => format!("{}/{}", self.namespace, self.name),
        }
    }

    fn cells(&self, width: Width) -> Vec<String> {
        let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        let meshed = if self.pods.is_empty() { "-".to_owned() } else { format!("{}/{}", self.meshed, self.pods) };
        let mut cells = vec![self.verdict.to_owned(), self.subject(), meshed, self.tls.to_owned(), or_dash(&self.peer)];
        cells.push(or_dash(&self.cause));
        if width == Width::Wide {
            cells.extend([&self.revisions, &self.status, &self.owner, &self.why].map(|text| or_dash(text)));
        }
        cells
    }
}

/// The table.
pub(crate) fn table(rows: &[TargetRow], width: Width) -> Table {
    let mut columns = vec![
        ("VERDICT", Align::Left),
        ("UPSTREAM", Align::Left),
        ("MESHED", Align::Left),
        ("TLS", Align::Left),
        ("PEER", Align::Left),
        ("CAUSE", Align::Left),
    ];
    if width == Width::Wide {
        columns.extend(["REVISION", "STATUS", "OWNER", "WHY"].map(|name| (name, Align::Left)));
    }
    let tone = |row: &TargetRow| Verdict::named(row.verdict).and_then(|verdict| verdict.tone());
    let rows = rows.iter().map(|row| TableRow { cells: row.cells(width), tone: tone(row) }).collect();
    let dispensable: &[_] = if width == Width::Wide { &[] } else { &DISPENSABLE };
    Table { columns, rows, toned: 0, dispensable }
}

/// The number of rows that a terminal shows of one cause.
const SHOWN: usize = 10;

/// The rows for a terminal: those without a cause first, then those of each cause, the largest last. Only the first ten
/// of a cause are kept. The second value says how many others there are.
pub(crate) fn grouped(rows: Vec<TargetRow>) -> (Vec<TargetRow>, Vec<String>) {
    let mut causes: Vec<(String, Vec<TargetRow>)> = Vec::new();
    let mut shown = Vec::new();
    let mut at: HashMap<String, usize> = HashMap::new();
    for row in rows {
        if row.cause.is_empty() {
            shown.push(row);
            continue;
        }
        let index = *at.entry(row.cause.clone()).or_insert_with(|| {
            causes.push((row.cause.clone(), Vec::new()));
            causes.len() - 1
        });
        causes[index].1.push(row);
    }
    causes.sort_by_key(|(_, rows)| rows.len());
    let mut more = Vec::new();
    for (cause, rows) in causes {
        let others = rows.len().saturating_sub(SHOWN);
        more.extend((others > 0).then(|| format!("and {others} more: {cause}; -o wide lists them")));
        shown.extend(rows.into_iter().take(SHOWN));
    }
    (shown, more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::line::Style;
    use crate::render::tone::Tone;

    fn row(name: usize, cause: &str) -> TargetRow {
        let text = String::new;
        TargetRow {
            verdict: "broken",
            kind: "upstream",
            namespace: "shop".to_owned(),
            name: format!("u{name}"),
            port: text(),
            tls: "none",
            meshed: text(),
            pods: text(),
            revisions: text(),
            peer: text(),
            status: text(),
            owner: text(),
            cause: cause.to_owned(),
            why: text(),
            fix: text(),
        }
    }

    #[test]
    fn a_cause_has_room_on_a_terminal_and_the_verdict_its_tone() {
        let mut long = row(1, "strict peer, policy shop/default-strict");
        (long.name, long.meshed, long.pods) = ("default-httpbin-8000".to_owned(), "12".to_owned(), "12".to_owned());
        long.peer = "PERMISSIVE STRICT".to_owned();
        let lines = table(&[long], Width::Usual).lines(Some(80));
        assert!(lines.iter().all(|line| line.to_string().len() <= 80), "{lines:#?}");
        assert_eq!(lines[1].spans()[0].style, Style::Toned(Tone::Bad));
        assert!(lines[1].to_string().ends_with("strict peer, policy shop/default-strict"), "{lines:#?}");
        assert_eq!(lines[2].to_string(), "-o wide has TLS, PEER, MESHED");
    }

    #[test]
    fn a_terminal_shows_ten_targets_of_a_cause_and_the_largest_cause_last() {
        let many = (0..2000).map(|number| row(number, "strict peer, policy shop/default"));
        let rows = many.chain([row(2000, "no sidecar, namespace shop"), row(2001, "")]).collect();
        let (shown, more) = grouped(rows);
        let causes: Vec<_> = shown.iter().map(|row| row.cause.as_str()).collect();
        assert_eq!(causes[..2], ["", "no sidecar, namespace shop"]);
        assert_eq!(causes[2..], ["strict peer, policy shop/default"; SHOWN]);
        assert_eq!(more, ["and 1990 more: strict peer, policy shop/default; -o wide lists them"]);
    }
}
