//! Where requests come in: the Gateways of Gloo's own API, each with the virtual hosts it serves.

use serde_json::Value;

use super::domain::{self, Rank};
use super::{Request, Routing, full_name, list, select};
use crate::model::Object;
use crate::plan::dangling::watched;

/// A port on which a proxy takes HTTP.
#[derive(Debug, Clone)]
pub struct Listener<'v> {
    pub gateway: &'v Object,
    /// What of a hybrid Gateway it is; the Gateway's own otherwise.
    http: &'v Value,
    pub port: Option<u64>,
    pub ssl: bool,
}

/// A virtual host that takes a request, and those that would if it were not there.
#[derive(Debug, Clone, PartialEq)]
pub struct Hosted<'v> {
    pub virtual_service: &'v Object,
    pub domain: String,
    pub rank: Rank,
    /// `*.example in virtualservice shop/other`
    pub others: Vec<String>,
    /// Another with the very domain: Gloo takes neither.
    pub rival: Option<String>,
}

/// Every listener of the Gateways that Gloo reads, and what of them cannot be told.
pub fn all<'v>(routing: &Routing<'v>) -> (Vec<Listener<'v>>, Vec<String>) {
    let everywhere =
        routing.settings.is_none_or(|it| it.value["spec"]["gateway"]["readGatewaysFromAllNamespaces"] == true);
    let mut listeners = Vec::new();
    let mut notes = Vec::new();
    let is_read = |gateway: &&Object| everywhere || gateway.reference.namespace == routing.gloo_namespace;
    for gateway in routing.gateways.iter().filter(is_read) {
        let spec = &gateway.value["spec"];
        let port = spec["bindPort"].as_u64();
        if spec["httpGateway"].is_object() {
            listeners.push(Listener { gateway, http: &spec["httpGateway"], port, ssl: spec["ssl"] == true });
        }
        let hybrid = &spec["hybridGateway"];
        for matched in list(hybrid, "matchedGateways").iter().filter(|matched| matched["httpGateway"].is_object()) {
            let ssl = matched["matcher"]["sslConfig"].is_object();
            listeners.push(Listener { gateway, http: &matched["httpGateway"], port, ssl });
        }
        if hybrid["delegatedHttpGateways"].is_object() {
            notes.push(format!("gateway {} delegates to HttpGateways, which are not read here", full_name(gateway)));
        }
    }
    (listeners, notes)
}

impl<'v> Listener<'v> {
    /// The proxies that listen there, by name.
    pub fn proxies(&self) -> Vec<String> {
        let named = list(&self.gateway.value["spec"], "proxyNames");
        match named.is_empty() {
            true => vec!["gateway-proxy".to_owned()],
            false => named.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        }
    }

    /// Whether a request to this port comes here: the Gateway's own port, or one of its proxies' Services.
    pub fn takes(&self, port: u16, services: &[Object]) -> bool {
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

    /// The virtual host that takes the request.
    ///
    /// # Errors
    /// The Gateway's own selection is void.
    pub fn host(&self, request: &Request, routing: &Routing<'v>) -> Result<Option<Hosted<'v>>, String> {
        let options = &self.http["options"]["httpConnectionManagerSettings"];
        let host = match options["stripAnyHostPort"] == true {
            true => domain::without_port(&request.host),
            false => &request.host,
        };
        let watched = routing.settings.and_then(|settings| watched(&settings.value));
        let mut found = Vec::new();
        for service in routing.virtual_services {
            let namespace = &service.reference.namespace;
            if watched.as_ref().is_some_and(|watched| !watched.contains(namespace)) {
                continue;
            }
            if select::serves(self.http, service, self.ssl)? {
                found.extend(
                    domains(service).into_iter().filter_map(|it| Some((domain::rank(&it, host)?, it, service))),
                );
            }
        }
        found.sort_by(|(a, _, x), (b, _, y)| b.cmp(a).then_with(|| full_name(x).cmp(&full_name(y))));
        let mut found = found.into_iter();
        let Some((rank, domain, virtual_service)) = found.next() else { return Ok(None) };
        let mut others = Vec::new();
        let mut rival = None;
        for (_, other, service) in found.filter(|(_, _, service)| service.reference != virtual_service.reference) {
            if other.eq_ignore_ascii_case(&domain) {
                rival = rival.or_else(|| Some(full_name(service)));
            }
            others.push(format!("{other} in virtualservice {}", full_name(service)));
        }
        Ok(Some(Hosted { virtual_service, domain, rank, others, rival }))
    }
}

/// A virtual host without domains takes any.
fn domains(service: &Object) -> Vec<String> {
    let domains: Vec<_> = list(&service.value["spec"]["virtualHost"], "domains")
        .iter()
        .filter_map(Value::as_str)
        .filter(|domain| !domain.is_empty())
        .map(str::to_owned)
        .collect();
    if domains.is_empty() { vec!["*".to_owned()] } else { domains }
}

/// Every domain that is served, for a host that nobody takes.
pub fn served(routing: &Routing<'_>) -> Vec<String> {
    let mut all: Vec<_> = routing.virtual_services.iter().flat_map(domains).collect();
    let routes = routing.http_routes.iter().flat_map(|route| list(&route.value["spec"], "hostnames"));
    all.extend(routes.filter_map(Value::as_str).map(str::to_owned));
    all.sort_unstable();
    all.dedup();
    all
}

/// `gateway gloo-system/gateway-proxy, port 8080`
pub fn words(listener: &Listener<'_>) -> String {
    let port = listener.port.map_or_else(String::new, |port| format!(" port {port}"));
    let ssl = if listener.ssl { " (TLS)" } else { "" };
    format!("gateway {}{port}{ssl}", full_name(listener.gateway))
}
