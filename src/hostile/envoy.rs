//! Envoy's admin pages. The fixtures are answers of a real Envoy.
#![allow(unused_must_use, reason = "a reader is called to see that it does not panic")]

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{each, spoiled};
use crate::envoy::dump::{DumpReader, DumpSection};
use crate::envoy::levels::Levels;
use crate::envoy::view::{ColumnWidth, View, ViewFilter, columns};
use crate::envoy::{certs, mesh_certificate, state, updates};
use crate::render;

const DUMP: &str = include_str!("../../tests/fixtures/envoy/config_dump.json");
const CERTS: &str = include_str!("../../tests/fixtures/envoy/certs.json");
const LEVELS: &str = include_str!("../../tests/fixtures/envoy/logging.txt");
const SECTIONS: [DumpSection; 6] = [
    DumpSection::Bootstrap,
    DumpSection::Clusters,
    DumpSection::Endpoints,
    DumpSection::Listeners,
    DumpSection::Routes,
    DumpSection::Secrets,
];

fn fixture(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The dump with a small bootstrap: the bootstrap of a real Envoy is most of a dump.
fn dump() -> Value {
    let mut dump = fixture(DUMP);
    let admin = json!({"node": {"id": "gateway-proxy-1", "metadata": {"role": "a~b"}}, "admin": {"address": {}}});
    *dump.pointer_mut("/configs/0/bootstrap").unwrap() = admin;
    dump
}

/// Makes every view of a dump, with and without filters, and its table. Returns the total number of rows.
fn views(dump: &[u8]) -> usize {
    let filters = [
        ViewFilter::default(),
        ViewFilter {
            name: Some("listener-::-8080".to_owned()),
            port: Some(8080),
            domain: Some("shop.example.com".to_owned()),
            cluster: Some("httpbin_gloo-system".to_owned()),
        },
    ];
    // Read only once: finding the ends of the pieces takes most of the time.
    let mut entries = Vec::new();
    let mut reader = DumpReader::default();
    let read = reader.push(dump, &mut |entry| entries.push(entry)).and_then(|()| reader.finish());
    assert!(read.is_ok() || !read.unwrap_err().to_string().is_empty());
    let mut rows = 0;
    for section in SECTIONS {
        for filter in &filters {
            let mut view = View::new(section, filter.clone());
            for entry in &entries {
                view.take(entry);
            }
            assert!(view.fits_in_memory().is_ok());
            view.end();
            let found = view.finish();
            for width in [ColumnWidth::Usual, ColumnWidth::Wide] {
                render::dump::lines(&columns(section), found.rows.iter(), width, &mut |_| ());
            }
            rows += found.rows.values(usize::MAX).expect("a row is JSON").len();
        }
    }
    rows
}

fn read_dump(dump: &Value) {
    let text = dump.to_string();
    views(text.as_bytes());
    let _ = state::read(&mut serde_json::Deserializer::from_str(&text));
    updates::refused_listeners(dump);
    let _ = certs::secrets(dump);
}

fn read_certs(page: &Value, secrets: &[certs::Secret]) {
    let now: Timestamp = "2026-11-29T00:00:00Z".parse().unwrap();
    if let Some(rows) = certs::rows(page, secrets, &Some(Vec::new()), now) {
        render::dump::lines(&certs::COLUMNS, rows.into_iter(), ColumnWidth::Wide, &mut |_| ());
    }
    mesh_certificate::of_certs(page);
}

#[test]
fn the_fixtures_are_read_whole() {
    assert!(views(DUMP.as_bytes()) > 20);
    let state = state::read(&mut serde_json::Deserializer::from_str(DUMP)).unwrap();
    assert_eq!(state.clusters.names.len(), 2);
    assert!(state.listeners.rejected.iter().any(|rejected| rejected.name == "broken"), "{state:?}");
    let now: Timestamp = "2026-11-29T00:00:00Z".parse().unwrap();
    assert_eq!(certs::rows(&fixture(CERTS), &[], &None, now).unwrap().len(), 2);
    assert!(Levels::parse(LEVELS).is_some());
}

#[test]
fn no_type_of_any_node_of_the_certificates_is_a_panic() {
    let secrets = certs::secrets(&fixture(DUMP)["configs"][6]);
    each(&fixture(CERTS), &mut |page| read_certs(page, &secrets));
}

#[test]
fn no_type_of_any_node_of_the_rejected_listener_is_a_panic() {
    let listeners = &dump()["configs"][3];
    each(listeners, &mut |section| read_dump(&json!({"configs": [section]})));
}

#[test]
fn a_list_of_the_certificates_that_is_of_another_type_is_an_error() {
    let now: Timestamp = "2026-11-29T00:00:00Z".parse().unwrap();
    for page in [
        json!("x"),
        json!({"certificates": "x"}),
        json!({"certificates": ["x"]}),
        json!({"certificates": [{"cert_chain": "x"}]}),
        json!({"certificates": [{"cert_chain": ["x"]}]}),
        json!({"certificates": [{"ca_cert": {}}]}),
    ] {
        assert_eq!(certs::rows(&page, &[], &None, now), None, "{page}");
    }
    assert_eq!(certs::rows(&json!({"certificates": [{"ca_cert": null}]}), &[], &None, now), Some(Vec::new()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_node_of_a_dump_is_a_panic_whatever_its_type(dump in spoiled(&dump())) {
        read_dump(&dump);
    }

    #[test]
    fn a_dump_that_ends_anywhere_is_an_error(at in any::<prop::sample::Index>()) {
        let text = DUMP.trim_end().as_bytes();
        let cut = &text[..at.index(text.len())];
        let mut reader = DumpReader::default();
        let read = reader.push(cut, &mut |_| {}).and_then(|()| reader.finish());
        prop_assert!(read.is_err());
        prop_assert!(state::read(&mut serde_json::Deserializer::from_slice(cut)).is_err());
        views(cut);
    }

    #[test]
    fn no_bytes_in_a_dump_are_a_panic(at in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 1..8)) {
        let mut text = DUMP.as_bytes().to_vec();
        let at = at.index(text.len());
        text.splice(at..at, bytes);
        views(&text);
        let _ = state::read(&mut serde_json::Deserializer::from_slice(&text));
    }

    #[test]
    fn no_page_of_levels_is_a_panic(page in "(active loggers:\n)?([a-z ]{0,4}(: )?(info|off|\\PC{0,4})\n){0,6}") {
        let _ = Levels::parse(&page).map(|levels| (levels.shown(), levels.back()));
        updates::Updates::parse(&page);
    }
}
