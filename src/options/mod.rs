//! What the command line means, as plain values: nothing after `cli/` knows clap.

mod check;
mod describe;
mod enrolment;
mod inside;
mod names;
mod peer_auth;
mod pods;
mod setup;
mod verify;

use std::path::PathBuf;
use std::time::Duration;

pub use enrolment::{Enrol, Enrolment, Restarts};
pub use names::Names;

use crate::model::Selector;
use crate::plan::address::Wish;
use crate::plan::auto_mtls::{OptOut, Wish as AutoMtlsWish};
use crate::plan::mtls::{Caution, Policy};
use crate::plan::proxy_name::ProxyName;
use crate::plan::values::{self, Edition};
use crate::render::diff::Secrets;

pub use check::{Check, CheckSource, CheckTask, Reach};
pub use describe::{Describe, Subject};
pub use inside::{
    Against, CertsTask, DumpSource, DumpTask, DumpView, Endpoints, LogExtent, LogsTask, ServedTask, SnapshotTask,
    StatsTask,
};
pub use peer_auth::{PeerAuth, PeerAuthGet};
pub use pods::{PodsOf, ProxyPods};
pub use setup::{Bringer, Marks, Proof, Setup, Strictness, Teardown};
pub use verify::{HTTP_PORT, TrustWish, VerifyTask, Via};

/// What every command is told.
#[derive(Debug, Clone)]
pub struct Global {
    pub kubeconfig: Option<PathBuf>,
    pub context: Option<String>,
    /// `-n`, if it was typed.
    pub namespace: Option<String>,
    pub gloo_namespace: Option<String>,
    pub as_user: Option<String>,
    pub as_groups: Vec<String>,
    pub as_uid: Option<String>,
    pub format: Format,
    /// One API request with its retries.
    pub timeout: Duration,
    /// Each wait: an address, a rollout.
    pub wait_timeout: Duration,
    pub colour: When,
    pub loudness: Loudness,
    pub consent: Consent,
}

/// Where Gloo is installed unless something says otherwise.
pub const GLOO_SYSTEM: &str = "gloo-system";

impl Global {
    /// The namespace of the named object: glooctl's meaning of `-n`.
    pub fn object_namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or(GLOO_SYSTEM)
    }
}

/// Whether a risky command was agreed to beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Ask on a terminal.
    Ask,
    /// `--yes`
    Given,
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum When {
    #[default]
    Auto,
    Always,
    Never,
}

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Loudness {
    /// `-q`: errors and warnings alone.
    Quiet,
    #[default]
    Usual,
    /// `-v`: what was skipped, and every request.
    Verbose,
    /// `-vv`: and how long each took.
    Timed,
}

/// `-o`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
    Yaml,
    Name,
    Table,
    Wide,
    /// Comma-separated values, for a spreadsheet.
    Csv,
    /// For code scanning.
    Sarif,
    /// For CI servers.
    Junit,
}

impl Format {
    /// Every format there is.
    pub const ALL: [Self; 9] =
        [Self::Text, Self::Json, Self::Yaml, Self::Name, Self::Table, Self::Wide, Self::Csv, Self::Sarif, Self::Junit];
}

/// What to look at and what to do with it.
#[derive(Debug, Clone)]
pub enum Command {
    /// `istio enable-mtls`, `istio disable-mtls`
    Mtls(Policy, Objects),
    /// `istio auto-mtls enable|disable` of single Upstreams
    OptOut(OptOut, Objects),
    /// `istio auto-mtls` on Settings
    Switches(SwitchesTask),
    Sidecars(Sidecars),
    PeerAuth(PeerAuth),
    PeerAuthGet(PeerAuthGet),
    /// `istio revisions`
    Revisions {
        istio_namespace: Option<String>,
    },
    Describe(Describe),
    /// `istio enroll`, `istio unenroll`
    Enrolment(Enrolment),
    /// `istio verify`
    Verify(Box<VerifyTask>),
    Setup(Setup),
    Teardown(Teardown),
    Proxy(Proxy),
    /// `proxy dump`
    Dump(DumpTask),
    /// `proxy certs`
    Certs(CertsTask),
    /// `proxy snapshot`
    Snapshot(SnapshotTask),
    /// `proxy stats`
    Stats(StatsTask),
    /// `proxy logs`
    Logs(LogsTask),
    /// `proxy served-config`
    Served(ServedTask),
    UpgradeValues(UpgradeValues),
    Check(Check),
    Version(Version),
    Completion(Shell),
}

/// Objects that are edited one by one.
#[derive(Debug, Clone)]
pub struct Objects {
    pub selection: Selection,
    pub absent: Absent,
    /// Requests under way at once in a sweep.
    pub concurrency: usize,
    pub preview: Preview,
    /// Whether the effect of a change is waited for.
    pub patience: Patience,
    /// Manifests instead of the cluster.
    pub files: Option<Files>,
    pub secrets: Secrets,
}

/// Which objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// These, in this order, each once.
    Named(Vec<Named>),
    /// Those that match, in these namespaces.
    Sweep { labels: Option<Selector>, scope: Scope },
}

/// `name` or `namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Named {
    pub namespace: Option<String>,
    pub name: String,
}

/// Where a sweep looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// `-n`, or its default.
    Namespace,
    /// `-A`
    Everywhere,
}

/// What it means that an object is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    Fails,
    /// `--ignore-not-found`
    IsFine,
}

/// What is shown instead of done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preview {
    pub dry_run: Option<DryRun>,
    /// `--diff`
    pub diff: bool,
    /// `--check`
    pub check: bool,
}

impl Preview {
    /// Whether nothing is written.
    pub fn is_on(self) -> bool {
        self.dry_run.is_some() || self.diff || self.check
    }
}

/// `--dry-run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DryRun {
    Client,
    Server,
}

/// `-f` and what belongs to it.
#[derive(Debug, Clone)]
pub struct Files {
    /// Files, directories, `-`.
    pub paths: Vec<PathBuf>,
    pub destination: Destination,
}

/// Where edited manifests go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    Stdout,
    /// `--write`
    InPlace,
}

/// `istio auto-mtls` on Settings.
#[derive(Debug, Clone)]
pub struct SwitchesTask {
    /// None: say how they stand.
    pub wish: Option<AutoMtlsWish>,
    pub caution: Caution,
    pub preview: Preview,
    /// Manifests instead of the cluster.
    pub files: Option<Files>,
    pub secrets: Secrets,
}

/// `istio inject`, `istio uninject`.
#[derive(Debug, Clone)]
pub struct Sidecars {
    pub act: Injection,
    pub proxies: Proxies,
    pub rollouts: Rollouts,
    pub preview: Preview,
    /// Manifests instead of the cluster.
    pub files: Option<Files>,
    pub secrets: Secrets,
}

/// Which of the two commands, with what only it has.
#[derive(Debug, Clone)]
pub enum Injection {
    Inject { istio: IstioWish, sds_image: Option<String>, posture: Posture, auto_mtls: Switches },
    Uninject { upstreams: Upstreams, caution: Caution },
}

/// What was typed about istiod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IstioWish {
    /// A revision or a tag.
    pub revision: Option<String>,
    pub namespace: Option<String>,
    pub discovery_address: Option<String>,
    pub mesh_id: Option<String>,
    pub cluster_id: Option<String>,
    pub proxy_image: Option<String>,
}

/// Which gateway proxies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proxies {
    /// The one named gateway-proxy, or the only one.
    Usual,
    Named(Vec<ProxyName>),
    All,
}

/// What the sidecars' securityContext is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posture {
    Usual,
    /// `--restricted`
    Restricted,
}

/// Whether Settings change as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switches {
    Alone,
    /// `--auto-mtls`
    On,
}

/// Whether Upstreams that need the sidecars are changed as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upstreams {
    Left,
    /// `--include-upstreams`
    Included,
}

/// Whether a rollout is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollouts {
    Wait,
    NoWait,
}

/// `upgrade-values`.
#[derive(Debug, Clone)]
pub struct UpgradeValues {
    pub act: ValuesAct,
    pub wish: values::Wish,
    pub istio: IstioWish,
    pub source: ValuesSource,
    pub destination: ValuesDestination,
    /// None: told by the chart's name or the values' shape.
    pub edition: Option<Edition>,
    /// `--to-version`
    pub to_version: Option<String>,
    /// `--chart`: a packed chart or its directory.
    pub chart: Option<PathBuf>,
    pub diff: bool,
    pub check: bool,
    pub secrets: Secrets,
}

/// Whether Istio's settings come or go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValuesAct {
    Merge,
    /// `--remove`
    Remove,
}

/// Where the values are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValuesSource {
    /// The release's record; none named: the one of Gloo's chart.
    Release { name: Option<String>, revision: Option<u64> },
    /// `--values FILE|-`
    File(PathBuf),
}

/// Where the values go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValuesDestination {
    Stdout,
    /// `--write`
    InPlace,
    /// `--output-file`
    NewFile(PathBuf),
    /// `--apply`: to Helm.
    Helm(HelmFailure),
}

/// What Helm does where an upgrade fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelmFailure {
    /// The release stays failed.
    Stays,
    /// `--rollback-on-failure`
    RollsBack,
}

/// `proxy url`, `proxy address`.
#[derive(Debug, Clone)]
pub struct Proxy {
    pub form: AddressForm,
    pub target: ProxyTarget,
    pub wish: Wish,
    pub patience: Patience,
}

/// Which of the two commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressForm {
    Url,
    Address,
}

/// Which proxy: names that were checked, so that they are safe in a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyTarget {
    /// `--name`
    Service(String),
    /// `--gateway`: a Gateway of the Kubernetes Gateway API, and the Service that Gloo makes for it.
    Gateway { gateway: String, service: String },
}

/// Whether to wait for what is not there yet: an address, the effect of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    Now,
    Wait,
}

/// `version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `--client`
    Client,
    ClientAndServer,
}

/// `completion SHELL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    PowerShell,
    Elvish,
}
