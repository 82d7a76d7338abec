//! Selects resources by a port, a domain or an Upstream, and makes the rows of their tables.

use serde_json::Value;

use super::{ServedSection, cluster_name, route_configs, socket_of};

/// The filters for resources. A type that none of the given filters applies to is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServedFilter {
    /// Empty for every type.
    pub sections: Vec<ServedSection>,
    /// Selects the listeners on this port, and their routes.
    pub port: Option<u16>,
    /// Selects the virtual hosts that may serve a request for this domain.
    pub domain: Option<String>,
    /// The namespace and name of an Upstream. Selects its cluster, its endpoints, and the virtual hosts with a route to
    /// it.
    pub upstream: Option<(String, String)>,
}

impl ServedFilter {
    /// Whether resources of this type are selected.
    pub(crate) fn shows(&self, section: ServedSection) -> bool {
        let of_port = self.port.is_some() && matches!(section, ServedSection::Listeners | ServedSection::Routes);
        let of_domain = self.domain.is_some() && section == ServedSection::Routes;
        let of_upstream = self.upstream.is_some() && section != ServedSection::Listeners;
        let unfiltered = self.port.is_none() && self.domain.is_none() && self.upstream.is_none();
        let asked = self.sections.is_empty() || self.sections.contains(&section);
        asked && (unfiltered || of_port || of_domain || of_upstream)
    }

    /// Whether a resource must be read at all, judged by its name. The listeners give the routes of a port.
    pub(crate) fn reads(&self, section: ServedSection, name: &str) -> bool {
        if section == ServedSection::Listeners && self.port.is_some() && self.shows(ServedSection::Routes) {
            return true;
        }
        let cluster = self.upstream.as_ref().map(|(namespace, name)| cluster_name(namespace, name));
        self.shows(section)
            && match (section, cluster) {
                (ServedSection::Clusters, Some(cluster)) => name == cluster,
                (ServedSection::Endpoints, Some(cluster)) => is_of_cluster(name, &cluster),
                _ => true,
            }
    }

    /// The selected part of the resource.
    pub(crate) fn narrowed(&self, section: ServedSection, mut item: Value) -> Option<Value> {
        match section {
            ServedSection::Listeners => {
                let port = socket(&item["address"]).map(|(_, port)| port);
                self.port.is_none_or(|wanted| port == Some(u64::from(wanted))).then_some(item)
            }
            ServedSection::Routes if self.domain.is_some() || self.upstream.is_some() => {
                let hosts = item.get_mut("virtual_hosts")?.as_array_mut()?;
                hosts.retain(|host| self.takes(host));
                (!hosts.is_empty()).then_some(item)
            }
            ServedSection::Routes | ServedSection::Clusters | ServedSection::Endpoints => Some(item),
        }
    }

    fn takes(&self, host: &Value) -> bool {
        let of_domain = |wanted: &String| {
            let domains = host["domains"].as_array().into_iter().flatten().filter_map(Value::as_str);
            domains.into_iter().any(|domain| is_taken_by(wanted, domain))
        };
        let of_upstream = |(namespace, name): &(String, String)| leads_to(host, &cluster_name(namespace, name));
        self.domain.as_ref().is_none_or(of_domain) && self.upstream.as_ref().is_none_or(of_upstream)
    }
}

/// Whether endpoints belong to a cluster. Gloo names them after it, with a hash at the end if they change with its
/// content.
fn is_of_cluster(endpoints: &str, cluster: &str) -> bool {
    let hash = endpoints.strip_prefix(cluster).map(|rest| rest.strip_prefix('-').unwrap_or(rest));
    hash.is_some_and(|hash| hash.bytes().all(|byte| byte.is_ascii_digit()))
        && (endpoints.len() == cluster.len() || endpoints.as_bytes()[cluster.len()] == b'-')
}

/// Whether one of Envoy's domains serves a host: exact, `*.suffix`, `prefix.*` or `*`. The host may contain its port.
fn is_taken_by(host: &str, domain: &str) -> bool {
    let (host, domain) = (host.to_ascii_lowercase(), domain.to_ascii_lowercase());
    let hosts = [host.as_str(), host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name)];
    let domains = [domain.as_str(), domain.rsplit_once(':').map_or(domain.as_str(), |(name, _)| name)];
    let fits = |host: &str, domain: &str| match (domain.strip_prefix('*'), domain.strip_suffix('*')) {
        (Some(suffix), _) => host.ends_with(suffix) && (suffix.is_empty() || host.len() > suffix.len()),
        (None, Some(prefix)) => host.starts_with(prefix) && host.len() > prefix.len(),
        (None, None) => host == domain,
    };
    hosts.iter().any(|host| domains.iter().any(|domain| fits(host, domain)))
}

/// Whether a route of a virtual host has this cluster as its destination, alone or weighted.
fn leads_to(host: &Value, cluster: &str) -> bool {
    let routes = host["routes"].as_array().into_iter().flatten();
    let mut specifiers = routes.map(|route| &route["Action"]["Route"]["ClusterSpecifier"]);
    specifiers.any(|specifier| {
        let weighted = specifier["WeightedClusters"]["clusters"].as_array();
        specifier["Cluster"] == cluster || weighted.is_some_and(|all| all.iter().any(|one| one["name"] == cluster))
    })
}

/// The columns of a type's table.
pub(crate) fn columns(section: ServedSection) -> &'static [&'static str] {
    match section {
        ServedSection::Listeners => &["NAME", "ADDRESS", "CHAINS", "ROUTES"],
        ServedSection::Routes => &["NAME", "HOSTS", "ROUTES", "DOMAINS"],
        ServedSection::Clusters => &["NAME", "TYPE", "TLS"],
        ServedSection::Endpoints => &["NAME", "ENDPOINTS", "ADDRESSES"],
    }
}

/// The cells of a resource in a table, in the order of [`columns`].
pub(crate) fn row(section: ServedSection, name: &str, item: &Value) -> Vec<String> {
    let list = |key: &str| item[key].as_array().map_or(&[][..], Vec::as_slice);
    let rest = match section {
        ServedSection::Listeners => {
            let address = address(&item["address"]).unwrap_or_else(|| "-".to_owned());
            vec![address, list("filter_chains").len().to_string(), some_of(&route_configs(item))]
        }
        ServedSection::Routes => {
            let hosts = list("virtual_hosts");
            let all = |key: &str| hosts.iter().filter_map(|host| host[key].as_array()).flatten().collect::<Vec<_>>();
            let domains: Vec<_> = all("domains").into_iter().filter_map(Value::as_str).map(str::to_owned).collect();
            vec![hosts.len().to_string(), all("routes").len().to_string(), some_of(&domains)]
        }
        ServedSection::Clusters => vec![discovery(item).to_owned(), socket_of(item).shown().to_owned()],
        ServedSection::Endpoints => {
            let localities = list("endpoints").iter().filter_map(|locality| locality["lb_endpoints"].as_array());
            let addresses: Vec<_> = localities
                .flatten()
                .map(|endpoint| address(&endpoint["HostIdentifier"]["Endpoint"]["address"]))
                .map(|address| address.unwrap_or_else(|| "?".to_owned()))
                .collect();
            vec![addresses.len().to_string(), some_of(&addresses)]
        }
    };
    std::iter::once(name.to_owned()).chain(rest).collect()
}

/// Envoy's `DiscoveryType`, which Go encodes as its number.
fn discovery(cluster: &Value) -> &'static str {
    const TYPES: [&str; 5] = ["static", "strict-dns", "logical-dns", "eds", "original-dst"];
    let kind = &cluster["ClusterDiscoveryType"];
    let number = kind["Type"].as_u64().and_then(|number| usize::try_from(number).ok());
    match number.and_then(|number| TYPES.get(number)) {
        Some(kind) => kind,
        None if kind["ClusterType"].is_object() => "custom",
        None => "?",
    }
}

fn socket(address: &Value) -> Option<(&str, u64)> {
    let socket = &address["Address"]["SocketAddress"];
    Some((socket["address"].as_str()?, socket["PortSpecifier"]["PortValue"].as_u64()?))
}

fn address(address: &Value) -> Option<String> {
    match socket(address) {
        Some((host, port)) if host.contains(':') => Some(format!("[{host}]:{port}")),
        Some((host, port)) => Some(format!("{host}:{port}")),
        None => address["Address"]["Pipe"]["path"].as_str().map(str::to_owned),
    }
}

/// The first items, and the number of the others.
fn some_of(all: &[String]) -> String {
    const SHOWN: usize = 3;
    match all.len() {
        0 => "-".to_owned(),
        1..=SHOWN => all.join(","),
        many => format!("{},+{}", all[..SHOWN].join(","), many - SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of_upstream() -> ServedFilter {
        ServedFilter { upstream: Some(("ns".into(), "x".into())), ..ServedFilter::default() }
    }

    fn routes() -> Value {
        let to = |cluster: &str| json!({"Action": {"Route": {"ClusterSpecifier": {"Cluster": cluster}}}});
        let weighted =
            json!({"Action": {"Route": {"ClusterSpecifier": {"WeightedClusters": {"clusters": [{"name": "x_ns"}]}}}}});
        json!({"virtual_hosts": [
            {"name": "one", "domains": ["a.example.com", "*.b.com"], "routes": [to("x_ns")]},
            {"name": "two", "domains": ["*"], "routes": [to("y_ns"), weighted]},
            {"name": "three", "domains": ["c.*", "d:8080"], "routes": [to("y_ns")]},
        ]})
    }

    fn hosts(filter: &ServedFilter) -> Vec<String> {
        let item = filter.narrowed(ServedSection::Routes, routes());
        let hosts = item.map(|item| item["virtual_hosts"].as_array().unwrap().clone()).unwrap_or_default();
        hosts.iter().map(|host| host["name"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_type_that_no_filter_is_about_is_left_out() {
        let shown = |filter: &ServedFilter| ServedSection::ALL.map(|section| filter.shows(section));
        assert_eq!(shown(&ServedFilter::default()), [true; 4]);
        assert_eq!(shown(&ServedFilter { port: Some(1), ..ServedFilter::default() }), [true, true, false, false]);
        assert_eq!(
            shown(&ServedFilter { domain: Some("a".into()), ..ServedFilter::default() }),
            [false, true, false, false]
        );
        assert_eq!(shown(&of_upstream()), [false, true, true, true]);
        let clusters = ServedFilter { sections: vec![ServedSection::Clusters], ..of_upstream() };
        assert_eq!(shown(&clusters), [false, false, true, false]);
    }

    #[test]
    fn an_upstreams_resources_are_known_by_their_names() {
        let reads = |section, name| of_upstream().reads(section, name);
        assert!(reads(ServedSection::Clusters, "x_ns") && !reads(ServedSection::Clusters, "x_ns2"));
        assert!(reads(ServedSection::Endpoints, "x_ns") && reads(ServedSection::Endpoints, "x_ns-8057429479812104425"));
        assert!(!reads(ServedSection::Endpoints, "x_ns2") && !reads(ServedSection::Endpoints, "x_ns-a"));
    }

    #[test]
    fn virtual_hosts_are_those_that_may_take_the_request_and_lead_there() {
        let of = |domain: &str| hosts(&ServedFilter { domain: Some(domain.into()), ..ServedFilter::default() });
        assert_eq!(of("a.example.com"), ["one", "two"]);
        assert_eq!(of("x.b.com:8080"), ["one", "two"]);
        assert_eq!(of(".b.com"), ["two"], "a star stands for something");
        assert_eq!(of("c.org"), ["two", "three"]);
        assert_eq!(of("D:8080"), ["two", "three"]);
        assert_eq!(hosts(&of_upstream()), ["one", "two"]);
        assert_eq!(hosts(&ServedFilter { domain: Some("c.org".into()), ..of_upstream() }), ["two"]);
    }

    #[test]
    fn a_listener_is_known_by_its_port() {
        let listener = json!({"address": {"Address": {"SocketAddress": {"address": "::", "PortSpecifier": {"PortValue": 8080}}}}, "filter_chains": [{}, {}]});
        let of = |port| {
            ServedFilter { port: Some(port), ..ServedFilter::default() }
                .narrowed(ServedSection::Listeners, listener.clone())
        };
        assert!(of(8080).is_some() && of(8443).is_none());
        assert_eq!(row(ServedSection::Listeners, "l", &listener), ["l", "[::]:8080", "2", "-"]);
    }

    #[test]
    fn rows_say_the_few_things_that_are_looked_for() {
        assert_eq!(row(ServedSection::Routes, "r", &routes()), ["r", "3", "4", "a.example.com,*.b.com,*,+2"]);
        let cluster = json!({"ClusterDiscoveryType": {"Type": 3}});
        assert_eq!(row(ServedSection::Clusters, "c", &cluster), ["c", "eds", "-"]);
        assert_eq!(row(ServedSection::Clusters, "c", &json!({"ClusterDiscoveryType": {"Type": 77}})), ["c", "?", "-"]);
        let endpoint = json!({"HostIdentifier": {"Endpoint": {"address": {"Address": {"SocketAddress": {"address": "10.0.0.7", "PortSpecifier": {"PortValue": 80}}}}}}});
        let endpoints = json!({"endpoints": [{"lb_endpoints": [endpoint, {}]}, {}]});
        assert_eq!(row(ServedSection::Endpoints, "e", &endpoints), ["e", "2", "10.0.0.7:80,?"]);
        for section in ServedSection::ALL {
            assert_eq!(row(section, "odd", &json!(7)).len(), columns(section).len());
        }
    }
}
