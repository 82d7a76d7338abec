//! Gloo's metrics of the configuration that it serves: `/metrics` of its pod, in the Prometheus format.

use std::collections::BTreeMap;

/// The number of resources of a type, and the number that the proxies have accepted (Enterprise).
const TOTAL: &str = "glooe_solo_io_xds_total_entities";
const IN_SYNC: &str = "glooe_solo_io_xds_insync";
/// Whether the rate limit server is connected to Gloo.
const RATE_LIMIT: &str = "glooe_ratelimit_connected_state";

/// The metrics that this program uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metrics {
    /// The labels of the types that proxies have not accepted completely: `{resource="listener"}`.
    pub out_of_sync: Vec<String>,
    /// Whether Gloo has these metrics.
    pub counts_xds: bool,
    /// `None` if Gloo does not have this metric.
    pub rate_limit_connected: Option<bool>,
}

/// Parses the page.
#[must_use]
pub(crate) fn parse(page: &str) -> Metrics {
    let mut totals = BTreeMap::new();
    let mut in_sync = BTreeMap::new();
    let mut rate_limit_connected = None;
    for (name, labels, value) in page.lines().filter_map(sample) {
        match name {
            TOTAL => drop(totals.insert(labels, value)),
            IN_SYNC => drop(in_sync.insert(labels, value)),
            RATE_LIMIT => rate_limit_connected = Some(value > 0.0),
            _ => {}
        }
    }
    let lags = |(labels, total): &(&&str, &f64)| in_sync.get(**labels).is_some_and(|taken| taken < *total);
    Metrics {
        out_of_sync: totals.iter().filter(lags).map(|(labels, _)| (*labels).to_owned()).collect(),
        counts_xds: !totals.is_empty(),
        rate_limit_connected,
    }
}

/// Parses `name{labels} value`, or a sample without labels. A timestamp may follow.
fn sample(line: &str) -> Option<(&str, &str, f64)> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let end = line.rfind('}').map_or_else(|| line.find(' '), |at| Some(at + 1))?;
    let (metric, rest) = line.split_at(end);
    let (name, labels) = metric.split_at(metric.find('{').unwrap_or(metric.len()));
    Some((name, labels, rest.split_whitespace().next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_is_out_of_sync_and_what_is_not_counted_says_nothing() {
        let page = "# HELP glooe_solo_io_xds_insync x\n\
            glooe_solo_io_xds_total_entities{resource=\"a b}\"} 3\n\
            glooe_solo_io_xds_insync{resource=\"a b}\"} 2 1700000000\n\
            glooe_solo_io_xds_total_entities{resource=\"cluster\"} 2\n\
            glooe_solo_io_xds_insync{resource=\"cluster\"} 2\n\
            glooe_solo_io_xds_total_entities{resource=\"lonely\"} 2\n\
            glooe_ratelimit_connected_state 0\n";
        let read = parse(page);
        assert_eq!(read.out_of_sync, ["{resource=\"a b}\"}"]);
        assert_eq!((read.counts_xds, read.rate_limit_connected), (true, Some(false)));
        assert_eq!(parse("go_goroutines 12\n\nnot a sample\n"), Metrics::default());
    }
}
