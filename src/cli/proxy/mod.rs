//! `gloo-rs proxy`.

mod address;
mod pods;
mod stats;
mod target;
mod url;

use clap::Subcommand;

use crate::error::Failure;
use crate::options::{AddressForm, Command, Format};

#[derive(Debug, Subcommand)]
pub enum Word {
    Url(url::UrlArgs),
    Address(address::AddressArgs),
    Stats(stats::StatsArgs),
}

impl Word {
    /// The formats the command knows, its usual one first.
    pub fn formats(&self) -> &'static [Format] {
        match self {
            Self::Url(_) | Self::Address(_) | Self::Stats(_) => &[Format::Text, Format::Json, Format::Yaml],
        }
    }

    pub fn options(self) -> Result<Command, Failure> {
        match self {
            Self::Url(args) => args.address.options(AddressForm::Url),
            Self::Address(args) => args.address.options(AddressForm::Address),
            Self::Stats(args) => args.options(),
        }
    }
}
