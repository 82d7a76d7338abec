//! What would panic on foreign data: `value["x"] = y` and `value["x"].as_object_mut()` on a `Value` that is no object,
//! and a time from outside that is added to the clock.

use regex::Regex;

use super::{files_below, read};

/// Documents that the file makes itself, as objects.
const OWN: [&str; 3] = ["src/render/", "src/kube/exec.rs", "src/kube/session.rs"];

/// Lines that index a `Value` mutably, outside of tests, with their numbers.
fn violations(text: &str) -> Vec<(usize, String)> {
    let index = r#"(\["[^"]*"\])+"#;
    let mutable = format!(r"[\w)\]]{index}\s*(=[^=>]|\.(take|as_object_mut|as_array_mut|get_mut|insert)\()");
    let borrowed = format!(r"&mut [\w.]+{index}");
    let all = Regex::new(&format!("{mutable}|{borrowed}")).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//") && all.is_match(line));
    lines.map(|(number, line)| (number + 1, line.trim().to_owned())).collect()
}

#[test]
fn foreign_json_is_not_indexed_mutably() {
    let is_code = |path: &&String| !path.contains("/tests") && !OWN.iter().any(|own| path.starts_with(own));
    let mut found = Vec::new();
    for path in files_below("src", ".rs").iter().filter(is_code) {
        found.extend(violations(&read(path)).into_iter().map(|(number, line)| format!("{path}:{number}: {line}")));
    }
    assert!(found.is_empty(), "a foreign value of another type panics there; use get_mut: {found:#?}");
}

#[test]
fn what_panics_is_found() {
    for line in [
        r#"value["metadata"]["namespace"] = home.into();"#,
        r#"if let Some(spec) = object.value["spec"].as_object_mut() {"#,
        r#"page["stats"].take()"#,
        r#"merge(&mut value["spec"])"#,
    ] {
        assert_eq!(violations(line).len(), 1, "{line}");
    }
    for line in [r#"value["kind"] == "List""#, r#"let kind = value["kind"].as_str();"#, r#"("GET", ["a"]) => 1"#] {
        assert!(violations(line).is_empty(), "{line}");
    }
}

/// What is read into a declared shape, whose parts are counted.
const DECLARED: [&str; 5] = [
    "src/envoy/dump.rs",
    "src/flow/inside/served.rs",
    "src/helm/record.rs",
    "src/helm/recorded_chart.rs",
    "src/load/served.rs",
];

#[test]
fn json_from_outside_becomes_values_only_within_a_limit_of_memory() {
    let reads = Regex::new(r"serde_json::(from_(str|slice|reader)|Deserializer)").unwrap();
    let aside = ["src/bounded.rs", "src/fuzzing/", "src/hostile/"];
    let is_code = |path: &&String| !path.contains("/tests") && !aside.iter().any(|own| path.starts_with(own));
    let mut found = Vec::new();
    for path in files_below("src", ".rs").iter().filter(is_code) {
        let text = read(path);
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().filter(|line| reads.is_match(line) && !line.contains("IgnoredAny"));
        found.extend(lines.map(|line| (path.clone(), line.trim().to_owned())));
    }
    let (declared, found): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(path, _)| DECLARED.contains(&path.as_str()));
    assert!(found.is_empty(), "one byte may become ten of memory; use `bounded`: {found:#?}");
    assert!(declared.len() >= DECLARED.len(), "this finds nothing: {declared:?}");
}

/// Files whose times come from flags, which `src/cli/global.rs` limits to a year.
const LIMITED: [&str; 1] = ["src/flow/address.rs"];

/// Lines with an addition to the clock, or a conversion, that panics for a time that is too large: `checked_add` and
/// `saturating_add` do not, and a constant is never too large.
fn overflows(text: &str) -> Vec<(usize, String)> {
    let clock = r"(Instant|SystemTime|Timestamp)::now\(\) [+-] [a-z(]|\belapsed\(\) [+*] [a-z(]";
    let all =
        Regex::new(&format!(r"{clock}|Duration::from_secs_f(32|64)\(|Duration::from_\w+\([a-z]\w*\) [+*]")).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//") && all.is_match(line));
    lines.map(|(number, line)| (number + 1, line.trim().to_owned())).collect()
}

#[test]
fn no_time_from_outside_is_added_to_the_clock() {
    let is_code = |path: &&String| !path.contains("/tests") && !LIMITED.contains(&path.as_str());
    let mut found = Vec::new();
    for path in files_below("src", ".rs").iter().filter(is_code) {
        found.extend(overflows(&read(path)).into_iter().map(|(number, line)| format!("{path}:{number}: {line}")));
    }
    assert!(found.is_empty(), "a time of any length panics there; use checked_add or saturating_add: {found:#?}");
}

#[test]
fn what_overflows_is_found() {
    for line in [
        "let end = Instant::now() + limit;",
        "if start.elapsed() + pause > timeout {",
        "let pause = Duration::from_secs_f64(seconds);",
        "let twice = Duration::from_secs(seconds) * 2;",
    ] {
        assert_eq!(overflows(line).len(), 1, "{line}");
    }
    for line in
        ["let end = Instant::now() + PATIENCE;", "start.elapsed().saturating_add(pause)", "Duration::from_secs(2) * n"]
    {
        assert!(overflows(line).is_empty(), "{line}");
    }
}

/// A build that aborts cannot roll back.
#[test]
fn every_build_unwinds() {
    let manifest = read("Cargo.toml");
    let lines = manifest.lines().filter(|line| line.starts_with("panic"));
    assert_eq!(lines.collect::<Vec<_>>(), [""; 0]);
    assert!(manifest.contains("[profile.release]"));
}
