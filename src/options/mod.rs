//! The meaning of the command line as plain values: no code after `cli/` uses clap.

mod baseline;
mod check;
mod clusters;
mod describe;
mod enrolment;
mod global;
mod inside;
mod names;
mod objects;
mod observation;
mod peer_auth;
mod pods;
mod proxy;
mod rbac;
mod setup;
mod sidecars;
mod values;
mod verify;

pub(crate) use baseline::BaselineTask;
pub(crate) use check::{CheckCommand, CheckReach, CheckSource, CheckTask};
pub(crate) use clusters::ClusterUse;
pub(crate) use describe::{Describe, DescribeSubject};
pub(crate) use enrolment::{Enrol, Enrolment, Restarts};
pub(crate) use global::{Consent, Format, GLOO_SYSTEM, Global, WantedContexts};
pub(crate) use global::{Loudness, When};
pub(crate) use inside::{
    Against, CertsTask, DumpSource, DumpTask, DumpView, Endpoints, LogExtent, LogsTask, ServedTask, SnapshotTask,
    StatsTask,
};
pub(crate) use names::Names;
pub(crate) use objects::{
    Absent, DryRunMode, FilesDestination, FilesTask, Named, ObjectsTask, Preview, Selection, SweepScope,
};
pub(crate) use observation::{BatchSize, Observation, OnSilence, OnWorse, USUAL_WINDOW};
pub(crate) use peer_auth::{PeerAuth, PeerAuthGet};
pub(crate) use pods::{PodsOf, ProxyPods};
pub(crate) use proxy::{AddressForm, ProxyTarget, ProxyTask};
pub(crate) use rbac::RbacTask;
pub(crate) use setup::{Bringer, Marks, MeshMode, RequestWish, Setup, SetupProof, Strictness, Teardown};
pub(crate) use sidecars::{
    Injection, IstioWish, Posture, Proxies, Restart, Rollouts, SettingsSwitches, Sidecars, UpstreamsTask,
};
pub(crate) use values::{HelmFailure, ProofWish, UpgradeValues, ValuesAct, ValuesDestination, ValuesInput};
pub(crate) use verify::{HTTP_PORT, TrustWish, VerifyTask, Via};

use crate::plan::auto_mtls::{AutoMtlsWish, Off as AutoMtlsOff, OptOut};
use crate::plan::mtls::Policy;
use crate::plan::policy::Caution;
use crate::render::diff::Secrets;

/// The command with its options.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    /// `istio enable-mtls`, `istio disable-mtls`
    Mtls(Policy, ObjectsTask),
    /// `istio auto-mtls enable|disable` of single Upstreams
    OptOut(OptOut, ObjectsTask),
    /// `istio auto-mtls migrate`
    Migrate(Caution, ObjectsTask),
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
    Proxy(ProxyTask),
    /// `proxy dump`
    Dump(DumpTask),
    /// `proxy certs`
    Certs(CertsTask),
    /// `proxy restart`
    Restart(Restart),
    /// `proxy snapshot`
    Snapshot(SnapshotTask),
    /// `proxy stats`
    Stats(StatsTask),
    /// `proxy logs`
    Logs(LogsTask),
    /// `proxy served-config`
    Served(ServedTask),
    UpgradeValues(UpgradeValues),
    Check(CheckCommand),
    /// `report`: the checks that it runs, and their baseline with that of the paths
    Report(Box<CheckTask>),
    Version(VersionTask),
    Completion(Shell),
    /// `rbac`
    Rbac(Box<RbacTask>),
    /// `options`
    Options,
}

/// The options of `istio auto-mtls` on Settings.
#[derive(Debug, Clone)]
pub(crate) struct SwitchesTask {
    /// The wanted switches; `None` to show the current ones.
    pub wish: Option<AutoMtlsWish>,
    pub off: AutoMtlsOff,
    pub caution: Caution,
    pub preview: Preview,
    /// Edits manifests instead of the cluster.
    pub files: Option<FilesTask>,
    pub secrets: Secrets,
    /// Watches the requests after the change: `--observe`.
    pub observation: Option<Observation>,
}

/// Whether to wait for something that does not exist yet: an address, the effect of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    Now,
    Wait,
}

/// The options of `version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VersionTask {
    /// Only the version of this program: `--client`.
    Client,
    ClientAndServer,
}

/// The shell of `completion SHELL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
}
