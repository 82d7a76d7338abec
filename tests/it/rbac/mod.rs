//! `rbac`: what it prints, and on a real API server that it is enough and nothing too much.

mod least;
mod line;
mod scenarios;

use serde_json::Value;

use crate::support::{Output, Sandbox};

/// The roles that `rbac` prints for a command line.
fn roles(sandbox: &Sandbox, line: &str) -> Vec<Value> {
    let output = rbac(sandbox, &["-o", "json"], line);
    assert_eq!(output.code, Some(0), "{line}: {output:?}");
    let list: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{line}: {error}: {output:?}"));
    list["items"].as_array().unwrap().clone()
}

fn rbac(sandbox: &Sandbox, flags: &[&str], line: &str) -> Output {
    let words = ["rbac"].into_iter().chain(flags.iter().copied()).chain(line.split(' '));
    sandbox.run(&words.collect::<Vec<_>>())
}
