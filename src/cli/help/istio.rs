//! After the help of the commands of `istio`.

/// After `istio enable-mtls --help`.
pub(crate) const ENABLE_MTLS: &str = "\
Examples:
  # one Upstream, in the cluster
  gloo-rs istio enable-mtls --upstream default-httpbin-8000

  # the same, and wait until Gloo serves it to every proxy
  gloo-rs istio enable-mtls --upstream default-httpbin-8000 --wait

  # show the change for all Upstreams that can use it, in all namespaces
  gloo-rs istio enable-mtls --all -A --diff

  # a tenth at a time; roll a batch back if more requests fail
  gloo-rs istio enable-mtls --all -A --batch 10% --yes

  # a manifest, without a cluster
  gloo-rs istio enable-mtls -u default-httpbin-8000 -f upstreams.yaml --write";

/// After `istio disable-mtls --help`.
pub(crate) const DISABLE_MTLS: &str = "\
Examples:
  # one Upstream, in the cluster
  gloo-rs istio disable-mtls --upstream default-httpbin-8000

  # the Upstreams with a label, in a manifest
  gloo-rs istio disable-mtls -l team=shop -f upstreams.yaml --check";

/// After `istio inject --help`.
pub(crate) const INJECT: &str = "\
Examples:
  # with certificates from one of several istiods
  gloo-rs istio inject --revision 1-28

  # show what would change
  gloo-rs istio inject --revision 1-28 --diff

  # a Gateway of the Kubernetes Gateway API
  gloo-rs istio inject --gateway http --revision 1-28

  # rendered charts, without a cluster
  gloo-rs istio inject -f gateway.yaml -f istiod.yaml";

/// After `istio uninject --help`.
pub(crate) const UNINJECT: &str = "\
Examples:
  gloo-rs istio uninject
  gloo-rs istio uninject --include-upstreams --yes

  # a Gateway of the Kubernetes Gateway API
  gloo-rs istio uninject --gateway http --yes";

/// After `istio setup --help`.
pub(crate) const SETUP: &str = "\
Examples:
  # show the steps and change nothing
  gloo-rs istio setup --namespace-to-enroll default \\
      --upstream default-httpbin-8000 --dry-run

  # without Helm; in the end the pods accept only mutual TLS
  gloo-rs istio setup --via inject --namespace-to-enroll default \\
      -u default-httpbin-8000 --strict --yes

  # watch the requests after each step, and roll back a step that breaks them
  gloo-rs istio setup --namespace-to-enroll default \\
      -u default-httpbin-8000 --strict --observe 1m --yes

  # without sidecars, in an ambient mesh
  gloo-rs istio setup --mesh ambient --namespace-to-enroll default \\
      -u default-httpbin-8000 --strict --yes

  # another gateway proxy, and the request to verify with
  gloo-rs istio setup --via inject --name edge-proxy \\
      -u default-httpbin-8000 --host shop.example --path /cart

  # a Gateway of the Gateway API whose routes lead to Services
  gloo-rs istio setup --gateway http --namespace-to-enroll shop \\
      --auto-mtls --host shop.example --path /cart --yes";

/// After `istio teardown --help`.
pub(crate) const TEARDOWN: &str = "\
Examples:
  gloo-rs istio teardown --dry-run
  gloo-rs istio teardown --yes";

/// After `istio auto-mtls enable --help`.
pub(crate) const AUTO_MTLS_ENABLE: &str = "\
Examples:
  gloo-rs istio auto-mtls enable --yes
  gloo-rs istio auto-mtls enable -u default-httpbin-8000
  gloo-rs istio auto-mtls enable -f settings.yaml --diff";

/// After `istio auto-mtls disable --help`.
pub(crate) const AUTO_MTLS_DISABLE: &str = "\
Examples:
  gloo-rs istio auto-mtls disable --yes
  gloo-rs istio auto-mtls disable -u aws-lambda,partner-static
  gloo-rs istio auto-mtls disable -u default-httpbin-8000 -f upstreams.yaml";

/// After `istio auto-mtls migrate --help`.
pub(crate) const AUTO_MTLS_MIGRATE: &str = "\
Examples:
  gloo-rs istio auto-mtls migrate --all --dry-run
  gloo-rs istio auto-mtls migrate -u default-httpbin-8000
  gloo-rs istio auto-mtls migrate -A --batch 10% --observe 2m --yes";

/// After `istio auto-mtls status --help`.
pub(crate) const AUTO_MTLS_STATUS: &str = "\
Examples:
  gloo-rs istio auto-mtls status
  gloo-rs istio auto-mtls status -f settings.yaml";

/// After `istio peer-auth strict --help`.
pub(crate) const PEER_AUTH_STRICT: &str = "\
Examples:
  gloo-rs istio peer-auth strict -n shop --yes
  gloo-rs istio peer-auth strict --mesh --diff
  gloo-rs istio peer-auth strict --workload app=cart -n shop --yes
  gloo-rs istio peer-auth strict -n shop -f policies.yaml";

/// After `istio peer-auth permissive --help`.
pub(crate) const PEER_AUTH_PERMISSIVE: &str = "\
Examples:
  gloo-rs istio peer-auth permissive -n shop
  gloo-rs istio peer-auth permissive --mesh --check";

/// After `istio peer-auth remove --help`.
pub(crate) const PEER_AUTH_REMOVE: &str = "\
Examples:
  gloo-rs istio peer-auth remove -n shop --yes
  gloo-rs istio peer-auth remove --mesh --dry-run";

/// After `istio peer-auth get --help`.
pub(crate) const PEER_AUTH_GET: &str = "\
Examples:
  gloo-rs istio peer-auth get
  gloo-rs istio peer-auth get -n shop
  gloo-rs istio peer-auth get --workload app=cart -n shop -o yaml";

/// After `istio revisions --help`.
pub(crate) const REVISIONS: &str = "\
Examples:
  gloo-rs istio revisions
  gloo-rs istio revisions -o wide
  # of several clusters: contexts of the kubeconfig
  gloo-rs istio revisions --contexts 'prod-*,stage'";

/// After `istio describe --help`.
pub(crate) const DESCRIBE: &str = "\
Examples:
  # which route a request takes, which pods answer it, and whether that works
  gloo-rs istio describe --host shop.example --path /cart

  gloo-rs istio describe upstream default-httpbin-8000
  gloo-rs istio describe upstreams -A --only plaintext,broken";

/// After `istio describe upstream --help`.
pub(crate) const DESCRIBE_UPSTREAM: &str = "\
Examples:
  gloo-rs istio describe upstream default-httpbin-8000
  gloo-rs istio describe upstream shop/cart --fail-on broken,plaintext";

/// After `istio describe upstreams --help`.
pub(crate) const DESCRIBE_UPSTREAMS: &str = "\
Examples:
  gloo-rs istio describe upstreams -A
  gloo-rs istio describe upstreams -A -o csv > audit.csv
  gloo-rs istio describe upstreams -l team=shop \\
      --fail-on plaintext,broken,unknown

  # fail only if a path is worse than it was
  gloo-rs istio describe upstreams -A --write-baseline paths.baseline
  gloo-rs istio describe upstreams -A --baseline paths.baseline";

/// After `istio enroll --help`.
pub(crate) const ENROLL: &str = "\
Examples:
  # with one of several istiods, by revision or tag
  gloo-rs istio enroll default --revision 1-28

  # after a tag moved: restart what still runs with another revision
  gloo-rs istio enroll shop orders --parallel 4

  # without sidecars, in the ambient mesh: the gateway first
  gloo-rs istio enroll --ambient gloo-system shop

  # show what would change; or edit manifests
  gloo-rs istio enroll shop --diff
  gloo-rs istio enroll shop --revision 1-28 -f namespace.yaml --write";

/// After `istio unenroll --help`.
pub(crate) const UNENROLL: &str = "\
Examples:
  gloo-rs istio unenroll default --yes
  gloo-rs istio unenroll shop -f namespace.yaml --diff";

/// After `istio verify --help`.
pub(crate) const VERIFY: &str = "\
Examples:
  # over a route to the Upstream; /headers of httpbin returns what it got
  gloo-rs istio verify --upstream default-httpbin-8000 --path /headers

  # a host and path, for any Upstream that they lead to
  gloo-rs istio verify --host shop.example --path /cart \\
      --port https --cacert ca.pem

  # each gateway pod, through the API server
  gloo-rs istio verify --upstream default-httpbin-8000 --all-pods

  # check that plaintext is refused
  gloo-rs istio verify --upstream default-httpbin-8000 --expect 503";
