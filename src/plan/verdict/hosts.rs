//! Envoy's `/clusters`: the endpoints of one cluster, their health, and which of them got requests.

use std::collections::BTreeMap;

/// An endpoint as Envoy reports it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct EndpointHost {
    /// The number of requests sent to it.
    pub requests: u64,
    /// `healthy`, or Envoy's flags for the problem, such as `/failed_eds_health`.
    pub health: String,
}

impl EndpointHost {
    fn is_healthy(&self) -> bool {
        self.health == "healthy"
    }
}

/// The endpoints of one cluster by `IP:PORT`, for all proxies together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Hosts {
    /// Whether Envoy has the cluster at all.
    pub is_there: bool,
    pub by_address: BTreeMap<String, EndpointHost>,
}

impl Hosts {
    /// Reads the lines `CLUSTER::IP:PORT::KEY::VALUE` of one cluster.
    pub(crate) fn parse(text: &str, cluster: &str) -> Self {
        let mut read = Self::default();
        for line in text.lines() {
            let Some(rest) = line.strip_prefix(cluster).and_then(|rest| rest.strip_prefix("::")) else { continue };
            read.is_there = true;
            // An IPv6 address is in brackets and may contain `::`, so the line is split from its end.
            let Some((rest, value)) = rest.rsplit_once("::") else { continue };
            let Some((address, key)) = rest.rsplit_once("::") else { continue };
            if !address.contains(':') {
                continue;
            }
            let host = read.by_address.entry(address.to_owned()).or_default();
            match key {
                "rq_total" => host.requests += value.parse::<u64>().unwrap_or_default(),
                "health_flags" => value.clone_into(&mut host.health),
                _ => {}
            }
        }
        read
    }

    /// Adds the endpoints of another proxy. An endpoint is healthy if each proxy that has it reports so.
    #[must_use]
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.is_there |= other.is_there;
        for (address, host) in other.by_address {
            let ours = self.by_address.entry(address).or_default();
            ours.requests += host.requests;
            if ours.health.is_empty() || ours.is_healthy() {
                ours.health = host.health;
            }
        }
        self
    }

    /// Returns how many endpoints are healthy.
    pub(crate) fn healthy(&self) -> usize {
        self.by_address.values().filter(|host| host.is_healthy()).count()
    }

    /// Returns the endpoints that are not healthy, each as `IP:PORT FLAGS`.
    pub(crate) fn ailing(&self) -> Vec<String> {
        let ailing = self.by_address.iter().filter(|(_, host)| !host.is_healthy());
        ailing.map(|(address, host)| format!("{address} {}", host.health)).collect()
    }

    /// Returns the endpoints that got a request since `before`.
    pub(crate) fn asked_since(&self, before: &Self) -> Vec<&str> {
        let requests = |hosts: &Self, address: &str| hosts.by_address.get(address).map_or(0, |host| host.requests);
        let rose = self.by_address.keys().filter(|address| requests(self, address) > requests(before, address));
        rose.map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a::observability_name::a\na::default_priority::max_connections::1024\n\
        a::10.0.0.1:80::rq_total::3\na::10.0.0.1:80::health_flags::healthy\n\
        a::[fd00::2]:80::rq_total::0\na::[fd00::2]:80::health_flags::/failed_eds_health\n\
        ab::10.0.0.9:80::rq_total::7\n";

    #[test]
    fn the_endpoints_of_one_cluster_are_read_in_either_family() {
        let hosts = Hosts::parse(TEXT, "a");
        assert_eq!((hosts.by_address.len(), hosts.healthy()), (2, 1));
        assert_eq!(hosts.ailing(), ["[fd00::2]:80 /failed_eds_health"]);
        let later = Hosts::parse(&TEXT.replace("rq_total::3", "rq_total::4"), "a");
        assert_eq!(later.asked_since(&hosts), ["10.0.0.1:80"]);
        assert!(hosts.asked_since(&hosts).is_empty());
    }

    #[test]
    fn a_cluster_without_endpoints_is_there_and_one_that_is_not_is_not() {
        let hosts = Hosts::parse("a::added_via_api::true\n", "a");
        assert_eq!((hosts.is_there, hosts.by_address.len()), (true, 0));
        assert!(!Hosts::parse(TEXT, "b").is_there);
    }

    #[test]
    fn an_endpoint_is_healthy_where_every_proxy_says_so() {
        let ailing = Hosts::parse("a::10.0.0.1:80::health_flags::/failed_outlier_check\n", "a");
        assert_eq!(Hosts::parse(TEXT, "a").and(ailing).healthy(), 0);
    }
}
