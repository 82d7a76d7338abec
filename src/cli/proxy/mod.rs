//! `gloo-rs proxy`.

mod address;
mod target;
mod url;

use clap::Subcommand;

use crate::error::Failure;
use crate::options::{AddressForm, Command};

#[derive(Debug, Subcommand)]
pub enum Word {
    Url(url::UrlArgs),
    Address(address::AddressArgs),
}

impl Word {
    pub fn options(self) -> Result<Command, Failure> {
        match self {
            Self::Url(args) => args.address.options(AddressForm::Url),
            Self::Address(args) => args.address.options(AddressForm::Address),
        }
    }
}
