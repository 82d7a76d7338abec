//! The two containers and seven volumes, as Gloo's chart renders them with `global.istioIntegration.enabled`.

use serde_json::{Value, json};

/// The container that serves Istio's certificates to Envoy.
pub(crate) const SDS: &str = "sds";
/// The container that gets the certificates from istiod.
pub(crate) const ISTIO_PROXY: &str = "istio-proxy";
/// The volume with which `istio-proxy` passes the certificates to `sds`.
pub(crate) const CERTIFICATES: &str = "istio-certs";
/// The mount path of the volume. The certificates are written to the same path without the last slash.
const CERTIFICATES_PATH: &str = "/etc/istio-certs/";
const OUTPUT_CERTS: &str = "/etc/istio-certs";
const SDS_PORT: u64 = 8234;
/// The user of Gloo's own containers.
pub(crate) const GLOO_USER: u64 = 10101;

/// The values of the `istio-proxy` container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProxyValues<'v> {
    pub image: &'v str,
    pub address: &'v str,
    pub mesh_id: &'v str,
    pub cluster_id: &'v str,
}

/// Returns the volumes, in the chart's order.
pub(crate) fn volumes() -> [Value; 7] {
    [
        json!({"name": CERTIFICATES, "emptyDir": {"medium": "Memory"}}),
        json!({"name": "istiod-ca-cert", "configMap": {"defaultMode": 420, "name": "istio-ca-root-cert"}}),
        json!({"name": "istio-envoy", "emptyDir": {"medium": "Memory"}}),
        json!({"name": "istio-token", "projected": {"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"audience": "istio-ca", "expirationSeconds": 43200, "path": "istio-token"}},
        ]}}),
        json!({"name": "credential-socket", "emptyDir": {}}),
        json!({"name": "workload-socket", "emptyDir": {}}),
        json!({"name": "workload-certs", "emptyDir": {}}),
    ]
}

/// Returns the mount of the certificates, for both containers.
pub(crate) fn certificates_mount() -> Value {
    json!({"mountPath": CERTIFICATES_PATH, "name": CERTIFICATES})
}

/// Returns the container `sds`. `bootstrap_volume` is the volume with Envoy's bootstrap.
pub(crate) fn sds(image: &str, bootstrap_volume: Option<&str>) -> Value {
    let mut mounts = vec![certificates_mount()];
    mounts.extend(bootstrap_volume.map(|name| json!({"mountPath": "/etc/envoy", "name": name})));
    json!({
        "name": SDS,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "env": [
            from_field("POD_NAME", "metadata.name"),
            from_field("POD_NAMESPACE", "metadata.namespace"),
            sds_enabled(),
            {"name": "LOG_LEVEL", "value": "info"},
            {"name": "START_STATS_SERVER", "value": "true"},
        ],
        "volumeMounts": mounts,
        "ports": [{"containerPort": SDS_PORT, "name": SDS, "protocol": "TCP"}],
        "readinessProbe": {
            "failureThreshold": 3,
            "initialDelaySeconds": 3,
            "periodSeconds": 10,
            "tcpSocket": {"port": SDS_PORT},
        },
    })
}

/// Returns the variable that makes `sds` serve Istio's certificates.
pub(crate) fn sds_enabled() -> Value {
    json!({"name": "ISTIO_MTLS_SDS_ENABLED", "value": "true"})
}

/// Returns the container `istio-proxy`.
pub(crate) fn istio_proxy(values: &ProxyValues) -> Value {
    json!({
        "name": ISTIO_PROXY,
        "image": values.image,
        "imagePullPolicy": "IfNotPresent",
        "args": [
            "proxy", "sidecar",
            "--domain", "$(POD_NAMESPACE).svc.cluster.local",
            "--configPath", "/etc/istio/proxy",
            "--serviceCluster", "istio-proxy-prometheus",
            "--drainDuration", "45s",
            "--parentShutdownDuration", "1m0s",
            "--proxyLogLevel=warning",
            "--proxyComponentLogLevel=misc:error",
            "--connectTimeout", "10s",
            "--controlPlaneAuthPolicy", "NONE",
            "--dnsRefreshRate", "300s",
            "--controlPlaneBootstrap=false",
        ],
        "env": [
            output_certs(),
            {"name": "JWT_POLICY", "value": "third-party-jwt"},
            {"name": "PILOT_CERT_PROVIDER", "value": "istiod"},
            {"name": "CA_ADDR", "value": values.address},
            {"name": "ISTIO_META_MESH_ID", "value": values.mesh_id},
            {"name": "ISTIO_META_CLUSTER_ID", "value": values.cluster_id},
            {"name": "PROXY_CONFIG", "value": proxy_config(None, values.address)},
            from_field("POD_NAME", "metadata.name"),
            from_field("POD_NAMESPACE", "metadata.namespace"),
            from_field("INSTANCE_IP", "status.podIP"),
            from_field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
            from_field("HOST_IP", "status.hostIP"),
            from_v1_field("ISTIO_META_POD_NAME", "metadata.name"),
            from_v1_field("ISTIO_META_CONFIG_NAMESPACE", "metadata.namespace"),
            disable_envoy(),
        ],
        "volumeMounts": [
            {"mountPath": "/var/run/secrets/istio", "name": "istiod-ca-cert"},
            {"mountPath": "/etc/istio/proxy", "name": "istio-envoy"},
            certificates_mount(),
            {"mountPath": "/var/run/secrets/tokens", "name": "istio-token"},
            {"mountPath": "/var/run/secrets/credential-uds", "name": "credential-socket"},
            {"mountPath": "/var/run/secrets/workload-spiffe-uds", "name": "workload-socket"},
            {"mountPath": "/var/run/secrets/workload-spiffe-credentials", "name": "workload-certs"},
        ],
    })
}

/// Returns the variable with the path to which `istio-proxy` writes the certificates.
pub(crate) fn output_certs() -> Value {
    json!({"name": "OUTPUT_CERTS", "value": OUTPUT_CERTS})
}

/// Returns the variable that stops `istio-proxy` from starting its own Envoy. It is needed only for the certificates.
pub(crate) fn disable_envoy() -> Value {
    json!({"name": "DISABLE_ENVOY", "value": "true"})
}

/// Returns `PROXY_CONFIG` with this address, as JSON. Its other members are kept.
pub(crate) fn proxy_config(before: Option<&Value>, address: &str) -> String {
    let mut config = before.and_then(Value::as_object).cloned().unwrap_or_default();
    config.insert("discoveryAddress".to_owned(), Value::from(address));
    Value::Object(config).to_string()
}

/// Returns the security context that a namespace with the `restricted` Pod Security Standard admits.
pub(crate) fn restricted(user: u64) -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": true,
        "runAsUser": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}

fn from_field(name: &str, path: &str) -> Value {
    json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}})
}

fn from_v1_field(name: &str, path: &str) -> Value {
    json!({"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}})
}
