//! The fuzz targets: the properties that each reader of untrusted bytes must have for any input. `fuzz/` runs them on
//! inputs from libFuzzer, and the test below on the seeds. `docs/testing.md` lists them.

mod api;
mod baseline;
mod bootstrap;
mod certificates;
mod chart;
mod check;
mod dump;
mod kubeconfig;
mod manifest;
mod mask;
mod pages;
mod record;
mod regex;
mod routes;
mod selector;
mod served;
mod terminal;
mod values;
mod wire;
mod yaml;
mod zip;

use serde_json::Value;

use crate::model::{Kind, Object};

/// A target's name and its function, which panics if the input breaks a property.
pub type FuzzTarget = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [FuzzTarget; 21] = [
    ("api", api::run),
    ("baseline", baseline::run),
    ("bootstrap", bootstrap::run),
    ("certificates", certificates::run),
    ("chart", chart::run),
    ("check", check::run),
    ("dump", dump::run),
    ("kubeconfig", kubeconfig::run),
    ("manifest", manifest::run),
    ("mask", mask::run),
    ("pages", pages::run),
    ("record", record::run),
    ("regex", regex::run),
    ("routes", routes::run),
    ("selector", selector::run),
    ("served", served::run),
    ("terminal", terminal::run),
    ("values", values::run),
    ("wire", wire::run),
    ("yaml", yaml::run),
    ("zip", zip::run),
];

/// The input as text: most readers of texts get valid UTF-8.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// Splits off the first byte of the input, which selects a case.
fn choice(data: &[u8]) -> (usize, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (usize::from(*first), rest))
}

/// Splits the input at its first line end.
fn line(data: &[u8]) -> (&[u8], &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n');
    end.map_or((data, &[]), |end| (&data[..end], &data[end + 1..]))
}

/// The objects of a kind in a manifest.
fn objects(text: &str, kind: &'static Kind) -> Vec<Object> {
    crate::edit::manifest::objects(text, &[kind]).found.into_iter().map(|(object, _)| object).collect()
}

/// Calls `see` for every text in a value, without the keys.
fn texts<'v>(value: &'v Value, see: &mut dyn FnMut(&'v str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, see)),
        Value::Object(fields) => fields.values().for_each(|value| texts(value, see)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_seed_is_read() {
        for (name, run) in TARGETS {
            let seeds = format!("{}/fuzz/seeds/{name}", env!("CARGO_MANIFEST_DIR"));
            let seeds: Vec<_> = fs::read_dir(&seeds).unwrap_or_else(|error| panic!("{seeds}: {error}")).collect();
            assert!(!seeds.is_empty(), "{name}");
            for seed in seeds {
                run(&fs::read(seed.unwrap().path()).unwrap());
            }
        }
    }
}
