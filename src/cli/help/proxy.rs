//! After the help of the commands of `proxy`.

/// After `proxy url --help`.
pub(crate) const URL: &str = "\
Examples:
  gloo-rs proxy url
  gloo-rs proxy url --name gateway-proxy --port https
  curl $(gloo-rs proxy url)/headers
  # a line for each context of the kubeconfig
  gloo-rs proxy url --all-contexts";

/// After `proxy address --help`.
pub(crate) const ADDRESS: &str = "\
Examples:
  gloo-rs proxy address
  gloo-rs proxy address --all --prefer ip
  gloo-rs proxy address --name gateway-proxy --local-cluster
  gloo-rs proxy address --gateway http --wait";

/// After `proxy dump --help`.
pub(crate) const DUMP: &str = "\
Examples:
  gloo-rs proxy dump > dump.json
  gloo-rs proxy dump clusters --upstream default/httpbin
  gloo-rs proxy dump routes --domain shop.example.com -o wide
  gloo-rs proxy dump listeners http -o yaml

  # a saved dump or snapshot, without a cluster
  gloo-rs proxy dump endpoints -f dump.json --port 8080";

/// After `proxy snapshot --help`.
pub(crate) const SNAPSHOT: &str = "\
Examples:
  gloo-rs proxy snapshot
  gloo-rs proxy snapshot --all-pods --output-file outage.zip";

/// After `proxy certs --help`.
pub(crate) const CERTS: &str = "\
Examples:
  gloo-rs proxy certs
  gloo-rs proxy certs --all-pods --fail-under 12h -o json";

/// After `proxy restart --help`.
pub(crate) const RESTART: &str = "\
Examples:
  gloo-rs proxy restart
  gloo-rs proxy restart deployment/gateway-proxy --dry-run";

/// After `proxy stats --help`.
pub(crate) const STATS: &str = "\
Examples:
  gloo-rs proxy stats
  gloo-rs proxy stats --used --filter 'cluster.*ssl'
  gloo-rs proxy stats --name daemonset/edge --all-pods --format prometheus";

/// After `proxy logs --help`.
pub(crate) const LOGS: &str = "\
Examples:
  gloo-rs proxy logs --since 10m
  gloo-rs proxy logs --follow --all-pods

  # 30 seconds of debug logs about connections and routing
  gloo-rs proxy logs --level connection:debug,router:debug --for 30s";

/// After `proxy served-config --help`.
pub(crate) const SERVED_CONFIG: &str = "\
Examples:
  gloo-rs proxy served-config
  gloo-rs proxy served-config clusters --upstream default-httpbin-8000 -o yaml
  gloo-rs proxy served-config --diff";
