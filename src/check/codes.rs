//! Every code there is: what it means and what to do. `docs/findings.md` and `check --explain` come from here.
//!
//! A code that is no longer found goes to [`RETIRED`] and never means anything else.

use super::Severity;

/// What is found.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// `GRS101`
    pub id: &'static str,
    pub severity: Severity,
    pub title: &'static str,
    /// What it means, in whole sentences.
    pub meaning: &'static str,
    /// What to do.
    pub mend: &'static str,
}

impl Code {
    /// Where the docs have it.
    #[must_use]
    pub fn anchor(&self) -> String {
        format!("docs/findings.md#{}", self.id.to_lowercase())
    }
}

/// Codes that were found once: never used again.
pub(crate) const RETIRED: &[&str] = &[];

/// The code of this name.
#[must_use]
pub(crate) fn named(id: &str) -> Option<&'static Code> {
    ALL.iter().find(|code| code.id.eq_ignore_ascii_case(id)).copied()
}

macro_rules! codes {
    ($($name:ident = $id:literal $severity:ident $title:literal, $meaning:literal, $mend:literal;)*) => {
        $(
            #[doc = concat!("`", $id, "`: ", $title, ".")]
            pub(crate) static $name: Code = Code {
                id: $id,
                severity: Severity::$severity,
                title: $title,
                meaning: $meaning,
                mend: $mend,
            };
        )*
        /// Every code, in order.
        pub const ALL: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    STRICT_PLAINTEXT = "GRS101" Error "plaintext to a strict peer",
        "A pod behind the destination takes mutual TLS alone, and the gateway sends plaintext. Requests are answered with 503.",
        "Make the Upstream speak mTLS (gloo-rs istio enable-mtls), turn auto-mTLS on for all (gloo-rs istio auto-mtls enable), or make the PeerAuthentication PERMISSIVE.";
    TLS_WITHOUT_SIDECAR = "GRS102" Error "Istio TLS to pods without sidecar",
        "The Upstream's sslConfig demands Istio's TLS from every pod behind it, and a pod has no sidecar that would answer. Requests that reach it are answered with 503.",
        "Bring the pods into the mesh (label their namespace, restart them), or take the sslConfig away (gloo-rs istio disable-mtls) and let auto-mTLS decide pod by pod.";
    TLS_WITHOUT_SDS = "GRS103" Error "Istio TLS, and no SDS at the gateway",
        "The object takes its certificates from the cluster gateway_proxy_sds, and a gateway proxy has neither that cluster nor the sidecars behind it. That gateway refuses the configuration, or has no certificate to show.",
        "Put the sidecars in: gloo-rs upgrade-values where Helm installed Gloo, else gloo-rs istio inject.";
    NO_SERVICE = "GRS104" Warning "Upstream without its Service",
        "The Upstream names a Kubernetes Service, or a port of one, that is not there, so nothing answers behind it.",
        "Correct spec.kube, or delete the Upstream if the Service is gone for good.";
    TLS_TO_DISABLED_PEER = "GRS105" Error "Istio TLS to a peer that takes plaintext alone",
        "The gateway sends Istio's TLS, by the Upstream's sslConfig or by auto-mTLS, and a PeerAuthentication DISABLEs it for the pods behind it: their sidecar takes no TLS. Requests are answered with 503.",
        "Make the PeerAuthentication PERMISSIVE or STRICT, or send plaintext: gloo-rs istio disable-mtls, gloo-rs istio auto-mtls disable -u NAME.";
    NOBODY_BEHIND = "GRS106" Warning "nobody behind the destination",
        "The Service has no pod that takes requests. Requests are answered with 503, no healthy upstream.",
        "Scale it up, or correct the Service's selector; if the app is gone for good, delete what leads there.";
    TLS_WITHOUT_ALPN = "GRS107" Error "Istio TLS that a PERMISSIVE peer does not know",
        "A sidecar that takes plaintext as well knows the mesh's TLS by its ALPN, and the Upstream's sslConfig has none of Istio's names in alpnProtocols. The sidecar takes it for TLS of the application's own. Requests are answered with 503.",
        "Add alpnProtocols: [istio] to the sslConfig; gloo-rs istio enable-mtls does where there are none.";
    OWN_TLS_REFUSED = "GRS108" Error "TLS that the peer's sidecar does not take",
        "The gateway sends TLS that is not Istio's to pods with a sidecar. A STRICT sidecar demands a certificate of the mesh and is shown none, or the Service's port is declared HTTP, where a sidecar takes no TLS but the mesh's. Requests are answered with 503.",
        "Replace the sslConfig by Istio's (gloo-rs istio enable-mtls --overwrite), or declare the port https if the application itself speaks TLS.";
    OWN_CERTIFICATE = "GRS109" Warning "a certificate of its own for a strict peer",
        "A sidecar behind the destination demands a certificate of the mesh, and the Upstream's sslConfig shows one that is not Istio's. Unless the mesh's root signed it, requests are answered with 503.",
        "Replace the sslConfig by Istio's: gloo-rs istio enable-mtls --overwrite.";
    CLUSTER_WITHOUT_SIDECARS = "GRS201" Error "SDS cluster without sidecars",
        "The gateway's bootstrap has the cluster gateway_proxy_sds, and its pods have neither sds nor istio-proxy to serve it. Envoy waits for certificates that do not come.",
        "Complete it with gloo-rs istio inject, or take the rest away with gloo-rs istio uninject.";
    SIDECARS_WITHOUT_CLUSTER = "GRS202" Error "sidecars without SDS cluster",
        "The gateway's pods have sds and istio-proxy, and its bootstrap lacks the cluster gateway_proxy_sds. Envoy refuses what points at it; a Helm upgrade after an injection by hand leaves this behind.",
        "Complete it with gloo-rs istio inject, or with gloo-rs upgrade-values where Helm owns the gateway.";
    ONE_SIDECAR = "GRS203" Error "one sidecar of two",
        "The gateway's pods have one of sds and istio-proxy, and not the other: certificates are fetched and not served, or served and never fetched.",
        "Complete it with gloo-rs istio inject, or take the rest away with gloo-rs istio uninject.";
    INCOMPLETE_SIDECARS = "GRS204" Warning "sidecars lack a part",
        "Both sidecars and the cluster are there, and a variable, mount or volume that they need is not.",
        "gloo-rs istio inject adds what is missing and changes nothing else.";
    PODS_OLDER_THAN_BOOTSTRAP = "GRS205" Warning "gateway pods older than their bootstrap",
        "Envoy reads its bootstrap once, when it starts. These pods started before it was written last, so they may run without the cluster gateway_proxy_sds.",
        "Restart the gateway: kubectl rollout restart, or gloo-rs istio inject.";
    SIDECAR_IMAGE = "GRS206" Warning "sidecar of another version than istiod",
        "The gateway's istio-proxy is not of the version of the istiod that it talks to. Istio supports a proxy that is at most two minor versions older than its istiod, and none that is newer.",
        "gloo-rs upgrade-values sets the image where Helm owns the gateway; gloo-rs istio inject --revision REVISION where it does not.";
    NO_SUCH_ISTIOD = "GRS207" Error "discovery address that no istiod has",
        "The gateway's istio-proxy fetches its certificate from an address inside the cluster that no istiod has. Pods that start now do not become ready, and the others keep their certificate until it expires, within a day.",
        "Move the gateway to a revision that is there: gloo-rs istio inject --revision REVISION, or gloo-rs upgrade-values.";
    ISTIOD_NOT_READY = "GRS208" Error "the gateway's istiod is not ready",
        "No pod is ready of the istiod from which the gateway's istio-proxy fetches its certificate. Pods that start now do not become ready, and the others cannot renew theirs.",
        "See why: kubectl describe pods -l app=istiod, in its namespace.";
    SDS_EXPOSED = "GRS209" Warning "SDS reachable from other pods",
        "The sds container serves the gateway's mesh certificate with its private key on port 8234, on all addresses of the pod and to whoever asks (Gloo's default, SDS_SERVER_ADDRESS 0.0.0.0:8234). No NetworkPolicy keeps other pods from that port. Whether the cluster's network plugin enforces NetworkPolicies is not known here.",
        "Add a NetworkPolicy for the gateway's pods that admits its listener ports and not 8234. Binding SDS to 127.0.0.1 fails the readiness probe of the chart.";
    CERTIFICATE_EXPIRED = "GRS210" Error "the gateway's mesh certificate has expired",
        "Meshed pods refuse the certificate that the gateway shows.",
        "See why it is not renewed: the logs of istio-proxy, and GRS207 and GRS208.";
    CERTIFICATE_NEAR_END = "GRS211" Warning "the gateway's mesh certificate ends soon",
        "Less than an hour is left. istio-proxy renews it halfway through its life, so something keeps it from doing so.",
        "See why it is not renewed: the logs of istio-proxy, and GRS207 and GRS208.";
    CERTIFICATE_ROOT = "GRS212" Error "the gateway's mesh certificate is of another root",
        "The gateway trusts a root that is not the one istiod hands out (ConfigMap istio-ca-root-cert): meshed pods and the gateway refuse each other.",
        "Restart the gateway, so that it fetches both anew: kubectl rollout restart.";
    ENVOY_DISCONNECTED = "GRS213" Error "gateway proxy not connected to Gloo",
        "Envoy's stream to Gloo is down (control_plane.connected_state is not 1). The proxy goes on with what it had, and takes no change.",
        "See whether gloo runs and is reachable from the gateway, and the gateway's logs.";
    ENVOY_REFUSES = "GRS214" Error "gateway proxy refuses its configuration",
        "Envoy rejects what Gloo sends: a listener's last update was refused, or a counter update_rejected or update_failure grew while it was looked at. The proxy goes on with what it had.",
        "Mend what the reason names; GRS501 says which object it comes from, where Gloo knows.";
    AUTO_MTLS_ALONE = "GRS301" Warning "auto-mTLS without the integration",
        "Settings have enableAutoMtls without enableIntegration. Gloo then logs an error and gives no Upstream mTLS.",
        "gloo-rs istio auto-mtls enable sets both; in Helm values global.istioIntegration.enabled.";
    AUTO_MTLS_HARMS = "GRS302" Warning "an Upstream that auto-mTLS harms",
        "Auto-mTLS sends plaintext to what has no sidecar, and does so before the TLS that this type of Upstream brings without an sslConfig.",
        "Leave the Upstream out: gloo-rs istio auto-mtls disable -u NAME.";
    SETTINGS_DIFFER = "GRS303" Warning "Settings are not what the Helm values say",
        "A switch was changed in the cluster. The next upgrade of the release writes it anew.",
        "Put it into the values as well: gloo-rs upgrade-values.";
    INJECTION_LOST = "GRS304" Warning "the next Helm upgrade drops the sidecars",
        "The gateway has Istio's sidecars, and the values of the Helm release that owns it do not. The next upgrade writes the bootstrap anew, without the cluster gateway_proxy_sds. Helm 4, which applies on the server, refuses the upgrade as a conflict instead.",
        "Put it into the values: gloo-rs upgrade-values.";
    HOOKS_HANG = "GRS305" Warning "hook jobs in a labelled namespace",
        "Istio's injector is on in the namespace of the Helm release. The chart's hook jobs get a sidecar that does not end, and so the upgrade hangs.",
        "Take the label off; the gateway's sidecars do not come from the injector.";
    TWO_LABELS = "GRS401" Warning "two injection labels",
        "The namespace has istio-injection and istio.io/rev. istio-injection decides, and the revision that the other names is not used.",
        "Take the one off that is not meant: kubectl label namespace NAME istio-injection-";
    DEAD_LABEL = "GRS402" Warning "a label that no istiod answers",
        "The namespace is labelled for a revision or tag that neither an istiod nor a webhook has. Pods that start there get no sidecar.",
        "Label it with one that is there: gloo-rs istio revisions lists them.";
    STALE_PODS = "GRS403" Warning "pods older than their label",
        "Pods run without a sidecar, or with one of another revision than the one their namespace is bound to. Pods are injected when they are made.",
        "Restart them: kubectl rollout restart deployments -n NAMESPACE";
    SHADOWED_POLICY = "GRS404" Warning "a PeerAuthentication that another shadows",
        "Two policies are for the same pods at the same level, and Istio reads the older alone. What the newer says has no effect.",
        "Merge them into one, or delete the one that is not meant.";
    REJECTED = "GRS501" Error "rejected by Gloo",
        "Gloo refused the object and serves what it had before, or nothing.",
        "Mend what the reason names.";
    WARNED = "GRS502" Warning "accepted by Gloo with warnings",
        "Gloo took the object, and something in it does not work.",
        "Mend what the reason names.";
    UNSEEN = "GRS503" Warning "not taken up by Gloo",
        "No Gloo has written a status to the object, so none serves it: the controller is not running, does not watch its namespace, or has not come to it yet.",
        "See whether gloo runs, and which namespaces it watches (Settings, spec.watchNamespaces).";
    DANGLING_ROUTE = "GRS504" Error "a route to what is not there",
        "The route leads to an Upstream or Service that does not exist. Requests are answered with 500 or 503.",
        "Correct the name or the namespace; of discovered Upstreams it is NAMESPACE-SERVICE-PORT.";
    DANGLING_REFERENCE = "GRS505" Error "a reference to what is not there",
        "The object refers to another that does not exist. Gloo rejects it, or leaves the part out.",
        "Correct the name or the namespace, or create what is missing.";
    CIRCLE = "GRS506" Error "delegation in a circle",
        "A RouteTable delegates to one that leads back to it. Gloo takes no route of the circle.",
        "Take one of the delegations out.";
    NOT_INSTALLED = "GRS601" Error "Gloo is not installed",
        "The namespace has no Deployment.",
        "--gloo-namespace says where Gloo is.";
    DEPLOYMENT = "GRS602" Error "a Deployment that is not available",
        "A Deployment in Gloo's namespace has too few pods, or does not get on with its rollout.",
        "kubectl describe deployment NAME";
    POD = "GRS603" Error "a pod that is not ready",
        "A pod in Gloo's namespace is not scheduled, not initialized or not ready.",
        "kubectl describe pod NAME";
    NO_PODS = "GRS604" Warning "no pods of Gloo",
        "The selector finds no pod in Gloo's namespace.",
        "--pod-selector takes other labels.";
    NO_SETTINGS = "GRS605" Error "no Settings",
        "Gloo's Settings default are not in its namespace, so its controllers do not start.",
        "--gloo-namespace says where Gloo is; Helm makes the Settings.";
    NO_GATEWAY = "GRS606" Warning "no gateway proxy that runs",
        "No Deployment or DaemonSet of a gateway proxy wants a pod, so nothing serves what is configured.",
        "kubectl scale deployment gateway-proxy --replicas=1, or look for it with --gloo-namespace.";
    XDS_OUT_OF_SYNC = "GRS607" Error "configuration that proxies have not taken",
        "Gloo Enterprise counts resources that it serves (glooe_solo_io_xds_total_entities) and that proxies have taken (glooe_solo_io_xds_insync), and the two differ.",
        "See what is refused: gloo-rs proxy served-config, and GRS214.";
    RATE_LIMIT_DISCONNECTED = "GRS608" Error "rate limit server not connected to Gloo",
        "glooe_ratelimit_connected_state is 0: the rate limit server goes on with what it had, and takes no change.",
        "See whether gloo runs, and the logs of the Deployment rate-limit.";
    GATEWAY_CLASS = "GRS701" Error "GatewayClass not accepted",
        "Gloo's GatewayClass is missing or not accepted, so no Gateway of the Kubernetes Gateway API is served.",
        "See the conditions: kubectl describe gatewayclass gloo-gateway";
    KUBE_GATEWAY = "GRS702" Error "Gateway not accepted or not programmed",
        "A Gateway of Gloo's class, or one of its listeners, is not served as it is written.",
        "See the conditions: kubectl describe gateway NAME";
    HTTP_ROUTE = "GRS703" Error "HTTPRoute not accepted",
        "Gloo did not accept the route at its parent, or a reference in it leads nowhere.",
        "See the conditions: kubectl describe httproute NAME";
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
            assert!(code.mend.len() > 10, "{}", code.id);
        }
        assert_eq!(named("grs101"), Some(&STRICT_PLAINTEXT));
        assert_eq!(named("GRS999"), None);
    }
}
