//! Generated files of the repository. The test that finds a file out of date can also write it. Its name contains
//! `generated`, so that one command runs all of these tests.

/// The command that renews every generated file.
pub const HOW: &str = "GLOO_RS_RENEW=1 cargo test --locked --test it generated";

/// Whether files that are out of date are written.
pub fn renewing() -> bool {
    std::env::var_os("GLOO_RS_RENEW").is_some()
}
