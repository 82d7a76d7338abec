//! A packaged chart: the input as the package, and as the tar archive in it.

use std::io::Write as _;

use crate::helm::unpacked;
use flate2::Compression;
use flate2::write::GzEncoder;

pub(super) fn run(data: &[u8]) {
    let _ = unpacked(data);
    let mut pack = GzEncoder::new(Vec::new(), Compression::none());
    pack.write_all(data).expect("a vector takes it");
    if let Ok(files) = unpacked(&pack.finish().expect("a vector takes it")) {
        // A byte that is not UTF-8 becomes one character of three bytes.
        let all: usize = files.iter().map(|file| file.text.len()).sum();
        assert!(all <= 3 * data.len());
    }
}
