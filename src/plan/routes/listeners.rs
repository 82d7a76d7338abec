//! The listeners of the Gateways of Gloo's own API, with the virtual hosts that each serves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::domain::{self, Rank};
use super::sni::Chain;
use super::{Request, Routing, full_name, list, select};
use crate::model::Object;
use crate::plan::dangling::watched;

/// A port on which a proxy accepts HTTP.
#[derive(Debug, Clone)]
pub(crate) struct Listener<'v> {
    pub gateway: &'v Object,
    /// The `httpGateway` of a part of a hybrid Gateway, otherwise the Gateway's own.
    http: &'v Value,
    pub port: Option<u64>,
    pub ssl: bool,
    /// Server names from a part of a hybrid Gateway, for `VirtualServices` without their own.
    server_names: &'v [Value],
}

/// A virtual host that matches a request, and those that would match without it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hosted<'v> {
    pub virtual_service: &'v Object,
    pub domain: String,
    pub rank: Rank,
    /// `*.example in virtualservice shop/other`
    pub others: Vec<String>,
    /// Why it may not be served: another virtual host has the same domain, or the same server name.
    pub trouble: Option<String>,
}

/// Returns every listener of the Gateways that Gloo reads, and notes about what is unknown.
pub(crate) fn all<'v>(routing: &Routing<'v>) -> (Vec<Listener<'v>>, Vec<String>) {
    let everywhere =
        routing.settings.is_none_or(|it| it.value["spec"]["gateway"]["readGatewaysFromAllNamespaces"] == true);
    let mut listeners = Vec::new();
    let mut notes = Vec::new();
    let is_read = |gateway: &&Object| everywhere || gateway.reference.namespace == routing.gloo_namespace;
    for gateway in routing.gateways.iter().filter(is_read) {
        let (parts, delegates) = parts(gateway);
        listeners.extend(parts);
        if delegates {
            notes.push(format!("gateway {} delegates to HttpGateways, which are not read here", full_name(gateway)));
        }
    }
    (listeners, notes)
}

/// Returns the listeners of a Gateway, and whether it delegates to others.
fn parts(gateway: &Object) -> (Vec<Listener<'_>>, bool) {
    let spec = &gateway.value["spec"];
    let port = spec["bindPort"].as_u64();
    let mut parts = Vec::new();
    if spec["httpGateway"].is_object() {
        let ssl = spec["ssl"] == true;
        parts.push(Listener { gateway, http: &spec["httpGateway"], port, ssl, server_names: &[] });
    }
    let hybrid = &spec["hybridGateway"];
    for matched in list(hybrid, "matchedGateways").iter().filter(|matched| matched["httpGateway"].is_object()) {
        let config = &matched["matcher"]["sslConfig"];
        let (ssl, server_names) = (config.is_object(), list(config, "sniDomains"));
        parts.push(Listener { gateway, http: &matched["httpGateway"], port, ssl, server_names });
    }
    (parts, hybrid["delegatedHttpGateways"].is_object())
}

/// Returns the names of the proxies that serve a Gateway.
pub(crate) fn proxies(gateway: &Object) -> Vec<String> {
    let named = list(&gateway.value["spec"], "proxyNames");
    match named.is_empty() {
        true => vec!["gateway-proxy".to_owned()],
        false => named.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

/// Returns whether a Gateway may serve a `VirtualService`, by any of its parts. An unknown result counts as yes.
pub(crate) fn may_serve(gateway: &Object, virtual_service: &Object) -> bool {
    let (parts, delegates) = parts(gateway);
    let serves = |part: &Listener<'_>| select::serves(part.http, virtual_service, part.ssl).unwrap_or(true);
    delegates || parts.iter().any(serves)
}

impl<'v> Listener<'v> {
    /// Returns the names of the proxies that serve the listener.
    pub(crate) fn proxies(&self) -> Vec<String> {
        proxies(self.gateway)
    }

    /// Returns whether a request to this port reaches the listener: by the Gateway's own port, or by one of its
    /// proxies' Services.
    pub(crate) fn takes(&self, port: u16, services: &[Object]) -> bool {
        if self.port == Some(u64::from(port)) {
            return true;
        }
        let proxies = self.proxies();
        services.iter().filter(|service| proxies.contains(&service.reference.name)).any(|service| {
            list(&service.value["spec"], "ports").iter().any(|entry| {
                let target = entry["targetPort"].as_u64().or(entry["port"].as_u64());
                entry["port"] == port && target.is_some() && target == self.port
            })
        })
    }

    /// Returns whether both are parts of one hybrid Gateway, between which Envoy chooses by the server name.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        self.ssl && other.ssl && self.gateway.reference == other.gateway.reference
    }

    /// Returns the filter chain for the connection. `None` if no server name matches.
    ///
    /// # Errors
    /// The Gateway's own selection is invalid.
    pub(crate) fn chain(&self, request: &Request, routing: &Routing<'v>) -> Result<Option<Chain<'v>>, String> {
        let served = self.served(routing)?;
        Ok(match self.ssl {
            true => Chain::of_tls(served, self.server_names, domain::without_port(&request.host)),
            false => Some(Chain::plain(served)),
        })
    }

    /// Returns the `VirtualServices` that the listener serves.
    fn served(&self, routing: &Routing<'v>) -> Result<Vec<&'v Object>, String> {
        let watched = routing.settings.and_then(|settings| watched(&settings.value));
        let mut served = Vec::new();
        for service in routing.virtual_services {
            let is_watched = watched.as_ref().is_none_or(|watched| watched.contains(&service.reference.namespace));
            if is_watched && select::serves(self.http, service, self.ssl)? {
                served.push(service);
            }
        }
        Ok(served)
    }

    /// Returns the domains that several `VirtualServices` of one filter chain have, with these `VirtualServices`. Gloo
    /// rejects all of them (`validateVirtualServiceDomains` in `projects/gateway/pkg/translator/http_translator.go`).
    pub(crate) fn shared_domains(&self, routing: &Routing<'v>) -> Vec<(String, Vec<&'v Object>)> {
        let mut by_domain: BTreeMap<(String, String), Vec<&'v Object>> = BTreeMap::new();
        for service in self.served(routing).unwrap_or_default() {
            // With TLS, each sslConfig has its own filter chain.
            let chain = service.value["spec"]["sslConfig"].to_string();
            let domains: BTreeSet<_> = domains(service).iter().map(|domain| domain.to_ascii_lowercase()).collect();
            for domain in domains {
                by_domain.entry((chain.clone(), domain)).or_default().push(service);
            }
        }
        let shared = by_domain.into_iter().filter(|(_, services)| services.len() > 1);
        shared.map(|((_, domain), services)| (domain, services)).collect()
    }

    /// Returns the virtual host of a chain that matches the request.
    pub(crate) fn host(&self, chain: &Chain<'v>, request: &Request) -> Option<Hosted<'v>> {
        let options = &self.http["options"]["httpConnectionManagerSettings"];
        let host = match options["stripAnyHostPort"] == true {
            true => domain::without_port(&request.host),
            false => &request.host,
        };
        let mut found = Vec::new();
        for &service in &chain.virtual_services {
            let ranked = domains(service).into_iter().filter_map(|it| Some((domain::rank(&it, host)?, it, service)));
            found.extend(ranked);
        }
        found.sort_by(|(a, _, x), (b, _, y)| b.cmp(a).then_with(|| full_name(x).cmp(&full_name(y))));
        let mut found = found.into_iter();
        let (rank, domain, virtual_service) = found.next()?;
        let mut others = Vec::new();
        let mut trouble = None;
        for (_, other, service) in found.filter(|(_, _, service)| service.reference != virtual_service.reference) {
            let name = format!("virtualservice {}", full_name(service));
            if other.eq_ignore_ascii_case(&domain) {
                trouble = trouble.or_else(|| Some(format!("{name} has the domain too: Gloo rejects both")));
            }
            others.push(format!("{other} in {name}"));
        }
        let trouble = trouble.or_else(|| {
            let name = full_name(chain.rival?);
            let why = "takes the same server name with another sslConfig: the listener is rejected";
            Some(format!("virtualservice {name} {why}"))
        });
        Some(Hosted { virtual_service, domain, rank, others, trouble })
    }
}

/// Returns the domains of a virtual host. Without domains it matches any host.
fn domains(service: &Object) -> Vec<String> {
    let domains: Vec<_> = list(&service.value["spec"]["virtualHost"], "domains")
        .iter()
        .filter_map(Value::as_str)
        .filter(|domain| !domain.is_empty())
        .map(str::to_owned)
        .collect();
    if domains.is_empty() { vec!["*".to_owned()] } else { domains }
}

/// Returns every served domain, for the message about a host that no virtual host matches.
pub(crate) fn served(routing: &Routing<'_>) -> Vec<String> {
    let mut all: Vec<_> = routing.virtual_services.iter().flat_map(domains).collect();
    let routes = routing.http_routes.iter().flat_map(|route| list(&route.value["spec"], "hostnames"));
    all.extend(routes.filter_map(Value::as_str).map(str::to_owned));
    all.sort_unstable();
    all.dedup();
    all
}

/// Returns the text `gateway gloo-system/gateway-proxy port 8080`.
pub(crate) fn words(listener: &Listener<'_>) -> String {
    let port = listener.port.map_or_else(String::new, |port| format!(" port {port}"));
    let ssl = if listener.ssl { " (TLS)" } else { "" };
    format!("gateway {}{port}{ssl}", full_name(listener.gateway))
}
