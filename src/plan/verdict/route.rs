//! Finds a host and a path whose route leads only to a given Upstream.
//!
//! Only simple routes are used: a `VirtualService`'s own route with the Upstream as its only destination. For
//! delegation, weights and conditions on headers, the operator sets `--host` and `--path`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::model::{Object, ObjectRef};
use crate::plan::destinations::{self, DestinationTarget, RequestPart};

/// The path at which httpbin and similar servers return the request's headers.
pub(crate) const USUAL_PATH: &str = "/get";

/// The request to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RouteQuery {
    /// The `VirtualService` that serves it.
    pub by: ObjectRef,
    /// `None` means that any host works.
    pub host: Option<String>,
    pub path: String,
    /// Whether only the port with TLS serves it.
    pub needs_tls: bool,
}

/// The options of the command line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Typed<'t> {
    pub host: Option<&'t str>,
    pub path: Option<&'t str>,
    pub method: &'t str,
}

/// Returns the first route that leads to the Upstream. `None` if there is no simple route.
pub(crate) fn to_upstream(services: &[Object], upstream: &ObjectRef, typed: Typed<'_>) -> Option<RouteQuery> {
    services.iter().find_map(|service| {
        let host = match typed.host {
            Some(host) => serves(service, host).then(|| Domain::One(host.to_owned()))?,
            None => domain_of(service)?,
        };
        let routes = service.value["spec"]["virtualHost"]["routes"].as_array()?;
        let leading = destinations::read(service).into_iter().filter(|destination| {
            let DestinationTarget::Upstream { namespace, name } = &destination.target else { return false };
            let namespace = if namespace.is_empty() { &service.reference.namespace } else { namespace };
            let is_it = *namespace == upstream.namespace && *name == upstream.name;
            is_it && destination.part == RequestPart::Request && destination.path.to_string().ends_with(".single")
        });
        leading.into_iter().find_map(|destination| {
            let route = destination.route?.get(&service.value)?;
            let before = routes.iter().take_while(|other| !std::ptr::eq(*other, route));
            let path = path_of(route, typed)?;
            let is_shadowed =
                before.flat_map(matchers).any(|matcher| has_method(&matcher, typed.method) && takes(&matcher, &path));
            (!is_shadowed).then(|| RouteQuery {
                by: service.reference.clone(),
                host: host.clone().name(),
                path,
                needs_tls: service.value["spec"]["sslConfig"].is_object(),
            })
        })
    })
}

/// Returns the other methods for which a simple route leads to the Upstream, for a request whose own method matches no
/// route.
pub(crate) fn other_methods(services: &[Object], upstream: &ObjectRef, typed: Typed<'_>) -> Vec<String> {
    let routes = services.iter().filter_map(|service| service.value["spec"]["virtualHost"]["routes"].as_array());
    let named = routes.flatten().flat_map(matchers).flat_map(|matcher| methods(&matcher));
    let named: BTreeSet<String> = named.filter(|method| method != typed.method).collect();
    let leads = |method: &String| to_upstream(services, upstream, Typed { method, ..typed }).is_some();
    named.into_iter().filter(leads).collect()
}

fn domains(service: &Object) -> impl Iterator<Item = &str> {
    service.value["spec"]["virtualHost"]["domains"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// A host that a `VirtualService` serves.
#[derive(Debug, Clone)]
enum Domain {
    Any,
    One(String),
}

impl Domain {
    fn name(self) -> Option<String> {
        match self {
            Self::Any => None,
            Self::One(name) => Some(name),
        }
    }
}

/// Returns a domain without a wildcard, or any. `None` if there are only partial wildcards.
fn domain_of(service: &Object) -> Option<Domain> {
    if let Some(plain) = domains(service).find(|domain| !domain.contains('*')) {
        return Some(Domain::One(plain.split(':').next().unwrap_or_default().to_owned()));
    }
    let any = domains(service).next().is_none() || domains(service).any(|domain| domain == "*");
    any.then_some(Domain::Any)
}

fn serves(service: &Object, host: &str) -> bool {
    let fits = |domain: &str| match domain.strip_prefix('*') {
        Some(end) => host.ends_with(end),
        None => domain == host,
    };
    domains(service).next().is_none() || domains(service).any(fits)
}

/// Returns the matchers of a route. A route without matchers matches every path.
fn matchers(route: &Value) -> Vec<Value> {
    let list = route["matchers"].as_array().cloned().unwrap_or_default();
    if list.is_empty() { vec![serde_json::json!({"prefix": "/"})] } else { list }
}

/// Returns the methods that a matcher requires. Empty means any method.
fn methods(matcher: &Value) -> Vec<String> {
    matcher["methods"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Returns whether a matcher accepts requests with this method. A CONNECT matcher accepts no other method.
fn has_method(matcher: &Value, method: &str) -> bool {
    let methods = methods(matcher);
    matcher["connectMatcher"].is_null() && (methods.is_empty() || methods.iter().any(|one| one == method))
}

/// Returns whether a matcher accepts a path. Regular expressions are not evaluated here and count as a match.
fn takes(matcher: &Value, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    match (&matcher["exact"], &matcher["prefix"]) {
        (Value::String(exact), _) => path == exact,
        (_, Value::String(prefix)) => path.starts_with(prefix.as_str()),
        _ => true,
    }
}

/// Returns a path that the route accepts without a condition on anything but the method.
fn path_of(route: &Value, typed: Typed<'_>) -> Option<String> {
    let is_plain = |matcher: &Value| {
        let is_empty = |key: &str| matcher[key].as_array().is_none_or(Vec::is_empty);
        let is_bare = matcher["regex"].is_null() && is_empty("headers") && is_empty("queryParameters");
        is_bare && has_method(matcher, typed.method)
    };
    let all = matchers(route);
    let mut plain = all.iter().filter(|matcher| is_plain(matcher));
    if let Some(path) = typed.path {
        return plain.any(|matcher| takes(matcher, path)).then(|| path.to_owned());
    }
    let matcher = plain.next()?;
    let own = matcher["exact"].as_str().or_else(|| matcher["prefix"].as_str()).unwrap_or("/");
    let is_any = own == "/" && matcher["exact"].is_null();
    Some(if is_any { USUAL_PATH } else { own }.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kinds::{UPSTREAM, VIRTUAL_SERVICE};

    const GET: Typed<'_> = Typed { host: None, path: None, method: "GET" };

    fn service(text: &str) -> Object {
        let yaml = format!("metadata: {{name: vs, namespace: gloo-system}}\nspec:\n{text}");
        Object::new(&VIRTUAL_SERVICE, crate::yaml::parse(&yaml).unwrap())
    }

    fn found(text: &str, typed: Typed<'_>) -> Option<(Option<String>, String)> {
        let upstream = ObjectRef::new(&UPSTREAM, "gloo-system", "u");
        to_upstream(&[service(text)], &upstream, typed).map(|route| (route.host, route.path))
    }

    const GUIDE: &str = "  virtualHost:
    domains: ['*']
    routes:
    - matchers: [{prefix: /}]
      routeAction: {single: {upstream: {name: u, namespace: gloo-system}}}
";

    #[test]
    fn the_guides_route_is_found_with_the_path_that_echoes() {
        assert_eq!(found(GUIDE, GET), Some((None, "/get".into())));
        let typed = Typed { path: Some("/headers"), ..GET };
        assert_eq!(found(GUIDE, typed), Some((None, "/headers".into())));
        assert_eq!(found(&GUIDE.replace("name: u", "name: v"), GET), None);
    }

    #[test]
    fn a_routes_own_host_and_path_are_taken() {
        let text = GUIDE.replace("'*'", "shop.example").replace("{prefix: /}", "{prefix: /cart}");
        assert_eq!(found(&text, GET), Some((Some("shop.example".into()), "/cart".into())));
        let other = Typed { path: Some("/other"), ..GET };
        assert_eq!(found(&text, other), None);
        let exact = text.replace("{prefix: /cart}", "{exact: /cart/1}");
        assert_eq!(found(&exact, GET), Some((Some("shop.example".into()), "/cart/1".into())));
        assert_eq!(found(&text, Typed { host: Some("a.example"), ..GET }), None);
        let star = text.replace("shop.example", "'*.example'");
        assert_eq!(found(&star, GET), None);
        let typed = Typed { host: Some("a.example"), ..GET };
        assert_eq!(found(&star, typed), Some((Some("a.example".into()), "/cart".into())));
    }

    #[test]
    fn what_another_route_takes_first_or_only_some_requests_reach_is_not_taken() {
        let first = GUIDE.replace(
            "    routes:\n",
            "    routes:\n    - matchers: [{prefix: /get}]\n      directResponseAction: {status: 200}\n",
        );
        assert_eq!(found(&first, GET), None);
        let typed = Typed { path: Some("/headers"), ..GET };
        assert!(found(&first, typed).is_some());
        let condition = GUIDE.replace("{prefix: /}", "{prefix: /, headers: [{name: a}]}");
        assert_eq!(found(&condition, GET), None);
        assert_eq!(found(&GUIDE.replace("{prefix: /}", "{regex: '.*'}"), GET), None);
        let weighted = "  virtualHost:
    routes:
    - routeAction: {multi: {destinations: [{weight: 1, destination: {upstream: {name: u, namespace: gloo-system}}}]}}
";
        assert_eq!(found(weighted, GET), None);
    }

    #[test]
    fn a_route_for_other_methods_is_none_and_hides_none() {
        let post = GUIDE.replace("{prefix: /}", "{prefix: /, methods: [POST, PUT]}");
        assert_eq!(found(&post, GET), None);
        let typed = Typed { method: "PUT", ..GET };
        assert_eq!(found(&post, typed), Some((None, "/get".into())));
        let upstream = ObjectRef::new(&UPSTREAM, "gloo-system", "u");
        assert_eq!(other_methods(&[service(&post)], &upstream, GET), ["POST", "PUT"]);
        assert_eq!(other_methods(&[service(&post)], &upstream, Typed { path: Some("/"), ..typed }), ["POST"]);
        let other = ObjectRef::new(&UPSTREAM, "gloo-system", "other");
        assert_eq!(other_methods(&[service(&post)], &other, GET), [""; 0]);
        for matcher in ["{prefix: /get, methods: [POST]}", "{connectMatcher: {}}"] {
            let before =
                format!("    routes:\n    - matchers: [{matcher}]\n      directResponseAction: {{status: 200}}\n");
            let hidden = GUIDE.replace("    routes:\n", &before);
            assert_eq!(found(&hidden, GET), Some((None, "/get".into())), "{matcher}");
        }
        assert_eq!(found(&GUIDE.replace("{prefix: /}", "{connectMatcher: {}}"), GET), None);
    }

    #[test]
    fn a_route_of_the_tls_port_says_so() {
        let upstream = ObjectRef::new(&UPSTREAM, "gloo-system", "u");
        let tls = service(&format!("  sslConfig: {{secretRef: {{name: a}}}}\n{GUIDE}"));
        assert!(to_upstream(&[tls], &upstream, GET).unwrap().needs_tls);
    }
}
