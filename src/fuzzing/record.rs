//! Helm's record of a release: the name, namespace and revision are always those of its object.

use std::io::Write as _;

use super::{choice, text};
use crate::helm::{ReleaseId, ReleaseName, ReleaseNamespace, Storage, read};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;

fn packed(json: &[u8]) -> Vec<u8> {
    let mut pack = GzEncoder::new(Vec::new(), Compression::none());
    pack.write_all(json).expect("a vector takes it");
    pack.finish().expect("a vector takes it")
}

pub(super) fn run(data: &[u8]) {
    let (way, rest) = choice(data);
    let (storage, outer) = if way & 1 == 0 { (Storage::Secret, 2) } else { (Storage::ConfigMap, 1) };
    // The layers of the record as they are in the input, or built around it so that it reaches the innermost layer.
    let inner = match way >> 1 & 3 {
        0 => None,
        1 => Some(rest.to_vec()),
        _ => Some(packed(rest)),
    };
    let record = match inner {
        Some(inner) => Some((0..outer).fold(inner, |bytes, _| STANDARD.encode(bytes).into_bytes())),
        None => text(rest).map(|text| text.as_bytes().to_vec()),
    };
    let Some(record) = record.and_then(|bytes| String::from_utf8(bytes).ok()) else { return };
    let id = ReleaseId {
        name: ReleaseName::parse("gloo").expect("a name"),
        namespace: ReleaseNamespace::parse("gloo-system").expect("a namespace"),
        revision: 3,
    };
    if let Ok(read) = read(&record, storage, id.clone()) {
        assert_eq!((&read.name, &read.namespace, read.revision), (&id.name, &id.namespace, id.revision));
        assert!(read.values.is_object() || read.values.is_null());
        let shown = read.rollback().to_string();
        assert!(shown.ends_with(" gloo 3 -n gloo-system"), "{shown}");
    }
}
