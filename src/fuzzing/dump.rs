//! Envoy's config dump: every view of it, read whole and in two parts, and the loaded state.

use super::choice;
use crate::envoy::dump::{DumpEntry, DumpReader, DumpSection, NoDump};
use crate::envoy::view::{ColumnWidth, View, ViewFilter, columns};
use crate::envoy::{certs, state, updates};
use crate::render;
use serde_json::Value;

const SECTIONS: [DumpSection; 6] = [
    DumpSection::Bootstrap,
    DumpSection::Clusters,
    DumpSection::Endpoints,
    DumpSection::Listeners,
    DumpSection::Routes,
    DumpSection::Secrets,
];

fn read(pieces: &[&[u8]]) -> (Vec<DumpEntry>, Result<(), NoDump>) {
    let mut entries = Vec::new();
    let mut reader = DumpReader::default();
    let read = pieces.iter().try_for_each(|piece| reader.push(piece, &mut |entry| entries.push(entry)));
    let end = read.and_then(|()| reader.finish()).map(drop);
    (entries, end)
}

pub(super) fn run(data: &[u8]) {
    let (cut, dump) = choice(data);
    let (entries, end) = read(&[dump]);
    if let Err(why) = &end {
        assert!(!why.to_string().is_empty());
    } else {
        let (first, second) = dump.split_at(cut.min(dump.len()));
        assert_eq!(read(&[first, second]), (entries.clone(), end));
    }
    let narrow = ViewFilter {
        name: Some("listener-::-8080".to_owned()),
        port: Some(8080),
        domain: Some("shop.example.com".to_owned()),
        cluster: Some("httpbin_gloo-system".to_owned()),
    };
    for section in SECTIONS {
        for filter in [ViewFilter::default(), narrow.clone()] {
            let mut view = View::new(section, filter);
            for entry in &entries {
                view.take(entry);
            }
            view.end();
            let found = view.finish();
            render::dump::lines(&columns(section), found.rows.iter(), ColumnWidth::Wide, &mut |_| ());
            assert!(found.rows.values(usize::MAX).is_some());
        }
    }
    let loaded = state::read(&mut serde_json::Deserializer::from_slice(dump));
    let streamed = state::read(&mut serde_json::Deserializer::from_reader(dump));
    assert_eq!(loaded.ok(), streamed.ok());
    if let Ok(value) = serde_json::from_slice::<Value>(dump) {
        let _ = updates::refused_listeners(&value);
        let _ = certs::secrets(&value);
    }
}
