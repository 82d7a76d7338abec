//! The kinds that this program reads and writes, as constants: no API discovery at start.

use std::fmt;

/// A kind of Kubernetes object, with the parts of its URL and its short name.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The API version that this program uses.
    pub version: &'static str,
    /// The `kind` in a manifest.
    pub kind: &'static str,
    /// The name in the URL and in RBAC rules.
    pub plural: &'static str,
    /// The name before the slash in `upstream.gloo.solo.io/x`.
    pub singular: &'static str,
}

impl Kind {
    /// The `apiVersion`: `gloo.solo.io/v1`, or `v1` for the core group.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Whether a manifest's `apiVersion` and `kind` are of this kind, in any version of its group.
    #[must_use]
    pub fn matches(&self, api_version: &str, kind: &str) -> bool {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        kind == self.kind && group == self.group
    }
}

/// Formats the kind as kubectl prints it before a name: `upstream.gloo.solo.io`, `pod`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.singular)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        Ok(())
    }
}

/// The constants for all kinds.
pub(crate) mod kinds {
    use super::Kind;

    macro_rules! kinds {
        ($($name:ident = $group:literal $version:literal $kind:literal $plural:literal $singular:literal;)*) => {
            $(
                #[doc = concat!("`", $kind, "` of `", $group, "/", $version, "`.")]
                pub static $name: Kind = Kind {
                    group: $group,
                    version: $version,
                    kind: $kind,
                    plural: $plural,
                    singular: $singular,
                };
            )*
        };
    }

    kinds! {
        UPSTREAM = "gloo.solo.io" "v1" "Upstream" "upstreams" "upstream";
        SETTINGS = "gloo.solo.io" "v1" "Settings" "settings" "settings";
        PEER_AUTHENTICATION = "security.istio.io" "v1" "PeerAuthentication" "peerauthentications" "peerauthentication";
        PEER_AUTHENTICATION_BETA = "security.istio.io" "v1beta1" "PeerAuthentication" "peerauthentications" "peerauthentication";
        AUTHORIZATION_POLICY = "security.istio.io" "v1" "AuthorizationPolicy" "authorizationpolicies" "authorizationpolicy";
        AUTHORIZATION_POLICY_BETA = "security.istio.io" "v1beta1" "AuthorizationPolicy" "authorizationpolicies" "authorizationpolicy";
        GATEWAY = "gateway.solo.io" "v1" "Gateway" "gateways" "gateway";
        VIRTUAL_SERVICE = "gateway.solo.io" "v1" "VirtualService" "virtualservices" "virtualservice";
        ROUTE_TABLE = "gateway.solo.io" "v1" "RouteTable" "routetables" "routetable";
        UPSTREAM_GROUP = "gloo.solo.io" "v1" "UpstreamGroup" "upstreamgroups" "upstreamgroup";
        PROXY = "gloo.solo.io" "v1" "Proxy" "proxies" "proxy";
        VIRTUAL_HOST_OPTION = "gateway.solo.io" "v1" "VirtualHostOption" "virtualhostoptions" "virtualhostoption";
        ROUTE_OPTION = "gateway.solo.io" "v1" "RouteOption" "routeoptions" "routeoption";
        AUTH_CONFIG = "enterprise.gloo.solo.io" "v1" "AuthConfig" "authconfigs" "authconfig";
        RATE_LIMIT_CONFIG = "ratelimit.solo.io" "v1alpha1" "RateLimitConfig" "ratelimitconfigs" "ratelimitconfig";
        KUBE_GATEWAY_CLASS = "gateway.networking.k8s.io" "v1" "GatewayClass" "gatewayclasses" "gatewayclass";
        KUBE_GATEWAY = "gateway.networking.k8s.io" "v1" "Gateway" "gateways" "gateway";
        GATEWAY_PARAMETERS = "gateway.gloo.solo.io" "v1alpha1" "GatewayParameters" "gatewayparameters" "gatewayparameters";
        HTTP_ROUTE = "gateway.networking.k8s.io" "v1" "HTTPRoute" "httproutes" "httproute";
        ARGO_APPLICATION = "argoproj.io" "v1alpha1" "Application" "applications" "application";
        RELEASE = "helm.sh" "v3" "Release" "releases" "release";
        HELM_RELEASE = "helm.toolkit.fluxcd.io" "v2" "HelmRelease" "helmreleases" "helmrelease";
        ACCESS_REVIEW = "authorization.k8s.io" "v1" "SelfSubjectAccessReview" "selfsubjectaccessreviews" "selfsubjectaccessreview";
        MUTATING_WEBHOOK = "admissionregistration.k8s.io" "v1" "MutatingWebhookConfiguration" "mutatingwebhookconfigurations" "mutatingwebhookconfiguration";
        CUSTOM_RESOURCE = "apiextensions.k8s.io" "v1" "CustomResourceDefinition" "customresourcedefinitions" "customresourcedefinition";
        DEPLOYMENT = "apps" "v1" "Deployment" "deployments" "deployment";
        REPLICA_SET = "apps" "v1" "ReplicaSet" "replicasets" "replicaset";
        STATEFUL_SET = "apps" "v1" "StatefulSet" "statefulsets" "statefulset";
        JOB = "batch" "v1" "Job" "jobs" "job";
        CRON_JOB = "batch" "v1" "CronJob" "cronjobs" "cronjob";
        DISRUPTION_BUDGET = "policy" "v1" "PodDisruptionBudget" "poddisruptionbudgets" "poddisruptionbudget";
        NETWORK_POLICY = "networking.k8s.io" "v1" "NetworkPolicy" "networkpolicies" "networkpolicy";
        ROLLOUT = "argoproj.io" "v1alpha1" "Rollout" "rollouts" "rollout";
        DAEMON_SET = "apps" "v1" "DaemonSet" "daemonsets" "daemonset";
        CONFIG_MAP = "" "v1" "ConfigMap" "configmaps" "configmap";
        EVENT = "" "v1" "Event" "events" "event";
        NAMESPACE = "" "v1" "Namespace" "namespaces" "namespace";
        NODE = "" "v1" "Node" "nodes" "node";
        POD = "" "v1" "Pod" "pods" "pod";
        SECRET = "" "v1" "Secret" "secrets" "secret";
        ENDPOINT_SLICE = "discovery.k8s.io" "v1" "EndpointSlice" "endpointslices" "endpointslice";
        SERVICE = "" "v1" "Service" "services" "service";
    }
}

#[cfg(test)]
mod tests {
    use super::kinds::{POD, UPSTREAM};

    #[test]
    fn a_kind_is_known_in_any_version_of_its_group_only() {
        assert!(UPSTREAM.matches("gloo.solo.io/v1", "Upstream"));
        assert!(UPSTREAM.matches("gloo.solo.io/v2", "Upstream"));
        assert!(!UPSTREAM.matches("kgateway.dev/v1", "Upstream"));
        assert!(POD.matches("v1", "Pod"));
        assert!(!POD.matches("apps/v1", "Pod"));
    }

    #[test]
    fn a_kind_prints_as_kubectl_prints_it() {
        assert_eq!(UPSTREAM.to_string(), "upstream.gloo.solo.io");
        assert_eq!(POD.to_string(), "pod");
        assert_eq!(UPSTREAM.api_version(), "gloo.solo.io/v1");
        assert_eq!(POD.api_version(), "v1");
    }
}
