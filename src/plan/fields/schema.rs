//! The fields of Gloo's CRDs, as far as this program needs them: those of Gloo 1.17 to 1.22 (solo-io/gloo,
//! `install/helm/gloo/crds`).

use crate::model::{FieldPath, Kind, Segment, kinds};

/// The fields at one place of a schema. List items have the fields of their list.
#[derive(Debug)]
pub(super) struct Fields {
    /// All fields. Empty if they are not listed here. A field is then unknown only if it is in snake case, because no
    /// field of these CRDs is.
    pub all: &'static [&'static str],
    /// The fields with known fields below them.
    pub below: &'static [(&'static str, &'static Fields)],
}

impl Fields {
    /// Returns whether the CRD may have this field here.
    pub(super) fn may_have(&self, field: &str) -> bool {
        self.all.is_empty() || self.all.contains(&field)
    }

    /// Returns the fields below a field, if they are known.
    pub(super) fn below(&self, field: &str) -> Option<&'static Self> {
        self.below.iter().find(|(name, _)| *name == field).map(|(_, below)| *below)
    }
}

const fn all(all: &'static [&'static str]) -> Fields {
    Fields { all, below: &[] }
}

const fn below(below: &'static [(&'static str, &'static Fields)]) -> Fields {
    Fields { all: &[], below }
}

/// Only fields in snake case are unknown.
static OPEN: Fields = below(&[]);

static REFERENCE: Fields = all(&["name", "namespace"]);
static FILES: Fields = all(&["ocspStaple", "rootCa", "tlsCert", "tlsKey"]);
static SDS: Fields =
    all(&["callCredentials", "certificatesSecretName", "clusterName", "targetUri", "validationContextName"]);
static PARAMETERS: Fields = all(&["cipherSuites", "ecdhCurves", "maximumProtocolVersion", "minimumProtocolVersion"]);
static SSL_CONFIG: Fields = Fields {
    all: &[
        "allowRenegotiation",
        "alpnProtocols",
        "oneWayTls",
        "parameters",
        "sds",
        "secretRef",
        "sni",
        "sslFiles",
        "verifySubjectAltName",
    ],
    below: &[("parameters", &PARAMETERS), ("sds", &SDS), ("secretRef", &REFERENCE), ("sslFiles", &FILES)],
};

static KUBE: Fields = all(&["selector", "serviceName", "serviceNamespace", "servicePort", "serviceSpec", "subsetSpec"]);
static HOST: Fields = all(&["addr", "healthCheckConfig", "loadBalancingWeight", "metadata", "port", "sniAddr"]);
static STATIC: Fields =
    Fields { all: &["autoSniRewrite", "hosts", "serviceSpec", "useTls"], below: &[("hosts", &HOST)] };

static UPSTREAM: Fields = Fields {
    all: &[
        "ai",
        "aws",
        "awsEc2",
        "azure",
        "circuitBreakers",
        "connectionConfig",
        "consul",
        "disableIstioAutoMtls",
        "discoveryMetadata",
        "dnsRefreshRate",
        "failover",
        "gcp",
        "healthChecks",
        "httpConnectHeaders",
        "httpConnectSslConfig",
        "httpProxyHostname",
        "ignoreHealthOnHostRemoval",
        "initialConnectionWindowSize",
        "initialStreamWindowSize",
        "kube",
        "loadBalancerConfig",
        "maxConcurrentStreams",
        "namespacedStatuses",
        "outlierDetection",
        "overrideStreamErrorOnInvalidHttpMessage",
        "pipe",
        "preconnectPolicy",
        "protocolSelection",
        "proxyProtocolVersion",
        "respectDnsTtl",
        "sslConfig",
        "static",
        "useHttp2",
    ],
    below: &[("httpConnectSslConfig", &SSL_CONFIG), ("kube", &KUBE), ("sslConfig", &SSL_CONFIG), ("static", &STATIC)],
};

static SETTINGS: Fields = below(&[
    ("discovery", &OPEN),
    ("gateway", &OPEN),
    ("gloo", &GLOO_OPTIONS),
    ("kubernetes", &OPEN),
    ("upstreamOptions", &OPEN),
]);
static GLOO_OPTIONS: Fields = below(&[("istioOptions", &ISTIO_OPTIONS)]);
static ISTIO_OPTIONS: Fields = all(&["appendXForwardedHost", "enableAutoMtls", "enableIntegration"]);

static DESTINATION: Fields = below(&[("kube", &KUBE_DESTINATION), ("upstream", &REFERENCE)]);
static KUBE_DESTINATION: Fields = below(&[("ref", &REFERENCE)]);
static DESTINATIONS: Fields = below(&[("destinations", &WEIGHTED)]);
static WEIGHTED: Fields = below(&[("destination", &DESTINATION)]);
static ROUTE_ACTION: Fields =
    below(&[("multi", &DESTINATIONS), ("single", &DESTINATION), ("upstreamGroup", &REFERENCE)]);
static ROUTE: Fields = below(&[
    ("delegateAction", &OPEN),
    ("directResponseAction", &OPEN),
    ("matchers", &OPEN),
    ("redirectAction", &OPEN),
    ("routeAction", &ROUTE_ACTION),
]);
static ROUTES: Fields = below(&[("routes", &ROUTE)]);
/// The TLS settings of a listener have other fields than those of an Upstream.
static LISTENER_SSL: Fields =
    below(&[("parameters", &PARAMETERS), ("sds", &SDS), ("secretRef", &REFERENCE), ("sslFiles", &FILES)]);
static VIRTUAL_SERVICE: Fields = below(&[("sslConfig", &LISTENER_SSL), ("virtualHost", &ROUTES)]);
static TCP_HOST: Fields = below(&[("destination", &ROUTE_ACTION), ("sslConfig", &LISTENER_SSL)]);
static TCP_GATEWAY: Fields = below(&[("tcpHosts", &TCP_HOST)]);
static GATEWAY: Fields = below(&[("httpGateway", &OPEN), ("tcpGateway", &TCP_GATEWAY)]);

/// Returns the fields below a field of a kind, if they are known. `path` is the path of the field in the object.
pub(super) fn at(kind: &Kind, path: &FieldPath) -> Option<&'static Fields> {
    let mut way = path.segments().iter().skip(1).filter_map(|segment| match segment {
        Segment::Key(key) => Some(key),
        _ => None,
    });
    way.try_fold(of(kind)?, |fields, key| fields.below(key))
}

/// Returns the fields in the `spec` of a kind.
pub(super) fn of(kind: &Kind) -> Option<&'static Fields> {
    let known: [(&Kind, &'static Fields); 6] = [
        (&kinds::UPSTREAM, &UPSTREAM),
        (&kinds::UPSTREAM_GROUP, &DESTINATIONS),
        (&kinds::VIRTUAL_SERVICE, &VIRTUAL_SERVICE),
        (&kinds::ROUTE_TABLE, &ROUTES),
        (&kinds::GATEWAY, &GATEWAY),
        (&kinds::SETTINGS, &SETTINGS),
    ];
    known.into_iter().find(|(of, _)| *of == kind).map(|(_, fields)| fields)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::KINDS;
    use super::*;

    /// The CRDs of the tests, whose Upstream is closed as in the real one.
    const CRDS: &str = include_str!("../../../tests/fixtures/crds/gloo.yaml");

    /// Compares the places where all fields are known with the CRD. Returns their number.
    fn compare(fields: &Fields, schema: &Value, path: &str) -> usize {
        let schema = if schema["items"].is_object() { &schema["items"] } else { schema };
        if schema["x-kubernetes-preserve-unknown-fields"] == true {
            return 0;
        }
        let properties = schema["properties"].as_object().unwrap_or_else(|| panic!("{path} has no fields in the CRD"));
        let mut places = 0;
        if !fields.all.is_empty() {
            let known: BTreeSet<&str> = fields.all.iter().copied().collect();
            assert_eq!(known, properties.keys().map(String::as_str).collect(), "{path}");
            places += 1;
        }
        let below =
            fields.below.iter().map(|(field, below)| compare(below, &properties[*field], &format!("{path}.{field}")));
        places + below.sum::<usize>()
    }

    #[test]
    fn the_known_fields_are_those_of_the_crd() {
        let crds = crate::yaml::documents(CRDS).unwrap();
        let spec = |kind: &Kind| {
            let crd =
                crds.iter().find(|crd| crd["spec"]["names"]["kind"] == kind.kind && crd["spec"]["group"] == kind.group);
            crd.unwrap()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
        };
        assert_eq!(compare(&UPSTREAM, &spec(&kinds::UPSTREAM), "spec"), 8);
        assert_eq!(compare(&GLOO_OPTIONS, &spec(&kinds::SETTINGS)["properties"]["gloo"], "spec.gloo"), 0);
    }

    #[test]
    fn no_field_is_in_snake_case() {
        fn all(fields: &Fields) -> Vec<&'static str> {
            let below = fields.below.iter().flat_map(|(field, below)| [*field].into_iter().chain(all(below)));
            fields.all.iter().copied().chain(below).collect()
        }
        for kind in KINDS {
            let fields = of(kind).unwrap();
            assert!(all(fields).iter().all(|field| !field.contains('_')), "{kind}");
        }
    }
}
