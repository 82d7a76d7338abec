//! Detects that the reader of stdout has gone (`| head`) while there is nothing to write.

use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Returns once the other end has no reader any more. Never returns if that cannot be detected, as with a file.
#[expect(deprecated, reason = "its successor is unsafe; an owned descriptor is the same as long as it is watched")]
pub(super) async fn gone(stdout: Option<OwnedFd>) {
    let watch = stdout.and_then(|stdout| AsyncFd::with_interest(stdout, Interest::ERROR).ok());
    match watch {
        Some(watch) => drop(watch.ready(Interest::ERROR).await),
        None => std::future::pending().await,
    }
}
