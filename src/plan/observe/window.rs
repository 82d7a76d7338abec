//! How much Envoy's counters rose in a window of time, summed over the pods of the gateways.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::plan::verdict::counters::{Counters, Stat};

/// The counters that are read, as the end of a regular expression for Envoy's `/stats`.
const STATS: &str = r"(upstream_rq_(completed|[2-5]xx|503|403|rx_reset)|upstream_cx_(total|connect_fail)|ssl\.(handshake|connection_error|fail_verify_[a-z_]*))$";

/// The longest filter in bytes. Envoy reads at most 60 KiB of a request's head.
const LONGEST_FILTER: usize = 24 << 10;

/// The filter for Envoy's `/stats` that selects the counters of these clusters. If it would be too long, or without
/// names, it selects those of all clusters.
pub(crate) fn filter<'c>(clusters: impl Iterator<Item = &'c str>) -> String {
    let names: Vec<_> = clusters.map(escaped).collect();
    let names = names.join("|");
    match names.len() {
        1..=LONGEST_FILTER => format!(r"^cluster\.({names})\.{STATS}"),
        _ => format!(r"^cluster\..*\.{STATS}"),
    }
}

/// The name in a regular expression (RE2): every character that may have a meaning there gets a backslash.
fn escaped(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || !c.is_ascii();
    name.chars().flat_map(|c| (!is_plain(c)).then_some('\\').into_iter().chain([c])).collect()
}

/// The counters of one Envoy at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PodCounters {
    /// The uid of the pod: another pod may get the same name.
    pub uid: String,
    clusters: BTreeMap<String, BTreeMap<Stat, u64>>,
}

impl PodCounters {
    /// Reads `/stats` in its text format.
    pub(crate) fn parse(uid: &str, text: &str) -> Self {
        Self { uid: uid.to_owned(), clusters: Counters::parse(text).into_clusters() }
    }

    /// Whether it has no counter of the clusters that were asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.clusters.is_empty()
    }
}

/// How much a counter rose. It only falls when Envoy restarts, or when its cluster is replaced and nothing uses the counter
/// any more. Then it counts from zero.
fn rise(before: Option<&u64>, now: u64) -> u64 {
    now.checked_sub(before.copied().unwrap_or_default()).unwrap_or(now)
}

/// How requests to one cluster ended in a window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tally(BTreeMap<Stat, u64>);

impl Tally {
    pub(crate) fn of(&self, stat: Stat) -> u64 {
        self.0.get(&stat).copied().unwrap_or_default()
    }

    /// Requests that ended, with any status.
    pub(crate) fn requests(&self) -> u64 {
        self.of(Stat::Completed)
    }

    #[must_use]
    pub(crate) fn and(mut self, other: &Self) -> Self {
        for (stat, value) in &other.0 {
            let sum = self.0.entry(*stat).or_default();
            *sum = sum.saturating_add(*value);
        }
        self
    }

    /// The tally in a document.
    pub(crate) fn document(&self) -> Value {
        json!({
            "requests": self.requests(),
            "errors5xx": self.of(Stat::ServerErrors),
            "errors503": self.of(Stat::Unavailable),
            "denied403": self.of(Stat::Denied),
            "resets": self.of(Stat::Resets),
            "connections": self.of(Stat::Connections),
            "connectFailures": self.of(Stat::ConnectFail),
            "handshakes": self.of(Stat::Handshake),
            "tlsErrors": self.of(Stat::TlsError),
            "verificationErrors": self.of(Stat::FailVerify),
        })
    }
}

/// The rise of the counters since the window began.
#[derive(Debug, Clone, Default)]
pub(crate) struct Window {
    last: BTreeMap<String, PodCounters>,
    tallies: BTreeMap<String, Tally>,
}

impl Window {
    /// A window that begins with these counters.
    pub(crate) fn from(pods: Vec<PodCounters>) -> Self {
        let mut window = Self::default();
        window.add(pods);
        window
    }

    /// Adds what the counters rose by since the last call. A pod that was not there counts from now on: what it counted
    /// before may be older than the window. A pod that restarted counts from zero. What a pod counted that is gone now
    /// stays.
    pub(crate) fn add(&mut self, pods: Vec<PodCounters>) {
        for now in pods {
            if let Some(before) = self.last.get(&now.uid) {
                for (cluster, stats) in &now.clusters {
                    let before = before.clusters.get(cluster);
                    let was = |stat: &Stat| before.and_then(|before| before.get(stat));
                    let rises = stats.iter().map(|(stat, is)| (*stat, rise(was(stat), *is)));
                    let tally = self.tallies.entry(cluster.clone()).or_default();
                    *tally = std::mem::take(tally).and(&Tally(rises.collect()));
                }
            }
            self.last.insert(now.uid.clone(), now);
        }
    }

    /// The same counters as the beginning of a new window.
    pub(crate) fn again(&self) -> Self {
        Self { last: self.last.clone(), tallies: BTreeMap::new() }
    }

    /// How requests to this cluster ended so far.
    pub(crate) fn tally(&self, cluster: &str) -> Tally {
        self.tallies.get(cluster).cloned().unwrap_or_default()
    }

    /// The clusters that the Envoys have counters of.
    pub(crate) fn clusters(&self) -> impl Iterator<Item = &str> {
        let mut all: Vec<_> = self.last.values().flat_map(|pod| pod.clusters.keys().map(String::as_str)).collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str, requests: u64, errors: u64) -> PodCounters {
        let text = format!(
            "cluster.a_ns.upstream_rq_completed: {requests}\ncluster.a_ns.upstream_rq_5xx: {errors}\n\
             cluster.a_ns.external.upstream_rq_5xx: 90\ncluster.a_ns.ssl.fail_verify_san: 1\n"
        );
        PodCounters::parse(uid, &text)
    }

    fn counted(window: &Window) -> (u64, u64) {
        let tally = window.tally("a_ns");
        (tally.requests(), tally.of(Stat::ServerErrors))
    }

    #[test]
    fn pods_count_together_from_the_beginning_of_the_window() {
        let mut window = Window::from(vec![pod("1", 100, 7), pod("2", 50, 0)]);
        assert_eq!(counted(&window), (0, 0));
        window.add(vec![pod("1", 110, 7), pod("2", 55, 2)]);
        window.add(vec![pod("1", 111, 8), pod("2", 55, 2)]);
        assert_eq!(counted(&window), (16, 3));
        assert_eq!(window.tally("other"), Tally::default());
        let mut next = window.again();
        next.add(vec![pod("1", 112, 8)]);
        assert_eq!(counted(&next), (1, 0));
        assert_eq!(next.clusters().collect::<Vec<_>>(), ["a_ns"]);
    }

    #[test]
    fn a_pod_that_restarts_joins_or_goes_away_counts_what_belongs_to_the_window() {
        let mut window = Window::from(vec![pod("1", 100, 7), pod("2", 50, 0)]);
        // The first restarted and counted 4 requests since. The third joined with counters of its own.
        window.add(vec![pod("1", 4, 1), pod("2", 60, 0), pod("3", 1000, 900)]);
        assert_eq!(counted(&window), (14, 1));
        // The second is gone, and what it counted stays.
        window.add(vec![pod("1", 5, 1), pod("3", 1001, 901)]);
        assert_eq!(counted(&window), (16, 2));
        // It comes back with the same counters.
        window.add(vec![pod("2", 60, 0)]);
        assert_eq!(counted(&window), (16, 2));
    }

    #[test]
    fn a_counter_that_its_cluster_lost_counts_from_zero_and_the_others_go_on() {
        let mut window = Window::from(vec![pod("1", 100, 90)]);
        // Envoy replaced the cluster: the counter of errors is a new one.
        window.add(vec![PodCounters::parse("1", "cluster.a_ns.upstream_rq_completed: 105\n")]);
        assert_eq!(counted(&window), (5, 0));
        window.add(vec![pod("1", 110, 4)]);
        assert_eq!(counted(&window), (10, 4));
    }

    #[test]
    fn the_filter_names_the_clusters_unless_it_would_be_too_long() {
        let one = filter(["default-httpbin-8000_gloo-system", "kube-svc:a.b_c"].into_iter());
        assert!(one.starts_with(r"^cluster\.(default-httpbin-8000_gloo-system|kube-svc\:a\.b_c)\.("), "{one}");
        let all = filter(std::iter::empty());
        assert!(all.starts_with(r"^cluster\..*\.("), "{all}");
        let many: Vec<_> = (0..2000).map(|number| format!("upstream-{number}_namespace")).collect();
        assert_eq!(filter(many.iter().map(String::as_str)), all);
    }

    #[test]
    fn numbers_that_are_too_large_do_not_overflow() {
        let mut window = Window::from(vec![pod("1", 0, 0), pod("2", 0, 0)]);
        window.add(vec![pod("1", u64::MAX, 0), pod("2", u64::MAX, 0)]);
        assert_eq!(counted(&window), (u64::MAX, 0));
    }
}
