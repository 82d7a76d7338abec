//! The ends of the help texts: examples that a test runs, and the exit codes that can occur.

/// After the root's help.
pub const ROOT: &str = "\
Examples:
  # from a plain gateway to proven mutual TLS, as one plan
  gloo-rs istio setup --namespace-to-enroll default --upstream default-httpbin-8000 --dry-run

  gloo-rs istio enable-mtls --upstream default-httpbin-8000
  gloo-rs istio enable-mtls --upstream default-httpbin-8000 -f upstreams.yaml --diff
  curl $(gloo-rs proxy url)/headers

Every flag in 'Global options' can be set by its GLOO_RS_* variable.";

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

/// After `upgrade-values --help`.
pub const UPGRADE_VALUES: &str = "\
Examples:
  # the values of the release, for helm upgrade -f
  gloo-rs upgrade-values --revision 1-28 > gloo-gateway.yaml

  # a values file, an Argo CD Application or a Flux HelmRelease; no cluster, since the address is given
  gloo-rs upgrade-values --values app.yaml --istio-discovery-address istiod.istio-system.svc:15012

  # the same as one upgrade by your own helm; and out again
  gloo-rs upgrade-values --revision 1-28 --apply --yes
  gloo-rs upgrade-values --remove --apply --yes

Exit codes:
  0  printed, or done           1  refused or failed, nothing changed
  2  usage, or no --yes         3  --check would change something
  4  no release, not allowed    5  helm failed and went back
  6  helm failed, not back      7  upgraded, not confirmed
  9  no answer                  130  interrupted";

/// After `proxy url --help`.
pub const PROXY_URL: &str = "\
Examples:
  gloo-rs proxy url
  gloo-rs proxy url --name gateway-proxy --port https
  curl $(gloo-rs proxy url)/headers

Exit codes:
  0  printed                    1  there is no such address
  2  usage                      4  no such Service or port, not allowed
  8  pending: no address yet    9  no answer from the API server
  130  interrupted";

/// After `proxy address --help`.
pub const PROXY_ADDRESS: &str = "\
Examples:
  gloo-rs proxy address
  gloo-rs proxy address --all --prefer ip
  gloo-rs proxy address --name gateway-proxy --local-cluster
  gloo-rs proxy address --gateway http --wait

Exit codes:
  0  printed                    1  there is no such address
  2  usage                      4  no such Service or port, not allowed
  8  pending: no address yet    9  no answer from the API server
  130  interrupted";

/// After `proxy dump --help`.
pub const PROXY_DUMP: &str = "\
Examples:
  gloo-rs proxy dump > dump.json
  gloo-rs proxy dump clusters --upstream default/httpbin
  gloo-rs proxy dump routes --domain shop.example.com -o wide
  gloo-rs proxy dump listeners http -o yaml

  # a dump or a snapshot that was saved, without a cluster
  gloo-rs proxy dump endpoints -f dump.json --port 8080

Exit codes:
  0  printed                    1  Envoy failed, or it is no dump
  2  usage                      4  no such proxy or resource, not allowed
  9  no answer, or cut off      130  interrupted";

/// After `proxy snapshot --help`.
pub const PROXY_SNAPSHOT: &str = "\
Examples:
  gloo-rs proxy snapshot
  gloo-rs proxy snapshot --all-pods --output-file outage.zip

Exit codes:
  0  written                    1  Envoy failed, or the file cannot be written
  2  usage                      4  no such proxy, not allowed
  9  no answer, or cut off      130  interrupted";

/// After `proxy certs --help`.
pub const PROXY_CERTS: &str = "\
Examples:
  gloo-rs proxy certs
  gloo-rs proxy certs --all-pods --fail-under 7 -o json

Exit codes:
  0  printed                    1  Envoy failed
  2  usage                      3  one is valid for less than --fail-under
  4  no such proxy, not allowed 9  no answer
  130  interrupted";

/// After `proxy stats --help`.
pub const PROXY_STATS: &str = "\
Examples:
  gloo-rs proxy stats
  gloo-rs proxy stats --used --filter 'cluster.*ssl'
  gloo-rs proxy stats --name daemonset/edge --all-pods --format prometheus

Exit codes:
  0  printed                    1  Envoy refused or failed
  2  usage                      4  no such proxy, not allowed
  9  no answer                  130  interrupted";

/// After `proxy logs --help`.
pub const PROXY_LOGS: &str = "\
Examples:
  gloo-rs proxy logs --since 10m
  gloo-rs proxy logs --follow --all-pods

  # half a minute of what Envoy says of TLS and of its routing
  gloo-rs proxy logs --level connection:debug,router:debug --for 30s

Exit codes:
  0  printed                    1  the API server or Envoy failed
  2  usage                      4  no such proxy, not allowed
  6  log levels are not back    9  no answer
  130  interrupted";

/// After `proxy served-config --help`.
pub const PROXY_SERVED_CONFIG: &str = "\
Examples:
  gloo-rs proxy served-config
  gloo-rs proxy served-config clusters --upstream default-httpbin-8000 -o yaml
  gloo-rs proxy served-config --diff

Exit codes:
  0  printed                    1  Gloo or Envoy failed
  2  usage                      3  --check: Envoy has something else
  4  no such proxy or role, not allowed
  9  no answer                  130  interrupted";

/// After `check --help`.
pub const CHECK: &str = "\
Examples:
  # the installation, its objects, its gateways and the mesh
  gloo-rs check

  # what if this were merged, for code scanning
  gloo-rs check --overlay manifests/ -o sarif

  # manifests alone, without a cluster; warnings fail too
  gloo-rs check -f upstreams.yaml --fail-on warning

  gloo-rs check --explain GRS101

Exit codes:
  0  nothing at the threshold   1  a file cannot be read
  2  usage                      3  something at --fail-on or over it
  4  not allowed to see at all  9  no answer from the API server
  130  interrupted";

/// After `version --help`.
pub const VERSION: &str = "\
Examples:
  gloo-rs version
  gloo-rs version --client -o table

Exit codes:
  0  printed, also where the server could not be asked
  2  usage";

/// After `completion --help`.
pub const COMPLETION: &str = "\
Examples:
  gloo-rs completion bash
  source <(gloo-rs completion zsh)

Exit codes:
  0  printed
  2  usage";
