//! `gloo-rs istio`.

mod auto_mtls;
mod describe;
mod disable_mtls;
mod enable_mtls;
mod enroll;
mod enrolment;
mod inject;
pub(super) mod istiod;
mod mtls;
pub(super) mod names;
mod peer_auth;
mod proxies;
mod revisions;
mod selection;
mod setup;
mod teardown;
mod unenroll;
mod uninject;
mod verify;

use clap::Subcommand;

use crate::error::Failure;
use crate::options::{Command, Global};

#[derive(Debug, Subcommand)]
pub(super) enum IstioCommand {
    // As --help lists them: first what tells the state, then the order of the guide.
    Describe(describe::DescribeArgs),
    Verify(verify::VerifyArgs),
    Setup(setup::SetupArgs),
    Teardown(teardown::TeardownArgs),
    Revisions(revisions::RevisionsArgs),
    Inject(inject::InjectArgs),
    Uninject(uninject::UninjectArgs),
    Enroll(enroll::EnrollArgs),
    Unenroll(unenroll::UnenrollArgs),
    EnableMtls(enable_mtls::EnableMtlsArgs),
    DisableMtls(disable_mtls::DisableMtlsArgs),
    /// Let Gloo use mutual TLS automatically, pod by pod
    #[command(subcommand, arg_required_else_help = true)]
    AutoMtls(auto_mtls::AutoMtlsCommand),
    /// Set whether pods accept only mutual TLS: Istio's PeerAuthentication
    #[command(subcommand, arg_required_else_help = true)]
    PeerAuth(peer_auth::PeerAuthCommand),
}

impl IstioCommand {
    pub(super) fn options(self, global: &Global) -> Result<Command, Failure> {
        match self {
            Self::EnableMtls(args) => args.options(global),
            Self::DisableMtls(args) => args.options(global),
            Self::Inject(args) => args.options(global),
            Self::Uninject(args) => args.options(global),
            Self::Revisions(args) => args.options(),
            Self::Describe(args) => args.options(),
            Self::Enroll(args) => args.options(global),
            Self::Unenroll(args) => args.options(global),
            Self::Verify(args) => args.options(),
            Self::Setup(args) => args.options(),
            Self::Teardown(args) => Ok(args.options()),
            Self::AutoMtls(word) => word.options(global),
            Self::PeerAuth(word) => word.options(global),
        }
    }
}
