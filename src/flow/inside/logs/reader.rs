//! A reader that goes away (`| head`) while there is nothing to write.

use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Comes back once nobody reads the other end any more; never where that cannot be seen, as of a file.
#[expect(deprecated, reason = "its successor is unsafe; an owned descriptor is the same as long as it is watched")]
pub(super) async fn gone(stdout: Option<OwnedFd>) {
    let watch = stdout.and_then(|stdout| AsyncFd::with_interest(stdout, Interest::ERROR).ok());
    match watch {
        Some(watch) => drop(watch.ready(Interest::ERROR).await),
        None => std::future::pending().await,
    }
}
