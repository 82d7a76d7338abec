//! Twenty Upstreams under load: exactly the batches with a faulty one are rolled back.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::{Many, document, failed, outcomes, strings};
use crate::stage::load::Sent;
use crate::stage::many::Backend;
use crate::stage::pair::Http;

const NAMES: [&str; 20] = [
    "u00", "u01", "u02", "u03", "u04", "u05", "u06", "u07", "u08", "u09", "u10", "u11", "u12", "u13", "u14", "u15",
    "u16", "u17", "u18", "u19",
];
/// It failed before the change.
const DEAD: &str = "u02";
const NO_SIDECAR: &str = "u07";
const OTHER_ROOT: &str = "u12";
const QUIET: &str = "u16";

fn twenty() -> Vec<(&'static str, Backend)> {
    let backend = |name| match name {
        DEAD => Backend::Dead,
        NO_SIDECAR => Backend::NoSidecar,
        OTHER_ROOT => Backend::OtherRoot,
        _ => Backend::Healthy,
    };
    NAMES.into_iter().map(|name| (name, backend(name))).collect()
}

fn without<'n>(names: &[&'n str], left_out: &[&str]) -> Vec<&'n str> {
    names.iter().copied().filter(|name| !left_out.contains(name)).collect()
}

/// The failures of an Upstream, one entry for each time that it was changed: the rate of its requests, the seconds from the
/// first failure to the last, and how many failed.
fn bursts(log: &[Sent], upstream: &str) -> Vec<(f64, f64, u32)> {
    const APART: Duration = Duration::from_secs(2);
    let (lost, _) = failed(log, upstream);
    let mut bursts: Vec<Vec<&Sent>> = Vec::new();
    for sent in lost {
        match bursts.last_mut() {
            Some(burst) if burst.last().is_some_and(|last| sent.at - last.at < APART) => burst.push(sent),
            _ => bursts.push(vec![sent]),
        }
    }
    let of_it = || log.iter().filter(|sent| sent.upstream == upstream);
    let all = u32::try_from(of_it().count()).unwrap_or(u32::MAX);
    let time = of_it().next_back().zip(of_it().next()).map_or(Duration::ZERO, |(last, first)| last.at - first.at);
    let one = |burst: &Vec<&Sent>| {
        let longest = burst.last().zip(burst.first()).map_or(Duration::ZERO, |(last, first)| last.at - first.at);
        let rate = f64::from(all) / time.as_secs_f64();
        (rate, longest.as_secs_f64(), u32::try_from(burst.len()).unwrap_or(u32::MAX))
    };
    bursts.iter().map(one).collect()
}

#[test]
fn exactly_the_batches_that_make_requests_worse_are_rolled_back() -> Result<()> {
    let many = Many::start("batches", &twenty())?;
    let load = many.gateways.load(&[QUIET])?;
    let enable = |more: &[&str]| {
        let words = ["enable-mtls", "--batch", "5", "--observe", "4s", "--min-requests", "20", "-o", "json"];
        let output = many.run(&[&words[..], more].concat());
        let document = document(&output);
        (output, document)
    };

    let (output, document) = enable(&["--dry-run"]);
    assert_eq!((output.code, outcomes(&document)), (Some(0), vec!["planned"; 4]), "{output:?}");
    assert_eq!(many.state()?.0, Vec::<String>::new());

    // The first batch passes although one of its Upstreams fails as it did before. The second one is rolled back.
    let (output, document) = enable(&[]);
    assert_eq!((output.code, outcomes(&document)), (Some(5), vec!["passed", "rolledBack"]), "{output:?}");
    assert_eq!(many.state()?, (strings(&NAMES[..5]), Vec::new()));
    let became = |document: &Value, name: &str| {
        let row = document["results"].as_array().into_iter().flatten().find(|row| row["name"] == name).cloned();
        row.map_or(Value::Null, |row| json!([row["outcome"], row["reason"]]))
    };
    assert_eq!(became(&document, NO_SIDECAR), json!(["failed", "errorsRose"]), "{document:#}");
    assert_eq!(became(&document, "u08"), json!(["failed", "batchFailed"]));
    assert_eq!(became(&document, DEAD), json!(["changed", null]));
    let counters = &document["batches"][1]["counters"];
    let of_it = counters.as_array().into_iter().flatten().find(|it| it["upstream"]["name"] == NO_SIDECAR);
    let of_it = of_it.unwrap_or_else(|| panic!("{document:#}"));
    assert!(of_it["before"]["errors5xx"] == 0 && of_it["after"]["errors5xx"].as_u64() > Some(0), "{of_it:#}");
    assert!(output.stderr.contains(NO_SIDECAR) && !output.stderr.contains(OTHER_ROOT), "{output:?}");

    // Only the faulty ones are rolled back. The run ends where too few requests pass.
    let (output, document) = enable(&["--continue-on-failure"]);
    assert_eq!(output.code, Some(5), "{output:?}");
    let faulty = [NO_SIDECAR, OTHER_ROOT];
    assert_eq!(many.state()?, (strings(&without(&NAMES, &faulty)), strings(&[QUIET])), "{output:?}");
    assert_eq!(outcomes(&document), ["someRolledBack", "someRolledBack", "tooFewRequests"], "{document:#}");
    assert_eq!(became(&document, QUIET), json!(["changed", "tooFewRequests"]));
    assert_eq!([NO_SIDECAR, OTHER_ROOT].map(|name| became(&document, name)[1].clone()), ["errorsRose", "errorsRose"]);

    // The one that was not observed is watched first.
    let (output, document) = enable(&["--on-silence", "continue", "--continue-on-failure"]);
    assert_eq!((output.code, outcomes(&document)), (Some(5), vec!["passed", "someRolledBack"]), "{output:?}");
    assert_eq!(document["batches"][0]["changedByEarlierRun"], true);
    assert_eq!(many.state()?, (strings(&without(&NAMES, &faulty)), Vec::new()), "{output:?}");

    let log = load.end();
    for name in without(&NAMES, &[DEAD, NO_SIDECAR, OTHER_ROOT]) {
        assert_eq!(failed(&log, name).0, Vec::<&Sent>::new(), "{name}");
    }
    let of_version = [Http::One, Http::Two].map(|http| log.iter().filter(|sent| sent.http == http).count());
    assert!(of_version.into_iter().all(|sent| sent > 1000), "{of_version:?}");
    for name in faulty {
        let (lost, all) = failed(&log, name);
        assert!(!lost.is_empty() && lost.len() < all / 4, "{name}: {} of {all}", lost.len());
        println!("{name}: {} of {all} requests failed", lost.len());
        for (rate, longest, lost) in bursts(&log, name) {
            println!("  {lost} in a row at {rate:.1} a second, in {longest:.2} s");
        }
    }
    println!("{} requests, {of_version:?} with HTTP/1.1 and HTTP/2", log.len());
    Ok(())
}
