//! After the help of the commands of `istio`.

/// After `istio enable-mtls --help`.
pub const ENABLE_MTLS: &str = "\
Examples:
  # one Upstream, in the cluster
  gloo-rs istio enable-mtls --upstream default-httpbin-8000

  # and wait until Gloo serves it so to every proxy
  gloo-rs istio enable-mtls --upstream default-httpbin-8000 --wait

  # all that can work, in all namespaces, and see the change first
  gloo-rs istio enable-mtls --all -A --diff

  # a manifest, without a cluster
  gloo-rs istio enable-mtls -u default-httpbin-8000 -f upstreams.yaml --write

Exit codes:
  0  done, or nothing to do     1  refused or failed, nothing changed there
  2  usage, or no --yes         3  --check would change something
  4  not found, not allowed     7  --wait: changed, not confirmed
  9  no answer                  130  interrupted";

/// After `istio disable-mtls --help`.
pub const DISABLE_MTLS: &str = "\
Examples:
  # one Upstream, in the cluster
  gloo-rs istio disable-mtls --upstream default-httpbin-8000

  # those with a label, asked of a manifest
  gloo-rs istio disable-mtls -l team=shop -f upstreams.yaml --check

Exit codes:
  0  done, or nothing to do     1  refused or failed, nothing changed there
  2  usage, or no --yes         3  --check would change something
  4  not found, not allowed     7  --wait: changed, not confirmed
  9  no answer                  130  interrupted";

/// After `istio inject --help`.
pub const INJECT: &str = "\
Examples:
  # beside the gateway, certificates from one of several istiods
  gloo-rs istio inject --revision 1-28

  # what would change
  gloo-rs istio inject --revision 1-28 --diff

  # rendered charts, without a cluster
  gloo-rs istio inject -f gateway.yaml -f istiod.yaml

Exit codes:
  0  injected, or already so    1  refused or failed, nothing changed
  2  usage, or no --yes         3  --check would change something
  4  not found, not allowed     5  failed and rolled back
  6  failed, not rolled back    7  applied, not confirmed
  9  no answer                  130  interrupted, and rolled back";

/// After `istio uninject --help`.
pub const UNINJECT: &str = "\
Examples:
  gloo-rs istio uninject
  gloo-rs istio uninject --include-upstreams --yes

Exit codes:
  0  gone, or already so        1  refused or failed, nothing changed
  2  usage, or no --yes         3  --check would change something
  4  not found, not allowed     5  failed and rolled back
  6  failed, not rolled back    7  applied, not confirmed
  9  no answer                  130  interrupted, and rolled back";

/// After `istio setup --help`.
pub const SETUP: &str = "\
Examples:
  # what it would do, step by step
  gloo-rs istio setup --namespace-to-enroll default --upstream default-httpbin-8000 --dry-run

  # without Helm, and pods take mutual TLS alone in the end
  gloo-rs istio setup --via inject --namespace-to-enroll default -u default-httpbin-8000 --strict --yes

  # another gateway proxy, and a request that its routes lead to the Upstream
  gloo-rs istio setup --via inject --name edge-proxy -u default-httpbin-8000 --host shop.example --path /cart

Exit codes:
  0  done, or nothing to do     1  refused or failed, nothing changed there
  2  usage, or no --yes         3  --check would change something
  4  not found, not allowed     5  failed and rolled back
  6  failed, not rolled back    7  applied, not confirmed
  9  no answer                  130  interrupted";

/// After `istio teardown --help`.
pub const TEARDOWN: &str = "\
Examples:
  gloo-rs istio teardown --dry-run
  gloo-rs istio teardown --yes

Exit codes:
  0  done, or nothing to do     1  refused or failed, nothing changed there
  2  usage, or no --yes         3  --check would change something
  4  not found, not allowed     5  failed and rolled back
  6  failed, not rolled back    7  applied, not confirmed
  9  no answer                  130  interrupted";

/// After `istio auto-mtls enable --help`.
pub const AUTO_MTLS_ENABLE: &str = "\
Examples:
  gloo-rs istio auto-mtls enable --yes
  gloo-rs istio auto-mtls enable -u default-httpbin-8000
  gloo-rs istio auto-mtls enable -f settings.yaml --diff

Exit codes:
  0  done, or nothing to do     1  refused or failed, nothing changed
  2  usage, or no --yes         3  --check would change something
  4  not found, not allowed     9  no answer from the API server
  130  interrupted";

/// After `istio auto-mtls disable --help`.
pub const AUTO_MTLS_DISABLE: &str = "\
Examples:
  gloo-rs istio auto-mtls disable --yes
  gloo-rs istio auto-mtls disable -u aws-lambda,partner-static
  gloo-rs istio auto-mtls disable -u default-httpbin-8000 -f upstreams.yaml

Exit codes:
  0  done, or nothing to do     1  refused or failed, nothing changed
  2  usage, or no --yes         3  --check would change something
  4  not found, not allowed     9  no answer from the API server
  130  interrupted";

/// After `istio auto-mtls status --help`.
pub const AUTO_MTLS_STATUS: &str = "\
Examples:
  gloo-rs istio auto-mtls status
  gloo-rs istio auto-mtls status -f settings.yaml

Exit codes:
  0  printed                    2  usage
  4  not found, not allowed     9  no answer from the API server";

/// After `istio peer-auth strict --help`.
pub const PEER_AUTH_STRICT: &str = "\
Examples:
  gloo-rs istio peer-auth strict -n shop --yes
  gloo-rs istio peer-auth strict --mesh --diff
  gloo-rs istio peer-auth strict --workload app=cart -n shop --yes
  gloo-rs istio peer-auth strict -n shop -f policies.yaml

Exit codes:
  0  done, or nothing to do     1  refused or failed, nothing changed
  2  usage, or no --yes         3  --check would change something
  4  not found, not allowed     9  no answer from the API server
  130  interrupted";

/// After `istio peer-auth permissive --help`.
pub const PEER_AUTH_PERMISSIVE: &str = "\
Examples:
  gloo-rs istio peer-auth permissive -n shop
  gloo-rs istio peer-auth permissive --mesh --check

Exit codes:
  0  done, or nothing to do     1  refused or failed, nothing changed
  2  usage, or no --yes         3  --check would change something
  4  not found, not allowed     9  no answer from the API server
  130  interrupted";

/// After `istio peer-auth remove --help`.
pub const PEER_AUTH_REMOVE: &str = "\
Examples:
  gloo-rs istio peer-auth remove -n shop --yes
  gloo-rs istio peer-auth remove --mesh --dry-run

Exit codes:
  0  done, or nothing to do     1  refused or failed, nothing changed
  2  usage, or no --yes         3  --check would change something
  4  not found, not allowed     9  no answer from the API server
  130  interrupted";

/// After `istio peer-auth get --help`.
pub const PEER_AUTH_GET: &str = "\
Examples:
  gloo-rs istio peer-auth get
  gloo-rs istio peer-auth get -n shop
  gloo-rs istio peer-auth get --workload app=cart -n shop -o yaml

Exit codes:
  0  printed                    2  usage
  4  not found, not allowed     9  no answer from the API server";

/// After `istio revisions --help`.
pub const REVISIONS: &str = "\
Examples:
  gloo-rs istio revisions
  gloo-rs istio revisions -o wide

Exit codes:
  0  printed                    2  usage
  4  no istiod, not allowed     9  no answer from the API server";

/// After `istio describe --help`.
pub const DESCRIBE: &str = "\
Examples:
  # which route takes a request, who answers, and whether that works
  gloo-rs istio describe --host shop.example --path /cart

  gloo-rs istio describe upstream default-httpbin-8000
  gloo-rs istio describe upstreams -A --only plaintext,broken

Exit codes:
  0  described                  2  usage
  3  a verdict of --fail-on     4  not found, not allowed
  9  no answer                  130  interrupted";

/// After `istio describe upstream --help`.
pub const DESCRIBE_UPSTREAM: &str = "\
Examples:
  gloo-rs istio describe upstream default-httpbin-8000
  gloo-rs istio describe upstream shop/cart --fail-on broken,plaintext

Exit codes:
  0  described                  2  usage
  3  a verdict of --fail-on     4  not found, not allowed
  9  no answer                  130  interrupted";

/// After `istio describe upstreams --help`.
pub const DESCRIBE_UPSTREAMS: &str = "\
Examples:
  gloo-rs istio describe upstreams -A
  gloo-rs istio describe upstreams -A -o csv > audit.csv
  gloo-rs istio describe upstreams -l team=shop --fail-on plaintext,broken,unknown

Exit codes:
  0  described                  2  usage
  3  a verdict of --fail-on     4  none there, not allowed
  9  no answer                  130  interrupted";

/// After `istio enroll --help`.
pub const ENROLL: &str = "\
Examples:
  # into the mesh of one of several istiods, by revision or tag
  gloo-rs istio enroll default --revision 1-28

  # after a tag moved: what still runs with another revision is restarted
  gloo-rs istio enroll shop orders --parallel 4

  # what would change; and in manifests
  gloo-rs istio enroll shop --diff
  gloo-rs istio enroll shop --revision 1-28 -f namespace.yaml --write

Exit codes:
  0  enrolled, or already so    1  refused, or some workloads failed
  2  usage, or no --yes         3  --check would change something
  4  not found, not allowed     5  failed and rolled back
  6  failed, not rolled back    7  applied, not confirmed
  9  no answer                  130  interrupted, and rolled back";

/// After `istio unenroll --help`.
pub const UNENROLL: &str = "\
Examples:
  gloo-rs istio unenroll default --yes
  gloo-rs istio unenroll shop -f namespace.yaml --diff

Exit codes:
  0  out, or already so         1  refused, or some workloads failed
  2  usage, or no --yes         3  --check would change something
  4  not found, not allowed     5  failed and rolled back
  6  failed, not rolled back    7  applied, not confirmed
  9  no answer                  130  interrupted, and rolled back";
/// After `istio verify --help`.
pub const VERIFY: &str = "\
Examples:
  # over a route to the Upstream; /headers of httpbin tells what it was sent
  gloo-rs istio verify --upstream default-httpbin-8000 --path /headers

  # a host and path, whichever Upstream they lead to
  gloo-rs istio verify --host shop.example --path /cart --port https --cacert ca.pem

  # each gateway pod, through the API server
  gloo-rs istio verify --upstream default-httpbin-8000 --all-pods

  # that plaintext is refused
  gloo-rs istio verify --upstream default-httpbin-8000 --expect 503

Exit codes:
  0  answered as expected, over mutual TLS; or the gateway itself as expected
  1  no route to it is known    2  usage
  4  not found, not allowed     7  answered, and not so; or not proven
  8  the gateway has no address yet
  9  no answer                  130  interrupted";
