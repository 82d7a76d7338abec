//! Zip files: a written file can be read again, and an untrusted one unpacks to no more than its bytes allow.

use std::io::{Cursor, Read as _};

use crate::zip::{ZipReader, ZipWriter};

/// The most bytes that one input may unpack to.
const MOST: u64 = 4 << 20;

fn written(data: &[u8]) {
    let members: Vec<_> =
        data.chunks(1 + data.len() / 3).enumerate().map(|(at, part)| (format!("{at}/x"), part)).collect();
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in &members {
        zip.begin(name).expect("a vector takes it");
        zip.write(content).expect("a vector takes it");
    }
    let zip = zip.finish().expect("a vector takes it");
    let mut zip = ZipReader::open(zip).expect("what was written is read");
    let read = std::mem::take(&mut zip.members);
    assert_eq!(read.len(), members.len());
    for (member, (name, content)) in read.iter().zip(&members) {
        let mut back = Vec::new();
        zip.member(member).expect("it is there").read_to_end(&mut back).expect("it is whole");
        assert_eq!((&member.name, back.as_slice()), (name, *content));
    }
}

pub(super) fn run(data: &[u8]) {
    written(data);
    let Ok(mut zip) = ZipReader::open(Cursor::new(data)) else { return };
    let members = std::mem::take(&mut zip.members);
    let mut unpacked = 0;
    for member in &members {
        let mut bytes = Vec::new();
        if let Ok(open) = zip.member(member) {
            let _ = open.take(MOST).read_to_end(&mut bytes);
        }
        unpacked += bytes.len();
    }
    // Members share no bytes, and one byte of deflate gives at most 1032 (zlib, "Maximum Compression Factor").
    assert!(unpacked <= 1032 * data.len(), "{unpacked}");
}
