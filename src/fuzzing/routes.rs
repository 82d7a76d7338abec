//! The route of a request with manifests of any content.

use super::{objects, text};
use crate::model::kinds;
use crate::plan::routes::{Request, Routing, Standing, resolve};

pub(super) fn run(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let of = |kind| objects(text, kind);
    let (gateways, virtual_services, route_tables) =
        (of(&kinds::GATEWAY), of(&kinds::VIRTUAL_SERVICE), of(&kinds::ROUTE_TABLE));
    let (upstream_groups, kube_gateways, http_routes) =
        (of(&kinds::UPSTREAM_GROUP), of(&kinds::KUBE_GATEWAY), of(&kinds::HTTP_ROUTE));
    let (services, namespaces, settings) = (of(&kinds::SERVICE), of(&kinds::NAMESPACE), of(&kinds::SETTINGS));
    let routing = Routing {
        gateways: &gateways,
        virtual_services: &virtual_services,
        route_tables: &route_tables,
        upstream_groups: &upstream_groups,
        kube_gateways: &kube_gateways,
        http_routes: &http_routes,
        services: &services,
        namespaces: &namespaces,
        settings: settings.first(),
        gloo_namespace: "gloo-system",
    };
    for (host, port) in [("shop.example.com", None), ("*", Some(443)), ("a:80", Some(8080))] {
        let request = Request { host: host.into(), path: "/api/v1".into(), query: Some("a=b".into()), port };
        for heard in resolve(&request, &routing).heard {
            // At most one route takes every such request, and it is the last one that can be reached.
            let wins = heard.candidates.iter().filter(|it| it.standing == Standing::Wins).count();
            assert!(wins <= 1, "{:?}", heard.candidates);
            assert!(wins == 0 || heard.reachable().last().is_some_and(|it| it.standing == Standing::Wins));
        }
    }
}
