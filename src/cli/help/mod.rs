//! The ends of the help texts: examples that a test runs, and the exit codes.

pub(super) mod brief;
pub(super) mod exits;
pub(super) mod istio;
pub(super) mod proxy;

/// In the root's help: the questions that people come with.
pub(super) const ROOT: &str = "\
Examples:
  # is it encrypted?
  gloo-rs istio describe upstreams -A
  # why does a request get 503?
  gloo-rs istio describe --host shop.example --path /cart
  gloo-rs istio verify --upstream default-httpbin-8000
  # where is the gateway?
  curl $(gloo-rs proxy url)/headers
  # from a plain gateway to verified mutual TLS, as one plan
  gloo-rs istio setup --upstream default-httpbin-8000 --dry-run";

/// The last line of the root's help.
const ROOT_END: &str = "Options of every command: gloo-rs options; GLOO_RS_* variables set them too";

/// The root's help: the questions stand on its first screen.
pub(super) fn root_template() -> String {
    format!("{{about}}{{after-help}}\n\n{{usage-heading}} {{usage}}\n\n{{all-args}}\n\n{ROOT_END}\n")
}

/// After `options --help`.
pub(super) const OPTIONS: &str = "\
Examples:
  gloo-rs options";

/// After `upgrade-values --help`.
pub(super) const UPGRADE_VALUES: &str = "\
Examples:
  # the values of the release, for helm upgrade -f
  gloo-rs upgrade-values --revision 1-28 > gloo-gateway.yaml

  # a values file, an Argo CD Application or a Flux HelmRelease;
  # with an address it needs no cluster
  gloo-rs upgrade-values --values app.yaml \\
      --istio-discovery-address istiod.istio-system.svc:15012

  # upgrade with your own helm; then remove Istio's settings again
  gloo-rs upgrade-values --revision 1-28 --apply --yes
  gloo-rs upgrade-values --remove --apply --yes";

/// After `check --help`.
pub(super) const CHECK: &str = "\
Examples:
  # the installation, its objects, its gateways and the mesh
  gloo-rs check

  # the cluster as if these manifests were applied, for code scanning
  gloo-rs check --overlay manifests/ -o sarif

  # several clusters: contexts of the kubeconfig
  gloo-rs check --contexts 'prod-*,stage' -o json

  # only manifests, without a cluster; warnings fail too
  gloo-rs check -f upstreams.yaml --fail-on warning

  # fail only for what is not in the baseline
  gloo-rs check --write-baseline findings.baseline
  gloo-rs check --baseline findings.baseline

  gloo-rs check --explain GRS101

A file for --suppress:
  suppress:
  - code: GRS102
    object:
      kind: Upstream
      namespace: gloo-system
      name: legacy-*
    reason: moves out of the mesh in March
    expires: 2027-03-31";

/// After `report --help`.
pub(super) const REPORT: &str = "\
Examples:
  # the posture of the cluster in a few lines
  gloo-rs report

  # a page for a browser, and a text for a pull request
  gloo-rs report -o html > posture.html
  gloo-rs report -o markdown

  # write what is there now, then fail only if something gets worse
  gloo-rs report --write-baseline posture.baseline
  gloo-rs report --baseline posture.baseline

  # only manifests, without a cluster
  gloo-rs report -f upstreams.yaml

Worse than the baseline is:
  a path that was mtls and is tls, that was tls and is mixed, that was mixed
  and is plaintext; any path that is broken now and was not;
  a finding that is new, or more severe, at the level of --fail-on.
What is unknown now, or was unknown then, is not comparable: neither worse
nor better.";

/// After `version --help`.
pub(super) const VERSION: &str = "\
Examples:
  gloo-rs version
  gloo-rs version --client -o json
  gloo-rs version --all-contexts -o table";

/// After `completion --help`.
pub(super) const COMPLETION: &str = "\
Examples:
  gloo-rs completion bash
  source <(gloo-rs completion zsh)";

/// After `rbac --help`.
pub(super) const RBAC: &str = "\
Examples:
  # what the command needs, for kubectl apply -f -
  gloo-rs rbac istio enable-mtls --upstream default-httpbin-8000

  # with a binding for a ServiceAccount
  gloo-rs rbac --service-account ops/gloo-rs check

  # one namespace is a smaller role than all
  gloo-rs rbac -n edge istio describe upstreams";
