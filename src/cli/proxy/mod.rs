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
use crate::options::{AddressForm, Command, Global};

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
