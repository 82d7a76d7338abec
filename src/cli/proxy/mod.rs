//! `gloo-rs proxy`.

mod address;
mod logs;
pub mod pods;
mod served_config;
mod stats;
mod target;
mod url;

use clap::Subcommand;

use crate::error::Failure;
use crate::options::{AddressForm, Command, Format, Global};

#[derive(Debug, Subcommand)]
pub enum Word {
    Url(url::UrlArgs),
    Address(address::AddressArgs),
    Stats(stats::StatsArgs),
    Logs(logs::LogsArgs),
    ServedConfig(served_config::ServedArgs),
}

impl Word {
    /// The formats the command knows, its usual one first.
    pub fn formats(&self) -> &'static [Format] {
        match self {
            Self::Url(_) | Self::Address(_) | Self::Stats(_) | Self::Logs(_) => {
                &[Format::Text, Format::Json, Format::Yaml]
            }
            Self::ServedConfig(_) => &[Format::Table, Format::Json, Format::Yaml, Format::Text],
        }
    }

    pub fn options(self, global: &Global) -> Result<Command, Failure> {
        match self {
            Self::Url(args) => args.address.options(AddressForm::Url),
            Self::Address(args) => args.address.options(AddressForm::Address),
            Self::Stats(args) => args.options(),
            Self::Logs(args) => args.options(global.format),
            Self::ServedConfig(args) => args.options(global.object_namespace()),
        }
    }
}
