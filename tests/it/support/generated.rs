//! Generated files of the repository. The test that finds a file out of date can also write it. Its name contains
//! `generated`, so that one command runs all of these tests.

use std::fs;
use std::path::Path;

/// The command that renews every generated file.
pub const HOW: &str = "GLOO_RS_RENEW=1 cargo test --locked --test it generated";

/// Whether files that are out of date are written.
pub fn renewing() -> bool {
    std::env::var_os("GLOO_RS_RENEW").is_some()
}

/// Compares a file of the repository with what it is generated from. Writes it first if it is to be renewed.
pub fn assert_up_to_date(path: &str, wanted: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if renewing() {
        fs::create_dir_all(file.parent().expect("it is in the repository")).unwrap();
        fs::write(&file, wanted).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(found, wanted, "{path}: {HOW}");
}
