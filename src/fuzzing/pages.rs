//! Pages of text: Envoy's log levels and statistics, the control plane's metrics.

use super::{line, text};
use crate::envoy::levels::{LevelWish, Levels};
use crate::envoy::updates::Updates;
use crate::gloo::metrics;

pub(super) fn run(data: &[u8]) {
    let (Some(first), Some(page)) = (text(line(data).0), text(data)) else { return };
    let _ = metrics::parse(page);
    let updates = Updates::parse(page);
    assert!(updates.grown(&updates).is_empty());
    let Some(levels) = Levels::parse(page) else { return };
    let _ = (levels.back(), levels.shown());
    if let Ok(wish) = LevelWish::parse(first)
        && let Ok(requests) = levels.requests(&wish)
    {
        assert!(requests.iter().all(|request| request.starts_with('/')), "{requests:?}");
    }
}
