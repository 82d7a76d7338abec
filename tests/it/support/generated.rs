//! Files of the repository that are made. The test that finds one stale writes it when asked to, and has `generated`
//! in its name, so that one command asks all of them.

/// What renews every such file.
pub const HOW: &str = "GLOO_RS_RENEW=1 cargo test --locked --test it generated";

/// Whether stale files are to be written.
pub fn renewing() -> bool {
    std::env::var_os("GLOO_RS_RENEW").is_some()
}
