//! Envoy's counters before and after a request: which cluster got it, and with which result.
//!
//! They count all requests, not only ours. An increase is evidence about our request only if the cluster completed as
//! many requests as we sent, or if the counter shows a state of the cluster itself.

use std::collections::{BTreeMap, BTreeSet};

/// The filter for Envoy's `/stats`, a regular expression.
pub(crate) const FILTER: &str = r"^cluster\..*\.(upstream_rq_completed|upstream_cx_(total|connect_fail|none_healthy|destroy_remote_with_active_rq)|ssl\.(handshake|connection_error|fail_verify_[a-z_]*)|client_ssl_socket_factory\.upstream_context_secrets_not_ready)$|^http\..*\.(no_route|no_cluster|downstream_rq_total)$";

/// The counter of requests that a listener of Envoy received.
const RECEIVED: &str = "downstream_rq_total";
/// The prefix of Envoy's admin interface. Reading the counters raises it, so its absence shows that they are filtered.
const ADMIN: &str = "http.admin.";
/// The prefixes of listeners that are not for requests: Envoy's admin interface and Gloo's page of metrics.
const NOT_FOR_REQUESTS: [&str; 2] = [ADMIN, "http.prometheus."];

/// If this many requests in a row match, other requests are not the reason.
pub(crate) const ENOUGH: u64 = 3;

/// The counters, which Envoy names `cluster.NAME.COUNTER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stat {
    Completed,
    /// Requests that ended with a status from 200 to 499.
    Answered,
    /// Requests that ended with a status from 500 to 599, from the backend or from Envoy itself.
    ServerErrors,
    Unavailable,
    Denied,
    /// Requests that the backend reset.
    Resets,
    Connections,
    ConnectFail,
    NoneHealthy,
    ClosedWithRequest,
    Handshake,
    TlsError,
    /// The sum of all `ssl.fail_verify_*`.
    FailVerify,
    SecretsNotReady,
}

const STATS: [(&str, Stat); 15] = [
    ("upstream_rq_completed", Stat::Completed),
    ("upstream_rq_2xx", Stat::Answered),
    ("upstream_rq_3xx", Stat::Answered),
    ("upstream_rq_4xx", Stat::Answered),
    ("upstream_rq_5xx", Stat::ServerErrors),
    ("upstream_rq_503", Stat::Unavailable),
    ("upstream_rq_403", Stat::Denied),
    ("upstream_rq_rx_reset", Stat::Resets),
    ("upstream_cx_total", Stat::Connections),
    ("upstream_cx_connect_fail", Stat::ConnectFail),
    ("upstream_cx_none_healthy", Stat::NoneHealthy),
    ("upstream_cx_destroy_remote_with_active_rq", Stat::ClosedWithRequest),
    ("ssl.handshake", Stat::Handshake),
    ("ssl.connection_error", Stat::TlsError),
    ("client_ssl_socket_factory.upstream_context_secrets_not_ready", Stat::SecretsNotReady),
];
const FAIL_VERIFY: &str = "ssl.fail_verify_";

impl Stat {
    /// Returns a short name below the cluster.
    pub(crate) fn name(self) -> &'static str {
        let name = STATS.iter().find(|(_, stat)| *stat == self).map_or("ssl.fail_verify", |(name, _)| name);
        name.strip_prefix("client_ssl_socket_factory.").unwrap_or(name)
    }

    /// Parses `cluster.NAME.COUNTER` into the cluster and the counter. A cluster's name may contain dots.
    fn from_key(key: &str) -> Option<(&str, Self)> {
        let rest = key.strip_prefix("cluster.")?;
        if let Some((cluster, _)) = rest.rsplit_once(&format!(".{FAIL_VERIFY}")) {
            return Some((cluster, Self::FailVerify));
        }
        STATS.iter().find_map(|(name, stat)| Some((rest.strip_suffix(name)?.strip_suffix('.')?, *stat)))
    }
}

/// Returns whether the name is that of a whole cluster. Below it Envoy counts parts of its requests again, by origin
/// and destination.
fn is_whole(cluster: &str) -> bool {
    let parts = [".external", ".internal", ".canary", ".retry"];
    !parts.iter().any(|part| cluster.ends_with(part)) && !cluster.contains(".zone.")
}

/// The counters at one time, summed over all proxies that may have got the request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Counters {
    clusters: BTreeMap<String, BTreeMap<Stat, u64>>,
    no_route: u64,
    no_cluster: u64,
    /// The requests that each pod of the gateway received, by the pod's name. `None` if Envoy does not count them.
    received: BTreeMap<String, Option<u64>>,
}

impl Counters {
    /// Reads `/stats` of a pod of the gateway, as [`Self::parse`].
    pub(crate) fn of_pod(pod: &str, text: &str) -> Self {
        let counts = text.lines().filter_map(|line| {
            let (key, value) = line.rsplit_once(": ")?;
            let prefix = key.strip_suffix(RECEIVED)?;
            Some((prefix, value.trim().parse::<u64>().ok()?))
        });
        let counts: Vec<_> = counts.collect();
        let is_counted = counts.iter().any(|(prefix, _)| *prefix == ADMIN);
        let requests = counts.iter().filter(|(prefix, _)| !NOT_FOR_REQUESTS.contains(prefix)).map(|(_, count)| count);
        let received = is_counted.then(|| requests.sum());
        Self { received: [(pod.to_owned(), received)].into(), ..Self::parse(text) }
    }

    /// Reads `/stats` in its text format. Other lines are ignored.
    pub(crate) fn parse(text: &str) -> Self {
        let mut read = Self::default();
        for line in text.lines() {
            let Some((key, value)) = line.rsplit_once(": ") else { continue };
            let Ok(value) = value.trim().parse::<u64>() else { continue };
            if key.starts_with("http.") && key.ends_with(".no_route") {
                read.no_route += value;
            } else if key.starts_with("http.") && key.ends_with(".no_cluster") {
                read.no_cluster += value;
            } else if let Some((cluster, stat)) = Stat::from_key(key).filter(|(cluster, _)| is_whole(cluster)) {
                *read.clusters.entry(cluster.to_owned()).or_default().entry(stat).or_default() += value;
            }
        }
        read
    }

    /// Adds the counters of another proxy.
    #[must_use]
    pub(crate) fn and(mut self, other: Self) -> Self {
        for (cluster, stats) in other.clusters {
            let ours = self.clusters.entry(cluster).or_default();
            for (stat, value) in stats {
                *ours.entry(stat).or_default() += value;
            }
        }
        self.no_route += other.no_route;
        self.no_cluster += other.no_cluster;
        self.received.extend(other.received);
        self
    }

    /// The counters of each cluster.
    pub(crate) fn into_clusters(self) -> BTreeMap<String, BTreeMap<Stat, u64>> {
        self.clusters
    }

    fn value(&self, cluster: &str, stat: Stat) -> u64 {
        self.clusters.get(cluster).and_then(|stats| stats.get(&stat)).copied().unwrap_or_default()
    }
}

/// Where a request went, as far as the counters show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Went {
    /// The only cluster that completed requests meanwhile, or the expected one among several.
    To(String),
    /// No cluster completed a request, so the gateway itself answered.
    Nowhere,
    /// Several clusters completed requests.
    Several(Vec<String>),
}

/// The pods of the gateway that received the requests, by their own counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Receivers {
    /// None of this many pods received a request. So the responses came from elsewhere.
    None { pods: usize },
    /// Exactly these of several pods received our requests.
    Some { pods: Vec<String>, of: usize },
    /// The counters do not show it: other requests were counted too, there is only one pod, or a pod started since.
    Unknown,
}

/// The counters before the first request and after the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CounterChange {
    pub before: Counters,
    pub after: Counters,
    /// How many requests we sent in between.
    pub sent: u64,
}

/// A counter at both times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rise {
    pub stat: Stat,
    pub from: u64,
    pub to: u64,
}

impl Rise {
    /// Returns the increase. It is 0 if the proxy restarted meanwhile and its counter is lower than before.
    pub(crate) fn by(self) -> u64 {
        self.to.saturating_sub(self.from)
    }
}

/// Writes `ssl.handshake 12 -> 13`.
impl std::fmt::Display for Rise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.by() {
            0 => write!(f, "{} stays {}", self.stat.name(), self.to),
            _ => write!(f, "{} {} -> {}", self.stat.name(), self.from, self.to),
        }
    }
}

impl CounterChange {
    /// Returns a counter of a cluster.
    pub(crate) fn rise_of(&self, cluster: &str, stat: Stat) -> Rise {
        Rise { stat, from: self.before.value(cluster, stat), to: self.after.value(cluster, stat) }
    }

    /// Returns whether the cluster's counters show only our requests: it completed as many as we sent, and either no
    /// other cluster may have got ours, or there were too many for coincidence.
    pub(crate) fn is_ours_alone(&self, cluster: &str) -> bool {
        let is_as_many = self.rise_of(cluster, Stat::Completed).by() == self.sent;
        is_as_many && (self.rose().len() == 1 || self.sent >= ENOUGH)
    }

    /// Returns the clusters that completed at least as many requests as we sent.
    fn rose(&self) -> BTreeSet<&str> {
        let all = self.after.clusters.keys().map(String::as_str);
        all.filter(|cluster| self.rise_of(cluster, Stat::Completed).by() >= self.sent).collect()
    }

    /// Returns the cluster that got the requests.
    pub(crate) fn went(&self, expected: Option<&str>) -> Went {
        let rose = self.rose();
        match expected.filter(|name| rose.contains(name)) {
            Some(expected) => Went::To(expected.to_owned()),
            None => match rose.len() {
                0 => Went::Nowhere,
                1 => Went::To(rose.into_iter().collect()),
                _ => Went::Several(rose.into_iter().map(str::to_owned).collect()),
            },
        }
    }

    /// Returns which pods of the gateway received the requests.
    pub(crate) fn receivers(&self) -> Receivers {
        let rise = |(pod, after): (&String, &Option<u64>)| {
            // A restarted pod counts from 0 again.
            let before = (*self.before.received.get(pod)?)?;
            after.as_ref()?.checked_sub(before).map(|rise| (pod.clone(), rise))
        };
        let rises: Option<Vec<_>> = self.after.received.iter().map(rise).collect();
        let Some(rises) = rises.filter(|rises| !rises.is_empty()) else { return Receivers::Unknown };
        let (of, all) = (rises.len(), rises.iter().map(|(_, rise)| rise).sum::<u64>());
        match (all, of) {
            (0, pods) => Receivers::None { pods },
            (all, 2..) if all == self.sent => Receivers::Some {
                pods: rises.into_iter().filter(|(_, rise)| *rise > 0).map(|(pod, _)| pod).collect(),
                of,
            },
            _ => Receivers::Unknown,
        }
    }

    /// Returns how many requests found no route, before and after.
    pub(crate) fn no_route(&self) -> (u64, u64) {
        (self.before.no_route, self.after.no_route)
    }

    /// Returns how many requests found a route to a missing cluster, before and after.
    pub(crate) fn no_cluster(&self) -> (u64, u64) {
        (self.before.no_cluster, self.after.no_cluster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(before: &str, after: &str, sent: u64) -> CounterChange {
        CounterChange { before: Counters::parse(before), after: Counters::parse(after), sent }
    }

    #[test]
    fn what_rose_is_told_by_cluster_whatever_its_name() {
        let before =
            "cluster.a.b_ns.upstream_rq_completed: 3\ncluster.a.b_ns.ssl.handshake: 12\nhttp.http.no_route: 1\n";
        let after = "cluster.a.b_ns.upstream_rq_completed: 4\ncluster.a.b_ns.ssl.handshake: 13\n\
                     cluster.a.b_ns.ssl.fail_verify_san: 1\ncluster.a.b_ns.ssl.fail_verify_error: 1\n\
                     cluster.a.b_ns.external.upstream_rq_completed: 9\ncluster.a.b_ns.upstream_rq_time: P0(1,1)\nhttp.http.no_route: 1\nhttp.http2.no_route: 2\n";
        let change = change(before, after, 1);
        assert_eq!(change.went(None), Went::To("a.b_ns".into()));
        assert_eq!(change.rise_of("a.b_ns", Stat::Handshake).to_string(), "ssl.handshake 12 -> 13");
        assert_eq!(change.rise_of("a.b_ns", Stat::TlsError).to_string(), "ssl.connection_error stays 0");
        assert_eq!(change.rise_of("a.b_ns", Stat::FailVerify).by(), 2);
        assert!(change.is_ours_alone("a.b_ns"));
        assert_eq!(change.no_route(), (1, 3));
    }

    #[test]
    fn the_traffic_of_others_is_no_evidence() {
        let after = "cluster.a.upstream_rq_completed: 5\ncluster.b.upstream_rq_completed: 9\n";
        let noisy = change("", after, 3);
        assert_eq!(noisy.went(Some("a")), Went::To("a".into()));
        assert_eq!(noisy.went(None), Went::Several(vec!["a".into(), "b".into()]));
        assert!(!noisy.is_ours_alone("a"));
        // A cluster that completed fewer requests than we sent did not get all of them.
        assert_eq!(change("", after, 6).went(None), Went::To("b".into()));
        assert_eq!(change(after, after, 1).went(Some("a")), Went::Nowhere);
    }

    #[test]
    fn several_proxies_count_together_and_a_restart_counts_from_nothing() {
        let two = Counters::parse("cluster.a.ssl.handshake: 2").and(Counters::parse("cluster.a.ssl.handshake: 3"));
        let change = CounterChange { before: two, after: Counters::parse("cluster.a.ssl.handshake: 1"), sent: 1 };
        assert_eq!(change.rise_of("a", Stat::Handshake).by(), 0);
    }

    #[test]
    fn the_pod_that_received_a_request_is_found_by_its_own_counter() {
        let moment = |pods: &[(&str, Option<u64>)]| {
            let of_pod = |(pod, count): &(&str, Option<u64>)| {
                let requests = count.map_or(String::new(), |count| {
                    format!("http.http.downstream_rq_total: {count}\nhttp.https.downstream_rq_total: 2\nhttp.admin.downstream_rq_total: 70\n")
                });
                // Scrapes of Gloo's page of metrics are no requests.
                let scrapes = count.unwrap_or_default() * 7;
                Counters::of_pod(pod, &format!("{requests}http.prometheus.downstream_rq_total: {scrapes}\n"))
            };
            pods.iter().map(of_pod).fold(Counters::default(), Counters::and)
        };
        let found = |before: &[(&str, Option<u64>)], after: &[(&str, Option<u64>)], sent: u64| {
            CounterChange { before: moment(before), after: moment(after), sent }.receivers()
        };
        let (two, one) = ([("a", Some(4)), ("b", Some(9))], [("a", Some(4))]);
        assert_eq!(found(&two, &two, 1), Receivers::None { pods: 2 });
        assert_eq!(found(&one, &one, 3), Receivers::None { pods: 1 });
        let by = |pods: &[&str]| Receivers::Some { pods: pods.iter().map(|pod| (*pod).to_owned()).collect(), of: 2 };
        assert_eq!(found(&two, &[("a", Some(4)), ("b", Some(10))], 1), by(&["b"]));
        assert_eq!(found(&two, &[("a", Some(5)), ("b", Some(11))], 3), by(&["a", "b"]));
        // With other requests, a restart, a new pod, or without the counter, it is unknown.
        assert_eq!(found(&two, &[("a", Some(5)), ("b", Some(10))], 1), Receivers::Unknown);
        assert_eq!(found(&two, &[("a", Some(0)), ("b", Some(9))], 1), Receivers::Unknown);
        assert_eq!(found(&one, &two, 1), Receivers::Unknown);
        assert_eq!(found(&one, &[("a", None)], 1), Receivers::Unknown);
        assert_eq!(found(&one, &[("a", Some(5))], 1), Receivers::Unknown, "of one pod there is nothing to tell");
        assert_eq!(
            CounterChange { before: Counters::default(), after: Counters::default(), sent: 1 }.receivers(),
            Receivers::Unknown
        );
    }

    #[test]
    fn text_that_is_no_statistics_counts_nothing() {
        assert_eq!(Counters::parse("<html>: 3\ncluster..: x\n\u{0}: 18446744073709551616"), Counters::default());
    }
}
