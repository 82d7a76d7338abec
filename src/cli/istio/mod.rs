//! `gloo-rs istio`.

mod disable_mtls;
mod enable_mtls;
pub mod names;
mod selection;

use clap::Subcommand;

use crate::error::Failure;
use crate::options::{Command, Global};

#[derive(Debug, Subcommand)]
pub enum Word {
    EnableMtls(enable_mtls::EnableMtlsArgs),
    DisableMtls(disable_mtls::DisableMtlsArgs),
}

impl Word {
    pub fn options(self, global: &Global) -> Result<Command, Failure> {
        match self {
            Self::EnableMtls(args) => args.options(global),
            Self::DisableMtls(args) => args.options(global),
        }
    }
}
