//! The figures of the report as Markdown, and the page that contains them.

use serde_json::Value;

/// The page with the texts between its markers renewed; `None` if a marker is missing.
pub fn renewed(page: &str, report: &Value) -> Option<String> {
    let parts = [
        ("machine", machine(report)),
        ("table", table(report)),
        ("growth", growth(report)),
        ("shares", shares(report)),
        ("budgets", budgets(report)),
    ];
    parts.iter().try_fold(page.to_owned(), |page, (name, text)| between(&page, name, text))
}

fn between(page: &str, name: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let (head, rest) = page.split_once(&begin)?;
    let (_, tail) = rest.split_once(&end)?;
    Some(format!("{head}{begin}\n{text}{end}{tail}"))
}

/// All rows, aligned for a terminal.
pub fn table(report: &Value) -> String {
    let head = ["command", "wall ms", "CPU ms", "peak MiB", "requests", "floor", "x floor", "others", "load"];
    let mut lines = vec![head.map(str::to_owned)];
    lines.extend(rows(report).map(cells));
    let mut last = [const { String::new() }; 9];
    last[0] = format!("the binary: {:.2} MB", number(&report["binary"]["mb"]));
    lines.push(last);
    aligned(&lines)
}

fn cells(row: &Value) -> [String; 9] {
    let cost = &row["cost"];
    let figure = |key: &str| format!("{:.1}", number(&cost[key]));
    [
        text(&row["name"]),
        figure("wallMs"),
        figure("cpuMs"),
        figure("peakMib"),
        row["requests"].to_string(),
        if row["floor"].is_null() { String::new() } else { other(&row["floor"]) },
        row["ratio"].as_f64().map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
        items(&row["others"]).map(other).collect::<Vec<_>>().join("; "),
        row["load"].as_f64().map(|load| format!("{load:.1}")).unwrap_or_default(),
    ]
}

fn other(other: &Value) -> String {
    let (wall, peak) = (number(&other["cost"]["wallMs"]), number(&other["cost"]["peakMib"]));
    format!("{} {wall:.1} ms, {peak:.1} MiB", text(&other["name"]))
}

fn machine(report: &Value) -> String {
    let machine = &report["machine"];
    let tools: Vec<_> = report["tools"].as_object().into_iter().flatten().map(|(_, said)| text(said)).collect();
    let lines = [
        format!("gloo-rs {}, measured {}", text(&report["gloo-rs"]), text(&report["measured"])),
        format!("{} cores, {}, {}", machine["cores"], text(&machine["processor"]), text(&machine["memory"])),
        format!(
            "Kubernetes {}: etcd without fsync, API server, controllers and kwok on the same cores",
            text(&report["kubernetes"])
        ),
        format!("beside it: {}", tools.join("; ")),
        format!(
            "a process that does nothing, measured the same way: {:.1} ms wall, {:.1} MiB",
            number(&report["nothing"]["wallMs"]),
            number(&report["nothing"]["peakMib"])
        ),
    ];
    lines.map(|line| format!("- {line}\n")).concat()
}

/// The cost of each series of growing work, per unit of work.
fn growth(report: &Value) -> String {
    let head = ["command", "work", "wall ms", "ms each", "CPU ms each", "peak MiB", "x floor"];
    let mut lines = vec![head.map(str::to_owned)];
    for row in rows(report).filter(|row| !row["work"].is_null()) {
        let (amount, cost) = (number(&row["work"]["amount"]), &row["cost"]);
        lines.push([
            text(&row["work"]["series"]),
            amount.to_string(),
            format!("{:.0}", number(&cost["wallMs"])),
            format!("{:.3}", number(&cost["wallMs"]) / amount),
            format!("{:.3}", number(&cost["cpuMs"]) / amount),
            format!("{:.1}", number(&cost["peakMib"])),
            row["ratio"].as_f64().map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
        ]);
    }
    aligned(&lines)
}

/// The distribution of the time of a bulk run, per Upstream.
fn shares(report: &Value) -> String {
    let head =
        ["sweep of", "who", "wall ms", "own CPU ms", "API server CPU ms", "etcd CPU ms", "cores idle or others' ms"];
    let mut lines = vec![head.map(str::to_owned)];
    let cores = number(&report["machine"]["cores"]);
    for row in rows(report).filter(|row| row["servers"].is_object()) {
        let amount = number(&row["work"]["amount"]);
        for (who, one) in [("gloo-rs".to_owned(), row), (text(&row["floor"]["name"]), &row["floor"])] {
            let cost = &one["cost"];
            let (wall, own) = (number(&cost["wallMs"]), number(&cost["cpuMs"]));
            let (server, etcd) = (number(&one["servers"]["kube-apiserver"]), number(&one["servers"]["etcd"]));
            let rest = cores * wall - own - server - etcd;
            let each = |figure: f64| format!("{:.3}", figure / amount);
            lines.push([amount.to_string(), who, each(wall), each(own), each(server), each(etcd), each(rest)]);
        }
    }
    aligned(&lines)
}

/// Each budget, and how much of its limit is used.
pub fn budgets(report: &Value) -> String {
    let mut lines = vec![["command", "promise", "of it used", ""].map(str::to_owned)];
    let named = rows(report).map(|row| (text(&row["name"]), row));
    for (name, row) in named.chain([("the binary".to_owned(), &report["binary"])]) {
        for verdict in items(&row["verdicts"]) {
            let met = if verdict["met"] == true { "met" } else { "MISSED" };
            let used = format!("{:.0} %", 100.0 * number(&verdict["used"]));
            lines.push([name.clone(), text(&verdict["promise"]), used, met.to_owned()]);
        }
    }
    aligned(&lines)
}

fn rows(report: &Value) -> impl Iterator<Item = &Value> {
    items(&report["rows"])
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let widths: [usize; N] =
        std::array::from_fn(|column| lines.iter().map(|line| line[column].len()).max().unwrap_or_default().max(3));
    let line = |cells: &[String; N]| {
        let cells: Vec<_> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rule = line(&std::array::from_fn(|_| "---".to_owned()));
    let mut all: Vec<_> = lines.iter().map(line).collect();
    all.insert(1.min(all.len()), rule);
    all.concat()
}
