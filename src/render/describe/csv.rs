//! Rows as comma-separated values (RFC 4180), with formulas made harmless for spreadsheets.

use super::row::TargetRow;
use crate::render::text::is_obeyed;

/// The header line.
pub(crate) const HEAD: &str =
    "verdict,kind,namespace,name,port,tls,podsMeshed,pods,revisions,peer,status,owner,why,hint";

/// The CSV line of a row.
pub(crate) fn line(row: &TargetRow) -> String {
    let cells: [&str; 14] = [
        row.verdict,
        row.kind,
        &row.namespace,
        &row.name,
        &row.port,
        row.tls,
        &row.meshed,
        &row.pods,
        &row.revisions,
        &row.peer,
        &row.status,
        &row.owner,
        &row.why,
        &row.fix,
    ];
    cells.map(cell).join(",")
}

/// A cell that a spreadsheet does not evaluate: text that would be a formula gets a leading apostrophe, and characters
/// that control a terminal become `?`.
#[must_use]
pub(crate) fn cell(text: &str) -> String {
    let inert: String = text.chars().map(|c| if is_obeyed(c) || c == '\t' { '?' } else { c }).collect();
    let is_formula =
        inert.trim_start().starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    let harmless = if is_formula { format!("'{inert}") } else { inert };
    if harmless.contains([',', '"', ' ', '\'', ';']) {
        format!("\"{}\"", harmless.replace('"', "\"\""))
    } else {
        harmless
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_a_new_row_or_a_command_to_a_terminal() {
        for (text, cell_text) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("  =1", "\"'  =1\""),
            ("\t=1", "?=1"),
            ("a\nb\r\u{1b}[31m\u{202e}", "a?b??[31m?"),
        ] {
            assert_eq!(cell(text), cell_text, "{text:?}");
        }
    }

    #[test]
    fn the_head_names_every_cell() {
        let row = TargetRow {
            verdict: "mtls",
            kind: "upstream",
            namespace: "n".into(),
            name: "x".into(),
            port: String::new(),
            tls: "istio",
            meshed: "1".into(),
            pods: "1".into(),
            revisions: String::new(),
            peer: String::new(),
            status: String::new(),
            owner: String::new(),
            cause: String::new(),
            why: "because".into(),
            fix: String::new(),
        };
        assert_eq!(line(&row), "mtls,upstream,n,x,,istio,1,1,,,,,because,");
        assert_eq!(HEAD.split(',').count(), line(&row).split(',').count());
    }
}
