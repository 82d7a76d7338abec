//! `gloo-rs istio`.

mod disable_mtls;
mod enable_mtls;
mod inject;
mod istiod;
pub mod names;
mod proxies;
mod revisions;
mod selection;
mod uninject;

use clap::Subcommand;

use crate::error::Failure;
use crate::options::{Command, Format, Global};

#[derive(Debug, Subcommand)]
pub enum Word {
    EnableMtls(enable_mtls::EnableMtlsArgs),
    DisableMtls(disable_mtls::DisableMtlsArgs),
    Inject(inject::InjectArgs),
    Uninject(uninject::UninjectArgs),
    Revisions(revisions::RevisionsArgs),
}

impl Word {
    /// The formats the command knows, its usual one first.
    pub fn formats(&self) -> &'static [Format] {
        match self {
            Self::Revisions(_) => &[Format::Table, Format::Wide, Format::Json, Format::Yaml],
            _ => &[Format::Text, Format::Json, Format::Yaml, Format::Name],
        }
    }

    pub fn options(self, global: &Global) -> Result<Command, Failure> {
        match self {
            Self::EnableMtls(args) => args.options(global),
            Self::DisableMtls(args) => args.options(global),
            Self::Inject(args) => args.options(global),
            Self::Uninject(args) => args.options(global),
            Self::Revisions(args) => args.options(),
        }
    }
}
