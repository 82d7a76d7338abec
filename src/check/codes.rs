//! Every code there is: what it means and what to do. `docs/findings.md` and `check --explain` come from here.
//!
//! A code that is no longer found goes to [`RETIRED`] and never means anything else.

use super::{Section, Severity};
use crate::command::gloo_rs;

/// What is found.
#[derive(Debug, PartialEq, Eq)]
pub struct FindingCode {
    /// `GRS101`
    pub id: &'static str,
    pub severity: Severity,
    pub title: &'static str,
    /// What it means, in whole sentences.
    pub meaning: &'static str,
    /// What to do.
    pub fix: &'static str,
}

impl FindingCode {
    /// The command that explains it. It works wherever gloo-rs is, without the repository and without a network.
    #[must_use]
    pub fn explained_by(&self) -> String {
        gloo_rs("check --explain").value(self.id).to_string()
    }

    /// How urgent it is where requests are answered now.
    #[must_use]
    pub fn section(&self) -> Section {
        match self.severity {
            Severity::Warning if !BREAKS_LATER.contains(&self.id) => Section::CouldBeBetter,
            _ => Section::WillBreak,
        }
    }
}

/// Warnings about what fails after the next restart, upgrade or renewal.
const BREAKS_LATER: &[&str] = &["GRS204", "GRS205", "GRS211", "GRS303", "GRS304", "GRS305", "GRS402", "GRS508"];

/// Codes that were found once: never used again.
pub(crate) const RETIRED: &[&str] = &[];

/// The code of this name.
#[must_use]
pub(crate) fn named(id: &str) -> Option<&'static FindingCode> {
    ALL.iter().find(|code| code.id.eq_ignore_ascii_case(id)).copied()
}

macro_rules! codes {
    ($($name:ident = $id:literal $severity:ident $title:literal, $meaning:literal, $fix:literal;)*) => {
        $(
            #[doc = concat!("`", $id, "`: ", $title, ".")]
            pub(crate) static $name: FindingCode = FindingCode {
                id: $id,
                severity: Severity::$severity,
                title: $title,
                meaning: $meaning,
                fix: $fix,
            };
        )*
        /// Every code, in order.
        pub const ALL: &[&FindingCode] = &[$(&$name),*];
    };
}

codes! {
    STRICT_PLAINTEXT = "GRS101" Error "plaintext to a strict peer",
        "A pod behind the destination accepts only mutual TLS, but the gateway sends plaintext. Requests get 503s.",
        "Turn on mTLS for the Upstream (gloo-rs istio enable-mtls), turn on auto-mTLS for all Upstreams (gloo-rs istio auto-mtls enable), or set the PeerAuthentication to PERMISSIVE.";
    TLS_WITHOUT_SIDECAR = "GRS102" Error "Istio TLS to pods without a sidecar",
        "The Upstream's sslConfig sends Istio's TLS to every pod behind it, but a pod has no sidecar that accepts it. Requests to this pod get 503s.",
        "Add the pods to the mesh (gloo-rs istio enroll), or remove the sslConfig (gloo-rs istio disable-mtls) and let auto-mTLS decide for each pod.";
    TLS_WITHOUT_SDS = "GRS103" Error "Istio TLS without SDS at the gateway",
        "The object needs certificates from the cluster gateway_proxy_sds, but a gateway proxy lacks this cluster, or a sidecar that fetches or serves them. The gateway rejects the configuration, or has no certificate to present. Requests get 503s.",
        "Add the sidecars: use gloo-rs upgrade-values if Helm installed Gloo, otherwise gloo-rs istio inject.";
    NO_SERVICE = "GRS104" Warning "Upstream without a Service",
        "The Upstream names a Kubernetes Service, or a port of it, that does not exist. No pod can answer. It is an error where a gateway routes there, because requests get 503s now.",
        "Correct spec.kube, or delete the Upstream if the Service is gone for good.";
    TLS_TO_DISABLED_PEER = "GRS105" Error "Istio TLS to a peer that accepts only plaintext",
        "The gateway sends Istio's TLS, because of the Upstream's sslConfig or auto-mTLS. A PeerAuthentication with mode DISABLE applies to the pods, so their sidecars accept no TLS. Requests get 503s.",
        "Set the PeerAuthentication to PERMISSIVE or STRICT, or send plaintext: gloo-rs istio disable-mtls, gloo-rs istio auto-mtls disable -u NAME.";
    NOBODY_BEHIND = "GRS106" Warning "no ready pod behind the destination",
        "The Service has no ready pod. Requests get 503s with the text: no healthy upstream. It is an error where a gateway routes there.",
        "Scale the app up, or correct the Service's selector. If the app is gone for good, delete the routes and Upstreams that lead to it.";
    TLS_WITHOUT_ALPN = "GRS107" Error "Istio TLS that a PERMISSIVE peer does not recognize",
        "A sidecar that also accepts plaintext recognizes the mesh's TLS by its ALPN. The Upstream's sslConfig has none of Istio's names in alpnProtocols, so the sidecar treats the connection as the application's own TLS. Requests get 503s.",
        "Add istio to alpnProtocols of the sslConfig. gloo-rs istio enable-mtls does that.";
    OWN_TLS_REFUSED = "GRS108" Error "TLS that the peer's sidecar does not accept",
        "The gateway sends TLS that is not Istio's to pods with a sidecar. Either the sidecar is STRICT and gets no certificate of the mesh, or the Service's port is declared as HTTP, where a sidecar accepts only the mesh's TLS. Requests get 503s.",
        "Replace the sslConfig with Istio's (gloo-rs istio enable-mtls --overwrite), or declare the port as https if the application itself uses TLS.";
    OWN_CERTIFICATE = "GRS109" Warning "certificate not from Istio for a strict peer",
        "A sidecar behind the destination requires a certificate of the mesh, but the Upstream's sslConfig presents one that is not Istio's. Requests get 503s unless the mesh's root signed this certificate.",
        "Replace the sslConfig with Istio's: gloo-rs istio enable-mtls --overwrite.";
    HTTP2_NOT_SENT = "GRS110" Error "Istio TLS that offers HTTP/2, with requests in HTTP/1.1",
        "The Upstream's sslConfig is Istio's, and its alpnProtocols has h2. The sidecar of an HTTP port selects it and then expects HTTP/2. Gloo sends HTTP/1.1, because the Upstream has neither useHttp2 nor a gRPC service. Requests get 502s or 503s.",
        "Remove h2 from alpnProtocols: gloo-rs istio enable-mtls does that. Set useHttp2: true instead if the application speaks HTTP/2.";
    DENIED = "GRS111" Error "gateway denied by an AuthorizationPolicy",
        "The backend's AuthorizationPolicies deny every request of the gateway, whatever its path and headers are. With mutual TLS a sidecar sees the gateway's ServiceAccount, without it no identity. Requests get 403s (RBAC: access denied).",
        "Add the gateway's identity to an ALLOW policy of the backend, or remove it from the DENY policy: principal cluster.local/ns/NAMESPACE/sa/SERVICEACCOUNT.";
    CLUSTER_WITHOUT_SIDECARS = "GRS201" Error "SDS cluster without sidecars",
        "The gateway's bootstrap has the cluster gateway_proxy_sds, but its pods have neither sds nor istio-proxy. Envoy waits for certificates that never arrive.",
        "Add the missing parts with gloo-rs istio inject, or remove the rest with gloo-rs istio uninject.";
    SIDECARS_WITHOUT_CLUSTER = "GRS202" Error "sidecars without SDS cluster",
        "The gateway's pods have sds and istio-proxy, but its bootstrap lacks the cluster gateway_proxy_sds. Envoy rejects configuration that refers to it. A Helm upgrade after an injection by hand causes this.",
        "Add the cluster with gloo-rs istio inject, or with gloo-rs upgrade-values if Helm manages the gateway.";
    ONE_SIDECAR = "GRS203" Error "only one of two sidecars",
        "The gateway's pods have only one of sds and istio-proxy, and both are needed. Envoy gets no certificates.",
        "Add the missing parts with gloo-rs istio inject, or remove the rest with gloo-rs istio uninject.";
    INCOMPLETE_SIDECARS = "GRS204" Warning "incomplete sidecars",
        "Both sidecars and the cluster exist, but a variable, mount or volume that they need is missing.",
        "gloo-rs istio inject adds what is missing and changes nothing else.";
    PODS_OLDER_THAN_BOOTSTRAP = "GRS205" Warning "gateway pods older than their bootstrap",
        "Envoy reads its bootstrap only when it starts. These pods started before the cluster gateway_proxy_sds was in the bootstrap, and their Envoys do not have it.",
        "Restart the gateway: gloo-rs proxy restart.";
    SIDECAR_IMAGE = "GRS206" Warning "sidecar and istiod with different versions",
        "The gateway's istio-proxy and the istiod that it connects to have different versions. Istio supports a proxy that is up to two minor versions older than istiod, but not a newer one.",
        "Set the image with gloo-rs upgrade-values if Helm manages the gateway, otherwise with gloo-rs istio inject --revision REVISION.";
    NO_SUCH_ISTIOD = "GRS207" Error "discovery address that no istiod has",
        "The gateway's istio-proxy gets its certificate from an address inside the cluster that no istiod has. New pods do not become ready. Running pods keep their certificate until it expires, within a day.",
        "Move the gateway to a revision that exists: gloo-rs istio inject --revision REVISION, or gloo-rs upgrade-values.";
    ISTIOD_NOT_READY = "GRS208" Error "the gateway's istiod is not ready",
        "The gateway's istio-proxy gets its certificate from an istiod without a ready pod. New pods do not become ready. Running pods cannot renew their certificate.",
        "Find the cause: kubectl describe pods -l app=istiod,istio.io/rev=REVISION, in istiod's namespace. If it is scaled to 0: kubectl scale deployment.";
    SDS_EXPOSED = "GRS209" Warning "SDS reachable from other pods",
        "The sds container serves the gateway's mesh certificate and its private key on port 8234, on all addresses of the pod and without authentication (Gloo's default, SDS_SERVER_ADDRESS 0.0.0.0:8234). No NetworkPolicy blocks this port for other pods. This check cannot see whether the cluster's network plugin enforces NetworkPolicies.",
        "Add a NetworkPolicy for the gateway's pods that allows the listener ports but not 8234. Do not bind SDS to 127.0.0.1: the chart's readiness probe would then fail.";
    CERTIFICATE_EXPIRED = "GRS210" Error "the gateway's mesh certificate has expired",
        "Pods in the mesh reject the certificate that the gateway presents.",
        "Find out why it is not renewed: see the logs of istio-proxy, GRS207 and GRS208.";
    CERTIFICATE_NEAR_END = "GRS211" Warning "the gateway's mesh certificate expires soon",
        "The certificate expires in less than an hour. istio-proxy normally renews it after half of its lifetime, so the renewal fails.",
        "Find out why it is not renewed: see the logs of istio-proxy, GRS207 and GRS208.";
    CERTIFICATE_ROOT = "GRS212" Error "the gateway's mesh certificate has another root",
        "The gateway trusts another root than the one that istiod distributes (ConfigMap istio-ca-root-cert). Pods in the mesh and the gateway reject each other's certificates.",
        "If GRS208 reports its istiod, start with that. Then restart the gateway to get a new certificate and root: gloo-rs proxy restart.";
    ENVOY_DISCONNECTED = "GRS213" Error "gateway proxy not connected to Gloo",
        "Envoy's connection to Gloo is down (control_plane.connected_state is not 1). The proxy keeps its last configuration and gets no changes.",
        "Check that gloo runs and is reachable from the gateway, and read the gateway's logs.";
    ENVOY_REFUSES = "GRS214" Error "gateway proxy rejects its configuration",
        "Envoy rejects configuration from Gloo: it rejected the last update of a listener, or a counter update_rejected or update_failure increased during the check. The proxy keeps its last configuration.",
        "Fix what the reason names; GRS501 says which object causes it, if Gloo knows.";
    NO_READY_GATEWAY = "GRS215" Error "gateway proxy without a ready pod",
        "Routes lead through this gateway proxy, and none of its pods is ready. Its requests get no answer, or a 503 from the load balancer.",
        "Find the cause: kubectl describe pods. If the proxy is scaled to 0: kubectl scale.";
    AUTO_MTLS_ALONE = "GRS301" Warning "auto-mTLS without the integration",
        "Settings have enableAutoMtls without enableIntegration. Gloo then logs an error and uses mTLS for no Upstream.",
        "Set both with gloo-rs istio auto-mtls enable, or global.istioIntegration.enabled in the Helm values.";
    AUTO_MTLS_HARMS = "GRS302" Warning "an Upstream that auto-mTLS breaks",
        "This type of Upstream uses TLS without an sslConfig. Auto-mTLS overrides this and sends plaintext, because the destination has no sidecar.",
        "Exclude the Upstream: gloo-rs istio auto-mtls disable -u NAME.";
    SETTINGS_DIFFER = "GRS303" Warning "Settings differ from the Helm values",
        "A switch was changed in the cluster. The next upgrade of the release overwrites it.",
        "Set it in the values as well: gloo-rs upgrade-values.";
    INJECTION_LOST = "GRS304" Warning "the next Helm upgrade drops the sidecars",
        "The gateway has Istio's sidecars, but the values of its Helm release do not. The next upgrade overwrites the bootstrap without the cluster gateway_proxy_sds. Helm 4 uses server-side apply and stops the upgrade with a conflict instead.",
        "Set them in the values: gloo-rs upgrade-values.";
    HOOKS_HANG = "GRS305" Warning "hook jobs in a labelled namespace",
        "Istio's injector is on in the namespace of the Helm release. The chart's hook jobs get a sidecar that never ends, so the upgrade hangs.",
        "Remove the label. The gateway's sidecars do not come from the injector.";
    TWO_LABELS = "GRS401" Warning "two injection labels",
        "The namespace has both istio-injection and istio.io/rev. istio-injection takes effect, and the revision in istio.io/rev is not used.",
        "Remove the wrong label: kubectl label namespace NAME istio-injection-";
    DEAD_LABEL = "GRS402" Warning "injection label without an istiod",
        "The namespace is labelled with a revision or tag that no istiod and no webhook has. New pods get no sidecar.",
        "Use a revision or tag that exists: gloo-rs istio revisions lists them.";
    STALE_PODS = "GRS403" Warning "pods older than the injection label",
        "Pods have no sidecar, or the sidecar of another revision than their namespace is bound to. Istio adds sidecars only when pods are created.",
        "Restart them: kubectl rollout restart deployments -n NAMESPACE";
    SHADOWED_POLICY = "GRS404" Warning "PeerAuthentication without effect",
        "Two policies apply to the same pods at the same level. Istio uses only the older one, and the newer one has no effect.",
        "Merge them into one, or delete the wrong one.";
    APP_ISTIOD_NOT_READY = "GRS405" Error "istiod of applications is not ready",
        "No pod of this istiod is ready, and namespaces are bound to it, or pods have its sidecars. New pods get no sidecar, or are not created. Running sidecars cannot renew their certificate, and lose it within a day.",
        "Find the cause: kubectl describe pods -l app=istiod,istio.io/rev=REVISION, in istiod's namespace. If it is scaled to 0: kubectl scale deployment.";
    OPTED_OUT_UNDER_STRICT = "GRS406" Warning "pods without a sidecar under a STRICT policy",
        "Pods opted out of injection (sidecar.istio.io/inject: false) in a namespace that gets sidecars, and a STRICT PeerAuthentication applies to them. Without a sidecar nothing enforces it: they accept plaintext from any client. Pods in the mesh that are STRICT reject their requests.",
        "Remove the label or annotation from the pod template and restart the workload. If the pods are to stay without a sidecar, say so with --suppress.";
    PORT_OF_SERVICE = "GRS407" Warning "portLevelMtls with a port of a Service",
        "The keys of portLevelMtls are ports of the pods. This policy names the port of a Service that leads to another port of the pods, so the mode has no effect.",
        "Use the targetPort of the Service as the key.";
    IGNORED_PART = "GRS408" Warning "part of a PeerAuthentication that Istio ignores",
        "Istio reads portLevelMtls only in a policy with a selector, and in the root namespace only a policy without one. The rest of the object is ignored without a message.",
        "Give the policy a selector, or move it to the namespace of the workloads.";
    INVALID_MODE = "GRS409" Error "PeerAuthentication that the API server refuses",
        "A mode is none of STRICT, PERMISSIVE, DISABLE and UNSET (all in capital letters), or a key of portLevelMtls is not a port. kubectl apply fails.",
        "Correct the value in the file.";
    PODS_PREVENTED = "GRS410" Error "pods that the injector's webhook prevents",
        "The API server asks the webhook of Istio's injector before it creates a pod in this namespace. At the last try the webhook failed, so no pod was created. Running pods are not affected, but a pod that ends is not replaced. Only pods of Deployments are looked at.",
        "Start the istiod that the webhook calls: gloo-rs istio revisions lists them. Without it, pods are created only if the namespace is not labelled for injection: gloo-rs istio unenroll NAMESPACE.";
    REJECTED = "GRS501" Error "rejected by Gloo",
        "Gloo rejected the object. It serves the previous version, or nothing.",
        "Fix what the reason names.";
    WARNED = "GRS502" Warning "accepted by Gloo with warnings",
        "Gloo accepted the object, but something in it does not work.",
        "Fix what the reason names.";
    UNSEEN = "GRS503" Warning "not processed by Gloo",
        "The object has no status from Gloo, so Gloo does not serve it. The controller is not running, does not watch the namespace, or has not processed the object yet.",
        "Check that gloo runs, and which namespaces it watches (Settings, spec.watchNamespaces).";
    DANGLING_ROUTE = "GRS504" Error "route to a missing destination",
        "The route leads to an Upstream or Service that does not exist. Requests get 500s or 503s.",
        "Correct the name or the namespace. Discovered Upstreams are named NAMESPACE-SERVICE-PORT.";
    DANGLING_REFERENCE = "GRS505" Error "reference to a missing object",
        "The object refers to another object that does not exist. Gloo rejects it, or ignores this part.",
        "Correct the name or the namespace, or create the missing object.";
    CIRCLE = "GRS506" Error "delegation loop",
        "A RouteTable delegates to another one that leads back to it. Gloo serves no route of this loop.",
        "Remove one of the delegations.";
    UNKNOWN_FIELD = "GRS507" Warning "fields that the CRD does not have",
        "The object has fields that its CRD in Gloo 1.17 to 1.22 does not have, such as the names in snake case of old documentation. kubectl apply rejects the object. For clients that do not ask for strict validation, the API server drops the fields without an error. The fields have no effect.",
        "Use the names that the CRD has: kubectl explain upstreams.gloo.solo.io.spec. gloo-rs istio enable-mtls corrects the names in an sslConfig of Istio.";
    CERTIFICATE_FILES = "GRS508" Warning "Istio's certificates from files",
        "The Upstream's sslConfig names the files to which istio-proxy writes the gateway's mesh certificate. Envoy reads these files only when it gets the configuration. A certificate of istiod lives 24 hours, and after that requests get 503s until the gateway restarts.",
        "Get the certificates by SDS, which renews them: gloo-rs istio enable-mtls.";
    LEFT_OUT = "GRS509" Error "route that Gloo leaves out",
        "The route does not fit the route that delegates to it, or has no action. Gloo does not serve it. A delegated route must begin with its parent's prefix and have its parent's headers, query parameters and methods.",
        "Change the matcher of the route, or the matcher of the route that delegates to it.";
    SHARED_DOMAIN = "GRS510" Error "domain of several VirtualServices",
        "Several VirtualServices of one listener have the same domain. Gloo rejects all of them, and keeps the routes that it served before.",
        "Join them into one VirtualService that delegates to RouteTables, or remove the domain from all but one.";
    NOT_INSTALLED = "GRS601" Error "Gloo is not installed",
        "The namespace has no Deployment.",
        "Set the right namespace with --gloo-namespace, or install Gloo.";
    DEPLOYMENT = "GRS602" Error "Deployment not available",
        "A Deployment in Gloo's namespace has too few pods, or its rollout makes no progress.",
        "kubectl describe deployment NAME";
    POD = "GRS603" Error "pod not ready",
        "A pod in Gloo's namespace is not scheduled, not initialized or not ready.",
        "kubectl describe pod NAME";
    NO_PODS = "GRS604" Warning "no Gloo pods",
        "The selector matches no pod in Gloo's namespace.",
        "Use other labels with --pod-selector.";
    NO_SETTINGS = "GRS605" Error "no Settings",
        "The Settings named default do not exist in Gloo's namespace, so Gloo's controllers do not start.",
        "Set the right namespace with --gloo-namespace, or create the Settings with Helm.";
    NO_GATEWAY = "GRS606" Warning "no running gateway proxy",
        "No Deployment or DaemonSet of a gateway proxy has replicas, so nothing serves the configuration.",
        "kubectl scale deployment gateway-proxy --replicas=1, or set the right namespace with --gloo-namespace.";
    XDS_OUT_OF_SYNC = "GRS607" Error "configuration not applied by proxies",
        "Gloo Enterprise counts the resources that it serves (glooe_solo_io_xds_total_entities) and that proxies have applied (glooe_solo_io_xds_insync). The two numbers differ.",
        "Find what is rejected: gloo-rs proxy served-config, and GRS214.";
    RATE_LIMIT_DISCONNECTED = "GRS608" Error "rate limit server not connected to Gloo",
        "glooe_ratelimit_connected_state is 0. The rate limit server keeps its last configuration and gets no changes.",
        "Check that gloo runs, and read the logs of the Deployment rate-limit.";
    GATEWAY_CLASS = "GRS701" Error "GatewayClass not accepted",
        "Gloo's GatewayClass is missing or not accepted, so Gloo serves no Gateway of the Kubernetes Gateway API.",
        "Read the conditions: kubectl describe gatewayclass gloo-gateway";
    KUBE_GATEWAY = "GRS702" Error "Gateway not accepted or not programmed",
        "Gloo does not serve a Gateway of its class, or a listener of it, as configured.",
        "Read the conditions: kubectl describe gateway NAME";
    HTTP_ROUTE = "GRS703" Error "HTTPRoute not accepted",
        "Gloo did not accept the route at its parent, or a reference in it does not resolve.",
        "Read the conditions: kubectl describe httproute NAME";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_in_order_and_never_one_that_is_retired() {
        let ids: Vec<_> = ALL.iter().map(|code| code.id).collect();
        let sorted: BTreeSet<_> = ids.iter().copied().collect();
        assert!(ids.iter().copied().eq(sorted.iter().copied()), "{ids:?}");
        assert!(RETIRED.iter().all(|id| !sorted.contains(id)));
        assert!(ids.iter().all(|id| id.len() == 6 && id.starts_with("GRS")));
    }

    #[test]
    fn every_code_says_what_it_means_and_what_to_do() {
        for code in ALL {
            assert!(!code.title.is_empty() && !code.title.ends_with('.'), "{}", code.id);
            assert!(code.meaning.ends_with('.') && code.meaning.len() > 20, "{}", code.id);
            assert!(code.fix.len() > 10, "{}", code.id);
        }
        assert_eq!(named("grs101"), Some(&STRICT_PLAINTEXT));
        assert_eq!(named("GRS999"), None);
        assert!(BREAKS_LATER.iter().all(|id| named(id).is_some_and(|code| code.severity == Severity::Warning)));
    }
}
