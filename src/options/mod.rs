//! What the command line means, as plain values: nothing after `cli/` knows clap.

mod check;
mod describe;
mod enrolment;
mod global;
mod inside;
mod names;
mod objects;
mod peer_auth;
mod pods;
mod proxy;
mod setup;
mod sidecars;
mod values;
mod verify;

pub(crate) use check::{Check, CheckSource, CheckTask, Reach};
pub(crate) use describe::{Describe, Subject};
pub(crate) use enrolment::{Enrol, Enrolment, Restarts};
pub(crate) use global::{Consent, Format, GLOO_SYSTEM, Global};
pub(crate) use global::{Loudness, When};
pub(crate) use inside::{
    Against, CertsTask, DumpSource, DumpTask, DumpView, Endpoints, LogExtent, LogsTask, ServedTask, SnapshotTask,
    StatsTask,
};
pub(crate) use names::Names;
pub(crate) use objects::{Absent, Destination, DryRun, Files, Named, Objects, Preview, Scope, Selection};
pub(crate) use peer_auth::{PeerAuth, PeerAuthGet};
pub(crate) use pods::{PodsOf, ProxyPods};
pub(crate) use proxy::{AddressForm, Proxy, ProxyTarget};
pub(crate) use setup::{Bringer, Marks, Proof, RequestWish, Setup, Strictness, Teardown};
pub(crate) use sidecars::{Injection, IstioWish, Posture, Proxies, Rollouts, Sidecars, Switches, Upstreams};
pub(crate) use values::{HelmFailure, UpgradeValues, ValuesAct, ValuesDestination, ValuesSource};
pub(crate) use verify::{HTTP_PORT, TrustWish, VerifyTask, Via};

use crate::plan::auto_mtls::{Off as AutoMtlsOff, OptOut, Wish as AutoMtlsWish};
use crate::plan::mtls::Policy;
use crate::plan::policy::Caution;
use crate::render::diff::Secrets;

/// What to look at and what to do with it.
#[derive(Debug, Clone)]
pub(crate) enum Command {
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

/// `istio auto-mtls` on Settings.
#[derive(Debug, Clone)]
pub(crate) struct SwitchesTask {
    /// None: say how they stand.
    pub wish: Option<AutoMtlsWish>,
    pub off: AutoMtlsOff,
    pub caution: Caution,
    pub preview: Preview,
    /// Manifests instead of the cluster.
    pub files: Option<Files>,
    pub secrets: Secrets,
}

/// Whether to wait for what is not there yet: an address, the effect of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    Now,
    Wait,
}

/// `version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
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
    Powershell,
    Elvish,
}
