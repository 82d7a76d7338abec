//! `gloo-rs proxy`.

mod address;
mod certs;
mod dump;
mod logs;
pub(super) mod pods;
mod restart;
mod served_config;
mod snapshot;
mod stats;
mod target;
mod url;

use clap::Subcommand;

use crate::error::Failure;
use crate::options::{AddressForm, Command, Format, Global};

#[derive(Debug, Subcommand)]
pub(super) enum ProxyCommand {
    Url(url::UrlArgs),
    Address(address::AddressArgs),
    Dump(dump::DumpArgs),
    Stats(stats::StatsArgs),
    Logs(logs::LogsArgs),
    ServedConfig(served_config::ServedArgs),
    Snapshot(snapshot::SnapshotArgs),
    Certs(certs::CertsArgs),
    Restart(restart::RestartArgs),
}

impl ProxyCommand {
    /// The formats the command knows, its usual one first.
    pub(super) fn formats(&self) -> &'static [Format] {
        match self {
            Self::Url(_) | Self::Address(_) | Self::Stats(_) | Self::Logs(_) | Self::Snapshot(_) | Self::Restart(_) => {
                &[Format::Text, Format::Json, Format::Yaml]
            }
            Self::ServedConfig(_) => &[Format::Table, Format::Json, Format::Yaml, Format::Text],
            Self::Dump(args) => args.formats(),
            Self::Certs(_) => &[Format::Table, Format::Wide, Format::Json, Format::Yaml],
        }
    }

    pub(super) fn options(self, global: &Global) -> Result<Command, Failure> {
        match self {
            Self::Url(args) => args.address.options(AddressForm::Url),
            Self::Address(args) => args.address.options(AddressForm::Address),
            Self::Dump(args) => args.options(global),
            Self::Stats(args) => args.options(),
            Self::Logs(args) => args.options(global.format),
            Self::ServedConfig(args) => args.options(global.object_namespace()),
            Self::Snapshot(args) => args.options(),
            Self::Certs(args) => args.options(),
            Self::Restart(args) => args.options(),
        }
    }
}
